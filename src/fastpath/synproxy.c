/* SPDX-License-Identifier: BSD-2-Clause */
/* The SYN proxy as a state machine, see synproxy.h. The rows are those of spec/tcp-state.md 5. */
#include "fastpath/synproxy.h"

#include <string.h>

#include "fastpath/tcp_norm.h"

#define IP4_HLEN 20u
#define IP6_HLEN 40u
#define MSS_MIN 64u /* room for one segment full of options */

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t
max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t
mss_of_route(uint8_t af, uint32_t mtu, uint32_t offered)
{
	uint32_t headers = (af == FP_AF_INET ? IP4_HLEN : IP6_HLEN) + FP_TCP_HLEN_MIN;
	uint32_t mss = mtu > headers ? max_u32(FP_TCP_MSS_DEFAULT, mtu - headers) : FP_TCP_MSS_DEFAULT;

	return max_u32(MSS_MIN, min_u32(mss, offered));
}

uint16_t
fp_synproxy_mss(uint8_t af, uint16_t offered, uint32_t mtu_client, uint32_t mtu_server)
{
	return (uint16_t)mss_of_route(af, mtu_server, mss_of_route(af, mtu_client, offered));
}

static void
out_clear(struct fp_synproxy_out *out)
{
	memset(out, 0, sizeof(*out));
}

static struct fp_synproxy_seg *
send_seg(struct fp_synproxy_out *out, enum fp_synproxy_to to, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct fp_synproxy_seg *seg = &out->seg[out->n++];

	*seg = (struct fp_synproxy_seg){ .to = to, .flags = flags, .seq = seq, .ack = ack };
	return seg;
}

static void
answer_syn(const struct fp_state *st, const struct fp_state_ext *ext, struct fp_synproxy_out *out)
{
	const struct fp_peer *src = &st->peer[0];

	send_seg(out, FP_SYNPROXY_TO_SENDER, FP_TH_SYN | FP_TH_ACK, src->seqhi, src->seqlo + 1)->mss = ext->mss[0];
}

void
fp_synproxy_start(struct fp_state *st, struct fp_state_ext *ext, uint16_t mss, uint32_t random,
	struct fp_synproxy_out *out)
{
	out_clear(out);
	st->peer[0].state = FP_TCPS_PROXY_SRC;
	st->peer[0].seqhi = random;
	st->flags |= FP_SF_SLOW;
	ext->mss[0] = mss;
	answer_syn(st, ext, out);
}

enum fp_synproxy_verdict
fp_synproxy_cookie(struct fp_state *st, struct fp_state_ext *ext, const struct fp_tcp_seg *ack_seg,
	struct fp_synproxy_out *out)
{
	struct fp_peer *src = &st->peer[0], *dst = &st->peer[1];

	/* the cookie is the number that both the client and the server see: nothing is shifted later */
	src->seqhi = dst->seqhi = ack_seg->ack - 1;
	src->seqlo = ack_seg->seq - 1;
	src->state = FP_TCPS_PROXY_DST;
	st->flags |= FP_SF_SLOW;
	return fp_synproxy(st, ext, 0, ack_seg, 0, out);
}

/* The client's answer carries the numbers that the box chose. */
static bool
ack_fits(const struct fp_peer *src, const struct fp_tcp_seg *seg)
{
	return seg->ack == src->seqhi + 1 && seg->seq == src->seqlo + 1;
}

/* The server has answered: tell both sides, and remember by how much their numbers differ. */
static void
join(struct fp_state *st, const struct fp_tcp_seg *seg, struct fp_synproxy_out *out)
{
	struct fp_peer *src = &st->peer[0], *dst = &st->peer[1];

	dst->max_win = (uint16_t)max_u32(seg->win, 1);
	dst->seqlo = seg->seq;
	send_seg(out, FP_SYNPROXY_TO_SENDER, FP_TH_ACK, seg->ack, seg->seq + 1)->win = src->max_win;
	send_seg(out, FP_SYNPROXY_TO_CLIENT, FP_TH_ACK, src->seqhi + 1, src->seqlo + 1)->win = dst->max_win;
	st->seqdiff[0] = dst->seqhi - src->seqlo;
	st->seqdiff[1] = src->seqhi - dst->seqlo;
	if (st->seqdiff[0] != 0 || st->seqdiff[1] != 0)
		st->flags |= FP_SF_SEQDIFF;
	src->seqhi = src->seqlo + dst->max_win;
	dst->seqhi = dst->seqlo + src->max_win;
	src->wscale = dst->wscale = 0;
	src->state = dst->state = FP_TCPS_ESTABLISHED;
	out->sync = 1;
}

enum fp_synproxy_verdict
fp_synproxy(struct fp_state *st, struct fp_state_ext *ext, int rev, const struct fp_tcp_seg *seg, uint32_t random,
	struct fp_synproxy_out *out)
{
	struct fp_peer *src = &st->peer[0], *dst = &st->peer[1];

	out_clear(out);
	if (src->state == FP_TCPS_PROXY_SRC) {
		if (rev)
			return FP_SYNPROXY_TAKEN;
		if (seg->flags & FP_TH_SYN) {
			if (seg->seq == src->seqlo)
				answer_syn(st, ext, out);
			return FP_SYNPROXY_TAKEN;
		}
		if ((seg->flags & (FP_TH_ACK | FP_TH_RST | FP_TH_FIN)) != FP_TH_ACK || !ack_fits(src, seg))
			return FP_SYNPROXY_TAKEN;
		out->check_limits = 1;
		src->state = FP_TCPS_PROXY_DST;
	}
	if (src->state != FP_TCPS_PROXY_DST)
		return FP_SYNPROXY_PASS;
	if (!rev) {
		/* again for each repetition, so that a lost SYN is made good by the client's own timer */
		if ((seg->flags & (FP_TH_SYN | FP_TH_ACK)) != FP_TH_ACK || !ack_fits(src, seg))
			return FP_SYNPROXY_TAKEN;
		src->max_win = (uint16_t)max_u32(seg->win, 1);
		if (dst->seqhi == 1)
			dst->seqhi = random;
		send_seg(out, FP_SYNPROXY_TO_SERVER, FP_TH_SYN, dst->seqhi, 0)->mss = ext->mss[0];
	} else if ((seg->flags & (FP_TH_SYN | FP_TH_ACK)) == (FP_TH_SYN | FP_TH_ACK) && seg->ack == dst->seqhi + 1) {
		join(st, seg, out);
	}
	return FP_SYNPROXY_TAKEN;
}

bool
fp_synproxy_abort(const struct fp_state *st, struct fp_synproxy_seg *seg)
{
	const struct fp_peer *src = &st->peer[0];

	if (src->state != FP_TCPS_PROXY_DST)
		return false;
	*seg = (struct fp_synproxy_seg){ .to = FP_SYNPROXY_TO_CLIENT, .flags = FP_TH_RST | FP_TH_ACK, .seq = src->seqhi,
		.ack = src->seqlo + 1 };
	return true;
}
