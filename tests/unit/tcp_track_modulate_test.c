/* SPDX-License-Identifier: BSD-2-Clause */
/* `modulate state`: what the packets look like on the other side of the box (spec/tcp-state.md 3 step B). */
#include "tcp_rows.h"

#define CLIENT_SHIFT 1000000u
#define SERVER_RANDOM 0xdeadbeefu

static struct fp_state st;
static struct fp_track_out out;

static void
begin(void)
{
	struct fp_tcp_seg syn = { .seq = 5000, .win = 1000, .flags = FP_TH_SYN };

	memset(&st, 0, sizeof(st));
	fp_tcp_create(&st, &syn, 1, CLIENT_SHIFT);
}

/* The server sees the client at 1005000; its answer acks that and is shifted by a random of its own. */
static void
answer(void)
{
	struct fp_tcp_seg synack = { .seq = 90000, .ack = 5001 + CLIENT_SHIFT, .win = 2000, .flags = FP_TH_SYN | FP_TH_ACK };

	assert_int_equal(fp_tcp_track(&st, 1, &synack, 2, SERVER_RANDOM, &out), FP_V_PASS);
}

static void
test_both_directions(void **state)
{
	struct fp_tcp_seg ack = { .seq = 5001, .ack = SERVER_RANDOM + 1, .len = 10, .win = 1000, .flags = FP_TH_ACK };
	struct fp_tcp_seg data = { .seq = 90001, .ack = 5011 + CLIENT_SHIFT, .len = 7, .win = 2000, .flags = FP_TH_ACK };

	begin();
	answer();
	assert_true(out.modulate);
	assert_true(out.first);
	assert_int_equal(out.new_seq, SERVER_RANDOM);
	assert_int_equal(out.new_ack, 5001);
	assert_int_equal(out.sack_delta, CLIENT_SHIFT);
	assert_int_equal(st.seqdiff[1], SERVER_RANDOM - 90000u);
	assert_int_equal(st.peer[1].seqlo, 90001); /* stored as the end itself counts */

	assert_int_equal(fp_tcp_track(&st, 0, &ack, 3, 1, &out), FP_V_PASS);
	assert_int_equal(out.first, 0);
	assert_int_equal(out.new_seq, 5001 + CLIENT_SHIFT);
	assert_int_equal(out.new_ack, 90001);
	assert_int_equal(out.sack_delta, st.seqdiff[1]);
	assert_int_equal(st.peer[0].seqlo, 5011);
	assert_int_equal(st.peer[0].state, FP_TCPS_ESTABLISHED);
	assert_int_equal(st.peer[1].state, FP_TCPS_ESTABLISHED);
	assert_int_equal(st.peer[1].seqhi, 91001);

	assert_int_equal(fp_tcp_track(&st, 1, &data, 4, 1, &out), FP_V_PASS);
	assert_int_equal(out.new_seq, 90001 + st.seqdiff[1]);
	assert_int_equal(out.new_ack, 5011);
}

static void
test_syn_again(void **state)
{
	struct fp_tcp_seg syn = { .seq = 5000, .win = 1000, .flags = FP_TH_SYN };

	begin();
	assert_int_equal(fp_tcp_track(&st, 0, &syn, 2, 1, &out), FP_V_PASS);
	assert_true(out.modulate);
	assert_int_equal(out.new_seq, 5000 + CLIENT_SHIFT);
	assert_int_equal(out.new_ack, 0);
	assert_int_equal(out.sack_delta, 0);
}

static void
test_shift_is_never_zero(void **state)
{
	struct fp_tcp_seg synack = { .seq = 90000, .ack = 5001 + CLIENT_SHIFT, .win = 2000, .flags = FP_TH_SYN | FP_TH_ACK };

	begin();
	assert_int_equal(fp_tcp_track(&st, 1, &synack, 2, 90000, &out), FP_V_PASS);
	assert_int_equal(st.seqdiff[1], 1);
	assert_int_equal(out.new_seq, 90001);
}

/* Step F tells the server off with the number it would have seen, shifted back. */
static void
test_rst_number(void **state)
{
	struct fp_tcp_seg stray = { .seq = 90000, .ack = 500000 + CLIENT_SHIFT, .win = 2000, .flags = FP_TH_ACK };

	begin();
	assert_int_equal(fp_tcp_track(&st, 1, &stray, 2, SERVER_RANDOM, &out), FP_V_DROP);
	assert_true(out.send_rst);
	assert_int_equal(out.seq, 500000);
	assert_int_equal(st.peer[1].seqlo, 0);
	/* the shift chosen for the dropped packet stays; the side's next first packet leaves unshifted, as in pf */
	assert_int_equal(st.seqdiff[1], SERVER_RANDOM - 90000u);
}

static void
test_plain_state(void **state)
{
	struct fp_tcp_seg syn = { .seq = 5000, .win = 1000, .flags = FP_TH_SYN };

	memset(&st, 0, sizeof(st));
	fp_tcp_create(&st, &syn, 1, 0);
	st.seqdiff[0] = st.seqdiff[1] = 99; /* line 1 is not read without the flag */
	assert_int_equal(fp_tcp_track(&st, 0, &syn, 2, 1, &out), FP_V_PASS);
	assert_int_equal(out.modulate, 0);
	assert_int_equal(out.sack_delta, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions), cmocka_unit_test(test_syn_again), cmocka_unit_test(test_shift_is_never_zero),
		cmocka_unit_test(test_rst_number), cmocka_unit_test(test_plain_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
