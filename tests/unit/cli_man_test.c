/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands in twinctl(1) are those of the command table: `cli_man_test twinctl.1`; with --update they become so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_priv.h"

static const char begin[] = ".\\\" begin: made by cli_man_test --update\n", end[] = ".\\\" end\n";

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *s = calloc(1, 1 << 20);

	if (f == NULL || s == NULL || fread(s, 1, (1 << 20) - 1, f) == 0) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return s;
}

int
main(int argc, char **argv)
{
	const char *path = argv[argc - 1];
	char *page, *a, *b, *want;
	size_t size;
	FILE *f;

	if (argc < 2)
		return 2;
	page = slurp(path);
	f = open_memstream(&want, &size);
	cli_manual_commands(f);
	fclose(f);
	if ((a = strstr(page, begin)) == NULL || (b = strstr(a, end)) == NULL) {
		fprintf(stderr, "%s: the marks are missing\n", path);
		return 1;
	}
	a += strlen(begin);
	if (argc > 2 && strcmp(argv[1], "--update") == 0) {
		if ((f = fopen(path, "w")) == NULL)
			return 1;
		fprintf(f, "%.*s%s%s", (int)(a - page), page, want, b);
		fclose(f);
	} else if ((size_t)(b - a) != size || memcmp(a, want, size) != 0) {
		fprintf(stderr, "%s: not the commands of the table; run cli_man_test --update %s\n", path, path);
		return 1;
	}
	free(page);
	free(want);
	return 0;
}
