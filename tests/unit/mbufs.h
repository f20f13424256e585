/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mbufs for tests: an EAL without huge pages or devices, one pool, and ways to make a packet of bytes: in one segment, in
 * several, or over exact-size heap memory, so that AddressSanitizer sees every byte read beyond it.
 */
#ifndef TESTS_MBUFS_H
#define TESTS_MBUFS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "fastpath/box.h"

static struct rte_mempool *mb_pool;

static inline int
mb_setup(unsigned n, uint16_t data_room)
{
	static char *argv[] = { "test", "--no-huge", "--no-shconf", "-m", "160", "--no-pci", "--no-telemetry", "-l", "0",
		"--log-level=error", NULL };

	if (mb_pool != NULL)
		return 0;
	if (rte_eal_init(RTE_DIM(argv) - 1, argv) < 0)
		return -1;
	mb_pool = rte_pktmbuf_pool_create("test", n, 0, RTE_ALIGN_CEIL(sizeof(struct fp_mbuf_priv), RTE_MBUF_PRIV_ALIGN),
		data_room + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	return mb_pool == NULL ? -1 : 0;
}

static inline struct rte_mbuf *
mb_plain(const uint8_t *b, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mb_pool);
	char *to = m == NULL ? NULL : rte_pktmbuf_append(m, len);

	if (to == NULL)
		abort();
	memcpy(to, b, len);
	return m;
}

static void
mb_ext_free(void *addr, void *arg)
{
	free(addr);
	free(arg);
}

/* One segment over exactly len bytes of heap. */
static inline struct rte_mbuf *
mb_exact(const uint8_t *b, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mb_pool);
	struct rte_mbuf_ext_shared_info *sh = calloc(1, sizeof(*sh));
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (m == NULL || sh == NULL || copy == NULL)
		abort();
	memcpy(copy, b, len);
	sh->free_cb = mb_ext_free;
	sh->fcb_opaque = sh;
	rte_mbuf_ext_refcnt_set(sh, 1);
	rte_pktmbuf_attach_extbuf(m, copy, RTE_BAD_IOVA, len, sh);
	m->data_off = 0;
	m->data_len = m->pkt_len = len;
	return m;
}

/* Segments that end at the given places (ascending) and at len; each plain or exact. */
static inline struct rte_mbuf *
mb_split(const uint8_t *b, uint32_t len, const uint32_t *cuts, unsigned n_cuts, bool exact)
{
	struct rte_mbuf *head = NULL, *tail = NULL, *m;
	uint32_t at = 0;
	unsigned i;

	for (i = 0; i <= n_cuts; i++) {
		uint32_t end = i < n_cuts ? cuts[i] : len;

		if (end > len)
			end = len;
		if (end < at || (end == at && head != NULL))
			continue;
		m = exact ? mb_exact(b + at, end - at) : mb_plain(b + at, end - at);
		if (head == NULL) {
			head = tail = m;
		} else {
			tail->next = m;
			tail = m;
			head->nb_segs++;
			head->pkt_len += m->data_len;
		}
		at = end;
	}
	return head;
}

/* The packet's bytes; returns the length. Checks that the chain adds up. */
static inline uint32_t
mb_bytes(const struct rte_mbuf *m, uint8_t *to, uint32_t size)
{
	const struct rte_mbuf *s;
	uint32_t len = 0, segs = 0;

	for (s = m; s != NULL; s = s->next, segs++) {
		if (len + s->data_len > size)
			abort();
		memcpy(to + len, rte_pktmbuf_mtod(s, uint8_t *), s->data_len);
		len += s->data_len;
	}
	if (len != m->pkt_len || segs != m->nb_segs)
		abort();
	return len;
}

static inline unsigned
mb_hex(const char *s, uint8_t *to)
{
	unsigned n = 0, v;

	for (; *s != '\0'; s++) {
		if (*s == ' ')
			continue;
		if (sscanf(s, "%2x", &v) != 1)
			abort();
		to[n++] = v;
		s++;
	}
	return n;
}

static inline unsigned
mb_in_use(void)
{
	return rte_mempool_in_use_count(mb_pool);
}

#endif
