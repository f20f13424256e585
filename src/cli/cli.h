/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command room as others see it: one command table behind the prompt, the control socket, BOX.conf and telemetry.
 *
 *	struct cli *cli = cli_create(box);
 *	if (cli_run_file(cli, "box.conf", stderr) != 0) ...		stops at the first error: `file:line: what is wrong`
 *	struct cli_server *srv = cli_server_create(cli, path, &err);	mode and group: parameters of the box
 *	cli_telemetry_init(cli);
 *	while (!cli_quit_requested(cli)) {
 *		fp_box_poll(box);
 *		cli_server_poll(srv);
 *		cli_telemetry_poll(cli);
 *	}
 *	cli_server_destroy(srv); cli_destroy(cli);
 *
 * Threads: all of it is the main lcore's, except what says otherwise. Commands run to their end inside cli_server_poll();
 * while they print much or wait for a client they run fp_box_poll() themselves, never holding anything of the box.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fastpath/fastpath.h"

#define CLI_SOCKET_DEFAULT "/run/twinpath.sock"

struct cli;
struct cli_server;

/* NULL: no memory. box may be NULL for a checker that runs no command (cli_check_file()). */
struct cli *cli_create(struct fp_box *box);
void cli_destroy(struct cli *c);
/* The `quit` command was given. */
bool cli_quit_requested(const struct cli *c);

/* One line as typed at the prompt. Output to out, errors to err. 0, or the exit status of the failed command. */
int cli_run_line(struct cli *c, const char *line, FILE *out, FILE *err);
/* A file of commands (BOX.conf; "-" is stdin): stops at the first that fails, printed as `file:line: ...`. 0 or 1. */
int cli_run_file(struct cli *c, const char *path, FILE *err);
/* Words and arguments of such a file, without a box, all errors: `twinpath -n -c FILE`. 0 or the number of errors. */
int cli_check_file(const char *path, FILE *err);

/*
 * Listen on a unix socket. path: removed if nobody lives behind it; -EADDRINUSE when another instance answers there.
 * Parameters `socket mode` (octal) and `socket group` of the box apply where the box has them, else 0660 and the
 * process's own group. NULL and *err on failure.
 */
struct cli_server *cli_server_create(struct cli *c, const char *path, struct fp_err *err);
/* Accept, read, run, write: never blocks on a client. Returns work done (0: idle). */
unsigned cli_server_poll(struct cli_server *s);
/* Wait at most timeout_ms for something to do, for main loops that sleep when idle. */
void cli_server_wait(struct cli_server *s, int timeout_ms);
void cli_server_destroy(struct cli_server *s);
const char *cli_server_path(const struct cli_server *s);

/* The `-i` prompt: a thread that is a client of the socket on this terminal; `quit` and end of file end the program. */
int cli_prompt_start(struct cli_server *s, struct fp_err *err);
void cli_prompt_stop(struct cli_server *s);	/* gives the terminal back */

/* rte_telemetry: /twinpath/... ; questions come from its thread and are answered by cli_telemetry_poll(). telemetry.c */
int cli_telemetry_init(struct cli *c);
unsigned cli_telemetry_poll(struct cli *c);
void cli_telemetry_stop(struct cli *c);

#endif
