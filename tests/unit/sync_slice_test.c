/* SPDX-License-Identifier: BSD-2-Clause */
/* What a box puts on the cable: the sender's half of a pair, packet by packet. spec/pfsync-behaviour.md A1 to A3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/tcp_track.h"
#include "rig/rig.h"
#include "sync/pair.h"

static struct rig *r;

struct seen {
	unsigned packets, n[SYNC_UNKNOWN + 1];
	struct sync_state ins[64];
	struct sync_upd_c upd_c[64];
	struct sync_ident del[64];
	uint8_t first[64];	/* of the last packet: its header */
};
static struct seen seen;

/* Decode what left by the cable. */
static void
look(void)
{
	memset(&seen, 0, sizeof(seen));
	for (unsigned i = 0; i < r->n_cable; i++) {
		const uint8_t *f = rte_pktmbuf_mtod(r->cable[i], const uint8_t *), *ip = f + 14, *p = ip + 20;
		unsigned len = (ip[2] << 8 | ip[3]) - 20;
		struct sync_frame fr;
		struct sync_msg m;

		assert_memory_equal(f, "\x01\x00\x5e\x00\x00\xf0", 6);
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(ip[1], 0x10);
		assert_int_equal(ip[8], 255);
		assert_int_equal(ip[9], 240);
		assert_int_equal(rte_pktmbuf_pkt_len(r->cable[i]), 14 + 20 + len);
		assert_true(20 + len <= 1500);
		memcpy(seen.first, p, 20);
		assert_int_equal(sync_frame_open(&fr, p, len, SYNC_ACCEPT_ALL), SYNC_CNT_NONE);
		while (sync_frame_next(&fr, &m)) {
			unsigned k = seen.n[m.kind]++ % 64;

			if (m.kind == SYNC_INS || m.kind == SYNC_UPD)
				sync_state_decode(&seen.ins[k], m.body, m.dialect);
			else if (m.kind == SYNC_UPD_C)
				sync_upd_c_decode(&seen.upd_c[k], m.body);
			else if (m.kind == SYNC_DEL_C)
				sync_ident_decode(&seen.del[k], m.body);
		}
		assert_int_equal(fr.err, SYNC_CNT_NONE);
		seen.packets++;
		rte_pktmbuf_free(r->cable[i]);
	}
	r->n_cable = 0;
}

/* Time passes until nothing waits. */
static void
settle(void)
{
	for (int i = 0; i < 4; i++) {
		rig_skip_us(r, 15000);
		rig_turn(r);
	}
	look();
}

static int
setup(void **state)
{
	(void)state;
	r = rig_create_n("pass\npass out on ext0 proto udp to port 99 no state\npass in proto udp to port 77 keep state (no-sync)\n"
		"pass out proto udp to port 77 keep state (no-sync)\n", 0, true, 10000);
	if (r == NULL)
		return -1;
	settle();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_destroy(r);
	return 0;
}

static void
tcp(enum rig_side side, uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack, unsigned payload)
{
	uint8_t b[2048];
	unsigned n = side == RIG_INT ? rig_tcp4(b, "10.0.2.100", "10.0.1.100", port, 80, flags, seq, ack, payload) :
		rig_tcp4(b, "10.0.1.100", "10.0.2.100", 80, port, flags, seq, ack, payload);

	assert_int_equal(rig_ip(r, side, b, n), 1);
}

static void
open_tcp(uint16_t port)
{
	tcp(RIG_INT, port, FP_TH_SYN, 1000, 0, 0);
	tcp(RIG_EXT, port, FP_TH_SYN | FP_TH_ACK, 5000, 1001, 0);
	tcp(RIG_INT, port, FP_TH_ACK, 1001, 5001, 0);
}

/* A connection: both states inserted at once, adjacent, mirrored; then updates for what changes; then deletes. */
static void
life_of_a_connection(void **state)
{
	struct fp_state_view in, out;

	(void)state;
	tcp(RIG_INT, 4001, FP_TH_SYN, 1000, 0, 0);
	look();
	assert_int_equal(seen.packets, 1);
	assert_int_equal(seen.n[SYNC_INS], 2);
	assert_int_equal(seen.first[0], 6);
	for (int i = 1; i < 20; i++)
		if (i != 2 && i != 3)
			assert_int_equal(seen.first[i], 0); /* no marks for who has not shown to be a twin */
	assert_true(rig_state(r, 1, 6, 4001, &in) && rig_state(r, 2, 6, 4001, &out));
	assert_int_equal(seen.ins[0].direction, SYNC_DIR_IN);
	assert_true(seen.ins[0].id == in.id && seen.ins[1].id == out.id);
	assert_int_equal(seen.ins[0].creatorid, in.creatorid);
	assert_string_equal(seen.ins[0].ifname, "all");
	assert_int_equal(seen.ins[0].peer[0].seqlo, 1000);
	assert_int_equal(seen.ins[0].peer[0].state, FP_TCPS_SYN_SENT);
	assert_int_equal(seen.ins[0].key[SYNC_WIRE].port[0], 4001);
	assert_int_equal(seen.ins[1].key[SYNC_WIRE].port[1], 4001);
	assert_memory_equal(&seen.ins[0].key[SYNC_WIRE], &seen.ins[0].key[SYNC_STACK], sizeof(struct sync_key));
	assert_int_equal(seen.ins[0].packets[0], 1);

	rig_skip_us(r, 1000);
	tcp(RIG_EXT, 4001, FP_TH_SYN | FP_TH_ACK, 5000, 1001, 0);
	look();
	assert_int_equal(seen.n[SYNC_UPD_C], 2);
	assert_int_equal(seen.upd_c[0].peer[0].state, FP_TCPS_ESTABLISHED);
	assert_true(seen.upd_c[0].id == in.id && seen.upd_c[1].id == out.id);
	rig_skip_us(r, 1000);
	tcp(RIG_INT, 4001, FP_TH_ACK, 1001, 5001, 0);
	look();
	assert_int_equal(seen.n[SYNC_UPD_C], 2);

	/* data moves the window only: nothing at once */
	settle();
	rig_skip_us(r, 1000);
	tcp(RIG_INT, 4001, FP_TH_ACK | FP_TH_PUSH, 1001, 5001, 100);
	tcp(RIG_INT, 4001, FP_TH_ACK | FP_TH_PUSH, 1101, 5001, 100);
	rig_skip_us(r, 5000);
	tcp(RIG_INT, 4001, FP_TH_ACK | FP_TH_PUSH, 1201, 5001, 100);
	look();
	assert_int_equal(seen.packets, 0);
	/* a little later the peer hears of it, once, with what is true then */
	tcp(RIG_INT, 4001, FP_TH_ACK | FP_TH_PUSH, 1301, 5001, 100);
	settle();
	assert_int_equal(seen.n[SYNC_UPD_C], 2);
	assert_int_equal(seen.upd_c[0].peer[0].seqlo, 1401);

	assert_int_equal(fp_states_kill(r->box, NULL), 2);
	settle();
	assert_int_equal(seen.n[SYNC_DEL_C], 2);
	assert_true(seen.del[0].id == in.id && seen.del[1].id == out.id);
}

/* After maxupd packets of one state an update goes out although a second is not over. */
static void
maxupd(void **state)
{
	struct fp_err err;

	(void)state;
	assert_int_equal(sync_maxupd(sync_of(r->box), 10, &err), 0);
	open_tcp(4002);
	settle();
	for (int i = 0; i < 30; i++)
		tcp(RIG_INT, 4002, FP_TH_ACK, 1001 + 10 * i, 5001, 10);
	settle();
	assert_true(seen.n[SYNC_UPD_C] >= 4 && seen.n[SYNC_UPD_C] <= 8);
	assert_int_equal(sync_maxupd(sync_of(r->box), 128, &err), 0);
	fp_states_kill(r->box, NULL);
	settle();
}

/* Born and died between two flushes: nothing is said. */
static void
annihilation(void **state)
{
	struct sync_info info;
	struct fp_err err;
	uint8_t b[200];
	unsigned n;

	(void)state;
	assert_int_equal(fp_param_set(r->box, "sync coalesce", "1000000", &err), 0);
	rig_skip_us(r, 1000000);
	settle();
	n = rig_udp4(b, "10.0.2.100", "10.0.1.100", 5000, 53, 10);
	rig_ip(r, RIG_INT, b, n);	/* flushes: the first after a pause */
	look();
	n = rig_udp4(b, "10.0.2.100", "10.0.1.100", 5001, 53, 10);
	rig_ip(r, RIG_INT, b, n);
	look();
	assert_int_equal(seen.packets, 0);
	fp_states_kill(r->box, NULL);
	rig_skip_us(r, 1000000);
	settle();
	assert_int_equal(seen.n[SYNC_INS], 0);
	assert_int_equal(seen.n[SYNC_DEL_C], 2); /* of the first one */
	sync_info_get(sync_of(r->box), &info);
	assert_int_equal(info.annihilated, 2);
	assert_int_equal(fp_param_set(r->box, "sync coalesce", "20", &err), 0);
	settle();
}

static void
no_sync(void **state)
{
	uint8_t b[200];
	unsigned n;

	(void)state;
	n = rig_udp4(b, "10.0.2.100", "10.0.1.100", 5002, 77, 10);
	rig_ip(r, RIG_INT, b, n);
	settle();
	assert_int_equal(seen.packets, 0);
	assert_int_equal(rig_states(r), 2);
	fp_states_kill(r->box, NULL);
	settle();
	assert_int_equal(seen.packets, 0);
}

static void
flush_is_one_clear(void **state)
{
	(void)state;
	open_tcp(4003);
	open_tcp(4004);
	settle();
	assert_int_equal(fp_states_flush(r->box, NULL), 4);
	settle();
	assert_int_equal(seen.n[SYNC_CLR], 1);
	assert_int_equal(seen.n[SYNC_DEL_C], 0);
}

/* The link takes nothing for a while: packets wait, then records; nothing is forgotten. */
static uint16_t
refuse(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t n, void *arg)
{
	(void)port;
	(void)queue;
	(void)m;
	(void)n;
	(void)arg;
	return 0;
}

static void
link_busy(void **state)
{
	const struct rte_eth_rxtx_callback *cb = rte_eth_add_tx_callback(r->cable_port, 0, refuse, NULL);
	struct sync_info info;
	unsigned ins = 0;
	uint8_t b[200];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 10000 + i, 53, 10));
		rig_clear(r);
	}
	look();
	sync_info_get(sync_of(r->box), &info);
	assert_true(info.tx_retries > 0);
	assert_int_equal(rte_eth_remove_tx_callback(r->cable_port, 0, cb), 0);
	for (int i = 0; i < 400; i++) {
		rig_skip_us(r, 1000);
		rig_turn(r);
		look();
		ins += seen.n[SYNC_INS];
	}
	assert_int_equal(ins, 4000);
	fp_states_flush(r->box, NULL);
	settle();
}

/* A cable (a tunnel) whose packets hold one state each: the two of a connection go one by one. */
static void
small_mtu(void **state)
{
	struct fp_err err;

	(void)state;
	assert_int_equal(sync_mtu(sync_of(r->box), 420, &err), 0);
	settle();
	open_tcp(4901);
	settle();
	assert_int_equal(seen.n[SYNC_INS], 2);
	assert_int_equal(seen.ins[0].direction + seen.ins[1].direction, 3);
	tcp(RIG_INT, 4901, FP_TH_ACK | FP_TH_PUSH, 1001, 5001, 100);
	settle();
	assert_in_range(seen.n[SYNC_UPD_C], 2, 4);
	assert_int_equal(sync_mtu(sync_of(r->box), 1500, &err), 0);
	fp_states_flush(r->box, NULL);
	settle();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_of_a_connection), cmocka_unit_test(maxupd), cmocka_unit_test(annihilation),
		cmocka_unit_test(no_sync), cmocka_unit_test(flush_is_one_clear), cmocka_unit_test(link_busy), cmocka_unit_test(small_mtu),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
