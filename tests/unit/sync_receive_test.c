/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box against a peer that the test plays, in every dialect: spec/pfsync-behaviour.md A4, A7, B2. The rules block
 * everything but port 9, so that what passes does so by a state that was learned.
 */
#include "sync_peer.h"

#include "fastpath/tcp_track.h"

static int
setup(void **state)
{
	(void)state;
	r = rig_create_n("set timeout interval 1\nblock\npass on int0 proto udp to port 9\npass on ext0 proto udp to port 9\n"
		"pass proto tcp to port 99\n", 0, true, 1000);
	if (r == NULL)
		return -1;
	turns(30);
	listen_to_box();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_destroy(r);
	return 0;
}

static unsigned
tcp(enum rig_side side, uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack, unsigned len)
{
	uint8_t b[2048];

	return rig_ip(r, side, b, side == RIG_INT ? rig_tcp4(b, "10.0.2.100", "10.0.1.100", port, 80, flags, seq, ack, len) :
		rig_tcp4(b, "10.0.1.100", "10.0.2.100", 80, port, flags, seq, ack, len));
}

/* Both halves in one packet: one record. Traffic passes, updates move it, deletes take it away. */
static void
life(void **state)
{
	static const enum sync_dialect all[] = { SYNC_6, SYNC_1301, SYNC_1400, SYNC_1500 };

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct sync_state in = state4(100, SYNC_DIR_IN, 6, 4000, 80), o = state4(101, SYNC_DIR_OUT, 6, 4000, 80);
		struct sync_upd_c u;
		struct fp_state_view v;

		assert_int_equal(tcp(RIG_INT, 4000, FP_TH_ACK, 1000, 5000, 100), 0);
		begin(all[k], NULL);
		say_state(SYNC_INS, &in, all[k]);
		say_state(SYNC_INS, &o, all[k]);
		send_it();
		assert_int_equal(rig_states(r), 2);
		assert_int_equal(records(), 1);
		assert_int_equal(said.n[SYNC_INS] + said.n[SYNC_UPD_C] + said.n[SYNC_INS_ACK], 0);
		assert_true(rig_state(r, 1, 6, 4000, &v));
		assert_true(v.learned && v.id == 100 && v.creatorid == PEER_ID && v.ifid == FP_IFID_ALL);
		assert_int_equal(v.src.seqlo, 1000);
		assert_int_equal(v.dst.seqhi, 13000);
		assert_in_range(v.age_sec, 5, 6);
		assert_in_range(v.expires_sec, 79990, 80000);
		assert_int_equal(v.packets[0] + v.bytes[0], 0);
		assert_true(rig_state(r, 2, 6, 4000, &v));
		assert_int_equal(v.id, 101);
		assert_int_equal(v.wire[1].port, 4000);

		/* forward */
		for (int i = 0; i < 2; i++) {
			in.peer[i].seqlo += 500;
			in.peer[i].seqhi += 500;
		}
		memcpy(o.peer, in.peer, sizeof(o.peer));
		begin(all[k], NULL);
		u = upd_c_of(&in);
		say_upd_c(&u);
		u = upd_c_of(&o);
		say_upd_c(&u);
		send_it();
		assert_int_equal(records(), 1);
		assert_int_equal(info().updated, 2);
		assert_int_equal(counter(SYNC_CNT_stale), 0);
		assert_true(rig_state(r, 2, 6, 4000, &v));
		assert_int_equal(v.src.seqlo, 1500);
		assert_in_range(v.expires_sec, 86399, 86400);

		/* and the connection goes on here */
		assert_int_equal(tcp(RIG_INT, 4000, FP_TH_ACK, 1500, 5500, 100), 1);
		assert_int_equal(tcp(RIG_EXT, 4000, FP_TH_ACK, 5500, 1600, 100), 1);
		turns(30);
		listen_to_box();
		assert_true(said.n[SYNC_UPD_C] >= 2);
		assert_int_equal(said.upd_c[0].creatorid, PEER_ID);
		assert_int_equal(said.version, k == 0 ? 6 : 5);

		begin(all[k], NULL);
		sync_out_ident(&out, SYNC_DEL_C, &(struct sync_ident){ 100, PEER_ID });
		sync_out_ident(&out, SYNC_DEL_C, &(struct sync_ident){ 101, PEER_ID });
		sync_out_ident(&out, SYNC_DEL_C, &(struct sync_ident){ 101, PEER_ID + 1 });
		send_it();
		assert_int_equal(rig_states(r), 0);
		assert_int_equal(said.n[SYNC_DEL_C], 0);
		assert_int_equal(info().deleted, 2);
		assert_int_equal(counter(SYNC_CNT_badstate), 1);
		forget_all();
		rig_skip_us(r, 11000000); /* the peer of before is forgotten: the next one speaks another version */
	}
}

/* Keys of every kind: a packet of the flow passes, one of another does not. */
static void
keys(void **state)
{
	static const enum sync_dialect all[] = { SYNC_6, SYNC_1301, SYNC_1500 };
	struct sync_state s;
	uint8_t b[300];

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		begin(all[k], NULL);
		s = state4(200, SYNC_DIR_IN, 17, 5000, 53);
		say_state(SYNC_INS, &s, all[k]);
		s = state4(201, SYNC_DIR_OUT, 17, 5000, 53);
		/* 1301: garbage behind an IPv4 address is no part of it */
		memset(s.key[0].addr[0] + 4, 0x55, 12);
		memset(s.key[1].addr[0] + 4, 0x55, 12);
		say_state(SYNC_INS, &s, all[k]);
		s = state4(202, SYNC_DIR_IN, 1, 777, 8);
		say_state(SYNC_INS, &s, all[k]);
		s = state4(203, SYNC_DIR_OUT, 1, 777, 8);
		say_state(SYNC_INS, &s, all[k]);
		/* this one the server began */
		s = state4(204, SYNC_DIR_OUT, 17, 6000, 6001);
		s.direction = SYNC_DIR_IN;
		say_state(SYNC_INS, &s, all[k]);
		s.id = 205;
		s.direction = SYNC_DIR_OUT;
		for (int i = 0; i < 2; i++) {
			struct sync_key t = s.key[i];

			memcpy(s.key[i].addr[0], t.addr[1], 16);
			memcpy(s.key[i].addr[1], t.addr[0], 16);
			s.key[i].port[0] = t.port[1];
			s.key[i].port[1] = t.port[0];
		}
		say_state(SYNC_INS, &s, all[k]);
		send_it();
		assert_int_equal(rig_states(r), 6);
		assert_int_equal(records(), 3);
		assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 5000, 53, 10)), 1);
		assert_int_equal(rig_ip(r, RIG_EXT, b, rig_udp4(b, "10.0.1.100", "10.0.2.100", 53, 5000, 10)), 1);
		assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 5001, 53, 10)), 0);
		assert_int_equal(rig_ip(r, RIG_INT, b, rig_icmp4(b, "10.0.2.100", "10.0.1.100", 8, 0, 777, NULL, 0)), 1);
		assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, "10.0.1.100", "10.0.2.100", 0, 0, 777, NULL, 0)), 1);
		assert_int_equal(rig_ip(r, RIG_EXT, b, rig_icmp4(b, "10.0.1.100", "10.0.2.100", 0, 0, 778, NULL, 0)), 0);
		assert_int_equal(rig_ip(r, RIG_EXT, b, rig_udp4(b, "10.0.1.100", "10.0.2.100", 6001, 6000, 10)), 1);
		assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 6000, 6001, 10)), 1);
		assert_int_equal(records(), 3);
		forget_all();
		rig_skip_us(r, 11000000);
	}
}

/* The halves come one by one: the second joins the first, and what is said of one alone parts them. */
static void
halves(void **state)
{
	struct sync_state in = state4(300, SYNC_DIR_IN, 6, 4100, 80), o = state4(301, SYNC_DIR_OUT, 6, 4100, 80);
	struct fp_state_view v;
	struct sync_upd_c u;

	(void)state;
	say_one(SYNC_INS, &o);
	assert_int_equal(records(), 1);
	say_one(SYNC_INS, &in);
	assert_int_equal(rig_states(r), 2);
	assert_int_equal(records(), 1);
	assert_int_equal(info().inserted, 2);
	/* found where it went */
	u = upd_c_of(&in);
	begin(SYNC_6, NULL);
	say_upd_c(&u);
	send_it();
	assert_int_equal(said.n[SYNC_UPD_REQ], 0);
	assert_int_equal(records(), 1);	/* nothing new in that */
	u.peer[0].seqlo += 100;
	begin(SYNC_6, NULL);
	say_upd_c(&u);
	send_it();
	assert_int_equal(records(), 2);
	assert_true(rig_state(r, 1, 6, 4100, &v));
	assert_int_equal(v.src.seqlo, 1100);
	assert_true(rig_state(r, 2, 6, 4100, &v));
	assert_int_equal(v.src.seqlo, 1000);
	/* both names still lead there */
	say_ident(SYNC_DEL_C, 301, PEER_ID);
	assert_int_equal(rig_states(r), 1);
	say_ident(SYNC_DEL_C, 300, PEER_ID);
	assert_int_equal(rig_states(r), 0);
	assert_int_equal(counter(SYNC_CNT_badstate), 0);

	/* an insert that had to wait for its owner, and its delete right behind it */
	say_one(SYNC_INS, &o);
	begin(SYNC_6, NULL);
	say_state(SYNC_INS, &in, SYNC_6);
	sync_out_ident(&out, SYNC_DEL_C, &(struct sync_ident){ 300, PEER_ID });
	send_it();
	assert_int_equal(rig_states(r), 1);
	assert_true(rig_state(r, 2, 6, 4100, &v));
	forget_all();
}

/* Old news is answered with the truth, and moves nothing back. */
static void
stale(void **state)
{
	struct sync_state in = state4(400, SYNC_DIR_IN, 6, 4200, 80);
	struct fp_state_view v;
	struct sync_upd_c u;

	(void)state;
	say_one(SYNC_INS, &in);
	u = upd_c_of(&in);
	u.peer[0].seqlo -= 200;		/* src behind, dst ahead */
	u.peer[1].seqlo += 300;
	u.peer[1].seqhi -= 10;
	begin(SYNC_6, NULL);
	say_upd_c(&u);
	send_it();
	assert_true(rig_state(r, 1, 6, 4200, &v));
	assert_int_equal(v.src.seqlo, 1000);
	assert_int_equal(v.dst.seqlo, 5300);
	assert_int_equal(v.dst.seqhi, 13000);
	assert_int_equal(counter(SYNC_CNT_stale), 1);
	assert_int_equal(info().corrections, 1);
	assert_int_equal(said.n[SYNC_UPD_C], 1);
	assert_true(said.upd_c[0].id == 400 && said.upd_c[0].creatorid == PEER_ID);
	assert_int_equal(said.upd_c[0].peer[0].seqlo, 1000);
	assert_int_equal(said.upd_c[0].peer[1].seqlo, 5300);
	/* a state that has closed does not open again */
	in.peer[0].state = in.peer[1].state = FP_TCPS_TIME_WAIT;
	in.timeout = POL_TM_TCP_CLOSED;
	in.peer[1].seqlo = 5300;
	say_one(SYNC_UPD, &in);
	assert_int_equal(said.n[SYNC_UPD_C], 0);
	in.peer[0].state = in.peer[1].state = FP_TCPS_ESTABLISHED;
	in.timeout = POL_TM_TCP_ESTABLISHED;
	say_one(SYNC_UPD, &in);
	assert_true(rig_state(r, 1, 6, 4200, &v));
	assert_int_equal(v.src.state, FP_TCPS_TIME_WAIT);
	assert_int_equal(v.timeout, POL_TM_TCP_CLOSED);
	assert_int_equal(said.n[SYNC_UPD_C], 1);
	/* equal news is no news: two boxes do not answer each other for ever */
	in.peer[0].state = in.peer[1].state = FP_TCPS_TIME_WAIT;
	in.timeout = POL_TM_TCP_CLOSED;
	say_one(SYNC_UPD, &in);
	assert_int_equal(said.packets, 0);
	/* an insert of what is here changes nothing */
	in.peer[0].seqlo += 5000;
	say_one(SYNC_INS, &in);
	assert_true(rig_state(r, 1, 6, 4200, &v));
	assert_int_equal(v.src.seqlo, 1000);
	assert_int_equal(said.packets, 0);
	forget_all();
}

static void
unknown(void **state)
{
	struct sync_state in = state4(500, SYNC_DIR_IN, 6, 4300, 80);
	struct sync_upd_c u = upd_c_of(&in);

	(void)state;
	/* one request for each name, all in one packet, not again at once */
	begin(SYNC_6, NULL);
	for (unsigned i = 0; i < 60; i++) {
		u.id = 600 + i % 30;
		say_upd_c(&u);
	}
	send_it();
	assert_int_equal(said.n[SYNC_UPD_REQ], 30);
	assert_int_equal(said.packets, 1);
	assert_int_equal(said.id[SYNC_UPD_REQ][15].id, 615);
	assert_int_equal(info().requests_suppressed, 30);
	rig_skip_us(r, 150000);
	turns(1);
	listen_to_box();
	begin(SYNC_6, NULL);
	say_upd_c(&u);
	send_it();
	assert_int_equal(said.n[SYNC_UPD_REQ], 1);
	/* a flood of names that nobody knows is not answered as a flood */
	for (unsigned k = 0; k < 40; k++) {
		begin(SYNC_6, NULL);
		for (unsigned i = 0; i < 100; i++) {
			u.id = 100000 + 100 * k + i;
			say_upd_c(&u);
		}
		send_raw((unsigned)sync_out_close(&out), 255);
	}
	turns(5);
	listen_to_box();
	/* a burst of 1000, and what 10,000 a second allow while this runs */
	assert_in_range(said.n[SYNC_UPD_REQ], 900, 3000);
	/* in full it is an insert */
	say_one(SYNC_UPD, &in);
	assert_int_equal(rig_states(r), 1);
	assert_int_equal(counter(SYNC_CNT_badstate), 0);
	say_ident(SYNC_DEL_C, 12345, PEER_ID);
	say_ident(SYNC_UPD_REQ, 12345, PEER_ID);
	say_ident(SYNC_UPD_REQ, 12345, 0);
	assert_int_equal(counter(SYNC_CNT_badstate), 3);
	say_ident(SYNC_INS_ACK, 12345, PEER_ID);
	assert_int_equal(counter(SYNC_CNT_badstate), 3);
	/* whoever made it: who has it answers */
	say_ident(SYNC_UPD_REQ, 500, PEER_ID);
	assert_int_equal(said.n[SYNC_UPD], 1);
	assert_true(said.st[SYNC_UPD][0].id == 500 && said.st[SYNC_UPD][0].creatorid == PEER_ID);
	forget_all();
}

static void
refused(void **state)
{
	struct sync_state s;
	struct sync_upd_c u;
	uint8_t b[200];

	(void)state;
	/* envelope, in pf's order */
	begin(SYNC_6, NULL);
	s = state4(700, SYNC_DIR_IN, 17, 5100, 53);
	say_state(SYNC_INS, &s, SYNC_6);
	send_raw((unsigned)sync_out_close(&out), 254);
	payload[0] = 4;
	send_raw((unsigned)out.len, 255);
	payload[0] = 6;
	send_raw(19, 255);
	send_raw((unsigned)out.len - 1, 255);
	turns(3);
	assert_int_equal(counter(SYNC_CNT_badttl), 1);
	assert_int_equal(counter(SYNC_CNT_badver), 1);
	assert_int_equal(counter(SYNC_CNT_hdrops), 1);
	assert_int_equal(counter(SYNC_CNT_badlen), 1);
	assert_int_equal(rig_states(r), 0);
	/* what came before a bad subheader stays */
	begin(SYNC_6, NULL);
	say_state(SYNC_INS, &s, SYNC_6);
	sync_out_ident(&out, SYNC_DEL_C, &(struct sync_ident){ 700, PEER_ID });
	sync_put16(payload + out.sub + 2, 1000);
	send_raw((unsigned)sync_out_close(&out), 255);
	turns(3);
	assert_int_equal(counter(SYNC_CNT_badlen), 2);
	assert_int_equal(rig_states(r), 1);
	forget_all();

	/* values */
	s.timeout = 20;
	say_one(SYNC_INS, &s);
	s = state4(700, SYNC_DIR_IN, 17, 5100, 53);
	s.peer[0].state = 13;
	say_one(SYNC_INS, &s);
	s.peer[0].state = 7;			/* of TCP */
	say_one(SYNC_INS, &s);
	s = state4(700, SYNC_DIR_IN, 17, 5100, 53);
	s.timeout = POL_TM_TCP_ESTABLISHED;
	say_one(SYNC_INS, &s);
	s = state4(700, 3, 17, 5100, 53);
	say_one(SYNC_INS, &s);
	assert_int_equal(counter(SYNC_CNT_badval), 5);
	say_one(SYNC_UPD, &s);
	assert_int_equal(counter(SYNC_CNT_badstate), 1);
	s = state4(700, SYNC_DIR_IN, 17, 5100, 53);
	s.creatorid = 0;
	say_one(SYNC_INS, &s);
	assert_int_equal(counter(SYNC_CNT_badval) + counter(SYNC_CNT_badstate), 6);
	u = upd_c_of(&s);
	begin(SYNC_6, NULL);
	say_upd_c(&u);
	send_it();
	assert_int_equal(counter(SYNC_CNT_badstate), 2);
	assert_int_equal(rig_states(r), 0);

	/* what this box does not have */
	s = state4(700, SYNC_DIR_IN, 17, 5100, 53);
	s.key[SYNC_STACK].port[0]++;
	say_one(SYNC_INS, &s);
	s = state4(700, SYNC_DIR_IN, 17, 5100, 53);
	s.key[0].rdomain = s.key[1].rdomain = 3;
	say_one(SYNC_INS, &s);
	s = state4(700, 0, 17, 5100, 53);
	say_one(SYNC_INS, &s);
	assert_int_equal(info().unsupported, 3);
	assert_int_equal(rig_states(r), 0);

	/* a place that is taken: ours stays, unless it has ended */
	rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 5100, 9, 10));
	turns(3);
	assert_int_equal(rig_states(r), 2);
	s = state4(700, SYNC_DIR_IN, 17, 5100, 9);
	say_one(SYNC_INS, &s);
	assert_int_equal(info().collisions, 1);
	say_one(SYNC_UPD, &s);
	assert_int_equal(counter(SYNC_CNT_badstate), 3);
	assert_int_equal(rig_states(r), 2);
	forget_all();
	s = state4(701, SYNC_DIR_IN, 6, 4400, 80);
	s.peer[0].state = s.peer[1].state = FP_TCPS_FIN_WAIT_2;
	s.timeout = POL_TM_TCP_CLOSED;
	say_one(SYNC_INS, &s);
	s = state4(702, SYNC_DIR_IN, 6, 4400, 80);
	say_one(SYNC_INS, &s);
	assert_int_equal(rig_states(r), 1);
	assert_int_equal(info().collisions, 0);
	say_ident(SYNC_DEL_C, 702, PEER_ID);
	assert_int_equal(rig_states(r), 0);
	forget_all();
}

static void
full_table(void **state)
{
	struct sync_state s;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		begin(SYNC_6, NULL);
		for (unsigned k = 0; k < 20; k++) {
			s = state4(10000 + 20 * i + k, k & 1 ? SYNC_DIR_OUT : SYNC_DIR_IN, 17, (uint16_t)(2000 + 10 * i + k / 2), 53);
			s.expire_sec = 0;	/* touched just now: a full table shortens timeouts */
			say_state(SYNC_INS, &s, SYNC_6);
		}
		send_raw((unsigned)sync_out_close(&out), 255);
		turns(1);
	}
	turns(3);
	assert_int_equal(rig_states(r), 1000);
	assert_int_equal(info().table_full, 200);
	assert_int_equal(info().inserted, 1000);
	/* one goes, one comes */
	say_ident(SYNC_DEL_C, 10000, PEER_ID);
	s = state4(1, SYNC_DIR_IN, 17, 1, 53);
	say_one(SYNC_INS, &s);
	assert_int_equal(rig_states(r), 1000);
	assert_int_equal(info().table_full, 200);
	begin(SYNC_6, NULL);
	sync_out_clr(&out, &(struct sync_clr){ .creatorid = PEER_ID + 1 });
	send_it();
	turns(10);
	assert_int_equal(rig_states(r), 1000);
	/* what comes behind a clear is not taken by it */
	begin(SYNC_6, NULL);
	sync_out_clr(&out, &(struct sync_clr){ .creatorid = PEER_ID });
	s = state4(2, SYNC_DIR_IN, 17, 2, 53);
	say_state(SYNC_INS, &s, SYNC_6);
	send_it();
	turns(20);
	assert_int_equal(rig_states(r), 0);	/* there was no room for it then */
	s = state4(3, SYNC_DIR_IN, 17, 3, 53);
	say_one(SYNC_INS, &s);
	begin(SYNC_6, NULL);
	sync_out_clr(&out, &(struct sync_clr){ .creatorid = PEER_ID });
	say_state(SYNC_INS, &(struct sync_state){ 0 }, SYNC_6);
	s.id = 4;
	say_state(SYNC_INS, &s, SYNC_6);
	send_it();
	turns(20);
	assert_int_equal(rig_states(r), 1);
	assert_int_equal(info().cleared, 1001);
	say_ident(SYNC_DEL_C, 4, PEER_ID);
	assert_int_equal(rig_states(r), 0);
	forget_all();
}

static void
interfaces(void **state)
{
	struct sync_state s = state4(800, SYNC_DIR_IN, 17, 5200, 53);
	char name[FP_NAME_SIZE];
	struct fp_state_view v;
	struct sync_clr clr = { .creatorid = PEER_ID };
	struct fp_err err;
	uint8_t b[200];

	(void)state;
	/* one that is not here: kept, named, matches nothing */
	strcpy(s.ifname, "vmx7");
	say_one(SYNC_INS, &s);
	assert_int_equal(info().unknown_if, 1);
	assert_true(rig_state(r, 1, 17, 5200, &v));
	assert_int_equal(fp_if_name(r->box, v.ifid, name), 0);
	assert_string_equal(name, "vmx7");
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 5200, 53, 10)), 0);
	say_ident(SYNC_UPD_REQ, 800, PEER_ID);
	assert_string_equal(said.st[SYNC_UPD][0].ifname, "vmx7");
	/* ours by name, ours by another name */
	strcpy(s.ifname, "int0");
	s.id = 801;
	say_one(SYNC_INS, &s);
	assert_int_equal(sync_map_if(sync_of(r->box), "em3", "ext0", &err), 0);
	turns(20);
	s = state4(802, SYNC_DIR_OUT, 17, 5200, 53);
	strcpy(s.ifname, "em3");
	say_one(SYNC_INS, &s);
	assert_int_equal(rig_states(r), 3);
	assert_int_equal(info().unknown_if, 1);
	say_ident(SYNC_UPD_REQ, 802, PEER_ID);
	assert_string_equal(said.st[SYNC_UPD][0].ifname, "em3");	/* it knows no ext0 */
	assert_int_equal(rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", 5200, 53, 10)), 1);
	assert_int_equal(rig_ip(r, RIG_EXT, b, rig_udp4(b, "10.0.1.100", "10.0.2.100", 53, 5200, 10)), 1);
	/* no names */
	memset(s.ifname, 'x', 16);
	s.id = 803;
	say_one(SYNC_INS, &s);
	strcpy(s.ifname, "a\nb");
	say_one(SYNC_INS, &s);
	assert_int_equal(rig_states(r), 3);
	/* clears of one interface */
	strcpy(clr.ifname, "nothere");
	begin(SYNC_6, NULL);
	sync_out_clr(&out, &clr);
	strcpy(clr.ifname, "all");
	sync_out_clr(&out, &clr);
	strcpy(clr.ifname, "em3");
	sync_out_clr(&out, &clr);
	send_it();
	turns(10);
	assert_int_equal(rig_states(r), 2);
	memset(clr.ifname, 0, sizeof(clr.ifname));
	strcpy(clr.ifname, "vmx7");
	begin(SYNC_6, NULL);
	sync_out_clr(&out, &clr);
	send_it();
	turns(10);
	assert_int_equal(rig_states(r), 1);
	assert_int_equal(sync_map_if(sync_of(r->box), "em3", NULL, &err), 0);
	forget_all();
	/* as many unknown names as there is room for; then states bound to more of them are refused, the rest goes on */
	for (unsigned i = 0; i < 17000; i++) {
		s = state4(9000 + i, SYNC_DIR_IN, 17, (uint16_t)(2000 + i), 53);
		snprintf(s.ifname, sizeof(s.ifname), "x%u", i);
		if (i % 5 == 0)
			begin(SYNC_6, NULL);
		say_state(SYNC_INS, &s, SYNC_6);
		if (i % 5 == 4)
			send_raw((unsigned)sync_out_close(&out), 255);
		if (i % 50 == 49) {
			turns(1);
			say_ident(SYNC_UPD_REQ, s.id, PEER_ID);
			if (i < 16000) {
				assert_int_equal(said.n[SYNC_UPD], 1);
				assert_string_equal(said.st[SYNC_UPD][0].ifname, s.ifname);
			}
		}
		if (i % 500 == 499) {
			assert_in_range(rig_states(r), i < 16000 ? 500 : 0, 500);
			fp_states_flush(r->box, NULL);
			turns(20);
			listen_to_box();
		}
	}
	assert_int_equal(info().unknown_if, 17000);
	strcpy(s.ifname, "x77");
	say_one(SYNC_INS, &s);
	assert_int_equal(rig_states(r), 1);
	forget_all();
}

/* A sender that waits is answered, at once, whether the state went in directly, by its owner, or was here. */
static void
acknowledged(void **state)
{
	struct sync_state in = state4(850, SYNC_DIR_IN, 6, 4500, 80), o = state4(851, SYNC_DIR_OUT, 6, 4500, 80);

	(void)state;
	o.state_flags |= SYNC_F_ACK;
	begin(SYNC_6, NULL);
	say_state(SYNC_INS, &in, SYNC_6);
	say_state(SYNC_INS, &o, SYNC_6);
	send_raw((unsigned)sync_out_close(&out), 255);
	rig_turn(r);
	listen_to_box();
	assert_int_equal(said.n[SYNC_INS_ACK], 1);
	assert_true(said.id[SYNC_INS_ACK][0].id == 851 && said.id[SYNC_INS_ACK][0].creatorid == PEER_ID);
	assert_int_equal(records(), 1);
	say_one(SYNC_INS, &o);
	assert_int_equal(said.n[SYNC_INS_ACK], 1);
	say_ident(SYNC_DEL_C, 851, PEER_ID);
	say_one(SYNC_INS, &o);	/* joins */
	assert_int_equal(said.n[SYNC_INS_ACK], 1);
	assert_int_equal(records(), 1);
	/* the flag is not kept */
	say_ident(SYNC_UPD_REQ, 851, PEER_ID);
	assert_true(said.n[SYNC_UPD] >= 1);
	for (unsigned i = 0; i < said.n[SYNC_UPD]; i++)
		assert_int_equal(said.st[SYNC_UPD][i].state_flags & SYNC_F_ACK, 0);
	forget_all();
}

/* What needs a block of its own: scrub, options of rules, numbers that are shifted. */
static void
extras(void **state)
{
	struct sync_state in = state4(900, SYNC_DIR_IN, 6, 4600, 80), o = state4(901, SYNC_DIR_OUT, 6, 4600, 80);
	struct fp_state_view v;
	uint8_t *th;

	(void)state;
	in.peer[0].scrub_valid = in.peer[1].scrub_valid = 1;
	in.peer[0].scrub_ttl = 64;
	in.peer[0].scrub_flags = 1;
	in.peer[0].ts_mod = 0x11223344;
	in.state_flags = SYNC_F_SCRUB_TCP | SYNC_F_SETTOS | SYNC_F_NODF;
	in.set_tos = 0x20;
	in.min_ttl = 77;
	in.max_mss = 1200;
	o.peer[0].seqdiff = 1000000;
	begin(SYNC_6, NULL);
	say_state(SYNC_INS, &in, SYNC_6);
	say_state(SYNC_INS, &o, SYNC_6);
	send_it();
	assert_int_equal(rig_states(r), 2);
	assert_int_equal(records(), 2);
	assert_true(rig_state(r, 1, 6, 4600, &v));
	assert_true(v.src.scrub && v.src.scrub_ttl == 64 && v.src.ts_mod == 0x11223344);
	say_ident(SYNC_UPD_REQ, 900, PEER_ID);
	assert_int_equal(said.st[SYNC_UPD][0].state_flags, in.state_flags);
	assert_int_equal(said.st[SYNC_UPD][0].min_ttl, 77);
	assert_int_equal(said.st[SYNC_UPD][0].set_tos, 0x20);
	assert_int_equal(said.st[SYNC_UPD][0].max_mss, 1200);
	rig_clear(r);
	assert_int_equal(tcp(RIG_INT, 4600, FP_TH_ACK, 1000, 5000, 10), 1);
	th = r->out[0].frame + 34;
	assert_int_equal(sync_get32(th + 4), 1001000);
	assert_int_equal(r->out[0].frame[15] & 0xfc, 0x20);
	assert_in_range(r->out[0].frame[22], 76, 77);
	forget_all();
}

/* With our rules the peer's numbers are ours; with others, or with none that passes, the default rule it is. */
static void
rules(void **state)
{
	const uint8_t *sum = r->box->conf->ruleset->checksum;
	struct sync_state s = state4(950, SYNC_DIR_IN, 17, 5300, 9);
	struct fp_rule_counters rc[4];
	struct fp_state_view v;
	uint8_t other[16] = { 1 };

	(void)state;
	s.rule = 1;
	begin(SYNC_1400, sum);
	say_state(SYNC_INS, &s, SYNC_1400);
	s = state4(951, SYNC_DIR_IN, 17, 5301, 9);
	s.rule = 0;	/* blocks */
	say_state(SYNC_INS, &s, SYNC_1400);
	s = state4(952, SYNC_DIR_IN, 17, 5302, 9);
	s.rule = 1;
	s.anchor = 0;
	say_state(SYNC_INS, &s, SYNC_1400);
	s = state4(953, SYNC_DIR_IN, 17, 5303, 9);
	s.rule = 4711;
	say_state(SYNC_INS, &s, SYNC_1400);
	send_it();
	begin(SYNC_1400, other);
	s = state4(954, SYNC_DIR_IN, 17, 5304, 9);
	s.rule = 1;
	say_state(SYNC_INS, &s, SYNC_1400);
	send_it();
	assert_int_equal(rig_states(r), 5);
	assert_int_equal(info().rule_bound, 1);
	assert_int_equal(info().rule_default, 4);
	assert_true(rig_state(r, 1, 17, 5300, &v));
	assert_int_equal(v.rule_nr, 1);
	assert_true(rig_state(r, 1, 17, 5304, &v));
	assert_int_equal(v.rule_nr, UINT32_MAX);
	assert_int_equal(fp_rules_counters(r->box, rc, 4), 0);
	assert_int_equal(rc[1].states, 1);
	assert_int_equal(fp_states_kill(r->box, NULL), 5);
	assert_int_equal(fp_rules_counters(r->box, rc, 4), 0);
	assert_int_equal(rc[1].states, 0);
	forget_all();
	rig_skip_us(r, 11000000);
}

/* IPv6 in both numberings of families, and other protocols. */
static void
ipv6(void **state)
{
	static const enum sync_dialect all[] = { SYNC_6, SYNC_1400 };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct sync_state s[2];
		struct fp_state_view v;

		begin(all[k], NULL);
		for (unsigned i = 0; i < 4; i++) {
			struct sync_state *p = &s[i & 1];

			*p = state4(1000 + i, i & 1 ? SYNC_DIR_OUT : SYNC_DIR_IN, i < 2 ? 58 : 47, i < 2 ? 99 : 0, i < 2 ? 128 : 0);
			for (int j = 0; j < 2; j++) {
				inet_pton(AF_INET6, "fd00:2::100", p->key[j].addr[i & 1]);
				inet_pton(AF_INET6, "fd00:1::100", p->key[j].addr[!(i & 1)]);
				p->key[j].af = SYNC_AF_INET6;
			}
			p->af = SYNC_AF_INET6;
			say_state(SYNC_INS, p, all[k]);
		}
		send_it();
		assert_int_equal(rig_states(r), 4);
		assert_int_equal(records(), 2);
		assert_true(rig_state(r, 1, 58, 99, &v));
		assert_int_equal(v.wire[1].port, 128);
		assert_int_equal(v.af, FP_AF_INET6);
		forget_all();
		rig_skip_us(r, 11000000);
	}
}

/* Two packets of the peer that speak of one half each, in one burst: the record stays one. */
static void
split_pairs(void **state)
{
	struct sync_state in = state4(1100, SYNC_DIR_IN, 6, 4700, 80), o = state4(1101, SYNC_DIR_OUT, 6, 4700, 80);
	struct sync_upd_c u;

	(void)state;
	begin(SYNC_6, NULL);
	say_state(SYNC_INS, &in, SYNC_6);
	say_state(SYNC_INS, &o, SYNC_6);
	send_it();
	in.peer[0].seqlo += 10;
	for (int i = 0; i < 2; i++) {
		u = upd_c_of(&in);
		u.id = 1100 + (unsigned)i;
		begin(SYNC_6, NULL);
		say_upd_c(&u);
		send_raw((unsigned)sync_out_close(&out), 255);
	}
	turns(3);
	assert_int_equal(records(), 1);
	assert_int_equal(info().updated, 2);
	forget_all();
}

/* The peer gives way to an older one: it reads no newer records than it sends. */
static void
older_record(void **state)
{
	static const enum sync_dialect order[] = { SYNC_1500, SYNC_1400, SYNC_1301 };
	struct sync_state s = state4(1200, SYNC_DIR_IN, 17, 5700, 53);

	(void)state;
	rig_skip_us(r, 11000000);
	for (unsigned i = 0; i < 3; i++) {
		begin(order[i], NULL);
		s.id++;
		s.key[0].port[0]++;
		s.key[1] = s.key[0];
		say_state(SYNC_INS, &s, order[i]);
		send_it();
		assert_int_equal(sync_dialect_get(sync_of(r->box)), order[i]);
		/* what has no record says nothing about records */
		begin(order[i], NULL);
		assert_true(sync_out_ident(&out, SYNC_UPD_REQ, &(struct sync_ident){ s.id, PEER_ID }));
		send_it();
		assert_int_equal(sync_dialect_get(sync_of(r->box)), order[i]);
		assert_int_equal(said.n[SYNC_UPD], 1);
		assert_int_equal(said.st[SYNC_UPD][0].id, s.id);
	}
	forget_all();
	rig_skip_us(r, 11000000);
}

/* Logging of every packet goes with a state wherever it goes. */
static void
logged(void **state)
{
	struct sync_state s = state4(1300, SYNC_DIR_IN, 17, 5800, 53);

	(void)state;
	s.log = POL_LOG | POL_LOG_ALL;
	say_one(SYNC_INS, &s);
	say_ident(SYNC_UPD_REQ, 1300, PEER_ID);
	assert_int_equal(said.n[SYNC_UPD], 1);
	assert_int_equal(said.st[SYNC_UPD][0].log, s.log);
	forget_all();
}

static void
say_number(uint32_t seq)
{
	struct sync_mark mk = { .slice = 5, .seq = seq };

	begin(SYNC_6, NULL);
	assert_true(sync_out_ident(&out, SYNC_INS_ACK, &(struct sync_ident){ 1, 2 }));
	sync_out_close(&out);
	sync_mark_write(payload, &mk);
	send_raw((unsigned)out.len, 255);
	turns(3);
	listen_to_box();
}

/* A twin that begins anew begins with other numbers: nothing was lost then, and what is lost afterwards is missed. */
static void
reborn(void **state)
{
	static const uint32_t lives[] = { 1000, 0x40000000, 0x10, 0xf0000000, 0x7fffffff };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		uint64_t lost = info().lost;

		say_number(lives[i]);
		say_number(lives[i] + 1);
		assert_int_equal(info().lost, lost);
		say_number(lives[i] + 3);
		assert_int_equal(info().lost, lost + 1);
	}
}

static int
fresh(void **state)
{
	(void)state;
	forget_all();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(life, fresh), cmocka_unit_test_setup(keys, fresh), cmocka_unit_test_setup(halves, fresh),
		cmocka_unit_test_setup(stale, fresh), cmocka_unit_test_setup(unknown, fresh), cmocka_unit_test_setup(refused, fresh),
		cmocka_unit_test_setup(full_table, fresh), cmocka_unit_test_setup(interfaces, fresh), cmocka_unit_test_setup(acknowledged, fresh),
		cmocka_unit_test_setup(extras, fresh), cmocka_unit_test_setup(rules, fresh), cmocka_unit_test_setup(ipv6, fresh),
		cmocka_unit_test_setup(split_pairs, fresh), cmocka_unit_test_setup(older_record, fresh),
		cmocka_unit_test_setup(logged, fresh), cmocka_unit_test_setup(reborn, fresh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
