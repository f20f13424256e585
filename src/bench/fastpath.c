/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenario `fastpath`: cycles per packet of the firewall, by table size.
 *
 * One core, one box, two net_null ports. The loop makes bursts of 32 frames of 64 bytes for flows drawn at random (both
 * directions) in buffers that stay in the cache, and hands them to one of
 *	forward		rewrite the Ethernet addresses, transmit: what a port-to-port forwarder does (testpmd 5tswap, macswap)
 *	firewall	fp_burst(): parse, state lookup, full window check, counters of both states, route, neighbour, TTL
 *			and checksum, Ethernet, transmit
 * in turns. The difference is what the firewall costs. Rules: 100; every packet of the measured loop has its state.
 *
 * Scenario also measures new states: SYNs of new flows, each asking the rules twice and making two pf states.
 */
#include <rte_cycles.h>

#include "rig.h"

#define REPEATS 9

static int
run_size(const struct bench_opt *opt, bool v6, uint64_t flows)
{
	const struct bench_rig_conf conf = { .scenario = "fastpath", .v6 = v6, .flows = flows, .max_states = flows * 2 + 1024 };
	char params[64];
	struct bench_rig *r = bench_rig_make(opt, &conf);
	double a[REPEATS], b[REPEATS], sa, sb, fwd, fw;
	uint64_t packets = opt->quick ? 200000 : 2000000, syn = 0, fast, hz = rte_get_tsc_hz();
	struct fp_stats st;
	int rc = 1;

	if (r == NULL)
		return 1;
	bench_establish(r, 0, flows, &syn);
	fp_stats_get(r->box, &st);
	if (st.states != flows * 2) {
		fprintf(stderr, "twinpath-bench: fastpath: %u states instead of %lu\n", st.states, (unsigned long)flows * 2);
		for (unsigned i = 0; i < FP_D_MAX; i++)
			if (st.drops[i] != 0)
				fprintf(stderr, "  %s %lu\n", fp_drop_names[i], (unsigned long)st.drops[i]);
		goto out;
	}
	bench_forward(r, true, packets / 4, 0);
	fast = st.totals[FP_T_FORWARDED_FAST];
	for (int i = 0; i < REPEATS; i++) {
		a[i] = bench_forward(r, false, packets, 0);
		b[i] = bench_forward(r, true, packets, 0);
	}
	fp_stats_get(r->box, &st);
	fast = st.totals[FP_T_FORWARDED_FAST] - fast;
	fwd = bench_median(a, REPEATS, &sa);
	fw = bench_median(b, REPEATS, &sb);
	printf("  %s %9lu flows: forward %5.1f  firewall %6.1f  cost %6.1f +- %.1f cycles/packet, %5.2f Mpps; %5.1f %% on the short path; "
		"new: %.2f M connections/s (%.2f M states/s, %.0f cycles)\n", v6 ? "v6" : "v4", (unsigned long)flows, fwd, fw, fw - fwd,
		sa + sb, hz / fw / 1e6, 100.0 * fast / ((double)packets * (REPEATS + 0.25)),
		hz / ((double)syn / flows) / 1e6, 2 * hz / ((double)syn / flows) / 1e6, (double)syn / flows);
	snprintf(params, sizeof(params), "\"af\":\"%s\",\"flows\":%lu", v6 ? "inet6" : "inet", (unsigned long)flows);
	bench_json(opt, "fastpath", "forward", params, fwd, sa, "cycles/packet");
	bench_json(opt, "fastpath", "firewall", params, fw, sb, "cycles/packet");
	bench_json(opt, "fastpath", "cost", params, fw - fwd, sa + sb, "cycles/packet");
	bench_json(opt, "fastpath", "new_state", params, 2 * hz / ((double)syn / flows), 0, "states/s");
	/* a benchmark that took the long way measured something else */
	if (100.0 * fast / ((double)packets * (REPEATS + 0.25)) < 99)
		fprintf(stderr, "twinpath-bench: fastpath: packets left the short path: this is no measurement of it\n");
	else
		rc = 0;
out:
	bench_rig_free(r);
	return rc;
}

static int
run(const struct bench_opt *opt)
{
	static const uint64_t sizes[] = { 1000, 64000, 1000000, 10000000 };
	int rc = 0;

	printf("fastpath: 64-byte frames, bursts of 32, 100 rules, one core, established TCP, flows at random, both directions\n");
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		for (int v6 = 0; v6 < 2; v6++)
			if (sizes[i] <= opt->max_flows && !(opt->quick && sizes[i] > 64000))
				rc |= run_size(opt, v6, sizes[i]);
	return rc;
}

const struct bench_scenario bench_fastpath = { "fastpath",
	"cycles per packet, established v4 and v6 flows, 1 K to 10 M; new states per second", run };
