/* SPDX-License-Identifier: BSD-2-Clause */
/* State table: what each function of src/fastpath/table.h promises, single-threaded. Threads: table_stress_test.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fastpath/table.h"

static const uint64_t secret[2] = { 0x9d2c5680a1f03b77ull, 0x1b56c4e9f0e1d2c3ull };

static struct fp_table *
table(uint32_t max, uint32_t expected)
{
	struct fp_table_conf c = { .max_states = max, .expected_states = expected, .socket = -1,
		.hash_secret = { secret[0], secret[1] } };
	struct fp_table *t = fp_table_create(&c);

	assert_non_null(t);
	return t;
}

/* One endpoint pair as a test speaks of it: number n, from client to server unless swapped. */
struct tuple {
	struct fp_key k;
	uint8_t a6[2][16];
	bool v6, src_is_hi;
	uint64_t hash;
};

static void
tuple_make(struct tuple *x, uint32_t n, bool v6, bool swapped)
{
	uint16_t sport = (uint16_t)(1024 + n % 50000), dport = 443;

	x->v6 = v6;
	if (v6) {
		uint8_t s[16] = { 0x20, 0x01, 0x0d, 0xb8, 1 }, d[16] = { 0x20, 0x01, 0x0d, 0xb8, 2 };

		memcpy(s + 8, &n, 4);
		x->hash = fp_key_make6(&x->k, x->a6, swapped ? d : s, swapped ? s : d, swapped ? dport : sport,
		    swapped ? sport : dport, 6, &x->src_is_hi, secret);
	} else {
		uint32_t s = 0x0a000000 + n, d = 0xc0a80001;

		fp_key_make4(&x->k, swapped ? d : s, swapped ? s : d, swapped ? dport : sport, swapped ? sport : dport, 6,
		    &x->src_is_hi);
		x->hash = fp_key_hash4(&x->k, secret);
	}
}

static const uint8_t (*
addr6(const struct tuple *x))[16]
{
	return x->v6 ? x->a6 : NULL;
}

static struct fp_state *
fill(struct fp_table *t, const struct tuple *x, uint8_t halves, bool by_sync)
{
	struct fp_state *st = fp_table_alloc(t, &x->k, addr6(x), by_sync);

	if (st == NULL)
		return NULL;
	st->halves = halves;
	st->ifid[0] = st->ifid[1] = FP_IFID_ALL;
	if (x->src_is_hi)
		st->flags |= FP_SF_SRC_HI;
	return st;
}

/* Allocate and insert; cancels when refused. */
static int
add(struct fp_table *t, const struct tuple *x, uint8_t halves, struct fp_state **out)
{
	struct fp_state *st = fill(t, x, halves, false), *other = NULL;
	int rc;

	if (out != NULL)
		*out = NULL;
	if (st == NULL)
		return -ENOMEM;
	rc = fp_table_insert(t, st, x->hash, false, &other);
	if (rc != 0) {
		if (rc == -EEXIST && out != NULL)
			*out = other;
		fp_table_alloc_cancel(t, st, false);
	} else if (out != NULL) {
		*out = st;
	}
	return rc;
}

static struct fp_state *
find(struct fp_table *t, const struct tuple *x, bool dir_out, uint16_t ifid)
{
	return fp_table_find(t, &x->k, addr6(x), x->hash, dir_out, x->src_is_hi, ifid,
	    fp_table_candidate(t, x->hash));
}

static struct fp_table_info
info(const struct fp_table *t)
{
	struct fp_table_info i;

	fp_table_info(t, &i);
	return i;
}

static void
test_bad_conf(void **arg)
{
	struct fp_table_conf c = { .socket = -1 };

	assert_null(fp_table_create(&c));
	assert_int_equal(errno, EINVAL);
	c.max_states = FP_TABLE_MAX_STATES + 1;
	assert_null(fp_table_create(&c));
	assert_int_equal(errno, EINVAL);
	fp_table_destroy(NULL);
}

static void
test_key4_both_ways(void **arg)
{
	struct fp_key a, b;
	bool hi_a, hi_b;

	fp_key_make4(&a, 0x01020304, 0x05060708, 80, 1234, 6, &hi_a);
	fp_key_make4(&b, 0x05060708, 0x01020304, 1234, 80, 6, &hi_b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_not_equal(hi_a, hi_b);
	/* equal addresses: ports decide */
	fp_key_make4(&a, 7, 7, 80, 1234, 6, &hi_a);
	fp_key_make4(&b, 7, 7, 1234, 80, 6, &hi_b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_not_equal(hi_a, hi_b);
	assert_int_equal(a.port_lo, 80);
}

static void
test_key6_both_ways(void **arg)
{
	uint8_t s[16] = { 0x20, 1, [15] = 9 }, d[16] = { 0x20, 1, [15] = 3 }, x[2][16], y[2][16];
	struct fp_key a, b;
	bool hi_a, hi_b;
	uint64_t h = fp_key_make6(&a, x, s, d, 80, 1234, 17, &hi_a, secret);

	assert_true(h == fp_key_make6(&b, y, d, s, 1234, 80, 17, &hi_b, secret));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_equal(x, y, sizeof(x));
	assert_memory_equal(x[hi_a], s, 16);
	assert_memory_equal(x[!hi_a], d, 16);
	assert_int_not_equal(hi_a, hi_b);
	assert_int_equal(hi_a ? a.port_hi : a.port_lo, 80);
	assert_int_equal(a.af, FP_AF_INET6);
	assert_int_equal(a.proto, 17);
	assert_true(h == fp_key_hash4(&a, secret));
	/* one bit of either address changes the hash */
	s[7] ^= 1;
	assert_true(h != fp_key_make6(&b, y, s, d, 80, 1234, 17, &hi_b, secret));
	s[7] ^= 1;
	d[8] ^= 128;
	assert_true(h != fp_key_make6(&b, y, s, d, 80, 1234, 17, &hi_b, secret));
	/* both ends the same address */
	fp_key_make6(&a, x, s, s, 5, 4, 17, &hi_a, secret);
	fp_key_make6(&b, y, s, s, 4, 5, 17, &hi_b, secret);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(hi_a && !hi_b);
}

/* Every bit of the key moves about half of the bits of the hash. */
static void
test_hash_avalanche(void **arg)
{
	for (int bit = 0; bit < 128; bit++) {
		unsigned n = 0;

		for (uint32_t i = 0; i < 256; i++) {
			struct tuple x;
			struct fp_key k;

			tuple_make(&x, i * 7919, false, false);
			k = x.k;
			((uint8_t *)&k)[bit / 8] ^= (uint8_t)(1 << bit % 8);
			n += (unsigned)__builtin_popcountll(x.hash ^ fp_key_hash4(&k, secret));
		}
		assert_in_range(n / 256, 26, 38);
	}
}

static void
test_find_half(void **arg)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct fp_table *t = table(100, 0);
		struct tuple f, r, none;
		struct fp_state *st;

		tuple_make(&f, 1, v6, false);
		tuple_make(&r, 1, v6, true);
		tuple_make(&none, 2, v6, false);
		assert_true(f.hash == r.hash);
		assert_null(find(t, &f, false, 0));
		assert_int_equal(add(t, &f, 1 << FP_HALF_IN, &st), 0);
		assert_int_equal(st->key.af, v6 ? FP_AF_INET6 : FP_AF_INET);
		assert_ptr_equal(fp_table_record(t, fp_table_index(t, st)), st);
		assert_true(fp_state_hash(t, st) == f.hash);
		/* the IN half: the creator's packets on their way in, answers on their way out */
		assert_ptr_equal(find(t, &f, false, 0), st);
		assert_ptr_equal(find(t, &r, true, 0), st);
		assert_null(find(t, &f, true, 0));
		assert_null(find(t, &r, false, 0));
		assert_null(find(t, &none, false, 0));
		assert_int_equal(fp_state_half(st, false, f.src_is_hi), FP_HALF_IN);
		assert_int_equal(fp_state_half(st, true, f.src_is_hi), FP_HALF_OUT);
		assert_int_equal(fp_table_halves(t), 1);
		fp_table_remove_half(t, st, FP_HALF_OUT); /* not there */
		assert_int_equal(fp_table_halves(t), 1);
		fp_table_remove_half(t, st, FP_HALF_IN);
		assert_null(find(t, &f, false, 0));
		assert_int_equal(fp_table_halves(t), 0);
		assert_int_equal(fp_table_candidate(t, f.hash), FP_STATE_NONE);
		fp_table_destroy(t);
	}
}

static void
test_collision_rule(void **arg)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct fp_table *t = table(100, 0);
		struct fp_state *a, *b, *c, *st, *other;
		struct tuple f, r;

		tuple_make(&f, 1, v6, false);
		tuple_make(&r, 1, v6, true); /* the other end as creator */
		assert_int_equal(add(t, &f, 1 << FP_HALF_IN, &a), 0);
		assert_int_equal(add(t, &f, 1 << FP_HALF_IN, &other), -EEXIST);
		assert_ptr_equal(other, a);
		assert_int_equal(add(t, &f, FP_HALVES_BOTH, &other), -EEXIST);
		assert_ptr_equal(other, a);
		/* the other half of the same creator: an uncoupled pair */
		assert_int_equal(add(t, &f, 1 << FP_HALF_OUT, &b), 0);
		assert_ptr_equal(find(t, &f, false, 0), a);
		assert_ptr_equal(find(t, &f, true, 0), b);
		/* the other creator: same pf key, other direction */
		assert_int_equal(add(t, &r, 1 << FP_HALF_OUT, &c), 0);
		assert_int_equal(add(t, &r, 1 << FP_HALF_OUT, &other), -EEXIST);
		assert_ptr_equal(other, c);
		/* a's packets on their way in fit a (as creator) and c (as answers): the older one */
		a->created_sec = 10;
		c->created_sec = 5;
		assert_ptr_equal(find(t, &f, false, 0), c);
		c->created_sec = 15;
		assert_ptr_equal(find(t, &f, false, 0), a);
		c->created_sec = 10;
		a->id[FP_HALF_IN] = 2;
		c->id[FP_HALF_OUT] = 1;
		assert_ptr_equal(find(t, &f, false, 0), c);
		/* PURGE hides from lookups, but collides until removed */
		fp_state_hflags_set(c, FP_HALF_OUT, FP_HF_PURGE);
		assert_ptr_equal(find(t, &f, false, 0), a);
		assert_int_equal(add(t, &r, 1 << FP_HALF_OUT, &other), -EEXIST);
		assert_ptr_equal(other, c);
		fp_table_remove_half(t, c, FP_HALF_OUT);
		assert_int_equal(add(t, &r, 1 << FP_HALF_OUT, &c), 0);
		assert_int_equal(fp_table_halves(t), 3);
		/* no half at all */
		st = fill(t, &r, 0, false);
		assert_int_equal(fp_table_insert(t, st, r.hash, false, NULL), -EINVAL);
		fp_table_alloc_cancel(t, st, false);
		fp_table_destroy(t);
	}
}

static void
test_interfaces(void **arg)
{
	struct fp_table *t = table(100, 0);
	struct fp_state *fl, *b1, *b2, *st, *other = NULL;
	struct tuple f, r;

	tuple_make(&f, 1, false, false);
	tuple_make(&r, 1, false, true);
	/* bound to 1: answers there only */
	b1 = fill(t, &f, 1 << FP_HALF_IN, false);
	b1->ifid[FP_HALF_IN] = 1;
	assert_int_equal(fp_table_insert(t, b1, f.hash, false, &other), 0);
	assert_true(b1->flags & FP_SF_BOUND);
	assert_ptr_equal(find(t, &f, false, 1), b1);
	assert_null(find(t, &f, false, 2));
	/* floating beside it: answers elsewhere, whatever came first */
	assert_int_equal(add(t, &f, 1 << FP_HALF_IN, &fl), 0);
	assert_false(fl->flags & FP_SF_BOUND);
	assert_ptr_equal(find(t, &f, false, 1), b1);
	assert_ptr_equal(find(t, &f, false, 2), fl);
	/* bound to 2 as well; again on 1 collides */
	b2 = fill(t, &f, 1 << FP_HALF_IN, false);
	b2->ifid[FP_HALF_IN] = 2;
	assert_int_equal(fp_table_insert(t, b2, f.hash, false, &other), 0);
	assert_ptr_equal(find(t, &f, false, 2), b2);
	assert_ptr_equal(find(t, &f, false, 3), fl);
	st = fill(t, &f, 1 << FP_HALF_IN, false);
	st->ifid[FP_HALF_IN] = 1;
	assert_int_equal(fp_table_insert(t, st, f.hash, false, &other), -EEXIST);
	assert_ptr_equal(other, b1);
	/* of two bound to one interface (two creators) the newest */
	st->flags ^= FP_SF_SRC_HI;
	st->halves = 1 << FP_HALF_OUT;
	st->ifid[FP_HALF_OUT] = 1;
	st->created_sec = 7;
	b1->created_sec = 5;
	assert_int_equal(fp_table_insert(t, st, f.hash, false, &other), 0);
	assert_ptr_equal(find(t, &f, false, 1), st);
	b1->created_sec = 9;
	assert_ptr_equal(find(t, &f, false, 1), b1);
	/* only the half that is there and bound counts */
	fp_table_remove_half(t, b1, FP_HALF_IN);
	assert_ptr_equal(find(t, &f, false, 1), st);
	fp_table_destroy(t);
}

static void
test_uncouple(void **arg)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct fp_table *t = table(100, 0);
		struct fp_state_ext *e;
		struct fp_state *st, *n;
		struct tuple f;

		tuple_make(&f, 1, v6, false);
		assert_int_equal(add(t, &f, FP_HALVES_BOTH, &st), 0);
		st->id[0] = 10;
		st->id[1] = 11;
		st->peer[0].seqlo = 77;
		assert_null(fp_state_ext(t, st));
		e = fp_state_ext_get(t, st);
		assert_non_null(e);
		assert_ptr_equal(fp_state_ext_get(t, st), e);
		assert_ptr_equal(fp_state_ext(t, st), e);
		assert_int_equal(e->srcnode[1], UINT32_MAX);
		e->mss[0] = 1460;
		assert_ptr_equal(find(t, &f, false, 0), st);
		assert_ptr_equal(find(t, &f, true, 0), st);
		n = fp_state_uncouple(t, st, FP_HALF_OUT);
		assert_non_null(n);
		assert_ptr_not_equal(n, st);
		assert_int_equal(st->halves, 1 << FP_HALF_IN);
		assert_int_equal(n->halves, 1 << FP_HALF_OUT);
		assert_int_equal(n->id[1], 11);
		assert_int_equal(n->peer[0].seqlo, 77);
		assert_ptr_equal(find(t, &f, false, 0), st);
		assert_ptr_equal(find(t, &f, true, 0), n);
		assert_ptr_not_equal(fp_state_ext(t, n), e);
		assert_int_equal(fp_state_ext(t, n)->mss[0], 1460);
		assert_int_equal(fp_table_halves(t), 2);
		assert_int_equal(info(t).records, 2);
		assert_ptr_equal(fp_state_uncouple(t, n, FP_HALF_OUT), n);
		assert_null(fp_state_uncouple(t, n, FP_HALF_IN));
		fp_table_remove_half(t, st, FP_HALF_IN);
		assert_null(find(t, &f, false, 0));
		assert_ptr_equal(find(t, &f, true, 0), n);
		fp_table_remove_half(t, n, FP_HALF_OUT);
		assert_int_equal(fp_table_halves(t), 0);
		assert_int_equal(info(t).records, 0);
		fp_table_destroy(t);
	}
}

static void
test_add_half(void **arg)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct fp_table *t = table(5, 0);
		struct fp_state *a, *b, *other;
		struct tuple f, g;

		tuple_make(&f, 1, v6, false);
		tuple_make(&g, 2, v6, false);
		assert_int_equal(add(t, &f, 1 << FP_HALF_IN, &a), 0);
		assert_int_equal(fp_table_add_half(t, a, FP_HALF_IN), -EEXIST);
		assert_int_equal(fp_table_add_half(t, a, FP_HALF_OUT), 0);
		assert_int_equal(a->halves, FP_HALVES_BOTH);
		assert_int_equal(fp_table_halves(t), 2);
		assert_ptr_equal(find(t, &f, true, 0), a);
		assert_int_equal(add(t, &f, 1 << FP_HALF_OUT, &other), -EEXIST);
		assert_ptr_equal(other, a);
		/* the half is in another record */
		assert_int_equal(add(t, &g, 1 << FP_HALF_IN, &a), 0);
		assert_int_equal(add(t, &g, 1 << FP_HALF_OUT, &b), 0);
		assert_int_equal(fp_table_add_half(t, a, FP_HALF_OUT), -EEXIST);
		assert_int_equal(a->halves, 1 << FP_HALF_IN);
		assert_int_equal(fp_table_halves(t), 4);
		assert_ptr_equal(find(t, &g, true, 0), b);
		/* gone: now there is room for it; and then for no more */
		fp_table_remove_half(t, b, FP_HALF_OUT);
		a->ifid[FP_HALF_OUT] = 3;
		assert_int_equal(fp_table_add_half(t, a, FP_HALF_OUT), 0);
		assert_true(a->flags & FP_SF_BOUND);
		assert_ptr_equal(find(t, &g, true, 3), a);
		assert_null(find(t, &g, true, 2));
		assert_ptr_equal(find(t, &g, false, 2), a);
		fp_table_remove_half(t, a, FP_HALF_OUT);
		assert_int_equal(fp_table_resize_limit(t, 3), 0);
		assert_int_equal(fp_table_add_half(t, a, FP_HALF_OUT), -ENOMEM);
		fp_table_destroy(t);
	}
}

static void
count(struct fp_state *st, void *arg)
{
	st->last_sec++;
	++*(uint32_t *)arg;
}

static void
drop(struct fp_state *st, void *arg)
{
	struct fp_table *t = arg;

	fp_table_remove_half(t, st, FP_HALF_IN);
	fp_table_remove_half(t, st, FP_HALF_OUT);
}

static uint32_t
walk_all(struct fp_table *t, unsigned step)
{
	uint32_t n = 0, cursor = 0;

	do {
		uint32_t before = n;

		cursor = fp_table_walk(t, cursor, step, count, &n);
		assert_in_range(n - before, 0, step);
	} while (cursor != 0);
	return n;
}

/* Fill to the limit, find all, refuse more and keep all, walk, scan, remove every third, refill, empty. */
static void
fill_and_empty(uint32_t max, uint32_t expected, bool v6)
{
	struct fp_table *t = table(max, expected);
	struct fp_state **st = calloc(max, sizeof(*st)), *other;
	uint32_t n = 0, removed = 0;
	struct tuple x;

	assert_non_null(st);
	for (uint32_t i = 0; i < max; i++) {
		tuple_make(&x, i, v6, i & 1);
		assert_int_equal(add(t, &x, 1 << FP_HALF_IN, &st[i]), 0);
		st[i]->created_sec = i;
	}
	assert_int_equal(fp_table_halves(t), max);
	for (uint32_t i = max; i < max + 10; i++) {
		tuple_make(&x, i, v6, false);
		assert_int_equal(add(t, &x, 1 << FP_HALF_IN, &other), -ENOMEM);
	}
	for (uint32_t i = 0; i < max; i++) {
		tuple_make(&x, i, v6, i & 1);
		assert_ptr_equal(find(t, &x, false, 0), st[i]);
		assert_ptr_equal(fp_table_record(t, fp_table_index(t, st[i])), st[i]);
	}
	assert_int_equal(walk_all(t, 7), max);
	for (uint32_t i = 0; i < max; i++)
		assert_int_equal(st[i]->last_sec, 1);
	/* one scan never sees a record twice, and as long as the table it sees each */
	fp_table_scan(t, fp_table_slots(t), count, &n);
	assert_int_equal(n, max);
	/* in steps, too */
	for (uint32_t i = 0; i < max; i++)
		st[i]->last_sec = 0;
	for (uint32_t i = 0; i <= fp_table_slots(t) / 7; i++)
		fp_table_scan(t, 7, count, &n);
	for (uint32_t i = 0; i < max; i++)
		assert_true(st[i]->last_sec >= 1);
	for (uint32_t i = 0; i < max; i += 3, removed++)
		fp_table_remove_half(t, st[i], FP_HALF_IN);
	assert_int_equal(fp_table_halves(t), max - removed);
	for (uint32_t i = 0; i < max; i++) {
		tuple_make(&x, i, v6, i & 1);
		assert_ptr_equal(find(t, &x, false, 0), i % 3 ? st[i] : NULL);
	}
	for (uint32_t i = 0; i < max; i += 3) {
		tuple_make(&x, i, v6, i & 1);
		assert_int_equal(add(t, &x, 1 << FP_HALF_IN, &st[i]), 0);
	}
	assert_int_equal(walk_all(t, 100), max);
	for (uint32_t i = 0; i * 64 < 4 * fp_table_slots(t) + 64; i++)
		fp_table_scan(t, 64, drop, t);
	assert_int_equal(fp_table_halves(t), 0);
	assert_int_equal(info(t).records, 0);
	assert_int_equal(info(t).overflow_buckets, 0);
	assert_int_equal(info(t).tombs, 0);
	assert_int_equal(walk_all(t, 5), 0);
	fp_table_destroy(t);
	free(st);
}

static void
test_sizes(void **arg)
{
	static const uint32_t sizes[] = { 1, 2, 7, 1000, 30011 };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill_and_empty(sizes[i], 0, false);
		fill_and_empty(sizes[i], 0, true);
		if (sizes[i] <= 1000)
			fill_and_empty(sizes[i], 1, false); /* one bucket: a single chain */
	}
}

static void
test_million(void **arg)
{
	fill_and_empty(1000000, 0, false);
	fill_and_empty(50000, 5000, true); /* ten times what the index was made for */
}

static void
test_limit_is_settable(void **arg)
{
	struct fp_table_conf c = { .max_states = 4, .reserve_states = 10, .socket = -1 };
	struct fp_table *t = fp_table_create(&c);
	struct fp_state *st[8];
	struct tuple x;

	assert_non_null(t);
	for (uint32_t i = 0; i < 2; i++) {
		tuple_make(&x, i, false, false);
		x.hash = fp_key_hash4(&x.k, c.hash_secret);
		assert_int_equal(add(t, &x, FP_HALVES_BOTH, &st[i]), 0);
	}
	assert_null(fp_table_alloc(t, &x.k, NULL, false));
	assert_int_equal(fp_table_resize_limit(t, 11), -ERANGE);
	assert_int_equal(fp_table_resize_limit(t, 5), 0);
	tuple_make(&x, 2, false, false);
	x.hash = fp_key_hash4(&x.k, c.hash_secret);
	assert_int_equal(add(t, &x, FP_HALVES_BOTH, &st[2]), -ENOMEM); /* only one half has room */
	assert_int_equal(add(t, &x, 1, &st[2]), 0);
	assert_int_equal(fp_table_resize_limit(t, 2), 0);
	fp_table_remove_half(t, st[2], 0);
	assert_null(fp_table_alloc(t, &x.k, NULL, false));
	assert_int_equal(fp_table_halves(t), 4);
	fp_table_prefault(t);
	fp_table_destroy(t);
}

/* All records on one chain, by force: slow, but right. And a pool of overflow buckets that ends. */
static void
test_forced_collisions(void **arg)
{
	struct fp_table_conf c = { .max_states = 1000, .expected_states = 1000, .overflow_buckets = 20, .socket = -1 };
	struct fp_table *t = fp_table_create(&c);
	uint64_t hash = 0x123456789abcdef0ull;
	struct fp_state *st[7 * 21], *other;
	struct tuple x;
	uint32_t n;

	assert_non_null(t);
	/* fp_state_hash() is what removal goes by: so equal hashes have to come from equal secrets; v6 keys can be forged */
	for (n = 0; n < 7 * 21; n++) {
		tuple_make(&x, n, true, false);
		memset(&x.k.addr_lo, 0, 8);
		x.k.port_lo = x.k.port_hi = 1;
		hash = fp_key_hash4(&x.k, c.hash_secret);
		st[n] = fill(t, &x, 1, false);
		assert_non_null(st[n]);
		assert_int_equal(fp_table_insert(t, st[n], hash, false, &other), 0);
	}
	assert_int_equal(info(t).overflow_buckets, 20);
	tuple_make(&x, n, true, false);
	memset(&x.k.addr_lo, 0, 8);
	x.k.port_lo = x.k.port_hi = 1;
	other = fill(t, &x, 1, false);
	assert_int_equal(fp_table_insert(t, other, hash, false, NULL), -ENOMEM);
	fp_table_alloc_cancel(t, other, false);
	for (uint32_t i = 0; i < n; i++) {
		tuple_make(&x, i, true, false);
		memset(&x.k.addr_lo, 0, 8);
		x.k.port_lo = x.k.port_hi = 1;
		assert_ptr_equal(fp_table_find(t, &x.k, x.a6, hash, false, x.src_is_hi, 0, FP_STATE_NONE), st[i]);
	}
	/* from the front: buckets in the middle empty first, and leave only when they are last */
	for (uint32_t i = 0; i < n; i++) {
		fp_table_remove_half(t, st[i], 0);
		for (uint32_t j = i + 1; j < n; j += 13) {
			tuple_make(&x, j, true, false);
			memset(&x.k.addr_lo, 0, 8);
			x.k.port_lo = x.k.port_hi = 1;
			assert_ptr_equal(fp_table_find(t, &x.k, x.a6, hash, false, x.src_is_hi, 0, FP_STATE_NONE), st[j]);
		}
	}
	assert_int_equal(info(t).overflow_buckets, 0);
	fp_table_destroy(t);
}

/*
 * An attacker knows the code but not the secret: 20,000 keys that all fall into a few buckets under another secret. Under
 * ours they spread: with 3 records a bucket on average no chain has more than a handful of buckets.
 */
static void
test_chosen_collisions(void **arg)
{
	static const uint64_t guess[2] = { 1, 2 };
	struct fp_table *t = table(40000, 40000);
	uint32_t n = 0, tried = 0, b_max = 0, *load = calloc(info(t).buckets, sizeof(*load));
	struct tuple x;

	assert_non_null(load);
	while (n < 20000) {
		tuple_make(&x, tried++, false, false);
		if (((uint64_t)(uint32_t)fp_key_hash4(&x.k, guess) * info(t).buckets) >> 32 >= info(t).buckets / 64)
			continue;
		assert_int_equal(add(t, &x, FP_HALVES_BOTH, NULL), 0);
		if (++load[((x.hash & UINT32_MAX) * info(t).buckets) >> 32] > b_max)
			b_max = load[((x.hash & UINT32_MAX) * info(t).buckets) >> 32];
		n++;
	}
	assert_in_range(b_max, 4, 16); /* Poisson with mean 3: 16 has a chance of 1 in 10 million */
	assert_in_range(info(t).overflow_buckets, 0, info(t).buckets / 20);
	free(load);
	fp_table_destroy(t);
}

/* Differences that cancel in weak hashes: one address bit and one port bit at a time, and swaps of words. */
static void
test_structured_keys(void **arg)
{
	enum { BUCKETS = 4096 };
	uint32_t *load = calloc(BUCKETS, sizeof(*load));
	uint64_t sum = 0;

	assert_non_null(load);
	for (uint32_t a = 0; a < 64; a++)
		for (uint32_t p = 0; p < 256; p++) {
			struct fp_key k = { .addr_lo = a << 16, .addr_hi = ~a << 16, .port_lo = (uint16_t)(p << 8),
				.port_hi = (uint16_t)p, .proto = 17, .af = FP_AF_INET };

			load[(fp_key_hash4(&k, secret) & UINT32_MAX) * BUCKETS >> 32]++;
		}
	for (uint32_t i = 0; i < BUCKETS; i++)
		sum += (uint64_t)load[i] * load[i];
	/* sum of squares: mean 4 per bucket gives 4096 * (16 + 4); three per cent is six standard deviations */
	assert_in_range(sum, 81920 * 97 / 100, 81920 * 103 / 100);
	free(load);
}

/* A SYN flood fills the table; who was there before stays and is found. */
static void
test_flood(void **arg)
{
	struct fp_table *t = table(20000, 2000);
	struct fp_state *old[500];
	uint32_t refused = 0;
	struct tuple x;

	for (uint32_t i = 0; i < 500; i++) {
		tuple_make(&x, i, i & 1, false);
		assert_int_equal(add(t, &x, FP_HALVES_BOTH, &old[i]), 0);
	}
	for (uint32_t i = 1000; i < 40000; i++) {
		tuple_make(&x, i, i & 1, false);
		refused += add(t, &x, FP_HALVES_BOTH, NULL) == -ENOMEM;
	}
	assert_int_equal(fp_table_halves(t), 20000);
	assert_int_equal(refused, 39000 - 9500);
	for (uint32_t i = 0; i < 500; i++) {
		tuple_make(&x, i, i & 1, false);
		assert_ptr_equal(find(t, &x, false, 0), old[i]);
		assert_ptr_equal(find(t, &x, true, 0), old[i]);
	}
	/* and an established connection can still be uncoupled */
	assert_non_null(fp_state_uncouple(t, old[3], FP_HALF_OUT));
	fp_table_destroy(t);
}

/* The sync side of the pools, still in one thread: its records come, go back, and are not lost. */
static void
test_sync_side(void **arg)
{
	struct fp_table *t = table(1000, 0);
	struct fp_state *st, *other;
	struct tuple x;

	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < 500; i++) {
			tuple_make(&x, i, i & 1, false);
			st = fill(t, &x, FP_HALVES_BOTH, i % 3 != 0);
			assert_non_null(st);
			assert_int_equal(fp_table_insert(t, st, x.hash, i % 3 != 0, &other), 0);
			if (i + 1 < 500) {
				st = fill(t, &x, 1, true);
				assert_int_equal(fp_table_insert(t, st, x.hash, true, &other), -EEXIST);
				fp_table_alloc_cancel(t, st, true);
			}
		}
		assert_int_equal(fp_table_halves(t), 1000);
		assert_null(fp_table_alloc(t, &x.k, addr6(&x), true));
		for (uint32_t i = 0; i < fp_table_slots(t); i += 50) {
			fp_table_scan(t, 50, drop, t);
			fp_table_reclaim(t, 32);
		}
		assert_int_equal(fp_table_halves(t), 0);
	}
	/* 50 rounds went through the same records */
	assert_in_range(fp_table_slots(t), 500, 500 + 2 * (1024 + 4 * 32));
	fp_table_destroy(t);
}

static void
test_cancelled_are_not_lost(void **arg)
{
	struct fp_table *t = table(10, 0);
	struct fp_state *st;
	struct tuple x;

	tuple_make(&x, 1, false, false);
	for (int i = 0; i < 100000; i++) {
		st = fill(t, &x, 1, i & 1);
		assert_non_null(st);
		assert_non_null(i & 1 ? (void *)st : (void *)fp_state_ext_get(t, st));
		if (i % 5 == 0)
			st->flags |= FP_SF_EXPOSED; /* as if its insert had lost a race */
		fp_table_alloc_cancel(t, st, i & 1);
		fp_table_reclaim(t, 8);
	}
	assert_in_range(fp_table_slots(t), 1, 1200);
	fp_table_destroy(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_conf),
		cmocka_unit_test(test_key4_both_ways),
		cmocka_unit_test(test_key6_both_ways),
		cmocka_unit_test(test_hash_avalanche),
		cmocka_unit_test(test_find_half),
		cmocka_unit_test(test_collision_rule),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_uncouple),
		cmocka_unit_test(test_add_half),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_limit_is_settable),
		cmocka_unit_test(test_forced_collisions),
		cmocka_unit_test(test_chosen_collisions),
		cmocka_unit_test(test_structured_keys),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_sync_side),
		cmocka_unit_test(test_cancelled_are_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
