/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_bench.h. Both sides get the same keys in the same order: the sequence is made by a generator instead of being read
 * from memory, so that it costs both the same and no cache. Turns are short because a share of the last-level cache
 * comes and goes on shared machines; the median of turns is reported.
 *
 * The reference is rte_hash with RW_CONCURRENCY_LF and CRC (vector) hash, and a pointer to an equal record as data,
 * prefetched after the bulk lookup and then written like ours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "fastpath/table.h"
#include "table_bench.h"

#define BURST 32
#define TURN_BURSTS 64
#define TURNS_MAX 16384

static const uint64_t secret[2] = { 0xd1310ba698dfb5acull, 0x2ffd72dbd01adfb7ull };

struct key6 {
	uint64_t addr[2][2];
	uint64_t ports;		/* and protocol */
};

struct bench {
	struct fp_table *t;
	struct rte_hash *hash;
	uint8_t *records;	/* of the reference */
	size_t records_size, record_size;
	uint32_t n;
	bool v6;
	uint64_t found, missed;
};

static inline uint32_t
next_index(uint64_t *s, uint32_t n)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((*s >> 32) * n >> 32);
}

/* Connection i: a client of 10/8 (or 2001:db8::/64) to one of 64 servers. */
static inline void
tuple4(uint32_t i, uint32_t *src, uint32_t *dst, uint16_t *sport, uint16_t *dport)
{
	*src = __builtin_bswap32(0x0a000000 + (i >> 6));
	*dst = __builtin_bswap32(0xc0a80100 + (i & 63));
	*sport = (uint16_t)(i | 0x8000);
	*dport = __builtin_bswap16(443);
}

static inline void
tuple6(uint32_t i, uint64_t src[2], uint64_t dst[2], uint16_t *sport, uint16_t *dport)
{
	src[0] = dst[0] = 0xb80d0120;
	src[1] = (uint64_t)(i >> 6) << 32;
	dst[1] = (uint64_t)(i & 63) << 32 | 1;
	*sport = (uint16_t)(i | 0x8000);
	*dport = __builtin_bswap16(443);
}

static inline uint64_t
make_key(bool v6, uint32_t i, struct fp_key *k, uint8_t a6[2][16], bool *hi)
{
	if (v6) {
		uint64_t src[2], dst[2];
		uint16_t sp, dp;

		tuple6(i, src, dst, &sp, &dp);
		return fp_key_make6(k, a6, (const uint8_t *)src, (const uint8_t *)dst, sp, dp, 6, hi, secret);
	} else {
		uint32_t src, dst;
		uint16_t sp, dp;

		tuple4(i, &src, &dst, &sp, &dp);
		fp_key_make4(k, src, dst, sp, dp, 6, hi);
		return fp_key_hash4(k, secret);
	}
}

/* The reference's key: canonical as ours. */
static inline void
make_ref_key(bool v6, uint32_t i, struct fp_key *k, struct key6 *k6)
{
	bool hi;

	if (v6) {
		uint64_t src[2], dst[2], swap;
		uint16_t sp, dp;

		tuple6(i, src, dst, &sp, &dp);
		swap = -(uint64_t)(src[1] > dst[1]);
		for (int w = 0; w < 2; w++) {
			k6->addr[0][w] = src[w] ^ ((src[w] ^ dst[w]) & swap);
			k6->addr[1][w] = dst[w] ^ ((src[w] ^ dst[w]) & swap);
		}
		k6->ports = (sp ^ ((sp ^ dp) & swap)) | (uint64_t)(uint16_t)(dp ^ ((sp ^ dp) & swap)) << 16 | 6ull << 32;
	} else {
		uint32_t src, dst;
		uint16_t sp, dp;

		tuple4(i, &src, &dst, &sp, &dp);
		fp_key_make4(k, src, dst, sp, dp, 6, &hi);
	}
}

static void
lookup_burst(struct bench *b, uint64_t *seed, uint32_t now)
{
	uint8_t a6[BURST][2][16];
	struct fp_key k[BURST];
	uint64_t hash[BURST];
	uint32_t cand[BURST];
	bool hi[BURST];

	for (int i = 0; i < BURST; i++) {
		hash[i] = make_key(b->v6, next_index(seed, b->n), &k[i], a6[i], &hi[i]);
		fp_table_prefetch_bucket(b->t, hash[i]);
	}
	for (int i = 0; i < BURST; i++) {
		cand[i] = fp_table_candidate(b->t, hash[i]);
		fp_table_prefetch_record(b->t, cand[i]);
	}
	for (int i = 0; i < BURST; i++) {
		struct fp_state *st = fp_table_find(b->t, &k[i], b->v6 ? a6[i] : NULL, hash[i], false, hi[i], 1, cand[i]);

		if (st != NULL) {
			st->last_sec = now;
			b->found++;
		} else {
			b->missed++;
		}
	}
}

static void
lookup_ref_burst(struct bench *b, uint64_t *seed, uint32_t now)
{
	struct key6 k6[BURST];
	struct fp_key k[BURST];
	const void *keys[BURST];
	void *data[BURST];
	uint64_t hits = 0;

	for (int i = 0; i < BURST; i++) {
		make_ref_key(b->v6, next_index(seed, b->n), &k[i], &k6[i]);
		keys[i] = b->v6 ? (const void *)&k6[i] : (const void *)&k[i];
	}
	rte_hash_lookup_bulk_data(b->hash, keys, BURST, &hits, data);
	for (int i = 0; i < BURST; i++)
		if (hits >> i & 1)
			__builtin_prefetch(data[i], 1, 3);
	for (int i = 0; i < BURST; i++) {
		if (hits >> i & 1) {
			((struct fp_state *)data[i])->last_sec = now;
			b->found++;
		} else {
			b->missed++;
		}
	}
}

/* What both bursts do before they look anything up; taken off both. */
static void
keys_burst(struct bench *b, uint64_t *seed)
{
	struct key6 k6[BURST];
	struct fp_key k[BURST];

	for (int i = 0; i < BURST; i++)
		make_ref_key(b->v6, next_index(seed, b->n), &k[i], &k6[i]);
	__asm__ volatile("" : : "r"(k), "r"(k6) : "memory");
}

static int
compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare_double);
	return v[n / 2];
}

static void
drop(struct fp_state *st, void *arg)
{
	fp_table_remove_half(arg, st, FP_HALF_IN);
	fp_table_remove_half(arg, st, FP_HALF_OUT);
}

/* As packets of new connections come: a burst is looked up first, and misses. */
static int
insert_ours(struct bench *b, double *v)
{
	for (uint32_t first = 0; first < b->n; first += BURST) {
		uint32_t n = b->n - first < BURST ? b->n - first : BURST;
		uint8_t a6[BURST][2][16];
		struct fp_state *st, *other;
		struct fp_key k[BURST];
		uint64_t hash[BURST], start = rte_rdtsc();
		bool hi[BURST];

		for (uint32_t i = 0; i < n; i++) {
			hash[i] = make_key(b->v6, first + i, &k[i], a6[i], &hi[i]);
			fp_table_prefetch_bucket(b->t, hash[i]);
		}
		for (uint32_t i = 0; i < n; i++) {
			const uint8_t (*addr6)[16] = b->v6 ? a6[i] : NULL;
			uint32_t cand = fp_table_candidate(b->t, hash[i]);

			if (fp_table_find(b->t, &k[i], addr6, hash[i], false, hi[i], 1, cand) != NULL)
				return -EEXIST;
			st = fp_table_alloc(b->t, &k[i], addr6, false);
			if (st == NULL)
				return -ENOMEM;
			st->halves = FP_HALVES_BOTH;
			st->ifid[0] = st->ifid[1] = FP_IFID_ALL;
			st->flags = hi[i] ? FP_SF_SRC_HI : 0;
			if (fp_table_insert(b->t, st, hash[i], false, &other) != 0)
				return -ENOMEM;
		}
		v[first / BURST] = (double)(rte_rdtsc() - start) / n;
	}
	return 0;
}

static int
insert_ref(struct bench *b, double *v)
{
	for (uint32_t first = 0; first < b->n; first += BURST) {
		uint32_t n = b->n - first < BURST ? b->n - first : BURST;
		struct key6 k6[BURST];
		struct fp_key k[BURST];
		const void *keys[BURST];
		void *data[BURST];
		uint64_t hits = 0, start = rte_rdtsc();

		for (uint32_t i = 0; i < n; i++) {
			make_ref_key(b->v6, first + i, &k[i], &k6[i]);
			keys[i] = b->v6 ? (const void *)&k6[i] : (const void *)&k[i];
		}
		rte_hash_lookup_bulk_data(b->hash, keys, n, &hits, data);
		if (hits != 0)
			return -EEXIST;
		for (uint32_t i = 0; i < n; i++) {
			uint8_t *rec = b->records + (size_t)(first + i) * b->record_size;

			memset(rec, 0, b->record_size);
			if (rte_hash_add_key_data(b->hash, keys[i], rec) != 0)
				return -ENOMEM;
		}
		v[first / BURST] = (double)(rte_rdtsc() - start) / n;
	}
	return 0;
}

/* Once to touch all memory (page faults are not what is compared), once for the clock. */
static int
inserts(struct bench *b, struct table_bench *out)
{
	unsigned n = (b->n + BURST - 1) / BURST;
	double *v = malloc(n * sizeof(*v));
	int rc;

	if (v == NULL)
		return -ENOMEM;
	rc = insert_ours(b, v);
	if (rc == 0)
		rc = insert_ref(b, v);
	if (rc != 0)
		goto out;
	fp_table_scan(b->t, UINT32_MAX, drop, b->t);
	rte_hash_reset(b->hash);
	rc = insert_ours(b, v);
	out->insert = median(v, n);
	if (rc != 0)
		goto out;
	rc = insert_ref(b, v);
	out->insert_ref = median(v, n);
out:
	free(v);
	return rc;
}

static void
scan_cb(struct fp_state *st, void *arg)
{
	*(uint64_t *)arg += st->last_sec;
}

static int
lookups(struct bench *b, struct table_bench *out)
{
	double *v = malloc(3 * TURNS_MAX * sizeof(*v)), *a = v, *r = v + TURNS_MAX, *k = v + 2 * TURNS_MAX;
	uint64_t s1 = 1, s2 = 1, s3 = 1, end, start;
	unsigned turns = 0;

	if (v == NULL)
		return -ENOMEM;
	end = rte_rdtsc() + 2 * out->ms * rte_get_tsc_hz() / 1000;
	do {
		start = rte_rdtsc();
		for (int i = 0; i < TURN_BURSTS; i++)
			lookup_burst(b, &s1, turns);
		a[turns] = (double)(rte_rdtsc() - start) / (TURN_BURSTS * BURST);
		start = rte_rdtsc();
		for (int i = 0; i < TURN_BURSTS; i++)
			lookup_ref_burst(b, &s2, turns);
		r[turns] = (double)(rte_rdtsc() - start) / (TURN_BURSTS * BURST);
		start = rte_rdtsc();
		for (int i = 0; i < TURN_BURSTS; i++)
			keys_burst(b, &s3);
		k[turns] = (double)(rte_rdtsc() - start) / (TURN_BURSTS * BURST);
	} while (++turns < TURNS_MAX && rte_rdtsc() < end);
	out->keys = median(k, turns);
	out->lookup = median(a, turns) - out->keys;
	out->lookup_ref = median(r, turns) - out->keys;
	free(v);
	return b->missed == 0 ? 0 : -ENOENT;
}

int
table_bench_run(struct table_bench *out)
{
	struct fp_table_conf c = { .max_states = out->records * 2, .socket = -1, .huge = out->huge,
		.hash_secret = { secret[0], secret[1] } };
	struct rte_hash_parameters p = { .name = "table_bench", .entries = out->records + out->records / 8 + 64,
		.key_len = out->v6 ? sizeof(struct key6) : sizeof(struct fp_key), .hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY, .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF };
	struct bench b = { .n = out->records, .v6 = out->v6 };
	struct fp_table_info info;
	uint64_t sum = 0, start;
	void *mem;
	int rc = -ENOMEM;

	b.record_size = out->v6 ? sizeof(struct fp_state6) : sizeof(struct fp_state);
	b.records_size = (b.record_size * b.n + (2u << 20)) & ~((size_t)(2u << 20) - 1);
	mem = mmap(NULL, b.records_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return -ENOMEM;
	madvise(mem, b.records_size, MADV_HUGEPAGE);
	b.records = mem;
	b.t = fp_table_create(&c);
	b.hash = rte_hash_create(&p);
	if (b.t == NULL || b.hash == NULL)
		goto out;
	rc = inserts(&b, out);
	if (rc != 0)
		goto out;
	rc = lookups(&b, out);
	if (rc != 0)
		goto out;
	start = rte_rdtsc();
	fp_table_scan(b.t, UINT32_MAX, scan_cb, &sum);
	out->scan = (double)(rte_rdtsc() - start) / b.n;
	fp_table_info(b.t, &info);
	out->bucket_load = (double)info.records / info.buckets;
	out->overflow_buckets = info.overflow_buckets;
	/* what the states use, not what was populated ahead for the other class; one byte a record says that it is live */
	out->bytes = ((double)(info.buckets + info.overflow_buckets) * FP_CACHE_LINE) / info.records + (double)b.record_size + 1;
	memcpy(out->pages, info.pages, sizeof(out->pages));
out:
	fp_table_destroy(b.t);
	rte_hash_free(b.hash);
	munmap(b.records, b.records_size);
	return rc;
}

void
table_bench_header(FILE *f)
{
	fprintf(f, "state table beside rte_hash (lock-free, bulk), TSC cycles per operation, bursts of %d, uniformly random,\n"
	    "first line of the record written, making of the key taken off; bytes per connection (two pf states), index included\n"
	    "%4s %9s %7s %8s %6s %7s %8s %6s %6s %7s %6s %9s\n", BURST, "", "records", "lookup", "rte_hash", "ratio", "insert",
	    "rte_hash", "scan", "bytes", "load", "pages", "overflow");
}

void
table_bench_print(const struct table_bench *b, FILE *f)
{
	fprintf(f, "%4s %9u %7.1f %8.1f %6.2f %7.1f %8.1f %6.1f %6.1f %7.2f %6s %9u\n", b->v6 ? "v6" : "v4", b->records, b->lookup,
	    b->lookup_ref, b->lookup / b->lookup_ref, b->insert, b->insert_ref, b->scan, b->bytes, b->bucket_load, b->pages,
	    b->overflow_buckets);
	fflush(f);
}
