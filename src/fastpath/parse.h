/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From frame to fp_pkt: every length is checked before it is read. Two halves, as in pf's host: the stack's own checks
 * of the IP header (fp_parse_l2(), fp_parse_ip()) and pf's walk to the transport header (fp_parse_l4()), which is also
 * called for packets that this box makes and for those that come out of reassembly. Thread: the calling worker; no state.
 */
#ifndef FP_PARSE_H
#define FP_PARSE_H

#include "pkt.h"

struct fp_l2 {
	uint16_t ether_type;	/* of the payload, host order */
	uint16_t vlan_outer, vlan_inner; /* VID, 0 none */
	uint8_t n_tags;		/* 0..2; more is refused */
	uint8_t prio;
	uint8_t len;		/* bytes of Ethernet and VLAN headers */
	bool mcast;
};

/* Ethernet, 802.1Q (0x8100), QinQ (0x88a8 or 0x8100 twice); honours VLAN stripping flags of the mbuf. FP_D_NONE or the drop. */
enum fp_drop fp_parse_l2(struct rte_mbuf *m, struct fp_l2 *l2);

/*
 * IP header of m at l2_len: version, header length, total length against the frame, v4 header checksum (offload flags
 * used when they answer), v6 payload length (0 with jumbo option refused). Sets l3, af, ttl, tos, ip_len, frag_off,
 * FP_PF_OPTIONS (v4), trims Ethernet padding. Pulls headers together when they are in several segments. Martian addresses
 * are the caller's business. FP_D_NONE or the drop; p->reason set where pf would count.
 */
enum fp_drop fp_parse_ip(struct fp_pkt *p, uint16_t l2_len);

/*
 * pf's header walk: v6 extension headers (limits of spec/tcp-state.md 12, AH walked over in both families), protocol,
 * transport lengths, ports, flags, ICMP type. Makes no key. A first or later fragment that was not reassembled gets
 * FP_PF_FRAGMENT. FP_D_NONE or the drop with p->reason.
 */
enum fp_drop fp_parse_l4(struct fp_pkt *p);

/* Make at least len bytes from the start of the packet contiguous in the first segment. false: too short or no mbuf. */
bool fp_pullup(struct rte_mbuf **m, uint16_t len);

/* Checksums. Full computation over a (segmented) packet. fp_l4_cksum_ok: TCP, UDP (0 = none for v4), ICMP, ICMPv6. */
uint16_t fp_ip4_cksum(const uint8_t *hdr, unsigned hlen);
bool fp_l4_cksum_ok(const struct fp_pkt *p);
void fp_l4_cksum_set(struct fp_pkt *p); /* for packets made here */
/* RFC 1624 incremental updates on a checksum field (network order in place). */
void fp_cksum_fix16(uint8_t *cksum, uint16_t old_be, uint16_t new_be);
void fp_cksum_fix32(uint8_t *cksum, uint32_t old_be, uint32_t new_be);

#endif
