/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cable that misbehaves: frames that come in on one interface go out on all others, and on the way some are lost, doubled,
 * delayed behind later ones, or have a byte changed. The same seed and the same frames give the same accidents.
 *
 *	impair [seed=N] [loss=P] [dup=P] [reorder=P] [corrupt=P] [blackout_ms=N every_ms=N] [seconds=N] IF IF...
 *
 * P is a chance, 0 to 1. Frames that are not pfsync (IP protocol 240) pass untouched: ARP and neighbour discovery are not what is
 * tested. Only bytes behind the IP header are changed: what is in front of it the receiver would not even see as his.
 * Standard input takes NAME=VALUE lines that change the chances on the run, `cut` and `join` (nothing passes in between), and
 * `stats`, answered by one line on standard output. Ends at end of input, after `seconds` (default 120), or on SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_IF 8
#define FRAME_SIZE 9300
#define HELD_MAX 64
#define HOLD_MS 20	/* a frame that waits for later ones to overtake it waits no longer */

struct chances { double loss, dup, reorder, corrupt; uint64_t blackout_ms, every_ms; };

struct held {
	uint8_t frame[FRAME_SIZE];
	size_t len;
	int from;
	unsigned behind;	/* frames of the same interface that still pass first */
	uint64_t until_ms;
};

static struct chances ch;
static uint64_t random_state[MAX_IF];	/* one sequence an interface: their mixture depends on time, they do not */
static int fds[MAX_IF], n_if;
static struct held held[HELD_MAX];
static unsigned n_held;
static bool cut;
static struct { uint64_t in, out, lost, doubled, late, changed, dark, refused; } stats;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* splitmix64 */
static uint64_t
draw(int i)
{
	uint64_t z = random_state[i] += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool
chance(int i, double p)
{
	return (draw(i) >> 11) * 0x1p-53 < p;
}

static void
send_all(int from, const uint8_t *frame, size_t len)
{
	for (int i = 0; i < n_if; i++) {
		if (i == from)
			continue;
		if (send(fds[i], frame, len, 0) == (ssize_t)len)
			stats.out++;
		else
			stats.refused++;
	}
}

/* Where the pfsync payload begins, 0: the frame carries none. */
static size_t
payload(const uint8_t *f, size_t len)
{
	if (len >= 34 && f[12] == 8 && f[13] == 0 && f[23] == 240)
		return 14 + (f[14] & 15) * 4;
	if (len >= 54 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 240)
		return 54;
	return 0;
}

static void
overtake(int from, uint64_t now, bool passed)
{
	for (unsigned i = 0; i < n_held;) {
		struct held *h = &held[i];

		if (passed && h->from == from && h->behind > 0)
			h->behind--;
		if (h->behind > 0 && now < h->until_ms) {
			i++;
			continue;
		}
		send_all(h->from, h->frame, h->len);
		*h = held[--n_held];
	}
}

static void
one(int from, uint8_t *frame, size_t len, uint64_t now, uint64_t start)
{
	size_t at = payload(frame, len);
	bool lose, twice, later, change;
	uint64_t where;

	stats.in++;
	if (cut)
		return;
	if (at == 0 || at >= len) {
		send_all(from, frame, len);
		return;
	}
	/* Always the same number of draws, so that one accident does not change the next. */
	lose = chance(from, ch.loss);
	twice = chance(from, ch.dup);
	later = chance(from, ch.reorder);
	change = chance(from, ch.corrupt);
	where = draw(from);
	if (ch.every_ms != 0 && (now - start) % ch.every_ms >= ch.every_ms - ch.blackout_ms) {
		stats.dark++;
		return;
	}
	if (lose) {
		stats.lost++;
		return;
	}
	if (change) {
		frame[at + where % (len - at)] ^= 1 + (where >> 32) % 255;
		stats.changed++;
	}
	if (later && n_held < HELD_MAX && len <= FRAME_SIZE) {
		struct held *h = &held[n_held++];

		memcpy(h->frame, frame, len);
		h->len = len;
		h->from = from;
		h->behind = 1 + (where >> 48) % 8;
		h->until_ms = now + HOLD_MS;
		stats.late++;
		return;
	}
	send_all(from, frame, len);
	if (twice) {
		stats.doubled++;
		send_all(from, frame, len);
	}
	overtake(from, now, true);
}

static bool
word(const char *w)
{
	static const struct { const char *name; double *p; } of[] = { { "loss=", &ch.loss }, { "dup=", &ch.dup },
		{ "reorder=", &ch.reorder }, { "corrupt=", &ch.corrupt } };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (strncmp(w, of[i].name, strlen(of[i].name)) == 0) {
			*of[i].p = atof(w + strlen(of[i].name));
			return true;
		}
	}
	if (sscanf(w, "blackout_ms=%" SCNu64, &ch.blackout_ms) == 1 || sscanf(w, "every_ms=%" SCNu64, &ch.every_ms) == 1)
		return true;
	if (strcmp(w, "cut") == 0 || strcmp(w, "join") == 0) {
		cut = w[0] == 'c';
		return true;
	}
	if (strcmp(w, "stats") == 0) {
		printf("in=%" PRIu64 " out=%" PRIu64 " lost=%" PRIu64 " doubled=%" PRIu64 " late=%" PRIu64 " changed=%" PRIu64
			" dark=%" PRIu64 " refused=%" PRIu64 "\n", stats.in, stats.out, stats.lost, stats.doubled, stats.late,
			stats.changed, stats.dark, stats.refused);
		fflush(stdout);
		return true;
	}
	return false;
}

static int
open_if(const char *name)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq mr = { .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), size = 8 << 20, yes = 1;

	a.sll_ifindex = mr.mr_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || a.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)) != 0) {
		fprintf(stderr, "impair: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	/* Not what we sent ourselves; more room than frames come in one turn. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

int
main(int argc, char **argv)
{
	static uint8_t frame[65536];
	uint64_t seed = 1, seconds = 120, start, now;
	struct pollfd p[MAX_IF + 1];
	char line[256];

	for (int i = 1; i < argc; i++) {
		if (sscanf(argv[i], "seed=%" SCNu64, &seed) == 1 || sscanf(argv[i], "seconds=%" SCNu64, &seconds) == 1 ||
			word(argv[i]))
			continue;
		if (strchr(argv[i], '=') != NULL || n_if == MAX_IF) {
			fprintf(stderr, "impair: bad word %s\n", argv[i]);
			return 2;
		}
		fds[n_if++] = open_if(argv[i]);
	}
	if (n_if < 2) {
		fprintf(stderr, "usage: impair [NAME=VALUE]... IF IF...\n");
		return 2;
	}
	for (int i = 0; i < n_if; i++) {
		random_state[i] = seed * 1000003 + i;
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	}
	p[n_if] = (struct pollfd){ .fd = 0, .events = POLLIN };
	printf("ready\n");
	fflush(stdout);
	start = now_ms();
	while ((now = now_ms()) - start < seconds * 1000) {
		if (poll(p, n_if + 1, n_held > 0 ? 2 : 200) < 0 && errno != EINTR)
			return 1;
		now = now_ms();
		overtake(-1, now, false);
		for (int i = 0; i < n_if; i++) {
			for (int n = 0; n < 64; n++) {
				ssize_t len = recv(fds[i], frame, sizeof(frame), 0);

				if (len <= 0)
					break;
				one(i, frame, (size_t)len, now, start);
			}
		}
		if (p[n_if].revents != 0) {
			ssize_t len = read(0, line, sizeof(line) - 1);

			if (len <= 0)
				return 0;
			line[len] = '\0';
			for (char *save, *w = strtok_r(line, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save))
				if (!word(w))
					fprintf(stderr, "impair: bad word %s\n", w);
		}
	}
	return 0;
}
