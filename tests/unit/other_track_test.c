/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP, other protocols and ICMP queries: peers and timeouts after each packet (spec/tcp-state.md 2 and 7). */
#include "tcp_rows.h"

struct row {
	int rev;
	uint8_t src, dst, udp_timeout, other_timeout;
};

static const struct row rows[] = {
	{ 0, 1, 0, POL_TM_UDP_SINGLE, POL_TM_OTHER_SINGLE },	/* repeats itself: not yet answered */
	{ 0, 1, 0, POL_TM_UDP_SINGLE, POL_TM_OTHER_SINGLE },
	{ 1, 2, 1, POL_TM_UDP_SINGLE, POL_TM_OTHER_SINGLE },
	{ 1, 2, 1, POL_TM_UDP_SINGLE, POL_TM_OTHER_SINGLE },
	{ 0, 2, 2, POL_TM_UDP_MULTIPLE, POL_TM_OTHER_MULTIPLE },
	{ 1, 2, 2, POL_TM_UDP_MULTIPLE, POL_TM_OTHER_MULTIPLE },
};

static void
run(void (*create)(struct fp_state *, uint32_t), void (*track)(struct fp_state *, int, uint32_t), bool udp)
{
	struct fp_state st;

	memset(&st, 0xaa, sizeof(st));
	create(&st, 50);
	assert_int_equal(st.peer[0].state, FP_OTHERS_SINGLE);
	assert_int_equal(st.peer[1].state, FP_OTHERS_NO_TRAFFIC);
	assert_int_equal(st.peer[0].seqlo | st.peer[1].seqhi | st.peer[0].max_win | st.peer[1].wscale, 0);
	assert_int_equal(st.timeout, udp ? POL_TM_UDP_FIRST : POL_TM_OTHER_FIRST);
	assert_int_equal(st.created_sec, 50);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		track(&st, rows[i].rev, 60 + i);
		assert_int_equal(st.peer[0].state, rows[i].src);
		assert_int_equal(st.peer[1].state, rows[i].dst);
		assert_int_equal(st.timeout, udp ? rows[i].udp_timeout : rows[i].other_timeout);
		assert_int_equal(st.last_sec, 60 + i);
		assert_int_equal(st.created_sec, 50);
	}
}

static void
test_udp(void **state)
{
	run(fp_udp_create, fp_udp_track, true);
}

static void
test_other(void **state)
{
	run(fp_other_create, fp_other_track, false);
}

static void
test_icmp(void **state)
{
	struct fp_state st;

	memset(&st, 0xaa, sizeof(st));
	fp_icmp_create(&st, 50);
	assert_int_equal(st.peer[0].state, 0);
	assert_int_equal(st.peer[1].state, 0);
	assert_int_equal(st.timeout, POL_TM_ICMP_FIRST);
	fp_icmp_track(&st, 60);
	assert_int_equal(st.peer[0].state, 0);
	assert_int_equal(st.peer[1].state, 0);
	assert_int_equal(st.timeout, POL_TM_ICMP_ERROR);
	assert_int_equal(st.last_sec, 60);
	assert_int_equal(st.created_sec, 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp), cmocka_unit_test(test_other), cmocka_unit_test(test_icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
