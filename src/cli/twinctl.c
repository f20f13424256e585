/* SPDX-License-Identifier: BSD-2-Clause */
/* twinctl: one command to a running twinpath, or a prompt. Knows nothing of DPDK; the box does all the understanding. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#ifndef TWINPATH_VERSION
#define TWINPATH_VERSION "unknown"
#endif
#define INPUT_MAX (8u << 20)	/* more than a request may hold: that is told by the client */
#define SOCKET_DEFAULT "/run/twinpath.sock"

static void
usage(FILE *f)
{
	fprintf(f, "usage: twinctl [-s SOCKET] [-j] [COMMAND...]\n"
		"  -s SOCKET  control socket of the box (default %s, or $TWINPATH_SOCKET)\n"
		"  -j         answer in JSON\n"
		"  -V         version\n"
		"Without a command: a prompt. `twinctl help` lists the commands.\n"
		"Exit status: that of the command, 3 when the box does not answer, 64 for wrong usage.\n", SOCKET_DEFAULT);
}

/* `pfctl -f -`, `pfctl -nvf -`, `pfctl -f-`: what stands on our standard input is meant. */
static bool
wants_input(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[0], "pfctl") == 0; i++) {
		size_t n = strlen(argv[i]);

		if (argv[i][0] != '-' || n < 2)
			continue;
		if ((argv[i][n - 1] == 'f' && i + 1 < argc && strcmp(argv[i + 1], "-") == 0) ||
			(n > 2 && argv[i][n - 1] == '-' && argv[i][n - 2] == 'f'))
			return true;
	}
	return false;
}

/* All of it as one string. NULL, told. */
static char *
read_input(void)
{
	size_t len = 0, cap = 1 << 16, n;
	char *s = malloc(cap);

	while (s != NULL && (n = fread(s + len, 1, cap - len - 1, stdin)) > 0) {
		len += n;
		if (len + 1 == cap) {
			char *t = cap < INPUT_MAX ? realloc(s, cap *= 2) : NULL;

			if (t == NULL) {
				fprintf(stderr, "twinctl: too much on standard input; give it as a file\n");
				free(s);
				return NULL;
			}
			s = t;
		}
	}
	if (s == NULL || ferror(stdin) || memchr(s, '\0', len) != NULL) {
		fprintf(stderr, "twinctl: standard input: %s\n", s == NULL ? "out of memory" : ferror(stdin) ? "cannot be read" : "is no text");
		free(s);
		return NULL;
	}
	s[len] = '\0';
	return s;
}

int
main(int argc, char **argv)
{
	const char *path = getenv("TWINPATH_SOCKET");
	struct cli_client *c;
	bool json = false;
	char err[512], *input = NULL;
	int i, status;

	if (path == NULL || path[0] == '\0')
		path = SOCKET_DEFAULT;
	/* Our own flags end at the first word: what follows (`pfctl -ss -vv`) is the command's. */
	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		} else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
			path = argv[++i];
		} else if (strncmp(argv[i], "-s", 2) == 0 && argv[i][2] != '\0') {
			path = argv[i] + 2;
		} else if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			printf("twinctl %s\n", TWINPATH_VERSION);
			return 0;
		} else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			usage(stdout);
			return 0;
		} else {
			fprintf(stderr, "twinctl: %s: unknown flag, or its argument is missing\n", argv[i]);
			usage(stderr);
			return 64;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	if (i == argc)
		return cli_prompt_loop(path, json, false);
	if (wants_input(argc - i, argv + i) && (input = read_input()) == NULL)
		return 1;
	if ((c = cli_client_open(path, err, sizeof(err))) == NULL) {
		fprintf(stderr, "twinctl: %s\n", err);
		free(input);
		return CLI_EXIT_CONNECT;
	}
	status = cli_client_run(c, argc - i, argv + i, json, input);
	free(input);
	if (status == CLI_EXIT_CONNECT)
		fprintf(stderr, "twinctl: %s: the box went away before it had answered\n", path);
	cli_client_close(c);
	return status;
}
