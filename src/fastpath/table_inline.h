/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of table.h that runs once per packet: hash, bucket, candidate, find. Included by table.h only.
 *
 * A bucket is one cache line, little-endian words:
 *
 *	slot[0] .. slot[6]	1ssssss...s (signature, 32) | iiii...i (record index, 32)	published
 *				0						EMPTY
 *				FP_SLOT_PENDING | index				being published by the sync lcore
 *				FP_SLOT_WITHDRAWN, FP_SLOT_FROZEN		in use, but for nobody: table_index.c
 *	link			0 end; overflow bucket + 1; FP_LINK_FROZEN | ...	end, bucket leaves the chain
 *
 * Bit 63 is set in published slots alone, so one compare of the upper halves with a signature (which has it set) finds
 * the candidates and skips everything else.
 *
 * A record index is 2 bits of class, FP_CAND_ALONE (in what fp_table_candidate() returns only) and 29 bits of slot.
 */
#ifndef FP_TABLE_INLINE_H
#define FP_TABLE_INLINE_H

#include <string.h>
#include "atomic.h"
#if defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
#include <immintrin.h>
#define FP_TABLE_AVX2 1 /* ThreadSanitizer cannot see that the vector's words are loaded whole */
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef FP_TABLE_AVX2
#endif
#endif

#define FP_BUCKET_SLOTS 7
#define FP_SIG_LIVE 0x80000000u
#define FP_SLOT_LIVE (1ull << 63)
#define FP_SLOT_PENDING (1ull << 32)
#define FP_SLOT_WITHDRAWN (2ull << 32)
#define FP_SLOT_FROZEN (3ull << 32)
#define FP_LINK_FROZEN (1ull << 32)

#define FP_CLASS_V4 0
#define FP_CLASS_V6 1
#define FP_CLASSES 2
#define FP_CLASS_SHIFT 30
#define FP_CAND_ALONE (1u << 29) /* no other record of this chain has the signature */
#define FP_CLASS_SLOT (FP_CAND_ALONE - 1)

struct fp_bucket {
	uint64_t slot[FP_BUCKET_SLOTS];
	uint64_t link;
} __attribute__((aligned(FP_CACHE_LINE)));
_Static_assert(sizeof(struct fp_bucket) == FP_CACHE_LINE, "bucket is one line");

/* What lookups need of struct fp_table, which begins with it. Immutable after create. */
struct fp_table_view {
	struct fp_bucket *buckets;
	struct fp_bucket *overflow;
	uint8_t *records[FP_CLASSES];
	uint64_t nbuckets;
	uint64_t secret[2];
};

static inline const struct fp_table_view *
fp_table_view(const struct fp_table *t)
{
	return (const struct fp_table_view *)t;
}

/* 64 x 64 -> 128 bits, both halves. */
static inline void
fp_mul128(uint64_t *a, uint64_t *b)
{
	unsigned __int128 p = (unsigned __int128)*a * *b;

	*a = (uint64_t)p;
	*b = (uint64_t)(p >> 64);
}

/*
 * Both operands of the first product are hidden by a secret each, and so are its halves before the second: whoever
 * wants a collision has to know a product of unknown numbers. The first round is kept in full (no bits are folded away
 * before both secrets are in).
 */
static inline uint64_t
fp_hash_mix(uint64_t a, uint64_t b, const uint64_t secret[2])
{
	a ^= secret[0];
	b ^= secret[1];
	fp_mul128(&a, &b);
	a ^= secret[1];
	b ^= secret[0];
	fp_mul128(&a, &b);
	return a ^ b;
}

static inline uint64_t
fp_key_hash4(const struct fp_key *k, const uint64_t secret[2])
{
	uint64_t w[2];

	memcpy(w, k, sizeof(w));
	return fp_hash_mix(w[0], w[1], secret);
}

static inline uint64_t
fp_key_make6(struct fp_key *k, uint8_t addr6[2][16], const uint8_t src[16], const uint8_t dst[16], uint16_t sport,
	uint16_t dport, uint8_t proto, bool *src_is_hi, const uint64_t secret[2])
{
	uint64_t a0, a1, b0, b1, swap, x, h, w0, w1;
	bool hi;

	memcpy(&a0, src, 8);
	memcpy(&a1, src + 8, 8);
	memcpy(&b0, dst, 8);
	memcpy(&b1, dst + 8, 8);
	/* as fp_key_make4(): any order of the two ends will do as long as both directions agree; no branch */
	hi = ((unsigned __int128)a1 << 64 | a0) > ((unsigned __int128)b1 << 64 | b0);
	hi |= (a0 == b0) & (a1 == b1) & (sport > dport);
	swap = -(uint64_t)hi;
	x = (a0 ^ b0) & swap;
	a0 ^= x;
	b0 ^= x;
	x = (a1 ^ b1) & swap;
	a1 ^= x;
	b1 ^= x;
	/* keeps gcc from doing the above in vector registers, from where the way to the multiplier is longer than all of it */
	__asm__("" : "+r"(a0), "+r"(a1), "+r"(b0), "+r"(b1));
	memcpy(addr6[0], &a0, 8);
	memcpy(addr6[0] + 8, &a1, 8);
	memcpy(addr6[1], &b0, 8);
	memcpy(addr6[1] + 8, &b1, 8);
	/* the first address hides the operands of the second mix, so that neither can be chosen to cancel */
	h = fp_hash_mix(a0, a1, secret);
	w0 = fp_hash_mix(b0 ^ h, b1 + h, secret);
	x = (uint64_t)(sport ^ dport) & swap;
	w1 = (sport ^ x) | (dport ^ x) << 16 | (uint64_t)proto << 32 | (uint64_t)FP_AF_INET6 << 40;
	memcpy(k, &w0, 8);
	memcpy((uint8_t *)k + 8, &w1, 8);
	*src_is_hi = hi;
	return fp_hash_mix(w0, w1, secret); /* fp_key_hash4(k) */
}

/* nbuckets is any number: multiply and shift instead of a division or a power of two. */
static inline struct fp_bucket *
fp_table_bucket(const struct fp_table *t, uint64_t hash)
{
	const struct fp_table_view *v = fp_table_view(t);

	return &v->buckets[((uint64_t)(uint32_t)hash * v->nbuckets) >> 32];
}

static inline uint32_t
fp_hash_sig(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | FP_SIG_LIVE;
}

static inline void
fp_table_prefetch_bucket(const struct fp_table *t, uint64_t hash)
{
	__builtin_prefetch(fp_table_bucket(t, hash), 0, 3);
}

/* No branches on the class: in mixed traffic it is random per packet. */
static inline struct fp_state *
fp_table_record(const struct fp_table *t, uint32_t index)
{
	uint32_t class = index >> FP_CLASS_SHIFT;
	size_t size = sizeof(struct fp_state) + (size_t)class * (sizeof(struct fp_state6) - sizeof(struct fp_state));

	return (struct fp_state *)(fp_table_view(t)->records[class] + (index & FP_CLASS_SLOT) * size);
}

static inline void
fp_table_prefetch_record(const struct fp_table *t, uint32_t index)
{
	const uint8_t *p;

	if (index == FP_STATE_NONE)
		return;
	p = (const uint8_t *)fp_table_record(t, index);
	__builtin_prefetch(p, 1, 3);
	/* the addresses of v6; for v4 the first line again, which costs nothing */
	__builtin_prefetch(p + (size_t)(index >> FP_CLASS_SHIFT) * offsetof(struct fp_state6, addr_lo), 0, 3);
}

/* The chain's next bucket, or NULL. Acquire: pairs with the append of table_index.c. */
static inline struct fp_bucket *
fp_bucket_next(const struct fp_table *t, const struct fp_bucket *b)
{
	uint64_t link = fp_load_acq(&b->link);

	if (__builtin_expect(link == 0 || link & FP_LINK_FROZEN, 1))
		return NULL;
	return &fp_table_view(t)->overflow[link - 1];
}

/* Bit i: slot i is published and has this signature. The slot is loaded again, with acquire, before it is followed. */
static inline unsigned
fp_bucket_match(const struct fp_bucket *b, uint32_t sig)
{
#ifdef FP_TABLE_AVX2
	const __m256i s = _mm256_set1_epi32((int)sig);
	__m256i lo = _mm256_load_si256((const __m256i *)&b->slot[0]);
	__m256i hi = _mm256_load_si256((const __m256i *)&b->slot[4]);
	unsigned m;

	/* the sign of each 64-bit lane is the result for its upper half */
	m = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi32(lo, s)));
	m |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi32(hi, s))) << 4;
	return m & 0x7f;
#else
	unsigned m = 0;

	for (unsigned i = 0; i < FP_BUCKET_SLOTS; i++)
		m |= (unsigned)((uint32_t)(fp_load(&b->slot[i]) >> 32) == sig) << i;
	return m;
#endif
}

/* Out of line: the rest of the chain. */
uint32_t fp_table_candidate_chain(const struct fp_table *t, uint64_t hash);
struct fp_state *fp_table_find_chain(const struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], uint64_t hash,
	bool dir_out, bool src_is_hi, uint16_t ifid);

static inline uint32_t
fp_table_candidate(const struct fp_table *t, uint64_t hash)
{
	const struct fp_bucket *b = fp_table_bucket(t, hash);
	unsigned m = fp_bucket_match(b, fp_hash_sig(hash));
	uint64_t slot;

	if (__builtin_expect((m & (m - 1)) != 0 || fp_load(&b->link) != 0, 0))
		return fp_table_candidate_chain(t, hash);
	if (m == 0)
		return FP_STATE_NONE;
	/* acquire: pairs with the publishing compare-and-swap */
	slot = fp_load_acq(&b->slot[__builtin_ctz(m)]);
	return (uint32_t)(slot >> 32) == fp_hash_sig(hash) ? (uint32_t)slot | FP_CAND_ALONE : FP_STATE_NONE;
}

static inline bool
fp_key_equal(const struct fp_key *a, const struct fp_key *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static inline bool
fp_addr6_equal(const struct fp_state *st, const uint8_t (*addr6)[16])
{
	const struct fp_state6 *s6 = (const struct fp_state6 *)st;
	uint64_t x[4], y[4];

	memcpy(x, s6->addr_lo, sizeof(x)); /* lo and hi are neighbours in both */
	memcpy(y, addr6, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

/*
 * Does st answer for this packet? 0 no, 1 floating, 2 bound to ifid. Line 0 alone decides for floating v4 records.
 */
static inline int
fp_state_answers(const struct fp_state *st, const struct fp_key *k, const uint8_t (*addr6)[16], bool dir_out, bool src_is_hi,
	uint16_t ifid)
{
	uint16_t flags = fp_load(&st->flags);
	bool rev = src_is_hi != !!(flags & FP_SF_SRC_HI);
	int half = dir_out == rev ? FP_HALF_IN : FP_HALF_OUT;

	if (!fp_key_equal(&st->key, k) || !(fp_load(&st->halves) >> half & 1) || flags & FP_SF_DEAD ||
	    fp_load(&st->hflags[half]) & FP_HF_PURGE)
		return 0;
	if (k->af == FP_AF_INET6 && !fp_addr6_equal(st, addr6))
		return 0;
	if (__builtin_expect(!(flags & FP_SF_BOUND), 1) || st->ifid[half] == FP_IFID_ALL)
		return 1;
	return st->ifid[half] == ifid ? 2 : 0;
}

/*
 * Nearly always the candidate is the only one whose signature fits, and answers. If it does not (it lost a half, or was
 * removed since), or there was none, or there are several, the chain is searched again: this burst's earlier packets may
 * have changed it.
 */
static inline struct fp_state *
fp_table_find(const struct fp_table *t, const struct fp_key *k, const uint8_t (*addr6)[16], uint64_t hash, bool dir_out,
	bool src_is_hi, uint16_t ifid, uint32_t hint)
{
	struct fp_state *st;

	if (__builtin_expect(hint != FP_STATE_NONE && hint & FP_CAND_ALONE, 1)) {
		st = fp_table_record(t, hint);
		if (__builtin_expect(fp_state_answers(st, k, addr6, dir_out, src_is_hi, ifid) != 0, 1))
			return st;
	}
	return fp_table_find_chain(t, k, addr6, hash, dir_out, src_is_hi, ifid);
}

#endif
