/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that the box makes itself: RST, challenge ACK, SYN proxy's segments, ICMP and ICMPv6 errors, echo replies.
 * Fields as pf and the BSD stacks set them (spec/tcp-state.md 1: "Packets that pf makes itself"). A maker returns an mbuf
 * whose data is the IP packet (room for Ethernet and two VLAN tags in front), complete with checksums, or NULL (no mbuf,
 * rate limit, nothing to answer to). The caller routes it and takes it through pf. Thread: the worker.
 */
#ifndef FP_MAKE_H
#define FP_MAKE_H

#include "box.h"

struct fp_tcp_make {
	uint8_t af, flags;		/* FP_TH_* */
	const uint8_t *src, *dst;	/* addresses, network order */
	uint16_t sport_be, dport_be, win;
	uint32_t seq, ack;
	uint16_t mss;			/* 0: no option */
	uint8_t ttl;			/* 0: 64 */
	bool by_stack;			/* by the box's TCP rather than by pf: tos 0 */
};
struct rte_mbuf *fp_make_tcp(struct fp_worker *w, const struct fp_tcp_make *t);

/*
 * ICMP(v6) error about packet p (quote as the spec says; p is not changed). word: the second word of the message, host
 * order: MTU of need-frag and too big, gateway of a redirect, pointer << 24 (IPv4) or pointer (IPv6) of a parameter
 * problem, else 0. src: NULL is the box's own address on the interface that p came in on. by_pf: made by a block rule: answers
 * what was sent to groups too, has a rate limit of its own. NULL also for what must not be answered: errors, later
 * fragments, sources that are no single host.
 */
struct rte_mbuf *fp_make_icmp_error(struct fp_worker *w, const struct fp_pkt *p, uint8_t type, uint8_t code, uint32_t word,
	const uint8_t *src, bool by_pf);
/*
 * Turn an echo request for the box, whose checksum was found right, into its reply, in place. Its first segment must hold
 * the headers. IP options and extension headers are cut off: p->l2_len, l3, l4_off and ip_len follow. false: it is none.
 */
bool fp_make_echo_reply(struct fp_pkt *p);

#endif
