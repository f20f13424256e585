/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All virtual hosts of a box; see group.h.
 *
 * Demotions that a virtual host causes by itself (link, send errors) need no memory at that moment: their nodes are part of
 * its membership, made when it is added. They count in each group that the cause and the concerned share, as in OpenBSD,
 * where the cause raises the counter of all its groups.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failover/carp_priv.h"
#include "failover/group.h"

#define VHIDS 256
#define APPLY_ROUNDS 4 /* an advertisement of a demotion may fail and demote further; then the next tick goes on */

enum cause { CAUSE_LINK, CAUSE_SEND, CAUSES };

struct node {
	struct node *next;
	struct fo_carp *of; /* who causes it by itself; NULL: set by fo_group_demote() */
	enum cause cause; /* of that */
	bool active;
	struct fo_demotion d;
};

struct fo_group {
	struct fo_carp *carps;
	struct fo_carp *by_vhid[VHIDS];
	struct node *demotions;
	bool allow, held;
	bool applying, again;
	uint64_t now_us;
	fo_demotion_fn on_demotion;
	void *on_demotion_ctx;
	struct fo_carp_stats stats; /* what came to no virtual host, and what removed ones have counted */
};

static uint64_t
clock_us(struct fo_group *g, uint64_t now_us)
{
	if (now_us > g->now_us)
		g->now_us = now_us;
	return g->now_us;
}

struct fo_group *
fo_group_create(void)
{
	struct fo_group *g = calloc(1, sizeof(*g));

	if (g != NULL)
		g->allow = true;
	return g;
}

/* ---- who is in which group */

static bool
is_member(const struct fo_carp *c, const char *group)
{
	if (strcmp(group, FO_GROUP_DEFAULT) == 0)
		return true;
	for (const struct fo_member *m = c->members; m != NULL; m = m->next)
		if (strcmp(m->name, group) == 0)
			return true;
	return false;
}

static unsigned
shared_groups(const struct fo_carp *a, const struct fo_carp *b)
{
	unsigned n = 1; /* the default one */

	for (const struct fo_member *m = a->members; m != NULL; m = m->next)
		n += is_member(b, m->name);
	return n;
}

static bool
good_name(const char *s, size_t size)
{
	return s[0] != '\0' && strlen(s) < size;
}

/* ---- demotion */

static void
tell(struct fo_group *g, const struct node *n, bool set)
{
	if (g->on_demotion != NULL)
		g->on_demotion(g->on_demotion_ctx, &n->d, set);
}

void
fo_group_on_demotion(struct fo_group *g, fo_demotion_fn fn, void *ctx)
{
	g->on_demotion = fn;
	g->on_demotion_ctx = ctx;
}

/* Out of the list, and gone. */
static void
lift(struct fo_group *g, struct node **at)
{
	struct node *n = *at;

	*at = n->next;
	if (n->active)
		tell(g, n, false);
	free(n);
}

static void
sum_for(const struct fo_group *g, const struct fo_carp *c, uint64_t *count, int64_t *skew)
{
	uint64_t own = 0;

	*count = 0;
	*skew = 0;
	for (const struct node *n = g->demotions; n != NULL; n = n->next) {
		unsigned times = n->of != NULL ? shared_groups(c, n->of) : is_member(c, n->d.group);

		if (!n->active)
			continue;
		if (times != 0) {
			*count += (uint64_t)times * n->d.count;
			*skew += n->d.skew;
		} else if (strcmp(n->d.group, c->conf.name) == 0) {
			own += n->d.count;
			*skew += n->d.skew;
		}
	}
	if (*count == 0)
		*count = own;
}

static void
apply(struct fo_group *g)
{
	if (g->applying) {
		g->again = true;
		return;
	}
	g->applying = true;
	for (unsigned round = 0; round < APPLY_ROUNDS; round++) {
		g->again = false;
		for (struct fo_carp *c = g->carps; c != NULL; c = c->next) {
			uint64_t count;
			int64_t skew;

			sum_for(g, c, &count, &skew);
			/* beyond this no advskew can be told from another */
			skew = skew > INT16_MAX ? INT16_MAX : skew < INT16_MIN ? INT16_MIN : skew;
			fo_carp_demote(c, count > FO_CARP_DEMOTE_MAX ? FO_CARP_DEMOTE_MAX : (unsigned)count, (int)skew, g->now_us);
		}
		if (!g->again)
			break;
	}
	g->applying = false;
}

void
fo_group_own_demotion(struct fo_carp *c)
{
	struct fo_group *g = c->group;
	/* set down by hand is no fault; without addresses there is nothing to lose */
	bool want[CAUSES] = { c->up && !c->link && c->n_addrs != 0, c->send_errors };
	bool changed = false;

	if (g == NULL)
		return;
	clock_us(g, c->now_us);
	for (struct node *n = g->demotions; n != NULL; n = n->next) {
		if (n->of != c || n->active == want[n->cause])
			continue;
		n->active = want[n->cause];
		n->d.since_us = g->now_us;
		tell(g, n, n->active);
		changed = true;
	}
	if (changed)
		apply(g);
}

static struct node *
own_node(struct fo_carp *c, enum cause cause)
{
	struct node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->of = c;
	n->cause = cause;
	n->d.deadline_us = FO_CARP_NEVER;
	n->d.count = cause == CAUSE_LINK ? FO_DEMOTE_LINK : FO_DEMOTE_SENDERR;
	n->d.skew = FO_DEMOTE_SKEW;
	snprintf(n->d.group, sizeof(n->d.group), "%s", FO_GROUP_DEFAULT);
	snprintf(n->d.owner, sizeof(n->d.owner), "%s", c->conf.name);
	snprintf(n->d.reason, sizeof(n->d.reason), "%s", cause == CAUSE_LINK ? "parent link down" : "send errors");
	return n;
}

int
fo_group_demote(struct fo_group *g, const char *group, const char *owner, const char *reason, unsigned count, int skew,
	uint64_t deadline_us, uint64_t now_us)
{
	struct node **at, *n;

	clock_us(g, now_us);
	if (!good_name(group, FO_GROUP_NAME_SIZE) || strcmp(group, "all") == 0 || !good_name(owner, FO_OWNER_SIZE))
		return -EINVAL;
	for (at = &g->demotions; (n = *at) != NULL; at = &n->next)
		if (n->of == NULL && strcmp(n->d.group, group) == 0 && strcmp(n->d.owner, owner) == 0)
			break;
	if (count == 0 && skew == 0) {
		if (n == NULL)
			return -ENOENT;
		lift(g, at);
		apply(g);
		return 0;
	}
	if (n == NULL) {
		if ((n = calloc(1, sizeof(*n))) == NULL)
			return -ENOMEM;
		n->active = true;
		n->d.since_us = g->now_us;
		snprintf(n->d.group, sizeof(n->d.group), "%s", group);
		snprintf(n->d.owner, sizeof(n->d.owner), "%s", owner);
		*at = n;
	}
	n->d.count = count;
	n->d.skew = skew;
	n->d.deadline_us = deadline_us;
	snprintf(n->d.reason, sizeof(n->d.reason), "%s", reason);
	tell(g, n, true);
	apply(g);
	return 0;
}

const struct fo_demotion *
fo_group_demotion(const struct fo_group *g, size_t i)
{
	for (const struct node *n = g->demotions; n != NULL; n = n->next)
		if (n->active && i-- == 0)
			return &n->d;
	return NULL;
}

unsigned
fo_group_demote_count(const struct fo_group *g, const char *group)
{
	uint64_t sum = 0;

	for (const struct node *n = g->demotions; n != NULL; n = n->next)
		if (n->active && (n->of != NULL ? is_member(n->of, group) : strcmp(n->d.group, group) == 0))
			sum += n->d.count;
	return sum > UINT32_MAX ? UINT32_MAX : (unsigned)sum;
}

/* ---- members */

int
fo_group_add(struct fo_group *g, struct fo_carp *c, uint64_t now_us)
{
	struct node *own[CAUSES];
	struct fo_carp **at;

	clock_us(g, now_us);
	if (c->group != NULL || fo_group_find(g, c->conf.ifid, c->conf.vhid) != NULL)
		return -EEXIST;
	own[CAUSE_LINK] = own_node(c, CAUSE_LINK);
	own[CAUSE_SEND] = own_node(c, CAUSE_SEND);
	if (own[CAUSE_LINK] == NULL || own[CAUSE_SEND] == NULL) {
		free(own[CAUSE_LINK]);
		free(own[CAUSE_SEND]);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < CAUSES; i++) {
		own[i]->next = g->demotions;
		g->demotions = own[i];
	}
	for (at = &g->carps; *at != NULL; at = &(*at)->next)
		;
	*at = c;
	c->next = NULL;
	c->next_vhid = g->by_vhid[c->conf.vhid];
	g->by_vhid[c->conf.vhid] = c;
	c->group = g;
	c->held = g->held;
	fo_group_own_demotion(c);
	apply(g);
	return 0;
}

static void
add_stats(struct fo_carp_stats *sum, const struct fo_carp *c)
{
#define X(name, help) sum->name += c->stats.name;
	FO_CARP_COUNTERS(X)
#undef X
	/* counted by the group */
	sum->ipackets -= c->stats.ipackets;
	sum->ipackets6 -= c->stats.ipackets6;
}

/* Take out of all lists, nobody else is told. */
void
fo_group_forget(struct fo_carp *c)
{
	struct fo_group *g = c->group;
	struct fo_carp **at;
	struct fo_member *m;
	struct node **nat;

	for (at = &g->carps; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	for (at = &g->by_vhid[c->conf.vhid]; *at != c; at = &(*at)->next_vhid)
		;
	*at = c->next_vhid;
	for (nat = &g->demotions; *nat != NULL;) {
		struct node *n = *nat;

		if (n->of != c) {
			nat = &n->next;
			continue;
		}
		lift(g, nat);
	}
	while ((m = c->members) != NULL) {
		c->members = m->next;
		free(m);
	}
	add_stats(&g->stats, c);
	c->group = NULL;
}

void
fo_group_remove(struct fo_group *g, struct fo_carp *c, uint64_t now_us)
{
	clock_us(g, now_us);
	fo_group_forget(c);
	fo_carp_demote(c, 0, 0, now_us);
	apply(g);
}

void
fo_group_free(struct fo_group *g)
{
	struct node *n;

	if (g == NULL)
		return;
	while (g->carps != NULL)
		fo_carp_free(g->carps);
	while ((n = g->demotions) != NULL) {
		g->demotions = n->next;
		free(n);
	}
	free(g);
}

struct fo_carp *
fo_group_next(const struct fo_group *g, const struct fo_carp *c)
{
	return c == NULL ? g->carps : c->next;
}

struct fo_carp *
fo_group_find(const struct fo_group *g, uint32_t ifid, uint8_t vhid)
{
	struct fo_carp *c = g->by_vhid[vhid];

	while (c != NULL && c->conf.ifid != ifid)
		c = c->next_vhid;
	return c;
}

struct fo_carp *
fo_group_by_name(const struct fo_group *g, const char *name)
{
	struct fo_carp *c = g->carps;

	while (c != NULL && strcmp(c->conf.name, name) != 0)
		c = c->next;
	return c;
}

int
fo_group_join(struct fo_group *g, struct fo_carp *c, const char *name, uint64_t now_us)
{
	struct fo_member *m;

	clock_us(g, now_us);
	if (!good_name(name, FO_GROUP_NAME_SIZE) || strcmp(name, "all") == 0)
		return -EINVAL;
	if (is_member(c, name))
		return -EEXIST;
	if ((m = malloc(sizeof(*m) + strlen(name) + 1)) == NULL)
		return -ENOMEM;
	strcpy(m->name, name);
	m->next = c->members;
	c->members = m;
	apply(g);
	return 0;
}

int
fo_group_leave(struct fo_group *g, struct fo_carp *c, const char *name, uint64_t now_us)
{
	clock_us(g, now_us);
	for (struct fo_member **at = &c->members, *m; (m = *at) != NULL; at = &m->next) {
		if (strcmp(m->name, name) != 0)
			continue;
		*at = m->next;
		free(m);
		apply(g);
		return 0;
	}
	return -ENOENT;
}

/* ---- inputs */

void
fo_group_link(struct fo_group *g, uint32_t ifid, bool up, uint64_t now_us)
{
	clock_us(g, now_us);
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		if (c->conf.ifid == ifid && c->link != up)
			fo_carp_link(c, up, now_us);
}

void
fo_group_up(struct fo_group *g, struct fo_carp *c, bool up, uint64_t now_us)
{
	clock_us(g, now_us);
	fo_carp_up(c, up, now_us);
}

void
fo_group_allow(struct fo_group *g, bool allow)
{
	g->allow = allow;
}

static bool
has_children(const struct fo_group *g, uint32_t ifid)
{
	const struct fo_carp *c = g->carps;

	while (c != NULL && c->conf.ifid != ifid)
		c = c->next;
	return c != NULL;
}

enum fo_carp_counter
fo_group_input(struct fo_group *g, const struct fo_carp_rx *rx, uint64_t now_us)
{
	struct fo_carp_stats *s = &g->stats;
	struct sync_carp h;
	struct fo_carp *c;

	clock_us(g, now_us);
	if (rx->family == FO_INET)
		s->ipackets++;
	else
		s->ipackets6++;
	if (!g->allow)
		return fo_carp_count(s, FO_CARP_C_drop);
	/* IPv4 multicast is taken from any Ethernet port, and then has no virtual host */
	if ((rx->family != FO_INET || !rx->multicast) && !has_children(g, rx->ifid))
		return fo_carp_count(s, FO_CARP_C_badif);
	if (rx->ttl != FO_CARP_TTL)
		return fo_carp_count(s, FO_CARP_C_badttl);
	if (rx->payload == NULL)
		return fo_carp_count(s, FO_CARP_C_hdrops);
	switch (sync_carp_decode(&h, rx->payload, rx->len)) {
	case SYNC_CARP_VRRP:
		return fo_carp_count(s, FO_CARP_C_vrrp);
	case SYNC_CARP_BADLEN:
		return fo_carp_count(s, FO_CARP_C_badlen);
	case SYNC_CARP_BADSUM:
		return fo_carp_count(s, FO_CARP_C_badsum);
	case SYNC_CARP_BADVER: /* the virtual host comes first, and looks at it */
	case SYNC_CARP_OK:
		break;
	}
	if ((c = fo_group_find(g, rx->ifid, h.vhid)) == NULL)
		return fo_carp_count(s, FO_CARP_C_badvhid);
	return fo_carp_input(c, &h, rx, now_us);
}

uint64_t
fo_group_deadline(const struct fo_group *g)
{
	uint64_t first = FO_CARP_NEVER, us;

	for (const struct fo_carp *c = g->carps; c != NULL; c = c->next)
		if ((us = fo_carp_deadline(c)) < first)
			first = us;
	for (const struct node *n = g->demotions; n != NULL; n = n->next)
		if (n->active && n->d.deadline_us < first)
			first = n->d.deadline_us;
	return first;
}

uint64_t
fo_group_tick(struct fo_group *g, uint64_t now_us)
{
	bool ended = false;

	clock_us(g, now_us);
	for (struct node **at = &g->demotions, *n; (n = *at) != NULL;) {
		if (!n->active || n->d.deadline_us > g->now_us) {
			at = &n->next;
			continue;
		}
		lift(g, at);
		ended = true;
	}
	if (ended || g->again)
		apply(g);
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		fo_carp_tick(c, g->now_us);
	return fo_group_deadline(g);
}

void
fo_group_peer_dead(struct fo_group *g, uint64_t now_us)
{
	clock_us(g, now_us);
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		fo_carp_peer_dead(c, g->now_us);
}

void
fo_group_peer_suspect(struct fo_group *g, uint64_t now_us)
{
	clock_us(g, now_us);
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		fo_carp_peer_suspect(c, g->now_us);
}

void
fo_group_hold(struct fo_group *g, bool on)
{
	g->held = on;
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		c->held = on;
}

unsigned
fo_group_gather(struct fo_group *g, unsigned peer_count, bool preempting, uint64_t now_us)
{
	unsigned n = 0;

	clock_us(g, now_us);
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next) {
		const struct fo_heard *h = c->last;
		uint64_t theirs_us;

		if (c->state != FO_CARP_BACKUP || !c->conf.preempt || fo_carp_kind(c) == FO_CARP_PEER_FREEBSD)
			continue;
		fo_carp_clock(c, now_us);
		if (peer_count > c->demote) {
			fo_carp_become_master(c, FO_CARP_WHY_MORE_DEMOTED);
			n++;
			continue;
		}
		if (!preempting || c->held || h == NULL || h->carp.demote < c->demote)
			continue;
		theirs_us = fo_carp_time_us(h->carp.advbase, h->carp.advskew);
		/* a master that is there advertised within the last interval or two */
		if (c->now_us - h->us > 2 * theirs_us || fo_carp_time_us(c->conf.advbase, fo_carp_advskew(c)) >= theirs_us)
			continue;
		c->stats.preempt++;
		fo_carp_become_master(c, FO_CARP_WHY_PREEMPT);
		n++;
	}
	return n;
}

int
fo_group_resign(struct fo_group *g, uint64_t hold_us, uint64_t bow_out_us, uint64_t now_us)
{
	int rc;

	clock_us(g, now_us);
	/* first, so that whoever answers the demotion at once finds it */
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		fo_carp_resign(c, bow_out_us, g->now_us);
	rc = fo_group_demote(g, FO_GROUP_DEFAULT, "failover", "planned handover", FO_DEMOTE_RESIGN, FO_DEMOTE_SKEW,
		g->now_us + hold_us, g->now_us);
	for (struct fo_carp *c = g->carps; c != NULL && rc != 0; c = c->next)
		fo_carp_stay(c);
	return rc;
}

unsigned
fo_group_masters(const struct fo_group *g)
{
	unsigned n = 0;

	for (const struct fo_carp *c = g->carps; c != NULL; c = c->next)
		n += c->state == FO_CARP_MASTER;
	return n;
}

void
fo_group_shutdown(struct fo_group *g, uint64_t now_us)
{
	clock_us(g, now_us);
	for (struct fo_carp *c = g->carps; c != NULL; c = c->next)
		fo_carp_up(c, false, g->now_us);
}

void
fo_group_stats_get(const struct fo_group *g, struct fo_carp_stats *stats)
{
	*stats = g->stats;
	for (const struct fo_carp *c = g->carps; c != NULL; c = c->next)
		add_stats(stats, c);
}
