/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `scrub (reassemble tcp)`: timestamps are shifted by a secret per side, checked against what the other side echoed
 * (PAWS), and the TTL of a side never sinks. spec/tcp-state.md 6. Pure C; works on fp_state_ext.scrub and raw headers.
 *
 * A scrubbed state carries FP_HF_SCRUB_TCP in the half, FP_SF_EXT and FP_SF_SLOW. Per packet, as pf orders it:
 *
 *	creation:	fp_tcp_create(), fp_scrub_init(src), fp_scrub_packet(rev 0)
 *	afterwards:	fp_tcp_check(), if out.first: fp_scrub_init(that side), if passed: fp_scrub_packet(), fp_tcp_commit()
 *
 * Times are microseconds of the box clock, never 0.
 */
#ifndef FP_TCP_SCRUB_H
#define FP_TCP_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "state.h"

/* What scrubbing sees of a packet, and may change. */
struct fp_scrub_pkt {
	uint8_t *th;		/* TCP header, hlen bytes with options (tcp_norm.h says what the caller has checked) */
	unsigned hlen;
	uint32_t len;		/* payload bytes */
	uint8_t ttl;		/* in: TTL or hop limit; out: what the caller has to write, IPv4 header checksum included */
};

/* Begin a side with its first packet; a block that is there already is left alone. random: the shift of its timestamps. */
void fp_scrub_init(struct fp_scrub *side, const struct fp_scrub_pkt *pkt, uint32_t random, uint64_t now_us);

/*
 * One packet that passed fp_tcp_check(). st gives the TCP states of the two sides, before this packet moves them.
 * age_sec: of the state; tsdiff_sec: tcp.tsdiff of the rule or of the box. False: drop, reason "bad-timestamp"; the
 * header may have been edited by then.
 */
bool fp_scrub_packet(struct fp_scrub side[2], const struct fp_state *st, int rev, struct fp_scrub_pkt *pkt,
	uint64_t now_us, uint32_t age_sec, uint32_t tsdiff_sec);

#endif
