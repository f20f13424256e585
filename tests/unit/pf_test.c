/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf on packets, through the whole worker: what comes out, which states there are, what they counted. The heart of it is
 * that two pf states in one record must never be seen to differ from two records (state.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "fastpath/parse.h"
#include "fastpath/tcp_track.h"
#include "rig/rig.h"

#define C "10.0.2.100"
#define S "10.0.1.100"

static struct rig *r;
static uint8_t b[9000];

static unsigned
c2s(uint8_t flags, uint32_t seq, uint32_t ack, unsigned payload)
{
	return rig_ip(r, RIG_INT, b, rig_tcp4(b, C, S, 40000, 80, flags, seq, ack, payload));
}

static unsigned
s2c(uint8_t flags, uint32_t seq, uint32_t ack, unsigned payload)
{
	return rig_ip(r, RIG_EXT, b, rig_tcp4(b, S, C, 80, 40000, flags, seq, ack, payload));
}

static void
start(const char *rules)
{
	fp_states_flush(r->box, NULL);
	assert_int_equal(rig_load(r, rules), 0);
	rig_poll(r);
	fp_stats_clear(r->box);
	rig_clear(r);
}

static void
handshake(void)
{
	assert_int_equal(c2s(FP_TH_SYN, 1000, 0, 0), 1);
	assert_int_equal(s2c(FP_TH_SYN | FP_TH_ACK, 5000, 1001, 0), 1);
	assert_int_equal(c2s(FP_TH_ACK, 1001, 5001, 0), 1);
}

static void
check(unsigned dir, uint8_t src, uint8_t dst, uint64_t fwd, uint64_t rev)
{
	struct fp_state_view v;

	assert_true(rig_state(r, dir, IPPROTO_TCP, 40000, &v));
	assert_int_equal(v.src.state, src);
	assert_int_equal(v.dst.state, dst);
	assert_int_equal(v.packets[0], fwd);
	assert_int_equal(v.packets[1], rev);
}

static uint64_t
total(enum fp_total t)
{
	struct fp_stats st;

	fp_stats_get(r->box, &st);
	return st.totals[t];
}

static uint64_t
reason(enum fp_reason x)
{
	struct fp_stats st;

	fp_stats_get(r->box, &st);
	return st.reasons[x];
}

static uint64_t
dropped(enum fp_drop x)
{
	struct fp_stats st;

	fp_stats_get(r->box, &st);
	return st.drops[x];
}

/* A plain connection: two states, one record, the short path. */
static void
test_connection(void **state)
{
	start("pass\n");
	handshake();
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
	assert_int_equal(total(FP_T_FORWARDED_FAST), 0);
	assert_int_equal(c2s(FP_TH_ACK | FP_TH_PUSH, 1001, 5001, 100), 1);
	assert_int_equal(s2c(FP_TH_ACK, 5001, 1101, 0), 1);
	assert_int_equal(total(FP_T_FORWARDED_FAST), 2);
	assert_int_equal(total(FP_T_UNCOUPLED), 0);
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 2);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 2);
	assert_int_equal(s2c(FP_TH_FIN | FP_TH_ACK, 5001, 1101, 0), 1);
	assert_int_equal(c2s(FP_TH_FIN | FP_TH_ACK, 1101, 5002, 0), 1);
	assert_int_equal(s2c(FP_TH_ACK, 5002, 1102, 0), 1);
	check(1, FP_TCPS_FIN_WAIT_2, FP_TCPS_FIN_WAIT_2, 4, 4);
	check(2, FP_TCPS_FIN_WAIT_2, FP_TCPS_FIN_WAIT_2, 4, 4);
	/* reuse, after the two minutes that sequence numbers live: both halves are replaced, the new ones share again */
	handshake();
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
	assert_int_equal(c2s(FP_TH_ACK | FP_TH_PUSH, 1001, 5001, 100), 1);
	assert_int_equal(total(FP_T_FORWARDED_FAST), 3);
}

/* The short path rewrites what a router must and nothing else. */
static void
test_rewrite(void **state)
{
	unsigned n;

	start("pass\n");
	handshake();
	n = rig_tcp4(b, C, S, 40000, 80, FP_TH_ACK, 1001, 5001, 8);
	rig_clear(r);
	assert_int_equal(rig_ip(r, RIG_INT, b, n), 1);
	assert_int_equal(r->out[0].side, RIG_EXT);
	assert_int_equal(r->out[0].len, 14 + n);
	assert_memory_equal(r->out[0].frame, "\x02\0\0\0\x01\x64", 6);
	assert_memory_equal(r->out[0].frame + 6, r->mac[RIG_EXT], 6);
	assert_int_equal(r->out[0].frame[14 + 8], 63);
	b[8] = 63;
	/* header checksum: TTL one less */
	assert_int_equal((uint16_t)(r->out[0].frame[24] << 8 | r->out[0].frame[25]), (uint16_t)((b[10] << 8 | b[11]) + 0x100));
	memcpy(b + 10, r->out[0].frame + 24, 2);
	assert_memory_equal(r->out[0].frame + 14, b, n);
}

/* A packet that dies of its TTL moved the inbound state only: the halves part, and both stay right. */
static void
test_ttl(void **state)
{
	unsigned n;

	start("pass\n");
	handshake();
	n = rig_tcp4(b, C, S, 40000, 80, FP_TH_ACK, 1001, 5001, 50);
	b[8] = 1;
	b[10] += 63;	/* checksum: TTL field is 63 * 256 less */
	rig_clear(r);
	assert_int_equal(rig_ip(r, RIG_INT, b, n), 1);
	assert_int_equal(r->out[0].side, RIG_INT);
	assert_int_equal(r->out[0].frame[14 + 20], 11);
	assert_int_equal(total(FP_T_UNCOUPLED), 1);
	/* the error itself went out through the inbound state, in the other direction */
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 2);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
	assert_int_equal(c2s(FP_TH_ACK, 1001, 5001, 50), 1);
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 4, 2);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 1);
}

/* Too big for the way out: both states have it, the error counts on the inbound one alone, the record stays shared. */
static void
test_need_frag(void **state)
{
	struct fp_err err;
	unsigned n;

	start("pass\n");
	handshake();
	assert_int_equal(fp_if_set_mtu(r->box, "ext0", 1000, &err), 0);
	rig_poll(r);
	n = rig_tcp4(b, C, S, 40000, 80, FP_TH_ACK, 1001, 5001, 1200);
	b[6] = 0x40;
	b[10] -= 0x40;
	rig_clear(r);
	assert_int_equal(rig_ip(r, RIG_INT, b, n), 1);
	assert_int_equal(fp_if_set_mtu(r->box, "ext0", 1500, &err), 0);
	rig_poll(r);
	assert_int_equal(r->out[0].side, RIG_INT);
	assert_memory_equal(r->out[0].frame + 14 + 20, "\x03\x04", 2);
	assert_memory_equal(r->out[0].frame + 14 + 26, "\x03\xe8", 2);
	assert_int_equal(dropped(FP_D_NEED_FRAG), 1);
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 2);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 1);
}

/* Out of the window: dropped, counted, nothing changed; the connection goes on. */
static void
test_mismatch(void **state)
{
	start("pass\n");
	handshake();
	assert_int_equal(c2s(FP_TH_ACK, 1001 + 100000, 5001, 10), 0);
	assert_int_equal(reason(FP_R_STATE_MISMATCH), 1);
	assert_int_equal(dropped(FP_D_STATE_MISMATCH), 1);
	assert_int_equal(c2s(FP_TH_ACK, 1001, 5001, 10), 1);
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 1);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 1);
}

/* A SYN in the middle of an established connection is answered with the numbers that are true. */
static void
test_challenge(void **state)
{
	start("pass\n");
	handshake();
	rig_clear(r);
	assert_int_equal(c2s(FP_TH_SYN, 77777, 0, 0), 1);
	assert_int_equal(r->out[0].side, RIG_INT);
	assert_int_equal(r->out[0].frame[14 + 20 + 13], FP_TH_ACK);
	check(1, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
}

/* Inbound rules pass, outbound rules block: the inbound state is there and counts, nothing leaves. */
static void
test_blocked_out(void **state)
{
	start("block out\npass in\n");
	assert_int_equal(c2s(FP_TH_SYN, 1000, 0, 0), 0);
	assert_int_equal(rig_states(r), 1);
	check(1, FP_TCPS_SYN_SENT, FP_TCPS_CLOSED, 1, 0);
	assert_int_equal(dropped(FP_D_RULE), 1);
}

/* Rules with timeouts of their own: the halves share tracking and expire apart. */
static void
test_timeouts(void **state)
{
	struct fp_state_view v;

	start("set timeout interval 1\npass in proto udp keep state (udp.first 5)\npass out proto udp keep state (udp.first 50)\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	assert_true(rig_state(r, 1, IPPROTO_UDP, 40000, &v));
	assert_in_range(v.expires_sec, 4, 5);
	assert_true(rig_state(r, 2, IPPROTO_UDP, 40000, &v));
	assert_in_range(v.expires_sec, 49, 50);
	rig_pass_sec(r, 8);
	assert_int_equal(rig_states(r), 1);
	assert_true(rig_state(r, 2, IPPROTO_UDP, 40000, &v));
	/* the answer comes in by the half that is left and finds no inbound state to leave by: rules */
	rig_pass_sec(r, 60);
	assert_int_equal(rig_states(r), 0);
}

/* pfctl -k of one half leaves the other. */
static void
test_kill_half(void **state)
{
	struct fp_state_filter f = { .has_id = true };
	struct fp_state_view v;

	start("pass\n");
	handshake();
	assert_true(rig_state(r, 1, IPPROTO_TCP, 40000, &v));
	f.id = v.id;
	f.creatorid = v.creatorid;
	assert_int_equal(fp_states_kill(r->box, &f), 1);
	assert_int_equal(rig_states(r), 1);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 2, 1);
	/* no inbound state, and an ACK is no opening packet: the default rule passes it, the outbound state tracks it */
	assert_int_equal(c2s(FP_TH_ACK, 1001, 5001, 10), 1);
	assert_int_equal(rig_states(r), 1);
	check(2, FP_TCPS_ESTABLISHED, FP_TCPS_ESTABLISHED, 3, 1);
}

/* The state limit counts halves and refuses without touching what is there. */
static void
test_limit(void **state)
{
	start("set limit states 4\npass\n");
	handshake();
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 1, 53, 0)), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 2, 53, 0)), 0);
	assert_int_equal(reason(FP_R_MEMORY), 1);
	assert_int_equal(rig_states(r), 4);
	assert_int_equal(c2s(FP_TH_ACK, 1001, 5001, 10), 1);
	start("pass\n");
}

/* A reload keeps states, their rule keeps its timeouts but loses its number. */
static void
test_reload(void **state)
{
	struct fp_state_view v;

	start("pass keep state (tcp.established 1234)\n");
	handshake();
	assert_int_equal(rig_load(r, "pass out\npass in\n"), 0);
	rig_poll(r);
	assert_true(rig_state(r, 1, IPPROTO_TCP, 40000, &v));
	assert_int_equal(v.rule_nr, UINT32_MAX);
	assert_in_range(v.expires_sec, 1230, 1234);
	assert_int_equal(c2s(FP_TH_ACK, 1001, 5001, 10), 1);
	assert_int_equal(total(FP_T_UNCOUPLED), 0);
}

/* UDP, ping, and an error that speaks of a flow. */
static void
test_others(void **state)
{
	uint8_t q[64];
	struct fp_state_view v;

	start("block\npass in on int0\npass out on ext0\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_udp4(b, S, C, 53, 40000, 20)), 1);
	assert_true(rig_state(r, 1, IPPROTO_UDP, 40000, &v));
	assert_int_equal(v.packets[0], 1);
	assert_int_equal(v.packets[1], 1);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_udp4(b, S, C, 53, 40001, 20)), 0);
	rig_udp4(q, C, S, 40000, 53, 10);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, S, C, 3, 3, 0, q, 28)), 1);
	assert_true(rig_state(r, 1, IPPROTO_UDP, 40000, &v));
	assert_int_equal(v.packets[1], 2);
	rig_udp4(q, C, S, 40001, 53, 10);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, S, C, 3, 3, 0, q, 28)), 0);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_icmp4(b, C, S, 8, 0, 77, NULL, 0)), 1);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, S, C, 0, 0, 77, NULL, 0)), 1);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, S, C, 0, 0, 78, NULL, 0)), 0);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, S, C, 8, 0, 77, NULL, 0)), 0);
}

/* Answers of the box itself. */
static void
test_local(void **state)
{
	start("pass\n");
	rig_clear(r);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_icmp4(b, C, "10.0.2.1", 8, 0, 5, NULL, 0)), 1);
	assert_int_equal(r->out[0].frame[14 + 20], 0);
	assert_int_equal(rig_states(r), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_tcp4(b, C, "10.0.2.1", 1, 22, FP_TH_SYN, 9, 0, 0)), 1);
	assert_int_equal(r->out[1].frame[14 + 20 + 13], FP_TH_RST | FP_TH_ACK);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, "10.0.2.1", 1, 7, 0)), 1);
	assert_memory_equal(r->out[2].frame + 14 + 20, "\x03\x03", 2);
}

/* max-pkt-rate: of the rule, over states and packets without one; what is beyond it finds no state: other rules decide. */
static void
test_pkt_rate(void **state)
{
	start("block in\npass in proto udp max-pkt-rate 3/10\npass out\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_udp4(b, S, C, 53, 40000, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 0);
	assert_int_equal(reason(FP_R_STATE_INSERT), 0);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40001, 53, 10)), 0);
	rig_pass_sec(r, 11);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	/* one that would make it a state runs into the one there is */
	start("pass\npass in proto udp max-pkt-rate 1/10\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 0);
	assert_int_equal(reason(FP_R_STATE_INSERT), 1);
}

/* A state gives its tag to every packet, not only to the first. */
static void
test_tag(void **state)
{
	start("block\npass in proto udp tag T\npass out tagged T no state\n");
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
	start("block\nmatch in tag T\npass in proto udp\npass out tagged T no state\n");
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, S, 40000, 53, 10)), 1);
}

static unsigned
with_byte(unsigned len, unsigned at, uint8_t v)
{
	uint16_t sum;

	b[at] = v;
	b[10] = b[11] = 0;
	sum = fp_ip4_cksum(b, 20);
	memcpy(b + 10, &sum, 2);
	return len;
}

/* Rules look at the DSCP of a packet, whatever its ECN; ICMP of the other family is dropped; refused fragments count. */
static void
test_headers(void **state)
{
	start("block\npass tos 0x10\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, with_byte(rig_udp4(b, C, S, 1, 53, 10), 1, 0x12)), 1);
	assert_int_equal(rig_ip(r, RIG_INT, b, with_byte(rig_udp4(b, C, S, 2, 53, 10), 1, 0x02)), 0);
	start("pass\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, with_byte(rig_udp4(b, C, S, 1, 53, 10), 9, 58)), 0);
	assert_int_equal(reason(FP_R_NORMALIZE), 1);
	start("set reassemble no\nblock\npass in proto udp to port 53\n");
	assert_int_equal(rig_ip(r, RIG_INT, b, with_byte(rig_udp4(b, C, S, 1, 53, 8), 6, 0x20)), 0);
	assert_int_equal(reason(FP_R_FRAGMENT), 1);
	start("set reassemble yes\npass\n");
}

/* A next hop that does not answer: the packets wait, then their sender is told; the box's own packets die in silence. */
static void
test_unreachable(void **state)
{
	start("pass\n");
	rig_clear(r);
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, C, "10.0.1.77", 1, 53, 5)), 0);
	/* 5 requests, a second apart, then the answer; what follows must come before the entry is tried again */
	for (int i = 0; i < 300 && (r->n_out == 0 || r->out[r->n_out - 1].side != RIG_INT); i++) {
		usleep(50000);
		rig_pass_sec(r, 0);
		rig_poll(r);
	}
	assert_true(r->n_out >= 6);
	assert_int_equal(r->out[0].frame[13], 0x06);
	assert_int_equal(r->out[r->n_out - 1].side, RIG_INT);
	assert_memory_equal(r->out[r->n_out - 1].frame + 14 + 20, "\x03\x01", 2);
	assert_int_equal(dropped(FP_D_NEIGH_FAILED), 1);
	/* while it counts as dead the answer comes at once */
	rig_clear(r);
	rig_ip(r, RIG_INT, b, rig_udp4(b, C, "10.0.1.77", 2, 53, 5));
	rig_poll(r);
	rig_pass_sec(r, 0);
	assert_true(r->n_out >= 1);
	assert_memory_equal(r->out[r->n_out - 1].frame + 14 + 20, "\x03\x01", 2);
}

/* Every prefix of good frames, and frames of every length of nonsense: one counted outcome each, nothing leaks. */
static void
test_truncated(void **state)
{
	struct rte_mempool *pool = r->w->pool;
	unsigned avail, n, in = 0;
	struct fp_stats st;
	uint64_t out;
	uint8_t f[200];

	start("pass\n");
	avail = rte_mempool_avail_count(pool);
	n = rig_tcp4(b, C, S, 40000, 80, FP_TH_SYN, 1000, 0, 20);
	for (unsigned i = 0; i <= n; i++, in++)
		rig_ip(r, RIG_INT, b, i);
	for (unsigned i = 0; i < sizeof(f); i++, in++) {
		memset(f, (int)i, sizeof(f));
		rig_frame(r, i & 1 ? RIG_INT : RIG_EXT, f, i);
	}
	rig_poll(r);
	fp_stats_get(r->box, &st);
	out = st.totals[FP_T_FORWARDED] + st.totals[FP_T_LOCAL] + st.totals[FP_T_PUNTED] + st.totals[FP_T_FRAG_HELD];
	for (unsigned i = 0; i < FP_D_MAX; i++)
		out += st.drops[i];
	assert_int_equal(out, in);
	assert_int_equal(rte_mempool_avail_count(pool), avail);
}

static int
make_rig(void **state)
{
	r = rig_create("pass\n");
	return r != NULL ? 0 : -1;
}

static int
free_rig(void **state)
{
	rig_destroy(r);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_need_frag),
		cmocka_unit_test(test_mismatch),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_blocked_out),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_kill_half),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_pkt_rate),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, make_rig, free_rig);
}
