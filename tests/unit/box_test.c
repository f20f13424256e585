/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box on EAL without huge pages and NICs: ports of rte_ring and net_null, workers on lcores that share the CPUs.
 * What is sent into a port is counted; what a worker does with packets is other tests' business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_malloc.h>

#include "fastpath/box_priv.h"

static struct fp_err err;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* Let the box work until cond or for 3 seconds. */
#define UNTIL(box, cond) do { \
	uint64_t end_ = now_ms() + 3000; \
	while (!(cond) && now_ms() < end_) \
		if (fp_box_poll(box) == 0) \
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL); \
	assert_true(cond); \
} while (0)

#define OK(call) do { int rc_ = (call); if (rc_ != 0) fail_msg("%s: %d: %s", #call, rc_, err.text); } while (0)

static uint64_t
stat_rx(struct fp_box *box)
{
	struct fp_stats s;

	fp_stats_get(box, &s);
	return s.totals[FP_T_RX];
}

/* A port of n rings that the test fills: rings[i] is receive queue i. */
static uint16_t
ring_port(const char *name, struct rte_ring **rings, unsigned n)
{
	int id;

	for (unsigned i = 0; i < n; i++) {
		char rn[RTE_RING_NAMESIZE];

		snprintf(rn, sizeof(rn), "%s-%u", name, i);
		rings[i] = rte_ring_create(rn, 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		assert_non_null(rings[i]);
	}
	id = rte_eth_from_rings(name, rings, n, rings, n, SOCKET_ID_ANY);
	assert_true(id >= 0);
	return id;
}

/* A frame that no box wants (Ethernet type of the loopback protocol): ends in a drop. */
static struct rte_mbuf *
frame(struct fp_box *box)
{
	struct rte_mbuf *m = fp_main_mbuf(box);
	uint8_t *d;

	if (m == NULL)
		abort();
	d = (uint8_t *)rte_pktmbuf_append(m, 60);
	if (d == NULL)
		abort();
	memset(d, 0, 60);
	memset(d, 0xff, 6);
	d[6] = 2;
	d[12] = 0x90;
	return m;
}

static void
send_frames(struct fp_box *box, struct rte_ring *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rte_ring_sp_enqueue(r, frame(box)), 0);
}

static struct fp_box *
make_box(const char *workers)
{
	struct fp_box *box = fp_box_create(&(struct fp_box_conf){ .name = "test" }, &err);

	if (box == NULL)
		fail_msg("%s", err.text);
	OK(fp_param_set(box, "workers", workers, &err));
	OK(fp_param_set(box, "limit states", "1000", &err));
	OK(fp_param_set(box, "rx descriptors", "128", &err));
	OK(fp_param_set(box, "tx descriptors", "128", &err));
	OK(fp_param_set(box, "ring size", "256", &err));
	return box;
}

static void
run(const char *workers, unsigned queues)
{
	struct rte_ring *ra[4], *rb[4];
	struct fp_box *box = make_box(workers);
	uint16_t a, b;
	char da[8], db[8], name[32];
	static unsigned seq;

	snprintf(name, sizeof(name), "ta%u", ++seq);
	a = ring_port(name, ra, queues);
	snprintf(name, sizeof(name), "tb%u", seq);
	b = ring_port(name, rb, queues);
	snprintf(da, sizeof(da), "%u", a);
	snprintf(db, sizeof(db), "%u", b);
	OK(fp_port_attach(box, da, "ext0", &err));
	OK(fp_port_attach(box, db, "int0", &err));
	assert_int_equal(fp_port_attach(box, db, "int1", &err), -EBUSY);
	assert_int_equal(fp_port_attach(box, "net_null9", "int0", &err), -EEXIST);
	OK(fp_box_start(box, &err));
	assert_int_equal(fp_box_start(box, &err), -EALREADY);
	assert_true(fp_box_running(box));

	for (unsigned q = 0; q < queues; q++)
		send_frames(box, ra[q], 50);
	UNTIL(box, stat_rx(box) == 50 * queues);

	/* Stopped: nothing is taken, what came meanwhile is thrown away at the next start. */
	assert_int_equal(fp_box_stop(box), 0);
	assert_int_equal(fp_box_stop(box), -EALREADY);
	send_frames(box, rb[0], 5);
	fp_box_poll(box);
	assert_int_equal(stat_rx(box), 50 * queues);
	OK(fp_box_start(box, &err));
	assert_int_equal(rte_ring_count(rb[0]), 0);
	send_frames(box, rb[queues - 1], 7);
	UNTIL(box, stat_rx(box) == 50 * queues + 7);

	/* A port that comes and goes under traffic. */
	OK(fp_port_attach(box, "net_null7,no-rx=0,size=64", "nul0", &err));
	UNTIL(box, stat_rx(box) > 10000);
	OK(fp_port_detach(box, "nul0", &err));
	assert_int_equal(fp_port_detach(box, "nul0", &err), -ENODEV);
	fp_stats_clear(box);
	send_frames(box, ra[0], 9);
	UNTIL(box, stat_rx(box) == 9);

	/* Port stop and start. */
	OK(fp_port_stop(box, "ext0", &err));
	send_frames(box, ra[0], 3);
	send_frames(box, rb[0], 4);
	UNTIL(box, stat_rx(box) == 13);
	OK(fp_port_start(box, "ext0", &err));
	send_frames(box, ra[0], 2);
	UNTIL(box, stat_rx(box) == 15);
	fp_box_destroy(box);
	for (unsigned i = 0; i < queues; i++) {
		rte_ring_free(ra[i]);
		rte_ring_free(rb[i]);
	}
}

static void one_worker(void **state) { run("1", 1); }
static void one_worker_two_queues(void **state) { run("1", 2); }
static void two_workers_one_queue(void **state) { run("2", 1); }
static void two_workers_two_queues(void **state) { run("2", 2); }
static void two_workers_three_queues(void **state) { run("2", 3); }

static void
too_many_workers(void **state)
{
	struct fp_box *box = make_box("9");

	assert_int_equal(fp_box_start(box, &err), -EINVAL);
	assert_non_null(strstr(err.text, "workers: 9 wanted"));
	assert_false(fp_box_running(box));
	OK(fp_param_set(box, "workers", "1", &err)); /* nothing was left behind */
	OK(fp_box_start(box, &err));
	assert_int_equal(fp_param_set(box, "workers", "2", &err), -EBUSY);
	assert_int_equal(fp_param_set(box, "rx descriptors", "64", &err), -EBUSY);
	fp_box_destroy(box);
}

static void
refused_ports(void **state)
{
	struct fp_box *box = make_box("1");

	assert_true(fp_port_attach(box, "net_af_packet5,iface=nosuchif", "ext0", &err) < 0);
	assert_non_null(strstr(err.text, "no interface \"nosuchif\""));
	assert_true(fp_port_attach(box, "0000:99:00.0", "ext0", &err) < 0);
	assert_true(fp_port_attach(box, "net_nonsense0", "ext0", &err) < 0);
	assert_true(fp_port_attach(box, "31", "ext0", &err) < 0);
	assert_int_equal(fp_port_attach(box, "net_null0", "9ext", &err), -EINVAL);
	assert_int_equal(fp_port_attach(box, "net_null0", "aaaaaaaaaaaaaaaa", &err), -EINVAL);
	assert_int_equal(fp_port_stop(box, "ext0", &err), -ENODEV);
	assert_null(box->ports);
	fp_box_destroy(box);
}

/* Deferred frees wait for a worker that may still read, and come when it has passed. */
static unsigned freed;
static void count_free(void *p) { freed++; }

static void
defer(void **state)
{
	struct fp_box *box = make_box("2");
	int x;

	OK(fp_box_start(box, &err));
	freed = 0;
	for (unsigned i = 0; i < 1000; i++)
		fp_defer(box, count_free, &x);
	UNTIL(box, freed == 1000);
	fp_box_stop(box);
	fp_defer(box, count_free, &x);
	fp_box_destroy(box);
	assert_int_equal(freed, 1001);
}

static bool
count_to_five(struct fp_worker *w, void *arg)
{
	unsigned *n = arg;

	return ++*n == 5;
}

static void
calls(void **state)
{
	struct fp_box *box = make_box("2");

	for (unsigned round = 0; round < 2; round++) {
		OK(fp_box_start(box, &err));
		for (unsigned i = 0; i < box->n_workers; i++) {
			unsigned n = 0;

			fp_worker_call(box, box->workers[i], count_to_five, &n);
			assert_int_equal(n, 5);
		}
		fp_box_stop(box);
		for (unsigned i = 0; i < box->n_workers; i++) {
			unsigned n = 0;

			fp_worker_call(box, box->workers[i], count_to_five, &n);
			assert_int_equal(n, 5);
		}
	}
	fp_box_destroy(box);
}

/* Two boxes in one process, each with a worker. */
static void
two_boxes(void **state)
{
	struct fp_box *a = make_box("1"), *b = make_box("1");
	struct fp_lcore_info ia, ib;

	OK(fp_box_start(a, &err));
	OK(fp_box_start(b, &err));
	OK(fp_lcore_info(a, 0, &ia));
	OK(fp_lcore_info(b, 0, &ib));
	assert_int_not_equal(ia.lcore, ib.lcore);
	assert_int_not_equal(a->hostid, b->hostid);
	assert_int_equal(fp_lcore_count(a), 2);
	fp_box_destroy(a);
	fp_box_destroy(b);
}

int
main(int argc, char **argv)
{
	char *eal[] = { "box_test", "--no-huge", "--no-shconf", "--no-pci", "-m", "256", "--lcores=0@0,1@0,2@1",
		"--log-level=twinpath.*:error", NULL };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker),
		cmocka_unit_test(one_worker_two_queues),
		cmocka_unit_test(two_workers_one_queue),
		cmocka_unit_test(two_workers_two_queues),
		cmocka_unit_test(two_workers_three_queues),
		cmocka_unit_test(too_many_workers),
		cmocka_unit_test(refused_ports),
		cmocka_unit_test(defer),
		cmocka_unit_test(calls),
		cmocka_unit_test(two_boxes),
	};

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		eal[6] = "--lcores=0@0,1@0,2@0";
	if (rte_eal_init(RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
