/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual host against the spec: every row of the tables of roles, of times and of receive checks. */
#include "carp_rig.h"

/* ---- roles */

static const struct row {
	enum fo_carp_peer kind;
	enum fo_carp_state in;
	bool preempt;
	uint8_t advbase, advskew; /* own */
	uint8_t d; /* own count; towards FreeBSD in advskew */
	uint8_t their_advbase, their_advskew, t;
	enum fo_carp_state out;
	enum fo_carp_why why; /* when it changed */
} rows[] = {
#define OB FO_CARP_PEER_OPENBSD
#define FB FO_CARP_PEER_FREEBSD
#define M FO_CARP_MASTER
#define B FO_CARP_BACKUP
	/* MASTER, OpenBSD: T < D first */
	{ OB, M, false, 1, 0, 1, 1, 100, 0, B, FO_CARP_WHY_LESS_DEMOTED },
	{ OB, M, false, 1, 100, 1, 1, 0, 0, B, FO_CARP_WHY_LESS_DEMOTED },
	/* own >= theirs and T <= D */
	{ OB, M, false, 1, 100, 0, 1, 0, 0, B, FO_CARP_WHY_MORE_FREQUENT },
	{ OB, M, false, 1, 100, 5, 1, 0, 5, B, FO_CARP_WHY_MORE_FREQUENT },
	{ OB, M, true, 2, 0, 0, 1, 254, 0, B, FO_CARP_WHY_MORE_FREQUENT },
	{ OB, M, false, 1, 7, 0, 1, 7, 0, B, FO_CARP_WHY_EQUAL },
	{ OB, M, false, 0, 1, 0, 0, 0, 0, B, FO_CARP_WHY_MORE_FREQUENT },
	/* else it stays */
	{ OB, M, false, 1, 0, 0, 1, 1, 0, M, 0 },
	{ OB, M, false, 0, 2, 0, 0, 3, 0, M, 0 },
	{ OB, M, false, 1, 100, 0, 1, 0, 1, M, 0 },
	{ OB, M, false, 1, 7, 4, 1, 7, 5, M, 0 },
	/* a bow-out is nobody's advertisement */
	{ OB, M, false, 1, 0, 32, 255, 255, 0, M, 0 },
	/* BACKUP: preempt, own < theirs, T >= D */
	{ OB, B, true, 1, 0, 0, 1, 100, 0, M, FO_CARP_WHY_PREEMPT },
	{ OB, B, true, 1, 0, 3, 1, 100, 3, M, FO_CARP_WHY_PREEMPT },
	{ OB, B, true, 0, 1, 0, 0, 2, 0, M, FO_CARP_WHY_PREEMPT },
	{ OB, B, false, 1, 0, 0, 1, 100, 0, B, 0 },
	{ OB, B, true, 1, 0, 1, 1, 100, 0, B, 0 },
	{ OB, B, true, 1, 100, 0, 1, 100, 0, B, 0 },
	{ OB, B, true, 1, 100, 0, 1, 0, 0, B, 0 },
	/* T > D, preempt not needed */
	{ OB, B, false, 1, 100, 0, 1, 0, 1, M, FO_CARP_WHY_MORE_DEMOTED },
	{ OB, B, false, 1, 100, 31, 1, 0, 32, M, FO_CARP_WHY_MORE_DEMOTED },
	{ OB, B, false, 1, 100, 32, 1, 0, 32, B, 0 },
	/* 3 * advbase + advskew / 256 < theirs, own advbase > 0 */
	{ OB, B, false, 1, 0, 0, 3, 1, 0, M, FO_CARP_WHY_TOO_SLOW },
	{ OB, B, false, 1, 0, 0, 3, 0, 0, B, 0 },
	{ OB, B, false, 1, 10, 0, 3, 10, 0, B, 0 },
	{ OB, B, false, 1, 10, 0, 3, 11, 0, M, FO_CARP_WHY_TOO_SLOW },
	{ OB, B, false, 1, 0, 1, 4, 0, 0, M, FO_CARP_WHY_TOO_SLOW },
	{ OB, B, false, 0, 10, 0, 1, 0, 0, B, 0 },
	/* bow-out: at once, whatever the own values and demotion */
	{ OB, B, false, 1, 0, 0, 255, 255, 0, M, FO_CARP_WHY_BOWED_OUT },
	{ OB, B, false, 0, 5, 0, 255, 255, 0, M, FO_CARP_WHY_BOWED_OUT },
	{ OB, B, false, 254, 0, 0, 255, 255, 0, M, FO_CARP_WHY_BOWED_OUT },
	{ OB, B, false, 1, 0, 255, 255, 255, 0, M, FO_CARP_WHY_BOWED_OUT },
	/* FreeBSD: byte 4 says nothing, demotion is in advskew, 240 at most */
	{ FB, M, false, 1, 0, 0, 1, 100, 0, M, 0 },
	{ FB, M, false, 1, 0, 50, 1, 100, 0, M, 0 },
	{ FB, M, false, 1, 0, 100, 1, 100, 0, B, FO_CARP_WHY_EQUAL },
	{ FB, M, false, 1, 0, 150, 1, 100, 0, B, FO_CARP_WHY_MORE_FREQUENT },
	{ FB, M, false, 1, 100, 0, 1, 0, 200, B, FO_CARP_WHY_MORE_FREQUENT },
	{ FB, M, false, 1, 254, 0, 1, 241, 0, M, 0 },
	{ FB, B, true, 1, 0, 0, 1, 100, 0, M, FO_CARP_WHY_PREEMPT },
	{ FB, B, true, 1, 0, 100, 1, 100, 0, B, 0 },
	{ FB, B, true, 1, 100, 0, 1, 240, 0, M, FO_CARP_WHY_PREEMPT },
	{ FB, B, false, 1, 100, 0, 1, 240, 0, B, 0 },
	{ FB, B, false, 1, 0, 0, 1, 0, 9, B, 0 },
	{ FB, B, false, 1, 0, 0, 3, 1, 0, M, FO_CARP_WHY_TOO_SLOW },
	{ FB, B, false, 1, 0, 10, 3, 10, 0, B, 0 },
	{ FB, B, false, 1, 0, 0, 255, 255, 0, M, FO_CARP_WHY_BOWED_OUT },
#undef OB
#undef FB
#undef M
#undef B
};

static void
test_roles(void **state)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct fo_carp_conf conf = conf_of(r->advbase, r->advskew);
		uint64_t before;

		conf.preempt = r->preempt;
		conf.peer_kind = r->kind;
		begin(&conf);
		if (r->d != 0)
			assert_int_equal(fo_group_demote(group, "carp", "user", "test", r->d, r->d, FO_CARP_NEVER, now), 0);
		if (r->in == FO_CARP_MASTER)
			to_master();
		now += 1000;
		before = fo_carp_deadline(carp);
		hear(r->their_advbase, r->their_advskew, r->t);
		if (state_of() != r->out)
			print_error("row %u\n", i);
		assert_int_equal(state_of(), r->out);
		assert_int_equal(seen.roles, r->in != r->out);
		if (r->in != r->out) {
			assert_int_equal(seen.change.why, r->why);
			assert_int_equal(seen.change.now_us, now);
			/* MASTER tells it at once, in both families, BACKUP says nothing */
			assert_int_equal(seen.n, r->out == FO_CARP_MASTER ? 2 : 0);
			assert_int_equal(seen.announces, r->out == FO_CARP_MASTER);
		} else {
			assert_int_equal(seen.n, 0);
			/* BACKUP: the other family's timer goes on. MASTER answers who must step down, and else nobody. */
			if (r->in == FO_CARP_BACKUP || r->their_advbase == 255)
				assert_int_equal(fo_carp_deadline(carp), before);
			else
				assert_in_range(fo_carp_deadline(carp), now, now + 5000);
		}
		end();
	}
}

/* ---- times */

static void
test_times(void **state)
{
	static const struct {
		uint8_t advbase, advskew;
		uint64_t interval_us, down_us;
	} v[] = { { 1, 0, 1000000, 3000000 }, { 1, 100, 1390625, 3390625 }, { 1, 254, 1992187, 3992187 }, { 0, 0, 3906, 11718 },
		{ 0, 1, 3906, 11718 }, { 0, 2, 7812, 23436 }, { 0, 25, 97656, 292968 }, { 254, 254, 254992187, 762992187 },
		{ 2, 20, 2078125, 6078125 } };

	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct fo_carp_conf conf = conf_of(v[i].advbase, v[i].advskew);
		uint64_t start;

		begin(&conf);
		start = now;
		assert_int_equal(fo_carp_interval_us(carp), v[i].interval_us);
		assert_int_equal(fo_carp_master_down_us(carp), v[i].down_us);
		/* to the microsecond: nothing before, MASTER at it, then in every interval two packets */
		assert_int_equal(fo_group_tick(group, start + v[i].down_us - 1), start + v[i].down_us);
		assert_int_equal(state_of(), FO_CARP_BACKUP);
		now = start + v[i].down_us;
		assert_int_equal(fo_group_tick(group, now), now + v[i].interval_us);
		assert_int_equal(state_of(), FO_CARP_MASTER);
		assert_int_equal(seen.change.why, FO_CARP_WHY_TIMED_OUT);
		assert_int_equal(seen.n, 2);
		for (unsigned k = 1; k <= 5; k++) {
			fo_group_tick(group, now + v[i].interval_us - 1);
			assert_int_equal(seen.n, 2 * k);
			now += v[i].interval_us;
			/* a little late: the beat stays */
			assert_int_equal(fo_group_tick(group, now + 100), now + v[i].interval_us);
			assert_int_equal(seen.n, 2 * (k + 1));
			/* gratuitous ARP at the takeover, and once more after the second following advertisement */
			assert_int_equal(seen.announces, k < 2 ? 1 : 2);
			assert_int_equal(seen.repeats, k >= 2);
		}
		end();
	}
}

/* FreeBSD's demotion slows the advertisements, not the waiting. */
static void
test_times_demoted(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 100);

	conf.peer_kind = FO_CARP_PEER_FREEBSD;
	begin(&conf);
	fo_group_demote(group, "carp", "user", "test", 50, 50, FO_CARP_NEVER, now);
	assert_int_equal(fo_carp_interval_us(carp), 1000000 + 150 * 1000000 / 256);
	assert_int_equal(fo_carp_master_down_us(carp), 3390625);
	fo_group_demote(group, "carp", "user", "test", 1000, 1000, FO_CARP_NEVER, now);
	assert_int_equal(fo_carp_interval_us(carp), 1937500);
	fo_group_demote(group, "carp", "user", "test", 0, -80, FO_CARP_NEVER, now);
	assert_int_equal(fo_carp_interval_us(carp), 1000000 + 20 * 1000000 / 256);
	fo_group_demote(group, "carp", "user", "test", 0, -180, FO_CARP_NEVER, now);
	assert_int_equal(fo_carp_interval_us(carp), 1000000);
	end();
}

/* One timer per family: silence of either takes over. */
static void
test_families(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);
	struct packet p;

	begin(&conf);
	for (unsigned i = 0; i < 2; i++) {
		now += SEC;
		hear(1, 0, 0);
		assert_int_equal(fo_group_tick(group, now), 1003 * SEC);
	}
	p = packet_of(1, 0, 0);
	p.rx.family = FO_INET6;
	now += SEC / 2;
	assert_int_equal(give(&p), FO_CARP_NONE);
	assert_int_equal(fo_group_tick(group, now), 1005 * SEC);
	now = 1005 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	end();
	/* one family: one timer, one packet */
	begin_families(&conf, 1);
	now += 3 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.ad[0].family, FO_INET);
	/* an address of the other one: its advertisements too, at once, and announced */
	assert_int_equal(fo_carp_addrs(carp, dual, 2, now), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.ad[2].family, FO_INET6);
	assert_int_equal(seen.announces, 2);
	end();
}

/* ---- receive checks */

static void
spoil(enum fo_carp_state in)
{
	struct fo_carp_conf conf = conf_of(1, 100);
	struct packet p;

	conf.preempt = true;
	begin(&conf);
	if (in == FO_CARP_MASTER)
		to_master();
	now += 1000;
#define SPOIL(counter, change) do { p = packet_of(1, 0, 0); change; expect(&p, FO_CARP_C_##counter); } while (0)
	SPOIL(badttl, p.rx.ttl = 254);
	SPOIL(badttl, p.rx.ttl = 254; p.rx.multicast = false);
	SPOIL(badlen, p.rx.len = 35);
	SPOIL(badlen, p.rx.len = 7);
	SPOIL(badlen, p.rx.len = 0);
	SPOIL(badsum, p.bytes[6] ^= 1);
	SPOIL(badsum, p.bytes[4] = 9);
	SPOIL(badsum, p.bytes[35] ^= 1);
	SPOIL(badver, p.h.version = 4; sync_carp_encode(&p.h, p.bytes));
	SPOIL(badver, p.h.version = 4; p.h.digest[0] ^= 1; sync_carp_encode(&p.h, p.bytes));
	SPOIL(badvhid, p.h.vhid = 9; sync_carp_encode(&p.h, p.bytes));
	SPOIL(badvhid, p.h.vhid = 0; p.h.version = 4; sync_carp_encode(&p.h, p.bytes));
	SPOIL(badvhid, p.rx.multicast = false);
	SPOIL(badvhid, p.rx.multicast = false; p.rx.family = FO_INET6);
	SPOIL(badvhid, p.rx.ifid = IFID + 1);
	SPOIL(badif, p.rx.ifid = IFID + 1; p.rx.multicast = false);
	SPOIL(badif, p.rx.ifid = IFID + 1; p.rx.family = FO_INET6; p.rx.ttl = 1);
	SPOIL(badauth, p.h.digest[19] ^= 0x80; sync_carp_encode(&p.h, p.bytes));
	SPOIL(badauth, p.h.counter++; sync_carp_encode(&p.h, p.bytes));
	SPOIL(badauth, p.rx.own_source = true);
	/* VRRP version 2: one address, its own checksum; version 3 */
	SPOIL(vrrp, memcpy(p.bytes, ((uint8_t[]){ 0x21, VHID, 100, 1, 0, 1, 0xba, 0x51, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 }), 20);
		p.rx.len = 20; sync_put16(p.bytes + 6, (uint16_t)~(0x2103 + 0x6401 + 1 + 0x0a00 + 1)));
	SPOIL(vrrp, memcpy(p.bytes, ((uint8_t[]){ 0x31, VHID, 100, 1, 0, 100, 0, 0, 10, 0, 0, 1 }), 12); p.rx.len = 12);
	fo_group_allow(group, false);
	SPOIL(drop, (void)0);
	fo_group_allow(group, true);
#undef SPOIL
	/* another password, another address list */
	for (unsigned i = 0; i < 2; i++) {
		struct fo_carp_auth *other = fo_carp_auth_create();

		assert_int_equal(fo_carp_auth_set(other, VHID, i ? PASS : "mekmitasdigoaf", dual, 2 - i), 0);
		p = packet_of(1, 0, 0);
		fo_carp_auth_digest(other, p.h.counter, false, p.h.digest);
		sync_carp_encode(&p.h, p.bytes);
		expect(&p, FO_CARP_C_badauth);
		fo_carp_auth_free(other);
	}
	p = packet_of(1, 0, 0);
	p.rx.payload = NULL;
	assert_int_equal(fo_group_input(group, &p.rx, now), FO_CARP_C_hdrops);
	/* not looked at: type, authlen, bytes behind */
	p.h.type = 9;
	p.h.authlen = 0;
	sync_carp_encode(&p.h, p.bytes);
	p.rx.len = sizeof(p.bytes);
	assert_int_equal(give(&p), FO_CARP_NONE);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	end();
}

static void
test_checks(void **state)
{
	spoil(FO_CARP_BACKUP);
	spoil(FO_CARP_MASTER);
}

static void
test_init_hears_nothing(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);
	struct packet p;

	begin(&conf);
	fo_group_up(group, carp, false, now);
	seen.roles = 0;
	p = packet_of(255, 255, 200);
	expect(&p, FO_CARP_C_badvhid);
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_MASTER, now), -ENETDOWN);
	fo_carp_peer_dead(carp, now);
	assert_int_equal(state_of(), FO_CARP_INIT);
	end();
}

static void
test_flood(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);
	struct fo_carp_stats s;
	struct packet p;

	begin(&conf);
	to_master();
	for (unsigned i = 0; i < 20000; i++) {
		p = packet_of(0, 0, 0);
		sync_put64(p.h.digest, i);
		sync_carp_encode(&p.h, p.bytes);
		assert_int_equal(give(&p), FO_CARP_C_badauth);
	}
	fo_group_stats_get(group, &s);
	assert_int_equal(s.badauth, 20000);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	assert_int_equal(seen.roles, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_demoted),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_init_hears_nothing),
		cmocka_unit_test(test_flood),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	fo_carp_auth_free(auth);
	return rc;
}
