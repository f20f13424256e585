/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "sync/pair.h"

int
bench_fail(const char *scenario, const char *what, const struct fp_err *err)
{
	fprintf(stderr, "twinpath-bench: %s: %s: %s\n", scenario, what, err->text);
	return 1;
}

/* ---- frames */
static inline uint32_t
client_of(uint64_t i)
{
	return 0x0a000002u + (uint32_t)(i & 0xffff) * 4;
}

static inline uint32_t
server_of(uint64_t i)
{
	return 0xc6330101u + (uint32_t)(i >> 32);
}

static inline uint16_t
port_of(uint64_t i)
{
	return 1024 + (uint16_t)(i >> 16);
}

static inline void
frame(struct bench_rig *r, struct rte_mbuf *m, uint64_t i, int dir, uint8_t flags)
{
	uint8_t *e = rte_pktmbuf_mtod(m, uint8_t *), *ip = e + 14, *th;
	uint32_t client = client_of(i), server = server_of(i);
	uint16_t cport = port_of(i), sport = 443;
	uint32_t seq = dir ? 2000000 : 1000000, ack = dir ? 1000001 : 2000001;

	memcpy(e, r->mac[dir], 6);
	memset(e + 6, 2, 6);
	if (r->v6) {
		e[12] = 0x86, e[13] = 0xdd;
		memset(ip, 0, 40);
		ip[0] = 0x60;
		ip[5] = 20;
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		ip[8] = ip[24] = 0x20;
		ip[9] = ip[25] = 0x01;
		ip[10] = dir ? 2 : 1;
		ip[26] = dir ? 1 : 2;
		*(unaligned_uint32_t *)(ip + (dir ? 36 : 20)) = rte_cpu_to_be_32(client);
		*(unaligned_uint32_t *)(ip + (dir ? 20 : 36)) = rte_cpu_to_be_32(server);
		th = ip + 40;
	} else {
		e[12] = 0x08, e[13] = 0x00;
		memset(ip, 0, 20);
		ip[0] = 0x45;
		ip[3] = 40;
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		*(unaligned_uint32_t *)(ip + (dir ? 16 : 12)) = rte_cpu_to_be_32(client);
		*(unaligned_uint32_t *)(ip + (dir ? 12 : 16)) = rte_cpu_to_be_32(server);
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;	/* as a NIC says; forward does not look at it either */
		th = ip + 20;
	}
	*(unaligned_uint16_t *)th = rte_cpu_to_be_16(dir ? sport : cport);
	*(unaligned_uint16_t *)(th + 2) = rte_cpu_to_be_16(dir ? cport : sport);
	if (flags & 0x02)
		seq--;
	*(unaligned_uint32_t *)(th + 4) = rte_cpu_to_be_32(seq);
	*(unaligned_uint32_t *)(th + 8) = rte_cpu_to_be_32(flags & 0x10 ? ack : 0);
	th[12] = 0x50;
	th[13] = flags;
	th[14] = 0x40, th[15] = 0;
	memset(th + 16, 0, 4);
	m->data_len = r->v6 ? 74 : 60;
	m->pkt_len = m->data_len;
	m->nb_segs = 1;
	m->next = NULL;
	/* transmit frees what it was given; this reference keeps the buffer */
	rte_mbuf_refcnt_set(m, 2);
}

static inline void
reset(struct rte_mbuf *m)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->ol_flags = 0;
}

void
bench_frame(struct bench_rig *r, struct rte_mbuf *m, uint64_t i, int dir, uint8_t flags)
{
	reset(m);
	frame(r, m, i, dir, flags);
}

uint64_t
bench_flow_key(const struct bench_rig *r, uint64_t i, struct fp_key *k, bool *src_is_hi)
{
	fp_key_make4(k, rte_cpu_to_be_32(client_of(i)), rte_cpu_to_be_32(server_of(i)), rte_cpu_to_be_16(port_of(i)),
		rte_cpu_to_be_16(443), IPPROTO_TCP, src_is_hi);
	return fp_key_hash4(k, r->box->hash_secret);
}

/* ---- traffic */
void
bench_establish(struct bench_rig *r, uint64_t from, uint64_t to, uint64_t *syn)
{
	static const struct { int dir; uint8_t flags; } step[] = { { 0, 0x02 }, { 1, 0x12 }, { 0, 0x10 }, { 1, 0x10 } };

	for (uint64_t i = from; i < to; i += FP_BURST) {
		unsigned n = to - i < FP_BURST ? to - i : FP_BURST;

		for (unsigned s = 0; s < RTE_DIM(step); s++) {
			uint64_t t;

			for (unsigned k = 0; k < n; k++)
				bench_frame(r, r->m[k], i + k, step[s].dir, step[s].flags);
			t = rte_rdtsc();
			fp_worker_begin(r->w);
			fp_burst(r->w, r->m, n, r->port[step[s].dir]);
			fp_worker_end(r->w, true);
			if (s == 0 && syn != NULL)
				*syn += rte_rdtsc() - t;
		}
	}
}

static inline void
burst(struct bench_rig *r, bool firewall)
{
	struct rte_mbuf **m = &r->m[r->at];
	int dir = r->turn++ & 1;

	for (unsigned k = 0; k < FP_BURST; k++) {
		reset(m[k]);
		frame(r, m[k], bench_random(&r->rnd) % r->flows, dir, 0x10);
	}
	fp_worker_begin(r->w);
	if (firewall)
		fp_burst(r->w, m, FP_BURST, r->port[dir]);
	else
		for (unsigned k = 0; k < FP_BURST; k++) {
			uint8_t *e = rte_pktmbuf_mtod(m[k], uint8_t *);

			memset(e, 4, 6);
			memcpy(e + 6, r->mac[!dir], 6);
			fp_tx(r->w, r->port[!dir], m[k]);
		}
	fp_worker_end(r->w, firewall);
	r->at = (r->at + FP_BURST) % BENCH_BUFS;
}

void
bench_burst(struct bench_rig *r, bool firewall)
{
	burst(r, firewall);
}

static uint64_t
ran_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ul + ts.tv_nsec;
}

double
bench_forward(struct bench_rig *r, bool firewall, uint64_t packets, uint64_t cycles)
{
	uint64_t t = rte_rdtsc(), done = 0, ran = ran_ns();

	if (packets != 0)
		for (; done < packets; done += FP_BURST)
			burst(r, firewall);
	else
		for (; rte_rdtsc() - t < cycles; done += FP_BURST)
			burst(r, firewall);
	return (double)(ran_ns() - ran) * rte_get_tsc_hz() / 1e9 / done;
}

int
bench_second_cpu(void)
{
	rte_cpuset_t main_set = rte_lcore_cpuset(rte_get_main_lcore());
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	for (int i = 0; i < n; i++)
		if (!CPU_ISSET(i, &main_set))
			return i;
	return -1;
}

/* ---- life */
static uint16_t
catch_cable(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t n, void *arg)
{
	struct bench_rig *r = arg;

	(void)port;
	(void)queue;
	for (uint16_t i = 0; r->catching && i < n && r->n_caught < BENCH_CATCH; i++) {
		rte_mbuf_refcnt_update(m[i], 1); /* net_null frees what it "sends" */
		r->caught[r->n_caught++] = m[i];
	}
	return n;
}

void
bench_rig_poll(struct bench_rig *r, unsigned turns)
{
	for (unsigned i = 0; i < turns; i++)
		fp_box_poll(r->box);
}

static int
load_rules(struct bench_rig *r, uint64_t max_states)
{
	char path[] = "/tmp/twinpath-bench-XXXXXX";
	struct pol_errors errs = { 0 };
	FILE *f;
	int fd = mkstemp(path), rc;

	if (fd < 0 || (f = fdopen(fd, "w")) == NULL) {
		perror(path);
		return 1;
	}
	fprintf(f, "set limit states %lu\nset timeout interval 10\n", (unsigned long)max_states);
	for (int i = 0; i < 98; i++)
		fprintf(f, "block in quick on in0 proto tcp from 172.16.%d.0/24 to any port %d\n", i, 1 + i);
	fprintf(f, "pass in on in0\npass out on out0\n");
	fclose(f);
	rc = fp_rules_load(r->box, path, &errs);
	if (rc != 0)
		pol_errors_print(&errs, stderr);
	pol_errors_free(&errs);
	unlink(path);
	return rc;
}

static int
make(struct bench_rig *r, const struct bench_rig_conf *conf)
{
	char name[16], value[32], dev[2][32], addr[32];
	struct fp_box_conf bc = { .name = name };
	struct fp_if_info info;
	struct fp_err err = { "" };

	snprintf(name, sizeof(name), "bench%u", conf->nr);
	if ((r->box = fp_box_create(&bc, &err)) == NULL)
		return bench_fail(conf->scenario, "box", &err);
	snprintf(value, sizeof(value), "%lu", (unsigned long)conf->max_states);
	snprintf(addr, sizeof(addr), "169.254.240.%u/24", conf->nr + 1);
	for (unsigned i = 0; i < 2; i++)
		snprintf(dev[i], sizeof(dev[i]), "net_null%u,no-rx=1", 3 * conf->nr + i);
	if (fp_param_set(r->box, "limit states", value, &err) != 0 || fp_param_set(r->box, "idle sleep", "0", &err) != 0 ||
	    fp_param_set(r->box, "mbufs", "16384", &err) != 0 ||
	    fp_port_attach(r->box, dev[0], "in0", &err) != 0 || fp_port_attach(r->box, dev[1], "out0", &err) != 0 ||
	    (conf->cable != NULL && (fp_port_attach(r->box, conf->cable, "sync0", &err) != 0 ||
	     fp_if_addr_add(r->box, "sync0", addr, &err) != 0 || (r->sync = sync_create(r->box, &err)) == NULL)) ||
	    fp_if_addr_add(r->box, "in0", "10.255.255.1/8", &err) != 0 ||
	    fp_if_addr_add(r->box, "out0", "198.51.100.1/24", &err) != 0 ||
	    fp_if_addr_add(r->box, "in0", "2001:db8:1::1/64", &err) != 0 ||
	    fp_if_addr_add(r->box, "out0", "2001:db8:2::1/64", &err) != 0 ||
	    fp_neigh_add(r->box, "10.255.255.2", "02:00:00:00:00:01", &err) != 0 ||
	    fp_neigh_add(r->box, "198.51.100.2", "02:00:00:00:00:02", &err) != 0 ||
	    fp_neigh_add(r->box, "2001:db8:1::2", "02:00:00:00:00:01", &err) != 0 ||
	    fp_neigh_add(r->box, "2001:db8:2::2", "02:00:00:00:00:02", &err) != 0 ||
	    fp_route_add(r->box, "10.0.0.0/9", "10.255.255.2", "", &err) != 0 ||
	    fp_route_add(r->box, "198.51.0.0/16", "198.51.100.2", "", &err) != 0 ||
	    fp_route_add(r->box, "2001:100::/32", "2001:db8:1::2", "", &err) != 0 ||
	    fp_route_add(r->box, "2001:200::/32", "2001:db8:2::2", "", &err) != 0)
		return bench_fail(conf->scenario, "set-up", &err);
	if (load_rules(r, conf->max_states) != 0)
		return 1;
	if (r->sync != NULL) {
		sync_no_thread(r->sync);
		if (sync_syncdev(r->sync, "sync0", &err) != 0 || sync_up(r->sync, true, &err) != 0)
			return bench_fail(conf->scenario, "pfsync0", &err);
	}
	if (fp_box_start(r->box, &err) != 0)
		return bench_fail(conf->scenario, "start", &err);
	r->w = r->box->workers[0];
	for (int i = 0; i < 2; i++) {
		if (fp_if_find(r->box, i ? "out0" : "in0", &info) != 0)
			return 1;
		r->port[i] = info.port_id;
		memcpy(r->mac[i], info.mac, 6);
	}
	r->pool = r->w->pool;
	for (unsigned i = 0; i < BENCH_BUFS; i++)
		if ((r->m[i] = rte_pktmbuf_alloc(r->pool)) == NULL)
			return 1;
	if (r->sync != NULL) {
		if (fp_if_find(r->box, "sync0", &info) != 0)
			return 1;
		r->cable_port = info.port_id;
		r->cable_ifid = info.ifid;
		for (unsigned q = 0; q < info.n_txq && strncmp(conf->cable, "net_null", 8) == 0; q++)
			r->callback[q] = rte_eth_add_tx_callback(r->cable_port, q, catch_cable, r);
		r->box->tsc_start -= r->box->tsc_hz / 50; /* pfsync0 looks about every 10 ms: now */
	}
	bench_rig_poll(r, 1000);	/* the main lcore's share: routes, neighbours */
	return 0;
}

struct bench_rig *
bench_rig_make(const struct bench_opt *opt, const struct bench_rig_conf *conf)
{
	struct bench_rig *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->scenario = conf->scenario;
	r->rnd = opt->seed + conf->nr;
	r->v6 = conf->v6;
	r->flows = conf->flows;
	if (make(r, conf) == 0)
		return r;
	bench_rig_free(r);
	return NULL;
}

void
bench_rig_free(struct bench_rig *r)
{
	if (r == NULL)
		return;
	/* a port that takes the place of this one would call it */
	for (uint16_t q = 0; q < RTE_DIM(r->callback); q++)
		if (r->callback[q] != NULL)
			rte_eth_remove_tx_callback(r->cable_port, q, r->callback[q]);
	for (unsigned i = 0; i < r->n_caught; i++)
		rte_pktmbuf_free(r->caught[i]);
	for (unsigned i = 0; i < BENCH_BUFS; i++)
		if (r->m[i] != NULL) {
			rte_mbuf_refcnt_set(r->m[i], 1);
			reset(r->m[i]);
			rte_pktmbuf_free(r->m[i]);
		}
	if (r->box != NULL) {
		sync_destroy(r->sync);
		fp_box_stop(r->box);
		fp_box_destroy(r->box);
	}
	free(r);
}
