/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: one for each port (port.c tells of them), and VLANs on them or on each other. Addresses: ifaddr.c. What
 * workers see of all this is a copy, struct fp_ifnet (conf.c).
 *
 * Ids. An interface's id is its index in net->ifs and never changes: states, routes and packets in flight carry it. A removed
 * interface keeps its slot until all readers have passed a quiescent point, then the slot may be given to another.
 *
 * QinQ: a VLAN on a VLAN. The outer tag of the frame is the parent's; sent as 802.1ad (0x88a8) outside of 802.1Q (0x8100),
 * received with either (parse.h).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "burst.h"
#include "net.h"
#include "port.h"

#define MTU_MIN 68	/* RFC 791 */
#define MTU_MAX 65535
#define IFS_MAX 0xff00	/* ids above have meanings of their own (FP_IFID_*) */

/* ---- finding */

struct fp_net_if *
fp_net_if_by_id(const struct fp_box *box, uint16_t ifid)
{
	const struct fp_box_net *net = box->net;

	return ifid < net->n_ifs && net->ifs[ifid].used ? &net->ifs[ifid] : NULL;
}

struct fp_net_if *
fp_net_if_by_name(const struct fp_box *box, const char *name)
{
	const struct fp_box_net *net = box->net;

	for (uint32_t i = 0; i < net->n_ifs; i++)
		if (net->ifs[i].used && strcmp(net->ifs[i].name, name) == 0)
			return &net->ifs[i];
	return NULL;
}

bool
fp_net_if_running(const struct fp_box *box, const struct fp_net_if *i)
{
	while (i != NULL && i->up) {
		if (i->parent == FP_IFID_NONE)
			return true;
		i = fp_net_if_by_id(box, i->parent);
	}
	return false;
}

uint8_t
fp_net_if_l2_len(const struct fp_net_if *i)
{
	return RTE_ETHER_HDR_LEN + (i->vlan_outer ? RTE_VLAN_HLEN : 0) + (i->vlan_inner ? RTE_VLAN_HLEN : 0);
}

/* ---- making and removing */

static int
name_check(const struct fp_box *box, const char *name, struct fp_err *err)
{
	static const char *const words[] = { "all", "any", "self", "pfsync0", "default", NULL };
	const char *p;

	if (name == NULL || !isalpha((unsigned char)name[0]) || strlen(name) >= FP_NAME_SIZE)
		return fp_err_set(err, -EINVAL, "%s: expected an interface name of 1 to %d characters that starts with a letter",
			name ? name : "", FP_NAME_SIZE - 1);
	for (p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-' && *p != '.')
			return fp_err_set(err, -EINVAL, "%s: expected letters, digits, '_', '-' and '.' in an interface name", name);
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], name) == 0)
			return fp_err_set(err, -EINVAL, "%s: the word has a meaning of its own and cannot name an interface", name);
	if (fp_net_if_by_name(box, name) != NULL)
		return fp_err_set(err, -EEXIST, "%s: the interface exists already", name);
	return 0;
}

/* A free slot, zeroed; NULL and *err: none. Moves net->ifs. */
static struct fp_net_if *
slot_new(struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i;
	uint32_t k;

	for (k = 0; k < net->n_ifs; k++)
		if (!net->ifs[k].used && !net->ifs[k].gone)
			break;
	if (k >= IFS_MAX) {
		fp_err_set(err, -ENOSPC, "%s: no more interfaces than %u", name, IFS_MAX);
		return NULL;
	}
	if (k == net->cap_ifs) {
		uint32_t cap = net->cap_ifs ? net->cap_ifs * 2 : 16;

		i = realloc(net->ifs, cap * sizeof(*i));
		if (i == NULL) {
			fp_err_set(err, -ENOMEM, "%s: no memory for another interface", name);
			return NULL;
		}
		net->ifs = i;
		net->cap_ifs = cap;
	}
	if (k == net->n_ifs)
		net->n_ifs++;
	i = &net->ifs[k];
	memset(i, 0, sizeof(*i));
	strcpy(i->name, name);
	i->used = i->up = true;
	i->parent = i->bridge_peer = FP_IFID_NONE;
	return i;
}

/* After the grace period: nobody can hold the id any more. */
struct id_release { struct fp_box *box; uint16_t ifid; };

static void
id_release(void *p)
{
	struct id_release *r = p;

	if (r->box->net != NULL && r->ifid < r->box->net->n_ifs)
		r->box->net->ifs[r->ifid].gone = false;
	free(r);
}

static void
slot_remove(struct fp_box *box, struct fp_net_if *i)
{
	uint16_t ifid = fp_net_ifid(box, i);
	struct id_release *r;

	if (i->bridge_peer != FP_IFID_NONE)
		fp_if_bridge(box, NULL, NULL, &(struct fp_err){ 0 });
	fp_routes_if_gone(box, ifid);
	fp_neigh_if_gone(box, ifid, true);
	free(i->addrs);
	fp_defer(box, NULL, i->vhids);
	memset(i, 0, sizeof(*i));
	i->parent = i->bridge_peer = FP_IFID_NONE;
	i->gone = true;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return;		/* the id is never reused: harmless */
	r->box = box;
	r->ifid = ifid;
	fp_defer(box, id_release, r);
}

/* ---- ports */

int
fp_ifnet_port_attached(struct fp_box *box, struct fp_port *p, struct fp_err *err)
{
	struct fp_net_if *i;
	int ret;

	ret = name_check(box, p->name, err);
	if (ret != 0)
		return ret;
	i = slot_new(box, p->name, err);
	if (i == NULL)
		return -ENOMEM;
	i->port_id = p->port_id;
	i->mac = p->mac;
	i->mtu = p->mtu;
	i->link = p->link_up;
	ret = fp_net_changed(box, FP_NET_DIRTY_CONF, err);
	if (ret != 0)
		memset(i, 0, sizeof(*i));	/* never published: the id is free at once */
	return ret;
}

/* Does i stand on the interface of id ifid? */
static bool
stands_on(const struct fp_box *box, const struct fp_net_if *i, uint16_t ifid)
{
	while (i != NULL && i->parent != FP_IFID_NONE) {
		if (i->parent == ifid)
			return true;
		i = fp_net_if_by_id(box, i->parent);
	}
	return false;
}

static struct fp_net_if *
if_of_port(const struct fp_box *box, const struct fp_port *p)
{
	const struct fp_box_net *net = box->net;

	for (uint32_t k = 0; k < net->n_ifs; k++)
		if (net->ifs[k].used && net->ifs[k].parent == FP_IFID_NONE && net->ifs[k].port_id == p->port_id)
			return &net->ifs[k];
	return NULL;
}

int
fp_ifnet_port_detaching(struct fp_box *box, struct fp_port *p, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i = if_of_port(box, p);
	uint16_t ifid;
	uint32_t k;

	if (i == NULL)
		return 0;
	ifid = fp_net_ifid(box, i);
	/* a port whose device vanished goes in any case */
	for (k = 0; k < net->n_ifs && !p->removed; k++) {
		const struct fp_net_if *v = &net->ifs[k];

		if (v->used && v->bridge_peer != FP_IFID_NONE && (k == ifid || stands_on(box, v, ifid)))
			return fp_err_set(err, -EBUSY, "%s: %s is a member of the bridge; `set forward route` first", p->name, v->name);
	}
	for (k = net->n_ifs; k-- > 0; )	/* the upper ones of QinQ may have any id: ask for each */
		if (k != ifid && net->ifs[k].used && net->ifs[k].port_id == i->port_id)
			slot_remove(box, &net->ifs[k]);
	slot_remove(box, i);
	return fp_net_changed(box, FP_NET_DIRTY_ROUTE4 | FP_NET_DIRTY_ROUTE6, err);
}

void
fp_ifnet_port_changed(struct fp_box *box, struct fp_port *p)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i = if_of_port(box, p);
	bool rose, mac;
	struct fp_err err;

	if (i == NULL)
		return;
	rose = p->link_up && !i->link;
	mac = !rte_is_same_ether_addr(&i->mac, &p->mac);
	for (uint32_t k = 0; k < net->n_ifs; k++) {
		struct fp_net_if *v = &net->ifs[k];

		if (!v->used || v->port_id != p->port_id)
			continue;
		v->link = p->link_up;
		if (v == i || v->mtu > p->mtu)
			v->mtu = p->mtu;
		if (mac) {
			v->mac = p->mac;
			fp_net_linklocal_update(box, v);
		}
	}
	fp_net_changed(box, mac ? FP_NET_DIRTY_ROUTE6 : FP_NET_DIRTY_CONF, &err);
	if (!rose && !(mac && p->link_up))
		return;
	for (uint32_t k = 0; k < net->n_ifs; k++)
		if (net->ifs[k].used && net->ifs[k].port_id == p->port_id)
			fp_neigh_announce(box, &net->ifs[k]);
}

/* ---- what users do */

static struct fp_net_if *
find(struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_net_if *i = fp_net_if_by_name(box, name);

	if (i == NULL)
		fp_err_set(err, -ENOENT, "%s: no such interface", name);
	return i;
}

int
fp_if_vlan_add(struct fp_box *box, const char *name, const char *parent, unsigned vid, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i, *up;
	uint16_t parent_id, outer, inner;
	int ret;

	ret = name_check(box, name, err);
	if (ret != 0)
		return ret;
	up = find(box, parent, err);
	if (up == NULL)
		return -ENOENT;
	if (vid < 1 || vid > 4094)
		return fp_err_set(err, -EINVAL, "%s: VLAN id %u: expected 1 to 4094", name, vid);
	if (up->vlan_inner != 0)
		return fp_err_set(err, -EINVAL, "%s: %s has two tags already, no frame has three here", name, parent);
	outer = up->vlan_outer ? up->vlan_outer : vid;
	inner = up->vlan_outer ? vid : 0;
	for (uint32_t k = 0; k < net->n_ifs; k++)
		if (net->ifs[k].used && net->ifs[k].port_id == up->port_id && net->ifs[k].vlan_outer == outer &&
		    net->ifs[k].vlan_inner == inner)
			return fp_err_set(err, -EEXIST, "%s: VLAN %u on %s is %s already", name, vid, parent, net->ifs[k].name);
	parent_id = fp_net_ifid(box, up);
	i = slot_new(box, name, err);
	if (i == NULL)
		return -ENOMEM;
	up = &net->ifs[parent_id];	/* slot_new() moves them */
	i->parent = parent_id;
	i->port_id = up->port_id;
	i->vlan_outer = outer;
	i->vlan_inner = inner;
	i->mac = up->mac;
	i->mtu = up->mtu;
	i->link = up->link;
	ret = fp_net_changed(box, FP_NET_DIRTY_CONF, err);
	if (ret != 0)
		memset(i, 0, sizeof(*i));
	return ret;
}

/* The virtual host that has a shared address here; 0: none. */
static unsigned
shared_by(const struct fp_net_if *i)
{
	for (uint32_t k = 0; k < i->n_addrs; k++)
		if (i->addrs[k].vhid != 0)
			return i->addrs[k].vhid;
	return 0;
}

int
fp_if_destroy(struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i = find(box, name, err);

	if (i == NULL)
		return -ENOENT;
	if (i->parent == FP_IFID_NONE)
		return fp_err_set(err, -EINVAL, "%s: is a port; `port detach %s` removes it", name, name);
	for (uint32_t k = 0; k < net->n_ifs; k++)
		if (net->ifs[k].used && stands_on(box, &net->ifs[k], fp_net_ifid(box, i)))
			return fp_err_set(err, -EBUSY, "%s: %s stands on it", name, net->ifs[k].name);
	if (i->bridge_peer != FP_IFID_NONE)
		return fp_err_set(err, -EBUSY, "%s: is a member of the bridge; `set forward route` first", name);
	if (shared_by(i) != 0)
		return fp_err_set(err, -EBUSY, "%s: is the carpdev of vhid %u; destroy that first", name, shared_by(i));
	slot_remove(box, i);
	return fp_net_changed(box, FP_NET_DIRTY_ROUTE4 | FP_NET_DIRTY_ROUTE6, err);
}

int
fp_if_set_up(struct fp_box *box, const char *ifname, bool up, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i = find(box, ifname, err);
	uint16_t ifid;
	int ret;

	if (i == NULL)
		return -ENOENT;
	if (i->up == up)
		return 0;
	i->up = up;
	ret = fp_net_changed(box, FP_NET_DIRTY_ROUTE4 | FP_NET_DIRTY_ROUTE6, err);
	if (ret != 0) {
		i->up = !up;
		return ret;
	}
	ifid = fp_net_ifid(box, i);
	for (uint32_t k = 0; k < net->n_ifs; k++) {
		if (!net->ifs[k].used || (k != ifid && !stands_on(box, &net->ifs[k], ifid)))
			continue;
		if (up)
			fp_neigh_announce(box, &net->ifs[k]);
		else
			fp_neigh_if_gone(box, k, false);
	}
	return 0;
}

int
fp_if_set_mtu(struct fp_box *box, const char *ifname, unsigned mtu, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i = find(box, ifname, err);
	struct fp_port *p;
	uint16_t ifid;
	int ret;

	if (i == NULL)
		return -ENOENT;
	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return fp_err_set(err, -EINVAL, "%s: MTU %u: expected %u to %u", ifname, mtu, MTU_MIN, MTU_MAX);
	ifid = fp_net_ifid(box, i);
	if (i->parent == FP_IFID_NONE) {
		p = fp_port_by_id(box, i->port_id);
		if (p == NULL)
			return fp_err_set(err, -ENODEV, "%s: its port is gone", ifname);
		ret = fp_port_set_mtu(box, p, mtu, err);
		if (ret != 0)
			return ret;
	} else if (mtu > fp_net_if_by_id(box, i->parent)->mtu) {
		return fp_err_set(err, -EINVAL, "%s: MTU %u: expected at most the %u of %s, on which it stands", ifname, mtu,
			fp_net_if_by_id(box, i->parent)->mtu, fp_net_if_by_id(box, i->parent)->name);
	}
	i = &net->ifs[ifid];
	i->mtu = mtu;
	for (uint32_t k = 0; k < net->n_ifs; k++)
		if (net->ifs[k].used && stands_on(box, &net->ifs[k], ifid) && net->ifs[k].mtu > mtu)
			net->ifs[k].mtu = mtu;
	return fp_net_changed(box, FP_NET_DIRTY_CONF, err);
}

static bool
mac_parse(const char *s, struct rte_ether_addr *mac)
{
	unsigned b[6];
	int n = 0;

	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) != 6 || s[n] != '\0')
		return false;
	for (int k = 0; k < 6; k++)
		mac->addr_bytes[k] = b[k];
	return true;
}

int
fp_if_set_mac(struct fp_box *box, const char *ifname, const char *mac, struct fp_err *err)
{
	struct fp_net_if *i = find(box, ifname, err);
	struct rte_ether_addr a;
	struct fp_port *p;
	int ret;

	if (i == NULL)
		return -ENOENT;
	if (strcmp(mac, "random") == 0)
		rte_eth_random_addr(a.addr_bytes);
	else if (!mac_parse(mac, &a))
		return fp_err_set(err, -EINVAL, "%s: expected a MAC address such as 02:00:00:00:00:01, or random", mac);
	if (!rte_is_valid_assigned_ether_addr(&a))
		return fp_err_set(err, -EINVAL, "%s: a group address or all zeros cannot be a station's address", mac);
	if (i->parent != FP_IFID_NONE)
		return fp_err_set(err, -EOPNOTSUPP, "%s: a VLAN has the address of its port; set it on %s", ifname,
			fp_net_if_by_id(box, i->parent)->name);
	p = fp_port_by_id(box, i->port_id);
	if (p == NULL)
		return fp_err_set(err, -ENODEV, "%s: its port is gone", ifname);
	ret = fp_port_set_mac(box, p, &a, err);
	if (ret != 0)
		return ret;
	p->mac = a;
	fp_ifnet_port_changed(box, p);
	return 0;
}

int
fp_if_bridge(struct fp_box *box, const char *a, const char *b, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *ia = NULL, *ib = NULL;

	if ((a == NULL) != (b == NULL))
		return fp_err_set(err, -EINVAL, "a bridge has two interfaces");
	if (a != NULL) {
		ia = find(box, a, err);
		ib = ia != NULL ? find(box, b, err) : NULL;
		if (ib == NULL)
			return -ENOENT;
		if (ia == ib)
			return fp_err_set(err, -EINVAL, "%s: a bridge has two different interfaces", a);
		if (stands_on(box, ia, fp_net_ifid(box, ib)) || stands_on(box, ib, fp_net_ifid(box, ia)))
			return fp_err_set(err, -EINVAL, "%s and %s: one stands on the other", a, b);
	}
	for (uint32_t k = 0; k < net->n_ifs; k++)
		net->ifs[k].bridge_peer = FP_IFID_NONE;
	net->bridge = a != NULL;
	if (a != NULL) {
		ia->bridge_peer = fp_net_ifid(box, ib);
		ib->bridge_peer = fp_net_ifid(box, ia);
	}
	return fp_net_changed(box, FP_NET_DIRTY_CONF, err);
}

/* ---- looking */

unsigned
fp_if_count(const struct fp_box *box)
{
	unsigned n = 0;

	for (uint32_t k = 0; k < box->net->n_ifs; k++)
		n += box->net->ifs[k].used;
	return n;
}

static void
info_fill(const struct fp_box *box, const struct fp_net_if *i, struct fp_if_info *o)
{
	const struct fp_conf *c = box->conf;
	uint16_t ifid = fp_net_ifid(box, i);
	const struct fp_port *p;
	struct rte_eth_stats st;
	struct rte_eth_link link;

	memset(o, 0, sizeof(*o));
	memcpy(o->name, i->name, sizeof(o->name));
	o->ifid = ifid;
	o->port_id = i->parent == FP_IFID_NONE ? i->port_id : -1;
	if (i->parent != FP_IFID_NONE)
		memcpy(o->parent, fp_net_if_by_id(box, i->parent)->name, sizeof(o->parent));
	o->vlan_outer = i->vlan_outer;
	o->vlan_inner = i->vlan_inner;
	memcpy(o->mac, i->mac.addr_bytes, 6);
	o->mtu = i->mtu;
	o->up = i->up;
	o->running = i->link && fp_net_if_running(box, i);
	o->bridge_peer = i->bridge_peer;
	o->pf_skip = c != NULL && ifid < c->n_ifs && c->ifs[ifid].pf_skip;
	o->socket = -1;
	o->n_addrs = i->n_addrs;
	for (uint32_t k = 0; k < i->n_addrs && k < RTE_DIM(o->addrs); k++) {
		o->addrs[k].af = i->addrs[k].af;
		o->addrs[k].plen = i->addrs[k].plen;
		o->addrs[k].vhid = i->addrs[k].vhid;
		o->addrs[k].linklocal = i->addrs[k].linklocal;
		memcpy(o->addrs[k].addr, i->addrs[k].addr.b, 16);
		memcpy(o->addrs[k].broadcast, i->addrs[k].bcast.b, 16);
	}
	p = fp_port_by_id(box, i->port_id);
	if (p == NULL)
		return;
	o->socket = p->socket;
	o->promisc = p->promisc;
	if (rte_eth_link_get_nowait(i->port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP) {
		o->link_mbps = link.link_speed;
		o->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	}
	if (i->parent != FP_IFID_NONE)
		return;
	memcpy(o->devargs, p->devargs, sizeof(o->devargs));
	memcpy(o->driver, p->driver, sizeof(o->driver));
	o->n_rxq = p->n_rxq;
	o->n_txq = p->n_txq;
	fp_port_offload_words(p, o->offloads, sizeof(o->offloads));
	if (fp_port_stats(p, &st) == 0) {
		o->in_packets = st.ipackets;
		o->in_bytes = st.ibytes;
		o->out_packets = st.opackets;
		o->out_bytes = st.obytes;
		o->in_errors = st.ierrors;
		o->out_errors = st.oerrors;
		o->in_missed = st.imissed;
		o->in_nombuf = st.rx_nombuf;
	}
}

int
fp_if_info(const struct fp_box *box, unsigned n, struct fp_if_info *info)
{
	for (uint32_t k = 0; k < box->net->n_ifs; k++)
		if (box->net->ifs[k].used && n-- == 0) {
			info_fill(box, &box->net->ifs[k], info);
			return 0;
		}
	return -ENOENT;
}

int
fp_if_find(const struct fp_box *box, const char *name, struct fp_if_info *info)
{
	const struct fp_net_if *i = fp_net_if_by_name(box, name);

	if (i == NULL)
		return -ENOENT;
	info_fill(box, i, info);
	return 0;
}

int
fp_if_name(const struct fp_box *box, uint16_t ifid, char name[FP_NAME_SIZE])
{
	const struct fp_net_if *i = fp_net_if_by_id(box, ifid);
	const char *foreign;

	if (ifid == FP_IFID_ALL) {
		strcpy(name, "all");
		return 0;
	}
	if (ifid >= FP_IFID_FOREIGN && box->foreign_if != NULL && (foreign = box->foreign_if(box, ifid)) != NULL) {
		snprintf(name, FP_NAME_SIZE, "%s", foreign);
		return 0;
	}
	if (i == NULL) {
		strcpy(name, "?");
		return -ENOENT;
	}
	memcpy(name, i->name, FP_NAME_SIZE);
	return 0;
}

/* ---- frames to interfaces */

struct vlan_slot { uint64_t key; uint16_t ifid; };	/* key 0: empty; a VLAN's is never 0 */
struct fp_vlan_map { uint32_t mask; uint32_t n; struct vlan_slot slot[]; };

static inline uint64_t
vlan_key(uint16_t port_id, uint16_t outer, uint16_t inner)
{
	return (uint64_t)port_id << 24 | (uint64_t)outer << 12 | inner;
}

static inline uint32_t
vlan_hash(uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ull) >> 32;
}

struct fp_vlan_map *
fp_vlan_map_build(const struct fp_ifnet *ifs, uint32_t n_ifs)
{
	uint32_t n = 0, size = 1, h;
	struct fp_vlan_map *v;

	for (uint32_t k = 0; k < n_ifs; k++)
		n += ifs[k].exists && ifs[k].vlan_outer != 0;
	while (size < 2 * n + 1)
		size *= 2;
	v = calloc(1, sizeof(*v) + size * sizeof(v->slot[0]));
	if (v == NULL)
		return NULL;
	v->mask = size - 1;
	v->n = n;
	for (uint32_t k = 0; k < n_ifs; k++) {
		if (!ifs[k].exists || ifs[k].vlan_outer == 0)
			continue;
		uint64_t key = vlan_key(ifs[k].port_id, ifs[k].vlan_outer, ifs[k].vlan_inner);

		for (h = vlan_hash(key) & v->mask; v->slot[h].key != 0; h = (h + 1) & v->mask)
			;
		v->slot[h].key = key;
		v->slot[h].ifid = k;
	}
	return v;
}

uint16_t
fp_if_by_frame(const struct fp_conf *c, uint16_t port_id, uint16_t vlan_outer, uint16_t vlan_inner)
{
	const struct fp_vlan_map *v = c->vlans;
	uint64_t key;

	if (likely(vlan_outer == 0))
		return port_id < FP_MAX_PORTS ? c->port_if[port_id] : FP_IFID_NONE;
	key = vlan_key(port_id, vlan_outer, vlan_inner);
	/* at most half full: an empty slot ends every walk */
	for (uint32_t h = vlan_hash(key) & v->mask; v->slot[h].key != 0; h = (h + 1) & v->mask)
		if (v->slot[h].key == key)
			return v->slot[h].ifid;
	return FP_IFID_NONE;
}

/* ---- life with the box */

int
fp_net_create(struct fp_box *box, struct fp_err *err)
{
	int ret;

	box->net = calloc(1, sizeof(*box->net));
	if (box->net == NULL)
		return fp_err_set(err, -ENOMEM, "no memory for interfaces and routes");
	box->net->fib_live = fp_fib_live_create();
	ret = box->net->fib_live != NULL ? fp_routes_create(box) : -ENOMEM;
	if (ret == 0)
		ret = fp_neigh_create(box);
	if (ret != 0) {
		fp_net_destroy(box);
		return fp_err_set(err, ret, "no memory for routes and neighbours");
	}
	ret = fp_conf_publish(box, err);
	if (ret != 0)
		fp_net_destroy(box);
	return ret;
}

void
fp_net_destroy(struct fp_box *box)
{
	struct fp_box_net *net = box->net;

	if (net == NULL)
		return;
	fp_conf_unpublish(box);
	fp_neigh_destroy(box);
	fp_routes_destroy(box);
	if (net->fib != NULL)
		fp_fib_put(net->fib);
	fp_fib_live_put(net->fib_live);
	for (uint32_t k = 0; k < net->n_ifs; k++) {
		free(net->ifs[k].addrs);
		free(net->ifs[k].vhids);
	}
	free(net->ifs);
	free(net);
	box->net = NULL;
}
