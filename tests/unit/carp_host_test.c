/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual host: its counter, what it sends and announces when, send errors, hints, what it refuses; and demotion in groups.
 */
#include "carp_rig.h"

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
	/* FreeBSD, ucarp: it does not, or TOS says so; another box's says nothing */
	peer_counter += 12345;
	p = packet_of(1, 200, 0);
	p.rx.src[3]++;
	assert_int_equal(give(&p), FO_CARP_NONE);
	fo_carp_info_get(carp, &i);
	assert_int_equal(i.peer_kind, FO_CARP_PEER_OPENBSD);
	peer_counter += 54321;
	p = packet_of(1, 200, 0);
	p.rx.src[3]++;
	assert_int_equal(give(&p), FO_CARP_NONE);
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
		/* a peer with, without, with: so does this one, or it was told to */
		for (unsigned k = 0; k < 3; k++) {
			struct packet p = packet_of(1, 200, 0);

			fo_carp_auth_digest(exact, p.h.counter, k % 2 == 0, p.h.digest);
			sync_carp_encode(&p.h, p.bytes);
			assert_int_equal(give(&p), FO_CARP_NONE);
			now += 2 * SEC;
			seen.n = 0;
			fo_group_tick(group, now);
			sync_carp_decode(&h, seen.ad[0].bytes, SYNC_CARP_SIZE);
			assert_int_equal(fo_carp_auth_match(exact, h.counter, h.digest),
				i == 1 || k % 2 == 0 ? FO_CARP_MATCH_LINKLOCAL : FO_CARP_MATCH);
		}
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

static unsigned told_set, told_end;

static void
on_demotion(void *ctx, const struct fo_demotion *d, bool set)
{
	assert_true(ctx == &told_set && d->owner[0] != '\0' && d->reason[0] != '\0');
	told_set += set;
	told_end += !set;
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
	fo_group_on_demotion(group, on_demotion, &told_set);
	fo_group_link(group, IFID + 1, true, now);
	assert_int_equal(demote_of("carp1"), 0);
	p = packet_of(1, 0, 0);
	p.rx.ifid = IFID + 1;
	assert_int_equal(give(&p), FO_CARP_C_badauth); /* other addresses */
	fo_group_link(group, IFID + 1, false, now);
	assert_int_equal(demote_of("carp1"), 1);
	fo_group_stats_get(group, &before);
	assert_true(told_set == 1 && told_end == 1);
	fo_group_demote(group, "carp", "user", "test", 1, 1, now + 1, now);
	fo_group_demote(group, "carp", "user", "test", 2, 2, now + 1, now);
	assert_true(told_set == 3 && told_end == 1);
	fo_group_tick(group, ++now);
	assert_true(told_set == 3 && told_end == 2);
	fo_group_remove(group, c2, now);
	assert_true(told_set == 3 && told_end == 3);
	assert_int_equal(demote_of("carp1"), 0);
	fo_group_stats_get(group, &after);
	assert_memory_equal(&before.badauth, &after.badauth, sizeof(after.badauth));
	assert_int_equal(before.ipackets, after.ipackets);
	fo_carp_free(c2);
	end();
}

/* Without a source of random numbers of the caller's: two are not alike, and none is 0. */
static void
test_random(void **state)
{
	static const struct fo_carp_ops bare = { on_send, on_announce, on_role, NULL };
	struct fo_carp_conf conf = conf_of(1, 0);
	uint64_t first = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct fo_carp *c;

		begin(&conf);
		c = fo_carp_create(&conf, &bare, NULL, now, NULL);
		assert_non_null(c);
		assert_int_equal(fo_carp_addrs(c, dual, 2, now), 0);
		fo_carp_link(c, true, now);
		fo_carp_up(c, true, now);
		assert_int_equal(fo_carp_set_state(c, FO_CARP_MASTER, now), 0);
		assert_int_not_equal(sent_counter(0), first);
		first = sent_counter(1);
		fo_carp_free(c);
		end();
	}
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_constant),
		cmocka_unit_test(test_counter_rises),
		cmocka_unit_test(test_counter_strict),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_peer_kind),
		cmocka_unit_test(test_linklocal),
		cmocka_unit_test(test_send_errors),
		cmocka_unit_test(test_hand),
		cmocka_unit_test(test_down_and_up),
		cmocka_unit_test(test_peer_dead),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_names),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	fo_carp_auth_free(auth);
	return rc;
}
