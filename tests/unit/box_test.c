/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box on EAL without huge pages and NICs: ports of rte_ring and net_null, workers on lcores that share the CPUs.
 * What is sent into a port is counted; what a worker does with packets is other tests' business.
 */
#define ALLOW_EXPERIMENTAL_API /* rte_ipv4_udptcp_cksum_verify() in 22.11 */
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
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "fastpath/box_priv.h"

static struct fp_err err;
static const char *few = "1", *many = "2"; /* workers */

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

static void one_worker(void **state) { run(few, 1); }
static void one_worker_two_queues(void **state) { run(few, 2); }
static void two_workers_one_queue(void **state) { run(many, 1); }
static void two_workers_two_queues(void **state) { run(many, 2); }
static void two_workers_three_queues(void **state) { run(many, 3); }

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
	struct fp_box *box = make_box(few);

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
	struct fp_box *box = make_box(many);
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
	struct fp_box *box = make_box(many);

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
	struct fp_box *a = make_box(few), *b = make_box(few);
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

/* ---- transmit */

struct send { uint16_t port_id; unsigned n; bool tcp6, udp4; };

/* An IP packet whose checksums the port, or fp_tx() for it, is to compute. */
static struct rte_mbuf *
packet(struct fp_worker *w, const struct send *s)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *d;

	if (m == NULL)
		abort();
	d = (uint8_t *)rte_pktmbuf_append(m, 100);
	for (unsigned i = 0; i < 100; i++)
		d[i] = i;
	m->l2_len = 14;
	if (s->udp4) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(d + 14);
		struct rte_udp_hdr *u = (struct rte_udp_hdr *)(ip + 1);

		ip->version_ihl = 0x45;
		ip->total_length = rte_cpu_to_be_16(86);
		ip->next_proto_id = 17;
		u->dgram_len = rte_cpu_to_be_16(66);
		m->l3_len = 20;
		m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM;
		u->dgram_cksum = rte_ipv4_phdr_cksum(ip, 0);
	} else if (s->tcp6) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(d + 14);
		struct rte_tcp_hdr *t = (struct rte_tcp_hdr *)(ip + 1);

		ip->proto = 6;
		ip->payload_len = rte_cpu_to_be_16(46);
		m->l3_len = 40;
		m->ol_flags = RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM;
		t->cksum = rte_ipv6_phdr_cksum(ip, 0);
	}
	return m;
}

static bool
send_some(struct fp_worker *w, void *arg)
{
	const struct send *s = arg;

	for (unsigned i = 0; i < s->n; i++)
		fp_tx(w, s->port_id, packet(w, s));
	return true;
}

static uint64_t
stat_drop(struct fp_box *box, enum fp_drop why)
{
	struct fp_stats s;

	fp_stats_get(box, &s);
	return s.drops[why];
}

static void
empty(struct rte_ring *r)
{
	void *m;

	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
}

static void
transmit(void **state)
{
	static unsigned seq;
	struct fp_box *box = make_box(many);
	struct rte_ring *rx, *tx;
	struct send s = { .n = 10 };
	struct rte_mbuf *m;
	struct rte_ipv4_hdr *ip4;
	struct rte_ipv6_hdr *ip6;
	char name[32], dev[8];

	snprintf(name, sizeof(name), "txr%u", ++seq);
	rx = rte_ring_create(name, 256, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "txt%u", seq);
	tx = rte_ring_create(name, 128, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	s.port_id = rte_eth_from_rings(name, &rx, 1, &tx, 1, SOCKET_ID_ANY);
	snprintf(dev, sizeof(dev), "%u", s.port_id);
	OK(fp_port_attach(box, dev, "ext0", &err));
	OK(fp_box_start(box, &err));

	/* One queue: some workers send by the owner of the queue. */
	for (unsigned i = 0; i < box->n_workers; i++)
		fp_worker_call(box, box->workers[i], send_some, &s);
	UNTIL(box, rte_ring_count(tx) == 10 * box->n_workers);
	empty(tx);
	m = frame(box);
	m->port = s.port_id;
	fp_main_tx(box, m);
	UNTIL(box, rte_ring_count(tx) == 1);
	empty(tx);

	/* What a full queue does not take is counted. */
	s.n = 200;
	fp_worker_call(box, box->workers[0], send_some, &s);
	UNTIL(box, stat_drop(box, FP_D_TX_FULL) == 200 - 127);
	assert_int_equal(rte_ring_count(tx), 127);
	empty(tx);

	/* Checksums in software. */
	s = (struct send){ .port_id = s.port_id, .n = 1, .udp4 = true };
	fp_worker_call(box, box->workers[box->n_workers - 1], send_some, &s);
	UNTIL(box, rte_ring_count(tx) == 1);
	assert_int_equal(rte_ring_dequeue(tx, (void **)&m), 0);
	ip4 = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
	assert_int_equal(rte_raw_cksum(ip4, 20), 0xffff);
	assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip4, ip4 + 1), 0);
	rte_pktmbuf_free(m);
	s = (struct send){ .port_id = s.port_id, .n = 1, .tcp6 = true };
	fp_worker_call(box, box->workers[0], send_some, &s);
	UNTIL(box, rte_ring_count(tx) == 1);
	assert_int_equal(rte_ring_dequeue(tx, (void **)&m), 0);
	ip6 = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, 14);
	assert_int_equal(rte_ipv6_udptcp_cksum_verify(ip6, ip6 + 1), 0);
	rte_pktmbuf_free(m);

	/* A port that is stopped, and one that was never there. */
	OK(fp_port_stop(box, "ext0", &err));
	s = (struct send){ .port_id = s.port_id, .n = 3 };
	fp_worker_call(box, box->workers[0], send_some, &s);
	UNTIL(box, stat_drop(box, FP_D_TX_DOWN) == 3);
	s.port_id = FP_MAX_PORTS - 1;
	fp_worker_call(box, box->workers[0], send_some, &s);
	UNTIL(box, stat_drop(box, FP_D_TX_DOWN) == 6);
	m = frame(box);
	m->port = s.port_id;
	fp_main_tx(box, m);
	assert_int_equal(stat_drop(box, FP_D_TX_DOWN), 7);
	fp_box_destroy(box);
	rte_ring_free(rx);
	rte_ring_free(tx);
}

/* All buffers come back: nothing that a box dropped, sent or threw away is lost. */
static void
no_leak(void **state)
{
	struct rte_ring *r[2];
	struct fp_box *box = make_box(few);
	char dev[8];
	unsigned free_before, socket;

	snprintf(dev, sizeof(dev), "%u", ring_port("leak", r, 2));
	OK(fp_port_attach(box, dev, "ext0", &err));
	OK(fp_box_start(box, &err));
	socket = box->workers[0]->socket;
	free_before = rte_mempool_avail_count(box->pool[socket]);
	for (unsigned i = 0; i < 20; i++) {
		fp_stats_clear(box);
		send_frames(box, r[0], 100);
		send_frames(box, r[1], 100);
		UNTIL(box, stat_rx(box) == 200);
	}
	send_frames(box, r[0], 10);
	fp_box_stop(box);
	OK(fp_box_start(box, &err));
	fp_box_stop(box);
	assert_int_equal(rte_mempool_avail_count(box->pool[socket]), free_before);
	fp_box_destroy(box);
	rte_ring_free(r[0]);
	rte_ring_free(r[1]);
}

/* The main lcore is all there is: `box_test main`. */
static void
on_main(void **state)
{
	struct fp_box *box = make_box("auto");
	struct fp_lcore_info info;

	OK(fp_box_start(box, &err));
	assert_int_equal(fp_lcore_count(box), 1);
	OK(fp_lcore_info(box, 0, &info));
	assert_string_equal(info.role, "main+worker");
	assert_int_equal(info.lcore, rte_get_main_lcore());
	for (unsigned i = 0; i < 100; i++)
		fp_box_poll(box);
	OK(fp_lcore_info(box, 0, &info));
	assert_true(info.loops >= 100);
	fp_box_destroy(box);
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
		cmocka_unit_test(transmit),
		cmocka_unit_test(no_leak),
	};
	const struct CMUnitTest main_tests[] = {
		cmocka_unit_test(on_main),
		cmocka_unit_test(one_worker),
		cmocka_unit_test(one_worker_two_queues),
		cmocka_unit_test(too_many_workers),
		cmocka_unit_test(defer),
		cmocka_unit_test(calls),
		cmocka_unit_test(transmit),
		cmocka_unit_test(no_leak),
	};
	bool one = argc > 1 && strcmp(argv[1], "main") == 0;

	if (one) {
		eal[6] = "--lcores=0@0";
		many = "1";
	} else if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		eal[6] = "--lcores=0@0,1@0,2@0";
	}
	if (rte_eal_init(RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	if (one)
		return cmocka_run_group_tests_name("box on the main lcore", main_tests, NULL, NULL);
	return cmocka_run_group_tests_name("box", tests, NULL, NULL);
}
