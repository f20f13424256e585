/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the peer live? (watch.h), and virtual hosts that move together (group.h, fo_group_gather()), in made-up time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "carp_sim.h"
#include "failover/watch.h"

#define BEAT_MS 10u
#define DEAD_US 15000u

static struct fo_watch w;
static struct fo_watch_in in;
static unsigned first, asked, dead;
static uint64_t dead_at_us;

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	in = (struct fo_watch_in){ .now_us = 10 * SEC, .beat_ms = BEAT_MS, .dead_us = DEAD_US,
		.cable = true, .can_ask = true };
	first = asked = dead = 0;
	dead_at_us = 0;
	return 0;
}

/* So long, a turn a millisecond. beats: the peer is heard; answers: it answers what it is asked, 1 ms later. */
static void
go(uint64_t for_us, bool beats, bool answers)
{
	for (uint64_t end = in.now_us + for_us; in.now_us < end; in.now_us += MS) {
		if (beats && in.now_us % (BEAT_MS * MS) == 0)
			in.heard_us = in.now_us;
		switch (fo_watch_turn(&w, &in)) {
		case FO_WATCH_ASK_FIRST:
			first++;
			in.answered_us = 0;
			if (answers)
				in.answered_us = in.now_us + MS;
			break;
		case FO_WATCH_ASK:
			asked++;
			if (answers)
				in.answered_us = in.now_us + MS;
			break;
		case FO_WATCH_DEAD:
			dead++;
			dead_at_us = in.now_us;
			break;
		case FO_WATCH_NOTHING:
			break;
		}
	}
}

static void
never_heard(void **state)
{
	(void)state;
	go(5 * SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_NONE);
	assert_int_equal(first + asked + dead, 0);
}

static void
dies(void **state)
{
	uint64_t last_us;

	(void)state;
	go(SEC, true, true);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
	last_us = in.heard_us;
	go(SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_DEAD);
	assert_int_equal(first, 1);
	assert_int_equal(asked, 2);
	assert_int_equal(dead, 1);	/* once, not every turn */
	assert_true(dead_at_us - last_us >= 22 * MS + DEAD_US);
	assert_true(dead_at_us - last_us <= 45 * MS);
	go(100 * MS, true, true);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
	assert_int_equal(w.false_alarms, 0);
}

static void
cable_silent(void **state)
{
	(void)state;
	go(SEC, true, true);
	go(10 * SEC, false, true);
	assert_int_equal(w.peer, FO_PEER_ELSEWHERE);
	assert_int_equal(dead, 0);
	assert_in_range(first, 80, 101);	/* asked again and again */
	/* then it dies: found out by the next question */
	uint64_t died_us = in.now_us;
	go(SEC, false, false);
	assert_int_equal(dead, 1);
	assert_true(dead_at_us - died_us <= FO_WATCH_ELSEWHERE_US + DEAD_US + 2 * MS);
	/* an answer to a question of before is none now: role.c forgets it with ASK_FIRST, as go() does */
	go(100 * MS, true, true);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
}

static void
false_alarm(void **state)
{
	(void)state;
	go(SEC, true, true);
	go(18 * MS, false, false);
	assert_int_equal(w.peer, FO_PEER_SILENT);
	go(50 * MS, true, true);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
	assert_int_equal(w.false_alarms, 1);
	assert_int_equal(dead, 0);
}

/* Not run for a moment, and again: more patience every time, but not for ever. */
static void
wrong_deaths(void **state)
{
	uint64_t last_us;

	(void)state;
	go(SEC, true, true);
	for (unsigned i = 0; i < 3; i++) {
		go(60 * MS, false, false);
		assert_int_equal(dead, i < 2 ? i + 1 : 2);	/* the third time this is not enough */
		go(40 * MS, true, true);
	}
	for (unsigned i = 0; i < 10; i++) {
		go(400 * MS, false, false);
		go(40 * MS, true, true);
	}
	last_us = in.heard_us;
	go(SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_DEAD);
	assert_true(dead_at_us - last_us <= 22 * MS + DEAD_US + FO_WATCH_PATIENCE_MAX_US + 2 * MS);
	/* a real death is not held against it, and calm returns */
	go(10 * SEC, false, false);
	go(20 * 60 * SEC, true, true);
	dead = 0;
	last_us = in.heard_us;
	go(SEC, false, false);
	assert_int_equal(dead, 1);
	assert_true(dead_at_us - last_us <= 45 * MS);
}

static void
cable_pulled(void **state)
{
	(void)state;
	go(SEC, true, true);
	in.cable = false;
	go(5 * SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_CUT);
	assert_int_equal(first + asked + dead, 0);
	/* back: the peer's link may be up later than ours */
	in.cable = true;
	go(300 * MS, false, false);
	assert_int_equal(w.peer, FO_PEER_CUT);
	go(100 * MS, true, true);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
	assert_int_equal(dead, 0);
	/* ... and if it is not there at all, it is found dead after all */
	in.cable = false;
	go(SEC, false, false);
	in.cable = true;
	go(SEC, false, false);
	assert_int_equal(dead, 1);
}

/* Its end of the cable goes with it: dead before, dead still. */
static void
pulled_after_death(void **state)
{
	(void)state;
	go(SEC, true, true);
	go(SEC, false, false);
	in.cable = false;
	go(SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_DEAD);
	assert_int_equal(dead, 1);
}

static void
frozen(void **state)
{
	(void)state;
	/* not run for a second, at any time of a silence: what was said meanwhile is read first */
	for (unsigned at_ms = 0; at_ms < 45; at_ms++) {
		setup(NULL);
		go(SEC, true, true);
		go(at_ms * MS, false, false);
		if (dead != 0)
			break;
		in.now_us += SEC;
		go(10 * MS, false, false);
		assert_int_equal(dead, 0);
		go(50 * MS, true, true);
		assert_int_equal(w.peer, FO_PEER_ALIVE);
		assert_int_equal(dead, 0);
	}
	/* but a peer that died while this box was frozen is found dead */
	setup(NULL);
	go(SEC, true, true);
	in.now_us += 5 * SEC;
	go(100 * MS, false, false);
	assert_int_equal(dead, 1);
}

static void
nobody_to_ask(void **state)
{
	(void)state;
	go(SEC, true, true);
	in.can_ask = false;
	go(5 * SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_SILENT);
	assert_int_equal(dead, 0);
	/* from when somebody is heard on: asked, and given the time to answer */
	in.can_ask = true;
	uint64_t from_us = in.now_us;
	go(SEC, false, false);
	assert_int_equal(dead, 1);
	assert_true(dead_at_us - from_us >= DEAD_US - MS && asked > 0);
}

static void
no_heartbeat(void **state)
{
	(void)state;
	in.beat_ms = 0;
	go(SEC, true, true);
	go(SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_NONE);
	assert_int_equal(dead, 0);
}

static void
slow_and_fast_beats(void **state)
{
	(void)state;
	in.beat_ms = 1;	/* threads are late by more than that */
	go(SEC, true, true);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
	assert_int_equal(first, 0);
	setup(NULL);
	in.beat_ms = 1000;
	in.heard_us = in.now_us;
	go(2 * SEC, false, false);
	assert_int_equal(w.peer, FO_PEER_ALIVE);
	go(SEC, false, false);
	assert_int_equal(dead, 1);
}

/* ---- all virtual hosts together */
static void
pair_up(bool preempt, uint64_t us)
{
	struct fo_carp_conf conf = { .advbase = 1, .preempt = preempt };

	sim_begin(2, 2, 7);
	sim_boot(0, &conf);
	conf.advskew = 100;
	sim_boot(1, &conf);
	sim_run(us);
	sim_watch();
}

/* What role.c does, every 10 ms: what the cable says of the other box. */
static void
run_with_cable(uint64_t us)
{
	for (uint64_t end = sim.now_us + us; sim.now_us < end;) {
		sim_run(10 * MS);
		for (unsigned b = 0; b < 2; b++)
			fo_group_gather(sim.box[b].g, fo_group_demote_count(sim.box[!b].g, FO_GROUP_DEFAULT), false, sim.now_us);
	}
}

static void
link_of_one(void **state)
{
	(void)state;
	for (unsigned net = 0; net < 2; net++) {
		pair_up(true, 10 * SEC);
		assert_int_equal(sim_state(0, 0), FO_CARP_MASTER);
		assert_int_equal(sim_state(0, 1), FO_CARP_MASTER);
		fo_group_link(sim.box[0].g, net, false, sim.now_us);
		run_with_cable(20 * MS);
		assert_int_equal(sim_state(1, 0), FO_CARP_MASTER);
		assert_int_equal(sim_state(1, 1), FO_CARP_MASTER);
		assert_int_not_equal(sim_state(0, !net), FO_CARP_MASTER);
		unsigned roles = sim.box[0].roles + sim.box[1].roles;
		run_with_cable(20 * SEC);
		assert_int_equal(sim.box[0].roles + sim.box[1].roles, roles);	/* and stays so */
		fo_group_link(sim.box[0].g, net, true, sim.now_us);
		run_with_cable(5 * SEC);
		assert_int_equal(sim_state(0, 0), FO_CARP_MASTER);
		assert_int_equal(sim_state(0, 1), FO_CARP_MASTER);
		sim_end();
	}
	/* a link of each: no fight */
	pair_up(true, 10 * SEC);
	fo_group_link(sim.box[0].g, 0, false, sim.now_us);
	fo_group_link(sim.box[1].g, 1, false, sim.now_us);
	run_with_cable(10 * SEC);
	unsigned roles = sim.box[0].roles + sim.box[1].roles;
	run_with_cable(20 * SEC);
	assert_int_equal(sim.box[0].roles + sim.box[1].roles, roles);
	assert_int_equal(sim_state(1, 0), FO_CARP_MASTER);
	assert_int_equal(sim_state(0, 1), FO_CARP_MASTER);
	sim_end();
	/* without preempt each goes by itself */
	pair_up(false, 10 * SEC);
	assert_int_equal(fo_group_gather(sim.box[1].g, 5, true, sim.now_us), 0);
	sim_end();
}

/* Demoted by a group that only this box has: the peer's advertisements say which is more, and the cable must not say otherwise. */
static void
own_group(void **state)
{
	unsigned roles;

	(void)state;
	pair_up(true, 10 * SEC);
	for (unsigned net = 0; net < 2; net++)
		assert_int_equal(fo_group_join(sim.box[1].g, sim.box[1].c[net], "lan", sim.now_us), 0);
	assert_int_equal(fo_group_demote(sim.box[1].g, "lan", "test", "", 10, 0, FO_CARP_NEVER, sim.now_us), 0);
	assert_int_equal(fo_group_demote(sim.box[0].g, "carp", "test", "", 5, 0, FO_CARP_NEVER, sim.now_us), 0);
	run_with_cable(5 * SEC);
	roles = sim.box[0].roles + sim.box[1].roles;
	run_with_cable(10 * SEC);
	assert_int_equal(sim.box[0].roles + sim.box[1].roles, roles);
	assert_int_equal(sim_state(0, 0), FO_CARP_MASTER);
	sim_end();
}

/* One preempts: the other goes with it, by the master's last advertisement, and only by a fresh one. */
static void
preempts_together(void **state)
{
	(void)state;
	pair_up(true, 10 * SEC);
	assert_int_equal(fo_group_demote(sim.box[0].g, "carp", "test", "", 32, 0, FO_CARP_NEVER, sim.now_us), 0);
	sim_run(3 * SEC);
	assert_int_equal(sim_state(1, 0), FO_CARP_MASTER);
	assert_int_equal(fo_group_gather(sim.box[0].g, 0, true, sim.now_us), 0);	/* demoted more */
	assert_int_equal(fo_group_demote(sim.box[0].g, "carp", "test", "", 0, 0, FO_CARP_NEVER, sim.now_us), 0);
	assert_int_equal(fo_group_gather(sim.box[0].g, 0, false, sim.now_us), 0);
	assert_int_equal(fo_group_gather(sim.box[0].g, 0, true, sim.now_us), 2);
	sim_run(SEC);
	assert_int_equal(sim_state(0, 0), FO_CARP_MASTER);
	assert_int_equal(sim_state(1, 0), FO_CARP_BACKUP);
	sim_end();
}

/* Gave the role away: does not preempt, but relieves a master that has lost a link. */
static void
held(void **state)
{
	(void)state;
	pair_up(true, 10 * SEC);
	assert_int_equal(fo_group_resign(sim.box[0].g, 3600ull * SEC, 300 * MS, sim.now_us), 0);
	sim_run(100 * MS);
	assert_int_equal(sim_state(1, 0), FO_CARP_MASTER);
	assert_int_equal(sim_state(0, 0), FO_CARP_BACKUP);
	fo_group_hold(sim.box[0].g, true);
	assert_int_equal(fo_group_demote(sim.box[0].g, "carp", "failover", "", 0, 0, FO_CARP_NEVER, sim.now_us), 0);
	run_with_cable(20 * SEC);
	assert_int_equal(sim_state(1, 0), FO_CARP_MASTER);
	assert_int_equal(sim_state(0, 0), FO_CARP_BACKUP);
	assert_int_equal(sim_state(0, 1), FO_CARP_BACKUP);
	fo_group_link(sim.box[1].g, 1, false, sim.now_us);
	run_with_cable(20 * MS);
	assert_int_equal(sim_state(0, 0), FO_CARP_MASTER);
	assert_int_equal(sim_state(0, 1), FO_CARP_MASTER);
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(never_heard, setup), cmocka_unit_test_setup(dies, setup),
		cmocka_unit_test_setup(cable_silent, setup), cmocka_unit_test_setup(false_alarm, setup),
		cmocka_unit_test_setup(cable_pulled, setup), cmocka_unit_test_setup(pulled_after_death, setup),
		cmocka_unit_test_setup(frozen, setup), cmocka_unit_test_setup(wrong_deaths, setup), cmocka_unit_test_setup(nobody_to_ask, setup),
		cmocka_unit_test_setup(no_heartbeat, setup), cmocka_unit_test_setup(slow_and_fast_beats, setup),
		cmocka_unit_test(link_of_one), cmocka_unit_test(own_group), cmocka_unit_test(held), cmocka_unit_test(preempts_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
