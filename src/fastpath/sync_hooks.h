/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fast path tells the sync room (src/sync), and the marks in a record that belong to it. The fast path knows no
 * pfsync: it calls through w->sync, which is NULL while no pfsync interface is up.
 *
 * Everything here runs on the worker that owns the record, but `cleared`, which runs on the main lcore.
 *
 * Positions. Each half of a record is in one position of pf's queues (spec/pfsync-behaviour.md A2), 4 bits of
 * fp_state.sync_pos. A record that holds both halves is queued once for both.
 */
#ifndef FP_SYNC_HOOKS_H
#define FP_SYNC_HOOKS_H

#include "state.h"

enum fp_sync_pos {
	FP_SYNC_NONE,		/* nothing pending */
	FP_SYNC_INS,		/* an insert waits */
	FP_SYNC_UPD_C,		/* a compressed update waits */
	FP_SYNC_UPD,		/* a full update waits */
	FP_SYNC_DIRTY_INS,	/* an insert should wait, but the queue was full: found again by a walk */
	FP_SYNC_DIRTY_UPD,	/* likewise a full update */
	FP_SYNC_LAZY,		/* a window moved: a compressed update, but nobody waits for it */
	FP_SYNC_DEAD = 15,	/* never sent */
};

static inline unsigned
fp_sync_pos_get(const struct fp_state *st, int half)
{
	return st->sync_pos >> (4 * half) & 15;
}

static inline void
fp_sync_pos_set(struct fp_state *st, int half, unsigned pos)
{
	st->sync_pos = (uint8_t)((st->sync_pos & ~(15u << (4 * half))) | pos << (4 * half));
}

struct fp_worker;
struct fp_pkt;
struct fp_box;

struct fp_sync_hooks {
	/* A half was made by a packet of this box. The record is published. */
	void (*inserted)(struct fp_worker *w, struct fp_state *st, int half);
	/*
	 * A packet was accepted by the halves in the mask. transition: a peer's state or the timeout changed, else the window
	 * (at most) moved; that needs to be told only when nothing is pending for the record (sync_pos is 0), or with every
	 * w->sync_maxupd'th packet.
	 */
	void (*touched)(struct fp_worker *w, struct fp_state *st, unsigned halves, bool transition);
	/* The half is about to be removed; FP_HF_NO_SYNC: the peer is not to be told. */
	void (*removed)(struct fp_worker *w, struct fp_state *st, int half);
	/* The half has moved from record `from` to record st. */
	void (*moved)(struct fp_worker *w, struct fp_state *st, int half, const struct fp_state *from);
	/*
	 * The packet that made this outbound half is about to leave by oif_ifid (routed) or the bridge. True: taken, and sent
	 * later with fp_forward_resume(); false: send it now.
	 */
	bool (*defer)(struct fp_worker *w, struct fp_pkt *p, struct fp_state *st);
	/* End of a loop, before transmit buffers are flushed. Work done. */
	unsigned (*turn)(struct fp_worker *w);
	/* Main lcore: states were cleared by the administrator; NULL: of all interfaces. */
	void (*cleared)(struct fp_box *box, const char *ifname);
	/* Main lcore: link state, timers. */
	void (*poll)(struct fp_box *box);
	/* Main lcore: the workers have new lists of queues; a port may be about to stop. Returns when nobody else uses it. */
	void (*ports)(struct fp_box *box);
	/* Main lcore: the box is about to stop, workers still run: what must be said to others is sent now. */
	void (*stopping)(struct fp_box *box);
	/* Any worker, w->sync set or not, while box->pair_listens: a packet of protocol 240 or 112 to this box that came in on ifid. The mbuf is taken. */
	void (*received)(struct fp_worker *w, void *mbuf, uint16_t ifid);
};

#endif
