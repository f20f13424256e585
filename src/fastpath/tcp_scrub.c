/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP timestamps and TTL of scrubbed states, see tcp_scrub.h. */
#include "fastpath/tcp_scrub.h"

#include <string.h>

#include "fastpath/tcp_norm.h"

#define TS_LEN 10u
#define TS_VAL 2u
#define TS_ECR 6u

#define US_PER_SEC 1000000u
/* RFC 7323 5.4: no faster than 1 kHz; and a tenth for clocks that are off */
#define TS_HZ_MAX 1100u
/* At 1 kHz half the number space is 24 days: after that an idle side cannot be judged. */
#define IDLE_MAX_SEC (24u * 24 * 60 * 60)
/* The lower bound of an echo is the side's first value, which is "before" for half the number space. */
#define AGE_MAX_SEC (12u * 24 * 60 * 60)

void
fp_scrub_init(struct fp_scrub *side, const struct fp_scrub_pkt *pkt, uint32_t random, uint64_t now_us)
{
	unsigned pos = FP_TCP_HLEN_MIN, at, end;

	if (side->valid)
		return;
	memset(side, 0, sizeof(*side));
	side->valid = 1;
	side->ttl = pkt->ttl;
	if (!(pkt->th[13] & FP_TH_SYN))
		return;
	while ((at = fp_tcp_opt_next(pkt->th, pkt->hlen, &pos, FP_TCPOPT_TIMESTAMP, TS_LEN, &end)) != 0) {
		side->flags |= FP_SCRUB_TIMESTAMP;
		side->ts_mod = random;
		/* PAWS only once something was echoed. The value stands in for the echo until then. */
		side->tsval0 = side->tsval = side->tsecr = fp_get32(pkt->th + at + TS_VAL);
		side->last_us = side->base_us = now_us;
	}
}

/* Timestamp of the packet as its ends count, shifted in the header. */
struct stamp {
	bool present;
	uint32_t val, ecr;
};

/* False: more than one option. */
static bool
shift_stamp(const struct fp_scrub *s, const struct fp_scrub *d, struct fp_scrub_pkt *pkt, struct stamp *ts)
{
	unsigned pos = FP_TCP_HLEN_MIN, at, end;

	ts->present = false;
	ts->val = ts->ecr = 0;
	if (!((s->flags | d->flags) & FP_SCRUB_TIMESTAMP))
		return true;
	while ((at = fp_tcp_opt_next(pkt->th, pkt->hlen, &pos, FP_TCPOPT_TIMESTAMP, TS_LEN, &end)) != 0) {
		if (ts->present)
			return false;
		ts->present = true;
		ts->val = fp_get32(pkt->th + at + TS_VAL);
		ts->ecr = fp_get32(pkt->th + at + TS_ECR);
		if (ts->val != 0 && (s->flags & FP_SCRUB_TIMESTAMP))
			fp_tcp_patch32(pkt->th, at + TS_VAL, ts->val + s->ts_mod);
		if (ts->ecr != 0 && (d->flags & FP_SCRUB_TIMESTAMP)) {
			ts->ecr -= d->ts_mod;
			fp_tcp_patch32(pkt->th, at + TS_ECR, ts->ecr);
		}
	}
	return true;
}

static void
disarm_if_old(struct fp_scrub *side, uint64_t now_us, uint32_t age_sec)
{
	if (!(side->flags & FP_SCRUB_PAWS))
		return;
	if (now_us / US_PER_SEC - side->last_us / US_PER_SEC > IDLE_MAX_SEC || age_sec > AGE_MAX_SEC)
		side->flags = (side->flags & ~FP_SCRUB_PAWS) | FP_SCRUB_PAWS_IDLED;
}

/* Both sides armed: does the stamp lie between what was echoed and what a clock could have reached? */
static bool
stamp_fits(const struct fp_scrub *s, const struct fp_scrub *d, const struct stamp *ts, uint64_t now_us,
	uint32_t tsdiff_sec)
{
	uint64_t idle_us = now_us - s->last_us;
	uint32_t ahead = (uint32_t)(idle_us / US_PER_SEC + tsdiff_sec) * TS_HZ_MAX +
		(uint32_t)(idle_us % US_PER_SEC) / (US_PER_SEC / TS_HZ_MAX);

	if (FP_SEQ_LT(ts->val, d->tsecr) || FP_SEQ_GT(ts->val, s->tsval + ahead))
		return false;
	return ts->ecr == 0 || (FP_SEQ_LEQ(ts->ecr, d->tsval) && FP_SEQ_GEQ(ts->ecr, d->tsval0));
}

static void
remember(struct fp_scrub *s, const struct stamp *ts, uint64_t now_us)
{
	bool armed = s->flags & FP_SCRUB_PAWS;

	s->last_us = now_us;
	if (!armed || FP_SEQ_GEQ(ts->val, s->tsval))
		s->tsval = ts->val;
	if (ts->ecr == 0)
		return;
	if (!armed || FP_SEQ_GEQ(ts->ecr, s->tsecr))
		s->tsecr = ts->ecr;
	if (!armed && (s->tsval0 == 0 || FP_SEQ_LT(ts->val, s->tsval0)))
		s->tsval0 = ts->val;
	s->flags |= FP_SCRUB_PAWS;
}

bool
fp_scrub_packet(struct fp_scrub side[2], const struct fp_state *st, int rev, struct fp_scrub_pkt *pkt, uint64_t now_us,
	uint32_t age_sec, uint32_t tsdiff_sec)
{
	struct fp_scrub *s = &side[rev], *d = &side[!rev];
	struct stamp ts;

	if (s->valid) {
		if (pkt->ttl > s->ttl)
			s->ttl = pkt->ttl;
		pkt->ttl = s->ttl;
	}
	/* a side that has no block yet has flags 0 */
	if (!shift_stamp(s, d, pkt, &ts))
		return false;
	disarm_if_old(s, now_us, age_sec);
	disarm_if_old(d, now_us, age_sec);
	if (s->flags & d->flags & FP_SCRUB_PAWS) {
		if (ts.present) {
			if (st->peer[0].state >= FP_TCPS_ESTABLISHED && st->peer[1].state >= FP_TCPS_ESTABLISHED &&
			    !stamp_fits(s, d, &ts, now_us, tsdiff_sec))
				return false;
		} else if (pkt->len > 0 && (s->flags & FP_SCRUB_DATA_TS) && !(pkt->th[13] & FP_TH_RST)) {
			/* it stamped its data so far: not from this side */
			return false;
		}
	}
	if (pkt->len > 0 && s->valid &&
	    (s->flags & (FP_SCRUB_TIMESTAMP | FP_SCRUB_DATA_TS | FP_SCRUB_DATA_NOTS)) == FP_SCRUB_TIMESTAMP)
		s->flags |= ts.present ? FP_SCRUB_DATA_TS : FP_SCRUB_DATA_NOTS;
	if (ts.present && (s->flags & (FP_SCRUB_TIMESTAMP | FP_SCRUB_PAWS_IDLED)) == FP_SCRUB_TIMESTAMP)
		remember(s, &ts, now_us);
	return true;
}
