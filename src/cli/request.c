/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of the control socket: taken apart, checked, run (proto.h has the layout). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

int64_t
cli_message_size(const uint8_t *p, size_t len, uint8_t *type, const char **err)
{
	uint32_t size;

	*err = NULL;
	if (len < CLI_PROTO_HDR_SIZE)
		return 0;
	if (cli_get32(p) != CLI_PROTO_MAGIC) {
		*err = "this is the control socket of twinpath; talk to it with twinctl";
		return -EPROTO;
	}
	if (p[4] != CLI_PROTO_VERSION) {
		*err = "client and box are of different versions; use the twinctl that came with this twinpath";
		return -EPROTO;
	}
	size = cli_get32(p + 8);
	if (size > CLI_PROTO_MAX_REQUEST) {
		*err = "request larger than 4 MiB; give long lists in a file";
		return -EPROTO;
	}
	*type = p[5];
	return len < CLI_PROTO_HDR_SIZE + (size_t)size ? 0 : (int64_t)CLI_PROTO_HDR_SIZE + size;
}

int
cli_request_parse(const uint8_t *p, size_t len, struct cli_request *r, const char **err)
{
	const uint8_t *end = p + len;
	size_t n;
	char *o;
	unsigned argc;

	memset(r, 0, sizeof(*r));
	*err = "malformed request";
	if (len < 12)
		return -EPROTO;
	r->flags = cli_get32(p);
	r->columns = cli_get16(p + 4);
	r->rows = cli_get16(p + 6);
	n = cli_get16(p + 8);
	p += 10;
	if ((size_t)(end - p) < n + 2 || memchr(p, '\0', n) != NULL)
		return -EPROTO;
	argc = cli_get16(p + n);
	if (argc > CLI_MAX_ARGS) {
		*err = "too many words; give long lists in a file";
		return -EPROTO;
	}
	/* every string gets a NUL where its size field was, so the payload's own size is enough */
	if ((r->store = o = malloc(len + 1)) == NULL || (r->argv = calloc(argc + 1, sizeof(*r->argv))) == NULL) {
		cli_request_free(r);
		return -ENOMEM;
	}
	r->cwd = o;
	memcpy(o, p, n);
	o[n] = '\0';
	o += n + 1;
	p += n + 2;
	for (; argc > 0; argc--) {
		if (end - p < 4 || (size_t)(end - p - 4) < (n = cli_get32(p)) || memchr(p + 4, '\0', n) != NULL) {
			cli_request_free(r);
			return -EPROTO;
		}
		memcpy(o, p + 4, n);
		o[n] = '\0';
		r->argv[r->argc++] = o;
		o += n + 1;
		p += 4 + n;
	}
	if (p != end) {
		cli_request_free(r);
		return -EPROTO;
	}
	*err = NULL;
	return 0;
}

void
cli_request_free(struct cli_request *r)
{
	free(r->argv);
	free(r->store);
	memset(r, 0, sizeof(*r));
}

int
cli_request_run(struct cli *c, const struct cli_request *r, struct cli_sink *sink, struct cli_stream **stream)
{
	struct cli_ctx x = { .cli = c, .box = c->box, .cwd = r->cwd, .tty = r->flags & CLI_RUN_TTY, .can_stream = true,
		.columns = r->columns, .rows = r->rows };
	int rc, argc = r->argc;

	*stream = NULL;
	if ((r->flags & CLI_RUN_INPUT) && argc > 0)
		x.input = r->argv[--argc];
	if ((x.out = cli_out_new(sink, r->flags & CLI_RUN_JSON)) == NULL)
		return 1;
	c->busy = true;
	rc = cli_dispatch(&x, argc, r->argv);
	c->busy = false;
	cli_out_flush(x.out);
	cli_out_free(x.out);
	*stream = x.stream;
	return rc;
}

struct reply { char *p; size_t len, cap; unsigned n; };

static void
add_word(void *arg, const char *word, const char *help)
{
	struct reply *r = arg;
	size_t a = strlen(word) + 1, b = strlen(help != NULL ? help : "") + 1;

	if (r->n++ >= 2000)
		return;
	if (r->len + a + b > r->cap) {
		size_t cap = (r->len + a + b) * 2;
		char *p = realloc(r->p, cap);

		if (p == NULL)
			return;
		r->p = p;
		r->cap = cap;
	}
	memcpy(r->p + r->len, word, a);
	memcpy(r->p + r->len + a, help != NULL ? help : "", b);
	r->len += a + b;
}

static bool
no_put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	return true;
}

char *
cli_complete_reply(struct cli *c, const char *line, size_t len, size_t *size)
{
	struct reply r = { .p = malloc(256), .cap = 256 };
	struct cli_sink sink = { no_put };
	struct cli_ctx x = { .cli = c, .box = c->box };
	char *copy = strndup(line, len);

	*size = 0;
	if (r.p != NULL && copy != NULL && (x.out = cli_out_new(&sink, false)) != NULL)
		cli_complete(&x, copy, add_word, &r);
	cli_out_free(x.out);
	free(copy);
	*size = r.len;
	return r.p;
}
