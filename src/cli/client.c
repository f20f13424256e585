/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Talking to the control socket. While a command runs the socket is always read, and a second thread writes to stdout
 * and stderr: so a slow pager or disk holds up neither the box nor its other clients, only memory here.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "proto.h"

struct piece { struct piece *next; int fd; size_t len; char data[]; };

struct cli_client {
	int fd;
	bool failed;
	/* between the reader (caller) and the writer thread */
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct piece *first, **last;
	bool finished, write_failed;
};

struct cli_client *
cli_client_open(const char *path, char *err, size_t size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct cli_client *c;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(err, size, "%s: socket path too long", path);
		return NULL;
	}
	strcpy(sun.sun_path, path);
	if ((c = calloc(1, sizeof(*c))) == NULL || (c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) {
		snprintf(err, size, "%s", strerror(errno));
		free(c);
		return NULL;
	}
	if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		int e = errno;

		if (e == ENOENT || e == ECONNREFUSED)
			snprintf(err, size, "%s: no twinpath is running there; start it, or name its socket with -s", path);
		else if (e == EACCES)
			snprintf(err, size, "%s: permission denied; be root, or in the group of the socket", path);
		else
			snprintf(err, size, "%s: %s", path, strerror(e));
		close(c->fd);
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
	return c;
}

void
cli_client_close(struct cli_client *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->more);
	free(c);
}

void
cli_client_interrupt(struct cli_client *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

static bool
send_all(int fd, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p = (const char *)p + k;
		n -= (size_t)k;
	}
	return true;
}

static bool
recv_all(int fd, void *p, size_t n)
{
	while (n > 0) {
		ssize_t k = recv(fd, p, n, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p = (char *)p + k;
		n -= (size_t)k;
	}
	return true;
}

static bool
recv_hdr(struct cli_client *c, uint8_t *type, uint32_t *size)
{
	uint8_t h[CLI_PROTO_HDR_SIZE];

	if (!recv_all(c->fd, h, sizeof(h)))
		return false;
	*type = h[5];
	*size = cli_get32(h + 8);
	return cli_get32(h) == CLI_PROTO_MAGIC && h[4] == CLI_PROTO_VERSION && *size <= CLI_PROTO_MAX_REPLY;
}

static void *
writer(void *arg)
{
	struct cli_client *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct piece *p = c->first;

		if (p == NULL) {
			if (c->finished)
				break;
			pthread_cond_wait(&c->more, &c->lock);
			continue;
		}
		if ((c->first = p->next) == NULL)
			c->last = &c->first;
		pthread_mutex_unlock(&c->lock);
		for (size_t off = 0; off < p->len && !c->write_failed;) {
			ssize_t n = write(p->fd, p->data + off, p->len - off);

			if (n < 0 && errno == EAGAIN) {	/* a terminal or pipe that somebody made non-blocking */
				struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };

				poll(&pfd, 1, -1);
			} else if (n < 0 && errno != EINTR) {
				c->write_failed = true;
				cli_client_interrupt(c);	/* nobody reads: the box need not go on */
			} else if (n > 0) {
				off += (size_t)n;
			}
		}
		free(p);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static bool
enqueue(struct cli_client *c, int fd, size_t len)
{
	struct piece *p = malloc(sizeof(*p) + len);

	if (p == NULL)
		return false;
	p->next = NULL;
	p->fd = fd;
	p->len = len;
	if (!recv_all(c->fd, p->data, len)) {
		free(p);
		return false;
	}
	pthread_mutex_lock(&c->lock);
	*c->last = p;
	c->last = &p->next;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static bool
put_const(struct cli_client *c, int fd, const char *s)
{
	size_t n = strlen(s);
	struct piece *p = malloc(sizeof(*p) + n);

	if (p == NULL)
		return false;
	p->next = NULL;
	p->fd = fd;
	p->len = n;
	memcpy(p->data, s, n);
	pthread_mutex_lock(&c->lock);
	*c->last = p;
	c->last = &p->next;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static bool
send_run(struct cli_client *c, int argc, char *const *argv, bool json, const char *input)
{
	struct winsize ws = { 0 };
	bool tty = isatty(STDERR_FILENO) == 1, ok;
	char cwd[4096];
	size_t n = 12, cl;
	uint8_t *b, *p;

	if (getcwd(cwd, sizeof(cwd)) == NULL)
		cwd[0] = '\0';
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0)
		memset(&ws, 0, sizeof(ws));
	cl = strlen(cwd);
	n += cl;
	for (int i = 0; i < argc; i++)
		n += 4 + strlen(argv[i]);
	if (input != NULL)
		n += 4 + strlen(input);
	if (n > CLI_PROTO_MAX_REQUEST || argc >= 65535) {
		fprintf(stderr, "twinctl: the command is longer than %u bytes; give long lists in a file\n", CLI_PROTO_MAX_REQUEST);
		return false;
	}
	if ((b = malloc(CLI_PROTO_HDR_SIZE + n)) == NULL)
		return false;
	cli_put_hdr(b, CLI_MSG_RUN, (uint32_t)n);
	p = b + CLI_PROTO_HDR_SIZE;
	cli_put32(p, (json ? CLI_RUN_JSON : 0) | (tty ? CLI_RUN_TTY : 0) | (input != NULL ? CLI_RUN_INPUT : 0));
	cli_put16(p + 4, ws.ws_col);
	cli_put16(p + 6, ws.ws_row);
	cli_put16(p + 8, (uint16_t)cl);
	memcpy(p + 10, cwd, cl);
	p += 10 + cl;
	cli_put16(p, (uint16_t)(argc + (input != NULL)));
	p += 2;
	for (int i = 0; i < argc + (input != NULL); i++) {
		const char *word = i < argc ? argv[i] : input;
		size_t k = strlen(word);

		cli_put32(p, (uint32_t)k);
		memcpy(p + 4, word, k);
		p += 4 + k;
	}
	ok = send_all(c->fd, b, CLI_PROTO_HDR_SIZE + n);
	free(b);
	return ok;
}

int
cli_client_run(struct cli_client *c, int argc, char *const *argv, bool json, const char *input)
{
	bool progress = false, done = false, screen = isatty(STDOUT_FILENO) == 1;
	int status = CLI_EXIT_CONNECT;
	pthread_t thread;

	c->last = &c->first;
	c->first = NULL;
	c->finished = c->write_failed = false;
	if (!send_run(c, argc, argv, json, input)) {
		c->failed = true;
		return CLI_EXIT_CONNECT;
	}
	if (pthread_create(&thread, NULL, writer, c) != 0) {
		fprintf(stderr, "twinctl: cannot start a thread: %s\n", strerror(errno));
		return CLI_EXIT_CONNECT;
	}
	while (!done) {
		uint8_t type, b[4];
		uint32_t size;

		if (!recv_hdr(c, &type, &size)) {
			c->failed = true;
			break;
		}
		if (progress && type != CLI_MSG_PROGRESS) {
			put_const(c, STDERR_FILENO, "\r\033[K");
			progress = false;
		}
		switch (type) {
		case CLI_MSG_OUT:
			done = !enqueue(c, STDOUT_FILENO, size);
			break;
		case CLI_MSG_ERR:
			done = !enqueue(c, STDERR_FILENO, size);
			break;
		case CLI_MSG_PROGRESS:
			put_const(c, STDERR_FILENO, "\r\033[K");
			done = !enqueue(c, STDERR_FILENO, size);
			progress = true;
			break;
		case CLI_MSG_SCREEN:	/* the whole screen anew */
			if (screen)
				put_const(c, STDOUT_FILENO, "\033[H\033[J");
			done = !enqueue(c, STDOUT_FILENO, size);
			break;
		case CLI_MSG_EXIT:
			if (size == 4 && recv_all(c->fd, b, 4))
				status = (int)cli_get32(b);
			else
				c->failed = true;
			done = true;
			break;
		default:
			c->failed = done = true;
		}
	}
	pthread_mutex_lock(&c->lock);
	c->finished = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	pthread_join(thread, NULL);
	if (c->write_failed && status == CLI_EXIT_CONNECT)
		status = 1;
	return status;
}

int
cli_client_complete(struct cli_client *c, const char *line, char ***words)
{
	uint8_t h[CLI_PROTO_HDR_SIZE], type;
	size_t n = strlen(line);
	uint32_t size;
	int count = 0, k = 0;
	char *text;

	*words = NULL;
	cli_put_hdr(h, CLI_MSG_COMPLETE, (uint32_t)n);
	if (!send_all(c->fd, h, sizeof(h)) || !send_all(c->fd, line, n) || !recv_hdr(c, &type, &size) || type != CLI_MSG_WORDS)
		return 0;
	if ((text = malloc(size + 1)) == NULL)
		return 0;
	if (!recv_all(c->fd, text, size)) {
		free(text);
		return 0;
	}
	text[size] = '\0';
	for (uint32_t i = 0; i < size; i++)
		count += text[i] == '\0';
	/* one block: pointers, then the text */
	if ((*words = malloc((count + 1) * sizeof(char *) + size + 1)) == NULL) {
		free(text);
		return 0;
	}
	char *copy = (char *)(*words + count + 1);
	memcpy(copy, text, size + 1);
	free(text);
	for (uint32_t i = 0; i < size && k < count; i += strlen(copy + i) + 1)
		(*words)[k++] = copy + i;
	return k / 2;
}
