/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slice: what the states of one worker have to tell the peer. Everything here runs on that worker.
 *
 * Queues hold names of records, never contents: a packet is built at the end of a turn, from what the states are then, so
 * further changes collapse into a waiting entry. An entry whose state has gone, or moved on to another queue, is passed
 * over. Order inside a packet: INS_ACK, UPD_C, DEL_C, INS, UPD (spec/pfsync-behaviour.md A3).
 *
 * When: changes that the peer must know (states made, ended, changed) at the end of the turn that saw them, but not more
 * often than every `set sync coalesce` while the link is busy, so that packets fill; windows that merely moved wait in a
 * ring of their own, `set sync hold` at the most (lazy_turn()). An acknowledgement, a held packet, an answer, a correction: at once.
 *
 * When the link does not take a packet it waits here (up to SYNC_TXQ of them), then nothing more is built, then queues
 * fill, then states are marked dirty and found again by a slow walk over the shard. The packet path never waits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_malloc.h>
#include <rte_random.h>

#include "fastpath/states.h"
#include "sync/pair.h"

#define BUILD_MAX 32u		/* packets built in one turn */
#define INBOX_MAX 64u		/* messages applied in one turn */
#define INBOX_SIZE 16384u
#define OUTBOX_SIZE 4096u
#define BULK_RECORDS 16u	/* looked at between two checks of the link */
#define BULK_TURN 8u		/* ... so often in a turn */
#define LAZY_MIN_US 10000
#define LAZY_TURN 128u		/* lazy ones looked at in one turn */
#define DIRTY_US 1000
#define DIRTY_RECORDS 64u
#define AHEAD 8u		/* records fetched before their turn */
#define FIGHT_SEC 2		/* pf: "peer is fighting for this state" */
#define REANCHOR_SEC 3		/* how long after its last news a learned flow may re-anchor */

/* ---- queues */
static inline unsigned
queue_len(const struct sync_queue *q)
{
	return q->head - q->tail;
}

static inline bool
queue_put(struct sync_queue *q, uint64_t id, uint32_t index, uint32_t creatorid)
{
	if (unlikely(q->head - q->tail == SYNC_QUEUE))
		return false;
	q->v[q->head++ & (SYNC_QUEUE - 1)] = (struct sync_ent){ .id = id, .index = index, .creatorid = creatorid };
	return true;
}

static inline void
note_change(struct sync_slice *sl)
{
	if (sl->oldest_us == 0)
		sl->oldest_us = sl->w->now_us;
	sl->urgent = true;
}

static struct sync_queue *
queue_of(struct sync_slice *sl, unsigned pos)
{
	return pos == FP_SYNC_INS ? &sl->ins : pos == FP_SYNC_UPD_C ? &sl->upd_c : &sl->upd;
}

/* Take a half to a position with a queue. A record has one entry in a queue, whichever of its halves are meant. */
static void
queue_half(struct sync_slice *sl, struct fp_state *st, int half, unsigned pos)
{
	bool there = st->halves >> !half & 1 && fp_sync_pos_get(st, !half) == pos;

	if (!there && !queue_put(queue_of(sl, pos), 0, fp_table_index(sl->w->table, st), 0)) {
		pos = pos == FP_SYNC_INS ? FP_SYNC_DIRTY_INS : FP_SYNC_DIRTY_UPD;
		fp_count(&sl->cnt.dirty, 1);
		fp_count(&sl->cnt.dirty_total, 1);
	}
	fp_sync_pos_set(st, half, pos);
}

/* The oldest of the lazy ones has waited long enough. */
static void
pop_lazy(struct sync_slice *sl)
{
	uint32_t index = sl->lazy[sl->lazy_tail++ & (sl->lazy_size - 1)].index;
	struct fp_state *st = fp_table_record(sl->w->table, index);

	if (!fp_table_live(sl->w->table, index) || st->flags & FP_SF_DEAD)
		return;
	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1 && fp_sync_pos_get(st, h) == FP_SYNC_LAZY) {
			queue_half(sl, st, h, FP_SYNC_UPD_C);
			note_change(sl);
		}
}

/* ---- hooks */
static void
inserted(struct fp_worker *w, struct fp_state *st, int half)
{
	struct sync_slice *sl = w->slice;

	if (st->hflags[half] & FP_HF_NO_SYNC || st->key.proto == SYNC_IPPROTO) {
		fp_sync_pos_set(st, half, FP_SYNC_DEAD);
		if (st->halves == FP_HALVES_BOTH && fp_sync_pos_get(st, !half) != FP_SYNC_DEAD)
			fp_state_flags_set(st, FP_SF_SLOW);
		return;
	}
	queue_half(sl, st, half, FP_SYNC_INS);
	/* the short path looks at both positions at once */
	if (st->halves == FP_HALVES_BOTH && fp_sync_pos_get(st, !half) == FP_SYNC_DEAD)
		fp_state_flags_set(st, FP_SF_SLOW);
	note_change(sl);
}

/* The window moved: to the end of those that wait. A full ring has its oldest go now. */
static void
queue_lazy(struct sync_slice *sl, struct fp_state *st, int half)
{
	bool there = st->halves >> !half & 1 && fp_sync_pos_get(st, !half) == FP_SYNC_LAZY;

	if (!there) {
		if (unlikely(sl->lazy_head - sl->lazy_tail == sl->lazy_size))
			pop_lazy(sl);
		sl->lazy[sl->lazy_head++ & (sl->lazy_size - 1)] = (struct sync_lazy){ fp_table_index(sl->w->table, st),
			(uint32_t)(sl->w->now_us / 1000) };
	}
	fp_sync_pos_set(st, half, FP_SYNC_LAZY);
}

static void
touched(struct fp_worker *w, struct fp_state *st, unsigned halves, bool transition)
{
	struct sync_slice *sl = w->slice;
	bool urgent = transition;

	if (unlikely(st->flags & (FP_SF_FIGHT | FP_SF_REANCHOR_SRC | FP_SF_REANCHOR_DST))) {
		uint8_t age = (uint8_t)(w->now_sec - st->sync_updates);

		if (!(st->flags & FP_SF_FIGHT)) {
			/* here is the first packet since the peer's last news: the time to re-anchor begins, and the peer hears of it */
			fp_state_flags_set(st, FP_SF_FIGHT);
			st->sync_updates = (uint8_t)w->now_sec;
			urgent = true;
		} else if (age < FIGHT_SEC) {
			urgent = true;
		} else if (age >= REANCHOR_SEC) {
			fp_state_flags_clear(st, FP_SF_FIGHT | FP_SF_REANCHOR_SRC | FP_SF_REANCHOR_DST);
			st->sync_updates = 0;
		}
	} else if (st->sync_updates >= w->sync_maxupd) {
		urgent |= st->key.proto == IPPROTO_TCP;
		st->sync_updates = 0;
	}
	for (int h = 0; h < 2; h++) {
		if (!(halves & st->halves & 1u << h))
			continue;
		switch (fp_sync_pos_get(st, h)) {
		case FP_SYNC_LAZY:
			fp_count(&sl->cnt.collapsed, 1);
			/* FALLTHROUGH */
		case FP_SYNC_NONE:
			if (urgent) {
				queue_half(sl, st, h, FP_SYNC_UPD_C);
				note_change(sl);
			} else if (fp_sync_pos_get(st, h) == FP_SYNC_NONE) {
				queue_lazy(sl, st, h);
			}
			break;
		case FP_SYNC_UPD_C:
		case FP_SYNC_UPD:
			fp_count(&sl->cnt.collapsed, 1);
			break;
		}
	}
}

static void
removed(struct fp_worker *w, struct fp_state *st, int half)
{
	struct sync_slice *sl = w->slice;
	unsigned pos = fp_sync_pos_get(st, half);

	fp_sync_pos_set(st, half, FP_SYNC_DEAD);
	if (pos == FP_SYNC_DIRTY_INS || pos == FP_SYNC_DIRTY_UPD)
		fp_count(&sl->cnt.dirty, -1);
	if (pos == FP_SYNC_DEAD)
		return;
	if (pos == FP_SYNC_INS || pos == FP_SYNC_DIRTY_INS) {
		fp_count(&sl->cnt.annihilated, 1);
		return;
	}
	if (st->hflags[half] & FP_HF_NO_SYNC)
		return;
	if (!queue_put(&sl->del, st->id[half], 0, st->creatorid))
		fp_count(&sl->cnt.deletes_lost, 1);
	else
		note_change(sl);
}

static void
moved(struct fp_worker *w, struct fp_state *st, int half, const struct fp_state *from)
{
	struct sync_slice *sl = w->slice;
	unsigned pos = fp_sync_pos_get(st, half);

	fp_sync_pos_set(st, !half, FP_SYNC_NONE);
	fp_sync_pos_set((struct fp_state *)(uintptr_t)from, half, FP_SYNC_NONE);
	if (pos == FP_SYNC_INS || pos == FP_SYNC_UPD_C || pos == FP_SYNC_UPD)
		queue_half(sl, st, half, pos);
	else if (pos == FP_SYNC_LAZY)
		queue_lazy(sl, st, half);
	if (st->flags & FP_SF_DEFERRED)
		sync_defer_moved(sl, from, st);
	sync_slice_tell(sl, st->id[half], st->creatorid, fp_table_index(w->table, st));
}

/* ---- for apply.c */
void
sync_slice_queue_upd(struct sync_slice *sl, struct fp_state *st, unsigned halves)
{
	/* the other half goes along: what is one record here stays one there */
	(void)halves;
	for (int h = 0; h < 2; h++) {
		unsigned pos = fp_sync_pos_get(st, h);

		if (st->halves >> h & 1 && (pos == FP_SYNC_NONE || pos == FP_SYNC_UPD_C || pos == FP_SYNC_LAZY))
			queue_half(sl, st, h, FP_SYNC_UPD);
	}
	note_change(sl);
	sl->last_flush_us = 0;
}

void
sync_slice_queue_upd_c(struct sync_slice *sl, struct fp_state *st, unsigned halves)
{
	(void)halves;
	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1 && (fp_sync_pos_get(st, h) == FP_SYNC_NONE || fp_sync_pos_get(st, h) == FP_SYNC_LAZY))
			queue_half(sl, st, h, FP_SYNC_UPD_C);
	note_change(sl);
	sl->last_flush_us = 0;
}

void
sync_slice_queue_ack(struct sync_slice *sl, uint64_t id, uint32_t creatorid)
{
	if (queue_put(&sl->ack, id, 0, creatorid)) {
		note_change(sl);
		sl->last_flush_us = 0;
	}
}

void
sync_slice_again(struct sync_slice *sl, const struct sync_past *p)
{
	struct fp_state *st;

	if (p->index != SYNC_PAST_GONE) {
		st = fp_table_record(sl->w->table, p->index);
		if (fp_table_live(sl->w->table, p->index) && !(st->flags & FP_SF_DEAD) && st->creatorid == p->creatorid &&
		    ((st->halves & 1 && st->id[0] == p->id) || (st->halves & 2 && st->id[1] == p->id)))
			sync_slice_queue_upd(sl, st, st->halves);
		return;	/* gone since: its delete is numbered too */
	}
	if (queue_put(&sl->del, p->id, 0, p->creatorid))
		note_change(sl);
}

struct sync_counts *
sync_slice_counts(struct sync_slice *sl)
{
	return &sl->cnt;
}

void
sync_slice_tell(struct sync_slice *sl, uint64_t id, uint32_t creatorid, uint32_t index)
{
	struct sync_msg_t m = { .id = id, .creatorid = creatorid, .index = index };

	/* full: the state is found by its key when the peer sends it whole */
	rte_ring_sp_enqueue_elem(sl->outbox, &m, sizeof(m));
}

/* ---- transmit */
static void
tx_try(struct sync_slice *sl, const struct sync_run *run)
{
	struct fp_worker *w = sl->w;
	unsigned n = sl->n_tx, sent;
	uint16_t queue, owner;

	if (n == 0)
		return;
	queue = w->tx[run->port_id].queue;
	owner = w->tx[run->port_id].owner;
	if (queue != FP_TXQ_NONE)
		sent = rte_eth_tx_burst(run->port_id, queue, sl->tx, n);
	else if (owner != FP_TXQ_NONE)
		sent = rte_ring_mp_enqueue_burst(w->box->workers[owner]->txreq, (void **)sl->tx, n, NULL);
	else
		sent = 0;
	if (sent == n) {
		sl->n_tx = 0;
		return;
	}
	fp_count(&sl->cnt.tx_retries, 1);
	memmove(sl->tx, sl->tx + sent, (n - sent) * sizeof(sl->tx[0]));
	sl->n_tx = n - sent;
}

/* A finished packet into the list; there is room (callers look). */
void
sync_slice_emit(struct sync_slice *sl, const struct sync_run *run, struct sync_packet *pk)
{
	struct fp_worker *w = sl->w;

	if (!sync_packet_finish(pk, sl->s, run, w->id, sl->seq))
		return;
	if (pk->bare == 0) {
		sl->seq++;
		sl->tail_us = w->now_us;
		sl->tail_n = 0;
	}
	fp_count(&sl->cnt.sent_packets, 1);
	fp_count(&sl->cnt.sent_bytes, pk->m->pkt_len);
	fp_count(&sl->cnt.cnt[run->af == FP_AF_INET ? SYNC_CNT_opackets : SYNC_CNT_opackets6], 1);
	switch (sync_packet_l2(sl->s, run, w->conf, pk->m)) {
	case 1:
		sl->tx[sl->n_tx++] = pk->m;
		break;
	case 0:
		fp_punt(w, pk->m, FP_PUNT_NEIGH_MISS, run->ifid);
		break;
	default:
		fp_count(&sl->cnt.cnt[SYNC_CNT_oerrors], 1);
	}
	pk->m = NULL;
}

/* ---- building */
enum put { PUT_OK, PUT_FULL, PUT_NOT };

static void
watch(struct sync_slice *sl, enum sync_kind kind, const struct sync_ident *id, const struct sync_state *st)
{
	struct sync_event ev = { .time_us = sl->w->now_us, .out = true, .kind = kind, .id = id->id, .creatorid = id->creatorid };

	const struct sync_run *run = sync_run_get(sl->s);

	ev.version = sync_version_of(sync_dialect_get(sl->s));
	if (run != NULL)
		inet_ntop(run->af == FP_AF_INET6 ? AF_INET6 : AF_INET, run->peer, ev.peer, sizeof(ev.peer));
	if (st != NULL) {
		ev.has_state = true;
		ev.state = *st;
	}
	sync_event_put(sl->s, sl->w->id, &ev);
}

static bool
put_state(struct sync_slice *sl, struct sync_packet *pk, enum sync_kind kind, const struct fp_state *st, int half,
	enum put *res)
{
	enum sync_dialect d = pk->out.dialect;
	struct sync_state v;

	if (likely(d == SYNC_6 && !sync_watched(sl->s))) {
		uint8_t *p = sync_out_room(&pk->out, kind);

		if (p == NULL) {
			*res = PUT_FULL;
			return false;
		}
		sync_encode_state6(sl->w, st, half, sl->total, p);
		fp_count(&sl->cnt.sent[kind], 1);
		sync_history_put(sl, st->id[half], st->creatorid, fp_table_index(sl->w->table, st));
		return true;
	}
	sync_export(sl->w, st, half, &v);
	if (d != SYNC_6 && sync_state_convert(&v, SYNC_6, d) != 0) {
		*res = PUT_NOT;
		return true;
	}
	if (!sync_out_state(&pk->out, kind, &v)) {
		*res = PUT_FULL;
		return false;
	}
	fp_count(&sl->cnt.sent[kind], 1);
	sync_history_put(sl, v.id, v.creatorid, fp_table_index(sl->w->table, st));
	if (unlikely(sync_watched(sl->s)))
		watch(sl, kind, &(struct sync_ident){ v.id, v.creatorid }, &v);
	return true;
}

/* Bytes that a message takes with a subheader of its own. */
static size_t
state_room(enum sync_dialect d)
{
	return sync_state_size(d) + SYNC_SUB_SIZE;
}

/* All halves of the record that are in this position, together in one packet or not at all. */
static enum put
put_record(struct sync_slice *sl, struct sync_packet *pk, struct fp_state *st, unsigned pos)
{
	enum sync_kind kind = pos == FP_SYNC_INS ? SYNC_INS : pos == FP_SYNC_UPD ? SYNC_UPD : SYNC_UPD_C;
	unsigned mask = 0;
	enum put res = PUT_OK;
	size_t each = kind == SYNC_UPD_C ? SYNC_UPDC_SIZE + SYNC_SUB_SIZE : state_room(pk->out.dialect);

	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1 && fp_sync_pos_get(st, h) == pos)
			mask |= 1u << h;
	if (mask == 0)	/* it was sent with something else, or is another state by now */
		return PUT_OK;
	/* the receiver keeps both in one record only as long as both say the same */
	if (pos == FP_SYNC_UPD_C && st->halves == FP_HALVES_BOTH)
		for (int h = 0; h < 2; h++)
			if (fp_sync_pos_get(st, h) == FP_SYNC_NONE || fp_sync_pos_get(st, h) == FP_SYNC_LAZY)
				mask |= 1u << h;
	/* together, unless a whole packet has no room for two */
	if (mask == 3 && pk->out.len + 2 * each + SYNC_SUB_SIZE > pk->out.size && pk->out.len != SYNC_HDR_SIZE)
		return PUT_FULL;
	for (int h = 0; h < 2; h++) {
		if (!(mask >> h & 1))
			continue;
		if (kind == SYNC_UPD_C) {
			uint8_t *p = sync_out_room(&pk->out, kind);

			if (p == NULL)
				return PUT_FULL;
			sync_encode_upd_c(sl->w, st, h, p);
			fp_count(&sl->cnt.sent[kind], 1);
			sync_history_put(sl, st->id[h], st->creatorid, fp_table_index(sl->w->table, st));
			if (unlikely(sync_watched(sl->s)))
				watch(sl, kind, &(struct sync_ident){ st->id[h], st->creatorid }, NULL);
		} else if (!put_state(sl, pk, kind, st, h, &res)) {
			return res;
		}
		fp_sync_pos_set(st, h, FP_SYNC_NONE);
	}
	if (!(st->flags & FP_SF_FIGHT))
		st->sync_updates = 0;
	return PUT_OK;
}

static bool
fill_records(struct sync_slice *sl, struct sync_packet *pk, struct sync_queue *q, unsigned pos)
{
	const struct fp_table *t = sl->w->table;

	while (queue_len(q) > 0) {
		/*
		 * Positions tell what waits: a record that is another state by now has none here, or one that is as good. One that
		 * is free is not looked at: the sync thread may be filling it.
		 */
		uint32_t index = q->v[q->tail & (SYNC_QUEUE - 1)].index;
		struct fp_state *st = fp_table_record(t, index);

		if (queue_len(q) > AHEAD) {
			uint32_t next = q->v[(q->tail + AHEAD) & (SYNC_QUEUE - 1)].index;

			fp_table_prefetch_record(t, next);
			__builtin_prefetch(fp_table_record(t, next)->id, 0, 3);
			fp_table_prefetch_live(t, next);
		}
		if (fp_table_live(t, index) && !(st->flags & FP_SF_DEAD) && put_record(sl, pk, st, pos) == PUT_FULL)
			return false;
		q->tail++;
	}
	return true;
}

static bool
fill_idents(struct sync_slice *sl, struct sync_packet *pk, struct sync_queue *q, enum sync_kind kind)
{
	while (queue_len(q) > 0) {
		const struct sync_ent *e = &q->v[q->tail & (SYNC_QUEUE - 1)];
		struct sync_ident id = { .id = e->id, .creatorid = e->creatorid };

		if (!sync_out_ident(&pk->out, kind, &id))
			return false;
		fp_count(&sl->cnt.sent[kind], 1);
		if (kind == SYNC_DEL_C)
			sync_history_put(sl, id.id, id.creatorid, SYNC_PAST_GONE);
		if (unlikely(sync_watched(sl->s)))
			watch(sl, kind, &id, NULL);
		q->tail++;
	}
	return true;
}

static unsigned
waiting(const struct sync_slice *sl)
{
	return queue_len(&sl->ack) + queue_len(&sl->upd_c) + queue_len(&sl->del) + queue_len(&sl->ins) + queue_len(&sl->upd);
}

/* Build and send until nothing waits, or enough for one turn. */
static unsigned
flush(struct sync_slice *sl, const struct sync_run *run)
{
	enum sync_dialect d = sync_dialect_get(sl->s);
	struct sync_packet pk;
	unsigned built = 0;

	sl->total = fp_states_total(sl->w->box);
	while (waiting(sl) > 0 && built < BUILD_MAX && sl->n_tx < SYNC_TXQ - 1) {
		bool empty;

		if (!sync_packet_begin(&pk, sl->s, run, sl->s->pool, d)) {
			/* pf drops what waits; here it waits on */
			fp_count(&sl->cnt.cnt[SYNC_CNT_onomem], 1);
			break;
		}
		pk.oldest_us = sl->oldest_us;
		if (fill_idents(sl, &pk, &sl->ack, SYNC_INS_ACK) && fill_records(sl, &pk, &sl->upd_c, FP_SYNC_UPD_C) &&
		    fill_idents(sl, &pk, &sl->del, SYNC_DEL_C) && fill_records(sl, &pk, &sl->ins, FP_SYNC_INS))
			fill_records(sl, &pk, &sl->upd, FP_SYNC_UPD);
		empty = pk.out.len == SYNC_HDR_SIZE;
		sync_slice_emit(sl, run, &pk);
		built++;
		if (empty && waiting(sl) != 0)
			break; /* a packet too small for a record: refused when the MTU was set */
	}
	sl->last_flush_us = sl->w->now_us;
	if (waiting(sl) == 0) {
		sl->urgent = false;
		sl->oldest_us = 0;
	}
	return built;
}

/* ---- walks: bulk, repair */
static bool
walk_open(struct sync_slice *sl, const struct sync_run *run)
{
	if (!sl->is_open) {
		if (!sync_packet_begin(&sl->open, sl->s, run, sl->s->pool, sync_dialect_get(sl->s))) {
			fp_count(&sl->cnt.cnt[SYNC_CNT_onomem], 1);
			return false;
		}
		sl->is_open = true;
	}
	return true;
}

static void
walk_close(struct sync_slice *sl, const struct sync_run *run)
{
	if (sl->is_open)
		sync_slice_emit(sl, run, &sl->open);
	sl->is_open = false;
}

struct bulk_arg { struct sync_slice *sl; const struct sync_run *run; unsigned packets; bool nomem; };

static void
bulk_record(struct fp_state *st, void *arg)
{
	struct bulk_arg *a = arg;
	struct sync_slice *sl = a->sl;
	unsigned n = 0;

	for (int h = 0; h < 2; h++)
		n += st->halves >> h & 1 && !(st->hflags[h] & (FP_HF_NO_SYNC | FP_HF_PURGE));
	if (n == 0 || a->nomem)
		return;
	if (sl->is_open && sl->open.out.len + n * state_room(sl->open.out.dialect) + SYNC_SUB_SIZE > sl->open.out.size) {
		walk_close(sl, a->run);
		a->packets++;
	}
	if (!walk_open(sl, a->run)) {
		a->nomem = true;
		return;
	}
	for (int h = 0; h < 2; h++) {
		enum put res = PUT_OK;

		if (!(st->halves >> h & 1) || st->hflags[h] & (FP_HF_NO_SYNC | FP_HF_PURGE))
			continue;
		if (!put_state(sl, &sl->open, SYNC_UPD, st, h, &res)) {	/* a packet of one record only */
			walk_close(sl, a->run);
			a->packets++;
			if (!walk_open(sl, a->run) || !put_state(sl, &sl->open, SYNC_UPD, st, h, &res)) {
				a->nomem = true;
				return;
			}
		}
		fp_count(&sl->cnt.bulk_sent, 1);
	}
}

static unsigned
bulk_turn(struct sync_slice *sl, const struct sync_run *run)
{
	struct bulk_arg a = { .sl = sl, .run = run };
	unsigned work = 0;

	sl->total = fp_states_total(sl->w->box);
	if (sl->bulk_rate != 0) {
		/* the share of this worker, saved up for 20 ms at the most */
		uint64_t dt = sl->w->now_us - sl->bulk_us;

		sl->bulk_us = sl->w->now_us;
		sl->bulk_credit = RTE_MIN(sl->bulk_credit + dt * sl->bulk_rate, 20000ul * sl->bulk_rate);
	}
	for (unsigned i = 0; i < BULK_TURN && sl->n_tx < SYNC_TXQ / 2; i++) {
		uint32_t from = sl->bulk_cursor;

		if (sl->bulk_rate != 0 && sl->bulk_credit < 1000ul * sl->s->n_slices)
			break;
		a.packets = 0;
		sl->bulk_cursor = fp_table_walk(sl->w->table, from, sl->bulk_rate != 0 ? 2 : BULK_RECORDS, bulk_record, &a);
		work++;
		if (a.nomem) {	/* these records again, later; the peer takes repetitions */
			sl->bulk_cursor = from;
			break;
		}
		if (sl->bulk_rate != 0)
			sl->bulk_credit -= RTE_MIN(sl->bulk_credit, 1000ul * sl->s->n_slices * a.packets);
		if (sl->bulk_cursor == 0) {
			walk_close(sl, run);
			sl->bulk = false;
			break;
		}
	}
	tx_try(sl, run);
	if (!sl->bulk && sl->n_tx == 0)
		/* release: what was sent before END goes out before it */
		__atomic_store_n(&sl->bulk_done, sl->bulk_gen, __ATOMIC_RELEASE);
	return work;
}

uint32_t
sync_slice_bulk_done(const struct sync *s, unsigned worker)
{
	return __atomic_load_n(&s->slices[worker]->bulk_done, __ATOMIC_ACQUIRE);
}

static void
dirty_record(struct fp_state *st, void *arg)
{
	struct sync_slice *sl = arg;

	for (int h = 0; h < 2; h++) {
		unsigned pos = fp_sync_pos_get(st, h);

		if (!(st->halves >> h & 1) || (pos != FP_SYNC_DIRTY_INS && pos != FP_SYNC_DIRTY_UPD))
			continue;
		fp_count(&sl->cnt.dirty, -1);
		queue_half(sl, st, h, pos == FP_SYNC_DIRTY_INS ? FP_SYNC_INS : FP_SYNC_UPD);
		note_change(sl);
	}
}

/*
 * Windows that moved go out after LAZY_MIN_US, and 10 us more for each that waits, up to `hold`: a few flows are never far
 * behind, and many take no more than 100,000 updates a second, each with the newest that is known.
 */
static void
lazy_turn(struct sync_slice *sl, uint32_t hold_us)
{
	uint32_t n = sl->lazy_head - sl->lazy_tail, now_ms = (uint32_t)(sl->w->now_us / 1000);
	uint32_t wait_ms = (uint32_t)RTE_MIN((uint64_t)hold_us, LAZY_MIN_US + 10ull * n) / 1000;

	for (unsigned i = 0; i < LAZY_TURN && sl->lazy_head != sl->lazy_tail &&
	    now_ms - sl->lazy[sl->lazy_tail & (sl->lazy_size - 1)].ms >= wait_ms; i++)
		pop_lazy(sl);
}

/* ---- the turn */
unsigned
sync_slice_turn(struct fp_worker *w)
{
	struct sync_slice *sl = w->slice;
	const struct sync_run *run = sync_run_get(sl->s);
	uint32_t coalesce = __atomic_load_n(&w->box->params->sync_coalesce_us, __ATOMIC_RELAXED);
	uint32_t hold = __atomic_load_n(&w->box->params->sync_hold_us, __ATOMIC_RELAXED);
	unsigned work = 0;

	if (w->conf == NULL)
		return 0;
	for (unsigned i = 0; i < INBOX_MAX; i++) {
		if (!sl->msg_pending) {
			if (rte_ring_sc_dequeue_elem(sl->inbox, &sl->msg, sizeof(sl->msg)) != 0)
				break;
			sl->msg_pending = true;
			if (sl->msg.kind == SYNC_M_BULK) {
				sl->bulk = true;
				sl->bulk_cursor = 0;
				sl->bulk_gen = sl->msg.gen;
				sl->bulk_rate = sl->msg.rate;
				sl->bulk_us = w->now_us;
				sl->bulk_credit = 0;
				sl->msg_pending = false;
				continue;
			}
			if (sl->msg.kind == SYNC_M_LEVEL) {
				sl->level_gen = sl->msg.gen;
				sl->msg_pending = false;
				work++;
				continue;
			}
			if (sl->msg.kind == SYNC_M_NACK) {
				sync_session_nacked(sl, sl->msg.index, sl->msg.gen);
				sl->msg_pending = false;
				work++;
				break; /* a walk over all that is remembered: one a turn, whoever asks */
			}
		}
		work++;
		if (!sync_apply(w, sl, &sl->msg))
			break;
		sl->msg_pending = false;
	}
	if (sl->held_head != sl->held_tail)
		sync_defer_turn(sl);
	if (unlikely(run == NULL || !run->up))
		return work;
	if (unlikely(!run->link)) {
		if (sl->bulk) {
			sl->bulk = false;
			__atomic_store_n(&sl->bulk_done, sl->bulk_gen, __ATOMIC_RELEASE);
		}
		return work;
	}
	tx_try(sl, run);
	if (unlikely(sl->cnt.dirty != 0 && w->now_us - sl->dirty_us >= DIRTY_US && waiting(sl) < SYNC_QUEUE / 4)) {
		sl->dirty_us = w->now_us;
		sl->dirty_cursor = fp_table_walk(w->table, sl->dirty_cursor, DIRTY_RECORDS, dirty_record, sl);
	}
	if (unlikely(sl->level_done != sl->level_gen)) {
		hold = 0;
		coalesce = 0;
		work++;
	}
	if (sl->lazy_head != sl->lazy_tail)
		lazy_turn(sl, hold);
	if (sl->urgent && w->now_us - sl->last_flush_us >= coalesce) {
		work += flush(sl, run);
		tx_try(sl, run);
	} else if (sl->urgent) {
		work++; /* no sleep before it is out */
	}
	if (sl->bulk || sl->bulk_done != sl->bulk_gen)
		work += bulk_turn(sl, run);
	if (unlikely(sl->level_done != sl->level_gen) && sl->lazy_head == sl->lazy_tail && waiting(sl) == 0 && sl->n_tx == 0)
		sync_session_levelled(sl);
	sync_session_tail(sl, run);
	return work;
}

void
sync_slice_reset(struct sync_slice *sl)
{
	struct sync_queue *q[] = { &sl->ins, &sl->upd_c, &sl->upd, &sl->del, &sl->ack };

	for (unsigned i = 0; i < RTE_DIM(q); i++)
		q[i]->head = q[i]->tail = 0;
	if (sl->msg_pending)
		sync_apply_discard(sl->w, sl, &sl->msg);
	sync_defer_flush(sl);
	rte_pktmbuf_free_bulk(sl->tx, sl->n_tx);
	sl->n_tx = 0;
	if (sl->is_open)
		rte_pktmbuf_free(sl->open.m);
	sl->is_open = sl->bulk = sl->urgent = sl->msg_pending = false;
	__atomic_store_n(&sl->bulk_done, sl->bulk_gen, __ATOMIC_RELEASE); /* as in bulk_turn() */
	sl->lazy_head = sl->lazy_tail = 0;
	sl->oldest_us = 0;
	sl->cnt.dirty = 0;
	while (rte_ring_sc_dequeue_elem(sl->inbox, &sl->msg, sizeof(sl->msg)) == 0)
		sync_apply_discard(sl->w, sl, &sl->msg);
}

const struct fp_sync_hooks sync_hooks = {
	.inserted = inserted,
	.touched = touched,
	.removed = removed,
	.moved = moved,
	.defer = sync_defer_hold,
	.turn = sync_slice_turn,
	.cleared = sync_cleared,
	.poll = sync_poll,
	.ports = sync_ports, .stopping = sync_stopping,
	.received = sync_received,
};

/* ---- life; main lcore */
static struct rte_ring *
make_ring(const struct fp_worker *w, const char *what, unsigned esize, unsigned n)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "sy%x%s%u", (unsigned)((uintptr_t)w->box >> 6), what, w->id);
	return rte_ring_create_elem(name, esize, n, w->socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

struct sync_slice *
sync_slice_create(struct sync *s, struct fp_worker *w)
{
	struct sync_slice *sl = rte_zmalloc_socket("sync_slice", sizeof(*sl), RTE_CACHE_LINE_SIZE, w->socket);
	struct sync_queue *q[5];

	if (sl == NULL)
		return NULL;
	sl->s = s;
	sl->w = w;
	sl->seq = (uint32_t)rte_rand(); /* a peer that knew us before is not to take new numbers for late ones */
	q[0] = &sl->ins;
	q[1] = &sl->upd_c;
	q[2] = &sl->upd;
	q[3] = &sl->del;
	q[4] = &sl->ack;
	sl->inbox = make_ring(w, "i", sizeof(struct sync_msg_w), INBOX_SIZE);
	sl->outbox = make_ring(w, "o", sizeof(struct sync_msg_t), OUTBOX_SIZE);
	sl->held = rte_zmalloc_socket("sync_held", SYNC_DEFER_MAX * sizeof(*sl->held), 0, w->socket);
	sl->past = rte_zmalloc_socket("sync_past", SYNC_PAST * sizeof(*sl->past), 0, w->socket);
	sl->held_at = rte_zmalloc_socket("sync_held", 2 * SYNC_DEFER_MAX * sizeof(*sl->held_at), 0, w->socket);
	/* room for every record; pages come as they are used */
	sl->lazy_size = rte_align32pow2(RTE_MIN(w->box->params->limit_states + 1024, 1u << 29));
	sl->lazy = mmap(NULL, sl->lazy_size * sizeof(*sl->lazy), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (sl->lazy == MAP_FAILED) {
		sl->lazy = NULL;
		goto nomem;
	}
	for (unsigned i = 0; i < 5; i++) {
		q[i]->v = rte_zmalloc_socket("sync_queue", SYNC_QUEUE * sizeof(struct sync_ent), 0, w->socket);
		if (q[i]->v == NULL)
			goto nomem;
	}
	if (sl->inbox != NULL && sl->outbox != NULL && sl->held != NULL && sl->held_at != NULL && sl->past != NULL)
		return sl;
nomem:
	sync_slice_destroy(sl);
	return NULL;
}

void
sync_slice_destroy(struct sync_slice *sl)
{
	if (sl == NULL)
		return;
	if (sl->inbox != NULL)
		sync_slice_reset(sl);
	rte_ring_free(sl->inbox);
	rte_ring_free(sl->outbox);
	rte_free(sl->ins.v);
	rte_free(sl->upd_c.v);
	rte_free(sl->upd.v);
	rte_free(sl->del.v);
	rte_free(sl->ack.v);
	rte_free(sl->held);
	rte_free(sl->held_at);
	rte_free(sl->past);
	if (sl->lazy != NULL)
		munmap(sl->lazy, sl->lazy_size * sizeof(*sl->lazy));
	rte_free(sl);
}
