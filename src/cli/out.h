/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output of a command: the same calls make JSON or text.
 *
 *	cli_arr(o, NULL);				[ 		in text: a table, one row an object,
 *	  cli_obj(o, NULL);				{		columns named after the keys
 *	    cli_str(o, "name", "ext0");
 *	    cli_u64(o, "in_packets", 7);
 *	  cli_obj_end(o);
 *	cli_arr_end(o);
 *
 * An object outside of a table becomes lines `key: value`. Formats that are given from outside (pfctl's, ifconfig's) are
 * written with cli_printf(), which only text has, beside the JSON calls under if (cli_json(o)).
 *
 * Everything goes to a sink in pieces of at most 64 KiB. A sink that says false has lost its reader: cli_gone() is true
 * from then on and long listings stop.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_chan { CLI_CHAN_OUT = 1, CLI_CHAN_ERR = 2, CLI_CHAN_PROGRESS = 3, CLI_CHAN_SCREEN = 4 };

struct cli_sink {
	/* May run the box meanwhile, never another command. */
	bool (*put)(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len);
};

struct cli_out;

struct cli_out *cli_out_new(struct cli_sink *sink, bool json); /* NULL: no memory */
void cli_out_free(struct cli_out *o);	/* does not flush */
bool cli_out_flush(struct cli_out *o);	/* false: the reader is gone */
bool cli_json(const struct cli_out *o);
void cli_out_set_json(struct cli_out *o, bool json);
bool cli_gone(const struct cli_out *o);
void cli_out_chan(struct cli_out *o, enum cli_chan chan, const char *data, size_t len); /* flushes what is before it */

void cli_obj(struct cli_out *o, const char *key);
void cli_obj_end(struct cli_out *o);
void cli_arr(struct cli_out *o, const char *key);
void cli_arr_end(struct cli_out *o);
void cli_u64(struct cli_out *o, const char *key, uint64_t v);
void cli_dbl(struct cli_out *o, const char *key, double v, int decimals);
void cli_bool(struct cli_out *o, const char *key, bool v);
void cli_str(struct cli_out *o, const char *key, const char *v);	/* NULL: null */
void cli_strf(struct cli_out *o, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Text only; ignored in JSON. */
void cli_printf(struct cli_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_text(struct cli_out *o, const char *s, size_t len);

#endif
