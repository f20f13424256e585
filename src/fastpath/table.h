/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state table of one worker: a shard. Lockless index, records, grace periods, bounded expiry.
 *
 * Index: buckets of one cache line, 7 slots of 64 bits {signature: 32, record index: 32} and a link to an overflow
 * bucket. A slot is published by one compare-and-swap from EMPTY (release) after the record is complete; lookups are
 * wait-free acquire loads. Two threads insert: the owner (the worker) and the sync lcore. Both scan the whole chain and
 * then CAS the *first* EMPTY slot. A removed slot does not become EMPTY: it becomes TOMB and is recycled after a grace
 * period. So while an inserter is inside its read section EMPTY slots only ever get used up, two inserters of one key
 * always fight for the same slot, and the loser rescans and finds the winner. (Model: tests/model, later.)
 *
 * Two records may share a canonical key when they hold different halves or creators; fp_state_view() tells which record
 * answers for a packet. Removal: FP_SF_DEAD, slot -> TOMB, record on the shard's FIFO with an RCU token; freed and slot
 * EMPTY when rte_rcu_qsbr_check() passes, a bounded number per loop.
 *
 * Only the owner removes, uncouples, expires, and writes published records. Everything here runs on the packet path
 * except create, destroy, and fp_table_resize_limit.
 */
#ifndef FP_TABLE_H
#define FP_TABLE_H

#include "state.h"

struct fp_table;
struct rte_rcu_qsbr;

struct fp_table_conf {
	uint32_t max_states;	/* halves that this shard must be able to hold (worst case: each in a record of its own) */
	uint32_t expected_states; /* prefaulted and indexed at start; more costs page faults and longer chains */
	int socket;		/* NUMA node, -1 any */
	struct rte_rcu_qsbr *qs;	/* readers: workers and the sync lcore. NULL: single-threaded use, memory is reused at once */
	uint64_t hash_secret[2];	/* same for all shards of a box, random per boot */
	bool huge;		/* try huge pages first */
};

/* NULL and errno (ENOMEM, EINVAL). Reports what kind of pages it got in fp_table_info(). */
struct fp_table *fp_table_create(const struct fp_table_conf *conf);
void fp_table_destroy(struct fp_table *t);

struct fp_table_info {
	uint64_t bytes_reserved, bytes_touched;
	uint32_t records, buckets, overflow_buckets, tombs, pending_free;
	uint32_t halves;	/* pf states */
	char pages[16];		/* "1G", "2M", "thp", "4K" */
};
void fp_table_info(const struct fp_table *t, struct fp_table_info *info);

/* Keys. The 64-bit keyed hash: low bits pick the bucket, high 32 are the signature. addr6: 2 x 16 bytes lo, hi; NULL for v4. */
uint64_t fp_key_hash4(const struct fp_key *k, const uint64_t secret[2]);
/* Make a canonical key from a packet's tuple (all network order). *src_is_hi: the packet's source is the hi endpoint. */
static inline void
fp_key_make4(struct fp_key *k, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint8_t proto, bool *src_is_hi)
{
	uint64_t s = (uint64_t)src << 16 | sport, d = (uint64_t)dst << 16 | dport;
	bool hi = s > d;

	k->addr_lo = hi ? dst : src;
	k->addr_hi = hi ? src : dst;
	k->port_lo = hi ? dport : sport;
	k->port_hi = hi ? sport : dport;
	k->proto = proto;
	k->af = FP_AF_INET;
	k->zone = 0;
	*src_is_hi = hi;
}
/* v6: also fills addr6[0] = lo, addr6[1] = hi and the hash words of the key. Returns the hash (as fp_key_hash4 does). */
uint64_t fp_key_make6(struct fp_key *k, uint8_t addr6[2][16], const uint8_t src[16], const uint8_t dst[16], uint16_t sport,
	uint16_t dport, uint8_t proto, bool *src_is_hi, const uint64_t secret[2]);

/* Burst lookup in stages; the caller prefetches with the first two and decides with the third. */
void fp_table_prefetch_bucket(const struct fp_table *t, uint64_t hash);
/* First record whose signature fits, not yet compared: prefetch target. FP_STATE_NONE: certainly no such state. */
uint32_t fp_table_candidate(const struct fp_table *t, uint64_t hash);
struct fp_state *fp_table_record(const struct fp_table *t, uint32_t index);

/*
 * The record that answers for this packet, or NULL. half: the half needed = FP_HALF_IN if (direction of travel in) ==
 * (packet's source is the creator), else FP_HALF_OUT; so it depends on the record's creator: pass dir_out and src_is_hi.
 * ifid: interface of the packet; records bound to it win over floating ones, records bound elsewhere do not match.
 * PURGE-marked halves and dead records do not match. hint: a candidate from above or FP_STATE_NONE.
 */
struct fp_state *fp_table_find(const struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], uint64_t hash,
	bool dir_out, bool src_is_hi, uint16_t ifid, uint32_t hint);

/* The half of st that a packet speaks to. */
static inline int
fp_state_half(const struct fp_state *st, bool dir_out, bool src_is_hi)
{
	bool rev = src_is_hi != !!(st->flags & FP_SF_SRC_HI);

	return dir_out == rev ? FP_HALF_IN : FP_HALF_OUT;
}

/*
 * New record for the key: zeroed but for the key (and addresses); invisible until fp_table_insert(). Owner's pool or the
 * sync lcore's (by_sync). NULL: pool empty or shard full.
 */
struct fp_state *fp_table_alloc(struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], bool by_sync);
void fp_table_alloc_cancel(struct fp_table *t, struct fp_state *st, bool by_sync);
/*
 * Publish. 0; -EEXIST with *other set: a record with the same key, creator-orientation and overlapping halves on the same
 * interface binding is there (pf's collision rule); -ENOMEM: no overflow bucket. On failure the record stays the caller's.
 */
int fp_table_insert(struct fp_table *t, struct fp_state *st, uint64_t hash, bool by_sync, struct fp_state **other);
uint64_t fp_state_hash(const struct fp_table *t, const struct fp_state *st);

/* Owner only. Take one half out; the record goes when its last half goes. Does no rule or source-node accounting. */
void fp_table_remove_half(struct fp_table *t, struct fp_state *st, int half);
/* Owner only. Give `half` a record of its own (copy). The new record, or NULL (then nothing changed). */
struct fp_state *fp_state_uncouple(struct fp_table *t, struct fp_state *st, int half);

/* Extension block; owner only. NULL when there is none left. */
struct fp_state_ext *fp_state_ext(const struct fp_table *t, const struct fp_state *st);
struct fp_state_ext *fp_state_ext_get(struct fp_table *t, struct fp_state *st);	/* allocate if absent */

uint32_t fp_table_halves(const struct fp_table *t);	/* any thread, relaxed */

/*
 * Walk a bounded number of records: cursor 0 starts, 0 again means done. Owner only. cb may remove halves of st.
 * fp_table_walk visits published, living records.
 */
uint32_t fp_table_walk(struct fp_table *t, uint32_t cursor, unsigned max_records, void (*cb)(struct fp_state *st, void *arg),
	void *arg);
/* Expiry in the same manner, prefetching ahead: continues at the shard's own cursor, looks at up to n records. */
void fp_table_scan(struct fp_table *t, unsigned n, void (*cb)(struct fp_state *st, void *arg), void *arg);
uint32_t fp_table_slots(const struct fp_table *t);	/* records that a full scan looks at (high-water mark) */
/* Free what the grace period allows, at most n. Owner only; once per loop. */
void fp_table_reclaim(struct fp_table *t, unsigned n);

#endif
