/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static routes as the user gave them, and what `route show` prints. The lookup structure made of them is in fib.c.
 *
 * A static route is kept as long as the user wants it, whether or not its gateway can be reached at the moment: when the
 * interface with the gateway's network is down or has lost its address, the route is left out of the FIB and shown
 * without U. Index: a hash with chains, so that a file with a hundred thousand routes loads in linear time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define ROUTES_MAX (1u << 24)	/* next hops and trees have 32-bit indices; memory ends earlier */

static uint32_t
route_hash(uint8_t af, unsigned plen, const union pol_ip *d)
{
	uint64_t h = (d->d[0] + (uint64_t)af * 131 + plen) * 0x9e3779b97f4a7c15ull;

	h = ((h ^ h >> 32) + d->d[1]) * 0xd6e8feb86659fd93ull;
	return h >> 32;
}

static uint32_t *
bucket(struct fp_box_net *net, uint8_t af, unsigned plen, const union pol_ip *d)
{
	return &net->route_hash[route_hash(af, plen, d) & net->route_hash_mask];
}

static struct fp_net_route *
route_find(struct fp_box_net *net, uint8_t af, unsigned plen, const union pol_ip *d)
{
	for (uint32_t k = *bucket(net, af, plen, d); k != 0; k = net->routes[k - 1].next) {
		struct fp_net_route *r = &net->routes[k - 1];

		if (r->af == af && r->plen == plen && memcmp(&r->dest, d, sizeof(*d)) == 0)
			return r;
	}
	return NULL;
}

static int
hash_resize(struct fp_box_net *net, uint32_t size)
{
	uint32_t *h = calloc(size, sizeof(*h)), *b;

	if (h == NULL)
		return -ENOMEM;
	free(net->route_hash);
	net->route_hash = h;
	net->route_hash_mask = size - 1;
	for (uint32_t k = 0; k < net->n_routes; k++) {
		struct fp_net_route *r = &net->routes[k];

		if (!r->used)
			continue;
		b = bucket(net, r->af, r->plen, &r->dest);
		r->next = *b;
		*b = k + 1;
	}
	return 0;
}

/* A zeroed route in the array, not yet in the hash. NULL: no memory. */
static struct fp_net_route *
route_alloc(struct fp_box_net *net)
{
	struct fp_net_route *r;
	uint32_t k;

	if (net->n_routes_used >= ROUTES_MAX)
		return NULL;
	if (net->n_routes_used > net->route_hash_mask && hash_resize(net, 2 * (net->route_hash_mask + 1)) != 0)
		return NULL;
	if (net->free_routes != 0) {
		k = net->free_routes - 1;
		net->free_routes = net->routes[k].next;
	} else {
		if (net->n_routes == net->cap_routes) {
			uint32_t cap = net->cap_routes ? net->cap_routes * 2 : 64;

			r = realloc(net->routes, cap * sizeof(*r));
			if (r == NULL)
				return NULL;
			net->routes = r;
			net->cap_routes = cap;
		}
		k = net->n_routes++;
	}
	r = &net->routes[k];
	memset(r, 0, sizeof(*r));
	return r;
}

static void
route_insert(struct fp_box_net *net, struct fp_net_route *r)
{
	uint32_t *b = bucket(net, r->af, r->plen, &r->dest);

	r->used = true;
	r->next = *b;
	*b = r - net->routes + 1;
	net->n_routes_used++;
}

static void
route_remove(struct fp_box_net *net, struct fp_net_route *r)
{
	uint32_t *b = bucket(net, r->af, r->plen, &r->dest), id = r - net->routes + 1;

	while (*b != id)
		b = &net->routes[*b - 1].next;
	*b = r->next;
	memset(r, 0, sizeof(*r));
	r->next = net->free_routes;
	net->free_routes = id;
	net->n_routes_used--;
}

static unsigned
dirty_of(uint8_t af)
{
	return af == FP_AF_INET ? FP_NET_DIRTY_ROUTE4 : FP_NET_DIRTY_ROUTE6;
}

/* ---- what the user wrote */

/* Destination: "default" takes its family from the gateway. 0 or a negative errno. */
static int
dest_parse(const char *dest, uint8_t gw_af, uint8_t *af, union pol_ip *d, unsigned *plen, struct fp_err *err)
{
	int n;

	if (strcmp(dest, "default") == 0) {
		*af = gw_af ? gw_af : FP_AF_INET;
		memset(d, 0, sizeof(*d));
		*plen = 0;
		return 0;
	}
	if (!fp_addr_parse(dest, af, d, &n, NULL))
		return fp_err_set(err, -EINVAL, "%s: expected default, an address or a prefix such as 10.0.0.0/8 or 2001:db8::/32", dest);
	*plen = n >= 0 ? n : *af == FP_AF_INET ? 32 : 128;
	fp_addr_mask(*af, d, *plen);
	return 0;
}

/* Destinations that no route can have. NULL: fine. */
static const char *
dest_refused(uint8_t af, const union pol_ip *d, unsigned plen, bool dead_end)
{
	static const uint8_t zero[16];

	if (plen == 0)
		return NULL;
	if (af == FP_AF_INET) {
		if (d->b[0] >= 0xf0)
			return "class E (240.0.0.0/4) is not routed";
		if (d->b[0] >= 0xe0)
			return "multicast is not routed";
		if (d->b[0] == 127 && plen >= 8 && !dead_end)
			return "loopback addresses do not leave a box (only -reject and -blackhole make sense)";
		if (d->b[0] == 0 && plen >= 8 && !dead_end)
			return "0.0.0.0/8 is not routed";
		return NULL;
	}
	if (d->b[0] == 0xff)
		return "multicast is not routed";
	if (fp_addr_is_linklocal(d->b) && plen >= 10)
		return "link-local addresses are not routed";
	if (plen == 128 && memcmp(d->b, zero, 15) == 0 && d->b[15] <= 1 && !dead_end)
		return "loopback addresses do not leave a box (only -reject and -blackhole make sense)";
	return NULL;
}

int
fp_route_add(struct fp_box *box, const char *dest, const char *gw, const char *flags, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_route r = { .ifid = FP_IFID_NONE, .kind = FP_NH_GATEWAY }, *n;
	char scope[FP_NAME_SIZE] = "", name[INET6_ADDRSTRLEN];
	uint8_t gw_af = 0, af;
	const struct fp_net_if *i;
	const char *why;
	unsigned plen = 0;
	int ret;

	if (flags != NULL && flags[0] == '-')
		flags++;
	if (flags == NULL || flags[0] == '\0')
		;
	else if (strcmp(flags, "reject") == 0)
		r.kind = FP_NH_REJECT;
	else if (strcmp(flags, "blackhole") == 0)
		r.kind = FP_NH_BLACKHOLE;
	else if (strcmp(flags, "iface") != 0 && strcmp(flags, "interface") != 0)
		return fp_err_set(err, -EINVAL, "%s: expected reject, blackhole or iface", flags);

	if (gw != NULL && gw[0] != '\0') {
		if (fp_addr_parse(gw, &gw_af, &r.gw, NULL, scope)) {
			r.has_gw = true;
		} else {
			i = fp_net_if_by_name(box, gw);
			if (i == NULL)
				return fp_err_set(err, -EINVAL, "%s: expected a gateway's address or an interface", gw);
			if (r.kind == FP_NH_GATEWAY)
				r.kind = FP_NH_CONNECTED;
			r.ifid = fp_net_ifid(box, i);
		}
	} else if (r.kind == FP_NH_GATEWAY) {
		return fp_err_set(err, -EINVAL, "%s: expected a gateway's address or an interface", dest);
	}
	ret = dest_parse(dest, gw_af, &af, &r.dest, &plen, err);
	if (ret != 0)
		return ret;
	r.af = af;
	r.plen = plen;
	why = dest_refused(af, &r.dest, plen, r.kind == FP_NH_REJECT || r.kind == FP_NH_BLACKHOLE);
	if (why != NULL)
		return fp_err_set(err, -EINVAL, "%s: %s", dest, why);
	if (r.has_gw && gw_af != af)
		return fp_err_set(err, -EINVAL, "%s: the gateway %s is of the other address family", dest, gw);
	if (r.kind == FP_NH_GATEWAY) {
		if (scope[0] != '\0') {
			i = fp_net_if_by_name(box, scope);
			if (i == NULL)
				return fp_err_set(err, -ENOENT, "%s: no such interface", scope);
			r.ifid = fp_net_ifid(box, i);
		} else if (af == FP_AF_INET6 && fp_addr_is_linklocal(r.gw.b)) {
			return fp_err_set(err, -EINVAL, "%s: a link-local gateway needs its interface: %s%%IF", gw, gw);
		}
		for (uint32_t k = 0; k < net->n_ifs; k++)
			if (net->ifs[k].used && fp_net_if_own(&net->ifs[k], af, r.gw.b) != NULL)
				return fp_err_set(err, -EINVAL, "%s: the gateway is this box itself", gw);
		if (fp_net_connected(box, af, r.gw.b, r.ifid) == FP_IFID_NONE)
			return fp_err_set(err, -ENETUNREACH, "%s: network is unreachable: no interface that is up has a network with %s",
				dest, gw);
	}
	if (route_find(net, af, plen, &r.dest) != NULL)
		return fp_err_set(err, -EEXIST, "%s: the route exists; delete it first", dest);
	for (uint32_t k = 0; k < net->n_ifs; k++)
		for (uint32_t a = 0; net->ifs[k].used && a < net->ifs[k].n_addrs; a++)
			if (net->ifs[k].addrs[a].af == af && net->ifs[k].addrs[a].plen == plen && plen != 0 &&
			    fp_addr_in(af, r.dest.b, net->ifs[k].addrs[a].addr.b, plen))
				return fp_err_set(err, -EEXIST, "%s: is the network of %s (%s)", dest, net->ifs[k].name,
					fp_addr_ntop(af, net->ifs[k].addrs[a].addr.b, name, sizeof(name)));
	n = route_alloc(net);
	if (n == NULL)
		return fp_err_set(err, -ENOMEM, "%s: no memory for another route", dest);
	*n = r;
	route_insert(net, n);
	ret = fp_net_changed(box, dirty_of(af), err);
	if (ret != 0)
		route_remove(net, n);
	return ret;
}

int
fp_route_delete(struct fp_box *box, const char *dest, const char *gw, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	const struct fp_net_if *i;
	struct fp_net_route *r;
	char scope[FP_NAME_SIZE];
	union pol_ip d, g;
	uint8_t af, gw_af = 0;
	unsigned plen = 0;
	int ret;

	i = NULL;
	if (gw != NULL && gw[0] != '\0' && !fp_addr_parse(gw, &gw_af, &g, NULL, scope)) {
		i = fp_net_if_by_name(box, gw);
		if (i == NULL)
			return fp_err_set(err, -EINVAL, "%s: expected a gateway's address or an interface", gw);
	}
	ret = dest_parse(dest, gw_af, &af, &d, &plen, err);
	if (ret != 0)
		return ret;
	r = route_find(net, af, plen, &d);
	if (r == NULL)
		return fp_err_set(err, -ESRCH, "%s: not in table", dest);
	if ((gw_af != 0 && (!r->has_gw || memcmp(&r->gw, &g, sizeof(g)) != 0)) ||
	    (i != NULL && r->ifid != fp_net_ifid(box, i)))
		return fp_err_set(err, -ESRCH, "%s: not in table with gateway %s", dest, gw);
	route_remove(net, r);
	return fp_net_changed(box, dirty_of(af), err);
}

void
fp_routes_if_gone(struct fp_box *box, uint16_t ifid)
{
	struct fp_box_net *net = box->net;

	for (uint32_t k = 0; k < net->n_routes; k++)
		if (net->routes[k].used && net->routes[k].ifid == ifid)
			route_remove(net, &net->routes[k]);
}

/* ---- show: flags as OpenBSD's route(8) prints them */

static int
show_static(struct fp_box *box, const struct fp_net_route *r, int (*cb)(void *, const struct fp_route_info *), void *arg)
{
	struct fp_route_info o = { .af = r->af, .plen = r->plen, .has_gw = r->has_gw };
	uint16_t ifid = r->ifid;
	const struct fp_net_if *i;
	bool up = true;
	char *f = o.flags;

	memcpy(o.dest, r->dest.b, 16);
	memcpy(o.gw, r->gw.b, 16);
	if (r->kind == FP_NH_GATEWAY) {
		ifid = fp_net_connected(box, r->af, r->gw.b, r->ifid);
		up = ifid != FP_IFID_NONE;
	} else if (r->kind == FP_NH_CONNECTED) {
		i = fp_net_if_by_id(box, ifid);
		up = i != NULL && fp_net_if_running(box, i);
	}
	if (up)
		*f++ = 'U';
	if (r->has_gw)
		*f++ = 'G';
	if (r->plen == (r->af == FP_AF_INET ? 32 : 128))
		*f++ = 'H';
	if (r->kind == FP_NH_REJECT)
		*f++ = 'R';
	if (r->kind == FP_NH_CONNECTED)
		*f++ = 'C';
	*f++ = 'S';
	if (r->kind == FP_NH_BLACKHOLE)
		*f++ = 'B';
	*f = '\0';
	if (ifid != FP_IFID_NONE)
		fp_if_name(box, ifid, o.ifname);
	return cb(arg, &o);
}

static int
show_addr(struct fp_box *box, const struct fp_net_if *i, const struct fp_ifaddr *a,
	int (*cb)(void *, const struct fp_route_info *), void *arg)
{
	unsigned max = a->af == FP_AF_INET ? 32 : 128;
	struct fp_route_info o = { .af = a->af, .plen = a->plen };
	bool up = fp_net_if_running(box, i);
	union pol_ip net = a->addr;
	int ret;

	fp_addr_mask(a->af, &net, a->plen);
	memcpy(o.ifname, i->name, sizeof(o.ifname));
	if (a->plen < max) {
		memcpy(o.dest, net.b, 16);
		strcpy(o.flags, up ? "UCn" : "Cn");
		ret = cb(arg, &o);
		if (ret != 0)
			return ret;
	}
	o.plen = max;
	memcpy(o.dest, a->addr.b, 16);
	strcpy(o.flags, "UHLl");
	ret = cb(arg, &o);
	if (ret != 0 || a->bcast.w[0] == 0)
		return ret;
	memcpy(o.dest, a->bcast.b, 16);
	strcpy(o.flags, up ? "UHb" : "Hb");
	return cb(arg, &o);
}

int
fp_route_foreach(struct fp_box *box, int (*cb)(void *arg, const struct fp_route_info *r), void *arg)
{
	static const uint8_t families[] = { FP_AF_INET, FP_AF_INET6 };
	struct fp_box_net *net = box->net;
	int ret;

	for (int f = 0; f < 2; f++) {
		for (uint32_t k = 0; k < net->n_routes; k++) {
			if (!net->routes[k].used || net->routes[k].af != families[f])
				continue;
			ret = show_static(box, &net->routes[k], cb, arg);
			if (ret != 0)
				return ret;
		}
		for (uint32_t k = 0; k < net->n_ifs; k++)
			for (uint32_t a = 0; net->ifs[k].used && a < net->ifs[k].n_addrs; a++) {
				if (net->ifs[k].addrs[a].af != families[f])
					continue;
				ret = show_addr(box, &net->ifs[k], &net->ifs[k].addrs[a], cb, arg);
				if (ret != 0)
					return ret;
			}
	}
	return 0;
}

int
fp_routes_create(struct fp_box *box)
{
	return hash_resize(box->net, 64);
}

void
fp_routes_destroy(struct fp_box *box)
{
	free(box->net->routes);
	free(box->net->route_hash);
	box->net->routes = NULL;
	box->net->route_hash = NULL;
	box->net->n_routes = box->net->n_routes_used = 0;
}
