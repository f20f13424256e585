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
};
struct rte_mbuf *fp_make_tcp(struct fp_worker *w, const struct fp_tcp_make *t);

/* ICMP(v6) error about packet p (quote as spec says), source address = src. code/type per family; mtu for need-frag/too
 * big (host order). by_pf: made by a block rule (not rate-limited by the error of forwarding, quote as it came in). */
struct rte_mbuf *fp_make_icmp_error(struct fp_worker *w, const struct fp_pkt *p, uint8_t type, uint8_t code, uint32_t mtu,
	const uint8_t *src, bool by_pf);
/* Turn an echo request for the box into its reply, in place. */
bool fp_make_echo_reply(struct fp_pkt *p);

#endif
