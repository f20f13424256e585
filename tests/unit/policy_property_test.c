/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random rules and random packets near their edges: the compiled rule set answers as the walk does, in the deciding rule,
 * the folded options, the tag and the match rules.
 *
 * POLICY_SEED=n POLICY_ROUNDS=1 repeats what a failure printed.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include "policy_rules.h"

#define N_TABLES 3
#define N_TEXT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t rnd_state;
static struct pol_table *tables[N_TABLES];

static uint32_t
rnd(uint32_t n)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 24) % n;
}

static const char names[7][POL_IFNAMSIZ] = { "ext0", "int0", "", "ext1", "vlan7", "ext10", "int1" };
static const char *const rule_ifs[] = { "ext0", "ext", "int0", "int", "any", "vlan7", "none3" };
static const char *const v4[] = { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "10.1.2.3", "10.1.2.4",
	"0.0.0.0/0", "255.255.255.255", "192.168.0.0/16", "10.1.2.2/31" };
static const char *const v6[] = { "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:2::3", "::/0",
	"fe80::/10", "2001:db8:1:2::4/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };

static int
if_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	static const struct { const char *name, *addr; uint8_t plen; } have[] = {
		{ "ext0", "10.1.2.3", 24 }, { "ext0", "10.9.9.9", 30 }, { "ext0", "fe80::1", 64 }, { "ext0", "2001:db8:1:2::3", 64 },
		{ "int0", "192.168.1.1", 24 },
	};
	int n = 0;

	for (size_t i = 0; i < N_TEXT(have); i++) {
		struct pol_table_entry e;

		if (strcmp(have[i].name, name) != 0)
			continue;
		if (n < max) {
			pol_table_entry_parse(have[i].addr, &e);
			out[n] = (struct pol_ifaddr){ .af = e.af, .plen = have[i].plen, .addr = e.addr };
			if (e.af == POL_AF_INET) {
				out[n].broadcast = e.addr;
				out[n].broadcast.b[3] = 255;
			}
		}
		n++;
	}
	return n > 0 ? n : -1;
}

static const struct pol_ifmap ifs = { .names = names, .n = 7, .if_addrs = if_addrs };

/* The box's answers are functions of the question, so that asking more or less often does not matter; rates are counted. */
static uint64_t rate_asked;
static uint32_t dice;
static bool crowded;	/* more different questions than a key has bits for */

static bool
env_urpf(void *arg, const struct pol_pkt *p)
{
	return (p->src.b[3] ^ p->ifid) & 1;
}

static bool
env_route(void *arg, uint8_t af, const union pol_ip *a)
{
	return (a->b[af == POL_AF_INET ? 2 : 7] & 1) == 0;
}

static uint32_t
env_random(void *arg)
{
	return dice;
}

static bool
env_rate(void *arg, const struct pol_rule *r)
{
	rate_asked += 1 + r->pos * 1000003ull;
	return (r->pos & 3) != 0;
}

static const struct pol_match_env env = { env_urpf, env_route, env_random, env_rate, NULL };

static uint16_t
random_port(void)
{
	static const uint16_t ports[] = { 0, 1, 22, 53, 80, 79, 81, 1024, 65534, 65535 };

	return ports[rnd(N_TEXT(ports))];
}

static void
random_addr(struct pol_rule *r, struct pol_addr *pa, bool is_src)
{
	uint32_t kind = rnd(100);
	uint8_t af = r->af;

	if (kind < 40)
		return;
	pa->neg = rnd(4) == 0;
	if (kind < 75) {
		if (af == 0)
			af = rnd(2) ? POL_AF_INET : POL_AF_INET6;
		bool neg = pa->neg;

		rules_prefix(r, pa, af == POL_AF_INET ? v4[rnd(N_TEXT(v4))] : v6[rnd(N_TEXT(v6))]);
		pa->neg = neg;
		if (rnd(12) == 0) {	/* a mask with a hole */
			pa->plen = 255;
			memset(&pa->mask, 0xff, 16);
			pa->mask.b[1] = 0x0f;
			pa->addr.b[1] &= 0x0f;
		}
	} else if (kind < 83) {
		struct pol_addr a = { 0 };

		rules_prefix(r, pa, af == POL_AF_INET6 ? v6[rnd(N_TEXT(v6))] : v4[rnd(N_TEXT(v4))]);
		rules_prefix(r, &a, r->af == POL_AF_INET6 ? v6[rnd(N_TEXT(v6))] : v4[rnd(N_TEXT(v4))]);
		pa->kind = POL_ADDR_RANGE;
		pa->neg = a.neg;
		pa->addr2 = a.addr;
		pa->addr2.b[3] |= (uint8_t)rnd(16);
	} else if (kind < 91) {
		pa->kind = POL_ADDR_TABLE;
		pa->table = tables[rnd(N_TABLES)];
	} else if (kind < 95) {
		pa->kind = POL_ADDR_DYNIF;
		strcpy(pa->name, rnd(3) ? "ext0" : rnd(2) ? "int0" : "none3");
		pa->dynif_flags = (uint8_t)(rnd(2) ? 0 : rnd(2) ? POL_DYNIF_NETWORK : rnd(2) ? POL_DYNIF_BROADCAST : POL_DYNIF_PEER);
		if (rnd(3) == 0)
			pa->dynif_flags |= POL_DYNIF_NOALIAS;
		pa->plen = (uint8_t)(rnd(4) ? 128 : rnd(2) ? 30 : 0);
	} else if (kind < 97) {
		pa->kind = POL_ADDR_NOROUTE;
	} else if (is_src) {
		pa->kind = POL_ADDR_URPF_FAILED;
	}
}

static void
random_port_op(struct pol_port *op)
{
	op->op = (enum pol_op)(1 + rnd(POL_OP_RRG));
	op->lo = random_port();
	op->hi = random_port();
}

/* `odd`: how often (of 100) the predicates that make a rule special come. */
static void
random_predicates(struct pol_rule *r, unsigned odd)
{
	static const uint8_t protos[] = { 0, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 47 };
	static const uint8_t flags[][2] = { { 2, 0x12 }, { 2, 0x17 }, { 0x10, 0x10 }, { 0, 2 }, { 0, 0 } };

	if (rnd(3) == 0) {
		strcpy(r->ifname, rule_ifs[rnd(N_TEXT(rule_ifs))]);
		r->ifneg = rnd(4) == 0;
	}
	r->af = rnd(2) ? 0 : rnd(2) ? POL_AF_INET : POL_AF_INET6;
	r->proto = protos[rnd(N_TEXT(protos))];
	random_addr(r, &r->src, true);
	random_addr(r, &r->dst, false);
	if (r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP || rnd(20) == 0) {
		if (rnd(3) == 0)
			random_port_op(&r->src.port);
		if (rnd(2) == 0)
			random_port_op(&r->dst.port);
	}
	if (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6 || rnd(30) == 0) {
		if (rnd(2))
			r->icmp_type = (int16_t)(rnd(2) ? 8 : rnd(4));
		if (rnd(3) == 0)
			r->icmp_code = (int16_t)rnd(3);
	}
	if (rnd(2)) {
		uint32_t i = rnd(N_TEXT(flags));

		r->tcp_flags = flags[i][0];
		r->tcp_flagset = flags[i][1];
	}
	if (crowded && rnd(2)) {
		r->tcp_flagset = (uint8_t)rnd(32);
		r->tcp_flags = (uint8_t)(r->tcp_flagset & rnd(32));
	}
	if (rnd(100) < odd / 2 || (crowded && rnd(3) == 0)) {
		r->match_tos = true;
		r->tos = (uint8_t)(rnd(crowded ? 12 : 2) * 16);
	}
	if (rnd(100) < odd / 2) {
		r->match_prio = true;
		r->prio = (uint8_t)rnd(3);
	}
	if (rnd(100) < odd / 2) {
		strcpy(r->rcvif, rule_ifs[rnd(N_TEXT(rule_ifs))]);
		r->rcvifneg = rnd(3) == 0;
	}
	if (rnd(100) < odd / 3)
		r->probability = rnd(2) ? 0x80000000u : UINT32_MAX;
	if (rnd(100) < odd) {
		r->match_tag = (uint16_t)(1 + rnd(3));
		r->match_tagneg = rnd(3) == 0;
	}
	if (rnd(100) < odd / 3)
		r->max_pkt_rate = 10;
	if (rnd(100) < odd / 4)
		r->rf |= POL_RF_FRAGMENT;
}

static void
random_rule(struct rules *b, unsigned odd, bool tag, bool match_quick)
{
	static const uint32_t rf[] = { POL_RF_NODF, POL_RF_RANDOMID, POL_RF_REASS_TCP, POL_RF_SET_TOS, POL_RF_SET_PRIO };
	uint32_t kind = rnd(100);
	struct pol_rule *r = rules_add(b, kind < odd ? POL_MATCH : kind & 1 ? POL_PASS : POL_BLOCK, (enum pol_dir)rnd(3));

	random_predicates(r, odd);
	r->quick = rnd(5) == 0 && (r->action != POL_MATCH || match_quick);
	if (tag && rnd(6) == 0)
		r->tag = (uint16_t)(1 + rnd(3));
	if (r->action != POL_MATCH && rnd(2))
		r->keep_state = POL_STATE_KEEP;
	if (rnd(4) == 0)
		r->rf |= rnd(2) ? POL_RF_SLOPPY : rf[rnd(5)];
	if (rnd(100) < odd / 3) {
		r->rf |= POL_RF_ONCE;
		r->expired = (uint8_t)rnd(2);
	}
	r->set_tos = (uint8_t)rnd(256);
	r->set_prio[0] = (uint8_t)rnd(8);
	r->min_ttl = (uint8_t)(rnd(4) ? 0 : rnd(255));
	r->max_mss = (uint16_t)(rnd(4) ? 0 : rnd(1500));
	r->log = (uint8_t)(rnd(4) ? 0 : 1u << rnd(4));
}

static void
random_anchor(struct rules *b, unsigned odd, bool tag, bool wild, int depth)
{
	struct pol_rule *r = rules_anchor_open(b, (enum pol_dir)rnd(3));
	uint32_t n = rnd(5);

	random_predicates(r, odd);
	if (rnd(3))
		memset(&r->src, 0, sizeof(r->src));
	if (tag && rnd(4) == 0)
		r->tag = (uint16_t)(1 + rnd(3));
	r->quick = rnd(4) == 0 && (wild || depth == 0);
	for (uint32_t i = 0; i < n; i++)
		if (depth < 3 && rnd(3) == 0 && (wild || !r->quick))
			random_anchor(b, odd, tag, wild, depth + 1);
		else
			random_rule(b, odd, tag, wild);
	rules_anchor_close(b);
}

static void
nudge(union pol_ip *a, unsigned len)
{
	switch (rnd(4)) {
	case 0:
		a->b[len - 1] ^= (uint8_t)rnd(8);
		break;
	case 1:
		a->b[rnd(len)] ^= (uint8_t)(1u << rnd(8));
		break;
	}
}

/* Mostly about one of the rules. */
static struct pol_pkt
random_packet(const struct rules *b)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 47 };
	const struct pol_rule *r = b->rs.n_rules > 0 ? b->rs.rules[rnd(b->rs.n_rules)] : &b->rs.default_rule;
	struct pol_pkt p;
	bool inet6 = r->af == 0 || rnd(10) == 0 ? rnd(2) : r->af == POL_AF_INET6;
	unsigned len = inet6 ? 16 : 4;

	p = rules_pkt(rnd(2) ? POL_DIR_IN : POL_DIR_OUT, r->proto != 0 && rnd(5) ? r->proto : protos[rnd(N_TEXT(protos))],
		"0.0.0.0", random_port(), "0.0.0.0", random_port());
	p.af = inet6 ? POL_AF_INET6 : POL_AF_INET;
	for (int i = 0; i < 2; i++) {
		const struct pol_addr *pa = i ? &r->dst : &r->src;
		union pol_ip *a = i ? &p.dst : &p.src;
		struct pol_table_entry e;

		pol_table_entry_parse(inet6 ? v6[rnd(N_TEXT(v6))] : v4[rnd(N_TEXT(v4))], &e);
		*a = e.addr;
		if ((pa->kind == POL_ADDR_PREFIX || pa->kind == POL_ADDR_RANGE) && r->af == p.af && rnd(4))
			*a = rnd(3) == 0 && pa->kind == POL_ADDR_RANGE ? pa->addr2 : pa->addr;
		nudge(a, len);
		memset(a->b + len, 0, 16 - len);
	}
	if (r->src.port.op != POL_OP_NONE && rnd(4))
		p.sport_be = htons((uint16_t)((rnd(2) ? r->src.port.lo : r->src.port.hi) + rnd(3) - 1));
	if (r->dst.port.op != POL_OP_NONE && rnd(4))
		p.dport_be = htons((uint16_t)((rnd(2) ? r->dst.port.lo : r->dst.port.hi) + rnd(3) - 1));
	p.tcp_flags = (uint8_t)(rnd(2) ? 2 : rnd(256));
	p.icmp_type = (uint8_t)(rnd(2) ? 8 : rnd(4));
	p.icmp_code = (uint8_t)rnd(3);
	p.icmp_reply = rnd(4) == 0;
	p.icmp_error = rnd(4) == 0;
	p.tos = (uint8_t)(rnd(crowded ? 12 : 2) * 16);
	p.prio = (uint8_t)rnd(3);
	p.tag = (uint16_t)(rnd(3) ? 0 : rnd(4));
	p.fragment = rnd(8) == 0;
	p.ifid = (uint16_t)rnd(9);
	p.rcvif = (uint16_t)(rnd(3) ? rnd(9) : 0xffff);
	return p;
}

static void
dump_addr(const char *what, const struct pol_addr *pa)
{
	char a[INET6_ADDRSTRLEN], a2[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &pa->addr, a, sizeof(a));
	inet_ntop(AF_INET6, &pa->addr2, a2, sizeof(a2));
	print_error(" %s %skind %d %s %s/%u %s flags %x port %d %u %u", what, pa->neg ? "!" : "", pa->kind, a, a2, pa->plen, pa->name,
		pa->dynif_flags, pa->port.op, pa->port.lo, pa->port.hi);
}

static void
dump(const struct pol_rule *r)
{
	print_error("%u: action %d dir %d quick %d af %u proto %u if %s%s rcv %s%s flags %x/%x icmp %d %d tos %d %u prio %d %u "
		"prob %u tagged %s%u tag %u keep %d rf %x parent %d", r->pos, r->action, r->dir, r->quick, r->af, r->proto,
		r->ifneg ? "!" : "", r->ifname, r->rcvifneg ? "!" : "", r->rcvif, r->tcp_flags, r->tcp_flagset, r->icmp_type,
		r->icmp_code, r->match_tos, r->tos, r->match_prio, r->prio, r->probability, r->match_tagneg ? "!" : "",
		r->match_tag, r->tag, r->keep_state, r->rf, r->parent != NULL ? (int)r->parent->pos : -1);
	dump_addr("src", &r->src);
	dump_addr("dst", &r->dst);
	print_error("\n");
}

static void
dump_pkt(const struct pol_pkt *p)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(p->af == POL_AF_INET ? AF_INET : AF_INET6, &p->src, src, sizeof(src));
	inet_ntop(p->af == POL_AF_INET ? AF_INET : AF_INET6, &p->dst, dst, sizeof(dst));
	print_error("packet: %s %u > %s %u dir %u proto %u flags %x icmp %u %u reply %u error %u tos %u frag %u if %u rcv %u tag %u "
		"prio %u\n", src, ntohs(p->sport_be), dst, ntohs(p->dport_be), p->dir, p->proto, p->tcp_flags, p->icmp_type,
		p->icmp_code, p->icmp_reply, p->icmp_error, p->tos, p->fragment, p->ifid, p->rcvif, p->tag, p->prio);
}

static void
compare(const struct rules *b, const struct pol_match *got, const struct pol_match *want, uint64_t seed, unsigned pkt,
	const struct pol_pkt *p)
{
	if (memcmp(got, want, sizeof(*got)) == 0)
		return;
	dump_pkt(p);
	for (uint32_t i = 0; i < b->rs.n_rules; i++)
		dump(b->rs.rules[i]);
	fail_msg("POLICY_SEED=%llu: %u rules, packet %u: compiled rule %d, walked rule %d%s", (unsigned long long)seed,
		b->rs.n_rules, pkt, got->rule == &b->rs.default_rule ? -1 : (int)got->rule->pos,
		want->rule == &b->rs.default_rule ? -1 : (int)want->rule->pos,
		got->rule == want->rule ? ", other options" : "");
}

/* The prepared walk of a compiled set: the same answers, rates asked and evaluations. */
static void
counted(const struct rules *b, const struct pol_compiled *c, const struct pol_pkt *pkts, unsigned n, uint64_t seed)
{
	uint64_t *want = calloc(2 * b->rs.n_rules + 2, sizeof(*want)), *got = want + b->rs.n_rules + 1, asked;
	struct pol_match m, m2;

	for (unsigned i = 0; i < n; i++) {
		rate_asked = 0;
		pol_match_walk(&b->rs, &ifs, &env, &pkts[i], &m, want);
		asked = rate_asked;
		rate_asked = 0;
		pol_match_counted(c, &env, &pkts[i], &m2, got);
		compare(b, &m2, &m, seed, i, &pkts[i]);
		for (uint32_t k = 0; k < b->rs.n_rules; k++)
			if (want[k] != got[k] || asked != rate_asked)
				fail_msg("POLICY_SEED=%llu: rule %u is evaluated otherwise in the prepared walk", (unsigned long long)seed, k);
	}
	free(want);
}

static void
one_round(uint64_t seed)
{
	struct rules b;
	struct pol_errors errs = { 0 };
	struct pol_compiled *c;
	unsigned n, odd;
	bool tag, wild, match_quick;

	rnd_state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (int i = 0; i < 20; i++)
		rnd(2);
	n = rnd(8) == 0 ? rnd(120) : rnd(20);
	crowded = rnd(6) == 0;
	if (crowded)
		n = 20 + rnd(150);
	odd = rnd(3) * 10;
	tag = rnd(2);
	wild = rnd(5) == 0;	/* also anchors that have no priority order and are walked */
	match_quick = rnd(4) == 0;
	dice = rnd(3) * 0x55555555u;
	rules_init(&b);
	while (b.rs.n_rules < n)
		if (rnd(8) == 0)
			random_anchor(&b, odd, tag, wild, 0);
		else
			random_rule(&b, odd, tag, match_quick);
	c = pol_compile(&b.rs, &ifs, 0, &errs);
	assert_non_null(c);
	if (errs.n != 0)
		fail_msg("POLICY_SEED=%llu: %s", (unsigned long long)seed, errs.v[0].text);
	assert_ptr_equal(pol_compiled_ruleset(c), &b.rs);
	for (unsigned k = 0; k < 6; k++) {
		struct pol_pkt pkts[POL_BURST];
		const struct pol_pkt *ptrs[POL_BURST];
		struct pol_match got[POL_BURST], want;
		unsigned burst = rnd(POL_BURST + 1);
		uint64_t walked;

		for (unsigned i = 0; i < burst; i++) {
			pkts[i] = random_packet(&b);
			ptrs[i] = &pkts[i];
		}
		rate_asked = 0;
		pol_match_burst(c, &env, ptrs, burst, got);
		walked = rate_asked;
		rate_asked = 0;
		for (unsigned i = 0; i < burst; i++) {
			pol_match_walk(&b.rs, &ifs, &env, &pkts[i], &want, NULL);
			compare(&b, &got[i], &want, seed, k * POL_BURST + i, &pkts[i]);
		}
		if (walked != rate_asked)
			fail_msg("POLICY_SEED=%llu: packet rates asked otherwise", (unsigned long long)seed);
		counted(&b, c, pkts, burst, seed);
	}
	pol_compiled_free(c);
	rules_free(&b);
}

static void
test_property(void **state)
{
	const char *s = getenv("POLICY_SEED"), *r = getenv("POLICY_ROUNDS");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : (uint64_t)time(NULL) * 100000;
	unsigned rounds = r != NULL ? (unsigned)atoi(r) : 1000;

	for (unsigned i = 0; i < rounds; i++)
		one_round(seed + i);
}

/* DPDK has no memory left: a warning, and the answers of the walk. */
static void
test_no_memory(void **state)
{
	static void *hoard[100000];
	struct pol_errors errs = { 0 };
	struct pol_compiled *c;
	struct pol_pkt p = rules_pkt(POL_DIR_IN, IPPROTO_UDP, "10.1.2.3", 1, "10.1.2.4", 700);
	const struct pol_pkt *ptr = &p;
	struct pol_match m;
	struct rules b;
	size_t size = 64 << 20;
	unsigned n = 0;

	rules_init(&b);
	for (uint16_t i = 0; i < 1000; i++) {
		struct pol_rule *r = rules_add(&b, POL_BLOCK, POL_DIR_ANY);

		r->proto = IPPROTO_UDP;
		r->dst.port = (struct pol_port){ POL_OP_EQ, i, 0 };
	}
	while (size >= 4096 && n < 100000) {
		hoard[n] = rte_malloc(NULL, size, 0);
		if (hoard[n] == NULL)
			size /= 2;
		else
			n++;
	}
	c = pol_compile(&b.rs, &ifs, 0, &errs);
	while (n > 0)
		rte_free(hoard[--n]);
	assert_non_null(c);
	assert_int_equal(errs.n, 1);
	assert_non_null(strstr(errs.v[0].text, "warning: 1000 rules"));
	assert_string_equal(errs.v[0].file, "rules");
	pol_match_burst(c, &env, &ptr, 1, &m);
	assert_ptr_equal(m.rule, b.rs.rules[700]);
	pol_compiled_free(c);
	free(errs.v[0].text);
	free(errs.v[0].file);
	free(errs.v);
	/* And with memory again, without interfaces. */
	memset(&errs, 0, sizeof(errs));
	c = pol_compile(&b.rs, NULL, 0, &errs);
	assert_int_equal(errs.n, 0);
	pol_match_burst(c, NULL, &ptr, 1, &m);
	assert_ptr_equal(m.rule, b.rs.rules[700]);
	pol_match_burst(c, NULL, &ptr, 0, &m);
	pol_compiled_free(c);
	rules_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_property), cmocka_unit_test(test_no_memory) };
	static const char *const content[N_TABLES][6] = {
		{ "10.0.0.0/8", "!10.1.0.0/16", "10.1.2.0/24", "2001:db8::/32", "!2001:db8:1:2::3", NULL },
		{ "!0.0.0.0/0", "10.1.2.3", "::/0", NULL }, { NULL },
	};
	char *args[] = { "policy_property_test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-l", "0", "-m", "512" };

	if (rte_eal_init(N_TEXT(args), args) < 0)
		return 77;
	for (unsigned i = 0; i < N_TABLES; i++) {
		tables[i] = pol_table_create("t", 0);
		for (unsigned j = 0; content[i][j] != NULL; j++) {
			struct pol_table_entry e;

			pol_table_entry_parse(content[i][j], &e);
			pol_table_add(tables[i], &e, 1, NULL);
		}
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	for (unsigned i = 0; i < N_TABLES; i++)
		pol_table_free(tables[i]);
	rte_eal_cleanup();
	return failed;
}
