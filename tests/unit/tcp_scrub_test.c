/* SPDX-License-Identifier: BSD-2-Clause */
/* Scrubbed states: shifted timestamps, PAWS, TTL. spec/tcp-state.md 6. */
#include "tcp_rows.h"

#include "fastpath/tcp_norm.h"
#include "fastpath/tcp_scrub.h"

#define CLI_MOD 0x11111111u
#define SRV_MOD 0xf2222222u
#define MS 1000ull
#define SEC 1000000ull
#define TSDIFF 30
#define DAY 86400ull

static struct fp_state st;
static struct fp_scrub side[2];
static uint64_t now_us;
static uint8_t th[FP_TCP_HLEN_MAX];
static struct fp_scrub_pkt pkt;

/* Options: as many timestamps as asked for, NOP in front of each (odd offsets for the first). */
static void
build(const char *flags, uint32_t len, unsigned stamps, uint32_t val, uint32_t ecr)
{
	unsigned at = FP_TCP_HLEN_MIN;

	memset(th, 0, sizeof(th));
	for (unsigned i = 0; i < stamps; i++) {
		th[at++] = FP_TCPOPT_NOP;
		th[at++] = FP_TCPOPT_TIMESTAMP;
		th[at++] = 10;
		fp_put32(th + at, val);
		fp_put32(th + at + 4, ecr);
		at += 8;
	}
	pkt = (struct fp_scrub_pkt){ .th = th, .hlen = (at + 3) / 4 * 4, .len = len, .ttl = 64 };
	th[12] = (uint8_t)(pkt.hlen << 2);
	th[13] = row_flags(flags);
}

static bool
pass(int rev)
{
	return fp_scrub_packet(side, &st, rev, &pkt, now_us, (uint32_t)(now_us / SEC), TSDIFF);
}

static uint32_t
out_val(void)
{
	return fp_get32(th + 23);
}

static uint32_t
out_ecr(void)
{
	return fp_get32(th + 27);
}

/* Client stamps 1000, server 5000, both armed and ESTABLISHED, 100 ms later. */
static void
handshake(void)
{
	memset(&st, 0, sizeof(st));
	memset(side, 0, sizeof(side));
	now_us = 1 * SEC;
	build("S", 0, 1, 1000, 0);
	fp_scrub_init(&side[0], &pkt, CLI_MOD, now_us);
	assert_true(pass(0));
	assert_int_equal(out_val(), 1000 + CLI_MOD);
	assert_int_equal(out_ecr(), 0);
	build("SA", 0, 1, 5000, 1000 + CLI_MOD);
	fp_scrub_init(&side[1], &pkt, SRV_MOD, now_us);
	assert_true(pass(1));
	assert_int_equal(out_val(), 5000 + SRV_MOD);
	assert_int_equal(out_ecr(), 1000);
	assert_true(side[1].flags & FP_SCRUB_PAWS);
	assert_false(side[0].flags & FP_SCRUB_PAWS);
	st.peer[0].state = st.peer[1].state = FP_TCPS_ESTABLISHED;
	build("A", 0, 1, 1001, 5000 + SRV_MOD);
	assert_true(pass(0));
	assert_int_equal(out_val(), 1001 + CLI_MOD);
	assert_int_equal(out_ecr(), 5000);
	assert_true(side[0].flags & FP_SCRUB_PAWS);
	now_us += 100 * MS;
}

static void
test_init(void **state)
{
	struct fp_scrub s = { 0 };

	build("A", 0, 1, 1, 1);
	fp_scrub_init(&s, &pkt, 7, 5);	/* not a SYN: the TTL only */
	assert_true(s.valid);
	assert_int_equal(s.flags, 0);
	assert_int_equal(s.ttl, 64);
	build("S", 0, 1, 42, 0);
	fp_scrub_init(&s, &pkt, 7, 5);	/* there already */
	assert_int_equal(s.flags, 0);
	s.valid = 0;
	fp_scrub_init(&s, &pkt, 7, 5);
	assert_int_equal(s.flags, FP_SCRUB_TIMESTAMP);
	assert_int_equal(s.ts_mod, 7);
	assert_int_equal(s.tsval, 42);
	assert_int_equal(s.tsval0, 42);
	assert_int_equal(s.last_us, 5);
	s.valid = 0;
	build("S", 0, 0, 0, 0);
	fp_scrub_init(&s, &pkt, 7, 5);
	assert_int_equal(s.flags, 0);
}

static void
test_paws_rows(void **state)
{
	/* after the handshake and 100 ms: last TSval of the client 1001, echoed by the server 1000; server's own 5000 */
	const uint32_t ahead = TSDIFF * 1100 + 100000 / 909;
	const struct { const char *name; uint32_t val, ecr; bool ok; } rows[] = {
		{ "goes on", 1002, 5000, true },
		{ "the one echoed", 1000, 5000, true },
		{ "before the one echoed", 999, 5000, false },
		{ "as far ahead as can be", 1001 + ahead, 5000, true },
		{ "farther", 1001 + ahead + 1, 5000, false },
		{ "echo of what was not sent", 1002, 5001, false },
		{ "echo from before the first", 1002, 4999, false },
		{ "no echo", 1002, 0, true },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		handshake();
		build("PA", 5, 1, rows[i].val, rows[i].ecr ? rows[i].ecr + SRV_MOD : 0);
		if (pass(0) != rows[i].ok)
			fail_msg("%s", rows[i].name);
		/* not yet ESTABLISHED: shifted, not judged */
		handshake();
		st.peer[1].state = FP_TCPS_SYN_SENT;
		build("PA", 5, 1, rows[i].val, rows[i].ecr ? rows[i].ecr + SRV_MOD : 0);
		if (!pass(0) || out_val() != rows[i].val + CLI_MOD)
			fail_msg("%s while opening", rows[i].name);
		handshake();
		st.peer[0].state = FP_TCPS_SYN_SENT;
		build("PA", 5, 1, rows[i].val, rows[i].ecr ? rows[i].ecr + SRV_MOD : 0);
		if (!pass(0))
			fail_msg("%s while opening", rows[i].name);
	}
}

static void
test_two_stamps(void **state)
{
	handshake();
	build("A", 0, 2, 1002, 5000 + SRV_MOD);
	assert_false(pass(0));
}

static void
test_missing_stamp(void **state)
{
	handshake();
	build("A", 3, 0, 0, 0);
	assert_true(pass(0));	/* first data without: never asked again */
	assert_true(side[0].flags & FP_SCRUB_DATA_NOTS);
	build("A", 3, 1, 1002, 0);
	assert_true(pass(0));
	build("A", 3, 0, 0, 0);
	assert_true(pass(0));

	handshake();
	build("A", 1, 1, 1002, 0);
	assert_true(pass(0));
	assert_true(side[0].flags & FP_SCRUB_DATA_TS);
	build("A", 1, 0, 0, 0);
	assert_false(pass(0));
	build("A", 0, 0, 0, 0);	/* empty ACKs may go without */
	assert_true(pass(0));
	build("RA", 3, 0, 0, 0);
	assert_true(pass(0));
	build("A", 3, 0, 0, 0);	/* the other side is asked for its own */
	assert_true(pass(1));
}

static void
test_idle_and_old(void **state)
{
	/* 12 days of age: no more PAWS, but the shift stays */
	handshake();
	now_us = (12 * DAY + 1) * SEC;
	build("A", 5, 1, 1, 1 + SRV_MOD);
	assert_true(pass(0));
	assert_int_equal(out_val(), 1 + CLI_MOD);
	assert_int_equal(out_ecr(), 1);
	assert_true(side[0].flags & FP_SCRUB_PAWS_IDLED);
	assert_true(side[1].flags & FP_SCRUB_PAWS_IDLED);
	assert_false((side[0].flags | side[1].flags) & FP_SCRUB_PAWS);
	now_us += SEC;
	build("A", 5, 1, 2, 2 + SRV_MOD);
	assert_true(pass(0));
	assert_false(side[0].flags & FP_SCRUB_PAWS);

	/* 12 days exactly: still judged */
	handshake();
	now_us = 12 * DAY * SEC;
	build("A", 5, 1, 999, 5000 + SRV_MOD);
	assert_false(pass(0));

	/* idle for 24 days in a state that says it is young */
	handshake();
	now_us += 24 * DAY * SEC + SEC;
	build("A", 5, 1, 1, 1 + SRV_MOD);
	assert_true(fp_scrub_packet(side, &st, 0, &pkt, now_us, 5, TSDIFF));
	assert_true(side[0].flags & FP_SCRUB_PAWS_IDLED);
}

/* 24 days to the second, in a box that has been up for long and a state that claims to be young. */
static void
test_idle_edge(void **state)
{
	for (int over = 0; over < 2; over++) {
		handshake();
		side[0].last_us = side[1].last_us = 1000 * DAY * SEC;
		now_us = (1024 * DAY + over) * SEC;
		build("A", 5, 1, 999, 5000 + SRV_MOD);
		assert_int_equal(fp_scrub_packet(side, &st, 0, &pkt, now_us, 5, TSDIFF), over);
	}
}

/* What is remembered while PAWS is armed only grows. */
static void
test_reordered(void **state)
{
	handshake();
	build("A", 1, 1, 1010, 5000 + SRV_MOD);
	assert_true(pass(0));
	build("A", 1, 1, 5010, 1010 + CLI_MOD);
	assert_true(pass(1));
	build("A", 1, 1, 1020, 5010 + SRV_MOD);
	assert_true(pass(0));
	build("A", 1, 1, 1015, 5000 + SRV_MOD);	/* late */
	assert_true(pass(0));
	assert_int_equal(side[0].tsval, 1020);
	assert_int_equal(side[0].tsecr, 5010);
	assert_int_equal(side[0].tsval0, 1000);
	build("A", 1, 1, 5011, 1021 + CLI_MOD);	/* echo of what was not sent */
	assert_false(pass(1));
	build("A", 1, 1, 5011, 1020 + CLI_MOD);
	assert_true(pass(1));
	/* before anything was echoed the last value counts, whatever it is */
	memset(side, 0, sizeof(side));
	build("S", 0, 1, 1000, 0);
	fp_scrub_init(&side[0], &pkt, CLI_MOD, now_us);
	build("S", 0, 1, 900, 0);
	assert_true(pass(0));
	assert_int_equal(side[0].tsval, 900);
	assert_int_equal(side[0].tsval0, 1000);
	build("A", 0, 1, 800, 7);
	assert_true(pass(0));
	assert_int_equal(side[0].tsval0, 800);
	assert_int_equal(side[0].tsecr, 7);
}

static void
test_ttl(void **state)
{
	handshake();
	for (int i = 0; i < 3; i++) {
		static const uint8_t in[] = { 60, 70, 65 }, want[] = { 64, 70, 70 };

		build("A", 0, 1, 1002, 0);
		pkt.ttl = in[i];
		assert_true(pass(0));
		assert_int_equal(pkt.ttl, want[i]);
	}
	build("A", 0, 1, 5001, 0);
	pkt.ttl = 3;
	assert_true(pass(1));
	assert_int_equal(pkt.ttl, 64); /* each side its own */
	/* a side without a block keeps what it has */
	side[0].valid = 0;
	build("A", 0, 0, 0, 0);
	pkt.ttl = 3;
	assert_true(pass(0));
	assert_int_equal(pkt.ttl, 3);
}

/* Only one side offers: its value is shifted out and its echo back. */
static void
test_one_side(void **state)
{
	memset(&st, 0, sizeof(st));
	memset(side, 0, sizeof(side));
	now_us = SEC;
	build("S", 0, 1, 1000, 0);
	fp_scrub_init(&side[0], &pkt, CLI_MOD, now_us);
	assert_true(pass(0));
	build("SA", 0, 0, 0, 0);
	fp_scrub_init(&side[1], &pkt, SRV_MOD, now_us);
	assert_true(pass(1));
	build("A", 1, 1, 1, 1000 + CLI_MOD);
	assert_true(pass(1));
	assert_int_equal(out_val(), 1);
	assert_int_equal(out_ecr(), 1000);
	assert_false(side[0].flags & FP_SCRUB_PAWS);
}

/* From a peer only TIMESTAMP, TTL and shift arrive: shifting goes on, PAWS arms itself anew. */
static void
test_after_takeover(void **state)
{
	handshake();
	for (int i = 0; i < 2; i++) {
		struct fp_scrub s = { .valid = 1, .flags = FP_SCRUB_TIMESTAMP, .ttl = 64, .ts_mod = side[i].ts_mod };

		side[i] = s;
	}
	build("A", 5, 1, 900, 4000 + SRV_MOD);
	assert_true(pass(0));
	assert_int_equal(out_val(), 900 + CLI_MOD);
	assert_int_equal(out_ecr(), 4000);
	assert_int_equal(side[0].tsval0, 900);
	assert_true(side[0].flags & FP_SCRUB_PAWS);
	build("A", 5, 1, 4100, 900 + CLI_MOD);
	assert_true(pass(1));
	now_us += SEC;
	build("A", 5, 1, 899, 4100 + SRV_MOD);
	assert_false(pass(0));
	build("A", 5, 1, 901, 4100 + SRV_MOD);
	assert_true(pass(0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init), cmocka_unit_test(test_paws_rows), cmocka_unit_test(test_two_stamps),
		cmocka_unit_test(test_missing_stamp), cmocka_unit_test(test_idle_and_old), cmocka_unit_test(test_idle_edge), cmocka_unit_test(test_reordered), cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_one_side), cmocka_unit_test(test_after_takeover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
