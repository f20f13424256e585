/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtual host makes of an advertisement: section 4 from row 7 on, the tables of section 6. See carp.h. */
#include <string.h>

#include "failover/carp_priv.h"

#define BOW_OUT 255u
#define ANSWER_US 5000u /* however many advertisements are answered */

static bool
is_bow_out(const struct sync_carp *h)
{
	return h->advbase == BOW_OUT && h->advskew == BOW_OUT;
}

/*
 * Came back to where it was sent. OpenBSD's own counter never changes, so that says it; one that rises may be used again
 * by a FreeBSD peer that adopted it, and then only the whole header does. Neither the sender's address nor its MAC is part
 * of the digest, but a packet from one of our own addresses is ours, or nobody's.
 */
static bool
is_own(const struct fo_carp *c, const struct sync_carp *h, const struct fo_carp_rx *rx)
{
	const struct sync_carp *sent = &c->sent[rx->family];

	if (rx->own_source || (c->has_counter && !c->conf.counter_rises && h->counter == c->counter))
		return true;
	return c->has_sent[rx->family] && h->counter == sent->counter && h->advbase == sent->advbase &&
		h->advskew == sent->advskew && h->demote == sent->demote;
}

/*
 * What the sender understands of demotion, before h becomes the last one heard of its family. FreeBSD says itself by TOS, and
 * its counter changes with every packet (rises, or is random when there is one family); ucarp's is random. OpenBSD's stays,
 * and only OpenBSD has byte 4. Another sender proves nothing.
 */
static void
recognise(struct fo_carp *c, const struct sync_carp *h, const struct fo_carp_rx *rx)
{
	const struct fo_heard *before = &c->heard[rx->family];
	bool same_box = before->any && memcmp(before->src, rx->src, sizeof(before->src)) == 0;

	if (h->demote != 0)
		c->seen_kind = FO_CARP_PEER_OPENBSD;
	else if (rx->tos == FO_CARP_TOS_FREEBSD)
		c->seen_kind = FO_CARP_PEER_FREEBSD;
	else if (same_box)
		c->seen_kind = h->counter == before->carp.counter ? FO_CARP_PEER_OPENBSD : FO_CARP_PEER_FREEBSD;
}

static void
remember(struct fo_carp *c, const struct sync_carp *h, const struct fo_carp_rx *rx)
{
	struct fo_heard *heard = &c->heard[rx->family];

	recognise(c, h, rx);
	heard->any = true;
	heard->us = c->now_us;
	heard->carp = *h;
	memcpy(heard->src, rx->src, sizeof(heard->src));
	c->last = heard;
	if (h->counter > c->highest[rx->family])
		c->highest[rx->family] = h->counter;
	/* FreeBSD goes on from the last good one, so that after a takeover it is never behind; strict: only forward */
	if (c->conf.counter_rises && (!c->conf.counter_strict || !c->has_counter || h->counter > c->counter)) {
		c->counter = h->counter;
		c->has_counter = c->conf.counter_base <= h->counter || !c->conf.counter_strict;
	}
}

/*
 * One that will step down has just drawn the virtual MAC to its port of every switch: it is drawn back, and it is told, by
 * an advertisement now and not an interval later.
 */
static void
answer(struct fo_carp *c)
{
	uint64_t at_us = c->ad_sent_us + ANSWER_US;

	if (at_us < c->now_us)
		at_us = c->now_us;
	if (at_us < c->ad_due_us)
		c->ad_due_us = at_us;
}

static void
input_master(struct fo_carp *c, const struct sync_carp *h)
{
	uint64_t own_us = fo_carp_time_us(c->conf.advbase, fo_carp_advskew(c));
	uint64_t theirs_us = fo_carp_time_us(h->advbase, h->advskew);
	bool freebsd = fo_carp_kind(c) == FO_CARP_PEER_FREEBSD;
	uint8_t d = freebsd ? 0 : c->demote, t = freebsd ? 0 : h->demote;

	if (is_bow_out(h))
		return;
	if (t < d)
		fo_carp_become_backup(c, FO_CARP_WHY_LESS_DEMOTED);
	else if (own_us >= theirs_us && t <= d)
		fo_carp_become_backup(c, own_us > theirs_us ? FO_CARP_WHY_MORE_FREQUENT : FO_CARP_WHY_EQUAL);
	else
		answer(c);
}

static void
input_backup(struct fo_carp *c, const struct sync_carp *h, enum fo_family f)
{
	bool freebsd = fo_carp_kind(c) == FO_CARP_PEER_FREEBSD;
	uint64_t own_us = fo_carp_time_us(c->conf.advbase, fo_carp_advskew(c));
	uint64_t theirs_us = fo_carp_time_us(h->advbase, h->advskew);
	uint64_t wait_us = fo_carp_time_us(3u * c->conf.advbase, freebsd ? fo_carp_advskew(c) : c->conf.advskew);
	uint8_t d = freebsd ? 0 : c->demote, t = freebsd ? 0 : h->demote;

	if (is_bow_out(h)) {
		fo_carp_become_master(c, FO_CARP_WHY_BOWED_OUT);
	} else if (c->conf.preempt && !c->held && own_us < theirs_us && t >= d) {
		c->stats.preempt++;
		fo_carp_become_master(c, FO_CARP_WHY_PREEMPT);
	} else if (t > d) {
		fo_carp_become_master(c, FO_CARP_WHY_MORE_DEMOTED);
	} else if (c->conf.advbase > 0 && wait_us < theirs_us) {
		fo_carp_become_master(c, FO_CARP_WHY_TOO_SLOW);
	} else {
		c->waited_anew = false;
		/* not the other packets of the one whose values are equal, and which steps down as well, but a master that stays */
		if (c->now_us - c->since_us > fo_carp_interval_us(c) / 2)
			c->extra_us = 0;
		fo_carp_wait(c, f);
	}
}

enum fo_carp_counter
fo_carp_input(struct fo_carp *c, const struct sync_carp *h, const struct fo_carp_rx *rx, uint64_t now_us)
{
	enum fo_carp_match match;

	fo_carp_clock(c, now_us);
	if (rx->family == FO_INET)
		c->stats.ipackets++;
	else
		c->stats.ipackets6++;
	if (c->state == FO_CARP_INIT || rx->multicast == c->conf.has_peer[rx->family])
		return fo_carp_count(&c->stats, FO_CARP_C_badvhid);
	if (h->version != SYNC_CARP_VERSION)
		return fo_carp_count(&c->stats, FO_CARP_C_badver);
	if ((match = fo_carp_auth_match(c->auth, h->counter, h->digest)) == FO_CARP_NO_MATCH)
		return fo_carp_count(&c->stats, FO_CARP_C_badauth);
	if (is_own(c, h, rx)) {
		c->stats.loops++;
		return fo_carp_count(&c->stats, FO_CARP_C_badauth);
	}
	if (c->conf.counter_strict && h->counter <= c->highest[rx->family]) {
		c->stats.replays++;
		return fo_carp_count(&c->stats, FO_CARP_C_badauth);
	}
	remember(c, h, rx);
	/* OpenBSD accepts either digest, FreeBSD the one that it sends */
	c->linklocal = match == FO_CARP_MATCH_LINKLOCAL;
	if (c->state == FO_CARP_MASTER)
		input_master(c, h);
	else
		input_backup(c, h, rx->family);
	return FO_CARP_NONE;
}
