/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State tracking, pure C: TCP with pf's window checks, sloppy TCP, UDP, others. spec/tcp-state.md 2-7.
 *
 * Works on the peers, timeout, last_sec and flags of one record. It never touches packets: what must be changed in the
 * packet (modulated sequence numbers, timestamps) or sent (challenge ACK, RST) is reported in fp_track_out and done by
 * the caller. Owner: the worker of the shard (or a test). No allocation, no system call.
 */
#ifndef FP_TCP_TRACK_H
#define FP_TCP_TRACK_H

#include "state.h"

#define FP_TH_FIN 0x01
#define FP_TH_SYN 0x02
#define FP_TH_RST 0x04
#define FP_TH_PUSH 0x08
#define FP_TH_ACK 0x10
#define FP_TH_URG 0x20
#define FP_TH_ECE 0x40
#define FP_TH_CWR 0x80

#define FP_WSCALE_NONE 0 /* in fp_tcp_seg.wscale: option absent */

/* What tracking needs of a TCP segment, host order. */
struct fp_tcp_seg {
	uint32_t seq, ack;
	uint32_t len;		/* payload bytes */
	uint16_t win;		/* as in the header */
	uint8_t flags;		/* FP_TH_* */
	uint8_t wscale;		/* SYN only: FP_WSCALE_SET | min(shift, 14), or FP_WSCALE_NONE */
};

enum fp_verdict {
	FP_V_PASS,
	FP_V_DROP,		/* reason in out->reason */
	FP_V_NO_STATE,		/* reuse of a finished connection: mark the half PURGE, go on as without a state */
};

struct fp_track_out {
	uint8_t reason;		/* enum fp_reason when dropped, else FP_R_NONE */
	uint8_t established;	/* this packet made both peers ESTABLISHED: check connection limits (spec 3 step D ACK) */
	uint8_t loose;		/* accepted by step E: timeout was not refreshed */
	uint8_t send_challenge;	/* send ACK on behalf of D: seq, ack below, window 0 */
	uint8_t send_rst;	/* send RST to the sender: seq below, no ACK flag */
	uint8_t modulate;	/* new_seq/new_ack/sack_delta to be written */
	uint32_t seq, ack;	/* of the segment to send */
	uint32_t new_seq, new_ack;	/* the packet's new sequence numbers, if modulate */
	uint32_t sack_delta;	/* subtract from every SACK edge, if modulate */
};

/* Sequence comparison modulo 2^32. */
#define FP_SEQ_LT(a, b) ((int32_t)((a) - (b)) < 0)
#define FP_SEQ_LEQ(a, b) ((int32_t)((a) - (b)) <= 0)
#define FP_SEQ_GT(a, b) ((int32_t)((a) - (b)) > 0)
#define FP_SEQ_GEQ(a, b) ((int32_t)((a) - (b)) >= 0)

#define FP_MAXACKWINDOW (0xffff + 1500)

/* First packet of a TCP state (spec 2). seqdiff: random ISN offset for modulate state, 0 otherwise. Sets peers, timeout, last_sec. */
void fp_tcp_create(struct fp_state *st, const struct fp_tcp_seg *seg, uint32_t now_sec, uint32_t seqdiff);

/*
 * One packet of an existing state. rev: 0 from src, 1 from dst. random: a fresh random number for step B modulation.
 * scrub timestamps are a separate step (tcp_scrub.h), done by the caller between the two calls pf does.
 * sloppy states use fp_tcp_track_sloppy().
 */
enum fp_verdict fp_tcp_track(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t now_sec,
	uint32_t random, struct fp_track_out *out);
enum fp_verdict fp_tcp_track_sloppy(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t now_sec,
	struct fp_track_out *out);

/* UDP, and protocols without ports: peers SINGLE/MULTIPLE, timeouts (spec 7). ICMP queries: timeout icmp.error. */
void fp_udp_create(struct fp_state *st, uint32_t now_sec);
void fp_udp_track(struct fp_state *st, int rev, uint32_t now_sec);
void fp_other_create(struct fp_state *st, uint32_t now_sec);
void fp_other_track(struct fp_state *st, int rev, uint32_t now_sec);
void fp_icmp_create(struct fp_state *st, uint32_t now_sec);
void fp_icmp_track(struct fp_state *st, uint32_t now_sec);

/* Does the sequence number quoted in an ICMP error fit (spec 7 ICMP row 5)? rev: the *quoted* packet's direction. */
bool fp_tcp_quote_ok(const struct fp_state *st, int rev, uint32_t quoted_seq);

/*
 * The short path: strict acceptance of an ACK segment without SYN, FIN or RST between two ESTABLISHED peers, no
 * modulation. Same result as fp_tcp_track() where it answers true; where it answers false nothing was changed.
 */
static inline bool
fp_tcp_track_fast(struct fp_state *st, int rev, uint32_t seq, uint32_t ack, uint16_t win, uint8_t flags, uint32_t len,
	uint32_t now_sec)
{
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	uint32_t ws, wd, end;
	int32_t skew;

	if ((flags & (FP_TH_SYN | FP_TH_FIN | FP_TH_RST | FP_TH_ACK)) != FP_TH_ACK ||
	    s->state != FP_TCPS_ESTABLISHED || d->state != FP_TCPS_ESTABLISHED || s->seqlo == 0)
		return false;
	/* both offered scaling or none is applied */
	ws = s->wscale && d->wscale ? s->wscale & FP_WSCALE_MASK : 0;
	wd = s->wscale && d->wscale ? d->wscale & FP_WSCALE_MASK : 0;
	end = seq + len;
	if (len == 0)
		seq = end = s->seqlo;
	skew = (int32_t)(d->seqlo - ack);
	if (!FP_SEQ_GEQ(s->seqhi, end) || !FP_SEQ_GEQ(seq, s->seqlo - ((uint32_t)d->max_win << wd)) ||
	    skew < -FP_MAXACKWINDOW || skew > (FP_MAXACKWINDOW << ws))
		return false;
	if (s->max_win < win)
		s->max_win = win;
	if (FP_SEQ_GT(end, s->seqlo))
		s->seqlo = end;
	if (FP_SEQ_GEQ(ack + ((uint32_t)win << ws), d->seqhi)) {
		uint32_t w = (uint32_t)win << ws;

		d->seqhi = ack + (w ? w : 1);
	}
	st->last_sec = now_sec;
	st->timeout = 2; /* tcp.established */
	return true;
}

#endif
