/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios of the pair, receiver's side: two boxes in one process, packets of one carried to the other by hand.
 *
 *	sync-insert	a state of the peer becomes one here, and goes again: the sync thread's work, and the worker's
 *	sync-apply	an update of a state that is here: the sync thread finds it and tells its worker, which merges it
 *	sync-load	forwarding of established connections while another thread inserts states of the peer at 1 M/s
 *
 * Beside copying the same messages out of their packets to random places in memory, and beside the link alone: buffers that
 * come through the ring and are freed. The sync thread's work and the worker's are timed apart, for they are two threads.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "sync.h"

#include "sync/pair.h"
#include "sync/pfsync_wire.h"

#define REPEATS 5
#define BATCH 256u	/* records between two packets' ends */
#define LOAD_RATE 1000000ul

/* ---- packets of A, kept */
struct tape { uint8_t *b; uint64_t *at; uint64_t n, size; };	/* packet i: at[i] .. at[i + 1] */

static void
tape_free(struct tape *t)
{
	free(t->b);
	free(t->at);
	*t = (struct tape){ 0 };
}

static bool
tape_take(struct tape *t, struct bench_rig *a)
{
	for (unsigned i = 0; i < a->n_caught; i++) {
		uint32_t len = a->caught[i]->pkt_len;
		uint64_t from = t->n == 0 ? 0 : t->at[t->n];

		if (t->n % 1024 == 0) {
			uint64_t *at = realloc(t->at, (t->n + 1026) * sizeof(*at));

			if (at == NULL)
				return false;
			t->at = at;
			t->at[0] = 0;
		}
		if (from + len > t->size) {
			uint8_t *b = realloc(t->b, (from + len) * 2);

			if (b == NULL)
				return false;
			t->b = b;
			t->size = (from + len) * 2;
		}
		memcpy(t->b + from, rte_pktmbuf_mtod(a->caught[i], void *), len);
		t->at[++t->n] = from + len;
		rte_pktmbuf_free(a->caught[i]);
	}
	a->n_caught = 0;
	return true;
}

static bool
tape_put(const struct tape *t, uint64_t i, struct bench_rig *b)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->sync->pool);

	if (m == NULL)
		return false;
	memcpy(rte_pktmbuf_mtod(m, void *), t->b + t->at[i], t->at[i + 1] - t->at[i]);
	m->data_len = m->pkt_len = (uint16_t)(t->at[i + 1] - t->at[i]);
	fp_priv(m)->l2_len = RTE_ETHER_HDR_LEN;
	sync_received(b->w, m, b->cable_ifid);
	return true;
}

/* What n records of A, from `from` on, have to say. */
static bool
tape_make(struct tape *t, struct bench_rig *a, const struct bench_states *v, uint64_t from, uint64_t n, enum sync_kind kind)
{
	bool ok = true;

	a->catching = true;
	for (uint64_t i = 0; ok && i < n; i++) {
		struct fp_state *st = v->st[from + i];

		if (kind == SYNC_UPD_C) {	/* as if both had sent a byte */
			for (int k = 0; k < 2; k++) {
				st->peer[k].seqlo++;
				st->peer[k].seqhi++;
			}
		}
		bench_queue(a, st, kind);
		if (i % BATCH == BATCH - 1 || i == n - 1) {
			bench_flush(a);
			ok = tape_take(t, a);
		}
	}
	for (uint64_t i = 0; kind == SYNC_DEL && i < n; i++)
		v->st[from + i]->sync_pos = 0;
	a->catching = false;
	return ok;
}

struct cost { double thread, worker, copy, link, rate; };

/* Give a tape to B in turns of 32 packets; cycles a message. */
static bool
play(struct bench_rig *b, const struct tape *t, uint64_t messages, struct cost *c)
{
	struct sync *s = b->sync;
	struct sync_slice *sl = b->w->slice;
	uint64_t thread = 0, worker = 0;

	for (uint64_t i = 0; i < t->n;) {
		uint64_t t0, t1;

		for (unsigned k = 0; k < FP_BURST && i < t->n; k++, i++)
			if (!tape_put(t, i, b))
				return false;
		t0 = rte_rdtsc();
		while (!rte_ring_empty(s->rx))
			sync_thread_turn(s);
		t1 = rte_rdtsc();
		do {
			fp_worker_begin(b->w);
			fp_worker_end(b->w, true);
		} while (!rte_ring_empty(sl->inbox) || sl->msg_pending);
		thread += t1 - t0;
		worker += rte_rdtsc() - t1;
	}
	c->thread = (double)thread / messages;
	c->worker = (double)worker / messages;
	return true;
}

/* The link alone, then with a copy of every message to a place of its own. */
static bool
reference(struct bench_rig *b, const struct tape *t, uint64_t messages, size_t size, uint8_t *to, uint64_t n_to, struct cost *c)
{
	uint64_t cycles[2] = { 0, 0 };
	struct rte_mbuf *m[FP_BURST];

	for (int copy = 0; copy < 2; copy++)
		for (uint64_t i = 0; i < t->n;) {
			uint64_t t0;
			unsigned n;

			for (unsigned k = 0; k < FP_BURST && i < t->n; k++, i++)
				if (!tape_put(t, i, b))
					return false;
			t0 = rte_rdtsc();
			while ((n = rte_ring_sc_dequeue_burst(b->sync->rx, (void **)m, FP_BURST, NULL)) != 0)
				for (unsigned k = 0; k < n; k++) {
					const uint8_t *p = rte_pktmbuf_mtod_offset(m[k], const uint8_t *, 14 + 20 + SYNC_HDR_SIZE + SYNC_SUB_SIZE),
						*end = rte_pktmbuf_mtod_offset(m[k], const uint8_t *, m[k]->pkt_len);

					for (; copy && p + size <= end; p += size)
						memcpy(to + size * (bench_random(&b->rnd) % n_to), p, size);
					rte_pktmbuf_free(m[k]);
				}
			cycles[copy] += rte_rdtsc() - t0;
		}
	c->link = (double)cycles[0] / messages;
	c->copy = (double)cycles[1] / messages;
	return true;
}

/* ---- two boxes with the same states */
struct two { struct bench_rig *a, *b; struct bench_states v; uint64_t flows; };

static void
two_free(struct two *p)
{
	free(p->v.st);
	bench_rig_free(p->b);
	bench_rig_free(p->a);
}

static int
two_make(const struct bench_opt *opt, const char *scenario, uint64_t flows, uint64_t local, struct two *p)
{
	struct bench_rig_conf conf = { .scenario = scenario, .flows = flows, .max_states = 4 * flows + 65536,
		.cable = "net_null2,no-rx=1" };

	*p = (struct two){ .flows = flows };
	p->a = bench_rig_make(opt, &conf);
	conf.nr = 1;
	conf.cable = "net_null5,no-rx=1";
	conf.flows = local != 0 ? local : flows;
	conf.max_states = 4 * (flows + local) + 65536; /* so many that no timeout is scaled */
	p->b = bench_rig_make(opt, &conf);
	if (p->a == NULL || p->b == NULL || p->a->w->sync == NULL || p->b->w->sync == NULL ||
	    bench_sync_hurry(p->a) != 0) {
		fprintf(stderr, "twinpath-bench: %s: no two boxes\n", scenario);
		return 1;
	}
	/* B does not speak on this cable: A is told what it would find out */
	p->a->sync->marks = true;
	p->a->sync->twin_us = fp_box_now_us(p->a->box) + 3600000000ull;
	bench_establish(p->a, local, local + flows, NULL);
	bench_flush(p->a);
	if (bench_states_get(p->a, flows, &p->v) != 0 || p->v.n != flows) {
		fprintf(stderr, "twinpath-bench: %s: no memory, or no states\n", scenario);
		return 1;
	}
	return 0;
}

static int
wrong(const char *scenario, const char *what, struct bench_rig *b)
{
	struct sync_info info;

	sync_info_get(b->sync, &info);
	fprintf(stderr, "twinpath-bench: %s: %s: %u states; inserted %lu, updated %lu, deleted %lu, collisions %lu, full %lu, stale %lu, "
		"bad values %lu, bad states %lu, lost on the way to workers %lu\n", scenario, what, fp_table_halves(b->w->table),
		(unsigned long)info.inserted, (unsigned long)info.updated, (unsigned long)info.deleted, (unsigned long)info.collisions,
		(unsigned long)info.table_full, (unsigned long)info.counters[SYNC_CNT_stale], (unsigned long)info.counters[SYNC_CNT_badval],
		(unsigned long)info.counters[SYNC_CNT_badstate], (unsigned long)info.inbox_full);
	return 1;
}

static void
report(const struct bench_opt *opt, const char *scenario, const char *what, uint64_t flows, struct cost *c)
{
	double t[REPEATS], w[REPEATS], m[REPEATS], l[REPEATS], mt, mw, mm, ml, st, sw, hz = rte_get_tsc_hz();
	char params[64];

	for (unsigned i = 0; i < REPEATS; i++) {
		t[i] = c[i].thread;
		w[i] = c[i].worker;
		m[i] = c[i].copy;
		l[i] = c[i].link;
	}
	mt = bench_median(t, REPEATS, &st);
	mw = bench_median(w, REPEATS, &sw);
	mm = bench_median(m, REPEATS, NULL);
	ml = bench_median(l, REPEATS, NULL);
	printf("  %7lu flows, %-7s sync thread %6.1f +- %.1f  worker %6.1f +- %.1f cycles/state: %6.2f M/s, both on one core %6.2f M/s; "
		"memcpy %6.1f, ratio %.2f; link alone %5.1f\n", (unsigned long)flows, what, mt, st, mw, sw, hz / RTE_MAX(mt, mw) / 1e6,
		hz / (mt + mw) / 1e6, mm, mm > 0 ? mt / mm : 0, ml);
	snprintf(params, sizeof(params), "\"kind\":\"%s\",\"flows\":%lu", what, (unsigned long)flows);
	bench_json(opt, scenario, "thread", params, mt, st, "cycles/state");
	bench_json(opt, scenario, "worker", params, mw, sw, "cycles/state");
	bench_json(opt, scenario, "rate", params, hz / RTE_MAX(mt, mw), 0, "states/s");
	bench_json(opt, scenario, "memcpy", params, mm, 0, "cycles/state");
	bench_json(opt, scenario, "link", params, ml, 0, "cycles/state");
}

/* One round over all states: insert, update `updates` times, delete. */
static int
receive_size(const struct bench_opt *opt, const char *scenario, uint64_t flows, bool updates)
{
	struct cost ins[REPEATS], upd[REPEATS], del[REPEATS];
	struct tape t = { 0 };
	uint8_t *to = malloc(2 * flows * SYNC_STATE6_SIZE);
	struct two p;
	int rc = 1;

	if (two_make(opt, scenario, flows, 0, &p) != 0 || to == NULL)
		goto out;
	memset(to, 1, 2 * flows * SYNC_STATE6_SIZE);
	for (unsigned i = 0; i < REPEATS + 1; i++) {	/* the first one warms */
		unsigned k = i == 0 ? 0 : i - 1;
		uint64_t n = 2 * flows;
		struct sync_info info;

		t.n = 0;
		if (!tape_make(&t, p.a, &p.v, 0, flows, SYNC_INS) || !play(p.b, &t, n, &ins[k]) ||
		    !reference(p.b, &t, n, SYNC_STATE6_SIZE, to, n, &ins[k]))
			goto out;
		if (fp_table_halves(p.b->w->table) != n) {
			wrong(scenario, "inserts", p.b);
			goto out;
		}
		if (updates) {
			uint64_t before;

			sync_info_get(p.b->sync, &info);
			before = info.updated;
			t.n = 0;
			if (!tape_make(&t, p.a, &p.v, 0, flows, SYNC_UPD_C) || !play(p.b, &t, n, &upd[k]) ||
			    !reference(p.b, &t, n, SYNC_UPDC_SIZE, to, n, &upd[k]))
				goto out;
			sync_info_get(p.b->sync, &info);
			if (info.updated - before != n || info.counters[SYNC_CNT_stale] != 0) {
				wrong(scenario, "updates", p.b);
				goto out;
			}
		}
		t.n = 0;
		if (!tape_make(&t, p.a, &p.v, 0, flows, SYNC_DEL) || !play(p.b, &t, n, &del[k]) ||
		    !reference(p.b, &t, n, SYNC_IDENT_SIZE, to, n, &del[k]))
			goto out;
		if (fp_table_halves(p.b->w->table) != 0) {
			wrong(scenario, "deletes", p.b);
			goto out;
		}
		bench_rig_poll(p.a, 100);
		bench_rig_poll(p.b, 2000);	/* grace periods end, records are free again */
	}
	if (updates) {
		report(opt, scenario, "update", flows, upd);
	} else {
		report(opt, scenario, "insert", flows, ins);
		report(opt, scenario, "delete", flows, del);
	}
	rc = 0;
out:
	tape_free(&t);
	free(to);
	two_free(&p);
	return rc;
}

static int
run_sizes(const struct bench_opt *opt, const char *scenario, bool updates)
{
	static const uint64_t sizes[] = { 4096, 262144 };
	int rc = 0;

	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		if (sizes[i] <= opt->max_flows && !(opt->quick && i > 0))
			rc |= receive_size(opt, scenario, sizes[i], updates);
	if (opt->max_flows < sizes[0])
		rc |= receive_size(opt, scenario, opt->max_flows, updates);
	return rc;
}

static int
run_insert(const struct bench_opt *opt)
{
	printf("sync-insert: states of forwarded v4 TCP connections of the peer, in random order, version 6\n");
	return run_sizes(opt, "sync-insert", false);
}

static int
run_apply(const struct bench_opt *opt)
{
	printf("sync-apply: compressed updates of learned states, in random order, each with news\n");
	return run_sizes(opt, "sync-apply", true);
}

/* ---- forwarding while the peer inserts */
struct load {
	struct bench_rig *b;
	const struct tape *t;
	uint64_t messages;	/* in the tape */
	uint64_t rate;		/* states a second; 0: as fast as it goes */
	unsigned cpu;
	bool failed;
	double took_sec;
};

static void *
load_main(void *arg)
{
	struct load *l = arg;
	struct sync *s = l->b->sync;
	uint64_t start, hz = rte_get_tsc_hz();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(l->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	rte_thread_register();
	start = rte_rdtsc();
	for (uint64_t i = 0; i < l->t->n && !l->failed;) {
		uint64_t due = l->rate == 0 ? l->t->n :
			(uint64_t)((double)(rte_rdtsc() - start) / hz * l->rate / l->messages * l->t->n);

		for (unsigned k = 0; k < FP_BURST && i < l->t->n && i < due; k++, i++)
			l->failed |= !tape_put(l->t, i, l->b);
		sync_thread_turn(s);
	}
	while (!rte_ring_empty(s->rx))
		sync_thread_turn(s);
	l->took_sec = (double)(rte_rdtsc() - start) / hz;
	rte_thread_unregister();
	return NULL;
}

static int
run_load(const struct bench_opt *opt)
{
	uint64_t flows = opt->quick ? 20000 : 250000, local = 64000, hz = rte_get_tsc_hz();
	uint64_t phase = (uint64_t)((double)flows * 2 / LOAD_RATE * hz);
	double off[REPEATS], on[REPEATS], rate[REPEATS], moff, mon, soff, son, mr;
	struct tape ins = { 0 }, del = { 0 };
	struct cost gone;
	struct two p;
	int rc = 1;

	printf("sync-load: the worker forwards 64 K connections while the sync thread, on another core, learns %lu K/s of the peer\n",
		LOAD_RATE / 1000);
	if (bench_second_cpu() < 0) {
		printf("  one processor alone: not measured (cycles/packet)\n");
		return 0;
	}
	if (two_make(opt, "sync-load", flows, local, &p) != 0 || !tape_make(&ins, p.a, &p.v, 0, flows, SYNC_INS) ||
	    !tape_make(&del, p.a, &p.v, 0, flows, SYNC_DEL))
		goto out;
	bench_establish(p.b, 0, local, NULL);
	bench_flush(p.b);
	bench_forward(p.b, true, 100000, 0);
	for (unsigned i = 0; i < REPEATS; i++) {
		struct load l = { .b = p.b, .t = &ins, .messages = 2 * flows, .rate = LOAD_RATE, .cpu = (unsigned)bench_second_cpu() };
		pthread_t th;

		off[i] = bench_forward(p.b, true, 0, phase);
		if (pthread_create(&th, NULL, load_main, &l) != 0)
			goto out;
		on[i] = bench_forward(p.b, true, 0, phase);
		pthread_join(th, NULL);
		rate[i] = 2 * flows / l.took_sec;
		if (l.failed || fp_table_halves(p.b->w->table) != 2 * (flows + local)) {
			wrong("sync-load", "inserts", p.b);
			goto out;
		}
		if (!play(p.b, &del, 2 * flows, &gone))
			goto out;
		bench_rig_poll(p.b, 2000);
		if (fp_table_halves(p.b->w->table) != 2 * local) {
			wrong("sync-load", "deletes", p.b);
			goto out;
		}
	}
	moff = bench_median(off, REPEATS, &soff);
	mon = bench_median(on, REPEATS, &son);
	mr = bench_median(rate, REPEATS, NULL);
	printf("  alone %6.1f +- %.1f  while %.2f M states/s come %6.1f +- %.1f cycles/packet: %+.1f %% of the packets/s\n", moff, soff, mr / 1e6,
		mon, son, (moff / mon - 1) * 100);
	bench_json(opt, "sync-load", "alone", "", moff, soff, "cycles/packet");
	bench_json(opt, "sync-load", "loaded", "", mon, son, "cycles/packet");
	bench_json(opt, "sync-load", "inserts", "", mr, 0, "states/s");
	rc = 0;
out:
	tape_free(&ins);
	tape_free(&del);
	two_free(&p);
	return rc;
}

const struct bench_scenario bench_sync_insert = { "sync-insert",
	"pfsync: states of the peer become states here and go again, beside memcpy and the link", run_insert };
const struct bench_scenario bench_sync_apply = { "sync-apply", "pfsync: updates of learned states, beside memcpy and the link", run_apply };
const struct bench_scenario bench_sync_load = { "sync-load", "pfsync: forwarding while the peer inserts 1 M/s (two cores)", run_load };
