/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios of the pair on two threads: two boxes of one process, each run by a thread of its own (worker, sync thread and
 * main lcore in turn), and net_memif between them. Both read one clock.
 *
 *	lag	connections open on A: the time from the end of the burst that changed a state on A until a lookup on B finds
 *		it changed; 100 K changes a second; beside the round trip of a bare frame over the same link
 *	bulk	A has its states, B starts empty: the time from B's request until it has all, while A forwards; beside the link's
 *		own rate for packets of that size, and memcpy
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "sync.h"

#include "sync/pair.h"
#include "sync/pfsync_wire.h"

#define RATE 100000ul		/* changes of pf states a second: four for each connection */
#define ANSWER_AFTER 50u	/* connections between a SYN and its answer */
#define LOST_SEC 1
#define ECHO_TYPE 0x88b5	/* local experiments */
#define ECHO_ROUNDS 2000u

enum phase { P_IDLE, P_RUN, P_ECHO, P_SINK, P_END };

struct pair {
	struct bench_rig *a, *b;
	pthread_t thread;
	uint32_t phase, phase_seen;	/* enum phase; main sets, the thread answers */
	/* lag: event e is the SYN of flow e / 2, or the answer of an earlier one */
	uint64_t *stamp, n;
	uint64_t produced, found;	/* events; main, thread */
	double *lag_us[2];		/* by kind */
	uint64_t n_lag[2], lost;
	uint64_t sunk;			/* frames, P_SINK */
	struct sync_info info;		/* of B, at the end of P_RUN */
	uint64_t receiving, ended;	/* when it began to come, and when it was there */
	bool done;			/* B's bulk update is */
};

static uint64_t
answered(uint64_t e)
{
	return e / 2 - ANSWER_AFTER;
}

/* ---- B's thread */
static void
look(struct pair *p)
{
	uint64_t produced = __atomic_load_n(&p->produced, __ATOMIC_ACQUIRE), hz = rte_get_tsc_hz();

	for (unsigned i = 0; i < 64 && p->found < produced; i++) {
		uint64_t e = p->found, now;
		bool answer = e & 1, hi, there;
		struct fp_state *st;
		struct fp_key k;
		uint64_t hash;

		if (answer && e / 2 < ANSWER_AFTER) {
			p->found++;
			continue;
		}
		hash = bench_flow_key(p->b, answer ? answered(e) : e / 2, &k, &hi);
		st = fp_table_find(p->b->w->table, &k, NULL, hash, false, hi, 0, FP_STATE_NONE);
		there = st != NULL && (!answer || __atomic_load_n(&st->peer[0].state, __ATOMIC_RELAXED) >= FP_TCPS_ESTABLISHED);
		now = rte_rdtsc();
		if (!there && now - p->stamp[e] < hz * LOST_SEC)
			return;
		if (there)
			p->lag_us[answer][p->n_lag[answer]++] = (double)(now - p->stamp[e]) * 1e6 / hz;
		else
			p->lost++;
		p->found++;
	}
}

/* Send back what main sends, or swallow it. */
static void
echo(struct pair *p, bool back)
{
	struct bench_rig *b = p->b;
	struct rte_mbuf *m[32];
	unsigned n = rte_eth_rx_burst(b->cable_port, 0, m, 32);

	for (unsigned i = 0; i < n; i++) {
		const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m[i], const struct rte_ether_hdr *);

		if (eth->ether_type != rte_cpu_to_be_16(ECHO_TYPE) || !back ||
		    rte_eth_tx_burst(b->cable_port, b->w->tx[b->cable_port].queue, &m[i], 1) != 1)
			rte_pktmbuf_free(m[i]);
	}
	if (!back)
		__atomic_store_n(&p->sunk, p->sunk + n, __ATOMIC_RELAXED);
}

static void *
b_main(void *arg)
{
	struct pair *p = arg;
	cpu_set_t set;
	unsigned turns = 0;

	CPU_ZERO(&set);
	CPU_SET((unsigned)bench_second_cpu(), &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	rte_thread_register();
	for (;;) {
		uint32_t phase = __atomic_load_n(&p->phase, __ATOMIC_ACQUIRE);

		if (phase != p->phase_seen) {
			if (p->phase_seen == P_RUN)
				sync_info_get(p->b->sync, &p->info);
			__atomic_store_n(&p->phase_seen, phase, __ATOMIC_RELEASE);
		}
		if (phase == P_END)
			break;
		if (phase == P_RUN) {
			fp_box_poll(p->b->box);
			look(p);
			if (!p->done && ++turns % 32 == 0) {
				struct sync_info info;

				sync_info_get(p->b->sync, &info);
				if (p->receiving == 0 && (strcmp(info.bulk.state, "receiving") == 0 || info.bulk.received != 0))
					p->receiving = rte_rdtsc();
				p->ended = rte_rdtsc();
				__atomic_store_n(&p->done, strcmp(info.bulk.state, "done") == 0, __ATOMIC_RELEASE);
			}
		} else if (phase != P_IDLE) {
			echo(p, phase == P_ECHO);
		}
	}
	rte_thread_unregister();
	return NULL;
}

static void
go(struct pair *p, enum phase phase)
{
	__atomic_store_n(&p->phase, phase, __ATOMIC_RELEASE);
	while (__atomic_load_n(&p->phase_seen, __ATOMIC_ACQUIRE) != phase)
		sched_yield();
}

/* ---- main: A */
/* Turns of A until B has had its bulk update and nothing is under way. False: it never came. */
static bool
settle(struct pair *p, double sec)
{
	uint64_t t = rte_rdtsc(), hz = rte_get_tsc_hz();

	while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE)) {
		fp_box_poll(p->a->box);
		if (rte_rdtsc() - t > (uint64_t)(sec * hz))
			return false;
	}
	return true;
}

static void
pair_free(struct pair *p)
{
	if (p->thread != 0) {
		go(p, P_END);
		pthread_join(p->thread, NULL);
	}
	free(p->stamp);
	free(p->lag_us[0]);
	free(p->lag_us[1]);
	bench_rig_free(p->b);
	bench_rig_free(p->a);
}

static bool
linked(struct bench_rig *r)
{
	struct sync_info info;

	sync_info_get(r->sync, &info);
	return info.link;
}

/* Two boxes; A has `flows` connections before they meet. */
static int
pair_make(const struct bench_opt *opt, const char *scenario, uint64_t flows, uint64_t max_flows, struct pair *p)
{
	char cable[160];
	struct bench_rig_conf conf = { .scenario = scenario, .flows = RTE_MAX(flows, 1u), .max_states = 4 * max_flows + 65536,
		.cable = cable };
	struct fp_err err;

	*p = (struct pair){ .phase = P_IDLE };
	snprintf(cable, sizeof(cable), "net_memif0,role=server,id=0,rsize=12,socket=/tmp/twinpath-bench-%d.memif,socket-abstract=no",
		(int)getpid());
	if ((p->a = bench_rig_make(opt, &conf)) == NULL)
		return 1;
	if (flows != 0) {
		sync_up(p->a->sync, false, &err);
		bench_rig_poll(p->a, 10);
		bench_establish(p->a, 0, flows, NULL);
		sync_up(p->a->sync, true, &err);
	}
	conf.nr = 1;
	snprintf(cable, sizeof(cable), "net_memif1,role=client,id=0,rsize=12,socket=/tmp/twinpath-bench-%d.memif,socket-abstract=no",
		(int)getpid());
	if ((p->b = bench_rig_make(opt, &conf)) == NULL)
		return 1;
	/* A sees its link first, or the first request finds nobody who answers */
	for (uint64_t t = rte_rdtsc(); !linked(p->a);) {
		fp_box_poll(p->a->box);
		if (rte_rdtsc() - t > 5 * rte_get_tsc_hz()) {
			fprintf(stderr, "twinpath-bench: %s: the link does not come up\n", scenario);
			return 1;
		}
	}
	if (pthread_create(&p->thread, NULL, b_main, p) != 0) {
		p->thread = 0;
		perror("twinpath-bench");
		return 1;
	}
	return 0;
}

static struct rte_mbuf *
echo_frame(struct bench_rig *a, unsigned len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(a->sync->pool);
	struct rte_ether_hdr *eth;

	if (m == NULL)
		return NULL;
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, (uint16_t)len);
	memset(eth, 0xff, 12);
	eth->ether_type = rte_cpu_to_be_16(ECHO_TYPE);
	return m;
}

/* Round trips of the link alone, microseconds, sorted: median and 99th percentile. */
static void
round_trip(struct pair *p, double *p50, double *p99)
{
	double *v = calloc(ECHO_ROUNDS, sizeof(*v)), hz = rte_get_tsc_hz();
	struct bench_rig *a = p->a;
	uint16_t queue = a->w->tx[a->cable_port].queue;
	unsigned n = 0;

	*p50 = *p99 = 0;
	if (v == NULL)
		return;
	go(p, P_ECHO);
	for (unsigned i = 0; i < ECHO_ROUNDS; i++) {
		struct rte_mbuf *m = echo_frame(a, 60), *in[32];
		uint64_t t = rte_rdtsc();
		bool back = false;

		if (m == NULL)
			break;
		if (rte_eth_tx_burst(a->cable_port, queue, &m, 1) != 1) {
			rte_pktmbuf_free(m);
			continue;
		}
		while (!back && rte_rdtsc() - t < (uint64_t)(hz / 50)) {
			unsigned k = rte_eth_rx_burst(a->cable_port, 0, in, 32);

			for (unsigned j = 0; j < k; j++) {
				back |= rte_pktmbuf_mtod(in[j], const struct rte_ether_hdr *)->ether_type == rte_cpu_to_be_16(ECHO_TYPE);
				rte_pktmbuf_free(in[j]);
			}
		}
		if (back)
			v[n++] = (double)(rte_rdtsc() - t) * 1e6 / hz;
	}
	go(p, P_IDLE);
	if (n != 0) {
		bench_median(v, n, NULL);
		*p50 = v[n / 2];
		*p99 = v[n * 99 / 100];
	}
	free(v);
}

/* Frames of `len` bytes a second that the link carries when nobody looks into them. */
static double
link_rate(struct pair *p, unsigned len)
{
	struct bench_rig *a = p->a;
	uint16_t queue = a->w->tx[a->cable_port].queue;
	uint64_t hz = rte_get_tsc_hz(), t, sunk;

	go(p, P_SINK);
	sunk = __atomic_load_n(&p->sunk, __ATOMIC_RELAXED);
	t = rte_rdtsc();
	while (rte_rdtsc() - t < hz / 4) {
		struct rte_mbuf *m[32];
		unsigned n = 0, sent;

		while (n < 32 && (m[n] = echo_frame(a, len)) != NULL)
			n++;
		sent = rte_eth_tx_burst(a->cable_port, queue, m, (uint16_t)n);
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
	sunk = __atomic_load_n(&p->sunk, __ATOMIC_RELAXED) - sunk;
	t = rte_rdtsc() - t;
	go(p, P_IDLE);
	return (double)sunk * hz / t;
}

static int
two_needed(void)
{
	if (bench_second_cpu() >= 0)
		return 0;
	printf("  one processor alone: not measured, neither time nor cycles\n");
	return 1;
}

/* ---- lag */
static void
change(struct pair *p, uint64_t e)
{
	struct bench_rig *a = p->a;
	bool answer = e & 1;

	if (!answer || e / 2 >= ANSWER_AFTER) {
		bench_frame(a, a->m[0], answer ? answered(e) : e / 2, answer, answer ? 0x12 : 0x02);
		fp_worker_begin(a->w);
		fp_burst(a->w, a->m, 1, a->port[answer]);
		p->stamp[e] = rte_rdtsc();
		fp_worker_end(a->w, true);
	} else {
		p->stamp[e] = rte_rdtsc();
	}
	__atomic_store_n(&p->produced, e + 1, __ATOMIC_RELEASE);
}

static void
lag_report(const struct bench_opt *opt, const char *what, double *v, uint64_t n, double rtt)
{
	static const struct { double q; const char *name; } qs[] = { { 0.5, "p50" }, { 0.9, "p90" }, { 0.99, "p99" }, { 0.999, "p99.9" } };
	char params[64];

	if (n == 0) {
		printf("  %-7s nothing arrived\n", what);
		return;
	}
	bench_median(v, (unsigned)n, NULL);
	printf("  %-7s", what);
	for (unsigned i = 0; i < RTE_DIM(qs); i++) {
		double q = v[(uint64_t)(qs[i].q * (double)(n - 1))];

		printf(" %s %.1f", qs[i].name, q);
		snprintf(params, sizeof(params), "\"kind\":\"%s\",\"quantile\":\"%s\"", what, qs[i].name);
		bench_json(opt, "lag", "lag", params, q, 0, "us");
	}
	printf(" max %.1f us (%lu changes), %.1f round trips of the link at the median\n", v[n - 1], (unsigned long)n,
		rtt > 0 ? v[n / 2] / rtt : 0);
}

static int
run_lag(const struct bench_opt *opt)
{
	uint64_t hz = rte_get_tsc_hz(), start, took, cycles;
	double p50, p99;
	struct pair p;
	int rc = 1;

	printf("lag: %lu K changes/s over net_memif, commit on A to lookup on B, both boxes on one clock (%lu cycles a us)\n", RATE / 1000,
		(unsigned long)(hz / 1000000));
	if (two_needed())
		return 0;
	if (pair_make(opt, "lag", 0, 200000, &p) != 0)
		goto out;
	p.n = (opt->quick ? RATE / 4 : 4 * RATE) / 2;
	p.stamp = calloc(p.n, sizeof(*p.stamp));
	p.lag_us[0] = calloc(p.n, sizeof(double));
	p.lag_us[1] = calloc(p.n, sizeof(double));
	if (p.stamp == NULL || p.lag_us[0] == NULL || p.lag_us[1] == NULL)
		goto out;
	go(&p, P_RUN);
	if (!settle(&p, 20)) {
		fprintf(stderr, "twinpath-bench: lag: B's first bulk update never ended\n");
		goto out;
	}
	go(&p, P_IDLE);
	round_trip(&p, &p50, &p99);
	go(&p, P_RUN);
	start = rte_rdtsc();
	for (uint64_t e = 0; e < p.n;) {
		cycles = rte_rdtsc() - start;
		for (unsigned i = 0; i < FP_BURST && e < p.n && e < (uint64_t)((double)cycles / hz * RATE / 2); i++, e++)
			change(&p, e);
		fp_box_poll(p.a->box);
	}
	took = rte_rdtsc() - start;
	/* the thread writes `found` alone; what it has not found in time it counts as lost */
	while (__atomic_load_n(&p.found, __ATOMIC_RELAXED) < p.n && rte_rdtsc() - start < took + 5 * hz)
		fp_box_poll(p.a->box);
	go(&p, P_IDLE);
	printf("  link alone: round trip p50 %.1f p99 %.1f us; %.0f changes/s made; never found within a second: %lu\n", p50, p99,
		(double)p.n * 2 * hz / took, (unsigned long)p.lost);
	bench_json(opt, "lag", "round_trip", "\"quantile\":\"p50\"", p50, 0, "us");
	bench_json(opt, "lag", "round_trip", "\"quantile\":\"p99\"", p99, 0, "us");
	bench_json(opt, "lag", "lost", "", (double)p.lost, 0, "changes");
	lag_report(opt, "insert", p.lag_us[0], p.n_lag[0], p50);
	lag_report(opt, "update", p.lag_us[1], p.n_lag[1], p50);
	rc = p.n_lag[0] == 0;
out:
	pair_free(&p);
	return rc;
}

/* ---- bulk */
static int
run_bulk(const struct bench_opt *opt)
{
	uint64_t flows = opt->quick ? 20000 : 500000, hz = rte_get_tsc_hz(), packets = 0, t;
	double before, during, frames, copy_sec, came;
	size_t bytes = 2 * flows * SYNC_STATE6_SIZE;
	uint8_t *from = malloc(bytes), *to = malloc(bytes);
	struct pair p = { 0 };
	int rc = 1;

	if (flows > opt->max_flows)
		flows = opt->max_flows;
	printf("bulk: an empty box asks for %lu K states over net_memif while its peer forwards (cycles/packet of the peer)\n",
		(unsigned long)flows * 2 / 1000);
	if (two_needed()) {
		rc = 0;
		goto out;
	}
	if (from == NULL || to == NULL || pair_make(opt, "bulk", flows, flows, &p) != 0)
		goto out;
	memset(from, 1, bytes);
	memset(to, 2, bytes);
	t = rte_rdtsc();
	memcpy(to, from, bytes);
	copy_sec = (double)(rte_rdtsc() - t) / hz;
	bench_forward(p.a, true, 0, hz / 10);
	before = bench_forward(p.a, true, 0, opt->quick ? hz / 10 : hz);
	go(&p, P_RUN);
	t = rte_rdtsc();
	during = 0;
	while (!__atomic_load_n(&p.done, __ATOMIC_ACQUIRE) && rte_rdtsc() - t < 120 * hz) {
		during += bench_forward(p.a, true, 8 * FP_BURST, 0);
		packets++;
		fp_box_poll(p.a->box);
	}
	go(&p, P_IDLE);
	frames = link_rate(&p, 14 + 20 + SYNC_HDR_SIZE + SYNC_SUB_SIZE + 4 * SYNC_STATE6_SIZE);
	if (!p.done || fp_table_halves(p.b->w->table) < 2 * flows) {
		fprintf(stderr, "twinpath-bench: bulk: %s, %u states of %lu (%s)\n", p.info.bulk.state, fp_table_halves(p.b->w->table),
			(unsigned long)flows * 2, p.info.bulk.reason);
		goto out;
	}
	came = p.receiving != 0 ? (double)(p.ended - p.receiving) / hz : p.info.bulk.took_sec;
	printf("  %lu K states in %.3f s since the first request, %.3f s since the first one came: %.2f M states/s; forwarding before %.1f, meanwhile %.1f cycles/packet with the slice's own work; "
		"link alone %.2f M such packets/s: %.3f s; memcpy of the records %.3f s\n", (unsigned long)flows * 2 / 1000,
		p.info.bulk.took_sec, came, 2 * flows / came / 1e6, before, packets != 0 ? during / packets : 0, frames / 1e6,
		2 * flows / 4.0 / frames, copy_sec);
	bench_json(opt, "bulk", "took", "", p.info.bulk.took_sec, 0, "s");
	bench_json(opt, "bulk", "rate", "", 2 * flows / came, 0, "states/s");
	bench_json(opt, "bulk", "forward_before", "", before, 0, "cycles/packet");
	bench_json(opt, "bulk", "forward_during", "", packets != 0 ? during / packets : 0, 0, "cycles/packet");
	bench_json(opt, "bulk", "link", "", frames, 0, "packets/s");
	bench_json(opt, "bulk", "memcpy", "", copy_sec, 0, "s");
	rc = 0;
out:
	free(from);
	free(to);
	pair_free(&p);
	return rc;
}

const struct bench_scenario bench_lag = { "lag", "pfsync: commit on one box to lookup on the other, percentiles (two cores)", run_lag };
const struct bench_scenario bench_bulk = { "bulk", "pfsync: everything to an empty box while forwarding goes on (two cores)", run_bulk };
