/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the worker loop (worker.c) and the main lcore's turn (box.c) call: the packet path and its neighbours' hooks.
 */
#ifndef FP_BURST_H
#define FP_BURST_H

#include "box.h"

/* Take a burst received from a port: each packet ends here in one outcome. n: 1..FP_BURST. Owner of the mbufs afterwards. */
void fp_burst(struct fp_worker *w, struct rte_mbuf **m, unsigned n, uint16_t port_id);
/* The same for packets that another worker received and found to be ours (metadata in fp_mbuf_priv). n: 1..FP_BURST. */
void fp_burst_handover(struct fp_worker *w, struct rte_mbuf **m, unsigned n);
/* Once per loop: expiry, reclaim, fragment time-outs. Bounded. Returns work done. */
unsigned fp_housekeeping(struct fp_worker *w);
/* Make and destroy what a worker owns beside table and rings (call_state, reass, counters of rules, source nodes, limits). */
int fp_worker_init(struct fp_worker *w, struct fp_err *err);
void fp_worker_fini(struct fp_worker *w);

/* Main lcore: packets punted by workers, by kind; the mbuf is the callee's. */
void fp_overload_punted(struct fp_box *box, struct rte_mbuf *m);	/* FP_PUNT_OVERLOAD */
void fp_pflog_punted(struct fp_box *box, struct rte_mbuf *m);	/* FP_PUNT_PFLOG */
unsigned fp_events_poll(struct fp_box *box);			/* monitors; returns work done */
/* Worker: a packet is about to be dropped and box->events is there. The mbuf stays the caller's. */
void fp_events_drop(struct fp_worker *w, struct rte_mbuf *m, enum fp_drop why);

/* Editable configuration and rules: life cycle with the box. 0 or a negative errno. */
int fp_net_create(struct fp_box *box, struct fp_err *err);	/* ifnet.c: box->net, box->neigh */
void fp_net_destroy(struct fp_box *box);
int fp_rules_create(struct fp_box *box, struct fp_err *err);	/* rules.c: box->rules with the empty rule set */
void fp_rules_destroy(struct fp_box *box);

#endif
