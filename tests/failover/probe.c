/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches a path between two hosts as their users do, both families at once:
 *
 *	probe serve PORT SECONDS			echoes UDP and TCP
 *	probe run PORT SECONDS RATE ADDR4 ADDR6		asks: RATE UDP packets a second (half of them each family), and one TCP
 *							connection each, whose bytes are compared when they come back
 *
 * Lines on standard input: `mark` ends a measurement: sending stops until echoes that are still on their way are in, a line of JSON
 * is written, and the next one begins; `rate N` changes the rate; `quit`. The TCP connections live from beginning to end.
 *
 *	udp: sent, lost, dup; silence_ms: longest time without an echo; stale: echoes older than stale_ms when they came
 *	tcp: alive, bytes back since the last mark, wrong (bytes that are not what was sent), silence_ms
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAMILIES 2
#define SEEN (1u << 20)		/* sequence numbers remembered */
#define DRAIN_US 400000u
#define STALE_US 1000000u	/* an echo this old waited in a queue of a box */
#define TCP_CHUNK 1000u
#define TCP_EVERY_US 5000u
#define CONNS 64

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static socklen_t
address(struct sockaddr_storage *a, bool six, const char *text, uint16_t port)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)a;

	memset(a, 0, sizeof(*a));
	if (six) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(port);
		if (text != NULL && inet_pton(AF_INET6, text, &a6->sin6_addr) != 1)
			die(text);
		return sizeof(*a6);
	}
	a4->sin_family = AF_INET;
	a4->sin_port = htons(port);
	if (text != NULL && inet_pton(AF_INET, text, &a4->sin_addr) != 1)
		die(text);
	return sizeof(*a4);
}

static int
sock(bool six, int type)
{
	int s = socket(six ? AF_INET6 : AF_INET, type, 0), on = 1, big = 4 << 20;

	if (s < 0)
		die("socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (six)
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (type == SOCK_DGRAM) {
		setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
		setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	} else {
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	return s;
}

/* ---- the server */
struct conn { size_t len; char buf[65536]; };

static void
serve(uint16_t port, uint64_t until_us)
{
	static struct conn *conns[CONNS];
	struct pollfd p[4 + CONNS];
	struct sockaddr_storage a;
	static char buf[65536];
	unsigned n = 4;
	socklen_t len;

	for (unsigned i = 0; i < 4; i++) {
		bool six = i & 1;
		int s = sock(six, i < 2 ? SOCK_DGRAM : SOCK_STREAM);

		len = address(&a, six, NULL, port);
		if (bind(s, (struct sockaddr *)&a, len) != 0 || (i >= 2 && listen(s, 20) != 0))
			die("bind");
		fcntl(s, F_SETFL, O_NONBLOCK);
		p[i] = (struct pollfd){ .fd = s, .events = POLLIN };
	}
	puts("ready");
	fflush(stdout);
	while (now_us() < until_us) {
		for (unsigned i = 4; i < n; i++)
			p[i].events = conns[i - 4]->len != 0 ? POLLOUT : POLLIN;
		if (poll(p, n, 200) < 0 && errno != EINTR)
			die("poll");
		for (unsigned i = 0; i < 2; i++)
			for (unsigned k = 0; p[i].revents != 0 && k < 256; k++) {
				ssize_t got;

				len = sizeof(a);
				if ((got = recvfrom(p[i].fd, buf, sizeof(buf), 0, (struct sockaddr *)&a, &len)) < 0)
					break;
				sendto(p[i].fd, buf, (size_t)got, 0, (struct sockaddr *)&a, len);
			}
		for (unsigned i = 4; i < n; i++) {
			struct conn *c = conns[i - 4];
			ssize_t got;

			if (p[i].revents == 0)
				continue;
			if (c->len == 0) {
				got = recv(p[i].fd, c->buf, sizeof(c->buf), 0);
				c->len = got > 0 ? (size_t)got : 0;
			} else {
				got = send(p[i].fd, c->buf, c->len, MSG_NOSIGNAL);
				if (got > 0)
					memmove(c->buf, c->buf + got, c->len -= (size_t)got);
			}
			if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
				close(p[i].fd);
				free(c);
				n--;
				p[i] = p[n];
				conns[i - 4] = conns[n - 4];
				i--;
			}
		}
		for (unsigned i = 2; i < 4; i++) {
			int s = p[i].revents != 0 && n < 4 + CONNS ? accept(p[i].fd, NULL, NULL) : -1;

			if (s < 0)
				continue;
			fcntl(s, F_SETFL, O_NONBLOCK);
			if ((conns[n - 4] = calloc(1, sizeof(struct conn))) == NULL)
				die("calloc");
			p[n++] = (struct pollfd){ .fd = s };
		}
	}
}

/* ---- the client */
struct ping { uint64_t seq, sent_us; };
struct udp {
	int fd;
	uint64_t seq, first;	/* first: of this measurement */
	uint64_t got, dup, stale, last_us, silence_us;
	uint8_t *seen;
};
struct tcp {
	int fd;
	bool dead;
	int error;
	uint64_t out, in, in_mark, wrong, last_us, silence_us;
};
static struct udp udp[FAMILIES];
static struct tcp tcp[FAMILIES];

/* The byte of a stream at this place. */
static char
byte_at(uint64_t at)
{
	uint64_t x = (at >> 3) * 0x9e3779b97f4a7c15u;

	return (char)((x ^ x >> 29) >> (8 * (at & 7)));
}

static void
udp_send(struct udp *u, uint64_t now)
{
	struct ping p = { .seq = u->seq, .sent_us = now };

	u->seen[u->seq % SEEN] = 0;
	u->seq++;
	send(u->fd, &p, sizeof(p), 0);	/* refused and unreachable are losses like others */
}

static void
udp_read(struct udp *u, bool counts)
{
	struct ping p;
	ssize_t len;

	while ((len = recv(u->fd, &p, sizeof(p), 0)) == (ssize_t)sizeof(p) || (len < 0 && errno != EAGAIN && errno != EINTR)) {
		uint64_t now = now_us();

		if (len < 0)	/* an ICMP error: it has been taken note of by reading it */
			continue;
		if (p.seq < u->first || p.seq >= u->seq)
			continue;
		if (u->seen[p.seq % SEEN]) {
			u->dup++;
			continue;
		}
		u->seen[p.seq % SEEN] = 1;
		u->got++;
		u->stale += now - p.sent_us > STALE_US;
		if (counts && now - u->last_us > u->silence_us)
			u->silence_us = now - u->last_us;
		u->last_us = now;
	}
}

static void
tcp_step(struct tcp *t, bool send_too)
{
	char buf[65536];
	ssize_t n;

	if (t->dead)
		return;
	if (send_too && t->out - t->in < sizeof(buf) - TCP_CHUNK) {
		for (unsigned i = 0; i < TCP_CHUNK; i++)
			buf[i] = byte_at(t->out + i);
		n = send(t->fd, buf, TCP_CHUNK, MSG_NOSIGNAL);
		if (n > 0)
			t->out += (uint64_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			goto dead;
	}
	while ((n = recv(t->fd, buf, sizeof(buf), 0)) > 0) {
		uint64_t now = now_us();

		for (ssize_t i = 0; i < n; i++)
			t->wrong += buf[i] != byte_at(t->in + (uint64_t)i);
		t->in += (uint64_t)n;
		if (now - t->last_us > t->silence_us)
			t->silence_us = now - t->last_us;
		t->last_us = now;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
dead:
	t->dead = true;
	t->error = n == 0 ? 0 : errno;
}

static void
mark_begin(void)
{
	for (unsigned i = 0; i < FAMILIES; i++) {
		struct udp *u = &udp[i];

		u->first = u->seq;
		u->got = u->dup = u->stale = u->silence_us = 0;
		u->last_us = now_us();
		tcp[i].in_mark = tcp[i].in;
		tcp[i].silence_us = 0;
		tcp[i].last_us = now_us();
	}
}

static void
mark_end(void)
{
	uint64_t until = now_us() + DRAIN_US;
	struct pollfd p[FAMILIES];

	/* a silence that has not ended by now is one */
	for (unsigned i = 0; i < FAMILIES; i++) {
		udp_read(&udp[i], true);
		if (now_us() - udp[i].last_us > udp[i].silence_us)
			udp[i].silence_us = now_us() - udp[i].last_us;
		if (now_us() - tcp[i].last_us > tcp[i].silence_us)
			tcp[i].silence_us = now_us() - tcp[i].last_us;
		p[i] = (struct pollfd){ .fd = udp[i].fd, .events = POLLIN };
	}
	while (now_us() < until) {
		poll(p, FAMILIES, 1);
		for (unsigned i = 0; i < FAMILIES; i++)
			udp_read(&udp[i], false);
	}
	printf("{");
	for (unsigned i = 0; i < FAMILIES; i++) {
		const struct udp *u = &udp[i];
		const struct tcp *t = &tcp[i];
		uint64_t sent = u->seq - u->first;

		printf("%s\"udp%d\": {\"sent\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"dup\": %" PRIu64 ", \"stale\": %" PRIu64
			", \"silence_ms\": %.1f}, \"tcp%d\": {\"alive\": %s, \"error\": \"%s\", \"bytes\": %" PRIu64 ", \"wrong\": %" PRIu64
			", \"silence_ms\": %.1f}", i != 0 ? ", " : "", i != 0 ? 6 : 4, sent, sent - u->got, u->dup, u->stale,
			(double)u->silence_us / 1e3, i != 0 ? 6 : 4, t->dead ? "false" : "true", t->dead ? strerror(t->error) : "",
			t->in - t->in_mark, t->wrong, (double)t->silence_us / 1e3);
	}
	printf("}\n");
	fflush(stdout);
	mark_begin();
}

static void
run(uint16_t port, uint64_t until_us, uint64_t rate, char *const addr[])
{
	uint64_t due, tcp_due, period_us = 1000000 * FAMILIES / rate;
	struct pollfd p[2 * FAMILIES + 1];
	struct sockaddr_storage a;
	char line[64];
	socklen_t len;

	for (unsigned i = 0; i < FAMILIES; i++) {
		udp[i].fd = sock(i, SOCK_DGRAM);
		tcp[i].fd = sock(i, SOCK_STREAM);
		len = address(&a, i, addr[i], port);
		if ((udp[i].seen = calloc(1, SEEN)) == NULL || connect(udp[i].fd, (struct sockaddr *)&a, len) != 0 ||
		    connect(tcp[i].fd, (struct sockaddr *)&a, len) != 0)
			die(addr[i]);
		fcntl(udp[i].fd, F_SETFL, O_NONBLOCK);
		fcntl(tcp[i].fd, F_SETFL, O_NONBLOCK);
		p[2 * i] = (struct pollfd){ .fd = udp[i].fd, .events = POLLIN };
		p[2 * i + 1] = (struct pollfd){ .fd = tcp[i].fd, .events = POLLIN };
	}
	p[2 * FAMILIES] = (struct pollfd){ .fd = 0, .events = POLLIN };
	puts("ready");
	fflush(stdout);
	mark_begin();
	due = tcp_due = now_us();
	for (uint64_t now; (now = now_us()) < until_us;) {
		struct timespec ts = { 0 };
		bool chunk = now >= tcp_due;

		/* late: catches up, so that the figure is of packets, not of this program's sleep; not more than 50 ms of them */
		if (now - due > 50000 && now > due)
			due = now - 50000;
		for (; due <= now; due += period_us)
			for (unsigned i = 0; i < FAMILIES; i++)
				udp_send(&udp[i], now);
		if (chunk)
			tcp_due = now + TCP_EVERY_US;
		for (unsigned i = 0; i < FAMILIES; i++) {
			udp_read(&udp[i], true);
			tcp_step(&tcp[i], chunk);
			p[2 * i + 1].fd = tcp[i].dead ? -1 : tcp[i].fd;
		}
		now = now_us();
		ts.tv_nsec = due > now ? (long)(due - now) * 1000 : 0;
		if (ppoll(p, 2 * FAMILIES + 1, &ts, NULL) < 0 && errno != EINTR)
			die("poll");
		if (p[2 * FAMILIES].revents == 0)
			continue;
		for (unsigned n = 0;; n++) {	/* unbuffered: poll() must know what was read */
			if (n + 1 >= sizeof(line) || read(0, line + n, 1) != 1)
				return;
			if (line[n] == '\n') {
				line[n] = '\0';
				break;
			}
		}
		if (strcmp(line, "mark") == 0) {
			mark_end();
			due = tcp_due = now_us();
		} else if (sscanf(line, "rate %" SCNu64, &rate) == 1 && rate != 0) {
			period_us = 1000000 * FAMILIES / rate;
		} else {
			return;
		}
	}
}

int
main(int argc, char **argv)
{
	uint64_t until;

	if (argc < 4 || (strcmp(argv[1], "run") == 0 && argc != 7)) {
		fprintf(stderr, "usage: probe serve PORT SECONDS | probe run PORT SECONDS RATE ADDR4 ADDR6\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1000ul);
	signal(SIGPIPE, SIG_IGN);
	until = now_us() + strtoull(argv[3], NULL, 10) * 1000000;
	if (strcmp(argv[1], "serve") == 0)
		serve((uint16_t)atoi(argv[2]), until);
	else
		run((uint16_t)atoi(argv[2]), until, strtoull(argv[4], NULL, 10), argv + 5);
	return 0;
}
