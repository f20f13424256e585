/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index of the state table: chains of buckets, insert, remove, uncouple, and what a lookup needs beyond one bucket.
 *
 * A slot goes		EMPTY -> published		the owner inserts
 *			EMPTY -> PENDING -> published	the sync lcore inserts
 *			PENDING -> WITHDRAWN		either: the sync lcore's insert lost
 *			published, WITHDRAWN -> EMPTY	the owner, never between start and end of an insert of its own
 *			EMPTY <-> FROZEN		the owner, when an empty bucket leaves its chain
 *
 * Why exactly one of two colliding inserts wins
 *
 * Owner:	fence if it emptied a slot since the last one; scan the whole chain: published collision, lose; PENDING
 *		collision, turn it to WITHDRAWN by compare-and-swap (if that fails it was published: scan again);
 *		compare-and-swap the first EMPTY slot seen to published; if that fails scan again.
 * Sync:	scan the whole chain: published collision, lose; compare-and-swap the first EMPTY slot seen to PENDING;
 *		fence; scan again: published collision, or an EMPTY slot before its own, then withdraw (and lose, or start
 *		again); compare-and-swap PENDING to published; if that fails the owner won, start again (and find it).
 * Only published slots are visible to lookups, so what loses was never seen. tests/unit/table_model_test.c goes through
 * all interleavings of a small chain, and shows that leaving out any of these rules breaks it; tests/model/table.pml does
 * so with halves, growth, shrinking, grace periods and a reader too.
 *
 * Suppose both publish: the owner in slot i, the sync lcore in slot j of the same chain. i != j, as both came from EMPTY
 * and only the owner empties, not in its insert. Let r be the owner's load of slot j in its last scan.
 *  - r after the store of PENDING: the owner saw it and either withdrew it, so that the sync lcore did not publish, or saw
 *    it published and lost. Contradiction.
 *  - r before it, slot j EMPTY at r: the owner chose the first EMPTY slot, so i is before j and was EMPTY when the owner
 *    loaded it. The second scan of the sync lcore comes after PENDING is stored, so after r; it finds slot i EMPTY, or
 *    published with the collision, and withdraws both ways. (Should slot i have been emptied just before: the owner's fence
 *    between emptying and scanning, and the sync lcore's between PENDING and its second scan, forbid that r misses
 *    PENDING while the second scan misses the emptying.) Contradiction.
 *  - r before it, slot j not EMPTY at r: the owner emptied it later, hence after publishing in slot i. PENDING was put
 *    over that EMPTY, so the second scan sees what the owner did before, the record in slot i. Contradiction.
 * Here the sync lcore's withdrawals matter: they leave WITHDRAWN and not EMPTY, or the last case would not hold.
 *
 * Chains grow at the end by compare-and-swap of the link; whoever grew one scans again. An overflow bucket at the end of a
 * chain that is all EMPTY is frozen slot by slot and then its link; if one of these fails it is in use again and is
 * thawed. Frozen slots cannot be taken and the frozen link cannot be extended, so nothing is published in a bucket that
 * leaves. It is reused after a grace period; a lookup that stands in it finds nothing and the end.
 *
 * Uncoupling is an insert of the owner that ignores the record which still holds the half; that half leaves the old
 * record only after the new one is published, so the half is always seen in one of them.
 *
 * A half that joins a published record is an insert of the owner without a slot: it shows the half first, then fence and
 * scan, and takes it back when it meets a published collision. Either that scan sees PENDING (and withdraws it) or the
 * second scan of the sync lcore sees the half (and withdraws). What is taken back was seen by nobody who acts on it: the
 * owner is here, and the sync lcore's next insert would collide with the record that it published itself.
 *
 * A record that was PENDING may be under the owner's eyes until its insert ends: FP_SF_EXPOSED sends it back to the pool
 * through the owner.
 */
#include <errno.h>
#include <string.h>

#include "table_priv.h"

/* What one scan of a chain found. */
struct chain {
	uint64_t *empty;		/* first EMPTY slot */
	struct fp_bucket *last;
	struct fp_state *other;		/* a published collision */
	bool withdrawn;			/* there are WITHDRAWN slots */
	bool retry;			/* a slot was published under the scan: once more */
};

uint32_t
fp_table_index(const struct fp_table *t, const struct fp_state *st)
{
	uint32_t class = st->key.af == FP_AF_INET6 ? FP_CLASS_V6 : FP_CLASS_V4;
	size_t off = (size_t)((const uint8_t *)st - t->view.records[class]);

	return class << FP_CLASS_SHIFT |
	    (uint32_t)(class == FP_CLASS_V6 ? off / sizeof(struct fp_state6) : off / sizeof(struct fp_state));
}

bool
fp_table_index_valid(const struct fp_table *t, uint32_t index)
{
	uint32_t class = index >> FP_CLASS_SHIFT;

	return class < FP_CLASSES && !(index & FP_CAND_ALONE) && (index & FP_CLASS_SLOT) < fp_load(&t->pool[class].carved);
}

bool
fp_table_live(const struct fp_table *t, uint32_t index)
{
	uint32_t class = index >> FP_CLASS_SHIFT, nr = index & FP_CLASS_SLOT;

	return class < FP_CLASSES && nr < t->pool[class].capacity && fp_load_acq(&t->live[class][nr]) == FP_LIVE; /* pairs with publishing */
}

void
fp_table_prefetch_live(const struct fp_table *t, uint32_t index)
{
	__builtin_prefetch(&t->live[index >> FP_CLASS_SHIFT][index & FP_CLASS_SLOT], 0, 3);
}

uint64_t
fp_state_hash(const struct fp_table *t, const struct fp_state *st)
{
	return fp_key_hash4(&st->key, t->view.secret);
}

uint32_t
fp_table_halves(const struct fp_table *t)
{
	return fp_load(&t->halves) + fp_load(&t->sync_halves);
}

/* ---- lookup beyond the first bucket */

uint32_t
fp_table_candidate_chain(const struct fp_table *t, uint64_t hash)
{
	const struct fp_bucket *b = fp_table_bucket(t, hash);
	unsigned m;

	for (; b != NULL; b = fp_bucket_next(t, b)) {
		m = fp_bucket_match(b, fp_hash_sig(hash));
		if (m != 0)
			/* acquire: pairs with the publishing compare-and-swap */
			return (uint32_t)fp_load_acq(&b->slot[__builtin_ctz(m)]);
	}
	return FP_STATE_NONE;
}

/* Was a made before b? Seconds first; within one second the ids of one creator count upwards. */
static bool
state_older(const struct fp_state *a, const struct fp_state *b, int half_a, int half_b)
{
	if (a->created_sec != b->created_sec)
		return (int32_t)(a->created_sec - b->created_sec) < 0;
	return a->creatorid == b->creatorid && a->id[half_a] < b->id[half_b];
}

struct fp_state *
fp_table_find_chain(const struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], uint64_t hash, bool dir_out,
	bool src_is_hi, uint16_t ifid)
{
	const struct fp_bucket *b = fp_table_bucket(t, hash);
	struct fp_state *best = NULL, *st;
	int best_rank = 0, rank;
	uint64_t slot;
	unsigned m;

	for (; b != NULL; b = fp_bucket_next(t, b)) {
		for (m = fp_bucket_match(b, fp_hash_sig(hash)); m != 0; m &= m - 1) {
			slot = fp_load_acq(&b->slot[__builtin_ctz(m)]); /* pairs with the publishing compare-and-swap */
			if ((uint32_t)(slot >> 32) != fp_hash_sig(hash))
				continue;
			st = fp_table_record(t, (uint32_t)slot);
			rank = fp_state_answers(st, k, addr6, dir_out, src_is_hi, ifid);
			if (rank > best_rank || (rank != 0 && rank == best_rank &&
			    state_older(st, best, fp_state_half(st, dir_out, src_is_hi),
			    fp_state_half(best, dir_out, src_is_hi)) == (rank == 1))) {
				best = st;
				best_rank = rank;
			}
		}
	}
	return best;
}

/* ---- insert */

/* pf's collision: same key, creator and half on the same interface object. a is published or PENDING. */
static bool
states_collide(const struct fp_state *a, const struct fp_state *n)
{
	uint16_t flags = fp_load(&a->flags);
	uint8_t both;

	if (!fp_key_equal(&a->key, &n->key) || (flags ^ n->flags) & FP_SF_SRC_HI || flags & FP_SF_DEAD)
		return false;
	if (n->key.af == FP_AF_INET6 && !fp_addr6_equal(a, &((const struct fp_state6 *)n)->addr_lo))
		return false;
	/* acquire: pairs with the release of uncoupling; a half that is gone from here is published elsewhere */
	both = fp_load_acq(&a->halves) & n->halves;
	for (int h = 0; h < 2; h++)
		if (both >> h & 1 && a->ifid[h] == n->ifid[h])
			return true;
	return false;
}

/* Owner: a PENDING slot that collides loses. */
static void
owner_meets_pending(struct fp_table *t, uint64_t *slot, uint64_t v, const struct fp_state *st, struct chain *c)
{
	if (!states_collide(fp_table_record(t, (uint32_t)v), st))
		return;
	if (fp_cas64(slot, v, FP_SLOT_WITHDRAWN)) {
		fp_store(&t->withdrawn, t->withdrawn + 1);
		c->withdrawn = true;
	} else {
		c->retry = true;
	}
}

/*
 * What is in a bucket, as bits: published with this signature; EMPTY; neither published nor EMPTY. Each slot is loaded
 * once and whole (vector loads are made of such on every CPU that has them); what is followed is loaded again.
 */
static inline void
bucket_masks(const struct fp_bucket *b, uint32_t sig, unsigned *match, unsigned *empty, unsigned *special)
{
#ifdef FP_TABLE_AVX2
	const __m256i s = _mm256_set1_epi32((int)sig), zero = _mm256_setzero_si256();
	__m256i lo = _mm256_load_si256((const __m256i *)&b->slot[0]);
	__m256i hi = _mm256_load_si256((const __m256i *)&b->slot[4]);
#define MASK(v) (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(v))
	*match = (MASK(_mm256_cmpeq_epi32(lo, s)) | MASK(_mm256_cmpeq_epi32(hi, s)) << 4) & 0x7f;
	*empty = (MASK(_mm256_cmpeq_epi64(lo, zero)) | MASK(_mm256_cmpeq_epi64(hi, zero)) << 4) & 0x7f;
	*special = ~(MASK(lo) | MASK(hi) << 4 | *empty) & 0x7f;
#undef MASK
#else
	*match = *empty = *special = 0;
	for (unsigned i = 0; i < FP_BUCKET_SLOTS; i++) {
		uint64_t v = fp_load_acq(&b->slot[i]);

		*match |= (unsigned)((uint32_t)(v >> 32) == sig) << i;
		*empty |= (unsigned)(v == 0) << i;
		*special |= (unsigned)(v != 0 && !(v & FP_SLOT_LIVE)) << i;
	}
#endif
}

/* WITHDRAWN slots are noted; the owner meets PENDING ones. */
static void
scan_special(struct fp_table *t, struct fp_bucket *b, unsigned special, const struct fp_state *st, bool by_sync,
	struct chain *c)
{
	for (; special != 0; special &= special - 1) {
		uint64_t *slot = &b->slot[__builtin_ctz(special)];
		uint64_t v = fp_load_acq(slot); /* pairs with the compare-and-swap that made it PENDING */

		if (v == FP_SLOT_WITHDRAWN)
			c->withdrawn = true;
		else if (v >> 32 == FP_SLOT_PENDING >> 32 && !by_sync)
			owner_meets_pending(t, slot, v, st, c);
		else if (v & FP_SLOT_LIVE)
			c->retry = true; /* was PENDING a moment ago */
	}
}

/*
 * One pass over the chain. stop: a sync insert's own slot, behind which EMPTY slots do not matter, or NULL. Ends early at
 * a collision.
 */
static void
chain_scan(struct fp_table *t, const struct fp_state *st, uint64_t hash, const struct fp_state *ignore, bool by_sync,
	const uint64_t *stop, struct chain *c)
{
	struct fp_bucket *b = fp_table_bucket(t, hash), *next;
	unsigned match, empty, special;
	bool behind = false;

	memset(c, 0, sizeof(*c));
	for (; b != NULL; b = next) {
		c->last = b;
		bucket_masks(b, fp_hash_sig(hash), &match, &empty, &special);
		for (; __builtin_expect(match != 0, 0); match &= match - 1) {
			uint64_t v = fp_load_acq(&b->slot[__builtin_ctz(match)]); /* pairs with publishing */
			struct fp_state *other = fp_table_record(t, (uint32_t)v);

			if ((uint32_t)(v >> 32) != fp_hash_sig(hash))
				continue; /* the owner removed it since */
			if (other != ignore && states_collide(other, st)) {
				c->other = other;
				return;
			}
		}
		if (__builtin_expect(special != 0, 0))
			scan_special(t, b, special, st, by_sync, c);
		if (behind) {
			empty = 0;
		} else if (stop >= b->slot && stop < b->slot + FP_BUCKET_SLOTS) {
			empty &= (1u << (stop - b->slot)) - 1;
			behind = true;
		}
		if (empty != 0 && c->empty == NULL)
			c->empty = &b->slot[__builtin_ctz(empty)];
		next = fp_bucket_next(t, b);
	}
}

/* Adds a bucket after the last. 0: added, or somebody else did: scan again. */
static int
chain_grow(struct fp_table *t, struct fp_bucket *last, bool by_sync)
{
	struct fp_bucket *b;
	uint32_t nr;

	if (fp_load(&last->link) != 0)
		return 0; /* grown, or leaving the chain */
	nr = fp_pool_get(&t->over, by_sync);
	if (nr == FP_STATE_NONE)
		return -ENOMEM;
	b = &t->view.overflow[nr];
	memset(b, 0, sizeof(*b));
	if (!fp_cas64(&last->link, 0, (uint64_t)nr + 1)) { /* release: pairs with fp_bucket_next() */
		fp_pool_unget(&t->over, nr, by_sync);
		return 0;
	}
	if (by_sync)
		fp_store(&t->sync_overflow_used, t->sync_overflow_used + 1);
	else
		fp_store(&t->overflow_used, t->overflow_used + 1);
	return 0;
}

/* Owner: WITHDRAWN slots of the chain can be used again. */
static void
chain_recycle(struct fp_table *t, uint64_t hash)
{
	struct fp_bucket *b = fp_table_bucket(t, hash);

	for (; b != NULL; b = fp_bucket_next(t, b)) {
		for (int i = 0; i < FP_BUCKET_SLOTS; i++) {
			if (fp_load(&b->slot[i]) == FP_SLOT_WITHDRAWN) {
				fp_store_rel(&b->slot[i], 0);
				fp_store(&t->withdrawn, t->withdrawn - 1);
				t->need_fence = true;
			}
		}
	}
}

static int
insert_owner(struct fp_table *t, struct fp_state *st, uint64_t hash, const struct fp_state *ignore, struct fp_state **other)
{
	uint64_t v = (uint64_t)fp_hash_sig(hash) << 32 | fp_table_index(t, st);
	struct chain c;
	bool withdrawn = false;
	int rc = 0;

	if (t->need_fence) {
		fp_fence(); /* pairs with the fence of insert_sync() */
		t->need_fence = false;
	}
	/* each further round means that the sync lcore got something done meanwhile */
	for (;;) {
		chain_scan(t, st, hash, ignore, false, NULL, &c);
		withdrawn |= c.withdrawn;
		if (c.other != NULL) {
			*other = c.other;
			rc = -EEXIST;
			break;
		}
		if (c.retry)
			continue;
		if (c.empty == NULL) {
			rc = chain_grow(t, c.last, false);
			if (rc != 0)
				break;
		} else if (fp_cas64(c.empty, 0, v)) { /* release: the record is complete */
			break;
		}
	}
	if (withdrawn)
		chain_recycle(t, hash);
	return rc;
}

static int
insert_sync(struct fp_table *t, struct fp_state *st, uint64_t hash, struct fp_state **other)
{
	uint32_t index = fp_table_index(t, st);
	uint64_t pending = FP_SLOT_PENDING | index, v = (uint64_t)fp_hash_sig(hash) << 32 | index;
	struct chain c, again;
	int rc;

	for (;;) {
		chain_scan(t, st, hash, NULL, true, NULL, &c);
		if (c.other != NULL) {
			*other = c.other;
			return -EEXIST;
		}
		if (c.empty == NULL) {
			rc = chain_grow(t, c.last, true);
			if (rc != 0)
				return rc;
			fp_pause();
			continue;
		}
		if (!fp_cas64(c.empty, 0, pending)) /* release: the record is complete */
			continue;
		fp_fence(); /* pairs with the fence of insert_owner() */
		chain_scan(t, st, hash, NULL, true, c.empty, &again);
		if (again.other == NULL && again.empty == NULL && !again.retry) {
			if (fp_cas64(c.empty, pending, v))
				return 0;
		} else if (fp_cas64(c.empty, pending, FP_SLOT_WITHDRAWN)) {
			fp_store(&t->sync_withdrawn, t->sync_withdrawn + 1);
		}
		fp_store(&st->flags, (uint16_t)(st->flags | FP_SF_EXPOSED));
		if (again.other != NULL) {
			*other = again.other;
			return -EEXIST;
		}
	}
}

int
fp_table_insert(struct fp_table *t, struct fp_state *st, uint64_t hash, bool by_sync, struct fp_state **other)
{
	uint32_t n = (uint32_t)__builtin_popcount(st->halves & FP_HALVES_BOTH), index;
	uint32_t *halves = by_sync ? &t->sync_halves : &t->halves, *records = by_sync ? &t->sync_records : &t->records;
	uint16_t flags = st->flags & (uint16_t)~FP_SF_BOUND;
	struct fp_state *dummy;
	uint8_t *live;
	int rc;

	if (n == 0)
		return -EINVAL;
	if (fp_table_halves(t) + n > fp_load(&t->max_states))
		return -ENOMEM;
	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1 && st->ifid[h] != FP_IFID_ALL)
			flags |= FP_SF_BOUND;
	fp_store(&st->flags, flags);
	/* counted before it can be seen, or the owner could remove it first and the sum go below zero */
	fp_store(halves, *halves + n);
	fp_store(records, *records + 1);
	if (by_sync)
		rc = insert_sync(t, st, hash, other ? other : &dummy);
	else
		rc = insert_owner(t, st, hash, NULL, other ? other : &dummy);
	if (rc != 0) {
		fp_store(halves, *halves - n);
		fp_store(records, *records - 1);
		return rc;
	}
	/* only now: a walk must not see what may still lose. Release: pairs with table_scan.c and fp_table_live() */
	index = fp_table_index(t, st);
	live = &t->live[index >> FP_CLASS_SHIFT][index & FP_CLASS_SLOT];
	if (!by_sync)
		fp_store_rel(live, FP_LIVE);
	else /* the owner may have found it and removed it again by now */
		fp_cas8(live, FP_NOT_LIVE, FP_LIVE);
	return 0;
}

/* ---- records */

struct fp_state *
fp_table_alloc(struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], bool by_sync)
{
	uint32_t class = k->af == FP_AF_INET6 ? FP_CLASS_V6 : FP_CLASS_V4, nr;
	struct fp_state *st;

	if (fp_table_halves(t) >= fp_load(&t->max_states))
		return NULL;
	nr = fp_pool_get(&t->pool[class], by_sync);
	if (nr == FP_STATE_NONE)
		return NULL;
	st = fp_table_record(t, class << FP_CLASS_SHIFT | nr);
	if (class == FP_CLASS_V6) {
		struct fp_state6 *s6 = (struct fp_state6 *)st;

		memset(s6, 0, sizeof(*s6));
		memcpy(s6->addr_lo, addr6[0], 16);
		memcpy(s6->addr_hi, addr6[1], 16);
	} else {
		memset(st, 0, sizeof(*st));
	}
	st->key = *k;
	return st;
}

void
fp_table_alloc_cancel(struct fp_table *t, struct fp_state *st, bool by_sync)
{
	uint32_t index = fp_table_index(t, st);
	struct fp_pool *p = &t->pool[index >> FP_CLASS_SHIFT];

	if (!by_sync)
		fp_state_ext_drop(t, st);
	if (by_sync && st->flags & FP_SF_EXPOSED)
		fp_pool_return(p, index & FP_CLASS_SLOT);
	else
		fp_pool_unget(p, index & FP_CLASS_SLOT, by_sync);
}

struct fp_state_ext *
fp_state_ext(const struct fp_table *t, const struct fp_state *st)
{
	if (!(st->flags & FP_SF_EXT))
		return NULL;
	return (struct fp_state_ext *)t->ext_mem.base + st->ext;
}

struct fp_state_ext *
fp_state_ext_get(struct fp_table *t, struct fp_state *st)
{
	struct fp_state_ext *ext = fp_state_ext(t, st);
	uint32_t nr;

	if (ext != NULL)
		return ext;
	if (t->ext_free != FP_STATE_NONE) {
		nr = t->ext_free;
		ext = (struct fp_state_ext *)t->ext_mem.base + nr;
		t->ext_free = ext->next_free;
	} else if (t->ext_carved < t->ext_capacity) {
		nr = t->ext_carved;
		fp_store(&t->ext_carved, nr + 1);
		ext = (struct fp_state_ext *)t->ext_mem.base + nr;
	} else {
		return NULL;
	}
	memset(ext, 0, sizeof(*ext));
	ext->srcnode[0] = ext->srcnode[1] = UINT32_MAX;
	st->ext = nr;
	fp_state_flags_set(st, FP_SF_EXT);
	return ext;
}

/* Only the owner ever looks at it, so there is nothing to wait for. */
void
fp_state_ext_drop(struct fp_table *t, struct fp_state *st)
{
	struct fp_state_ext *ext = fp_state_ext(t, st);

	if (ext == NULL)
		return;
	ext->next_free = t->ext_free;
	t->ext_free = st->ext;
	fp_state_flags_clear(st, FP_SF_EXT);
}

/* ---- remove */

/* The bucket before the last one, or NULL when the chain has one. */
static struct fp_bucket *
chain_before_last(struct fp_table *t, uint64_t hash)
{
	struct fp_bucket *b = fp_table_bucket(t, hash), *next, *prev = NULL;

	while ((next = fp_bucket_next(t, b)) != NULL) {
		prev = b;
		b = next;
	}
	return prev;
}

/* All slots and the link frozen, or nothing. */
static bool
bucket_freeze(struct fp_table *t, struct fp_bucket *b)
{
	int n;

	for (n = 0; n < FP_BUCKET_SLOTS; n++)
		if (fp_load(&b->slot[n]) != 0)
			return false;
	for (n = 0; n < FP_BUCKET_SLOTS; n++)
		if (!fp_cas64(&b->slot[n], 0, FP_SLOT_FROZEN))
			break;
	if (n == FP_BUCKET_SLOTS && fp_cas64(&b->link, 0, FP_LINK_FROZEN))
		return true;
	while (n-- > 0)
		fp_store_rel(&b->slot[n], 0);
	t->need_fence = true;
	return false;
}

/* Empty overflow buckets leave from the end. Bounded by the chain. */
static void
chain_shrink(struct fp_table *t, uint64_t hash)
{
	struct fp_bucket *prev, *last;

	while ((prev = chain_before_last(t, hash)) != NULL) {
		uint32_t nr = (uint32_t)fp_load(&prev->link) - 1;

		last = &t->view.overflow[nr];
		if (!bucket_freeze(t, last))
			return;
		fp_store_rel(&prev->link, 0);
		fp_table_retire(t, FP_DEAD_BUCKET | nr);
	}
}

/*
 * The slot of st becomes EMPTY. When that leaves its bucket empty the whole chain is tidied, so that a chain without
 * records always ends as one empty bucket.
 */
static void
index_remove(struct fp_table *t, struct fp_state *st)
{
	uint64_t hash = fp_state_hash(t, st), v = (uint64_t)fp_hash_sig(hash) << 32 | fp_table_index(t, st);
	struct fp_bucket *head = fp_table_bucket(t, hash), *b = head;
	unsigned match, empty, special;
	uint64_t *slot = NULL;

	for (; b != NULL; b = fp_bucket_next(t, b)) {
		bucket_masks(b, fp_hash_sig(hash), &match, &empty, &special);
		while (match != 0 && fp_load(&b->slot[__builtin_ctz(match)]) != v)
			match &= match - 1;
		if (match != 0) {
			slot = &b->slot[__builtin_ctz(match)];
			break;
		}
	}
	if (slot == NULL)
		return; /* never: it was published and only we remove */
	fp_store_rel(slot, 0);
	t->need_fence = true;
	empty |= 1u << (slot - b->slot);
	if (special != 0 || (empty == 0x7f && fp_load(&head->link) != 0)) {
		chain_recycle(t, hash);
		chain_shrink(t, hash);
	}
}

void
fp_table_remove_half(struct fp_table *t, struct fp_state *st, int half)
{
	uint8_t left = st->halves & (uint8_t)~(1u << half);
	uint32_t index;

	if (left == st->halves)
		return;
	fp_store(&t->halves, t->halves - 1);
	/* from here on nothing collides with this half; what readers still find is checked by halves */
	fp_store_rel(&st->halves, left);
	if (left != 0)
		return;
	fp_state_ext_drop(t, st);
	fp_state_flags_set(st, FP_SF_DEAD);
	index = fp_table_index(t, st);
	/* before the grace period begins: who sees it live within a turn has it until the end of that turn */
	fp_store(&t->live[index >> FP_CLASS_SHIFT][index & FP_CLASS_SLOT], FP_DYING);
	index_remove(t, st);
	fp_store(&t->records, t->records - 1);
	fp_table_retire(t, index);
}

int
fp_table_add_half(struct fp_table *t, struct fp_state *st, int half)
{
	uint64_t hash = fp_state_hash(t, st);
	uint8_t bit = (uint8_t)(1u << half), before = st->halves;
	uint16_t flags = st->flags;
	struct fp_state probe;
	struct fp_state6 probe6;
	struct fp_state *key = &probe;
	struct chain c;
	bool withdrawn = false;

	if (before & bit)
		return -EEXIST;
	if (fp_table_halves(t) + 1 > fp_load(&t->max_states))
		return -ENOMEM;
	/* what collides with the half alone */
	if (st->key.af == FP_AF_INET6) {
		probe6 = *(const struct fp_state6 *)st;
		key = &probe6.s;
	} else {
		probe = *st;
	}
	key->halves = bit;
	fp_store(&t->halves, t->halves + 1);
	if (st->ifid[half] != FP_IFID_ALL)
		fp_state_flags_set(st, FP_SF_BOUND);
	/* release: the half's fields come before it; pairs with states_collide() */
	fp_store_rel(&st->halves, before | bit);
	fp_fence(); /* pairs with the fence of insert_sync() */
	t->need_fence = false;
	do {
		chain_scan(t, key, hash, st, false, NULL, &c);
		withdrawn |= c.withdrawn;
	} while (c.other == NULL && c.retry);
	if (withdrawn)
		chain_recycle(t, hash);
	if (c.other == NULL)
		return 0;
	fp_store(&st->halves, before);
	fp_store(&st->flags, flags);
	fp_store(&t->halves, t->halves - 1);
	return -EEXIST;
}

struct fp_state *
fp_state_uncouple(struct fp_table *t, struct fp_state *st, int half)
{
	uint32_t index = fp_table_index(t, st), class = index >> FP_CLASS_SHIFT, nr;
	struct fp_state_ext *from = fp_state_ext(t, st), *to;
	uint8_t bit = (uint8_t)(1u << half);
	struct fp_state *n, *other;

	if (!(st->halves & bit))
		return NULL;
	if (st->halves == bit)
		return st;
	nr = fp_pool_get(&t->pool[class], false);
	if (nr == FP_STATE_NONE)
		return NULL;
	n = fp_table_record(t, class << FP_CLASS_SHIFT | nr);
	memcpy(n, st, class == FP_CLASS_V6 ? sizeof(struct fp_state6) : sizeof(struct fp_state));
	n->halves = bit;
	n->flags &= (uint16_t)~(FP_SF_EXT | FP_SF_BOUND);
	if (n->ifid[half] != FP_IFID_ALL)
		n->flags |= FP_SF_BOUND;
	if (from != NULL) {
		to = fp_state_ext_get(t, n);
		if (to == NULL)
			goto free_record;
		*to = *from;
	}
	if (insert_owner(t, n, fp_state_hash(t, st), st, &other) != 0)
		goto free_ext;
	fp_store(&t->records, t->records + 1);
	fp_store_rel(&t->live[class][nr], FP_LIVE);
	/* release: pairs with states_collide() */
	fp_store_rel(&st->halves, (uint8_t)(st->halves & ~bit));
	return n;

free_ext:
	fp_state_ext_drop(t, n);
free_record:
	fp_pool_unget(&t->pool[class], nr, false);
	return NULL;
}
