/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ThreadSanitizer must see of DPDK's inline code, put before everything else in builds with -Db_sanitize=thread
 * (meson.build), so that nothing needs to be suppressed. DPDK 22.11 orders some things by what x86 does anyway, which the
 * rules of C, and ThreadSanitizer with them, do not know:
 *
 * - A producer of a ring waits for the one before it by a relaxed load, and the consumer then knows of the last one only.
 * - rte_ring_count() and its like load the tails as volatile words.
 * - rte_rcu_qsbr_check() believes another writer's last result, which is a relaxed word.
 *
 * And EAL's heap is in a library that is not instrumented: its lock is taken once more where it is seen.
 */
#ifndef TSAN_DPDK_H
#define TSAN_DPDK_H

#if __has_include(<rte_ring.h>)

#include <pthread.h>

#include <rte_config.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#define rte_wait_until_equal_32(addr, expected, order) rte_wait_until_equal_32(addr, expected, __ATOMIC_ACQUIRE)
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

static inline unsigned
tsan_ring_count(const struct rte_ring *r)
{
	uint32_t n = __atomic_load_n(&r->prod.tail, __ATOMIC_RELAXED) - __atomic_load_n(&r->cons.tail, __ATOMIC_RELAXED);

	n &= r->mask;
	return n > r->capacity ? r->capacity : n;
}
#define rte_ring_count(r) tsan_ring_count(r)
#define rte_ring_empty(r) (tsan_ring_count(r) == 0)
#define rte_ring_free_count(r) ((r)->capacity - tsan_ring_count(r))

static inline int
tsan_qsbr_check(struct rte_rcu_qsbr *v, uint64_t t, bool wait)
{
	return __rte_rcu_qsbr_check_selective(v, t, wait);
}
#define rte_rcu_qsbr_check(v, t, wait) tsan_qsbr_check(v, t, wait)

__attribute__((weak)) pthread_mutex_t tsan_heap = PTHREAD_MUTEX_INITIALIZER;

#define TSAN_HEAP(type, call) __extension__ ({ \
	type tsan_result; \
	pthread_mutex_lock(&tsan_heap); \
	tsan_result = call; \
	pthread_mutex_unlock(&tsan_heap); \
	tsan_result; \
})
#define rte_malloc_socket(type, size, align, socket) TSAN_HEAP(void *, rte_malloc_socket(type, size, align, socket))
#define rte_zmalloc_socket(type, size, align, socket) TSAN_HEAP(void *, rte_zmalloc_socket(type, size, align, socket))
#define rte_zmalloc(type, size, align) TSAN_HEAP(void *, rte_zmalloc(type, size, align))
#define rte_free(p) ((void)TSAN_HEAP(int, (rte_free(p), 0)))

#endif
#endif
