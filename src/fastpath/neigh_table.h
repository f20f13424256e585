/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neighbours that workers may send to: resolved (interface, address) -> MAC. neigh.c has the protocol and decides what
 * is in here; workers ask by fp_neigh_lookup() (box.h).
 *
 * Open addressing over pointers to immutable entries. One writer, the main lcore: it publishes an entry with one
 * store-release of its slot, replaces it by another such store (a MAC that changed), and removes it by leaving a tombstone.
 * Readers are wait-free: a load-acquire of the array, load-acquires of slots up to the first empty one. At most half of the
 * slots are ever not empty, or the writer makes a new array. Old entries and arrays are freed by fp_defer(). The one field
 * that readers write is `used`: a relaxed store of 1, and only when it is not 1 already, so that a busy neighbour's line
 * stays shared between the workers' caches.
 */
#ifndef FP_NEIGH_TABLE_H
#define FP_NEIGH_TABLE_H

#include "box.h"

struct fp_neigh_entry {
	uint8_t addr[16];		/* [I] IPv4 in the first 4 bytes */
	uint16_t ifid;			/* [I] */
	struct rte_ether_addr mac;	/* [I] */
	uint8_t af;			/* [I] */
	uint8_t used;			/* readers set, writer clears; relaxed */
};

struct fp_neigh_table *fp_neigh_table_create(const uint64_t secret[2]); /* NULL: no memory */
/* No readers any more. NULL is fine. */
void fp_neigh_table_destroy(struct fp_neigh_table *t);
/* Add or replace. The entry, to be asked for `used` until it is replaced or removed; NULL: no memory, nothing changed. */
struct fp_neigh_entry *fp_neigh_table_set(struct fp_box *box, struct fp_neigh_table *t, uint16_t ifid, uint8_t af,
	const uint8_t *addr, const struct rte_ether_addr *mac);
void fp_neigh_table_remove(struct fp_box *box, struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr);
uint32_t fp_neigh_table_count(const struct fp_neigh_table *t);

#endif
