/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boxes with CARP on common networks, in made-up time: each box has one virtual host per network, packets take a while,
 * are lost at random or by order, and a box can be stopped. Every box that is not stopped runs exactly when it asked to.
 * For one test program: everything is static.
 */
#ifndef CARP_SIM_H
#define CARP_SIM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failover/group.h"

#define SIM_BOXES 3
#define SIM_NETS 2
#define SIM_FLIGHT 512
#define SIM_PASS "mekmitasdigoat"
#define MS 1000u
#define SEC 1000000u

struct sim_box {
	struct fo_group *g;
	struct fo_carp *c[SIM_NETS];
	bool alive; /* the process exists */
	uint64_t stopped_until_us; /* SIGSTOP */
	unsigned roles, announces;
	struct fo_carp_change change; /* the last of net 0 */
};

struct sim_packet {
	uint64_t at_us;
	unsigned from, to, net;
	struct fo_carp_advert ad;
};

static struct {
	struct sim_box box[SIM_BOXES];
	unsigned boxes, nets;
	uint64_t now_us, delay_us, seed;
	unsigned loss_percent;
	bool cut[SIM_BOXES][SIM_BOXES][SIM_NETS]; /* from, to */
	struct sim_packet flight[SIM_FLIGHT];
	unsigned in_flight, sent;
	/* of net 0 and 1: time with no master, with more than one, since sim_watch() */
	uint64_t none_us[SIM_NETS], many_us[SIM_NETS];
} sim;

static uint64_t
sim_random(void)
{
	sim.seed ^= sim.seed << 13;
	sim.seed ^= sim.seed >> 7;
	sim.seed ^= sim.seed << 17;
	return sim.seed;
}

static uint64_t
sim_on_random(void *ctx)
{
	return sim_random();
}

static enum fo_carp_state
sim_state(unsigned b, unsigned net)
{
	struct fo_carp_info i;

	if (!sim.box[b].alive)
		return FO_CARP_INIT;
	fo_carp_info_get(sim.box[b].c[net], &i);
	return i.state;
}

static int
sim_on_send(void *ctx, struct fo_carp *c, const struct fo_carp_advert *ad)
{
	unsigned from = (unsigned)((struct sim_box *)ctx - sim.box), net;

	for (net = 0; sim.box[from].c[net] != c; net++)
		;
	sim.sent++;
	for (unsigned to = 0; to < sim.boxes; to++) {
		if (to == from || sim.cut[from][to][net] || sim_random() % 100 < sim.loss_percent)
			continue;
		if (sim.in_flight == SIM_FLIGHT)
			abort();
		sim.flight[sim.in_flight++] = (struct sim_packet){ sim.now_us + sim.delay_us, from, to, net, *ad };
	}
	return 0;
}

static void
sim_on_announce(void *ctx, struct fo_carp *c, bool repeat)
{
	((struct sim_box *)ctx)->announces++;
}

static void
sim_on_role(void *ctx, struct fo_carp *c, const struct fo_carp_change *change)
{
	struct sim_box *b = ctx;

	if (change->from == FO_CARP_INIT && change->to == FO_CARP_MASTER)
		abort();
	b->roles++;
	if (c == b->c[0])
		b->change = *change;
}

static const struct fo_carp_ops sim_ops = { sim_on_send, sim_on_announce, sim_on_role, sim_on_random };

/* A box whose process starts; what was sent to the one before is lost. */
static void
sim_boot(unsigned b, const struct fo_carp_conf *conf)
{
	struct sim_box *box = &sim.box[b];

	*box = (struct sim_box){ .g = fo_group_create(), .alive = true };
	for (unsigned net = 0; net < sim.nets; net++) {
		struct fo_addr v[] = { { FO_INET, { 10, 0, (uint8_t)net, 1 } }, { FO_INET6, { 0xfd, (uint8_t)net, [15] = 1 } } };
		struct fo_carp_conf mine = *conf;

		mine.ifid = net;
		mine.vhid = (uint8_t)(net + 1);
		snprintf(mine.name, sizeof(mine.name), "carp%u", net);
		snprintf(mine.pass, sizeof(mine.pass), SIM_PASS);
		if ((box->c[net] = fo_carp_create(&mine, &sim_ops, box, sim.now_us, NULL)) == NULL ||
		    fo_group_add(box->g, box->c[net], sim.now_us) != 0 || fo_carp_addrs(box->c[net], v, 2, sim.now_us) != 0)
			abort();
		fo_group_link(box->g, net, true, sim.now_us);
		fo_group_up(box->g, box->c[net], true, sim.now_us);
	}
}

static void
sim_begin(unsigned boxes, unsigned nets, uint64_t seed)
{
	memset(&sim, 0, sizeof(sim));
	sim.boxes = boxes;
	sim.nets = nets;
	sim.now_us = 5 * SEC;
	sim.delay_us = 100;
	sim.seed = seed * 0x9e3779b97f4a7c15u + 1;
}

/* kill -9 */
static void
sim_kill(unsigned b)
{
	fo_group_free(sim.box[b].g);
	sim.box[b].g = NULL;
	sim.box[b].alive = false;
}

static void
sim_end(void)
{
	for (unsigned b = 0; b < sim.boxes; b++)
		if (sim.box[b].alive)
			sim_kill(b);
}

static void
sim_watch(void)
{
	memset(sim.none_us, 0, sizeof(sim.none_us));
	memset(sim.many_us, 0, sizeof(sim.many_us));
}

static unsigned
sim_masters(unsigned net)
{
	unsigned n = 0;

	for (unsigned b = 0; b < sim.boxes; b++)
		n += sim_state(b, net) == FO_CARP_MASTER && sim.box[b].stopped_until_us <= sim.now_us;
	return n;
}

static bool
sim_runs(unsigned b)
{
	return sim.box[b].alive && sim.box[b].stopped_until_us <= sim.now_us;
}

/* When box b runs next by itself. */
static uint64_t
sim_wakes(unsigned b)
{
	const struct sim_box *box = &sim.box[b];
	uint64_t us;

	if (!box->alive)
		return FO_CARP_NEVER;
	us = fo_group_deadline(box->g);
	return us < box->stopped_until_us ? box->stopped_until_us : us;
}

/* All that arrived, then the tick: as carp.h wants it. What comes while a box is stopped waits in its queue. */
static void
sim_step(unsigned b)
{
	if (!sim_runs(b))
		return;
	for (unsigned i = 0; i < sim.in_flight;) {
		struct sim_packet p = sim.flight[i];
		struct fo_carp_rx rx = { .payload = p.ad.bytes, .len = SYNC_CARP_SIZE, .ifid = p.net, .family = p.ad.family,
			.ttl = p.ad.ttl, .tos = p.ad.tos, .multicast = !p.ad.unicast, .src = { 10, 0, 0, (uint8_t)(p.from + 2) } };

		if (p.to != b || p.at_us > sim.now_us) {
			i++;
			continue;
		}
		/* the order is kept */
		memmove(&sim.flight[i], &sim.flight[i + 1], (--sim.in_flight - i) * sizeof(p));
		fo_group_input(sim.box[b].g, &rx, sim.now_us);
	}
	if (fo_group_tick(sim.box[b].g, sim.now_us) <= sim.now_us)
		abort();
}

static void
sim_until(uint64_t end_us)
{
	for (;;) {
		uint64_t next_us = end_us;
		unsigned i = 0;

		while (i < sim.in_flight) {
			if (!sim.box[sim.flight[i].to].alive) {
				memmove(&sim.flight[i], &sim.flight[i + 1], (--sim.in_flight - i) * sizeof(sim.flight[0]));
				continue;
			}
			if (sim.flight[i].at_us < next_us && sim_runs(sim.flight[i].to))
				next_us = sim.flight[i].at_us;
			i++;
		}
		for (unsigned b = 0; b < sim.boxes; b++)
			if (sim_wakes(b) < next_us)
				next_us = sim_wakes(b);
		if (next_us < sim.now_us)
			next_us = sim.now_us;
		for (unsigned net = 0; net < sim.nets; net++) {
			unsigned masters = sim_masters(net);

			sim.none_us[net] += masters == 0 ? next_us - sim.now_us : 0;
			sim.many_us[net] += masters > 1 ? next_us - sim.now_us : 0;
		}
		sim.now_us = next_us;
		/* another order every time */
		for (unsigned b = 0, first = (unsigned)(sim_random() % sim.boxes); b < sim.boxes; b++)
			sim_step((first + b) % sim.boxes);
		if (sim.now_us >= end_us)
			return;
	}
}

static void
sim_run(uint64_t us)
{
	sim_until(sim.now_us + us);
}

#endif
