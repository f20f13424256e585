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

int
main(int argc, char **argv)
{
	const char *path = getenv("TWINPATH_SOCKET");
	struct cli_client *c;
	bool json = false;
	char err[512];
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
	if ((c = cli_client_open(path, err, sizeof(err))) == NULL) {
		fprintf(stderr, "twinctl: %s\n", err);
		return CLI_EXIT_CONNECT;
	}
	status = cli_client_run(c, argc - i, argv + i, json);
	if (status == CLI_EXIT_CONNECT)
		fprintf(stderr, "twinctl: %s: the box went away before it had answered\n", path);
	cli_client_close(c);
	return status;
}
