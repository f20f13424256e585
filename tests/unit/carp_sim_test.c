/* SPDX-License-Identifier: BSD-2-Clause */
/* Two and three boxes with CARP against each other: crashes, links, cables, handover, loss, demotion, frozen boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "carp_sim.h"

#define ROUNDS 40

static struct fo_carp_conf
conf_of(uint8_t advbase, uint8_t advskew, bool preempt)
{
	return (struct fo_carp_conf){ .advbase = advbase, .advskew = advskew, .preempt = preempt, .peer_kind = FO_CARP_PEER_OPENBSD };
}

static void
boot(unsigned b, uint8_t advbase, uint8_t advskew, bool preempt)
{
	struct fo_carp_conf conf = conf_of(advbase, advskew, preempt);

	sim_boot(b, &conf);
}

/* The only one, everywhere. */
static void
assert_master(unsigned b)
{
	for (unsigned net = 0; net < sim.nets; net++) {
		assert_int_equal(sim_state(b, net), FO_CARP_MASTER);
		assert_int_equal(sim_masters(net), 1);
	}
}

/* Two boxes with two networks, the first one MASTER of both. */
static void
pair(uint8_t advbase, uint8_t skew0, uint8_t skew1, bool preempt, uint64_t seed)
{
	sim_begin(2, SIM_NETS, seed);
	boot(0, advbase, skew0, preempt);
	sim_run(5 * SEC);
	boot(1, advbase, skew1, preempt);
	sim_run(5 * SEC);
	assert_master(0);
	sim_watch();
}

static void
test_crash(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(1, 0, 100, true, i);
		sim_run(sim_random() % SEC);
		sim_kill(0);
		sim_run(4 * SEC);
		assert_master(1);
		assert_int_equal(sim.box[1].change.why, FO_CARP_WHY_TIMED_OUT);
		/* 3 own intervals and skew, less what had gone since the last advertisement */
		assert_in_range(sim.none_us[0], 3390625 - SEC, 3390625 + MS);
		assert_int_equal(sim.many_us[0] + sim.many_us[1], 0);
		/* it comes back and, with preempt, is MASTER with the next advertisement of the other */
		boot(0, 1, 0, true);
		sim_watch();
		sim_run(2 * SEC);
		assert_master(0);
		assert_int_equal(sim.box[0].change.why, FO_CARP_WHY_PREEMPT);
		assert_in_range(sim.many_us[0], 1, MS);
		assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
		sim_end();
	}
}

static void
test_no_preempt(void **state)
{
	pair(1, 0, 100, false, 1);
	sim_kill(0);
	sim_run(4 * SEC);
	boot(0, 1, 0, false);
	sim_run(60 * SEC);
	assert_master(1);
	sim_kill(1);
	sim_run(4 * SEC);
	assert_master(0);
	sim_end();
}

static void
test_sub_second(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(0, 1, 2, true, i);
		sim_run(sim_random() % SEC);
		sim_kill(0);
		sim_run(SEC);
		assert_master(1);
		assert_in_range(sim.none_us[0], 3 * 7812 - 3906 - MS, 3 * 7812 + MS);
		sim_end();
	}
}

static void
test_heartbeat(void **state)
{
	/* known dead: at once */
	pair(1, 0, 100, true, 1);
	sim_kill(0);
	sim_run(15 * MS);
	fo_group_peer_dead(sim.box[1].g, sim.now_us);
	assert_master(1);
	assert_int_equal(sim.none_us[0], 15 * MS);
	sim_end();
	/* silent, and dead: the advertisement that does not come says it */
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(0, 10, 20, true, i);
		sim_run(sim_random() % SEC);
		sim_kill(0);
		sim_run(10 * MS);
		fo_group_peer_suspect(sim.box[1].g, sim.now_us);
		sim_run(SEC);
		assert_master(1);
		/* interval 39 ms: less than 1.5 of it, not 3 of the own 78 */
		assert_in_range(sim.none_us[0], 10 * MS, 60 * MS);
		sim_end();
		/* silent, and alive: nothing happens, as often as that is said */
		pair(0, 10, 20, true, i);
		for (unsigned k = 0; k < 50; k++) {
			fo_group_peer_suspect(sim.box[1].g, sim.now_us);
			sim_run(sim_random() % (30 * MS));
		}
		assert_master(0);
		assert_int_equal(sim.box[0].roles, 4);
		assert_int_equal(sim.many_us[0] + sim.none_us[0], 0);
		sim_end();
	}
}

/* One port's link: the other network follows at once, and both come back. */
static void
test_link(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(1, 0, 100, true, i);
		sim_run(sim_random() % SEC);
		fo_group_link(sim.box[0].g, 1, false, sim.now_us);
		sim_run(2 * MS);
		assert_int_equal(sim_state(1, 0), FO_CARP_MASTER);
		assert_int_equal(sim_state(0, 0), FO_CARP_BACKUP);
		assert_int_equal(sim.box[0].change.why, FO_CARP_WHY_LESS_DEMOTED);
		assert_int_equal(sim.box[1].change.why, FO_CARP_WHY_MORE_DEMOTED);
		assert_int_equal(sim.none_us[0], 0);
		sim_run(4 * SEC);
		assert_int_equal(sim_state(0, 1), FO_CARP_INIT);
		assert_master(1);
		fo_group_link(sim.box[0].g, 1, true, sim.now_us);
		sim_watch();
		sim_run(2 * SEC);
		assert_master(0);
		assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
		sim_end();
	}
}

/* Flapping: whatever was the last, the box is as demoted as that says. */
static void
test_flaps(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(0, 5, 10, true, i);
		for (unsigned k = 0; k < 200; k++) {
			fo_group_link(sim.box[sim_random() % 2].g, (uint32_t)(sim_random() % 2), sim_random() % 2 == 0, sim.now_us);
			sim_run(sim_random() % (100 * MS));
		}
		for (unsigned b = 0; b < 2; b++)
			for (unsigned net = 0; net < 2; net++)
				fo_group_link(sim.box[b].g, net, true, sim.now_us);
		sim_run(SEC);
		assert_null(fo_group_demotion(sim.box[0].g, 0));
		assert_null(fo_group_demotion(sim.box[1].g, 0));
		assert_master(0);
		sim_end();
	}
}

/* A box that has to learn first does not take the role, and takes it when it is done, or when the time is over. */
static void
test_bulk(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		pair(1, 0, 100, true, i);
		sim_kill(0);
		sim_run(4 * SEC);
		boot(0, 1, 0, true);
		assert_int_equal(fo_group_demote(sim.box[0].g, "carp", "pfsync", "bulk update", FO_DEMOTE_BULK, FO_DEMOTE_SKEW,
			sim.now_us + 20 * SEC, sim.now_us), 0);
		sim_watch();
		sim_run(18 * SEC);
		assert_master(1);
		if (i == 0)
			fo_group_demote(sim.box[0].g, "carp", "pfsync", "", 0, 0, 0, sim.now_us);
		sim_run(i == 0 ? 2 * SEC : 4 * SEC);
		assert_master(0);
		assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
		/* demoted, but alone: better than nobody */
		fo_group_demote(sim.box[1].g, "carp", "user", "by hand", 100, 100, FO_CARP_NEVER, sim.now_us);
		sim_kill(0);
		sim_run(4 * SEC);
		assert_master(1);
		sim_end();
	}
}

static void
test_handover(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(1, 0, 100, true, i);
		sim_run(sim_random() % SEC);
		assert_int_equal(fo_group_resign(sim.box[0].g, 10 * SEC, FO_CARP_NEVER, sim.now_us), 0);
		sim_run(MS);
		assert_master(1);
		assert_int_equal(fo_group_masters(sim.box[0].g), 0);
		assert_int_equal(sim.box[0].change.why, FO_CARP_WHY_RESIGNED);
		/* make before break: never nobody, both for as long as two packets take */
		assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
		assert_in_range(sim.many_us[0], 1, 3 * sim.delay_us);
		/* then preempt takes it back */
		sim_run(8 * SEC);
		assert_master(1);
		sim_run(4 * SEC);
		assert_master(0);
		assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
		sim_end();
	}
	/* a peer that does not understand demotion (FreeBSD, no preempt): the bow-out does it */
	sim_begin(2, 1, 1);
	{
		struct fo_carp_conf conf = conf_of(1, 0, false);

		conf.peer_kind = FO_CARP_PEER_FREEBSD;
		sim_boot(0, &conf);
		sim_run(4 * SEC);
		conf.advskew = 100;
		sim_boot(1, &conf);
		sim_run(4 * SEC);
	}
	assert_master(0);
	sim_watch();
	assert_int_equal(fo_group_resign(sim.box[0].g, 10 * SEC, 50 * MS, sim.now_us), 0);
	sim_run(49 * MS);
	assert_master(0);
	sim_run(2 * MS);
	assert_master(1);
	assert_in_range(sim.none_us[0], 1, 2 * sim.delay_us);
	sim_end();
	/* nobody else: the role comes back */
	sim_begin(1, 1, 1);
	boot(0, 1, 0, true);
	sim_run(4 * SEC);
	fo_group_resign(sim.box[0].g, 10 * SEC, FO_CARP_NEVER, sim.now_us);
	sim_run(9 * SEC);
	assert_master(0);
	fo_group_resign(sim.box[0].g, 10 * SEC, 50 * MS, sim.now_us);
	sim_run(60 * MS);
	assert_int_equal(sim_masters(0), 0);
	sim_run(4 * SEC);
	assert_master(0);
	sim_end();
}

/* Orderly end: within the time of a packet. */
static void
test_shutdown(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pair(i % 2 ? 0 : 1, 1, 100, true, i);
		sim_run(sim_random() % SEC);
		fo_group_shutdown(sim.box[0].g, sim.now_us);
		sim_run(MS);
		assert_master(1);
		assert_int_equal(sim.box[1].change.why, FO_CARP_WHY_BOWED_OUT);
		assert_in_range(sim.none_us[0], 1, 2 * sim.delay_us);
		sim_run(10 * SEC);
		assert_master(1);
		assert_int_equal(sim_state(0, 0), FO_CARP_INIT);
		/* even for a demoted one, which the second family's bow-out must not push down again */
		sim_end();
		pair(1, 0, 100, true, i);
		fo_group_demote(sim.box[1].g, "carp", "user", "by hand", 9, 9, FO_CARP_NEVER, sim.now_us);
		sim_watch();
		fo_group_shutdown(sim.box[0].g, sim.now_us);
		sim_run(5 * SEC);
		assert_master(1);
		assert_in_range(sim.none_us[0], 1, 2 * sim.delay_us);
		sim_end();
	}
}

/* SIGSTOP: the other takes over; what wakes up neither keeps the role nor takes it because its timers are over. */
static void
test_frozen(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool preempt = i % 2;

		pair(0, 5, 10, preempt, i);
		sim.box[0].stopped_until_us = sim.now_us + SEC + sim_random() % SEC;
		sim_until(sim.box[0].stopped_until_us - 1);
		assert_master(1);
		sim_watch();
		/* it has heard the other before it spoke: with preempt it is MASTER, rightly; otherwise BACKUP */
		sim_run(SEC);
		assert_master(preempt ? 0 : 1);
		assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
		assert_in_range(sim.many_us[0], 0, MS);
		sim_end();

		/* a BACKUP: its timers are over, the master is not */
		pair(0, 5, 10, preempt, i);
		sim.box[1].stopped_until_us = sim.now_us + SEC;
		/* its receive queues have overflown meanwhile */
		sim.cut[0][1][0] = sim.cut[0][1][1] = true;
		sim_until(sim.box[1].stopped_until_us - 1);
		sim.in_flight = 0;
		sim.cut[0][1][0] = sim.cut[0][1][1] = false;
		sim_run(SEC);
		assert_master(0);
		assert_int_equal(sim.many_us[0] + sim.many_us[1], 0);
		sim_end();
	}
	/* frozen, and its queues are empty: somebody else is MASTER by now, so it does not even begin */
	pair(0, 5, 10, false, 3);
	sim.box[0].stopped_until_us = sim.now_us + SEC;
	sim_until(sim.box[0].stopped_until_us - 1);
	sim.in_flight = 0;
	sim_watch();
	sim_run(SEC);
	assert_master(1);
	assert_int_equal(sim.box[0].change.why, FO_CARP_WHY_FROZEN);
	assert_in_range(sim.many_us[0] + sim.many_us[1], 0, 2);
	sim_end();
}

/* One direction of a network: no table can help, both are MASTER; it ends with the first packet that comes through. */
static void
test_one_direction(void **state)
{
	pair(0, 5, 10, true, 1);
	sim.cut[0][1][1] = true;
	sim_run(SEC);
	assert_int_equal(sim_masters(0), 1);
	assert_int_equal(sim_masters(1), 2);
	sim.cut[0][1][1] = false;
	sim_run(25 * MS);
	assert_master(0);
	/* the other direction is not even noticed */
	sim_watch();
	sim.cut[1][0][0] = sim.cut[1][0][1] = true;
	sim_run(5 * SEC);
	assert_master(0);
	assert_int_equal(sim.many_us[0], 0);
	/* both networks away, both directions, and back */
	sim.cut[0][1][0] = sim.cut[0][1][1] = true;
	sim_run(SEC);
	assert_int_equal(sim_masters(0) + sim_masters(1), 4);
	memset(sim.cut, 0, sizeof(sim.cut));
	sim_run(25 * MS);
	assert_master(0);
	sim_end();
}

/* Equal values: both step down, and one comes back first, not both for ever. */
static void
test_equal(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		sim_begin(2, 1, i);
		boot(0, i % 2, 7, i % 4 < 2);
		boot(1, i % 2, 7, i % 4 < 2);
		sim_run(40 * SEC);
		assert_int_equal(sim_masters(0), 1);
		sim_watch();
		sim_run(20 * SEC);
		assert_int_equal(sim_masters(0), 1);
		assert_int_equal(sim.none_us[0] + sim.many_us[0], 0);
		sim_end();
	}
}

static void
test_loss(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t both = 0, total = 120 * SEC;

		pair(0, 25, 50, i % 2, i);
		sim.loss_percent = 30;
		sim.delay_us = 100 + sim_random() % (5 * MS);
		sim_run(total);
		for (unsigned net = 0; net < 2; net++) {
			/* a takeover needs six lost packets in a row; each costs one interval at the most, in no case an outage */
			both += sim.many_us[net];
			assert_int_equal(sim.none_us[net], 0);
		}
		assert_in_range(both, 0, total / 20);
		sim.loss_percent = 0;
		sim_run(SEC);
		assert_int_equal(sim_masters(0), 1);
		assert_int_equal(sim_masters(1), 1);
		if (i % 2)
			assert_master(0);
		sim_end();
	}
}

static void
test_three(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		sim_begin(3, SIM_NETS, i);
		boot(2, 0, 30, true);
		sim_run(sim_random() % SEC);
		boot(1, 0, 20, true);
		boot(0, 0, 10, true);
		sim_run(SEC);
		assert_master(0);
		/* an orderly end: all others answer it, one remains */
		fo_group_shutdown(sim.box[0].g, sim.now_us);
		sim_run(300 * MS);
		assert_master(1);
		sim_kill(1);
		sim_run(400 * MS);
		assert_master(2);
		boot(1, 0, 20, true);
		fo_group_up(sim.box[0].g, sim.box[0].c[0], true, sim.now_us);
		fo_group_up(sim.box[0].g, sim.box[0].c[1], true, sim.now_us);
		sim_run(SEC);
		assert_master(0);
		/* the heartbeat's peer is dead, but there is a third: it is heard, and answers */
		sim_kill(0);
		fo_group_peer_dead(sim.box[2].g, sim.now_us);
		sim_run(300 * MS);
		assert_master(1);
		sim_end();
	}
}

/* The course of the FreeBSD capture: demotion 50, 150, 1000 on both, -80; values; by hand. */
static void
test_freebsd_course(void **state)
{
	struct fo_carp_conf a = conf_of(1, 0, true), b = conf_of(1, 100, true);
	struct fo_carp_info i;
	const char *err;

	a.peer_kind = b.peer_kind = FO_CARP_PEER_FREEBSD;
	a.counter_rises = b.counter_rises = true;
	sim_begin(2, SIM_NETS, 1);
	sim_boot(0, &a);
	sim_boot(1, &b);
	sim_run(6 * SEC);
	assert_master(0);
#define DEMOTE(b_, n) fo_group_demote(sim.box[b_].g, "carp", "user", "sysctl", 0, n, FO_CARP_NEVER, sim.now_us)
	DEMOTE(0, 50);
	sim_run(5 * SEC);
	assert_master(0);
	DEMOTE(0, 150);
	sim_run(5 * SEC);
	assert_master(1);
	DEMOTE(0, 0);
	sim_run(5 * SEC);
	assert_master(0);
	DEMOTE(0, 1000);
	sim_run(3 * SEC);
	assert_master(1);
	/* both at the cap: who has it keeps it */
	DEMOTE(1, 1000);
	fo_carp_info_get(sim.box[1].c[0], &i);
	assert_int_equal(i.advskew, 240);
	sim_run(8 * SEC);
	assert_master(1);
	DEMOTE(0, 0);
	DEMOTE(1, 0);
	sim_run(6 * SEC);
	assert_master(0);
	DEMOTE(1, -80);
	fo_carp_info_get(sim.box[1].c[0], &i);
	assert_int_equal(i.advskew, 20);
	sim_run(4 * SEC);
	assert_master(0);
	DEMOTE(1, 0);
#undef DEMOTE
	/* advbase 2, advskew 20 on the first network alone */
	a.ifid = 0;
	a.vhid = 1;
	a.advbase = 2;
	a.advskew = 20;
	strcpy(a.name, "carp0");
	strcpy(a.pass, SIM_PASS);
	assert_int_equal(fo_carp_reconf(sim.box[0].c[0], &a, sim.now_us, &err), 0);
	sim_run(9 * SEC);
	assert_int_equal(sim_state(0, 0), FO_CARP_BACKUP);
	assert_int_equal(sim_state(0, 1), FO_CARP_MASTER);
	a.advbase = 1;
	a.advskew = 0;
	assert_int_equal(fo_carp_reconf(sim.box[0].c[0], &a, sim.now_us, &err), 0);
	sim_run(5 * SEC);
	assert_master(0);
	/* wrong password: two masters, each deaf to the other; then one again */
	strcpy(a.pass, "wrongpassword");
	assert_int_equal(fo_carp_reconf(sim.box[0].c[0], &a, sim.now_us, &err), 0);
	sim_run(6 * SEC);
	assert_int_equal(sim_masters(0), 2);
	assert_true(fo_carp_stats_get(sim.box[1].c[0])->badauth >= 12);
	strcpy(a.pass, SIM_PASS);
	assert_int_equal(fo_carp_reconf(sim.box[0].c[0], &a, sim.now_us, &err), 0);
	sim_run(5 * SEC);
	assert_master(0);
	sim_end();
}

/* The course of the OpenBSD capture: demotion 50 is enough, whatever advskew says. */
static void
test_openbsd_course(void **state)
{
	pair(1, 0, 100, true, 1);
	fo_group_demote(sim.box[0].g, "carp", "user", "by hand", 50, 50, FO_CARP_NEVER, sim.now_us);
	sim_run(5 * MS);
	assert_master(1);
	fo_group_demote(sim.box[0].g, "carp", "user", "by hand", 150, 150, FO_CARP_NEVER, sim.now_us);
	sim_run(7 * SEC);
	assert_master(1);
	fo_group_demote(sim.box[0].g, "carp", "user", "by hand", 0, 0, FO_CARP_NEVER, sim.now_us);
	sim_run(2 * SEC);
	assert_master(0);
	assert_int_equal(sim.none_us[0] + sim.none_us[1], 0);
	/* ifconfig down, up */
	fo_group_shutdown(sim.box[0].g, sim.now_us);
	sim_run(4 * MS);
	assert_master(1);
	fo_group_up(sim.box[0].g, sim.box[0].c[0], true, sim.now_us);
	fo_group_up(sim.box[0].g, sim.box[0].c[1], true, sim.now_us);
	sim_run(2 * SEC);
	assert_master(0);
	sim_end();
}

/* twinpath pairs: strict counters through crashes, restarts, handovers, a clock that was set back. */
static void
test_strict(void **state)
{
	struct fo_carp_conf a = conf_of(0, 10, true), b = conf_of(0, 20, true);

	for (unsigned i = 0; i < ROUNDS; i++) {
		a.counter_rises = b.counter_rises = a.counter_strict = b.counter_strict = true;
		sim_begin(2, SIM_NETS, i);
		a.counter_base = b.counter_base = 1763000000u * (uint64_t)SEC + sim.now_us;
		sim_boot(0, &a);
		sim_boot(1, &b);
		sim_run(SEC);
		assert_master(0);
		for (unsigned k = 0; k < 6; k++) {
			bool back = k == 4; /* the clock */

			sim_kill(0);
			sim_run(400 * MS);
			assert_master(1);
			a.counter_base = (1763000000u - (back ? 86400u : 0)) * (uint64_t)SEC + sim.now_us;
			sim_boot(0, &a);
			sim_run(SEC);
			assert_master(0);
			fo_group_resign(sim.box[0].g, 500 * MS, FO_CARP_NEVER, sim.now_us);
			sim_run(10 * MS);
			assert_master(1);
			sim_run(SEC);
			assert_master(0);
		}
		/* refused: only the IPv6 half of what made this box MASTER, for it has said something newer by then */
		for (unsigned k = 0; k < 2; k++)
			assert_in_range(fo_carp_stats_get(sim.box[1].c[k])->replays, 0, 6);
		sim_end();
	}
}

/* Kinds that are found out, not set: an OpenBSD and a FreeBSD way of demotion, both understood. */
static void
test_auto(void **state)
{
	struct fo_carp_conf mine = conf_of(1, 0, true), other = conf_of(1, 100, true);

	for (unsigned i = 0; i < 3; i++) {
		mine.peer_kind = FO_CARP_PEER_AUTO;
		other.peer_kind = i;
		other.counter_rises = i == FO_CARP_PEER_FREEBSD;
		sim_begin(2, SIM_NETS, i);
		sim_boot(0, &mine);
		sim_boot(1, &other);
		sim_run(6 * SEC);
		assert_master(0);
		for (unsigned k = 0; k < 3; k++) {
			fo_group_demote(sim.box[0].g, "carp", "pfsync", "bulk update", FO_DEMOTE_BULK, FO_DEMOTE_SKEW, FO_CARP_NEVER,
				sim.now_us);
			sim_run(10 * MS);
			assert_master(1);
			sim_run(5 * SEC);
			assert_master(1);
			fo_group_demote(sim.box[0].g, "carp", "pfsync", "", 0, 0, 0, sim.now_us);
			sim_run(2 * SEC);
			assert_master(0);
		}
		sim_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_crash), cmocka_unit_test(test_no_preempt),
		cmocka_unit_test(test_sub_second), cmocka_unit_test(test_heartbeat), cmocka_unit_test(test_link),
		cmocka_unit_test(test_flaps), cmocka_unit_test(test_bulk), cmocka_unit_test(test_handover),
		cmocka_unit_test(test_shutdown), cmocka_unit_test(test_frozen), cmocka_unit_test(test_one_direction),
		cmocka_unit_test(test_equal), cmocka_unit_test(test_loss), cmocka_unit_test(test_three),
		cmocka_unit_test(test_freebsd_course), cmocka_unit_test(test_openbsd_course), cmocka_unit_test(test_strict),
		cmocka_unit_test(test_auto) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
