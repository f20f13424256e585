/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Merging what a peer says: each row of the table in spec/pfsync-behaviour.md A4, and what must hold of any messages in
 * any order. The news in the long test are those of connections that the real tracker followed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/tcp_track.h"
#include "sync/receive.h"

#define NOW 5000u

static uint64_t rng = 0x2545f4914f6cdd1dull;

static uint32_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng >> 32;
}

static struct fp_state
tcp(uint8_t src, uint32_t src_lo, uint8_t dst, uint32_t dst_lo)
{
	struct fp_state st;

	memset(&st, 0, sizeof(st));
	st.key.proto = 6;
	st.key.af = FP_AF_INET;
	st.halves = 1;
	st.peer[0] = (struct fp_peer){ .seqlo = src_lo, .seqhi = src_lo + 1000, .max_win = 100, .state = src, .wscale = 0x87 };
	st.peer[1] = (struct fp_peer){ .seqlo = dst_lo, .seqhi = dst_lo + 1000, .max_win = 100, .state = dst, .wscale = 0x87 };
	st.timeout = fp_tcp_timeout(src, dst);
	st.last_sec = NOW - 100;
	return st;
}

static void
news(const struct fp_state *st, struct sync_peer_w n[2])
{
	memset(n, 0, 2 * sizeof(n[0]));
	for (int i = 0; i < 2; i++) {
		n[i].seqlo = st->peer[i].seqlo;
		n[i].seqhi = st->peer[i].seqhi;
		n[i].max_win = st->peer[i].max_win;
		n[i].state = st->peer[i].state;
		n[i].wscale = st->peer[i].wscale;
		n[i].seqdiff = st->seqdiff[i];
	}
}

static unsigned
merge(struct fp_state *st, const struct fp_state *with)
{
	struct sync_peer_w n[2];

	news(with, n);
	return sync_merge(st, n, with->timeout, NOW, false);
}

/* One row: what we have, what is said, which sides are stale. */
static void
table(void **state)
{
	static const struct { uint8_t src; int32_t src_lo; uint8_t dst; int32_t dst_lo; unsigned stale; } rows[] = {
		{ 4, 0, 4, 0, 0 },
		{ 4, 10, 4, 10, 0 },
		{ 4, -1, 4, 0, SYNC_STALE_SRC },
		{ 4, 0, 4, -1, SYNC_STALE_DST },
		{ 4, -1, 4, -1, SYNC_STALE_SRC | SYNC_STALE_DST },
		{ 2, 10, 4, 0, SYNC_STALE_SRC },
		{ 4, 0, 2, 10, SYNC_STALE_DST },
		{ 9, -1, 4, 0, 0 },		/* a later state, whatever its numbers */
		{ 10, -5, 10, -5, 0 },
		{ 2, 0, 9, 0, SYNC_STALE_SRC },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fp_state st = tcp(4, 0xfffffff0u, 4, 5000), was = st;
		struct fp_state n = tcp(rows[i].src, 0xfffffff0u + (uint32_t)rows[i].src_lo, rows[i].dst, 5000 + (uint32_t)rows[i].dst_lo);
		unsigned res = merge(&st, &n);

		assert_int_equal(res & 3, rows[i].stale);
		/* nothing has gone back */
		for (int p = 0; p < 2; p++) {
			assert_true(st.peer[p].state >= was.peer[p].state);
			assert_true(FP_SEQ_GEQ(st.peer[p].seqlo, was.peer[p].seqlo));
			assert_true(FP_SEQ_GEQ(st.peer[p].seqhi, was.peer[p].seqhi));
			if (rows[i].stale >> p & 1)
				assert_memory_equal(&st.peer[p], &was.peer[p], sizeof(st.peer[p]));
			else
				assert_int_equal(st.peer[p].state, n.peer[p].state);
		}
		assert_int_equal(st.last_sec, rows[i].stale == 3 ? NOW - 100 : NOW);
		assert_int_equal(!!(res & SYNC_MOVED), memcmp(st.peer, was.peer, sizeof(st.peer)) != 0 || st.timeout != was.timeout);
		/* the same again says nothing new */
		was = st;
		assert_int_equal(merge(&st, &n) & SYNC_MOVED, 0);
		assert_memory_equal(&st, &was, sizeof(st));
	}
}

/* FreeBSD takes a stale dst over with the rest: what its peer said went back on both boxes. */
static void
one_side_stale(void **state)
{
	struct fp_state st = tcp(4, 1000, 4, 9000), n = tcp(4, 1500, 4, 8000);

	(void)state;
	assert_int_equal(merge(&st, &n), SYNC_STALE_DST | SYNC_MOVED);
	assert_int_equal(st.peer[0].seqlo, 1500);
	assert_int_equal(st.peer[1].seqlo, 9000);
	assert_int_equal(st.peer[1].seqhi, 10000);
	/* its timeout does not speak for us either: we know of a FIN that it has not seen */
	st = tcp(7, 1000, 4, 9000);
	n = tcp(4, 1000, 4, 9500);
	assert_int_equal(merge(&st, &n), SYNC_STALE_SRC | SYNC_MOVED);
	assert_int_equal(st.timeout, POL_TM_TCP_CLOSING);
}

/* A window that was open further stays so. */
static void
windows(void **state)
{
	struct fp_state st = tcp(4, 1000, 4, 9000), n = tcp(4, 1100, 4, 9000);

	(void)state;
	n.peer[0].seqhi = 1900;
	n.peer[0].max_win = 50;
	n.peer[1].max_win = 200;
	assert_int_equal(merge(&st, &n), SYNC_MOVED);
	assert_int_equal(st.peer[0].seqlo, 1100);
	assert_int_equal(st.peer[0].seqhi, 2000);
	assert_int_equal(st.peer[0].max_win, 100);
	assert_int_equal(st.peer[1].max_win, 200);
}

/* A side that was not heard has no numbers: the first ones are taken as they are, above or below zero. */
static void
first_numbers(void **state)
{
	(void)state;
	for (uint32_t isn = 0x10000000; isn != 0; isn += 0x10000000) {
		struct fp_state st = tcp(2, 77, 0, 0), n = tcp(2, 77, 2, isn);

		st.peer[1] = (struct fp_peer){ .seqhi = 1, .max_win = 1 };
		assert_int_equal(merge(&st, &n), SYNC_MOVED);
		assert_memory_equal(&st.peer[1], &n.peer[1], sizeof(st.peer[1]));
	}
}

/* Out of the proxy the numbers are others, and lower ones may be right. */
static void
proxy(void **state)
{
	struct fp_state st = tcp(11, 9000, 0, 0), n = tcp(4, 500, 4, 600);

	(void)state;
	n.seqdiff[0] = 8500;
	st.timeout = POL_TM_TCP_OPENING;
	assert_int_equal(merge(&st, &n), SYNC_MOVED);
	assert_memory_equal(st.peer, n.peer, sizeof(st.peer));
	assert_int_equal(st.seqdiff[0], 8500);
	assert_int_equal(st.timeout, POL_TM_TCP_ESTABLISHED);
	assert_int_equal(st.flags, FP_SF_SEQDIFF | FP_SF_SLOW);
	/* and not back into it by an old message: that is behind */
	st = tcp(11, 9000, 2, 600);
	n = tcp(11, 8000, 2, 600);
	assert_int_equal(merge(&st, &n) & 3, SYNC_STALE_SRC);
}

static void
others(void **state)
{
	struct fp_state st = tcp(0, 0, 0, 0), n;

	(void)state;
	st.key.proto = 17;
	memset(st.peer, 0, sizeof(st.peer));
	st.peer[0].state = FP_OTHERS_SINGLE;
	st.timeout = POL_TM_UDP_FIRST;
	n = st;
	n.peer[1].state = FP_OTHERS_SINGLE;
	n.timeout = POL_TM_UDP_SINGLE;
	assert_int_equal(merge(&st, &n), SYNC_MOVED);
	assert_int_equal(st.timeout, POL_TM_UDP_SINGLE);
	n.peer[0].state = FP_OTHERS_NO_TRAFFIC;
	n.timeout = POL_TM_UDP_FIRST;
	assert_int_equal(merge(&st, &n), SYNC_STALE_SRC);
	assert_int_equal(st.timeout, POL_TM_UDP_SINGLE);
	/* what no such state has */
	n.peer[0].state = n.peer[1].state = 9;
	n.timeout = POL_TM_TCP_ESTABLISHED;
	assert_int_equal(merge(&st, &n), 0);
	assert_int_equal(st.peer[0].state, FP_OTHERS_SINGLE);
	assert_int_equal(st.timeout, POL_TM_UDP_SINGLE);
}

/*
 * Connections from SYN to the end, a copy of the state after every packet; those arrive in any order, twice, or never. What
 * has come of it is never behind what it was, never ahead of the truth, and with the last one it is the truth.
 */
#define STEPS 60

static unsigned
connection(struct fp_state *log)
{
	struct fp_state st;
	struct fp_track_out o;
	uint32_t c = rnd(), s = rnd();
	bool scale = rnd() & 1;
	struct fp_tcp_seg seg = { .seq = c, .flags = FP_TH_SYN, .win = 8000, .wscale = scale ? 0x87 : 0 };
	unsigned n = 0, data = rnd() % (STEPS - 10);

	memset(&st, 0, sizeof(st));
	st.key.proto = 6;
	st.halves = 1;
	fp_tcp_create(&st, &seg, NOW, 0);
	log[n++] = st;
#define SEG(dir, f, bytes) do { \
	int rev = (dir); \
	uint32_t len = (bytes); \
	seg = (struct fp_tcp_seg){ .seq = rev ? s : c, .ack = (f) & FP_TH_ACK ? rev ? c : s : 0, .len = len, \
		.win = (uint16_t)(4000 + rnd() % 4000), .flags = (f), .wscale = (f) & FP_TH_SYN && scale ? 0x85 : 0 }; \
	assert_int_equal(fp_tcp_track(&st, rev, &seg, NOW, rnd(), &o), FP_V_PASS); \
	*(rev ? &s : &c) += len + !!((f) & (FP_TH_SYN | FP_TH_FIN)); \
	log[n++] = st; \
} while (0)
	c++;
	SEG(1, FP_TH_SYN | FP_TH_ACK, 0);
	SEG(0, FP_TH_ACK, 0);
	for (unsigned i = 0; i < data; i++)
		SEG(rnd() & 1, FP_TH_ACK, rnd() % 200);
	if (rnd() & 1) {
		SEG(0, FP_TH_ACK | FP_TH_FIN, 0);
		SEG(1, FP_TH_ACK, 0);
		SEG(1, FP_TH_ACK | FP_TH_FIN, 0);
		SEG(0, FP_TH_ACK, 0);
	} else if (rnd() & 1) {
		SEG(1, FP_TH_ACK | FP_TH_RST, 0);
	}
	return n;
}

static void
any_order(void **state)
{
	static struct fp_state log[STEPS];

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		unsigned n = connection(log), at = rnd() % n;
		struct fp_state st = log[at], was;
		const struct fp_state *end = &log[n - 1];

		for (unsigned k = 0; k < 2 * n; k++) {
			unsigned i = k + 1 < 2 * n ? rnd() % n : n - 1;
			unsigned res;

			was = st;
			res = merge(&st, &log[i]);
			for (int p = 0; p < 2; p++) {
				assert_true(st.peer[p].state >= was.peer[p].state);
				assert_true(st.peer[p].state <= end->peer[p].state);
				assert_true(st.peer[p].max_win >= was.peer[p].max_win || was.peer[p].state < FP_TCPS_SYN_SENT);
				if (was.peer[p].seqlo != 0) {
					assert_true(FP_SEQ_GEQ(st.peer[p].seqlo, was.peer[p].seqlo));
					assert_true(FP_SEQ_GEQ(st.peer[p].seqhi, was.peer[p].seqhi));
					assert_true(FP_SEQ_LEQ(st.peer[p].seqlo, end->peer[p].seqlo));
					assert_true(FP_SEQ_LEQ(st.peer[p].seqhi, end->peer[p].seqhi));
				}
			}
			assert_true(st.timeout >= was.timeout && st.timeout <= end->timeout);
			/* what is older than what we have is seen as that, or says nothing */
			if (i < at && k == 0)
				assert_true(res & 3 || !(res & SYNC_MOVED));
		}
		assert_memory_equal(st.peer, end->peer, sizeof(st.peer));
		assert_int_equal(st.timeout, end->timeout);
	}
}

/* Two boxes that hold anything at all and tell each other until they are silent: they end, and hold the same. */
static void
two_agree(void **state)
{
	static struct fp_state log[STEPS];

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		unsigned n = connection(log), talk = 0;
		struct fp_state a = log[rnd() % n], b = log[rnd() % n];
		bool a_says = true, b_says = true;

		while ((a_says || b_says) && talk++ < 10) {
			bool from_a = a_says;
			unsigned res = from_a ? merge(&b, &a) : merge(&a, &b);

			*(from_a ? &a_says : &b_says) = false;
			if (res & (SYNC_STALE_SRC | SYNC_STALE_DST))
				*(from_a ? &b_says : &a_says) = true;
		}
		assert_true(talk < 10);
		assert_memory_equal(a.peer, b.peer, sizeof(a.peer));
		assert_int_equal(a.timeout, b.timeout);
	}
}

/* Garbage: whatever is said, no side goes back. */
static void
garbage(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		struct fp_state st = tcp((uint8_t)(rnd() % 13), rnd(), (uint8_t)(rnd() % 13), rnd()), was = st;
		struct fp_state n = tcp((uint8_t)(rnd() % 13), rnd(), (uint8_t)(rnd() % 13), rnd());
		bool proxy_left = st.peer[0].state >= FP_TCPS_PROXY_SRC && n.peer[0].state < FP_TCPS_PROXY_SRC;

		n.timeout = (uint8_t)rnd();
		n.peer[0].wscale = (uint8_t)rnd();
		merge(&st, &n);
		if (proxy_left)
			continue;
		for (int p = 0; p < 2; p++) {
			assert_true(st.peer[p].state >= was.peer[p].state);
			if (was.peer[p].state >= FP_TCPS_SYN_SENT && was.peer[p].seqlo != 0) {
				assert_true(FP_SEQ_GEQ(st.peer[p].seqlo, was.peer[p].seqlo));
				assert_true(FP_SEQ_GEQ(st.peer[p].seqhi, was.peer[p].seqhi));
			}
		}
		assert_in_range(st.timeout, was.timeout, POL_TM_TCP_CLOSED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table), cmocka_unit_test(one_side_stale), cmocka_unit_test(windows), cmocka_unit_test(first_numbers),
		cmocka_unit_test(proxy), cmocka_unit_test(others), cmocka_unit_test(any_order), cmocka_unit_test(two_agree),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
