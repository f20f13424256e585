/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the text of pf.conf to the rule that decides: parsed, compiled, and walked, all three agreeing with the numbers
 * written here. `in int0 udp 10.10.2.100 5000 > 10.10.1.100 53 = 2`: rule 2 decides, - is the default rule, a.b rule b
 * of the anchor at a.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <rte_eal.h>

#include "policy_rules.h"

static const char names[3][POL_IFNAMSIZ] = { "ext0", "int0", "ext1" };

static int
if_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	static const struct { const char *name, *addr; } have[] = {
		{ "ext0", "10.10.1.1" }, { "int0", "10.10.2.1" }, { "ext0", "fd00:1::1" }, { "int0", "fd00:2::1" },
	};
	int n = 0;

	for (size_t i = 0; i < 4; i++) {
		struct pol_table_entry e;
		size_t len = strlen(name);
		bool group = strcmp(name, "self") == 0 || (strncmp(have[i].name, name, len) == 0 && len == 3);

		if (!group && strcmp(have[i].name, name) != 0)
			continue;
		if (n < max) {
			pol_table_entry_parse(have[i].addr, &e);
			out[n] = (struct pol_ifaddr){ .af = e.af, .plen = e.af == POL_AF_INET ? 24 : 64, .addr = e.addr };
			if (e.af == POL_AF_INET) {
				out[n].broadcast = e.addr;
				out[n].broadcast.b[3] = 255;
			}
		}
		n++;
	}
	return n > 0 ? n : -1;
}

static const struct pol_ifmap ifs = { .names = names, .n = 3, .if_addrs = if_addrs };
static bool urpf;

static bool
env_urpf(void *arg, const struct pol_pkt *p)
{
	return urpf;
}

static const struct pol_match_env menv = { .urpf_ok = env_urpf };

static void
number(const struct pol_ruleset *rs, const struct pol_rule *r, char *buf, size_t size)
{
	if (r == &rs->default_rule)
		snprintf(buf, size, "-");
	else if (r->parent != NULL)
		snprintf(buf, size, "%u.%u", r->top_nr, r->nr);
	else
		snprintf(buf, size, "%u", r->nr);
}

static struct pol_pkt
packet(const char *text, char *want)
{
	char dir[4], ifname[16], proto[8], src[64], dst[64], flags[16] = "";
	unsigned sport, dport;
	struct pol_pkt p;

	/* The number behind the protocol's name are TCP flags or an ICMP type. */
	if (sscanf(text, "%3s %15s %7[a-z0-9] %63s %u > %63s %u %15[^=]= %15s", dir, ifname, proto, src, &sport, dst, &dport, flags,
	    want) != 9) {
		flags[0] = '\0';
		if (sscanf(text, "%3s %15s %7[a-z0-9] %63s %u > %63s %u = %15s", dir, ifname, proto, src, &sport, dst, &dport, want) != 8)
			fail_msg("bad line: %s", text);
	}
	p = rules_pkt(strcmp(dir, "in") == 0 ? POL_DIR_IN : POL_DIR_OUT, strcmp(proto, "tcp") == 0 ? IPPROTO_TCP :
		strcmp(proto, "udp") == 0 ? IPPROTO_UDP : strcmp(proto, "icmp") == 0 ? IPPROTO_ICMP : IPPROTO_ICMPV6, src,
		(uint16_t)sport, dst, (uint16_t)dport);
	if (p.proto == IPPROTO_TCP)
		p.tcp_flags = 0x02;
	if (p.proto == IPPROTO_ICMP || p.proto == IPPROTO_ICMPV6) {
		p.icmp_type = (uint8_t)sport;
		p.icmp_code = (uint8_t)dport;
		p.icmp_reply = sport == 0 || sport == 129;
	}
	for (const char *f = flags; *f != '\0'; f++) {
		if (*f == 'A')
			p.tcp_flags = 0x10;
		if (*f == 'S')
			p.tcp_flags |= 0x02;
		if (*f == 'F')
			p.fragment = 1;
		if (*f == 'T')
			p.tos = 0x10;
		if (*f == 'R')
			p.rcvif = 1;
	}
	p.ifid = (uint16_t)(strcmp(ifname, "ext0") == 0 ? 0 : strcmp(ifname, "int0") == 0 ? 1 : 2);
	return p;
}

static void
check(const char *conf, const char *const *lines)
{
	struct pol_env env = { .if_addrs = if_addrs };
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs = pol_parse_buffer("test.conf", conf, strlen(conf), &env, &errs);
	struct pol_compiled *c;

	if (rs == NULL) {
		pol_errors_print(&errs, stderr);
		fail_msg("not parsed:\n%s", conf);
	}
	c = pol_compile(rs, &ifs, 0, &errs);
	assert_non_null(c);
	assert_int_equal(errs.n, 0);
	for (; *lines != NULL; lines++) {
		char want[16], walked[16], compiled[16];
		struct pol_pkt p = packet(*lines, want);
		const struct pol_pkt *ptr = &p;
		struct pol_match m, m2;

		pol_match_walk(rs, &ifs, &menv, &p, &m, NULL);
		pol_match_burst(c, &menv, &ptr, 1, &m2);
		number(rs, m.rule, walked, sizeof(walked));
		number(rs, m2.rule, compiled, sizeof(compiled));
		if (strcmp(walked, want) != 0 || strcmp(compiled, want) != 0)
			fail_msg("%s, but walked %s, compiled %s, with\n%s", *lines, walked, compiled, conf);
		assert_memory_equal(&m, &m2, sizeof(m));
	}
	pol_compiled_free(c);
	pol_ruleset_free(rs);
	pol_errors_free(&errs);
}

#define CHECK(conf, ...) check(conf, (const char *const[]){ __VA_ARGS__, NULL })

static void
test_basics(void **state)
{
	CHECK("", "in ext0 udp 1.1.1.1 1 > 2.2.2.2 2 = -");
	CHECK("block\npass out\npass in proto udp to port { 53 123 1000:1002 }\nblock in quick on int0 proto udp to port 123\n",
		"in int0 udp 10.10.2.100 5000 > 10.10.1.100 53 = 2", "in int0 udp 10.10.2.100 5000 > 10.10.1.100 54 = 0",
		"out ext0 udp 10.10.2.100 5000 > 10.10.1.100 53 = 1", "in int0 udp 10.10.2.100 5000 > 10.10.1.100 123 = 5",
		"in ext0 udp fd00::1 5000 > fd00::2 123 = 3", "in ext0 udp fd00::1 5000 > fd00::2 1001 = 4",
		"in ext0 udp fd00::1 5000 > fd00::2 1003 = 0");
	CHECK("block\npass proto tcp flags S/SA\npass proto icmp\npass inet6 proto icmp6 icmp6-type echoreq no state\n",
		"in int0 tcp 1.1.1.1 1 > 2.2.2.2 2 = 1", "in int0 tcp 1.1.1.1 1 > 2.2.2.2 2 A = 0",
		"in int0 tcp 1.1.1.1 1 > 2.2.2.2 2 AS = 0", "in int0 tcp 1.1.1.1 1 > 2.2.2.2 2 F = 0",
		"in int0 icmp 1.1.1.1 8 > 2.2.2.2 0 = 2", "in int0 icmp 1.1.1.1 0 > 2.2.2.2 0 = 0",
		"in int0 icmp6 fd00::1 128 > fd00::2 0 = 3", "in int0 icmp6 fd00::1 129 > fd00::2 0 = 0");
}

static void
test_addresses(void **state)
{
	CHECK("block\npass in on ! ext0 from ! 10.10.2.101 to ! 10.10.1.101\npass out on ext0\nblock quick from 10.9.0.0 - 10.9.0.9\n",
		"in int0 udp 10.10.2.100 1 > 10.10.1.100 1 = 1", "in int0 udp 10.10.2.101 1 > 10.10.1.100 1 = 0",
		"in int0 udp 10.10.2.100 1 > 10.10.1.101 1 = 0", "in ext0 udp 10.10.2.100 1 > 10.10.1.100 1 = 0",
		"out ext0 udp fd00::1 1 > fd00::2 1 = 2", "out ext0 udp 10.9.0.9 1 > 1.1.1.1 1 = 3",
		"out ext0 udp 10.9.0.10 1 > 1.1.1.1 1 = 2");
}

static void
test_tables(void **state)
{
	CHECK("table <good> { 10.10.2.0/24 !10.10.2.66 fd00:2::/64 }\nblock\npass in from <good>\n"
		"pass in proto tcp from ! <good> to port 22\npass out proto udp to <good> port 53\n",
		"in int0 udp 10.10.2.65 1 > 1.1.1.1 1 = 1", "in int0 udp 10.10.2.66 1 > 1.1.1.1 1 = 0",
		"in int0 tcp 10.10.2.66 1 > 1.1.1.1 22 = 2", "in int0 tcp 10.10.2.65 1 > 1.1.1.1 22 = 1",
		"in int0 tcp fd00:3::1 1 > fd00::1 22 = 2", "out int0 udp 1.1.1.1 1 > 10.10.2.9 53 = 3",
		"out int0 udp fd00:9::1 1 > fd00:2::9 53 = 3", "out int0 udp 1.1.1.1 1 > 10.10.2.66 53 = 0");
}

static void
test_dynamic(void **state)
{
	CHECK("block\npass in on ext\npass in on int0 to (ext0)\npass in on int0 proto udp to (ext0:network) port 7\n"
		"pass out on ext0 received-on int0\npass in on int0 proto tcp to self port 22\n",
		"in ext1 udp 1.1.1.1 1 > 2.2.2.2 2 = 1", "in int0 udp 1.1.1.1 1 > 10.10.1.1 2 = 2",
		"in int0 udp 1.1.1.1 1 > 10.10.1.2 2 = 0", "in int0 udp 1.1.1.1 1 > 10.10.1.2 7 = 3",
		"in int0 udp fd00:2::9 1 > fd00:1::77 7 = 3", "in int0 udp fd00:2::9 1 > fd00:1::1 8 = 2",
		"out ext0 udp 1.1.1.1 1 > 2.2.2.2 7 R = 4", "out ext0 udp 1.1.1.1 1 > 2.2.2.2 7 = 0");
	CHECK("pass\nblock in quick from urpf-failed\n", "in ext0 udp 1.1.1.1 1 > 2.2.2.2 2 = 1",
		"out ext0 udp 1.1.1.1 1 > 2.2.2.2 2 = 0");
	CHECK("pass\nantispoof quick for int0\n", "in ext0 udp 10.10.2.9 1 > 2.2.2.2 2 = 1", "in int0 udp 10.10.2.9 1 > 2.2.2.2 2 = 0",
		"in int0 udp 10.10.2.1 1 > 2.2.2.2 2 = 3");
}

/* The first rules and answers are those of a real box. */
static void
test_anchors(void **state)
{
	CHECK("block drop\nanchor \"one\" in on int0 {\n pass in proto udp to port 53\n pass in quick proto udp to port 54\n}\npass out\n"
		"block drop in proto udp to port { 53 54 }\npass in proto udp to port 55\nanchor \"two\" proto tcp {\n block return all\n}\n",
		"in int0 udp 10.10.2.100 5000 > 10.10.1.100 53 = 3", "in int0 udp 10.10.2.100 5000 > 10.10.1.100 54 = 1.1",
		"in int0 udp 10.10.2.100 5000 > 10.10.1.100 55 = 5", "in int0 udp 10.10.2.100 5000 > 10.10.1.100 56 = 0",
		"in int0 tcp 10.10.2.100 256 > 10.10.1.100 80 = 6.0", "out ext0 udp 10.10.2.100 5000 > 10.10.1.100 54 = 2");
	CHECK("block\nanchor quick on int0 {\n pass to 10.0.0.0/8\n block to 10.1.0.0/16\n}\npass\n",
		"in int0 udp 1.1.1.1 1 > 10.0.0.1 1 = 1.0", "in int0 udp 1.1.1.1 1 > 10.1.0.1 1 = 1.1",
		"in int0 udp 1.1.1.1 1 > 11.1.0.1 1 = 2", "in ext0 udp 1.1.1.1 1 > 10.0.0.1 1 = 2");
}

static void
test_tags(void **state)
{
	CHECK("block\nmatch in on int0 tag LAN\npass in tagged LAN\npass in on ext0 ! tagged LAN\nmatch proto udp to port 53 tag DNS\n"
		"pass quick tagged DNS\npass in on int0 proto tcp\n",
		"in int0 udp 1.1.1.1 1 > 2.2.2.2 2 = 2", "in ext0 udp 1.1.1.1 1 > 2.2.2.2 2 = 3", "in int0 udp 1.1.1.1 1 > 2.2.2.2 53 = 5",
		"out ext0 udp 1.1.1.1 1 > 2.2.2.2 53 = 5", "in int0 tcp 1.1.1.1 1 > 2.2.2.2 53 = 6", "in ext1 udp 1.1.1.1 1 > 2.2.2.2 2 = 0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basics), cmocka_unit_test(test_addresses), cmocka_unit_test(test_tables),
		cmocka_unit_test(test_dynamic), cmocka_unit_test(test_anchors), cmocka_unit_test(test_tags),
	};
	char *args[] = { "policy_conf_test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-l", "0", "-m", "256" };

	if (rte_eal_init(sizeof(args) / sizeof(args[0]), args) < 0)
		return 77;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rte_eal_cleanup();
	return failed;
}
