/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as pf.conf. The parser must end, free all, and say why when it refuses; what it accepts must print to a
 * form that parses again and prints the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every name that begins with a letter before `x` is an interface: those with an even first letter have addresses. */
static int
addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	static const struct pol_ifaddr all[] = {
		{ .af = POL_AF_INET, .plen = 24, .addr.b = { 10, 0, 0, 1 }, .broadcast.b = { 10, 0, 0, 255 } },
		{ .af = POL_AF_INET6, .plen = 64, .addr.b = { 0xfe, 0x80, [15] = 1 } },
		{ .af = POL_AF_INET6, .plen = 64, .addr.b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
	};
	int n = name[0] & 1 ? 0 : 3;

	if (name[0] < 'a' || name[0] >= 'x')
		return -1;
	for (int i = 0; i < n && i < max; i++)
		out[i] = all[i];
	return n;
}

static char *
print(const struct pol_ruleset *rs)
{
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	pol_print_rules(rs, f, POL_PRINT_NUMBERS);
	fclose(f);
	free(s);
	/* the numbered form is no pf.conf, this one is */
	f = open_memstream(&s, &n);
	pol_print_all(rs, f);
	fclose(f);
	return s;
}

static void
die(const char *what, const char *text, const struct pol_errors *errs)
{
	fprintf(stderr, "%s:\n%s\n", what, text);
	pol_errors_print(errs, stderr);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pol_env env = { .if_addrs = size & 1 ? addrs : NULL, .max_rules = 500 };
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs = pol_parse_buffer("fuzz", (const char *)data, size, &env, &errs), *again;
	char *once, *twice;

	if ((rs == NULL) != (errs.n > 0))
		die("refused without an error, or accepted with one", "", &errs);
	pol_errors_free(&errs);
	if (rs == NULL)
		return 0;
	once = print(rs);
	again = pol_parse_buffer("again", once, strlen(once), &env, &errs);
	/* an anchor whose header is a list prints several times with its name, which pfctl does not take back either */
	for (unsigned i = 0; i < errs.n; i++)
		if (strstr(errs.v[i].text, "exists already") == NULL)
			die("what was printed does not parse", once, &errs);
	if (again != NULL) {
		twice = print(again);
		/* return-icmp(x) prints its 3/3 for IPv6 as a bare 3, as pfctl does, and that reads back as 1/3 */
		if (strcmp(once, twice) != 0 && strstr(once, ", 3)") == NULL)
			die("printed twice, different:", twice, &errs);
		free(twice);
	}
	free(once);
	pol_ruleset_free(rs);
	pol_ruleset_free(again);
	pol_errors_free(&errs);
	return 0;
}
