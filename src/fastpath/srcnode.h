/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source tracking: how many states and connections a source address has (spec/tcp-state.md 8). What pf_rules.c and
 * pf_synproxy.c call; all on the worker that makes or owns the state, unless said otherwise.
 *
 *	lc = fp_srcnode_admit(w, rt, af, src, &node);		a state is about to be made
 *	... fp_srcnode_admit_undo(w, node)			it was not made after all
 *	... fp_state_ext.srcnode[half] = node, FP_HF_SRC_NODE
 *	lc = fp_srcnode_established(w, st, half, rt);		once, when both peers are
 *	fp_srcnode_state_gone(w, st, half);			before the half is removed
 */
#ifndef FP_SRCNODE_H
#define FP_SRCNODE_H

#include "box.h"
#include "state.h"

struct fp_rule_rt;

#define FP_SRCNODE_NONE UINT32_MAX

/*
 * A state is about to be made by a rule with POL_RF_SRCTRACK. -1: admitted, *node counts one state more; else the limit
 * counter (enum fp_lcounter) of what refused it, and *node is FP_SRCNODE_NONE. max-src-nodes, `limit src-nodes` and
 * max-src-states.
 */
int fp_srcnode_admit(struct fp_worker *w, struct fp_rule_rt *rt, uint8_t af, const uint8_t *addr, uint32_t *node);
/* It was not made after all. node: FP_SRCNODE_NONE is fine. */
void fp_srcnode_admit_undo(struct fp_worker *w, uint32_t node);
/* A half with FP_HF_SRC_NODE goes (its node: fp_state_ext.srcnode[half]). */
void fp_srcnode_state_gone(struct fp_worker *w, struct fp_state *st, int half);
/*
 * Both peers of st are ESTABLISHED now: -1, or the limit counter that is exceeded (max-src-conn, max-src-conn-rate; where
 * both are, the other one is counted here). Sets FP_HF_CONN; a second call for the same half does nothing.
 */
int fp_srcnode_established(struct fp_worker *w, struct fp_state *st, int half, struct fp_rule_rt *rt);
int fp_srcnode_worker_init(struct fp_worker *w);	/* 0 or -ENOMEM; main, before the worker runs */
void fp_srcnode_worker_fini(struct fp_worker *w);	/* main, when no worker runs */
void fp_srcnode_expire(struct fp_worker *w);	/* once a second, bounded */
/* Addresses tracked by the box, from relaxed reads. Any thread. */
uint32_t fp_srcnodes_count(const struct fp_box *box);

#endif
