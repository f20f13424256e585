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
	uint8_t first;		/* first packet of this side, valid on drops too: make its scrub block (fp_scrub_init()) */
	uint32_t seq, ack;	/* of the segment to send */
	uint32_t new_seq, new_ack;	/* the packet's new sequence numbers, if modulate; new_ack even without ACK flag */
	uint32_t sack_delta;	/* subtract from every SACK edge, if modulate */
};

/* What fp_tcp_check() found out and fp_tcp_commit() writes down. */
struct fp_tcp_verdict {
	uint32_t ack, end;	/* after demodulation and the easing of step C */
	uint16_t win;		/* after scaling of a SYN's window */
	uint8_t ws;		/* scale of this window */
	uint8_t loose;
};

/* Sequence comparison modulo 2^32. */
#define FP_SEQ_LT(a, b) ((int32_t)((a) - (b)) < 0)
#define FP_SEQ_LEQ(a, b) ((int32_t)((a) - (b)) <= 0)
#define FP_SEQ_GT(a, b) ((int32_t)((a) - (b)) > 0)
#define FP_SEQ_GEQ(a, b) ((int32_t)((a) - (b)) >= 0)

#define FP_MAXACKWINDOW (0xffff + 1500)
/* A learned flow may have moved on by so much since the peer's last news of it: a second at 8 Gbit/s. */
#define FP_REANCHOR_MAX (1u << 30)

/* First packet of a TCP state (spec 2). seqdiff: random ISN offset for modulate state, 0 otherwise. Sets peers, timeout, last_sec. */
void fp_tcp_create(struct fp_state *st, const struct fp_tcp_seg *seg, uint32_t now_sec, uint32_t seqdiff);

/*
 * One packet of an existing state. rev: 0 from src, 1 from dst. random: a fresh random number for step B modulation.
 * sloppy states use fp_tcp_track_sloppy(); states in PROXY_SRC or PROXY_DST go to synproxy.h first and come here only
 * when that lets them. A drop without a reason (challenge ACK) leaves reason FP_R_NONE.
 *
 * Scrubbed states do in two calls what fp_tcp_track() does in one: fp_tcp_check() decides (and does step B, which pf
 * keeps even for packets that it drops), then the caller has fp_scrub_init() when out->first, then fp_scrub_packet(),
 * and if that does not drop, fp_tcp_commit() moves windows, states and timeout.
 */
enum fp_verdict fp_tcp_track(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t now_sec,
	uint32_t random, struct fp_track_out *out);
enum fp_verdict fp_tcp_check(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t random,
	struct fp_tcp_verdict *v, struct fp_track_out *out);
void fp_tcp_commit(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, const struct fp_tcp_verdict *v,
	uint32_t now_sec, struct fp_track_out *out);
enum fp_verdict fp_tcp_track_sloppy(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t now_sec,
	struct fp_track_out *out);

/* The timeout index (enum pol_timeout) that fits two peers, after an accepted packet. */
uint8_t fp_tcp_timeout(uint8_t src_state, uint8_t dst_state);

/* UDP, and protocols without ports: peers SINGLE/MULTIPLE, timeouts (spec 7). ICMP queries: timeout icmp.error. */
void fp_udp_create(struct fp_state *st, uint32_t now_sec);
void fp_udp_track(struct fp_state *st, int rev, uint32_t now_sec);
void fp_other_create(struct fp_state *st, uint32_t now_sec);
void fp_other_track(struct fp_state *st, int rev, uint32_t now_sec);
void fp_icmp_create(struct fp_state *st, uint32_t now_sec);
void fp_icmp_track(struct fp_state *st, uint32_t now_sec);

/*
 * Does the sequence number quoted in an ICMP error fit (spec 7 ICMP row 5)? rev: the *quoted* packet's direction.
 * seq: with the shift of a modulated state taken off, fp_tcp_quote_seq(); the caller writes that into the quote
 * too. Sloppy states are not checked: do not call.
 */
bool fp_tcp_quote_ok(const struct fp_state *st, int rev, uint32_t seq);

static inline uint32_t
fp_tcp_quote_seq(const struct fp_state *st, int rev, uint32_t quoted_seq)
{
	return st->flags & FP_SF_SEQDIFF ? quoted_seq - st->seqdiff[rev] : quoted_seq;
}

/*
 * The short path: strict acceptance of an ACK segment without SYN, FIN or RST between two ESTABLISHED peers, no
 * modulation. Same result as fp_tcp_track() where it answers true; where it answers false nothing was changed.
 * Sloppy and scrubbed states must carry FP_SF_SLOW, they are tracked otherwise.
 */
static inline bool
fp_tcp_track_fast(struct fp_state *st, int rev, uint32_t seq, uint32_t ack, uint16_t win, uint8_t flags, uint32_t len,
	uint32_t now_sec)
{
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	uint32_t ws, wd, end, w;
	int32_t skew;

	if ((flags & (FP_TH_SYN | FP_TH_FIN | FP_TH_RST | FP_TH_ACK)) != FP_TH_ACK ||
	    s->state != FP_TCPS_ESTABLISHED || d->state != FP_TCPS_ESTABLISHED || s->seqlo == 0 ||
	    (st->flags & (FP_SF_SLOW | FP_SF_SEQDIFF | FP_SF_REANCHOR_SRC | FP_SF_REANCHOR_DST)))
		return false;
	/* both offered scaling or none is applied */
	ws = s->wscale && d->wscale ? s->wscale & FP_WSCALE_MASK : 0;
	wd = s->wscale && d->wscale ? d->wscale & FP_WSCALE_MASK : 0;
	end = seq + len;
	if (len == 0)
		seq = end = s->seqlo;
	skew = (int32_t)(d->seqlo - ack);
	/* 64 bits: a peer may have sent us a shift of 15, which no option carries */
	if (!FP_SEQ_GEQ(s->seqhi, end) || !FP_SEQ_GEQ(seq, s->seqlo - ((uint32_t)d->max_win << wd)) ||
	    skew < -FP_MAXACKWINDOW || skew > ((int64_t)FP_MAXACKWINDOW << ws))
		return false;
	if (s->max_win < win)
		s->max_win = win;
	if (FP_SEQ_GT(end, s->seqlo))
		s->seqlo = end;
	w = (uint32_t)win << ws;
	if (FP_SEQ_GEQ(ack + w, d->seqhi))
		d->seqhi = ack + (w ? w : 1);
	st->last_sec = now_sec;
	st->timeout = 2; /* tcp.established; tcp_track.c asserts that */
	return true;
}

#endif
