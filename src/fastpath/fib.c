/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding table that workers read: rte_fib (DIR24_8) and rte_fib6 (TRIE) over indices of next hops.
 *
 * Immutable. rte_fib has no grace period for the 8-bit tables that a delete frees, so nothing is ever changed in place: a
 * change of routes builds new tables of the family that changed and publishes them (conf.c); the other family's are shared.
 *
 * Size and time (2.6 GHz, 22.11, ten routes): DIR24_8 takes 32 MB at 2 bytes an entry (16 MB at 1 byte, up to 127 next
 * hops) and 12 ms to make (half of that at 1 byte), a lookup in a burst 6 cycles. TRIE: 32 MB, 2 ms, 35 cycles. rte_fib's own
 * tree (RTE_FIB_DUMMY, its RIB): a few KB, 25 us, 40 cycles (IPv6: 280). So a box that does not run yet uses the trees (its
 * configuration is built command by command), a running one the tables; and when there is no memory for tables, a
 * box on trees forwards more slowly, but does forward.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_log.h>

#include "net.h"

RTE_LOG_REGISTER(fp_route_logtype, twinpath.route, NOTICE);

/* One family. Shared between FIBs; main lcore counts the references. */
struct fib_part {
	unsigned refs;
	struct fp_fib_live *live; /* counted there; NULL: a tree */
	bool small;		/* a tree because the box did not run */
	struct rte_fib *f4;
	struct rte_fib6 *f6;
	struct fp_nexthop *nh;	/* [0] is no route */
};

struct fp_fib {
	/* read by workers */
	struct rte_fib *f4;	/* NULL: no routes */
	struct rte_fib6 *f6;
	const struct fp_nexthop *nh4, *nh6;
	/* main lcore */
	unsigned refs;
	struct fib_part *part4, *part6;
};

/*
 * How many tables a box has, those that wait for their grace period included: conf.c waits with the next version when
 * commands come faster than workers let go of the old ones. Outlives the box by the parts that hold it.
 */
struct fp_fib_live { unsigned refs, tables; };

/* ---- the routes in force, collected from interfaces and static routes */

enum { PRIO_STATIC, PRIO_CONNECTED, PRIO_BROADCAST, PRIO_LOCAL }; /* the higher one wins a prefix */

struct entry {
	union pol_ip dest;
	uint8_t plen, prio;
	uint32_t seq;		/* of equals the earlier wins */
	uint32_t nh;
};

struct build {
	struct entry *entries;
	uint32_t n, cap;
	struct fp_nexthop *nh;
	uint32_t n_nh, cap_nh;
	uint32_t *hash, hash_mask;	/* next hops by content: index, 0 empty */
	bool nomem;
};

static uint32_t
nh_hash(const struct fp_nexthop *h)
{
	uint64_t v = (h->gw.d[0] ^ (uint64_t)h->ifid << 16 ^ (uint64_t)h->kind << 40) * 0x9e3779b97f4a7c15ull;

	return ((v ^ v >> 29) + h->gw.d[1]) * 0xd6e8feb86659fd93ull >> 32;
}

static bool
nh_equal(const struct fp_nexthop *a, const struct fp_nexthop *b)
{
	return a->kind == b->kind && a->ifid == b->ifid && memcmp(&a->gw, &b->gw, sizeof(a->gw)) == 0;
}

/* Index of a next hop, new or known. 0: no memory. */
static uint32_t
nh_index(struct build *b, const struct fp_nexthop *h)
{
	uint32_t k;

	if (b->n_nh + 1 > b->cap_nh / 2) {
		uint32_t cap = b->cap_nh ? b->cap_nh * 2 : 64;
		struct fp_nexthop *nh = realloc(b->nh, cap * sizeof(*nh));
		uint32_t *hash = calloc(cap, sizeof(*hash));

		if (nh != NULL)
			b->nh = nh;
		if (nh == NULL || hash == NULL) {
			free(hash);
			b->nomem = true;
			return 0;
		}
		if (b->n_nh == 0) {
			memset(&b->nh[0], 0, sizeof(b->nh[0]));
			b->n_nh = 1;
		}
		free(b->hash);
		b->hash = hash;
		b->hash_mask = cap - 1;
		b->cap_nh = cap;
		for (uint32_t i = 1; i < b->n_nh; i++) {
			for (k = nh_hash(&b->nh[i]) & b->hash_mask; hash[k] != 0; k = (k + 1) & b->hash_mask)
				;
			hash[k] = i;
		}
	}
	for (k = nh_hash(h) & b->hash_mask; b->hash[k] != 0; k = (k + 1) & b->hash_mask)
		if (nh_equal(&b->nh[b->hash[k]], h))
			return b->hash[k];
	b->nh[b->n_nh] = *h;
	b->hash[k] = b->n_nh;
	return b->n_nh++;
}

static void
entry_add(struct build *b, const union pol_ip *dest, unsigned plen, unsigned prio, const struct fp_nexthop *h)
{
	uint32_t nh = nh_index(b, h);
	struct entry *e;

	if (nh == 0)
		return;
	if (b->n == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 64;

		e = realloc(b->entries, cap * sizeof(*e));
		if (e == NULL) {
			b->nomem = true;
			return;
		}
		b->entries = e;
		b->cap = cap;
	}
	e = &b->entries[b->n];
	e->dest = *dest;
	e->plen = plen;
	e->prio = prio;
	e->seq = b->n++;
	e->nh = nh;
}

static void
collect_addrs(struct fp_box *box, struct build *b, uint8_t af)
{
	const struct fp_box_net *net = box->net;
	unsigned max = af == FP_AF_INET ? 32 : 128;

	for (uint32_t k = 0; k < net->n_ifs; k++) {
		const struct fp_net_if *i = &net->ifs[k];

		for (uint32_t n = 0; i->used && n < i->n_addrs; n++) {
			const struct fp_ifaddr *a = &i->addrs[n];
			struct fp_nexthop h = { .af = af, .ifid = k };
			union pol_ip dest = a->addr;

			if (a->af != af)
				continue;
			h.kind = FP_NH_LOCAL;
			entry_add(b, &dest, max, PRIO_LOCAL, &h);
			/* an interface that is down keeps its address, not its network; fe80::/10 has no route: it is on every link */
			if (!fp_net_if_running(box, i) || a->linklocal)
				continue;
			if (a->bcast.w[0] != 0) {
				h.kind = FP_NH_BROADCAST;
				entry_add(b, &a->bcast, max, PRIO_BROADCAST, &h);
			}
			h.kind = FP_NH_CONNECTED;
			fp_addr_mask(af, &dest, a->plen);
			entry_add(b, &dest, a->plen, PRIO_CONNECTED, &h);
		}
	}
}

static void
collect_static(struct fp_box *box, struct build *b, uint8_t af)
{
	const struct fp_box_net *net = box->net;
	const struct fp_net_route *last = NULL;
	struct fp_nexthop h = { 0 };

	for (uint32_t k = 0; k < net->n_routes; k++) {
		const struct fp_net_route *r = &net->routes[k];
		const struct fp_net_if *i;

		if (!r->used || r->af != af)
			continue;
		/* files have runs of routes by one gateway: its interface is looked for once */
		if (last == NULL || last->kind != r->kind || last->ifid != r->ifid || memcmp(&last->gw, &r->gw, sizeof(r->gw)) != 0) {
			memset(&h, 0, sizeof(h));
			h.kind = r->kind;
			h.af = af;
			h.ifid = r->ifid;
			if (r->kind == FP_NH_GATEWAY) {
				h.gw = r->gw;
				h.ifid = fp_net_connected(box, af, r->gw.b, r->ifid);
			} else if (r->kind == FP_NH_CONNECTED) {
				i = fp_net_if_by_id(box, r->ifid);
				if (i == NULL || !fp_net_if_running(box, i))
					h.ifid = FP_IFID_NONE;
			}
			last = r;
		}
		if (h.ifid == FP_IFID_NONE && (r->kind == FP_NH_GATEWAY || r->kind == FP_NH_CONNECTED))
			continue;	/* not reachable now */
		entry_add(b, &r->dest, r->plen, PRIO_STATIC, &h);
	}
}

static int
entry_cmp(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int d;

	if (a->plen != b->plen)
		return a->plen < b->plen ? -1 : 1;
	d = memcmp(&a->dest, &b->dest, sizeof(a->dest));
	if (d != 0)
		return d;
	if (a->prio != b->prio)
		return a->prio > b->prio ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Shortest prefixes first (the tables are filled from coarse to fine), one entry a prefix. */
static void
entries_sort(struct build *b)
{
	uint32_t out = 0;

	if (b->n == 0)
		return;
	qsort(b->entries, b->n, sizeof(*b->entries), entry_cmp);
	for (uint32_t k = 1; k < b->n; k++) {
		struct entry *e = &b->entries[k], *p = &b->entries[out];

		if (e->plen == p->plen && memcmp(&e->dest, &p->dest, sizeof(e->dest)) == 0)
			continue;
		b->entries[++out] = *e;
	}
	b->n = out + 1;
}

/* ---- tables of them */

static void
fib_name(char *name, size_t size)
{
	static unsigned serial;	/* main lcores of several boxes may share a process */

	snprintf(name, size, "fp_fib_%x", __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
}

static int
fill4(struct fib_part *p, const struct build *b, bool table)
{
	struct rte_fib_conf c = { .type = table ? RTE_FIB_DIR24_8 : RTE_FIB_DUMMY, .default_nh = 0, .max_routes = b->n + 1 };
	uint32_t long_ones = 1, v, max;
	char name[32];
	int ret;

	for (uint32_t k = 0; k < b->n; k++)
		long_ones += b->entries[k].plen > 24;
	/* an entry has a bit for "8-bit table" beside the index */
	max = RTE_MAX(b->n_nh, long_ones);
	c.dir24_8.nh_sz = max <= 127 ? RTE_FIB_DIR24_8_1B : max <= 32767 ? RTE_FIB_DIR24_8_2B : RTE_FIB_DIR24_8_4B;
	c.dir24_8.num_tbl8 = long_ones;
	fib_name(name, sizeof(name));
	p->f4 = rte_fib_create(name, SOCKET_ID_ANY, &c);
	if (p->f4 == NULL)
		return -rte_errno;
	for (uint32_t k = 0; k < b->n; k++) {
		memcpy(&v, b->entries[k].dest.b, 4);
		ret = rte_fib_add(p->f4, rte_be_to_cpu_32(v), b->entries[k].plen, b->entries[k].nh);
		if (ret != 0) {
			rte_fib_free(p->f4);
			p->f4 = NULL;
			return ret;
		}
	}
	return 0;
}

static int
fill6(struct fib_part *p, const struct build *b, bool table)
{
	struct rte_fib6_conf c = { .type = table ? RTE_FIB6_TRIE : RTE_FIB6_DUMMY, .default_nh = 0, .max_routes = b->n + 1 };
	uint32_t tbl8 = 1, max;
	char name[32];
	int ret;

	for (uint32_t k = 0; k < b->n; k++)
		tbl8 += b->entries[k].plen > 24 ? (b->entries[k].plen - 24 + 7) / 8 : 0;
	max = RTE_MAX(b->n_nh, tbl8);
	c.trie.nh_sz = max <= 32767 ? RTE_FIB6_TRIE_2B : RTE_FIB6_TRIE_4B;
	c.trie.num_tbl8 = tbl8;
	fib_name(name, sizeof(name));
	p->f6 = rte_fib6_create(name, SOCKET_ID_ANY, &c);
	if (p->f6 == NULL)
		return -rte_errno;
	for (uint32_t k = 0; k < b->n; k++) {
		ret = rte_fib6_add(p->f6, b->entries[k].dest.b, b->entries[k].plen, b->entries[k].nh);
		if (ret != 0) {
			rte_fib6_free(p->f6);
			p->f6 = NULL;
			return ret;
		}
	}
	return 0;
}

struct fp_fib_live *
fp_fib_live_create(void)
{
	struct fp_fib_live *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->refs = 1;
	return l;
}

void
fp_fib_live_put(struct fp_fib_live *l)
{
	if (l != NULL && --l->refs == 0)
		free(l);
}

unsigned
fp_fib_live_tables(const struct fp_fib_live *l)
{
	return l->tables;
}

static void
part_put(struct fib_part *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	if (p->live != NULL) {
		p->live->tables--;
		fp_fib_live_put(p->live);
	}
	if (p->f4 != NULL)
		rte_fib_free(p->f4);
	if (p->f6 != NULL)
		rte_fib6_free(p->f6);
	free(p->nh);
	free(p);
}

static struct fib_part *
part_build(struct fp_box *box, uint8_t af, struct fp_err *err)
{
	int (*fill)(struct fib_part *, const struct build *, bool) = af == FP_AF_INET ? fill4 : fill6;
	struct fib_part *p = calloc(1, sizeof(*p));
	bool table = box->running;
	struct build b = { 0 };
	int ret = 0;

	if (p == NULL)
		goto nomem;
	p->refs = 1;
	collect_static(box, &b, af);
	collect_addrs(box, &b, af);
	if (b.nomem)
		goto nomem;
	entries_sort(&b);
	p->small = !table && b.n > 0;
	if (b.n > 0) {
		ret = fill(p, &b, table);
		if (ret != 0 && table) {
			rte_log(RTE_LOG_WARNING, fp_route_logtype, "route: no memory for the %s table of %u routes (%s): slower tree used\n",
				af == FP_AF_INET ? "IPv4" : "IPv6", b.n, strerror(-ret));
			table = false;
			ret = fill(p, &b, table);
		}
	}
	free(b.entries);
	free(b.hash);
	p->nh = b.nh;
	if (ret == 0 && table && b.n > 0) {
		p->live = box->net->fib_live;
		p->live->refs++;
		p->live->tables++;
	}
	if (ret == 0)
		return p;
	part_put(p);
	fp_err_set(err, ret, "no memory for a table of %u %s routes (%s)", b.n, af == FP_AF_INET ? "IPv4" : "IPv6", strerror(-ret));
	return NULL;
nomem:
	free(b.entries);
	free(b.hash);
	free(b.nh);
	part_put(p);
	fp_err_set(err, -ENOMEM, "no memory for the routes");
	return NULL;
}

struct fp_fib *
fp_fib_build(struct fp_box *box, unsigned dirty, struct fp_err *err)
{
	struct fp_fib *old = box->net->fib, *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		fp_err_set(err, -ENOMEM, "no memory for the routes");
		return NULL;
	}
	f->refs = 1;
	if (old == NULL || dirty & FP_NET_DIRTY_ROUTE4) {
		f->part4 = part_build(box, FP_AF_INET, err);
	} else {
		f->part4 = old->part4;
		f->part4->refs++;
	}
	if (f->part4 != NULL && (old == NULL || dirty & FP_NET_DIRTY_ROUTE6)) {
		f->part6 = part_build(box, FP_AF_INET6, err);
	} else if (f->part4 != NULL) {
		f->part6 = old->part6;
		f->part6->refs++;
	}
	if (f->part4 == NULL || f->part6 == NULL) {
		fp_fib_put(f);
		return NULL;
	}
	f->f4 = f->part4->f4;
	f->nh4 = f->part4->nh;
	f->f6 = f->part6->f6;
	f->nh6 = f->part6->nh;
	return f;
}

void
fp_fib_get(struct fp_fib *fib)
{
	fib->refs++;
}

void
fp_fib_put(void *fib)
{
	struct fp_fib *f = fib;

	if (f == NULL || --f->refs > 0)
		return;
	part_put(f->part4);
	part_put(f->part6);
	free(f);
}

bool
fp_fib_is_small(const struct fp_fib *fib)
{
	return fib->part4->small || fib->part6->small;
}

/* ---- lookup, any reader */

const struct fp_nexthop *
fp_route4(const struct fp_conf *c, uint32_t dst_be)
{
	const struct fp_fib *f = c->fib;
	uint32_t ip = rte_be_to_cpu_32(dst_be);
	uint64_t nh;

	if (unlikely(f->f4 == NULL))
		return NULL;
	rte_fib_lookup_bulk(f->f4, &ip, &nh, 1);
	return nh != 0 ? &f->nh4[nh] : NULL;
}

const struct fp_nexthop *
fp_route6(const struct fp_conf *c, const uint8_t dst[16])
{
	const struct fp_fib *f = c->fib;
	uint8_t ip[1][16];
	uint64_t nh;

	if (unlikely(f->f6 == NULL))
		return NULL;
	memcpy(ip[0], dst, 16);
	rte_fib6_lookup_bulk(f->f6, ip, &nh, 1);
	return nh != 0 ? &f->nh6[nh] : NULL;
}

void
fp_route4_bulk(const struct fp_conf *c, const uint32_t *dst_be, const struct fp_nexthop **out, unsigned n)
{
	const struct fp_fib *f = c->fib;
	uint32_t ip[FP_BURST];
	uint64_t nh[FP_BURST];

	for (unsigned done = 0; done < n; ) {
		unsigned i, part = RTE_MIN(n - done, (unsigned)FP_BURST);

		for (i = 0; i < part; i++)
			ip[i] = rte_be_to_cpu_32(dst_be[done + i]);
		if (likely(f->f4 != NULL))
			rte_fib_lookup_bulk(f->f4, ip, nh, part);
		else
			memset(nh, 0, part * sizeof(nh[0]));
		for (i = 0; i < part; i++)
			out[done + i] = nh[i] != 0 ? &f->nh4[nh[i]] : NULL;
		done += part;
	}
}
