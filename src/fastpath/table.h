/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state table of one worker: a shard. Lockless index, records, grace periods, bounded expiry.
 *
 *	struct fp_table *t = fp_table_create(&conf);
 *	burst:	hash = fp_key_make4(), fp_key_hash4()		all packets
 *		fp_table_prefetch_bucket(t, hash)		all packets
 *		cand = fp_table_candidate(t, hash), fp_table_prefetch_record(t, cand)
 *		st = fp_table_find(t, &key, addr6, hash, dir_out, src_is_hi, ifid, cand)
 *	new:	st = fp_table_alloc(), fill it, fp_table_insert(), else fp_table_alloc_cancel()
 *	loop:	fp_table_scan() for expiry, fp_table_reclaim(), then rte_rcu_qsbr_quiescent()
 *
 * Index: buckets of one cache line, 7 slots of 64 bits {signature: 32, record index: 32} and a link to an overflow bucket.
 * Lookups are wait-free acquire loads; entries never move. Two threads insert, the owner (the worker) and the sync lcore;
 * only the owner removes, uncouples, expires, and writes published records. How exactly one of two equal inserts wins is
 * argued at the top of table_index.c.
 *
 * Collisions. Records may share a canonical key when they hold different halves (an uncoupled pair), were created from
 * different ends (the IN half of creator a and the OUT half of creator b are the same pf key in different directions), or
 * are bound to different interfaces; fp_table_find() tells which one answers. Two records collide when creator, a half
 * and that half's interface are the same: in pf's words same wire key, direction and interface object. PURGE-marked
 * halves collide like others (pf keeps them on the key until purged); the caller looks at *other and decides.
 *
 * Removal: halves 0, FP_SF_DEAD, slot empty at once (entries do not move, so a reader misses nothing), record on the
 * shard's list; freed when rte_rcu_qsbr_check() passes, a bounded number per loop, one token for a batch.
 *
 * Limits: max_states counts halves. Reaching it refuses new records and loses none. While both inserters are at the
 * limit at the same moment it may be exceeded by one record.
 *
 * Everything here runs on the packet path except create, destroy, info, fp_table_resize_limit and fp_table_prefault.
 */
#ifndef FP_TABLE_H
#define FP_TABLE_H

#include "state.h"

struct fp_table;
struct rte_rcu_qsbr;

struct fp_table_conf {
	uint32_t max_states;	/* halves that this shard must be able to hold (worst case: each in a record of its own) */
	uint32_t reserve_states; /* address space for a later fp_table_resize_limit(); 0 or less than max_states: max_states */
	uint32_t expected_states; /* prefaulted and indexed at start; more costs page faults and longer chains. 0: max_states */
	uint32_t overflow_buckets; /* limit; 0: as many as can ever be needed */
	int socket;		/* NUMA node, -1 any */
	struct rte_rcu_qsbr *qs;	/* readers: workers and the sync lcore. NULL: single-threaded use, memory is reused at once */
	uint64_t hash_secret[2];	/* same for all shards of a box, random per boot */
	bool huge;		/* try huge pages first */
};

#define FP_TABLE_MAX_STATES (1u << 28)

/* NULL and errno: ENOMEM, EINVAL (no states, or more than FP_TABLE_MAX_STATES). Pages got: fp_table_info(). */
struct fp_table *fp_table_create(const struct fp_table_conf *conf);
void fp_table_destroy(struct fp_table *t); /* after all readers are offline. NULL is fine */
/* Any one control thread. 0, or -ERANGE: beyond what was reserved. Lower than what is there: refuses until below. */
int fp_table_resize_limit(struct fp_table *t, uint32_t max_states);
/*
 * Any control thread, now and then: has the kernel provide the pages that the shard will grow into next, so that neither
 * inserter stops for a page fault. Changes nothing else.
 */
void fp_table_prefault(struct fp_table *t);

struct fp_table_info {
	uint64_t bytes_reserved, bytes_touched;
	uint32_t records;	/* published */
	uint32_t buckets, overflow_buckets; /* both in use, the second on chains or waiting for its grace period */
	uint32_t tombs;		/* slots withdrawn in a race, not yet recycled */
	uint32_t pending_free;	/* records that wait for their grace period */
	uint32_t halves;	/* pf states */
	uint32_t max_states;
	char pages[16];		/* "1G", "2M", "thp", "4K" */
};
void fp_table_info(const struct fp_table *t, struct fp_table_info *info);

/*
 * The 64-bit keyed hash: low 32 bits pick the bucket, high 32 are the signature. Two multiply-mix rounds with both secrets:
 * enough that nobody who does not know them can build chains; not a cipher.
 */
static inline uint64_t fp_key_hash4(const struct fp_key *k, const uint64_t secret[2]);
/*
 * Make a canonical key from a packet's tuple (all network order). *src_is_hi: the packet's source is the hi endpoint.
 * Which end is which is random per packet, so it is computed, not branched on; and the key is written as the two words
 * that hash and compare read, or each of them would wait for its parts to leave the store buffer.
 */
static inline void
fp_key_make4(struct fp_key *k, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint8_t proto, bool *src_is_hi)
{
	uint64_t s = (uint64_t)src << 16 | sport, d = (uint64_t)dst << 16 | dport;
	uint64_t hi = s > d, swap = (s ^ d) & -hi, w[2];

	s ^= swap;
	d ^= swap;
	w[0] = s >> 16 | d >> 16 << 32;
	w[1] = (s & 0xffff) | (d & 0xffff) << 16 | (uint64_t)proto << 32 | (uint64_t)FP_AF_INET << 40;
	__builtin_memcpy(k, w, sizeof(*k));
	*src_is_hi = hi != 0;
}
/* v6: also fills addr6[0] = lo, addr6[1] = hi and the hash words of the key. Returns the hash (as fp_key_hash4 does). */
static inline uint64_t fp_key_make6(struct fp_key *k, uint8_t addr6[2][16], const uint8_t src[16], const uint8_t dst[16], uint16_t sport,
	uint16_t dport, uint8_t proto, bool *src_is_hi, const uint64_t secret[2]);

/* Burst lookup in stages; the caller prefetches with the first three and decides with fp_table_find(). */
static inline void fp_table_prefetch_bucket(const struct fp_table *t, uint64_t hash);
/*
 * First record whose signature fits, not yet compared: prefetch target, and hint for fp_table_find(). FP_STATE_NONE: no
 * such state at this moment. Valid until the next quiescent report. fp_table_record() takes it as it is.
 */
static inline uint32_t fp_table_candidate(const struct fp_table *t, uint64_t hash);
static inline void fp_table_prefetch_record(const struct fp_table *t, uint32_t index); /* NONE is fine */
static inline struct fp_state *fp_table_record(const struct fp_table *t, uint32_t index);
uint32_t fp_table_index(const struct fp_table *t, const struct fp_state *st);
/*
 * Is a published record there, and not freed yet? For who kept an index over quiescent reports: what lies there may be free,
 * or a record that the other inserter is just filling. After that, compare names. Owner, and sync lcore: until its next
 * quiescent report the record is not freed.
 */
bool fp_table_live(const struct fp_table *t, uint32_t index);
void fp_table_prefetch_live(const struct fp_table *t, uint32_t index); /* an index that was a record's once */
/* Was a record ever at this index? For numbers that come from elsewhere: fp_table_record() takes any other on trust. */
bool fp_table_index_valid(const struct fp_table *t, uint32_t index);

/*
 * The record that answers for this packet, or NULL. half: the half needed = FP_HALF_IN if (direction of travel in) ==
 * (packet's source is the creator), else FP_HALF_OUT; so it depends on the record's creator: pass dir_out and src_is_hi.
 * ifid: interface of the packet; records bound to it win over floating ones, records bound elsewhere do not match.
 * Of several floating ones the oldest answers, of several bound ones the newest, as in pf. PURGE-marked halves and dead
 * records do not match. hint: the candidate from above (of this
 * burst and hash), or FP_STATE_NONE. addr6: NULL for v4.
 * The record is borrowed until the caller's next quiescent report.
 */
static inline struct fp_state *fp_table_find(const struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], uint64_t hash,
	bool dir_out, bool src_is_hi, uint16_t ifid, uint32_t hint);

/* The half of st that a packet speaks to. */
static inline int
fp_state_half(const struct fp_state *st, bool dir_out, bool src_is_hi)
{
	uint16_t flags = __atomic_load_n(&st->flags, __ATOMIC_RELAXED); /* other bits may change under another thread's eyes */
	bool rev = src_is_hi != !!(flags & FP_SF_SRC_HI);

	return dir_out == rev ? FP_HALF_IN : FP_HALF_OUT;
}

/*
 * New record for the key: zeroed but for the key (and addresses); invisible until fp_table_insert(). Owner's pool or the
 * sync lcore's (by_sync). NULL: pool empty or shard full. Fill halves, ifid[] (zero is an interface: FP_IFID_ALL floats)
 * and FP_SF_SRC_HI before inserting.
 */
struct fp_state *fp_table_alloc(struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], bool by_sync);
void fp_table_alloc_cancel(struct fp_table *t, struct fp_state *st, bool by_sync);
/*
 * Publish. 0; -EEXIST with *other set: a record with the same key, creator-orientation and overlapping halves on the same
 * interface binding is there (pf's collision rule); -ENOMEM: no overflow bucket, or the shard would hold more than max_states halves.
 * -EINVAL: no half set. On failure the record stays the caller's: try again or fp_table_alloc_cancel(). *other is borrowed
 * until the next quiescent report; the sync lcore may only name it in a message to the owner.
 */
int fp_table_insert(struct fp_table *t, struct fp_state *st, uint64_t hash, bool by_sync, struct fp_state **other);
uint64_t fp_state_hash(const struct fp_table *t, const struct fp_state *st);

/*
 * Owner only. Take one half out; the record goes when its last half goes (its ext block at once, its memory after the grace
 * period). Does no rule or source-node accounting. A half that is not there: nothing happens.
 */
void fp_table_remove_half(struct fp_table *t, struct fp_state *st, int half);
/*
 * Owner only. The missing half joins a published record; its fields (id, rule, ifid, hflags) are filled in already. 0;
 * -EEXIST: it is there, or another record collides with it (fp_table_insert() rule; learned meanwhile, say); -ENOMEM: the
 * shard would hold more than max_states halves. On failure nothing changed.
 */
int fp_table_add_half(struct fp_table *t, struct fp_state *st, int half);
/*
 * Owner only. Give `half` a record of its own: a copy, ext block too, sync_pos included. The new record; st itself when it
 * holds no other half; NULL when `half` is not there or memory is short (then nothing changed).
 */
struct fp_state *fp_state_uncouple(struct fp_table *t, struct fp_state *st, int half);

/* Extension block; owner only. NULL when there is none left. */
struct fp_state_ext *fp_state_ext(const struct fp_table *t, const struct fp_state *st);
struct fp_state_ext *fp_state_ext_get(struct fp_table *t, struct fp_state *st);	/* allocate if absent */

uint32_t fp_table_halves(const struct fp_table *t);	/* any thread, relaxed */

/*
 * Walk a bounded number of records: cursor 0 starts, 0 again means done. Owner only. cb may remove halves of st, uncouple
 * and insert. Visits published, living records; one that is there from start to end is visited exactly once.
 */
uint32_t fp_table_walk(struct fp_table *t, uint32_t cursor, unsigned max_records, void (*cb)(struct fp_state *st, void *arg),
	void *arg);
/*
 * Expiry in the same manner, prefetching ahead: continues at the shard's own cursor, looks at up to n record slots (free
 * ones count, groups of eight free ones count one), at most one full round.
 */
void fp_table_scan(struct fp_table *t, unsigned n, void (*cb)(struct fp_state *st, void *arg), void *arg);
uint32_t fp_table_slots(const struct fp_table *t);	/* record slots that a full scan looks at (high-water mark) */
/* Free what the grace period allows, at most n. Owner only; once per loop. Also hands free records to the sync lcore. */
void fp_table_reclaim(struct fp_table *t, unsigned n);

#include "table_inline.h"

#endif
