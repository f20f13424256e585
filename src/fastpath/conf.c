/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Publication of the configuration that workers read (struct fp_conf, box.h).
 *
 * Life of a struct fp_conf: one calloc() for the head, one block for interfaces and their addresses, the VLAN map and the
 * port map; the FIB is shared between versions (reference counted, route.c) because a change of rules or of an MTU must not
 * cost a rebuild of the routes. Published with one store-release, which pairs with the workers' load-acquire at the start
 * of their loop; the old version goes to fp_defer().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "conf.h"
#include "net.h"

/* The owner of everything a configuration points to. The workers see conf alone. */
struct conf_block {
	struct fp_conf conf;
	uint16_t port_if[FP_MAX_PORTS];
	struct fp_ifnet *ifs;
	struct fp_ifaddr *addrs;
	struct fp_vlan_map *vlans;
	struct fp_fib *fib;
};

static void
conf_free(void *p)
{
	struct conf_block *b = p;

	if (b == NULL)
		return;
	fp_fib_put(b->fib);
	free(b->vlans);
	free(b->addrs);
	free(b->ifs);
	free(b);
}

void
fp_conf_unpublish(struct fp_box *box)
{
	const struct fp_conf *c = box->conf;

	__atomic_store_n(&box->conf, NULL, __ATOMIC_RELEASE);
	conf_free((void *)(uintptr_t)c);	/* conf is the first member of its block */
}

/* Copy the interfaces. false: no memory; the caller frees the block. */
static bool
conf_ifs(struct fp_box *box, struct conf_block *b)
{
	const struct fp_box_net *net = box->net;
	size_t n_addrs = 0;
	uint32_t i;

	for (i = 0; i < net->n_ifs; i++)
		n_addrs += net->ifs[i].used ? net->ifs[i].n_addrs : 0;
	b->ifs = calloc(net->n_ifs ? net->n_ifs : 1, sizeof(*b->ifs));
	b->addrs = calloc(n_addrs ? n_addrs : 1, sizeof(*b->addrs));
	if (b->ifs == NULL || b->addrs == NULL)
		return false;
	for (i = 0; i < FP_MAX_PORTS; i++)
		b->port_if[i] = FP_IFID_NONE;
	n_addrs = 0;
	for (i = 0; i < net->n_ifs; i++) {
		const struct fp_net_if *s = &net->ifs[i];
		struct fp_ifnet *d = &b->ifs[i];

		d->ifid = i;
		d->port_id = RTE_MAX_ETHPORTS;
		d->bridge_peer = FP_IFID_NONE;
		if (!s->used)
			continue;
		memcpy(d->name, s->name, sizeof(d->name));
		d->port_id = s->port_id;
		d->vlan_outer = s->vlan_outer;
		d->vlan_inner = s->vlan_inner;
		d->l2_len = fp_net_if_l2_len(s);
		d->exists = true;
		d->up = fp_net_if_running(box, s);
		d->mac = s->mac;
		d->mtu = s->mtu;
		d->bridge_peer = s->bridge_peer;
		d->vhids = s->vhids;
		d->n_addrs = s->n_addrs;
		d->addrs = b->addrs + n_addrs;
		if (s->n_addrs > 0)
			memcpy(b->addrs + n_addrs, s->addrs, s->n_addrs * sizeof(*s->addrs));
		n_addrs += s->n_addrs;
		if (s->parent == FP_IFID_NONE && s->port_id < FP_MAX_PORTS)
			b->port_if[s->port_id] = i;
	}
	return true;
}

int
fp_conf_publish(struct fp_box *box, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	const struct fp_conf *old = box->conf;
	uint64_t start = rte_get_tsc_cycles();
	unsigned dirty = net->dirty;
	struct conf_block *b;
	struct fp_fib *fib;
	int i;

	b = calloc(1, sizeof(*b));
	if (b == NULL || !conf_ifs(box, b)) {
		conf_free(b);
		return fp_err_set(err, -ENOMEM, "no memory for the configuration; the old one stays in force");
	}
	/* small trees are for boxes that do not forward yet (route.c) */
	if (box->running && net->fib != NULL && fp_fib_is_small(net->fib))
		dirty |= FP_NET_DIRTY_ROUTE4 | FP_NET_DIRTY_ROUTE6;
	if (net->fib == NULL || dirty & (FP_NET_DIRTY_ROUTE4 | FP_NET_DIRTY_ROUTE6)) {
		fib = fp_fib_build(box, dirty, err);
		if (fib == NULL) {
			conf_free(b);
			return -ENOMEM;
		}
		if (net->fib != NULL)
			fp_fib_put(net->fib);
		net->fib = fib;
		net->publish_cost_tsc = rte_get_tsc_cycles() - start;
	}
	b->vlans = fp_vlan_map_build(b->ifs, net->n_ifs);
	if (b->vlans == NULL) {
		conf_free(b);
		return fp_err_set(err, -ENOMEM, "no memory for the VLAN map; the old configuration stays in force");
	}
	fp_fib_get(net->fib);
	b->fib = net->fib;
	b->conf.generation = old != NULL ? old->generation + 1 : 1;
	b->conf.n_ifs = net->n_ifs;
	b->conf.ifs = b->ifs;
	b->conf.port_if = b->port_if;
	b->conf.vlans = b->vlans;
	b->conf.fib = b->fib;
	b->conf.bridge = net->bridge;
	b->conf.forward4 = b->conf.forward6 = true;
	b->conf.reassemble = true;
	b->conf.syncookies_start_pct = 25;
	b->conf.syncookies_end_pct = 12;
	for (i = 0; i < POL_TM_MAX; i++)
		b->conf.timeout[i] = pol_timeout_defaults[i];
	for (i = 0; i < POL_LIMIT_MAX; i++)
		b->conf.limit[i] = pol_limit_defaults[i];
	if (box->rules != NULL) {
		fp_conf_policy_get(box, &b->conf);
		for (uint32_t k = 0; k < net->n_ifs; k++)
			b->ifs[k].pf_skip = b->ifs[k].exists && fp_conf_policy_skip(box, b->ifs[k].name);
	}
	net->dirty = 0;
	net->publish_tsc = rte_get_tsc_cycles();

	/* pairs with the acquire at the start of the workers' loops: all of b is written before it can be seen */
	__atomic_store_n(&box->conf, &b->conf, __ATOMIC_RELEASE);
	if (old != NULL)
		fp_defer(box, conf_free, (void *)(uintptr_t)old);
	return 0;
}

/* Above this many routes and interfaces a change is published by the next turns of the main lcore, not at once. */
#define PUBLISH_NOW_MAX 256
/* ... and the same when so many tables are in memory: two in force, two that workers may still read. */
#define TABLES_MAX 4
/* ... which then spends at most one part in so many of its time on rebuilding. */
#define PUBLISH_SHARE 8

int
fp_net_changed(struct fp_box *box, unsigned what, struct fp_err *err)
{
	struct fp_box_net *net = box->net;

	net->dirty |= what | FP_NET_DIRTY_CONF;
	if (net->n_routes_used + net->n_ifs > PUBLISH_NOW_MAX || fp_fib_live_tables(net->fib_live) >= TABLES_MAX)
		return 0;
	return fp_conf_publish(box, err);
}

void
fp_net_publish_pending(struct fp_box *box)
{
	struct fp_box_net *net = box->net;
	struct fp_err err;

	if (net->dirty == 0 && !(box->running && net->fib != NULL && fp_fib_is_small(net->fib)))
		return;
	if (fp_fib_live_tables(net->fib_live) >= TABLES_MAX)
		return;
	if (net->publish_tsc != 0 && rte_get_tsc_cycles() - net->publish_tsc < PUBLISH_SHARE * net->publish_cost_tsc)
		return;
	if (fp_conf_publish(box, &err) != 0)
		/* no memory now: try again later, at the pace of a rebuild that takes long */
		net->publish_tsc = rte_get_tsc_cycles();
}

static const struct fp_ifaddr *
own(const struct fp_ifaddr *a, uint32_t n, uint8_t af, const void *addr)
{
	size_t len = af == FP_AF_INET ? 4 : 16;

	for (uint32_t i = 0; i < n; i++)
		if (a[i].af == af && memcmp(a[i].addr.b, addr, len) == 0)
			return &a[i];
	return NULL;
}

/* RFC 6724 in short: same network, else the first of the same scope, else any of the family. The box's own before shared ones. */
static const struct fp_ifaddr *
source(const struct fp_ifaddr *a, uint32_t n, uint8_t af, const void *dst)
{
	bool linklocal = af == FP_AF_INET6 && fp_addr_is_linklocal(dst);
	const struct fp_ifaddr *scoped = NULL, *any = NULL, *shared = NULL;

	if (af == FP_AF_INET6 && ((const uint8_t *)dst)[0] == 0xff)
		linklocal = (((const uint8_t *)dst)[1] & 0xf) <= 2;
	for (uint32_t i = 0; i < n; i++) {
		if (a[i].af != af)
			continue;
		if (a[i].vhid != 0) {	/* the last resort: other boxes have it too */
			if (shared == NULL)
				shared = &a[i];
			continue;
		}
		if (a[i].linklocal == linklocal) {
			if (!linklocal && fp_addr_in(af, dst, a[i].addr.b, a[i].plen))
				return &a[i];
			if (scoped == NULL)
				scoped = &a[i];
		}
		if (any == NULL)
			any = &a[i];
	}
	return scoped != NULL ? scoped : any != NULL ? any : shared;
}

const struct fp_ifaddr *
fp_ifnet_own(const struct fp_ifnet *i, uint8_t af, const void *addr)
{
	return own(i->addrs, i->n_addrs, af, addr);
}

const struct fp_ifaddr *
fp_ifnet_source(const struct fp_ifnet *i, uint8_t af, const void *dst)
{
	return source(i->addrs, i->n_addrs, af, dst);
}

const struct fp_ifaddr *
fp_net_if_own(const struct fp_net_if *i, uint8_t af, const void *addr)
{
	return own(i->addrs, i->n_addrs, af, addr);
}

const struct fp_ifaddr *
fp_net_if_source(const struct fp_net_if *i, uint8_t af, const void *dst)
{
	return source(i->addrs, i->n_addrs, af, dst);
}
