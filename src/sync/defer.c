/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deferral: the packet that made an outbound state waits until the peer has that state, or DEFER_US, whichever comes first
 * (spec/pfsync-behaviour.md A7). Then it goes on its way, always: nothing is lost here. On the worker.
 *
 * Held packets are a ring in order of arrival; a small hash by record finds the one that an acknowledgement means.
 */
#include <string.h>

#include "fastpath/forward.h"
#include "sync/pair.h"

#define AT_MASK (2 * SYNC_DEFER_MAX - 1)

static uint32_t
hash(uint32_t index)
{
	return (index * 0x9e3779b1u) >> 8;
}

static struct sync_held *
held(struct sync_slice *sl, uint32_t pos)
{
	return &sl->held[pos & (SYNC_DEFER_MAX - 1)];
}

/* Where the record's entry is, or NULL. Dead entries stay until the ring passes them, so probing goes on over them. */
static uint32_t *
find(struct sync_slice *sl, uint32_t index)
{
	for (uint32_t h = hash(index), i = 0; i <= AT_MASK; i++, h++) {
		uint32_t *at = &sl->held_at[h & AT_MASK];

		if (*at == 0)
			return NULL;
		if (held(sl, *at - 1)->index == index && held(sl, *at - 1)->m != NULL)
			return at;
	}
	return NULL;
}

static void
remember(struct sync_slice *sl, uint32_t index, uint32_t pos)
{
	uint32_t h = hash(index);

	while (sl->held_at[h & AT_MASK] != 0)
		h++;
	sl->held_at[h & AT_MASK] = pos + 1;
}

/* Linear probing: close the gap that an entry leaves. */
static void
forget(struct sync_slice *sl, uint32_t *at)
{
	uint32_t hole = (uint32_t)(at - sl->held_at), i = hole;

	for (;;) {
		uint32_t home;

		i = (i + 1) & AT_MASK;
		if (sl->held_at[i] == 0)
			break;
		home = hash(held(sl, sl->held_at[i] - 1)->index) & AT_MASK;
		if (((i - home) & AT_MASK) >= ((i - hole) & AT_MASK)) {
			sl->held_at[hole] = sl->held_at[i];
			hole = i;
		}
	}
	sl->held_at[hole] = 0;
}

static void
let_go(struct sync_slice *sl, struct sync_held *e, bool drop)
{
	struct fp_worker *w = sl->w;
	struct fp_state *st = fp_table_record(w->table, e->index);
	struct rte_mbuf *m = e->m;

	e->m = NULL;
	fp_count(&sl->cnt.defer_now, -1);
	if (fp_table_live(w->table, e->index) && !(st->flags & FP_SF_DEAD) && st->id[FP_HALF_OUT] == e->id &&
	    st->creatorid == e->creatorid)
		fp_state_flags_clear(st, FP_SF_DEFERRED);
	if (drop)
		fp_drop(w, m, FP_D_STATE_MISMATCH);
	else
		fp_forward_resume(w, m);
}

static void
pop(struct sync_slice *sl)
{
	struct sync_held *e = held(sl, sl->held_tail);

	if (e->m != NULL) {
		uint32_t *at = find(sl, e->index);

		if (at != NULL)
			forget(sl, at);
		let_go(sl, e, false);
	}
	sl->held_tail++;
}

bool
sync_defer_hold(struct fp_worker *w, struct fp_pkt *p, struct fp_state *st)
{
	struct sync_slice *sl = w->slice;
	const struct sync_run *run = sync_run_get(sl->s);
	uint32_t index = fp_table_index(w->table, st);
	struct sync_held *e;

	if (run == NULL || !run->up || !run->link || !run->defer || !(st->halves >> FP_HALF_OUT & 1) ||
	    st->hflags[FP_HALF_OUT] & FP_HF_NO_SYNC || fp_sync_pos_get(st, FP_HALF_OUT) != FP_SYNC_INS ||
	    st->flags & FP_SF_DEFERRED)
		return false;
	while (sl->held_tail != sl->held_head && held(sl, sl->held_tail)->m == NULL)
		sl->held_tail++;
	if (sl->held_head - sl->held_tail == SYNC_DEFER_MAX) {
		fp_count(&sl->cnt.defer_overflowed, 1);
		pop(sl); /* the oldest has waited long enough */
	}
	e = held(sl, sl->held_head);
	*e = (struct sync_held){ .m = p->m, .id = st->id[FP_HALF_OUT], .creatorid = st->creatorid, .index = index,
		.since_us = w->now_us };
	remember(sl, index, sl->held_head & (SYNC_DEFER_MAX - 1));
	sl->held_head++;
	fp_state_flags_set(st, FP_SF_DEFERRED);
	fp_count(&sl->cnt.defer_held, 1);
	fp_count(&sl->cnt.defer_now, 1);
	sl->urgent = true;
	sl->last_flush_us = 0;
	return true;
}

void
sync_defer_release(struct sync_slice *sl, struct fp_state *st, bool drop)
{
	uint32_t *at;
	struct sync_held *e;

	if (!(st->flags & FP_SF_DEFERRED) || (at = find(sl, fp_table_index(sl->w->table, st))) == NULL)
		return;
	e = held(sl, *at - 1);
	if (e->id != st->id[FP_HALF_OUT] || e->creatorid != st->creatorid)
		return;
	forget(sl, at);
	fp_count(&sl->cnt.defer_acked, 1);
	sync_hist_add(&sl->defer_hist, (fp_box_now_us(sl->w->box) - e->since_us) * 1000);
	let_go(sl, e, drop);
}

void
sync_defer_moved(struct sync_slice *sl, const struct fp_state *from, struct fp_state *to)
{
	uint32_t *at = find(sl, fp_table_index(sl->w->table, from)), pos;
	struct sync_held *e;

	if (at == NULL)
		return;
	pos = *at - 1;
	e = held(sl, pos);
	if (e->id != to->id[FP_HALF_OUT] || !(to->halves >> FP_HALF_OUT & 1)) {
		fp_state_flags_clear(to, FP_SF_DEFERRED); /* the half that waits stayed behind */
		return;
	}
	forget(sl, at);
	e->index = fp_table_index(sl->w->table, to);
	remember(sl, e->index, pos);
	fp_state_flags_clear((struct fp_state *)(uintptr_t)from, FP_SF_DEFERRED);
}

void
sync_defer_turn(struct sync_slice *sl)
{
	while (sl->held_tail != sl->held_head) {
		struct sync_held *e = held(sl, sl->held_tail);

		if (e->m != NULL) {
			if (sl->w->now_us - e->since_us < SYNC_DEFER_US)
				break;
			fp_count(&sl->cnt.defer_timed_out, 1);
		}
		pop(sl);
	}
}

void
sync_defer_flush(struct sync_slice *sl)
{
	while (sl->held_tail != sl->held_head)
		pop(sl);
}
