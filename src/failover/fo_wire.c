/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CARP on the wire: what the engine sends and hears, ARP and neighbour discovery at a takeover, and who takes frames to the
 * virtual MACs. All on the thread of the pair, without the main lcore: a role counts from the very next packet.
 */
#include <errno.h>
#include <string.h>

#include <rte_ip.h>

#include "failover/fo_priv.h"
#include "fastpath/arp_nd.h"
#include "fastpath/conf.h"
#include "fastpath/l2.h"

#define IPPROTO_CARP 112

/* ---- sending */
static struct rte_mbuf *
buffer(const struct fo *f)
{
	for (unsigned s = 0; s < RTE_MAX_NUMA_NODES; s++)
		if (f->box->pool[s] != NULL)
			return rte_pktmbuf_alloc(f->box->pool[s]);
	return NULL;
}

static const struct fp_ifnet *
parent(const struct fo_if *v)
{
	const struct fp_conf *conf = v->f->t->conf;
	const struct fp_ifnet *ifp = conf != NULL ? fp_conf_if(conf, v->ifid) : NULL;

	return ifp != NULL && ifp->up && ifp->port_id < FP_MAX_PORTS ? ifp : NULL;
}

/* The first address of the parent, else one that is shared; IPv6: link-local ones before others. */
static const uint8_t *
source(const struct fp_ifnet *ifp, uint8_t af, const uint8_t *dst)
{
	const struct fp_ifaddr *a = fp_ifnet_source(ifp, af, dst);

	return a != NULL ? a->addr.b : NULL;
}

/* IP in front of the advertisement. */
static bool
put_ip(struct fo *f, struct rte_mbuf *m, const struct fp_ifnet *ifp, const struct fo_carp_advert *ad)
{
	static const uint8_t none[16];
	bool is6 = ad->family == FO_INET6;
	const uint8_t *src = source(ifp, is6 ? FP_AF_INET6 : FP_AF_INET, ad->dst);
	uint8_t *ip = (uint8_t *)rte_pktmbuf_append(m, (is6 ? 40 : 20) + sizeof(ad->bytes));

	if (ip == NULL)
		return false;
	if (src == NULL)
		src = none;
	if (is6) {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		ip[5] = sizeof(ad->bytes);
		ip[6] = IPPROTO_CARP;
		ip[7] = ad->ttl;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, ad->dst, 16);
		memcpy(ip + 40, ad->bytes, sizeof(ad->bytes));
		return true;
	}
	struct rte_ipv4_hdr h = { .version_ihl = 0x45, .type_of_service = ad->tos, .time_to_live = ad->ttl,
		.total_length = rte_cpu_to_be_16(20 + sizeof(ad->bytes)), .packet_id = rte_cpu_to_be_16(++f->ip_id),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG), .next_proto_id = IPPROTO_CARP };

	memcpy(&h.src_addr, src, 4);
	memcpy(&h.dst_addr, ad->dst, 4);
	h.hdr_checksum = rte_ipv4_cksum(&h);
	memcpy(ip, &h, 20);
	memcpy(ip + 20, ad->bytes, sizeof(ad->bytes));
	return true;
}

/* To carppeer: its MAC is a neighbour's like any other. 1: in *mac; 0: m was passed on to be sent when it is known. */
static int
peer_mac(struct fo *f, const struct fp_ifnet *ifp, const struct fo_carp_advert *ad, struct rte_mbuf *m, struct rte_ether_addr *mac)
{
	uint8_t af = ad->family == FO_INET6 ? FP_AF_INET6 : FP_AF_INET;
	struct fp_mbuf_priv *pr = fp_priv(m);
	const uint8_t *hop = ad->dst;
	const struct fp_nexthop *nh;
	uint32_t dst;

	memcpy(&dst, hop, 4);
	nh = af == FP_AF_INET ? fp_route4(f->t->conf, dst) : fp_route6(f->t->conf, hop);
	if (nh != NULL && nh->kind == FP_NH_GATEWAY && nh->ifid == ifp->ifid)
		hop = nh->gw.b;
	if (fp_neigh_lookup(f->box->neigh, ifp->ifid, af, hop, mac))
		return 1;
	memset(pr, 0, sizeof(*pr));
	pr->af = af;
	pr->ifid = ifp->ifid;
	pr->rcvif = FP_IFID_NONE;
	memcpy(pr->addr.b, hop, af == FP_AF_INET ? 4 : 16);
	return sync_thread_unresolved(f->t, m);
}

static int
frame(struct fo *f, const struct fo_if *v, const struct fp_ifnet *ifp, struct rte_mbuf *m, const struct rte_ether_addr *dst,
	uint16_t type)
{
	struct rte_ether_addr src;

	fo_carp_mac(v->vhid, src.addr_bytes);
	if (!fp_l2_prepend(m, &src, dst, ifp->vlan_outer, ifp->vlan_inner, type)) {
		rte_pktmbuf_free(m);
		return -ENOMEM;
	}
	return sync_thread_tx(f->t, ifp->port_id, m);
}

static int
wire_send(void *ctx, struct fo_carp *c, const struct fo_carp_advert *ad)
{
	struct fo_if *v = ctx;
	struct fo *f = v->f;
	const struct fp_ifnet *ifp = parent(v);
	bool is6 = ad->family == FO_INET6;
	struct rte_ether_addr dst;
	struct rte_mbuf *m;
	int rc;

	(void)c;
	if (ifp == NULL)
		return -ENETDOWN;
	if ((m = buffer(f)) == NULL)
		return -ENOMEM;
	if (!put_ip(f, m, ifp, ad)) {
		rte_pktmbuf_free(m);
		return -ENOMEM;
	}
	if (!ad->unicast)
		fp_l2_group_mac(is6 ? FP_AF_INET6 : FP_AF_INET, ad->dst, &dst);
	else if ((rc = peer_mac(f, ifp, ad, m, &dst)) != 1)
		return rc;
	return frame(f, v, ifp, m, &dst, is6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
}

static void
send_bytes(struct fo *f, const struct fo_if *v, const struct fp_ifnet *ifp, const uint8_t *p, size_t len,
	const struct rte_ether_addr *dst, uint16_t type)
{
	struct rte_mbuf *m = buffer(f);
	char *d = m != NULL ? rte_pktmbuf_append(m, len) : NULL;

	if (d == NULL) {
		rte_pktmbuf_free(m);
		return;
	}
	memcpy(d, p, len);
	frame(f, v, ifp, m, dst, type);
}

/* The segment learns where the addresses are now: section 7. */
static void
wire_announce(void *ctx, struct fo_carp *c, bool repeat)
{
	static const struct rte_ether_addr all = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct fo_if *v = ctx;
	struct fo *f = v->f;
	const struct fp_ifnet *ifp = parent(v);
	struct fo_carp_info info;

	(void)repeat;
	if (ifp == NULL)
		return;
	fo_carp_info_get(c, &info);
	for (size_t i = 0; i < info.n_addrs; i++) {
		const uint8_t *addr = info.addrs[i].addr;

		if (info.addrs[i].family == FO_INET) {
			struct fp_arp a = { .op = FP_ARP_REQUEST };
			uint8_t p[FP_ARP_LEN];

			fo_carp_mac(v->vhid, a.sha);
			memcpy(a.spa, addr, 4);
			memcpy(a.tpa, addr, 4);
			fp_arp_build(p, &a);
			send_bytes(f, v, ifp, p, sizeof(p), &all, RTE_ETHER_TYPE_ARP);
		} else {
			struct fp_nd na = { .type = FP_ND_NA, .flags = FP_NA_OVERRIDE, .dst = { 0xff, 0x02, [15] = 1 }, .has_lladdr = true };
			uint8_t p[FP_ND_LEN];
			struct rte_ether_addr dst;

			if (f->t->conf->forward6)
				na.flags |= FP_NA_ROUTER;
			memcpy(na.src, addr, 16);
			memcpy(na.target, addr, 16);
			fo_carp_mac(v->vhid, na.lladdr);
			fp_l2_group_mac(FP_AF_INET6, na.dst, &dst);
			send_bytes(f, v, ifp, p, fp_nd_build(p, &na), &dst, RTE_ETHER_TYPE_IPV6);
		}
	}
}

/* ---- roles */
/* For the log, which the main lcore writes. What finds no room is not in it; counters have it. */
static void
put_event(struct fo *f, const struct fo_event *ev, const char *name)
{
	uint32_t head = f->ev_head;
	struct fo_event *to = &f->events[head % FO_EVENTS];

	if (head - __atomic_load_n(&f->ev_tail, __ATOMIC_ACQUIRE) >= FO_EVENTS)
		return;
	*to = *ev;
	memcpy(to->name, name, strnlen(name, sizeof(to->name) - 1));
	/* Pairs with the acquire in failover.c, tell(). */
	__atomic_store_n(&f->ev_head, head + 1, __ATOMIC_RELEASE);
}

static bool
linger(struct fo *f, const struct fo_if *v, uint64_t now_us)
{
	if (f->n_linger == FO_LINGERS)
		return false;
	f->linger[f->n_linger++] = (struct fo_linger){ .ifid = v->ifid, .vhid = v->vhid, .until_us = now_us + FO_LINGER_US };
	return true;
}

static void
wire_role(void *ctx, struct fo_carp *c, const struct fo_carp_change *change)
{
	struct fo_if *v = ctx;
	struct fo *f = v->f;
	const struct fp_ifnet *ifp = f->t->conf != NULL ? fp_conf_if(f->t->conf, v->ifid) : NULL;

	if (ifp != NULL && ifp->vhids != NULL) {
		fp_vhid_set(ifp->vhids->live, v->vhid, change->to == FO_CARP_MASTER);
		/* who hands over goes on sending what is still on its way to it */
		fp_vhid_set(ifp->vhids->takes, v->vhid, change->to == FO_CARP_MASTER || (change->from == FO_CARP_MASTER &&
			change->to == FO_CARP_BACKUP && change->why != FO_CARP_WHY_FROZEN && linger(f, v, change->now_us)));
	}
	fo_role_changed(f, c, change);
	put_event(f, &(struct fo_event){ .change = *change }, v->conf.name);
}

void
fo_wire_demotion(void *ctx, const struct fo_demotion *d, bool set)
{
	put_event(ctx, &(struct fo_event){ .d = *d, .set = set }, "");
}

const struct fo_carp_ops fo_wire_ops = { .send = wire_send, .announce = wire_announce, .role = wire_role };

/* Of those that gave their role away and took frames a while longer. */
void
fo_wire_linger(struct fo *f, uint64_t now_us)
{
	for (unsigned i = 0; i < f->n_linger; i++) {
		const struct fo_linger *l = &f->linger[i];
		const struct fp_ifnet *ifp;

		if (now_us < l->until_us)
			continue;
		ifp = fp_conf_if(f->t->conf, l->ifid);
		if (ifp != NULL && ifp->vhids != NULL && !fp_vhid_live(ifp->vhids, l->vhid))
			fp_vhid_set(ifp->vhids->takes, l->vhid, false);
		f->linger[i--] = f->linger[--f->n_linger];
	}
}

/* ---- the guest of the pair's thread */
/* Sent by this very box? An address that is shared says nothing. */
static bool
own_source(const struct fp_conf *conf, const struct sync_ip *p)
{
	const struct fp_ifnet *ifp = fp_conf_if(conf, p->ifid);
	const struct fp_ifaddr *a = ifp != NULL ? fp_ifnet_own(ifp, p->af, p->src) : NULL;

	return a != NULL && a->vhid == 0;
}

void
fo_wire_input(void *arg, struct sync_thread *t, const struct sync_ip *p)
{
	struct fo *f = arg;
	bool is6 = p->af == FP_AF_INET6;
	struct fo_carp_rx rx = { .payload = p->payload, .len = p->len, .ifid = p->ifid, .family = is6 ? FO_INET6 : FO_INET,
		.ttl = p->ttl, .tos = p->tos, .multicast = p->multicast, .own_source = own_source(t->conf, p) };

	memcpy(rx.src, p->src, is6 ? 16 : 4);
	f->t = t;
	fo_group_input(f->group, &rx, t->now_us);
	f->deadline_us = 0;
}

unsigned
fo_wire_turn(void *arg, struct sync_thread *t)
{
	struct fo *f = arg;
	unsigned work = 0;

	f->t = t;
	if (t->now_us >= f->deadline_us) {
		f->deadline_us = fo_group_tick(f->group, t->now_us);
		work++;
	}
	if (t->now_us >= fo_role_deadline_us(f))
		fo_role_turn(f, t);
	return work;
}

uint64_t
fo_wire_deadline(void *arg)
{
	const struct fo *f = arg;

	return RTE_MIN(f->deadline_us, fo_role_deadline_us(f));
}

/* ---- entries for the heartbeat */
void
fo_peer_dead(struct fo *f, uint64_t now_us)
{
	fo_group_peer_dead(f->group, now_us);
	f->deadline_us = 0;
}

void
fo_peer_suspect(struct fo *f, uint64_t now_us)
{
	fo_group_peer_suspect(f->group, now_us);
	f->deadline_us = 0;
}

int
fo_give_up_now(struct fo *f, uint64_t hold_us, uint64_t bow_out_us, uint64_t now_us)
{
	f->deadline_us = 0;
	return fo_group_resign(f->group, hold_us, bow_out_us, now_us);
}

void
fo_take_over_now(struct fo *f, uint64_t now_us)
{
	for (struct fo_carp *c = NULL; (c = fo_group_next(f->group, c)) != NULL;)
		fo_carp_set_state(c, FO_CARP_MASTER, now_us);
	f->deadline_us = 0;
}

struct fo_group *
fo_group_of(struct fo *f)
{
	return f->group;
}
