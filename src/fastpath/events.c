/* SPDX-License-Identifier: BSD-2-Clause */
/* Events from workers to whoever watches on the main lcore: see events.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_malloc.h>

#include "burst.h"
#include "events.h"
#include "fastpath.h"
#include "states.h"
#include "summary.h"

struct subscriber {
	void (*cb)(void *arg, const struct fp_event *ev, uint64_t lost);
	void *arg;
	unsigned mask;
	int id;
	uint64_t lost;
	struct subscriber *next;
};
struct subscribers { struct subscriber *first; int next_id; uint64_t lost_seen[FP_MAX_WORKERS]; };

int
fp_events_worker_init(struct fp_worker *w)
{
	w->events = rte_zmalloc_socket("fp_events", sizeof(*w->events), RTE_CACHE_LINE_SIZE, w->socket);
	return w->events != NULL ? 0 : -ENOMEM;
}

void
fp_events_worker_fini(struct fp_worker *w)
{
	rte_free(w->events);
	w->events = NULL;
}

void
fp_events_fini(struct fp_box *box)
{
	struct subscribers *s = box->events;

	while (s != NULL && s->first != NULL)
		fp_events_unsubscribe(box, s->first->id);
	free(s);
	box->events = NULL;
}

static struct fp_event *
slot(struct fp_worker *w)
{
	struct fp_event_ring *r = w->events;

	if (r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= FP_EVENT_SLOTS) {
		__atomic_store_n(&r->lost, r->lost + 1, __ATOMIC_RELAXED);
		return NULL;
	}
	return &r->ev[r->head % FP_EVENT_SLOTS];
}

static void
commit(struct fp_worker *w)
{
	/* release: the event is complete before the main lcore sees it */
	__atomic_store_n(&w->events->head, w->events->head + 1, __ATOMIC_RELEASE);
}

void
fp_event_state_slow(struct fp_worker *w, const struct fp_state *st, int half, enum fp_event_kind kind)
{
	struct fp_event *ev = slot(w);

	if (ev == NULL)
		return;
	ev->kind = kind;
	ev->time_us = w->now_us;
	ev->drop = FP_D_NONE;
	ev->summary[0] = '\0';
	fp_state_view_get(w, st, half, &ev->state);
	commit(w);
}

void
fp_event_drop_slow(struct fp_worker *w, const struct rte_mbuf *m, enum fp_drop why)
{
	struct fp_event *ev = slot(w);

	if (ev == NULL)
		return;
	memset(&ev->state, 0, sizeof(ev->state));
	ev->kind = FP_EV_DROP;
	ev->time_us = w->now_us;
	ev->drop = why;
	fp_summary(rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m), ev->summary, sizeof(ev->summary));
	commit(w);
}

void
fp_events_drop(struct fp_worker *w, struct rte_mbuf *m, enum fp_drop why)
{
	fp_event_drop(w, m, why);
}

static void
masks(struct fp_box *box)
{
	struct subscribers *s = box->events;
	unsigned mask = 0;

	for (struct subscriber *i = s != NULL ? s->first : NULL; i != NULL; i = i->next)
		mask |= i->mask;
	for (unsigned i = 0; i < box->n_workers; i++)
		if (box->workers[i]->events != NULL)
			__atomic_store_n(&box->workers[i]->events->mask, mask, __ATOMIC_RELAXED);
}

int
fp_events_subscribe(struct fp_box *box, unsigned kinds_mask, void (*cb)(void *arg, const struct fp_event *ev, uint64_t lost),
	void *arg)
{
	struct subscribers *s = box->events;
	struct subscriber *n = calloc(1, sizeof(*n));

	if (s == NULL)
		/* workers only ask whether it is there; it stays while the box lives */
		__atomic_store_n(&box->events, s = calloc(1, sizeof(*s)), __ATOMIC_RELAXED);
	if (s == NULL || n == NULL) {
		free(n);
		return -ENOMEM;
	}
	*n = (struct subscriber){ cb, arg, kinds_mask, ++s->next_id, 0, s->first };
	s->first = n;
	masks(box);
	return n->id;
}

void
fp_events_unsubscribe(struct fp_box *box, int id)
{
	struct subscribers *s = box->events;

	for (struct subscriber **pp = s != NULL ? &s->first : NULL; pp != NULL && *pp != NULL; pp = &(*pp)->next)
		if ((*pp)->id == id) {
			struct subscriber *gone = *pp;

			*pp = gone->next;
			free(gone);
			break;
		}
	masks(box);
}

/* Hand out at most a ring's worth per turn, so that a flood of events does not hold up the main lcore. */
unsigned
fp_events_poll(struct fp_box *box)
{
	struct subscribers *s = box->events;
	unsigned n = 0;

	if (s == NULL || s->first == NULL)
		return 0;
	masks(box);		/* workers may have come since */
	for (unsigned i = 0; i < box->n_workers; i++) {
		struct fp_event_ring *r = box->workers[i]->events;
		uint64_t lost;

		if (r == NULL)
			continue;
		lost = __atomic_load_n(&r->lost, __ATOMIC_RELAXED);
		for (struct subscriber *k = s->first; k != NULL; k = k->next)
			k->lost += lost - s->lost_seen[i];
		s->lost_seen[i] = lost;
		while (n < FP_EVENT_SLOTS && r->tail != __atomic_load_n(&r->head, __ATOMIC_ACQUIRE)) {
			const struct fp_event *ev = &r->ev[r->tail % FP_EVENT_SLOTS];

			for (struct subscriber *k = s->first, *next; k != NULL; k = next) {
				next = k->next;	/* the callback may unsubscribe itself */
				if (k->mask >> ev->kind & 1) {
					uint64_t l = k->lost;

					k->lost = 0;
					k->cb(k->arg, ev, l);
				}
			}
			__atomic_store_n(&r->tail, r->tail + 1, __ATOMIC_RELEASE);
			n++;
		}
	}
	return n;
}
