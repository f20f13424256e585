/* SPDX-License-Identifier: BSD-2-Clause */
/* `pfctl` of the box: one struct of what was asked for, filled from pfctl's flags, obeyed in pfctl's order. */
#ifndef CLI_PFCTL_H
#define CLI_PFCTL_H

#include "cli_priv.h"

#define PFCTL_MAX_MACROS 64

struct pfctl {
	bool check_only, disable, enable, quiet, zero, no_dns;
	int verbose;
	const char *file;		/* -f; as errors name it */
	char input_path[32];		/* where it is when it came from the client's standard input; else empty */
	const char *show, *clear;	/* canonical word or NULL */
	const char *kill[3];
	int n_kill;
	const char *table, *tcmd;
	const char *ifname;		/* -i */
	const char *save, *load;	/* -S, -L */
	const char *debug;		/* -x */
	const char *macros[PFCTL_MAX_MACROS + 1];
	int n_macros;
	int argc;			/* operands: addresses behind -T */
	char **argv;
};

int pfctl_parse(struct cli_ctx *x, struct pfctl *p);	/* 0, or 1 with the error told */
int pfctl_show(struct cli_ctx *x, const struct pfctl *p, const char *what);
#define PFCTL_INPUT_DIR "/proc/self/fd/"
/* The file of -f as the box opens it. */
const char *pfctl_path(struct cli_ctx *x, const struct pfctl *p, char buf[CLI_PATH_SIZE]);
int pfctl_table(struct cli_ctx *x, const struct pfctl *p);
/* What pfctl says of success on the error stream, unless -q. */
void pfctl_note(struct cli_ctx *x, const struct pfctl *p, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int pfctl_print_errors(struct cli_ctx *x, const struct pol_errors *errs, const char *real, const char *shown);

#endif
