/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box with two virtual hosts under an arbitrary course of packets, ticks, links, demotion and settings. Checked: a packet
 * that is refused changes no role and is counted once, by name; nothing becomes MASTER from INIT, or without link,
 * addresses, or being up; every advertisement that goes out is good and never has the counter 0 or the peer's; after a tick
 * nothing is due; demotions end.
 *
 * The input is a list of steps, each an operation and its arguments. Packets come as bytes, or as header fields that are
 * given the right digest and checksum here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "failover/group.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOSTS 2
#define STEPS_MAX 512
#define PASS "fuzz"

static const struct fo_addr addrs[] = { { FO_INET, { 10, 0, 0, 1 } }, { FO_INET6, { 0xfd, [15] = 1 } },
	{ FO_INET6, { 0xfe, 0x80, [15] = 1 } }, { FO_INET, { 10, 0, 0, 2 } } };

static struct {
	const uint8_t *p, *end;
	struct fo_group *g;
	struct fo_carp *c[HOSTS];
	enum fo_carp_state state[HOSTS];
	struct fo_carp_auth *auth[HOSTS];
	uint64_t heard[HOSTS]; /* the counter of the last accepted */
	bool any_heard[HOSTS];
	uint64_t now_us, random;
	int send_rc;
	unsigned roles;
} f;

static void
must(int ok)
{
	if (!ok)
		abort();
}

static uint8_t
u8(void)
{
	return f.p < f.end ? *f.p++ : 0;
}

static uint32_t
u32(void)
{
	uint32_t v = u8();

	v = v << 8 | u8();
	v = v << 8 | u8();
	return v << 8 | u8();
}

static unsigned
index_of(const struct fo_carp *c)
{
	return c == f.c[0] ? 0 : 1;
}

static int
on_send(void *ctx, struct fo_carp *c, const struct fo_carp_advert *ad)
{
	unsigned i = index_of(c);
	struct fo_carp_info info;
	struct sync_carp h;

	fo_carp_info_get(c, &info);
	must(sync_carp_decode(&h, ad->bytes, SYNC_CARP_SIZE) == SYNC_CARP_OK);
	must(h.vhid == info.conf->vhid && fo_carp_auth_verify(f.auth[i], h.counter, h.digest));
	must(h.counter != 0 && !(f.any_heard[i] && h.counter == f.heard[i]));
	must((h.advbase == 255) == (h.advskew == 255) || h.advbase != 255);
	must(info.state == FO_CARP_MASTER);
	return f.send_rc;
}

static void
on_announce(void *ctx, struct fo_carp *c, bool repeat)
{
	must(f.state[index_of(c)] == FO_CARP_MASTER);
}

static void
on_role(void *ctx, struct fo_carp *c, const struct fo_carp_change *change)
{
	unsigned i = index_of(c);

	must(change->from == f.state[i] && change->to != change->from);
	must(!(change->from == FO_CARP_INIT && change->to == FO_CARP_MASTER));
	f.state[i] = change->to;
	f.roles++;
}

static uint64_t
on_random(void *ctx)
{
	return f.random;
}

static const struct fo_carp_ops ops = { on_send, on_announce, on_role, on_random };

static struct fo_carp_conf
read_conf(unsigned i)
{
	uint8_t flags = u8();
	struct fo_carp_conf conf = { .name = "carp0", .ifid = i, .vhid = (uint8_t)(1 + i), .advbase = u8() % 3, .advskew = u8(), .pass = PASS,
		.preempt = flags & 1, .send_linklocal = flags & 2, .counter_rises = flags & 4, .counter_strict = flags & 8,
		.peer_kind = flags >> 4 & 3, .has_peer = { flags & 64, flags & 128 }, .counter_base = flags & 4 ? u8() : 0 };

	conf.name[4] += i;
	return conf;
}

static void
set_addrs(unsigned i, uint8_t mask)
{
	struct fo_addr v[4];
	size_t n = 0;

	for (unsigned k = 0; k < 4; k++)
		if (mask >> k & 1)
			v[n++] = addrs[k];
	must(fo_carp_auth_set(f.auth[i], (uint8_t)(1 + i), PASS, v, n) == 0);
	must(fo_carp_addrs(f.c[i], v, n, f.now_us) == 0);
}

static void
input(unsigned i, uint8_t how)
{
	struct fo_carp_rx rx = { .ifid = i, .family = how & 1, .ttl = how & 2 ? 255 : u8(), .tos = how & 4 ? 0xe0 : 0x10,
		.multicast = how & 8, .own_source = (how & 0x30) == 0x30 };
	uint64_t before[FO_CARP_C_transitions + 1], after[FO_CARP_C_transitions + 1];
	uint8_t bytes[64] = { 0 };
	enum fo_carp_counter rc;
	unsigned roles = f.roles;
	struct sync_carp h = { 0 };

	if (how & 0x40) {
		rx.len = u8() % (sizeof(bytes) + 1);
		for (size_t k = 0; k < rx.len; k++)
			bytes[k] = u8();
	} else {
		uint8_t same = u8();

		h = (struct sync_carp){ .version = SYNC_CARP_VERSION, .type = SYNC_CARP_ADVERTISEMENT, .vhid = (uint8_t)(1 + i),
			.authlen = SYNC_CARP_AUTHLEN, .advbase = same & 1 ? 255 : u8(), .advskew = same & 1 ? 255 : u8(),
			.demote = same & 2 ? 0 : u8(), .counter = same & 4 ? u32() : (uint64_t)f.now_us << 8 | u8() };
		must(fo_carp_auth_digest(f.auth[i], h.counter, same & 8, h.digest));
		sync_carp_encode(&h, bytes);
		rx.len = SYNC_CARP_SIZE;
	}
	rx.payload = malloc(rx.len + 1);
	must(rx.payload != NULL);
	memcpy((uint8_t *)rx.payload, bytes, rx.len);
	/* what goes out before this returns is checked against nothing: the engine may have accepted it, or not */
	f.any_heard[i] = false;
	fo_group_stats_get(f.g, (struct fo_carp_stats *)&before[1]);
	rc = fo_group_input(f.g, &rx, f.now_us);
	fo_group_stats_get(f.g, (struct fo_carp_stats *)&after[1]);
	must(after[FO_CARP_C_ipackets + rx.family] == before[FO_CARP_C_ipackets + rx.family] + 1);
	if (rc != FO_CARP_NONE) {
		must(f.roles == roles);
		must(after[rc] == before[rc] + 1);
	} else {
		must(rx.ttl == 255 && !rx.own_source);
		if (!(how & 0x40)) {
			f.heard[i] = h.counter;
			f.any_heard[i] = true;
		}
	}
	free((uint8_t *)rx.payload);
}

static void
step(void)
{
	static const char *const owners[] = { "user", "pfsync", "failover" };
	uint8_t op = u8(), a = u8();
	unsigned i = op >> 4 & 1;
	struct fo_carp_conf conf;
	unsigned k;

	switch (op & 15) {
	case 0:
	case 1:
	case 2:
		input(i, a);
		break;
	case 3:
		f.now_us += (uint64_t)a * a * 64;
		break;
	case 4:
		/* as a caller who sleeps until the deadline */
		if (fo_group_deadline(f.g) != FO_CARP_NEVER && fo_group_deadline(f.g) > f.now_us)
			f.now_us = fo_group_deadline(f.g) + a;
		break;
	case 5:
		fo_group_link(f.g, i, a & 1, f.now_us);
		break;
	case 6:
		fo_group_up(f.g, f.c[i], a & 1, f.now_us);
		break;
	case 7:
		set_addrs(i, a & 15);
		break;
	case 8:
		k = u8();
		(void)fo_group_demote(f.g, a & 1 ? "carp" : a & 2 ? "carp0" : "dmz", owners[a % 3], "fuzz", k, (int)k - 40,
			a & 4 ? FO_CARP_NEVER : f.now_us + 1000 * (uint64_t)u8(), f.now_us);
		break;
	case 9:
		(void)fo_carp_set_state(f.c[i], a & 1 ? FO_CARP_MASTER : FO_CARP_BACKUP, f.now_us);
		break;
	case 10:
		if (a & 1)
			fo_group_peer_dead(f.g, f.now_us);
		else
			fo_group_peer_suspect(f.g, f.now_us);
		break;
	case 11:
		must(fo_group_resign(f.g, 1000 * (uint64_t)a, a & 1 ? 500 : FO_CARP_NEVER, f.now_us) == 0);
		break;
	case 12:
		conf = read_conf(i);
		(void)fo_carp_reconf(f.c[i], &conf, f.now_us, NULL);
		break;
	case 13:
		if (a & 1)
			(void)fo_group_join(f.g, f.c[i], "dmz", f.now_us);
		else
			(void)fo_group_leave(f.g, f.c[i], "dmz", f.now_us);
		break;
	case 14:
		f.send_rc = a & 1 ? -105 : a & 2 ? -113 : 0;
		f.random = u32();
		break;
	case 15:
		if (a == 0)
			fo_group_shutdown(f.g, f.now_us);
		else
			fo_group_allow(f.g, a & 1);
		break;
	}
	must(fo_group_tick(f.g, f.now_us) > f.now_us);
	for (i = 0; i < HOSTS; i++) {
		struct fo_carp_info info;

		fo_carp_info_get(f.c[i], &info);
		must(info.state == f.state[i]);
		must((info.state == FO_CARP_INIT) == !(info.up && info.link && info.n_addrs != 0));
		must(info.since_us <= f.now_us);
	}
	for (size_t n = 0; fo_group_demotion(f.g, n) != NULL; n++)
		must(fo_group_demotion(f.g, n)->deadline_us > f.now_us);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&f, 0, sizeof(f));
	f.p = data;
	f.end = data + size;
	f.now_us = 1;
	f.random = u32();
	must((f.g = fo_group_create()) != NULL);
	for (unsigned i = 0; i < HOSTS; i++) {
		struct fo_carp_conf conf = read_conf(i);

		must((f.auth[i] = fo_carp_auth_create()) != NULL);
		if ((f.c[i] = fo_carp_create(&conf, &ops, NULL, f.now_us, NULL)) == NULL) {
			conf.advskew = 7;
			conf.counter_strict = false;
			conf.peer_kind = FO_CARP_PEER_AUTO;
			must((f.c[i] = fo_carp_create(&conf, &ops, NULL, f.now_us, NULL)) != NULL);
		}
		must(fo_group_add(f.g, f.c[i], f.now_us) == 0);
		set_addrs(i, 3);
		fo_group_link(f.g, i, true, f.now_us);
		fo_group_up(f.g, f.c[i], true, f.now_us);
	}
	for (unsigned n = 0; n < STEPS_MAX && f.p < f.end; n++)
		step();
	/* whatever it was: alone, each comes to be MASTER, or cannot be */
	fo_group_allow(f.g, true);
	for (unsigned i = 0; i < HOSTS; i++) {
		for (unsigned n = 0; n < 2 && f.state[i] == FO_CARP_BACKUP; n++) {
			f.now_us = fo_carp_deadline(f.c[i]) > f.now_us ? fo_carp_deadline(f.c[i]) : f.now_us;
			must(fo_carp_tick(f.c[i], f.now_us) > f.now_us);
		}
		must(f.state[i] != FO_CARP_BACKUP);
	}
	fo_group_free(f.g);
	for (unsigned i = 0; i < HOSTS; i++)
		fo_carp_auth_free(f.auth[i]);
	return 0;
}
