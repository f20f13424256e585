/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does the peer live? Decided from the times of what was heard, without clock or packets: role.c brings both.
 *
 *	ALIVE ---- limit without a beat, cable has link ----> SILENT ---- no answer for dead_us ----> DEAD
 *	  ^                                                     | answered       ^ asked again every FO_WATCH_ELSEWHERE_US
 *	  +---------------- a beat ----------- ELSEWHERE <------+----------------+
 *	  without link: CUT, whatever is silent; when the link is back the beats get FO_WATCH_LINK_US to be heard again
 *
 * A peer that was found dead wrongly is given twice the time to answer from then on, so that a busy machine does not play
 * ping-pong with the role.
 *
 * Without anyone to ask SILENT lasts, and advertisements decide.
 *
 * Whoever was not run himself for a while knows nothing: what the peer said meanwhile waits to be read. Every time that
 * would tell silence begins anew then.
 */
#ifndef FO_WATCH_H
#define FO_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define FO_WATCH_SILENT_US 15000u	/* at least, however fast the heartbeat: a thread is not run now and then */
#define FO_WATCH_ASK_US 5000u		/* between two questions */
#define FO_WATCH_ELSEWHERE_US 100000u	/* asked again so often while the cable is silent and the peer answers */
#define FO_WATCH_LINK_US 500000u
#define FO_WATCH_WRONG_US 300000u	/* heard again so soon after its death: it only was not run for a moment */
#define FO_WATCH_PATIENCE_MAX_US 240000u
#define FO_WATCH_CALM_US 60000000u	/* after so long without a mistake half of what it added is forgotten */

enum fo_peer_health {
	FO_PEER_NONE,		/* no heartbeat was heard yet, or the peer is no twin */
	FO_PEER_ALIVE,
	FO_PEER_SILENT,		/* on the cable; being asked by a data port */
	FO_PEER_ELSEWHERE,	/* silent on the cable, alive on a data port */
	FO_PEER_CUT,		/* the cable has no link: nothing is known */
	FO_PEER_DEAD,
};

/* Zeroes are a good beginning. Times are of the box clock. */
struct fo_watch {
	enum fo_peer_health peer;
	uint64_t deaths, false_alarms;
	/* private */
	uint64_t last_us, not_before_us, asked_us, question_us, died_us, calm_us;
	uint64_t patience_us;	/* beyond dead_us */
};

struct fo_watch_in {
	uint64_t now_us;
	uint64_t heard_us;	/* last beat; 0 never */
	uint64_t answered_us;	/* last answer to the questions of this silence; 0 none */
	uint64_t dead_us;	/* so long the peer has to answer the first question: `set sync probe` */
	uint32_t beat_ms;	/* 0: no heartbeat */
	bool cable;		/* has link and is configured */
	bool can_ask;		/* a box was heard on a data port; without, silence is all there is, and proves nothing */
};

enum fo_watch_act {
	FO_WATCH_NOTHING,
	FO_WATCH_ASK_FIRST,	/* a silence begins: forget answers to older questions, then ask */
	FO_WATCH_ASK,
	FO_WATCH_DEAD,		/* take over */
};

enum fo_watch_act fo_watch_turn(struct fo_watch *w, const struct fo_watch_in *in);

#endif
