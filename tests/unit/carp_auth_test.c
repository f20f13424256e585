/* SPDX-License-Identifier: BSD-2-Clause */
/* CARP's digest: examples computed by another program, and what is and is not part of the message. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failover/carp_auth.h"

#define PASS "mekmitasdigoat"
#define COUNTER 0x0102030405060708u
#define LONG19 "abcdefghijklmnopqrs"

static struct fo_addr
addr(const char *s)
{
	struct fo_addr a = { .family = strchr(s, ':') != NULL ? FO_INET6 : FO_INET };

	assert_int_equal(inet_pton(a.family == FO_INET ? AF_INET : AF_INET6, s, a.addr), 1);
	return a;
}

/* Digest over a list of addresses, blanks between them, as hexadecimal digits; good until the call after next. */
static const char *
digest_of(uint8_t vhid, const char *pass, const char *list, uint64_t counter, bool linklocal)
{
	static char bufs[2][2 * SYNC_CARP_DIGEST_SIZE + 1];
	static unsigned turn;
	char *hex = bufs[turn++ & 1];
	struct fo_carp_auth *a = fo_carp_auth_create();
	uint8_t digest[SYNC_CARP_DIGEST_SIZE];
	char copy[256], *save = NULL;
	struct fo_addr v[16];
	size_t n = 0;

	assert_non_null(a);
	snprintf(copy, sizeof(copy), "%s", list);
	for (char *s = strtok_r(copy, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save))
		v[n++] = addr(s);
	assert_int_equal(fo_carp_auth_set(a, vhid, pass, v, n), 0);
	assert_true(fo_carp_auth_digest(a, counter, linklocal, digest));
	assert_true(fo_carp_auth_verify(a, counter, digest));
	assert_false(fo_carp_auth_verify(a, counter + 1, digest));
	for (unsigned i = 0; i < sizeof(digest); i++) {
		digest[i] ^= 1u << (i & 7);
		assert_false(fo_carp_auth_verify(a, counter, digest));
		digest[i] ^= 1u << (i & 7);
		sprintf(hex + 2 * i, "%02x", digest[i]);
	}
	fo_carp_auth_free(a);
	return hex;
}

/* The digest of list is that of same. */
#define SAME(list, same) \
	assert_string_equal(digest_of(1, PASS, list, COUNTER, false), digest_of(1, PASS, same, COUNTER, false))

static void
test_examples(void **state)
{
	static const uint8_t packet[] = { 0x21, 0x01, 0x00, 0x07, 0x00, 0x01, 0x50, 0xa4, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
		0x08, 0x16, 0xaa, 0x53, 0x0d, 0xd8, 0xef, 0x23, 0xbb, 0x96, 0xf1, 0x60, 0x59, 0xa3, 0xb3, 0x36, 0xb8, 0xda, 0xe0,
		0x6b, 0x44 };
	struct sync_carp h = { .version = SYNC_CARP_VERSION, .type = SYNC_CARP_ADVERTISEMENT, .vhid = 1,
		.authlen = SYNC_CARP_AUTHLEN, .advbase = 1, .counter = COUNTER };
	struct fo_addr v[] = { addr("192.168.0.254"), addr("10.0.0.1") };
	struct fo_carp_auth *a = fo_carp_auth_create();
	uint8_t out[SYNC_CARP_SIZE];

	assert_string_equal(digest_of(1, PASS, "192.168.0.254 10.0.0.1", COUNTER, false),
		"16aa530dd8ef23bb96f16059a3b336b8dae06b44");
	assert_string_equal(digest_of(1, PASS, "10.0.0.1 2001:db8::1 fe80::200:5eff:fe00:101", COUNTER, false),
		"44f4cbb425443edaeba869a82e778715805131a6");
	assert_string_equal(digest_of(1, PASS, "10.0.0.1 2001:db8::1 fe80::200:5eff:fe00:101", COUNTER, true),
		"61e13b8fe9ab99f0ab73f6c71a3cf15f89258fce");
	/* a whole advertisement, to the byte */
	assert_int_equal(fo_carp_auth_set(a, 1, PASS, v, 2), 0);
	assert_true(fo_carp_auth_digest(a, h.counter, false, h.digest));
	sync_carp_encode(&h, out);
	assert_memory_equal(out, packet, sizeof(packet));
	fo_carp_auth_free(a);
}

static void
test_addresses(void **state)
{
	/* order and duplicates do not matter, v4 sorts as numbers, v6 as bytes */
	SAME("200.0.0.1 10.0.0.1 9.0.0.1", "9.0.0.1 10.0.0.1 200.0.0.1");
	SAME("10.0.0.1 10.0.0.1 192.168.0.254 10.0.0.1", "10.0.0.1 192.168.0.254");
	SAME("2001:db8::ff00 2001:db8::1 10.0.0.1 2001:db8::1", "10.0.0.1 2001:db8::1 2001:db8::ff00");
	/* what never counts */
	SAME("0.0.0.0 10.0.0.1 255.255.255.255 :: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "10.0.0.1");
	SAME("10.0.0.1 fe80::1 febf::2", "10.0.0.1");
	/* fec0::/10 is not link-local */
	assert_string_not_equal(digest_of(1, PASS, "10.0.0.1 fec0::1", COUNTER, false),
		digest_of(1, PASS, "10.0.0.1", COUNTER, false));
	assert_string_equal(digest_of(1, PASS, "fe80:7::1", COUNTER, true), digest_of(1, PASS, "fe80::1", COUNTER, true));
	assert_string_not_equal(digest_of(1, PASS, "", COUNTER, false), digest_of(2, PASS, "", COUNTER, false));
}

static void
test_password(void **state)
{
	assert_string_equal(digest_of(1, LONG19, "10.0.0.1", COUNTER, false),
		digest_of(1, LONG19 "and more", "10.0.0.1", COUNTER, false));
	assert_string_not_equal(digest_of(1, LONG19, "10.0.0.1", COUNTER, false),
		digest_of(1, "abcdefghijklmnopqr", "10.0.0.1", COUNTER, false));
	assert_string_not_equal(digest_of(1, "", "10.0.0.1", COUNTER, false), digest_of(1, PASS, "10.0.0.1", COUNTER, false));
}

static void
test_linklocal(void **state)
{
	struct fo_addr v[] = { addr("10.0.0.1"), addr("fe80::1") };
	struct fo_carp_auth *with = fo_carp_auth_create(), *without = fo_carp_auth_create();
	uint8_t digest[SYNC_CARP_DIGEST_SIZE];

	assert_int_equal(fo_carp_auth_set(with, 1, PASS, v, 2), 0);
	assert_int_equal(fo_carp_auth_set(without, 1, PASS, v, 1), 0);
	assert_true(fo_carp_auth_has_linklocal(with) && !fo_carp_auth_has_linklocal(without));
	/* a box that has one takes both; a box that has none, one */
	fo_carp_auth_digest(with, COUNTER, false, digest);
	assert_true(fo_carp_auth_verify(with, COUNTER, digest) && fo_carp_auth_verify(without, COUNTER, digest));
	fo_carp_auth_digest(with, COUNTER, true, digest);
	assert_true(fo_carp_auth_verify(with, COUNTER, digest) && !fo_carp_auth_verify(without, COUNTER, digest));
	/* asked for, but there is none: the only digest there is */
	fo_carp_auth_digest(without, COUNTER, true, digest);
	assert_true(fo_carp_auth_verify(without, COUNTER, digest));
	fo_carp_auth_free(with);
	fo_carp_auth_free(without);
	fo_carp_auth_free(NULL);
}

/* More addresses than any fixed array, and set again and again. */
static void
test_many(void **state)
{
	struct fo_carp_auth *a = fo_carp_auth_create(), *b = fo_carp_auth_create();
	uint8_t digest[SYNC_CARP_DIGEST_SIZE];
	struct fo_addr v[3000];
	size_t n = sizeof(v) / sizeof(v[0]);

	for (size_t i = 0; i < n; i++)
		v[i] = (struct fo_addr){ .family = i & 1, .addr = { 0x20, 1, (uint8_t)(i * 7 >> 8), (uint8_t)(i * 7) } };
	assert_int_equal(fo_carp_auth_set(a, 1, PASS, v, n), 0);
	for (size_t i = 0; i < n / 2; i++) {
		struct fo_addr t = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = t;
	}
	assert_int_equal(fo_carp_auth_set(b, 1, "other", v, 5), 0);
	assert_int_equal(fo_carp_auth_set(b, 1, PASS, v, n), 0);
	fo_carp_auth_digest(a, COUNTER, false, digest);
	assert_true(fo_carp_auth_verify(b, COUNTER, digest));
	assert_int_equal(fo_carp_auth_set(b, 1, PASS, v, n - 1), 0);
	assert_false(fo_carp_auth_verify(b, COUNTER, digest));
	fo_carp_auth_free(a);
	fo_carp_auth_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_password), cmocka_unit_test(test_linklocal), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
