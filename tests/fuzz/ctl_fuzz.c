/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's messages and the command line behind them, on a box made of variables. The first byte chooses:
 * 0 a whole message as it comes from a client, 1 a line as typed, 2 a line to complete, 3 a BOX.conf to check.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_priv.h"
#include "cli/server.h"
#include "../unit/cli_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count { struct cli_sink s; size_t n; };

static bool
put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	struct count *c = (struct count *)s;

	for (size_t i = 0; i < len; i++)	/* every byte is readable */
		c->n += (unsigned char)data[i];
	return c->n < (64u << 20);		/* a reader that goes away, sometimes */
}

static void
message(struct cli *cli, const uint8_t *p, size_t len)
{
	struct count sink = { { put }, 0 };
	struct cli_stream *st = NULL;
	struct cli_request r;
	const char *err;
	uint8_t type;
	int64_t n = cli_message_size(p, len, &type, &err);

	if (n <= 0 || cli_request_parse(p + CLI_PROTO_HDR_SIZE, (size_t)n - CLI_PROTO_HDR_SIZE, &r, &err) != 0)
		return;
	cli_request_run(cli, &r, &sink.s, &st);
	if (st != NULL) {
		struct cli_out *o = cli_out_new(&sink.s, false);

		st->poll(st, o);
		cli_out_flush(o);
		st->end(st);
		cli_out_free(o);
	}
	cli_request_free(&r);
}

static bool
ignore_put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cli_sink none = { ignore_put };
	static FILE *null;
	struct fp_box *box;
	struct cli *cli;
	char *text;

	if (size < 1)
		return 0;
	if (null == NULL)
		null = fopen("/dev/null", "w");
	box = fake_box();
	cli = cli_create(box);
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 4 == 0) {
		message(cli, data + 1, size - 1);
	} else if (data[0] % 4 == 1) {
		cli_run_line(cli, text, null, null);
	} else if (data[0] % 4 == 2) {
		size_t n;

		free(cli_complete_reply(cli, text, strlen(text), &n));
	} else {
		struct cli_ctx x = { .cli = cli, .check = true, .out = cli_out_new(&none, false) };

		for (char *l = strtok(text, "\n"); l != NULL; l = strtok(NULL, "\n")) {
			struct cli_words w;
			const char *err;

			if (cli_words_split(l, &w, &err) == 0) {
				cli_dispatch(&x, w.n, w.v);
				cli_words_free(&w);
			}
		}
		cli_out_free(x.out);
	}
	free(text);
	cli_destroy(cli);
	fake_box_free(box);
	return 0;
}
