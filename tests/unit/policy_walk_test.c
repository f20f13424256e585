/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf's evaluation of rules, one behaviour a test. Where a test has the numbers of a real box, it says so.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy_rules.h"

#define EXT0 0
#define INT0 1
#define EXT1 2

static const char names[4][POL_IFNAMSIZ] = { "ext0", "int0", "ext1", "" };

static int
if_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	static const struct { const char *addr, *bcast; uint8_t plen; } have[] = {
		{ "10.10.1.1", "10.10.1.255", 24 }, { "10.10.9.1", "10.10.9.255", 24 }, { "fe80::1", NULL, 64 },
		{ "fd00:1::1", NULL, 64 },
	};

	if (strcmp(name, "ext0") != 0)
		return -1;
	for (int i = 0; i < 4 && i < max; i++) {
		struct pol_table_entry e;

		memset(&out[i], 0, sizeof(out[i]));
		pol_table_entry_parse(have[i].addr, &e);
		out[i].af = e.af;
		out[i].addr = e.addr;
		out[i].plen = have[i].plen;
		if (have[i].bcast != NULL) {
			pol_table_entry_parse(have[i].bcast, &e);
			out[i].broadcast = e.addr;
		}
	}
	return 4;
}

static const struct pol_ifmap ifs = { .names = names, .n = 4, .if_addrs = if_addrs };
static uint32_t dice;
static bool urpf = true, route = true, rate = true;

static bool
env_urpf(void *arg, const struct pol_pkt *p)
{
	return urpf;
}

static bool
env_route(void *arg, uint8_t af, const union pol_ip *addr)
{
	return route;
}

static uint32_t
env_random(void *arg)
{
	return dice;
}

static bool
env_rate(void *arg, const struct pol_rule *r)
{
	return rate;
}

static const struct pol_match_env env = { env_urpf, env_route, env_random, env_rate, NULL };

static int
walk(const struct rules *b, const struct pol_pkt *p, struct pol_match *m, uint64_t *evals)
{
	struct pol_match mine;

	if (m == NULL)
		m = &mine;
	pol_match_walk(&b->rs, &ifs, &env, p, m, evals);
	return m->rule == &b->rs.default_rule ? -1 : (int)m->rule->pos;
}

static void
test_last_match(void **state)
{
	struct rules b;
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, "10.10.2.100", 5000, "10.10.1.100", 53);
	struct pol_rule *r;

	rules_init(&b);
	assert_int_equal(walk(&b, &p, NULL, NULL), -1);
	rules_add(&b, POL_BLOCK, POL_DIR_ANY);
	assert_int_equal(walk(&b, &p, NULL, NULL), 0);
	rules_add(&b, POL_PASS, POL_DIR_OUT);
	rules_add(&b, POL_PASS, POL_DIR_IN);
	assert_int_equal(walk(&b, &p, NULL, NULL), 2);
	r = rules_add(&b, POL_BLOCK, POL_DIR_IN);
	r->proto = IPPROTO_UDP;
	r->dst.port = (struct pol_port){ POL_OP_EQ, 53, 0 };
	r->quick = true;
	rules_add(&b, POL_PASS, POL_DIR_ANY);
	assert_int_equal(walk(&b, &p, NULL, NULL), 3);
	p.dport_be = htons(54);
	assert_int_equal(walk(&b, &p, NULL, NULL), 4);
	rules_free(&b);
}

/* Numbers of `pfctl -s labels` on OpenBSD: block; pass out; pass in proto udp to port 53 probability 100%. */
static void
test_evaluations(void **state)
{
	struct rules b;
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, "10.10.2.100", 5000, "10.10.1.100", 53);
	uint64_t evals[8] = { 0 };
	struct pol_rule *r;

	rules_init(&b);
	rules_add(&b, POL_BLOCK, POL_DIR_ANY);
	rules_add(&b, POL_PASS, POL_DIR_OUT);
	r = rules_add(&b, POL_PASS, POL_DIR_IN);
	r->proto = IPPROTO_UDP;
	r->dst.port = (struct pol_port){ POL_OP_EQ, 53, 0 };
	r->probability = UINT32_MAX;
	dice = UINT32_MAX;
	assert_int_equal(walk(&b, &p, NULL, evals), 2);
	p.dir = POL_DIR_OUT;
	assert_int_equal(walk(&b, &p, NULL, evals), 1);
	p.dir = POL_DIR_IN;
	p.dport_be = htons(54);
	assert_int_equal(walk(&b, &p, NULL, evals), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(evals[i], 3);
	/* A used up `once` rule is not even evaluated. */
	r->rf = POL_RF_ONCE;
	r->expired = 1;
	p.dport_be = htons(53);
	assert_int_equal(walk(&b, &p, NULL, evals), 0);
	assert_int_equal(evals[2], 3);
	assert_int_equal(evals[1], 4);
	r->expired = 0;
	assert_int_equal(walk(&b, &p, NULL, NULL), 2);
	r->probability = 1;
	for (dice = 0; dice < 5; dice++)
		assert_int_equal(walk(&b, &p, NULL, NULL), 0);
	rules_free(&b);
}

static void
test_skip_steps(void **state)
{
	struct rules b;
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_TCP, "10.10.2.100", 5000, "10.10.1.100", 80);
	uint64_t evals[8] = { 0 }, want[8] = { 1, 0, 0, 1, 1, 0, 1, 1 };
	struct pol_rule *r;

	rules_init(&b);
	for (int i = 0; i < 3; i++) {	/* 0..2: one interface, not ours */
		r = rules_add(&b, POL_BLOCK, POL_DIR_IN);
		strcpy(r->ifname, "int0");
		r->proto = i == 1 ? IPPROTO_UDP : 0;
	}
	r = rules_add(&b, POL_BLOCK, POL_DIR_IN);	/* matches */
	for (int i = 0; i < 2; i++) {	/* 4, 5: one source, not ours, other ports */
		r = rules_add(&b, POL_BLOCK, POL_DIR_IN);
		r->proto = IPPROTO_TCP;
		rules_prefix(r, &r->src, "10.10.2.101");
		r->dst.port = (struct pol_port){ POL_OP_EQ, (uint16_t)(80 + i), 0 };
	}
	r = rules_add(&b, POL_BLOCK, POL_DIR_IN);	/* 6: the same with another sign matches, but the port */
	r->proto = IPPROTO_TCP;
	rules_prefix(r, &r->src, "!10.10.2.101");
	r->dst.port = (struct pol_port){ POL_OP_GT, 80, 0 };
	r = rules_add(&b, POL_BLOCK, POL_DIR_IN);
	r->proto = IPPROTO_TCP;
	r->dst.port = (struct pol_port){ POL_OP_IRG, 80, 90 };
	assert_int_equal(walk(&b, &p, NULL, evals), 3);
	for (int i = 0; i < 8; i++)
		if (evals[i] != want[i])
			fail_msg("rule %d: %d evaluations", i, (int)evals[i]);
	rules_free(&b);
}

/* The rules and answers of a real box: anchor "one" in on int0 { pass port 53; pass quick port 54 } and so on. */
static void
test_anchors(void **state)
{
	static const struct { uint16_t port; int in, out; } want[] = { { 53, 5, 4 }, { 54, 3, 4 }, { 55, 7, 4 }, { 56, 0, 4 } };
	struct rules b;
	struct pol_rule *r;

	rules_init(&b);
	rules_add(&b, POL_BLOCK, POL_DIR_ANY);
	r = rules_anchor_open(&b, POL_DIR_IN);
	strcpy(r->ifname, "int0");
	for (uint16_t port = 53; port < 55; port++) {
		r = rules_add(&b, POL_PASS, POL_DIR_IN);
		r->proto = IPPROTO_UDP;
		r->dst.port = (struct pol_port){ POL_OP_EQ, port, 0 };
		r->quick = port == 54;
	}
	rules_anchor_close(&b);
	rules_add(&b, POL_PASS, POL_DIR_OUT);
	for (uint16_t port = 53; port < 56; port++) {
		r = rules_add(&b, port == 55 ? POL_PASS : POL_BLOCK, POL_DIR_IN);
		r->proto = IPPROTO_UDP;
		r->dst.port = (struct pol_port){ POL_OP_EQ, port, 0 };
	}
	r = rules_anchor_open(&b, POL_DIR_ANY);
	r->proto = IPPROTO_TCP;
	rules_add(&b, POL_BLOCK, POL_DIR_ANY);
	rules_anchor_close(&b);
	for (size_t i = 0; i < 4; i++) {
		struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, "10.10.2.100", 5000, "10.10.1.100", want[i].port);

		p.ifid = INT0;
		assert_int_equal(walk(&b, &p, NULL, NULL), want[i].in);
		p.dir = POL_DIR_OUT;
		p.ifid = EXT0;
		assert_int_equal(walk(&b, &p, NULL, NULL), want[i].out);
		p.proto = IPPROTO_TCP;
		assert_int_equal(walk(&b, &p, NULL, NULL), 9);
	}
	rules_free(&b);
}

/*
 * A quick anchor ends its level when the rule that decides so far is directly in it; an outer level goes on then
 * (OpenBSD: pf_step_into_anchor() tells the level that called, the context does not learn of it).
 */
static void
test_quick_anchor(void **state)
{
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, "10.10.2.100", 5000, "10.10.1.100", 53);
	struct pol_rule *q, *inner, *one;
	struct rules b;

	rules_init(&b);
	q = rules_anchor_open(&b, POL_DIR_ANY);			/* 0 */
	q->quick = true;
	one = rules_add(&b, POL_BLOCK, POL_DIR_IN);		/* 1 */
	inner = rules_anchor_open(&b, POL_DIR_ANY);		/* 2 */
	rules_add(&b, POL_PASS, POL_DIR_IN);			/* 3 */
	rules_anchor_close(&b);
	rules_anchor_close(&b);
	rules_add(&b, POL_BLOCK, POL_DIR_ANY);			/* 4 */
	assert_int_equal(walk(&b, &p, NULL, NULL), 4);		/* decided by 3, which is in the inner one */
	inner->proto = IPPROTO_TCP;
	assert_int_equal(walk(&b, &p, NULL, NULL), 1);
	one->dir = POL_DIR_OUT;
	assert_int_equal(walk(&b, &p, NULL, NULL), 4);
	one->dir = POL_DIR_ANY;
	q->quick = false;
	assert_int_equal(walk(&b, &p, NULL, NULL), 4);
	inner->proto = 0;
	inner->quick = true;
	assert_int_equal(walk(&b, &p, NULL, NULL), 4);
	b.rs.rules[3]->quick = true;
	assert_int_equal(walk(&b, &p, NULL, NULL), 3);
	rules_free(&b);
}

static void
test_match_and_tags(void **state)
{
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_TCP, "10.10.2.100", 5000, "10.10.1.100", 80);
	struct pol_rule *r;
	struct pol_match m;
	struct rules b;

	rules_init(&b);
	r = rules_add(&b, POL_MATCH, POL_DIR_ANY);	/* 0 */
	r->rf = POL_RF_RANDOMID | POL_RF_SET_TOS;
	r->set_tos = 8;
	r->max_mss = 1400;
	r->tag = 1;
	r = rules_add(&b, POL_PASS, POL_DIR_ANY);	/* 1: does not decide, but tags */
	r->match_tag = 1;
	r->tag = 2;
	r = rules_add(&b, POL_MATCH, POL_DIR_ANY);	/* 2 */
	r->rf = POL_RF_SET_TOS | POL_RF_SET_PRIO | POL_RF_NO_SYNC;
	r->set_tos = 16;
	r->set_prio[0] = 5;
	r->set_prio[1] = 6;
	r->min_ttl = 60;
	r->log = POL_LOG_MATCHES;
	r = rules_add(&b, POL_MATCH, POL_DIR_OUT);	/* 3: not ours */
	r->max_mss = 1;
	r = rules_add(&b, POL_BLOCK, POL_DIR_ANY);	/* 4 */
	r->match_tag = 1;
	r = rules_add(&b, POL_BLOCK, POL_DIR_ANY);	/* 5 */
	r->match_tag = 2;
	r->match_tagneg = true;
	r = rules_add(&b, POL_PASS, POL_DIR_ANY);	/* 6 */
	r->match_tag = 2;
	r->max_mss = 1300;
	r->log = POL_LOG;
	r->quick = true;
	r = rules_add(&b, POL_MATCH, POL_DIR_ANY);	/* behind quick */
	r->min_ttl = 1;
	assert_int_equal(walk(&b, &p, &m, NULL), 6);
	assert_int_equal(m.tag, 2);
	assert_int_equal(m.rf, POL_RF_RANDOMID | POL_RF_SET_TOS | POL_RF_SET_PRIO);
	assert_int_equal(m.set_tos, 16);
	assert_int_equal(m.set_prio[0] << 8 | m.set_prio[1], 5 << 8 | 6);
	assert_int_equal(m.min_ttl, 60);
	assert_int_equal(m.max_mss, 1300);
	assert_int_equal(m.log, POL_LOG | POL_LOG_MATCHES);
	assert_int_equal(m.n_matched, 2);
	assert_ptr_equal(m.matched[0], b.rs.rules[0]);
	assert_ptr_equal(m.matched[1], b.rs.rules[2]);
	/* The tag that the packet came with. */
	b.rs.rules[0]->tag = 0;
	p.tag = 1;
	assert_int_equal(walk(&b, &p, &m, NULL), 6);
	p.tag = 7;
	assert_int_equal(walk(&b, &p, &m, NULL), 5);
	assert_int_equal(m.tag, 7);
	rules_free(&b);
}

/* One rule `block` with one predicate against one packet. */
static bool
hits(const struct rules *b, const struct pol_pkt *p)
{
	return walk(b, p, NULL, NULL) == 0;
}

static void
test_layer4(void **state)
{
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_TCP, "10.10.2.100", 5000, "10.10.1.100", 80);
	struct pol_rule *r;
	struct rules b;

	rules_init(&b);
	r = rules_add(&b, POL_BLOCK, POL_DIR_ANY);
	r->tcp_flags = 0x02;
	r->tcp_flagset = 0x12;
	p.tcp_flags = 0x02;
	assert_true(hits(&b, &p));
	p.tcp_flags = 0x0a;
	assert_true(hits(&b, &p));
	p.tcp_flags = 0x12;
	assert_false(hits(&b, &p));
	p.fragment = 1;
	p.tcp_flags = 0x02;
	assert_false(hits(&b, &p));
	p.proto = IPPROTO_UDP;	/* flags are of TCP alone */
	assert_true(hits(&b, &p));
	r->rf = POL_RF_FRAGMENT;
	assert_true(hits(&b, &p));
	p.fragment = 0;
	assert_false(hits(&b, &p));
	r->rf = 0;
	r->proto = IPPROTO_UDP;
	static const struct { enum pol_op op; uint16_t lo, hi; const char *in; } ops[] = {
		/* ports 9..14: '1' matches */
		{ POL_OP_EQ, 10, 0, "010000" }, { POL_OP_NE, 10, 0, "101111" }, { POL_OP_LT, 10, 0, "100000" },
		{ POL_OP_LE, 10, 0, "110000" }, { POL_OP_GT, 10, 0, "001111" }, { POL_OP_GE, 10, 0, "011111" },
		{ POL_OP_RRG, 10, 13, "011110" }, { POL_OP_IRG, 10, 13, "001100" }, { POL_OP_XRG, 10, 13, "100001" },
	};
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		for (uint16_t port = 9; port < 15; port++) {
			r->dst.port = (struct pol_port){ ops[i].op, ops[i].lo, ops[i].hi };
			p.dport_be = htons(port);
			assert_int_equal(hits(&b, &p), ops[i].in[port - 9] == '1');
		}
	p.dport_be = htons(14);
	r->dst.port.op = POL_OP_EQ;
	assert_false(hits(&b, &p));
	r->dst.port.op = POL_OP_NE;
	assert_true(hits(&b, &p));
	p.fragment = 1;
	assert_false(hits(&b, &p));
	p.fragment = 0;
	r->dst.port.op = POL_OP_NONE;
	r->proto = p.proto = IPPROTO_ICMP;
	r->icmp_type = 8;
	p.icmp_type = 8;
	assert_true(hits(&b, &p));
	r->icmp_code = 1;
	assert_false(hits(&b, &p));
	p.icmp_code = 1;
	assert_true(hits(&b, &p));
	p.fragment = 1;
	assert_false(hits(&b, &p));
	/* Keep state and answers. */
	p.fragment = 0;
	r->icmp_type = r->icmp_code = -1;
	r->keep_state = POL_STATE_KEEP;
	p.icmp_type = 0;
	p.icmp_reply = 1;
	assert_false(hits(&b, &p));
	r->rf = POL_RF_SLOPPY;
	assert_true(hits(&b, &p));
	r->rf = 0;
	p.icmp_reply = 0;
	p.icmp_error = 1;
	assert_true(hits(&b, &p));
	rules_free(&b);
}

static void
test_predicates(void **state)
{
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_TCP, "10.10.2.100", 5000, "10.10.1.1", 80);
	struct pol_pkt p6 = rules_pkt(POL_DIR_IN, IPPROTO_TCP, "fd00:2::100", 5000, "fd00:1::1", 80);
	struct pol_table *t = pol_table_create("t", 0);
	struct pol_table_entry e;
	struct pol_rule *r;
	struct rules b;

	rules_init(&b);
	r = rules_add(&b, POL_BLOCK, POL_DIR_ANY);
	/* Interfaces and groups. */
	p.ifid = EXT1;
	strcpy(r->ifname, "ext0");
	assert_false(hits(&b, &p));
	r->ifneg = true;
	assert_true(hits(&b, &p));
	r->ifneg = false;
	strcpy(r->ifname, "ext");
	assert_true(hits(&b, &p));
	p.ifid = INT0;
	assert_false(hits(&b, &p));
	p.ifid = 77;
	assert_false(hits(&b, &p));
	strcpy(r->ifname, "any");
	assert_true(hits(&b, &p));
	r->ifname[0] = '\0';
	strcpy(r->rcvif, "int0");
	assert_false(hits(&b, &p));
	p.rcvif = INT0;
	assert_true(hits(&b, &p));
	r->rcvifneg = true;
	assert_false(hits(&b, &p));
	p.rcvif = 0xffff;
	assert_true(hits(&b, &p));
	r->rcvif[0] = '\0';
	/* Addresses. */
	rules_prefix(r, &r->src, "10.10.2.96/29");
	assert_true(hits(&b, &p));
	p.src.b[3] = 104;
	assert_false(hits(&b, &p));
	assert_false(hits(&b, &p6));
	r->src.plen = 255;
	memset(r->src.mask.b, 0xff, 4);
	r->src.mask.b[1] = 0;
	r->src.addr.b[3] = 104;
	r->src.addr.b[1] = 0;
	p.src.b[1] = 99;
	assert_true(hits(&b, &p));
	r->src.kind = POL_ADDR_RANGE;
	r->src.addr = p.src;
	r->src.addr2 = p.src;
	assert_true(hits(&b, &p));
	p.src.b[3]++;
	assert_false(hits(&b, &p));
	r->src.addr2.b[2]++;
	assert_true(hits(&b, &p));
	r->src.neg = true;
	assert_false(hits(&b, &p));
	memset(&r->src, 0, sizeof(r->src));
	r->af = 0;
	r->src.neg = true;	/* not any: nothing */
	assert_false(hits(&b, &p));
	r->src.neg = false;
	/* Tables. */
	r->src.kind = POL_ADDR_TABLE;
	assert_false(hits(&b, &p));
	r->src.table = t;
	assert_false(hits(&b, &p6));
	pol_table_entry_parse("fd00:2::/64", &e);
	pol_table_add(t, &e, 1, NULL);
	assert_true(hits(&b, &p6));
	assert_false(hits(&b, &p));
	r->src.neg = true;
	assert_true(hits(&b, &p));
	memset(&r->src, 0, sizeof(r->src));
	/* The routes of the box. */
	r->src.kind = POL_ADDR_URPF_FAILED;
	assert_false(hits(&b, &p));
	urpf = false;
	assert_true(hits(&b, &p));
	r->src.kind = POL_ADDR_NOROUTE;
	assert_false(hits(&b, &p));
	route = false;
	assert_true(hits(&b, &p));
	r->src.neg = true;
	assert_false(hits(&b, &p));
	memset(&r->src, 0, sizeof(r->src));
	/* Addresses of interfaces. */
	static const struct { uint8_t flags, plen; const char *hit, *miss; } dyn[] = {
		{ 0, 128, "10.10.1.1", "10.10.1.2" }, { 0, 32, "10.10.9.1", "10.10.8.1" }, { 0, 128, "fd00:1::1", "fd00:1::2" },
		{ 0, 24, "10.10.9.77", "10.10.8.1" }, { POL_DYNIF_NETWORK, 128, "10.10.1.77", "10.10.2.1" },
		{ POL_DYNIF_NETWORK, 128, "fd00:1::77", "fe80::77" }, { POL_DYNIF_BROADCAST, 128, "10.10.9.255", "10.10.9.1" },
		{ POL_DYNIF_NOALIAS, 128, "10.10.1.1", "10.10.9.1" }, { POL_DYNIF_NOALIAS, 128, "fe80::1", "fd00:1::1" },
		{ POL_DYNIF_NOALIAS | POL_DYNIF_NETWORK, 128, "10.10.1.9", "10.10.9.9" },
		{ POL_DYNIF_NOALIAS | POL_DYNIF_NETWORK, 128, "fd00:1::9", "fe80::1" }, { 0, 0, "1.2.3.4", NULL },
	};
	for (size_t i = 0; i < sizeof(dyn) / sizeof(dyn[0]); i++) {
		r->dst = (struct pol_addr){ .kind = POL_ADDR_DYNIF, .dynif_flags = dyn[i].flags, .plen = dyn[i].plen, .name = "ext0" };
		p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, dyn[i].hit, 1, dyn[i].hit, 1);
		assert_true(hits(&b, &p));
		if (dyn[i].miss == NULL)
			continue;
		p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, dyn[i].miss, 1, dyn[i].miss, 1);
		assert_false(hits(&b, &p));
		r->dst.neg = true;
		assert_true(hits(&b, &p));
	}
	memset(&r->dst, 0, sizeof(r->dst));
	/* The rest. */
	r->match_tos = true;
	p.tos = 4;
	assert_true(hits(&b, &p));	/* `tos 0` is no condition: pf tests tos only when it is set */
	r->tos = 8;
	assert_false(hits(&b, &p));
	p.tos = 8;
	assert_true(hits(&b, &p));
	p.tos = 4;
	r->match_tos = false;
	r->match_prio = true;
	r->prio = 0;
	assert_false(hits(&b, &p));
	r->prio = 3;
	assert_true(hits(&b, &p));
	r->max_pkt_rate = 1;
	assert_true(hits(&b, &p));
	rate = false;
	assert_false(hits(&b, &p));
	rules_free(&b);
	pol_table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_match), cmocka_unit_test(test_evaluations), cmocka_unit_test(test_skip_steps),
		cmocka_unit_test(test_anchors), cmocka_unit_test(test_quick_anchor), cmocka_unit_test(test_match_and_tags),
		cmocka_unit_test(test_layer4), cmocka_unit_test(test_predicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
