/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `monitor` shows: state changes and drops, from the workers to the main lcore. Each worker writes a ring of its
 * own (single producer, single consumer); a full ring loses events and counts them. While nobody watches a worker pays
 * one load and a branch per state made or removed and per drop.
 */
#ifndef FP_EVENTS_H
#define FP_EVENTS_H

#include "box.h"

#define FP_EVENT_SLOTS 1024
struct fp_event_ring {
	uint32_t mask;			/* kinds that somebody watches; writer: main, relaxed */
	uint32_t head __rte_cache_aligned;	/* writer: the worker */
	uint64_t lost;			/* writer: the worker */
	uint32_t tail __rte_cache_aligned;	/* writer: main */
	struct fp_event ev[FP_EVENT_SLOTS];
};

int fp_events_worker_init(struct fp_worker *w);
void fp_events_worker_fini(struct fp_worker *w);
void fp_events_fini(struct fp_box *box);	/* workers are gone */
void fp_event_state_slow(struct fp_worker *w, const struct fp_state *st, int half, enum fp_event_kind kind);
void fp_event_drop_slow(struct fp_worker *w, const struct rte_mbuf *m, enum fp_drop why);

static inline void
fp_event_state(struct fp_worker *w, const struct fp_state *st, int half, enum fp_event_kind kind)
{
	if (unlikely(__atomic_load_n(&w->events->mask, __ATOMIC_RELAXED) >> kind & 1))
		fp_event_state_slow(w, st, half, kind);
}

static inline void
fp_event_drop(struct fp_worker *w, const struct rte_mbuf *m, enum fp_drop why)
{
	if (unlikely(w->events != NULL && __atomic_load_n(&w->events->mask, __ATOMIC_RELAXED) >> FP_EV_DROP & 1))
		fp_event_drop_slow(w, m, why);
}

#endif
