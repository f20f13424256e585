/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tracking of everything that is not TCP: UDP and other protocols go from one to more packets per side, ICMP queries
 * only keep their time (spec/tcp-state.md 2 and 7).
 */
#include <string.h>

#include "fastpath/tcp_track.h"
#include "policy/rule.h"

static void
create(struct fp_state *st, uint8_t src_state, uint8_t timeout, uint32_t now_sec)
{
	memset(st->peer, 0, sizeof(st->peer));
	st->peer[0].state = src_state;
	st->timeout = timeout;
	st->created_sec = st->last_sec = now_sec;
}

static void
track(struct fp_state *st, int rev, uint8_t single, uint8_t multiple, uint32_t now_sec)
{
	struct fp_peer *s = &st->peer[rev], *d = &st->peer[!rev];

	if (s->state < FP_OTHERS_SINGLE)
		s->state = FP_OTHERS_SINGLE;
	/* a side counts as MULTIPLE once it was answered, not when it repeats itself */
	if (d->state == FP_OTHERS_SINGLE)
		d->state = FP_OTHERS_MULTIPLE;
	st->last_sec = now_sec;
	st->timeout = s->state == FP_OTHERS_MULTIPLE && d->state == FP_OTHERS_MULTIPLE ? multiple : single;
}

void
fp_udp_create(struct fp_state *st, uint32_t now_sec)
{
	create(st, FP_OTHERS_SINGLE, POL_TM_UDP_FIRST, now_sec);
}

void
fp_udp_track(struct fp_state *st, int rev, uint32_t now_sec)
{
	track(st, rev, POL_TM_UDP_SINGLE, POL_TM_UDP_MULTIPLE, now_sec);
}

void
fp_other_create(struct fp_state *st, uint32_t now_sec)
{
	create(st, FP_OTHERS_SINGLE, POL_TM_OTHER_FIRST, now_sec);
}

void
fp_other_track(struct fp_state *st, int rev, uint32_t now_sec)
{
	track(st, rev, POL_TM_OTHER_SINGLE, POL_TM_OTHER_MULTIPLE, now_sec);
}

void
fp_icmp_create(struct fp_state *st, uint32_t now_sec)
{
	create(st, FP_OTHERS_NO_TRAFFIC, POL_TM_ICMP_FIRST, now_sec);
}

void
fp_icmp_track(struct fp_state *st, uint32_t now_sec)
{
	st->last_sec = now_sec;
	st->timeout = POL_TM_ICMP_ERROR;
}
