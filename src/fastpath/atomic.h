/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access to words that two threads share. The only place that names the compiler's builtins: DPDK 22.11 has no
 * rte_stdatomic.h, and a later move to it is a change of this file. Works on plain (not _Atomic) objects of 1 to 8 bytes,
 * so that a structure keeps its layout and the tracker needs no DPDK header.
 *
 * Every acquire or release in the code names what it is paired with.
 */
#ifndef FP_ATOMIC_H
#define FP_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

/* Value alone matters: counters of one writer, flags that are checked again later. */
#define fp_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define fp_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
/* What was written before the release is seen after the acquire that reads it. */
#define fp_load_acq(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define fp_store_rel(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define fp_swap(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/* Compare and swap of a word of 8, 32 or 64 bits, sequentially consistent; true when *p was old and is now new. */
static inline bool
fp_cas64(uint64_t *p, uint64_t old, uint64_t new)
{
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

static inline bool
fp_cas8(uint8_t *p, uint8_t old, uint8_t new)
{
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

static inline bool
fp_cas32(uint32_t *p, uint32_t old, uint32_t new)
{
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

/* A store before it is seen by others before a load after it is done. */
static inline void
fp_fence(void)
{
#if defined(__x86_64__)
	/* a locked instruction orders like mfence and costs half */
	__asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void
fp_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

#endif
