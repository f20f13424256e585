/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies: what goes in comes out, what was not sent does not, keys age, adaptive mode follows its watermarks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>

#include "fastpath/syncookie.h"

static uint64_t rng = 88172645463325252;

static uint64_t
random64(void *arg)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static const uint8_t client[16] = { 0x20, 1, 0xd, 0xb8, 1 }, server[16] = { 0x20, 1, 0xd, 0xb8, 2 };

static struct fp_syncookie_flow
flow(uint32_t seq)
{
	return (struct fp_syncookie_flow){ .src = client, .dst = server, .addr_len = 16, .sport_be = htons(4000),
		.dport_be = htons(80), .seq = seq };
}

static void
on(struct fp_syncookie *sc)
{
	memset(sc, 0, sizeof(*sc));
	fp_syncookie_config(sc, FP_SYNCOOKIE_ALWAYS, 1000, 0, 0, 100, random64, NULL);
	assert_true(fp_syncookie_wanted(sc, 0, 100, random64, NULL));
}

static void
test_there_and_back(void **state)
{
	static const struct { uint16_t mss, mss_back; uint8_t ws, ws_back; } rows[] = {
		{ 1460, 1460, 0, 0 }, { 1459, 1452, 1, 1 }, { 65535, 1460, 2, 2 }, { 512, 216, 3, 2 }, { 536, 536, 4, 4 },
		{ 1200, 1200, 5, 4 }, { 1360, 1360, 6, 6 }, { 1399, 1360, 7, 7 }, { 1440, 1440, 8, 8 }, { 100, 216, 14, 8 },
		{ 1452, 1452, 3, 2 },
	};
	struct fp_syncookie sc;

	on(&sc);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fp_syncookie_flow f = flow((uint32_t)random64(NULL));
		struct fp_syncookie_syn syn = { 0 };
		uint32_t iss;

		f.addr_len = i & 1 ? 16 : 4;
		iss = fp_syncookie_make(&sc, &f, rows[i].mss, rows[i].ws);
		assert_int_equal(fp_syncookie_inflight(&sc), 1);
		f.seq++;
		assert_true(fp_syncookie_check(&sc, &f, iss + 1, &syn));
		assert_int_equal(syn.seq, f.seq - 1);
		assert_int_equal(syn.iss, iss);
		assert_int_equal(syn.mss, rows[i].mss_back);
		assert_int_equal(syn.wscale, rows[i].ws_back);
		assert_int_equal(fp_syncookie_inflight(&sc), 0);
		/* answered: a second time there is nothing in flight */
		assert_false(fp_syncookie_check(&sc, &f, iss + 1, &syn));
	}
}

static void
test_forged(void **state)
{
	struct fp_syncookie_flow f = flow(77), g;
	struct fp_syncookie_syn syn;
	struct fp_syncookie sc;
	unsigned passed = 0;
	uint32_t iss;

	on(&sc);
	iss = fp_syncookie_make(&sc, &f, 1460, 7);
	f.seq++;
	for (unsigned bit = 0; bit < 32; bit++)
		assert_false(fp_syncookie_check(&sc, &f, (iss ^ 1u << bit) + 1, &syn));
	assert_false(fp_syncookie_check(&sc, &f, iss + 2, &syn));
	g = f, g.seq++;
	assert_false(fp_syncookie_check(&sc, &g, iss + 1, &syn));
	g = f, g.sport_be ^= htons(1);
	assert_false(fp_syncookie_check(&sc, &g, iss + 1, &syn));
	g = f, g.dport_be ^= htons(1);
	assert_false(fp_syncookie_check(&sc, &g, iss + 1, &syn));
	g = f, g.src = server;
	assert_false(fp_syncookie_check(&sc, &g, iss + 1, &syn));
	g = f, g.dst = client;
	assert_false(fp_syncookie_check(&sc, &g, iss + 1, &syn));
	for (unsigned i = 0; i < 200000; i++)
		passed += fp_syncookie_check(&sc, &f, (uint32_t)random64(NULL), &syn);
	assert_int_equal(passed, 0);
	assert_true(fp_syncookie_check(&sc, &f, iss + 1, &syn));
}

/* A cookie lives through one change of keys and not through two. */
static void
test_keys_age(void **state)
{
	struct fp_syncookie_flow f = flow(77);
	struct fp_syncookie_syn syn;
	struct fp_syncookie sc;
	uint32_t first, second;

	on(&sc);
	first = fp_syncookie_make(&sc, &f, 1460, 0);
	second = fp_syncookie_make(&sc, &f, 1460, 0);
	assert_int_equal(first, second);
	fp_syncookie_tick(&sc, 0, 2, 114, random64, NULL);
	assert_int_equal(fp_syncookie_make(&sc, &f, 1460, 0), first); /* 14 s: same key */
	fp_syncookie_tick(&sc, 0, 3, 115, random64, NULL);
	second = fp_syncookie_make(&sc, &f, 1460, 0);
	assert_int_not_equal(first, second);
	f.seq++;
	assert_true(fp_syncookie_check(&sc, &f, first + 1, &syn));
	assert_true(fp_syncookie_check(&sc, &f, second + 1, &syn));
	fp_syncookie_tick(&sc, 0, 2, 130, random64, NULL);
	assert_false(fp_syncookie_check(&sc, &f, first + 1, &syn));
	assert_int_equal(sc.active, 1);
}

static void
test_adaptive(void **state)
{
	struct fp_syncookie_flow f = flow(1);
	struct fp_syncookie_syn syn;
	struct fp_syncookie sc = { 0 };
	uint32_t iss;

	fp_syncookie_config(&sc, FP_SYNCOOKIE_ADAPTIVE, 1000, 0, 0, 100, random64, NULL);
	assert_false(fp_syncookie_wanted(&sc, 250, 100, random64, NULL));
	assert_true(fp_syncookie_wanted(&sc, 251, 100, random64, NULL));
	assert_int_equal(sc.floods, 1);
	assert_true(fp_syncookie_wanted(&sc, 0, 101, random64, NULL)); /* off only when keys change */
	assert_int_equal(sc.floods, 1);
	iss = fp_syncookie_make(&sc, &f, 1460, 0);
	f.seq++;
	fp_syncookie_tick(&sc, 100, 20, 115, random64, NULL);
	assert_true(sc.active); /* 120 is not below 12% */
	fp_syncookie_tick(&sc, 100, 19, 130, random64, NULL);
	assert_false(sc.active);
	assert_false(fp_syncookie_wanted(&sc, 200, 131, random64, NULL));
	/* two changes: that cookie is over, nothing is in flight, the keys go */
	assert_false(fp_syncookie_check(&sc, &f, iss + 1, &syn));
	fp_syncookie_tick(&sc, 0, 0, 145, random64, NULL);
	assert_false(sc.keyed);
	assert_int_equal(sc.key[0][0] | sc.key[0][1] | sc.key[1][0] | sc.key[1][1], 0);
	/* percentages of one's own */
	fp_syncookie_config(&sc, FP_SYNCOOKIE_ADAPTIVE, 4000000000u, 50, 10, 200, random64, NULL);
	assert_int_equal(sc.high, 2000000000u);
	assert_int_equal(sc.low, 400000000u);
}

/* Switched off while a cookie is on its way: it is still taken. */
static void
test_off_with_cookies_in_flight(void **state)
{
	struct fp_syncookie_flow f = flow(5);
	struct fp_syncookie_syn syn;
	struct fp_syncookie sc;
	uint32_t iss;

	on(&sc);
	iss = fp_syncookie_make(&sc, &f, 1460, 0);
	f.seq++;
	fp_syncookie_config(&sc, FP_SYNCOOKIE_NEVER, 1000, 0, 0, 101, random64, NULL);
	fp_syncookie_tick(&sc, 0, 1, 115, random64, NULL);
	assert_false(fp_syncookie_wanted(&sc, 1000, 116, random64, NULL));
	assert_true(sc.keyed);
	assert_true(fp_syncookie_check(&sc, &f, iss + 1, &syn));
	fp_syncookie_tick(&sc, 0, 0, 130, random64, NULL);
	assert_false(sc.keyed);
	/* without keys nothing is valid, not even the hash of a zero key */
	assert_false(fp_syncookie_check(&sc, &f, iss + 1, &syn));
}

/* Bytes 0, 1, 2 ... as key, as in the test vectors of the SipHash paper, whose inputs are 0, 1, 2 ... too. */
static uint64_t
paper_key(void *arg)
{
	unsigned *calls = arg;

	return (*calls)++ % 2 ? 0x0f0e0d0c0b0a0908 : 0x0706050403020100;
}

static void
test_known_answers(void **state)
{
	struct fp_syncookie sc = { .parity = 1 };
	struct fp_syncookie_flow f;
	uint8_t in[41];
	unsigned calls = 0;

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = i;
	fp_syncookie_config(&sc, FP_SYNCOOKIE_ALWAYS, 1000, 0, 0, 100, paper_key, &calls);
	assert_int_equal(sc.parity, 0);
	/* the hashed bytes end with the number and the cookie byte, which the options below make what it has to be */
	f = (struct fp_syncookie_flow){ .src = in, .dst = in + 4, .addr_len = 4 };
	memcpy(&f.sport_be, in + 8, 2);
	memcpy(&f.dport_be, in + 10, 2);
	memcpy(&f.seq, in + 12, 4);
	assert_int_equal(fp_syncookie_make(&sc, &f, 500, 4), 0x4524ae55);
	f = (struct fp_syncookie_flow){ .src = in, .dst = in + 16, .addr_len = 16 };
	memcpy(&f.sport_be, in + 32, 2);
	memcpy(&f.dport_be, in + 34, 2);
	memcpy(&f.seq, in + 36, 4);
	assert_int_equal(fp_syncookie_make(&sc, &f, 1000, 1), 0x51541b79);
}

static void
test_mss(void **state)
{
	assert_int_equal(fp_syncookie_mss(0), 512);
	assert_int_equal(fp_syncookie_mss(511), 512);
	assert_int_equal(fp_syncookie_mss(1460), 1460);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_forged), cmocka_unit_test(test_keys_age),
		cmocka_unit_test(test_adaptive), cmocka_unit_test(test_off_with_cookies_in_flight), cmocka_unit_test(test_known_answers), cmocka_unit_test(test_mss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
