/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a rule lookup costs: TSC cycles per packet of pol_match_burst() at bursts of 32 for 1, 100, 1,000 and 10,000 rules,
 * beside the walk that counts evaluations and the plain walk of the same rules in the same run; compile times; table lookups.
 *
 *	policy_bench [EAL options]
 *
 * Rules are `pass in proto tcp|udp from NET to HOST port P` with S/SA and keep state over random nets, as a rule set
 * written by hand or by a tool has them; half of the packets match one of them. Figures are the best of 25 rounds: machines are shared, and
 * what a neighbour takes is not a cost of the code.
 */
#include <netinet/in.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include "policy_rules.h"

#define N_PKTS 4096
#define ROUNDS 25

static uint64_t rnd_state = 88172645463325252ull;

static uint32_t
rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 24);
}

static const char names[2][POL_IFNAMSIZ] = { "ext0", "int0" };
static const struct pol_ifmap ifs = { .names = names, .n = 2 };
static const struct pol_match_env env;
static struct pol_pkt pkts[N_PKTS];

static int
compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
random_prefix(struct pol_rule *r, struct pol_addr *pa, bool v6, unsigned plen4, unsigned plen6)
{
	pa->kind = POL_ADDR_PREFIX;
	r->af = v6 ? POL_AF_INET6 : POL_AF_INET;
	for (unsigned i = 0; i < 16; i++)
		pa->addr.b[i] = v6 || i < 4 ? (uint8_t)rnd() : 0;
	pa->addr.b[0] = v6 ? 0x20 : 10;
	if (v6)
		memset(&pa->addr.b[1], 1, 4);
	pa->plen = (uint8_t)(v6 ? plen6 : plen4);
}

/* n rules, the first a plain block. kind: 0 rules alone, 1 a match rule and a table too. */
static void
make_rules(struct rules *b, unsigned n, bool v6, int kind, struct pol_table *t)
{
	struct pol_rule *r;

	rules_init(b);
	rules_add(b, POL_BLOCK, POL_DIR_ANY);
	if (kind == 1) {
		r = rules_add(b, POL_MATCH, POL_DIR_ANY);
		r->rf = POL_RF_RANDOMID;
		r->max_mss = 1440;
		r = rules_add(b, POL_BLOCK, POL_DIR_IN);
		r->quick = true;
		r->src.kind = POL_ADDR_TABLE;
		r->src.table = t;
	}
	while (b->rs.n_rules < n) {
		r = rules_add(b, rnd() % 8 == 0 ? POL_BLOCK : POL_PASS, POL_DIR_IN);
		strcpy(r->ifname, rnd() & 1 ? "ext0" : "");
		r->proto = rnd() & 1 ? IPPROTO_TCP : IPPROTO_UDP;
		random_prefix(r, &r->src, v6, 16 + rnd() % 9, 48 + rnd() % 17);
		if (rnd() & 1)
			memset(&r->src, 0, sizeof(r->src));
		random_prefix(r, &r->dst, v6, rnd() % 4 ? 32 : 24, rnd() % 4 ? 128 : 64);
		r->dst.port = (struct pol_port){ rnd() % 4 ? POL_OP_EQ : POL_OP_RRG, (uint16_t)(rnd() % 4096), 9999 };
		r->tcp_flags = 0x02;
		r->tcp_flagset = 0x12;
		r->keep_state = POL_STATE_KEEP;
		r->quick = rnd() % 8 == 0;
	}
}

static void
make_packets(const struct rules *b, bool v6)
{
	for (unsigned i = 0; i < N_PKTS; i++) {
		struct pol_pkt *p = &pkts[i];
		const struct pol_rule *r = b->rs.rules[rnd() % b->rs.n_rules];

		*p = rules_pkt(POL_DIR_IN, rnd() & 1 ? IPPROTO_TCP : IPPROTO_UDP, "10.0.0.0", (uint16_t)rnd(), "10.0.0.0",
			(uint16_t)(rnd() % 4096));
		p->af = v6 ? POL_AF_INET6 : POL_AF_INET;
		p->tcp_flags = 0x02;
		for (unsigned k = 1; k < (v6 ? 16 : 4); k++) {
			p->src.b[k] = v6 && k < 5 ? 1 : (uint8_t)rnd();
			p->dst.b[k] = v6 && k < 5 ? 1 : (uint8_t)rnd();
		}
		p->src.b[0] = p->dst.b[0] = v6 ? 0x20 : 10;
		if (rnd() & 1 && r->dst.kind == POL_ADDR_PREFIX) {
			p->proto = r->proto;
			p->dst = r->dst.addr;
			p->dport_be = htons(r->dst.port.lo);
			if (r->src.kind == POL_ADDR_PREFIX)
				p->src = r->src.addr;
		}
	}
}

static double
heap_mib(void)
{
	struct rte_malloc_socket_stats st;

	return rte_malloc_get_socket_stats(0, &st) == 0 ? (double)st.heap_allocsz_bytes / (1 << 20) : 0;
}

static double
burst_cycles(const struct pol_compiled *c, uint64_t *decided)
{
	double v[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t from = rte_rdtsc();

		*decided = 0;
		for (unsigned i = 0; i < N_PKTS; i += POL_BURST) {
			const struct pol_pkt *ptrs[POL_BURST];
			struct pol_match m[POL_BURST];

			for (unsigned k = 0; k < POL_BURST; k++)
				ptrs[k] = &pkts[i + k];
			pol_match_burst(c, &env, ptrs, POL_BURST, m);
			for (unsigned k = 0; k < POL_BURST; k++)
				*decided += m[k].rule->pos;
		}
		v[round] = (double)(rte_rdtsc() - from) / N_PKTS;
	}
	qsort(v, ROUNDS, sizeof(v[0]), compare_double);
	return v[0];
}

static double
walk_cycles(const struct rules *b, const struct pol_compiled *c, uint64_t *evals, uint64_t *decided)
{
	double best = 0;

	for (int round = 0; round < 3; round++) {
		uint64_t from = rte_rdtsc();

		*decided = 0;
		for (unsigned i = 0; i < N_PKTS; i++) {
			struct pol_match m;

			if (c != NULL)
				pol_match_counted(c, &env, &pkts[i], &m, evals);
			else
				pol_match_walk(&b->rs, &ifs, &env, &pkts[i], &m, evals);
			*decided += m.rule->pos;
		}
		double v = (double)(rte_rdtsc() - from) / N_PKTS;

		best = round == 0 || v < best ? v : best;
	}
	return best;
}

static int
bench_rules(unsigned n, bool v6, int kind, struct pol_table *t)
{
	struct pol_errors errs = { 0 };
	struct pol_compiled *c;
	struct rules b;
	uint64_t from, got, want, *evals = calloc(n + 2, sizeof(*evals));
	double ms, burst, counted, walk, mib;

	make_rules(&b, n, v6, kind, t);
	make_packets(&b, v6);
	mib = heap_mib();
	from = rte_rdtsc();
	c = pol_compile(&b.rs, &ifs, 0, &errs);
	ms = (double)(rte_rdtsc() - from) * 1e3 / (double)rte_get_tsc_hz();
	mib = heap_mib() - mib;
	if (c == NULL || errs.n != 0) {
		fprintf(stderr, "policy_bench: %s\n", errs.n > 0 ? errs.v[0].text : "cannot compile");
		return 1;
	}
	burst = burst_cycles(c, &got);
	counted = walk_cycles(&b, c, evals, &want);
	if (want == got)
		walk = walk_cycles(&b, NULL, evals, &want);
	else
		walk = 0;
	free(evals);
	printf("%-5s %-14s %6u %10.1f %8.1f %10.1f %10.0f %10.0f%s\n", v6 ? "IPv6" : "IPv4", kind == 0 ? "static" : "match, table", b.rs.n_rules,
		ms, mib, burst, counted, walk, got != want ? "  DIFFERS" : "");
	pol_compiled_free(c);
	rules_free(&b);
	return got != want;
}

static void
bench_table(unsigned n)
{
	struct pol_table *t = pol_table_create("bench", 0);
	struct pol_table_entry *e = calloc(n, sizeof(*e)), one = { .af = POL_AF_INET, .plen = 32 };
	uint64_t from, hits = 0;
	double fill, add, look;

	for (unsigned i = 0; i < n; i++) {
		uint32_t a = rnd() ^ rnd() << 12;

		e[i].af = POL_AF_INET;
		e[i].plen = (uint8_t)(rnd() % 8 ? 32 : 24);
		memcpy(&e[i].addr, &a, 4);
	}
	from = rte_rdtsc();
	pol_table_add(t, e, n, NULL);
	fill = (double)(rte_rdtsc() - from) / n;
	from = rte_rdtsc();
	for (unsigned i = 0; i < 10000; i++) {
		one.addr.w[0] = rnd() ^ rnd() << 12;
		pol_table_add(t, &one, 1, NULL);
	}
	add = (double)(rte_rdtsc() - from) / 10000;
	from = rte_rdtsc();
	for (unsigned i = 0; i < 1000000; i++) {
		uint32_t r = rnd();
		union pol_ip a = { .w = { r & 1 ? e[r % n].addr.w[0] : r } };

		hits += pol_table_contains(t, POL_AF_INET, &a);
	}
	look = (double)(rte_rdtsc() - from) / 1000000;
	printf("table %8u entries: %8.0f to fill, %8.0f to add one, %6.0f to look up (%u %% hits)\n", pol_table_count(t), fill, add,
		look, (unsigned)(hits / 10000));
	free(e);
	pol_table_free(t);
}

int
main(int argc, char **argv)
{
	static const unsigned sizes[] = { 1, 100, 1000, 10000 };
	char *args[] = { argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-l", "0", "-m", "2048" };
	struct pol_table *t = pol_table_create("t", 0);
	int failed = 0;

	if ((argc > 1 ? rte_eal_init(argc, argv) : rte_eal_init(sizeof(args) / sizeof(args[0]), args)) < 0)
		return 77;
	for (unsigned i = 0; i < 1000; i++) {
		struct pol_table_entry e = { .af = POL_AF_INET, .plen = 32, .addr.w[0] = rnd() };

		e.addr.b[0] = 11;
		pol_table_add(t, &e, 1, NULL);
	}
	printf("TSC %.2f GHz\n%-5s %-14s %6s %10s %8s %10s %10s %10s\n", (double)rte_get_tsc_hz() / 1e9,
		"", "rules", "number", "compile ms", "MiB", "cycles/pkt", "counted", "walk");
	for (int kind = 0; kind < 2; kind++)
		for (int v6 = 0; v6 < 2; v6++)
			for (unsigned i = 0; i < 4; i++)
				failed |= bench_rules(sizes[i], v6, kind, t);
	bench_table(1000);
	bench_table(100000);
	bench_table(1000000);
	pol_table_free(t);
	rte_eal_cleanup();
	return failed;
}
