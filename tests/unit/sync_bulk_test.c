/* SPDX-License-Identifier: BSD-2-Clause */
/* Bulk updates, asked for and sent, with all their deadlines: spec/pfsync-behaviour.md A5, A6, B3. */
#include "sync_peer.h"

#include "fastpath/tcp_track.h"

#define SEC 1000000u

/* Time passes in steps that no deadline is missed by. */
static void
wait_sec(double sec)
{
	for (double at = 0; at < sec; at += 0.25) {
		rig_skip_us(r, SEC / 4);
		rig_turn(r);
	}
	listen_to_box();
}

static void
expect_state(const char *name, unsigned demote)
{
	struct sync_info i = info();

	assert_string_equal(i.bulk.state, name);
	assert_int_equal(i.demote, demote);
}

static unsigned
requests(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < said.n[SYNC_UPD_REQ] && i < 16; i++)
		n += said.id[SYNC_UPD_REQ][i].id == 0 && said.id[SYNC_UPD_REQ][i].creatorid == 0;
	return n;
}

static void
say_bus(uint8_t status)
{
	begin(SYNC_6, NULL);
	assert_true(sync_out_bus(&out, &(struct sync_bus){ .creatorid = PEER_ID, .status = status }));
	send_it();
}

static void
restart(void)
{
	struct fp_err err;

	assert_int_equal(sync_up(sync_of(r->box), false, &err), 0);
	turns(30);
	listen_to_box();
	assert_int_equal(sync_up(sync_of(r->box), true, &err), 0);
	for (int i = 0; i < 40; i++) {
		rig_skip_us(r, 10000);
		rig_turn(r);
	}
	listen_to_box();
}

static void
link_is(bool up)
{
	struct fp_err err;

	assert_int_equal(fp_if_set_up(r->box, "sync0", up, &err), 0);
	for (int i = 0; i < 40; i++) {
		rig_skip_us(r, 10000);
		rig_turn(r);
	}
}

static int
setup(void **state)
{
	(void)state;
	r = rig_create_n("pass\n", 0, true, 2000);
	return r == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_destroy(r);
	return 0;
}

/* Nobody there: twelve requests, two seconds apart, carp steps back that long, and the reason stays. */
static void
nobody(void **state)
{
	(void)state;
	restart();
	expect_state("sent", 32);
	assert_int_equal(requests(), 1);
	wait_sec(12);
	assert_in_range(requests(), 5, 6);
	wait_sec(14);
	assert_in_range(requests(), 5, 6);
	expect_state("failed", 0);
	assert_string_equal(info().bulk.reason, "no peer answered");
	assert_int_equal(info().bulk.tries, 12);
	wait_sec(30);
	assert_int_equal(requests(), 0);
	/* what is said now is nobody's answer */
	say_bus(SYNC_BUS_START);
	say_bus(SYNC_BUS_END);
	expect_state("failed", 0);
}

/* An empty OpenBSD box says END and nothing else. */
static void
end_alone(void **state)
{
	struct fp_err err;

	(void)state;
	restart();
	expect_state("sent", 32);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
	assert_true(info().bulk.progress == 1);
	assert_true(info().bulk.took_sec >= 0);
	/* once more, because somebody wants it: no reason to step back */
	wait_sec(3);
	assert_int_equal(sync_bulk(sync_of(r->box), &err), 0);
	turns(3);
	listen_to_box();
	assert_int_equal(requests(), 1);
	expect_state("sent", 0);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
}

static void
everything(void **state)
{
	(void)state;
	restart();
	say_bus(SYNC_BUS_START);
	expect_state("receiving", 32);
	for (unsigned i = 0; i < 10; i++) {
		struct sync_state s = state4(50 + i, SYNC_DIR_IN, 17, (uint16_t)(3000 + i), 53);

		s.expire_sec = 0;
		wait_sec(1);	/* slowly, but it goes on */
		say_one(SYNC_UPD, &s);
	}
	expect_state("receiving", 32);
	assert_int_equal(info().bulk.received, 10);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
	assert_int_equal(rig_states(r), 10);
	assert_true(info().bulk.took_sec > 9);
	forget_all();
}

/* A peer that begins and dies does not hold us back for ever. */
static void
no_end(void **state)
{
	unsigned asked = 0;

	(void)state;
	restart();
	say_bus(SYNC_BUS_START);
	wait_sec(4);
	assert_int_equal(requests(), 0);
	wait_sec(2);
	assert_int_equal(requests(), 1);
	expect_state("sent", 32);
	for (unsigned i = 0; i < 30; i++) {
		say_bus(SYNC_BUS_START);
		wait_sec(6);
		asked += requests();
	}
	assert_int_equal(asked, 10);
	expect_state("failed", 0);
	assert_string_equal(info().bulk.reason, "the peer began, but did not end");
}

static void
link_cut(void **state)
{
	(void)state;
	restart();
	say_bus(SYNC_BUS_START);
	expect_state("receiving", 32);
	link_is(false);
	listen_to_box();
	expect_state("start", 33);
	link_is(true);
	wait_sec(2);
	assert_int_equal(requests(), 1);
	expect_state("sent", 32);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
	/* later: asked for again, but carp is left alone: both boxes see the link return */
	wait_sec(5);
	link_is(false);
	expect_state("done", 1);
	link_is(true);
	turns(10);
	listen_to_box();
	assert_int_equal(requests(), 1);
	expect_state("sent", 0);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
	/* a link that flaps: not more than a request in two seconds */
	for (int i = 0; i < 4; i++) {
		link_is(false);
		link_is(true);
	}
	listen_to_box();
	assert_in_range(requests(), 0, 2);
	wait_sec(2);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
	/* no link at all from the start: given up after half a minute, then the link's own penalty is left */
	link_is(false);
	restart();
	expect_state("start", 33);
	wait_sec(31);
	expect_state("failed", 1);
	assert_string_equal(info().bulk.reason, "no link");
	link_is(true);
	turns(5);
	listen_to_box();
	assert_int_equal(requests(), 1);
	say_bus(SYNC_BUS_END);
	expect_state("done", 0);
}

static void
serve(void **state)
{
	uint8_t b[200];

	(void)state;
	restart();
	say_bus(SYNC_BUS_END);
	wait_sec(1);
	/* nothing: both words, or an OpenBSD box asks on */
	say_ident(SYNC_UPD_REQ, 0, 0);
	assert_int_equal(said.n[SYNC_BUS], 1);
	assert_int_equal(said.bus[0].status, SYNC_BUS_START);
	assert_true(said.bus[0].creatorid == r->box->hostid && said.bus[0].endtime_sec == 0);
	turns(5);
	listen_to_box();
	assert_int_equal(said.n[SYNC_BUS], 1);
	assert_int_equal(said.bus[0].status, SYNC_BUS_END);
	assert_true(said.bus[0].creatorid == r->box->hostid && said.bus[0].endtime_sec == 0);
	assert_false(info().bulk.sending);
	wait_sec(1);
	for (unsigned i = 0; i < 100; i++)
		rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", (uint16_t)(2000 + i), 53, 10));
	rig_clear(r);
	turns(30);
	listen_to_box();
	assert_int_equal(rig_states(r), 200);
	/* one packet a millisecond at the most, and a second request is no second bulk */
	say_ident(SYNC_UPD_REQ, 0, 0);
	assert_int_equal(said.n[SYNC_BUS], 1);
	assert_in_range(said.packets, 1, 8);
	assert_true(info().bulk.sending);
	{
		unsigned upd = said.n[SYNC_UPD], bus = said.n[SYNC_BUS];

		say_ident(SYNC_UPD_REQ, 0, 0);
		upd += said.n[SYNC_UPD];
		bus += said.n[SYNC_BUS];
		for (unsigned i = 0; i < 200; i++) {
			turns(1);
			listen_to_box();
			upd += said.n[SYNC_UPD];
			bus += said.n[SYNC_BUS];
			assert_in_range(said.packets, 0, 3);
		}
		assert_int_equal(upd, 200);
		assert_int_equal(bus, 2);
	}
	assert_int_equal(info().bulk.sent, 200);
	assert_false(info().bulk.sending);
	/* not at once again: a request is small and the answer is not */
	say_ident(SYNC_UPD_REQ, 0, 0);
	assert_int_equal(said.packets, 0);
	wait_sec(1);
	turns(100);
	listen_to_box();
	forget_all();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody), cmocka_unit_test(end_alone), cmocka_unit_test(everything), cmocka_unit_test(no_end),
		cmocka_unit_test(link_cut), cmocka_unit_test(serve),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
