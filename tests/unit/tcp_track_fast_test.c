/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short path decides as the full function does: random states and segments near their edges. Where it says yes, both
 * leave the same record; where it says no, it has touched nothing; and it says yes to all that it was made for.
 */
#include "tcp_rows.h"

static uint64_t rng = 0x9e3779b97f4a7c15;

static uint32_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng >> 32;
}

/* A number on or next to an edge, now and then anything. */
static uint32_t
near(uint32_t edge)
{
	switch (rnd() % 8) {
	case 0: return rnd();
	case 1: return edge + rnd() % 100000 - 50000;
	default: return edge + rnd() % 5 - 2;
	}
}

static void
random_peer(struct fp_peer *p)
{
	static const uint8_t states[] = { 0, 2, 4, 4, 4, 4, 4, 4, 4, 4, 7, 9, 10, 11, 12 };

	p->seqlo = rnd() % 16 == 0 ? 0 : rnd() % 4 == 0 ? rnd() % 7 : rnd();
	p->seqhi = rnd() % 64 == 0 ? 1 : p->seqlo + rnd() % 70000;
	p->max_win = rnd() % 4 == 0 ? rnd() % 3 : rnd();
	p->state = states[rnd() % sizeof(states)];
	p->wscale = rnd() % 3 == 0 ? 0 : rnd() % 8 == 0 ? rnd() : FP_WSCALE_SET | rnd() % 15;
}

static void
test_same_as_full(void **state)
{
	unsigned fast = 0, easy = 0;

	for (unsigned i = 0; i < 2000000; i++) {
		struct fp_state a = { 0 }, b, before;
		struct fp_tcp_seg seg = { 0 };
		struct fp_track_out out;
		int rev = rnd() & 1;
		struct fp_peer *s = &a.peer[rev], *d = &a.peer[!rev];
		uint32_t back[] = { 0, d->max_win, (uint32_t)d->max_win << (d->wscale & 15) };
		bool ok;

		random_peer(s);
		random_peer(d);
		back[1] = d->max_win;
		back[2] = (uint32_t)d->max_win << (d->wscale & 15);
		a.timeout = rnd() % 6;
		a.last_sec = rnd();
		seg.flags = rnd() % 4 == 0 ? rnd() : FP_TH_ACK | (rnd() & FP_TH_PUSH);
		seg.len = rnd() % 3 == 0 ? 0 : rnd() % 4 == 0 ? 1 : rnd() % 3000;
		seg.win = rnd() % 4 == 0 ? rnd() % 2 : rnd();
		seg.wscale = rnd() % 3 == 0 ? 0 : FP_WSCALE_SET | rnd() % 15;
		seg.seq = rnd() & 1 ? near(s->seqhi - seg.len) : near(s->seqlo - back[rnd() % 3]);
		switch (rnd() % 3) {
		case 0: seg.ack = near(d->seqlo); break;
		case 1: seg.ack = near(d->seqlo + FP_MAXACKWINDOW); break;
		default: seg.ack = near(d->seqlo - ((uint32_t)FP_MAXACKWINDOW << (s->wscale & 15))); break;
		}
		b = before = a;
		ok = fp_tcp_track_fast(&a, rev, seg.seq, seg.ack, seg.win, seg.flags, seg.len, 4711);
		if (!ok) {
			assert_memory_equal(&a, &before, sizeof(a));
			/* it must not be too shy: nothing it was made for goes the long way */
			if (s->state == FP_TCPS_ESTABLISHED && d->state == FP_TCPS_ESTABLISHED && s->seqlo != 0 &&
			    (seg.flags & (FP_TH_SYN | FP_TH_FIN | FP_TH_RST | FP_TH_ACK)) == FP_TH_ACK) {
				easy++;
				assert_int_equal(fp_tcp_track(&b, rev, &seg, 4711, rnd(), &out), FP_V_DROP);
			}
			continue;
		}
		fast++;
		assert_int_equal(fp_tcp_track(&b, rev, &seg, 4711, rnd(), &out), FP_V_PASS);
		assert_int_equal(out.loose | out.first | out.modulate | out.established, 0);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	/* the generator reaches both answers often */
	assert_true(fast > 50000);
	assert_true(easy > 50000);
}

static void
test_leaves_special_states_alone(void **state)
{
	static const uint16_t flags[] = { FP_SF_SLOW, FP_SF_SEQDIFF, FP_SF_REANCHOR_SRC, FP_SF_REANCHOR_DST };
	struct fp_peer p = { .seqlo = 10, .seqhi = 100, .max_win = 50, .state = FP_TCPS_ESTABLISHED };

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct fp_state st = { .peer = { p, p }, .flags = flags[i] };

		assert_false(fp_tcp_track_fast(&st, 0, 10, 10, 5, FP_TH_ACK, 1, 1));
		st.flags = FP_SF_SRC_HI | FP_SF_LEARNED | FP_SF_EXT;
		assert_true(fp_tcp_track_fast(&st, 0, 10, 10, 5, FP_TH_ACK, 1, 1));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_full), cmocka_unit_test(test_leaves_special_states_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
