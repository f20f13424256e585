/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of the control socket: twinctl, and the prompt on twinpath's own terminal. No DPDK, no box. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_EXIT_CONNECT 3	/* no answer from the box: not there, no permission, another version, went away */

struct cli_client;

/* NULL and a sentence in err: what is wrong and what to do. */
struct cli_client *cli_client_open(const char *path, char *err, size_t size);
void cli_client_close(struct cli_client *c);
/* Run one command, copy what it prints to stdout and stderr. Its exit status, or CLI_EXIT_CONNECT. */
/* input: what `pfctl -f -` is to read, or NULL. */
int cli_client_run(struct cli_client *c, int argc, char *const *argv, bool json, const char *input);
/* Another thread or a signal handler may ask a running command to be given up; the connection is closed then. */
void cli_client_interrupt(struct cli_client *c);
/* Words that complete the line: count, and pairs word, help in *words (one block, caller frees). */
int cli_client_complete(struct cli_client *c, const char *line, char ***words);

/* prompt.c: read commands from the terminal, or from stdin when it is none, until the end. Returns the last status. */
int cli_prompt_loop(const char *path, bool json, bool own_box);

/* edit.c */
struct cli_edit;
typedef int (*cli_complete_fn)(void *arg, const char *line, char ***words);
struct cli_edit *cli_edit_new(cli_complete_fn fn, void *arg);
void cli_edit_free(struct cli_edit *e);
/* One line, without newline, borrowed until the next call; NULL at the end of input. *interrupted: ^C, line is empty. */
const char *cli_edit_line(struct cli_edit *e, const char *prompt, bool *interrupted);
void cli_edit_history_add(struct cli_edit *e, const char *line);
void cli_edit_history_load(struct cli_edit *e, const char *file);
void cli_edit_history_save(const struct cli_edit *e, const char *file);

#endif
