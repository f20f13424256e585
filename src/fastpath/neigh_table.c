/* SPDX-License-Identifier: BSD-2-Clause */
/* The workers' table of neighbours; design in neigh_table.h. */
#include <stdlib.h>
#include <string.h>

#include "neigh_table.h"

#define TOMB ((struct fp_neigh_entry *)1)

struct array {
	uint32_t mask;
	struct fp_neigh_entry *slot[];
};

struct fp_neigh_table {
	struct array *array;	/* published */
	uint64_t secret[2];	/* [I] so that a segment's hosts cannot choose addresses that collide */
	uint32_t n, n_tombs;	/* writer */
};

static inline uint32_t
neigh_hash(const struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	uint64_t a, b = 0;
	uint32_t v;

	if (af == FP_AF_INET) {
		memcpy(&v, addr, 4);
		a = v;
	} else {
		memcpy(&a, addr, 8);
		memcpy(&b, addr + 8, 8);
	}
	__uint128_t m = (__uint128_t)(a ^ t->secret[0] ^ (uint64_t)ifid << 40) * ((b ^ t->secret[1]) | 1);

	return (uint64_t)m ^ (uint64_t)(m >> 64) ^ (uint64_t)m >> 32;
}

static inline bool
entry_is(const struct fp_neigh_entry *e, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	return e->ifid == ifid && e->af == af && memcmp(e->addr, addr, af == FP_AF_INET ? 4 : 16) == 0;
}

bool
fp_neigh_lookup(const struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr, struct rte_ether_addr *mac)
{
	/* pairs with the release in array_new() */
	const struct array *a = __atomic_load_n(&t->array, __ATOMIC_ACQUIRE);
	struct fp_neigh_entry *e;

	for (uint32_t h = neigh_hash(t, ifid, af, addr) & a->mask; ; h = (h + 1) & a->mask) {
		/* pairs with the release in fp_neigh_table_set() */
		e = __atomic_load_n(&a->slot[h], __ATOMIC_ACQUIRE);
		if (e == NULL)
			return false;
		if (e != TOMB && entry_is(e, ifid, af, addr))
			break;
	}
	*mac = e->mac;
	if (__atomic_load_n(&e->used, __ATOMIC_RELAXED) == 0)
		__atomic_store_n(&e->used, 1, __ATOMIC_RELAXED);
	return true;
}

/* ---- writer */

static struct array *
array_new(uint32_t size)
{
	struct array *a = calloc(1, sizeof(*a) + size * sizeof(a->slot[0]));

	if (a != NULL)
		a->mask = size - 1;
	return a;
}

/* Slot of an entry, or NULL. */
static struct fp_neigh_entry **
slot_find(const struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	struct array *a = t->array;

	for (uint32_t h = neigh_hash(t, ifid, af, addr) & a->mask; a->slot[h] != NULL; h = (h + 1) & a->mask)
		if (a->slot[h] != TOMB && entry_is(a->slot[h], ifid, af, addr))
			return &a->slot[h];
	return NULL;
}

/* Room for one more: a new array without tombs when half of this one is used. false: no memory and no room. */
static bool
make_room(struct fp_box *box, struct fp_neigh_table *t)
{
	struct array *old = t->array, *a;
	uint32_t size = old->mask + 1, h;

	if (2 * (t->n + t->n_tombs + 1) <= size)
		return true;
	while (size < 4 * (t->n + 1))
		size *= 2;
	a = array_new(size);
	if (a == NULL)
		return false;
	for (uint32_t k = 0; k <= old->mask; k++) {
		struct fp_neigh_entry *e = old->slot[k];

		if (e == NULL || e == TOMB)
			continue;
		for (h = neigh_hash(t, e->ifid, e->af, e->addr) & a->mask; a->slot[h] != NULL; h = (h + 1) & a->mask)
			;
		a->slot[h] = e;
	}
	t->n_tombs = 0;
	__atomic_store_n(&t->array, a, __ATOMIC_RELEASE);
	fp_defer(box, NULL, old);
	return true;
}

struct fp_neigh_entry *
fp_neigh_table_set(struct fp_box *box, struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr,
	const struct rte_ether_addr *mac)
{
	struct fp_neigh_entry *e = calloc(1, sizeof(*e)), *old, **slot;
	struct array *a;
	uint32_t h;

	if (e == NULL)
		return NULL;
	memcpy(e->addr, addr, af == FP_AF_INET ? 4 : 16);
	e->ifid = ifid;
	e->af = af;
	e->mac = *mac;
	slot = slot_find(t, ifid, af, addr);
	if (slot != NULL) {
		old = *slot;
		__atomic_store_n(slot, e, __ATOMIC_RELEASE);
		fp_defer(box, NULL, old);
		return e;
	}
	if (!make_room(box, t)) {
		free(e);
		return NULL;
	}
	a = t->array;
	/* tombs are not reused: a reader that walks past one must not miss what was behind it */
	for (h = neigh_hash(t, ifid, af, addr) & a->mask; a->slot[h] != NULL; h = (h + 1) & a->mask)
		;
	__atomic_store_n(&a->slot[h], e, __ATOMIC_RELEASE);
	t->n++;
	return e;
}

void
fp_neigh_table_remove(struct fp_box *box, struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	struct fp_neigh_entry **slot = slot_find(t, ifid, af, addr), *e;

	if (slot == NULL)
		return;
	e = *slot;
	__atomic_store_n(slot, TOMB, __ATOMIC_RELEASE);
	t->n--;
	t->n_tombs++;
	fp_defer(box, NULL, e);
}

uint32_t
fp_neigh_table_count(const struct fp_neigh_table *t)
{
	return t->n;
}

struct fp_neigh_table *
fp_neigh_table_create(const uint64_t secret[2])
{
	struct fp_neigh_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->secret[0] = secret[0];
	t->secret[1] = secret[1];
	t->array = array_new(64);
	if (t->array == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
fp_neigh_table_destroy(struct fp_neigh_table *t)
{
	if (t == NULL)
		return;
	for (uint32_t k = 0; k <= t->array->mask; k++)
		if (t->array->slot[k] != TOMB)
			free(t->array->slot[k]);
	free(t->array);
	free(t);
}
