/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source tracking. Each worker has its own table of nodes (address and rule, or address alone for `source-track global`)
 * and is its only writer. The states of one address may live on several workers; a limit is compared with the sum over
 * all tables, which the deciding worker reads without waiting. Two workers that decide in the same instant may each admit
 * what only one of them should: a limit can be exceeded by as many states as there are other workers, never by more.
 *
 * Of the nodes that several workers have for one address only the first is `counted` for max-src-nodes and
 * `limit src-nodes`; it stays until the others are gone.
 *
 * Life of a node: made by fp_srcnode_admit(); idle when its last state goes; removed when `src.track` seconds have passed
 * since, at the first purge after that (every `set timeout interval` seconds, as in pf). Idle nodes are in a list, so a
 * purge never looks at the others.
 *
 * Reading other workers' tables. Chunks of nodes are never freed while workers run, and the hash index is replaced as a
 * whole, so every pointer that a reader finds stays good. A node has a version: odd while it is free or being filled; a
 * reader that sees it change takes the node for absent. Removal shifts index entries back; a reader may miss one that is
 * moved under it. Both make a sum momentarily too small by one table's share, which is the inexactness named above.
 *
 * Source for the rules: OpenBSD 7.6 sys/net/pf.c pf_insert_src_node(), pf_src_connlimit(), pf_add_threshold().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "atomic.h"
#include "rules.h"
#include "siphash.h"
#include "srcnode.h"
#include "states.h"

#define NONE FP_SRCNODE_NONE
#define CHUNK_SHIFT 12
#define CHUNK (1u << CHUNK_SHIFT)
#define CHUNKS 4096
#define RATE_UNIT 1000u		/* one connection in the units of the decaying count */
#define PURGE_SLOW 512		/* idle nodes looked at by one fp_srcnode_expire() */
#define PURGE_ADMIT 4		/* and by each fp_srcnode_admit(): those who make nodes help to remove them */

struct key {	/* hashed: no padding */
	uint8_t addr[16];
	uint32_t rule_uid;	/* 0: global */
	uint8_t af, zero[3];
};
_Static_assert(sizeof(struct key) == 24, "key has no padding");

struct node {	/* writer: the worker; [R] read by other workers and main under version */
	uint32_t version;	/* [R] even: in use */
	uint32_t hash;		/* [R] */
	struct key key;		/* [R] */
	uint32_t states, conn;	/* [R] */
	uint32_t rate_count, rate_last_sec; /* [R] connections, decaying; in units of 1 / RATE_UNIT */
	uint32_t rate_limit, rate_sec;	/* [R] of the rule that made it */
	uint32_t created_sec, expire_sec; /* [R] expire: 0 while it never was idle */
	uint64_t packets, bytes; /* [R] of states that are gone */
	uint32_t prev, next;	/* of the idle list; next also of the free ones */
	bool counted, idle;
};

struct index {
	uint32_t mask;
	struct index *retired;	/* older ones, kept for readers until the workers stop */
	uint32_t slot[];	/* [R] 0 empty, else node + 1; linear probing, at most half full */
};

struct fp_srcnodes {
	struct index *index;	/* [R] replaced with release */
	struct node *chunk[CHUNKS]; /* [R] set once with release */
	uint32_t cap;		/* [R] nodes in chunks */
	uint32_t n;		/* in use */
	uint32_t n_counted;	/* [R] */
	uint32_t free;
	uint32_t idle_first, idle_last;
	uint32_t purge_sec;	/* time of the last purge: nodes that had expired by then may go */
	uint32_t next_sec;	/* next purge */
};

struct sum { uint32_t states, conn, rate; bool found; };

static inline struct node *
node_at(const struct fp_srcnodes *t, uint32_t i)
{
	return &t->chunk[i >> CHUNK_SHIFT][i & (CHUNK - 1)];
}

/* ---- one table, its owner */

static uint32_t
find(const struct fp_srcnodes *t, const struct key *k, uint32_t hash)
{
	const struct index *x = t->index;
	uint32_t at, i;

	for (at = hash & x->mask; (i = x->slot[at]) != 0; at = (at + 1) & x->mask) {
		const struct node *n = node_at(t, i - 1);

		if (n->hash == hash && memcmp(&n->key, k, sizeof(*k)) == 0)
			return i - 1;
	}
	return NONE;
}

static void
index_put(struct index *x, uint32_t hash, uint32_t i)
{
	uint32_t at;

	for (at = hash & x->mask; x->slot[at] != 0;)
		at = (at + 1) & x->mask;
	fp_store_rel(&x->slot[at], i + 1); /* the node is complete: pairs with the load in read_node() */
}

/* Linear probing without tombstones: entries behind the hole move into it where their probe would pass it. */
static void
index_remove(struct fp_srcnodes *t, uint32_t hash, uint32_t i)
{
	struct index *x = t->index;
	uint32_t hole, at, home;

	for (hole = hash & x->mask; x->slot[hole] != i + 1;)
		hole = (hole + 1) & x->mask;
	for (at = (hole + 1) & x->mask; x->slot[at] != 0; at = (at + 1) & x->mask) {
		home = node_at(t, x->slot[at] - 1)->hash & x->mask;
		if (((at - home) & x->mask) >= ((at - hole) & x->mask)) {
			fp_store_rel(&x->slot[hole], x->slot[at]);
			hole = at;
		}
	}
	fp_store_rel(&x->slot[hole], 0);
}

static void
idle_unlink(struct fp_srcnodes *t, uint32_t i)
{
	struct node *n = node_at(t, i);

	if (n->prev != NONE)
		node_at(t, n->prev)->next = n->next;
	else
		t->idle_first = n->next;
	if (n->next != NONE)
		node_at(t, n->next)->prev = n->prev;
	else
		t->idle_last = n->prev;
	n->idle = false;
}

static void
idle_append(struct fp_srcnodes *t, uint32_t i)
{
	struct node *n = node_at(t, i);

	n->prev = t->idle_last;
	n->next = NONE;
	if (t->idle_last != NONE)
		node_at(t, t->idle_last)->next = i;
	else
		t->idle_first = i;
	t->idle_last = i;
	n->idle = true;
}

static void
node_remove(struct fp_worker *w, uint32_t i)
{
	struct fp_srcnodes *t = w->srcnodes;
	struct node *n = node_at(t, i);

	if (n->idle)
		idle_unlink(t, i);
	index_remove(t, n->hash, i);
	fp_store_rel(&n->version, n->version + 1);
	t->n--;
	if (n->counted) {
		fp_store(&t->n_counted, t->n_counted - 1);
		if (n->key.rule_uid != 0)
			__atomic_fetch_sub(&fp_rule(w->box, n->key.rule_uid)->src_nodes, 1, __ATOMIC_RELEASE);
		fp_count(&w->cnt.totals[FP_T_SRCNODE_REMOVALS], 1);
	}
	n->next = t->free;
	t->free = i;
}

/* NONE: the table is full. */
static uint32_t
node_new(struct fp_worker *w, const struct key *k, uint32_t hash, const struct fp_rule_rt *rt, bool counted)
{
	struct fp_srcnodes *t = w->srcnodes;
	uint32_t i = t->free;
	struct node *n;

	if (i == NONE)
		return NONE;
	n = node_at(t, i);
	t->free = n->next;
	/* odd since it was freed; the fields after that, for readers that began before: pairs with the fence in read_node() */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	fp_store(&n->hash, hash);
	for (unsigned j = 0; j < sizeof(*k) / 4; j++)
		fp_store(&((uint32_t *)&n->key)[j], ((const uint32_t *)k)[j]);
	fp_store(&n->states, 0);
	fp_store(&n->conn, 0);
	fp_store(&n->rate_count, 0);
	fp_store(&n->rate_last_sec, w->now_sec);
	fp_store(&n->created_sec, w->now_sec);
	fp_store(&n->rate_limit, rt->rule->max_src_conn_rate * RATE_UNIT);
	fp_store(&n->rate_sec, rt->rule->max_src_conn_rate_sec);
	fp_store(&n->expire_sec, 0);
	fp_store(&n->packets, 0);
	fp_store(&n->bytes, 0);
	n->counted = counted;
	n->idle = false;
	fp_store_rel(&n->version, n->version + 1);
	index_put(t->index, hash, i);
	t->n++;
	if (counted) {
		fp_store(&t->n_counted, t->n_counted + 1);
		fp_count(&w->cnt.totals[FP_T_SRCNODE_INSERTS], 1);
	}
	return i;
}

static uint32_t
rate_now(uint32_t count, uint32_t last_sec, uint32_t sec, uint32_t now_sec)
{
	uint32_t diff = now_sec - last_sec;

	if (sec == 0 || diff >= sec)
		return 0;
	return count - (uint32_t)((uint64_t)count * diff / sec);
}

/* ---- other tables, any reader */

/* A consistent copy of node i; false: it is free or changes under us. */
static bool
read_node(const struct fp_srcnodes *t, uint32_t i, struct node *copy)
{
	const struct node *chunk = fp_load_acq(&t->chunk[i >> CHUNK_SHIFT]), *n;
	uint32_t version;

	if (chunk == NULL)
		return false;
	n = &chunk[i & (CHUNK - 1)];
	version = fp_load_acq(&n->version);
	if (version & 1)
		return false;
	copy->hash = fp_load(&n->hash);
	for (unsigned j = 0; j < sizeof(struct key) / 4; j++)
		((uint32_t *)&copy->key)[j] = fp_load(&((const uint32_t *)&n->key)[j]);
	copy->states = fp_load(&n->states);
	copy->conn = fp_load(&n->conn);
	copy->rate_count = fp_load(&n->rate_count);
	copy->rate_last_sec = fp_load(&n->rate_last_sec);
	copy->rate_limit = fp_load(&n->rate_limit);
	copy->rate_sec = fp_load(&n->rate_sec);
	copy->created_sec = fp_load(&n->created_sec);
	copy->expire_sec = fp_load(&n->expire_sec);
	copy->packets = fp_load(&n->packets);
	copy->bytes = fp_load(&n->bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copies before the second look at the version */
	return fp_load(&n->version) == version;
}

static bool
look(const struct fp_srcnodes *t, const struct key *k, uint32_t hash, struct node *copy)
{
	const struct index *x = fp_load_acq(&t->index);
	uint32_t at = hash & x->mask, i, steps;

	for (steps = 0; steps <= x->mask && (i = fp_load_acq(&x->slot[at])) != 0; steps++, at = (at + 1) & x->mask)
		if (read_node(t, i - 1, copy) && copy->hash == hash && memcmp(&copy->key, k, sizeof(*k)) == 0)
			return true;
	return false;
}

/* What all workers but w have of k. */
static struct sum
others(const struct fp_worker *w, const struct key *k, uint32_t hash)
{
	struct sum s = { 0 };
	unsigned i;

	for (i = 0; i < w->box->n_workers; i++) {
		const struct fp_worker *o = w->box->workers[i];
		struct node n;

		if (o == w || o == NULL || o->srcnodes == NULL || !look(o->srcnodes, k, hash, &n))
			continue;
		s.found = true;
		s.states += n.states;
		s.conn += n.conn;
		s.rate += rate_now(n.rate_count, n.rate_last_sec, n.rate_sec, w->now_sec);
	}
	return s;
}

uint32_t
fp_srcnodes_count(const struct fp_box *box)
{
	uint32_t n = 0;
	unsigned i;

	for (i = 0; i < box->n_workers; i++)
		if (box->workers[i] != NULL && box->workers[i]->srcnodes != NULL)
			n += fp_load(&((const struct fp_srcnodes *)box->workers[i]->srcnodes)->n_counted);
	return n;
}

/* ---- removal */

static void
purge(struct fp_worker *w, unsigned budget)
{
	struct fp_srcnodes *t = w->srcnodes;
	uint32_t i;

	while (budget-- > 0 && (i = t->idle_first) != NONE) {
		struct node *n = node_at(t, i);

		if ((int32_t)(n->expire_sec - t->purge_sec) > 0) {
			/* rules have timeouts of their own, so the list is not sorted: look at the others too */
			idle_unlink(t, i);
			idle_append(t, i);
			continue;
		}
		if (n->counted && others(w, &n->key, n->hash).found) {
			idle_unlink(t, i);
			idle_append(t, i);
			continue;
		}
		node_remove(w, i);
	}
}

/* ---- limits */

static void
make_key(struct key *k, const struct pol_rule *r, uint8_t af, const uint8_t *addr)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->addr, addr, af == FP_AF_INET ? 4 : 16);
	k->af = af;
	k->rule_uid = r->rf & POL_RF_RULESRCTRACK ? r->uid : 0;
}

int
fp_srcnode_admit(struct fp_worker *w, struct fp_rule_rt *rt, uint8_t af, const uint8_t *addr, uint32_t *node)
{
	struct fp_srcnodes *t = w->srcnodes;
	const struct pol_rule *r = rt->rule;
	struct sum s = { 0 };
	struct key k;
	struct node *n;
	uint32_t hash, i;

	*node = NONE;
	purge(w, PURGE_ADMIT);
	make_key(&k, r, af, addr);
	hash = fp_siphash13(w->box->hash_secret, &k, sizeof(k));
	fp_count(&w->cnt.totals[FP_T_SRCNODE_SEARCHES], 1);
	i = find(t, &k, hash);
	if (w->box->n_workers > 1)
		s = others(w, &k, hash);
	if (i != NONE || s.found) {
		if (r->max_src_states != 0 && (i != NONE ? node_at(t, i)->states : 0) + s.states >= r->max_src_states)
			return FP_LC_SRC_STATES;
	} else if (r->max_src_nodes != 0 && fp_load(&rt->src_nodes) >= r->max_src_nodes) {
		return FP_LC_SRC_NODES;
	}
	if (i == NONE) {
		if (!s.found && fp_srcnodes_count(w->box) >= w->conf->limit[POL_LIMIT_SRC_NODES])
			return FP_LC_SRC_NODES;
		i = node_new(w, &k, hash, rt, !s.found);
		if (i == NONE)
			return FP_LC_SRC_NODES;
		if (!s.found && k.rule_uid != 0)
			__atomic_fetch_add(&rt->src_nodes, 1, __ATOMIC_RELAXED);
	}
	n = node_at(t, i);
	if (n->idle)
		idle_unlink(t, i);
	fp_store(&n->states, n->states + 1);
	*node = i;
	return -1;
}

static void
release_state(struct fp_worker *w, uint32_t i, uint32_t expire_sec)
{
	struct fp_srcnodes *t = w->srcnodes;
	struct node *n = node_at(t, i);

	fp_store(&n->states, n->states - 1);
	if (n->states == 0) {
		fp_store(&n->expire_sec, expire_sec);
		idle_append(t, i);
	}
}

void
fp_srcnode_admit_undo(struct fp_worker *w, uint32_t node)
{
	struct fp_srcnodes *t = w->srcnodes;
	struct node *n;
	bool never_idle;

	if (node == NONE)
		return;
	n = node_at(t, node);
	never_idle = n->expire_sec == 0;
	release_state(w, node, never_idle ? w->now_sec : n->expire_sec);
	if (never_idle && n->states == 0)	/* nothing ever came of it */
		node_remove(w, node);
}

void
fp_srcnode_state_gone(struct fp_worker *w, struct fp_state *st, int half)
{
	struct fp_state_ext *x = fp_state_ext(w->table, st);
	const struct pol_rule *r = fp_rule(w->box, st->rule[half])->rule;
	struct node *n;
	uint64_t packets, bytes;
	int dir;

	if (x == NULL || x->srcnode[half] == NONE)
		return;
	n = node_at(w->srcnodes, x->srcnode[half]);
	for (dir = 0; dir < 2; dir++) {
		fp_state_totals(w->table, st, half, dir, &packets, &bytes);
		fp_store(&n->packets, n->packets + packets);
		fp_store(&n->bytes, n->bytes + bytes);
	}
	if (st->hflags[half] & FP_HF_CONN)
		fp_store(&n->conn, n->conn - 1);
	st->hflags[half] &= ~(FP_HF_SRC_NODE | FP_HF_CONN);
	release_state(w, x->srcnode[half], w->now_sec + fp_rule_timeout(w->conf, r, POL_TM_SRC_TRACK));
	x->srcnode[half] = NONE;
}

int
fp_srcnode_established(struct fp_worker *w, struct fp_state *st, int half, struct fp_rule_rt *rt)
{
	struct fp_state_ext *x = fp_state_ext(w->table, st);
	const struct pol_rule *r = rt->rule;
	struct sum s = { 0 };
	bool conn, rate;
	struct node *n;

	if (x == NULL || x->srcnode[half] == NONE || st->hflags[half] & FP_HF_CONN)
		return -1;
	n = node_at(w->srcnodes, x->srcnode[half]);
	st->hflags[half] |= FP_HF_CONN;
	fp_store(&n->conn, n->conn + 1);
	fp_store(&n->rate_count, rate_now(n->rate_count, n->rate_last_sec, n->rate_sec, w->now_sec) + RATE_UNIT);
	fp_store(&n->rate_last_sec, w->now_sec);
	if (r->max_src_conn == 0 && r->max_src_conn_rate == 0)
		return -1;
	if (w->box->n_workers > 1)
		s = others(w, &n->key, n->hash);
	conn = r->max_src_conn != 0 && n->conn + s.conn > r->max_src_conn;
	rate = r->max_src_conn_rate != 0 && n->rate_count + s.rate > n->rate_limit;
	if (conn && rate)
		fp_count(&w->cnt.lcounters[FP_LC_SRC_CONN], 1);
	return rate ? FP_LC_SRC_CONN_RATE : conn ? FP_LC_SRC_CONN : -1;
}

/* ---- memory and time */

/* Room for cap nodes: chunks that are never given back, and an index at least twice as large. */
static int
grow(struct fp_srcnodes *t, uint32_t cap)
{
	uint32_t slots = 64, i, k;
	struct index *x;

	cap = RTE_MIN((cap + CHUNK - 1) & ~(CHUNK - 1), CHUNKS * CHUNK);
	if (cap <= t->cap)
		return 0;
	while (slots < 2 * cap)
		slots *= 2;
	x = calloc(1, sizeof(*x) + slots * sizeof(x->slot[0]));
	if (x == NULL)
		return -ENOMEM;
	x->mask = slots - 1;
	x->retired = t->index;
	for (i = 0; t->index != NULL && i <= t->index->mask; i++)
		if (t->index->slot[i] != 0)
			index_put(x, node_at(t, t->index->slot[i] - 1)->hash, t->index->slot[i] - 1);
	fp_store_rel(&t->index, x);
	while (t->cap < cap) {
		struct node *c = calloc(CHUNK, sizeof(*c));

		if (c == NULL)
			return -ENOMEM;
		for (k = CHUNK; k-- > 0;) {
			c[k].version = 1;
			c[k].next = t->free;
			t->free = t->cap + k;
		}
		fp_store_rel(&t->chunk[t->cap >> CHUNK_SHIFT], c);
		fp_store_rel(&t->cap, t->cap + CHUNK);
	}
	return 0;
}

int
fp_srcnode_worker_init(struct fp_worker *w)
{
	struct fp_srcnodes *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->free = t->idle_first = t->idle_last = NONE;
	if (grow(t, w->conf != NULL ? w->conf->limit[POL_LIMIT_SRC_NODES] : 1) != 0) {
		w->srcnodes = t;
		fp_srcnode_worker_fini(w);
		return -ENOMEM;
	}
	w->srcnodes = t;
	return 0;
}

void
fp_srcnode_worker_fini(struct fp_worker *w)
{
	struct fp_srcnodes *t = w->srcnodes;
	struct index *x, *older;
	unsigned i;

	w->srcnodes = NULL;
	if (t == NULL)
		return;
	for (x = t->index; x != NULL; x = older) {
		older = x->retired;
		free(x);
	}
	for (i = 0; i < CHUNKS && t->chunk[i] != NULL; i++)
		free(t->chunk[i]);
	free(t);
}

void
fp_srcnode_expire(struct fp_worker *w)
{
	struct fp_srcnodes *t = w->srcnodes;

	if (unlikely(w->conf->limit[POL_LIMIT_SRC_NODES] > t->cap))
		grow(t, w->conf->limit[POL_LIMIT_SRC_NODES]); /* a new limit; without memory the old room stays */
	if ((int32_t)(w->now_sec - t->next_sec) >= 0) {
		t->purge_sec = w->now_sec;
		t->next_sec = w->now_sec + w->conf->timeout[POL_TM_INTERVAL];
		purge(w, PURGE_SLOW);
		t->purge_sec--; /* what becomes idle after this, still in this second, is for the next purge */
		return;
	}
	purge(w, PURGE_SLOW); /* what was too much for that call */
}

/* ---- listing; main */

struct listed { struct fp_srcnode_view v; struct key key; };
struct listing {
	struct fp_box *box;
	struct listed *l;
	uint32_t n, size;
	struct { uint64_t *packets; uint32_t cap; } live[FP_MAX_WORKERS]; /* [node][packets, bytes] of living states */
};

static void
count_live(void *arg, const struct fp_worker *w, struct fp_state *st, int half)
{
	struct listing *g = arg;
	const struct fp_state_ext *x;
	uint64_t packets, bytes;
	uint32_t i;
	int dir;

	if (!(st->hflags[half] & FP_HF_SRC_NODE) || (x = fp_state_ext(w->table, st)) == NULL)
		return;
	i = x->srcnode[half];
	if (i >= g->live[w->id].cap)
		return;
	for (dir = 0; dir < 2; dir++) {
		fp_state_totals(w->table, st, half, dir, &packets, &bytes);
		g->live[w->id].packets[2 * i] += packets;
		g->live[w->id].packets[2 * i + 1] += bytes;
	}
}

static int
by_key(const void *a, const void *b)
{
	return memcmp(&((const struct listed *)a)->key, &((const struct listed *)b)->key, sizeof(struct key));
}

static int
list_worker(struct listing *g, const struct fp_worker *w, uint32_t now_sec)
{
	const struct fp_srcnodes *t = w->srcnodes;
	uint32_t i;

	for (i = 0; i < g->live[w->id].cap; i++) {
		struct listed *e;
		struct node n;

		if (!read_node(t, i, &n))
			continue;
		if (g->n == g->size) {
			struct listed *more = realloc(g->l, (g->size = g->size * 2 + 64) * sizeof(*more));

			if (more == NULL)
				return -ENOMEM;
			g->l = more;
		}
		e = &g->l[g->n++];
		memset(e, 0, sizeof(*e));
		e->key = n.key;
		e->v.af = n.key.af;
		memcpy(e->v.addr, n.key.addr, 16);
		e->v.states = n.states;
		e->v.conn = n.conn;
		e->v.rate_count = rate_now(n.rate_count, n.rate_last_sec, n.rate_sec, now_sec);
		e->v.rate_limit = n.rate_limit;
		e->v.rate_sec = n.rate_sec;
		e->v.age_sec = now_sec - n.created_sec;
		if (n.states == 0 && (int32_t)(n.expire_sec - now_sec) > 0)
			e->v.expires_sec = n.expire_sec - now_sec;
		e->v.packets = n.packets + g->live[w->id].packets[2 * i];
		e->v.bytes = n.bytes + g->live[w->id].packets[2 * i + 1];
		e->v.rule_nr = n.key.rule_uid != 0 ? fp_rule(g->box, n.key.rule_uid)->rule->nr : UINT32_MAX;
	}
	return 0;
}

int
fp_srcnodes_foreach(struct fp_box *box, int (*cb)(void *arg, const struct fp_srcnode_view *v), void *arg)
{
	struct listing g = { .box = box };
	uint32_t now_sec = fp_box_now_us(box) / 1000000, i, k;
	int rc = 0;

	for (i = 0; i < box->n_workers && rc == 0; i++) {
		const struct fp_worker *w = box->workers[i];

		if (w == NULL || w->srcnodes == NULL)
			continue;
		g.live[w->id].cap = fp_load_acq(&((const struct fp_srcnodes *)w->srcnodes)->cap);
		g.live[w->id].packets = calloc(g.live[w->id].cap, 2 * sizeof(uint64_t));
		if (g.live[w->id].packets == NULL)
			rc = -ENOMEM;
	}
	if (rc == 0 && fp_srcnodes_count(box) != 0)
		fp_states_visit(box, count_live, &g);
	for (i = 0; i < box->n_workers && rc == 0; i++)
		if (box->workers[i] != NULL && box->workers[i]->srcnodes != NULL)
			rc = list_worker(&g, box->workers[i], now_sec);
	if (rc == 0 && g.n > 0) {
		qsort(g.l, g.n, sizeof(*g.l), by_key);
		for (i = 0; i < g.n && rc == 0; i = k) {	/* one address on several workers is one source */
			struct fp_srcnode_view v = g.l[i].v;

			for (k = i + 1; k < g.n && by_key(&g.l[i], &g.l[k]) == 0; k++) {
				v.states += g.l[k].v.states;
				v.conn += g.l[k].v.conn;
				v.rate_count += g.l[k].v.rate_count;
				v.packets += g.l[k].v.packets;
				v.bytes += g.l[k].v.bytes;
				v.age_sec = RTE_MAX(v.age_sec, g.l[k].v.age_sec);
				v.expires_sec = RTE_MAX(v.expires_sec, g.l[k].v.expires_sec);
			}
			if (v.states != 0)
				v.expires_sec = 0;
			rc = cb(arg, &v);
		}
		rc = rc > 0 ? 0 : rc;
	}
	for (i = 0; i < FP_MAX_WORKERS; i++)
		free(g.live[i].packets);
	free(g.l);
	return rc;
}
