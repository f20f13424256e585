/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All at once: two workers forward, the sync thread inserts, updates and removes what a peer says and walks through bulk
 * updates, states expire every second, and the main lcore reloads rules, kills and lists states, changes addresses,
 * routes, neighbours and pfsync0 itself, takes ports away and stops and starts the box.
 *
 * Meant for ThreadSanitizer (meson setup -Db_sanitize=thread) and AddressSanitizer; what it looks at itself in the end is
 * that everything really ran, that states, rules and source nodes add up, and that every buffer came back.
 *
 * TWINPATH_STRESS_SEC (5) says how long, TWINPATH_SEED which orders the threads try, TWINPATH_STRESS_TIMES that commands
 * and how long they took be printed.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_mempool.h>

#include "fastpath/rules.h"
#include "rig/strict_pool.h"
#include "sync_stress.h"

#define TIMEOUTS "set timeout { interval 1, tcp.first 2, tcp.opening 2, tcp.established 3, tcp.closing 1, tcp.finwait 1, " \
	"tcp.closed 1, udp.first 1, udp.single 1, udp.multiple 2, icmp.first 1, icmp.error 1, other.first 1, frag 1, src.track 1 }\n"
static const char *const rules[] = {
	TIMEOUTS "pass\npass in proto udp to port 77 keep state (no-sync)\npass out proto udp to port 77 keep state (no-sync)\n",
	TIMEOUTS "set limit states 800\nblock in proto udp to port 99\npass log\npass in proto tcp modulate state\n",
	TIMEOUTS "pass keep state (sloppy)\npass in proto tcp to port 80 keep state (max 200, source-track rule, max-src-states 150)\n"
	"pass in proto tcp to port 81 synproxy state\n",
	TIMEOUTS "set syncookies always\nmatch in all scrub (no-df, max-mss 1300, reassemble tcp)\nblock out proto udp to port 99\npass\n",
};
static char rule_file[RTE_DIM(rules)][64], capture[64], pflog[64];

#define COMMANDS 16u
static struct stress st;
static uint64_t rng;
static unsigned done[COMMANDS + 1], n_commands, listed;
static uint64_t events, sync_events;

static uint32_t
rnd(uint32_t n)
{
	return s_rnd(&rng, n);
}

static void
must(int rc, const struct fp_err *err, const char *what)
{
	if (rc < 0)
		fail_msg("%s: %s", what, err->text);
}
#define MUST(call) do { struct fp_err err = { "" }; must((call), &err, #call); } while (0)

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* ---- commands */
static void
load_rules(unsigned i)
{
	struct pol_errors errs = { 0 };

	if (fp_rules_load(st.box, rule_file[i], &errs) != 0) {
		pol_errors_print(&errs, stderr);
		fail();
	}
	pol_errors_free(&errs);
}

static int
list(void *arg, const struct fp_state_view *v)
{
	(void)arg;
	assert_true(v->proto == 6 || v->proto == 17 || v->proto == 1 || v->proto == 58 || v->proto == SYNC_IPPROTO);
	assert_true(v->creatorid != 0 && v->id != 0);
	assert_true(v->direction == 1 || v->direction == 2);
	listed++;
	return 0;
}

static void
kill_some(void)
{
	struct fp_state_filter f = { .has_port = true, .port = S_FIRST_PORT + rnd(S_CLIENT_PORTS) };

	if (rnd(4) == 0)
		f = (struct fp_state_filter){ .has_origin = true, .learned = rnd(2) };
	else if (rnd(8) == 0)
		f = (struct fp_state_filter){ .has_proto = true, .proto = 17 };
	fp_states_kill(st.box, &f);
}

static void
on_event(void *arg, const struct fp_event *ev, uint64_t lost)
{
	events += 1 + lost;
}

static void
on_sync_event(void *arg, const struct sync_event *ev, uint64_t lost)
{
	sync_events += 1 + lost;
}

static void
monitors(void)
{
	static int id = -1, sync_id = -1;

	if (id < 0)
		id = fp_events_subscribe(st.box, UINT32_MAX, on_event, NULL);
	else {
		fp_events_unsubscribe(st.box, id);
		id = -1;
	}
	if (sync_id < 0)
		sync_id = sync_subscribe(st.s, on_sync_event, NULL);
	else {
		sync_unsubscribe(st.s, sync_id);
		sync_id = -1;
	}
}

static void
files(void)
{
	struct fp_err no;

	sync_capture(st.s, rnd(2) == 0 ? capture : NULL, &no);
	fp_pflog_open(st.box, rnd(2) == 0 ? pflog : NULL, &no);
}

static int
count_node(void *arg, const struct fp_srcnode_view *v)
{
	*(uint64_t *)arg += v->states;
	return 0;
}

static uint64_t
nodes(void)
{
	uint64_t n = 0;

	fp_srcnodes_foreach(st.box, count_node, &n);
	return n;
}

static void
figures(void)
{
	struct fp_rule_counters c[64];
	struct fp_lcore_info li;
	struct sync_info info;
	struct fp_if_info ifi;
	struct fp_stats fs;
	struct fp_why why;
	struct fp_err no;

	sync_info_get(st.s, &info);
	fp_stats_get(st.box, &fs);
	for (unsigned i = 0; i < fp_lcore_count(st.box); i++)
		fp_lcore_info(st.box, i, &li);
	for (unsigned i = 0; fp_if_info(st.box, i, &ifi) == 0; i++)
		;
	fp_rules_counters(st.box, c, RTE_DIM(c));
	nodes();
	if (rnd(4) == 0)
		fp_why(st.box, "tcp", "10.0.2.100:1030", "10.0.1.100:80", NULL, &why, &no);
	if (rnd(8) == 0)
		fp_rules_clear_counters(st.box);
	if (rnd(8) == 0)
		sync_clear(st.s);
}

static void
network(void)
{
	struct fp_err no;
	bool add = rnd(2);

	switch (rnd(5)) {
	case 0:
		if (add)
			fp_if_addr_add(st.box, "int0", "10.0.9.1/24", &no);
		else
			fp_if_addr_del(st.box, "int0", "10.0.9.1/24", &no);
		break;
	case 1:
		if (add)
			fp_route_add(st.box, "10.8.0.0/16", "10.0.1.254", "", &no);
		else
			fp_route_delete(st.box, "10.8.0.0/16", NULL, &no);
		break;
	case 2:
		if (add)
			fp_neigh_add(st.box, "10.0.1.7", "02:00:00:00:01:07", &no);
		else
			fp_neigh_delete(st.box, "10.0.1.7", &no);
		break;
	case 3:
		if (add)
			fp_if_vlan_add(st.box, "vlan9", "ext0", 9, &no);
		else
			fp_if_destroy(st.box, "vlan9", &no);
		break;
	default:
		fp_if_set_up(st.box, rnd(3) == 0 ? "sync0" : "ext0", add, &no);
		break;
	}
}

static void
settings(void)
{
	static const unsigned versions[] = { 0, 0, 0, 6, 1301, 1400, 1500 };
	static const char *const peers[] = { NULL, NULL, "169.254.240.2", "169.254.240.9", "fd00:240::2" };
	char v[16];

	switch (rnd(6)) {
	case 0:
		MUST(sync_defer(st.s, rnd(2), &err));
		break;
	case 1:
		MUST(sync_maxupd(st.s, rnd(256), &err));
		break;
	case 2:
		MUST(sync_version(st.s, versions[rnd(RTE_DIM(versions))], &err));
		break;
	case 3:
		MUST(sync_mtu(st.s, rnd(2) == 0 ? 0 : 600 + rnd(900), &err));
		break;
	case 4:
		MUST(sync_peer(st.s, peers[rnd(RTE_DIM(peers))], &err));
		break;
	default:
		snprintf(v, sizeof(v), "%u", rnd(100));
		MUST(fp_param_set(st.box, rnd(2) == 0 ? "sync coalesce" : "sync heartbeat", v, &err));
		break;
	}
}

static void
interface_maps(void)
{
	struct fp_err no;

	if (rnd(2) == 0)
		MUST(sync_map_if(st.s, "peer3", rnd(2) == 0 ? "ext0" : "int0", &err));
	else
		sync_map_if(st.s, "peer3", NULL, &no);
}

static void
failover(void)
{
	__atomic_store_n(&st.box->stale_ms, rnd(2) * 500, __ATOMIC_RELAXED);
	__atomic_store_n(&st.box->grace_until_sec, rnd(3) == 0 ? fp_now_sec(st.box) + 1 : 0, __ATOMIC_RELAXED);
}

static void
command(unsigned what)
{
	uint64_t began = now_ms();
	struct fp_err no;

	switch (what) {
	case 0:
		load_rules(rnd(RTE_DIM(rules)));
		break;
	case 1:
		fp_states_foreach(st.box, NULL, list, NULL);
		break;
	case 2:
		kill_some();
		break;
	case 3:
		if (rnd(2) == 0)
			fp_states_flush(st.box, rnd(2) == 0 ? NULL : "int0");
		break;
	case 4:
		interface_maps();
		break;
	case 5:
		if (rnd(2) == 0)
			MUST(sync_up(st.s, false, &err));
		break;
	case 6:
		settings();
		break;
	case 7:
		sync_bulk(st.s, &no);
		break;
	case 8:
		figures();
		break;
	case 9:
		monitors();
		break;
	case 10:
		files();
		break;
	case 11:
		network();
		break;
	case 12:
		failover();
		break;
	case 13:
		if (rnd(3) == 0)
			MUST(sync_syncdev(st.s, NULL, &err));
		break;
	case 14:
		if (rnd(3) == 0)
			fp_pf_enable(st.box, false);
		break;
	case 15:
		if (rnd(3) == 0)
			fp_port_stop(st.box, rnd(2) == 0 ? "ext0" : "sync0", &no);
		break;
	default:
		/* most of the time all is as it should be */
		fp_pf_enable(st.box, true);
		fp_port_start(st.box, "ext0", &no);
		fp_port_start(st.box, "sync0", &no);
		fp_if_set_up(st.box, "ext0", true, &no);
		fp_if_set_up(st.box, "sync0", true, &no);
		MUST(sync_syncdev(st.s, "sync0", &err));
		MUST(sync_up(st.s, true, &err));
		break;
	}
	done[what]++;
	if (getenv("TWINPATH_STRESS_TIMES") != NULL)
		printf("command %u took %lu ms\n", what, now_ms() - began);
}
/* All of them before any comes again, and every third time back to normal. */
static void
next_command(void)
{
	static unsigned order[COMMANDS], at;

	if (n_commands++ % 3 == 2) {
		command(COMMANDS);
		return;
	}
	if (at == 0)
		for (unsigned i = 0; i < COMMANDS; i++) {
			unsigned j = rnd(i + 1);

			order[i] = order[j];
			order[j] = i;
		}
	command(order[at]);
	at = (at + 1) % COMMANDS;
}

static void
poll_ms(unsigned ms)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	for (uint64_t end = now_ms() + ms; now_ms() < end; )
		if (fp_box_poll(st.box) == 0)
			nanosleep(&pause, NULL);
}

static void
start_eal(void)
{
	char lcores[64];
	char *argv[] = { "stress", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "--lcores", lcores, "-m", "512",
		"--log-level=*:error", "--mbuf-pool-ops-name=" STRICT_POOL, NULL };
	int cpu[3], n = 0;
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int c = 0; c < CPU_SETSIZE && n < 3; c++)
		if (CPU_ISSET(c, &set))
			cpu[n++] = c;
	for (; n < 3; n++) /* fewer: they share */
		cpu[n] = cpu[n - 1] != cpu[0] ? cpu[0] : cpu[n - 1];
	/* a worker beside the main lcore and the sync thread, the other one alone if it can be */
	snprintf(lcores, sizeof(lcores), "0@%d,1@%d,2@%d", cpu[0], cpu[2], cpu[1]);
	assert_true(rte_eal_init(RTE_DIM(argv) - 1, argv) > 0);
}

static struct rte_mempool *
make_pool(const char *name, unsigned n)
{
	/* no caches: whoever frees a buffer, the next one to get it is far behind */
	struct rte_mempool *mp = rte_pktmbuf_pool_create(name, n, 0, RTE_ALIGN(sizeof(struct fp_mbuf_priv), RTE_MBUF_PRIV_ALIGN),
		2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);

	assert_non_null(mp);
	return mp;
}

static void
write_file(char path[64], const char *what, const char *text)
{
	int fd;

	snprintf(path, 64, "/tmp/twinpath-stress-%s-XXXXXX", what);
	fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void
attach(unsigned nr, const char *name)
{
	char dev[32];

	snprintf(dev, sizeof(dev), "net_null%u,no-rx=1", nr);
	MUST(fp_port_attach(st.box, dev, name, &err));
}

static void
find(unsigned i, const char *name)
{
	struct fp_if_info info;

	assert_int_equal(fp_if_find(st.box, name, &info), 0);
	st.port[i] = info.port_id;
	st.ifid[i] = info.ifid;
	memcpy(st.mac[i], info.mac, 6);
}

static int
setup(void **state)
{
	struct fp_err e = { "" };
	struct fp_if_info info;

	(void)state;
	st.seed = getenv("TWINPATH_SEED") != NULL ? strtoull(getenv("TWINPATH_SEED"), NULL, 0) : 1;
	rng = s_seed(st.seed, 0);
	start_eal();
	for (unsigned i = 0; i < RTE_DIM(rules); i++)
		write_file(rule_file[i], "rules", rules[i]);
	write_file(capture, "capture", "");
	write_file(pflog, "pflog", "");
	st.load_pool = make_pool("load", 16383);
	st.peer_pool = make_pool("peer", 16383);
	st.heard = rte_ring_create("heard", 4096, SOCKET_ID_ANY, RING_F_SC_DEQ);
	st.box = fp_box_create(&(struct fp_box_conf){ .name = "stress" }, &e);
	assert_non_null(st.box);
	assert_non_null(st.heard);
	MUST(fp_param_set(st.box, "workers", "2", &err));
	MUST(fp_param_set(st.box, "mbufs", "16384", &err));
	MUST(fp_param_set(st.box, "limit states", "2000", &err));
	attach(0, "int0");
	attach(1, "ext0");
	attach(2, "sync0");
	MUST(fp_if_addr_add(st.box, "int0", "10.0.2.1/24", &err));
	MUST(fp_if_addr_add(st.box, "int0", "fd00:2::1/64", &err));
	MUST(fp_if_addr_add(st.box, "ext0", "10.0.1.1/24", &err));
	MUST(fp_if_addr_add(st.box, "ext0", "fd00:1::1/64", &err));
	MUST(fp_if_addr_add(st.box, "sync0", "169.254.240.1/24", &err));
	MUST(fp_if_addr_add(st.box, "sync0", "fd00:240::1/64", &err));
	MUST(fp_neigh_add(st.box, "10.0.2.100", "02:00:00:00:02:64", &err));
	MUST(fp_neigh_add(st.box, "10.0.1.100", "02:00:00:00:01:64", &err));
	MUST(fp_neigh_add(st.box, "10.0.1.254", "02:00:00:00:01:fe", &err));
	MUST(fp_neigh_add(st.box, "fd00:2::100", "02:00:00:00:02:64", &err));
	MUST(fp_neigh_add(st.box, "fd00:1::100", "02:00:00:00:01:64", &err));
	MUST(fp_neigh_add(st.box, "169.254.240.2", "02:00:00:00:f0:02", &err));
	MUST(fp_route_add(st.box, "default", "10.0.1.254", "", &err));
	load_rules(0);
	st.s = sync_create(st.box, &e);
	assert_non_null(st.s);
	MUST(sync_syncdev(st.s, "sync0", &err));
	MUST(sync_up(st.s, true, &err));
	/* queues are there after the first start; callbacks are added while nobody uses them */
	MUST(fp_box_start(st.box, &err));
	/* workers take and give back memory of EAL in their first turns, which ThreadSanitizer sees half of */
	rte_delay_us_sleep(50000);
	fp_box_stop(st.box);
	poll_ms(50);
	find(S_INT, "int0");
	find(S_EXT, "ext0");
	find(S_CABLE, "sync0");
	assert_int_equal(fp_if_find(st.box, "sync0", &info), 0);
	assert_int_equal(info.n_txq, 3); /* the workers' and the sync thread's */
	for (unsigned q = 0; q < info.n_txq; q++)
		assert_non_null(rte_eth_add_tx_callback(st.port[S_CABLE], q, stress_hear, &st));
	MUST(fp_box_start(st.box, &err));
	poll_ms(50);
	assert_true(st.s->enabled && st.s->thread_runs && !st.s->on_main);
	assert_int_equal(st.box->n_workers, 2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RTE_DIM(rules); i++)
		unlink(rule_file[i]);
	unlink(capture);
	unlink(pflog);
	return 0;
}

static void
all_at_once(void **state)
{
	const char *sec = getenv("TWINPATH_STRESS_SEC");
	uint64_t end = now_ms() + (sec != NULL ? strtoull(sec, NULL, 0) : 5) * 1000, restart = now_ms() + 2000;
	pthread_t load, peer;
	struct sync_info info;
	struct fp_stats fs;

	(void)state;
	assert_int_equal(pthread_create(&load, NULL, stress_load, &st), 0);
	assert_int_equal(pthread_create(&peer, NULL, stress_peer, &st), 0);
	/* a slow machine gets the time for a round of all commands */
	while (now_ms() < end || (n_commands < 3 * COMMANDS / 2 && now_ms() < end + 60000)) {
		next_command();
		poll_ms(1 + rnd(8));
		if (now_ms() >= restart) {
			restart += 2500;
			fp_box_stop(st.box);
			MUST(fp_box_start(st.box, &err));
		}
	}
	command(COMMANDS);
	load_rules(0);
	MUST(sync_version(st.s, 0, &err));
	MUST(sync_peer(st.s, NULL, &err));
	MUST(sync_defer(st.s, true, &err));
	sync_bulk(st.s, &(struct fp_err){ "" });
	poll_ms(2500);
	__atomic_store_n(&st.stop, true, __ATOMIC_RELAXED);
	pthread_join(load, NULL);
	pthread_join(peer, NULL);
	poll_ms(100);
	sync_info_get(st.s, &info);
	fp_stats_get(st.box, &fs);
	printf("load %lu (%lu refused), peer %lu packets, %lu bulks; box: forwarded %lu, states made %lu gone %lu, peer's inserted "
		"%lu updated %lu deleted %lu cleared %lu, collisions %lu, corrections %lu, held %lu acked %lu, heard ins %lu upd_c %lu "
		"del %lu, bulk sent %lu, events %lu %lu, listed %u, commands %u, reloads %u\n", st.fed, st.refused, st.said, st.answers,
		fs.totals[FP_T_FORWARDED], fs.totals[FP_T_STATE_INSERTS], fs.totals[FP_T_STATE_REMOVALS], info.inserted, info.updated,
		info.deleted, info.cleared, info.collisions, info.corrections, info.defer.held, info.defer.acked,
		st.heard_msgs[SYNC_INS], st.heard_msgs[SYNC_UPD_C], st.heard_msgs[SYNC_DEL_C], info.bulk.sent, events, sync_events,
		listed, n_commands, done[0]);
	/* everything ran */
	assert_true(fs.totals[FP_T_FORWARDED] > 0 && fs.totals[FP_T_STATE_REMOVALS] > 0);
	assert_true(info.inserted > 0 && info.updated > 0 && info.deleted > 0);
	assert_true(st.heard_msgs[SYNC_INS] > 0 && st.heard_msgs[SYNC_UPD_C] > 0 && st.heard_msgs[SYNC_UPD_REQ] > 0);
	assert_true(st.answers > 0 && listed > 0 && done[0] > 0);
}

/* What is left when all states have gone: nothing. */
static void
nothing_left(void **state)
{
	struct fp_rule_counters c[8];
	struct fp_table_info info;
	unsigned tries;

	(void)state;
	fp_states_flush(st.box, NULL);
	for (tries = 0; tries < 100; tries++) {
		uint32_t left = 0;

		poll_ms(20);
		for (unsigned i = 0; i < st.box->n_workers; i++) {
			fp_table_info(st.box->workers[i]->table, &info);
			left += info.records + info.halves + info.pending_free;
		}
		if (left == 0)
			break;
		fp_states_flush(st.box, NULL);
	}
	for (unsigned i = 0; i < st.box->n_workers; i++) {
		fp_table_info(st.box->workers[i]->table, &info);
		assert_int_equal(info.records, 0);
		assert_int_equal(info.halves, 0);
		assert_int_equal(info.pending_free, 0);
		assert_int_equal(st.box->workers[i]->half_open, 0);
	}
	assert_int_equal(nodes(), 0);
	assert_true(fp_rules_counters(st.box, c, RTE_DIM(c)) >= 0);
	for (uint32_t i = 0; i < fp_rules(st.box)->n_rules && i < RTE_DIM(c); i++)
		assert_int_equal(c[i].states, 0);
	/* no state holds an old rule set */
	poll_ms(1200);
	poll_ms(1200);
	assert_null(st.box->rules->old);
}

static void
all_buffers_back(void **state)
{
	struct rte_mempool *cable = st.s->pool;
	struct rte_mbuf *m;

	(void)state;
	MUST(sync_up(st.s, false, &err));
	poll_ms(50);
	fp_box_stop(st.box);
	while (rte_ring_sc_dequeue(st.heard, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	while (rte_ring_sc_dequeue(st.s->rx, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(cable), cable->size);
	sync_destroy(st.s);
	fp_box_destroy(st.box);
	assert_int_equal(rte_mempool_avail_count(st.load_pool), st.load_pool->size);
	assert_int_equal(rte_mempool_avail_count(st.peer_pool), st.peer_pool->size);
	rte_mempool_free(st.load_pool);
	rte_mempool_free(st.peer_pool);
	rte_ring_free(st.heard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once), cmocka_unit_test(nothing_left), cmocka_unit_test(all_buffers_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
