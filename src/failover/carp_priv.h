/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of a virtual host: carp.c has its life and its timers, carp_input.c what it hears, group.c all of them. */
#ifndef FO_CARP_PRIV_H
#define FO_CARP_PRIV_H

#include "failover/carp.h"

#define US_PER_SEC 1000000u

/* A virtual host's membership of an interface group. */
struct fo_member {
	struct fo_member *next;
	char name[];
};

struct fo_carp {
	struct fo_carp_conf conf;
	const struct fo_carp_ops *ops;
	void *ctx;
	struct fo_carp_auth *auth;
	struct fo_addr *addrs;
	size_t n_addrs;
	bool family[FO_FAMILIES]; /* has addresses of it */

	/* inputs */
	uint64_t now_us; /* the latest */
	bool up, link;
	uint8_t demote; /* D */
	int skew; /* the same for FreeBSD */
	bool held; /* does not preempt for now */

	/* role */
	enum fo_carp_state state;
	enum fo_carp_why why;
	uint64_t since_us;
	uint64_t ad_due_us; /* MASTER */
	uint64_t ad_sent_us; /* the last one */
	uint64_t down_due_us[FO_FAMILIES]; /* BACKUP; NEVER for a family without addresses */
	bool waited_anew; /* BACKUP: timers were set anew because of a stall, not a second time */
	bool resigning; /* MASTER: gives the role to whoever advertises first */
	uint64_t bow_out_due_us; /* MASTER: resigning, and nobody has taken over until then */
	unsigned announce_in; /* MASTER: advertisements until the second announcement, 0 after it */
	uint64_t extra_us; /* BACKUP: beyond the master-down time, after a loss to equal values */
	unsigned equal_losses; /* times that equal values ended a MASTER since one lasted */

	/* digest */
	bool linklocal; /* as the last good advertisement had it */
	bool has_counter;
	uint64_t counter; /* constant, or the last sent or adopted */
	uint64_t highest[FO_FAMILIES]; /* strict: sent or accepted */
	bool has_sent[FO_FAMILIES];
	struct sync_carp sent[FO_FAMILIES];

	/* the last good advertisements */
	struct fo_heard {
		bool any;
		uint64_t us;
		struct sync_carp carp;
		uint8_t src[16];
	} heard[FO_FAMILIES];
	const struct fo_heard *last; /* of them; NULL before the first */
	enum fo_carp_peer seen_kind; /* AUTO: nothing seen so far */

	/* send errors: section 6 */
	unsigned errors, successes; /* consecutive */
	bool send_errors; /* demotes until enough went out */

	struct fo_carp_stats stats;

	/* group.c */
	struct fo_group *group;
	struct fo_carp *next, *next_vhid;
	struct fo_member *members;
};

/* No time before the last one. */
static inline uint64_t
fo_carp_clock(struct fo_carp *c, uint64_t now_us)
{
	if (now_us > c->now_us)
		c->now_us = now_us;
	return c->now_us;
}

/* OpenBSD or FreeBSD, or AUTO when that is not known. */
static inline enum fo_carp_peer
fo_carp_kind(const struct fo_carp *c)
{
	return c->conf.peer_kind != FO_CARP_PEER_AUTO ? (enum fo_carp_peer)c->conf.peer_kind : c->seen_kind;
}

static inline uint64_t
fo_carp_time_us(unsigned advbase, unsigned advskew)
{
	return (uint64_t)advbase * US_PER_SEC + (uint64_t)advskew * US_PER_SEC / 256;
}

/* Discards count twice, at the virtual host and in the group. */
static inline enum fo_carp_counter
fo_carp_count(struct fo_carp_stats *s, enum fo_carp_counter c)
{
	if (c != FO_CARP_NONE)
		((uint64_t *)s)[c - 1]++;
	return c;
}

uint8_t fo_carp_advskew(const struct fo_carp *c);
void fo_carp_become_master(struct fo_carp *c, enum fo_carp_why why);
void fo_carp_become_backup(struct fo_carp *c, enum fo_carp_why why);
void fo_carp_wait(struct fo_carp *c, enum fo_family f);
void fo_carp_resign(struct fo_carp *c, uint64_t bow_out_us, uint64_t now_us);
void fo_carp_stay(struct fo_carp *c);
uint64_t fo_carp_random(struct fo_carp *c);
/* In a group: what this virtual host demotes by itself may have changed. */
void fo_group_own_demotion(struct fo_carp *c);
void fo_group_forget(struct fo_carp *c);

#endif
