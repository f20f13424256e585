/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP as pf tracks it: windows, sequence numbers, states and timeouts of the two peers (spec/tcp-state.md 2 to 4).
 * The names of the steps (Before, A to F) are those of the specification. The short path of established connections is
 * fp_tcp_track_fast() in the header; it must decide as this file does, tcp_track_fast_test.c compares them.
 */
#include "fastpath/tcp_track.h"

#include <string.h>

#include "fastpath/counters.h"
#include "policy/rule.h"

_Static_assert(POL_TM_TCP_ESTABLISHED == 2, "fp_tcp_track_fast() writes the number");

#define WIN_MAX 65535u

static inline uint32_t
max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint8_t
shift_of(const struct fp_peer *p)
{
	return p->wscale & FP_WSCALE_MASK;
}

/* A SYN's own window is not scaled: bring it to the unit of the later ones, rounded up. */
static inline uint16_t
unscale_up(uint16_t win, unsigned shift)
{
	return (win + (1u << shift) - 1) >> shift;
}

static inline bool
is_pure_syn(uint8_t flags)
{
	return (flags & (FP_TH_SYN | FP_TH_ACK)) == FP_TH_SYN;
}

static void
out_clear(struct fp_track_out *out)
{
	memset(out, 0, sizeof(*out));
	out->reason = FP_R_NONE;
}

static enum fp_verdict
drop(struct fp_track_out *out, uint8_t reason)
{
	out->reason = reason;
	return FP_V_DROP;
}

uint8_t
fp_tcp_timeout(uint8_t s, uint8_t d)
{
	if (s >= FP_TCPS_FIN_WAIT_2 && d >= FP_TCPS_FIN_WAIT_2)
		return POL_TM_TCP_CLOSED;
	if (s >= FP_TCPS_CLOSING && d >= FP_TCPS_CLOSING)
		return POL_TM_TCP_FINWAIT;
	if (s < FP_TCPS_ESTABLISHED || d < FP_TCPS_ESTABLISHED)
		return POL_TM_TCP_OPENING;
	if (s >= FP_TCPS_CLOSING || d >= FP_TCPS_CLOSING)
		return POL_TM_TCP_CLOSING;
	return POL_TM_TCP_ESTABLISHED;
}

void
fp_tcp_create(struct fp_state *st, const struct fp_tcp_seg *seg, uint32_t now_sec, uint32_t seqdiff)
{
	struct fp_peer *s = &st->peer[0], *d = &st->peer[1];

	memset(st->peer, 0, sizeof(st->peer));
	s->seqlo = seg->seq;
	s->seqhi = seg->seq + seg->len + 1;
	if (seg->flags & FP_TH_SYN) {
		s->seqhi++;
		s->wscale = seg->wscale;
	}
	if (seg->flags & FP_TH_FIN)
		s->seqhi++;
	s->max_win = unscale_up(max_u32(seg->win, 1), shift_of(s));
	s->state = FP_TCPS_SYN_SENT;
	d->seqhi = 1;
	d->max_win = 1;
	d->state = FP_TCPS_CLOSED;
	st->seqdiff[0] = seqdiff;
	st->seqdiff[1] = 0;
	if (seqdiff != 0)
		st->flags |= FP_SF_SEQDIFF | FP_SF_SLOW;
	st->timeout = POL_TM_TCP_FIRST;
	st->created_sec = st->last_sec = now_sec;
}

/* Before: a SYN on a connection that is over, or that is alive. True: decided, *v is the verdict. */
static bool
syn_on_old_state(const struct fp_state *st, int rev, uint8_t flags, struct fp_track_out *out, enum fp_verdict *v)
{
	const struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];

	if (!is_pure_syn(flags))
		return false;
	if (s->state >= FP_TCPS_FIN_WAIT_2 && d->state >= FP_TCPS_FIN_WAIT_2) {
		*v = FP_V_NO_STATE;
		return true;
	}
	if (s->state >= FP_TCPS_ESTABLISHED && d->state >= FP_TCPS_ESTABLISHED) {
		/* Either end may have restarted: let the other one tell (RFC 5961 4). Counted under no reason. */
		out->send_challenge = 1;
		out->seq = d->seqlo;
		out->ack = s->seqlo;
		*v = drop(out, FP_R_NONE);
		return true;
	}
	return false;
}

/* A modulator that is not 0, so that "chosen" can be seen. */
static uint32_t
choose_seqdiff(uint32_t random, uint32_t seq)
{
	return random - seq != 0 ? random - seq : 1;
}

/*
 * A learned flow that went on elsewhere since the peer's last news of it: its first packet here that fits no window any
 * more says where its side stands now, and what it has seen of the other. Once for each side, forward only and within
 * bounds; then windows are strict again. Nothing but segments of an open connection may do that.
 */
static bool
reanchor(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t end, uint32_t ack, uint8_t ws, uint8_t wd,
	uint32_t back)
{
	const uint16_t flag = rev ? FP_SF_REANCHOR_DST : FP_SF_REANCHOR_SRC;
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	uint32_t seq = end - seg->len - !!(seg->flags & FP_TH_FIN), oldest_ack;

	if (!(st->flags & flag) || (seg->flags & (FP_TH_SYN | FP_TH_RST | FP_TH_ACK)) != FP_TH_ACK ||
	    s->state < FP_TCPS_ESTABLISHED || d->state < FP_TCPS_ESTABLISHED ||
	    s->state >= FP_TCPS_TIME_WAIT || d->state >= FP_TCPS_TIME_WAIT)
		return false;
	oldest_ack = d->seqlo - ((uint32_t)FP_MAXACKWINDOW << ws);
	if (seq - back > FP_REANCHOR_MAX || ack - oldest_ack > FP_REANCHOR_MAX)
		return false;
	if (FP_SEQ_GT(end, s->seqlo))
		s->seqlo = end;
	if (FP_SEQ_GT(end + max_u32(1, (uint32_t)d->max_win << wd), s->seqhi))
		s->seqhi = end + max_u32(1, (uint32_t)d->max_win << wd);
	if (FP_SEQ_GT(ack, d->seqlo))
		d->seqlo = ack;
	fp_state_flags_clear(st, flag);
	return true;
}

enum fp_verdict
fp_tcp_check(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t random, struct fp_tcp_verdict *v,
	struct fp_track_out *out)
{
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	const bool modulated = st->flags & FP_SF_SEQDIFF;
	uint32_t seq = seg->seq, ack = seg->ack, end, data_end, back;
	uint16_t win = seg->win;
	uint8_t ws = 0, wd = 0;
	enum fp_verdict old;
	int32_t skew;

	out_clear(out);
	if (syn_on_old_state(st, rev, seg->flags, out, &old))
		return old;

	/* Step A */
	if (s->wscale && d->wscale && !(seg->flags & FP_TH_SYN)) {
		ws = shift_of(s);
		wd = shift_of(d);
	}

	end = seq + seg->len + !!(seg->flags & FP_TH_SYN);
	data_end = end;
	end += !!(seg->flags & FP_TH_FIN);
	out->new_seq = seq;

	/* Step B */
	if (s->seqlo == 0) {
		uint32_t hi;

		out->first = 1;
		if (modulated && st->seqdiff[!rev] != 0 && st->seqdiff[rev] == 0) {
			st->seqdiff[rev] = choose_seqdiff(random, seq);
			ack -= st->seqdiff[!rev];
			out->modulate = 1;
			out->new_seq = seq + st->seqdiff[rev];
		}
		if ((seg->flags & FP_TH_SYN) && (d->wscale & FP_WSCALE_SET)) {
			s->wscale = seg->wscale;
			if (s->wscale & FP_WSCALE_SET) {
				ws = shift_of(s);
				wd = shift_of(d);
				win = unscale_up(win, ws);
			} else {
				/* Only one side offered: nothing is scaled, and what was stored scaled down is made whole again. */
				uint32_t whole = (uint32_t)d->max_win << shift_of(d);

				d->max_win = whole < WIN_MAX ? whole : WIN_MAX;
				d->wscale = 0;
			}
		}
		s->seqlo = seq;
		if (s->state < FP_TCPS_SYN_SENT)
			s->state = FP_TCPS_SYN_SENT;
		hi = end + max_u32(1, (uint32_t)d->max_win << wd);
		if (s->seqhi == 1 || FP_SEQ_GEQ(hi, s->seqhi))
			s->seqhi = hi;
		if (win > s->max_win)
			s->max_win = win;
	} else if (modulated) {
		ack -= st->seqdiff[!rev];
		if (st->seqdiff[rev] != 0) {
			out->modulate = 1;
			out->new_seq = seq + st->seqdiff[rev];
		}
	}
	out->new_ack = out->modulate ? ack : seg->ack;
	if (modulated && st->seqdiff[!rev] != 0) {
		/* pf shifts the SACK blocks even where it leaves the numbers of the header alone */
		out->modulate = 1;
		out->sack_delta = st->seqdiff[!rev];
	}

	/* Step C */
	if (!(seg->flags & FP_TH_ACK) || d->state < FP_TCPS_SYN_SENT || (ack == 0 && (seg->flags & FP_TH_RST)))
		ack = d->seqlo;
	if (seq == end)
		seq = end = data_end = s->seqlo;

	v->ack = ack;
	v->end = end;
	v->win = win;
	v->ws = ws;
	v->loose = 0;
	skew = (int32_t)(d->seqlo - ack);
	back = s->seqlo - ((uint32_t)d->max_win << wd);

	/* Step D; RST: within one of where the side stands. */
	if (FP_SEQ_GEQ(s->seqhi, data_end) && FP_SEQ_GEQ(seq, back) &&
	    skew >= -FP_MAXACKWINDOW && skew <= ((int64_t)FP_MAXACKWINDOW << ws) &&
	    (!(seg->flags & FP_TH_RST) || seg->seq - s->seqlo + 1 <= 2))
		return FP_V_PASS;

	/* Step E: shotgun SYNs, connections picked up in their middle, stray packets after the end. */
	if ((d->state < FP_TCPS_SYN_SENT || d->state >= FP_TCPS_FIN_WAIT_2 || s->state >= FP_TCPS_FIN_WAIT_2) &&
	    FP_SEQ_GEQ(s->seqhi + FP_MAXACKWINDOW, data_end) && FP_SEQ_GEQ(seq, s->seqlo - FP_MAXACKWINDOW)) {
		v->loose = out->loose = 1;
		return FP_V_PASS;
	}

	/* an empty segment was taken for one at seqlo above: here its own numbers count */
	if (reanchor(st, rev, seg, seg->len == 0 && !(seg->flags & FP_TH_FIN) ? seg->seq : end, ack, ws, wd, back))
		return FP_V_PASS;

	/* Step F: both sides began, and what came fits neither. A half-open server is told to let go. */
	if (s->state == FP_TCPS_SYN_SENT && d->state == FP_TCPS_SYN_SENT) {
		if (!(seg->flags & FP_TH_RST)) {
			out->send_rst = 1;
			out->seq = out->new_ack;
		}
		s->seqlo = 0;
		s->seqhi = 1;
		s->max_win = 1;
	}
	return drop(out, FP_R_STATE_MISMATCH);
}

void
fp_tcp_commit(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, const struct fp_tcp_verdict *v,
	uint32_t now_sec, struct fp_track_out *out)
{
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	uint32_t w = (uint32_t)v->win << v->ws;

	if (s->max_win < v->win)
		s->max_win = v->win;
	if (FP_SEQ_GT(v->end, s->seqlo))
		s->seqlo = v->end;
	if (FP_SEQ_GEQ(v->ack + w, d->seqhi))
		d->seqhi = v->ack + max_u32(w, 1);

	if (!v->loose && (seg->flags & FP_TH_SYN) && s->state < FP_TCPS_SYN_SENT)
		s->state = FP_TCPS_SYN_SENT;
	if ((seg->flags & FP_TH_FIN) && s->state < FP_TCPS_CLOSING)
		s->state = FP_TCPS_CLOSING;
	if (!v->loose && (seg->flags & FP_TH_ACK)) {
		if (d->state == FP_TCPS_SYN_SENT) {
			d->state = FP_TCPS_ESTABLISHED;
			out->established = s->state == FP_TCPS_ESTABLISHED;
		} else if (d->state == FP_TCPS_CLOSING) {
			d->state = FP_TCPS_FIN_WAIT_2;
		}
	}
	if (seg->flags & FP_TH_RST)
		s->state = d->state = FP_TCPS_TIME_WAIT;
	if (v->loose)
		return;
	st->last_sec = now_sec;
	st->timeout = fp_tcp_timeout(s->state, d->state);
}

enum fp_verdict
fp_tcp_track(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t now_sec, uint32_t random,
	struct fp_track_out *out)
{
	struct fp_tcp_verdict v;
	enum fp_verdict verdict = fp_tcp_check(st, rev, seg, random, &v, out);

	if (verdict == FP_V_PASS)
		fp_tcp_commit(st, rev, seg, &v, now_sec, out);
	return verdict;
}

enum fp_verdict
fp_tcp_track_sloppy(struct fp_state *st, int rev, const struct fp_tcp_seg *seg, uint32_t now_sec,
	struct fp_track_out *out)
{
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	enum fp_verdict old;

	out_clear(out);
	if (syn_on_old_state(st, rev, seg->flags, out, &old))
		return old;
	if ((seg->flags & FP_TH_SYN) && s->state < FP_TCPS_SYN_SENT)
		s->state = FP_TCPS_SYN_SENT;
	if ((seg->flags & FP_TH_FIN) && s->state < FP_TCPS_CLOSING)
		s->state = FP_TCPS_CLOSING;
	if (seg->flags & FP_TH_ACK) {
		if (d->state == FP_TCPS_SYN_SENT) {
			d->state = FP_TCPS_ESTABLISHED;
			out->established = s->state == FP_TCPS_ESTABLISHED;
		} else if (d->state == FP_TCPS_CLOSING) {
			d->state = FP_TCPS_FIN_WAIT_2;
		} else if (s->state == FP_TCPS_SYN_SENT && d->state < FP_TCPS_SYN_SENT) {
			/* the other half of the flow goes another way */
			s->state = d->state = FP_TCPS_ESTABLISHED;
			out->established = 1;
		} else if (s->state == FP_TCPS_CLOSING && d->state == FP_TCPS_ESTABLISHED && d->seqlo == 0) {
			d->state = FP_TCPS_CLOSING;
		}
	}
	if (seg->flags & FP_TH_RST)
		s->state = d->state = FP_TCPS_TIME_WAIT;
	st->last_sec = now_sec;
	st->timeout = fp_tcp_timeout(s->state, d->state);
	return FP_V_PASS;
}

bool
fp_tcp_quote_ok(const struct fp_state *st, int rev, uint32_t seq)
{
	const struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];
	uint8_t wd = s->wscale && d->wscale ? shift_of(d) : 0;

	return FP_SEQ_GEQ(s->seqhi, seq) && FP_SEQ_GEQ(seq, s->seqlo - ((uint32_t)d->max_win << wd));
}
