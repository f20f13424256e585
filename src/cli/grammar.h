/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Argument grammar of a command, written as its usage line: `(info|stats|xstats|summary) [IF|all]`.
 *
 * Lower-case words are literal, UPPER-case words are placeholders with a type, [x] is optional, (a|b) a choice, x... one
 * or more. The same spec validates, tells which words would have been right, and completes.
 */
#ifndef CLI_GRAMMAR_H
#define CLI_GRAMMAR_H

#include <stdbool.h>

#define CLI_MAX_EXPECT 48

struct cli_expect {
	int pos;			/* index of the first word that does not fit; argc: the end came too early */
	bool end;			/* the command may end at pos */
	int n;
	char word[CLI_MAX_EXPECT][24];	/* literals and placeholders that may stand at pos */
};

/* 0: argv fits; -EINVAL: exp says where not; -E2BIG: the spec is malformed (a defect, the unit test tries them all). */
int cli_grammar_match(const char *spec, int argc, char *const *argv, struct cli_expect *exp);
/* What may come behind argv[0..argc-1]; -EINVAL when these do not fit themselves. */
int cli_grammar_next(const char *spec, int argc, char *const *argv, struct cli_expect *exp);
/* Is it a placeholder (upper case) and does the word fit its type? */
bool cli_grammar_is_place(const char *label);
bool cli_grammar_fits(const char *label, const char *word);

#endif
