/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carpN: configuration and life. Main lcore; what concerns the engine is done on the thread of the pair, by sync_thread_call().
 *
 * What is configured lies in fo_if.conf. attach() makes a virtual host of it when it has a vhid and its carpdev is there,
 * detach() takes that away, follow() tells it of link and up. fo_poll() does so again whenever the box's interfaces changed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "failover/fo_priv.h"
#include "fastpath/conf.h"
#include "fastpath/port.h"

#define STALE_MS 200	/* a box that stood still so long may have lost its role to another */
#define POLL_US 10000	/* link of the parents, demotion of the pair */
#define OWNER_SYNC "pfsync"
#define OWNER_USER "user"

RTE_LOG_REGISTER(fo_log, twinpath.carp, NOTICE);
#define LOG(level, ...) rte_log(RTE_LOG_##level, fo_log, "twinpath: " __VA_ARGS__)

struct fo *
fo_of(const struct fp_box *box)
{
	return box->fo;
}

/* ---- a configuration */
void
fo_if_conf_init(struct fo_if_conf *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->advbase = 1;
}

void
fo_if_conf_free(struct fo_if_conf *c)
{
	free(c->addrs);
	free(c->groups);
	c->addrs = NULL;
	c->groups = NULL;
	c->n_addrs = c->n_groups = 0;
}

int
fo_if_conf_addr(struct fo_if_conf *c, const struct fo_if_addr *a)
{
	struct fo_if_addr *v = realloc(c->addrs, (c->n_addrs + 1) * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	c->addrs = v;
	v[c->n_addrs++] = *a;
	return 0;
}

int
fo_if_conf_group(struct fo_if_conf *c, const char *name)
{
	void *v;

	if (name[0] == '\0' || strlen(name) >= sizeof(c->groups[0]) || strcmp(name, "all") == 0)
		return -EINVAL;
	if (strcmp(name, FO_GROUP_DEFAULT) == 0)
		return -EEXIST;
	for (unsigned i = 0; i < c->n_groups; i++)
		if (strcmp(c->groups[i], name) == 0)
			return -EEXIST;
	v = realloc(c->groups, (c->n_groups + 1) * sizeof(c->groups[0]));
	if (v == NULL)
		return -ENOMEM;
	c->groups = v;
	snprintf(c->groups[c->n_groups++], sizeof(c->groups[0]), "%s", name);
	return 0;
}

static int
conf_copy(struct fo_if_conf *to, const struct fo_if_conf *from)
{
	*to = *from;
	to->addrs = malloc(from->n_addrs * sizeof(*to->addrs) + 1);
	to->groups = malloc(from->n_groups * sizeof(*to->groups) + 1);
	if (to->addrs == NULL || to->groups == NULL) {
		fo_if_conf_free(to);
		return -ENOMEM;
	}
	if (from->n_addrs != 0)
		memcpy(to->addrs, from->addrs, from->n_addrs * sizeof(*to->addrs));
	if (from->n_groups != 0)
		memcpy(to->groups, from->groups, from->n_groups * sizeof(*to->groups));
	return 0;
}

/* ---- calls to the thread */
enum op { OP_ADD, OP_REMOVE, OP_RECONF, OP_FOLLOW, OP_STATE, OP_INFO, OP_DEMOTE, OP_DEMOTION, OP_COUNT, OP_STATS, OP_MASTERS,
	OP_ALLOW, OP_SHUTDOWN };

struct call {
	struct fo *f;
	struct fo_if *v;
	enum op op;
	int rc;
	const char *why;		/* of a refusal */
	struct fo_carp_conf conf;
	struct fo_addr *addrs;
	const struct fo_if_conf *from;	/* groups to leave; NULL: none */
	const struct fo_if_conf *to;
	bool link, up;
	enum fo_carp_state state;
	struct fo_info *info;
	struct fo_demotion d;
	unsigned i;
	struct fo_carp_stats *stats;
};

static void
do_groups(struct call *a, uint64_t now_us)
{
	struct fo_carp *c = a->v->c;

	for (unsigned i = 0; a->from != NULL && i < a->from->n_groups; i++)
		fo_group_leave(a->f->group, c, a->from->groups[i], now_us);
	for (unsigned i = 0; i < a->to->n_groups; i++)
		if (fo_group_join(a->f->group, c, a->to->groups[i], now_us) == -ENOMEM)
			a->rc = -ENOMEM;
}

static void
do_add(struct call *a, uint64_t now_us)
{
	struct fo *f = a->f;
	struct fo_carp *c;

	if (fo_group_find(f->group, a->conf.ifid, a->conf.vhid) != NULL) {
		a->rc = -EEXIST;
		return;
	}
	c = fo_carp_create(&a->conf, &fo_wire_ops, a->v, now_us, &a->why);
	if (c == NULL) {
		a->rc = -errno;
		return;
	}
	a->rc = fo_carp_addrs(c, a->addrs, a->to->n_addrs, now_us);
	if (a->rc == 0)
		a->rc = fo_group_add(f->group, c, now_us);
	if (a->rc != 0) {
		fo_carp_free(c);
		return;
	}
	a->v->c = c;
	a->v->ifid = a->conf.ifid;
	a->v->vhid = a->conf.vhid;
	do_groups(a, now_us);
}

static void
do_reconf(struct call *a, uint64_t now_us)
{
	struct fo_carp *c = a->v->c;

	a->rc = fo_carp_reconf(c, &a->conf, now_us, &a->why);
	if (a->rc == 0)
		a->rc = fo_carp_addrs(c, a->addrs, a->to->n_addrs, now_us);
	if (a->rc == 0)
		do_groups(a, now_us);
}

static void
do_info(struct call *a, uint64_t now_us)
{
	struct fo_info *o = a->info;
	struct fo_carp_info i;

	fo_carp_info_get(a->v->c, &i);
	o->state = i.state;
	o->why = i.why;
	o->since_us = now_us > i.since_us ? now_us - i.since_us : 0;
	o->link = i.link;
	o->send_errors = i.send_errors;
	o->demote = i.demote;
	o->advskew = i.advskew;
	o->peer_kind = i.peer_kind;
	o->heard = i.heard;
	o->heard_us = now_us > i.heard_us ? now_us - i.heard_us : 0;
	o->heard_af = i.heard_family == FO_INET6 ? POL_AF_INET6 : POL_AF_INET;
	o->heard_advbase = i.heard_advbase;
	o->heard_advskew = i.heard_advskew;
	o->heard_demote = i.heard_demote;
	memcpy(o->heard_src, i.heard_src, sizeof(o->heard_src));
	o->interval_us = fo_carp_interval_us(a->v->c);
	o->master_down_us = fo_carp_master_down_us(a->v->c);
	o->stats = *fo_carp_stats_get(a->v->c);
}

static void
on_thread(struct sync_thread *t, void *arg)
{
	struct call *a = arg;
	struct fo *f = a->f;
	uint64_t now_us = t->now_us;
	const struct fo_demotion *d;

	f->t = t;
	f->deadline_us = 0;
	switch (a->op) {
	case OP_ADD:
		do_add(a, now_us);
		break;
	case OP_REMOVE:
		fo_group_up(f->group, a->v->c, false, now_us);	/* bow-out */
		fo_group_remove(f->group, a->v->c, now_us);
		fo_carp_free(a->v->c);
		a->v->c = NULL;
		break;
	case OP_RECONF:
		do_reconf(a, now_us);
		break;
	case OP_FOLLOW:
		fo_group_link(f->group, a->v->ifid, a->link, now_us);
		fo_group_up(f->group, a->v->c, a->up, now_us);
		break;
	case OP_STATE:
		a->rc = fo_carp_set_state(a->v->c, a->state, now_us);
		break;
	case OP_INFO:
		do_info(a, now_us);
		break;
	case OP_DEMOTE:
		a->rc = fo_group_demote(f->group, a->d.group, a->d.owner, a->d.reason, a->d.count, a->d.skew, FO_CARP_NEVER, now_us);
		break;
	case OP_DEMOTION:
		d = fo_group_demotion(f->group, a->i);
		a->rc = d != NULL ? 0 : -ENOENT;
		if (d != NULL)
			a->d = *d;
		break;
	case OP_COUNT:
		a->i = fo_group_demote_count(f->group, a->d.group);
		break;
	case OP_STATS:
		fo_group_stats_get(f->group, a->stats);
		break;
	case OP_MASTERS:
		a->i = fo_group_masters(f->group);
		break;
	case OP_ALLOW:
		fo_group_allow(f->group, f->opt.allow);
		break;
	case OP_SHUTDOWN:
		fo_group_shutdown(f->group, now_us);
		break;
	}
}

static int
call(struct fo *f, struct call *a)
{
	a->f = f;
	sync_thread_call(f->sync, on_thread, a);
	return a->rc;
}

/* ---- what runs */
static const struct fp_ifnet *
ifnet(const struct fo *f, const char *name)
{
	const struct fp_conf *c = fp_conf(f->box);

	for (uint32_t i = 0; name[0] != '\0' && c != NULL && i < c->n_ifs; i++)
		if (c->ifs[i].exists && strcmp(c->ifs[i].name, name) == 0)
			return &c->ifs[i];
	return NULL;
}

static void
engine_conf(const struct fo *f, const struct fo_if_conf *from, uint16_t ifid, struct fo_carp_conf *to)
{
	struct timespec ts;

	memset(to, 0, sizeof(*to));
	memcpy(to->name, from->name, sizeof(to->name));
	memcpy(to->pass, from->pass, sizeof(to->pass));
	to->ifid = ifid;
	to->vhid = from->vhid;
	to->advbase = from->advbase;
	to->advskew = from->advskew;
	to->preempt = f->opt.preempt;
	to->send_linklocal = f->opt.linklocal;
	to->peer_kind = f->opt.peer_kind;
	to->counter_rises = f->opt.counter != FO_COUNTER_CONSTANT;
	to->counter_strict = f->opt.counter == FO_COUNTER_STRICT;
	if (to->counter_strict) { /* a box that was started again goes on behind what it sent before */
		clock_gettime(CLOCK_REALTIME, &ts);
		to->counter_base = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	}
	for (unsigned i = 0; i < FO_FAMILIES; i++) {
		to->has_peer[i] = from->has_peer[i];
		memcpy(to->peer[i], from->peer[i], sizeof(to->peer[i]));
	}
}

static struct fo_addr *
engine_addrs(const struct fo_if_conf *c)
{
	struct fo_addr *v = calloc(c->n_addrs + 1, sizeof(*v));

	for (unsigned i = 0; v != NULL && i < c->n_addrs; i++) {
		v[i].family = c->addrs[i].af == POL_AF_INET6 ? FO_INET6 : FO_INET;
		memcpy(v[i].addr, c->addrs[i].addr, sizeof(v[i].addr));
	}
	return v;
}

static void
addr_text(const struct fo_if_addr *a, char *buf, size_t size)
{
	char s[INET6_ADDRSTRLEN];

	inet_ntop(a->af == POL_AF_INET6 ? AF_INET6 : AF_INET, a->addr, s, sizeof(s));
	snprintf(buf, size, "%s/%u", s, a->plen);
}

static bool
has_addr(const struct fo_if_conf *c, const struct fo_if_addr *a)
{
	for (unsigned i = 0; c != NULL && i < c->n_addrs; i++)
		if (c->addrs[i].af == a->af && c->addrs[i].plen == a->plen &&
		    memcmp(c->addrs[i].addr, a->addr, a->af == POL_AF_INET6 ? 16 : 4) == 0)
			return true;
	return false;
}

/* Give the parent those addresses of c that are not in keep. On error none of them is there. */
static int
addrs_add(struct fo *f, const char *parent, const struct fo_if_conf *c, const struct fo_if_conf *keep, struct fp_err *err)
{
	char text[64];

	for (unsigned i = 0; i < c->n_addrs; i++) {
		int rc;

		if (has_addr(keep, &c->addrs[i]))
			continue;
		addr_text(&c->addrs[i], text, sizeof(text));
		rc = fp_if_shared_add(f->box, parent, text, c->vhid, err);
		if (rc == 0)
			continue;
		while (i-- > 0) {
			struct fp_err ignored;

			if (has_addr(keep, &c->addrs[i]))
				continue;
			addr_text(&c->addrs[i], text, sizeof(text));
			fp_if_shared_del(f->box, parent, text, c->vhid, &ignored);
		}
		return rc;
	}
	return 0;
}

static void
addrs_del(struct fo *f, const char *parent, const struct fo_if_conf *c, const struct fo_if_conf *keep)
{
	struct fp_err ignored;
	char text[64];

	for (unsigned i = 0; i < c->n_addrs; i++) {
		if (has_addr(keep, &c->addrs[i]))
			continue;
		addr_text(&c->addrs[i], text, sizeof(text));
		fp_if_shared_del(f->box, parent, text, c->vhid, &ignored);
	}
}

/* A port that is not promiscuous must be told of the virtual MAC. */
static void
filter(struct fo_if *v, bool on)
{
	const struct fp_ifnet *ifp = on ? ifnet(v->f, v->parent) : NULL;
	struct fp_port *p = ifp != NULL ? fp_port_by_id(v->f->box, ifp->port_id) : NULL;
	struct rte_ether_addr mac;
	int rc;

	fo_carp_mac(v->vhid, mac.addr_bytes);
	if (p != NULL && !p->promisc && v->mac_port == RTE_MAX_ETHPORTS) {
		rc = rte_eth_dev_mac_addr_add(p->port_id, &mac, 0);
		if (rc != 0)
			LOG(WARNING, "%s: port %s does not take another MAC (%s): make it promiscuous\n", v->conf.name, p->name,
				strerror(-rc));
		v->mac_port = p->port_id;
	} else if (!on && v->mac_port != RTE_MAX_ETHPORTS) {
		rte_eth_dev_mac_addr_remove(v->mac_port, &mac);
		v->mac_port = RTE_MAX_ETHPORTS;
	}
}

/* Link and up, as they are now. */
static void
follow(struct fo_if *v, bool force)
{
	struct fo *f = v->f;
	const struct fp_ifnet *ifp = ifnet(f, v->parent);
	const struct fp_port *p = ifp != NULL ? fp_port_by_id(f->box, ifp->port_id) : NULL;
	struct call a = { .op = OP_FOLLOW, .v = v };

	if (v->c == NULL)
		return;
	a.link = p != NULL && p->link_up && ifp->up;
	a.up = v->conf.up && f->box->running && !f->stopping;
	if (!force && a.link == v->told_link && a.up == v->told_up)
		return;
	v->told_link = a.link;
	v->told_up = a.up;
	call(f, &a);
}

/* Make a virtual host of it, if it has all that takes. 0, or why not: -EEXIST and others. */
static int
attach(struct fo_if *v, struct fp_err *err)
{
	struct fo *f = v->f;
	const struct fp_ifnet *ifp = ifnet(f, v->conf.carpdev);
	struct call a = { .op = OP_ADD, .v = v, .to = &v->conf };
	int rc;

	if (ifp == NULL || v->conf.vhid == 0)
		return 0;
	if (ifp->bridge_peer != FP_IFID_NONE)
		return fp_err_set(err, -EINVAL, "carpdev %s is a member of the bridge", ifp->name);
	engine_conf(f, &v->conf, ifp->ifid, &a.conf);
	a.addrs = engine_addrs(&v->conf);
	if (a.addrs == NULL)
		return fp_err_set(err, -ENOMEM, "no memory");
	snprintf(v->parent, sizeof(v->parent), "%s", v->conf.carpdev);
	rc = addrs_add(f, v->parent, &v->conf, NULL, err);
	if (rc != 0) {
		v->parent[0] = '\0';
		free(a.addrs);
		return rc;
	}
	rc = call(f, &a);
	free(a.addrs);
	if (rc != 0) {
		addrs_del(f, v->parent, &v->conf, NULL);
		v->parent[0] = '\0';
		return fp_err_set(err, rc, rc == -EEXIST ? "vhid %u is on %s already" : "vhid %u on %s: %s", v->conf.vhid,
			v->conf.carpdev, a.why != NULL ? a.why : strerror(-rc));
	}
	filter(v, true);
	follow(v, true);
	return 0;
}

static void
detach(struct fo_if *v)
{
	struct call a = { .op = OP_REMOVE, .v = v };

	if (v->c == NULL)
		return;
	filter(v, false);
	call(v->f, &a);
	addrs_del(v->f, v->parent, &v->conf, NULL);
	v->parent[0] = '\0';
}

/* From what it is to c: the same vhid on the same parent goes on, with other settings. */
static int
reconf(struct fo_if *v, const struct fo_if_conf *c, struct fp_err *err)
{
	struct fo *f = v->f;
	struct call a = { .op = OP_RECONF, .v = v, .from = &v->conf, .to = c };
	int rc;

	engine_conf(f, c, v->ifid, &a.conf);
	a.addrs = engine_addrs(c);
	if (a.addrs == NULL)
		return fp_err_set(err, -ENOMEM, "no memory");
	rc = addrs_add(f, v->parent, c, &v->conf, err);
	if (rc == 0) {
		rc = call(f, &a);
		if (rc != 0) {
			addrs_del(f, v->parent, c, &v->conf);
			fp_err_set(err, rc, "%s", a.why != NULL ? a.why : strerror(-rc));
		}
	}
	free(a.addrs);
	if (rc == 0)
		addrs_del(f, v->parent, &v->conf, c);
	return rc;
}

/* ---- carpN */
static struct fo_if *
find(const struct fo *f, const char *name)
{
	struct fo_if *v;

	TAILQ_FOREACH(v, &f->ifs, link)
		if (strcmp(v->conf.name, name) == 0)
			return v;
	return NULL;
}

int
fo_if_get(struct fo *f, const char *name, struct fo_if_conf *c)
{
	const struct fo_if *v = find(f, name);

	return v != NULL ? conf_copy(c, &v->conf) : -ENOENT;
}

static int
check(const struct fo *f, const struct fo_if_conf *c, struct fp_err *err)
{
	const struct fo_if *v;

	if (c->advbase > FO_CARP_ADVBASE_MAX || c->advskew > FO_CARP_ADVSKEW_MAX)
		return fp_err_set(err, -EINVAL, "advbase and advskew are at most %u", FO_CARP_ADVBASE_MAX);
	if (c->carpdev[0] != '\0' && ifnet(f, c->carpdev) == NULL)
		return fp_err_set(err, -ENODEV, "carpdev: there is no interface \"%s\"", c->carpdev);
	TAILQ_FOREACH(v, &f->ifs, link)
		if (strcmp(v->conf.name, c->name) != 0 && v->conf.vhid == c->vhid && c->vhid != 0 && c->carpdev[0] != '\0' &&
		    strcmp(v->conf.carpdev, c->carpdev) == 0)
			return fp_err_set(err, -EEXIST, "vhid %u on %s is %s already", c->vhid, c->carpdev, v->conf.name);
	return 0;
}

/* OpenBSD: the interface that has the network of an address. */
static void
find_parent(const struct fo *f, struct fo_if_conf *c)
{
	const struct fp_conf *conf = fp_conf(f->box);

	for (unsigned k = 0; c->carpdev[0] == '\0' && k < c->n_addrs; k++)
		for (uint32_t i = 0; c->carpdev[0] == '\0' && conf != NULL && i < conf->n_ifs; i++)
			for (uint32_t n = 0; conf->ifs[i].exists && n < conf->ifs[i].n_addrs; n++) {
				const struct fp_ifaddr *a = &conf->ifs[i].addrs[n];
				unsigned plen = a->plen, bytes = plen / 8, bits = plen % 8;

				if (a->vhid != 0 || a->linklocal || a->af != c->addrs[k].af ||
				    memcmp(a->addr.b, c->addrs[k].addr, bytes) != 0 ||
				    (bits != 0 && ((a->addr.b[bytes] ^ c->addrs[k].addr[bytes]) & (0xff00 >> bits) & 0xff) != 0))
					continue;
				snprintf(c->carpdev, sizeof(c->carpdev), "%s", conf->ifs[i].name);
				break;
			}
}

int
fo_if_put(struct fo *f, const struct fo_if_conf *want, struct fp_err *err)
{
	struct fo_if *v = find(f, want->name), *made = NULL;
	struct fo_if_conf c, before;
	int rc;

	if (conf_copy(&c, want) != 0)
		return fp_err_set(err, -ENOMEM, "no memory");
	find_parent(f, &c);
	rc = check(f, &c, err);
	if (rc == 0 && v == NULL) {
		v = made = calloc(1, sizeof(*v));
		if (v == NULL) {
			rc = fp_err_set(err, -ENOMEM, "no memory");
		} else {
			v->f = f;
			v->mac_port = RTE_MAX_ETHPORTS;
			fo_if_conf_init(&v->conf, c.name);
			TAILQ_INSERT_TAIL(&f->ifs, v, link);
		}
	}
	if (rc != 0) {
		fo_if_conf_free(&c);
		return rc;
	}
	if (v->c != NULL && c.vhid == v->vhid && strcmp(c.carpdev, v->parent) == 0) {
		rc = reconf(v, &c, err);
		if (rc != 0) {
			fo_if_conf_free(&c);
			return rc;
		}
		fo_if_conf_free(&v->conf);
		v->conf = c;
		follow(v, false);
		return 0;
	}
	detach(v);
	before = v->conf;
	v->conf = c;
	rc = attach(v, err);
	if (rc == 0) {
		fo_if_conf_free(&before);
		return 0;
	}
	fo_if_conf_free(&v->conf);
	v->conf = before;
	if (made != NULL) {
		TAILQ_REMOVE(&f->ifs, made, link);
		fo_if_conf_free(&made->conf);
		free(made);
	} else {
		attach(v, &(struct fp_err){ "" });
	}
	return rc;
}

int
fo_if_destroy(struct fo *f, const char *name, struct fp_err *err)
{
	struct fo_if *v = find(f, name);

	if (v == NULL)
		return fp_err_set(err, -ENOENT, "there is no %s", name);
	detach(v);
	TAILQ_REMOVE(&f->ifs, v, link);
	explicit_bzero(v->conf.pass, sizeof(v->conf.pass));
	fo_if_conf_free(&v->conf);
	free(v);
	return 0;
}

int
fo_if_state(struct fo *f, const char *name, enum fo_carp_state to, struct fp_err *err)
{
	struct call a = { .op = OP_STATE, .v = find(f, name), .state = to };
	int rc;

	if (a.v == NULL || a.v->c == NULL)
		return fp_err_set(err, -ENETDOWN, "%s is no virtual host yet: it needs vhid, carpdev and addresses", name);
	rc = call(f, &a);
	return rc == 0 ? 0 : fp_err_set(err, rc, "%s is in state INIT: %s", name, !f->box->running ? "the box is stopped" :
		!a.v->conf.up ? "it is down" : a.v->conf.n_addrs == 0 ? "it has no address" : "no link on its carpdev");
}

/* ---- the whole box */
void
fo_options_get(const struct fo *f, struct fo_options *o)
{
	*o = f->opt;
}

int
fo_options_set(struct fo *f, const struct fo_options *o, struct fp_err *err)
{
	struct fo_options before = f->opt;
	struct call a = { .op = OP_ALLOW };
	struct fo_if *v;
	int rc = 0;

	f->opt = *o;
	call(f, &a);
	TAILQ_FOREACH(v, &f->ifs, link)
		if (rc == 0 && v->c != NULL)
			rc = reconf(v, &v->conf, err);
	if (rc != 0)
		f->opt = before;
	return rc;
}

/* ---- demotion */
static int
demote(struct fo *f, const char *group, const char *owner, const char *reason, unsigned count, int skew)
{
	struct call a = { .op = OP_DEMOTE, .d = { .count = count, .skew = skew } };
	int rc;

	if (strlen(group) >= sizeof(a.d.group) || strlen(owner) >= sizeof(a.d.owner))
		return -EINVAL;
	snprintf(a.d.group, sizeof(a.d.group), "%s", group);
	snprintf(a.d.owner, sizeof(a.d.owner), "%s", owner);
	snprintf(a.d.reason, sizeof(a.d.reason), "%s", reason);
	rc = call(f, &a);
	return rc == -ENOENT ? 0 : rc;	/* nothing to lift */
}

int
fo_demote_set(struct fo *f, const char *owner, const char *reason, unsigned count, int skew)
{
	return demote(f, FO_GROUP_DEFAULT, owner, reason, count, skew);
}

int
fo_demote_add(struct fo *f, const char *group, int n, struct fp_err *err)
{
	unsigned i;
	int to, rc;

	for (i = 0; i < f->by_hand.n && strcmp(f->by_hand.group[i], group) != 0; i++)
		;
	if (i == f->by_hand.n) {
		void *g, *c;

		if (group[0] == '\0' || strlen(group) >= sizeof(f->by_hand.group[0]))
			return fp_err_set(err, -EINVAL, "\"%s\" is no name of an interface group", group);
		if ((g = realloc(f->by_hand.group, (i + 1) * sizeof(f->by_hand.group[0]))) == NULL)
			return fp_err_set(err, -ENOMEM, "no memory");
		f->by_hand.group = g;
		if ((c = realloc(f->by_hand.count, (i + 1) * sizeof(*f->by_hand.count))) == NULL)
			return fp_err_set(err, -ENOMEM, "no memory");
		f->by_hand.count = c;
		snprintf(f->by_hand.group[i], sizeof(f->by_hand.group[0]), "%s", group);
		f->by_hand.count[i] = 0;
		f->by_hand.n++;
	}
	to = f->by_hand.count[i] + n;
	if (to < 0)
		return fp_err_set(err, -ERANGE, "group %s is demoted by %d only, by hand", group, f->by_hand.count[i]);
	if (to > (int)FO_CARP_DEMOTE_MAX)
		return fp_err_set(err, -ERANGE, "a demotion is at most %u", FO_CARP_DEMOTE_MAX);
	rc = demote(f, group, OWNER_USER, "by hand", (unsigned)to, to);
	if (rc != 0)
		return fp_err_set(err, rc, rc == -EINVAL ? "\"%s\" is no group that can be demoted" : "%s: no memory", group);
	f->by_hand.count[i] = to;
	return 0;
}

unsigned
fo_demote_count(struct fo *f, const char *group)
{
	struct call a = { .op = OP_COUNT };

	snprintf(a.d.group, sizeof(a.d.group), "%s", group);
	call(f, &a);
	return a.i;
}

int
fo_demotion_get(struct fo *f, unsigned i, struct fo_demotion *d)
{
	struct call a = { .op = OP_DEMOTION, .i = i };
	int rc = call(f, &a);

	*d = a.d;
	return rc;
}

/* ---- figures */
static int
info(struct fo *f, struct fo_if *v, struct fo_info *o)
{
	struct call a = { .op = OP_INFO, .v = v, .info = o };

	memset(o, 0, sizeof(*o));
	o->conf = &v->conf;
	fo_carp_mac(v->conf.vhid, o->mac);
	if (v->c != NULL) {
		call(f, &a);
		if (o->state == FO_CARP_INIT && v->conf.up && !f->box->running)
			snprintf(o->reason, sizeof(o->reason), "the box is stopped");
	} else if (v->conf.vhid == 0) {
		snprintf(o->reason, sizeof(o->reason), "no vhid");
	} else if (v->conf.carpdev[0] == '\0') {
		snprintf(o->reason, sizeof(o->reason), "no carpdev");
	} else {
		snprintf(o->reason, sizeof(o->reason), "carpdev %s is not there", v->conf.carpdev);
	}
	return 0;
}

int
fo_info_get(struct fo *f, unsigned i, struct fo_info *o)
{
	struct fo_if *v;

	TAILQ_FOREACH(v, &f->ifs, link)
		if (i-- == 0)
			return info(f, v, o);
	return -ENOENT;
}

int
fo_info_find(struct fo *f, const char *name, struct fo_info *o)
{
	struct fo_if *v = find(f, name);

	return v != NULL ? info(f, v, o) : -ENOENT;
}

void
fo_stats_get(struct fo *f, struct fo_carp_stats *stats)
{
	struct call a = { .op = OP_STATS, .stats = stats };

	call(f, &a);
}

unsigned
fo_masters(struct fo *f)
{
	struct call a = { .op = OP_MASTERS };

	call(f, &a);
	return a.i;
}

/* ---- life */
static void
tell(struct fo *f)
{
	/* Pairs with the release in fo_wire.c, wire_role(). */
	uint32_t head = __atomic_load_n(&f->ev_head, __ATOMIC_ACQUIRE);

	while (f->ev_tail != head) {
		const struct fo_event *ev = &f->events[f->ev_tail % FO_EVENTS];

		if (ev->name[0] != '\0')
			LOG(NOTICE, "%s: %s -> %s: %s\n", ev->name, fo_carp_state_name(ev->change.from),
				fo_carp_state_name(ev->change.to), fo_carp_why_text(ev->change.why));
		else if (ev->set)
			LOG(NOTICE, "carp: group %s demoted by %u (%s: %s)\n", ev->d.group, ev->d.count, ev->d.owner, ev->d.reason);
		else
			LOG(NOTICE, "carp: group %s not demoted any more by %s\n", ev->d.group, ev->d.owner);
		__atomic_store_n(&f->ev_tail, f->ev_tail + 1, __ATOMIC_RELEASE);
	}
}

static bool
wanted(void *arg)
{
	const struct fo *f = arg;

	return !TAILQ_EMPTY(&f->ifs);
}

/* Interfaces came, went or changed. */
static void
resettle(struct fo *f)
{
	struct fp_err err = { "" };
	struct fo_if *v;

	TAILQ_FOREACH(v, &f->ifs, link) {
		const struct fp_ifnet *ifp = ifnet(f, v->conf.carpdev);

		if (v->c != NULL && (ifp == NULL || ifp->ifid != v->ifid))
			detach(v);
		if (v->c == NULL && ifp != NULL && attach(v, &err) != 0)
			LOG(ERR, "%s: %s\n", v->conf.name, err.text);
	}
	f->generation = fp_conf(f->box)->generation;
}

static void
poll(void *arg)
{
	static const char reason[] = "bulk update under way or no link on the cable";
	struct fo *f = arg;
	uint64_t now_us = fp_box_now_us(f->box);
	unsigned count;
	struct fo_if *v;

	if (f->ev_tail != __atomic_load_n(&f->ev_head, __ATOMIC_RELAXED))
		tell(f);
	fo_role_poll(f);
	__atomic_store_n(&f->box->stale_ms, TAILQ_EMPTY(&f->ifs) ? 0 : STALE_MS, __ATOMIC_RELAXED);
	if (TAILQ_EMPTY(&f->ifs) || (now_us - f->last_poll_us < POLL_US && fp_conf(f->box)->generation == f->generation))
		return;
	f->last_poll_us = now_us;
	if (fp_conf(f->box)->generation != f->generation)
		resettle(f);
	/* First the demotion: who starts must not be MASTER before he has learned what the peer knows. */
	count = sync_demote(f->sync);
	/* A cable without link is so at both ends: a twin's notices a moment earlier or later, and the role would go and come
	 * back each time. Who has not learned anything yet has not met the twin. */
	if (count < 32 && fo_peer_is_twin(f))
		count = 0;
	if (count != f->sync_demote && demote(f, FO_GROUP_DEFAULT, OWNER_SYNC, reason, count, count != 0 ? FO_DEMOTE_SKEW : 0) == 0)
		f->sync_demote = count;
	TAILQ_FOREACH(v, &f->ifs, link) {
		const struct fp_ifnet *ifp = v->c != NULL ? ifnet(f, v->parent) : NULL;
		struct fp_port *p = ifp != NULL ? fp_port_by_id(f->box, ifp->port_id) : NULL;

		if (p != NULL)
			fp_port_watch_link(f->box, p);
		if (v->c != NULL)
			filter(v, true);
		follow(v, false);
	}
}

static bool
nothing(struct fp_worker *w, void *arg)
{
	(void)w;
	(void)arg;
	return true;
}

/* Bow-outs, and until workers have sent them. */
static void
stopping(void *arg)
{
	struct fo *f = arg;
	struct fo_if *v;

	if (TAILQ_EMPTY(&f->ifs))
		return;
	f->stopping = true;
	TAILQ_FOREACH(v, &f->ifs, link)
		follow(v, false);
	for (unsigned k = 0; k < 2; k++) /* one turn takes what waits, the next has sent it */
		for (unsigned i = 0; i < f->box->n_workers; i++)
			fp_worker_call(f->box, f->box->workers[i], nothing, NULL);
	f->stopping = false;	/* the box does not run any more when follow() looks again */
	tell(f);
}

static const struct sync_guest guest = { .wanted = wanted, .poll = poll, .stopping = stopping, .input = fo_wire_input,
	.turn = fo_wire_turn, .deadline_us = fo_wire_deadline };

struct fo *
fo_create(struct fp_box *box, struct fp_err *err)
{
	struct fo *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->group = fo_group_create()) == NULL) {
		free(f);
		fp_err_set(err, -ENOMEM, "no memory for CARP");
		return NULL;
	}
	TAILQ_INIT(&f->ifs);
	f->box = box;
	f->sync = sync_of(box);
	f->opt.allow = true;
	fo_group_on_demotion(f->group, fo_wire_demotion, f);
	box->fo = f;
	sync_guest_set(f->sync, &guest, f);
	return f;
}

void
fo_destroy(struct fo *f)
{
	struct fo_if *v;

	if (f == NULL)
		return;
	while ((v = TAILQ_FIRST(&f->ifs)) != NULL)
		fo_if_destroy(f, v->conf.name, &(struct fp_err){ "" });
	sync_guest_set(f->sync, NULL, NULL);
	tell(f);
	f->box->fo = NULL;
	fo_group_free(f->group);
	free(f->by_hand.group);
	free(f->by_hand.count);
	free(f);
}
