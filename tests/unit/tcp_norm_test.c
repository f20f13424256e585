/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP headers as bytes: flag sanity, options, edits and what they do to the checksum. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/tcp_norm.h"

static const uint8_t payload[] = { 0xde, 0xad, 0xbe };

struct packet {
	uint8_t th[FP_TCP_HLEN_MAX];
	unsigned hlen;
};

/* One's complement sum over header and an odd payload; 0xffff when the checksum is right. The pseudo header adds 0x4321. */
static uint32_t
sum_all(const struct packet *p)
{
	uint32_t sum = 0x4321;

	for (unsigned i = 0; i < p->hlen; i += 2)
		sum += (uint32_t)p->th[i] << 8 | p->th[i + 1];
	sum += (uint32_t)payload[0] << 8 | payload[1];
	sum += (uint32_t)payload[2] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void
build(struct packet *p, uint8_t flags, const void *opts, unsigned opts_len)
{
	memset(p, 0, sizeof(*p));
	p->hlen = FP_TCP_HLEN_MIN + (opts_len + 3) / 4 * 4;
	assert_true(p->hlen <= FP_TCP_HLEN_MAX);
	fp_put16(p->th, 1234);
	fp_put16(p->th + 2, 80);
	fp_put32(p->th + 4, 0x01020304);
	fp_put32(p->th + 8, 0xa1b2c3d4);
	p->th[12] = (uint8_t)(p->hlen << 2);
	p->th[13] = flags;
	fp_put16(p->th + 14, 4096);
	if (opts_len > 0)
		memcpy(p->th + FP_TCP_HLEN_MIN, opts, opts_len);
	fp_put16(p->th + 16, (uint16_t)~sum_all(p));
	assert_int_equal(sum_all(p), 0xffff);
}

static void
test_flags(void **state)
{
	enum { F = FP_TH_FIN, S = FP_TH_SYN, R = FP_TH_RST, P = FP_TH_PUSH, A = FP_TH_ACK, U = FP_TH_URG };

	for (unsigned flags = 0; flags < 256; flags++) {
		struct packet p, before;
		enum fp_tcp_norm want = FP_TCP_NORM_OK;
		uint8_t after = flags;

		if ((flags & S) && (flags & F)) {
			after &= ~F;
			want = FP_TCP_NORM_CHANGED;
		}
		if ((flags & S) && (flags & R))
			want = FP_TCP_NORM_DROP;
		if (!(flags & (S | A | R)))
			want = FP_TCP_NORM_DROP;
		if (!(flags & A) && (after & (F | P | U)))
			want = FP_TCP_NORM_DROP;
		build(&p, flags, NULL, 0);
		before = p;
		assert_int_equal(fp_tcp_normalize(p.th), want);
		if (want == FP_TCP_NORM_DROP) {
			assert_memory_equal(&p, &before, sizeof(p));
			continue;
		}
		assert_int_equal(p.th[13], after);
		assert_int_equal(sum_all(&p), 0xffff);
	}
}

static void
test_named_flags(void **state)
{
	static const struct { const char *name; uint8_t flags; enum fp_tcp_norm want; } rows[] = {
		{ "SYN+RST", 0x06, FP_TCP_NORM_DROP }, { "SYN+FIN", 0x03, FP_TCP_NORM_CHANGED }, { "ECE+CWR", 0xc0, FP_TCP_NORM_DROP },
		{ "SYN+PSH", 0x0a, FP_TCP_NORM_DROP }, { "SYN+URG", 0x22, FP_TCP_NORM_DROP }, { "RST+PSH", 0x0c, FP_TCP_NORM_DROP },
		{ "RST+FIN", 0x05, FP_TCP_NORM_DROP }, { "FIN", 0x01, FP_TCP_NORM_DROP }, { "none", 0x00, FP_TCP_NORM_DROP },
		{ "SYN", 0x02, FP_TCP_NORM_OK }, { "RST", 0x04, FP_TCP_NORM_OK }, { "all with ACK", 0x39, FP_TCP_NORM_OK },
		{ "SYN+ACK+PSH", 0x1a, FP_TCP_NORM_OK }, { "SYN+ECE+CWR", 0xc2, FP_TCP_NORM_OK },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet p;

		build(&p, rows[i].flags, NULL, 0);
		if (fp_tcp_normalize(p.th) != rows[i].want)
			fail_msg("%s", rows[i].name);
	}
}

static void
test_reserved_and_urgent(void **state)
{
	struct packet p, before;

	build(&p, FP_TH_ACK, NULL, 0);
	fp_tcp_patch16(p.th, 12, (5 << 12) | 0x0f00 | FP_TH_ACK);	/* NS and the three others */
	fp_tcp_patch16(p.th, 18, 77);
	assert_int_equal(sum_all(&p), 0xffff);
	assert_int_equal(fp_tcp_normalize(p.th), FP_TCP_NORM_CHANGED);
	assert_int_equal(p.th[12], 5 << 4);
	assert_int_equal(fp_get16(p.th + 18), 0);
	assert_int_equal(sum_all(&p), 0xffff);

	build(&p, FP_TH_ACK | FP_TH_URG, NULL, 0);
	fp_tcp_patch16(p.th, 18, 77);
	before = p;
	assert_int_equal(fp_tcp_normalize(p.th), FP_TCP_NORM_OK);
	assert_memory_equal(&p, &before, sizeof(p));
}

/* Edits at even and odd offsets; a wrong checksum stays wrong by the same amount. */
static void
test_patch(void **state)
{
	struct packet p;
	uint32_t rng = 12345;

	for (unsigned i = 0; i < 20000; i++) {
		static const uint8_t opts[40] = { 1, 1, 1, 1 };
		uint32_t wrong;

		rng = rng * 1664525 + 1013904223;
		build(&p, FP_TH_ACK, opts, sizeof(opts));
		wrong = i % 3 == 0 ? rng >> 16 : 0;
		fp_put16(p.th + 16, fp_get16(p.th + 16) ^ (uint16_t)wrong);
		wrong = sum_all(&p);
		if (i & 1)
			fp_tcp_patch32(p.th, 20 + (rng >> 8) % 36, i % 5 == 0 ? 0 : i % 7 == 0 ? UINT32_MAX : rng);
		else
			fp_tcp_patch16(p.th, 20 + (rng >> 8) % 38, i % 10 == 0 ? 0 : i % 14 == 0 ? UINT16_MAX : (uint16_t)(rng >> 3));
		assert_int_equal(sum_all(&p), wrong);
	}
}

static void
test_wscale(void **state)
{
	static const struct { const char *name; uint8_t opts[16]; unsigned len; uint8_t want; } rows[] = {
		{ "none", { 0 }, 0, 0 },
		{ "plain", { 1, 3, 3, 7 }, 4, 0x87 },
		{ "zero shift", { 3, 3, 0, 0 }, 4, 0x80 },
		{ "beyond 14", { 3, 3, 200, 0 }, 4, 0x8e },
		{ "behind EOL", { 0, 0, 0, 0, 0, 3, 3, 5 }, 8, 0x85 },
		{ "two: the last", { 3, 3, 5, 3, 3, 6, 1, 1 }, 8, 0x86 },
		{ "too short by its length", { 3, 2, 9, 1 }, 4, 0 },
		{ "length 0 counts as 2", { 77, 0, 3, 3, 4, 1, 1, 1 }, 8, 0x84 },
		{ "hidden inside another", { 77, 6, 3, 3, 4, 1, 1, 1 }, 8, 0 },
		{ "cut off by the header", { 1, 1, 3, 3 }, 4, 0 },
		{ "jumps over the end", { 77, 255, 3, 3, 4, 1, 1, 1 }, 8, 0 },
		{ "long, still read", { 3, 200, 4, 1 }, 4, 0x84 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet p;

		build(&p, FP_TH_SYN, rows[i].opts, rows[i].len);
		if (fp_tcp_wscale(p.th, p.hlen) != rows[i].want)
			fail_msg("%s: %#x", rows[i].name, fp_tcp_wscale(p.th, p.hlen));
	}
}

static void
test_mss(void **state)
{
	static const struct { const char *name; uint8_t opts[16]; unsigned len; uint16_t want, clamped; bool changed; } rows[] = {
		{ "no options", { 0 }, 0, 0, 0, false },
		{ "options without", { 1, 1, 1, 1 }, 4, 512, 512, false },
		{ "plain", { 2, 4, 5, 180 }, 4, 1460, 1000, true },
		{ "odd offset", { 1, 2, 4, 5, 180, 1, 1, 1 }, 8, 1460, 1000, true },
		{ "small stays", { 2, 4, 2, 0 }, 4, 512, 512, false },
		{ "equal stays", { 2, 4, 3, 232 }, 4, 1000, 1000, false },
		{ "both lowered", { 2, 4, 5, 180, 2, 4, 5, 181 }, 8, 1461, 1000, true },
		{ "cut off", { 1, 2, 4, 5 }, 4, 512, 512, false },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet p;

		build(&p, FP_TH_SYN, rows[i].opts, rows[i].len);
		if (fp_tcp_mss(p.th, p.hlen) != rows[i].want)
			fail_msg("%s: %u", rows[i].name, fp_tcp_mss(p.th, p.hlen));
		if (fp_tcp_clamp_mss(p.th, p.hlen, 1000) != rows[i].changed || fp_tcp_mss(p.th, p.hlen) != rows[i].clamped)
			fail_msg("%s: clamped to %u", rows[i].name, fp_tcp_mss(p.th, p.hlen));
		assert_int_equal(sum_all(&p), 0xffff);
	}
}

static void
test_seg(void **state)
{
	static const uint8_t opts[] = { 3, 3, 9, 1 };
	struct fp_tcp_seg seg;
	struct packet p;

	build(&p, FP_TH_SYN | FP_TH_ECE, opts, sizeof(opts));
	fp_tcp_seg_read(&seg, p.th, p.hlen, 3);
	assert_int_equal(seg.seq, 0x01020304);
	assert_int_equal(seg.ack, 0xa1b2c3d4);
	assert_int_equal(seg.win, 4096);
	assert_int_equal(seg.len, 3);
	assert_int_equal(seg.flags, FP_TH_SYN | FP_TH_ECE);
	assert_int_equal(seg.wscale, 0x89);
	build(&p, FP_TH_ACK, opts, sizeof(opts));
	fp_tcp_seg_read(&seg, p.th, p.hlen, 3);
	assert_int_equal(seg.wscale, 0);
}

static void
test_modulated(void **state)
{
	/* NOP, then two blocks at odd offsets, the second cut by the option's length, as pf reads it */
	static const uint8_t sack[] = { 1, 5, 18, 0, 0, 16, 0, 0, 0, 32, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1 };
	static const uint8_t cut[] = { 5, 17, 0, 0, 16, 0, 0, 0, 32, 0, 0, 0, 0, 9, 0, 0, 0, 9, 1, 1 };
	struct fp_track_out out = { .modulate = 1, .new_seq = 0x00010002, .new_ack = 0xfffefffd, .sack_delta = 0x1001 };
	struct packet p;

	build(&p, FP_TH_ACK, sack, sizeof(sack));
	fp_tcp_write_modulated(p.th, p.hlen, &out);
	assert_int_equal(fp_get32(p.th + 4), 0x00010002);
	assert_int_equal(fp_get32(p.th + 8), 0xfffefffd);
	assert_int_equal(fp_get32(p.th + 23), UINT32_MAX);
	assert_int_equal(fp_get32(p.th + 27), 0x2000 - 0x1001);
	assert_int_equal(fp_get32(p.th + 31), 0xffffffff - 0x1001);
	assert_int_equal(fp_get32(p.th + 35), 0xfffff000);
	assert_int_equal(sum_all(&p), 0xffff);

	build(&p, FP_TH_ACK, cut, sizeof(cut));
	fp_tcp_write_modulated(p.th, p.hlen, &out);
	assert_int_equal(fp_get32(p.th + 26), 0x2000 - 0x1001);
	assert_int_equal(fp_get32(p.th + 30), 9);	/* the second block has one byte too few */
	assert_int_equal(sum_all(&p), 0xffff);

	out.sack_delta = 0;
	build(&p, FP_TH_ACK, sack, sizeof(sack));
	fp_tcp_write_modulated(p.th, p.hlen, &out);
	assert_int_equal(fp_get32(p.th + 27), 0x2000);
	assert_int_equal(sum_all(&p), 0xffff);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags), cmocka_unit_test(test_named_flags), cmocka_unit_test(test_reserved_and_urgent),
		cmocka_unit_test(test_patch), cmocka_unit_test(test_wscale), cmocka_unit_test(test_mss), cmocka_unit_test(test_seg),
		cmocka_unit_test(test_modulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
