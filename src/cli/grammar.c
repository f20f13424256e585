/* SPDX-License-Identifier: BSD-2-Clause */
/* Usage lines as parsers: the spec becomes a small automaton, words move a set of its nodes (grammar.h). */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli_priv.h"
#include "grammar.h"

#define MAX_NODES 128
#define END (MAX_NODES - 1)

/* text NULL: passes to out[0] and out[1] without a word (-1: none). */
struct node { const char *text; int len; int out[2]; };
struct gram { struct node v[MAX_NODES]; int n; bool bad; };
struct set { uint8_t in[MAX_NODES]; };

static int
node(struct gram *g, const char *text, int len, int a, int b)
{
	if (g->n >= END) {
		g->bad = true;
		return 0;
	}
	g->v[g->n] = (struct node){ text, len, { a, b } };
	return g->n++;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.' || c == '/' || c == ':' || c == '+';
}

/*
 * The automaton is built from the end to the front, so the spec is cut into its items first. Each item is parsed with
 * the node that follows it.
 */
static int
item_end(const char *p)
{
	int depth = 0, i = 0;

	if (p[0] == '[' || p[0] == '(') {
		do {
			if (p[i] == '\0')
				return -1;
			if (p[i] == '[' || p[i] == '(')
				depth++;
			if (p[i] == ']' || p[i] == ')')
				depth--;
			i++;
		} while (depth > 0);
		return i;
	}
	while (is_word(p[i]) && strncmp(p + i, "...", 3) != 0)
		i++;
	return i > 0 ? i : -1;
}

static int
parse_seq(struct gram *g, const char *p, const char *end, int next)
{
	const char *start[32];
	int len[32], n = 0;
	bool rep[32];

	while (p < end) {
		if (*p == ' ') {
			p++;
			continue;
		}
		if (n == 32 || (len[n] = item_end(p)) < 0) {
			g->bad = true;
			return next;
		}
		start[n] = p;
		p += len[n];
		rep[n] = end - p >= 3 && strncmp(p, "...", 3) == 0;
		if (rep[n])
			p += 3;
		n++;
	}
	while (n-- > 0 && !g->bad) {
		int loop = rep[n] ? node(g, NULL, 0, -1, next) : next, first;

		if (start[n][0] == '[' || start[n][0] == '(') {
			const char *q = start[n] + 1, *qe = start[n] + len[n] - 1, *a = q;
			int depth = 0, alt = -1;

			for (; q <= qe; q++) {
				if (q < qe && (*q == '[' || *q == '('))
					depth++;
				else if (q < qe && (*q == ']' || *q == ')'))
					depth--;
				else if (q == qe || (*q == '|' && depth == 0)) {
					int s = parse_seq(g, a, q, loop);

					alt = alt < 0 ? s : node(g, NULL, 0, alt, s);
					a = q + 1;
				}
			}
			first = start[n][0] == '[' ? node(g, NULL, 0, alt, next) : alt;
			if (rep[n])
				g->v[loop].out[0] = alt;
		} else {
			first = node(g, start[n], len[n], loop, -1);
			if (rep[n])
				g->v[loop].out[0] = first;
		}
		next = first;
	}
	return next;
}

static void
follow(const struct gram *g, struct set *s, int i)
{
	if (i < 0 || s->in[i])
		return;
	s->in[i] = 1;
	if (i != END && g->v[i].text == NULL) {
		follow(g, s, g->v[i].out[0]);
		follow(g, s, g->v[i].out[1]);
	}
}

bool
cli_grammar_is_place(const char *label)
{
	return isupper((unsigned char)label[0]);
}

bool
cli_grammar_fits(const char *label, const char *word)
{
	uint8_t af, plen, proto, addr[16];
	uint64_t v;

	if (strcmp(label, "N") == 0)
		return cli_parse_u64(word, UINT64_MAX, &v);
	if (strcmp(label, "VID") == 0)
		return cli_parse_u64(word, 4094, &v) && v > 0;
	if (strcmp(label, "PORT") == 0)
		return cli_parse_u64(word, 65535, &v);
	if (strcmp(label, "IF") == 0)
		return word[0] != '\0' && strlen(word) < FP_NAME_SIZE && !isdigit((unsigned char)word[0]) && word[0] != '-';
	if (strcmp(label, "ADDR") == 0)
		return strchr(word, '/') == NULL && cli_prefix_parse(word, &af, addr, &plen) == 0;
	if (strcmp(label, "PREFIX") == 0)
		return cli_prefix_parse(word, &af, addr, &plen) == 0;
	if (strcmp(label, "PROTO") == 0)
		return cli_proto_parse(word, &proto) == 0;
	if (strcmp(label, "DEST") == 0)
		return strcmp(word, "default") == 0 || cli_prefix_parse(word, &af, addr, &plen) == 0;
	return word[0] != '\0';
}

static bool
label_fits(const struct node *nd, const char *word)
{
	char label[24];

	snprintf(label, sizeof(label), "%.*s", nd->len, nd->text);
	return cli_grammar_is_place(label) ? cli_grammar_fits(label, word) : strcmp(label, word) == 0;
}

static void
expected(const struct gram *g, const struct set *s, struct cli_expect *e)
{
	e->n = 0;
	e->end = s->in[END];
	for (const char *at = NULL;; ) {	/* in the order of the spec */
		char label[24];
		int k, i = -1;

		for (k = 0; k < g->n; k++)
			if (s->in[k] && g->v[k].text != NULL && (at == NULL || g->v[k].text > at) &&
				(i < 0 || g->v[k].text < g->v[i].text))
				i = k;
		if (i < 0 || e->n == CLI_MAX_EXPECT)
			break;
		at = g->v[i].text;
		snprintf(label, sizeof(label), "%.*s", g->v[i].len, g->v[i].text);
		for (k = 0; k < e->n && strcmp(e->word[k], label) != 0; k++)
			;
		if (k == e->n)
			memcpy(e->word[e->n++], label, sizeof(label));
	}
}

static int
run(const char *spec, int argc, char *const *argv, struct cli_expect *e)
{
	struct gram g = { 0 };
	struct set s = { 0 };
	int first;

	first = parse_seq(&g, spec, spec + strlen(spec), END);
	if (g.bad)
		return -E2BIG;
	follow(&g, &s, first);
	for (e->pos = 0; e->pos < argc; e->pos++) {
		struct set t = { 0 };
		bool exact = false;

		/* A literal wins over a placeholder that would take the same word. */
		for (int i = 0; i < g.n; i++)
			if (s.in[i] && g.v[i].text != NULL && !isupper((unsigned char)g.v[i].text[0]) && label_fits(&g.v[i], argv[e->pos]))
				exact = true;
		for (int i = 0; i < g.n; i++)
			if (s.in[i] && g.v[i].text != NULL && (!exact || !isupper((unsigned char)g.v[i].text[0])) &&
				label_fits(&g.v[i], argv[e->pos]))
				follow(&g, &t, g.v[i].out[0]);
		bool any = false;
		for (int i = 0; i < MAX_NODES; i++)
			any |= t.in[i];
		if (!any) {
			expected(&g, &s, e);
			return -EINVAL;
		}
		s = t;
	}
	expected(&g, &s, e);
	return 0;
}

int
cli_grammar_match(const char *spec, int argc, char *const *argv, struct cli_expect *e)
{
	int rc = run(spec, argc, argv, e);

	return rc == 0 && !e->end ? -EINVAL : rc;
}

int
cli_grammar_next(const char *spec, int argc, char *const *argv, struct cli_expect *e)
{
	return run(spec, argc, argv, e);
}
