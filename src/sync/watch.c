/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `monitor sync` and the capture file: what goes by on the cable, from the threads that send and receive to the main lcore,
 * which calls and writes. While nobody looks a sender pays one load and a branch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_malloc.h>

#include "sync/pair.h"

#define EVENTS 2048u
#define PACKETS 1024u
#define MONITORS 16u
#define LINKTYPE_PFSYNC 246	/* DLT_PFSYNC: frames begin with the pfsync header */

struct sync_watch {
	uint32_t watched, capturing;	/* main writes, others read relaxed */
	struct rte_ring *events, *packets;
	uint64_t lost_events, lost_packets; /* atomic add: only while somebody looks */
	struct { void (*cb)(void *arg, const struct sync_event *ev, uint64_t lost); void *arg; } mon[MONITORS];
	FILE *file;
};

bool
sync_watched(const struct sync *s)
{
	const struct sync_watch *w = __atomic_load_n(&s->watch, __ATOMIC_ACQUIRE);

	return w != NULL && __atomic_load_n(&w->watched, __ATOMIC_RELAXED) != 0;
}

bool
sync_watch_capturing(const struct sync *s)
{
	const struct sync_watch *w = __atomic_load_n(&s->watch, __ATOMIC_ACQUIRE);

	return w != NULL && __atomic_load_n(&w->capturing, __ATOMIC_RELAXED) != 0;
}

void
sync_event_put(struct sync *s, unsigned thread, const struct sync_event *ev)
{
	struct sync_watch *w = __atomic_load_n(&s->watch, __ATOMIC_ACQUIRE);

	(void)thread;
	if (rte_ring_mp_enqueue_elem(w->events, (void *)(uintptr_t)ev, sizeof(*ev)) != 0)
		__atomic_fetch_add(&w->lost_events, 1, __ATOMIC_RELAXED);
}

void
sync_watch_packet(struct sync *s, bool out, const uint8_t *payload, size_t len)
{
	struct sync_watch *w = __atomic_load_n(&s->watch, __ATOMIC_ACQUIRE);
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->pool);
	void *p = m != NULL ? rte_pktmbuf_append(m, RTE_MIN(len, (size_t)rte_pktmbuf_tailroom(m))) : NULL;

	(void)out;
	if (p != NULL) {
		memcpy(p, payload, m->data_len);
		*(uint64_t *)fp_priv(m) = len;
		if (rte_ring_mp_enqueue(w->packets, m) == 0)
			return;
	}
	rte_pktmbuf_free(m);
	__atomic_fetch_add(&w->lost_packets, 1, __ATOMIC_RELAXED);
}

static struct sync_watch *
watch_get(struct sync *s)
{
	struct sync_watch *w = s->watch;
	char name[RTE_RING_NAMESIZE];

	if (w != NULL)
		return w;
	w = rte_zmalloc("sync_watch", sizeof(*w), RTE_CACHE_LINE_SIZE);
	if (w == NULL)
		return NULL;
	snprintf(name, sizeof(name), "sy%xev", (unsigned)((uintptr_t)s->box >> 6));
	w->events = rte_ring_create_elem(name, RTE_ALIGN(sizeof(struct sync_event), 4), EVENTS, SOCKET_ID_ANY, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "sy%xpk", (unsigned)((uintptr_t)s->box >> 6));
	w->packets = rte_ring_create(name, PACKETS, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (w->events == NULL || w->packets == NULL) {
		rte_ring_free(w->events);
		rte_ring_free(w->packets);
		rte_free(w);
		return NULL;
	}
	__atomic_store_n(&s->watch, w, __ATOMIC_RELEASE);
	return w;
}

int
sync_subscribe(struct sync *s, void (*cb)(void *arg, const struct sync_event *ev, uint64_t lost), void *arg)
{
	struct sync_watch *w = watch_get(s);

	if (w == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < MONITORS; i++)
		if (w->mon[i].cb == NULL) {
			w->mon[i].cb = cb;
			w->mon[i].arg = arg;
			__atomic_store_n(&w->watched, w->watched + 1, __ATOMIC_RELAXED);
			return (int)i;
		}
	return -EBUSY;
}

void
sync_unsubscribe(struct sync *s, int id)
{
	struct sync_watch *w = s->watch;

	if (w == NULL || id < 0 || (unsigned)id >= MONITORS || w->mon[id].cb == NULL)
		return;
	w->mon[id].cb = NULL;
	__atomic_store_n(&w->watched, w->watched - 1, __ATOMIC_RELAXED);
}

int
sync_capture(struct sync *s, const char *path, struct fp_err *err)
{
	/* pcap, microseconds: magic, version 2.4, zone, accuracy, snap length, link type */
	const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4u << 16, 0, 0, 65535, LINKTYPE_PFSYNC };
	struct sync_watch *w;
	FILE *f = NULL;

	if (path != NULL) {
		if (s->pool == NULL)
			return fp_err_set(err, -ENETDOWN, "pfsync0 is not running: there is nothing to capture");
		w = watch_get(s);
		f = w != NULL ? fopen(path, "wbe") : NULL;
		if (w == NULL)
			return fp_err_set(err, -ENOMEM, "no memory for a capture");
		if (f == NULL || fwrite(head, sizeof(head), 1, f) != 1 || fflush(f) != 0) {
			int rc = -errno;

			if (f != NULL)
				fclose(f);
			return fp_err_set(err, rc, "%s: %s", path, strerror(-rc));
		}
	}
	w = s->watch;
	if (w == NULL)
		return 0;
	sync_watch_poll(s);
	if (w->file != NULL)
		fclose(w->file);
	w->file = f;
	__atomic_store_n(&w->capturing, f != NULL, __ATOMIC_RELAXED);
	return 0;
}

static void
write_packet(struct sync_watch *w, const struct rte_mbuf *m)
{
	uint64_t len = *(const uint64_t *)fp_priv((struct rte_mbuf *)(uintptr_t)m);
	struct timespec ts;
	uint32_t head[4];

	clock_gettime(CLOCK_REALTIME, &ts);
	head[0] = (uint32_t)ts.tv_sec;
	head[1] = (uint32_t)(ts.tv_nsec / 1000);
	head[2] = m->data_len;
	head[3] = (uint32_t)len;
	if (fwrite(head, sizeof(head), 1, w->file) == 1 && fwrite(rte_pktmbuf_mtod(m, void *), m->data_len, 1, w->file) == 1)
		return;
	/* disk full: what is there stays, nothing more is written */
	fclose(w->file);
	w->file = NULL;
	__atomic_store_n(&w->capturing, 0, __ATOMIC_RELAXED);
}

void
sync_watch_poll(struct sync *s)
{
	struct sync_watch *w = s->watch;
	struct sync_event ev;
	struct rte_mbuf *m;
	unsigned wrote = 0;
	uint64_t lost;

	if (w == NULL)
		return;
	for (unsigned i = 0; i < EVENTS && rte_ring_sc_dequeue_elem(w->events, &ev, sizeof(ev)) == 0; i++) {
		lost = __atomic_exchange_n(&w->lost_events, 0, __ATOMIC_RELAXED);
		for (unsigned k = 0; k < MONITORS; k++)
			if (w->mon[k].cb != NULL)
				w->mon[k].cb(w->mon[k].arg, &ev, lost);
	}
	for (; rte_ring_sc_dequeue(w->packets, (void **)&m) == 0; wrote++) {
		if (w->file != NULL)
			write_packet(w, m);
		rte_pktmbuf_free(m);
	}
	if (wrote != 0 && w->file != NULL)
		fflush(w->file);
}

void
sync_watch_fini(struct sync *s)
{
	struct sync_watch *w = s->watch;

	if (w == NULL)
		return;
	sync_watch_poll(s);
	if (w->file != NULL)
		fclose(w->file);
	rte_ring_free(w->events);
	rte_ring_free(w->packets);
	s->watch = NULL;
	rte_free(w);
}
