/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the sync room: what its files share. Three kinds of threads meet here:
 *
 *	main lcore	configures (pair.c), publishes struct sync_run, asks for figures
 *	workers		each owns one slice (slice.c): queues what its states have to tell, builds packets, sends them on its own
 *			Tx queue; applies what came for its states (apply.c)
 *	sync thread	receives (thread.c, receive.c), inserts learned states (import.c), asks for and coordinates bulk updates
 *			(bulk.c), finds states by name (idmap.c). It is reader FP_MAX_WORKERS of box->qs.
 *
 * Rings: sync thread -> worker: slice.inbox (struct sync_msg_w, single producer, single consumer). Worker -> sync thread:
 * slice.outbox (struct sync_msg_t), likewise.
 *
 * Names of states. The id of a state made here says where its record is: worker and index are part of it (fp_id_make()).
 * Everything else is in the sync thread's own hash (idmap.c), as are halves that moved (slice.outbox tells). Whatever is
 * found is checked against the record, by the sync thread and again by the owner.
 */
#ifndef SYNC_ENGINE_H
#define SYNC_ENGINE_H

#include <rte_ring_elem.h>

#include "fastpath/box.h"
#include "fastpath/sync_hooks.h"
#include "sync/pfsync_codec.h"
#include "sync/sync.h"

#define SYNC_SLICE_THREAD 0xffffu	/* slice numbers of the sync thread and of the main lcore in a twinpath peer's eyes */
#define SYNC_SLICE_MAIN 0xfffeu

/* ---- published configuration; immutable; main publishes with a release store, readers borrow until quiescent */
struct sync_run {
	bool ready;			/* receiver, bulk and slices have their memory: pfsync was up once */
	bool up;			/* pfsync0 up, syncdev set and there, box runs */
	bool link;			/* of syncdev */
	bool defer;
	bool poll;			/* the sync thread polls the port: it is the cable alone; else workers pass on what comes */
	uint16_t ifid, port_id, n_rxq;
	uint16_t thread_txq;		/* own Tx queue of the sync thread or FP_TXQ_NONE: by worker 0's txreq ring */
	uint16_t maxupd;
	uint8_t af;			/* of the carrier: FP_AF_* */
	uint8_t peer[16], src[16];	/* destination and source addresses */
	bool peer_multicast;
	uint16_t payload;		/* bytes for pfsync in one packet */
	uint8_t checksum[16];		/* MD5 of the rule set in force */
	unsigned version;		/* as set: 0, 6, 1301 ... */
	unsigned n_map;
	struct { char name[16]; uint16_t ifid; } map[64];
};

/* ---- sync thread -> worker */
enum sync_msg_kind {
	SYNC_M_UPD,		/* merge peers and timeout into halves of a record (UPD, UPD_C) */
	SYNC_M_DEL,		/* remove halves, silently */
	SYNC_M_ACK,		/* INS_ACK: release the deferred packet */
	SYNC_M_REQ,		/* UPD_REQ: queue a full update, flush */
	SYNC_M_INSERT,		/* a record that the sync thread filled but could not publish: join, replace or insert it */
	SYNC_M_CLR,		/* remove by creator and interface; walks the shard in steps */
	SYNC_M_BULK,		/* walk the shard and send every state in full */
	SYNC_M_NACK,		/* packets index .. gen of this slice never came: session.c */
	SYNC_M_LEVEL,		/* send all that waits, lazy or not, then say so with gen: session.c */
};
struct sync_peer_w {		/* a struct sync_peer, shrunk */
	uint32_t seqlo, seqhi, seqdiff, ts_mod;
	uint16_t max_win, mss, scrub_flags;
	uint8_t state, wscale, scrub_ttl, scrub_valid;
	uint16_t pad;
};
struct sync_msg_w {		/* esize of the ring must be a multiple of 4 */
	uint8_t kind;		/* enum sync_msg_kind */
	uint8_t halves;		/* bit mask: which halves of the record are meant */
	uint8_t timeout;
	uint8_t flags;		/* SYNC_MF_* */
	uint32_t index;		/* of the record */
	uint64_t id[2];		/* names of the halves meant */
	uint32_t creatorid;
	uint16_t ifid;		/* CLR: FP_IFID_ALL with SYNC_MF_ANY_IF: any */
	uint16_t max_mss;
	struct sync_peer_w peer[2];
	union {
		struct {
			uint32_t gen;	/* BULK; CLR: the walk is over */
			uint32_t rate;	/* BULK: packets a millisecond that the peer can follow, 0: as many as the link takes */
		};
		struct {		/* INSERT with SYNC_MF_EXT */
			uint8_t min_ttl, set_tos, set_prio[2];
			uint16_t scrub_rf;	/* of fp_state_ext */
		};
	};
};
_Static_assert(sizeof(struct sync_msg_w) % 4 == 0, "ring element");
#define SYNC_MF_ANY_IF 1
#define SYNC_MF_ACK 2		/* the sender holds a packet: answer INS_ACK once it is in */
#define SYNC_MF_FULL 4		/* came as UPD, not UPD_C */
#define SYNC_MF_EXT 8		/* INSERT: needs an extension block */

/* ---- worker -> sync thread */
/* This state's record is now there; learned or moved. creatorid 0: something else, SYNC_T_* of receive.h. */
struct sync_msg_t { uint64_t id; uint32_t creatorid; uint32_t index; };

/* ---- counters: one block a thread, its only writer; sums are read relaxed (fp_count()) */
struct sync_counts {
	uint64_t sent[SYNC_UNKNOWN + 1], received[SYNC_UNKNOWN + 1], cnt[SYNC_CNT_MAX];
	uint64_t sent_packets, sent_bytes, received_packets, received_bytes;
	uint64_t inserted, updated, deleted, cleared, collisions, table_full, unsupported, unknown_if, inbox_full, requests_suppressed;
	uint64_t annihilated, collapsed, corrections, rule_bound, rule_default, dirty, dirty_total, tx_retries, deletes_lost;
	uint64_t lost, repaired, reordered;
	uint64_t defer_held, defer_acked, defer_timed_out, defer_overflowed, defer_now;
	uint64_t bulk_sent;
};

/* ---- histogram of times: logarithmic, 8 steps an octave, from 1/8 us to hours; one writer, read relaxed */
#define SYNC_HIST_SIZE 320
struct sync_hist { uint64_t n[SYNC_HIST_SIZE]; uint64_t count, max_ns; };
void sync_hist_add(struct sync_hist *h, uint64_t ns);
/* Quantile of the sum of up to n histograms, microseconds; NaN: empty. */
double sync_hist_quantile_us(struct sync_hist *const *h, unsigned n, double q);

/* ---- one packet being built (packet.c): worker or sync thread */
struct sync_packet {
	struct rte_mbuf *m;
	struct sync_out out;
	uint8_t bare;		/* SYNC_MARK_TAIL ..: a header alone, with the three fields below */
	uint16_t bare_slice;
	uint32_t bare_a, bare_b;
	uint64_t oldest_us;	/* box clock at the oldest change that it speaks of; 0 none: a twin measures its lag from it */
};
/* Room for headers, pfsync header begun in dialect. false: no buffer (onomem is the caller's to count). */
bool sync_packet_begin(struct sync_packet *pk, struct sync *s, const struct sync_run *run, struct rte_mempool *pool,
	enum sync_dialect d);
/* pfsync lengths, our marks for a twinpath peer, IP header. m->data is the IP packet then. false: no message was in it (freed). */
bool sync_packet_finish(struct sync_packet *pk, struct sync *s, const struct sync_run *run, unsigned slice, uint32_t seq);

/* The clock of marks: microseconds of the TSC since it began, the same for all boxes of one host. */
static inline uint64_t
sync_tsc_us(const struct fp_box *box)
{
	return rte_rdtsc() / (box->tsc_hz / 1000000);
}

/* Our marks in a version 6 header (docs/pfsync.md): pad byte and the 16 bytes that pf ignores. */
#define SYNC_MARK 0x54
#define SYNC_MARK_TAIL 0x55
#define SYNC_MARK_NACK 0x56
#define SYNC_MARK_NOTED 0x57
#define SYNC_MARK_LEVEL 0x58	/* "have you everything of this slice up to this number?" */
#define SYNC_MARK_IS_LEVEL 0x59	/* "yes" */
#define SYNC_MARK_PROBE 0x5a	/* "do you live?", by another way than the cable */
#define SYNC_MARK_ALIVE 0x5b
struct sync_mark { uint16_t slice; uint32_t seq; uint64_t time_us /* 48 bits */; uint32_t rules; };
void sync_mark_write(uint8_t *pfsync_header, const struct sync_mark *m);
bool sync_mark_read(const uint8_t *pfsync_header, struct sync_mark *m);

/* ---- the sender's side of one worker; owner: that worker, but where it says so */
struct sync_slice;
const struct sync_run *sync_run_get(const struct sync *s);	/* borrowed until the next quiescent report; may be NULL */
enum sync_dialect sync_dialect_get(const struct sync *s);	/* what to send */
unsigned sync_version_of(enum sync_dialect d);			/* 6, 1301, 1400, 1500: the words of `version` */
/* For apply.c. Queue a full update (UPD_REQ, stale: correct); flush at the end of this turn. */
void sync_slice_queue_upd(struct sync_slice *sl, struct fp_state *st, unsigned halves);
void sync_slice_queue_upd_c(struct sync_slice *sl, struct fp_state *st, unsigned halves);
void sync_slice_queue_ack(struct sync_slice *sl, uint64_t id, uint32_t creatorid);
/* The deferred packet of this record, if there is one, goes out; drop: it does not. */
void sync_defer_release(struct sync_slice *sl, struct fp_state *st, bool drop);
struct sync_counts *sync_slice_counts(struct sync_slice *sl);
/* Tell the sync thread where a state lies now. */
void sync_slice_tell(struct sync_slice *sl, uint64_t id, uint32_t creatorid, uint32_t index);
/* One half of a record as pfsync has it. export.c, owner of the record. */
void sync_export(const struct fp_worker *w, const struct fp_state *st, int half, struct sync_state *out);
void sync_export_upd_c(const struct fp_worker *w, const struct fp_state *st, int half, struct sync_upd_c *out);
/*
 * The same straight into a packet: UPD_C of any dialect (SYNC_UPDC_SIZE bytes), a state of version 6 (SYNC_STATE6_SIZE).
 * total: states of the box, for adaptive timeouts. encode.c, owner of the record.
 */
void sync_encode_upd_c(const struct fp_worker *w, const struct fp_state *st, int half, uint8_t *p);
void sync_encode_state6(const struct fp_worker *w, const struct fp_state *st, int half, uint32_t total, uint8_t *p);
/* What the peer calls that interface of ours (`set peer`), or NULL: as we do. Borrowed with run. export.c */
const char *sync_run_ifname(const struct sync_run *run, uint16_t ifid);
/* Name of an interface as pfsync has it, 16 bytes. export.c */
void sync_export_ifname(const struct fp_worker *w, uint16_t ifid, char name[16]);

/* ---- apply.c, on the owner: one message of the inbox. False: not finished (CLR walks on): call again next turn. */
bool sync_apply(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m);
/* A message of the inbox that will not be applied: gives back what it holds. On the owner, or while it holds still. */
void sync_apply_discard(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m);

/* ---- sync thread (thread.c calls; receive.c, import.c, bulk.c, idmap.c) */
struct sync_thread {			/* owner: the sync thread */
	struct sync *s;
	struct fp_box *box;
	uint64_t now_us;
	uint32_t now_sec;
	const struct fp_conf *conf;	/* borrowed until the end of the turn */
	const struct sync_run *run;	/* likewise, never NULL here */
	struct rte_mempool *pool;
	struct sync_counts cnt;
	struct sync_hist lag;
	uint32_t seq;			/* of what this thread sends */
	uint64_t heard_us;		/* last valid packet; 0 never; read by main */
	uint32_t heard_seq;		/* of the next two, which main reads: odd while they change; all with release and acquire */
	uint64_t heard[2];		/* address, as it came, zeros behind */
	uint8_t heard_af;
	bool twin;
	void *receive;			/* receive.c's own: idmap, requests waiting, batches to workers, sequences of the peer's slices */
	void *bulk;			/* bulk.c's own */
	void *session;			/* session.c's own */
};
int sync_receive_init(struct sync_thread *t, struct fp_err *err);	/* main, before the thread runs */
void sync_receive_fini(struct sync_thread *t);
/* One pfsync packet: the IP payload. The carrier checks (interface, TTL) are made inside: ifid, ttl as they came. */
void sync_receive(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *src, unsigned ttl, const uint8_t *payload,
	size_t len);
/* End of a receive burst: batches to the workers go out, UPD_REQ are sent. */
void sync_receive_flush(struct sync_thread *t);
/* Once a turn: outboxes of the slices, sweep of the idmap. Work done. */
unsigned sync_receive_turn(struct sync_thread *t);

int sync_bulk_init(struct sync_thread *t);
void sync_bulk_fini(struct sync_thread *t);
/* Events and timers of A5 and A6; bulk.c holds the state machine. */
enum sync_bulk_event { SYNC_BULK_EV_UP, SYNC_BULK_EV_DOWN, SYNC_BULK_EV_LINK_UP, SYNC_BULK_EV_LINK_DOWN, SYNC_BULK_EV_ASKED_BY_USER };
void sync_bulk_event(struct sync_thread *t, enum sync_bulk_event ev);
void sync_bulk_bus(struct sync_thread *t, const struct sync_bus *b);	/* BUS came */
void sync_bulk_counted(struct sync_thread *t, unsigned states);		/* so many INS, UPD came (progress) */
void sync_bulk_request(struct sync_thread *t);				/* a peer asks for everything */
unsigned sync_bulk_turn(struct sync_thread *t);
void sync_bulk_info(struct sync_thread *t, struct sync_info *info);	/* main, relaxed reads */

/*
 * What else lives on this thread: CARP (src/failover). The thread runs while pfsync is enabled or the guest wants it. Input:
 * IP packets of protocol 112 to this box or its groups, headers checked; the guest may not keep them.
 */
struct sync_ip {
	uint16_t ifid;
	uint8_t af, ttl, tos;
	bool multicast;			/* destination */
	uint16_t hlen;			/* of the IP header */
	const uint8_t *src, *payload;	/* borrowed */
	size_t len;			/* of the payload */
};
struct sync_guest {
	bool (*wanted)(void *arg);						/* main lcore */
	void (*poll)(void *arg);						/* main lcore, each fp_box_poll() */
	void (*stopping)(void *arg);						/* main lcore: workers are about to stop */
	void (*input)(void *arg, struct sync_thread *t, const struct sync_ip *p); /* thread */
	unsigned (*turn)(void *arg, struct sync_thread *t);			/* thread, after what was received; work done */
	uint64_t (*deadline_us)(void *arg);					/* thread: box clock; it does not sleep longer */
};
/* One; before the box starts. NULL: none any more, the thread does not run. */
void sync_guest_set(struct sync *s, const struct sync_guest *g, void *arg);
/* Main lcore: run fn on the thread, between two turns, and wait; at once where the thread does not run. */
void sync_thread_call(struct sync *s, void (*fn)(struct sync_thread *t, void *arg), void *arg);
/* A finished frame, taken in any case. 0; -ENETDOWN: nobody sends on that port; -ENOBUFS. */
int sync_thread_tx(struct sync_thread *t, uint16_t port_id, struct rte_mbuf *m);
/* An IP packet whose next hop (fp_priv: af, ifid, addr) must be asked for first: by the main lcore. 0 or -ENOBUFS. */
int sync_thread_unresolved(struct sync_thread *t, struct rte_mbuf *m);

/* Send what was built; false: not taken (counted), freed. */
bool sync_thread_send(struct sync_thread *t, struct sync_packet *pk);
/* To a worker's inbox; false: full. */
bool sync_to_worker(struct sync_thread *t, unsigned worker, const struct sync_msg_w *m, unsigned n);
/* Worker's bulk walk: a request with this generation is done when this returns it. */
uint32_t sync_slice_bulk_done(const struct sync *s, unsigned worker);
/* Which version the peer turned out to speak (a valid packet came). */
void sync_heard(struct sync_thread *t, unsigned version, enum sync_dialect record, bool twin);

/* Monitors and captures; cheap when nobody looks. ev borrowed. Workers and sync thread. */
bool sync_watched(const struct sync *s);
void sync_event_put(struct sync *s, unsigned thread /* worker id, or FP_MAX_WORKERS */, const struct sync_event *ev);

#endif
