/* SPDX-License-Identifier: BSD-2-Clause */
/* The SYN proxy, row by row of spec/tcp-state.md 5, and the way in from a cookie. */
#include "tcp_rows.h"

#include "fastpath/synproxy.h"

#define BOX 700000u	/* number of the box's SYN+ACK */
#define CLI 800000u	/* number of its SYN to the server */

static struct fp_state st;
static struct fp_state_ext ext;
static struct fp_synproxy_out out;

static void
start(void)
{
	struct fp_tcp_seg syn = { .seq = 5000, .win = 1000, .flags = FP_TH_SYN, .wscale = 0x83 };

	memset(&st, 0, sizeof(st));
	memset(&ext, 0, sizeof(ext));
	fp_tcp_create(&st, &syn, 9, 0);
	fp_synproxy_start(&st, &ext, 1400, BOX, &out);
}

static enum fp_synproxy_verdict
packet(int rev, const char *flags, uint32_t seq, uint32_t ack, uint16_t win)
{
	struct fp_tcp_seg seg = { .seq = seq, .ack = ack, .win = win, .flags = row_flags(flags) };

	return fp_synproxy(&st, &ext, rev, &seg, CLI, &out);
}

static void
expect_seg(unsigned i, enum fp_synproxy_to to, const char *flags, uint32_t seq, uint32_t ack, uint16_t win, uint16_t mss)
{
	assert_true(i < out.n);
	assert_int_equal(out.seg[i].to, to);
	assert_int_equal(out.seg[i].flags, row_flags(flags));
	assert_int_equal(out.seg[i].seq, seq);
	assert_int_equal(out.seg[i].ack, ack);
	assert_int_equal(out.seg[i].win, win);
	assert_int_equal(out.seg[i].mss, mss);
}

static void
test_start(void **state)
{
	start();
	assert_int_equal(out.n, 1);
	expect_seg(0, FP_SYNPROXY_TO_SENDER, "SA", BOX, 5001, 0, 1400);
	assert_int_equal(st.peer[0].state, FP_TCPS_PROXY_SRC);
	assert_int_equal(st.peer[0].seqlo, 5000);
	assert_int_equal(st.peer[0].seqhi, BOX);
	assert_int_equal(st.peer[1].state, FP_TCPS_CLOSED);
	assert_int_equal(st.timeout, POL_TM_TCP_FIRST);
	assert_true(st.flags & FP_SF_SLOW);
	assert_true(fp_synproxy_active(&st));
}

static void
test_waiting_for_client(void **state)
{
	static const struct { const char *name; int rev; const char *flags; uint32_t seq, ack; bool answered; } rows[] = {
		{ "SYN again", 0, "S", 5000, 0, true },
		{ "SYN with ECN", 0, "SEW", 5000, 0, true },
		{ "other SYN", 0, "S", 5001, 0, false },
		{ "SYN+ACK", 0, "SA", 5001, BOX + 1, false },
		{ "RST", 0, "R", 5001, 0, false },
		{ "RST+ACK", 0, "RA", 5001, BOX + 1, false },
		{ "FIN+ACK", 0, "FA", 5001, BOX + 1, false },
		{ "ACK of something else", 0, "A", 5001, BOX + 2, false },
		{ "ACK with another number", 0, "A", 5000, BOX + 1, false },
		{ "from the server", 1, "SA", 1, 5001, false },
		{ "server's number fits", 1, "A", 5001, BOX + 1, false },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fp_state before;

		start();
		before = st;
		assert_int_equal(packet(rows[i].rev, rows[i].flags, rows[i].seq, rows[i].ack, 99), FP_SYNPROXY_TAKEN);
		if (out.n != rows[i].answered || out.check_limits)
			fail_msg("%s", rows[i].name);
		if (rows[i].answered)
			expect_seg(0, FP_SYNPROXY_TO_SENDER, "SA", BOX, 5001, 0, 1400);
		assert_memory_equal(&st, &before, sizeof(st));
	}
}

static void
test_whole(void **state)
{
	struct fp_tcp_seg data = { .seq = 5001, .ack = BOX + 1, .len = 10, .win = 900, .flags = FP_TH_ACK };
	struct fp_track_out track;

	start();
	/* payload is allowed and lost */
	assert_int_equal(packet(0, "PA", 5001, BOX + 1, 0), FP_SYNPROXY_TAKEN);
	assert_true(out.check_limits);
	assert_int_equal(out.n, 1);
	expect_seg(0, FP_SYNPROXY_TO_SERVER, "S", CLI, 0, 0, 1400);
	assert_int_equal(st.peer[0].state, FP_TCPS_PROXY_DST);
	assert_int_equal(st.peer[0].max_win, 1);
	assert_int_equal(st.peer[1].seqhi, CLI);

	/* again: the same SYN, with the limits not asked twice; FIN and RST with the right numbers too */
	assert_int_equal(packet(0, "A", 5001, BOX + 1, 900), FP_SYNPROXY_TAKEN);
	assert_false(out.check_limits);
	expect_seg(0, FP_SYNPROXY_TO_SERVER, "S", CLI, 0, 0, 1400);
	assert_int_equal(st.peer[0].max_win, 900);
	assert_int_equal(packet(0, "FA", 5001, BOX + 1, 900), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 1);

	/* what does not fit */
	assert_int_equal(packet(0, "A", 5001, BOX, 900), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 0);
	assert_int_equal(packet(0, "S", 5000, 0, 900), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 0);
	assert_int_equal(packet(1, "RA", 0, CLI + 1, 0), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 0);
	assert_int_equal(packet(1, "SA", 90000, CLI, 2000), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 0);
	assert_int_equal(packet(1, "S", 90000, CLI + 1, 2000), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 0);
	assert_int_equal(st.peer[0].state, FP_TCPS_PROXY_DST);

	/* the server answers */
	assert_int_equal(packet(1, "SA", 90000, CLI + 1, 2000), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 2);
	assert_true(out.sync);
	expect_seg(0, FP_SYNPROXY_TO_SENDER, "A", CLI + 1, 90001, 900, 0);
	expect_seg(1, FP_SYNPROXY_TO_CLIENT, "A", BOX + 1, 5001, 2000, 0);
	assert_int_equal(st.seqdiff[0], CLI - 5000);
	assert_int_equal(st.seqdiff[1], BOX - 90000);
	assert_int_equal(st.peer[0].seqlo, 5000);
	assert_int_equal(st.peer[0].seqhi, 7000);
	assert_int_equal(st.peer[1].seqlo, 90000);
	assert_int_equal(st.peer[1].seqhi, 90900);
	assert_int_equal(st.peer[1].max_win, 2000);
	assert_int_equal(st.peer[0].wscale | st.peer[1].wscale, 0);
	assert_int_equal(st.peer[0].state, FP_TCPS_ESTABLISHED);
	assert_int_equal(st.peer[1].state, FP_TCPS_ESTABLISHED);
	assert_int_equal(st.timeout, POL_TM_TCP_FIRST);
	assert_false(fp_synproxy_active(&st));

	/* from here on ordinary tracking, with shifted numbers */
	assert_int_equal(packet(0, "A", 5001, BOX + 1, 900), FP_SYNPROXY_PASS);
	assert_int_equal(fp_tcp_track(&st, 0, &data, 20, 1, &track), FP_V_PASS);
	assert_true(track.modulate);
	assert_int_equal(track.new_seq, CLI + 1);
	assert_int_equal(track.new_ack, 90001);
	assert_int_equal(st.timeout, POL_TM_TCP_ESTABLISHED);
}

static void
test_window_zero(void **state)
{
	start();
	packet(0, "A", 5001, BOX + 1, 0);
	packet(1, "SA", 90000, CLI + 1, 0);
	expect_seg(0, FP_SYNPROXY_TO_SENDER, "A", CLI + 1, 90001, 1, 0);
	expect_seg(1, FP_SYNPROXY_TO_CLIENT, "A", BOX + 1, 5001, 1, 0);
}

static void
test_abort(void **state)
{
	struct fp_synproxy_seg seg;

	start();
	assert_false(fp_synproxy_abort(&st, &seg));
	packet(0, "A", 5001, BOX + 1, 0);
	assert_true(fp_synproxy_abort(&st, &seg));
	assert_int_equal(seg.to, FP_SYNPROXY_TO_CLIENT);
	assert_int_equal(seg.flags, FP_TH_RST | FP_TH_ACK);
	assert_int_equal(seg.seq, BOX);
	assert_int_equal(seg.ack, 5001);
	packet(1, "SA", 90000, CLI + 1, 2000);
	assert_false(fp_synproxy_abort(&st, &seg));
}

static void
test_mss(void **state)
{
	static const struct { uint8_t af; uint16_t offered; uint32_t client, server; uint16_t want; } rows[] = {
		{ FP_AF_INET, 1460, 1500, 1500, 1460 }, { FP_AF_INET, 9000, 1500, 9000, 1460 }, { FP_AF_INET, 9000, 9000, 1400, 1360 },
		{ FP_AF_INET6, 1460, 1500, 1500, 1440 }, { FP_AF_INET, 0, 1500, 1500, 64 }, { FP_AF_INET, 512, 1500, 1500, 512 },
		{ FP_AF_INET, 1460, 0, 1500, 512 }, { FP_AF_INET, 1460, 300, 1500, 512 }, { FP_AF_INET6, 65535, 10, 0, 512 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fp_synproxy_mss(rows[i].af, rows[i].offered, rows[i].client, rows[i].server), rows[i].want);
}

static void
test_from_cookie(void **state)
{
	struct fp_tcp_seg syn = { .seq = 5000, .win = 7, .flags = FP_TH_SYN };
	struct fp_tcp_seg ack = { .seq = 5001, .ack = BOX + 1, .win = 900, .flags = FP_TH_ACK };

	memset(&st, 0, sizeof(st));
	memset(&ext, 0xaa, sizeof(ext));
	ext.mss[0] = 0;	/* as a new record has it */
	fp_tcp_create(&st, &syn, 9, 0);
	assert_int_equal(fp_synproxy_cookie(&st, &ext, &ack, &out), FP_SYNPROXY_TAKEN);
	assert_int_equal(out.n, 1);
	/* the server sees the cookie as the client's number, and no MSS */
	expect_seg(0, FP_SYNPROXY_TO_SERVER, "S", BOX, 0, 0, 0);
	assert_false(out.check_limits);
	assert_int_equal(st.peer[0].state, FP_TCPS_PROXY_DST);
	assert_int_equal(st.peer[0].seqlo, 5000);
	assert_int_equal(st.peer[0].max_win, 900);
	packet(1, "SA", 90000, BOX + 1, 2000);
	expect_seg(0, FP_SYNPROXY_TO_SENDER, "A", BOX + 1, 90001, 900, 0);
	expect_seg(1, FP_SYNPROXY_TO_CLIENT, "A", BOX + 1, 5001, 2000, 0);
	assert_int_equal(st.seqdiff[0], BOX - 5000);
	assert_int_equal(st.seqdiff[1], BOX - 90000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start), cmocka_unit_test(test_waiting_for_client), cmocka_unit_test(test_whole),
		cmocka_unit_test(test_window_zero), cmocka_unit_test(test_abort), cmocka_unit_test(test_mss),
		cmocka_unit_test(test_from_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
