/* SPDX-License-Identifier: BSD-2-Clause */
/* The interactive prompt, `twinpath> `: of twinctl without a command. Commands also from a pipe, up to the first error. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_priv.h"
#include "client.h"

struct session {
	const char *path;
	struct cli_client *client;
};

static struct cli_client *volatile running;

static void
on_int(int sig)
{
	if (running != NULL)
		cli_client_interrupt(running);
}

static bool
connected(struct session *s)
{
	char err[256];

	if (s->client == NULL && (s->client = cli_client_open(s->path, err, sizeof(err))) == NULL)
		fprintf(stderr, "twinctl: %s\n", err);
	return s->client != NULL;
}

static int
complete(void *arg, const char *line, char ***words)
{
	struct session *s = arg;
	int n;

	*words = NULL;
	if (!connected(s))
		return 0;
	if ((n = cli_client_complete(s->client, line, words)) == 0 && *words == NULL) {
		cli_client_close(s->client);
		s->client = NULL;
	}
	return n;
}

int
cli_prompt_loop(const char *path, bool json, bool own_box)
{
	struct session s = { .path = path };
	struct cli_edit *e = cli_edit_new(complete, &s);
	struct sigaction sa = { .sa_handler = on_int }, old;
	bool tty = isatty(STDIN_FILENO) == 1;
	char history[4096] = "";
	const char *line, *home = getenv("HOME");
	int status = 0;

	if (e == NULL || !connected(&s)) {
		cli_edit_free(e);
		return CLI_EXIT_CONNECT;
	}
	if (tty && home != NULL) {
		snprintf(history, sizeof(history), "%s/.twinctl_history", home);
		cli_edit_history_load(e, history);
	}
	sigaction(SIGINT, &sa, &old);
	for (;;) {
		struct cli_words w;
		const char *err;
		bool interrupted;

		if ((line = cli_edit_line(e, "twinpath> ", &interrupted)) == NULL)
			break;
		if (interrupted)
			continue;
		cli_edit_history_add(e, line);
		if (cli_words_split(line, &w, &err) != 0) {
			fprintf(stderr, "%s\n", err != NULL ? err : "out of memory");
			status = 1;
			if (!tty)
				break;
			continue;
		}
		if (w.n == 0) {
			cli_words_free(&w);
			continue;
		}
		/* Leaving the prompt of a client must not stop the box. */
		if (!own_box && w.n == 1 && (strcmp(w.v[0], "quit") == 0 || strcmp(w.v[0], "exit") == 0)) {
			if (tty && w.v[0][0] == 'q')
				fprintf(stderr, "the box goes on; `twinctl quit` ends it\n");
			cli_words_free(&w);
			break;
		}
		status = CLI_EXIT_CONNECT;
		if (connected(&s)) {
			running = s.client;
			status = cli_client_run(s.client, w.n, w.v, json, NULL);
			running = NULL;
			if (status == CLI_EXIT_CONNECT) {	/* gone, or given up with ^C: a fresh connection next time */
				cli_client_close(s.client);
				s.client = NULL;
				if (tty)
					fputc('\n', stderr);
			}
		}
		bool quits = own_box && strcmp(w.v[0], "quit") == 0;
		cli_words_free(&w);
		if (quits || (!tty && status != 0))
			break;
	}
	sigaction(SIGINT, &old, NULL);
	if (tty)
		status = 0;	/* a person saw each answer */
	if (history[0] != '\0')
		cli_edit_history_save(e, history);
	cli_edit_free(e);
	cli_client_close(s.client);
	return status;
}
