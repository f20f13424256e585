/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open addressing, linear probing, deletion by closing the gap. An entry keeps 16 bits of the creatorid: two boxes may
 * well use the same ids (FreeBSD counts from the time of day), then both entries stand there and the records tell them
 * apart.
 *
 * Growing: entries go from the old array to one of twice the size, a few with every call; until the last one has gone both
 * are looked at. In the old array nothing is closed: what has gone leaves a stone behind.
 */
#include "sync/idmap.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#define FIRST_SIZE 4096u	/* slots */
#define MOVE 16u		/* slots of the old array that a call moves */
#define BATCH 16u		/* records asked for at once */
#define STONE 0xffffu		/* worker of a slot that had an entry; 0 in `used` is free */

struct entry {
	uint64_t id;
	uint32_t index;
	uint16_t tag;
	uint16_t used;		/* 0 free, STONE, else worker + 1 */
};
_Static_assert(sizeof(struct entry) == 16, "four to a cache line");

struct array {
	struct entry *e;
	uint64_t size;		/* power of two */
	uint64_t n;		/* entries */
};

struct sync_idmap {
	struct array now, old;	/* old.e NULL: not growing */
	uint64_t moved;		/* slots of old behind us */
	uint64_t cursor;	/* of the sweep */
	uint64_t max;
	uint64_t secret;	/* the peer chooses ids: nobody else shall choose where they go */
	struct sync_idmap_ops ops;
};

static uint64_t
hash(const struct sync_idmap *m, uint64_t id, uint16_t tag)
{
	unsigned __int128 p = (unsigned __int128)(id ^ m->secret) * ((0x9e3779b97f4a7c15ull ^ m->secret << 1 ^ (uint64_t)tag << 17) | 1);

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint16_t
tag_of(uint32_t creatorid)
{
	return (uint16_t)(creatorid * 0x9e3779b1u >> 16);
}

static bool
array_map(struct array *a, uint64_t size)
{
	void *p = mmap(NULL, size * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	a->e = p;
	a->size = size;
	a->n = 0;
	return true;
}

static void
array_unmap(struct array *a)
{
	if (a->e != NULL)
		munmap(a->e, a->size * sizeof(struct entry));
	a->e = NULL;
	a->size = a->n = 0;
}

static uint32_t
creator(const struct sync_idmap *m, const struct entry *e)
{
	return m->ops.creator(m->ops.arg, e->used - 1u, e->index, e->id);
}

/* Put into a free slot; nothing of that name is there. */
static void
array_add(struct sync_idmap *m, struct array *a, const struct entry *n)
{
	uint64_t i = hash(m, n->id, n->tag) & (a->size - 1);

	while (a->e[i].used != 0)
		i = (i + 1) & (a->size - 1);
	a->e[i] = *n;
	a->n++;
}

/* Close the gap at i. */
static void
array_drop(struct sync_idmap *m, struct array *a, uint64_t i)
{
	uint64_t mask = a->size - 1, k = i;

	for (;;) {
		k = (k + 1) & mask;
		if (a->e[k].used == 0)
			break;
		if (((k - hash(m, a->e[k].id, a->e[k].tag)) & mask) >= ((k - i) & mask)) {
			a->e[i] = a->e[k];
			i = k;
		}
	}
	a->e[i].used = 0;
	a->n--;
}

/* The entry of that name, or NULL. dead: then it may also be one whose record is somebody else's by now. */
static struct entry *
array_find(struct sync_idmap *m, struct array *a, uint64_t id, uint32_t creatorid, bool dead)
{
	uint16_t tag = tag_of(creatorid);
	struct entry *gone = NULL;
	uint64_t i;

	if (a->e == NULL)
		return NULL;
	for (i = hash(m, id, tag) & (a->size - 1); a->e[i].used != 0; i = (i + 1) & (a->size - 1)) {
		struct entry *e = &a->e[i];
		uint32_t c;

		if (e->id != id || e->tag != tag || e->used == STONE)
			continue;
		c = creator(m, e);
		if (c == creatorid)
			return e;
		if (c == 0)
			gone = e;
	}
	return dead ? gone : NULL;
}

static void
move_some(struct sync_idmap *m, unsigned n)
{
	uint64_t end;

	if (m->old.e == NULL)
		return;
	end = m->moved + n < m->old.size ? m->moved + n : m->old.size;
	if (m->ops.prefetch != NULL)
		for (uint64_t i = m->moved; i < end; i++)
			if (m->old.e[i].used != 0 && m->old.e[i].used != STONE)
				m->ops.prefetch(m->ops.arg, m->old.e[i].used - 1u, m->old.e[i].index);
	for (; m->moved < end; m->moved++) {
		struct entry *e = &m->old.e[m->moved];

		if (e->used == 0 || e->used == STONE)
			continue;
		if (creator(m, e) != 0)
			array_add(m, &m->now, e);
		e->used = STONE;
		m->old.n--;
	}
	if (m->moved == m->old.size)
		array_unmap(&m->old);
}

static bool
grow(struct sync_idmap *m)
{
	struct array a;

	if (m->old.e != NULL)
		move_some(m, UINT32_MAX);
	/* living entries fill half of it at the most */
	if (m->now.size / 2 >= m->max && m->now.size > FIRST_SIZE)
		return false;
	if (!array_map(&a, m->now.size * 2))
		return false;
	m->old = m->now;
	m->now = a;
	m->moved = m->cursor = 0;
	return true;
}

struct sync_idmap *
sync_idmap_create(uint64_t max, const struct sync_idmap_ops *ops)
{
	struct sync_idmap *m = calloc(1, sizeof(*m));

	if (m == NULL || !array_map(&m->now, FIRST_SIZE)) {
		free(m);
		return NULL;
	}
	m->max = max;
	m->ops = *ops;
	if (getrandom(&m->secret, sizeof(m->secret), 0) != sizeof(m->secret))
		m->secret = (uintptr_t)m * 0x9e3779b97f4a7c15ull;
	return m;
}

void
sync_idmap_destroy(struct sync_idmap *m)
{
	if (m == NULL)
		return;
	array_unmap(&m->now);
	array_unmap(&m->old);
	free(m);
}

void
sync_idmap_limit(struct sync_idmap *m, uint64_t max)
{
	if (max > m->max)
		m->max = max;
}

unsigned
sync_idmap_sweep(struct sync_idmap *m, unsigned n)
{
	struct array *a = &m->now;
	unsigned done = 0;

	move_some(m, n);
	while (done < n && a->n != 0 && done < a->size) {
		uint64_t end = m->cursor + BATCH; /* a divisor of the size */

		if (m->ops.prefetch != NULL)
			for (uint64_t i = m->cursor; i < end; i++)
				if (a->e[i].used != 0)
					m->ops.prefetch(m->ops.arg, a->e[i].used - 1u, a->e[i].index);
		for (uint64_t i = m->cursor; i < end;) {
			/* the next one may have come to this place: look again */
			if (a->e[i].used != 0 && creator(m, &a->e[i]) == 0)
				array_drop(m, a, i);
			else
				i++;
		}
		m->cursor = end & (a->size - 1);
		done += BATCH;
	}
	return done;
}

bool
sync_idmap_put(struct sync_idmap *m, uint64_t id, uint32_t creatorid, unsigned worker, uint32_t index)
{
	struct entry n = { .id = id, .index = index, .tag = tag_of(creatorid), .used = (uint16_t)(worker + 1) }, *e;

	move_some(m, MOVE);
	if (m->now.n >= m->now.size / 2 && !grow(m)) {
		/* at the largest size: less than half can be alive */
		for (uint64_t i = 0; i < m->now.size && m->now.n >= m->now.size / 4 * 3; i += 1024)
			sync_idmap_sweep(m, 1024);
		if (m->now.n >= m->now.size / 8 * 7)
			return false;
	}
	e = array_find(m, &m->old, id, creatorid, true);
	if (e != NULL) {
		e->used = STONE;
		m->old.n--;
	}
	e = array_find(m, &m->now, id, creatorid, true);
	if (e != NULL)
		*e = n;
	else
		array_add(m, &m->now, &n);
	return true;
}

bool
sync_idmap_get(struct sync_idmap *m, uint64_t id, uint32_t creatorid, unsigned *worker, uint32_t *index)
{
	struct entry *e = array_find(m, &m->now, id, creatorid, false);

	if (e == NULL)
		e = array_find(m, &m->old, id, creatorid, false);
	if (e == NULL)
		return false;
	*worker = e->used - 1u;
	*index = e->index;
	return true;
}

void
sync_idmap_prefetch(const struct sync_idmap *m, uint64_t id, uint32_t creatorid, bool near)
{
	const struct entry *e = &m->now.e[hash(m, id, tag_of(creatorid)) & (m->now.size - 1)];

	if (!near)
		__builtin_prefetch(e, 0, 3);
	else if (e->id == id && e->used != 0 && m->ops.prefetch != NULL)
		m->ops.prefetch(m->ops.arg, e->used - 1u, e->index);
}

uint64_t
sync_idmap_used(const struct sync_idmap *m)
{
	return m->now.n + m->old.n;
}
