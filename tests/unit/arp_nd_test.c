/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP and neighbour discovery as bytes: what is right is understood, every rule of the RFCs is broken once. No EAL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/arp_nd.h"

static const uint8_t mac_a[6] = { 0x02, 0, 0, 0, 0, 0xaa };
static const uint8_t ll_a[16] = { 0xfe, 0x80, [15] = 0xa }, ll_b[16] = { 0xfe, 0x80, [8] = 1, [13] = 7, 8, 9 };

/* As tcpdump showed it on a wire: who-has 10.0.0.1 tell 10.0.0.2. */
static const uint8_t request[FP_ARP_LEN] = { 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0, 0, 0, 0xaa, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0,
	10, 0, 0, 1 };

static void
arp_good(void **state)
{
	uint8_t p[FP_ARP_LEN];
	struct fp_arp a;

	assert_true(fp_arp_parse(&a, request, sizeof(request)));
	assert_int_equal(a.op, FP_ARP_REQUEST);
	assert_memory_equal(a.sha, mac_a, 6);
	assert_memory_equal(a.spa, "\x0a\0\0\2", 4);
	assert_memory_equal(a.tpa, "\x0a\0\0\1", 4);
	fp_arp_build(p, &a);
	assert_memory_equal(p, request, sizeof(request));
	/* a probe has no sender address yet (RFC 5227) */
	memset(p + 14, 0, 4);
	assert_true(fp_arp_parse(&a, p, sizeof(p)));
}

static void
arp_bad(void **state)
{
	static const struct { uint8_t off, value; const char *what; } rows[] = {
		{ 1, 6, "hardware type" }, { 2, 0x86, "protocol type" }, { 4, 8, "hardware size" }, { 5, 16, "protocol size" },
		{ 7, 3, "reverse ARP" }, { 7, 0, "operation 0" }, { 6, 1, "operation 257" }, { 8, 0x03, "sender MAC is a group" },
		{ 14, 224, "sender is multicast" }, { 14, 255, "sender is class E" }, { 14, 127, "sender is loopback" },
	};
	uint8_t p[FP_ARP_LEN];
	struct fp_arp a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(p, request, sizeof(p));
		p[rows[i].off] = rows[i].value;
		if (fp_arp_parse(&a, p, sizeof(p)))
			fail_msg("taken: %s", rows[i].what);
	}
	memcpy(p, request, sizeof(p));
	memset(p + 8, 0, 6);
	assert_false(fp_arp_parse(&a, p, sizeof(p)));
	for (size_t n = 0; n < FP_ARP_LEN; n++)
		assert_false(fp_arp_parse(&a, request, n));
}

static void
sum_set(uint8_t *p, size_t len)
{
	uint32_t sum = len - 40 + 58;

	p[42] = p[43] = 0;
	for (size_t i = 8; i < len; i += 2)
		sum += p[i] << 8 | (i + 1 < len ? p[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	p[42] = sum >> 8;
	p[43] = sum;
}

static size_t
ns(uint8_t *p, bool dad)
{
	struct fp_nd nd = { .type = FP_ND_NS, .has_lladdr = !dad };

	memcpy(nd.lladdr, mac_a, 6);
	if (!dad)
		memcpy(nd.src, ll_a, 16);
	memcpy(nd.target, ll_b, 16);
	fp_nd_solicited_node(nd.dst, nd.target);
	return fp_nd_build(p, &nd);
}

static size_t
na(uint8_t *p, uint8_t flags)
{
	struct fp_nd nd = { .type = FP_ND_NA, .has_lladdr = true, .flags = flags };

	memcpy(nd.lladdr, mac_a, 6);
	memcpy(nd.src, ll_a, 16);
	memcpy(nd.dst, ll_b, 16);
	memcpy(nd.target, ll_a, 16);
	return fp_nd_build(p, &nd);
}

static void
nd_good(void **state)
{
	static const uint8_t group[16] = { 0xff, 2, [11] = 1, [12] = 0xff, 7, 8, 9 };
	uint8_t p[FP_ND_LEN + 16], q[FP_ND_LEN];
	struct fp_nd nd;
	size_t len = ns(p, false);

	assert_int_equal(len, 72);
	assert_true(fp_nd_parse(&nd, p, len));
	assert_int_equal(nd.type, FP_ND_NS);
	assert_true(nd.has_lladdr && !nd.dad);
	assert_memory_equal(nd.lladdr, mac_a, 6);
	assert_memory_equal(nd.dst, group, 16);
	assert_memory_equal(nd.target, ll_b, 16);
	fp_nd_build(q, &nd);
	assert_memory_equal(p, q, len);
	/* the checksum is that of an independent sum */
	memcpy(q, p, len);
	sum_set(q, len);
	assert_memory_equal(p, q, len);

	len = ns(p, true);
	assert_int_equal(len, 64);
	assert_true(fp_nd_parse(&nd, p, len) && nd.dad && !nd.has_lladdr);
	/* Ethernet padding behind it */
	memset(p + len, 0xee, 16);
	assert_true(fp_nd_parse(&nd, p, len + 16));

	len = na(p, FP_NA_ROUTER | FP_NA_SOLICITED | FP_NA_OVERRIDE);
	assert_true(fp_nd_parse(&nd, p, len));
	assert_int_equal(nd.flags, FP_NA_ROUTER | FP_NA_SOLICITED | FP_NA_OVERRIDE);
	/* an option that is not known is stepped over, wherever it is */
	p[5] = 40;
	memmove(p + 72, p + 64, 8);
	memcpy(p + 64, "\x0e\1nonce!", 8);
	sum_set(p, 80);
	assert_true(fp_nd_parse(&nd, p, 80) && nd.has_lladdr);
	assert_memory_equal(nd.lladdr, mac_a, 6);
}

static void
nd_bad(void **state)
{
	/* off, value: one byte changed and the checksum made right again, in an NS (0), an NS for DAD (1), an NA (2) */
	static const struct { uint8_t msg, off, value; const char *what; } rows[] = {
		{ 0, 0, 0x50, "version" }, { 0, 5, 40, "payload beyond the frame" }, { 0, 5, 23, "payload below the message" },
		{ 0, 5, 28, "option cut in half" }, { 0, 6, 0, "next header" }, { 0, 7, 254, "hop limit" },
		{ 0, 8, 0xff, "source is a group" }, { 0, 40, 128, "echo request" }, { 0, 40, 138, "renumbering" },
		{ 0, 41, 1, "code" }, { 0, 48, 0xff, "target is a group" }, { 0, 65, 0, "option of length 0" },
		{ 0, 65, 2, "option beyond the message" }, { 0, 66, 1, "MAC of a group" },
		{ 1, 36, 0xfe, "DAD to what is no solicited-node group" }, { 2, 7, 64, "hop limit of NA" },
		{ 2, 24, 0xff, "solicited to a group" }, { 2, 48, 0xff, "target of NA is a group" }, { 2, 41, 9, "code of NA" },
		{ 2, 65, 0, "option of length 0 in NA" },
	};
	uint8_t p[FP_ND_LEN];
	struct fp_nd nd;
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = rows[i].msg == 2 ? na(p, FP_NA_SOLICITED) : ns(p, rows[i].msg);
		p[rows[i].off] = rows[i].value;
		sum_set(p, rows[i].off == 5 && rows[i].value < len - 40 ? 40u + rows[i].value : len);
		if (fp_nd_parse(&nd, p, len))
			fail_msg("taken: %s", rows[i].what);
	}
	/* one bit of every byte the checksum covers */
	for (size_t off = 8; off < 72; off++) {
		ns(p, false);
		p[off] ^= 0x10;
		assert_false(fp_nd_parse(&nd, p, 72));
	}
	len = ns(p, false);
	for (size_t n = 0; n < len; n++)
		assert_false(fp_nd_parse(&nd, p, n));
	/* DAD with a link-layer address (7.1.1) */
	len = ns(p, false);
	memset(p + 8, 0, 16);
	sum_set(p, len);
	assert_false(fp_nd_parse(&nd, p, len));
	/* unspecified target, NA from the unspecified address */
	len = ns(p, false);
	memset(p + 48, 0, 16);
	sum_set(p, len);
	assert_false(fp_nd_parse(&nd, p, len));
	len = na(p, 0);
	memset(p + 8, 0, 16);
	sum_set(p, len);
	assert_false(fp_nd_parse(&nd, p, len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_good),
		cmocka_unit_test(arp_bad),
		cmocka_unit_test(nd_good),
		cmocka_unit_test(nd_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
