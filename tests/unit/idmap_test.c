/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of names: nothing alive is ever lost, nothing dead is ever found, and it grows no further than it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sync/idmap.h"

#define WORKERS 3u
#define RECORDS 40000u

/* What stands for a record. */
struct rec { uint64_t id; uint32_t creator; };
static struct rec recs[WORKERS][RECORDS];
static uint64_t rng = 0x853c49e6748fea9bull;

static uint32_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng >> 32;
}

static uint32_t
creator_of(void *arg, unsigned worker, uint32_t index, uint64_t id)
{
	assert_ptr_equal(arg, recs);
	assert_true(worker < WORKERS && index < RECORDS);
	return recs[worker][index].id == id ? recs[worker][index].creator : 0;
}

static struct sync_idmap *
make(uint64_t max)
{
	const struct sync_idmap_ops ops = { .creator = creator_of, .arg = recs };
	struct sync_idmap *m = sync_idmap_create(max, &ops);

	assert_non_null(m);
	memset(recs, 0, sizeof(recs));
	return m;
}

static void
expect(struct sync_idmap *m, unsigned w, uint32_t i)
{
	const struct rec *r = &recs[w][i];
	unsigned worker = UINT32_MAX;
	uint32_t index = UINT32_MAX;

	assert_true(sync_idmap_get(m, r->id, r->creator, &worker, &index));
	assert_int_equal(worker, w);
	assert_int_equal(index, i);
}

static void
put(struct sync_idmap *m, unsigned w, uint32_t i, uint64_t id, uint32_t creator)
{
	recs[w][i] = (struct rec){ id, creator };
	assert_true(sync_idmap_put(m, id, creator, w, i));
}

static void
finds_what_was_put(void **state)
{
	struct sync_idmap *m = make(WORKERS * RECORDS);
	unsigned w;
	uint32_t i;

	(void)state;
	/* ids in a row, as pf counts, through several sizes of the map */
	for (i = 0; i < WORKERS * RECORDS; i++)
		put(m, i % WORKERS, i / WORKERS, 1000 + i, 0xaabbccdd);
	for (i = 0; i < WORKERS * RECORDS; i++)
		expect(m, i % WORKERS, i / WORKERS);
	assert_false(sync_idmap_get(m, 999, 0xaabbccdd, &w, &i));
	assert_false(sync_idmap_get(m, 1000, 0xaabbccde, &w, &i));
	assert_int_equal(sync_idmap_used(m), WORKERS * RECORDS);
	sync_idmap_destroy(m);
}

/* FreeBSD boxes use the same ids at the same time: only the creator tells them apart. */
static void
same_id_of_several(void **state)
{
	struct sync_idmap *m = make(RECORDS);
	uint32_t index;
	unsigned w;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++)
		put(m, 0, i, 7, 0x1000 + i);	/* some of them alike in what an entry keeps of the creator */
	for (uint32_t i = 0; i < 3000; i++)
		expect(m, 0, i);
	recs[0][17].creator = 0;
	recs[0][17].id = 0;
	assert_false(sync_idmap_get(m, 7, 0x1000 + 17, &w, &index));
	while (sync_idmap_used(m) != 2999)
		sync_idmap_sweep(m, 256);
	for (uint32_t i = 0; i < 3000; i++)
		if (i != 17)
			expect(m, 0, i);
	sync_idmap_destroy(m);
}

/* A state that moved is found where it went. */
static void
moves(void **state)
{
	struct sync_idmap *m = make(RECORDS);

	(void)state;
	for (uint32_t i = 0; i < 6000; i++)
		put(m, 0, i, 5000 + i, 9);
	for (uint32_t i = 0; i < 6000; i += 3) {
		memset(&recs[0][i], 0, sizeof(recs[0][i]));
		put(m, 1, i, 5000 + i, 9);
	}
	for (uint32_t i = 0; i < 6000; i++)
		expect(m, i % 3 == 0, i);
	assert_int_equal(sync_idmap_used(m), 6000);
	sync_idmap_destroy(m);
}

/* Births and deaths without end at a full table: no living one is lost, none is refused, memory stays bounded. */
static void
churn(void **state)
{
	const uint64_t max = 8000;
	struct sync_idmap *m = make(max);
	uint64_t next = 1, most = 0;
	unsigned w;
	uint32_t index;

	(void)state;
	for (uint32_t i = 0; i < max; i++)
		put(m, 0, i, next++ * 977, 5);
	for (uint32_t k = 0; k < 400000; k++) {
		uint32_t i = rnd() % max;
		uint64_t gone = recs[0][i].id;

		put(m, 0, i, next++ * 977, 5);
		assert_false(sync_idmap_get(m, gone, 5, &w, &index));
		expect(m, 0, rnd() % max);
		if (k % 64 == 0)
			sync_idmap_sweep(m, 64);
		if (sync_idmap_used(m) > most)
			most = sync_idmap_used(m);
	}
	for (uint32_t i = 0; i < max; i++)
		expect(m, 0, i);
	assert_true(most <= 8 * max);
	sync_idmap_destroy(m);
}

/* More than was promised is refused, not lost; with a new limit it fits. */
static void
limits(void **state)
{
	struct sync_idmap *m = make(1000);
	uint32_t i;

	(void)state;
	for (i = 0; i < 30000; i++) {
		recs[0][i] = (struct rec){ i + 1, 3 };
		if (!sync_idmap_put(m, i + 1, 3, 0, i))
			break;
	}
	assert_in_range(i, 1000, 29999);
	for (uint32_t k = 0; k < i; k++)
		expect(m, 0, k);
	sync_idmap_limit(m, 30000);
	for (; i < 30000; i++)
		put(m, 0, i, i + 1, 3);
	for (uint32_t k = 0; k < i; k++)
		expect(m, 0, k);
	/* all of them end: nothing stays */
	memset(recs, 0, sizeof(recs));
	for (unsigned k = 0; k < 10000 && sync_idmap_used(m) != 0; k++)
		sync_idmap_sweep(m, 64);
	assert_int_equal(sync_idmap_used(m), 0);
	sync_idmap_destroy(m);
	sync_idmap_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put), cmocka_unit_test(same_id_of_several), cmocka_unit_test(moves), cmocka_unit_test(churn),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
