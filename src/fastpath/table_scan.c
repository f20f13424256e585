/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the owner of a state table does between bursts: walk, expiry scan, and freeing after grace periods.
 *
 * Walks follow the order of the record pools (not of the index), so that they read memory in sequence. A byte per slot
 * says which records are published; groups of eight free slots are skipped with one load.
 *
 * Removed items go through three lists, linked through the items: `open` collects; reclaim takes one RCU token for all of
 * them and they become `waiting`; when rte_rcu_qsbr_check() passes they are `ripe` and freed a few per loop. One token
 * serves a batch because starting one is an atomic addition that all workers share.
 */
#include <rte_rcu_qsbr.h>

#include "table_priv.h"

#define SCAN_AHEAD 8 /* records */

static uint32_t *
dead_link(struct fp_table *t, uint32_t nr)
{
	if (nr >> FP_CLASS_SHIFT == FP_DEAD_BUCKET >> FP_CLASS_SHIFT)
		return (uint32_t *)&t->view.overflow[nr & FP_CLASS_SLOT].link; /* low half; the high one says frozen */
	return &fp_table_record(t, nr)->ext;
}

static void
dead_push(struct fp_table *t, struct fp_dead_list *l, uint32_t nr)
{
	/* a lookup may stand in the bucket: it loads the whole word, whatever its low half */
	fp_store(dead_link(t, nr), FP_STATE_NONE);
	if (l->head == FP_STATE_NONE)
		l->head = nr;
	else
		fp_store(dead_link(t, l->tail), nr);
	l->tail = nr;
	l->len++;
}

static void
dead_free(struct fp_table *t, uint32_t nr)
{
	uint32_t class = nr >> FP_CLASS_SHIFT, slot = nr & FP_CLASS_SLOT;

	if (class == FP_DEAD_BUCKET >> FP_CLASS_SHIFT) {
		fp_store(&t->overflow_used, t->overflow_used - 1);
		fp_pool_put(&t->over, slot);
		return;
	}
	fp_store(&t->live[class][slot], FP_NOT_LIVE);
	fp_pool_put(&t->pool[class], slot);
}

void
fp_table_retire(struct fp_table *t, uint32_t nr)
{
	if (t->qs == NULL) {
		dead_free(t, nr);
		return;
	}
	dead_push(t, &t->open, nr);
	fp_store(&t->pending_free, t->pending_free + 1);
}

static unsigned
free_ripe(struct fp_table *t, unsigned n)
{
	struct fp_dead_list *l = &t->ripe;

	while (n > 0 && l->head != FP_STATE_NONE) {
		uint32_t nr = l->head;

		l->head = *dead_link(t, nr);
		if (l->head != FP_STATE_NONE)
			__builtin_prefetch(dead_link(t, l->head), 1, 3);
		dead_free(t, nr);
		l->len--;
		n--;
		fp_store(&t->pending_free, t->pending_free - 1);
	}
	return n;
}

static void
list_move(struct fp_dead_list *to, struct fp_dead_list *from)
{
	*to = *from;
	from->head = FP_STATE_NONE;
	from->len = 0;
}

void
fp_table_reclaim(struct fp_table *t, unsigned n)
{
	if (t->qs != NULL) {
		n = free_ripe(t, n);
		if (t->ripe.head == FP_STATE_NONE && t->waiting.head != FP_STATE_NONE &&
		    rte_rcu_qsbr_check(t->qs, t->token, false)) {
			list_move(&t->ripe, &t->waiting);
			free_ripe(t, n);
		}
		if (t->waiting.head == FP_STATE_NONE && t->open.head != FP_STATE_NONE) {
			list_move(&t->waiting, &t->open);
			t->token = rte_rcu_qsbr_start(t->qs);
		}
	}
	for (int c = 0; c < FP_CLASSES; c++)
		fp_pool_exchange(&t->pool[c], FP_POOL_BATCH * 4);
	fp_pool_exchange(&t->over, FP_POOL_BATCH);
}

uint32_t
fp_table_slots(const struct fp_table *t)
{
	uint32_t n = 0;

	for (int c = 0; c < FP_CLASSES; c++)
		n += fp_load(&t->pool[c].carved);
	return n;
}

/* What a walk may still do; all three bound it. */
struct budget {
	unsigned looks;		/* slots or groups of free ones */
	unsigned records;	/* calls */
	uint32_t round;		/* slots, so that nothing is visited twice */
};

/* From cursor (a record index) on: calls cb for living records within the budget. Where to go on, 0 at the end. */
static uint32_t
walk(struct fp_table *t, uint32_t cursor, struct budget *left, void (*cb)(struct fp_state *st, void *arg), void *arg)
{
	uint32_t class = cursor >> FP_CLASS_SHIFT, i = cursor & FP_CLASS_SLOT;

	for (; class < FP_CLASSES; class++, i = 0) {
		uint32_t end = fp_load(&t->pool[class].carved);
		const uint8_t *live = t->live[class];

		while (i < end) {
			struct fp_state *st;

			if (left->looks == 0 || left->records == 0 || left->round == 0)
				return class << FP_CLASS_SHIFT | i;
			left->looks--;
			if ((i & 7) == 0 && fp_load((const uint64_t *)(live + i)) == 0 && left->round >= 8) {
				left->round -= 8;
				i += 8;
				continue;
			}
			left->round--;
			/* the range is reserved beyond its end, and a prefetch of nothing is harmless */
			if (fp_load(&live[i + SCAN_AHEAD < end ? i + SCAN_AHEAD : i]))
				__builtin_prefetch(fp_table_record(t, class << FP_CLASS_SHIFT | (i + SCAN_AHEAD)), 0, 3);
			st = fp_table_record(t, class << FP_CLASS_SHIFT | i);
			/* acquire: pairs with the inserter's release, the record is complete */
			if (fp_load_acq(&live[i++]) == FP_LIVE && !(fp_load(&st->flags) & FP_SF_DEAD)) {
				cb(st, arg);
				left->records--;
			}
		}
	}
	return 0;
}

uint32_t
fp_table_walk(struct fp_table *t, uint32_t cursor, unsigned max_records, void (*cb)(struct fp_state *st, void *arg), void *arg)
{
	struct budget left = { .looks = max_records < UINT32_MAX / 16 ? max_records * 16 : UINT32_MAX, .records = max_records,
		.round = UINT32_MAX };

	return walk(t, cursor, &left, cb, arg);
}

void
fp_table_scan(struct fp_table *t, unsigned n, void (*cb)(struct fp_state *st, void *arg), void *arg)
{
	struct budget left = { .looks = n, .records = UINT32_MAX, .round = fp_table_slots(t) };

	/* twice at most: the end may lie in between */
	t->cursor = walk(t, t->cursor, &left, cb, arg);
	if (t->cursor == 0 && left.looks > 0)
		t->cursor = walk(t, 0, &left, cb, arg);
}
