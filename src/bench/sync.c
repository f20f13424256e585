/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios of the pair on one thread: what a delta costs its sender and its receiver, and forwarding.
 *
 *	sync-encode	changes of states, in random order, queued by the fast path's hooks, built into packets and given to the
 *			link (sync_slice_turn()); beside copying the same bytes from finished messages into packets for the same
 *			link, and beside the link alone: buffers taken and sent
 *	sync-forward	the loop of `fastpath` with pfsync0 up and down: while it is up, packets of established connections
 *			queue news of their windows, once a second and once in maxupd packets, as pf does
 *
 * All in turns. A message speaks of one pf state, so a forwarded connection has two.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "rig.h"
#include "sync.h"

#include "sync/pair.h"
#include "sync/pfsync_wire.h"

#define REPEATS 7
#define BATCH 256u	/* records queued between two turns */

/* ---- states of a box, in random order */
static void
collect(struct fp_state *st, void *arg)
{
	struct bench_states *v = arg;

	if (v->n < v->size)
		v->st[v->n++] = st;
}

int
bench_states_get(struct bench_rig *r, uint64_t max, struct bench_states *v)
{
	uint32_t cursor = 0;

	*v = (struct bench_states){ .size = max };
	if ((v->st = malloc(max * sizeof(v->st[0]))) == NULL)
		return 1;
	do
		cursor = fp_table_walk(r->w->table, cursor, 1024, collect, v);
	while (cursor != 0);
	for (uint64_t i = v->n; i > 1; i--) {
		uint64_t k = bench_random(&r->rnd) % i;
		struct fp_state *t = v->st[i - 1];

		v->st[i - 1] = v->st[k];
		v->st[k] = t;
	}
	return 0;
}

/* ---- encode */
static unsigned
queued(const struct sync_slice *sl)
{
	return (sl->ins.head - sl->ins.tail) + (sl->upd_c.head - sl->upd_c.tail) + (sl->upd.head - sl->upd.tail) +
		(sl->del.head - sl->del.tail) + (sl->lazy_head - sl->lazy_tail) + sl->n_tx;
}

int
bench_sync_hurry(struct bench_rig *r)
{
	struct fp_err err;

	if (fp_param_set(r->box, "sync coalesce", "0", &err) != 0 || fp_param_set(r->box, "sync hold", "0", &err) != 0)
		return bench_fail(r->scenario, "parameters", &err);
	return 0;
}

void
bench_queue(struct bench_rig *r, struct fp_state *st, enum sync_kind kind)
{
	const struct fp_sync_hooks *h = r->w->sync;

	switch (kind) {
	case SYNC_UPD_C:
		h->touched(r->w, st, FP_HALVES_BOTH, true);
		break;
	case SYNC_INS:
		h->inserted(r->w, st, FP_HALF_IN);
		h->inserted(r->w, st, FP_HALF_OUT);
		break;
	case SYNC_UPD:
		sync_slice_queue_upd(r->w->slice, st, FP_HALVES_BOTH);
		break;
	default:
		h->removed(r->w, st, FP_HALF_IN);
		h->removed(r->w, st, FP_HALF_OUT);
	}
}

void
bench_flush(struct bench_rig *r)
{
	struct sync_slice *sl = r->w->slice;

	do {
		fp_worker_begin(r->w);
		r->w->sync->turn(r->w);
	} while (queued(sl) != 0);
}

struct encode {
	double queue, build;	/* cycles a message */
	uint64_t messages, packets, bytes;	/* bytes of IP packets */
};

static void
encode(struct bench_rig *r, const struct bench_states *v, enum sync_kind kind, uint64_t messages, struct encode *e)
{
	struct sync_counts *c = &((struct sync_slice *)r->w->slice)->cnt;
	uint64_t sent = c->sent[kind == SYNC_DEL ? SYNC_DEL_C : kind], packets = c->sent_packets, bytes = c->sent_bytes, at = 0, t;

	*e = (struct encode){ 0 };
	while (e->messages < messages) {
		uint64_t n = RTE_MIN((uint64_t)BATCH, v->n - at), t0, t1;

		fp_worker_begin(r->w);
		t0 = rte_rdtsc();
		for (uint64_t i = 0; i < n; i++)
			bench_queue(r, v->st[at + i], kind);
		t1 = rte_rdtsc();
		bench_flush(r);
		t = rte_rdtsc();
		e->queue += t1 - t0;
		e->build += t - t1;
		for (uint64_t i = 0; kind == SYNC_DEL && i < n; i++)
			v->st[at + i]->sync_pos = 0;
		e->messages += 2 * n;
		at = (at + n) % v->n;
	}
	e->messages = c->sent[kind == SYNC_DEL ? SYNC_DEL_C : kind] - sent;
	e->packets = c->sent_packets - packets;
	e->bytes = c->sent_bytes - bytes;
	e->queue /= e->messages;
	e->build /= e->messages;
}

/* Copy as many finished messages of `size` bytes into as many packets; size 0: packets alone. Cycles a message. */
static double
copy(struct bench_rig *r, const struct encode *e, const uint8_t *src, uint64_t n_src, const uint32_t *order, size_t size)
{
	struct sync *s = r->sync;
	const struct sync_run *run = sync_run_get(s);
	uint64_t t = rte_rdtsc(), done = 0, at = 0;
	unsigned each = (unsigned)((e->messages + e->packets - 1) / e->packets);
	struct rte_mbuf *m[32];

	for (uint64_t p = 0; p < e->packets; p += 32) {
		unsigned n = RTE_MIN(e->packets - p, 32ul);

		for (unsigned i = 0; i < n; i++) {
			if ((m[i] = rte_pktmbuf_alloc(s->pool)) == NULL)
				return 0;
			m[i]->data_len = m[i]->pkt_len = (uint16_t)(e->bytes / e->packets + RTE_ETHER_HDR_LEN);
			if (size != 0) {
				uint8_t *d = rte_pktmbuf_mtod_offset(m[i], uint8_t *, 14 + 20 + SYNC_HDR_SIZE + SYNC_SUB_SIZE);

				for (unsigned k = 0; k < each && done < e->messages; k++, done++, d += size) {
					memcpy(d, src + size * order[at], size);
					at = at + 1 == n_src ? 0 : at + 1;
				}
			}
		}
		if (rte_eth_tx_burst(run->port_id, r->w->tx[run->port_id].queue, m, n) != n)
			return 0;
	}
	return (double)(rte_rdtsc() - t) / e->messages;
}

static int
encode_size(const struct bench_opt *opt, uint64_t flows)
{
	static const struct { enum sync_kind kind; const char *name; size_t size; } kinds[] = {
		{ SYNC_INS, "insert", SYNC_STATE6_SIZE }, { SYNC_UPD_C, "update", SYNC_UPDC_SIZE },
		{ SYNC_UPD, "full update", SYNC_STATE6_SIZE }, { SYNC_DEL, "delete", SYNC_IDENT_SIZE },
	};
	const struct bench_rig_conf conf = { .scenario = "sync-encode", .flows = flows, .max_states = 2 * flows + 1024,
		.cable = "net_null2,no-rx=1" };
	struct bench_rig *r = bench_rig_make(opt, &conf);
	uint64_t messages = RTE_MAX(2 * flows, opt->quick ? 100000ul : 1000000ul), hz = rte_get_tsc_hz();
	struct bench_states v = { 0 };
	uint32_t *order = NULL;
	uint8_t *src = NULL;
	char params[64];
	int rc = 1;

	if (r == NULL)
		return 1;
	if (bench_sync_hurry(r) != 0)
		goto out;
	bench_establish(r, 0, flows, NULL);
	bench_flush(r);
	if (bench_states_get(r, flows, &v) != 0 || v.n != flows || r->w->sync == NULL ||
	    (order = malloc(2 * flows * sizeof(*order))) == NULL || (src = malloc(2 * flows * SYNC_STATE6_SIZE)) == NULL) {
		fprintf(stderr, "twinpath-bench: sync-encode: %lu states, or no memory\n", (unsigned long)v.n);
		goto out;
	}
	memset(src, 1, 2 * flows * SYNC_STATE6_SIZE);
	for (uint64_t i = 0; i < 2 * flows; i++)	/* the two messages of a record lie together, as the record does */
		order[i] = (uint32_t)(2 * (bench_random(&r->rnd) % flows) + (i & 1));
	for (uint64_t i = 1; i < 2 * flows; i += 2)
		order[i] = order[i - 1] + 1;
	for (unsigned k = 0; k < RTE_DIM(kinds); k++) {
		double q[REPEATS], b[REPEATS], c[REPEATS], l[REPEATS], mq, mb, mc, ml, sb;
		struct encode e;

		encode(r, &v, kinds[k].kind, messages / 4, &e);
		for (unsigned i = 0; i < REPEATS; i++) {
			encode(r, &v, kinds[k].kind, messages, &e);
			if (e.messages == 0 || e.packets == 0) {
				fprintf(stderr, "twinpath-bench: sync-encode: %s: nothing was sent\n", kinds[k].name);
				goto out;
			}
			q[i] = e.queue;
			b[i] = e.build;
			c[i] = copy(r, &e, src, 2 * flows, order, kinds[k].size);
			l[i] = copy(r, &e, src, 2 * flows, order, 0);
		}
		mq = bench_median(q, REPEATS, NULL);
		mb = bench_median(b, REPEATS, &sb);
		mc = bench_median(c, REPEATS, NULL);
		ml = bench_median(l, REPEATS, NULL);
		printf("  %7lu flows, %-11s queue %5.1f  encode and send %6.1f +- %.1f cycles/message, %6.2f M/s; memcpy and send %5.1f, "
			"ratio %.2f; link alone %5.1f; %.1f bytes on the wire a message\n", (unsigned long)flows, kinds[k].name, mq, mb, sb,
			hz / mb / 1e6, mc, mb / mc, ml, (double)e.bytes / e.messages);
		snprintf(params, sizeof(params), "\"kind\":\"%s\",\"flows\":%lu", kinds[k].name, (unsigned long)flows);
		bench_json(opt, "sync-encode", "queue", params, mq, 0, "cycles/message");
		bench_json(opt, "sync-encode", "encode", params, mb, sb, "cycles/message");
		bench_json(opt, "sync-encode", "encode_rate", params, hz / mb, 0, "messages/s");
		bench_json(opt, "sync-encode", "memcpy", params, mc, 0, "cycles/message");
		bench_json(opt, "sync-encode", "link", params, ml, 0, "cycles/message");
		bench_json(opt, "sync-encode", "wire", params, (double)e.bytes / e.messages, 0, "bytes/message");
	}
	rc = 0;
out:
	free(v.st);
	free(order);
	free(src);
	bench_rig_free(r);
	return rc;
}

static int
run_encode(const struct bench_opt *opt)
{
	static const uint64_t sizes[] = { 4096, 262144 };
	int rc = 0;

	printf("sync-encode: changes of forwarded v4 TCP connections in random order, both states of each, MTU 1500, version 6\n");
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		if (sizes[i] <= opt->max_flows && !(opt->quick && i > 0))
			rc |= encode_size(opt, sizes[i]);
	if (opt->max_flows < sizes[0])
		rc |= encode_size(opt, opt->max_flows);
	return rc;
}

/* ---- forwarding, pfsync0 up and down */
static int
forward_size(const struct bench_opt *opt, uint64_t flows)
{
	const struct bench_rig_conf conf = { .scenario = "sync-forward", .flows = flows, .max_states = 2 * flows + 1024,
		.cable = "net_null2,no-rx=1" };
	struct bench_rig *r = bench_rig_make(opt, &conf);
	/* a whole second, or news of once a second would be in some turns and not in others */
	uint64_t hz = rte_get_tsc_hz(), phase = opt->quick ? hz / 5 : hz, sent = 0, bytes = 0;
	double f[5], off[5], on[5], mf, moff, mon, soff, son;
	unsigned turns = opt->quick ? 3 : 5;
	struct sync_info info;
	struct fp_err err;
	char params[64];
	int rc = 1;

	if (r == NULL)
		return 1;
	bench_establish(r, 0, flows, NULL);
	bench_flush(r);
	bench_forward(r, true, 100000, 0);
	for (unsigned i = 0; i < turns; i++) {
		uint64_t u, b;

		f[i] = bench_forward(r, false, 0, phase / 4);
		sync_up(r->sync, false, &err);
		bench_rig_poll(r, 10);
		if (r->w->sync != NULL)
			goto out;
		off[i] = bench_forward(r, true, 0, phase);
		sync_up(r->sync, true, &err);
		bench_rig_poll(r, 10);
		if (r->w->sync == NULL)
			goto out;
		sync_info_get(r->sync, &info);
		u = info.sent[SYNC_UPD_C];
		b = info.sent_bytes;
		on[i] = bench_forward(r, true, 0, phase);
		sync_info_get(r->sync, &info);
		sent += info.sent[SYNC_UPD_C] - u;
		bytes += info.sent_bytes - b;
	}
	mf = bench_median(f, turns, NULL);
	moff = bench_median(off, turns, &soff);
	mon = bench_median(on, turns, &son);
	printf("  %8lu flows: forward alone %5.1f  firewall, sync off %6.1f +- %.1f  on %6.1f +- %.1f cycles/packet: %+.1f %% of the packets/s; "
		"%.0f updates/s, %.1f MB/s on the cable\n", (unsigned long)flows, mf, moff, soff, mon, son, (moff / mon - 1) * 100,
		(double)sent / turns * hz / phase, (double)bytes / turns * hz / phase / 1e6);
	snprintf(params, sizeof(params), "\"flows\":%lu", (unsigned long)flows);
	bench_json(opt, "sync-forward", "off", params, moff, soff, "cycles/packet");
	bench_json(opt, "sync-forward", "on", params, mon, son, "cycles/packet");
	bench_json(opt, "sync-forward", "cost", params, (mon / moff - 1) * 100, 0, "percent");
	bench_json(opt, "sync-forward", "updates", params, (double)sent / turns * hz / phase, 0, "messages/s");
	rc = 0;
out:
	if (rc != 0)
		fprintf(stderr, "twinpath-bench: sync-forward: pfsync0 does not go up or down\n");
	bench_rig_free(r);
	return rc;
}

static int
run_forward(const struct bench_opt *opt)
{
	static const uint64_t sizes[] = { 1000, 64000, 1000000 };
	int rc = 0;

	printf("sync-forward: as in fastpath, with pfsync0 down and up in turns of %s\n", opt->quick ? "0.2 s" : "1 s");
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		if (sizes[i] <= opt->max_flows && !(opt->quick && i > 0))
			rc |= forward_size(opt, sizes[i]);
	return rc;
}

const struct bench_scenario bench_sync_encode = { "sync-encode",
	"pfsync: a change queued, encoded and sent, beside memcpy and the link; bytes on the wire", run_encode };
const struct bench_scenario bench_sync_forward = { "sync-forward", "pfsync: forwarding with sync on against off", run_forward };

static int
run(const struct bench_opt *opt)
{
	static const struct bench_scenario *const parts[] = { &bench_sync_encode, &bench_sync_forward, &bench_sync_apply,
		&bench_sync_insert, &bench_sync_load, &bench_lag, &bench_bulk };
	int rc = 0;

	for (unsigned i = 0; i < RTE_DIM(parts); i++)
		rc |= parts[i]->run(opt);
	return rc;
}

const struct bench_scenario bench_sync = { "sync", "pfsync, all parts: sync-* lag bulk", run };
