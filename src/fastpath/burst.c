/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A burst on its way: the short path for established connections, in stages, and the door to everything else.
 *
 * Stages over up to FP_BURST packets, so that the cache misses of a burst overlap:
 *	1. parse, check, key, hash; prefetch the bucket. What is not plain (fragments, options, VLANs, neighbour discovery,
 *	   ICMP ...) is parsed in full here too, because it must be steered to the worker that owns its flow.
 *	2. hand over what other workers own; candidate record of each bucket; prefetch the record; routes of the burst.
 *	3. in order of arrival: the short path if the record is shared by both halves and the segment is plain, else
 *	   fp_forward(), which does the same and more, one packet at a time.
 *
 * The short path does what pf does on both passes: full window check, both halves' tracking and counters, TTL, Ethernet.
 * It is not a special case of its own: every check that fails sends the packet to fp_forward() untouched.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_prefetch.h>

#include "burst.h"
#include "forward.h"
#include "icmp_map.h"
#include "l2.h"
#include "parse.h"
#include "pf_priv.h"
#include "tcp_norm.h"

enum kind {
	K_GONE,		/* consumed */
	K_SHORT,	/* fits the short path so far */
	K_LONG,		/* parsed in full, to fp_forward() */
};

#define PF_HANDED_REASSEMBLED FP_HANDED_REASSEMBLED /* fp_mbuf_priv.flags: a whole packet again, v6 must be cut on the way out */

/* Headers lie at any address: IP is at 14 bytes. */
static inline uint16_t
load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline unsigned
owner(const struct fp_worker *w, uint64_t hash)
{
	return ((hash >> 32) * w->n_workers) >> 32;
}

unsigned
fp_flow_owner(const struct fp_box *box, uint64_t hash)
{
	return owner(box->workers[0], hash);
}

/* Pass a frame to the worker that owns its flow. */
static void
hand_over(struct fp_worker *w, struct fp_pkt *p, unsigned to)
{
	struct fp_mbuf_priv *priv = fp_priv(p->m);

	priv->ifid = p->ifid;
	priv->flags = p->flags & FP_PF_REASSEMBLED ? PF_HANDED_REASSEMBLED : 0;
	priv->l2_len = p->l2_len;
	priv->hash = p->frag_id;
	priv->handover_dir = p->frag_size;
	priv->rule_uid = p->frag_hdr_len;
	p->m->port = w->conf->ifs[p->ifid].port_id;
	if (rte_ring_mp_enqueue(w->box->workers[to]->handover, p->m) != 0) {
		fp_drop(w, p->m, FP_D_HANDOVER_FULL);
		return;
	}
	fp_count(&w->cnt.totals[FP_T_HANDED_OVER], 1);
}

/* ---- stage 1, plain packets */
static inline bool
l2_plain(const struct fp_worker *w, struct fp_pkt *p, const uint8_t *eth, uint16_t port_id)
{
	uint16_t ifid = w->conf->port_if[port_id];
	const struct fp_ifnet *ifp;

	if (unlikely(ifid == FP_IFID_NONE))
		return false;
	ifp = &w->conf->ifs[ifid];
	p->ifid = p->rcvif = ifid;
	return fp_if_is_mine(ifp, eth) && ifp->up && !ifp->pf_skip;
}

/* IPv4 TCP or UDP without options, whole, long enough, to be forwarded. False: nothing decided, parse in full. */
static inline bool
parse4(struct fp_worker *w, struct fp_pkt *p)
{
	struct rte_mbuf *m = p->m;
	const uint8_t *ip = p->l3, *l4 = ip + 20;
	uint32_t len = rte_be_to_cpu_16(load16(ip + 2)), a, b;
	uint64_t sum;
	bool hi;

	if (ip[0] != 0x45 || load16(ip + 6) & RTE_BE16(0x3fff) || len > m->data_len - 14u || ip[8] <= 1)
		return false;
	if ((m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) != RTE_MBUF_F_RX_IP_CKSUM_GOOD) {
		sum = (uint64_t)load32(ip) + load32(ip + 4) + load32(ip + 8) + load32(ip + 12) + load32(ip + 16);
		sum = (sum & 0xffffffff) + (sum >> 32);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		if (sum != 0xffff)
			return false;
	}
	/* loopback, multicast, this-network destinations have rules of their own */
	if (ip[12] == 127 || ip[16] == 127 || ip[16] >= 224 || ip[16] == 0)
		return false;
	memcpy(&a, ip + 12, 4);
	memcpy(&b, ip + 16, 4);
	p->sport_be = load16(l4);
	p->dport_be = load16(l4 + 2);
	if (ip[9] == IPPROTO_TCP) {
		unsigned hlen;

		if (len < 40)
			return false;
		hlen = (l4[12] >> 4) * 4;
		if (hlen < 20 || 20 + hlen > len || p->dport_be == 0)
			return false;
		p->tcp_flags = l4[13];
		p->l4_hlen = hlen;
	} else if (ip[9] == IPPROTO_UDP) {
		uint16_t ulen = rte_be_to_cpu_16(load16(l4 + 4));

		if (len < 28 || p->dport_be == 0 || ulen < 8 || ulen > len - 20)
			return false;
		p->tcp_flags = 0;
		p->l4_hlen = 8;
	} else
		return false;
	p->proto = ip[9];
	p->icmp_type = p->icmp_code = 0;
	p->af = FP_AF_INET;
	p->ttl = ip[8];
	p->tos = ip[1];
	p->ip_len = len;
	p->l4_off = 20;
	p->frag_off = 0;
	p->frag_size = 0;
	fp_key_make4(&p->key, a, b, p->sport_be, p->dport_be, p->proto, &hi);
	p->hash = fp_key_hash4(&p->key, w->box->hash_secret);
	p->flags = FP_PF_PARSED | (hi ? FP_PF_SRC_HI : 0);
	return true;
}

static inline bool
parse6(struct fp_worker *w, struct fp_pkt *p)
{
	struct rte_mbuf *m = p->m;
	const uint8_t *ip = p->l3, *l4 = ip + 40;
	uint32_t plen = rte_be_to_cpu_16(load16(ip + 4));
	bool hi;

	if (m->data_len < 14 + 40 + 8 || ip[0] >> 4 != 6 || plen + 40 > m->data_len - 14u || ip[7] <= 1)
		return false;
	/* global unicast and unique local to the same: 2000::/3, fc00::/7; the rest has scopes and rules of its own */
	if (((ip[8] & 0xe0) != 0x20 && (ip[8] & 0xfe) != 0xfc) || ((ip[24] & 0xe0) != 0x20 && (ip[24] & 0xfe) != 0xfc))
		return false;
	p->sport_be = load16(l4);
	p->dport_be = load16(l4 + 2);
	if (ip[6] == IPPROTO_TCP) {
		unsigned hlen;

		if (plen < 20)
			return false;
		hlen = (l4[12] >> 4) * 4;
		if (hlen < 20 || hlen > plen || p->dport_be == 0)
			return false;
		p->tcp_flags = l4[13];
		p->l4_hlen = hlen;
	} else if (ip[6] == IPPROTO_UDP) {
		uint16_t ulen = rte_be_to_cpu_16(load16(l4 + 4));

		if (plen < 8 || p->dport_be == 0 || ulen < 8 || ulen > plen)
			return false;
		p->tcp_flags = 0;
		p->l4_hlen = 8;
	} else
		return false;
	p->proto = ip[6];
	p->icmp_type = p->icmp_code = 0;
	p->af = FP_AF_INET6;
	p->ttl = ip[7];
	p->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	p->ip_len = plen + 40;
	p->l4_off = 40;
	p->frag_off = 0;
	p->frag_size = 0;
	p->v6_last_nh_off = 6;
	p->hash = fp_key_make6(&p->key, p->addr6, ip + 8, ip + 24, p->sport_be, p->dport_be, p->proto, &hi,
		w->box->hash_secret);
	p->flags = FP_PF_PARSED | (hi ? FP_PF_SRC_HI : 0);
	return true;
}

/* ---- stage 1, everything else */
static void
count_l4_drop(struct fp_worker *w, struct fp_pkt *p, enum fp_drop d)
{
	fp_reason(w, p->reason);
	fp_drop(w, p->m, d);
}

/* Reassembly: K_LONG with a whole packet in p (or the fragment, if reassembly is off), or K_GONE. */
static enum kind
reassemble(struct fp_worker *w, struct fp_pkt *p)
{
	enum fp_drop d = FP_D_FRAG_MALFORMED;

	fp_pf_reass_configure(w); /* a rule set may just have been loaded */
	switch (fp_reass_input(w->reass, p, w->now_sec, &d)) {
	case FP_REASS_PASS:
		return K_LONG;
	case FP_REASS_HELD:
		fp_count(&w->cnt.totals[FP_T_FRAG_HELD], 1);
		return K_GONE;
	case FP_REASS_DONE:
		fp_count(&w->cnt.totals[FP_T_FRAG_DONE], 1);
		return K_LONG;
	case FP_REASS_DROP:
	default:
		count_l4_drop(w, p, d);
		return K_GONE;
	}
}

/* IPv6 shows it after a walk only: true for headers that may come before that of a fragment. */
static bool
maybe_fragment(const struct fp_pkt *p)
{
	if (p->af == FP_AF_INET)
		return (p->frag_off & 0x3fff) != 0;
	switch (p->proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
		return true;
	}
	return false;
}

/* Fragments of one packet meet on one worker: addresses alone choose it. */
static uint64_t
fragment_hash(const struct fp_worker *w, const struct fp_pkt *p)
{
	unsigned n = p->af == FP_AF_INET ? 4 : 16;
	struct fp_key k;
	uint8_t a6[2][16];
	bool hi;

	if (n == 16)
		return fp_key_make6(&k, a6, fp_pkt_src(p), fp_pkt_dst(p), 0, 0, 0, &hi, w->box->hash_secret);
	memset(&k, 0, sizeof(k));
	memcpy(&k.addr_lo, fp_pkt_src(p), 4);
	memcpy(&k.addr_hi, fp_pkt_dst(p), 4);
	return fp_key_hash4(&k, w->box->hash_secret);
}

/*
 * Groups that this box listens to, as a host's network card would filter them: broadcast, all hosts, CARP, pfsync; all
 * nodes, all routers, CARP, solicited nodes.
 */
static bool
group_joined(const uint8_t *mac)
{
	static const uint8_t v4[3] = { 0x01, 0x00, 0x5e };

	if ((mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff)
		return true;
	if (memcmp(mac, v4, 3) == 0)
		return mac[3] == 0 && mac[4] == 0 && (mac[5] == 1 || mac[5] == 18 || mac[5] == 240);
	if (mac[0] == 0x33 && mac[1] == 0x33)
		return mac[2] == 0xff || (mac[2] == 0 && mac[3] == 0 && mac[4] == 0 &&
			(mac[5] == 1 || mac[5] == 2 || mac[5] == 0x12 || mac[5] == 0xf0));
	return false;
}

/*
 * A frame that is not plain. handed: it came from another worker, which has steered it here (whole: reassembled there).
 */
static enum kind
parse_long(struct fp_worker *w, struct fp_pkt *p, uint16_t port_id, bool handed, bool whole)
{
	const struct fp_conf *c = w->conf;
	const struct fp_ifnet *ifp;
	struct fp_l2 l2;
	enum fp_drop d;
	const uint8_t *eth;

	if ((d = fp_parse_l2(p->m, &l2)) != FP_D_NONE) {
		fp_drop(w, p->m, d);
		return K_GONE;
	}
	eth = rte_pktmbuf_mtod(p->m, const uint8_t *);
	p->ifid = fp_if_by_frame(c, port_id, l2.vlan_outer, l2.vlan_inner);
	if (p->ifid == FP_IFID_NONE && c->bridge && l2.n_tags != 0)
		p->ifid = c->port_if[port_id];	/* a bridge carries VLANs as they are */
	if (p->ifid == FP_IFID_NONE) {
		fp_drop(w, p->m, FP_D_L2_VLAN);
		return K_GONE;
	}
	ifp = &c->ifs[p->ifid];
	p->rcvif = p->ifid;
	p->flags = l2.mcast ? FP_PF_L2_MCAST : 0;
	p->prio = l2.prio;
	if (!ifp->up) {
		fp_drop(w, p->m, FP_D_IF_DOWN);
		return K_GONE;
	}
	if (c->bridge && ifp->bridge_peer != FP_IFID_NONE) {
		p->flags |= FP_PF_BRIDGE;
		if (l2.ether_type != RTE_ETHER_TYPE_IPV4 && l2.ether_type != RTE_ETHER_TYPE_IPV6) {
			const struct fp_ifnet *peer = &c->ifs[ifp->bridge_peer];

			if (!peer->up || peer->port_id >= FP_MAX_PORTS)
				fp_drop(w, p->m, FP_D_BRIDGE_SAME);
			else {
				fp_count(&w->cnt.totals[FP_T_FORWARDED], 1);
				fp_tx(w, peer->port_id, p->m);
			}
			return K_GONE;
		}
	} else {
		if (!l2.mcast && !fp_if_is_mine(ifp, eth)) {
			fp_drop(w, p->m, FP_D_L2_NOT_US);
			return K_GONE;
		}
		if (l2.mcast && !group_joined(eth)) {
			fp_drop(w, p->m, FP_D_MULTICAST);
			return K_GONE;
		}
		if (l2.ether_type == RTE_ETHER_TYPE_ARP) {
			fp_punt(w, p->m, FP_PUNT_ARP, p->ifid);
			return K_GONE;
		}
		if (l2.ether_type != RTE_ETHER_TYPE_IPV4 && l2.ether_type != RTE_ETHER_TYPE_IPV6) {
			fp_drop(w, p->m, FP_D_L2_ETHERTYPE);
			return K_GONE;
		}
	}
	p->reason = FP_R_NONE;
	if ((d = fp_parse_ip(p, l2.len, l2.ether_type == RTE_ETHER_TYPE_IPV4 ? FP_AF_INET : FP_AF_INET6)) != FP_D_NONE) {
		count_l4_drop(w, p, d);
		return K_GONE;
	}
	if (whole && p->af == FP_AF_INET6) {
		const struct fp_mbuf_priv *priv = fp_priv(p->m);

		p->flags |= FP_PF_REASSEMBLED;
		p->frag_id = priv->hash;
		p->frag_size = priv->handover_dir;
		p->frag_hdr_len = priv->rule_uid;
	}
	/* pf's walk comes before reassembly: it refuses some fragments, and finds those of IPv6 */
	if (c->pf_enabled && !ifp->pf_skip && maybe_fragment(p) && (d = fp_parse_l4(p)) != FP_D_NONE) {
		count_l4_drop(w, p, d);
		return K_GONE;
	}
	if (c->pf_enabled && !ifp->pf_skip && p->flags & FP_PF_FRAGMENT) {
		if (w->distribute && !handed && c->reassemble) {
			unsigned to = owner(w, fragment_hash(w, p));

			if (to != w->id) {
				hand_over(w, p, to);
				return K_GONE;
			}
		}
		if (reassemble(w, p) == K_GONE)
			return K_GONE;
		handed = handed && !c->reassemble;	/* now the whole packet is to be steered */
	}
	if ((d = fp_pf_classify(w, p)) != FP_D_NONE) {
		if (!c->pf_enabled || ifp->pf_skip) {
			/* a router without pf forwards what it need not understand */
			p->flags |= FP_PF_KEYLESS | FP_PF_PARSED;
			p->reason = FP_R_NONE;
			return K_LONG;
		}
		count_l4_drop(w, p, d);
		return K_GONE;
	}
	if (w->distribute && !handed) {
		unsigned to = owner(w, p->hash);

		if (to != w->id) {
			hand_over(w, p, to);
			return K_GONE;
		}
	}
	return K_LONG;
}

/* ---- stage 3 */
/*
 * The short path of one packet whose record may be st. True: sent. False: nothing was changed.
 */
/* The gateway that the last packet of this burst went to: most packets go to few gateways. */
struct gateway {
	const struct fp_nexthop *nh;
	struct rte_ether_addr mac;
};

static inline bool
short_path(struct fp_worker *w, struct fp_pkt *p, struct gateway *gw)
{
	const struct fp_conf *c = w->conf;
	const struct fp_nexthop *nh = p->nh;
	const struct fp_ifnet *oif;
	struct rte_ether_addr dmac;
	struct fp_state *st;
	uint8_t *ip = p->l3, *eth;
	bool hi = p->flags & FP_PF_SRC_HI, rev;
	uint8_t state[2];

	if (unlikely(p->hint == FP_STATE_NONE))
		return false;
	st = fp_table_record(w->table, p->hint);
	if (!fp_key_equal(&st->key, &p->key) || st->halves != FP_HALVES_BOTH ||
	    st->flags & (FP_SF_SLOW | FP_SF_DEAD | FP_SF_SEQDIFF | FP_SF_REANCHOR_SRC | FP_SF_REANCHOR_DST | FP_SF_FIGHT))
		return false;
	if (p->af == FP_AF_INET6 && !fp_addr6_equal(st, p->addr6))
		return false;
	if (unlikely(nh == NULL || (nh->kind != FP_NH_CONNECTED && nh->kind != FP_NH_GATEWAY)))
		return false;
	oif = &c->ifs[nh->ifid];
	if (unlikely(!oif->up || oif->pf_skip || p->ip_len > oif->mtu || oif->l2_len != RTE_ETHER_HDR_LEN))
		return false;
	if (nh == gw->nh)
		dmac = gw->mac;
	else if (unlikely(!fp_neigh_lookup(w->neigh, nh->ifid, p->af, nh->kind == FP_NH_GATEWAY ? nh->gw.b : fp_pkt_dst(p),
		&dmac)))
		return false;
	else if (nh->kind == FP_NH_GATEWAY) {
		gw->nh = nh;
		gw->mac = dmac;
	}
	rev = hi != !!(st->flags & FP_SF_SRC_HI);
	if (p->proto == IPPROTO_TCP) {
		const uint8_t *th = ip + p->l4_off;

		/* flags that normalisation would look at or edit take the long way */
		if ((th[12] & 0x0f) != 0 || (th[13] & ~(FP_TH_PUSH | FP_TH_ECE | FP_TH_CWR)) != FP_TH_ACK || th[18] | th[19])
			return false;
		if (!fp_tcp_track_fast(st, rev, rte_be_to_cpu_32(load32(th + 4)),
			rte_be_to_cpu_32(load32(th + 8)),
			rte_be_to_cpu_16(load16(th + 14)), th[13],
			p->ip_len - p->l4_off - p->l4_hlen, w->now_sec))
			return false;
		state[0] = state[1] = 0;
	} else {
		state[0] = st->peer[0].state ^ st->timeout;
		state[1] = st->peer[1].state;
		fp_udp_track(st, rev, w->now_sec);
		state[0] ^= st->peer[0].state ^ st->timeout;
		state[1] ^= st->peer[1].state;
	}
	/* what the short path accepts of TCP never changes a state, only windows */
	if (unlikely(w->sync != NULL) && (st->sync_pos == 0 || ++st->sync_updates >= w->sync_maxupd || (state[0] | state[1]) != 0))
		w->sync->touched(w, st, FP_HALVES_BOTH, (state[0] | state[1]) != 0);
	fp_state_count(st, rev, p->ip_len);
	if (p->af == FP_AF_INET) {
		uint32_t sum;
		uint16_t ck;

		ip[8]--;
		memcpy(&ck, ip + 10, 2);
		sum = ck + RTE_BE16(0x0100);
		ck = (uint16_t)(sum + (sum >= 0xffff));
		memcpy(ip + 10, &ck, 2);
	} else
		ip[7]--;
	eth = rte_pktmbuf_mtod(p->m, uint8_t *);
	memcpy(eth, dmac.addr_bytes, 6);
	memcpy(eth + 6, oif->mac.addr_bytes, 6);
	if (unlikely(p->m->pkt_len != p->ip_len + RTE_ETHER_HDR_LEN))	/* Ethernet padding of short packets */
		rte_pktmbuf_trim(p->m, p->m->pkt_len - p->ip_len - RTE_ETHER_HDR_LEN);
	fp_tx(w, oif->port_id, p->m);
	return true;
}

/* ---- the burst */
static void
burst(struct fp_worker *w, struct rte_mbuf **m, unsigned n, int port_id)
{
	const struct fp_conf *c = w->conf;
	struct fp_pkt *pk = w->pkts;
	struct gateway gw = { .nh = NULL };
	uint8_t kind[FP_BURST];
	uint32_t dst4[FP_BURST], n4 = 0, forwarded = 0;
	uint8_t at4[FP_BURST];
	const struct fp_nexthop *nh4[FP_BURST];
	bool handed = port_id < 0, plain_ok = c->pf_enabled && !c->bridge;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct fp_pkt *p = &pk[i];
		const uint8_t *eth = rte_pktmbuf_mtod(m[i], const uint8_t *);
		uint16_t port = handed ? m[i]->port : (uint16_t)port_id, type;
		bool plain = false, whole, steered;

		if (handed && unlikely(fp_priv(m[i])->flags & FP_HANDED_UNREACHABLE)) {
			fp_neigh_unreachable(w, m[i]);
			kind[i] = K_GONE;
			continue;
		}
		whole = handed && fp_priv(m[i])->flags & PF_HANDED_REASSEMBLED;
		steered = handed && !(fp_priv(m[i])->flags & FP_HANDED_RAW);

		p->m = m[i];
		p->made = NULL;
		p->deferrable = NULL;
		p->own_in = false;
		p->tag = 0;
		p->nh = NULL;
		p->l3 = (uint8_t *)(uintptr_t)eth + RTE_ETHER_HDR_LEN;
		p->l2_len = RTE_ETHER_HDR_LEN;
		if (likely(plain_ok && !whole && m[i]->data_len >= 14 + 20 + 8 && l2_plain(w, p, eth, port))) {
			type = load16(eth + 12);
			if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
				plain = parse4(w, p);
			else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
				plain = parse6(w, p);
		}
		if (unlikely(!plain)) {
			kind[i] = parse_long(w, p, port, steered, whole);
			continue;
		}
		if (w->distribute && !steered) {
			unsigned to = owner(w, p->hash);

			if (to != w->id) {
				hand_over(w, p, to);
				kind[i] = K_GONE;
				continue;
			}
		}
		kind[i] = K_SHORT;
		p->reason = FP_R_NONE;
		p->prio = 0;
		fp_table_prefetch_bucket(w->table, p->hash);
		if (p->af == FP_AF_INET) {
			memcpy(&dst4[n4], p->l3 + 16, 4);
			at4[n4++] = i;
		}
	}
	if (n4 != 0) {
		fp_route4_bulk(c, dst4, nh4, n4);
		for (unsigned i = 0; i < n4; i++)
			pk[at4[i]].nh = nh4[i];
	}
	for (unsigned i = 0; i < n; i++) {
		struct fp_pkt *p = &pk[i];

		if (kind[i] != K_SHORT)
			continue;
		p->hint = fp_table_candidate(w->table, p->hash);
		if (p->hint != FP_STATE_NONE)
			fp_table_prefetch_record(w->table, p->hint);
		if (p->af == FP_AF_INET6)
			p->nh = fp_route6(c, p->l3 + 24);
	}
	for (unsigned i = 0; i < n; i++) {
		if (kind[i] == K_SHORT && likely(short_path(w, &pk[i], &gw)))
			forwarded++;
		else if (kind[i] != K_GONE)
			fp_forward(w, &pk[i]);
	}
	if (forwarded != 0) {
		fp_count(&w->cnt.totals[FP_T_FORWARDED], forwarded);
		fp_count(&w->cnt.totals[FP_T_FORWARDED_FAST], forwarded);
		fp_count(&w->cnt.totals[FP_T_STATE_SEARCHES], 2 * (uint64_t)forwarded);
	}
}

void
fp_burst(struct fp_worker *w, struct rte_mbuf **m, unsigned n, uint16_t port_id)
{
	burst(w, m, n, port_id);
}

void
fp_burst_handover(struct fp_worker *w, struct rte_mbuf **m, unsigned n)
{
	burst(w, m, n, -1);
}

unsigned
fp_housekeeping(struct fp_worker *w)
{
	fp_state_expire(w);
	fp_table_reclaim(w->table, 32);
	if (w->reass != NULL) {
		unsigned n = fp_reass_expire(w->reass, w->now_sec, 4), by_limit, by_overlap;

		if (n != 0)
			fp_count(&w->cnt.drops[FP_D_FRAG_TIMEOUT], n);
		fp_reass_lost(w->reass, &by_limit, &by_overlap);
		if (unlikely(by_limit != 0))
			fp_count(&w->cnt.drops[FP_D_FRAG_LIMIT], by_limit);
		if (unlikely(by_overlap != 0))
			fp_count(&w->cnt.drops[FP_D_FRAG_OVERLAP], by_overlap);
	}
	fp_pf_housekeeping(w);
	return 0;
}
