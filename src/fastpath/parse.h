/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From frame to fp_pkt: every length is checked before it is read. Two halves, as in pf's host: the stack's own checks
 * of the IP header (fp_parse_l2(), fp_parse_ip()), which pf never hears of, and pf's walk to the transport header
 * (fp_parse_l4()), which is also called for packets that this box makes and for those that come out of reassembly:
 *
 *	fp_parse_l2(m, &l2);
 *	p->m = m; fp_parse_ip(p, l2.len, af of the Ethernet type);
 *	fp_parse_l4(p);
 *	if (p->flags & FP_PF_FRAGMENT)			fp_reass_input(); when DONE: fp_parse_l4(p) again
 *
 * What a drop counts: where pf would count, p->reason says so (FP_R_SHORT, ...); FP_R_NONE for what the stack drops before
 * pf sees it. Thread: the calling worker; no state.
 */
#ifndef FP_PARSE_H
#define FP_PARSE_H

#include "pkt.h"

#define FP_PRIO_DEFAULT 3 /* pf's priority of a frame without a tag */

struct fp_l2 {
	uint16_t ether_type;	/* of the payload, host order */
	uint16_t vlan_outer, vlan_inner; /* VID, 0 none; a priority tag (VID 0) is not a VLAN */
	uint8_t n_tags;		/* 0..2; more is refused */
	uint8_t prio;		/* pf's: of the innermost tag with 0 and 1 swapped as 802.1Q orders them, else FP_PRIO_DEFAULT */
	uint8_t len;		/* bytes of Ethernet and VLAN headers in the buffer */
	bool mcast;
};

/* Ethernet, 802.1Q (0x8100), QinQ (0x88a8 or 0x8100 twice); honours VLAN stripping flags of the mbuf. FP_D_NONE or the drop. */
enum fp_drop fp_parse_l2(struct rte_mbuf *m, struct fp_l2 *l2);

/*
 * IP header of p->m at l2_len: version, header length, total length against the frame, v4 header checksum (offload flags
 * used when they answer), v6 payload length. Sets l3, l2_len, af, proto (first header), ttl, tos, ip_len, l4_off, frag_off
 * (v4), FP_PF_OPTIONS (v4), reason; trims Ethernet padding. Pulls headers together when they are in several segments
 * (p->m may change). Martian addresses are the caller's business.
 *
 * @param af  FP_AF_* that the Ethernet type says; a header of the other version is dropped.
 * @return FP_D_NONE or the drop; p->reason is set where pf would count.
 */
enum fp_drop fp_parse_ip(struct fp_pkt *p, uint16_t l2_len, uint8_t af);

/*
 * pf's header walk after fp_parse_ip() or reassembly: IPv4 options, v6 extension headers (limits of spec: tcp-state 12, AH
 * walked over in both families), protocol, transport lengths, ports, flags, ICMP type. Makes no key. A fragment gets
 * FP_PF_FRAGMENT and no layer 4; a v6 fragment's proto is 44 but for a first one that says what it carries. An IPv6
 * atomic fragment (RFC 6946) is a whole packet. FP_PF_OPTIONS: pf wants allow-opts for it; the router alert of IGMP and
 * MLD alone does not set it but FP_PF_ROUTER_ALERT. May be called again for the same packet.
 *
 * FP_D_NONE or the drop with p->reason.
 */
enum fp_drop fp_parse_l4(struct fp_pkt *p);

/*
 * Make at least len bytes from the start of the packet contiguous in the first segment. *m may become another mbuf.
 * false: packet too short, no mbuf, or more than a buffer holds; the packet is whole and the caller's all the same.
 */
bool fp_pullup(struct rte_mbuf **m, uint16_t len);

/* Checksums (cksum.c). fp_ip4_cksum: the value to store, or 0 over a header that is right. */
uint16_t fp_ip4_cksum(const uint8_t *hdr, unsigned hlen);
/* TCP, UDP (0 = none for v4), ICMP, ICMPv6 over all segments; true for protocols without a checksum that is known here. */
bool fp_l4_cksum_ok(const struct fp_pkt *p);
void fp_l4_cksum_set(struct fp_pkt *p); /* for packets made here */
/*
 * RFC 1624 incremental updates on a checksum field (network order in place). For UDP: not on a checksum of 0 over IPv4
 * (there is none), and fp_cksum_udp_end() afterwards, because 0 would then say so.
 */
void fp_cksum_fix16(uint8_t *cksum, uint16_t old_be, uint16_t new_be);
void fp_cksum_fix32(uint8_t *cksum, uint32_t old_be, uint32_t new_be);

static inline void
fp_cksum_udp_end(uint8_t *cksum)
{
	if (cksum[0] == 0 && cksum[1] == 0)
		cksum[0] = cksum[1] = 0xff;
}

#endif
