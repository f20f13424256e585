/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pair.c, thread.c, slice.c, defer.c, packet.c and watch.c share: the object behind pfsync0. Owner of everything not
 * marked otherwise: the main lcore.
 */
#ifndef SYNC_PAIR_H
#define SYNC_PAIR_H

#include <pthread.h>

#include "sync/engine.h"

#define SYNC_TXQ 64		/* packets that wait for the link, a slice */
#define SYNC_QUEUE 65536u	/* entries of one queue, a slice; power of two */
#define SYNC_DEFER_MAX 4096u	/* packets held, a slice; power of two */
#define SYNC_DEFER_US 20000	/* pf: PFSYNC_DEFER_NSEC */

struct sync_ent { uint64_t id; uint32_t index, creatorid; };
/* index: of the record; an entry counts if that is in position LAZY (if it is another state's by now, that is sent early). */
struct sync_lazy { uint32_t index, ms; };
struct sync_queue { uint32_t head, tail; struct sync_ent *v; };

/* What a packet spoke of, for the case that it is lost. index: SYNC_PAST_GONE: a delete. */
struct sync_past { uint64_t id; uint32_t creatorid, index, seq; };
#define SYNC_PAST 65536u	/* remembered, a slice; power of two */
#define SYNC_PAST_GONE UINT32_MAX

/* A packet that waits for its INS_ACK. */
struct sync_held { struct rte_mbuf *m; uint64_t id, since_us; uint32_t index, creatorid; };

struct sync_slice {			/* owner: its worker */
	struct sync *s;			/* [I] */
	struct fp_worker *w;		/* [I] */
	struct rte_ring *inbox, *outbox; /* [I] */
	struct sync_queue ins, upd_c, upd, del, ack;
	uint32_t total;			/* states of the box when this turn's packets began */
	struct sync_lazy *lazy;		/* [lazy_size] ring: records whose window moved, by age */
	uint32_t lazy_size, lazy_head, lazy_tail; /* size: a power of two, room for every record */
	bool urgent;			/* flush at the end of this turn */
	uint64_t oldest_us;		/* when the first of what waits (lazy ones aside) came; 0 nothing */
	uint64_t last_flush_us;
	uint32_t seq;
	struct sync_past *past;		/* [SYNC_PAST] ring */
	uint32_t past_head;
	uint64_t tail_us;		/* last packet sent */
	uint8_t tail_n;			/* tails said since */
	uint32_t level_gen, level_done;	/* SYNC_M_LEVEL: asked; done, written with release after level_seq: read by the sync thread */
	uint32_t level_seq;
	struct sync_packet open;	/* of the bulk walk */
	bool is_open;
	unsigned n_tx;
	struct rte_mbuf *tx[SYNC_TXQ];
	struct sync_msg_w msg;		/* not finished */
	bool msg_pending;
	/* bulk walk */
	bool bulk;
	uint32_t bulk_cursor, bulk_gen, bulk_done; /* done: read by the sync thread */
	uint32_t bulk_rate;
	uint64_t bulk_us, bulk_credit;
	/* repair walk */
	uint32_t dirty_cursor;
	uint64_t dirty_us;
	/* deferral: FIFO of held packets, and where to find one by its record */
	struct sync_held *held;		/* [SYNC_DEFER_MAX] ring */
	uint32_t held_head, held_tail;
	uint32_t *held_at;		/* [2 * SYNC_DEFER_MAX] 1 + position in the ring, hashed by record */
	struct sync_counts cnt;
	struct sync_hist defer_hist;
};

/* A next hop that a learned state will need. */
struct sync_hop { uint16_t ifid; uint8_t af, pad; uint8_t addr[16]; };
struct sync_asked { uint32_t hash, ms; };

struct sync {
	struct fp_box *box;
	struct sync_conf conf;
	struct sync_run *run;		/* published with release */
	uint8_t dialect;		/* enum sync_dialect that we send; written by main and the sync thread, one byte */
	bool marks;			/* the peer is a twin: our marks go out. Writer: sync thread */
	uint64_t heard5_us, heard6_us, twin_us; /* sync thread; main reads the last one */
	uint32_t level_want;		/* main -> sync thread: generation to bring about; release */
	uint32_t level_got;		/* sync thread: reached; release */
	unsigned twin_hits;		/* sync thread */
	struct sync_slice *slices[FP_MAX_WORKERS];
	unsigned n_slices;
	struct sync_thread t;
	struct rte_mempool *pool;
	uint16_t pool_room;
	struct rte_ring *rx;		/* workers -> sync thread: packets of protocol 240 that came in on a shared port */
	struct rte_ring *hops;		/* sync thread -> main: struct sync_hop to be asked for */
	struct sync_asked *asked;	/* sync thread: warm.c */
	struct rte_ring *unresolved;	/* sync thread -> main: IP packets whose next hop must be asked for */
	pthread_t thread;
	bool thread_runs;
	uint32_t turn;			/* turns of the sync thread, its writer */
	bool thread_stop;		/* main -> thread, relaxed */
	uint32_t events;		/* main -> thread: bits 1 << enum sync_bulk_event, taken with exchange */
	unsigned thread_cpu;		/* UINT_MAX: floats beside the main lcore */
	unsigned thread_lcore;
	bool on_main;			/* no thread: fp_box_poll() does its work (tests, rigs) */
	bool enabled;			/* workers have hooks */
	const struct sync_guest *guest;	/* CARP */
	void *guest_arg;
	struct sync_call *call;		/* main -> thread: release; thread clears it with release when done */
	uint64_t last_poll_us;
	void *watch;			/* watch.c: monitors, capture */
	struct sync_counts base;	/* `clear sync` */
	struct sync_counts main_cnt;
	struct sync_hist lag_then[2];	/* the lag's histogram 0 to 10 s and 10 to 20 s ago: what health looks at is newer */
	uint64_t lag_then_us;
	uint32_t main_seq;
	uint32_t generation;		/* of the box's configuration that run was made from */
	bool t_ready;			/* receiver has its memory */
	bool failed;			/* could not be enabled; why */
	char why[128];
	struct sync_info demote_info;	/* sync_demote()'s */
};

struct sync_call { void (*fn)(struct sync_thread *t, void *arg); void *arg; };

/* Tests: no thread, fp_box_poll() takes its turns. Before it is up. */
void sync_no_thread(struct sync *s);

/* thread.c */
int sync_thread_start(struct sync *s, struct fp_err *err);
void sync_thread_stop(struct sync *s);
unsigned sync_thread_turn(struct sync *s);	/* one turn, on whatever thread it is */
/* slice.c */
struct sync_slice *sync_slice_create(struct sync *s, struct fp_worker *w);
void sync_slice_destroy(struct sync_slice *sl);
unsigned sync_slice_turn(struct fp_worker *w);
void sync_slice_reset(struct sync_slice *sl);	/* on the worker: forget all that waits; positions are reset by pair.c */
extern const struct fp_sync_hooks sync_hooks;
/* hooks of pair.c and thread.c */
void sync_cleared(struct fp_box *box, const char *ifname);
void sync_poll(struct fp_box *box);
void sync_ports(struct fp_box *box);
void sync_stopping(struct fp_box *box);
void sync_received(struct fp_worker *w, void *mbuf, uint16_t ifid);
/* defer.c */
bool sync_defer_hold(struct fp_worker *w, struct fp_pkt *p, struct fp_state *st);
void sync_defer_moved(struct sync_slice *sl, const struct fp_state *from, struct fp_state *to);
void sync_defer_turn(struct sync_slice *sl);
void sync_defer_flush(struct sync_slice *sl);
/* packet.c: Ethernet in front. 1: ready to transmit; 0: taken over (waits for its neighbour); -1: no way to the peer (freed). */
int sync_packet_l2(struct sync *s, const struct sync_run *run, const struct fp_conf *conf, struct rte_mbuf *m);
/* What a twin writes into the IP identification, so that twins know each other without a byte that others would see. */
uint16_t sync_twin_ident(const uint8_t *payload, size_t len);
/* session.c */
int sync_session_init(struct sync_thread *t);
void sync_session_fini(struct sync_thread *t);
unsigned sync_session_turn(struct sync_thread *t);
void sync_session_numbered(struct sync_thread *t, uint8_t af, const uint8_t *src, const struct sync_mark *m);
/* A bare header of a twin? Then it is done with. */
bool sync_session_bare(struct sync_thread *t, uint8_t af, const uint8_t *src, const uint8_t *h, size_t len);
uint64_t sync_session_heard_us(const struct sync_thread *t);	/* box clock; 0 never */
void sync_history_put(struct sync_slice *sl, uint64_t id, uint32_t creatorid, uint32_t index);
bool sync_session_nacked(struct sync_slice *sl, uint32_t from, uint32_t to);
void sync_session_tail(struct sync_slice *sl, const struct sync_run *run);
/* A probe or its answer came, on any interface. */
void sync_session_probed(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *src, const uint8_t *h);
void sync_session_levelled(struct sync_slice *sl);
/* Questions by data ports: begin anew, and forget answers to older ones; ask dst by the interface ifid. */
void sync_session_probes_begin(struct sync_thread *t);
void sync_session_probe(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *dst);
uint64_t sync_session_alive_us(const struct sync_thread *t);	/* when one of them was answered last; 0 not yet */
/* How much this box is demoted, group "carp": goes with the heartbeat, at once when it changes. The peer's: 0 unless it lives. */
void sync_session_demotion_set(struct sync_thread *t, uint32_t count);
uint32_t sync_session_peer_demotion(const struct sync_thread *t);
bool sync_run_source(const struct fp_ifnet *ifp, struct sync_run *r); /* pair.c: source address for r->peer */
bool sync_thread_out(struct sync_thread *t, const struct sync_run *run, struct rte_mbuf *m); /* thread.c: an IP packet on its way */
/* slice.c, for session.c */
void sync_slice_emit(struct sync_slice *sl, const struct sync_run *run, struct sync_packet *pk);
void sync_slice_again(struct sync_slice *sl, const struct sync_past *p);
/* warm.c: neighbours of what is learned. Sync thread; poll, init, fini: main */
void sync_warm(struct sync_thread *t, uint8_t af, const uint8_t *addr);
void sync_warm_poll(struct sync *s);
int sync_warm_init(struct sync *s);
void sync_warm_fini(struct sync *s);
/* watch.c */
void sync_watch_packet(struct sync *s, bool out, const uint8_t *payload, size_t len);
bool sync_watch_capturing(const struct sync *s);
void sync_watch_poll(struct sync *s);
void sync_watch_fini(struct sync *s);

#endif
