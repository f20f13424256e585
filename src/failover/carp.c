/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual host: its life, its timers, what it sends; see carp.h. What it hears: carp_input.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "failover/carp_priv.h"

#define ERRORS_MAX 3u /* so many failures in a row demote, so many successes end it */
#define EQUAL_LOSSES_MAX 4u
#define ANNOUNCE_AGAIN 2u /* advertisements after the one of the takeover; some switches need it */

const char *
fo_carp_state_name(enum fo_carp_state s)
{
	static const char *const names[] = { "INIT", "BACKUP", "MASTER" };

	return names[s];
}

const char *
fo_carp_why_text(enum fo_carp_why w)
{
	static const char *const texts[] = {
#define X(id, text) text,
		FO_CARP_WHYS(X)
#undef X
	};

	return texts[w];
}

const char *
fo_carp_counter_name(enum fo_carp_counter c)
{
	static const char *const names[] = { "accepted",
#define X(name, help) #name,
		FO_CARP_COUNTERS(X)
#undef X
	};

	return names[c];
}

uint64_t
fo_carp_random(struct fo_carp *c)
{
	uint64_t r = 0;

	if (c->ops->random != NULL)
		return c->ops->random(c->ctx);
	/* libcrypto without entropy: neither the counter nor a delay is a secret */
	if (RAND_bytes((unsigned char *)&r, sizeof(r)) != 1)
		r = c->now_us * 0x9e3779b97f4a7c15u;
	return r;
}

/* ---- times */

/* As advertised, and as compared: with FreeBSD's demotion unless the peers understand byte 4. */
uint8_t
fo_carp_advskew(const struct fo_carp *c)
{
	enum fo_carp_peer kind = fo_carp_kind(c);
	int64_t skew = (int64_t)c->conf.advskew + c->skew;

	if (kind == FO_CARP_PEER_OPENBSD || (kind == FO_CARP_PEER_AUTO && c->skew == 0))
		return c->conf.advskew;
	return (uint8_t)(skew < 0 ? 0 : skew > (int)FO_CARP_FREEBSD_SKEW_MAX ? (int)FO_CARP_FREEBSD_SKEW_MAX : skew);
}

uint64_t
fo_carp_interval_us(const struct fo_carp *c)
{
	uint64_t us = fo_carp_time_us(c->conf.advbase, fo_carp_advskew(c));

	return us != 0 ? us : US_PER_SEC / 256;
}

uint64_t
fo_carp_master_down_us(const struct fo_carp *c)
{
	if (c->conf.advbase == 0)
		return 3 * (c->conf.advskew != 0 ? fo_carp_time_us(0, c->conf.advskew) : US_PER_SEC / 256);
	return fo_carp_time_us(3u * c->conf.advbase, c->conf.advskew);
}

void
fo_carp_wait(struct fo_carp *c, enum fo_family f)
{
	c->down_due_us[f] = c->family[f] ? c->now_us + fo_carp_master_down_us(c) + c->extra_us : FO_CARP_NEVER;
}

/* ---- advertisements */

static uint64_t
next_counter(struct fo_carp *c)
{
	if (!c->has_counter) {
		c->counter = c->conf.counter_rises && c->conf.counter_base != 0 ? c->conf.counter_base : fo_carp_random(c);
		c->has_counter = true;
	} else if (c->conf.counter_rises) {
		c->counter++;
	}
	/* 0 is what an OpenBSD box takes for its own before it has sent; the peer's is what it takes for its own after */
	while (c->counter == 0 || (c->last != NULL && c->counter == c->last->carp.counter))
		c->counter++;
	return c->counter;
}

static void
count_sent(struct fo_carp *c, enum fo_family f, bool unicast, int rc)
{
	if (rc == 0 && f == FO_INET)
		c->stats.opackets++;
	else if (rc == 0)
		c->stats.opackets6++;
	else if (rc == -ENOMEM || rc == -ENOBUFS)
		c->stats.onomem++;
	else
		c->stats.oerrors++;
	if (rc == 0) {
		if (!c->send_errors)
			c->errors = 0;
		else if (++c->successes >= ERRORS_MAX) {
			c->send_errors = false;
			c->errors = 0;
		}
		return;
	}
	/* a peer that is off cannot be reached: that is no fault of this box */
	if (unicast && (rc == -EHOSTUNREACH || rc == -ENETUNREACH || rc == -EHOSTDOWN))
		return;
	c->successes = 0;
	if (c->errors < ERRORS_MAX && ++c->errors == ERRORS_MAX)
		c->send_errors = true;
}

static void
send_one(struct fo_carp *c, enum fo_family f, bool bow_out)
{
	static const uint8_t groups[FO_FAMILIES][16] = { { 224, 0, 0, 18 }, { 0xff, 2, [15] = 0x12 } };
	struct fo_carp_advert ad = { .family = f, .ttl = FO_CARP_TTL, .tos = f == FO_INET ? FO_CARP_TOS : 0,
		.unicast = c->conf.has_peer[f] };
	struct sync_carp h = { .version = SYNC_CARP_VERSION, .type = SYNC_CARP_ADVERTISEMENT, .vhid = c->conf.vhid,
		.advskew = bow_out ? 255 : fo_carp_advskew(c), .authlen = SYNC_CARP_AUTHLEN,
		.demote = fo_carp_kind(c) == FO_CARP_PEER_FREEBSD ? 0 : c->demote,
		.advbase = bow_out ? 255 : c->conf.advbase, .counter = next_counter(c) };

	if (!fo_carp_auth_digest(c->auth, h.counter, c->linklocal || c->conf.send_linklocal, h.digest)) {
		count_sent(c, f, ad.unicast, -ENOMEM);
		return;
	}
	memcpy(ad.dst, ad.unicast ? c->conf.peer[f] : groups[f], sizeof(ad.dst));
	sync_carp_encode(&h, ad.bytes);
	c->sent[f] = h;
	c->has_sent[f] = true;
	if (h.counter > c->highest[f])
		c->highest[f] = h.counter;
	count_sent(c, f, ad.unicast, c->ops->send(c->ctx, c, &ad));
}

static void
send_all(struct fo_carp *c, bool bow_out)
{
	c->ad_sent_us = c->now_us;
	for (enum fo_family f = 0; f < FO_FAMILIES; f++)
		if (c->family[f])
			send_one(c, f, bow_out);
}

/* Out of turn; the next one an interval later. */
static void
advertise_now(struct fo_carp *c)
{
	c->stats.ostates++;
	send_all(c, false);
	c->ad_due_us = c->now_us + fo_carp_interval_us(c);
}

static void
advertise_in_turn(struct fo_carp *c)
{
	uint64_t interval_us = fo_carp_interval_us(c);

	send_all(c, false);
	/* keeps its beat, unless it is a whole one late */
	c->ad_due_us += interval_us;
	if (c->ad_due_us <= c->now_us)
		c->ad_due_us = c->now_us + interval_us;
	if (c->announce_in != 0 && --c->announce_in == 0) {
		c->ops->announce(c->ctx, c, true);
		c->equal_losses = 0;
	}
}

/* ---- roles */

static void
set_state(struct fo_carp *c, enum fo_carp_state to, enum fo_carp_why why)
{
	struct fo_carp_change change = { .from = c->state, .to = to, .why = why, .now_us = c->now_us };

	c->state = to;
	c->why = why;
	c->since_us = c->now_us;
	c->ad_due_us = c->down_due_us[FO_INET] = c->down_due_us[FO_INET6] = FO_CARP_NEVER;
	c->announce_in = 0;
	c->waited_anew = false;
	c->extra_us = 0;
	fo_carp_stay(c);
	c->stats.transitions++;
	c->ops->role(c->ctx, c, &change);
}

/* Section 7. The caller's filter accepts the virtual MAC from role() on, before anything attracts traffic to it. */
void
fo_carp_become_master(struct fo_carp *c, enum fo_carp_why why)
{
	set_state(c, FO_CARP_MASTER, why);
	advertise_now(c);
	c->announce_in = ANNOUNCE_AGAIN;
	c->ops->announce(c->ctx, c, false);
	fo_group_own_demotion(c);
}

void
fo_carp_become_backup(struct fo_carp *c, enum fo_carp_why why)
{
	set_state(c, FO_CARP_BACKUP, c->resigning ? FO_CARP_WHY_RESIGNED : why);
	/* The other one steps down as well, and its timers are as long as these: another delay for everyone, every time. */
	if (why == FO_CARP_WHY_EQUAL) {
		if (c->equal_losses < EQUAL_LOSSES_MAX)
			c->equal_losses++;
		c->extra_us = fo_carp_random(c) % (fo_carp_interval_us(c) * c->equal_losses);
	}
	for (enum fo_family f = 0; f < FO_FAMILIES; f++)
		fo_carp_wait(c, f);
}

/* Goes where its inputs say; INIT is left for BACKUP alone. */
static void
settle(struct fo_carp *c)
{
	if (!c->up || !c->link || c->n_addrs == 0) {
		if (c->state != FO_CARP_INIT)
			set_state(c, FO_CARP_INIT, !c->up ? FO_CARP_WHY_ADMIN_DOWN : !c->link ? FO_CARP_WHY_LINK_DOWN :
				FO_CARP_WHY_NO_ADDRESS);
	} else if (c->state == FO_CARP_INIT) {
		fo_carp_become_backup(c, FO_CARP_WHY_READY);
	}
	fo_group_own_demotion(c);
}

void
fo_carp_up(struct fo_carp *c, bool up, uint64_t now_us)
{
	fo_carp_clock(c, now_us);
	if (c->state == FO_CARP_MASTER && !up)
		send_all(c, true);
	c->up = up;
	settle(c);
}

void
fo_carp_link(struct fo_carp *c, bool up, uint64_t now_us)
{
	fo_carp_clock(c, now_us);
	c->link = up;
	settle(c);
}

void
fo_carp_demote(struct fo_carp *c, unsigned count, int skew, uint64_t now_us)
{
	uint8_t demote = (uint8_t)(count > FO_CARP_DEMOTE_MAX ? FO_CARP_DEMOTE_MAX : count);

	fo_carp_clock(c, now_us);
	if (c->demote == demote && c->skew == skew)
		return;
	c->demote = demote;
	c->skew = skew;
	if (c->state == FO_CARP_MASTER) {
		advertise_now(c);
		fo_group_own_demotion(c);
	}
}

int
fo_carp_set_state(struct fo_carp *c, enum fo_carp_state to, uint64_t now_us)
{
	fo_carp_clock(c, now_us);
	if (c->state == FO_CARP_INIT)
		return -ENETDOWN;
	if (to == FO_CARP_MASTER && c->state == FO_CARP_BACKUP) {
		fo_carp_become_master(c, FO_CARP_WHY_USER);
	} else if (to == FO_CARP_BACKUP && c->state == FO_CARP_MASTER) {
		send_all(c, true);
		fo_carp_become_backup(c, FO_CARP_WHY_USER);
	}
	return 0;
}

/* Planned handover; the caller demotes this one, so that another takes over, and preempt does not undo it. */
void
fo_carp_resign(struct fo_carp *c, uint64_t bow_out_us, uint64_t now_us)
{
	fo_carp_clock(c, now_us);
	if (c->state != FO_CARP_MASTER)
		return;
	c->resigning = true;
	c->bow_out_due_us = bow_out_us < FO_CARP_NEVER - c->now_us ? c->now_us + bow_out_us : FO_CARP_NEVER;
}

void
fo_carp_stay(struct fo_carp *c)
{
	c->resigning = false;
	c->bow_out_due_us = FO_CARP_NEVER;
}

void
fo_carp_peer_dead(struct fo_carp *c, uint64_t now_us)
{
	fo_carp_clock(c, now_us);
	if (c->state == FO_CARP_BACKUP)
		fo_carp_become_master(c, FO_CARP_WHY_PEER_DEAD);
}

void
fo_carp_peer_suspect(struct fo_carp *c, uint64_t now_us)
{
	uint64_t theirs_us, due_us;

	fo_carp_clock(c, now_us);
	if (c->state != FO_CARP_BACKUP)
		return;
	for (enum fo_family f = 0; f < FO_FAMILIES; f++) {
		const struct fo_heard *heard = &c->heard[f];

		if (c->down_due_us[f] == FO_CARP_NEVER || !heard->any || heard->us < c->since_us)
			continue;
		theirs_us = fo_carp_time_us(heard->carp.advbase, heard->carp.advskew);
		if (theirs_us == 0)
			theirs_us = US_PER_SEC / 256;
		due_us = heard->us + theirs_us + theirs_us / 2;
		/* never at once: an advertisement that is on its way gets half an interval */
		if (due_us < c->now_us + theirs_us / 2)
			due_us = c->now_us + theirs_us / 2;
		if (due_us < c->down_due_us[f])
			c->down_due_us[f] = due_us;
	}
}

uint64_t
fo_carp_deadline(const struct fo_carp *c)
{
	uint64_t v4 = c->down_due_us[FO_INET], v6 = c->down_due_us[FO_INET6];

	if (c->state == FO_CARP_MASTER)
		return c->ad_due_us < c->bow_out_due_us ? c->ad_due_us : c->bow_out_due_us;
	return v4 < v6 ? v4 : v6;
}

uint64_t
fo_carp_tick(struct fo_carp *c, uint64_t now_us)
{
	uint64_t due_us = fo_carp_deadline(c), late_us;

	fo_carp_clock(c, now_us);
	if (due_us > c->now_us)
		return due_us;
	late_us = c->now_us - due_us;
	if (c->state == FO_CARP_MASTER && late_us >= fo_carp_master_down_us(c)) {
		c->stats.stalls++;
		fo_carp_become_backup(c, FO_CARP_WHY_FROZEN);
	} else if (c->state == FO_CARP_MASTER && c->bow_out_due_us <= c->now_us) {
		send_all(c, true);
		fo_carp_become_backup(c, FO_CARP_WHY_RESIGNED);
	} else if (c->state == FO_CARP_MASTER) {
		advertise_in_turn(c);
		fo_group_own_demotion(c);
	} else if (late_us >= fo_carp_interval_us(c) && !c->waited_anew) {
		c->stats.stalls++;
		c->waited_anew = true;
		for (enum fo_family f = 0; f < FO_FAMILIES; f++)
			fo_carp_wait(c, f);
	} else {
		fo_carp_become_master(c, FO_CARP_WHY_TIMED_OUT);
	}
	return fo_carp_deadline(c);
}

/* ---- configuration */

static const char *
bad_conf(const struct fo_carp_conf *conf)
{
	if (conf->vhid == 0)
		return "vhid must be 1 to 255";
	if (conf->advbase > FO_CARP_ADVBASE_MAX)
		return "advbase must be 0 to 254";
	if (conf->advskew > FO_CARP_ADVSKEW_MAX)
		return "advskew must be 0 to 254";
	if (memchr(conf->name, '\0', sizeof(conf->name)) == NULL || conf->name[0] == '\0')
		return "the name must have 1 to 15 characters";
	if (memchr(conf->pass, '\0', sizeof(conf->pass)) == NULL)
		return "the password is too long";
	if (conf->peer_kind > FO_CARP_PEER_FREEBSD)
		return "the kind of peer must be auto, openbsd or freebsd";
	if (conf->counter_strict && !conf->counter_rises)
		return "a strict counter must rise";
	return NULL;
}

struct fo_carp *
fo_carp_create(const struct fo_carp_conf *conf, const struct fo_carp_ops *ops, void *ctx, uint64_t now_us, const char **err)
{
	const char *bad = bad_conf(conf);
	struct fo_carp *c;

	if (err != NULL)
		*err = bad;
	if (bad != NULL) {
		errno = EINVAL;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->auth = fo_carp_auth_create()) == NULL ||
	    fo_carp_auth_set(c->auth, conf->vhid, conf->pass, NULL, 0) != 0) {
		fo_carp_free(c);
		errno = ENOMEM;
		return NULL;
	}
	c->conf = *conf;
	c->ops = ops;
	c->ctx = ctx;
	c->now_us = c->since_us = now_us;
	c->why = FO_CARP_WHY_CREATED;
	c->ad_due_us = c->down_due_us[FO_INET] = c->down_due_us[FO_INET6] = c->bow_out_due_us = FO_CARP_NEVER;
	return c;
}

void
fo_carp_free(struct fo_carp *c)
{
	if (c == NULL)
		return;
	if (c->group != NULL)
		fo_group_forget(c);
	fo_carp_auth_free(c->auth);
	free(c->addrs);
	OPENSSL_cleanse(&c->conf, sizeof(c->conf));
	free(c);
}

int
fo_carp_reconf(struct fo_carp *c, const struct fo_carp_conf *conf, uint64_t now_us, const char **err)
{
	const char *bad = bad_conf(conf);

	fo_carp_clock(c, now_us);
	if (err != NULL)
		*err = bad;
	if (bad != NULL)
		return -EINVAL;
	if (conf->ifid != c->conf.ifid || conf->vhid != c->conf.vhid)
		return -EBUSY;
	if (fo_carp_auth_set(c->auth, conf->vhid, conf->pass, c->addrs, c->n_addrs) != 0)
		return -ENOMEM;
	c->conf = *conf;
	if (c->state == FO_CARP_MASTER) {
		advertise_now(c);
		fo_group_own_demotion(c);
	} else if (c->state == FO_CARP_BACKUP) {
		for (enum fo_family f = 0; f < FO_FAMILIES; f++)
			fo_carp_wait(c, f);
	}
	return 0;
}

int
fo_carp_addrs(struct fo_carp *c, const struct fo_addr *addrs, size_t n, uint64_t now_us)
{
	struct fo_addr *copy = calloc(n + 1, sizeof(*copy));
	bool had[FO_FAMILIES] = { c->family[FO_INET], c->family[FO_INET6] };

	fo_carp_clock(c, now_us);
	if (copy == NULL)
		return -ENOMEM;
	if (n != 0)
		memcpy(copy, addrs, n * sizeof(*copy));
	if (fo_carp_auth_set(c->auth, c->conf.vhid, c->conf.pass, copy, n) != 0) {
		free(copy);
		return -ENOMEM;
	}
	free(c->addrs);
	c->addrs = copy;
	c->n_addrs = n;
	c->family[FO_INET] = c->family[FO_INET6] = false;
	for (size_t i = 0; i < n; i++)
		c->family[copy[i].family != FO_INET] = true;
	settle(c);
	if (n == 0)
		return 0;
	if (c->state == FO_CARP_MASTER) {
		/* whoever listens must learn the new ones, twice as after a takeover */
		advertise_now(c);
		c->announce_in = ANNOUNCE_AGAIN;
		c->ops->announce(c->ctx, c, false);
		fo_group_own_demotion(c);
	} else if (c->state == FO_CARP_BACKUP) {
		for (enum fo_family f = 0; f < FO_FAMILIES; f++)
			if (had[f] != c->family[f])
				fo_carp_wait(c, f);
	}
	return 0;
}

void
fo_carp_info_get(const struct fo_carp *c, struct fo_carp_info *info)
{
	*info = (struct fo_carp_info){ .conf = &c->conf, .addrs = c->addrs, .n_addrs = c->n_addrs, .state = c->state,
		.why = c->why, .since_us = c->since_us, .up = c->up, .link = c->link, .send_errors = c->send_errors,
		.demote = c->demote, .advskew = fo_carp_advskew(c), .peer_kind = fo_carp_kind(c), .heard = c->last != NULL };
	if (c->last == NULL)
		return;
	info->heard_us = c->last->us;
	info->heard_family = (uint8_t)(c->last - c->heard);
	info->heard_advbase = c->last->carp.advbase;
	info->heard_advskew = c->last->carp.advskew;
	info->heard_demote = c->last->carp.demote;
	memcpy(info->heard_src, c->last->src, sizeof(info->heard_src));
}

const struct fo_carp_stats *
fo_carp_stats_get(const struct fo_carp *c)
{
	return &c->stats;
}
