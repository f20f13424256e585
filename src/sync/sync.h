/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pair as the other rooms see it: pfsync0 of a box, its peer, its figures.
 *
 *	struct sync *s = sync_create(box, &err);	before the box starts, once per box
 *	sync_syncdev(s, "sync0", &err);			`ifconfig pfsync0 syncdev sync0`
 *	sync_up(s, true, &err);
 *	...						fp_box_poll() drives it from now on; its own thread receives
 *	sync_destroy(s);				before fp_box_destroy()
 *
 * Threads: everything here is called by the main lcore. Errors: 0 or a negative errno and a sentence in *err.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "fastpath/fastpath.h"
#include "sync/pfsync_codec.h"

struct sync;

struct sync *sync_create(struct fp_box *box, struct fp_err *err);
void sync_destroy(struct sync *s);	/* NULL is fine */
struct sync *sync_of(const struct fp_box *box); /* NULL: none was made */

/* ---- configuration: `ifconfig pfsync0 WORD ...`. NULL or false takes a setting back to its default. */
int sync_syncdev(struct sync *s, const char *ifname, struct fp_err *err);
int sync_peer(struct sync *s, const char *addr, struct fp_err *err);	/* unicast or multicast address, either family */
int sync_up(struct sync *s, bool up, struct fp_err *err);
int sync_defer(struct sync *s, bool on, struct fp_err *err);
int sync_maxupd(struct sync *s, unsigned n, struct fp_err *err);		/* 0..255; default 128 */
int sync_version(struct sync *s, unsigned version, struct fp_err *err);	/* 0 as the peer speaks, 6, 1301, 1400, 1500 */
int sync_mtu(struct sync *s, unsigned mtu, struct fp_err *err);		/* 0: of syncdev; of the IP packet */
/* `set peer IF_OF_PEER is IF_HERE`; here NULL: forget it. */
int sync_map_if(struct sync *s, const char *of_peer, const char *here, struct fp_err *err);

struct sync_conf {
	char syncdev[FP_NAME_SIZE];	/* empty: none */
	char peer[48];			/* empty: multicast */
	bool up, defer;
	unsigned maxupd, version, mtu;
	unsigned n_map;
	struct sync_ifmap { char of_peer[FP_NAME_SIZE], here[FP_NAME_SIZE]; } map[64];
};
void sync_conf_get(const struct sync *s, struct sync_conf *c);

/* ---- actions */
int sync_bulk(struct sync *s, struct fp_err *err);	/* ask the peer for everything now */

/*
 * Bring the peer level: everything that waits here is sent, and a twin says that it has it all. Starts it; sync_level_done()
 * says 0 while it is under way, 1 when done, -ENOTSUP: the peer is no twin; what waited was sent. Stops by itself with the next.
 */
int sync_level(struct sync *s, struct fp_err *err);
int sync_level_done(struct sync *s);

/* ---- figures */
enum sync_health { SYNC_HEALTH_OFF, SYNC_HEALTH_IN_SYNC, SYNC_HEALTH_LAGGING, SYNC_HEALTH_BROKEN };
extern const char *const sync_health_names[];	/* off in_sync lagging broken */

struct sync_info {
	enum sync_health health;
	char reason[128];
	char peer[48];			/* where we send; empty: nowhere */
	char heard[48];			/* last address that sent something valid */
	uint64_t heard_us;		/* ago; UINT64_MAX never */
	unsigned version;		/* spoken now: 6, 1301, 1400, 1500 */
	bool version_fixed;
	bool twin;			/* the peer is a twinpath box */
	bool link;			/* of syncdev */
	char thread[48];		/* where the sync thread runs: "cpu 3, its own lcore", "beside the main lcore" */
	unsigned tx_queues;		/* 0: workers share one */
	struct {
		char state[16];		/* none start sent receiving done failed */
		char reason[64];
		double progress;	/* 0..1 of the states expected; 1 done; negative: unknown */
		double eta_sec;		/* negative: unknown */
		unsigned tries;
		bool sending;		/* a peer gets one from us */
		uint64_t received, sent; /* states, of this or the last one */
		double took_sec;	/* last one that we got; negative: none */
	} bulk;
	uint64_t sent[SYNC_UNKNOWN + 1], received[SYNC_UNKNOWN + 1]; /* messages by enum sync_kind */
	uint64_t counters[SYNC_CNT_MAX];
	uint64_t sent_packets, sent_bytes, received_packets, received_bytes;
	uint64_t inserted, updated, deleted, cleared;	/* received and applied */
	uint64_t collisions;		/* inserts refused: another state is there */
	uint64_t table_full;		/* inserts refused: limit, memory */
	uint64_t unsupported;		/* translated states and the like, refused */
	uint64_t unknown_if;		/* bound to an interface that is not here: kept, match nothing */
	uint64_t inbox_full;		/* messages to workers lost */
	uint64_t requests_suppressed;	/* UPD_REQ not sent: rate, repeated */
	uint64_t annihilated;		/* inserts that met their delete in the queue */
	uint64_t collapsed;		/* updates that met a waiting entry */
	uint64_t corrections;		/* stale news answered with the truth */
	uint64_t rule_bound, rule_default; /* imported states: bound to our rule of that number, or to the default rule */
	uint64_t dirty;			/* states that wait for a second chance to be sent */
	uint64_t dirty_total;
	uint64_t tx_retries;		/* packets that the link did not take at once */
	uint64_t deletes_lost;
	uint64_t lost, repaired;	/* packets of a twinpath peer that never came; states sent again for it */
	uint64_t reordered;
	struct { uint64_t held, acked, timed_out, overflowed, now; double p50_us, p99_us; } defer;
	double lag_p50_us, lag_p99_us, lag_max_us; /* commit there to lookup here; NaN: nothing measured */
	bool lag_same_clock;		/* both boxes read one TSC */
	uint32_t demote;		/* what carp should add: spec/pfsync-behaviour.md A5 */
};
void sync_info_get(struct sync *s, struct sync_info *info);
/* What carp should add now (A5): 32 until a bulk update is done or given up, 1 while the cable has no link. Cheap. */
unsigned sync_demote(struct sync *s);
void sync_clear(struct sync *s);	/* figures start at zero */

/* ---- `monitor sync`: messages as they are sent and received; cb on the main lcore from fp_box_poll(). */
struct sync_event {
	uint64_t time_us;		/* box clock */
	bool out;
	enum sync_kind kind;
	unsigned version;
	char peer[48];
	uint64_t id; uint32_t creatorid;
	bool has_state;			/* ins, upd, del: key below */
	struct sync_state state;
	enum sync_counter refused;	/* SYNC_CNT_NONE: applied */
};
int sync_subscribe(struct sync *s, void (*cb)(void *arg, const struct sync_event *ev, uint64_t lost), void *arg); /* id */
void sync_unsubscribe(struct sync *s, int id);
/* `pfsynclog`: packets sent and received to a pcap file, DLT_PFSYNC; NULL closes. */
int sync_capture(struct sync *s, const char *path, struct fp_err *err);

#endif
