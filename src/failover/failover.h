/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CARP of a box as the other rooms see it: interfaces carpN, demotions, roles.
 *
 *	struct fo *f = fo_create(box, &err);		behind sync_create(), before the box starts
 *	fo_if_put(f, &conf, &err);			`ifconfig carp1 vhid 1 carpdev ext0 ...`
 *	...						fp_box_poll() drives it; CARP itself lives on the thread of the pair
 *	fo_destroy(f);					before sync_destroy(): without bow-out, fp_box_stop() has said that
 *
 * A carpN with a vhid and a carpdev that is there is a virtual host (carp.h). Its addresses are local addresses of the box,
 * on its carpdev; frames to its MAC are taken, and ARP and neighbour discovery answered, while it is MASTER.
 *
 * Threads: everything is called by the main lcore but what is marked. Errors: 0 or a negative errno and a sentence in *err.
 */
#ifndef FO_FAILOVER_H
#define FO_FAILOVER_H

#include "failover/group.h"
#include "fastpath/fastpath.h"

struct fo;

struct fo *fo_create(struct fp_box *box, struct fp_err *err);
void fo_destroy(struct fo *f);	/* NULL is fine */
struct fo *fo_of(const struct fp_box *box);	/* NULL: none was made */

/* ---- carpN */
struct fo_if_addr { uint8_t af /* POL_AF_* */, plen; uint8_t addr[16]; };
struct fo_if_conf {
	char name[FP_NAME_SIZE];
	char carpdev[FP_NAME_SIZE];	/* empty: none, or found by an address */
	uint8_t vhid;			/* 0: not set yet */
	uint8_t advbase, advskew;
	bool up;
	bool has_peer[FO_FAMILIES];	/* carppeer */
	uint8_t peer[FO_FAMILIES][16];
	char pass[64];
	unsigned n_addrs, n_groups;
	struct fo_if_addr *addrs;	/* malloc() */
	char (*groups)[FO_GROUP_NAME_SIZE]; /* malloc(); "carp" is not among them */
};
void fo_if_conf_init(struct fo_if_conf *c, const char *name);	/* defaults: advbase 1 */
void fo_if_conf_free(struct fo_if_conf *c);			/* what it points to */
int fo_if_conf_addr(struct fo_if_conf *c, const struct fo_if_addr *a);	/* append. 0 or -ENOMEM */
int fo_if_conf_group(struct fo_if_conf *c, const char *name);		/* append. 0, -EEXIST, -EINVAL, -ENOMEM */

/* A copy to change and give to fo_if_put(). -ENOENT, -ENOMEM. */
int fo_if_get(struct fo *f, const char *name, struct fo_if_conf *c);
/* Make carpN, or change it to be so; copied. On error nothing has changed. */
int fo_if_put(struct fo *f, const struct fo_if_conf *c, struct fp_err *err);
/* A MASTER bows out. */
int fo_if_destroy(struct fo *f, const char *name, struct fp_err *err);
/* `state master`, `state backup`. */
int fo_if_state(struct fo *f, const char *name, enum fo_carp_state to, struct fp_err *err);

/* ---- of the whole box */
enum fo_counter_mode { FO_COUNTER_CONSTANT /* OpenBSD's */, FO_COUNTER_RISING /* FreeBSD's */, FO_COUNTER_STRICT /* twins */ };
struct fo_options {
	bool preempt;			/* net.inet.carp.preempt */
	bool allow;			/* net.inet.carp.allow */
	bool linklocal;			/* digest with link-local addresses */
	uint8_t peer_kind;		/* enum fo_carp_peer */
	uint8_t counter;		/* enum fo_counter_mode */
};
void fo_options_get(const struct fo *f, struct fo_options *o);
int fo_options_set(struct fo *f, const struct fo_options *o, struct fp_err *err);

/* ---- demotion */
/* `ifconfig -g GROUP carpdemote N`, `-carpdemote N`: by hand, added to what was given before; never below 0 in sum. */
int fo_demote_add(struct fo *f, const char *group, int n, struct fp_err *err);
/* For other parts of the box: group.h, fo_group_demote(), group "carp". Any cause has one owner. */
int fo_demote_set(struct fo *f, const char *owner, const char *reason, unsigned count, int skew);
/* Count of a group, and the i-th demotion; -ENOENT at the end. */
unsigned fo_demote_count(struct fo *f, const char *group);
int fo_demotion_get(struct fo *f, unsigned i, struct fo_demotion *d);

/* ---- figures */
struct fo_info {
	const struct fo_if_conf *conf;	/* until the next change */
	char reason[64];		/* why it is no virtual host; empty: it is one */
	enum fo_carp_state state;
	enum fo_carp_why why;
	uint64_t since_us;		/* ago */
	uint8_t mac[6];
	bool link, send_errors;
	uint8_t demote, advskew;	/* as advertised */
	enum fo_carp_peer peer_kind;
	bool heard;			/* the rest up to stats: the last good advertisement */
	uint64_t heard_us;		/* ago */
	uint8_t heard_af, heard_advbase, heard_advskew, heard_demote;
	uint8_t heard_src[16];
	uint64_t interval_us, master_down_us;
	struct fo_carp_stats stats;
};
int fo_info_get(struct fo *f, unsigned i, struct fo_info *info);	/* -ENOENT beyond the last */
int fo_info_find(struct fo *f, const char *name, struct fo_info *info);
void fo_stats_get(struct fo *f, struct fo_carp_stats *stats);	/* of the box: also what no virtual host took */
unsigned fo_masters(struct fo *f);				/* virtual hosts that are MASTER */
bool fo_has_peer(struct fo *f);					/* another box was heard, or its heartbeat, within the last seconds */

/*
 * ---- entries for heartbeat and handover. On the thread of the pair (sync_thread_call(), guests of it), now_us the box clock.
 * fo_peer_dead: known, not merely silent: every BACKUP becomes MASTER now. fo_peer_suspect: the cable is silent.
 * fo_give_up_now: fo_group_resign(). fo_take_over_now: what `state master` does, for all.
 */
void fo_peer_dead(struct fo *f, uint64_t now_us);
void fo_peer_suspect(struct fo *f, uint64_t now_us);
int fo_give_up_now(struct fo *f, uint64_t hold_us, uint64_t bow_out_us, uint64_t now_us);
void fo_take_over_now(struct fo *f, uint64_t now_us);
struct fo_group *fo_group_of(struct fo *f);	/* on that thread alone */

#endif
