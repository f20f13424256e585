/* SPDX-License-Identifier: BSD-2-Clause */
/* Source tracking: limits of rules over one and several workers, decay of the rate, life of nodes, readers beside writers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fastpath/rules.h"
#include "fastpath/srcnode.h"
#include "fastpath/table.h"

#define V4 FP_AF_INET
#define V6 FP_AF_INET6
#define MAX_W 3

static struct fp_box box;
static struct fp_conf conf;
static struct fp_worker *w[MAX_W];
static struct pol_rule rules[4];
static struct fp_rule_rt rt[4];

static void
start(unsigned n_workers, uint32_t limit)
{
	unsigned i;

	memset(&box, 0, sizeof(box));
	memset(&conf, 0, sizeof(conf));
	memset(rules, 0, sizeof(rules));
	memset(rt, 0, sizeof(rt));
	conf.limit[POL_LIMIT_SRC_NODES] = limit;
	conf.timeout[POL_TM_INTERVAL] = 10;
	box.n_workers = n_workers;
	box.hash_secret[0] = 1;
	box.rules = calloc(1, sizeof(*box.rules));
	box.rules->chunks[0] = calloc(FP_RULE_CHUNK, sizeof(*box.rules->chunks[0]));
	for (i = 0; i < 4; i++) {
		rules[i].uid = i + 1;
		rules[i].nr = 100 + i;
		rules[i].rf = POL_RF_SRCTRACK | POL_RF_RULESRCTRACK;
		rt[i].rule = &rules[i];
		box.rules->chunks[0][i + 1] = &rt[i];
	}
	for (i = 0; i < n_workers; i++) {
		struct fp_table_conf tc = { .max_states = 4096, .socket = -1 };

		w[i] = box.workers[i] = calloc(1, sizeof(*w[i]));
		w[i]->box = &box;
		w[i]->conf = &conf;
		w[i]->id = i;
		w[i]->now_sec = 1000;
		w[i]->table = fp_table_create(&tc);
		assert_non_null(w[i]->table);
		assert_int_equal(fp_srcnode_worker_init(w[i]), 0);
	}
}

static void
stop(void)
{
	unsigned i;

	for (i = 0; i < box.n_workers; i++) {
		fp_srcnode_worker_fini(w[i]);
		fp_table_destroy(w[i]->table);
		free(w[i]);
	}
	free(box.rules->chunks[0]);
	free(box.rules);
}

static void
clock_to(uint32_t now_sec)
{
	unsigned i;

	for (i = 0; i < box.n_workers; i++) {
		w[i]->now_sec = now_sec;
		fp_srcnode_expire(w[i]);
	}
}

static int
admit(struct fp_worker *o, unsigned rule, uint32_t host, uint32_t *node)
{
	uint8_t addr[16] = { 10, 0, 0, 0 };
	uint32_t dummy;

	memcpy(addr, &host, 4);
	return fp_srcnode_admit(o, &rt[rule], V4, addr, node == NULL ? &dummy : node);
}

/* A state of this source, as pf_rules.c makes it. NULL: refused. */
static struct fp_state *
state(struct fp_worker *o, unsigned rule, uint32_t host)
{
	struct fp_key key = { .addr_lo = host, .af = V4, .proto = 6 };
	struct fp_state *st;
	uint32_t node;

	if (admit(o, rule, host, &node) >= 0) {
		assert_int_equal(node, FP_SRCNODE_NONE);
		return NULL;
	}
	st = fp_table_alloc(o->table, &key, NULL, false);
	assert_non_null(st);
	assert_non_null(fp_state_ext_get(o->table, st));
	fp_state_ext(o->table, st)->srcnode[FP_HALF_IN] = node;
	st->halves = 1;
	st->hflags[FP_HALF_IN] |= FP_HF_SRC_NODE;
	st->rule[FP_HALF_IN] = rules[rule].uid;
	return st;
}

static void
gone(struct fp_worker *o, struct fp_state *st)
{
	fp_srcnode_state_gone(o, st, FP_HALF_IN);
	assert_false(st->hflags[FP_HALF_IN] & FP_HF_SRC_NODE);
	fp_table_alloc_cancel(o->table, st, false);
}

static void
test_max_src_states(void **data)
{
	struct fp_state *a, *b;
	uint32_t node;

	start(1, 100);
	rules[0].max_src_states = 2;
	a = state(w[0], 0, 1);
	b = state(w[0], 0, 1);
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(admit(w[0], 0, 1, NULL), FP_LC_SRC_STATES);
	assert_int_equal(admit(w[0], 0, 2, &node), -1);
	fp_srcnode_admit_undo(w[0], node);
	assert_int_equal(fp_srcnodes_count(&box), 1); /* nothing came of 2 */
	gone(w[0], a);
	a = state(w[0], 0, 1);
	assert_non_null(a);
	/* the same source under another rule is another node */
	assert_int_equal(admit(w[0], 1, 1, &node), -1);
	assert_int_equal(fp_srcnodes_count(&box), 2);
	fp_srcnode_admit_undo(w[0], node);
	fp_srcnode_admit_undo(w[0], FP_SRCNODE_NONE);
	gone(w[0], a);
	gone(w[0], b);
	assert_int_equal(w[0]->cnt.totals[FP_T_SRCNODE_INSERTS], 3);
	assert_int_equal(w[0]->cnt.totals[FP_T_SRCNODE_REMOVALS], 2);
	assert_int_equal(w[0]->cnt.totals[FP_T_SRCNODE_SEARCHES], 6);
	stop();
}

/* A node without states counts until it is purged: src.track after the last state, when the interval comes round. */
static void
test_max_src_nodes(void **data)
{
	struct fp_state *a, *b;

	start(1, 100);
	rules[0].max_src_nodes = 1;
	clock_to(1000); /* next purge: 1010 */
	a = state(w[0], 0, 1);
	assert_int_equal(rt[0].src_nodes, 1);
	assert_int_equal(admit(w[0], 0, 2, NULL), FP_LC_SRC_NODES);
	b = state(w[0], 0, 1);
	assert_non_null(b);
	gone(w[0], a);
	gone(w[0], b);
	clock_to(1005);
	assert_int_equal(admit(w[0], 0, 2, NULL), FP_LC_SRC_NODES);
	clock_to(1010);
	assert_int_equal(rt[0].src_nodes, 0);
	a = state(w[0], 0, 2);
	assert_non_null(a);
	/* a rule's own src.track */
	rules[0].timeout_set[POL_TM_SRC_TRACK] = true;
	rules[0].timeout[POL_TM_SRC_TRACK] = 60;
	gone(w[0], a);
	clock_to(1060);
	assert_int_equal(fp_srcnodes_count(&box), 1);
	/* used again meanwhile: not removed */
	a = state(w[0], 0, 2);
	clock_to(1200);
	assert_int_equal(fp_srcnodes_count(&box), 1);
	gone(w[0], a);
	clock_to(1259);
	assert_int_equal(fp_srcnodes_count(&box), 1);
	clock_to(1270);
	assert_int_equal(fp_srcnodes_count(&box), 0);
	stop();
}

static void
test_box_limit_and_growth(void **data)
{
	struct fp_state *st[3];
	uint32_t i, node;

	start(1, 2);
	st[0] = state(w[0], 0, 1);
	st[1] = state(w[0], 0, 2);
	assert_int_equal(admit(w[0], 0, 3, NULL), FP_LC_SRC_NODES);
	assert_int_equal(admit(w[0], 0, 2, &node), -1);
	fp_srcnode_admit_undo(w[0], node);
	/* more than a chunk: the limit grows, those that are there stay */
	conf.limit[POL_LIMIT_SRC_NODES] = 20000;
	clock_to(1001);
	for (i = 3; i <= 20000; i++)
		assert_int_equal(admit(w[0], 0, i, NULL), -1);
	assert_int_equal(admit(w[0], 0, i, NULL), FP_LC_SRC_NODES);
	assert_int_equal(fp_srcnodes_count(&box), 20000);
	gone(w[0], st[0]);
	gone(w[0], st[1]);
	clock_to(1020);
	assert_int_equal(fp_srcnodes_count(&box), 19998);
	stop();
}

static void
test_global(void **data)
{
	struct fp_state *a, *b;

	start(1, 100);
	rules[0].rf = rules[1].rf = POL_RF_SRCTRACK;
	rules[0].max_src_states = rules[1].max_src_states = 2;
	a = state(w[0], 0, 1);
	b = state(w[0], 1, 1);
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(fp_srcnodes_count(&box), 1);
	assert_int_equal(admit(w[0], 0, 1, NULL), FP_LC_SRC_STATES);
	assert_int_equal(rt[0].src_nodes, 0);
	gone(w[0], a);
	gone(w[0], b);
	stop();
}

static int
established(struct fp_worker *o, struct fp_state *st, unsigned rule)
{
	return fp_srcnode_established(o, st, FP_HALF_IN, &rt[rule]);
}

static void
test_max_src_conn(void **data)
{
	struct fp_state *st[4];
	unsigned i;

	start(1, 100);
	rules[0].max_src_conn = 2;
	for (i = 0; i < 4; i++)
		st[i] = state(w[0], 0, 1);
	assert_int_equal(established(w[0], st[0], 0), -1);
	assert_int_equal(established(w[0], st[0], 0), -1); /* counted once */
	assert_int_equal(established(w[0], st[1], 0), -1);
	assert_int_equal(established(w[0], st[2], 0), FP_LC_SRC_CONN);
	gone(w[0], st[2]);
	gone(w[0], st[1]);
	assert_int_equal(established(w[0], st[3], 0), -1);
	gone(w[0], st[0]);
	gone(w[0], st[3]);
	stop();
}

/* 2 within 10 seconds: the count loses its share of every second gone by, and must be strictly above the limit. */
static void
test_max_src_conn_rate(void **data)
{
	static const struct { uint32_t at; int verdict; } steps[] = {
		{ 1000, -1 }, { 1000, -1 }, { 1000, FP_LC_SRC_CONN_RATE },	/* 3000 */
		{ 1005, FP_LC_SRC_CONN_RATE },		/* 1500 + 1000 */
		{ 1006, FP_LC_SRC_CONN_RATE },		/* 2250 + 1000 */
		{ 1015, -1 },				/* 325 + 1000 */
		{ 1015, FP_LC_SRC_CONN_RATE },		/* 2325 */
		{ 1025, -1 }, { 1025, -1 },		/* 0, 1000, 2000 */
		{ 1026, FP_LC_SRC_CONN_RATE },		/* 1800 + 1000 */
		{ 2000, -1 },
	};
	struct fp_state *st;
	unsigned i;

	start(1, 100);
	rules[0].max_src_conn_rate = 2;
	rules[0].max_src_conn_rate_sec = 10;
	for (i = 0; i < RTE_DIM(steps); i++) {
		w[0]->now_sec = steps[i].at;
		st = state(w[0], 0, 1);
		assert_int_equal(established(w[0], st, 0), steps[i].verdict);
		gone(w[0], st);
	}
	/* both limits at once: one is returned, the other counted */
	rules[0].max_src_conn_rate = 1;
	rules[0].max_src_conn = 1;
	clock_to(3000);
	clock_to(3010);
	st = state(w[0], 0, 5);
	assert_int_equal(established(w[0], st, 0), -1);
	st = state(w[0], 0, 5);
	assert_int_equal(established(w[0], st, 0), FP_LC_SRC_CONN_RATE);
	assert_int_equal(w[0]->cnt.lcounters[FP_LC_SRC_CONN], 1);
	stop();
}

/* Limits hold for the sum over workers; an address counts once however many workers know it. */
static void
test_workers(void **data)
{
	struct fp_state *a, *b, *c;

	start(3, 100);
	rules[0].max_src_states = 3;
	rules[0].max_src_nodes = 1;
	rules[0].max_src_conn = 1;
	clock_to(1000);
	a = state(w[0], 0, 1);
	b = state(w[1], 0, 1);
	c = state(w[2], 0, 1);
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	assert_int_equal(fp_srcnodes_count(&box), 1);
	assert_int_equal(rt[0].src_nodes, 1);
	assert_int_equal(admit(w[0], 0, 1, NULL), FP_LC_SRC_STATES);
	assert_int_equal(admit(w[1], 0, 1, NULL), FP_LC_SRC_STATES);
	assert_int_equal(admit(w[1], 0, 2, NULL), FP_LC_SRC_NODES);
	assert_int_equal(established(w[1], b, 0), -1);
	assert_int_equal(established(w[0], a, 0), FP_LC_SRC_CONN);
	/* the counted node stays while others are there */
	gone(w[0], a);
	clock_to(1020);
	assert_int_equal(fp_srcnodes_count(&box), 1);
	assert_int_equal(admit(w[2], 0, 2, NULL), FP_LC_SRC_NODES);
	gone(w[1], b);
	gone(w[2], c);
	clock_to(1040);
	clock_to(1060);
	assert_int_equal(fp_srcnodes_count(&box), 0);
	assert_int_equal(rt[0].src_nodes, 0);
	a = state(w[2], 0, 2);
	assert_non_null(a);
	gone(w[2], a);
	stop();
}

static void
test_v6(void **data)
{
	uint8_t a[16] = { 0xfd, [15] = 1 }, b[16] = { 0xfd, [15] = 2 };
	uint32_t n;

	start(1, 100);
	rules[0].max_src_states = 1;
	assert_int_equal(fp_srcnode_admit(w[0], &rt[0], V6, a, &n), -1);
	assert_int_equal(fp_srcnode_admit(w[0], &rt[0], V6, a, &n), FP_LC_SRC_STATES);
	assert_int_equal(fp_srcnode_admit(w[0], &rt[0], V6, b, &n), -1);
	/* a v4 address whose bytes are the front of a v6 one is another source */
	assert_int_equal(fp_srcnode_admit(w[0], &rt[0], V4, a, &n), -1);
	assert_int_equal(fp_srcnodes_count(&box), 3);
	stop();
}

/* Random births and deaths against plain counts: the index loses and invents nothing. */
static void
test_random(void **data)
{
	enum { HOSTS = 3000, STEPS = 60000 };
	static uint32_t count[HOSTS], node[HOSTS], nodes;
	uint32_t i;

	memset(count, 0, sizeof(count));
	start(1, HOSTS);
	srand(11);
	nodes = 0;
	for (i = 0; i < STEPS; i++) {
		uint32_t h = rand() % (i / 20 + 1), n;

		if (h >= HOSTS)
			h %= HOSTS;
		if (rand() % 100 < (i < STEPS / 2 ? 60 : 30)) {
			assert_int_equal(admit(w[0], 0, h, &n), -1);
			if (count[h]++ == 0)
				nodes++;
			else
				assert_int_equal(n, node[h]);
			node[h] = n;
		} else if (count[h] > 0) {
			fp_srcnode_admit_undo(w[0], node[h]);
			if (--count[h] == 0)
				nodes--;
		}
		assert_int_equal(fp_srcnodes_count(&box), nodes);
	}
	stop();
}

/* One worker makes and removes nodes, another decides by them: under ThreadSanitizer too. */
static void *
writer(void *arg)
{
	static struct fp_conf bigger;
	uint32_t i, n[64];

	bigger = conf;
	bigger.limit[POL_LIMIT_SRC_NODES] = 50000;
	for (i = 0; i < 30000; i++) {
		if (i >= 64)
			fp_srcnode_admit_undo(w[0], n[i % 64]);
		if (admit(w[0], 0, i % 200, &n[i % 64]) >= 0)
			n[i % 64] = FP_SRCNODE_NONE;
		if (i == 10000)	/* the index is replaced under the reader */
			w[0]->conf = &bigger;
		if (i % 1000 == 0)
			fp_srcnode_expire(w[0]);
	}
	for (i = 0; i < 64; i++)
		fp_srcnode_admit_undo(w[0], n[i]);
	return NULL;
}

static void
test_threads(void **data)
{
	pthread_t t;
	uint32_t i, n, refused = 0;

	start(2, 5000);
	rules[0].max_src_states = 40;
	assert_int_equal(pthread_create(&t, NULL, writer, NULL), 0);
	for (i = 0; i < 30000; i++) {
		if (admit(w[1], 0, i % 200, &n) < 0)
			fp_srcnode_admit_undo(w[1], n);
		else
			refused++;
	}
	pthread_join(t, NULL);
	assert_int_equal(refused, 0); /* at most one of 64 states is this source's: no torn sum made it 40 */
	clock_to(2000);
	clock_to(2010);
	assert_int_equal(fp_srcnodes_count(&box), 0);
	assert_int_equal(rt[0].src_nodes, 0);
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_max_src_states),
		cmocka_unit_test(test_max_src_nodes),
		cmocka_unit_test(test_box_limit_and_growth),
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_max_src_conn),
		cmocka_unit_test(test_max_src_conn_rate),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
