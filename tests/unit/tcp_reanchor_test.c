/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows learned from a peer that went on elsewhere: one new anchor a side, forward, within bounds, then strict again. */
#include "tcp_rows.h"

static struct fp_state
learned(void)
{
	struct fp_state st = { .flags = FP_SF_LEARNED | FP_SF_REANCHOR_SRC | FP_SF_REANCHOR_DST, .timeout = 2 };

	st.peer[0] = (struct fp_peer){ .seqlo = 1000000, .seqhi = 1065000, .max_win = 500, .state = FP_TCPS_ESTABLISHED,
		.wscale = FP_WSCALE_SET | 7 };
	st.peer[1] = (struct fp_peer){ .seqlo = 5000000, .seqhi = 5064000, .max_win = 500, .state = FP_TCPS_ESTABLISHED,
		.wscale = FP_WSCALE_SET | 7 };
	return st;
}

static enum fp_verdict
seg(struct fp_state *st, int rev, uint32_t seq, uint32_t ack, uint32_t len, uint8_t flags)
{
	struct fp_tcp_seg s = { .seq = seq, .ack = ack, .len = len, .win = 500, .flags = flags };
	struct fp_track_out o;

	return fp_tcp_track(st, rev, &s, 2000, 0, &o);
}

/* A download that is 600 MB further than the peer last said: server's data first. */
static void
data_first(void **state)
{
	struct fp_state st = learned();
	uint32_t ahead = 5000000 + 600000000u;

	assert_int_equal(seg(&st, 1, ahead, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
	assert_int_equal(st.peer[1].seqlo, ahead + 1448);
	assert_false(st.flags & FP_SF_REANCHOR_DST);
	assert_true(st.flags & FP_SF_REANCHOR_SRC);
	/* the client's acknowledgements fit now */
	assert_int_equal(seg(&st, 0, 1000000, ahead, 0, FP_TH_ACK), FP_V_PASS);
	assert_int_equal(seg(&st, 1, ahead + 1448, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
	/* strict again */
	assert_int_equal(seg(&st, 1, ahead + 300000000u, 1000000, 1448, FP_TH_ACK), FP_V_DROP);
}

/* ... the client's acknowledgement first. */
static void
ack_first(void **state)
{
	struct fp_state st = learned();
	uint32_t ahead = 5000000 + 600000000u;

	assert_int_equal(seg(&st, 0, 1000000, ahead, 0, FP_TH_ACK), FP_V_PASS);
	assert_int_equal(st.peer[1].seqlo, ahead);
	assert_int_equal(st.peer[0].seqlo, 1000000);
	assert_int_equal(seg(&st, 1, ahead + 1448, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
}

/* A retransmission inside the old window first: it uses nothing up. */
static void
old_segment_first(void **state)
{
	struct fp_state st = learned();

	assert_int_equal(seg(&st, 1, 5000000 - 1448, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
	assert_true(st.flags & FP_SF_REANCHOR_DST);
	assert_int_equal(seg(&st, 1, 5000000 + 90000000u, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
	/* older data again, sent anew after a loss */
	assert_int_equal(seg(&st, 1, 5000000 + 90000000u - 20000, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
}

static void
bounds(void **state)
{
	const struct { uint32_t seq, ack, len; uint8_t flags; } no[] = {
		{ 5000000 - 3000000, 1000000, 100, FP_TH_ACK },			/* backwards */
		{ 5000000 + FP_REANCHOR_MAX + 70000, 1000000, 100, FP_TH_ACK },	/* too far */
		{ 5000000 + 90000000u, 1000000 + FP_REANCHOR_MAX + 20000000, 100, FP_TH_ACK },
		{ 5000000 + 90000000u, 1000000 - 20000000, 100, FP_TH_ACK },
		{ 5000000 + 90000000u, 1000000, 0, FP_TH_RST | FP_TH_ACK },
		{ 5000000 + 90000000u, 0, 0, FP_TH_RST },
		{ 5000000 + 90000000u, 0, 0, FP_TH_FIN },
	};

	for (unsigned i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct fp_state st = learned(), before = st;

		if (seg(&st, 1, no[i].seq, no[i].ack, no[i].len, no[i].flags) != FP_V_DROP)
			fail_msg("case %u was accepted", i);
		assert_memory_equal(&st, &before, sizeof(st));
	}
	struct fp_state st = learned();

	st.flags = FP_SF_LEARNED; /* not armed */
	assert_int_equal(seg(&st, 1, 5000000 + 90000000u, 1000000, 1448, FP_TH_ACK), FP_V_DROP);
	st = learned();
	st.peer[0].state = FP_TCPS_SYN_SENT; /* not open */
	st.peer[1].state = FP_TCPS_SYN_SENT;
	assert_int_equal(seg(&st, 1, 5000000 + 90000000u, 1000000, 1448, FP_TH_ACK), FP_V_DROP);
}

/* Over the end of the sequence space. */
static void
wraps(void **state)
{
	struct fp_state st = learned();

	st.peer[1].seqlo = 0xfffffff0u;
	st.peer[1].seqhi = 0xfffffff0u + 64000;
	assert_int_equal(seg(&st, 1, 500000000u, 1000000, 1448, FP_TH_ACK), FP_V_PASS);
	assert_int_equal(st.peer[1].seqlo, 500001448u);
	assert_int_equal(seg(&st, 0, 1000000, 500001448u, 0, FP_TH_ACK), FP_V_PASS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_first), cmocka_unit_test(ack_first), cmocka_unit_test(old_segment_first),
		cmocka_unit_test(bounds), cmocka_unit_test(wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
