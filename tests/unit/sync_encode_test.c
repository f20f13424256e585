/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes straight from record to packet is, byte by byte, what export and codec make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/states.h"
#include "fastpath/worker.h"
#include "rig/rig.h"
#include "sync/engine.h"
#include "sync/pfsync_wire.h"

static struct rig *r;
static uint64_t seed = 1;

static uint64_t
rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void
fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)rnd();
}

/* A record of the table with everything random that may be so; rules and interfaces are some that exist. */
static struct fp_state *
record(bool v6, bool ext, const uint32_t *rules, unsigned n_rules)
{
	uint8_t addr6[2][16];
	struct fp_key k;
	struct fp_state *st;

	fill(&k, sizeof(k));
	fill(addr6, sizeof(addr6));
	k.af = v6 ? FP_AF_INET6 : FP_AF_INET;
	st = fp_table_alloc(r->w->table, &k, addr6, false);
	assert_non_null(st);
	fill(st->peer, sizeof(st->peer));
	st->last_sec = r->w->now_sec - rnd() % 100;
	st->created_sec = r->w->now_sec - rnd() % 1000;
	st->timeout = (uint8_t)(rnd() % 20);
	st->flags = (uint16_t)(rnd() & (FP_SF_SRC_HI | FP_SF_SEQDIFF | FP_SF_LEARNED | FP_SF_DEFERRED));
	st->halves = FP_HALVES_BOTH;
	fill(st->bytes, sizeof(st->bytes));
	fill(st->packets, sizeof(st->packets));
	fill(st->bytes_spilled_hi, sizeof(st->bytes_spilled_hi));
	fill(st->packets_spilled, sizeof(st->packets_spilled));
	fill(st->seqdiff, sizeof(st->seqdiff));
	fill(st->hflags, sizeof(st->hflags));
	fill(st->id, sizeof(st->id));
	st->creatorid = (uint32_t)rnd();
	for (int h = 0; h < 2; h++) {
		st->rule[h] = rules[rnd() % n_rules];
		st->ifid[h] = rnd() & 1 ? FP_IFID_ALL : (uint16_t)(rnd() % (r->w->conf->n_ifs + 1));
	}
	if (ext) {
		struct fp_state_ext *x = fp_state_ext_get(r->w->table, st);

		assert_non_null(x);
		fill(x->scrub, sizeof(x->scrub));
		x->scrub[0].valid &= 1;
		x->scrub[1].valid &= 1;
		fill(x->mss, sizeof(x->mss));
		fill(&x->max_mss, sizeof(x->max_mss));
		x->min_ttl = (uint8_t)rnd();
		x->set_tos = (uint8_t)rnd();
		fill(&x->scrub_rf, sizeof(x->scrub_rf));
	}
	return st;
}

static void
same_bytes(void **state)
{
	uint8_t b[200];
	uint32_t rules[8] = { FP_RULE_NONE };
	unsigned n_rules = 1;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {	/* rules in force: of states that packets make */
		static const uint16_t port[] = { 53, 99, 77 };
		struct fp_state_view v;

		rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", (uint16_t)(6000 + i), port[i], 10));
		assert_true(rig_state(r, 1, 17, (uint16_t)(6000 + i), &v));
		rules[n_rules++] = v.rule_uid;
	}
	fp_worker_begin(r->w);
	for (unsigned i = 0; i < 20000; i++) {
		struct fp_state *st = record(i & 1, i % 8 == 0, rules, n_rules);

		for (int h = 0; h < 2; h++) {
			uint8_t want[SYNC_STATE6_SIZE], got[SYNC_STATE6_SIZE];
			struct sync_state s;
			struct sync_upd_c u;

			sync_export(r->w, st, h, &s);
			sync_state_encode(&s, want, SYNC_6);
			memset(got, 0xa5, sizeof(got));
			sync_encode_state6(r->w, st, h, fp_states_total(r->box), got);
			assert_memory_equal(want, got, sizeof(want));
			sync_export_upd_c(r->w, st, h, &u);
			sync_upd_c_encode(&u, want);
			memset(got, 0xa5, sizeof(got));
			sync_encode_upd_c(r->w, st, h, got);
			assert_memory_equal(want, got, SYNC_UPDC_SIZE);
		}
		fp_table_alloc_cancel(r->w->table, st, false);
	}
	fp_worker_end(r->w, false);
}

static int
setup(void **state)
{
	(void)state;
	r = rig_create_n("pass\npass in log proto udp to port 99 keep state (sloppy)\npass in proto udp to port 77 allow-opts\n", 0, true,
		10000);
	return r != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	rig_destroy(r);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(same_bytes) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
