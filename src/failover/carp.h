/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CARP: virtual hosts that two or more boxes share, without clock, ports or memory of packets: time and packets come in as
 * arguments, advertisements and roles go out through callbacks. Spec: section numbers are those of spec/carp.md.
 *
 * A struct fo_carp is one virtual host of this box: vhid, password, addresses, and a role. A struct fo_group (group.h) has
 * all of them, looks up whose an advertisement is, and demotes them together. How the thread that polls drives it:
 *
 *	static const struct fo_carp_ops ops = { .send = tx_advert, .announce = tx_garp_and_na, .role = role_changed };
 *	struct fo_group *g = fo_group_create();
 *	struct fo_carp *c = fo_carp_create(&conf, &ops, ctx, now_us, &err);
 *
 *	fo_group_add(g, c, now_us);
 *	fo_carp_addrs(c, addrs, n, now_us);
 *	fo_group_link(g, conf.ifid, true, now_us);	(whenever the port's link changes, too)
 *	fo_group_up(g, c, true, now_us);
 *	for (;;) {
 *		while (a packet of protocol 112 waits)		(all of them, before the tick: a box that
 *			fo_group_input(g, &rx, now_us);		was frozen hears first, and then speaks)
 *		deadline_us = fo_group_tick(g, now_us);		(sleep no longer than until then)
 *	}
 *	fo_group_shutdown(g, now_us);				(bow-out: backups take over at once)
 *	fo_group_free(g);					(frees the virtual hosts too)
 *
 * Everything about one group happens on one thread. now_us is any clock that never goes back, in microseconds; a value below
 * the last one counts as the last one. Callbacks run inside of these calls and may read (fo_carp_info_get()), not change.
 *
 * What the caller does with a role: MASTER: accept frames to fo_carp_mac(), answer ARP and ND for the addresses with it;
 * otherwise neither. The role callback comes before the first advertisement and before announce().
 *
 * Ours, beyond the BSDs:
 *  - a MASTER ignores a bow-out. OpenBSD's table lets a demoted one step down for a box that has just gone.
 *  - BACKUP takes 255/255 as the end of the master with any own advbase, the sub-second ones included.
 *  - masters of equal values step down both, as everywhere, but wait different times before they try again.
 *  - whoever was not run for long (a stopped process) does not act on timers that expired meanwhile; see fo_carp_tick().
 */
#ifndef FO_CARP_H
#define FO_CARP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failover/carp_auth.h"

#define FO_CARP_NEVER UINT64_MAX
#define FO_CARP_ADVBASE_MAX 254u /* 255 is a bow-out */
#define FO_CARP_ADVSKEW_MAX 254u
#define FO_CARP_DEMOTE_MAX 255u
#define FO_CARP_FREEBSD_SKEW_MAX 240u /* a demoted box still advertises, and loses to any healthy one */
#define FO_CARP_TTL 255u
#define FO_CARP_TOS 0x10u /* of IPv4; IPv6 has traffic class 0 */
#define FO_CARP_TOS_FREEBSD 0xe0u

enum fo_carp_state { FO_CARP_INIT, FO_CARP_BACKUP, FO_CARP_MASTER };

/* Why a role changed: id, text for people and for `show carp json`. */
#define FO_CARP_WHYS(X) \
	X(CREATED, "created") \
	X(READY, "initialization complete") \
	X(ADMIN_DOWN, "administratively down") \
	X(LINK_DOWN, "parent link down") \
	X(NO_ADDRESS, "no addresses") \
	X(TIMED_OUT, "master timed out") \
	X(PEER_DEAD, "peer is known to be dead") \
	X(BOWED_OUT, "master bowed out") \
	X(PREEMPT, "preempting a slower master") \
	X(MORE_DEMOTED, "master is demoted more") \
	X(TOO_SLOW, "master is slower than the time it is waited for") \
	X(LESS_DEMOTED, "a less demoted master advertises") \
	X(MORE_FREQUENT, "a more frequent master advertises") \
	X(EQUAL, "a master of equal values advertises") \
	X(USER, "requested by hand") \
	X(RESIGNED, "planned handover") \
	X(FROZEN, "was not run for longer than a master is waited for")

enum fo_carp_why {
#define X(id, text) FO_CARP_WHY_##id,
	FO_CARP_WHYS(X)
#undef X
};

/* Counters: the BSDs' names first (netstat -s -p carp), then ours. */
#define FO_CARP_COUNTERS(X) \
	X(ipackets, "IPv4 packets received") \
	X(ipackets6, "IPv6 packets received") \
	X(badif, "packets discarded for bad interface") \
	X(badttl, "packets discarded for wrong TTL") \
	X(hdrops, "packets shorter than header") \
	X(badsum, "packets discarded for bad checksum") \
	X(badver, "packets discarded with a bad version") \
	X(badlen, "packets discarded because packet too short") \
	X(badauth, "packets discarded for bad authentication") \
	X(badvhid, "packets discarded for bad vhid") \
	X(badaddrs, "packets discarded because of a bad address list") \
	X(opackets, "IPv4 packets sent") \
	X(opackets6, "IPv6 packets sent") \
	X(onomem, "send failed due to mbuf memory error") \
	X(ostates, "advertisements out of turn: role, demotion or settings changed") \
	X(preempt, "times a slower master was preempted") \
	X(drop, "packets discarded because CARP is not allowed") \
	X(oerrors, "send failed otherwise") \
	X(vrrp, "VRRP packets, of the same protocol number") \
	X(loops, "own advertisements that came back (part of badauth)") \
	X(replays, "advertisements whose counter did not rise (part of badauth)") \
	X(stalls, "timers that expired while this box was not run") \
	X(transitions, "changes of role")

enum fo_carp_counter {
	FO_CARP_NONE, /* accepted */
#define X(name, help) FO_CARP_C_##name,
	FO_CARP_COUNTERS(X)
#undef X
};

struct fo_carp_stats {
#define X(name, help) uint64_t name;
	FO_CARP_COUNTERS(X)
#undef X
};

/* What the other boxes of this vhid understand of demotion (section 6). */
enum fo_carp_peer {
	FO_CARP_PEER_AUTO, /* as OpenBSD's or FreeBSD's advertisements are seen; until then byte 4 and advskew both tell it */
	FO_CARP_PEER_OPENBSD, /* byte 4; between twinpath boxes as well */
	FO_CARP_PEER_FREEBSD, /* folded into advskew, at most 240; ucarp as well (its demotion is its advskew, too) */
};

struct fo_carp_conf {
	char name[16]; /* carp1 */
	uint32_t ifid; /* the parent, any number; with vhid unique in a group */
	uint8_t vhid; /* 1 to 255 */
	uint8_t advbase; /* 0 to 254 seconds */
	uint8_t advskew; /* 0 to 254, in 1/256 s */
	bool preempt;
	bool send_linklocal; /* digest with link-local addresses from the first packet on; otherwise when the peer does so */
	bool counter_rises; /* FreeBSD's way: adopts the peer's, adds 1 a packet. Otherwise OpenBSD's: random, constant */
	bool counter_strict; /* refuse counters that do not rise: twinpath pairs, counter_rises on both sides */
	uint8_t peer_kind; /* enum fo_carp_peer */
	bool has_peer[FO_FAMILIES]; /* carppeer: unicast to ... */
	uint8_t peer[FO_FAMILIES][16];
	uint64_t counter_base; /* first counter when it rises, 0 is random. Strict: wall clock in us, so restarts rise too */
	char pass[64]; /* 19 characters count */
};

/* An advertisement to send: protocol 112, ttl, tos; source is an address of the parent, Ethernet source fo_carp_mac(). */
struct fo_carp_advert {
	uint8_t family;
	uint8_t ttl, tos;
	bool unicast;
	uint8_t dst[16]; /* 224.0.0.18, ff02::12, or the peer */
	uint8_t bytes[SYNC_CARP_SIZE];
};

struct fo_carp_change {
	enum fo_carp_state from, to;
	enum fo_carp_why why;
	uint64_t now_us;
};

struct fo_carp;

struct fo_carp_ops {
	/* 0 or -errno: -ENOMEM and -ENOBUFS count as onomem; -EHOSTUNREACH to a unicast peer is no error. */
	int (*send)(void *ctx, struct fo_carp *c, const struct fo_carp_advert *ad);
	/* Gratuitous ARP and unsolicited neighbour advertisement of every address (section 7). repeat: the second time. */
	void (*announce)(void *ctx, struct fo_carp *c, bool repeat);
	void (*role)(void *ctx, struct fo_carp *c, const struct fo_carp_change *change);
	uint64_t (*random)(void *ctx); /* NULL: libcrypto's. For tests */
};

/* A received packet, protocol 112, IP header already checked. */
struct fo_carp_rx {
	const uint8_t *payload; /* behind the IP header, borrowed */
	size_t len;
	uint32_t ifid; /* where it came in */
	uint8_t family;
	uint8_t ttl, tos;
	bool multicast; /* destination address */
	bool own_source; /* source is one of this box's addresses */
	uint8_t src[16];
};

struct fo_carp_info {
	const struct fo_carp_conf *conf; /* borrowed, as are addrs: until the next call that changes them */
	const struct fo_addr *addrs;
	size_t n_addrs;
	enum fo_carp_state state;
	enum fo_carp_why why; /* of the last change */
	uint64_t since_us;
	bool up, link, send_errors;
	uint8_t demote; /* D of section 6 */
	uint8_t advskew; /* as advertised */
	enum fo_carp_peer peer_kind; /* as set, or as found out */
	bool heard; /* the rest: the last good advertisement */
	uint64_t heard_us;
	uint8_t heard_family, heard_advbase, heard_advskew, heard_demote;
	uint8_t heard_src[16];
};

/**
 * A virtual host: INIT, down, without addresses.
 *
 * @param ops  Borrowed for the life of the object, as is ctx.
 * @param err  NULL, or where a sentence without memory of its own goes when the configuration is refused.
 * @return NULL with errno EINVAL or ENOMEM.
 */
struct fo_carp *fo_carp_create(const struct fo_carp_conf *conf, const struct fo_carp_ops *ops, void *ctx, uint64_t now_us,
	const char **err);
/** Says no goodbye. Takes NULL; one that is in a group is taken out first. */
void fo_carp_free(struct fo_carp *c);

/**
 * New settings, all at once; a MASTER advertises them at once.
 *
 * @return 0; -EINVAL with a sentence in err; -EBUSY for another ifid or vhid, which is another virtual host; -ENOMEM.
 *         Nothing has changed then.
 */
int fo_carp_reconf(struct fo_carp *c, const struct fo_carp_conf *conf, uint64_t now_us, const char **err);
/** The addresses, copied, all at once. None: INIT. 0 or -ENOMEM (nothing changed). */
int fo_carp_addrs(struct fo_carp *c, const struct fo_addr *addrs, size_t n, uint64_t now_us);

/** ifconfig up, down. A MASTER that goes down bows out first. Of a group's: fo_group_up(). */
void fo_carp_up(struct fo_carp *c, bool up, uint64_t now_us);
/** Link of the parent, and whether the parent is up. Of a group's: fo_group_link(). */
void fo_carp_link(struct fo_carp *c, bool up, uint64_t now_us);
/** Demotion: byte 4 for OpenBSD (capped), and what it is worth in advskew for FreeBSD. Of a group's: fo_group_demote(). */
void fo_carp_demote(struct fo_carp *c, unsigned count, int skew, uint64_t now_us);

/**
 * `state master`, `state backup`. A MASTER bows out; with preempt it comes back when it hears a slower one (fo_group_resign()
 * is what stays away).
 *
 * @return 0 (also when it is that already), -ENETDOWN in INIT.
 */
int fo_carp_set_state(struct fo_carp *c, enum fo_carp_state to, uint64_t now_us);
/** The master of this vhid is known to be dead, not merely silent: a BACKUP becomes MASTER now. */
void fo_carp_peer_dead(struct fo_carp *c, uint64_t now_us);
/**
 * The cable is silent, which alone proves nothing: a BACKUP waits no longer than half an interval beyond the next
 * advertisement that is due. If that comes, all is as before.
 */
void fo_carp_peer_suspect(struct fo_carp *c, uint64_t now_us);

/**
 * One received header for this virtual host: section 4 from row 7 on, then the state machine. fo_group_input() is the whole.
 *
 * @return FO_CARP_NONE, or what it was discarded for, which has been counted.
 */
enum fo_carp_counter fo_carp_input(struct fo_carp *c, const struct sync_carp *h, const struct fo_carp_rx *rx, uint64_t now_us);

/**
 * Do what is due. To be called no later than the interval after the deadline. A BACKUP whose timer expired longer ago than
 * that begins to wait anew (once), for the advertisements that it missed may have been there; a MASTER that was not run for a
 * whole master-down time becomes BACKUP, for by then another is master.
 *
 * @return fo_carp_deadline().
 */
uint64_t fo_carp_tick(struct fo_carp *c, uint64_t now_us);
/** When fo_carp_tick() has something to do next, FO_CARP_NEVER in INIT. */
uint64_t fo_carp_deadline(const struct fo_carp *c);

void fo_carp_info_get(const struct fo_carp *c, struct fo_carp_info *info);
const struct fo_carp_stats *fo_carp_stats_get(const struct fo_carp *c);
/** Advertisement interval and master-down time as they are now (section 5). */
uint64_t fo_carp_interval_us(const struct fo_carp *c);
uint64_t fo_carp_master_down_us(const struct fo_carp *c);

const char *fo_carp_state_name(enum fo_carp_state s); /* INIT, BACKUP, MASTER */
const char *fo_carp_why_text(enum fo_carp_why w);
const char *fo_carp_counter_name(enum fo_carp_counter c);

/* 00:00:5e:00:01:VHID */
static inline void
fo_carp_mac(uint8_t vhid, uint8_t mac[6])
{
	mac[0] = mac[1] = mac[3] = 0;
	mac[2] = 0x5e;
	mac[4] = 1;
	mac[5] = vhid;
}

#endif
