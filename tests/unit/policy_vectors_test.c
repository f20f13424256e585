/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser against records of real boxes, which are not part of this repository: vectors/openbsd and vectors/freebsd
 * hold pf.conf beside what `pfctl -sr -vv` and `pfctl -si` said of it, vectors/pf scenarios whose states name the rule
 * that made them. Arguments: folders to look for vectors/ in; exit status 77 (skipped) where there are none.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/policy.h"

#define MAX_LINES 256

static char root[4096];
static unsigned n_boxes, n_states, n_scenarios;

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *s;
	size_t n;

	if (f == NULL)
		return NULL;
	s = malloc(4 << 20);
	n = fread(s, 1, (4 << 20) - 1, f);
	s[n] = '\0';
	fclose(f);
	return s;
}

/* Calls fn with every path root/what/NAME of a directory; how many. */
static unsigned
each_dir(const char *what, void (*fn)(const char *path))
{
	char path[2 * sizeof(root)];
	struct dirent **v;
	unsigned done = 0;
	int n;

	if (snprintf(path, sizeof(path), "%s/%s", root, what) >= (int)sizeof(path))
		return 0;
	n = scandir(path, &v, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (v[i]->d_name[0] != '.' && v[i]->d_type == DT_DIR &&
			snprintf(path, sizeof(path), "%s/%s/%s", root, what, v[i]->d_name) < (int)sizeof(path)) {
			fn(path);
			done++;
		}
		free(v[i]);
	}
	if (n >= 0)
		free(v);
	return done;
}

static char *
rules_of(const struct pol_ruleset *rs)
{
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	pol_print_rules(rs, f, 0);
	fclose(f);
	return s;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splits text in place. */
static unsigned
lines_of(char *text, char **v)
{
	unsigned n = 0;

	for (char *save, *l = strtok_r(text, "\n", &save); l != NULL && n < MAX_LINES; l = strtok_r(NULL, "\n", &save))
		v[n++] = l;
	return n;
}

/* FreeBSD prints the default `keep state`, and ports by name. */
static void
plain_form(char *line)
{
	size_t len = strlen(line);
	char *at;

	if (len > 11 && strcmp(line + len - 11, " keep state") == 0)
		line[len - 11] = '\0';
	if ((at = strstr(line, "= discard")) != NULL)
		memcpy(at, "= 9\0", 4);
}

static void
check_box(const char *dir, char which, bool openbsd)
{
	char path[3 * sizeof(root)], *got, *record, *want_text, *si, *sum, *recorded[MAX_LINES], *printed[MAX_LINES],
		hex[33];
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs;
	unsigned n_recorded = 0, n_printed;
	bool nat = false, whole = true;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%c.pfctl-sr-vv.txt", dir, which);
	if ((record = slurp(path)) == NULL)
		return;
	f = open_memstream(&want_text, &n);
	for (char *save, *l = strtok_r(record, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		char *blank = strchr(l, ' ');

		if (l[0] == '@' && blank != NULL) {
			/* a message of the kernel may have broken a line of the record */
			whole &= strtoul(l + 1, NULL, 10) == n_recorded++;
			nat |= strstr(blank, "nat-to") != NULL;
			plain_form(blank);
			fprintf(f, "%s\n", blank + 1);
		}
	}
	fclose(f);
	free(record);
	if (!whole) {
		free(want_text);
		return;
	}

	/* the file, list by list, gives the lines of the record; pfctl had reordered them */
	snprintf(path, sizeof(path), "%s/%c.pf.conf", dir, which);
	rs = pol_parse_file(path, NULL, &errs);
	record = slurp(path);
	nat |= strstr(record, "\nnat ") != NULL;
	free(record);
	if (nat) {
		assert_null(rs);
		for (unsigned i = 0; i < errs.n; i++)
			assert_non_null(strstr(errs.v[i].text, "address translation is not available"));
		pol_errors_free(&errs);
		free(want_text);
		return;
	}
	if (rs == NULL)
		pol_errors_print(&errs, stderr);
	assert_non_null(rs);
	got = rules_of(rs);
	n_printed = lines_of(got, printed);
	record = strdup(want_text);
	n_recorded = lines_of(record, recorded);
	assert_true(n_recorded > 0);
	assert_int_equal(n_recorded, n_printed);
	qsort(printed, n_printed, sizeof(*printed), by_text);
	qsort(recorded, n_recorded, sizeof(*recorded), by_text);
	for (unsigned i = 0; i < n_printed; i++)
		assert_string_equal(printed[i], recorded[i]);
	free(got);
	free(record);
	pol_ruleset_free(rs);

	/* the record itself is a pf.conf: in its order the checksum is the box's */
	rs = pol_parse_buffer(path, want_text, strlen(want_text), NULL, &errs);
	assert_non_null(rs);
	got = rules_of(rs);
	assert_string_equal(got, want_text);
	free(got);
	snprintf(path, sizeof(path), "%s/%c.pfctl-si.txt", dir, which);
	if (openbsd && (si = slurp(path)) != NULL) {
		for (int i = 0; i < 16; i++)
			snprintf(hex + 2 * i, 3, "%02x", rs->checksum[i]);
		sum = strstr(si, "Checksum: 0x");
		assert_non_null(sum);
		assert_memory_equal(sum + 12, hex, 32);
		free(si);
	}
	free(want_text);
	pol_ruleset_free(rs);
	n_boxes++;
}

static void
check_openbsd(const char *dir)
{
	check_box(dir, 'A', true);
	check_box(dir, 'B', true);
}

static void
check_freebsd(const char *dir)
{
	check_box(dir, 'A', false);
	check_box(dir, 'B', false);
}

static void
test_boxes(void **state)
{
	assert_true(each_dir("openbsd", check_openbsd) > 0);
	each_dir("freebsd", check_freebsd);
	assert_true(n_boxes > 20);
}

static const struct pol_rule *
rule_nr(const struct pol_ruleset *rs, unsigned nr, bool in_anchor)
{
	for (uint32_t i = 0; i < rs->n_rules; i++)
		if ((rs->rules[i]->parent != NULL) == in_anchor && rs->rules[i]->nr == nr &&
			!(rs->rules[i]->rf & POL_RF_ANCHOR))
			return rs->rules[i];
	return NULL;
}

/* The rule that a state names must be one that could have made it: numbers count lists and anchors as pf does. */
static void
check_state(const char *dir, const struct pol_ruleset *rs, const char *object, size_t len)
{
	char text[2048], *rule, *proto, *flow;
	const struct pol_rule *r;
	unsigned nr;

	if (len >= sizeof(text))
		return;
	memcpy(text, object, len);
	text[len] = '\0';
	if ((rule = strstr(text, "\"rule\": ")) == NULL || strstr(text, "anchor") != NULL || rule[8] < '0' ||
		rule[8] > '9')
		return;
	nr = strtoul(rule + 8, NULL, 10);
	r = rule_nr(rs, nr, false);
	if (r == NULL || r->keep_state == POL_STATE_NONE)
		r = rule_nr(rs, nr, true);
	if (r == NULL || r->keep_state == POL_STATE_NONE)
		fail_msg("%s: a state of rule %u, which keeps no state", dir, nr);
	flow = strstr(text, "\"flow\"");
	assert_non_null(flow);
	if (r->dir != POL_DIR_ANY && (strstr(flow, " <- ") != NULL) != (r->dir == POL_DIR_IN))
		fail_msg("%s: a state of rule %u in the other direction: %s", dir, nr, text);
	proto = strstr(text, "\"proto\": \"udp\"");
	if (r->proto != POL_PROTO_ANY && (proto != NULL) != (r->proto == 17))
		fail_msg("%s: a state of rule %u with another protocol: %s", dir, nr, text);
	n_states++;
}

static void
check_scenario(const char *dir)
{
	static const char *const names[] = { "pf.conf", "pf2.conf" };
	char path[3 * sizeof(root)], *expect;
	struct pol_ruleset *rs[2] = { NULL };

	for (int i = 0; i < 2; i++) {
		struct pol_errors errs = { 0 };

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (access(path, R_OK) != 0)
			continue;
		rs[i] = pol_parse_file(path, NULL, &errs);
		/* what needs translation is refused by name, until it is there */
		for (unsigned e = 0; e < errs.n; e++)
			if (strstr(errs.v[e].text, "not available") == NULL)
				fail_msg("%s:%d: %s", path, errs.v[e].line, errs.v[e].text);
		pol_errors_free(&errs);
	}
	snprintf(path, sizeof(path), "%s/expect.jsonl", dir);
	/* with a second file it is not known here which one made a state */
	if (rs[0] != NULL && rs[1] == NULL && (expect = slurp(path)) != NULL) {
		const char *at = expect;

		while ((at = strstr(at, "{\"if\"")) != NULL) {
			size_t len = strcspn(at, "}");

			check_state(dir, rs[0], at, len);
			at += len;
		}
		free(expect);
		n_scenarios++;
	}
	pol_ruleset_free(rs[0]);
	pol_ruleset_free(rs[1]);
}

static void
check_group(const char *dir)
{
	char what[sizeof(root)];

	if (snprintf(what, sizeof(what), "%s", dir + strlen(root) + 1) < (int)sizeof(what))
		each_dir(what, check_scenario);
}

static void
test_scenarios(void **state)
{
	assert_true(each_dir("pf", check_group) > 0);
	assert_true(n_scenarios > 10 && n_states > 50);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_boxes), cmocka_unit_test(test_scenarios) };

	for (int i = 1; i < argc && root[0] == '\0'; i++) {
		snprintf(root, sizeof(root), "%s/vectors", argv[i]);
		if (access(root, R_OK) != 0)
			root[0] = '\0';
	}
	if (root[0] == '\0') {
		printf("skipped: there is no ../shared/vectors\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
