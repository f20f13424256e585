/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a state lies that was not made here, or has moved since: its name (id, creatorid) to worker and record. One thread
 * owns a map, the sync thread.
 *
 * A map knows nothing of states that end: whoever makes it says how to look at a record, and entries whose record is
 * somebody else's by now are swept away little by little, and passed over until then. An entry of a living state is never
 * lost. The map grows with what lives: twice as large, entry by entry, while it is used.
 */
#ifndef SYNC_IDMAP_H
#define SYNC_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

struct sync_idmap;

/*
 * Does a living record with half `id` lie at index of worker? Then its creatorid, which is never 0; else 0. prefetch: it
 * will be asked soon.
 */
struct sync_idmap_ops {
	uint32_t (*creator)(void *arg, unsigned worker, uint32_t index, uint64_t id);
	void (*prefetch)(void *arg, unsigned worker, uint32_t index);	/* may be NULL */
	void *arg;
};

/* max: entries of living states that there can ever be; more memory than that needs is never taken. NULL: no memory. */
struct sync_idmap *sync_idmap_create(uint64_t max, const struct sync_idmap_ops *ops);
void sync_idmap_destroy(struct sync_idmap *m);	/* NULL is fine */
/* More living states are allowed from now on. */
void sync_idmap_limit(struct sync_idmap *m, uint64_t max);
/* False: full of living states, or no memory to grow; nothing changed. */
bool sync_idmap_put(struct sync_idmap *m, uint64_t id, uint32_t creatorid, unsigned worker, uint32_t index);
bool sync_idmap_get(struct sync_idmap *m, uint64_t id, uint32_t creatorid, unsigned *worker, uint32_t *index);
/* It will be asked for this name soon; near: its entry has been asked for already, now the record that it names. */
void sync_idmap_prefetch(const struct sync_idmap *m, uint64_t id, uint32_t creatorid, bool near);
/* Look at up to n slots and drop entries of states that have gone. Slots looked at. */
unsigned sync_idmap_sweep(struct sync_idmap *m, unsigned n);
uint64_t sync_idmap_used(const struct sync_idmap *m);	/* entries, dead ones included */

#endif
