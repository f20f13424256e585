/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet, VLAN and IPv4/IPv6 headers up to the transport header. The order of the checks is that of pf's host: what its
 * stack refuses before pf looks (fp_parse_ip()) counts in no pf counter, what pf's own walk refuses does. Reading goes
 * through reach(), which compares with the IP length first and pulls segments together only when it must.
 *
 * Source: spec tcp-state 1, 7, 12; OpenBSD 7.6 sys/net/pf.c pf_walk_header(), pf_walk_header6(), pf_setup_pdesc() for
 * what counts as what; recorded boxes for UDP length and port 0.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf_dyn.h>

#include "parse.h"

#define IP4_HLEN 20u
#define IP6_HLEN 40u
#define HDR_MAX 20		/* extension headers (v6) or nested AH (v4) that pf walks */

#define IP4_RF 0x8000u
#define IP4_FRAG_MASK 0x3fffu	/* MF and offset */
#define IP4_OFF_MASK 0x1fffu
#define IP4_OPT_EOL 0
#define IP4_OPT_NOP 1
#define IP4_OPT_RA 148

#define IP6_OPT_PAD1 0
#define IP6_OPT_PADN 1
#define IP6_OPT_RA 5
#define IP6_OPT_JUMBO 0xc2

/* what pf calls bad options; decides about FP_PF_OPTIONS and FP_PF_ROUTER_ALERT */
#define OPT_OTHER 1u
#define OPT_JUMBO 2u
#define OPT_ROUTER_ALERT 4u

static inline uint16_t
get16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline enum fp_drop
refuse(struct fp_pkt *p, enum fp_drop drop, enum fp_reason reason)
{
	p->reason = reason;
	return drop;
}

/* ---- contiguity */

/* A fresh first segment with the first len bytes; what they leave behind in the old ones is cut off. */
static bool
pullup_new_head(struct rte_mbuf **m, uint16_t len)
{
	struct rte_mbuf *old = *m, *n, *s;
	uint16_t headroom = RTE_MIN(old->data_off, (uint16_t)RTE_PKTMBUF_HEADROOM), left;
	char *to;

	n = rte_pktmbuf_alloc(old->pool);
	if (n == NULL)
		return false;
	if (n->buf_len < (uint32_t)headroom + len) {
		rte_pktmbuf_free(n);
		return false;
	}
	n->data_off = headroom;
	n->port = old->port;
	n->ol_flags = old->ol_flags & ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
	n->packet_type = old->packet_type;
	n->hash = old->hash;
	n->vlan_tci = old->vlan_tci;
	n->vlan_tci_outer = old->vlan_tci_outer;
	n->tx_offload = old->tx_offload;
	rte_mbuf_dynfield_copy(n, old);
	memcpy(n + 1, old + 1, RTE_MIN(n->priv_size, old->priv_size));

	to = rte_pktmbuf_mtod(n, char *);
	n->data_len = len;
	n->pkt_len = old->pkt_len;
	n->nb_segs = old->nb_segs + 1;
	for (s = old, left = len; left > 0;) {
		uint16_t take = RTE_MIN(left, s->data_len);

		memcpy(to, rte_pktmbuf_mtod(s, char *), take);
		to += take;
		left -= take;
		s->data_off += take;
		s->data_len -= take;
		if (s->data_len == 0) {
			struct rte_mbuf *next = s->next;

			rte_pktmbuf_free_seg(s);
			n->nb_segs--;
			s = next;
		}
	}
	n->next = s;
	*m = n;
	return true;
}

bool
fp_pullup(struct rte_mbuf **mp, uint16_t len)
{
	struct rte_mbuf *m = *mp, *s;
	uint16_t need;

	if (len <= m->data_len)
		return true;
	if (len > m->pkt_len)
		return false;
	need = len - m->data_len;
	/* others may hold what lies behind the data of a shared buffer */
	if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1 || rte_pktmbuf_tailroom(m) < need)
		return pullup_new_head(mp, len);
	while (need > 0) {
		uint16_t take;

		s = m->next;
		take = RTE_MIN(need, s->data_len);
		memcpy(rte_pktmbuf_mtod_offset(m, char *, m->data_len), rte_pktmbuf_mtod(s, char *), take);
		m->data_len += take;
		s->data_off += take;
		s->data_len -= take;
		need -= take;
		if (s->data_len == 0) {
			m->next = s->next;
			m->nb_segs--;
			rte_pktmbuf_free_seg(s);
		}
	}
	return true;
}

/* len bytes at off from l3 are in the packet and in the first segment. FP_D_NONE, or why not. */
static inline enum fp_drop
reach(struct fp_pkt *p, uint32_t off, uint32_t len, enum fp_drop short_drop)
{
	uint32_t end = p->l2_len + off + len;

	if (unlikely(off + len > p->ip_len))
		return refuse(p, short_drop, FP_R_SHORT);
	if (likely(end <= p->m->data_len))
		return FP_D_NONE;
	/* pf would walk on through headers of 40 KB; here they must fit a buffer */
	if (end > UINT16_MAX || !fp_pullup(&p->m, end))
		return refuse(p, FP_D_NOMBUF, FP_R_MEMORY);
	p->l3 = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l2_len);
	return FP_D_NONE;
}

/* ---- layer 2 */

static uint8_t
pcp_prio(uint16_t tci)
{
	uint8_t pcp = tci >> 13;

	return pcp <= 1 ? !pcp : pcp; /* 802.1Q: 1 is background, below best effort 0 */
}

/* A tag from outside to inside. False: a third VLAN. */
static bool
l2_tag(struct fp_l2 *l2, uint16_t tci)
{
	uint16_t vid = tci & 0x0fff;

	l2->prio = pcp_prio(tci);
	if (++l2->n_tags > 2)
		return false;
	if (vid == 0)
		return true;
	if (l2->vlan_outer == 0)
		l2->vlan_outer = vid;
	else
		l2->vlan_inner = vid;
	return true;
}

enum fp_drop
fp_parse_l2(struct rte_mbuf *m, struct fp_l2 *l2)
{
	uint8_t copy[RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN];
	const uint8_t *h = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t have = m->data_len;
	uint16_t type;
	uint8_t len = RTE_ETHER_HDR_LEN;

	memset(l2, 0, sizeof(*l2));
	l2->prio = FP_PRIO_DEFAULT;
	if (unlikely(have < sizeof(copy) && m->pkt_len > have)) {
		have = RTE_MIN(m->pkt_len, (uint32_t)sizeof(copy));
		h = rte_pktmbuf_read(m, 0, have, copy);
		if (h == NULL)
			return FP_D_L2_SHORT;
	}
	if (have < len)
		return FP_D_L2_SHORT;
	l2->mcast = h[0] & 1;
	if (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		l2_tag(l2, m->vlan_tci_outer);
	if (m->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED))
		l2_tag(l2, m->vlan_tci);
	for (;;) {
		type = get16(h + len - 2);
		if (likely(type != RTE_ETHER_TYPE_VLAN && type != RTE_ETHER_TYPE_QINQ))
			break;
		if (l2->n_tags >= 2)
			return FP_D_L2_VLAN;
		if (have < len + (uint32_t)RTE_VLAN_HLEN)
			return FP_D_L2_SHORT;
		if (!l2_tag(l2, get16(h + len)))
			return FP_D_L2_VLAN;
		len += RTE_VLAN_HLEN;
	}
	l2->ether_type = type;
	l2->len = len;
	return FP_D_NONE;
}

/* ---- IP header: the checks of the stack */

/* Cut off what follows the IP packet in the frame. */
static inline void
trim(struct fp_pkt *p, uint32_t have)
{
	uint32_t extra = have - p->ip_len;
	struct rte_mbuf *m = p->m, *s, *last;
	uint32_t keep;

	if (likely(extra == 0))
		return;
	if (likely(m->next == NULL)) {
		m->data_len -= extra;
		m->pkt_len -= extra;
		return;
	}
	/* the padding may span segments, which rte_pktmbuf_trim() does not do */
	keep = m->pkt_len - extra;
	m->pkt_len = keep;
	for (last = m; keep > last->data_len; last = last->next)
		keep -= last->data_len;
	last->data_len = keep;
	s = last->next;
	last->next = NULL;
	while (s != NULL) {
		struct rte_mbuf *next = s->next;

		m->nb_segs--;
		rte_pktmbuf_free_seg(s);
		s = next;
	}
}

static enum fp_drop
parse_ip4(struct fp_pkt *p, uint32_t have)
{
	const uint8_t *h = p->l3;
	unsigned hlen = (h[0] & 0x0f) * 4u;
	uint16_t total;

	if (unlikely(hlen != IP4_HLEN)) {
		if (hlen < IP4_HLEN || hlen > have)
			return FP_D_IP_HDRLEN;
		if (reach(p, 0, hlen, FP_D_IP_HDRLEN) != FP_D_NONE)
			return refuse(p, FP_D_NOMBUF, FP_R_NONE);
		h = p->l3;
		p->flags |= FP_PF_OPTIONS;
	}
	/* only GOOD is taken at its word: some drivers say BAD of what they cannot parse */
	if ((p->m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) != RTE_MBUF_F_RX_IP_CKSUM_GOOD && fp_ip4_cksum(h, hlen) != 0)
		return FP_D_IP_CHECKSUM;
	total = get16(h + 2);
	if (total < hlen || total > have)
		return FP_D_IP_LENGTH;
	p->ip_len = total;
	p->tos = h[1];
	p->frag_off = get16(h + 6);
	p->ttl = h[8];
	p->proto = h[9];
	p->l4_off = hlen;
	return FP_D_NONE;
}

static enum fp_drop
parse_ip6(struct fp_pkt *p, uint32_t have)
{
	const uint8_t *h = p->l3;
	uint32_t total = IP6_HLEN + get16(h + 4);

	/* IPv6 lengths are pf's business: it counts them, where IPv4's die in the stack */
	if (total > have)
		return refuse(p, FP_D_IP_LENGTH, FP_R_SHORT);
	p->ip_len = total;
	p->tos = (uint8_t)(h[0] << 4 | h[1] >> 4);
	p->frag_off = 0;
	p->proto = h[6];
	p->ttl = h[7];
	p->l4_off = IP6_HLEN;
	return FP_D_NONE;
}

enum fp_drop
fp_parse_ip(struct fp_pkt *p, uint16_t l2_len, uint8_t af)
{
	uint32_t have = p->m->pkt_len > l2_len ? p->m->pkt_len - l2_len : 0;
	uint32_t min = af == FP_AF_INET ? IP4_HLEN : IP6_HLEN;
	enum fp_drop drop;

	p->reason = FP_R_NONE;
	p->flags &= ~(FP_PF_OPTIONS | FP_PF_FRAGMENT | FP_PF_NO_L4 | FP_PF_ROUTER_ALERT | FP_PF_V6_HOPOPTS_JUMBO |
		FP_PF_REASSEMBLED);
	p->l2_len = l2_len;
	p->af = af;
	p->ip_len = have;
	if (have < min)
		return FP_D_IP_SHORT;
	p->l3 = rte_pktmbuf_mtod_offset(p->m, uint8_t *, l2_len);
	if (reach(p, 0, min, FP_D_IP_SHORT) != FP_D_NONE)
		return refuse(p, FP_D_NOMBUF, FP_R_NONE);
	if (unlikely(p->l3[0] >> 4 != (af == FP_AF_INET ? 4 : 6)))
		return FP_D_IP_VERSION;
	drop = af == FP_AF_INET ? parse_ip4(p, have) : parse_ip6(p, have);
	if (likely(drop == FP_D_NONE))
		trim(p, have);
	return drop;
}

/* ---- pf's walk */

static inline void
no_l4(struct fp_pkt *p)
{
	p->flags |= FP_PF_NO_L4;
	p->sport_be = p->dport_be = 0;
	p->tcp_flags = p->icmp_type = p->icmp_code = 0;
	p->l4_hlen = 0;
}

static inline void
set_options(struct fp_pkt *p, unsigned opts, bool router_alert)
{
	if (opts != 0)
		p->flags |= FP_PF_OPTIONS;
	else if (router_alert)
		p->flags |= FP_PF_ROUTER_ALERT;
}

/* IPv4 options; the header is contiguous. */
static enum fp_drop
walk_options4(struct fp_pkt *p, unsigned hlen, unsigned *opts)
{
	unsigned off = IP4_HLEN;

	while (off < hlen) {
		uint8_t type = p->l3[off], len;

		if (type == IP4_OPT_EOL)
			break;
		if (type == IP4_OPT_NOP) {
			off++;
			continue;
		}
		if (off + 2 > hlen)
			return refuse(p, FP_D_IP_OPTIONS, FP_R_IP_OPTION);
		len = p->l3[off + 1];
		if (len < 2 || off + len > hlen)
			return refuse(p, FP_D_IP_OPTIONS, FP_R_IP_OPTION);
		*opts |= type == IP4_OPT_RA ? OPT_ROUTER_ALERT : OPT_OTHER;
		off += len;
	}
	if (*opts == 0) /* padding alone is fishy */
		*opts = OPT_OTHER;
	return FP_D_NONE;
}

/* To the header behind all AH. *off and p->proto as far as the walk came. */
static enum fp_drop
walk4(struct fp_pkt *p, uint32_t *off)
{
	unsigned hlen = (p->l3[0] & 0x0f) * 4u, opts = 0, i;
	bool fragment = p->frag_off & IP4_FRAG_MASK, alert;
	enum fp_drop drop;

	p->proto = p->l3[9];
	*off = hlen;
	if (unlikely(hlen != IP4_HLEN)) {
		drop = walk_options4(p, hlen, &opts);
		if (drop != FP_D_NONE)
			return drop;
	}
	alert = opts & OPT_ROUTER_ALERT;
	if (unlikely(p->proto == IPPROTO_IGMP)) {
		/* RFC 1112: to 224.0.0.1 with a TTL of 1 only */
		if (p->ttl != 1 && memcmp(p->l3 + 16, "\xe0\0\0\1", 4) == 0)
			return refuse(p, FP_D_IP_OPTIONS, FP_R_IP_OPTION);
		opts &= ~OPT_ROUTER_ALERT;
	}
	p->flags &= ~FP_PF_OPTIONS;
	set_options(p, opts, alert);
	if (p->frag_off & IP4_OFF_MASK)
		return FP_D_NONE;
	for (i = 0; unlikely(p->proto == IPPROTO_AH); i++) {
		if (i == HDR_MAX)
			return refuse(p, FP_D_IP_OPTIONS, FP_R_IP_OPTION);
		if (fragment && *off + 2 > p->ip_len)
			return FP_D_NONE;
		drop = reach(p, *off, 2, FP_D_L4_SHORT);
		if (drop != FP_D_NONE)
			return drop;
		p->proto = p->l3[*off];
		*off += (p->l3[*off + 1] + 2u) * 4;
	}
	return FP_D_NONE;
}

/* Hop-by-hop options between off and end. */
static enum fp_drop
walk_options6(struct fp_pkt *p, uint32_t off, uint32_t end, unsigned *opts)
{
	enum fp_drop drop;

	while (off < end) {
		uint8_t type, len;

		drop = reach(p, off, 1, FP_D_IP6_HEADERS);
		if (drop != FP_D_NONE)
			return drop;
		type = p->l3[off];
		if (type == IP6_OPT_PAD1) {
			off++;
			continue;
		}
		drop = reach(p, off, 2, FP_D_IP6_HEADERS);
		if (drop != FP_D_NONE)
			return drop;
		len = p->l3[off + 1];
		if (off + 2 + len > end)
			return refuse(p, FP_D_IP6_HEADERS, FP_R_IP_OPTION);
		switch (type) {
		case IP6_OPT_PADN:
			break;
		case IP6_OPT_RA:
			*opts |= OPT_ROUTER_ALERT;
			break;
		case IP6_OPT_JUMBO:
			/* RFC 2675 3: only with a payload length of 0, and such a packet ends at its IPv6 header here */
			p->flags |= FP_PF_V6_HOPOPTS_JUMBO;
			return refuse(p, FP_D_IP6_HEADERS, FP_R_IP_OPTION);
		default:
			*opts |= OPT_OTHER;
			break;
		}
		off += 2u + len;
	}
	return FP_D_NONE;
}

/* In a first fragment a header may end beyond the piece: then the fragment is the last thing to be seen. */
static inline bool
cut_by_fragment(const struct fp_pkt *p, uint32_t off, uint32_t len)
{
	return p->frag_off != 0 && off + len > p->ip_len;
}

static enum fp_drop
walk6(struct fp_pkt *p, uint32_t *off_out)
{
	uint32_t off = IP6_HLEN, nh_off = 6, frag_nh_off = 0;
	unsigned opts = 0, n_routing = 0, n_fragment = 0, i;
	bool alert = false;
	enum fp_drop drop = FP_D_NONE;

	p->proto = p->l3[nh_off];
	p->frag_off = 0;
	for (i = 0; i < HDR_MAX; i++) {
		switch (p->proto) {
		case IPPROTO_FRAGMENT:
			if (n_fragment++)
				return refuse(p, FP_D_IP6_HEADERS, FP_R_FRAGMENT);
			drop = reach(p, off, 8, FP_D_IP6_HEADERS);
			if (drop != FP_D_NONE)
				return drop;
			frag_nh_off = nh_off;
			if (get16(p->l3 + off + 2) & 0xfff8) {
				p->frag_off = off;
				goto done; /* what it carries is in another packet */
			}
			if (p->l3[off + 3] & 1)
				p->frag_off = off;
			nh_off = off;
			p->proto = p->l3[off];
			off += 8;
			continue;
		case IPPROTO_ROUTING:
		case IPPROTO_HOPOPTS:
		case IPPROTO_AH:
		case IPPROTO_DSTOPTS:
			break;
		case IPPROTO_ICMPV6:
			if (cut_by_fragment(p, off, 8))
				goto cut;
			drop = reach(p, off, 8, FP_D_L4_SHORT);
			if (drop != FP_D_NONE)
				return drop;
			switch (p->l3[off]) {
			case 130: case 131: case 132: case 143:
				/* RFC 2710 3, RFC 3810 5: hop limit 1 and from a link-local address */
				if (p->ttl != 1 || p->l3[8] != 0xfe || (p->l3[9] & 0xc0) != 0x80)
					return refuse(p, FP_D_MLD, FP_R_IP_OPTION);
				alert = opts & OPT_ROUTER_ALERT;
				opts &= ~OPT_ROUTER_ALERT;
				break;
			}
			goto done;
		case IPPROTO_TCP:
			if (cut_by_fragment(p, off, 20))
				goto cut;
			goto done;
		case IPPROTO_UDP:
			if (cut_by_fragment(p, off, 8))
				goto cut;
			goto done;
		default:
			goto done;
		}

		/* routing, hop-by-hop, destination options, AH */
		if (p->proto == IPPROTO_HOPOPTS && i > 0)
			return refuse(p, FP_D_IP6_HEADERS, FP_R_IP_OPTION);
		if (p->proto == IPPROTO_ROUTING && n_routing++)
			return refuse(p, FP_D_IP6_HEADERS, FP_R_IP_OPTION);
		if (cut_by_fragment(p, off, p->proto == IPPROTO_ROUTING ? 4 : 2))
			goto cut;
		drop = reach(p, off, p->proto == IPPROTO_ROUTING ? 4 : 2, FP_D_IP6_HEADERS);
		if (drop != FP_D_NONE)
			return drop;
		if (p->proto == IPPROTO_ROUTING && p->l3[off + 2] == 0) /* RFC 5095 */
			return refuse(p, FP_D_IP6_HEADERS, FP_R_IP_OPTION);
		if (p->proto == IPPROTO_HOPOPTS) {
			drop = walk_options6(p, off + 2, off + (p->l3[off + 1] + 1u) * 8, &opts);
			if (drop != FP_D_NONE)
				return drop;
			if (opts == 0)
				opts = OPT_OTHER;
		} else if (p->proto != IPPROTO_AH) {
			opts |= OPT_OTHER;
		}
		nh_off = off;
		off += p->proto == IPPROTO_AH ? (p->l3[off + 1] + 2u) * 4 : (p->l3[off + 1] + 1u) * 8;
		p->proto = p->l3[nh_off];
	}
	return refuse(p, FP_D_IP6_HEADERS, FP_R_IP_OPTION);

cut:
	off = p->frag_off;
	p->proto = IPPROTO_FRAGMENT;
	nh_off = frag_nh_off;
done:
	p->v6_last_nh_off = nh_off;
	set_options(p, opts, alert);
	*off_out = off;
	return FP_D_NONE;
}

static enum fp_drop
l4_tcp(struct fp_pkt *p, uint32_t off)
{
	enum fp_drop drop = reach(p, off, 20, FP_D_L4_SHORT);
	const uint8_t *h = p->l3 + off;
	unsigned hlen;

	if (unlikely(drop != FP_D_NONE))
		return drop;
	h = p->l3 + off;
	hlen = (h[12] >> 4) * 4u;
	if (unlikely(hlen < 20))
		return refuse(p, FP_D_L4_LENGTH, FP_R_SHORT);
	drop = reach(p, off, hlen, FP_D_L4_LENGTH);
	if (unlikely(drop != FP_D_NONE))
		return drop;
	h = p->l3 + off;
	memcpy(&p->sport_be, h, 2);
	memcpy(&p->dport_be, h + 2, 2);
	if (unlikely(p->dport_be == 0)) /* pf says "short" of this one too */
		return refuse(p, FP_D_L4_LENGTH, FP_R_SHORT);
	p->tcp_flags = h[13];
	p->icmp_type = p->icmp_code = 0;
	p->l4_hlen = hlen;
	return FP_D_NONE;
}

static enum fp_drop
l4_udp(struct fp_pkt *p, uint32_t off)
{
	enum fp_drop drop = reach(p, off, 8, FP_D_L4_SHORT);
	const uint8_t *h;
	uint16_t len;

	if (unlikely(drop != FP_D_NONE))
		return drop;
	h = p->l3 + off;
	memcpy(&p->sport_be, h, 2);
	memcpy(&p->dport_be, h + 2, 2);
	len = get16(h + 4);
	if (unlikely(p->dport_be == 0 || len < 8 || len > p->ip_len - off))
		return refuse(p, FP_D_L4_LENGTH, FP_R_SHORT);
	p->tcp_flags = p->icmp_type = p->icmp_code = 0;
	p->l4_hlen = 8;
	return FP_D_NONE;
}

static enum fp_drop
l4_icmp(struct fp_pkt *p, uint32_t off)
{
	enum fp_drop drop = reach(p, off, 8, FP_D_L4_SHORT);

	if (unlikely(drop != FP_D_NONE))
		return drop;
	if (p->proto == IPPROTO_ICMPV6) {
		uint8_t type = p->l3[off];

		if (type >= 133 && type <= 137 && p->ttl != 255) /* RFC 4861 6.1, 7.1, 8.1 */
			return refuse(p, FP_D_ND_HOPLIMIT, FP_R_NORMALIZE);
		/* messages about a target address: the key is made of it */
		if (type == 130 || type == 131 || type == 135 || type == 136) {
			drop = reach(p, off, 24, FP_D_L4_SHORT);
			if (drop != FP_D_NONE)
				return drop;
		}
	}
	p->sport_be = p->dport_be = 0;
	p->tcp_flags = 0;
	p->icmp_type = p->l3[off];
	p->icmp_code = p->l3[off + 1];
	p->l4_hlen = 8;
	return FP_D_NONE;
}

enum fp_drop
fp_parse_l4(struct fp_pkt *p)
{
	uint32_t off;
	enum fp_drop drop;

	p->reason = FP_R_NONE;
	p->flags &= ~(FP_PF_FRAGMENT | FP_PF_NO_L4 | FP_PF_ROUTER_ALERT | FP_PF_OPTIONS | FP_PF_V6_HOPOPTS_JUMBO);
	drop = p->af == FP_AF_INET ? walk4(p, &off) : walk6(p, &off);
	if (unlikely(drop != FP_D_NONE))
		return drop;
	/* headers that lie about their length may lead behind the end; nothing is read there */
	p->l4_off = RTE_MIN(off, p->ip_len);
	if (unlikely(p->af == FP_AF_INET ? p->frag_off & IP4_FRAG_MASK : p->frag_off)) {
		p->flags |= FP_PF_FRAGMENT;
		no_l4(p);
		return FP_D_NONE;
	}
	if (unlikely(p->af == FP_AF_INET && p->frag_off & IP4_RF)) {
		/* pf clears the reserved bit of whole packets */
		fp_cksum_fix16(p->l3 + 10, rte_cpu_to_be_16(p->frag_off), rte_cpu_to_be_16(p->frag_off & ~IP4_RF));
		p->frag_off &= ~IP4_RF;
		p->l3[6] &= ~(IP4_RF >> 8);
	}
	switch (p->proto) {
	case IPPROTO_TCP:
		return l4_tcp(p, off);
	case IPPROTO_UDP:
		return l4_udp(p, off);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((p->proto == IPPROTO_ICMP) == (p->af == FP_AF_INET))
			return l4_icmp(p, off);
		break;
	}
	no_l4(p);
	return reach(p, 0, p->l4_off, FP_D_L4_SHORT);
}
