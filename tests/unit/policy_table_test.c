/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf tables against a plain list of entries, with random operations, and when memory runs out.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/table.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

/* Allocations until one fails; -1: never. */
static int fail_in = -1;

static bool
fails(void)
{
	return fail_in >= 0 && fail_in-- == 0;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

static uint64_t seed;

static uint32_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20);
}

static struct pol_table_entry
entry(const char *text)
{
	struct pol_table_entry e;

	assert_int_equal(pol_table_entry_parse(text, &e), 0);
	return e;
}

static bool
contains(const struct pol_table *t, const char *addr)
{
	struct pol_table_entry e = entry(addr);

	return pol_table_contains(t, e.af, &e.addr);
}

static void
test_parse(void **state)
{
	static const struct { const char *in, *out; } ok[] = {
		{ "10.0.0.1", "10.0.0.1" }, { "!10.0.0.1", "!10.0.0.1" }, { "! 10.1.2.3/24", "!10.1.2.0/24" },
		{ "10/8", "10.0.0.0/8" }, { "10.1", "10.1.0.0/16" }, { "172.16/12", "172.16.0.0/12" }, { "0/0", "0.0.0.0/0" },
		{ "1.2.3.4/32", "1.2.3.4" }, { "2001:DB8::1", "2001:db8::1" }, { "2001:db8::1/64", "2001:db8::/64" },
		{ "!::/0", "!::/0" }, { "fe80::1/128", "fe80::1" },
	};
	static const char *const bad[] = { "", "!", "host", "10.0.0.256", "10.0.0.1.2", "10.0.0.1/33", "10.0.0.1/", "10..1",
		"10.0.0.1/8x", "::1/129", "::1/-1", "2001:db8::g", "1.2.3.4/0000", "10.0.0.1 ", "fe80::1%ext0",
		"1111111111111111111111111111111111111111111111111111111111111111111111" };

	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		struct pol_table_entry e = entry(ok[i].in);
		char buf[64];

		assert_int_equal(pol_table_entry_snprint(&e, buf, sizeof(buf)), strlen(ok[i].out));
		assert_string_equal(buf, ok[i].out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pol_table_entry e;

		if (pol_table_entry_parse(bad[i], &e) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

static void
test_longest_prefix(void **state)
{
	struct pol_table *t = pol_table_create("t", POL_TABLE_PERSIST);
	struct pol_table_entry e[] = { entry("10.0.0.0/8"), entry("!10.1.0.0/16"), entry("10.1.2.0/23"), entry("!10.1.2.3"),
		entry("2001:db8::/32"), entry("!2001:db8:1::/48"), entry("2001:db8:1::1") };

	assert_false(contains(t, "10.0.0.1"));
	assert_int_equal(pol_table_add(t, e, 7, NULL), 7);
	assert_int_equal(pol_table_add(t, e, 7, NULL), 0);
	assert_int_equal(pol_table_count(t), 7);
	assert_true(contains(t, "10.0.0.1"));
	assert_false(contains(t, "10.1.0.1"));
	assert_true(contains(t, "10.1.3.1"));
	assert_false(contains(t, "10.1.2.3"));
	assert_false(contains(t, "11.0.0.1"));
	assert_true(contains(t, "2001:db8::1"));
	assert_false(contains(t, "2001:db8:1::2"));
	assert_true(contains(t, "2001:db8:1::1"));
	/* The 4 bytes of an IPv4 entry are no IPv6 prefix. */
	assert_false(contains(t, "a00::1"));
	/* Another sign is a conflict for add and delete, replace obeys. */
	e[1].neg = false;
	assert_int_equal(pol_table_add(t, &e[1], 1, NULL), 0);
	assert_int_equal(pol_table_delete(t, &e[1], 1, NULL), 0);
	assert_false(contains(t, "10.1.0.1"));
	assert_int_equal(pol_table_replace(t, e, 3, NULL), 5);
	assert_true(contains(t, "10.1.0.1"));
	assert_int_equal(pol_table_count(t), 3);
	assert_int_equal(pol_table_flush(t, NULL), 3);
	assert_int_equal(pol_table_count(t), 0);
	assert_false(contains(t, "10.0.0.1"));
	/* The whole family. */
	e[0] = entry("0/0");
	e[1] = entry("!::/0");
	e[2] = entry("::1");
	assert_int_equal(pol_table_add(t, e, 3, NULL), 3);
	assert_true(contains(t, "255.255.255.255"));
	assert_false(contains(t, "ffff::"));
	assert_true(contains(t, "::1"));
	e[3].plen = 33;
	e[3].af = POL_AF_INET;
	assert_int_equal(pol_table_add(t, e, 4, NULL), -EINVAL);
	e[3].af = 0;
	assert_int_equal(pol_table_add(t, e, 4, NULL), -EINVAL);
	pol_table_free(t);
}

static void
test_const(void **state)
{
	struct pol_table *t = pol_table_create("c", POL_TABLE_CONST | POL_TABLE_PERSIST);
	struct pol_table_entry e = entry("10.0.0.1");

	assert_int_equal(pol_table_add(t, &e, 1, NULL), -EPERM);
	assert_int_equal(pol_table_delete(t, &e, 1, NULL), -EPERM);
	assert_int_equal(pol_table_replace(t, &e, 1, NULL), -EPERM);
	assert_int_equal(pol_table_flush(t, NULL), -EPERM);
	assert_string_equal(pol_table_name(t), "c");
	pol_table_set_flags(t, POL_TABLE_COUNTERS);
	assert_int_equal(pol_table_flags(t), POL_TABLE_COUNTERS);
	assert_int_equal(pol_table_add(t, &e, 1, NULL), 1);
	assert_true(contains(t, "10.0.0.1"));
	pol_table_set_flags(t, POL_TABLE_CONST);
	assert_int_equal(pol_table_delete(t, &e, 1, NULL), -EPERM);
	pol_table_set_flags(t, 0);
	assert_int_equal(pol_table_delete(t, &e, 1, NULL), 1);
	pol_table_free(t);
	assert_null(pol_table_create("", 0));
	assert_null(pol_table_create("name-of-more-than-31-bytes-is-too", 0));
}

/* The naive list. */
#define LIST_MAX 4096
static struct pol_table_entry list[LIST_MAX];
static unsigned list_len;

static bool
bits_equal(const union pol_ip *a, const union pol_ip *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((a->b[i / 8] ^ b->b[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static int
list_find(const struct pol_table_entry *e)
{
	for (unsigned i = 0; i < list_len; i++)
		if (list[i].af == e->af && list[i].plen == e->plen && bits_equal(&list[i].addr, &e->addr, e->plen))
			return (int)i;
	return -1;
}

static bool
list_contains(uint8_t af, const union pol_ip *a)
{
	int best = -1;

	for (unsigned i = 0; i < list_len; i++)
		if (list[i].af == af && bits_equal(&list[i].addr, a, list[i].plen) &&
		    (best < 0 || list[i].plen > list[best].plen))
			best = (int)i;
	return best >= 0 && !list[best].neg;
}

/* Crowded: few distinct bytes, so that prefixes nest and meet. */
static struct pol_table_entry
random_entry(void)
{
	struct pol_table_entry e = { .af = rnd() & 1 ? POL_AF_INET : POL_AF_INET6, .neg = rnd() % 3 == 0 };
	unsigned bytes = e.af == POL_AF_INET ? 4 : 16;

	for (unsigned i = 0; i < bytes; i++)
		e.addr.b[i] = (uint8_t)(rnd() % 4 ? (rnd() & 1) * 0x80 : rnd() % 3 ? rnd() & 0x11 : rnd());
	e.plen = (uint8_t)(rnd() % 4 ? rnd() % (bytes * 8 + 1) : bytes * 8);
	return e;
}

static int
compare_entries(const void *va, const void *vb)
{
	const struct pol_table_entry *a = va, *b = vb;
	int d = a->af - b->af;

	if (d == 0)
		d = memcmp(&a->addr, &b->addr, 16);
	return d != 0 ? d : a->plen - b->plen;
}

static void
check_list(const struct pol_table *t)
{
	static struct pol_table_entry got[LIST_MAX], want[LIST_MAX];

	assert_int_equal(pol_table_count(t), list_len);
	assert_int_equal(pol_table_list(t, got, LIST_MAX), list_len);
	memcpy(want, list, list_len * sizeof(want[0]));
	for (unsigned i = 0; i < list_len; i++)
		for (unsigned b = want[i].plen; b < 128; b++)
			want[i].addr.b[b / 8] &= (uint8_t)~(0x80 >> b % 8);
	qsort(want, list_len, sizeof(want[0]), compare_entries);
	for (unsigned i = 0; i < list_len; i++) {
		assert_int_equal(compare_entries(&got[i], &want[i]), 0);
		assert_int_equal(got[i].neg, want[i].neg);
	}
	assert_int_equal(pol_table_list(t, got, 1), list_len);
	assert_int_equal(pol_table_list(t, NULL, 0), list_len);
}

/* What a grace period would free: kept until the end of the round and readable until then. */
struct graveyard { struct { void (*fn)(void *); void *p; } v[4096]; unsigned n; };

static void
bury(void *arg, void (*fn)(void *), void *p)
{
	struct graveyard *g = arg;

	assert_true(g->n < 4096);
	g->v[g->n].fn = fn;
	g->v[g->n++].p = p;
}

static void
test_random(void **state)
{
	const char *env = getenv("POLICY_SEED");
	uint64_t first = env != NULL ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);

	for (int round = 0; round < 60; round++) {
		struct pol_table *t = pol_table_create("r", 0);
		static struct graveyard g;
		struct pol_reclaim rc = { .defer = bury, .arg = &g };

		seed = (first + (uint64_t)round) * 0x9e3779b97f4a7c15ull | 1;
		g.n = list_len = 0;
		for (int op = 0; op < 200; op++) {
			struct pol_table_entry batch[16];
			unsigned n = rnd() % 16 + 1, kind = rnd() % 100;
			int want = 0, got;

			for (unsigned i = 0; i < n; i++) {
				batch[i] = random_entry();
				if (kind >= 60 && list_len > 0 && rnd() % 4 != 0)
					batch[i] = list[rnd() % list_len];
			}
			if (kind >= 97) {
				unsigned before = list_len;
				static struct pol_table_entry old[LIST_MAX];

				memcpy(old, list, sizeof(old));
				list_len = 0;
				for (unsigned i = 0; i < n; i++)
					if (list_find(&batch[i]) < 0)
						list[list_len++] = batch[i];
				got = pol_table_replace(t, batch, n, &rc);
				want = (int)list_len;
				for (unsigned i = 0; i < before; i++) {
					int at = list_find(&old[i]);

					want += at < 0 ? 1 : list[at].neg != old[i].neg ? 0 : -1;
				}
			} else if (kind >= 60) {
				for (unsigned i = 0; i < n; i++) {
					int at = list_find(&batch[i]);

					if (at >= 0 && list[at].neg == batch[i].neg) {
						list[at] = list[--list_len];
						want++;
					}
				}
				got = pol_table_delete(t, batch, n, &rc);
			} else {
				for (unsigned i = 0; i < n; i++)
					if (list_find(&batch[i]) < 0) {
						list[list_len++] = batch[i];
						want++;
					}
				got = pol_table_add(t, batch, n, &rc);
			}
			if (got != want)
				fail_msg("POLICY_SEED=%llu: operation %d changed %d, not %d",
					(unsigned long long)(first + (uint64_t)round), op, got, want);
			for (int q = 0; q < 20; q++) {
				struct pol_table_entry e = random_entry();

				if (list_len > 0 && rnd() & 1) {
					e = list[rnd() % list_len];
					if (rnd() & 1)
						e.addr.b[rnd() % (e.af == POL_AF_INET ? 4 : 16)] ^= (uint8_t)(1u << rnd() % 8);
				}
				if (pol_table_contains(t, e.af, &e.addr) != list_contains(e.af, &e.addr))
					fail_msg("POLICY_SEED=%llu: operation %d, another answer",
						(unsigned long long)(first + (uint64_t)round), op);
			}
			if (op % 20 == 0)
				check_list(t);
		}
		check_list(t);
		pol_table_free(t);
		for (unsigned i = 0; i < g.n; i++)
			g.v[i].fn(g.v[i].p);
	}
}

/* Whatever allocation fails: the table is as before, nothing leaks, and the operation succeeds afterwards. */
static void
test_no_memory(void **state)
{
	seed = 88172645463325252ull;
	for (int kind = 0; kind < 3; kind++) {
		struct pol_table *t = pol_table_create("m", 0);
		struct pol_table_entry batch[24];
		int r;

		list_len = 0;
		for (int i = 0; i < 60; i++) {
			struct pol_table_entry e = random_entry();

			if (list_find(&e) < 0)
				list[list_len++] = e;
		}
		assert_int_equal(pol_table_add(t, list, list_len, NULL), list_len);
		for (int i = 0; i < 24; i++)
			batch[i] = kind == 1 ? list[i] : random_entry();
		for (int at = 0;; at++) {
			fail_in = at;
			r = kind == 0 ? pol_table_add(t, batch, 24, NULL) : kind == 1 ? pol_table_delete(t, batch, 24, NULL) :
				pol_table_replace(t, batch, 24, NULL);
			if (r >= 0)
				break;
			assert_int_equal(r, -ENOMEM);
			fail_in = -1;
			check_list(t);
			for (unsigned i = 0; i < list_len; i++)
				assert_int_equal(pol_table_contains(t, list[i].af, &list[i].addr),
					list_contains(list[i].af, &list[i].addr));
			assert_true(at < 1000);
		}
		fail_in = -1;
		assert_true(r > 0);
		pol_table_free(t);
	}
}

/* Many entries: filled at once, then one by one. */
static void
test_big(void **state)
{
	unsigned n = 200000;
	struct pol_table *t = pol_table_create("big", 0);
	struct pol_table_entry *e = calloc(n, sizeof(*e));

	for (unsigned i = 0; i < n; i++) {
		uint32_t a = i * 2654435761u;

		e[i].af = i & 1 ? POL_AF_INET6 : POL_AF_INET;
		e[i].plen = i & 1 ? 128 : 32;
		memcpy(&e[i].addr.b[i & 1 ? 12 : 0], &a, 4);
		if (i & 1)
			e[i].addr.b[0] = 0x20;
	}
	assert_int_equal(pol_table_add(t, e, n / 2, NULL), n / 2);
	for (unsigned i = n / 2; i < n; i++)
		assert_int_equal(pol_table_add(t, &e[i], 1, NULL), 1);
	assert_int_equal(pol_table_count(t), n);
	for (unsigned i = 0; i < n; i++)
		assert_true(pol_table_contains(t, e[i].af, &e[i].addr));
	for (unsigned i = 0; i < n; i += 2)
		assert_int_equal(pol_table_delete(t, &e[i], 1, NULL), 1);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pol_table_contains(t, e[i].af, &e[i].addr), i & 1);
	assert_int_equal(pol_table_flush(t, NULL), n / 2);
	free(e);
	pol_table_free(t);
}

/* A reader and a writer: the reader never sees an entry missing that is in every version. */
struct shared { struct pol_table *t; int stop; unsigned long reads, misses; struct graveyard g; };

static void *
reader(void *arg)
{
	struct shared *s = arg;
	struct pol_table_entry a = entry("10.2.3.4"), b = entry("192.168.7.7");

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		s->misses += !pol_table_contains(s->t, a.af, &a.addr) + pol_table_contains(s->t, b.af, &b.addr);
		s->reads++;
	}
	return NULL;
}

static void
test_reader(void **state)
{
	static struct shared s;
	struct pol_reclaim rc = { .defer = bury, .arg = &s.g };
	struct pol_table_entry fixed[2] = { entry("10.0.0.0/8"), entry("!192.168.0.0/16") }, e[3];
	pthread_t thread;

	s.t = pol_table_create("s", 0);
	pol_table_add(s.t, fixed, 2, NULL);
	assert_int_equal(pthread_create(&thread, NULL, reader, &s), 0);
	for (unsigned i = 0; i < 2000; i++) {
		e[0] = fixed[0];
		e[1] = fixed[1];
		e[2] = entry("192.168.9.0/24");
		e[2].addr.b[3] = (uint8_t)i;
		e[2].plen = 32;
		if (i & 1)
			pol_table_add(s.t, &e[2], 1, &rc);
		else
			pol_table_replace(s.t, e, 3, &rc);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(s.misses, 0);
	for (unsigned i = 0; i < s.g.n; i++)
		s.g.v[i].fn(s.g.v[i].p);
	pol_table_free(s.t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_longest_prefix), cmocka_unit_test(test_const),
		cmocka_unit_test(test_random), cmocka_unit_test(test_no_memory), cmocka_unit_test(test_big),
		cmocka_unit_test(test_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
