/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the state table: table_mem.c (memory, pools), table_index.c (chains, insert, remove), table_scan.c (walk,
 * expiry, grace periods).
 *
 * O = the owner writes, S = the sync lcore writes, I = immutable after create. What two threads write is on lines of its
 * own, and each of the two has a block of its own.
 */
#ifndef FP_TABLE_PRIV_H
#define FP_TABLE_PRIV_H

#include "table.h"

/* A reserved range of addresses: pages come when touched. */
struct fp_region {
	uint8_t *base;
	size_t size;
	size_t ahead;		/* bytes known to be populated; control thread */
	char pages[4];		/* "1G" "2M" "thp" "4K" */
};

/*
 * A pool of equal items by number, used by two threads without a shared free list:
 *
 *	fresh numbers	`carved`, taken in batches by either (compare-and-swap once in FP_POOL_BATCH)
 *	owner's stack	what was freed; all frees happen here
 *	give ring	owner -> sync: single producer, single consumer; topped up once per loop
 *	sync's stack	a batch, and what sync allocated and did not use
 *	returned	sync -> owner: items that the owner may have looked at; a list linked through the items
 *
 * The stacks are arrays of numbers rather than lists through the items, so that the next items can be prefetched.
 */
#define FP_POOL_BATCH 32
#define FP_POOL_GIVE 1024	/* power of two */
#define FP_POOL_SYNC 256

struct fp_pool {
	struct fp_region mem;
	struct fp_region stack_mem;
	uint32_t item_size, link_offset; /* [I] of a uint32_t in a free item */
	uint32_t capacity;	/* [I] */
	uint32_t *stack;	/* [I] the array; [O] its entries */
	uint32_t stack_len;	/* [O] */
	uint32_t stack_peak;	/* [O] */

	uint32_t carved __attribute__((aligned(FP_CACHE_LINE)));	/* [O S] items [0, carved) were handed out once */
	uint32_t returned;	/* [O S] list head, FP_STATE_NONE empty */

	uint32_t give_tail __attribute__((aligned(FP_CACHE_LINE)));	/* [O] */
	uint32_t give[FP_POOL_GIVE];					/* [O] */
	uint32_t give_head __attribute__((aligned(FP_CACHE_LINE)));	/* [S] */
	uint32_t sync_len;	/* [S] */
	uint32_t sync[FP_POOL_SYNC]; /* [S] */
};

/* fp_table.live: free or being filled; published; removed, waits for its grace period. Zero is free: pages come so. */
enum { FP_NOT_LIVE, FP_LIVE, FP_DYING };

/* Records and overflow buckets that wait; linked through the items. Number: record index, or FP_DEAD_BUCKET | bucket. */
#define FP_DEAD_BUCKET (3u << FP_CLASS_SHIFT)
struct fp_dead_list {
	uint32_t head, tail, len;
};

struct fp_table {
	struct fp_table_view view;	/* [I] must be first */
	struct rte_rcu_qsbr *qs;	/* [I] */
	uint8_t *live[FP_CLASSES];	/* [O S] per slot: FP_LIVE by the inserter when published, then by the owner the others */
	struct fp_region index_mem, live_mem[FP_CLASSES], ext_mem;
	size_t self_size;
	uint32_t max_states;		/* control thread, relaxed */
	uint32_t reserve_states;	/* [I] */
	uint32_t expected_states;	/* [I] */
	uint32_t ext_capacity;		/* [I] */

	/* owner */
	uint32_t halves __attribute__((aligned(2 * FP_CACHE_LINE))); /* [O] halves and records: sum of both blocks, mod 2^32 */
	uint32_t records;
	uint32_t withdrawn;		/* [O] recycled minus made */
	uint32_t overflow_used;		/* [O] minus returned to the pool */
	bool need_fence;		/* [O] a slot was emptied since the last fence */
	uint32_t cursor;		/* [O] of fp_table_scan */
	uint32_t ext_carved, ext_free;	/* [O] */
	uint64_t token;			/* [O] of `waiting` */
	struct fp_dead_list open, waiting, ripe; /* [O] no token yet; token taken; grace period over */
	uint32_t pending_free;		/* [O] */

	/* sync */
	uint32_t sync_halves __attribute__((aligned(2 * FP_CACHE_LINE)));
	uint32_t sync_records;
	uint32_t sync_withdrawn;
	uint32_t sync_overflow_used;

	struct fp_pool pool[FP_CLASSES] __attribute__((aligned(2 * FP_CACHE_LINE)));
	struct fp_pool over;
};

/* table_mem.c */
int fp_region_map(struct fp_region *r, size_t size, size_t prefault, bool huge, int socket);
void fp_region_unmap(struct fp_region *r);
void fp_region_populate(struct fp_region *r, size_t to);
void *fp_pool_item(const struct fp_pool *p, uint32_t nr);
/* FP_STATE_NONE: empty. */
uint32_t fp_pool_get(struct fp_pool *p, bool by_sync);
/* Nobody but the caller has seen the item. */
void fp_pool_unget(struct fp_pool *p, uint32_t nr, bool by_sync);
/* Owner: free; nobody reads the item any more. */
void fp_pool_put(struct fp_pool *p, uint32_t nr);
/* Sync: free an item that the owner may be reading; the owner takes it back between two of its inserts. */
void fp_pool_return(struct fp_pool *p, uint32_t nr);
/* Owner, once per loop: take what was returned, at most n, and top up the ring. */
void fp_pool_exchange(struct fp_pool *p, unsigned n);

/* table_scan.c */
void fp_table_retire(struct fp_table *t, uint32_t nr);

/* table_index.c */
void fp_state_ext_drop(struct fp_table *t, struct fp_state *st);

#endif
