/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual host against made-up advertisements, in made-up time: every row of the tables of roles, of receive checks and
 * of times; the counter; what it sends and announces when; send errors; what it refuses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failover/group.h"
#include "sync/bytes.h"

#define PASS "mekmitasdigoat"
#define IFID 7
#define VHID 3
#define SEC 1000000u
#define MAX_SENT 64

static struct {
	struct fo_carp_advert ad[MAX_SENT];
	unsigned n, announces, repeats, roles;
	struct fo_carp_change change; /* the last */
	int rc; /* what send() answers */
	uint64_t random;
} seen;

static int
on_send(void *ctx, struct fo_carp *c, const struct fo_carp_advert *ad)
{
	assert_true(seen.n < MAX_SENT);
	seen.ad[seen.n++] = *ad;
	return seen.rc;
}

static void
on_announce(void *ctx, struct fo_carp *c, bool repeat)
{
	seen.announces++;
	seen.repeats += repeat;
}

static void
on_role(void *ctx, struct fo_carp *c, const struct fo_carp_change *change)
{
	assert_false(change->from == FO_CARP_INIT && change->to == FO_CARP_MASTER);
	assert_int_not_equal(change->from, change->to);
	seen.roles++;
	seen.change = *change;
}

static uint64_t
on_random(void *ctx)
{
	return seen.random;
}

static const struct fo_carp_ops ops = { on_send, on_announce, on_role, on_random };

static const struct fo_addr dual[] = { { FO_INET, { 10, 0, 0, 1 } }, { FO_INET6, { 0xfd, [15] = 1 } } };
static struct fo_carp_auth *auth; /* the peer's, over the same addresses */
static uint64_t now;
static struct fo_group *group;
static struct fo_carp *carp;
static uint64_t peer_counter;

static struct fo_carp_conf
conf_of(uint8_t advbase, uint8_t advskew)
{
	return (struct fo_carp_conf){ .name = "carp1", .ifid = IFID, .vhid = VHID, .advbase = advbase, .advskew = advskew, .pass = PASS,
		.peer_kind = FO_CARP_PEER_OPENBSD };
}

static enum fo_carp_state
state_of(void)
{
	struct fo_carp_info i;

	fo_carp_info_get(carp, &i);
	return i.state;
}

/* A virtual host that is up; families: addresses of dual. Everything seen is forgotten. */
static void
begin_families(const struct fo_carp_conf *conf, size_t n_addrs)
{
	memset(&seen, 0, sizeof(seen));
	seen.random = 0x1122334455667788;
	peer_counter = 0xaaaa;
	now = 1000 * SEC;
	group = fo_group_create();
	carp = fo_carp_create(conf, &ops, NULL, now, NULL);
	assert_non_null(carp);
	assert_int_equal(fo_group_add(group, carp, now), 0);
	assert_int_equal(fo_carp_addrs(carp, dual, n_addrs, now), 0);
	fo_group_link(group, IFID, true, now);
	fo_group_up(group, carp, true, now);
	if (auth == NULL)
		auth = fo_carp_auth_create();
	assert_int_equal(fo_carp_auth_set(auth, VHID, PASS, dual, n_addrs), 0);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	seen.roles = 0;
}

static void
begin(const struct fo_carp_conf *conf)
{
	begin_families(conf, 2);
}

static void
end(void)
{
	fo_group_free(group);
}

static void
to_master(void)
{
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_MASTER, now), 0);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	memset(&seen.ad, 0, sizeof(seen.ad));
	seen.n = seen.announces = seen.roles = 0;
}

/* What a peer sends, to be spoiled by the tests. */
struct packet {
	struct sync_carp h;
	struct fo_carp_rx rx;
	uint8_t bytes[64];
};

static struct packet
packet_of(uint8_t advbase, uint8_t advskew, uint8_t demote)
{
	struct packet p = { .h = { .version = SYNC_CARP_VERSION, .type = SYNC_CARP_ADVERTISEMENT, .vhid = VHID, .advskew = advskew,
		.authlen = SYNC_CARP_AUTHLEN, .demote = demote, .advbase = advbase, .counter = peer_counter },
		.rx = { .len = SYNC_CARP_SIZE, .ifid = IFID, .family = FO_INET, .ttl = 255, .tos = 0x10, .multicast = true,
			.src = { 10, 0, 0, 9 } } };

	assert_true(fo_carp_auth_digest(auth, p.h.counter, false, p.h.digest));
	sync_carp_encode(&p.h, p.bytes);
	return p;
}

static enum fo_carp_counter
give(struct packet *p)
{
	p->rx.payload = p->bytes;
	return fo_group_input(group, &p->rx, now);
}

static void
hear(uint8_t advbase, uint8_t advskew, uint8_t demote)
{
	struct packet p = packet_of(advbase, advskew, demote);

	assert_int_equal(give(&p), FO_CARP_NONE);
}

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
			/* the other family's timer goes on */
			assert_int_equal(fo_carp_deadline(carp), before);
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
expect(struct packet *p, enum fo_carp_counter want)
{
	struct fo_carp_stats before, after;
	struct fo_carp_info i, j;
	enum fo_carp_counter got;
	uint64_t deadline = fo_carp_deadline(carp);

	fo_group_stats_get(group, &before);
	fo_carp_info_get(carp, &i);
	got = give(p);
	if (got != want)
		print_error("%s, not %s\n", fo_carp_counter_name(got), fo_carp_counter_name(want));
	assert_int_equal(got, want);
	fo_group_stats_get(group, &after);
	assert_int_equal(((uint64_t *)&after)[want - 1], ((uint64_t *)&before)[want - 1] + 1);
	assert_int_equal(after.ipackets + after.ipackets6, before.ipackets + before.ipackets6 + 1);
	/* it left no trace */
	fo_carp_info_get(carp, &j);
	assert_int_equal(i.state, j.state);
	assert_int_equal(i.heard, j.heard);
	assert_int_equal(fo_carp_deadline(carp), deadline);
	assert_int_equal(seen.roles, 0);
}

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

/* ---- the counter */

static uint64_t
sent_counter(unsigned i)
{
	struct sync_carp h;

	assert_true(i < seen.n);
	assert_int_equal(sync_carp_decode(&h, seen.ad[i].bytes, SYNC_CARP_SIZE), SYNC_CARP_OK);
	assert_true(fo_carp_auth_verify(auth, h.counter, h.digest));
	assert_int_not_equal(h.counter, 0);
	return h.counter;
}

/* Hand back the i-th packet that was sent. */
static struct packet
echo(unsigned i)
{
	struct packet p = packet_of(1, 0, 0);

	memcpy(p.bytes, seen.ad[i].bytes, SYNC_CARP_SIZE);
	p.rx.family = seen.ad[i].family;
	return p;
}

static void
test_counter_constant(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 100);
	struct packet p;

	begin(&conf);
	/* the random number happens to be the peer's */
	seen.random = peer_counter;
	hear(1, 0, 0);
	now += 4 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	for (unsigned i = 0; i < 5; i++) {
		now += fo_carp_interval_us(carp);
		fo_group_tick(group, now);
	}
	assert_int_equal(seen.n, 12);
	for (unsigned i = 0; i < seen.n; i++)
		assert_int_equal(sent_counter(i), peer_counter + 1);
	/* the own one comes back: a loop, in either role, though equal values would end a MASTER */
	seen.roles = 0;
	for (unsigned i = 0; i < 2; i++) {
		p = echo(i);
		expect(&p, FO_CARP_C_badauth);
	}
	assert_int_equal(fo_carp_stats_get(carp)->loops, 2);
	fo_carp_set_state(carp, FO_CARP_BACKUP, now);
	seen.roles = 0;
	p = echo(1);
	expect(&p, FO_CARP_C_badauth);
	end();
	begin(&conf);
	seen.random = 0;
	to_master();
	now += 2 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(sent_counter(0), 1);
	/* OpenBSD never changes it: the same again is no offence, nor is 0 */
	fo_carp_set_state(carp, FO_CARP_BACKUP, now);
	hear(1, 0, 0);
	hear(1, 0, 0);
	peer_counter = 0;
	hear(1, 0, 0);
	end();
}

static void
test_counter_rises(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);
	struct packet p;

	conf.counter_rises = true;
	begin(&conf);
	seen.random = 100;
	now += 3 * SEC;
	fo_group_tick(group, now);
	now += SEC;
	fo_group_tick(group, now);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(sent_counter(i), 100 + i);
	seen.roles = 0;
	for (unsigned i = 2; i < 4; i++) {
		p = echo(i);
		expect(&p, FO_CARP_C_badauth);
	}
	/* goes on from the peer's, lower or higher, and never repeats that */
	peer_counter = 5000;
	hear(1, 50, 0);
	now += SEC;
	fo_group_tick(group, now);
	assert_int_equal(sent_counter(4), 5001);
	peer_counter = 20;
	hear(1, 50, 0);
	now += SEC;
	fo_group_tick(group, now);
	assert_int_equal(sent_counter(6), 21);
	/* over the end: not 0 */
	peer_counter = UINT64_MAX;
	hear(1, 50, 0);
	now += SEC;
	fo_group_tick(group, now);
	assert_int_equal(sent_counter(8), 1);
	end();
}

static void
test_counter_strict(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 100);
	struct packet p, old;

	conf.counter_rises = conf.counter_strict = true;
	conf.counter_base = 7000;
	begin(&conf);
	peer_counter = 6000;
	hear(1, 0, 0);
	old = packet_of(1, 0, 0);
	expect(&old, FO_CARP_C_badauth);
	assert_int_equal(fo_carp_stats_get(carp)->replays, 1);
	/* each family has its own */
	old.rx.family = FO_INET6;
	assert_int_equal(give(&old), FO_CARP_NONE);
	peer_counter = 6001;
	hear(1, 0, 0);
	/* its own first one is the base, for that is higher */
	to_master();
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_BACKUP, now), 0);
	fo_carp_set_state(carp, FO_CARP_MASTER, now);
	/* the bow-out and the new ones; the first two went uncounted */
	assert_int_equal(sent_counter(0), 7002);
	assert_int_equal(sent_counter(3), 7005);
	seen.roles = 0;
	peer_counter = 7003;
	p = packet_of(1, 0, 0);
	expect(&p, FO_CARP_C_badauth);
	peer_counter = 8000;
	hear(1, 200, 0);
	now += 2 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(sent_counter(4), 8001);
	assert_int_equal(sent_counter(5), 8002);
	end();
	/* a peer that is ahead of the base */
	begin(&conf);
	peer_counter = 9000;
	hear(1, 0, 0);
	now += 4 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(sent_counter(0), 9001);
	end();
}

/* ---- what is sent */

static void
test_packet(void **state)
{
	static const uint8_t g4[4] = { 224, 0, 0, 18 }, g6[16] = { 0xff, 2, [15] = 0x12 }, peer[4] = { 10, 0, 0, 3 };
	struct fo_carp_conf conf = conf_of(1, 33);
	struct sync_carp h;
	uint8_t mac[6];

	begin(&conf);
	fo_group_demote(group, "carp", "user", "test", 300, 300, FO_CARP_NEVER, now);
	now += 4 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(seen.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(seen.ad[i].family, i);
		assert_int_equal(seen.ad[i].ttl, 255);
		assert_int_equal(seen.ad[i].tos, i ? 0 : 0x10);
		assert_false(seen.ad[i].unicast);
		assert_memory_equal(seen.ad[i].dst, i ? g6 : g4, i ? 16 : 4);
		assert_int_equal(sync_carp_decode(&h, seen.ad[i].bytes, SYNC_CARP_SIZE), SYNC_CARP_OK);
		assert_true(h.version == 2 && h.type == 1 && h.vhid == VHID && h.authlen == 7 && h.advbase == 1);
		assert_int_equal(h.advskew, 33);
		assert_int_equal(h.demote, 255);
	}
	/* down: one bow-out a family, then nothing */
	fo_group_up(group, carp, false, now);
	assert_int_equal(seen.n, 4);
	for (unsigned i = 2; i < 4; i++) {
		assert_int_equal(sync_carp_decode(&h, seen.ad[i].bytes, SYNC_CARP_SIZE), SYNC_CARP_OK);
		assert_true(h.advbase == 255 && h.advskew == 255);
		assert_true(fo_carp_auth_verify(auth, h.counter, h.digest));
	}
	assert_int_equal(fo_group_tick(group, now + 100 * SEC), FO_CARP_NEVER);
	assert_int_equal(seen.n, 4);
	end();
	/* carppeer: that family is unicast both ways, the other is not */
	conf.has_peer[FO_INET] = true;
	memcpy(conf.peer[FO_INET], peer, 4);
	begin(&conf);
	fo_carp_set_state(carp, FO_CARP_MASTER, now);
	assert_true(seen.ad[0].unicast && !seen.ad[1].unicast);
	assert_memory_equal(seen.ad[0].dst, peer, 4);
	seen.roles = 0;
	{
		struct packet p = packet_of(1, 0, 0);

		expect(&p, FO_CARP_C_badvhid);
		p.rx.multicast = false;
		p.rx.ttl = 254;
		expect(&p, FO_CARP_C_badttl);
		p.rx.ttl = 255;
		assert_int_equal(give(&p), FO_CARP_NONE);
		assert_int_equal(state_of(), FO_CARP_BACKUP);
	}
	end();
	fo_carp_mac(0xab, mac);
	assert_memory_equal(mac, ((uint8_t[]){ 0, 0, 0x5e, 0, 1, 0xab }), 6);
}

/* Towards FreeBSD byte 4 is 0 and advskew has the demotion; unknown peers get both; what is heard decides. */
static void
test_peer_kind(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 10);
	struct fo_carp_info i;
	struct sync_carp h;
	struct packet p;

	conf.peer_kind = FO_CARP_PEER_FREEBSD;
	begin(&conf);
	fo_group_demote(group, "carp", "user", "test", 1, 240, FO_CARP_NEVER, now);
	fo_carp_set_state(carp, FO_CARP_MASTER, now);
	sync_carp_decode(&h, seen.ad[0].bytes, SYNC_CARP_SIZE);
	assert_true(h.demote == 0 && h.advskew == 240);
	end();
	conf.peer_kind = FO_CARP_PEER_AUTO;
	begin(&conf);
	fo_carp_set_state(carp, FO_CARP_MASTER, now);
	sync_carp_decode(&h, seen.ad[0].bytes, SYNC_CARP_SIZE);
	assert_true(h.demote == 0 && h.advskew == 10);
	fo_group_demote(group, "carp", "user", "test", 1, 240, FO_CARP_NEVER, now);
	sync_carp_decode(&h, seen.ad[2].bytes, SYNC_CARP_SIZE);
	assert_true(h.demote == 1 && h.advskew == 240);
	/* OpenBSD: the counter stays */
	fo_carp_set_state(carp, FO_CARP_BACKUP, now);
	hear(1, 200, 0);
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.peer_kind, FO_CARP_PEER_AUTO);
	hear(1, 200, 0);
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.peer_kind, FO_CARP_PEER_OPENBSD);
	assert_int_equal(i.advskew, 10);
	/* FreeBSD: it rises, or TOS says so */
	peer_counter++;
	hear(1, 200, 0);
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.peer_kind, FO_CARP_PEER_FREEBSD);
	assert_int_equal(i.advskew, 240);
	/* only OpenBSD has byte 4 */
	peer_counter += 1000;
	hear(1, 200, 1);
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.peer_kind, FO_CARP_PEER_OPENBSD);
	assert_true(i.heard && i.heard_advskew == 200 && i.heard_demote == 1 && i.heard_us == now && i.heard_src[3] == 9);
	p = packet_of(1, 200, 0);
	p.rx.tos = FO_CARP_TOS_FREEBSD;
	assert_int_equal(give(&p), FO_CARP_NONE);
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.peer_kind, FO_CARP_PEER_FREEBSD);
	end();
}

static void
test_linklocal(void **state)
{
	static const struct fo_addr v[] = { { FO_INET, { 10, 0, 0, 1 } }, { FO_INET6, { 0xfe, 0x80, [15] = 1 } } };
	struct fo_carp_conf conf = conf_of(1, 10);
	struct fo_carp_auth *exact = fo_carp_auth_create();
	uint8_t with[SYNC_CARP_DIGEST_SIZE];
	struct sync_carp h;

	assert_int_equal(fo_carp_auth_set(exact, VHID, PASS, v, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		conf.send_linklocal = i == 1;
		begin(&conf);
		assert_int_equal(fo_carp_addrs(carp, v, 2, now), 0);
		fo_carp_set_state(carp, FO_CARP_MASTER, now);
		/* IPv6 has its own packet, with link-local addresses alone too */
		assert_int_equal(seen.n, 2);
		sync_carp_decode(&h, seen.ad[1].bytes, SYNC_CARP_SIZE);
		fo_carp_auth_digest(exact, h.counter, true, with);
		assert_int_equal(memcmp(with, h.digest, sizeof(with)) == 0, i == 1);
		assert_true(fo_carp_auth_verify(exact, h.counter, h.digest));
		end();
	}
	fo_carp_auth_free(exact);
}

/* ---- send errors */

static void
test_send_errors(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);
	struct fo_carp_info i;

	begin_families(&conf, 1);
	to_master();
	seen.rc = -ENOBUFS;
	for (unsigned k = 1; k <= 6; k++) {
		now += SEC;
		fo_group_tick(group, now);
		fo_carp_info_get(carp, &i);
		assert_int_equal(i.send_errors, k >= 3);
		assert_int_equal(i.demote, k >= 3);
	}
	assert_string_equal(fo_group_demotion(group, 0)->reason, "send errors");
	assert_int_equal(fo_carp_stats_get(carp)->onomem, 7); /* and the one that told of the demotion */
	seen.rc = 0;
	now += SEC;
	fo_group_tick(group, now);
	seen.rc = -EIO;
	now += SEC;
	fo_group_tick(group, now);
	assert_int_equal(fo_carp_stats_get(carp)->oerrors, 1);
	seen.rc = 0;
	for (unsigned k = 1; k <= 3; k++) {
		fo_carp_info_get(carp, &i);
		assert_int_equal(i.demote, 1);
		now += SEC;
		fo_group_tick(group, now);
	}
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.demote, 0);
	assert_null(fo_group_demotion(group, 0));
	/* two failures and a success: nothing */
	for (unsigned k = 0; k < 9; k++) {
		seen.rc = k % 3 == 2 ? 0 : -EIO;
		now += SEC;
		fo_group_tick(group, now);
	}
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.demote, 0);
	end();
	/* a unicast peer that is off */
	conf.has_peer[FO_INET] = true;
	begin_families(&conf, 1);
	to_master();
	seen.rc = -EHOSTUNREACH;
	for (unsigned k = 0; k < 9; k++) {
		now += SEC;
		fo_group_tick(group, now);
	}
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.demote, 0);
	assert_int_equal(i.state, FO_CARP_MASTER);
	end();
}

/* ---- by hand, by hint, by time */

static void
test_hand(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);
	struct sync_carp h;

	begin(&conf);
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_BACKUP, now), 0);
	assert_int_equal(seen.roles, 0);
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_MASTER, now), 0);
	assert_int_equal(seen.change.why, FO_CARP_WHY_USER);
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_MASTER, now), 0);
	assert_int_equal(seen.roles, 1);
	assert_int_equal(fo_carp_set_state(carp, FO_CARP_BACKUP, now), 0);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	sync_carp_decode(&h, seen.ad[3].bytes, SYNC_CARP_SIZE);
	assert_true(h.advbase == 255 && h.advskew == 255);
	/* nobody takes over: it comes back by itself */
	assert_int_equal(fo_group_tick(group, now), now + 3 * SEC);
	now += 3 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	end();
}

static void
test_down_and_up(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);

	begin(&conf);
	to_master();
	fo_group_link(group, IFID + 1, false, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	fo_group_link(group, IFID, false, now);
	assert_int_equal(state_of(), FO_CARP_INIT);
	assert_int_equal(seen.change.why, FO_CARP_WHY_LINK_DOWN);
	assert_int_equal(seen.n, 0); /* no link, no bow-out */
	assert_int_equal(fo_group_demote_count(group, "carp"), 1);
	assert_int_equal(fo_group_tick(group, now + 10 * SEC), FO_CARP_NEVER);
	now += 10 * SEC;
	fo_group_link(group, IFID, true, now);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	assert_int_equal(seen.change.why, FO_CARP_WHY_READY);
	assert_int_equal(fo_group_demote_count(group, "carp"), 0);
	assert_int_equal(fo_carp_deadline(carp), now + 3 * SEC);
	assert_int_equal(fo_carp_addrs(carp, NULL, 0, now), 0);
	assert_int_equal(seen.change.why, FO_CARP_WHY_NO_ADDRESS);
	fo_group_link(group, IFID, false, now);
	assert_int_equal(fo_group_demote_count(group, "carp"), 0);
	fo_group_link(group, IFID, true, now);
	assert_int_equal(fo_carp_addrs(carp, dual, 1, now), 0);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	/* set down by hand: no demotion while its link is away, either */
	fo_group_link(group, IFID, false, now);
	assert_int_equal(fo_group_demote_count(group, "carp"), 1);
	fo_group_up(group, carp, false, now);
	assert_int_equal(fo_group_demote_count(group, "carp"), 0);
	end();
}

static void
test_peer_dead(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 100);

	begin(&conf);
	hear(1, 0, 0);
	now += 20000;
	fo_group_peer_dead(group, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	assert_int_equal(seen.change.why, FO_CARP_WHY_PEER_DEAD);
	assert_int_equal(seen.change.now_us, now);
	fo_group_peer_dead(group, now);
	assert_int_equal(seen.roles, 1);
	end();
	/* only suspect: the next advertisement decides */
	begin_families(&conf, 1);
	fo_group_peer_suspect(group, now); /* of nobody */
	assert_int_equal(fo_carp_deadline(carp), now + 3390625);
	now += SEC;
	hear(1, 0, 0);
	now += SEC / 10;
	fo_group_peer_suspect(group, now);
	assert_int_equal(fo_carp_deadline(carp), 1001 * SEC + 3 * SEC / 2);
	fo_group_peer_suspect(group, now + 1000);
	assert_int_equal(fo_carp_deadline(carp), 1001 * SEC + 3 * SEC / 2);
	now = 1002 * SEC;
	hear(1, 0, 0);
	assert_int_equal(fo_carp_deadline(carp), now + 3390625);
	now += SEC / 10;
	fo_group_peer_suspect(group, now);
	now = fo_carp_deadline(carp);
	fo_group_tick(group, now);
	assert_int_equal(now, 1003 * SEC + SEC / 2);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	end();
}

static void
test_frozen(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0);

	/* a BACKUP that was not run waits anew, once */
	begin(&conf);
	now += 5 * SEC;
	assert_int_equal(fo_group_tick(group, now), now + 3 * SEC);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	assert_int_equal(fo_carp_stats_get(carp)->stalls, 1);
	now += 5 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	/* a MASTER: late by less than others wait, it goes on; by more, another is MASTER now */
	now += 3 * SEC + SEC / 2;
	fo_group_tick(group, now);
	assert_int_equal(state_of(), FO_CARP_MASTER);
	assert_int_equal(fo_carp_deadline(carp), now + SEC);
	now += 4 * SEC;
	fo_group_tick(group, now);
	assert_int_equal(state_of(), FO_CARP_BACKUP);
	assert_int_equal(seen.change.why, FO_CARP_WHY_FROZEN);
	assert_int_equal(fo_carp_deadline(carp), now + 3 * SEC);
	/* a clock that goes back stands still */
	assert_int_equal(fo_group_tick(group, now - 100 * SEC), now + 3 * SEC);
	end();
}

/* ---- settings */

static void
test_settings(void **state)
{
	struct fo_carp_conf good = conf_of(1, 0), bad;
	const char *err;

#define BAD(change) do { \
	bad = good; change; err = NULL; errno = 0; \
	assert_null(fo_carp_create(&bad, &ops, NULL, 0, &err)); \
	assert_int_equal(errno, EINVAL); assert_non_null(err); \
} while (0)
	BAD(bad.vhid = 0);
	BAD(bad.advbase = 255);
	BAD(bad.advskew = 255);
	BAD(bad.name[0] = '\0');
	BAD(memset(bad.name, 'x', sizeof(bad.name)));
	BAD(memset(bad.pass, 'x', sizeof(bad.pass)));
	BAD(bad.peer_kind = 3);
	BAD(bad.counter_strict = true);
#undef BAD
	begin(&good);
	bad = good;
	bad.advskew = 255;
	assert_int_equal(fo_carp_reconf(carp, &bad, now, &err), -EINVAL);
	bad = good;
	bad.vhid++;
	assert_int_equal(fo_carp_reconf(carp, &bad, now, &err), -EBUSY);
	bad = good;
	bad.ifid++;
	assert_int_equal(fo_carp_reconf(carp, &bad, now, &err), -EBUSY);
	/* MASTER: told at once; and the timers follow */
	to_master();
	good.advbase = 2;
	good.advskew = 20;
	assert_int_equal(fo_carp_reconf(carp, &good, now, &err), 0);
	assert_null(err);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.ad[0].bytes[5], 2);
	assert_int_equal(seen.ad[0].bytes[2], 20);
	assert_int_equal(fo_carp_deadline(carp), now + 2078125);
	/* another password: nobody understands it any more, and nobody is understood */
	strcpy(good.pass, "other");
	assert_int_equal(fo_carp_reconf(carp, &good, now, &err), 0);
	seen.roles = 0;
	bad = good;
	{
		struct packet p = packet_of(1, 0, 0);

		expect(&p, FO_CARP_C_badauth);
	}
	fo_carp_set_state(carp, FO_CARP_BACKUP, now);
	good.advbase = 0;
	assert_int_equal(fo_carp_reconf(carp, &good, now, &err), 0);
	assert_int_equal(fo_carp_deadline(carp), now + 3 * (20 * 1000000 / 256));
	end();
}

/* ---- the group */

static uint8_t
demote_of(const char *name)
{
	struct fo_carp_info i;

	fo_carp_info_get(fo_group_by_name(group, name), &i);
	return i.demote;
}

static void
test_groups(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0), conf2 = conf;
	struct fo_carp_stats before, after;
	struct fo_carp *c2, *c3;
	struct packet p;

	begin(&conf);
	strcpy(conf2.name, "carp2");
	conf2.ifid = IFID + 1;
	c2 = fo_carp_create(&conf2, &ops, NULL, now, NULL);
	assert_int_equal(fo_group_add(group, c2, now), 0);
	assert_int_equal(fo_group_add(group, c2, now), -EEXIST);
	c3 = fo_carp_create(&conf, &ops, NULL, now, NULL);
	assert_int_equal(fo_group_add(group, c3, now), -EEXIST);
	fo_carp_free(c3);
	assert_true(fo_group_next(group, NULL) == carp && fo_group_next(group, carp) == c2 && fo_group_next(group, c2) == NULL);
	assert_true(fo_group_find(group, IFID + 1, VHID) == c2 && fo_group_find(group, IFID + 2, VHID) == NULL);

	assert_int_equal(fo_group_join(group, c2, "dmz", now), 0);
	assert_int_equal(fo_group_join(group, c2, "dmz", now), -EEXIST);
	assert_int_equal(fo_group_join(group, c2, "carp", now), -EEXIST);
	assert_int_equal(fo_group_join(group, c2, "all", now), -EINVAL);
	assert_int_equal(fo_group_join(group, c2, "", now), -EINVAL);
	assert_int_equal(fo_group_join(group, c2, "sixteen_letters_", now), -EINVAL);

#define DEMOTE(g, o, n) fo_group_demote(group, g, o, "test", n, n, FO_CARP_NEVER, now)
	assert_int_equal(DEMOTE("all", "user", 1), -EINVAL);
	assert_int_equal(DEMOTE("carp", "", 1), -EINVAL);
	assert_int_equal(DEMOTE("carp", "user", 0), -ENOENT);
	/* sums over the groups that it is in, at most 255; owners do not disturb each other; again replaces */
	assert_int_equal(DEMOTE("carp", "user", 5), 0);
	assert_int_equal(DEMOTE("carp", "pfsync", 32), 0);
	assert_int_equal(DEMOTE("carp", "user", 6), 0);
	assert_int_equal(DEMOTE("dmz", "user", 250), 0);
	assert_int_equal(demote_of("carp1"), 38);
	assert_int_equal(demote_of("carp2"), 255);
	assert_int_equal(fo_group_demote_count(group, "dmz"), 250);
	assert_int_equal(fo_group_leave(group, c2, "dmz", now), 0);
	assert_int_equal(fo_group_leave(group, c2, "dmz", now), -ENOENT);
	assert_int_equal(demote_of("carp2"), 38);
	/* its own counts only when the groups' are 0 */
	assert_int_equal(DEMOTE("carp1", "user", 9), 0);
	assert_int_equal(demote_of("carp1"), 38);
	assert_int_equal(DEMOTE("carp", "user", 0), 0);
	assert_int_equal(demote_of("carp1"), 32);
	assert_int_equal(DEMOTE("carp", "pfsync", 0), 0);
	assert_int_equal(demote_of("carp1"), 9);
	assert_int_equal(demote_of("carp2"), 0);
	assert_int_equal(DEMOTE("carp1", "user", 0), 0);
	assert_int_equal(DEMOTE("dmz", "user", 0), 0);
	assert_null(fo_group_demotion(group, 0));
#undef DEMOTE

	/* each ends by itself, to the microsecond, and masters tell both times */
	fo_carp_set_state(carp, FO_CARP_MASTER, now);
	seen.n = 0;
	assert_int_equal(fo_group_demote(group, "carp", "pfsync", "bulk update", 32, 240, now + SEC / 4, now), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.ad[0].bytes[4], 32);
	assert_int_equal(fo_group_demotion(group, 0)->since_us, now);
	assert_int_equal(fo_group_deadline(group), now + SEC / 4);
	now += SEC / 4;
	fo_group_tick(group, now - 1);
	assert_int_equal(demote_of("carp2"), 32);
	fo_group_tick(group, now);
	assert_int_equal(demote_of("carp2"), 0);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.ad[2].bytes[4], 0);

	/* a virtual host that goes takes its demotion with it, and leaves its counts */
	fo_carp_addrs(c2, dual, 1, now);
	fo_group_up(group, c2, true, now);
	assert_int_equal(demote_of("carp1"), 1);
	assert_string_equal(fo_group_demotion(group, 0)->owner, "carp2");
	fo_group_link(group, IFID + 1, true, now);
	assert_int_equal(demote_of("carp1"), 0);
	p = packet_of(1, 0, 0);
	p.rx.ifid = IFID + 1;
	assert_int_equal(give(&p), FO_CARP_C_badauth); /* other addresses */
	fo_group_link(group, IFID + 1, false, now);
	assert_int_equal(demote_of("carp1"), 1);
	fo_group_stats_get(group, &before);
	fo_group_remove(group, c2, now);
	assert_int_equal(demote_of("carp1"), 0);
	fo_group_stats_get(group, &after);
	assert_memory_equal(&before.badauth, &after.badauth, sizeof(after.badauth));
	assert_int_equal(before.ipackets, after.ipackets);
	fo_carp_free(c2);
	end();
}

static void
test_names(void **state)
{
	assert_string_equal(fo_carp_counter_name(FO_CARP_C_ipackets), "ipackets");
	assert_string_equal(fo_carp_counter_name(FO_CARP_C_transitions), "transitions");
	assert_string_equal(fo_carp_counter_name(FO_CARP_NONE), "accepted");
	assert_string_equal(fo_carp_state_name(FO_CARP_MASTER), "MASTER");
	assert_string_equal(fo_carp_why_text(FO_CARP_WHY_FROZEN), "was not run for longer than a master is waited for");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_roles), cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_demoted), cmocka_unit_test(test_families), cmocka_unit_test(test_checks),
		cmocka_unit_test(test_init_hears_nothing), cmocka_unit_test(test_flood), cmocka_unit_test(test_counter_constant),
		cmocka_unit_test(test_counter_rises), cmocka_unit_test(test_counter_strict), cmocka_unit_test(test_packet),
		cmocka_unit_test(test_peer_kind), cmocka_unit_test(test_linklocal), cmocka_unit_test(test_send_errors),
		cmocka_unit_test(test_hand), cmocka_unit_test(test_down_and_up), cmocka_unit_test(test_peer_dead),
		cmocka_unit_test(test_frozen), cmocka_unit_test(test_settings), cmocka_unit_test(test_groups),
		cmocka_unit_test(test_names) };
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	fo_carp_auth_free(auth);
	return rc;
}
