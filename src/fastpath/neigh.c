/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours: ARP (RFC 826, 5227) and neighbour discovery (RFC 4861) on the main lcore.
 *
 * Workers punt what they cannot do alone: ARP and ND frames, and packets whose next hop is not in the workers' table
 * (neigh_table.h). Here each neighbour that was asked for or heard of is a struct host with a state:
 *
 *	none --miss--> INCOMPLETE --answer--> REACHABLE --time--> (used?) --> PROBE --answer--> REACHABLE
 *	                    |                     IPv4: unused ones are forgotten at the end of their time
 *	                    |                     IPv6: unused ones become STALE, and PROBE when they are used again
 *	                    +--5 questions--> FAILED (packets are dropped at once) --3 s--> none
 *	PROBE asks by unicast and, while it waits, packets go on; no answer: none.
 *
 * Everything but none, INCOMPLETE and FAILED is in the workers' table. Only what came from a request to us, an answer
 * to us, or a gateway's or host's own announcement about a known entry is believed; nothing is learned from frames that do
 * not concern this box, and a static entry is never changed by the network.
 *
 * Bounds. Questions without answer: INCOMPLETE_MAX, the one asked longest ago makes room, so that a scan of a large
 * network costs neither memory nor living neighbours. Packets that wait: params->neigh_queue a neighbour (the oldest is
 * dropped) and an eighth of a packet pool in all. Known neighbours: HOSTS_MAX, then unused ones make room.
 *
 * Timers: each state has a list in order of its time, since all entries of a list wait equally long; a turn of the main
 * lcore looks at the heads. Owner of everything here: the main lcore.
 */
#include <stdlib.h>
#include <string.h>

#include "neigh_priv.h"

RTE_LOG_REGISTER(fp_neigh_logtype, twinpath.neigh, NOTICE);

#define SEC 1000000ull
#define RETRANS_US SEC
#define TRIES 5
#define FAILED_US (3 * SEC)
#define REACH4_US (1190 * SEC)	/* BSD: 20 minutes; the last ten seconds are for the question */
#define REACH6_US (30 * SEC)	/* RFC 4861 10, REACHABLE_TIME */
#define STALE_US (5 * SEC)	/* how often a stale one is looked at: DELAY_FIRST_PROBE_TIME */
#define STALE_LIFE_US (86400 * SEC)
#define DEFEND_US (10 * SEC)	/* RFC 5227 2.4 */
#define TURN_MAX 64		/* entries looked at per list and turn */
#define EVICT_SCAN 32

const char *const fp_arp_counter_names[FP_AC_MAX] = {
#define X(n, s, h) s,
	FP_ARP_COUNTERS(X)
#undef X
};
const char *const fp_arp_counter_help[FP_AC_MAX] = {
#define X(n, s, h) h,
	FP_ARP_COUNTERS(X)
#undef X
};

/* ---- the hosts */

static uint32_t
host_hash(const struct fp_neigh *n, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	uint64_t a = 0, b = 0;

	memcpy(&a, addr, af == FP_AF_INET ? 4 : 8);
	if (af == FP_AF_INET6)
		memcpy(&b, addr + 8, 8);
	a = (a ^ n->secret[0] ^ (uint64_t)ifid << 40) * 0x9e3779b97f4a7c15ull;
	b = (b ^ n->secret[1] ^ a >> 31) * 0xd6e8feb86659fd93ull;
	return (a ^ b) >> 32;
}

struct fp_neigh_host *
fp_neigh_host_find(const struct fp_neigh *n, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	struct fp_neigh_host *h = n->buckets[host_hash(n, ifid, af, addr) & n->mask];

	while (h != NULL && (h->ifid != ifid || h->af != af || memcmp(h->addr, addr, af == FP_AF_INET ? 4 : 16) != 0))
		h = h->next;
	return h;
}

static bool
host_used(const struct fp_neigh_host *h)
{
	return h->entry != NULL && __atomic_load_n(&h->entry->used, __ATOMIC_RELAXED) != 0;
}

static void
host_unuse(struct fp_neigh_host *h)
{
	if (h->entry != NULL)
		__atomic_store_n(&h->entry->used, 0, __ATOMIC_RELAXED);
}

static void
list_leave(struct fp_neigh *n, struct fp_neigh_host *h)
{
	if (h->list != NH_LIST_NONE) {
		TAILQ_REMOVE(&n->lists[h->list], h, link);
		n->len[h->list]--;
	}
	h->list = NH_LIST_NONE;
}

static void
list_join(struct fp_neigh *n, struct fp_neigh_host *h, enum nh_list list, uint64_t wait_us)
{
	list_leave(n, h);
	h->list = list;
	h->due_us = n->now_us + wait_us;
	TAILQ_INSERT_TAIL(&n->lists[list], h, link);
	n->len[list]++;
}

static void
queue_drop(struct fp_box *box, struct fp_neigh_host *h, enum fp_drop why)
{
	struct rte_mbuf *m;

	while ((m = h->queue_head) != NULL) {
		h->queue_head = fp_priv(m)->next;
		box->net->neigh->held--;
		fp_main_drop(box, m, why);
	}
	h->queue_tail = NULL;
	h->n_queued = 0;
}

static void
host_free(struct fp_box *box, struct fp_neigh_host *h)
{
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_host **p = &n->buckets[host_hash(n, h->ifid, h->af, h->addr) & n->mask];

	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	list_leave(n, h);
	if (h->entry != NULL)
		fp_neigh_table_remove(box, box->neigh, h->ifid, h->af, h->addr);
	queue_drop(box, h, FP_D_NEIGH_FAILED);
	n->n_hosts--;
	free(h);
}

/* The first unused entry among the oldest of a list. */
static struct fp_neigh_host *
unused_of(struct fp_neigh *n, enum nh_list list)
{
	struct fp_neigh_host *h;
	unsigned i = 0;

	TAILQ_FOREACH(h, &n->lists[list], link)
		if (!host_used(h))
			return h;
		else if (++i == EVICT_SCAN)
			break;
	return NULL;
}

/* Make room for one more. false: there is none. */
static bool
evict(struct fp_box *box)
{
	static const enum nh_list order[] = { NH_LIST_FAILED, NH_LIST_INCOMPLETE, NH_LIST_STALE, NH_LIST_REACH4, NH_LIST_REACH6 };
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_host *h = NULL;

	for (unsigned i = 0; i < RTE_DIM(order) && h == NULL; i++)
		h = unused_of(n, order[i]);
	if (h == NULL)
		return false;
	n->cnt[FP_AC_EVICTED]++;
	host_free(box, h);
	return true;
}

static void
buckets_grow(struct fp_neigh *n)
{
	uint32_t size = (n->mask + 1) * 2;
	struct fp_neigh_host **b = calloc(size, sizeof(*b)), *h;

	if (b == NULL)
		return;		/* longer chains */
	for (uint32_t k = 0; k <= n->mask; k++)
		while ((h = n->buckets[k]) != NULL) {
			uint32_t to = host_hash(n, h->ifid, h->af, h->addr) & (size - 1);

			n->buckets[k] = h->next;
			h->next = b[to];
			b[to] = h;
		}
	free(n->buckets);
	n->buckets = b;
	n->mask = size - 1;
}

struct fp_neigh_host *
fp_neigh_host_new(struct fp_box *box, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_host *h, **b;

	if (n->n_hosts >= n->hosts_max && !evict(box)) {
		n->cnt[FP_AC_FULL]++;
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	memcpy(h->addr, addr, af == FP_AF_INET ? 4 : 16);
	h->ifid = ifid;
	h->af = af;
	h->list = NH_LIST_NONE;
	if (n->n_hosts > n->mask)
		buckets_grow(n);
	b = &n->buckets[host_hash(n, ifid, af, addr) & n->mask];
	h->next = *b;
	*b = h;
	n->n_hosts++;
	return h;
}

/* ---- sending */

/* Whose station an address of i is: the interface's, or the virtual host's that shares it. NULL: that one is not MASTER here. */
static const struct rte_ether_addr *
station(const struct fp_net_if *i, const struct fp_ifaddr *a, struct rte_ether_addr *vmac)
{
	if (a == NULL || a->vhid == 0)
		return &i->mac;
	*vmac = (struct rte_ether_addr){ { 0, 0, 0x5e, 0, 1, a->vhid } };
	return fp_vhid_live(i->vhids, a->vhid) ? vmac : NULL;
}

static void
frame_send(struct fp_box *box, const struct fp_net_if *i, struct rte_mbuf *m, const struct rte_ether_addr *src,
	const struct rte_ether_addr *dst, uint16_t type)
{
	if (!fp_l2_prepend(m, src, dst, i->vlan_outer, i->vlan_inner, type)) {
		fp_main_drop(box, m, FP_D_NOMBUF);
		return;
	}
	m->port = i->port_id;
	fp_main_tx(box, m);
}

static void
bytes_send(struct fp_box *box, const struct fp_net_if *i, const uint8_t *p, size_t len, const struct rte_ether_addr *src,
	const struct rte_ether_addr *dst, uint16_t type)
{
	struct rte_mbuf *m = fp_main_mbuf(box);
	char *d;

	if (m == NULL)
		return;
	d = rte_pktmbuf_append(m, len);
	if (d == NULL) {
		fp_main_drop(box, m, FP_D_NOMBUF);
		return;
	}
	memcpy(d, p, len);
	frame_send(box, i, m, src, dst, type);
}

static void
arp_send(struct fp_box *box, const struct fp_net_if *i, const struct rte_ether_addr *sha, uint16_t op, const uint8_t *spa,
	const uint8_t *tha, const uint8_t *tpa, const struct rte_ether_addr *dst)
{
	struct fp_arp a = { .op = op };
	uint8_t p[FP_ARP_LEN];

	memcpy(a.sha, sha->addr_bytes, 6);
	memcpy(a.spa, spa, 4);
	if (tha != NULL)
		memcpy(a.tha, tha, 6);
	memcpy(a.tpa, tpa, 4);
	fp_arp_build(p, &a);
	box->net->neigh->cnt[op == FP_ARP_REQUEST ? FP_AC_ARP_REQUEST_TX : FP_AC_ARP_REPLY_TX]++;
	bytes_send(box, i, p, sizeof(p), sha, dst, RTE_ETHER_TYPE_ARP);
}

static void
nd_send(struct fp_box *box, const struct fp_net_if *i, const struct rte_ether_addr *src, struct fp_nd *nd,
	const struct rte_ether_addr *dst)
{
	uint8_t p[FP_ND_LEN];

	nd->has_lladdr = true;
	memcpy(nd->lladdr, src->addr_bytes, 6);
	box->net->neigh->cnt[nd->type == FP_ND_NS ? FP_AC_NS_TX : FP_AC_NA_TX]++;
	bytes_send(box, i, p, fp_nd_build(p, nd), src, dst, RTE_ETHER_TYPE_IPV6);
}

/* Ask for h: everybody, or the station that we believe it is. */
static void
solicit(struct fp_box *box, const struct fp_neigh_host *h, bool unicast)
{
	static const struct rte_ether_addr all = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	static const uint8_t none[4];
	const struct fp_net_if *i = fp_net_if_by_id(box, h->ifid);
	const struct fp_ifaddr *src;
	const struct rte_ether_addr *own;
	struct rte_ether_addr dst, vmac;
	struct fp_nd nd = { .type = FP_ND_NS };

	if (i == NULL || !fp_net_if_running(box, i))
		return;
	src = fp_net_if_source(i, h->af, h->addr);
	own = station(i, src, &vmac);
	if (own == NULL) {	/* a shared address is all there is, and another box has it: ask as nobody (RFC 5227 2.1.1) */
		src = NULL;
		own = &i->mac;
	}
	if (h->af == FP_AF_INET) {
		arp_send(box, i, own, FP_ARP_REQUEST, src != NULL ? src->addr.b : none, NULL, h->addr, unicast ? &h->mac : &all);
		return;
	}
	if (src == NULL)
		return;
	memcpy(nd.src, src->addr.b, 16);
	memcpy(nd.target, h->addr, 16);
	if (unicast) {
		memcpy(nd.dst, h->addr, 16);
		dst = h->mac;
	} else {
		fp_nd_solicited_node(nd.dst, h->addr);
		fp_l2_group_mac(FP_AF_INET6, nd.dst, &dst);
	}
	nd_send(box, i, own, &nd, &dst);
}

static void
queue_send(struct fp_box *box, struct fp_neigh_host *h)
{
	const struct fp_net_if *i = fp_net_if_by_id(box, h->ifid);
	uint16_t type = h->af == FP_AF_INET ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
	struct rte_mbuf *m;

	if (i == NULL)
		return;
	while ((m = h->queue_head) != NULL) {
		h->queue_head = fp_priv(m)->next;
		box->net->neigh->held--;
		frame_send(box, i, m, &i->mac, &h->mac, type);
	}
	h->queue_tail = NULL;
	h->n_queued = 0;
}

/* ---- states */

static void
enter_reachable(struct fp_box *box, struct fp_neigh_host *h)
{
	host_unuse(h);
	h->state = NH_REACHABLE;
	if (h->af == FP_AF_INET)
		list_join(box->net->neigh, h, NH_LIST_REACH4, REACH4_US);
	else
		list_join(box->net->neigh, h, NH_LIST_REACH6, REACH6_US);
}

static void
enter_stale(struct fp_box *box, struct fp_neigh_host *h)
{
	if (h->af == FP_AF_INET) {	/* ARP knows no stale entries */
		enter_reachable(box, h);
		return;
	}
	host_unuse(h);
	h->state = NH_STALE;
	h->stale_us = box->net->neigh->now_us;
	list_join(box->net->neigh, h, NH_LIST_STALE, STALE_US);
}

static void
enter_probe(struct fp_box *box, struct fp_neigh_host *h)
{
	h->state = NH_PROBE;
	h->tries = 1;
	list_join(box->net->neigh, h, NH_LIST_PROBE, RETRANS_US);
	solicit(box, h, true);
}

static void
enter_incomplete(struct fp_box *box, struct fp_neigh_host *h)
{
	struct fp_neigh *n = box->net->neigh;

	if (n->len[NH_LIST_INCOMPLETE] >= n->incomplete_max) {
		n->cnt[FP_AC_EVICTED]++;
		host_free(box, TAILQ_FIRST(&n->lists[NH_LIST_INCOMPLETE]));
	}
	h->state = NH_INCOMPLETE;
	h->tries = 1;
	list_join(n, h, NH_LIST_INCOMPLETE, RETRANS_US);
	solicit(box, h, false);
}

/* The sender of a forwarded packet is told by the worker that forwarded it; the packet ends there. */
static void
unreachable(struct fp_box *box, struct rte_mbuf *m)
{
	struct fp_mbuf_priv *pr = fp_priv(m);

	if (pr->rcvif == FP_IFID_NONE || pr->worker >= box->n_workers) {
		fp_main_drop(box, m, FP_D_NEIGH_FAILED);
		return;
	}
	pr->flags = FP_HANDED_UNREACHABLE;
	if (rte_ring_mp_enqueue(box->workers[pr->worker]->handover, m) != 0)
		fp_main_drop(box, m, FP_D_NEIGH_FAILED);
}

static void
enter_failed(struct fp_box *box, struct fp_neigh_host *h)
{
	struct fp_neigh *n = box->net->neigh;

	n->cnt[FP_AC_FAILED]++;
	while (h->queue_head != NULL) {
		struct rte_mbuf *m = h->queue_head;

		h->queue_head = fp_priv(m)->next;
		h->n_queued--;
		n->held--;
		unreachable(box, m);
	}
	h->queue_tail = NULL;
	if (n->len[NH_LIST_FAILED] >= n->incomplete_max)
		host_free(box, TAILQ_FIRST(&n->lists[NH_LIST_FAILED]));
	h->state = NH_FAILED;
	list_join(n, h, NH_LIST_FAILED, FAILED_US);
}

/* h has this MAC: into the workers' table; what waited goes out. false: no memory, h is gone. */
static bool
set_mac(struct fp_box *box, struct fp_neigh_host *h, const uint8_t *mac)
{
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_entry *e;

	if (h->entry != NULL && memcmp(h->mac.addr_bytes, mac, 6) == 0)
		return true;
	if (h->entry != NULL)
		n->cnt[FP_AC_MOVED]++;
	else
		n->cnt[FP_AC_RESOLVED]++;
	memcpy(h->mac.addr_bytes, mac, 6);
	e = fp_neigh_table_set(box, box->neigh, h->ifid, h->af, h->addr, &h->mac);
	if (e == NULL) {
		host_free(box, h);
		return false;
	}
	h->entry = e;
	queue_send(box, h);
	return true;
}

/* ---- input */

/* Another station speaks with our address: defend it, but not in a duel (RFC 5227 2.4 c). */
static void
conflict(struct fp_box *box, struct fp_net_if *i, const struct fp_ifaddr *a, const uint8_t *mac, enum fp_arp_counter c)
{
	struct fp_neigh *n = box->net->neigh;
	char s[64];

	n->cnt[c]++;
	if (n->defended_us != 0 && n->now_us - n->defended_us < DEFEND_US)
		return;
	n->defended_us = n->now_us;
	rte_log(RTE_LOG_ERR, fp_neigh_logtype, "neigh: %s: duplicate address %s claimed by " RTE_ETHER_ADDR_PRT_FMT "\n",
		i->name, fp_addr_ntop(a->af, a->addr.b, s, sizeof(s)), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	fp_neigh_announce_addr(box, i, a);
}

/* Can a neighbour on i have addr: one of i's networks, not the network's own or broadcast address, not ours. */
static bool
on_link(const struct fp_net_if *i, uint8_t af, const uint8_t *addr)
{
	for (uint32_t k = 0; k < i->n_addrs; k++) {
		const struct fp_ifaddr *a = &i->addrs[k];

		if (a->af == af && fp_addr_in(af, addr, a->addr.b, a->plen))
			return af == FP_AF_INET6 || a->bcast.w[0] == 0 || memcmp(a->bcast.b, addr, 4) != 0;
	}
	return false;
}

static void
arp_input(struct fp_box *box, struct fp_net_if *i, const uint8_t *p, size_t len)
{
	struct fp_neigh *n = box->net->neigh;
	const struct fp_ifaddr *own;
	struct fp_neigh_host *h;
	const struct rte_ether_addr *mac;
	struct rte_ether_addr dst, vmac;
	struct fp_arp a;
	bool for_us;

	if (!fp_arp_parse(&a, p, len)) {
		n->cnt[FP_AC_ARP_BAD]++;
		return;
	}
	n->cnt[a.op == FP_ARP_REQUEST ? FP_AC_ARP_REQUEST_RX : FP_AC_ARP_REPLY_RX]++;
	if (memcmp(a.sha, i->mac.addr_bytes, 6) == 0)
		return;		/* our own, come back */
	own = fp_net_if_own(i, FP_AF_INET, a.spa);
	if (own != NULL) {
		/* the other boxes of a virtual host announce its addresses; FreeBSD's even with their real MAC, as BACKUP */
		if (own->vhid == 0)
			conflict(box, i, own, a.sha, FP_AC_ARP_CONFLICT);
		return;
	}
	own = fp_net_if_own(i, FP_AF_INET, a.tpa);
	mac = own != NULL ? station(i, own, &vmac) : NULL;
	for_us = mac != NULL;
	h = fp_neigh_host_find(n, fp_net_ifid(box, i), FP_AF_INET, a.spa);
	if (h == NULL && for_us && a.op == FP_ARP_REQUEST && on_link(i, FP_AF_INET, a.spa))
		h = fp_neigh_host_new(box, fp_net_ifid(box, i), FP_AF_INET, a.spa);
	if (h != NULL && h->state == NH_STATIC) {
		if (memcmp(h->mac.addr_bytes, a.sha, 6) != 0)
			n->cnt[FP_AC_STATIC_KEPT]++;
	} else if (h != NULL && set_mac(box, h, a.sha)) {
		enter_reachable(box, h);
	}
	if (!for_us || a.op != FP_ARP_REQUEST)
		return;
	memcpy(dst.addr_bytes, a.sha, 6);
	arp_send(box, i, mac, FP_ARP_REPLY, a.tpa, a.sha, a.spa, &dst);
}

static void
ns_input(struct fp_box *box, struct fp_net_if *i, const struct fp_nd *nd, const uint8_t *eth_src)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	struct fp_neigh *n = box->net->neigh;
	struct fp_nd na = { .type = FP_ND_NA, .flags = FP_NA_OVERRIDE };
	const struct fp_ifaddr *own = fp_net_if_own(i, FP_AF_INET6, nd->target), *src;
	struct fp_neigh_host *h = NULL;
	const struct rte_ether_addr *mac;
	struct rte_ether_addr dst, vmac;
	uint8_t group[16];

	if (own == NULL || (mac = station(i, own, &vmac)) == NULL)
		return;
	fp_nd_solicited_node(group, nd->target);
	if (memcmp(nd->dst, group, 16) != 0 && fp_net_if_own(i, FP_AF_INET6, nd->dst) == NULL)
		return;
	src = nd->dad ? NULL : fp_net_if_own(i, FP_AF_INET6, nd->src);
	if (src != NULL) {
		if (src->vhid == 0)
			conflict(box, i, src, eth_src, FP_AC_ND_CONFLICT);
		return;
	}
	if (nd->dad) {
		/* RFC 4862 5.4.3: somebody tries to have our address; the answer is for all to hear */
		n->cnt[FP_AC_ND_CONFLICT]++;
	} else if (on_link(i, FP_AF_INET6, nd->src)) {
		h = fp_neigh_host_find(n, fp_net_ifid(box, i), FP_AF_INET6, nd->src);
		if (h == NULL && nd->has_lladdr)
			h = fp_neigh_host_new(box, fp_net_ifid(box, i), FP_AF_INET6, nd->src);
		if (h != NULL && nd->has_lladdr && h->state == NH_STATIC) {
			if (memcmp(h->mac.addr_bytes, nd->lladdr, 6) != 0)
				n->cnt[FP_AC_STATIC_KEPT]++;
		} else if (h != NULL && nd->has_lladdr && (h->entry == NULL || memcmp(h->mac.addr_bytes, nd->lladdr, 6) != 0)) {
			if (set_mac(box, h, nd->lladdr))
				enter_stale(box, h);	/* 7.2.3: it is heard, but not yet known to hear us */
			else
				h = NULL;
		}
	}
	if (fp_conf(box) == NULL || fp_conf(box)->forward6)
		na.flags |= FP_NA_ROUTER;
	memcpy(na.src, nd->target, 16);
	memcpy(na.target, nd->target, 16);
	if (nd->dad) {
		memcpy(na.dst, all_nodes, 16);
		fp_l2_group_mac(FP_AF_INET6, all_nodes, &dst);
	} else {
		na.flags |= FP_NA_SOLICITED;
		memcpy(na.dst, nd->src, 16);
		memcpy(dst.addr_bytes, nd->has_lladdr ? nd->lladdr : h != NULL && h->entry != NULL ? h->mac.addr_bytes : eth_src, 6);
	}
	nd_send(box, i, mac, &na, &dst);
}

/* RFC 4861 7.2.5 */
static void
na_input(struct fp_box *box, struct fp_net_if *i, const struct fp_nd *nd, const uint8_t *eth_src)
{
	struct fp_neigh *n = box->net->neigh;
	const struct fp_ifaddr *own = fp_net_if_own(i, FP_AF_INET6, nd->target);
	struct fp_neigh_host *h;
	bool differs;

	if (own != NULL && own->vhid != 0)
		return;
	if (own != NULL) {
		conflict(box, i, own, nd->has_lladdr ? nd->lladdr : eth_src, FP_AC_ND_CONFLICT);
		return;
	}
	h = fp_neigh_host_find(n, fp_net_ifid(box, i), FP_AF_INET6, nd->target);
	if (h == NULL)
		return;
	differs = nd->has_lladdr && (h->entry == NULL || memcmp(h->mac.addr_bytes, nd->lladdr, 6) != 0);
	if (h->state == NH_STATIC) {
		n->cnt[FP_AC_STATIC_KEPT] += differs;
	} else if (h->entry == NULL) {
		if (!nd->has_lladdr || !set_mac(box, h, nd->lladdr))
			return;
		if (nd->flags & FP_NA_SOLICITED)
			enter_reachable(box, h);
		else
			enter_stale(box, h);
	} else if (differs && !(nd->flags & FP_NA_OVERRIDE)) {
		if (h->state == NH_REACHABLE)
			enter_stale(box, h);
	} else if (!differs || set_mac(box, h, nd->lladdr)) {
		if (nd->flags & FP_NA_SOLICITED)
			enter_reachable(box, h);
		else if (differs)
			enter_stale(box, h);
	}
}

static void
nd_input(struct fp_box *box, struct fp_net_if *i, const uint8_t *p, size_t len, const uint8_t *eth_src)
{
	struct fp_neigh *n = box->net->neigh;
	struct fp_nd nd;

	if (!fp_nd_parse(&nd, p, len)) {
		n->cnt[FP_AC_ND_BAD]++;
		return;
	}
	if (memcmp(eth_src, i->mac.addr_bytes, 6) == 0)
		return;		/* our own, come back */
	switch (nd.type) {
	case FP_ND_NS:
		n->cnt[FP_AC_NS_RX]++;
		ns_input(box, i, &nd, eth_src);
		break;
	case FP_ND_NA:
		n->cnt[FP_AC_NA_RX]++;
		na_input(box, i, &nd, eth_src);
		break;
	default:
		n->cnt[FP_AC_RS_RA_RX]++;	/* addresses and routes are the administrator's */
		break;
	}
}

/* A packet for a neighbour that workers do not know. */
void
fp_neigh_ask(struct fp_box *box, uint16_t ifid, uint8_t af, const uint8_t *addr)
{
	struct fp_neigh *n = box->net->neigh;
	const struct fp_net_if *i = fp_net_if_by_id(box, ifid);
	struct fp_neigh_host *h;

	if (i == NULL || !fp_net_if_running(box, i) || fp_neigh_host_find(n, ifid, af, addr) != NULL)
		return;
	n->now_us = RTE_MAX(n->now_us, fp_box_now_us(box));
	h = fp_neigh_host_new(box, ifid, af, addr);
	if (h != NULL)
		enter_incomplete(box, h);
}

static void
miss_input(struct fp_box *box, struct rte_mbuf *m)
{
	struct fp_mbuf_priv *pr = fp_priv(m);
	struct fp_neigh *n = box->net->neigh;
	const struct fp_net_if *i = fp_net_if_by_id(box, pr->ifid);
	struct fp_neigh_host *h;
	struct rte_mbuf *old;
	uint32_t max;

	if (i == NULL || !fp_net_if_running(box, i)) {
		fp_main_drop(box, m, FP_D_TX_DOWN);
		return;
	}
	h = fp_neigh_host_find(n, pr->ifid, pr->af, pr->addr.b);
	if (h == NULL) {
		h = fp_neigh_host_new(box, pr->ifid, pr->af, pr->addr.b);
		if (h == NULL) {
			fp_main_drop(box, m, FP_D_NEIGH_QUEUE);
			return;
		}
		enter_incomplete(box, h);
	} else if (h->entry != NULL) {
		/* resolved while the packet was on its way here */
		frame_send(box, i, m, &i->mac, &h->mac, h->af == FP_AF_INET ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
		return;
	} else if (h->state == NH_FAILED) {
		unreachable(box, m);
		return;
	}
	if (h->n_queued >= RTE_MAX(box->params->neigh_queue, 1u)) {
		/* RFC 1122 2.3.2.2: the latest packet is kept */
		old = h->queue_head;
		h->queue_head = fp_priv(old)->next;
		if (h->queue_head == NULL)
			h->queue_tail = NULL;
		h->n_queued--;
		n->held--;
		fp_main_drop(box, old, FP_D_NEIGH_QUEUE);
	}
	max = RTE_MAX(m->pool->size / 8, 1u);
	if (n->held >= max) {
		fp_main_drop(box, m, FP_D_NEIGH_QUEUE);
		return;
	}
	pr->next = NULL;
	if (h->queue_tail != NULL)
		fp_priv(h->queue_tail)->next = m;
	else
		h->queue_head = m;
	h->queue_tail = m;
	h->n_queued++;
	n->held++;
}

/* IP or ARP behind Ethernet and up to two tags; stripped tags are no matter, the interface is known. 0: too short. */
static size_t
l3_offset(const uint8_t *p, size_t len, uint16_t *type)
{
	size_t off = 12;

	for (int tags = 0; tags <= 2; tags++, off += 4) {
		if (len < off + 2)
			return 0;
		*type = p[off] << 8 | p[off + 1];
		if (*type != RTE_ETHER_TYPE_VLAN && *type != RTE_ETHER_TYPE_QINQ)
			return off + 2;
	}
	return 0;
}

void
fp_neigh_punted(struct fp_box *box, struct rte_mbuf *m)
{
	struct fp_mbuf_priv *pr = fp_priv(m);
	struct fp_neigh *n = box->net->neigh;
	struct fp_net_if *i = fp_net_if_by_id(box, pr->ifid);
	uint8_t buf[1600];
	const uint8_t *p;
	uint16_t type = 0;
	size_t len, off;

	n->now_us = RTE_MAX(n->now_us, fp_box_now_us(box));
	if (pr->kind == FP_PUNT_NEIGH_MISS) {
		miss_input(box, m);
		return;
	}
	len = RTE_MIN(rte_pktmbuf_pkt_len(m), sizeof(buf));
	p = rte_pktmbuf_read(m, 0, len, buf);
	off = p != NULL ? l3_offset(p, len, &type) : 0;
	if (i != NULL && fp_net_if_running(box, i) && off != 0) {
		if (type == RTE_ETHER_TYPE_ARP)
			arp_input(box, i, p + off, len - off);
		else if (type == RTE_ETHER_TYPE_IPV6)
			nd_input(box, i, p + off, len - off, p + 6);
	}
	rte_pktmbuf_free(m);
}

/* ---- time */

static void
due_incomplete(struct fp_box *box, struct fp_neigh_host *h)
{
	if (h->tries >= TRIES) {
		enter_failed(box, h);
		return;
	}
	h->tries++;
	list_join(box->net->neigh, h, NH_LIST_INCOMPLETE, RETRANS_US);
	solicit(box, h, false);
}

static void
due_probe(struct fp_box *box, struct fp_neigh_host *h)
{
	struct fp_neigh *n = box->net->neigh;

	if (h->tries >= TRIES) {
		n->cnt[FP_AC_FAILED]++;
		host_free(box, h);
		return;
	}
	h->tries++;
	list_join(n, h, NH_LIST_PROBE, RETRANS_US);
	solicit(box, h, true);
}

static void
due_reach(struct fp_box *box, struct fp_neigh_host *h)
{
	if (host_used(h)) {
		enter_probe(box, h);
	} else if (h->af == FP_AF_INET6) {
		enter_stale(box, h);
	} else {
		box->net->neigh->cnt[FP_AC_EXPIRED]++;
		host_free(box, h);
	}
}

static void
due_stale(struct fp_box *box, struct fp_neigh_host *h)
{
	struct fp_neigh *n = box->net->neigh;

	if (host_used(h)) {
		enter_probe(box, h);
	} else if (n->now_us - h->stale_us >= STALE_LIFE_US) {
		n->cnt[FP_AC_EXPIRED]++;
		host_free(box, h);
	} else {
		list_join(n, h, NH_LIST_STALE, STALE_US);
	}
}

void
fp_neigh_timers(struct fp_box *box, uint64_t now_us)
{
	static void (*const due[NH_LISTS])(struct fp_box *, struct fp_neigh_host *) = {
		[NH_LIST_INCOMPLETE] = due_incomplete, [NH_LIST_PROBE] = due_probe, [NH_LIST_REACH4] = due_reach,
		[NH_LIST_REACH6] = due_reach, [NH_LIST_STALE] = due_stale, [NH_LIST_FAILED] = host_free,
	};
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_host *h;

	n->now_us = RTE_MAX(n->now_us, now_us);
	for (int l = 0; l < NH_LISTS; l++)
		for (int k = 0; k < TURN_MAX; k++) {
			h = TAILQ_FIRST(&n->lists[l]);
			if (h == NULL || h->due_us > n->now_us)
				break;
			due[l](box, h);
		}
	fp_net_publish_pending(box);
}

/* ---- announcements */

void
fp_neigh_announce_addr(struct fp_box *box, const struct fp_net_if *i, const struct fp_ifaddr *a)
{
	static const struct rte_ether_addr all = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct fp_nd na = { .type = FP_ND_NA, .flags = FP_NA_OVERRIDE, .dst = { 0xff, 0x02, [15] = 1 } };
	struct rte_ether_addr dst;

	if (a->vhid != 0)
		return;		/* whoever is MASTER announces it, when it becomes that */
	if (!box->running || !i->link || !fp_net_if_running(box, i))
		return;
	if (a->af == FP_AF_INET) {
		arp_send(box, i, &i->mac, FP_ARP_REQUEST, a->addr.b, NULL, a->addr.b, &all);
		return;
	}
	if (fp_conf(box) == NULL || fp_conf(box)->forward6)
		na.flags |= FP_NA_ROUTER;
	memcpy(na.src, a->addr.b, 16);
	memcpy(na.target, a->addr.b, 16);
	fp_l2_group_mac(FP_AF_INET6, na.dst, &dst);
	nd_send(box, i, &i->mac, &na, &dst);
}

void
fp_neigh_announce(struct fp_box *box, const struct fp_net_if *i)
{
	for (uint32_t k = 0; k < i->n_addrs; k++)
		fp_neigh_announce_addr(box, i, &i->addrs[k]);
}

/* ---- life */

void
fp_neigh_host_remove(struct fp_box *box, struct fp_neigh_host *h)
{
	host_free(box, h);
}

int
fp_neigh_host_static(struct fp_box *box, struct fp_neigh_host *h, const struct rte_ether_addr *mac)
{
	if (!set_mac(box, h, mac->addr_bytes))
		return -ENOMEM;
	h->state = NH_STATIC;
	list_leave(box->net->neigh, h);
	return 0;
}

void
fp_neigh_if_gone(struct fp_box *box, uint16_t ifid, bool statics)
{
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_host *h, *next;

	for (uint32_t k = 0; k <= n->mask; k++)
		for (h = n->buckets[k]; h != NULL; h = next) {
			next = h->next;
			if (h->ifid == ifid && (statics || h->state != NH_STATIC))
				host_free(box, h);
		}
}

const uint64_t *
fp_arp_counters(const struct fp_box *box)
{
	return box->net->neigh->cnt;
}

int
fp_neigh_create(struct fp_box *box)
{
	struct fp_neigh *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	n->mask = 63;
	n->buckets = calloc(n->mask + 1, sizeof(*n->buckets));
	box->neigh = fp_neigh_table_create(box->hash_secret);
	if (n->buckets == NULL || box->neigh == NULL) {
		free(n->buckets);
		free(n);
		fp_neigh_table_destroy(box->neigh);
		box->neigh = NULL;
		return -ENOMEM;
	}
	n->secret[0] = box->hash_secret[0];
	n->secret[1] = box->hash_secret[1];
	n->hosts_max = NH_HOSTS_MAX;
	n->incomplete_max = NH_INCOMPLETE_MAX;
	for (int l = 0; l < NH_LISTS; l++)
		TAILQ_INIT(&n->lists[l]);
	box->net->neigh = n;
	return 0;
}

void
fp_neigh_destroy(struct fp_box *box)
{
	struct fp_neigh *n = box->net->neigh;
	struct fp_neigh_host *h;
	struct rte_mbuf *m;

	if (n == NULL)
		return;
	for (uint32_t k = 0; k <= n->mask; k++)
		while ((h = n->buckets[k]) != NULL) {
			n->buckets[k] = h->next;
			while ((m = h->queue_head) != NULL) {
				h->queue_head = fp_priv(m)->next;
				rte_pktmbuf_free(m);
			}
			free(h);
		}
	free(n->buckets);
	free(n);
	box->net->neigh = NULL;
	fp_neigh_table_destroy(box->neigh);
	box->neigh = NULL;
}
