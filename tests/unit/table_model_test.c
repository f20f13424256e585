/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The argument at the top of src/fastpath/table_index.c, checked by going through every interleaving: one chain of three
 * slots, an owner that inserts and removes, a sync lcore that inserts, each step one access to memory. The owner's plain
 * stores go through a store buffer (total store order), so that a missing fence shows. At no moment may the same key be
 * published twice.
 *
 * Each rule of the protocol can be left out; then some interleaving must break it. So the rules are needed, and the test
 * is able to fail. What the model does not have: growth and shrinking of chains, and weaker memory than x86.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SLOTS 3
#define BUFFER 4
#define OWNER_OPS 3
#define SYNC_OPS 2
#define SYNC_TRIES 4

/* Values of a slot. K and L are keys that both insert, OTHER was there before. */
enum { EMPTY, LIVE_K, LIVE_L, PENDING_K, PENDING_L, WITHDRAWN, OTHER };
/* Owner's operations; REMOVE + slot */
enum { OP_NONE, OP_INSERT_K, OP_INSERT_L, OP_REMOVE };

/* Rules left out. */
#define NO_SECOND_SCAN 1
#define NO_EARLIER_EMPTY 2
#define NO_PENDING_LOOK 4
#define NO_FENCE 8
#define WITHDRAW_TO_EMPTY 16

enum owner_pc { O_NEXT, O_FENCE, O_SCAN, O_KILL, O_CAS, O_RECYCLE, O_REMOVE };
enum sync_pc { S_NEXT, S_SCAN, S_CAS, S_AGAIN, S_PUBLISH, S_WITHDRAW };

/* One state of the whole; bytes only, so that it hashes and compares as a block. */
struct world {
	uint8_t slot[SLOTS];
	uint8_t buf_slot[BUFFER], buf_len; /* all the owner ever stores plainly is EMPTY */
	uint8_t o_pc, o_op, o_i, o_first, o_retry, o_dirty, o_need_fence;
	uint8_t s_pc, s_op, s_i, s_first, s_early, s_lost, s_tries;
};

struct script {
	uint8_t owner[OWNER_OPS], sync[SYNC_OPS];
	unsigned without;
};

#define NONE 0xff

/* ---- visited set */
#define SET_BITS 20
static struct world *set;
static uint8_t *set_used;
static uint32_t set_list[1 << SET_BITS], set_len;

static bool
set_add(const struct world *w)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(*w); i++)
		h = (h ^ ((const uint8_t *)w)[i]) * 0x100000001b3ull;
	for (uint32_t i = (uint32_t)(h >> (64 - SET_BITS));; i = (i + 1) & ((1 << SET_BITS) - 1)) {
		if (!set_used[i]) {
			assert_true(set_len < (1u << SET_BITS) / 2);
			set_used[i] = 1;
			set[i] = *w;
			set_list[set_len++] = i;
			return true;
		}
		if (memcmp(&set[i], w, sizeof(*w)) == 0)
			return false;
	}
}

static void
set_clear(void)
{
	while (set_len > 0)
		set_used[set_list[--set_len]] = 0;
}

/* ---- owner */

static uint8_t
owner_load(const struct world *w, int i)
{
	for (int b = 0; b < w->buf_len; b++)
		if (w->buf_slot[b] == i)
			return EMPTY;
	return w->slot[i];
}

static void
owner_store_empty(struct world *w, int i)
{
	w->buf_slot[w->buf_len++] = (uint8_t)i;
	w->o_need_fence = 1;
}

static void
owner_start_scan(struct world *w)
{
	w->o_pc = O_SCAN;
	w->o_i = 0;
	w->o_first = NONE;
	w->o_retry = 0;
}

static void
owner_end_insert(struct world *w)
{
	w->o_i = 0;
	w->o_pc = w->o_dirty ? O_RECYCLE : O_NEXT;
	w->o_dirty = 0;
}

/* One step; false: cannot move now (finished, or waits for its store buffer). */
static bool
owner_step(struct world *w, const struct script *s)
{
	uint8_t op = w->o_op > 0 ? s->owner[w->o_op - 1] : OP_NONE;
	uint8_t live = op == OP_INSERT_K ? LIVE_K : LIVE_L, pending = op == OP_INSERT_K ? PENDING_K : PENDING_L, v;

	switch (w->o_pc) {
	case O_NEXT:
		if (w->o_op == OWNER_OPS || s->owner[w->o_op] == OP_NONE)
			return false;
		op = s->owner[w->o_op++];
		w->o_i = 0;
		if (op >= OP_REMOVE)
			w->o_pc = O_REMOVE;
		else if (w->o_need_fence && !(s->without & NO_FENCE))
			w->o_pc = O_FENCE;
		else
			owner_start_scan(w);
		return true;
	case O_FENCE:
		if (w->buf_len > 0)
			return false;
		w->o_need_fence = 0;
		owner_start_scan(w);
		return true;
	case O_SCAN:
		if (w->o_i == SLOTS) {
			if (w->o_retry)
				owner_start_scan(w);
			else if (w->o_first == NONE)
				owner_end_insert(w); /* would grow the chain */
			else
				w->o_pc = O_CAS;
			return true;
		}
		v = owner_load(w, w->o_i);
		if (v == live) {
			owner_end_insert(w); /* lost */
			return true;
		}
		if (v == pending && !(s->without & NO_PENDING_LOOK)) {
			w->o_pc = O_KILL;
			return true;
		}
		if (v == WITHDRAWN)
			w->o_dirty = 1;
		if (v == EMPTY && w->o_first == NONE)
			w->o_first = w->o_i;
		w->o_i++;
		return true;
	case O_KILL:
		if (w->buf_len > 0)
			return false;
		if (w->slot[w->o_i] == pending) {
			w->slot[w->o_i] = WITHDRAWN;
			w->o_dirty = 1;
		} else {
			w->o_retry = 1;
		}
		w->o_i++;
		w->o_pc = O_SCAN;
		return true;
	case O_CAS:
		if (w->buf_len > 0)
			return false;
		if (w->slot[w->o_first] != EMPTY) {
			owner_start_scan(w);
			return true;
		}
		w->slot[w->o_first] = live;
		owner_end_insert(w);
		return true;
	case O_REMOVE:
		if (w->buf_len == BUFFER)
			return false;
		v = owner_load(w, op - OP_REMOVE);
		if (v == LIVE_K || v == LIVE_L || v == OTHER)
			owner_store_empty(w, op - OP_REMOVE);
		w->o_pc = O_RECYCLE;
		return true;
	case O_RECYCLE:
		if (w->buf_len == BUFFER)
			return false;
		if (owner_load(w, w->o_i) == WITHDRAWN)
			owner_store_empty(w, w->o_i);
		if (++w->o_i == SLOTS)
			w->o_pc = O_NEXT;
		return true;
	}
	return false;
}

/* The oldest store leaves the buffer. */
static bool
drain_step(struct world *w)
{
	if (w->buf_len == 0)
		return false;
	w->slot[w->buf_slot[0]] = EMPTY;
	w->buf_len--;
	memmove(w->buf_slot, w->buf_slot + 1, BUFFER - 1);
	w->buf_slot[BUFFER - 1] = 0;
	return true;
}

/* ---- sync lcore */

static void
sync_start(struct world *w)
{
	w->s_i = 0;
	w->s_first = NONE;
	w->s_early = w->s_lost = 0;
	/* the real one tries for ever; after a few tries nothing new happens */
	w->s_pc = w->s_tries++ < SYNC_TRIES ? S_SCAN : S_NEXT;
}

static bool
sync_step(struct world *w, const struct script *s)
{
	uint8_t op = w->s_op > 0 ? s->sync[w->s_op - 1] : OP_NONE;
	uint8_t live = op == OP_INSERT_K ? LIVE_K : LIVE_L, pending = op == OP_INSERT_K ? PENDING_K : PENDING_L, v;

	switch (w->s_pc) {
	case S_NEXT:
		if (w->s_op == SYNC_OPS || s->sync[w->s_op] == OP_NONE)
			return false;
		w->s_op++;
		w->s_tries = 0;
		sync_start(w);
		return true;
	case S_SCAN:
		if (w->s_i == SLOTS) {
			w->s_pc = w->s_first == NONE ? S_NEXT : S_CAS;
			return true;
		}
		v = w->slot[w->s_i];
		if (v == live) {
			w->s_pc = S_NEXT; /* lost */
			return true;
		}
		if (v == EMPTY && w->s_first == NONE)
			w->s_first = w->s_i;
		w->s_i++;
		return true;
	case S_CAS:
		if (w->slot[w->s_first] != EMPTY) {
			sync_start(w);
			return true;
		}
		w->slot[w->s_first] = pending;
		w->s_i = 0;
		w->s_pc = s->without & NO_SECOND_SCAN ? S_PUBLISH : S_AGAIN;
		return true;
	case S_AGAIN:
		if (w->s_i == SLOTS) {
			w->s_pc = w->s_lost || w->s_early ? S_WITHDRAW : S_PUBLISH;
			return true;
		}
		v = w->slot[w->s_i];
		if (v == live)
			w->s_lost = 1;
		if (v == EMPTY && w->s_i < w->s_first && !(s->without & NO_EARLIER_EMPTY))
			w->s_early = 1;
		w->s_i++;
		return true;
	case S_WITHDRAW:
		if (w->slot[w->s_first] == pending)
			w->slot[w->s_first] = s->without & WITHDRAW_TO_EMPTY ? EMPTY : WITHDRAWN;
		if (w->s_lost)
			w->s_pc = S_NEXT;
		else
			sync_start(w);
		return true;
	case S_PUBLISH:
		if (w->slot[w->s_first] == pending) {
			w->slot[w->s_first] = live;
			w->s_pc = S_NEXT;
		} else {
			sync_start(w); /* the owner withdrew it */
		}
		return true;
	}
	return false;
}

/* ---- all interleavings */

static bool
twice(const struct world *w)
{
	int k = 0, l = 0;

	for (int i = 0; i < SLOTS; i++) {
		k += w->slot[i] == LIVE_K;
		l += w->slot[i] == LIVE_L;
	}
	return k > 1 || l > 1;
}

/* Depth first; true: a key was published twice somewhere below. */
static bool
explore(const struct world *w, const struct script *s)
{
	struct world next;

	if (twice(w))
		return true;
	if (!set_add(w))
		return false;
	next = *w;
	if (owner_step(&next, s) && explore(&next, s))
		return true;
	next = *w;
	if (drain_step(&next) && explore(&next, s))
		return true;
	next = *w;
	return sync_step(&next, s) && explore(&next, s);
}

/* All beginnings and scripts. Is there one in which a key gets published twice? */
static bool
broken(unsigned without, uint64_t *states)
{
	static const uint8_t sync[][SYNC_OPS] = { { OP_INSERT_K }, { OP_INSERT_K, OP_INSERT_K }, { OP_INSERT_L, OP_INSERT_K } };
	enum { OPS = OP_REMOVE + SLOTS - 1 };
	bool found;

	for (unsigned begin = 0; begin < 1 << SLOTS; begin++)
		for (unsigned code = 0; code < OPS * OPS * OPS; code++)
			for (unsigned y = 0; y < sizeof(sync) / sizeof(sync[0]); y++) {
				struct script s = { .owner = { (uint8_t)(1 + code % OPS), (uint8_t)(1 + code / OPS % OPS),
					(uint8_t)(1 + code / OPS / OPS) }, .without = without };
				struct world w;

				memset(&w, 0, sizeof(w));
				memcpy(s.sync, sync[y], SYNC_OPS);
				for (int i = 0; i < SLOTS; i++)
					w.slot[i] = begin >> i & 1 ? OTHER : EMPTY;
				found = explore(&w, &s);
				*states += set_len;
				set_clear();
				if (found)
					return true;
			}
	return false;
}

static int
setup(void **arg)
{
	set = calloc(1 << SET_BITS, sizeof(*set));
	set_used = calloc(1 << SET_BITS, 1);
	return set != NULL && set_used != NULL ? 0 : -1;
}

static int
teardown(void **arg)
{
	free(set);
	free(set_used);
	return 0;
}

static void
test_one_wins(void **arg)
{
	uint64_t states = 0;

	assert_false(broken(0, &states));
	print_message("%lu states\n", states);
	assert_true(states > 100000);
}

static void
test_every_rule_is_needed(void **arg)
{
	uint64_t states = 0;

	assert_true(broken(NO_SECOND_SCAN, &states));
	assert_true(broken(NO_EARLIER_EMPTY, &states));
	assert_true(broken(NO_PENDING_LOOK, &states));
	assert_true(broken(NO_FENCE, &states));
	assert_true(broken(WITHDRAW_TO_EMPTY, &states));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_wins),
		cmocka_unit_test(test_every_rule_is_needed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
