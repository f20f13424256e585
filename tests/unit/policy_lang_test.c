/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf.conf in, normal form out. tests/data/pf/NAME.in is parsed and printed, NAME.ok is what must come out, or NAME.err
 * the errors; the rest are properties and bounds that files show badly. Argument: the directory tests/data/pf.
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

#include <arpa/inet.h>
#include <cmocka.h>

#include "policy/md5.h"
#include "policy/policy.h"
#include "policy/table.h"

static const char *data_dir;

/* The box of the tests: int0 and ext0, each with an IPv4, a link-local and a global IPv6 address, and lo0. */
static int
box_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	static const struct { const char *name; int af; const char *addr; int plen; const char *broadcast;
	} all[] = { { "int0", POL_AF_INET, "10.10.2.1", 24, "10.10.2.255" },
		{ "int0", POL_AF_INET6, "fe80::1", 64, NULL }, { "int0", POL_AF_INET6, "fd00:2::1", 64, NULL },
		{ "ext0", POL_AF_INET, "10.10.1.1", 24, "10.10.1.255" },
		{ "ext0", POL_AF_INET, "10.10.1.2", 24, "10.10.1.255" }, { "ext0", POL_AF_INET6, "fe80::2", 64, NULL },
		{ "ext0", POL_AF_INET6, "fd00:1::1", 64, NULL }, { "lo0", POL_AF_INET, "127.0.0.1", 8, NULL },
		{ "lo0", POL_AF_INET6, "::1", 128, NULL } };
	static const char *const without[] = { "bare0" };
	size_t len = strlen(name);
	int n = 0;
	bool known = strcmp(name, without[0]) == 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *rest = all[i].name + len;

		if (strcmp(name, "self") != 0 &&
			(strncmp(name, all[i].name, len) != 0 || (*rest != '\0' && (*rest < '0' || *rest > '9'))))
			continue;
		known = true;
		if (n < max) {
			out[n] = (struct pol_ifaddr){ .af = all[i].af, .plen = all[i].plen };
			snprintf(out[n].ifname, sizeof(out[n].ifname), "%s", all[i].name);
			inet_pton(all[i].af == POL_AF_INET ? AF_INET : AF_INET6, all[i].addr, out[n].addr.b);
			if (all[i].broadcast != NULL)
				inet_pton(AF_INET, all[i].broadcast, out[n].broadcast.b);
		}
		n++;
	}
	return known ? n : -1;
}

static const struct pol_env box = { .if_addrs = box_addrs };

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *s = NULL;
	size_t n = 0;

	if (f != NULL) {
		s = calloc(1, 1 << 20);
		n = fread(s, 1, (1 << 20) - 1, f);
		fclose(f);
	}
	(void)n;
	return s;
}

static struct pol_ruleset *
parse(const char *text)
{
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs = pol_parse_buffer("test", text, strlen(text), &box, &errs);

	if (rs == NULL)
		pol_errors_print(&errs, stderr);
	pol_errors_free(&errs);
	return rs;
}

/* The only error of text, as it prints; the caller frees it. */
static char *
error_of(const char *text, unsigned want)
{
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs = pol_parse_buffer("test", text, strlen(text), &box, &errs);
	char *s = NULL;
	size_t n;
	FILE *f;

	assert_null(rs);
	if (errs.n != want)
		pol_errors_print(&errs, stderr);
	assert_int_equal(errs.n, want);
	f = open_memstream(&s, &n);
	pol_errors_print(&errs, f);
	fclose(f);
	pol_errors_free(&errs);
	return s;
}

static void
assert_error(const char *text, const char *part)
{
	char *e = error_of(text, 1);

	if (strstr(e, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, e);
	free(e);
}

static char *
printed(const struct pol_ruleset *rs)
{
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	pol_print_all(rs, f);
	fclose(f);
	return s;
}

static void
check_file(const char *name)
{
	char path[512], other[600];
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs, *again;
	char *want, *got = NULL, *got2;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s.in", name);
	rs = pol_parse_file(path, &box, &errs);
	snprintf(other, sizeof(other), "%s.%s", name, rs != NULL ? "ok" : "err");
	if ((want = slurp(other)) == NULL) {
		pol_errors_print(&errs, stderr);
		fail_msg("%s: there is no such file, so %s must not %s", other, path, rs != NULL ? "parse" : "fail");
	}
	f = open_memstream(&got, &n);
	if (rs != NULL)
		pol_print_all(rs, f);
	else
		pol_errors_print(&errs, f);
	fclose(f);
	if (strcmp(got, want) != 0)
		fail_msg("%s: expected\n%sgot\n%s", path, want, got);
	/*
	 * What is printed parses back to the same; macros are in it too. Except, as with pfctl: return-icmp(x) has the
	 * code 3/3 for IPv6, which prints as a bare 3 and reads back as 1/3.
	 */
	if (rs != NULL && strstr(got, ", 3)") == NULL) {
		again = pol_parse_buffer("again", got, n, &box, &errs);
		if (again == NULL) {
			pol_errors_print(&errs, stderr);
			fail_msg("%s: its normal form does not parse:\n%s", path, got);
		}
		got2 = printed(again);
		assert_string_equal(got, got2);
		assert_memory_equal(rs->checksum, again->checksum, sizeof(rs->checksum));
		free(got2);
		pol_ruleset_free(again);
	}
	free(got);
	free(want);
	pol_errors_free(&errs);
	pol_ruleset_free(rs);
}

static void
test_files(void **state)
{
	DIR *d;
	struct dirent *e;
	unsigned n = 0;

	assert_int_equal(chdir(data_dir), 0);
	d = opendir(".");
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char *dot = strrchr(e->d_name, '.');

		if (dot != NULL && strcmp(dot, ".in") == 0) {
			*dot = '\0';
			check_file(e->d_name);
			n++;
		}
	}
	closedir(d);
	assert_true(n >= 3);
}

static void
test_defaults(void **state)
{
	struct pol_ruleset *rs = parse("");

	assert_non_null(rs);
	assert_int_equal(rs->n_rules, 0);
	assert_int_equal(rs->default_rule.action, POL_PASS);
	assert_int_equal(rs->default_rule.keep_state, POL_STATE_NONE);
	assert_int_equal(rs->default_rule.nr, UINT32_MAX);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_TCP_ESTABLISHED), 86400);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_ADAPTIVE_START), 60000);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_ADAPTIVE_END), 120000);
	assert_int_equal(pol_limit(&rs->opt, POL_LIMIT_STATES), 100000);
	assert_int_equal(rs->opt.reassemble, -1);
	assert_int_equal(rs->opt.syncookies, -1);
	assert_int_equal(rs->opt.debug, -1);
	pol_ruleset_free(rs);
}

static void
test_timeouts(void **state)
{
	/* only the limit: 60 % and 120 %; the profile after a timeout wins, a timeout after the profile too */
	struct pol_ruleset *rs = parse("set limit states 5000\nset timeout { tcp.first 7, udp.first 8\n udp.single 9 "
				       "}\n"
				       "set optimization aggressive\nset timeout tcp.closed 77\n");

	assert_non_null(rs);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_ADAPTIVE_START), 3000);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_ADAPTIVE_END), 6000);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_TCP_FIRST), 30);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_TCP_CLOSED), 77);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_UDP_FIRST), 8);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_UDP_SINGLE), 9);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_TCP_TSDIFF), 10);
	pol_ruleset_free(rs);
	rs = parse("set limit states 5000\nset timeout adaptive.start 0\nset timeout adaptive.end 0\n");
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_ADAPTIVE_START), 0);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_ADAPTIVE_END), 0);
	pol_ruleset_free(rs);
	rs = parse("set optimization high-latency");
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_TCP_CLOSING), 905);
	assert_int_equal(pol_timeout(&rs->opt, POL_TM_TCP_TSDIFF), 60);
	pol_ruleset_free(rs);
}

static void
test_fields(void **state)
{
	struct pol_ruleset *rs = parse("set state-policy if-bound\n"
		"pass in log (all) quick on ! ext0 inet proto tcp from ! 10.1.2.3/16 port 1:2 to <t> port != 80 tag A\n"
		"block return-icmp6(1) out inet6 proto udp to (ext0:network) !tagged A probability 50%\n"
		"match scrub (no-df max-mss 1400) set (tos 0x10, prio (1, 2))\n"
		"pass proto tcp synproxy state (floating, max 100, tcp.first 5)\n");
	const struct pol_rule *r;

	assert_non_null(rs);
	assert_int_equal(rs->n_rules, 4);
	r = rs->rules[0];
	assert_int_equal(r->action, POL_PASS);
	assert_int_equal(r->dir, POL_DIR_IN);
	assert_int_equal(r->log, POL_LOG | POL_LOG_ALL);
	assert_true(r->quick && r->ifneg);
	assert_string_equal(r->ifname, "ext0");
	assert_int_equal(r->af, POL_AF_INET);
	assert_int_equal(r->proto, 6);
	assert_int_equal(r->src.kind, POL_ADDR_PREFIX);
	assert_true(r->src.neg);
	assert_int_equal(r->src.plen, 16);
	assert_memory_equal(r->src.addr.b, "\x0a\x01\0\0\0", 5);
	assert_int_equal(r->src.port.op, POL_OP_RRG);
	assert_int_equal(r->src.port.lo, 1);
	assert_int_equal(r->src.port.hi, 2);
	assert_int_equal(r->dst.kind, POL_ADDR_TABLE);
	assert_ptr_equal(r->dst.table, rs->tables[0].table);
	assert_int_equal(r->dst.port.op, POL_OP_NE);
	assert_int_equal(r->tcp_flags, 2);
	assert_int_equal(r->tcp_flagset, 0x12);
	assert_int_equal(r->tag, 1);
	assert_int_equal(r->keep_state, POL_STATE_KEEP);
	assert_true(r->rf & POL_RF_IF_BOUND);
	assert_int_equal(r->line, 2);
	assert_int_equal(r->icmp_type, -1);
	r = rs->rules[1];
	assert_int_equal(r->ret, POL_RETURN_ICMP);
	assert_int_equal(r->return_icmp6, 1 << 8 | 1);
	assert_int_equal(r->dst.kind, POL_ADDR_DYNIF);
	assert_int_equal(r->dst.dynif_flags, POL_DYNIF_NETWORK);
	assert_int_equal(r->match_tag, 1);
	assert_true(r->match_tagneg);
	assert_int_equal(r->probability, 2147483648u);
	assert_int_equal(r->keep_state, POL_STATE_NONE);
	r = rs->rules[2];
	assert_int_equal(r->rf, POL_RF_NODF | POL_RF_SET_TOS | POL_RF_SET_PRIO);
	assert_int_equal(r->max_mss, 1400);
	assert_int_equal(r->set_tos, 0x10);
	assert_int_equal(r->set_prio[1], 2);
	r = rs->rules[3];
	assert_int_equal(r->keep_state, POL_STATE_SYNPROXY);
	assert_false(r->rf & POL_RF_IF_BOUND);
	assert_int_equal(r->max_states, 100);
	assert_int_equal(r->timeout[POL_TM_ADAPTIVE_START], 60);
	assert_int_equal(r->timeout[POL_TM_ADAPTIVE_END], 120);
	assert_int_equal(r->timeout[POL_TM_TCP_FIRST], 5);
	assert_int_equal(rs->n_tags, 1);
	assert_string_equal(rs->tags[0], "A");
	pol_ruleset_free(rs);
}

static void
test_anchors(void **state)
{
	struct pol_ruleset *rs = parse("block\nanchor \"a\" in on { int0 ext0 } {\n pass\n anchor {\n  block\n "
				       "}\n}\npass out\n");
	static const uint32_t nr[] = { 0, 1, 0, 1, 0, 2, 0, 1, 0, 3 }, top[] = { 0, 1, 1, 1, 1, 2, 2, 2, 2, 3 };
	static const uint32_t end[] = { 1, 5, 3, 5, 5, 9, 7, 9, 9, 10 };
	static const int parent[] = { -1, -1, 1, 1, 3, -1, 5, 5, 7, -1 };

	assert_non_null(rs);
	assert_int_equal(rs->n_rules, 10);
	for (uint32_t i = 0; i < 10; i++) {
		const struct pol_rule *r = rs->rules[i];

		assert_int_equal(r->pos, i);
		assert_int_equal(r->nr, nr[i]);
		assert_int_equal(r->top_nr, top[i]);
		assert_int_equal(r->anchor_end, end[i]);
		if (parent[i] < 0)
			assert_null(r->parent);
		else
			assert_ptr_equal(r->parent, rs->rules[parent[i]]);
	}
	pol_ruleset_free(rs);
	assert_error("anchor \"x\" {\n pass frob\n}\n", "test:2: unexpected 'frob'");
	assert_error("anchor \"x\"\n", "loaded from elsewhere");
	assert_error("anchor \"x\" keep state {\n pass\n}\n", "anchors");
	assert_error("anchor \"x\" {\n}\nanchor \"x\" {\n}\n", "exists already in line 1");
}

static void
test_tables(void **state)
{
	struct pol_table *t = pol_table_create("live", POL_TABLE_PERSIST);
	struct pol_table_entry e;
	struct pol_ruleset *rs = parse("table <a> const { 10/8, !10.1.0.0/16, 2001:db8::/32 }\npass from <a> to <b>\n");
	union pol_ip ip = { .b = { 10, 2, 0, 1 } };

	assert_int_equal(rs->n_tables, 2);
	assert_true(rs->tables[0].created && rs->tables[0].declared && rs->tables[0].init);
	assert_true(rs->tables[1].created && !rs->tables[1].declared);
	assert_true(pol_table_contains(rs->tables[0].table, POL_AF_INET, &ip));
	ip.b[1] = 1;
	assert_false(pol_table_contains(rs->tables[0].table, POL_AF_INET, &ip));
	assert_int_equal(pol_table_flags(rs->tables[0].table), POL_TABLE_CONST);
	pol_ruleset_free(rs);

	/* a table of the box is only touched when the rule set comes into force */
	assert_int_equal(pol_table_entry_parse("192.0.2.1", &e), 0);
	assert_int_equal(pol_table_add(t, &e, 1, NULL), 1);
	pol_table_free(t);
}

static struct pol_table *live;

static struct pol_table *
find_live(void *arg, const char *name)
{
	return strcmp(name, "live") == 0 ? live : NULL;
}

static void
test_table_commit(void **state)
{
	static const struct pol_env env = { .table_find = find_live };
	static const char *const texts[] = { "table <live> persist\npass from <live>\n",
		"table <live> const { 10.0.0.1 10.0.0.2 }\n", "pass from <live>\ntable <live> { }\n" };
	static const unsigned before[] = { 1, 1, 2 }, after[] = { 1, 2, 0 };
	struct pol_errors errs = { 0 };
	struct pol_table_entry e;

	live = pol_table_create("live", POL_TABLE_PERSIST);
	assert_int_equal(pol_table_entry_parse("192.0.2.1", &e), 0);
	assert_int_equal(pol_table_add(live, &e, 1, NULL), 1);
	for (int i = 0; i < 3; i++) {
		struct pol_ruleset *rs = pol_parse_buffer("t", texts[i], strlen(texts[i]), &env, &errs);

		assert_non_null(rs);
		assert_ptr_equal(rs->tables[0].table, live);
		assert_false(rs->tables[0].created);
		assert_int_equal(pol_table_count(live), before[i]);
		assert_int_equal(pol_tables_commit(rs, NULL), 0);
		assert_int_equal(pol_table_count(live), after[i]);
		pol_ruleset_free(rs);
	}
	assert_int_equal(pol_table_flags(live), 0);
	pol_table_free(live);
	/* a committed table is the caller's */
	{
		struct pol_ruleset *rs = parse("table <n> { 10.0.0.1 }");
		struct pol_table *n = rs->tables[0].table;

		assert_int_equal(pol_tables_commit(rs, NULL), 0);
		pol_ruleset_free(rs);
		assert_int_equal(pol_table_count(n), 1);
		pol_table_free(n);
	}
}

static void
test_macros(void **state)
{
	static const char *const given[] = { "ext=int0", NULL };
	struct pol_env env = box;
	struct pol_errors errs = { 0 };
	const char *text = "ext = \"ext0\"\npass on $ext to $ext:network\n";
	struct pol_ruleset *rs;

	env.macros = given;
	rs = pol_parse_buffer("m", text, strlen(text), &env, &errs);
	assert_non_null(rs);
	assert_string_equal(rs->rules[0]->ifname, "int0");
	assert_int_equal(rs->rules[0]->dst.plen, 24);
	pol_ruleset_free(rs);
	assert_error("a = \"$a\"\npass from $a\n", "contains itself");
	assert_error("pass from $nowhere to any\n", "macro 'nowhere' is not defined");
}

/* Lists and macros that would blow up are refused, quickly. */
static void
test_bounds(void **state)
{
	struct pol_env env = { .max_rules = 100 };
	struct pol_errors errs = { 0 };
	char *s = NULL;
	size_t n;
	FILE *f;

	f = open_memstream(&s, &n);
	fprintf(f, "a = \"1 2 3 4 5 6 7 8\"\nb = \"$a $a $a $a $a $a $a $a\"\nc = \"$b $b $b $b $b $b $b $b\"\n");
	fprintf(f,
		"d = \"$c $c $c $c $c $c $c $c\"\ne = \"$d $d $d $d $d $d $d $d\"\nf = \"$e $e $e $e $e $e $e $e\"\n");
	fprintf(f, "g = \"$f $f $f $f $f $f $f $f\"\npass proto tcp to port { $g $g $g }\n");
	fclose(f);
	assert_null(pol_parse_buffer("b", s, n, &env, &errs));
	free(s);
	assert_true(errs.n >= 1);
	assert_non_null(strstr(errs.v[0].text, "expand to more than"));
	pol_errors_free(&errs);

	s = "pass proto tcp from port { 1 2 3 4 5 6 7 8 9 10 11 } to port { 1 2 3 4 5 6 7 8 9 10 }\n";
	assert_null(pol_parse_buffer("b", s, strlen(s), &env, &errs));
	assert_int_equal(errs.n, 1);
	assert_non_null(strstr(errs.v[0].text, "more than 100 rules"));
	pol_errors_free(&errs);

	/* doubling in each anchor */
	f = open_memstream(&s, &n);
	for (int i = 0; i < 60; i++)
		fprintf(f, "anchor on { a b } {\n");
	fprintf(f, "pass\n");
	for (int i = 0; i < 60; i++)
		fprintf(f, "}\n");
	fclose(f);
	assert_null(pol_parse_buffer("b", s, n, &env, &errs));
	free(s);
	assert_int_equal(errs.n, 1);
	pol_errors_free(&errs);

	/* braces without end */
	f = open_memstream(&s, &n);
	fprintf(f, "pass from ");
	for (int i = 0; i < 100000; i++)
		fputc('{', f);
	fclose(f);
	assert_null(pol_parse_buffer("b", s, n, &env, &errs));
	free(s);
	assert_true(errs.n >= 1);
	pol_errors_free(&errs);
}

static void
test_include(void **state)
{
	char dir[] = "/tmp/pol_lang_test.XXXXXX", path[3][64], text[300];
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 3; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%d.conf", dir, i);
	f = fopen(path[0], "w");
	fprintf(f, "pass\n# two\n\npass out");	/* no newline at its end */
	fclose(f);
	f = fopen(path[1], "w");
	fprintf(f, "\ninclude \"%s\"\n", path[1]);
	fclose(f);
	snprintf(text, sizeof(text), "block\ninclude \"%s\"\nd = \"%s\"\ninclude $d\npass in", path[0], path[0]);
	rs = pol_parse_buffer("top", text, strlen(text), &box, &errs);
	assert_non_null(rs);
	assert_int_equal(rs->n_rules, 6);
	assert_string_equal(rs->rules[2]->file, path[0]);
	assert_int_equal(rs->rules[2]->line, 4);
	assert_string_equal(rs->rules[5]->file, "top");
	assert_int_equal(rs->rules[5]->line, 5);
	pol_ruleset_free(rs);
	snprintf(text, sizeof(text), "include \"%s\"\n", path[1]);
	assert_null(pol_parse_buffer("top", text, strlen(text), &box, &errs));
	assert_int_equal(errs.n, 1);
	assert_string_equal(errs.v[0].file, path[1]);
	assert_int_equal(errs.v[0].line, 2);
	assert_non_null(strstr(errs.v[0].text, "include itself"));
	pol_errors_free(&errs);
	assert_error("include \"/nonexistent/pf.conf\"\n", "test:1: file \"/nonexistent/pf.conf\" cannot be read");
	assert_error("include \"/dev/zero\"\n", "not a regular file");
	for (int i = 0; i < 2; i++)
		unlink(path[i]);
	rmdir(dir);
	assert_null(pol_parse_file("/nonexistent", NULL, &errs));
	assert_int_equal(errs.n, 1);
	pol_errors_free(&errs);
}

/* Names of interfaces are fine where the box is not known. */
static void
test_off_the_box(void **state)
{
	const char *text = "pass from ext0:network to self\nantispoof for int0\ntable <t> { ext0 10.0.0.1 }\n";
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs = pol_parse_buffer("o", text, strlen(text), NULL, &errs);
	char *s;

	assert_non_null(rs);
	s = printed(rs);
	assert_string_equal(s, "table <t> { ext0 10.0.0.1 }\npass from (ext0:network) to (self) flags S/SA\n"
		"block drop in on ! int0 from (int0:network) to any\nblock drop in from (int0) to any\n");
	free(s);
	pol_ruleset_free(rs);
}

/* A buffer that is too small holds what fits, as snprintf does. */
static void
test_snprint(void **state)
{
	struct pol_ruleset *rs = parse("pass in on int0 proto udp to port 53");
	const char *want = "pass in on int0 proto udp from any to any port = 53";
	char buf[100];

	assert_int_equal(pol_rule_snprint(rs, rs->rules[0], NULL, 0), strlen(want));
	for (size_t size = 1; size < sizeof(buf); size++) {
		memset(buf, 'x', sizeof(buf));
		assert_int_equal(pol_rule_snprint(rs, rs->rules[0], buf, size), strlen(want));
		assert_int_equal(strlen(buf), size - 1 < strlen(want) ? size - 1 : strlen(want));
		assert_memory_equal(buf, want, strlen(buf));
		if (size < sizeof(buf) - 1)
			assert_int_equal(buf[size], 'x');
	}
	pol_ruleset_free(rs);
}

/* RFC 1321, appendix A.5, and blocks that end at every place. */
static void
test_md5(void **state)
{
	static const struct { const char *text; uint8_t want[16];
	} v[] = {
		{ "",
			{ 0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42,
				0x7e } },
		{ "abc",
			{ 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0, 0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f,
				0x72 } },
		{ "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
			{ 0x57, 0xed, 0xf4, 0xa2, 0x2b, 0xe3, 0xc9, 0x55, 0xac, 0x49, 0xda, 0x2e, 0x21, 0x07, 0xb6,
				0x7a } },
	};
	struct pol_md5 m;
	uint8_t got[16], bytewise[16];
	char text[200];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		pol_md5_init(&m);
		pol_md5_add(&m, v[i].text, strlen(v[i].text));
		pol_md5_end(&m, got);
		assert_memory_equal(got, v[i].want, 16);
	}
	memset(text, 'a', sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++) {
		pol_md5_init(&m);
		pol_md5_add(&m, text, n);
		pol_md5_end(&m, got);
		pol_md5_init(&m);
		for (size_t i = 0; i < n; i++)
			pol_md5_add(&m, text + i, 1);
		pol_md5_end(&m, bytewise);
		assert_memory_equal(got, bytewise, 16);
	}
}

/* What an OpenBSD 7.6-current box said of these rules in `pfctl -si`. */
static void
test_checksum(void **state)
{
	static const uint8_t want[16] = { 0xed, 0x49, 0x2f, 0x0f, 0x3b, 0x7e, 0xd2, 0x90, 0x21, 0x1a, 0xeb, 0xdc, 0x44,
		0xca, 0x28, 0x48 };
	struct pol_ruleset *rs = parse("pass quick inet6 proto icmp6 icmp6-type { neighbrsol, neighbradv, routersol, "
				       "routeradv } "
				       "no state\npass quick inet6 proto icmp6 from any to ff02::/16 no state\npass "
				       "quick on vio2 proto pfsync no state\n"
				       "pass quick proto carp no state\npass quick inet proto igmp no state\npass keep "
				       "state\n");

	assert_memory_equal(rs->checksum, want, sizeof(want));
	pol_ruleset_free(rs);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files), cmocka_unit_test(test_defaults), cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_anchors), cmocka_unit_test(test_tables),
		cmocka_unit_test(test_table_commit), cmocka_unit_test(test_macros), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_include), cmocka_unit_test(test_off_the_box), cmocka_unit_test(test_snprint),
		cmocka_unit_test(test_checksum), cmocka_unit_test(test_md5),
	};

	data_dir = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
