/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codec of pfsync: frames worked out by hand to the byte, round trips of random records and states in each dialect,
 * the receiver's checks one by one, versions 2 to 4, and CARP.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sync/bytes.h"
#include "sync/carp_codec.h"
#include "sync/pfsync_codec.h"

#define ROUNDS 2000
#define IP_SIZE 20u

static uint64_t seed = 88172645463325252ull;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void
rnd_fill(void *p, size_t n)
{
	for (uint8_t *b = p; n-- > 0; b++)
		*b = (uint8_t)rnd();
}

/* Hexadecimal digits, blanks between them, to bytes. */
static size_t
unhex(uint8_t *out, size_t size, const char *s)
{
	size_t n = 0;

	while (*s != '\0') {
		if (*s == ' ') {
			s++;
			continue;
		}
		assert_true(n < size);
		out[n++] = (uint8_t)strtoul((char[3]){ s[0], s[1], '\0' }, NULL, 16);
		s += 2;
	}
	return n;
}

/* A new state of an outbound connection with source NAT, one update, one delete: OpenBSD. */
static const char example6[] =
	"45 10 01 9c 12 34 40 00 ff f0 7c 3c 0a 00 00 01 e0 00 00 f0 06 00 01 88 00 00 00 00 00 00 00 00"
	"00 00 00 00 00 00 00 00 04 15 00 01 65 f0 a3 b2 00 00 00 03 00 00 00 00 00 00 00 00 a1 b2 c3 d4"
	"a1 b3 c3 d3 00 00 00 00 02 00 00 00 04 87 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0b ad ca fe"
	"0b ae c5 ed 00 00 00 00 01 f6 00 00 04 87 00 00 00 00 00 00 1a 2b 3c 4d 00 00 00 00 02 00 00 00"
	"07 03 00 01 65 f0 a3 b2 00 00 00 01 1a 2b 3c 4d 0d 42 00 01 65 f0 a3 b2 00 00 00 07 61 6c 6c 00"
	"00 00 00 00 00 00 00 00 00 00 00 00 cb 00 71 50 00 00 00 00 00 00 00 00 00 00 00 00 c6 33 64 01"
	"00 00 00 00 00 00 00 00 00 00 00 00 01 bb ee 49 00 00 02 00 cb 00 71 50 00 00 00 00 00 00 00 00"
	"00 00 00 00 c0 a8 01 0a 00 00 00 00 00 00 00 00 00 00 00 00 01 bb c0 00 00 00 02 00 00 00 00 00"
	"00 00 00 00 10 00 00 00 10 00 00 02 00 00 00 00 01 f6 00 00 02 87 00 00 00 00 00 00 00 00 00 00"
	"00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
	"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 05 ff ff ff ff ff ff ff ff 00 00 00 00 00 00 00 78"
	"00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 3c 00 00 00 00 00 00 00 00"
	"1a 2b 3c 4d 00 00 00 00 ff ff ff ff 00 00 02 06 02 00 00 00 00 00 00 00 00 10 00 00";

/* An inbound connection of 12 seconds: FreeBSD, record 1301. */
static const char example5[] =
	"45 10 01 22 43 21 40 00 ff f0 4b c8 0a 00 00 02 e0 00 00 f0 05 00 01 0e 00 00 00 00 00 00 00 00"
	"00 00 00 00 00 00 00 00 01 00 00 01 03 00 00 00 00 00 00 42 61 6c 6c 00 00 00 00 00 00 00 00 00"
	"00 00 00 00 cb 00 71 07 00 00 00 00 00 00 00 00 00 00 00 00 c0 00 02 0a 00 00 00 00 00 00 00 00"
	"00 00 00 00 c9 3b 00 50 cb 00 71 07 00 00 00 00 00 00 00 00 00 00 00 00 c0 00 02 0a 00 00 00 00"
	"00 00 00 00 00 00 00 00 c9 3b 00 50 00 00 00 00 00 00 00 00 20 00 a1 f0 20 01 a1 f0 00 00 00 00"
	"ff ff 00 00 04 86 00 00 00 00 00 00 00 00 00 00 00 00 00 00 70 00 05 00 70 01 05 00 00 00 00 00"
	"02 00 00 00 04 87 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ff ff ff ff"
	"ff ff ff ff ff ff ff ff 00 00 00 0c 00 01 51 76 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 09"
	"00 00 00 00 00 00 05 28 00 00 00 00 00 00 15 18 de ad be ef 02 06 01 00 00 00 00 02 00 00 0c 00"
	"00 01";

static void
set_addr(struct sync_key *k, unsigned slot, uint32_t addr, uint16_t port)
{
	sync_put32(k->addr[slot], addr);
	k->port[slot] = port;
}

static void
test_example6(void **state)
{
	struct sync_upd_c u = { .id = 0x65f0a3b200000003, .creatorid = 0x1a2b3c4d, .timeout = 2,
		.peer = { { .seqlo = 0xa1b2c3d4, .seqhi = 0xa1b3c3d3, .max_win = 512, .state = 4, .wscale = 0x87 },
			{ .seqlo = 0x0badcafe, .seqhi = 0x0baec5ed, .max_win = 502, .state = 4, .wscale = 0x87 } } };
	struct sync_ident del = { 0x65f0a3b200000001, 0x1a2b3c4d };
	struct sync_state s = { .id = 0x65f0a3b200000007, .creatorid = 0x1a2b3c4d, .ifname = "all", .af = SYNC_AF_INET, .proto = 6,
		.key = { { .af = SYNC_AF_INET }, { .af = SYNC_AF_INET } },
		.peer = { { .seqlo = 0x10000000, .seqhi = 0x10000002, .max_win = 502, .state = 2, .wscale = 0x87 },
			{ .seqhi = 1, .max_win = 1 } },
		.rule = 5, .anchor = SYNC_NO_RULE, .nat_rule = SYNC_NO_RULE, .expire_sec = 120, .packets = { 1, 0 }, .bytes = { 60, 0 },
		.rtableid = { 0, -1 }, .direction = SYNC_DIR_OUT, .state_flags = SYNC_F_ACK };
	uint8_t want[512], got[512];
	struct sync_frame f;
	struct sync_state t;
	struct sync_out o;
	struct sync_msg m;
	size_t n = unhex(want, sizeof(want), example6);

	assert_int_equal(n, 412);
	set_addr(&s.key[SYNC_WIRE], 0, 0xcb007150, 443);
	set_addr(&s.key[SYNC_WIRE], 1, 0xc6336401, 61001);
	set_addr(&s.key[SYNC_STACK], 0, 0xcb007150, 443);
	set_addr(&s.key[SYNC_STACK], 1, 0xc0a8010a, 49152);
	sync_out_init(&o, got, sizeof(got), SYNC_6, NULL);
	assert_true(sync_out_upd_c(&o, &u));
	assert_true(sync_out_ident(&o, SYNC_DEL_C, &del));
	assert_true(sync_out_state(&o, SYNC_INS, &s));
	assert_int_equal(sync_out_close(&o), n - IP_SIZE);
	assert_memory_equal(got, want + IP_SIZE, n - IP_SIZE);

	assert_int_equal(sync_frame_open(&f, want + IP_SIZE, n - IP_SIZE, SYNC_ACCEPT_6), SYNC_CNT_NONE);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_UPD_C && m.size == SYNC_UPDC_SIZE);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_DEL_C && m.count == 1);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_INS && m.dialect == SYNC_6);
	sync_state_decode(&t, m.body, m.dialect);
	s.stack_proto = 6;
	assert_int_equal(t.id, s.id);
	assert_int_equal(t.af, SYNC_AF_INET);
	assert_int_equal(t.rtableid[1], -1);
	assert_memory_equal(&t.key, &s.key, sizeof(t.key));
	assert_int_equal(sync_state_check(&t, SYNC_INS, SYNC_6), SYNC_CNT_NONE);
	assert_false(sync_frame_next(&f, &m));
	assert_int_equal(f.err, SYNC_CNT_NONE);
}

static void
test_example5(void **state)
{
	struct sync_state s = { .id = 0x0300000000000042, .creatorid = 0xdeadbeef, .ifname = "all", .af = SYNC_AF_INET, .proto = 6,
		.peer = { { .seqlo = 0x2000a1f0, .seqhi = 0x2001a1f0, .max_win = 65535, .state = 4, .wscale = 0x86 },
			{ .seqlo = 0x70000500, .seqhi = 0x70010500, .max_win = 512, .state = 4, .wscale = 0x87 } },
		.rule = SYNC_NO_RULE, .anchor = SYNC_NO_RULE, .nat_rule = SYNC_NO_RULE, .creation_sec = 12, .expire_sec = 86390,
		.packets = { 10, 9 }, .bytes = { 1320, 5400 }, .direction = SYNC_DIR_IN, .timeout = 2 };
	uint8_t want[512], got[512];
	struct sync_frame f;
	struct sync_out o;
	struct sync_msg m;
	size_t n = unhex(want, sizeof(want), example5);

	assert_int_equal(n, 290);
	for (unsigned i = 0; i < 2; i++) {
		set_addr(&s.key[i], 0, 0xcb007107, 51515);
		set_addr(&s.key[i], 1, 0xc000020a, 80);
	}
	sync_out_init(&o, got, sizeof(got), SYNC_1301, NULL);
	assert_true(sync_out_state(&o, SYNC_INS, &s));
	assert_int_equal(sync_out_close(&o), n - IP_SIZE);
	assert_memory_equal(got, want + IP_SIZE, n - IP_SIZE);

	assert_int_equal(sync_frame_open(&f, want + IP_SIZE, n - IP_SIZE, SYNC_ACCEPT_5), SYNC_CNT_NONE);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_INS && m.dialect == SYNC_1301);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_EOF);
	assert_false(sync_frame_next(&f, &m));
	assert_int_equal(f.err, SYNC_CNT_NONE);
}

static void
test_short(void **state)
{
	static const char zeros[] = "00000000000000000000000000000000";
	const struct sync_ident all = { 0 };
	const struct sync_bus end = { .creatorid = 0x1a2b3c4d, .status = SYNC_BUS_END };
	struct sync_frame f;
	struct sync_msg m;
	struct sync_out o;
	uint8_t got[64], want[64];
	char hex[256];

	snprintf(hex, sizeof(hex), "06000024 %s 05030001 000000000000000000000000", zeros);
	sync_out_init(&o, got, sizeof(got), SYNC_6, NULL);
	assert_true(sync_out_ident(&o, SYNC_UPD_REQ, &all));
	assert_int_equal(sync_out_close(&o), unhex(want, sizeof(want), hex));
	assert_memory_equal(got, want, 36);
	snprintf(hex, sizeof(hex), "05000028 %s 05000001 000000000000000000000000 0c000001", zeros);
	sync_out_init(&o, got, sizeof(got), SYNC_1500, NULL);
	assert_true(sync_out_ident(&o, SYNC_UPD_REQ, &all));
	assert_int_equal(sync_out_close(&o), unhex(want, sizeof(want), hex));
	assert_memory_equal(got, want, 40);
	snprintf(hex, sizeof(hex), "06000024 %s 0a030001 1a2b3c4d 00000000 02000000", zeros);
	sync_out_init(&o, got, sizeof(got), SYNC_6, NULL);
	assert_true(sync_out_bus(&o, &end));
	assert_int_equal(sync_out_close(&o), unhex(want, sizeof(want), hex));
	assert_memory_equal(got, want, 36);
	/* version 2 is read to print it, and otherwise refused */
	assert_int_equal(unhex(want, sizeof(want), "02000801 00000000000000000000000000000000"), 20);
	assert_int_equal(sync_frame_open(&f, want, 20, SYNC_ACCEPT_6 | SYNC_ACCEPT_5), SYNC_CNT_badver);
	assert_int_equal(sync_frame_open(&f, want, 20, SYNC_ACCEPT_ALL), SYNC_CNT_NONE);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_UPD_REQ && m.version == 2);
	assert_false(sync_frame_next(&f, &m));
}

/* Any bytes at all survive: no byte of any record is lost, whatever its value. */
static void
test_records(void **state)
{
	for (unsigned n = 0; n < ROUNDS; n++)
		for (enum sync_dialect d = SYNC_6; d <= SYNC_1500; d++) {
			uint8_t in[SYNC_STATE_SIZE_MAX + 1], out[SYNC_STATE_SIZE_MAX + 1];
			size_t size = sync_state_size(d);
			struct sync_state s;

			rnd_fill(in, sizeof(in));
			memcpy(out, in, sizeof(out));
			memset(out + 1, ~in[1], size);
			sync_state_decode(&s, in + 1, d); /* an odd address */
			sync_state_encode(&s, out + 1, d);
			assert_memory_equal(in, out, sizeof(in));
		}
}

#define SMALL(type, size, decode, encode) do { \
	uint8_t in_[64], out_[64]; \
	struct type m_; \
\
	rnd_fill(in_, sizeof(in_)); \
	memcpy(out_, in_, sizeof(out_)); \
	memset(out_ + 1, 0, size); \
	decode; \
	encode; \
	assert_memory_equal(in_, out_, sizeof(in_)); \
} while (0)

static void
test_small(void **state)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		uint8_t in[SYNC_UPDC_SIZE], out[SYNC_UPDC_SIZE] = { 0 };
		struct sync_upd_c u;

		SMALL(sync_clr, SYNC_CLR_SIZE, sync_clr_decode(&m_, in_ + 1), sync_clr_encode(&m_, out_ + 1));
		SMALL(sync_ident, SYNC_IDENT_SIZE, sync_ident_decode(&m_, in_ + 1), sync_ident_encode(&m_, out_ + 1));
		SMALL(sync_bus, SYNC_BUS_SIZE, sync_bus_decode(&m_, in_ + 1), sync_bus_encode(&m_, out_ + 1));
		SMALL(sync_tdb, SYNC_TDB6_SIZE, sync_tdb_decode(&m_, in_ + 1, SYNC_6), sync_tdb_encode(&m_, out_ + 1, SYNC_6));
		SMALL(sync_tdb, SYNC_TDB5_SIZE, sync_tdb_decode(&m_, in_ + 1, SYNC_1400), sync_tdb_encode(&m_, out_ + 1, SYNC_1400));
		rnd_fill(in, sizeof(in));
		sync_upd_c_decode(&u, in);
		sync_upd_c_encode(&u, out);
		assert_memory_equal(in, out, sizeof(in));
	}
}

/* A state as some box might hold it. */
static void
rnd_state(struct sync_state *s)
{
	static const uint8_t protos[] = { 1, 6, 17, 47, 58 };

	memset(s, 0, sizeof(*s));
	s->id = rnd();
	s->creatorid = (uint32_t)rnd() | 1;
	memcpy(s->ifname, "all", 3);
	s->af = rnd() & 1 ? SYNC_AF_INET : SYNC_AF_INET6;
	s->proto = s->stack_proto = protos[rnd() % sizeof(protos)];
	for (unsigned i = 0; i < 2; i++) {
		s->key[i].af = s->af;
		for (unsigned j = 0; j < 2; j++) {
			rnd_fill(s->key[i].addr[j], s->af == SYNC_AF_INET ? 4 : 16);
			s->key[i].port[j] = (uint16_t)rnd();
		}
		s->peer[i] = (struct sync_peer){ .seqlo = (uint32_t)rnd(), .seqhi = (uint32_t)rnd(), .seqdiff = (uint32_t)rnd(),
			.max_win = (uint16_t)rnd(), .mss = (uint16_t)rnd(), .state = rnd() % 13, .wscale = rnd() & 0x8f,
			.scrub_valid = 1, .scrub_ttl = (uint8_t)rnd(), .scrub_flags = rnd() & 1, .ts_mod = (uint32_t)rnd() };
		s->packets[i] = rnd();
		s->bytes[i] = rnd();
	}
	s->rule = s->anchor = s->nat_rule = SYNC_NO_RULE;
	s->creation_sec = (uint32_t)rnd();
	s->expire_sec = (uint32_t)rnd();
	s->direction = rnd() & 1 ? SYNC_DIR_IN : SYNC_DIR_OUT;
	s->timeout = rnd() % 14;
	s->rtableid[0] = s->direction == SYNC_DIR_OUT ? 0 : -1;
	s->rtableid[1] = s->direction == SYNC_DIR_IN ? 0 : -1;
	s->state_flags = rnd() & 0xf1;
}

/* From OpenBSD to each dialect of FreeBSD and back: what both have is as it was. */
static void
test_convert(void **state)
{
	for (unsigned n = 0; n < ROUNDS; n++)
		for (enum sync_dialect d = SYNC_1301; d <= SYNC_1500; d++) {
			uint8_t a[SYNC_STATE_SIZE_MAX], b[SYNC_STATE_SIZE_MAX];
			struct sync_state s, t;

			rnd_state(&s);
			for (unsigned i = 0; i < 2; i++)
				if (s.proto == 1 || s.proto == 58)
					s.key[i].port[s.direction == SYNC_DIR_IN] = s.proto == 1 ? 8 : 128;
			sync_state_encode(&s, a, SYNC_6);
			t = s;
			assert_int_equal(sync_state_convert(&t, SYNC_6, d), 0);
			sync_state_encode(&t, b, d);
			sync_state_decode(&t, b, d);
			assert_int_equal(sync_state_check(&t, SYNC_INS, d), SYNC_CNT_NONE);
			assert_int_equal(b[d == SYNC_1500 ? 344 : 232], s.af == SYNC_AF_INET ? 2 : 28);
			if (s.proto == 1)
				assert_int_equal(t.key[0].port[0], t.key[0].port[1]);
			assert_int_equal(sync_state_convert(&t, d, SYNC_6), 0);
			sync_state_encode(&t, b, SYNC_6);
			assert_int_equal(b[250], s.af == SYNC_AF_INET ? 2 : 24);
			assert_memory_equal(a, b, SYNC_STATE6_SIZE);
		}
}

static void
test_numbers(void **state)
{
	struct sync_state s, t;
	uint8_t b[SYNC_STATE_SIZE_MAX];

	rnd_state(&s);
	s.rt = SYNC_RT_ROUTE_TO;
	sync_state_encode(&s, b, SYNC_6);
	assert_int_equal(b[254], 1);
	sync_state_decode(&t, b, SYNC_6);
	assert_int_equal(t.rt, SYNC_RT_ROUTE_TO);
	sync_state_encode(&s, b, SYNC_1400);
	assert_int_equal(b[260], 2);
	sync_state_encode(&s, b, SYNC_1500);
	assert_int_equal(b[352], 2);
	/* NAT64 has no room in 1301 and 1400; 1500 says the family and protocol of each side */
	rnd_state(&s);
	s.proto = s.stack_proto = 58;
	s.af = s.key[0].af = SYNC_AF_INET6;
	s.key[1].af = SYNC_AF_INET;
	t = s;
	assert_int_equal(sync_state_convert(&t, SYNC_6, SYNC_1301), -ENOTSUP);
	assert_int_equal(sync_state_convert(&t, SYNC_6, SYNC_1400), -ENOTSUP);
	assert_int_equal(sync_state_convert(&t, SYNC_6, SYNC_1500), 0);
	sync_state_encode(&t, b, SYNC_1500);
	assert_true(b[344] == 28 && b[345] == 2 && b[347] == 58 && b[348] == 1);
	/* SCTP's timeouts are FreeBSD 14's own */
	rnd_state(&s);
	s.timeout = 22;
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_6), SYNC_CNT_badval);
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_1400), SYNC_CNT_NONE);
	assert_int_equal(sync_state_convert(&s, SYNC_1400, SYNC_6), -ENOTSUP);
	assert_string_equal(sync_timeout_name(22), "sctp.established");
	assert_null(sync_timeout_name(25));
	/* an interface name that fills its field is refused by FreeBSD 15 */
	rnd_state(&s);
	memset(s.ifname, 'x', sizeof(s.ifname));
	assert_int_equal(sync_state_convert(&s, SYNC_1400, SYNC_1500), -ENOTSUP);
}

static void
test_check(void **state)
{
	struct sync_upd_c u = { .creatorid = 1 };
	struct sync_state s;

	rnd_state(&s);
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_6), SYNC_CNT_NONE);
	s.peer[1].state = 13;
	assert_int_equal(sync_state_check(&s, SYNC_UPD, SYNC_6), SYNC_CNT_badval);
	s.peer[1].state = 12;
	s.direction = 3;
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_1301), SYNC_CNT_badval);
	assert_int_equal(sync_state_check(&s, SYNC_UPD, SYNC_1301), SYNC_CNT_NONE);
	s.direction = 1;
	s.af = SYNC_RAW | 10; /* Linux's number for IPv6 */
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_1301), SYNC_CNT_badval);
	s.af = SYNC_AF_INET;
	s.key[0].af = SYNC_AF_NONE;
	s.key[1].af = SYNC_AF_INET;
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_6), SYNC_CNT_badval);
	s.key[1].af = SYNC_AF_NONE;
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_6), SYNC_CNT_NONE);
	s.creatorid = 0;
	assert_int_equal(sync_state_check(&s, SYNC_INS, SYNC_6), SYNC_CNT_SILENT);
	assert_int_equal(sync_state_check(&s, SYNC_UPD, SYNC_6), SYNC_CNT_badstate);
	assert_int_equal(sync_upd_c_check(&u, SYNC_6), SYNC_CNT_NONE);
	u.timeout = 20;
	assert_int_equal(sync_upd_c_check(&u, SYNC_6), SYNC_CNT_badval);
	assert_int_equal(sync_upd_c_check(&u, SYNC_1500), SYNC_CNT_NONE);
	u.timeout = 0;
	u.creatorid = 0;
	assert_int_equal(sync_upd_c_check(&u, SYNC_6), SYNC_CNT_badstate);
	assert_int_equal(sync_carrier_check(false, 255), SYNC_CNT_badif);
	assert_int_equal(sync_carrier_check(true, 254), SYNC_CNT_badttl);
	assert_int_equal(sync_carrier_check(true, 255), SYNC_CNT_NONE);
}

/* Reads a frame whose part after the header is `hex`; len_off is added to the header's length. */
static unsigned
messages(unsigned version, const char *hex, int len_off, enum sync_counter want)
{
	uint8_t b[1024] = { (uint8_t)version };
	size_t n = SYNC_HDR_SIZE + unhex(b + SYNC_HDR_SIZE, sizeof(b) - SYNC_HDR_SIZE, hex);
	struct sync_frame f;
	struct sync_msg m;
	unsigned got = 0;
	uint8_t *exact = malloc(n); /* a sanitizer sees one byte too many */

	sync_put16(b + 2, (uint16_t)((int)n + len_off));
	memcpy(exact, b, n);
	if (sync_frame_open(&f, exact, n, SYNC_ACCEPT_6 | SYNC_ACCEPT_5) == SYNC_CNT_NONE)
		while (sync_frame_next(&f, &m))
			got += !m.skipped;
	free(exact);
	assert_int_equal(f.err, want);
	return got;
}

#define IDENT "000000000000000100000002"

static void
test_frames(void **state)
{
	static const uint8_t v7[SYNC_HDR_SIZE] = { 7 };
	struct sync_frame f;

	assert_int_equal(sync_frame_open(&f, v7, 19, SYNC_ACCEPT_6), SYNC_CNT_hdrops);
	assert_int_equal(sync_frame_open(&f, v7, 20, SYNC_ACCEPT_ALL), SYNC_CNT_badver);
	assert_int_equal(messages(6, "", 0, SYNC_CNT_NONE), 0);
	assert_int_equal(messages(6, "", -1, SYNC_CNT_badlen), 0);
	assert_int_equal(messages(6, "07030001" IDENT, 1, SYNC_CNT_badlen), 0);
	assert_int_equal(messages(6, "07030002" IDENT IDENT, 0, SYNC_CNT_NONE), 2);
	assert_int_equal(messages(6, "07030001" IDENT IDENT, -12, SYNC_CNT_NONE), 1); /* cut to the header's length */
	assert_int_equal(messages(6, "07030001" IDENT "000000", 0, SYNC_CNT_NONE), 1); /* 3 bytes over */
	assert_int_equal(messages(6, "07040001" IDENT "ffffffff 02030001" IDENT, 0, SYNC_CNT_NONE), 2); /* longer than known */
	assert_int_equal(messages(6, "07020001 0000000000000000 02030001" IDENT, 0, SYNC_CNT_NONE), 1); /* shorter: passed over */
	assert_int_equal(messages(6, "07000001 02030001" IDENT, 0, SYNC_CNT_badact), 0);
	assert_int_equal(messages(6, "07030000 02030001" IDENT, 0, SYNC_CNT_NONE), 1); /* none of a known one */
	assert_int_equal(messages(6, "07030003" IDENT IDENT, 0, SYNC_CNT_badlen), 0);
	assert_int_equal(messages(6, "07030001" IDENT "0703ffff" IDENT, 0, SYNC_CNT_badlen), 1); /* the first stays */
	assert_int_equal(messages(6, "63010002 00000000 00000000 02030001" IDENT, 0, SYNC_CNT_NONE), 1); /* unknown */
	assert_int_equal(messages(6, "63010000 02030001" IDENT, 0, SYNC_CNT_badact), 0);
	assert_int_equal(messages(6, "63000001 02030001" IDENT, 0, SYNC_CNT_badact), 0);
	assert_int_equal(messages(6, "63ff0001 02030001" IDENT, 0, SYNC_CNT_badlen), 0);
	assert_int_equal(messages(6, "0c000001 02030001" IDENT, 0, SYNC_CNT_NONE), 1); /* EOF ends nothing here */
	assert_int_equal(messages(6, "08010001 00000000 02030001" IDENT, 0, SYNC_CNT_NONE), 1); /* fragments */
	assert_int_equal(messages(6, "01420001 02030001" IDENT, 0, SYNC_CNT_badlen), 0); /* old INS beyond the end */

	assert_int_equal(messages(5, "07000002" IDENT IDENT "0c000001", 0, SYNC_CNT_NONE), 3);
	assert_int_equal(messages(5, "07000002" IDENT IDENT, 0, SYNC_CNT_NONE), 2); /* EOF is not asked for */
	assert_int_equal(messages(5, "07000002" IDENT "0c000001", 0, SYNC_CNT_badlen), 0);
	assert_int_equal(messages(5, "0c000001 07000001" IDENT, 0, SYNC_CNT_badlen), 1);
	assert_int_equal(messages(5, "07000001" IDENT "08000001" IDENT, 0, SYNC_CNT_badact), 1);
	assert_int_equal(messages(5, "09000000", 0, SYNC_CNT_badact), 0);
	assert_int_equal(messages(5, "11000000", 0, SYNC_CNT_badact), 0);
	assert_int_equal(messages(5, "10000001" IDENT, 0, SYNC_CNT_badlen), 0);
}

/* As many as an IPv4 packet of 1500 bytes takes, and not one byte beyond. */
static void
test_packing(void **state)
{
	static const struct {
		enum sync_dialect d;
		unsigned states, updates;
	} rows[] = { { SYNC_6, 5, 17 }, { SYNC_1301, 6, 17 }, { SYNC_1400, 5, 17 }, { SYNC_1500, 4, 17 } };
	struct sync_upd_c u = { .creatorid = 1 };
	struct sync_state s;

	rnd_state(&s);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t b[1500 - IP_SIZE];
		struct sync_frame f;
		struct sync_msg m;
		struct sync_out o;
		unsigned n = 0, got = 0;
		size_t len;

		sync_out_init(&o, b, sizeof(b), rows[i].d, NULL);
		while (sync_out_state(&o, SYNC_INS, &s))
			n++;
		assert_int_equal(n, rows[i].states);
		len = sync_out_close(&o);
		assert_true(len != 0 && len <= sizeof(b));
		assert_int_equal(sync_frame_open(&f, b, len, SYNC_ACCEPT_6 | SYNC_ACCEPT_5), SYNC_CNT_NONE);
		while (sync_frame_next(&f, &m))
			got += m.kind == SYNC_INS && m.dialect == rows[i].d;
		assert_true(got == n && f.err == SYNC_CNT_NONE);
		sync_out_init(&o, b, sizeof(b), rows[i].d, NULL);
		for (n = 0; sync_out_upd_c(&o, &u); n++)
			;
		assert_int_equal(n, rows[i].updates);
		/* one state a subheader */
		sync_out_init(&o, b, sizeof(b), rows[i].d, NULL);
		o.single = true;
		assert_true(sync_out_state(&o, SYNC_INS, &s) && sync_out_state(&o, SYNC_INS, &s));
		len = sync_out_close(&o);
		assert_int_equal(sync_frame_open(&f, b, len, SYNC_ACCEPT_6 | SYNC_ACCEPT_5), SYNC_CNT_NONE);
		assert_true(sync_frame_next(&f, &m) && m.count == 1 && sync_frame_next(&f, &m) && m.count == 1);
		sync_out_init(&o, b, sizeof(b), rows[i].d, NULL);
		assert_int_equal(sync_out_close(&o), 0);
	}
}

/* A version 3 state behind NAT: inside, translated and outside become the keys of today. */
static void
test_legacy(void **state)
{
	uint8_t b[20 + 2 * 242] = { 3, 2, 1, 1 }, *r = b + 20;
	struct sync_frame f;
	struct sync_state s;
	struct sync_msg m;

	sync_put32(r + 4, 7);
	sync_put32(r + 24, 0xc0a80001);
	sync_put16(r + 40, 1111);
	sync_put32(r + 48, 0xc6336401);
	sync_put16(r + 64, 2222);
	sync_put32(r + 72, 0xcb007150);
	sync_put16(r + 88, 80);
	sync_put32(r + 228, 0xaabbccdd);
	r[232] = 2;
	r[233] = 6;
	r[234] = 2;
	r[237] = 2;
	assert_int_equal(sync_frame_open(&f, b, 20 + 239, SYNC_ACCEPT_ALL), SYNC_CNT_badlen);
	assert_int_equal(sync_frame_open(&f, b, 20 + 240, SYNC_ACCEPT_ALL), SYNC_CNT_NONE);
	assert_true(sync_frame_next(&f, &m) && m.kind == SYNC_INS && m.dialect == SYNC_LEGACY);
	sync_legacy_state_decode(&s, &m);
	assert_true(s.id == 7 && s.creatorid == 0xaabbccdd && s.af == SYNC_AF_INET && s.proto == 6 && s.timeout == 2);
	assert_int_equal(sync_get32(s.key[SYNC_STACK].addr[1]), 0xc0a80001);
	assert_int_equal(sync_get32(s.key[SYNC_WIRE].addr[1]), 0xc6336401);
	assert_int_equal(sync_get32(s.key[SYNC_WIRE].addr[0]), 0xcb007150);
	assert_true(s.key[SYNC_WIRE].port[1] == 2222 && s.key[SYNC_STACK].port[1] == 1111 && s.key[SYNC_STACK].port[0] == 80);
	assert_false(sync_frame_next(&f, &m));
	b[2] = 11;
	assert_int_equal(sync_frame_open(&f, b, 20 + 240, SYNC_ACCEPT_ALL), SYNC_CNT_badact);
	b[2] = 10;
	b[0] = 2;
	assert_int_equal(sync_frame_open(&f, b, 20 + 240, SYNC_ACCEPT_ALL), SYNC_CNT_badact);
	b[0] = 4; /* DragonFly's two bytes more */
	b[2] = 1;
	b[3] = 2;
	assert_int_equal(sync_frame_open(&f, b, sizeof(b), SYNC_ACCEPT_ALL), SYNC_CNT_NONE);
	assert_true(sync_frame_next(&f, &m) && m.size == 242 && sync_frame_next(&f, &m) && !sync_frame_next(&f, &m));
	b[0] = 1;
	assert_int_equal(sync_frame_open(&f, b, sizeof(b), SYNC_ACCEPT_ALL), SYNC_CNT_badver);
}

static void
test_carp(void **state)
{
	uint8_t want[64], got[64], vrrp[] = { 0x21, 1, 100, 1, 0, 1, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct sync_carp c;
	uint32_t sum = 0;

	assert_int_equal(unhex(want, sizeof(want), "21 01 00 07 00 01 50 a4 01 02 03 04 05 06 07 08"
		"16 aa 53 0d d8 ef 23 bb 96 f1 60 59 a3 b3 36 b8 da e0 6b 44"), SYNC_CARP_SIZE);
	assert_int_equal(sync_carp_decode(&c, want, SYNC_CARP_SIZE), SYNC_CARP_OK);
	assert_true(c.vhid == 1 && c.advbase == 1 && c.advskew == 0 && c.counter == 0x0102030405060708 && c.cksum == 0x50a4);
	sync_carp_encode(&c, got);
	assert_memory_equal(got, want, SYNC_CARP_SIZE);
	assert_int_equal(sync_carp_decode(&c, want, SYNC_CARP_SIZE - 1), SYNC_CARP_BADLEN);
	want[2] = 1;
	assert_int_equal(sync_carp_decode(&c, want, SYNC_CARP_SIZE), SYNC_CARP_BADSUM);
	c.version = 4;
	sync_carp_encode(&c, got);
	assert_int_equal(sync_carp_decode(&c, got, SYNC_CARP_SIZE), SYNC_CARP_BADVER);
	for (unsigned i = 0; i < sizeof(vrrp); i += 2)
		sum += sync_get16(vrrp + i);
	sync_put16(vrrp + 6, (uint16_t)~((sum & 0xffff) + (sum >> 16)));
	assert_int_equal(sync_carp_decode(&c, vrrp, sizeof(vrrp)), SYNC_CARP_VRRP);
	vrrp[0] = 0x31;
	assert_int_equal(sync_carp_decode(&c, vrrp, sizeof(vrrp)), SYNC_CARP_VRRP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example6), cmocka_unit_test(test_example5), cmocka_unit_test(test_short),
		cmocka_unit_test(test_records), cmocka_unit_test(test_small), cmocka_unit_test(test_convert),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_check), cmocka_unit_test(test_frames),
		cmocka_unit_test(test_packing), cmocka_unit_test(test_legacy), cmocka_unit_test(test_carp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
