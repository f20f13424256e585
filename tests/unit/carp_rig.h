/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual host of CARP in made-up time, a peer that is made of packets, and everything that the host does, seen. For
 * one test program: everything is static.
 */
#ifndef CARP_RIG_H
#define CARP_RIG_H

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

static inline int
on_send(void *ctx, struct fo_carp *c, const struct fo_carp_advert *ad)
{
	assert_true(seen.n < MAX_SENT);
	seen.ad[seen.n++] = *ad;
	return seen.rc;
}

static inline void
on_announce(void *ctx, struct fo_carp *c, bool repeat)
{
	seen.announces++;
	seen.repeats += repeat;
}

static inline void
on_role(void *ctx, struct fo_carp *c, const struct fo_carp_change *change)
{
	assert_false(change->from == FO_CARP_INIT && change->to == FO_CARP_MASTER);
	assert_int_not_equal(change->from, change->to);
	seen.roles++;
	seen.change = *change;
}

static inline uint64_t
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

static inline struct fo_carp_conf
conf_of(uint8_t advbase, uint8_t advskew)
{
	return (struct fo_carp_conf){ .name = "carp1", .ifid = IFID, .vhid = VHID, .advbase = advbase, .advskew = advskew, .pass = PASS,
		.peer_kind = FO_CARP_PEER_OPENBSD };
}

static inline enum fo_carp_state
state_of(void)
{
	struct fo_carp_info i;

	fo_carp_info_get(carp, &i);
	return i.state;
}

/* A virtual host that is up; families: addresses of dual. Everything seen is forgotten. */
static inline void
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

static inline void
begin(const struct fo_carp_conf *conf)
{
	begin_families(conf, 2);
}

static inline void
end(void)
{
	fo_group_free(group);
}

static inline void
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

static inline struct packet
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

static inline enum fo_carp_counter
give(struct packet *p)
{
	p->rx.payload = p->bytes;
	return fo_group_input(group, &p->rx, now);
}

static inline void
hear(uint8_t advbase, uint8_t advskew, uint8_t demote)
{
	struct packet p = packet_of(advbase, advskew, demote);

	assert_int_equal(give(&p), FO_CARP_NONE);
}

static inline void
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

#endif
