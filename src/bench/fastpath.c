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
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "fastpath/box.h"
#include "fastpath/burst.h"
#include "fastpath/parse.h"
#include "fastpath/worker.h"

#define BUFS (FP_BURST * 8)	/* frames in flight: a cache-sized set, as a receive ring has */
#define REPEATS 9

struct rig {
	struct fp_box *box;
	struct fp_worker *w;
	uint16_t port[2];
	struct rte_mempool *pool;
	struct rte_mbuf *m[BUFS];
	uint8_t mac[2][6];
	uint64_t rnd;
	bool v6;
	uint64_t flows;
};

static int
fail(const char *what, const struct fp_err *err)
{
	fprintf(stderr, "twinpath-bench: fastpath: %s: %s\n", what, err->text);
	return 1;
}

/* Flow i: 10.a.b.c:port -> 192.0.2.x:443, or the same idea in v6; dir 1 is the answer. */
static inline void
frame(struct rig *r, struct rte_mbuf *m, uint64_t i, int dir, uint8_t flags)
{
	uint8_t *e = rte_pktmbuf_mtod(m, uint8_t *), *ip = e + 14, *th;
	uint32_t client = 0x0a000002u + (uint32_t)(i & 0xffff) * 4, server = 0xc6330101u + (uint32_t)(i >> 32);
	uint16_t cport = 1024 + (uint16_t)(i >> 16), sport = 443;
	uint32_t seq = dir ? 2000000 : 1000000, ack = dir ? 1000001 : 2000001;

	memcpy(e, r->mac[dir], 6);
	memset(e + 6, 2, 6);
	if (r->v6) {
		e[12] = 0x86, e[13] = 0xdd;
		memset(ip, 0, 40);
		ip[0] = 0x60;
		ip[5] = 20;
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		ip[8] = ip[24] = 0x20;
		ip[9] = ip[25] = 0x01;
		ip[10] = dir ? 2 : 1;
		ip[26] = dir ? 1 : 2;
		*(unaligned_uint32_t *)(ip + (dir ? 36 : 20)) = rte_cpu_to_be_32(client);
		*(unaligned_uint32_t *)(ip + (dir ? 20 : 36)) = rte_cpu_to_be_32(server);
		th = ip + 40;
	} else {
		e[12] = 0x08, e[13] = 0x00;
		memset(ip, 0, 20);
		ip[0] = 0x45;
		ip[3] = 40;
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		*(unaligned_uint32_t *)(ip + (dir ? 16 : 12)) = rte_cpu_to_be_32(client);
		*(unaligned_uint32_t *)(ip + (dir ? 12 : 16)) = rte_cpu_to_be_32(server);
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;	/* as a NIC says; forward does not look at it either */
		th = ip + 20;
	}
	*(unaligned_uint16_t *)th = rte_cpu_to_be_16(dir ? sport : cport);
	*(unaligned_uint16_t *)(th + 2) = rte_cpu_to_be_16(dir ? cport : sport);
	if (flags & 0x02)
		seq--;
	*(unaligned_uint32_t *)(th + 4) = rte_cpu_to_be_32(dir && !(flags & 0x02) ? seq + 0 : seq);
	*(unaligned_uint32_t *)(th + 8) = rte_cpu_to_be_32(flags & 0x10 ? ack : 0);
	th[12] = 0x50;
	th[13] = flags;
	th[14] = 0x40, th[15] = 0;
	memset(th + 16, 0, 4);
	m->data_len = r->v6 ? 74 : 60;
	m->pkt_len = m->data_len;
	m->nb_segs = 1;
	m->next = NULL;
	/* transmit frees what it was given; this reference keeps the buffer */
	rte_mbuf_refcnt_set(m, 2);
}

static inline void
reset(struct rte_mbuf *m)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->ol_flags = 0;
}

static void
send_burst(struct rig *r, struct rte_mbuf **m, unsigned n, int dir)
{
	fp_burst(r->w, m, n, r->port[dir]);
}

/* One pass over flows [from, to): a SYN, SYN+ACK, ACK each. Cycles of the SYNs alone in *syn. */
static void
establish(struct rig *r, uint64_t from, uint64_t to, uint64_t *syn)
{
	static const struct { int dir; uint8_t flags; } step[] = { { 0, 0x02 }, { 1, 0x12 }, { 0, 0x10 }, { 1, 0x10 } };

	for (uint64_t i = from; i < to; i += FP_BURST) {
		unsigned n = to - i < FP_BURST ? to - i : FP_BURST;

		for (unsigned s = 0; s < RTE_DIM(step); s++) {
			uint64_t t;

			for (unsigned k = 0; k < n; k++) {
				reset(r->m[k]);
				frame(r, r->m[k], i + k, step[s].dir, step[s].flags);
			}
			t = rte_rdtsc();
			fp_worker_begin(r->w);
			send_burst(r, r->m, n, step[s].dir);
			fp_worker_end(r->w, true);
			if (s == 0 && syn != NULL)
				*syn += rte_rdtsc() - t;
		}
	}
}

enum what { FORWARD, FIREWALL };

static double
measure(struct rig *r, enum what what, uint64_t packets)
{
	uint64_t t = rte_rdtsc(), done = 0;
	unsigned at = 0, turn = 0;

	while (done < packets) {
		struct rte_mbuf **m = &r->m[at];
		int dir = turn++ & 1;

		for (unsigned k = 0; k < FP_BURST; k++) {
			reset(m[k]);
			frame(r, m[k], bench_random(&r->rnd) % r->flows, dir, 0x10);
		}
		fp_worker_begin(r->w);
		if (what == FIREWALL)
			send_burst(r, m, FP_BURST, dir);
		else
			for (unsigned k = 0; k < FP_BURST; k++) {
				uint8_t *e = rte_pktmbuf_mtod(m[k], uint8_t *);

				memset(e, 4, 6);
				memcpy(e + 6, r->mac[!dir], 6);
				fp_tx(r->w, r->port[!dir], m[k]);
			}
		fp_worker_end(r->w, what == FIREWALL);
		at = (at + FP_BURST) % BUFS;
		done += FP_BURST;
	}
	return (double)(rte_rdtsc() - t) / done;
}

static int
rig_make(struct rig *r, uint64_t max_states, char *rules)
{
	struct fp_box_conf bc = { .name = "bench" };
	struct pol_errors errs = { 0 };
	struct fp_if_info info;
	struct fp_err err;
	char value[32];
	FILE *f;
	int fd = mkstemp(rules);

	if (fd < 0 || (f = fdopen(fd, "w")) == NULL) {
		perror(rules);
		return 1;
	}
	fprintf(f, "set limit states %lu\nset timeout interval 10\n", (unsigned long)max_states);
	for (int i = 0; i < 98; i++)
		fprintf(f, "block in quick on in0 proto tcp from 172.16.%d.0/24 to any port %d\n", i, 1 + i);
	fprintf(f, "pass in on in0\npass out on out0\n");
	fclose(f);
	if ((r->box = fp_box_create(&bc, &err)) == NULL)
		return fail("box", &err);
	snprintf(value, sizeof(value), "%lu", (unsigned long)max_states);
	if (fp_param_set(r->box, "limit states", value, &err) != 0 || fp_param_set(r->box, "idle sleep", "0", &err) != 0 ||
	    fp_param_set(r->box, "mbufs", "16384", &err) != 0 ||
	    fp_port_attach(r->box, "net_null0,no-rx=1", "in0", &err) != 0 ||
	    fp_port_attach(r->box, "net_null1,no-rx=1", "out0", &err) != 0 ||
	    fp_if_addr_add(r->box, "in0", "10.255.255.1/8", &err) != 0 ||
	    fp_if_addr_add(r->box, "out0", "198.51.100.1/24", &err) != 0 ||
	    fp_if_addr_add(r->box, "in0", "2001:db8:1::1/64", &err) != 0 ||
	    fp_if_addr_add(r->box, "out0", "2001:db8:2::1/64", &err) != 0 ||
	    fp_neigh_add(r->box, "10.255.255.2", "02:00:00:00:00:01", &err) != 0 ||
	    fp_neigh_add(r->box, "198.51.100.2", "02:00:00:00:00:02", &err) != 0 ||
	    fp_neigh_add(r->box, "2001:db8:1::2", "02:00:00:00:00:01", &err) != 0 ||
	    fp_neigh_add(r->box, "2001:db8:2::2", "02:00:00:00:00:02", &err) != 0 ||
	    fp_route_add(r->box, "10.0.0.0/9", "10.255.255.2", "", &err) != 0 ||
	    fp_route_add(r->box, "198.51.0.0/16", "198.51.100.2", "", &err) != 0 ||
	    fp_route_add(r->box, "2001:100::/32", "2001:db8:1::2", "", &err) != 0 ||
	    fp_route_add(r->box, "2001:200::/32", "2001:db8:2::2", "", &err) != 0)
		return fail("set-up", &err);
	if (fp_rules_load(r->box, rules, &errs) != 0) {
		pol_errors_print(&errs, stderr);
		return 1;
	}
	unlink(rules);
	if (fp_box_start(r->box, &err) != 0)
		return fail("start", &err);
	r->w = r->box->workers[0];
	for (int i = 0; i < 2; i++) {
		if (fp_if_find(r->box, i ? "out0" : "in0", &info) != 0)
			return 1;
		r->port[i] = info.port_id;
		memcpy(r->mac[i], info.mac, 6);
	}
	r->pool = r->w->pool;
	for (unsigned i = 0; i < BUFS; i++)
		if ((r->m[i] = rte_pktmbuf_alloc(r->pool)) == NULL)
			return 1;
	for (int i = 0; i < 1000; i++)	/* the main lcore's share: routes, neighbours */
		fp_box_poll(r->box);
	return 0;
}

static void
rig_free(struct rig *r)
{
	for (unsigned i = 0; i < BUFS; i++)
		if (r->m[i] != NULL) {
			rte_mbuf_refcnt_set(r->m[i], 1);
			reset(r->m[i]);
			rte_pktmbuf_free(r->m[i]);
		}
	if (r->box != NULL) {
		fp_box_stop(r->box);
		fp_box_destroy(r->box);
	}
}

static int
run_size(const struct bench_opt *opt, bool v6, uint64_t flows)
{
	char rules[] = "/tmp/twinpath-bench-XXXXXX", params[64];
	struct rig r = { .rnd = opt->seed, .v6 = v6, .flows = flows };
	double a[REPEATS], b[REPEATS], sa, sb, fwd, fw;
	uint64_t packets = opt->quick ? 200000 : 2000000, syn = 0, fast, hz = rte_get_tsc_hz();
	struct fp_stats st;
	int rc = 1;

	if (rig_make(&r, flows * 2 + 1024, rules) != 0)
		goto out;
	establish(&r, 0, flows, &syn);
	fp_stats_get(r.box, &st);
	if (st.states != flows * 2) {
		fprintf(stderr, "twinpath-bench: fastpath: %u states instead of %lu\n", st.states, (unsigned long)flows * 2);
		for (unsigned i = 0; i < FP_D_MAX; i++)
			if (st.drops[i] != 0)
				fprintf(stderr, "  %s %lu\n", fp_drop_names[i], (unsigned long)st.drops[i]);
		goto out;
	}
	measure(&r, FIREWALL, packets / 4);
	fast = st.totals[FP_T_FORWARDED_FAST];
	for (int i = 0; i < REPEATS; i++) {
		a[i] = measure(&r, FORWARD, packets);
		b[i] = measure(&r, FIREWALL, packets);
	}
	fp_stats_get(r.box, &st);
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
	rig_free(&r);
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
