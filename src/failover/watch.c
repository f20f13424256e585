/* SPDX-License-Identifier: BSD-2-Clause */
/* See watch.h. */
#include "failover/watch.h"

#define BEATS_MISSED_TENTHS 22u

static uint64_t
limit_us(uint32_t beat_ms)
{
	uint64_t us = (uint64_t)beat_ms * 100 * BEATS_MISSED_TENTHS;

	return us > FO_WATCH_SILENT_US ? us : FO_WATCH_SILENT_US;
}

static enum fo_watch_act
ask_first(struct fo_watch *w, uint64_t now_us)
{
	w->peer = FO_PEER_SILENT;
	w->asked_us = w->question_us = now_us;
	return FO_WATCH_ASK_FIRST;
}

static enum fo_watch_act
silent(struct fo_watch *w, const struct fo_watch_in *in)
{
	if (in->answered_us > w->asked_us) {
		w->peer = FO_PEER_ELSEWHERE;
		w->asked_us = in->now_us;
		return FO_WATCH_NOTHING;
	}
	if (in->now_us < w->not_before_us)	/* was not run: the answer may be among what waits */
		return FO_WATCH_NOTHING;
	if (!in->can_ask) {
		w->asked_us = in->now_us;	/* asked from the beginning when somebody is there */
		return FO_WATCH_NOTHING;
	}
	if (in->now_us - w->asked_us >= in->dead_us + w->patience_us) {
		w->peer = FO_PEER_DEAD;
		w->died_us = in->now_us;
		w->deaths++;
		return FO_WATCH_DEAD;
	}
	if (in->now_us - w->question_us < FO_WATCH_ASK_US)
		return FO_WATCH_NOTHING;
	w->question_us = in->now_us;
	return FO_WATCH_ASK;
}

static void
alive(struct fo_watch *w, const struct fo_watch_in *in)
{
	uint64_t now_us = in->now_us;

	w->false_alarms += w->peer == FO_PEER_SILENT || w->peer == FO_PEER_ELSEWHERE;
	if (w->peer == FO_PEER_DEAD && now_us - w->died_us < FO_WATCH_WRONG_US) {
		w->patience_us = 2 * w->patience_us + in->dead_us;
		if (w->patience_us > FO_WATCH_PATIENCE_MAX_US)
			w->patience_us = FO_WATCH_PATIENCE_MAX_US;
		w->calm_us = now_us;
	} else if (w->patience_us != 0 && now_us - w->calm_us >= FO_WATCH_CALM_US) {
		w->patience_us /= 2;
		w->calm_us = now_us;
	}
	w->peer = FO_PEER_ALIVE;
}

enum fo_watch_act
fo_watch_turn(struct fo_watch *w, const struct fo_watch_in *in)
{
	uint64_t limit = limit_us(in->beat_ms), now = in->now_us;

	if (in->heard_us == 0 || in->beat_ms == 0) {
		w->peer = FO_PEER_NONE;
		w->last_us = now;
		return FO_WATCH_NOTHING;
	}
	if (now - w->last_us > limit / 2)
		w->not_before_us = now + limit;
	w->last_us = now;
	if (in->heard_us + limit > now) {
		alive(w, in);
		return FO_WATCH_NOTHING;
	}
	if (!in->cable) {
		/* who was found dead stays so: a cable whose other end is without power has no link either */
		if (w->peer != FO_PEER_DEAD)
			w->peer = FO_PEER_CUT;
		w->not_before_us = now + FO_WATCH_LINK_US;
		return FO_WATCH_NOTHING;
	}
	switch (w->peer) {
	case FO_PEER_NONE:
	case FO_PEER_ALIVE:
	case FO_PEER_CUT:
		return now < w->not_before_us ? FO_WATCH_NOTHING : ask_first(w, now);
	case FO_PEER_SILENT:
		return silent(w, in);
	case FO_PEER_ELSEWHERE:
		return now - w->asked_us < FO_WATCH_ELSEWHERE_US ? FO_WATCH_NOTHING : ask_first(w, now);
	case FO_PEER_DEAD:
		break;
	}
	return FO_WATCH_NOTHING;
}
