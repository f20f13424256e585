/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IP stack around pf: what a router does with a packet before, between and after the two passes of pf, in the order
 * that the BSD stacks keep (ip_input, ip_forward, ip_output and their IPv6 twins), and the bridge. Everything that is
 * not on the short path of burst.c comes through here, one packet at a time. All on the worker.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_ether.h>

#include "forward.h"
#include "icmp_map.h"
#include "ip_options.h"
#include "make.h"
#include "parse.h"
#include "pf_priv.h"
#include "tcp_norm.h"

/* ---- addresses */
static bool
v4_can_forward(uint32_t dst_be)
{
	uint32_t a = rte_be_to_cpu_32(dst_be);

	return (a >> 28) != 0xe && (a >> 24) != 0 && (a >> 24) != 127 && a != 0xffffffff;
}

static bool
v6_linklocal(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static bool
v6_zero_to(const uint8_t *a, unsigned n)
{
	uint8_t x = 0;

	for (unsigned i = 0; i < n; i++)
		x |= a[i];
	return x == 0;
}

/* The box's address on an interface, as source of what it sends there. NULL: none of that family. */
static const uint8_t *
source_address(const struct fp_ifnet *ifp, uint8_t af, bool linklocal)
{
	const uint8_t *other = NULL, *shared = NULL;

	for (uint32_t i = 0; i < ifp->n_addrs; i++) {
		const struct fp_ifaddr *a = &ifp->addrs[i];

		if (a->af != af)
			continue;
		if (a->vhid != 0) {	/* the last resort: other boxes have it too */
			shared = shared == NULL ? a->addr.b : shared;
			continue;
		}
		if (a->linklocal == linklocal)
			return a->addr.b;
		other = other == NULL ? a->addr.b : other;
	}
	return other != NULL ? other : shared;
}

static const struct fp_nexthop *
route(const struct fp_worker *w, uint8_t af, const uint8_t *dst)
{
	uint32_t d;

	if (af == FP_AF_INET6)
		return fp_route6(w->conf, dst);
	memcpy(&d, dst, 4);
	return fp_route4(w->conf, d);
}

/* ---- sending */
static void
icmp_error(struct fp_worker *w, struct fp_pkt *p, uint8_t type, uint8_t code, uint32_t mtu)
{
	const struct fp_ifnet *ifp;
	const uint8_t *src;
	struct rte_mbuf *m;

	if (p->flags & FP_PF_LOCAL || p->rcvif == FP_IFID_NONE || !w->box->params->icmp_errors)
		return;
	ifp = &w->conf->ifs[p->rcvif];
	/* about a packet for the box itself: from the address that it was sent to, whatever interface that is on */
	if (p->nh != NULL && p->nh->kind == FP_NH_LOCAL)
		src = fp_pkt_dst(p);
	else
		src = source_address(ifp, p->af, p->af == FP_AF_INET6 && v6_linklocal(fp_pkt_src(p)));
	if (src == NULL)
		return;
	if ((m = fp_make_icmp_error(w, p, type, code, mtu, src, false)) != NULL)
		fp_originate(w, m, p->af, ifp, false);
}

/* A v6 fragment that was this large when it came in: its sender hears of it as if nobody had put it together here. */
static void
piece_too_big(struct fp_worker *w, const struct fp_pkt *whole, struct rte_mbuf *m, uint16_t mtu)
{
	struct fp_pkt p = { .m = m, .flags = whole->flags & FP_PF_LOCAL, .rcvif = whole->rcvif, .ifid = whole->ifid };

	if (fp_parse_ip(&p, 0, FP_AF_INET6) == FP_D_NONE && fp_parse_l4(&p) == FP_D_NONE)
		icmp_error(w, &p, 2, 0, mtu);
	fp_drop(w, p.m, FP_D_NEED_FRAG);
}

/* For the main lcore, should the neighbour not answer. */
static void
came_from(const struct fp_worker *w, const struct fp_pkt *p, struct rte_mbuf *m)
{
	fp_priv(m)->rcvif = p->flags & FP_PF_LOCAL ? FP_IFID_NONE : p->rcvif;
	fp_priv(m)->worker = w->id;
}

/* From the IP header on to the wire: cut if needed, Ethernet header, transmit. p->m is consumed. */
static void
ip_output(struct fp_worker *w, struct fp_pkt *p, const struct fp_ifnet *oif, const struct fp_nexthop *nh)
{
	const uint8_t *hop = nh->kind == FP_NH_GATEWAY ? nh->gw.b : fp_pkt_dst(p);
	uint8_t hopbuf[16];

	memcpy(hopbuf, hop, p->af == FP_AF_INET ? 4 : 16);
	if (!oif->up || oif->port_id >= FP_MAX_PORTS) {
		fp_drop(w, p->m, FP_D_TX_DOWN);
		return;
	}
	if (p->ip_len > oif->mtu || p->flags & FP_PF_REASSEMBLED) {
		struct rte_mbuf *out[FP_FRAGMENT_MAX];
		int n;

		if (p->af == FP_AF_INET6 ? !(p->flags & FP_PF_REASSEMBLED) :
		    p->ip_len > oif->mtu && fp_get16(p->l3 + 6) & 0x4000) {
			if (p->af == FP_AF_INET6)
				icmp_error(w, p, 2, 0, oif->mtu);
			else
				icmp_error(w, p, 3, 4, oif->mtu);
			fp_drop(w, p->m, FP_D_NEED_FRAG);
			return;
		}
		if (p->af == FP_AF_INET6 || p->ip_len > oif->mtu) {
			rte_pktmbuf_adj(p->m, p->l2_len);
			p->l2_len = 0;
			p->l3 = rte_pktmbuf_mtod(p->m, uint8_t *);
			n = fp_fragment(p, oif->mtu, w->pool, w->pool_indirect, out, FP_FRAGMENT_MAX, fp_random(w) >> 32);
			if (n < 0) {
				fp_drop(w, p->m, FP_D_NOMBUF);
				return;
			}
			fp_count(&w->cnt.totals[FP_T_FRAGMENTED], 1);
			for (int i = 0; i < n; i++) {
				came_from(w, p, out[i]);
				if (out[i]->pkt_len > oif->mtu)
					piece_too_big(w, p, out[i], oif->mtu);
				else
					fp_l2_output(w, oif, out[i], p->af, hopbuf);
			}
			return;
		}
	}
	rte_pktmbuf_adj(p->m, p->l2_len);
	came_from(w, p, p->m);
	fp_l2_output(w, oif, p->m, p->af, hopbuf);
}

/*
 * The main lcore could not resolve the next hop of a packet that this worker forwarded (m's data is the IP packet): host
 * unreachable to the sender (RFC 1812 5.2.7.1; RFC 4443 3.1, address unreachable).
 */
void
fp_neigh_unreachable(struct fp_worker *w, struct rte_mbuf *m)
{
	uint16_t rcvif = fp_priv(m)->rcvif;
	struct fp_pkt p;

	memset(&p, 0, sizeof(p));
	p.m = m;
	p.rcvif = p.ifid = rcvif;
	if (rcvif < w->conf->n_ifs && w->conf->ifs[rcvif].exists && fp_parse_ip(&p, 0, fp_priv(m)->af) == FP_D_NONE &&
	    fp_pf_classify(w, &p) == FP_D_NONE) {
		/* the quote shows the packet as it came in */
		if (p.af == FP_AF_INET)
			icmp_error(w, &p, 3, 1, 0);
		else
			icmp_error(w, &p, 1, 3, 0);
	}
	fp_drop(w, p.m, FP_D_NEIGH_FAILED);
}

/* Bridge mode: an answer goes back where the question came from, Ethernet addresses swapped. */
static void
bridge_answer(struct fp_worker *w, struct rte_mbuf *m, const struct fp_ifnet *came_in)
{
	uint8_t *l2 = (uint8_t *)rte_pktmbuf_prepend(m, w->bridge_l2_len);

	if (l2 == NULL || w->bridge_l2_len < 14) {
		fp_drop(w, m, FP_D_NOMBUF);
		return;
	}
	memcpy(l2, w->bridge_l2, w->bridge_l2_len);
	memcpy(l2, w->bridge_l2 + 6, 6);
	memcpy(l2 + 6, w->bridge_l2, 6);
	fp_tx(w, came_in->port_id, m);
}

void
fp_originate(struct fp_worker *w, struct rte_mbuf *m, uint8_t af, const struct fp_ifnet *came_in, bool by_pf)
{
	fp_originate_tagged(w, m, af, came_in, by_pf, 0);
}

void
fp_originate_tagged(struct fp_worker *w, struct rte_mbuf *m, uint8_t af, const struct fp_ifnet *came_in, bool by_pf,
	uint16_t tag)
{
	struct fp_pkt p;
	const struct fp_ifnet *oif;
	enum fp_drop d;

	memset(&p, 0, sizeof(p));
	p.m = m;
	p.rcvif = FP_IFID_NONE;
	p.flags = FP_PF_LOCAL;
	p.tag = tag;
	fp_count(&w->cnt.totals[FP_T_ORIGINATED], 1);
	m->ol_flags = 0;
	if ((d = fp_parse_ip(&p, 0, af)) != FP_D_NONE) {
		fp_drop(w, p.m, d);
		return;
	}
	p.flags |= FP_PF_LOCAL;
	if (w->conf->bridge && came_in != NULL && came_in->bridge_peer != FP_IFID_NONE) {
		bridge_answer(w, p.m, came_in);
		return;
	}
	if (af == FP_AF_INET6 && (v6_linklocal(fp_pkt_dst(&p)) || fp_pkt_dst(&p)[0] == 0xff)) {
		static const struct fp_nexthop onlink = { .kind = FP_NH_CONNECTED, .af = FP_AF_INET6 };

		if (came_in == NULL) {
			fp_drop(w, p.m, FP_D_NO_ROUTE);
			return;
		}
		oif = came_in;
		p.nh = &onlink;
	} else {
		p.nh = route(w, af, fp_pkt_dst(&p));
		if (p.nh == NULL || (p.nh->kind != FP_NH_CONNECTED && p.nh->kind != FP_NH_GATEWAY)) {
			fp_drop(w, p.m, FP_D_NO_ROUTE);
			return;
		}
		oif = &w->conf->ifs[p.nh->ifid];
	}
	if (!by_pf && !fp_pf(w, &p, true, oif, NULL))
		return;
	ip_output(w, &p, oif, p.nh);
}

/* ---- packets for the box itself */
/* Protocols that the stack takes, and drops in silence if nothing is set up for them: tunnels, IPsec, CARP, pfsync. */
static bool
box_protocol(uint8_t proto)
{
	return proto == IPPROTO_IPIP || proto == IPPROTO_IPV6 || proto == IPPROTO_ESP || proto == IPPROTO_AH ||
		proto == IPPROTO_COMP || proto == 112 || proto == 240;
}

static void
local_input(struct fp_worker *w, struct fp_pkt *p)
{
	const struct fp_ifnet *ifp = &w->conf->ifs[p->rcvif];
	bool multicast = p->flags & FP_PF_L2_MCAST || (p->nh != NULL && p->nh->kind == FP_NH_BROADCAST);
	struct fp_tcp_seg seg;
	struct rte_mbuf *m = NULL;

	if (!(p->flags & FP_PF_PARSED) && (fp_pf_classify(w, p)) != FP_D_NONE) {
		fp_drop(w, p->m, FP_D_L4_SHORT);
		return;
	}
	if (p->flags & FP_PF_KEYLESS) {
		fp_drop(w, p->m, FP_D_LOCAL_PROTO);
		return;
	}
	if (!fp_l4_cksum_ok(p)) {
		fp_drop(w, p->m, FP_D_L4_CHECKSUM);
		return;
	}
	switch (p->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (p->proto != (p->af == FP_AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			break;
		if (p->icmp_type == (p->af == FP_AF_INET ? 8 : 128) && w->box->params->ping_answer &&
		    (!multicast || p->af == FP_AF_INET6)) {
			if (p->af == FP_AF_INET6 && fp_pkt_dst(p)[0] == 0xff) {
				/* the answer to a multicast question comes from an address of this interface */
				const uint8_t *src = source_address(ifp, p->af, v6_linklocal(fp_pkt_src(p)));

				if (src == NULL)
					break;
				memcpy(p->l3 + 24, src, 16);
			}
			if (!fp_make_echo_reply(p))
				break;
			m = p->m;
			rte_pktmbuf_adj(m, p->l2_len);
			fp_count(&w->cnt.totals[FP_T_LOCAL], 1);
			fp_originate(w, m, p->af, ifp, false);
			return;
		}
		break;
	case IPPROTO_TCP:
		if (multicast || p->tcp_flags & FP_TH_RST)
			break;
		/* nobody listens: RFC 9293 3.10.7.1 */
		fp_tcp_seg_read(&seg, p->l3 + p->l4_off, p->l4_hlen, p->ip_len - p->l4_off - p->l4_hlen);
		{
			struct fp_tcp_make t = { .af = p->af, .src = fp_pkt_dst(p), .dst = fp_pkt_src(p),
				.sport_be = p->dport_be, .dport_be = p->sport_be, .by_stack = true };

			if (seg.flags & FP_TH_ACK) {
				t.flags = FP_TH_RST;
				t.seq = seg.ack;
			} else {
				t.flags = FP_TH_RST | FP_TH_ACK;
				t.ack = seg.seq + seg.len + !!(seg.flags & FP_TH_SYN) + !!(seg.flags & FP_TH_FIN);
			}
			m = fp_make_tcp(w, &t);
		}
		if (m != NULL)
			fp_originate(w, m, p->af, ifp, false);
		break;
	case IPPROTO_UDP:
		if (multicast)
			break;
		if (p->af == FP_AF_INET)
			icmp_error(w, p, 3, 3, 0);
		else
			icmp_error(w, p, 1, 4, 0);
		break;
	default:
		if (multicast || box_protocol(p->proto))
			break;
		if (p->af == FP_AF_INET)
			icmp_error(w, p, 3, 2, 0);			/* RFC 1122 3.2.2.1: protocol unreachable */
		else if (p->proto != IPPROTO_NONE)
			icmp_error(w, p, 4, 1, p->v6_last_nh_off);	/* RFC 8200 4: unrecognized next header */
		break;
	}
	fp_drop(w, p->m, FP_D_LOCAL_PROTO);
}

/* ---- forwarding */
/* The interface by which the packet will leave if pf passes it, as far as that is certain. Fills p->nh. */
static const struct fp_ifnet *
sure_way_out(struct fp_worker *w, struct fp_pkt *p)
{
	const struct fp_conf *c = w->conf;
	const struct fp_ifnet *oif;
	const uint8_t *dst = fp_pkt_dst(p), *src = fp_pkt_src(p);

	p->nh = route(w, p->af, dst);
	if (p->nh == NULL || (p->nh->kind != FP_NH_CONNECTED && p->nh->kind != FP_NH_GATEWAY))
		return NULL;
	oif = &c->ifs[p->nh->ifid];
	if (p->ttl <= 1 || p->flags & FP_PF_L2_MCAST || !oif->up || oif->pf_skip)
		return NULL;
	if (p->af == FP_AF_INET) {
		uint32_t d;

		memcpy(&d, dst, 4);
		if (!c->forward4 || p->flags & FP_PF_OPTIONS || !v4_can_forward(d))
			return NULL;
	} else if (!c->forward6 || dst[0] == 0xff || v6_linklocal(dst) || v6_linklocal(src) || v6_zero_to(src, 16))
		return NULL;
	return oif;
}

static bool
is_own4(void *arg, const uint8_t *addr)
{
	const struct fp_nexthop *nh = route(arg, FP_AF_INET, addr);

	return nh != NULL && nh->kind == FP_NH_LOCAL;
}

/* Options that a router has to look at; answers what is wrong with them. False: the packet is gone. */
static bool
options_input(struct fp_worker *w, struct fp_pkt *p)
{
	const struct fp_ifnet *oif = NULL;
	uint8_t where = 0;

	if (p->nh != NULL && p->nh->ifid < w->conf->n_ifs)
		oif = &w->conf->ifs[p->nh->ifid];
	switch (fp_ip_options(p->l3, (p->l3[0] & 15) * 4, oif != NULL ? source_address(oif, FP_AF_INET, false) : NULL,
		(uint32_t)((uint64_t)(w->now_us / 1000 + w->wall_offset_ms) % 86400000), is_own4, w, &where)) {
	case FP_IPOPT_OK:
		return true;
	case FP_IPOPT_PROBLEM:
		icmp_error(w, p, 12, 0, (uint32_t)where << 24);
		break;
	case FP_IPOPT_SOURCE_ROUTE:
		icmp_error(w, p, 3, 5, 0);
		break;
	}
	fp_drop(w, p->m, FP_D_IP_OPTIONS);
	return false;
}

/*
 * Hop-by-hop options, RFC 8200 4.2: every router looks at them, and the two upper bits of those that it does not know say
 * what to do. False: the packet is gone.
 */
static bool
hopopts_input(struct fp_worker *w, struct fp_pkt *p)
{
	unsigned end, o = 42;
	bool multicast = fp_pkt_dst(p)[0] == 0xff || p->flags & FP_PF_L2_MCAST;

	if (p->ip_len < 48 || !fp_pkt_contiguous(p, 48) || (end = 40 + (p->l3[41] + 1u) * 8) > p->ip_len ||
	    !fp_pkt_contiguous(p, end)) {
		fp_drop(w, p->m, FP_D_IP6_HEADERS);
		return false;
	}
	for (; o < end; o += p->l3[o] == 0 ? 1 : p->l3[o + 1] + 2u) {
		const uint8_t *opt = p->l3 + o;

		if (opt[0] == 0)			/* Pad1 */
			continue;
		if (o + 2 > end || o + 2 + opt[1] > end)
			break;
		if (opt[0] == 1 || (opt[0] == 5 && opt[1] == 2))	/* PadN; router alert: not ours to handle */
			continue;
		if (opt[0] == 5) {
			icmp_error(w, p, 4, 0, o + 1);
			break;
		}
		if (opt[0] >> 6 == 0)			/* skip over it */
			continue;
		if (opt[0] >> 6 == 2 || (opt[0] >> 6 == 3 && !multicast))
			icmp_error(w, p, 4, 2, o);
		break;
	}
	if (o == end)
		return true;
	fp_drop(w, p->m, FP_D_IP6_HEADERS);
	return false;
}

/* The sender would do better to talk to the next hop directly: it is on the sender's own link (RFC 1812 5.2.7.2). */
static void
redirect(struct fp_worker *w, struct fp_pkt *p, const struct fp_ifnet *oif, struct fp_pkt *quote)
{
	const uint8_t *hop = p->nh->kind == FP_NH_GATEWAY ? p->nh->gw.b : fp_pkt_dst(p);
	uint32_t src, word;

	memcpy(&src, fp_pkt_src(p), 4);
	for (uint32_t i = 0; i < oif->n_addrs; i++) {
		const struct fp_ifaddr *a = &oif->addrs[i];
		uint32_t mask;

		if (a->af != FP_AF_INET)
			continue;
		mask = a->plen == 0 ? 0 : rte_cpu_to_be_32(UINT32_MAX << (32 - a->plen));

		if (((src ^ a->addr.w[0]) & mask) == 0) {
			memcpy(&word, hop, 4);
			icmp_error(w, quote, 5, 1, rte_be_to_cpu_32(word));
			return;
		}
	}
}

/* Does it wait for the peer? Then the sync room has it, with all that fp_forward_resume() needs. */
static bool
defer(struct fp_worker *w, struct fp_pkt *p)
{
	struct fp_mbuf_priv *pr = fp_priv(p->m);

	if (w->sync == NULL || p->flags & (FP_PF_L2_MCAST | FP_PF_LOCAL))
		return false;
	pr->af = p->af;
	pr->ifid = p->ifid;
	pr->rcvif = p->rcvif;
	pr->worker = w->id;
	pr->l2_len = p->l2_len;
	pr->flags = p->flags & FP_PF_REASSEMBLED ? FP_HANDED_REASSEMBLED : 0;
	pr->hash = p->frag_id;
	pr->handover_dir = p->frag_size;
	pr->rule_uid = p->frag_hdr_len;
	return w->sync->defer(w, p, p->deferrable);
}

static void
forward(struct fp_worker *w, struct fp_pkt *p)
{
	const struct fp_ifnet *oif;
	const uint8_t *dst = fp_pkt_dst(p);
	struct rte_mbuf *copy = NULL;
	struct fp_pkt quote;
	struct fp_nexthop nh;

	if (p->flags & FP_PF_L2_MCAST) {
		fp_drop(w, p->m, FP_D_L2_BROADCAST);
		return;
	}
	if (p->af == FP_AF_INET) {
		uint32_t d;

		memcpy(&d, dst, 4);
		if (!w->conf->forward4 || !v4_can_forward(d)) {
			fp_drop(w, p->m, FP_D_MARTIAN_DST);
			return;
		}
		if (p->ttl <= 1) {
			icmp_error(w, p, 11, 0, 0);
			fp_drop(w, p->m, FP_D_TTL);
			return;
		}
	} else {
		if (!w->conf->forward6 || v6_zero_to(fp_pkt_src(p), 16)) {
			fp_drop(w, p->m, FP_D_MARTIAN_SRC);
			return;
		}
		if (p->ttl <= 1) {
			icmp_error(w, p, 3, 0, 0);
			fp_drop(w, p->m, FP_D_TTL);
			return;
		}
	}
	if (p->nh == NULL || p->nh->kind == FP_NH_NONE) {
		if (p->af == FP_AF_INET)
			icmp_error(w, p, 3, 1, 0);
		else
			icmp_error(w, p, 1, 0, 0);
		fp_drop(w, p->m, FP_D_NO_ROUTE);
		return;
	}
	if (p->nh->kind == FP_NH_REJECT || p->nh->kind == FP_NH_BLACKHOLE || p->nh->kind == FP_NH_BROADCAST) {
		if (p->nh->kind == FP_NH_REJECT) {
			if (p->af == FP_AF_INET)
				icmp_error(w, p, 3, 1, 0);
			else
				icmp_error(w, p, 1, 0, 0);
		}
		fp_drop(w, p->m, p->nh->kind == FP_NH_BROADCAST ? FP_D_MARTIAN_DST : FP_D_ROUTE_REJECT);
		return;
	}
	if (p->af == FP_AF_INET6 && (v6_linklocal(fp_pkt_src(p)) || v6_linklocal(dst))) {
		icmp_error(w, p, 1, 2, 0);	/* beyond the scope of the source */
		fp_drop(w, p->m, FP_D_MARTIAN_SRC);
		return;
	}
	oif = &w->conf->ifs[p->nh->ifid];
	if (p->af == FP_AF_INET && oif->ifid == p->rcvif && p->rcvif != FP_IFID_NONE && w->box->params->redirects &&
	    !(p->flags & FP_PF_LOCAL) && p->nh != fp_route4(w->conf, 0)) {	/* none for the default route, as in BSD */
		/* the quote shows the packet as it came in, the redirect follows the packet: keep its head */
		copy = rte_pktmbuf_copy(p->m, w->pool, 0, p->l2_len + 128);
	}
	if (p->af == FP_AF_INET) {
		/* RFC 1141: a TTL that is one less makes the sum 0x0100 more */
		uint32_t sum;
		uint16_t ck;

		p->l3[8]--;
		memcpy(&ck, p->l3 + 10, 2);
		sum = ck + rte_cpu_to_be_16(0x0100);
		ck = (uint16_t)(sum + (sum >= 0xffff));
		memcpy(p->l3 + 10, &ck, 2);
	} else
		p->l3[7]--;
	if (!fp_pf(w, p, true, oif, NULL)) {
		rte_pktmbuf_free(copy);
		return;
	}
	if (unlikely(p->deferrable != NULL) && defer(w, p)) {
		rte_pktmbuf_free(copy);
		return;
	}
	fp_count(&w->cnt.totals[FP_T_FORWARDED], 1);
	if (copy != NULL) {
		quote = *p;
		quote.m = copy;
		quote.l3 = rte_pktmbuf_mtod_offset(copy, uint8_t *, p->l2_len);
	}
	nh = *p->nh;
	ip_output(w, p, oif, p->nh);
	if (copy != NULL) {
		quote.nh = &nh;
		redirect(w, &quote, oif, &quote);
		rte_pktmbuf_free(copy);
	}
}

/* ---- the bridge */
/* Behind pf. w->bridge_l2: the packet's Ethernet header. */
static void
bridge_output(struct fp_worker *w, struct fp_pkt *p, const struct fp_ifnet *oif)
{
	if (!oif->up || oif->port_id >= FP_MAX_PORTS) {
		fp_drop(w, p->m, FP_D_TX_DOWN);
		return;
	}
	fp_count(&w->cnt.totals[FP_T_FORWARDED], 1);
	if (p->flags & FP_PF_REASSEMBLED || p->ip_len > oif->mtu) {
		struct rte_mbuf *out[FP_FRAGMENT_MAX];
		uint8_t l2[sizeof(w->bridge_l2)];
		uint16_t l2_len = p->l2_len;
		int n;

		if (p->ip_len > oif->mtu && (p->af == FP_AF_INET6 ? !(p->flags & FP_PF_REASSEMBLED) : fp_get16(p->l3 + 6) & 0x4000)) {
			fp_drop(w, p->m, FP_D_NEED_FRAG);
			return;
		}
		if (p->af == FP_AF_INET6 || p->ip_len > oif->mtu) {
			memcpy(l2, w->bridge_l2, l2_len);
			rte_pktmbuf_adj(p->m, l2_len);
			p->l2_len = 0;
			p->l3 = rte_pktmbuf_mtod(p->m, uint8_t *);
			n = fp_fragment(p, oif->mtu, w->pool, w->pool_indirect, out, FP_FRAGMENT_MAX, fp_random(w) >> 32);
			if (n < 0) {
				fp_drop(w, p->m, FP_D_NOMBUF);
				return;
			}
			for (int i = 0; i < n; i++) {
				void *h = rte_pktmbuf_prepend(out[i], l2_len);

				if (h == NULL)
					fp_drop(w, out[i], FP_D_NOMBUF);
				else {
					memcpy(h, l2, l2_len);
					fp_tx(w, oif->port_id, out[i]);
				}
			}
			return;
		}
	}
	fp_tx(w, oif->port_id, p->m);
}

static void
bridge_input(struct fp_worker *w, struct fp_pkt *p, const struct fp_ifnet *ifp)
{
	const struct fp_ifnet *oif = &w->conf->ifs[ifp->bridge_peer];

	memcpy(w->bridge_l2, rte_pktmbuf_mtod(p->m, void *), p->l2_len);
	w->bridge_l2_len = p->l2_len;
	if (!fp_pf(w, p, false, ifp, oif->up && !oif->pf_skip ? oif : NULL) || !fp_pf(w, p, true, oif, NULL))
		return;
	if (unlikely(p->deferrable != NULL) && defer(w, p))
		return;
	bridge_output(w, p, oif);
}

void
fp_forward_resume(struct fp_worker *w, struct rte_mbuf *m)
{
	const struct fp_mbuf_priv pr = *fp_priv(m);
	const struct fp_ifnet *oif;
	struct fp_pkt p;
	enum fp_drop d;

	memset(&p, 0, sizeof(p));
	p.m = m;
	p.rcvif = pr.rcvif;
	if (w->conf == NULL || pr.ifid >= w->conf->n_ifs || !w->conf->ifs[pr.ifid].exists) {
		fp_drop(w, m, FP_D_TX_DOWN); /* the interface went away meanwhile */
		return;
	}
	if ((d = fp_parse_ip(&p, pr.l2_len, pr.af)) != FP_D_NONE) {
		fp_drop(w, p.m, d);
		return;
	}
	p.flags |= FP_PF_SKIP_PF;
	p.ifid = pr.ifid;
	if (pr.flags & FP_HANDED_REASSEMBLED && pr.af == FP_AF_INET6) {
		p.flags |= FP_PF_REASSEMBLED;
		p.frag_id = pr.hash;
		p.frag_size = pr.handover_dir;
		p.frag_hdr_len = pr.rule_uid;
	}
	oif = &w->conf->ifs[pr.ifid];
	if (w->conf->bridge && oif->bridge_peer != FP_IFID_NONE) {
		memcpy(w->bridge_l2, rte_pktmbuf_mtod(p.m, void *), p.l2_len);
		w->bridge_l2_len = p.l2_len;
		bridge_output(w, &p, oif);
		return;
	}
	p.nh = route(w, p.af, fp_pkt_dst(&p));
	if (p.nh == NULL || (p.nh->kind != FP_NH_CONNECTED && p.nh->kind != FP_NH_GATEWAY)) {
		fp_drop(w, p.m, FP_D_NO_ROUTE);
		return;
	}
	fp_count(&w->cnt.totals[FP_T_FORWARDED], 1);
	ip_output(w, &p, &w->conf->ifs[p.nh->ifid], p.nh);
}

/* ---- entry */
/*
 * CARP and pfsync to this box, its groups included: taken before pf, as neighbour discovery is, so that rules cannot cut the
 * pair off. What nobody listens for goes on as any other packet.
 */
static bool
pair_input(struct fp_worker *w, struct fp_pkt *p)
{
	static const uint8_t carp6[16] = { 0xff, 0x02, [15] = 0x12 }, pfsync6[16] = { 0xff, 0x12, [15] = 0xf0 };
	const uint8_t *dst = fp_pkt_dst(p);
	bool ours = p->nh != NULL && p->nh->kind == FP_NH_LOCAL;

	if (p->af == FP_AF_INET)
		ours = ours || (dst[0] == 224 && dst[1] == 0 && dst[2] == 0 && (dst[3] == 18 || dst[3] == 240));
	else
		ours = ours || memcmp(dst, carp6, 16) == 0 || memcmp(dst, pfsync6, 16) == 0;
	if (!ours || p->flags & FP_PF_KEYLESS || !__atomic_load_n(&w->box->pair_listens, __ATOMIC_RELAXED))
		return false;
	fp_priv(p->m)->l2_len = p->l2_len;
	fp_priv(p->m)->af = p->af;
	fp_count(&w->cnt.totals[FP_T_LOCAL], 1);
	w->box->sync_hooks->received(w, p->m, p->ifid);
	return true;
}

/* Is it for the box's own neighbour discovery? Decided before pf: rules cannot cut the box off its links. */
static bool
is_own_nd(const struct fp_pkt *p)
{
	return p->af == FP_AF_INET6 && p->flags & FP_PF_PARSED && !(p->flags & FP_PF_KEYLESS) && p->proto == IPPROTO_ICMPV6 &&
		p->icmp_type >= 133 && p->icmp_type <= 137 &&
		(fp_pkt_dst(p)[0] == 0xff || v6_linklocal(fp_pkt_dst(p)) || (p->nh != NULL && p->nh->kind == FP_NH_LOCAL));
}

void
fp_forward(struct fp_worker *w, struct fp_pkt *p)
{
	const struct fp_ifnet *ifp = &w->conf->ifs[p->ifid], *joint;
	const uint8_t *src = fp_pkt_src(p), *dst = fp_pkt_dst(p);

	p->rcvif = p->ifid;
	if (w->conf->bridge && ifp->bridge_peer != FP_IFID_NONE) {
		bridge_input(w, p, ifp);
		return;
	}
	if (p->af == FP_AF_INET) {
		/* RFC 1122 3.2.1.3: loopback must not appear on a wire */
		if (src[0] == 127 || dst[0] == 127) {
			fp_drop(w, p->m, src[0] == 127 ? FP_D_MARTIAN_SRC : FP_D_MARTIAN_DST);
			return;
		}
	} else {
		if (src[0] == 0xff || v6_zero_to(dst, 16) || (v6_zero_to(src, 15) && src[15] == 1) ||
		    (v6_zero_to(dst, 15) && dst[15] == 1) ||
		    (v6_zero_to(src, 10) && src[10] == 0xff && src[11] == 0xff) ||
		    (v6_zero_to(dst, 10) && dst[10] == 0xff && dst[11] == 0xff)) {
			fp_drop(w, p->m, src[0] == 0xff || v6_zero_to(src, 10) ? FP_D_MARTIAN_SRC : FP_D_MARTIAN_DST);
			return;
		}
	}
	joint = sure_way_out(w, p);
	if (unlikely(p->proto == 112 || p->proto == 240) && pair_input(w, p))
		return;
	if (is_own_nd(p)) {
		if (p->ttl != 255) {
			fp_reason(w, FP_R_NORMALIZE);
			fp_drop(w, p->m, FP_D_ND_HOPLIMIT);
			return;
		}
		fp_priv(p->m)->l2_len = p->l2_len;
		fp_punt(w, p->m, FP_PUNT_ND, p->ifid);
		return;
	}
	if (!fp_pf(w, p, false, ifp, joint))
		return;
	dst = fp_pkt_dst(p);
	if (p->af == FP_AF_INET ? (p->l3[0] & 15) > 5 && !options_input(w, p) :
	    p->l3[6] == IPPROTO_HOPOPTS && !hopopts_input(w, p))
		return;
	dst = fp_pkt_dst(p);
	if (p->nh != NULL && p->nh->kind == FP_NH_LOCAL) {
		local_input(w, p);
		return;
	}
	if (p->af == FP_AF_INET) {
		if ((dst[0] & 0xf0) == 0xe0) {
			fp_drop(w, p->m, FP_D_MULTICAST);
			return;
		}
		if ((p->nh != NULL && p->nh->kind == FP_NH_BROADCAST && p->nh->ifid == p->rcvif) ||
		    (dst[0] & dst[1] & dst[2] & dst[3]) == 0xff) {
			p->flags |= FP_PF_L2_MCAST;
			local_input(w, p);
			return;
		}
	} else if (dst[0] == 0xff) {
		if (dst[1] == 0x02 && v6_zero_to(dst + 2, 13) && (dst[15] == 1 || dst[15] == 2)) {
			p->flags |= FP_PF_L2_MCAST;
			local_input(w, p);
		} else
			fp_drop(w, p->m, FP_D_MULTICAST);
		return;
	} else if (v6_linklocal(dst)) {
		/* link-local addresses are not in the routing table: ours on this interface, or nobody's */
		for (uint32_t i = 0; i < ifp->n_addrs; i++)
			if (ifp->addrs[i].af == FP_AF_INET6 && memcmp(ifp->addrs[i].addr.b, dst, 16) == 0) {
				local_input(w, p);
				return;
			}
		fp_drop(w, p->m, FP_D_MARTIAN_DST);
		return;
	}
	forward(w, p);
}
