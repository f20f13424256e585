/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP tracking, a table of packets for each paragraph of spec/tcp-state.md 2, 3 and 4, and the quote check of 7. */
#include "tcp_rows.h"

#define CL FP_TCPS_CLOSED
#define SS FP_TCPS_SYN_SENT
#define ES FP_TCPS_ESTABLISHED
#define CG FP_TCPS_CLOSING
#define FW FP_TCPS_FIN_WAIT_2
#define TW FP_TCPS_TIME_WAIT

#define T_FIRST POL_TM_TCP_FIRST
#define T_OPEN POL_TM_TCP_OPENING
#define T_EST POL_TM_TCP_ESTABLISHED
#define T_CLG POL_TM_TCP_CLOSING
#define T_FINW POL_TM_TCP_FINWAIT
#define T_CLSD POL_TM_TCP_CLOSED

/* A connection without options: client 5000.., server 90000.., windows 1000 and 2000. */
#define HANDSHAKE \
	{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 1000 }, { 0, 1, 1 } }, \
	{ '<', "SA", 90000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } }, \
	{ '>', "A", 5001, 90001, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } }

static void
test_create(void **state)
{
	struct fp_state st = { .peer[0].wscale = 0xff, .peer[1] = { 7, 7, 7, 7, 7 } };
	struct fp_tcp_seg seg = { .seq = 0xfffffffe, .len = 3, .win = 0, .flags = FP_TH_SYN | FP_TH_FIN, .wscale = 0x8e };

	/* SYN and FIN count each; a window of 0 becomes 1 and is scaled down, rounded up */
	fp_tcp_create(&st, &seg, 77, 0);
	assert_int_equal(st.peer[0].seqlo, 0xfffffffe);
	assert_int_equal(st.peer[0].seqhi, 4);
	assert_int_equal(st.peer[0].max_win, 1);
	assert_int_equal(st.peer[0].wscale, 0x8e);
	assert_int_equal(st.peer[1].wscale, 0);
	assert_int_equal(st.created_sec, 77);
	assert_int_equal(st.last_sec, 77);
	assert_int_equal(st.flags, 0);

	seg.win = 65535;
	seg.wscale = FP_WSCALE_SET | 7;
	fp_tcp_create(&st, &seg, 77, 0);
	assert_int_equal(st.peer[0].max_win, 512);
	seg.win = 513;
	seg.wscale = FP_WSCALE_SET | 9;
	fp_tcp_create(&st, &seg, 77, 0);
	assert_int_equal(st.peer[0].max_win, 2);
	seg.wscale = FP_WSCALE_SET; /* present with shift 0 */
	fp_tcp_create(&st, &seg, 77, 0);
	assert_int_equal(st.peer[0].max_win, 513);
	assert_int_equal(st.peer[0].wscale, FP_WSCALE_SET);

	/* picked up in the middle: SYN_SENT all the same, no scaling */
	seg = (struct fp_tcp_seg){ .seq = 100, .ack = 9, .len = 10, .win = 300, .flags = FP_TH_ACK, .wscale = 0x83 };
	fp_tcp_create(&st, &seg, 77, 0);
	assert_int_equal(st.peer[0].seqhi, 111);
	assert_int_equal(st.peer[0].wscale, 0);
	assert_int_equal(st.peer[0].state, SS);

	fp_tcp_create(&st, &seg, 77, 12);
	assert_int_equal(st.seqdiff[0], 12);
	assert_int_equal(st.flags, FP_SF_SEQDIFF | FP_SF_SLOW);
}

/* The table `Progress of a normal connection`, closed by the client. */
static void
test_normal(void **state)
{
	static const struct tcp_row normal[] = {
		HANDSHAKE,
		{ '>', "PA", 5001, 90001, 100, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 5101, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "A", 90001, 5101, 0, 2000, NO_OPT, W_PASS, ES, ES, T_EST, { 5101, 7101, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "A", 90001, 5101, 900, 1900, NO_OPT, W_PASS, ES, ES, T_EST, { 5101, 7101, 1000 }, { 90901, 91001, 2000 } },
		{ '>', "A", 5101, 90901, 0, 1200, NO_OPT, W_PASS, ES, ES, T_EST, { 5101, 7101, 1200 }, { 90901, 92101, 2000 } },
		{ '>', "FA", 5101, 90901, 0, 1200, NO_OPT, W_PASS, CG, ES, T_CLG, { 5102, 7101, 1200 }, { 90901, 92101, 2000 } },
		{ '<', "A", 90901, 5102, 0, 1900, NO_OPT, W_PASS, FW, ES, T_CLG, { 5102, 7101, 1200 }, { 90901, 92101, 2000 } },
		{ '<', "FA", 90901, 5102, 0, 1900, NO_OPT, W_PASS, FW, CG, T_FINW, { 5102, 7101, 1200 }, { 90902, 92101, 2000 } },
		{ '>', "A", 5102, 90902, 0, 1200, NO_OPT, W_PASS, FW, FW, T_CLSD, { 5102, 7101, 1200 }, { 90902, 92102, 2000 } },
	};
	static const struct tcp_row server_closes[] = {
		HANDSHAKE,
		{ '<', "FA", 90001, 5001, 0, 2000, NO_OPT, W_PASS, ES, CG, T_CLG, { 5000, 7001, 1000 }, { 90002, 91001, 2000 } },
		/* answered with FIN and ACK in one */
		{ '>', "FA", 5001, 90002, 0, 1000, NO_OPT, W_PASS, CG, FW, T_FINW, { 5002, 7001, 1000 }, { 90002, 91002, 2000 } },
		{ '<', "A", 90002, 5002, 0, 2000, NO_OPT, W_PASS, FW, FW, T_CLSD, { 5002, 7002, 1000 }, { 90002, 91002, 2000 } },
	};
	static const struct tcp_row both_close_at_once[] = {
		HANDSHAKE,
		{ '>', "FA", 5001, 90001, 0, 1000, NO_OPT, W_PASS, CG, ES, T_CLG, {}, {} },
		{ '<', "FA", 90001, 5001, 0, 2000, NO_OPT, W_PASS, FW, CG, T_FINW, {}, {} },
		{ '>', "A", 5002, 90002, 0, 1000, NO_OPT, W_PASS, FW, FW, T_CLSD, {}, {} },
	};
	struct fp_state st;

	ROWS(normal, false, &st);
	ROWS(server_closes, false, &st);
	ROWS(both_close_at_once, false, &st);
}

/* Before: a SYN on a connection that is over or alive. */
static void
test_syn_on_old(void **state)
{
	static const struct tcp_row reuse[] = {
		HANDSHAKE,
		{ '>', "RA", 5001, 90001, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "S", 1, 0, 0, 1000, NO_OPT, W_REUSE, TW, TW, KEEP, {}, {} },
		{ '>', "S", 1, 0, 0, 1000, NO_OPT, W_REUSE, TW, TW, KEEP, {}, {} },
		{ '>', "SEW", 1, 0, 0, 1000, NO_OPT, W_REUSE, TW, TW, KEEP, {}, {} },
	};
	static const struct tcp_row reuse_sloppy[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '<', "RA", 0, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, {}, {} },
		{ '<', "S", 1, 0, 0, 1000, NO_OPT, W_REUSE, TW, TW, KEEP, {}, {} },
		{ '>', "S", 1, 0, 0, 1000, NO_OPT, W_REUSE, TW, TW, KEEP, {}, {} },
	};
	static const struct tcp_row challenge[] = {
		HANDSHAKE,
		{ '>', "S", 777, 0, 0, 1000, 3, W_CHALLENGE, ES, ES, KEEP, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "S", 777, 0, 20, 1000, 3, W_CHALLENGE, ES, ES, KEEP, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		/* one side has closed: still a challenge */
		{ '>', "FA", 5001, 90001, 0, 1000, NO_OPT, W_PASS, CG, ES, T_CLG, {}, {} },
		{ '<', "A", 90001, 5002, 0, 2000, NO_OPT, W_PASS, FW, ES, T_CLG, {}, {} },
		{ '>', "S", 777, 0, 0, 1000, NO_OPT, W_CHALLENGE, FW, ES, KEEP, {}, {} },
		/* a SYN+ACK is no pure SYN: judged by its numbers */
		{ '<', "SA", 777, 5002, 0, 1000, NO_OPT, W_DROP, FW, ES, KEEP, {}, {} },
	};
	struct fp_state st;
	struct fp_tcp_seg syn = { .seq = 31337, .win = 9, .flags = FP_TH_SYN };
	struct fp_track_out out;

	ROWS(reuse, false, &st);
	ROWS(reuse_sloppy, true, &st);
	ROWS(challenge, false, &st);

	/* its numbers: those of the other side, from where the sender stands */
	memset(&st, 0, sizeof(st));
	st.peer[0] = (struct fp_peer){ .seqlo = 10, .seqhi = 30, .max_win = 5, .state = ES };
	st.peer[1] = (struct fp_peer){ .seqlo = 70, .seqhi = 90, .max_win = 5, .state = ES };
	assert_int_equal(fp_tcp_track(&st, 0, &syn, 1, 1, &out), FP_V_DROP);
	assert_int_equal(out.seq, 70);
	assert_int_equal(out.ack, 10);
	assert_int_equal(fp_tcp_track_sloppy(&st, 1, &syn, 1, &out), FP_V_DROP);
	assert_true(out.send_challenge);
	assert_int_equal(out.seq, 10);
	assert_int_equal(out.ack, 70);
}

/* Step A and B: window scaling. */
static void
test_scaling(void **state)
{
	/* client shift 2, server shift 3; windows of the SYNs are not scaled and are stored in the scaled unit */
	static const struct tcp_row both_scale[] = {
		{ '>', "S", 5000, 0, 0, 1002, 2, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 251 }, { 0, 1, 1 } },
		{ '<', "SA", 90000, 5001, 0, 2001, 3, W_PASS, ES, SS, T_OPEN, { 5000, 7009, 251 }, { 90001, 91005, 251 } },
		{ '>', "A", 5001, 90001, 0, 250, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 7009, 251 }, { 90001, 91005, 251 } },
		{ '<', "A", 90001, 5001, 0, 300, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 7401, 251 }, { 90001, 91005, 300 } },
		/* the client may send up to 7401 and back to 5000 - 300 * 8 */
		{ '>', "A", 5001, 90001, 2400, 300, NO_OPT, W_PASS, ES, ES, T_EST, { 7401, 7401, 300 }, { 90001, 91201, 300 } },
		{ '>', "A", 7401, 90001, 1, 300, NO_OPT, W_DROP, ES, ES, KEEP, { 7401, 7401, 300 }, { 90001, 91201, 300 } },
		{ '>', "A", 5001, 90001, 1, 300, NO_OPT, W_PASS, ES, ES, T_EST, { 7401, 7401, 300 }, { 90001, 91201, 300 } },
		{ '>', "A", 5000, 90001, 1, 300, NO_OPT, W_DROP, ES, ES, KEEP, { 7401, 7401, 300 }, { 90001, 91201, 300 } },
	};
	/* server does not scale: the client's stored window becomes whole again, nothing is scaled later */
	static const struct tcp_row client_only[] = {
		{ '>', "S", 5000, 0, 0, 1002, 2, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 251 }, { 0, 1, 1 } },
		{ '<', "SA", 90000, 5001, 0, 2001, NO_OPT, W_PASS, ES, SS, T_OPEN, { 5000, 7002, 1004 }, { 90001, 91005, 2001 } },
		{ '>', "A", 5001, 90001, 0, 250, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 7002, 1004 }, { 90001, 91005, 2001 } },
	};
	/* server offers, client did not: the option is not even stored */
	static const struct tcp_row server_only[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		{ '<', "SA", 90000, 5001, 0, 2000, 7, W_PASS, ES, SS, T_OPEN, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '>', "A", 5001, 90001, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
	};
	/* what was rounded up is capped when made whole */
	static const struct tcp_row capped[] = {
		{ '>', "S", 5000, 0, 0, 65535, 14, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 4 }, { 0, 1, 1 } },
		{ '<', "SA", 90000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, { 5000, 7001, 65535 }, { 90001, 155536, 2000 } },
	};
	struct fp_state st;

	ROWS(both_scale, false, &st);
	assert_int_equal(st.peer[0].wscale, 0x82);
	assert_int_equal(st.peer[1].wscale, 0x83);
	ROWS(client_only, false, &st);
	assert_int_equal(st.peer[0].wscale, 0);
	assert_int_equal(st.peer[1].wscale, 0);
	ROWS(server_only, false, &st);
	assert_int_equal(st.peer[0].wscale, 0);
	assert_int_equal(st.peer[1].wscale, 0);
	ROWS(capped, false, &st);
}

/* Step B: which upper edge a side starts with. */
static void
test_first_edge(void **state)
{
	/* still unset: taken whatever the number is */
	static const struct tcp_row unset[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, { 0, 1, 1 } },
		{ '<', "SA", 3000000000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, {}, { 3000000001, 3000001001, 2000 } },
	};
	/* a second SYN has set it: it moves forwards only, and on a circle 3000000000 lies behind 1000 */
	static const struct tcp_row behind[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, { 0, 1, 1 } },
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_OPEN, { 5001, 5002, 1000 }, { 0, 1000, 1 } },
		{ '<', "SA", 3000000000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, {}, { 3000000001, 1000, 2000 } },
		{ '>', "A", 5001, 3000000001, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, {}, { 3000000001, 1000, 2000 } },
	};
	static const struct tcp_row ahead[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, { 0, 1, 1 } },
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_OPEN, { 5001, 5002, 1000 }, { 0, 1000, 1 } },
		{ '<', "SA", 90000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, {}, { 90001, 91001, 2000 } },
	};
	/* a SYN with number 0 comes again as a first packet; the window of a scaled one is brought down only when both scale */
	static const struct tcp_row zero[] = {
		{ '>', "S", 0, 0, 0, 1000, 3, W_PASS, SS, CL, T_FIRST, { 0, 2, 125 }, { 0, 1, 1 } },
		{ '>', "S", 0, 0, 0, 1000, 3, W_PASS, SS, CL, T_OPEN, { 1, 2, 1000 }, { 0, 1000, 1 } },
	};
	struct fp_state st;

	ROWS(unset, false, &st);
	ROWS(behind, false, &st);
	ROWS(ahead, false, &st);
	ROWS(zero, false, &st);
	assert_int_equal(st.peer[0].wscale, 0x83);
}

/* Step C and D, test by test. */
static void
test_edges(void **state)
{
	static const struct tcp_row upper[] = {
		HANDSHAKE,
		{ '>', "A", 5001, 90001, 2000, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 7001, 7001, 1000 }, {} },
		{ '>', "A", 5002, 90001, 2000, 1000, NO_OPT, W_DROP, ES, ES, KEEP, { 7001, 7001, 1000 }, {} },
		/* the FIN itself may lie beyond the window */
		{ '>', "FA", 6901, 90001, 100, 1000, NO_OPT, W_PASS, CG, ES, T_CLG, { 7002, 7001, 1000 }, {} },
	};
	static const struct tcp_row lower[] = {
		HANDSHAKE,
		{ '>', "A", 5001, 90001, 2000, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 7001, 7001, 1000 }, {} },
		{ '>', "A", 5001, 90001, 10, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 7001, 7001, 1000 }, {} },
		{ '>', "A", 5000, 90001, 10, 1000, NO_OPT, W_DROP, ES, ES, KEEP, { 7001, 7001, 1000 }, {} },
		/* nothing carried: the sequence number is not looked at (keep-alive) */
		{ '>', "A", 12, 90001, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 7001, 7001, 1000 }, {} },
	};
	static const struct tcp_row ack_skew[] = {
		HANDSHAKE,
		{ '>', "A", 5001, 90001 + 67035, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, {}, { 90001, 158036, 2000 } },
		{ '>', "A", 5001, 90001 + 67036, 0, 1000, NO_OPT, W_DROP, ES, ES, KEEP, {}, { 90001, 158036, 2000 } },
		{ '>', "A", 5001, 90001 - 67035, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, {}, { 90001, 158036, 2000 } },
		{ '>', "A", 5001, 90001 - 67036, 0, 1000, NO_OPT, W_DROP, ES, ES, KEEP, {}, { 90001, 158036, 2000 } },
		/* without ACK flag the number says nothing */
		{ '>', "", 5001, 7, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, {}, { 90001, 158036, 2000 } },
	};
	static const struct tcp_row rst_exact[] = {
		HANDSHAKE,
		{ '>', "A", 5001, 90001, 99, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 5100, 7001, 1000 }, {} },
		{ '>', "R", 5102, 0, 0, 0, NO_OPT, W_DROP, ES, ES, KEEP, {}, {} },
		{ '>', "R", 5098, 0, 0, 0, NO_OPT, W_DROP, ES, ES, KEEP, {}, {} },
		{ '>', "R", 5101, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, { 5100, 7001, 1000 }, {} },
		{ '>', "R", 5099, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, {}, {} },
		{ '>', "R", 5100, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, {}, {} },
		{ '<', "RA", 90001, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, {}, {} },
		/* both over: a stray one passes loosely */
		{ '>', "R", 5102, 0, 0, 0, NO_OPT, W_LOOSE, TW, TW, KEEP, {}, {} },
	};
	static const struct tcp_row refused[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		{ '<', "RA", 0, 5001, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, { 5000, 5002, 1000 }, { 0, 1000, 1 } },
	};
	static const struct tcp_row zero_window[] = {
		HANDSHAKE,
		{ '<', "A", 90001, 5001, 0, 0, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 7001, 1000 }, {} },
		{ '>', "A", 5001, 90001, 2000, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 7001, 7001, 1000 }, {} },
		{ '<', "A", 90001, 7001, 0, 0, NO_OPT, W_PASS, ES, ES, T_EST, { 7001, 7002, 1000 }, {} },
		{ '>', "A", 7001, 90001, 1, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 7002, 7002, 1000 }, {} },
	};
	/* a peer that acks nothing in its RST (seen from the far side of the number circle) */
	static const struct tcp_row rst_ack_zero[] = {
		{ '>', "S", 3000000000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '<', "SA", 90000, 3000000001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, {}, {} },
		{ '<', "A", 90001, 0, 0, 2000, NO_OPT, W_DROP, ES, SS, KEEP, {}, {} },
		{ '<', "RA", 90001, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, { 3000000000, 3000002001, 1000 }, {} },
	};
	struct fp_state st;

	ROWS(rst_ack_zero, false, &st);
	ROWS(upper, false, &st);
	ROWS(lower, false, &st);
	ROWS(ack_skew, false, &st);
	ROWS(rst_exact, false, &st);
	ROWS(refused, false, &st);
	ROWS(zero_window, false, &st);
}

/* The ack may lag behind by a scaled maximum, but not run ahead by one. */
static void
test_skew_scaled(void **state)
{
	struct fp_peer s = { .seqlo = 1000, .seqhi = 9000, .max_win = 50, .state = ES, .wscale = 0x84 };
	struct fp_peer d = { .seqlo = 0x70000000, .seqhi = 0x70008000, .max_win = 50, .state = ES, .wscale = 0x80 };
	struct fp_tcp_seg seg = { .seq = 1000, .win = 1, .flags = FP_TH_ACK };
	struct fp_track_out out;
	struct fp_state st;

	for (int extra = 0; extra < 2; extra++) {
		st = (struct fp_state){ .peer = { s, d } };
		seg.ack = d.seqlo - ((FP_MAXACKWINDOW << 4) + extra);
		assert_int_equal(fp_tcp_track(&st, 0, &seg, 1, 1, &out), extra ? FP_V_DROP : FP_V_PASS);
		seg.ack = d.seqlo + FP_MAXACKWINDOW + extra;
		assert_int_equal(fp_tcp_track(&st, 0, &seg, 1, 1, &out), extra ? FP_V_DROP : FP_V_PASS);
	}
}

/* Step E and picking up in the middle. */
static void
test_loose(void **state)
{
	static const struct tcp_row after_close[] = {
		HANDSHAKE,
		{ '>', "R", 5000, 0, 0, 0, NO_OPT, W_PASS, TW, TW, T_CLSD, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "A", 91001, 5001, 67035, 2000, NO_OPT, W_LOOSE, TW, TW, KEEP, { 5000, 7001, 1000 }, { 158036, 91001, 2000 } },
		{ '<', "A", 91002, 5001, 67035, 2000, NO_OPT, W_DROP, TW, TW, KEEP, {}, { 158036, 91001, 2000 } },
		{ '<', "A", 91001, 5001, 1, 2000, NO_OPT, W_LOOSE, TW, TW, KEEP, {}, { 158036, 91001, 2000 } },
		{ '<', "A", 91000, 5001, 1, 2000, NO_OPT, W_DROP, TW, TW, KEEP, {}, { 158036, 91001, 2000 } },
	};
	/* the client's first answer comes from a SYN of its own: both ends opened */
	static const struct tcp_row simultaneous[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		{ '<', "S", 90000, 0, 0, 2000, NO_OPT, W_PASS, SS, SS, T_OPEN, { 5000, 7000, 1000 }, { 90001, 91001, 2000 } },
		{ '>', "SA", 5000, 90001, 0, 1000, NO_OPT, W_PASS, SS, ES, T_OPEN, { 5001, 7000, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "SA", 90000, 5001, 0, 2000, NO_OPT, W_PASS, ES, ES, T_EST, { 5001, 7001, 1000 }, { 90001, 91001, 2000 } },
	};
	/* a state made from data in the middle of a connection (`flags any`) */
	static const struct tcp_row midstream[] = {
		{ '>', "PA", 5000, 90000, 100, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5101, 1000 }, { 0, 1, 1 } },
		/* more before the answer: strict up to seqhi, loose beyond */
		{ '>', "PA", 5100, 90000, 1, 1000, NO_OPT, W_PASS, SS, CL, T_OPEN, { 5101, 5101, 1000 }, { 0, 1000, 1 } },
		{ '>', "PA", 5101, 90000, 1400, 1000, NO_OPT, W_LOOSE, SS, CL, KEEP, { 6501, 5101, 1000 }, { 0, 1000, 1 } },
		{ '<', "A", 90000, 6501, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, { 6501, 8501, 1000 }, { 90000, 91000, 2000 } },
		{ '>', "A", 6501, 90000, 10, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 6511, 8501, 1000 }, { 90000, 91000, 2000 } },
	};
	/* FIN and RST count in a loose packet, SYN and ACK do not */
	static const struct tcp_row loose_fin[] = {
		{ '>', "A", 5000, 90000, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5001, 1000 }, { 0, 1, 1 } },
		{ '>', "FA", 6000, 90000, 100, 1000, NO_OPT, W_LOOSE, CG, CL, KEEP, { 6101, 5001, 1000 }, { 0, 1000, 1 } },
		{ '>', "RA", 6000, 90000, 100, 1000, NO_OPT, W_LOOSE, TW, TW, KEEP, { 6101, 5001, 1000 }, { 0, 1000, 1 } },
	};
	/* one side has been acknowledged its FIN: beyond the window is loose now, for both directions */
	static const struct tcp_row half_closed[] = {
		HANDSHAKE,
		{ '>', "FA", 5001, 90001, 0, 1000, NO_OPT, W_PASS, CG, ES, T_CLG, {}, {} },
		{ '>', "A", 7000, 90001, 10, 1000, NO_OPT, W_DROP, CG, ES, KEEP, {}, {} },
		{ '<', "A", 90001, 5002, 0, 2000, NO_OPT, W_PASS, FW, ES, T_CLG, { 5002, 7002, 1000 }, { 90001, 91001, 2000 } },
		{ '>', "A", 7000, 90001, 10, 1000, NO_OPT, W_LOOSE, FW, ES, KEEP, { 7010, 7002, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "A", 91000, 5002, 10, 2000, NO_OPT, W_LOOSE, FW, ES, KEEP, { 7010, 7002, 1000 }, { 91010, 91001, 2000 } },
	};
	struct fp_state st;

	ROWS(half_closed, false, &st);
	ROWS(after_close, false, &st);
	ROWS(simultaneous, false, &st);
	ROWS(midstream, false, &st);
	ROWS(loose_fin, false, &st);
}

/* Step F: the answer fits neither side. */
static void
test_mismatch_in_handshake(void **state)
{
	static const struct tcp_row half_open[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		/* a server that still has an old connection answers with the numbers of that */
		{ '<', "A", 70000, 200000, 0, 2000, NO_OPT, W_DROP_RST, SS, SS, KEEP, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		/* no RST in answer to one */
		{ '<', "RA", 70000, 200000, 0, 0, NO_OPT, W_DROP, SS, SS, KEEP, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		{ '<', "SA", 90000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
	};
	/* once one side is further, a misfit is only dropped */
	static const struct tcp_row answered[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '<', "SA", 90000, 5001, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '>', "A", 5001, 500000, 0, 1000, NO_OPT, W_DROP, ES, SS, KEEP, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
		{ '<', "A", 99999, 5001, 10, 1000, NO_OPT, W_DROP, ES, SS, KEEP, { 5000, 7001, 1000 }, { 90001, 91001, 2000 } },
	};
	struct fp_tcp_seg seg = { .seq = 70000, .ack = 200000, .win = 9, .flags = FP_TH_ACK };
	struct fp_track_out out;
	struct fp_state st;

	ROWS(half_open, false, &st);
	ROWS(answered, false, &st);
	st.peer[0] = (struct fp_peer){ .seqlo = 10, .seqhi = 12, .max_win = 5, .state = SS };
	st.peer[1] = (struct fp_peer){ .seqlo = 70, .seqhi = 90, .max_win = 5, .state = SS };
	assert_int_equal(fp_tcp_track(&st, 1, &seg, 1, 1, &out), FP_V_DROP);
	assert_true(out.send_rst);
	assert_int_equal(out.seq, 200000);
	assert_int_equal(out.first, 0);
}

static void
test_sloppy(void **state)
{
	static const struct tcp_row both_halves[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '<', "SA", 90000, 1, 0, 2000, NO_OPT, W_PASS, ES, SS, T_OPEN, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		{ '>', "A", 9, 9, 9, 1000, NO_OPT, W_PASS, ES, ES, T_EST, { 5000, 5002, 1000 }, { 0, 1, 1 } },
		{ '>', "S", 9, 9, 9, 1000, NO_OPT, W_CHALLENGE, ES, ES, KEEP, {}, {} },
		{ '<', "FA", 1, 1, 0, 2000, NO_OPT, W_PASS, ES, CG, T_CLG, {}, {} },
		{ '>', "FA", 1, 1, 0, 2000, NO_OPT, W_PASS, CG, FW, T_FINW, {}, {} },
		{ '<', "A", 1, 1, 0, 2000, NO_OPT, W_PASS, FW, FW, T_CLSD, {}, {} },
		{ '>', "S", 9, 9, 9, 1000, NO_OPT, W_REUSE, FW, FW, KEEP, {}, {} },
	};
	/* only what the client sends is seen */
	static const struct tcp_row one_half[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '>', "A", 5001, 3, 0, 1000, NO_OPT, W_PASS, ES, ES, T_EST, {}, { 0, 1, 1 } },
		{ '>', "FA", 5001, 3, 0, 1000, NO_OPT, W_PASS, CG, CG, T_FINW, {}, {} },
		{ '>', "A", 5002, 4, 0, 1000, NO_OPT, W_PASS, CG, FW, T_FINW, {}, {} },
	};
	/* an answer without SYN opens the asking side only */
	static const struct tcp_row no_syn_ack[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '<', "A", 1, 1, 0, 1000, NO_OPT, W_PASS, ES, CL, T_OPEN, {}, {} },
		{ '>', "A", 1, 1, 0, 1000, NO_OPT, W_PASS, ES, CL, T_OPEN, {}, {} },
		{ '<', "SA", 1, 1, 0, 1000, NO_OPT, W_PASS, ES, SS, T_OPEN, {}, {} },
	};
	static const struct tcp_row rst[] = {
		{ '>', "S", 5000, 0, 0, 1000, NO_OPT, W_PASS, SS, CL, T_FIRST, {}, {} },
		{ '<', "R", 1, 0, 0, 1000, NO_OPT, W_PASS, TW, TW, T_CLSD, {}, {} },
	};
	struct fp_state st;

	ROWS(both_halves, true, &st);
	ROWS(one_half, true, &st);
	ROWS(no_syn_ack, true, &st);
	ROWS(rst, true, &st);
}

/* Both ends ESTABLISHED is told exactly once, by the packet that did it. */
static void
test_established_once(void **state)
{
	struct fp_tcp_seg syn = { .seq = 5000, .win = 1000, .flags = FP_TH_SYN };
	struct fp_tcp_seg synack = { .seq = 90000, .ack = 5001, .win = 2000, .flags = FP_TH_SYN | FP_TH_ACK };
	struct fp_tcp_seg ack = { .seq = 5001, .ack = 90001, .win = 1000, .flags = FP_TH_ACK };
	struct fp_track_out out;

	for (int sloppy = 0; sloppy < 2; sloppy++) {
		struct fp_state st = { 0 };

		fp_tcp_create(&st, &syn, 1, 0);
		for (int i = 0; i < 3; i++) {
			const struct fp_tcp_seg *seg = i == 0 ? &synack : &ack;

			if (sloppy)
				fp_tcp_track_sloppy(&st, i == 0, seg, 2, &out);
			else
				fp_tcp_track(&st, i == 0, seg, 2, 0, &out);
			assert_int_equal(out.established, i == 1);
		}
	}
}

static void
test_quote(void **state)
{
	struct fp_state st = { .peer = {
		{ .seqlo = 5000, .seqhi = 7000, .max_win = 50, .state = ES, .wscale = 0x82 },
		{ .seqlo = 90000, .seqhi = 91000, .max_win = 300, .state = ES, .wscale = 0x83 },
	} };

	assert_true(fp_tcp_quote_ok(&st, 0, 7000));
	assert_false(fp_tcp_quote_ok(&st, 0, 7001));
	assert_true(fp_tcp_quote_ok(&st, 0, 5000 - (300 << 3)));
	assert_false(fp_tcp_quote_ok(&st, 0, 5000 - (300 << 3) - 1));
	assert_true(fp_tcp_quote_ok(&st, 1, 90000 - (50 << 2)));
	assert_false(fp_tcp_quote_ok(&st, 1, 90000 - (50 << 2) - 1));
	st.peer[0].wscale = 0; /* one side alone does not scale */
	assert_false(fp_tcp_quote_ok(&st, 0, 5000 - 301));
	assert_true(fp_tcp_quote_ok(&st, 0, 5000 - 300));
	st.seqdiff[0] = 1000000;
	assert_int_equal(fp_tcp_quote_seq(&st, 0, 7000), 7000); /* not flagged, not read */
	st.flags = FP_SF_SEQDIFF;
	assert_int_equal(fp_tcp_quote_seq(&st, 0, 1007000), 7000);
	assert_int_equal(fp_tcp_quote_seq(&st, 1, 91000), 91000);
}

static void
test_timeout_table(void **state)
{
	static const struct { uint8_t s, d, timeout; } rows[] = {
		{ FW, FW, T_CLSD }, { TW, TW, T_CLSD }, { FW, TW, T_CLSD }, { CG, FW, T_FINW }, { CG, CG, T_FINW },
		{ FW, CG, T_FINW }, { SS, CL, T_OPEN }, { ES, SS, T_OPEN }, { CG, SS, T_OPEN }, { FW, CL, T_OPEN },
		{ CG, ES, T_CLG }, { ES, FW, T_CLG }, { ES, ES, T_EST },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(fp_tcp_timeout(rows[i].s, rows[i].d), rows[i].timeout);
		assert_int_equal(fp_tcp_timeout(rows[i].d, rows[i].s), rows[i].timeout);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create), cmocka_unit_test(test_normal), cmocka_unit_test(test_syn_on_old),
		cmocka_unit_test(test_scaling), cmocka_unit_test(test_first_edge), cmocka_unit_test(test_edges), cmocka_unit_test(test_skew_scaled),
		cmocka_unit_test(test_loose), cmocka_unit_test(test_mismatch_in_handshake), cmocka_unit_test(test_sloppy),
		cmocka_unit_test(test_established_once), cmocka_unit_test(test_quote), cmocka_unit_test(test_timeout_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
