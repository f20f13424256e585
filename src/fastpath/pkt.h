/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One packet on its way through a worker: the mbuf and what was learned of it. Lives in the worker's burst array or on
 * the stack; owned by the worker. Offsets are from l3, the first byte of the IP header in the first segment. The parser
 * (parse.h) guarantees that all bytes from l3 up to and including the fixed layer 4 header and, for TCP, its options
 * are contiguous in the first segment.
 */
#ifndef FP_PKT_H
#define FP_PKT_H

#include <rte_mbuf.h>

#include "counters.h"
#include "state.h"

#define FP_BURST 32
#define FP_IFID_NONE 0xfffeu

/* fp_pkt.flags */
#define FP_PF_SRC_HI 0x0001	/* source is the hi endpoint of the key */
#define FP_PF_FRAGMENT 0x0002	/* fragment that was not reassembled: no layer 4 */
#define FP_PF_OPTIONS 0x0004	/* IPv4 options, or v6 hop-by-hop, destination options, routing headers */
#define FP_PF_REASSEMBLED 0x0008 /* v6: leaves in fragments of frag_size again */
#define FP_PF_LOCAL 0x0010	/* made by this box: TTL is not counted down, no inbound side */
#define FP_PF_L2_MCAST 0x0020	/* Ethernet destination was group or broadcast */
#define FP_PF_NO_L4 0x0040	/* protocol without ports, or too short for them */
#define FP_PF_SKIP_PF 0x0080	/* already filtered (deferred, synproxy's own) */
#define FP_PF_BRIDGE 0x0100	/* came in on a bridge member */
#define FP_PF_ROUTER_ALERT 0x0200 /* the only option is router alert (IGMP, MLD) */
#define FP_PF_JOINT 0x0400	/* both halves were tracked on the way in: nothing left to do on the way out */
#define FP_PF_PARSED 0x0800	/* layer 4 and key are known */
#define FP_PF_KEYLESS 0x1000	/* has no key: fragment */
#define FP_PF_ICMP_ERROR 0x2000	/* key and hash are those of the quoted packet, as seen in the quoted packet's direction */
#define FP_PF_ICMP_REPLY 0x4000
#define FP_PF_NO_STATE 0x8000	/* makes no state whatever the rule says */
#define FP_PF_V6_HOPOPTS_JUMBO 0x10000

struct fp_pkt {
	struct rte_mbuf *m;
	uint8_t *l3;
	uint64_t hash;
	struct fp_key key;		/* canonical; for what has a key */
	uint8_t addr6[2][16];		/* v6 only: lo, hi */
	uint16_t ifid;			/* interface of this side: came in on, or goes out by */
	uint16_t rcvif;			/* came in on, FP_IFID_NONE if made here */
	uint32_t flags;			/* FP_PF_* */
	uint16_t l2_len;
	uint8_t af;			/* FP_AF_* */
	uint8_t proto;			/* of the last header, e.g. IPPROTO_TCP; v4 IPPROTO_ICMP, v6 IPPROTO_ICMPV6 */
	uint8_t ttl;			/* TTL or hop limit as it came in */
	uint8_t tos;			/* TOS or traffic class */
	uint8_t tcp_flags, icmp_type, icmp_code;
	uint8_t prio;			/* 802.1p */
	uint16_t l4_off;		/* layer 4 header */
	uint16_t l4_hlen;		/* its length with options: TCP 20..60, UDP 8, ICMP 8, other 0 */
	uint32_t ip_len;		/* whole IP packet, header included; trailing Ethernet padding is not part of it */
	uint16_t sport_be, dport_be;	/* TCP, UDP (0 otherwise) */
	uint16_t frag_off;		/* v4: the word of flags and fragment offset, host order; v6: offset of the fragment header of
					 * a true fragment, 0 none */
	uint16_t frag_size;		/* v6 reassembled: IP length that its fragments leave with, the largest that came in */
	uint16_t frag_hdr_len;		/* v6 reassembled: bytes before the fragment header, from l3 */
	uint32_t frag_id;		/* v6 reassembled: id of the original */
	uint16_t tag;			/* pf tag */
	uint16_t v6_last_nh_off;	/* v6: offset of the byte that names proto */
	uint32_t reason;		/* enum fp_reason of the last verdict */
	uint32_t hint;			/* index of the record that may be its state (fp_table_candidate()) */
	bool own_in;			/* the IN half made by this packet must stay in a record of its own */
	struct fp_state *deferrable;	/* OUT half made by this packet: it may have to wait for the peer */
	struct fp_state *made;		/* record that this packet made on the way in, for the OUT half to join */
	const struct fp_nexthop *nh;	/* way out, looked up once */
	const struct fp_ifnet *oif;	/* interface of nh */
};

static inline const uint8_t *
fp_pkt_src(const struct fp_pkt *p)
{
	return p->l3 + (p->af == FP_AF_INET ? 12 : 8);
}

static inline const uint8_t *
fp_pkt_dst(const struct fp_pkt *p)
{
	return p->l3 + (p->af == FP_AF_INET ? 16 : 24);
}

#endif
