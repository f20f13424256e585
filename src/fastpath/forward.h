/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole way of one packet that is not on the short path: pf in, local or onwards, pf out, wire. Worker only. */
#ifndef FP_FORWARD_H
#define FP_FORWARD_H

#include "pf.h"

/* p: after fp_parse_ip() and fp_pf_classify(), on the worker that owns the flow; p->ifid set. The mbuf is consumed. */
void fp_forward(struct fp_worker *w, struct fp_pkt *p);

/* Handed back by the main lcore: the next hop of a forwarded packet does not answer. The mbuf is consumed. */
void fp_neigh_unreachable(struct fp_worker *w, struct rte_mbuf *m);

/* A packet that was deferred (sync_hooks.h) goes on where it stopped: behind pf on the way out. The mbuf is consumed. */
void fp_forward_resume(struct fp_worker *w, struct rte_mbuf *m);

#endif
