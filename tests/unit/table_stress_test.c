/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State table under real threads: the owner looks up, inserts, uncouples, expires, removes and reclaims; the sync lcore
 * inserts the same and other keys and asks the owner for removals through a ring; a third thread looks up. All report
 * quiescent. Checked all the while: of colliding inserts one wins, nobody ever sees a record that was freed or not yet
 * complete, halves and records add up, nothing leaks.
 *
 * Meant for ThreadSanitizer too (meson setup -Db_sanitize=thread). Under it lookups use the portable compare.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <rte_rcu_qsbr.h>

#include "fastpath/table.h"

static const uint64_t secret[2] = { 0x6a09e667f3bcc908ull, 0xbb67ae8584caa73bull };

enum { OWNER, SYNC, READER, THREADS };
#define RING 256
#define MAX_KEYS 4096

/* A failed check in a thread: told, counted, and the test fails at the end. */
static unsigned failures;
#define CHECK(x) do { \
	if (!(x)) { \
		if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) < 10) \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
	} \
} while (0)

struct run {
	struct fp_table *t;
	struct rte_rcu_qsbr *qs;
	uint32_t keys, max_states, expected;
	bool stop;
	/* removals that the sync lcore asks for: single producer, single consumer */
	uint32_t ring[RING], ring_head, ring_tail;
	uint64_t won[THREADS], lost[THREADS], refused[THREADS], found[THREADS], removed, uncoupled, joined;
	uint64_t halves_in[THREADS], halves_out;
};

struct rng {
	uint64_t s;
};

static uint32_t
rnd(struct rng *r, uint32_t n)
{
	r->s = r->s * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((r->s >> 33) * n >> 31);
}

struct tuple {
	struct fp_key k;
	uint8_t a6[2][16];
	bool v6, src_is_hi;
	uint64_t hash;
};

static void
tuple_make(struct tuple *x, uint32_t n)
{
	uint8_t s[16] = { 0xfd, [14] = 1 }, d[16] = { 0xfd, [14] = 2 };

	x->v6 = n % 4 == 0;
	memcpy(s + 8, &n, 4);
	if (x->v6) {
		x->hash = fp_key_make6(&x->k, x->a6, s, d, 1000, 53, 17, &x->src_is_hi, secret);
	} else {
		fp_key_make4(&x->k, 0x0a000000 + n, 0x0a800001, 1000, 53, 17, &x->src_is_hi);
		x->hash = fp_key_hash4(&x->k, secret);
	}
}

static const uint8_t (*
addr6(const struct tuple *x))[16]
{
	return x->v6 ? x->a6 : NULL;
}

static struct fp_state *
find(struct run *r, const struct tuple *x, bool dir_out)
{
	uint32_t c = fp_table_candidate(r->t, x->hash);

	fp_table_prefetch_record(r->t, c);
	return fp_table_find(r->t, &x->k, addr6(x), x->hash, dir_out, x->src_is_hi, 1, c);
}

/* Immutable fields tell which key a record was made for; a recycled or incomplete one would differ. */
static bool
intact(const struct fp_state *st, const struct tuple *x, uint32_t n)
{
	return st->creatorid == n + 1 && st->id[0] == n * 3ull + 1 && st->id[1] == n * 5ull + 1 &&
	    st->created_sec == ~n && fp_key_equal(&st->key, &x->k);
}

static void
insert(struct run *r, int who, uint32_t n, uint8_t halves)
{
	struct fp_state *st, *other = NULL;
	struct tuple x;
	int rc;

	tuple_make(&x, n);
	st = fp_table_alloc(r->t, &x.k, addr6(&x), who == SYNC);
	if (st == NULL) {
		r->refused[who]++;
		return;
	}
	st->halves = halves;
	st->ifid[0] = st->ifid[1] = FP_IFID_ALL;
	st->creatorid = n + 1;
	st->created_sec = ~n;
	st->id[0] = n * 3ull + 1;
	st->id[1] = n * 5ull + 1;
	if (x.src_is_hi)
		st->flags |= FP_SF_SRC_HI;
	rc = fp_table_insert(r->t, st, x.hash, who == SYNC, &other);
	if (rc == 0) {
		r->won[who]++;
		r->halves_in[who] += (unsigned)__builtin_popcount(halves);
		return;
	}
	CHECK(rc == -EEXIST || rc == -ENOMEM);
	if (rc == -EEXIST) {
		r->lost[who]++;
		CHECK(other != NULL && other != st && intact(other, &x, n));
	} else {
		r->refused[who]++;
	}
	fp_table_alloc_cancel(r->t, st, who == SYNC);
}

/* Owner: how many published records hold each half of this key. Never more than one. */
static unsigned
holders(struct run *r, const struct tuple *x, uint32_t n, int half)
{
	unsigned count = 0;

	for (struct fp_bucket *b = fp_table_bucket(r->t, x->hash); b != NULL; b = fp_bucket_next(r->t, b)) {
		for (int i = 0; i < FP_BUCKET_SLOTS; i++) {
			uint64_t v = fp_load_acq(&b->slot[i]);
			struct fp_state *st;

			if (!(v & FP_SLOT_LIVE) || (uint32_t)(v >> 32) != fp_hash_sig(x->hash))
				continue;
			st = fp_table_record(r->t, (uint32_t)v);
			if (!fp_key_equal(&st->key, &x->k))
				continue;
			CHECK(intact(st, x, n));
			CHECK(!(st->flags & FP_SF_DEAD));
			count += st->halves >> half & 1;
		}
	}
	return count;
}

static void
remove_key(struct run *r, uint32_t n, uint8_t halves)
{
	struct tuple x;

	tuple_make(&x, n);
	for (int h = 0; h < 2; h++) {
		unsigned count = holders(r, &x, n, h);
		struct fp_state *st;

		CHECK(count <= 1);
		if (!(halves >> h & 1))
			continue;
		st = find(r, &x, h == FP_HALF_OUT);
		CHECK(count == 0 || st != NULL);
		if (st != NULL) {
			fp_table_remove_half(r->t, st, h);
			r->halves_out++;
			r->removed++;
			/* another may have come meanwhile, but not the one that went */
			CHECK(find(r, &x, h == FP_HALF_OUT) != st);
		}
	}
}

struct expire_arg {
	struct run *r;
	struct rng *rng;
};

static void
expire(struct fp_state *st, void *arg)
{
	struct expire_arg *e = arg;
	struct tuple x;

	tuple_make(&x, st->creatorid - 1);
	CHECK(intact(st, &x, st->creatorid - 1));
	CHECK(st->halves != 0);
	st->last_sec++;
	if (rnd(e->rng, 100) < 40)
		return;
	for (int h = 0; h < 2; h++) {
		if (st->halves >> h & 1) {
			fp_table_remove_half(e->r->t, st, h);
			e->r->halves_out++;
		}
	}
}

static void *
owner_main(void *arg)
{
	struct run *r = arg;
	struct rng rng = { 1 };
	struct expire_arg e = { r, &rng };

	while (!fp_load(&r->stop)) {
		for (int burst = 0; burst < 32; burst++) {
			uint32_t n = rnd(&rng, r->keys), op = rnd(&rng, 10);
			struct fp_state *st;
			struct tuple x;

			if (op < 4) {
				insert(r, OWNER, n, (uint8_t)(1 + rnd(&rng, 3)));
			} else if (op < 6) {
				remove_key(r, n, (uint8_t)(1 + rnd(&rng, 3)));
			} else {
				tuple_make(&x, n);
				st = find(r, &x, op & 1);
				if (st == NULL)
					continue;
				r->found[OWNER]++;
				CHECK(intact(st, &x, n));
				fp_state_count(st, 0, 60);
				if (op == 8 && st->halves != FP_HALVES_BOTH) {
					int missing = st->halves == 1 << FP_HALF_IN ? FP_HALF_OUT : FP_HALF_IN;
					int rc = fp_table_add_half(r->t, st, missing);

					CHECK(rc == 0 || rc == -EEXIST || rc == -ENOMEM);
					if (rc == 0) {
						r->halves_in[OWNER]++;
						r->joined++;
					}
					CHECK(rc != 0 || holders(r, &x, n, missing) == 1);
				}
				if (op == 9 && st->halves == FP_HALVES_BOTH && fp_state_uncouple(r->t, st, n & 1) != NULL) {
					r->uncoupled++;
					CHECK(holders(r, &x, n, 0) == 1 && holders(r, &x, n, 1) == 1);
				}
			}
		}
		while (r->ring_head != fp_load_acq(&r->ring_tail)) {
			remove_key(r, r->ring[r->ring_head % RING], FP_HALVES_BOTH);
			fp_store_rel(&r->ring_head, r->ring_head + 1);
		}
		fp_table_scan(r->t, 4, expire, &e);
		fp_table_reclaim(r->t, 64);
		rte_rcu_qsbr_quiescent(r->qs, OWNER);
	}
	rte_rcu_qsbr_thread_offline(r->qs, OWNER);
	return NULL;
}

static void *
sync_main(void *arg)
{
	struct run *r = arg;
	struct rng rng = { 2 };

	while (!fp_load(&r->stop)) {
		for (int burst = 0; burst < 16; burst++) {
			uint32_t n = rnd(&rng, r->keys);

			insert(r, SYNC, n, (uint8_t)(1 + rnd(&rng, 3)));
			if (rnd(&rng, 8) == 0 && r->ring_tail - fp_load_acq(&r->ring_head) < RING) {
				r->ring[r->ring_tail % RING] = rnd(&rng, r->keys);
				fp_store_rel(&r->ring_tail, r->ring_tail + 1);
			}
		}
		rte_rcu_qsbr_quiescent(r->qs, SYNC);
	}
	rte_rcu_qsbr_thread_offline(r->qs, SYNC);
	return NULL;
}

static void *
reader_main(void *arg)
{
	struct run *r = arg;
	struct rng rng = { 3 };
	const struct fp_state *seen[8];
	uint32_t of[8];

	while (!fp_load(&r->stop)) {
		unsigned n = 0;
		struct tuple x;

		for (int i = 0; i < 8; i++) {
			uint32_t k = rnd(&rng, r->keys);

			tuple_make(&x, k);
			seen[n] = find(r, &x, i & 1);
			if (seen[n] == NULL)
				continue;
			CHECK(intact(seen[n], &x, k));
			of[n++] = k;
		}
		/* removed or not: until we report, memory stays */
		for (unsigned i = 0; i < n; i++) {
			tuple_make(&x, of[i]);
			CHECK(intact(seen[i], &x, of[i]));
		}
		r->found[READER] += n;
		rte_rcu_qsbr_quiescent(r->qs, READER);
	}
	rte_rcu_qsbr_thread_offline(r->qs, READER);
	return NULL;
}

static void
count_halves(struct fp_state *st, void *arg)
{
	*(uint64_t *)arg += (unsigned)__builtin_popcount(st->halves);
}

static void
stress(uint32_t keys, uint32_t max_states, uint32_t expected, unsigned ms)
{
	static void *(*const mains[THREADS])(void *) = { owner_main, sync_main, reader_main };
	struct fp_table_conf c = { .max_states = max_states, .expected_states = expected, .socket = -1,
		.hash_secret = { secret[0], secret[1] } };
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };
	struct fp_table_info info;
	pthread_t thread[THREADS];
	struct run *r;
	uint64_t halves = 0;
	struct tuple x;

	r = calloc(1, sizeof(*r));
	assert_non_null(r);
	assert_in_range(keys, 1, MAX_KEYS);
	r->keys = keys;
	r->qs = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(THREADS));
	assert_non_null(r->qs);
	assert_int_equal(rte_rcu_qsbr_init(r->qs, THREADS), 0);
	c.qs = r->qs;
	r->t = fp_table_create(&c);
	assert_non_null(r->t);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(rte_rcu_qsbr_thread_register(r->qs, i), 0);
		rte_rcu_qsbr_thread_online(r->qs, i);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, mains[i], r), 0);
	nanosleep(&ts, NULL);
	fp_store(&r->stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);

	/* one thread again: everything adds up */
	fp_table_walk(r->t, 0, UINT32_MAX, count_halves, &halves);
	assert_int_equal(halves, fp_table_halves(r->t));
	assert_int_equal(halves, r->halves_in[OWNER] + r->halves_in[SYNC] - r->halves_out);
	for (uint32_t n = 0; n < keys; n++) {
		tuple_make(&x, n);
		assert_in_range(holders(r, &x, n, 0), 0, 1);
		assert_in_range(holders(r, &x, n, 1), 0, 1);
		remove_key(r, n, FP_HALVES_BOTH);
	}
	for (int i = 0; i < 100000; i++)
		fp_table_reclaim(r->t, 64);
	fp_table_info(r->t, &info);
	assert_int_equal(info.halves, 0);
	assert_int_equal(info.records, 0);
	assert_int_equal(info.pending_free, 0);
	assert_int_equal(info.overflow_buckets, 0);
	printf("%u keys, room for %u: owner won %lu lost %lu refused %lu, sync won %lu lost %lu refused %lu, uncoupled %lu, "
	    "joined %lu, removed %lu, found %lu and %lu, slots %u\n", keys, max_states, r->won[OWNER], r->lost[OWNER], r->refused[OWNER],
	    r->won[SYNC], r->lost[SYNC], r->refused[SYNC], r->uncoupled, r->joined, r->removed, r->found[OWNER], r->found[READER],
	    fp_table_slots(r->t));
	/* the threads did meet */
	assert_true(r->won[OWNER] > 0 && r->won[SYNC] > 0 && r->lost[OWNER] > 0 && r->lost[SYNC] > 0);
	assert_true(r->found[READER] > 0 && r->uncoupled > 0 && r->joined > 0);
	assert_int_equal(failures, 0);
	fp_table_destroy(r->t);
	free(r->qs);
	free(r);
}

/* Few keys on one chain: every insert meets others. */
static void
test_one_chain(void **arg)
{
	stress(24, 1000, 1, 1200);
}

static void
test_two_keys(void **arg)
{
	stress(2, 1000, 1, 600);
}

static void
test_many_chains(void **arg)
{
	stress(4096, 20000, 2000, 1200);
}

/* More keys than room: both are refused all the time. */
static void
test_full(void **arg)
{
	stress(512, 200, 100, 800);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_chain),
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_many_chains),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
