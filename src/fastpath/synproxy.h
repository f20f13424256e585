/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `synproxy state`: the box shakes hands with the client first, then with the server, then shifts the numbers between
 * them. spec/tcp-state.md 5, and the last part of 9 (answers to cookies). A state machine: it moves the state and says
 * which segments to send; the caller builds and sends them and consumes the packet.
 *
 * The mss lives in fp_state_ext.mss[0]; states in the proxy carry FP_SF_EXT and FP_SF_SLOW, and the half has a record of
 * its own: the other half sees only what the box sends.
 */
#ifndef FP_SYNPROXY_H
#define FP_SYNPROXY_H

#include "state.h"
#include "tcp_track.h"

enum fp_synproxy_to {
	FP_SYNPROXY_TO_SENDER,	/* back to whom the packet came from, addresses and ports of the packet swapped */
	FP_SYNPROXY_TO_SERVER,	/* on behalf of the client, translated: src of the state to dst, through the rules outbound */
	FP_SYNPROXY_TO_CLIENT,	/* on behalf of the server: dst of the state to src */
};

struct fp_synproxy_seg {
	uint8_t to;		/* enum fp_synproxy_to */
	uint8_t flags;		/* FP_TH_* */
	uint16_t win;
	uint16_t mss;		/* MSS option, 0: no option */
	uint32_t seq, ack;
};

enum fp_synproxy_verdict {
	FP_SYNPROXY_PASS,	/* not in the proxy: track it */
	FP_SYNPROXY_TAKEN,	/* packet consumed; count reason "synproxy", not the state's packets; send out->seg[] */
};

struct fp_synproxy_out {
	uint8_t n;		/* 0..2 */
	uint8_t check_limits;	/* the client has shown itself: connection limits; where they refuse, kill and send nothing */
	uint8_t sync;		/* both ESTABLISHED now */
	struct fp_synproxy_seg seg[2];
};

/*
 * The MSS to use: what was offered (fp_tcp_mss()), the MTU of the route to the client and to the server, 0 for no route.
 */
uint16_t fp_synproxy_mss(uint8_t af, uint16_t offered, uint32_t mtu_client, uint32_t mtu_server);

/* After fp_tcp_create() for an inbound pure SYN: answer it. random: the number of the box's SYN+ACK. */
void fp_synproxy_start(struct fp_state *st, struct fp_state_ext *ext, uint16_t mss, uint32_t random,
	struct fp_synproxy_out *out);

/*
 * After fp_tcp_create() for the SYN that was rebuilt from a valid cookie: the client has answered already. ack_seg is the
 * ACK that came; goes on into the proxy with it.
 */
enum fp_synproxy_verdict fp_synproxy_cookie(struct fp_state *st, struct fp_state_ext *ext, const struct fp_tcp_seg *ack_seg,
	struct fp_synproxy_out *out);

/* Every packet of a TCP state whose src may be in the proxy, before tracking. random: for the number towards the server. */
enum fp_synproxy_verdict fp_synproxy(struct fp_state *st, struct fp_state_ext *ext, int rev, const struct fp_tcp_seg *seg,
	uint32_t random, struct fp_synproxy_out *out);

static inline bool
fp_synproxy_active(const struct fp_state *st)
{
	return st->peer[0].state >= FP_TCPS_PROXY_SRC;
}

/* A state is removed: true when the client has to be told, with this segment (FP_SYNPROXY_TO_CLIENT). */
bool fp_synproxy_abort(const struct fp_state *st, struct fp_synproxy_seg *seg);

#endif
