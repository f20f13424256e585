/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig/strict_pool.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_mempool.h>

#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif

#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_acquire(p) ((void)(p))
#define __tsan_release(p) ((void)(p))
#endif

/* First in, first out. The lock is one that ThreadSanitizer does not see: it would order much more than the objects. */
struct strict { uint32_t lock; unsigned size, head, n; void *obj[]; };
#define UNSEEN __attribute__((no_sanitize("thread"), noinline))

UNSEEN static void
lock(struct strict *s)
{
	while (__atomic_exchange_n(&s->lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
}

UNSEEN static void
unlock(struct strict *s)
{
	__atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
}

UNSEEN static int
strict_alloc(struct rte_mempool *mp)
{
	struct strict *s = calloc(1, sizeof(*s) + mp->size * sizeof(void *));

	if (s == NULL)
		return -ENOMEM;
	s->size = mp->size;
	mp->pool_data = s;
	return 0;
}

UNSEEN static void
strict_free(struct rte_mempool *mp)
{
	free(mp->pool_data);
}

UNSEEN static int
strict_put(struct rte_mempool *mp, void *const *obj, unsigned n)
{
	struct strict *s = mp->pool_data;
	int rc = -ENOBUFS;

	for (unsigned i = 0; i < n; i++)
		__tsan_release(obj[i]);
	lock(s);
	if (n <= s->size - s->n) {
		for (unsigned i = 0; i < n; i++)
			s->obj[(s->head + s->n + i) % s->size] = obj[i];
		s->n += n;
		rc = 0;
	}
	unlock(s);
	return rc;
}

UNSEEN static int
strict_get(struct rte_mempool *mp, void **obj, unsigned n)
{
	struct strict *s = mp->pool_data;
	int rc = -ENOBUFS;

	lock(s);
	if (n <= s->n) {
		for (unsigned i = 0; i < n; i++)
			obj[i] = s->obj[(s->head + i) % s->size];
		s->head = (s->head + n) % s->size;
		s->n -= n;
		rc = 0;
	}
	unlock(s);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		__tsan_acquire(obj[i]);
	return rc;
}

UNSEEN static unsigned
strict_count(const struct rte_mempool *mp)
{
	const struct strict *s = mp->pool_data;

	return __atomic_load_n(&s->n, __ATOMIC_RELAXED);
}

static const struct rte_mempool_ops ops = {
	.name = STRICT_POOL, .alloc = strict_alloc, .free = strict_free, .enqueue = strict_put, .dequeue = strict_get,
	.get_count = strict_count,
};

RTE_MEMPOOL_REGISTER_OPS(ops);
