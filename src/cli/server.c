/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket, polled by the main lcore.
 *
 * A command runs to its end when its request is complete. What it prints goes to the client's buffer; when that holds
 * more than OUT_HIGH the command waits for the client while the box goes on (fp_box_poll()), and a client that reads
 * nothing for STALL_MS is cut off: so memory is bounded, and nobody can hold the box or the other clients for longer.
 * twinctl always reads and does the waiting for its own reader itself. Streams (monitor, top) are never waited for: they
 * are asked for more only when their client has room.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define MAX_CLIENTS 256
#define OUT_HIGH (1u << 20)
#define OUT_LOW (256u << 10)
#define STREAM_ROOM (64u << 10)
#define STALL_MS 10000

struct client {
	struct cli_sink sink;		/* first */
	struct cli_server *srv;
	int fd;
	bool gone, closing;		/* closing: when all is sent */
	uint8_t *in, *out;
	size_t in_len, in_cap, out_off, out_len, out_cap;	/* out: [out_off, out_len) waits */
	struct cli_stream *st;
	struct cli_out *st_out;
};

struct cli_server {
	struct cli *cli;
	int fd;
	char path[108];
	dev_t dev;
	ino_t ino;
	struct client *clients[MAX_CLIENTS];
	unsigned n_clients;
	uint64_t last_ms;		/* of the coarse clock, when the sockets were last looked at */
	bool active;
	void *prompt;			/* prompt.c */
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- sending */

static bool
client_send(struct client *c)
{
	while (!c->gone && c->out_off < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			c->out_off += n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		else
			c->gone = true;
	}
	if (c->out_off == c->out_len)
		c->out_off = c->out_len = 0;
	return !c->gone;
}

static bool
client_append(struct client *c, const void *p, size_t n)
{
	if (c->out_off > 0 && c->out_len + n > c->out_cap) {
		memmove(c->out, c->out + c->out_off, c->out_len - c->out_off);
		c->out_len -= c->out_off;
		c->out_off = 0;
	}
	if (c->out_len + n > c->out_cap) {
		size_t cap = c->out_cap ? c->out_cap : 4096;
		uint8_t *q;

		while (cap < c->out_len + n)
			cap *= 2;
		if ((q = realloc(c->out, cap)) == NULL) {
			c->gone = true;
			return false;
		}
		c->out = q;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, p, n);
	c->out_len += n;
	return true;
}

static bool
client_msg(struct client *c, enum cli_msg type, const void *p, size_t n)
{
	uint8_t h[CLI_PROTO_HDR_SIZE];

	if (c->gone)
		return false;
	cli_put_hdr(h, type, (uint32_t)n);
	return client_append(c, h, sizeof(h)) && client_append(c, p, n) && client_send(c);
}

/* The producer waits for its reader; the box does not. */
static bool
client_wait(struct client *c)
{
	uint64_t since = now_ms();

	while (!c->gone && c->out_len - c->out_off > OUT_LOW) {
		struct pollfd pfd = { .fd = c->fd, .events = POLLOUT };
		size_t before = c->out_len - c->out_off;
		unsigned work = c->srv->cli->box != NULL ? fp_box_poll(c->srv->cli->box) : 0;

		if (poll(&pfd, 1, work ? 0 : 1) > 0)
			client_send(c);
		if (c->out_len - c->out_off < before)
			since = now_ms();
		else if (now_ms() - since > STALL_MS)
			c->gone = true;
	}
	return !c->gone;
}

static bool
client_put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	static const enum cli_msg types[] = { [CLI_CHAN_OUT] = CLI_MSG_OUT, [CLI_CHAN_ERR] = CLI_MSG_ERR,
		[CLI_CHAN_PROGRESS] = CLI_MSG_PROGRESS, [CLI_CHAN_SCREEN] = CLI_MSG_SCREEN };
	struct client *c = (struct client *)s;

	if (!client_msg(c, types[chan], data, len))
		return false;
	if (c->st == NULL && c->srv->cli->box != NULL)
		fp_box_poll(c->srv->cli->box);	/* long listings: the box goes on between pieces */
	return c->st != NULL || c->out_len - c->out_off <= OUT_HIGH || client_wait(c);
}

static void
client_exit(struct client *c, int status)
{
	uint8_t b[4];

	cli_put32(b, (uint32_t)status);
	client_msg(c, CLI_MSG_EXIT, b, 4);
}

/* ---- receiving */

static void
client_refuse(struct client *c, const char *why)
{
	char b[256];

	snprintf(b, sizeof(b), "twinpath: %s\n", why);
	client_msg(c, CLI_MSG_ERR, b, strlen(b));
	client_exit(c, 3);
	c->closing = true;
}

static void
client_end_stream(struct client *c)
{
	if (c->st == NULL)
		return;
	c->st->end(c->st);
	c->st = NULL;
	cli_out_free(c->st_out);
	c->st_out = NULL;
}

static void
client_run(struct client *c, const uint8_t *p, size_t len)
{
	struct cli_stream *st = NULL;
	struct cli_request r;
	const char *err;
	int status;

	if (cli_request_parse(p, len, &r, &err) != 0) {
		client_refuse(c, err != NULL ? err : "out of memory");
		return;
	}
	status = cli_request_run(c->srv->cli, &r, &c->sink, &st);
	if (st != NULL && status == 0 && (c->st_out = cli_out_new(&c->sink, r.flags & CLI_RUN_JSON)) != NULL) {
		/* `monitor ... json` asked in its words */
		if (r.argc > 0 && strcmp(r.argv[r.argc - 1], "json") == 0)
			cli_out_set_json(c->st_out, true);
		c->st = st;
	} else {
		if (st != NULL)
			st->end(st);
		client_exit(c, status);
	}
	cli_request_free(&r);
}

static void
client_message(struct client *c, uint8_t type, const uint8_t *p, size_t len)
{
	size_t size;
	char *words;

	if (c->st != NULL) {
		client_refuse(c, "a stream is going on; open another connection");
		return;
	}
	switch (type) {
	case CLI_MSG_RUN:
		client_run(c, p, len);
		break;
	case CLI_MSG_COMPLETE:
		words = cli_complete_reply(c->srv->cli, (const char *)p, len, &size);
		if (words == NULL)
			client_refuse(c, "out of memory");
		else
			client_msg(c, CLI_MSG_WORDS, words, size);
		free(words);
		break;
	default:
		client_refuse(c, "unknown kind of request");
	}
}

/* Returns work done. One message a turn, so that clients take turns. */
static unsigned
client_read(struct client *c)
{
	const char *err;
	uint8_t type = 0;
	int64_t size;
	ssize_t n = 0;
	bool more = true;

	if (c->in_cap - c->in_len < 4096) {
		size_t cap = c->in_cap ? 2 * c->in_cap : 8192;
		uint8_t *q = realloc(c->in, cap);

		if (q == NULL) {
			c->gone = true;
			return 1;
		}
		c->in = q;
		c->in_cap = cap;
	}
	n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, MSG_DONTWAIT);
	if (n > 0) {
		c->in_len += n;
	} else if (n == 0) {
		c->gone = true;
		return 1;
	} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		c->gone = true;
		return 1;
	} else {
		more = false;
	}
	size = cli_message_size(c->in, c->in_len, &type, &err);
	if (size < 0) {
		client_refuse(c, err);
		c->in_len = 0;
		return 1;
	}
	if (size == 0)
		return more;
	client_message(c, type, c->in + CLI_PROTO_HDR_SIZE, (size_t)size - CLI_PROTO_HDR_SIZE);
	memmove(c->in, c->in + size, c->in_len - (size_t)size);
	c->in_len -= (size_t)size;
	return 1;
}

static void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	client_end_stream(c);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

/* ---- server */

static unsigned
accept_all(struct cli_server *s)
{
	unsigned n = 0;
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct client *c = calloc(1, sizeof(*c));

		n++;
		if (c == NULL) {
			close(fd);
			continue;
		}
		c->sink.put = client_put;
		c->srv = s;
		c->fd = fd;
		if (s->n_clients == MAX_CLIENTS) {
			client_refuse(c, "too many clients at once");
			client_free(c);
			continue;
		}
		s->clients[s->n_clients++] = c;
	}
	return n;
}

static unsigned
client_turn(struct client *c, short revents)
{
	unsigned work = 0;

	if (revents & POLLOUT)
		client_send(c);
	if (c->st != NULL) {
		char b[64];

		/* A stream's client only listens: anything it sends, or its end, ends the stream. */
		if ((revents & (POLLIN | POLLHUP | POLLERR)) && recv(c->fd, b, sizeof(b), MSG_DONTWAIT | MSG_PEEK) == 0)
			c->gone = true;
		if (!c->gone && c->out_len - c->out_off < STREAM_ROOM) {
			bool on = c->st->poll(c->st, c->st_out);

			if (!cli_out_flush(c->st_out))
				c->gone = true;
			if (!on) {
				int status = c->st->status;

				client_end_stream(c);
				client_exit(c, status);
			}
		}
	} else if (!c->closing && (c->in_len > 0 || (revents & (POLLIN | POLLHUP | POLLERR)))) {
		work = client_read(c);
	} else if (c->closing && (revents & (POLLHUP | POLLERR))) {
		c->gone = true;
	}
	if (c->closing && c->out_off == c->out_len)
		c->gone = true;
	return work;
}

unsigned
cli_server_poll(struct cli_server *s)
{
	struct pollfd pfd[MAX_CLIENTS + 1];
	unsigned n, work = 0;
	uint64_t now;

	/* Looking costs a system call: not more often than the coarse clock ticks, unless somebody is talking. */
	now = now_ms();
	if (now == s->last_ms && !s->active)
		return 0;
	s->last_ms = now;
	s->active = false;
	pfd[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	n = s->n_clients;
	for (unsigned i = 0; i < n; i++) {
		struct client *c = s->clients[i];

		pfd[i + 1] = (struct pollfd){ .fd = c->fd, .events = (c->closing ? 0 : POLLIN) | (c->out_len > c->out_off ? POLLOUT : 0) };
	}
	if (poll(pfd, n + 1, 0) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		work += client_turn(s->clients[i], pfd[i + 1].revents);
	for (unsigned i = 0; i < s->n_clients;) {
		if (s->clients[i]->gone) {
			client_free(s->clients[i]);
			s->clients[i] = s->clients[--s->n_clients];
		} else {
			i++;
		}
	}
	if (pfd[0].revents & POLLIN)
		work += accept_all(s);
	s->active = work != 0;
	return work;
}

void
cli_server_wait(struct cli_server *s, int timeout_ms)
{
	struct pollfd pfd[MAX_CLIENTS + 1];

	pfd[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	for (unsigned i = 0; i < s->n_clients; i++) {
		pfd[i + 1] = (struct pollfd){ .fd = s->clients[i]->fd, .events = POLLIN };
		if (s->clients[i]->st != NULL && timeout_ms > 10)
			timeout_ms = 10;
	}
	if (poll(pfd, s->n_clients + 1, timeout_ms) > 0)
		s->active = true;
}

static int
apply_mode(struct cli *c, const char *path, struct fp_err *err)
{
	char mode[32] = "", group[64] = "";
	unsigned long m = 0660;
	char *end;

	if (c->box != NULL && fp_param_get(c->box, "socket mode", mode, sizeof(mode)) == 0 && mode[0] != '\0') {
		m = strtoul(mode, &end, 8);
		if (*end != '\0' || m > 0777)
			return fp_err_set(err, -EINVAL, "socket mode %s: expected octal, such as 0660", mode);
	}
	if (c->box != NULL && fp_param_get(c->box, "socket group", group, sizeof(group)) == 0 && group[0] != '\0') {
		struct group *g = getgrnam(group);

		if (g == NULL)
			return fp_err_set(err, -EINVAL, "socket group %s: there is no such group", group);
		if (chown(path, (uid_t)-1, g->gr_gid) != 0)
			return fp_err_set(err, -errno, "%s: cannot give it to group %s: %s", path, group, strerror(errno));
	}
	if (chmod(path, (mode_t)m) != 0)
		return fp_err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int
cli_server_apply(struct cli *c, struct fp_err *err)
{
	return c->server != NULL ? apply_mode(c, c->server->path, err) : 0;
}

/* 0: the path is free now. */
static int
clear_stale(const char *path, const struct sockaddr_un *sun, struct fp_err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : fp_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fp_err_set(err, -EEXIST, "%s: exists and is not a socket; choose another with -s", path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return fp_err_set(err, -errno, "socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (rc == 0 || errno == EAGAIN || errno == EINPROGRESS)
		rc = fp_err_set(err, -EADDRINUSE, "%s: another twinpath is running behind this socket; stop it or choose another with -s",
			path);
	else if (errno == ECONNREFUSED)
		rc = unlink(path) == 0 ? 0 : fp_err_set(err, -errno, "%s: left over, and cannot be removed: %s", path, strerror(errno));
	else
		rc = fp_err_set(err, -errno, "%s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

struct cli_server *
cli_server_create(struct cli *c, const char *path, struct fp_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct cli_server *s;
	struct stat st;
	mode_t old;
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		fp_err_set(err, -ENAMETOOLONG, "%s: socket path longer than %zu characters", path, sizeof(sun.sun_path) - 1);
		return NULL;
	}
	strcpy(sun.sun_path, path);
	if (clear_stale(path, &sun, err) != 0)
		return NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		fp_err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	s->cli = c;
	strcpy(s->path, path);
	if ((s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0) {
		fp_err_set(err, -errno, "socket: %s", strerror(errno));
		free(s);
		return NULL;
	}
	old = umask(0177);	/* nobody but us until group and mode are right */
	rc = bind(s->fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (rc != 0) {
		fp_err_set(err, -errno, "%s: %s", path, errno == EADDRINUSE ? "another twinpath took it this moment" : strerror(errno));
		close(s->fd);
		free(s);
		return NULL;
	}
	if (listen(s->fd, 64) != 0 || stat(path, &st) != 0) {
		fp_err_set(err, -errno, "%s: %s", path, strerror(errno));
		goto undo;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	if (apply_mode(c, path, err) != 0)
		goto undo;
	c->server = s;
	return s;
undo:
	unlink(path);
	close(s->fd);
	free(s);
	return NULL;
}

void
cli_server_destroy(struct cli_server *s)
{
	struct stat st;

	if (s == NULL)
		return;
	cli_prompt_stop(s);
	for (unsigned i = 0; i < s->n_clients; i++) {
		client_send(s->clients[i]);
		client_free(s->clients[i]);
	}
	close(s->fd);
	/* Only our own: a successor may have taken the name. */
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	if (s->cli->server == s)
		s->cli->server = NULL;
	free(s);
}

const char *
cli_server_path(const struct cli_server *s)
{
	return s->path;
}

void **
cli_server_prompt(struct cli_server *s)
{
	return &s->prompt;
}

struct cli *
cli_server_cli(struct cli_server *s)
{
	return s->cli;
}
