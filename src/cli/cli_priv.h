/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the command room. One table of commands (table.c) gives parser, help, completion and manual page; a handler
 * gets a struct cli_ctx and writes to ctx->out, which renders text or JSON from the same calls (out.h).
 *
 * A handler is called with ctx->check set when only words and arguments are to be validated (twinpath -n): then it must
 * not touch the box, which is NULL. Only commands with CLI_F_OWN_ARGS are called so; of the others the grammar is all.
 */
#ifndef CLI_CLI_PRIV_H
#define CLI_CLI_PRIV_H

#include <stddef.h>

#include "cli.h"
#include "out.h"

#define CLI_MAX_ARGS 4096	/* of one command; tables are filled in requests of that size or by file */
#define CLI_PATH_SIZE 4096

struct cli_ctx;
struct cli_stream;

/* Something that goes on after its command has returned, for the client that asked: monitor, top. Owner: the server. */
struct cli_stream {
	bool (*poll)(struct cli_stream *st, struct cli_out *out);	/* false: finished */
	void (*end)(struct cli_stream *st);				/* frees st */
	int status;			/* exit status of the command when poll() has said false */
};

struct cli_cmd {
	const char *words;	/* "show port" */
	const char *args;	/* grammar.h; for CLI_F_OWN_ARGS only shown */
	const char *help;	/* one line */
	int (*run)(struct cli_ctx *x);
	unsigned flags;		/* CLI_F_* */
	/* candidates for the word behind argv[0..argc-1], for CLI_F_OWN_ARGS; prefix filtering is the caller's */
	void (*complete)(struct cli_ctx *x, void (*add)(void *arg, const char *word, const char *help), void *arg);
	const char *more;	/* further help text, lines; NULL none */
};
#define CLI_F_OWN_ARGS 0x01	/* parses its own arguments, honours ctx->check */
#define CLI_F_JSON 0x02		/* a trailing `json` asks for JSON */
#define CLI_F_STREAM 0x04	/* goes on until the client leaves */

struct cli {
	struct fp_box *box;
	bool quit;
	struct cli_server *server;	/* NULL when there is none */
	void *telemetry;
	bool busy;			/* a command runs: telemetry waits */
};

struct cli_ctx {
	struct cli *cli;
	struct fp_box *box;
	struct cli_out *out;
	const struct cli_cmd *cmd;
	int argc;			/* arguments behind the command's words */
	char **argv;
	const char *input;		/* what the client read from its standard input, NULL: nothing */
	const char *cwd;		/* of the one who asks; relative file names start there */
	bool check;
	bool tty;			/* progress is welcome */
	bool can_stream;
	unsigned columns, rows;		/* of the terminal, 0 unknown */
	struct cli_stream *stream;	/* set by the handler */
	int status;			/* exit status so far; cli_err() makes it 1 */
};

/* server.c */
int cli_server_apply(struct cli *c, struct fp_err *err);	/* mode and group have changed */
void **cli_server_prompt(struct cli_server *s);
struct cli *cli_server_cli(struct cli_server *s);

/* log.c: rte_log levels; pattern as of --log-level. 0 or -EINVAL. */
int cli_log_level(const char *pattern, const char *level);

/* table.c */
extern const struct cli_cmd *const cli_groups[];	/* NULL ended list of tables, each ended by words = NULL */
/* Run one command. Returns the exit status. */
int cli_dispatch(struct cli_ctx *x, int argc, char **argv);
void cli_complete(struct cli_ctx *x, const char *line, void (*add)(void *arg, const char *word, const char *help), void *arg);
void cli_manual_commands(FILE *f);

/* Errors: to the error stream of the client, one sentence, newline added. Returns 1. */
int cli_err(struct cli_ctx *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(struct cli_ctx *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_progress(struct cli_ctx *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `path` as seen from ctx->cwd. */
const char *cli_path(struct cli_ctx *x, const char *path, char buf[CLI_PATH_SIZE]);
int cli_regular_file(struct cli_ctx *x, const char *path);	/* 0, or 1 with the error told */

/* words.c: split a line at blanks; '...' and "..." quote, backslash escapes, # starts a comment. */
struct cli_words { char **v; int n; char *store; };
int cli_words_split(const char *line, struct cli_words *w, const char **err);	/* 0, -EINVAL (*err), -ENOMEM */
void cli_words_free(struct cli_words *w);
bool cli_parse_u64(const char *s, uint64_t max, uint64_t *v);

/* format.c: what several commands print */
void cli_addr_str(uint8_t af, const uint8_t *addr, char *buf, size_t size);
/* "10.0.0.1", "10.0.0.0/8": 0 or -EINVAL; host bits are kept. */
int cli_prefix_parse(const char *s, uint8_t *af, uint8_t addr[16], uint8_t *plen);
int cli_proto_parse(const char *s, uint8_t *proto);
const char *cli_proto_name(uint8_t proto, char buf[8]);
void cli_mac_str(const uint8_t mac[6], char buf[18]);

/* states.c: the state list of pfctl and `show states` */
void cli_state_print(struct cli_out *o, const struct fp_state_view *v, const char *ifname, int verbose);
void cli_state_json(struct cli_out *o, const struct fp_state_view *v, const char *ifname);
int cli_states_list(struct cli_ctx *x, const struct fp_state_filter *f, int verbose);

/* groups of commands */
extern const struct cli_cmd cli_pfctl_cmds[], cli_if_cmds[], cli_route_cmds[], cli_port_cmds[], cli_show_cmds[],
	cli_set_cmds[], cli_watch_cmds[], cli_base_cmds[], cli_doctor_cmds[], cli_sync_cmds[], cli_carp_cmds[];
int cli_pfctl(struct cli_ctx *x);

#endif
