/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All virtual hosts of a box: whose advertisement is it, and demotion. carp.h says how it is driven; one thread.
 *
 * Demotions are a list of {interface group, owner} with a value and a reason, never a bare counter that somebody must
 * remember to count down: whoever sets one again replaces it, and one with a deadline ends by itself. So a box cannot stay
 * demoted for a cause that is gone. A virtual host sums those of the groups it is in ("carp" always), at most 255; if that is
 * 0, those for its own name count (section 6). The values are two, since OpenBSD counts and FreeBSD slows down: 1 and 240
 * for a link, 32 and 240 for pfsync's bulk update, N and N by hand.
 *
 * When the vhids of a box have preempt, they move together: what takes one of them down demotes all, all masters advertise
 * that at once, and the other box preempts them all.
 */
#ifndef FO_GROUP_H
#define FO_GROUP_H

#include "failover/carp.h"

#define FO_GROUP_DEFAULT "carp"
#define FO_GROUP_NAME_SIZE 16u
#define FO_OWNER_SIZE 32u
#define FO_REASON_SIZE 96u

#define FO_DEMOTE_LINK 1u
#define FO_DEMOTE_BULK 32u
#define FO_DEMOTE_SENDERR 1u
#define FO_DEMOTE_RESIGN 64u
#define FO_DEMOTE_SKEW 240 /* FreeBSD's factor for each of them */

struct fo_group;

struct fo_demotion {
	char group[FO_GROUP_NAME_SIZE]; /* an interface group, or the name of one virtual host */
	char owner[FO_OWNER_SIZE]; /* "user", "pfsync", "link carp1" */
	char reason[FO_REASON_SIZE];
	unsigned count; /* byte 4 */
	int skew; /* in advskew, towards FreeBSD; by hand below 0 too */
	uint64_t since_us;
	uint64_t deadline_us; /* FO_CARP_NEVER: until it is lifted */
};

/** NULL when there is no memory. */
struct fo_group *fo_group_create(void);
/** Frees the virtual hosts as well, without bow-out. Takes NULL. */
void fo_group_free(struct fo_group *g);

/** 0, -EEXIST when the port has this vhid already, or -ENOMEM. On 0 the group owns c. */
int fo_group_add(struct fo_group *g, struct fo_carp *c, uint64_t now_us);
/** Take out, lift what it had demoted; the caller owns it again. */
void fo_group_remove(struct fo_group *g, struct fo_carp *c, uint64_t now_us);
/** Iterate: the first with NULL. */
struct fo_carp *fo_group_next(const struct fo_group *g, const struct fo_carp *c);
struct fo_carp *fo_group_find(const struct fo_group *g, uint32_t ifid, uint8_t vhid);
struct fo_carp *fo_group_by_name(const struct fo_group *g, const char *name);

/** ifconfig carp1 group dmz, -group dmz. 0, -EINVAL (empty, too long, "all"), -EEXIST, -ENOENT, -ENOMEM. */
int fo_group_join(struct fo_group *g, struct fo_carp *c, const char *name, uint64_t now_us);
int fo_group_leave(struct fo_group *g, struct fo_carp *c, const char *name, uint64_t now_us);

/**
 * Set, replace, or (count and skew 0) lift the demotion of this owner for this interface group or virtual host. Masters that
 * it concerns advertise at once.
 *
 * @param deadline_us  When it ends by itself, or FO_CARP_NEVER.
 * @return 0; -ENOENT when there was nothing to lift; -EINVAL: empty or long names, the group "all"; -ENOMEM.
 */
int fo_group_demote(struct fo_group *g, const char *group, const char *owner, const char *reason, unsigned count, int skew,
	uint64_t deadline_us, uint64_t now_us);
/** Told of every demotion that begins (set), changes (set) or ends, by itself or not; for the log. fn NULL: nobody is told. */
typedef void (*fo_demotion_fn)(void *ctx, const struct fo_demotion *d, bool set);
void fo_group_on_demotion(struct fo_group *g, fo_demotion_fn fn, void *ctx);
/** For `show carp`: the i-th, NULL at the end. Until the next call that changes something. */
const struct fo_demotion *fo_group_demotion(const struct fo_group *g, size_t i);
/** `ifconfig -g carp`: the sum of a group's counts. */
unsigned fo_group_demote_count(const struct fo_group *g, const char *group);

/** A port's link. Down: its virtual hosts are INIT, and each demotes its groups until it comes back or is set down. */
void fo_group_link(struct fo_group *g, uint32_t ifid, bool up, uint64_t now_us);
void fo_group_up(struct fo_group *g, struct fo_carp *c, bool up, uint64_t now_us);
/** net.inet.carp.allow, 1 at first. */
void fo_group_allow(struct fo_group *g, bool allow);

/**
 * A packet of protocol 112: all of section 4, each failure counted here, and with its virtual host when that was found.
 *
 * @return FO_CARP_NONE when it was accepted, or the counter.
 */
enum fo_carp_counter fo_group_input(struct fo_group *g, const struct fo_carp_rx *rx, uint64_t now_us);

/** Ticks all, ends demotions. @return fo_group_deadline(). */
uint64_t fo_group_tick(struct fo_group *g, uint64_t now_us);
uint64_t fo_group_deadline(const struct fo_group *g);

/** fo_carp_peer_dead(), fo_carp_peer_suspect() for all. */
void fo_group_peer_dead(struct fo_group *g, uint64_t now_us);
void fo_group_peer_suspect(struct fo_group *g, uint64_t now_us);
/** Who gave the role away does not preempt (on true), until it is master again (on false); a demoted master it relieves. */
void fo_group_hold(struct fo_group *g, bool on);
/**
 * With preempt all virtual hosts of a box move together. Those that are BACKUP become MASTER, where an advertisement of the
 * peer would make them so by section 6, without waiting for it, which on a port whose link the peer has lost never comes:
 * by peer_count, the demotion of the peer's group "carp" as the cable says it; preempting: another virtual host of this box
 * has just preempted, by the last advertisement heard.
 *
 * @return How many became MASTER.
 */
unsigned fo_group_gather(struct fo_group *g, unsigned peer_count, bool preempting, uint64_t now_us);
/**
 * Planned handover, make before break: demote all (owner "failover", for hold_us, so that preempt does not take the role back)
 * and go on as MASTER until the other box advertises, which takes OpenBSD and twinpath boxes one packet. For those that do not
 * answer demotion (FreeBSD without preempt), bow out bow_out_us from now; then there is no master until they have heard it, and
 * none for a master-down time when there is no other box at all. FO_CARP_NEVER: do not.
 *
 * @return 0, or -ENOMEM: nothing has changed.
 */
int fo_group_resign(struct fo_group *g, uint64_t hold_us, uint64_t bow_out_us, uint64_t now_us);
/** How many are MASTER. */
unsigned fo_group_masters(const struct fo_group *g);
/** Orderly end: bow out, all INIT and down. After fo_group_resign(), when no packet may be lost. */
void fo_group_shutdown(struct fo_group *g, uint64_t now_us);

/** Of the whole box (netstat -s -p carp). */
void fo_group_stats_get(const struct fo_group *g, struct fo_carp_stats *stats);

#endif
