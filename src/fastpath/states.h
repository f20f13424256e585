/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * States as pf lists, limits, times out and removes them: halves of records. states.c serves the main lcore's questions,
 * which run on the owning worker in bounded steps; state_expire.c is the worker's own housekeeping.
 */
#ifndef FP_STATES_H
#define FP_STATES_H

#include "box.h"

/* Total packets and bytes of one half; dir 0 as the creating packet. Owner. */
void fp_state_totals(const struct fp_table *t, const struct fp_state *st, int half, int dir, uint64_t *packets,
	uint64_t *bytes);
/* Seconds until the half expires; 0: due, or marked for removal. Owner. */
uint32_t fp_state_expires_in(const struct fp_worker *w, const struct fp_state *st, int half);
/* The same when the states of the box, fp_states_total(), are counted already. */
uint32_t fp_state_expires_with(const struct fp_worker *w, const struct fp_state *st, int half, uint32_t total);
void fp_state_view_get(const struct fp_worker *w, const struct fp_state *st, int half, struct fp_state_view *v);

/*
 * Take a half out of the table with all that hangs on it: rule and source-node counts, half-open count, the RST that a
 * state in PROXY_DST owes its client. Owner.
 */
void fp_state_remove(struct fp_worker *w, struct fp_state *st, int half);
/*
 * fp_state_uncouple(), and the sync room is told where the half is now. st itself when it is alone; NULL: no memory. Owner.
 */
struct fp_state *fp_state_part(struct fp_worker *w, struct fp_state *st, int half);
/* Mark a half for removal: no packet finds it from now on, listings may until it is removed. Owner. */
void fp_state_purge(struct fp_worker *w, struct fp_state *st, int half);
/* Expiry: look at a share of the table that makes one round in `interval` seconds. Once per loop. */
void fp_state_expire(struct fp_worker *w);
/* States of the whole box (halves over all workers), from relaxed reads. */
uint32_t fp_states_total(const struct fp_box *box);

/* pf's half-open: TCP made here whose opener has not got past SYN_SENT. Counted in halves. */
static inline bool
fp_state_half_open(const struct fp_state *st)
{
	return st->key.proto == 6 && st->peer[0].state == FP_TCPS_SYN_SENT && !(st->flags & FP_SF_LEARNED);
}

/* Visit every half on its worker while the main lcore waits; cb runs on the worker. */
void fp_states_visit(struct fp_box *box, void (*cb)(void *arg, const struct fp_worker *w, struct fp_state *st, int half),
	void *arg);

#endif
