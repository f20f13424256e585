/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "fastpath/burst.h"
#include "fastpath/worker.h"
#include "sync/pair.h"

static bool eal_up;

static uint16_t
catch(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t n, void *arg)
{
	struct rig *r = arg;

	for (uint16_t i = 0; i < n; i++) {
		struct rig_out *o = &r->out[r->n_out % RIG_OUT];
		uint32_t len = rte_pktmbuf_pkt_len(m[i]);
		const void *p = rte_pktmbuf_read(m[i], 0, RTE_MIN(len, sizeof(o->frame)), o->frame);

		if (p != NULL && p != o->frame)
			memcpy(o->frame, p, RTE_MIN(len, sizeof(o->frame)));
		o->len = len;
		o->side = port == r->port[RIG_EXT] ? RIG_EXT : RIG_INT;
		r->n_out++;
	}
	return n;
}

int
rig_load(struct rig *r, const char *rules)
{
	char path[] = "/tmp/twinpath-rig-XXXXXX";
	struct pol_errors errs = { 0 };
	int fd = mkstemp(path), rc;

	if (fd < 0 || write(fd, rules, strlen(rules)) != (ssize_t)strlen(rules)) {
		perror(path);
		return -1;
	}
	close(fd);
	rc = fp_rules_load(r->box, path, &errs);
	if (rc != 0)
		pol_errors_print(&errs, stderr);
	pol_errors_free(&errs);
	unlink(path);
	return rc;
}

static uint16_t
catch_cable(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t n, void *arg)
{
	struct rig *r = arg;

	for (uint16_t i = 0; i < n; i++) {
		if (r->n_cable == RIG_CABLE) {
			r->n_cable_lost++;
			continue;
		}
		rte_pktmbuf_refcnt_update(m[i], 1); /* net_null frees what it "sends" */
		r->cable[r->n_cable++] = m[i];
	}
	return n;
}

static int
attach(struct fp_box *box, unsigned nr, const char *name, struct fp_err *err)
{
	char dev[64];

	snprintf(dev, sizeof(dev), "net_null%u,no-rx=1", nr);
	return fp_port_attach(box, dev, name, err);
}

struct rig *
rig_create_n(const char *rules, unsigned n, bool sync, unsigned limit)
{
	static char *eal[] = { "rig", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-l", "0", "-m", "512",
		"--log-level=*:error", NULL };
	char name[16], states[16], addr[32];
	struct fp_box_conf bc = { .name = name };
	struct rig *r = calloc(1, sizeof(*r));
	struct fp_if_info info;
	struct fp_err err = { "" };
	struct sync *s = NULL;

	snprintf(name, sizeof(name), "rig%u", n);
	snprintf(states, sizeof(states), "%u", limit);
	snprintf(addr, sizeof(addr), "169.254.240.%u/24", n + 1);
	if (!eal_up && rte_eal_init(10, eal) < 0) {
		fprintf(stderr, "rig: EAL did not start\n");
		free(r);
		return NULL;
	}
	eal_up = true;
	if (r == NULL || (r->box = fp_box_create(&bc, &err)) == NULL ||
	    fp_param_set(r->box, "idle sleep", "0", &err) != 0 || fp_param_set(r->box, "mbufs", "4096", &err) != 0 ||
	    fp_param_set(r->box, "limit states", states, &err) != 0 ||
	    attach(r->box, 3 * n, "int0", &err) != 0 || attach(r->box, 3 * n + 1, "ext0", &err) != 0 ||
	    (sync && (attach(r->box, 3 * n + 2, "sync0", &err) != 0 || fp_if_addr_add(r->box, "sync0", addr, &err) != 0 ||
	     (s = sync_create(r->box, &err)) == NULL)) ||
	    fp_if_addr_add(r->box, "int0", "10.0.2.1/24", &err) != 0 || fp_if_addr_add(r->box, "int0", "fd00:2::1/64", &err) != 0 ||
	    fp_if_addr_add(r->box, "ext0", "10.0.1.1/24", &err) != 0 || fp_if_addr_add(r->box, "ext0", "fd00:1::1/64", &err) != 0 ||
	    fp_neigh_add(r->box, "10.0.2.100", "02:00:00:00:02:64", &err) != 0 ||
	    fp_neigh_add(r->box, "10.0.1.100", "02:00:00:00:01:64", &err) != 0 ||
	    fp_neigh_add(r->box, "10.0.1.254", "02:00:00:00:01:fe", &err) != 0 ||
	    fp_neigh_add(r->box, "fd00:2::100", "02:00:00:00:02:64", &err) != 0 ||
	    fp_neigh_add(r->box, "fd00:1::100", "02:00:00:00:01:64", &err) != 0 ||
	    fp_neigh_add(r->box, "fd00:1::fe", "02:00:00:00:01:fe", &err) != 0 ||
	    fp_route_add(r->box, "default", "10.0.1.254", "", &err) != 0 ||
	    fp_route_add(r->box, "::/0", "fd00:1::fe", "", &err) != 0 || rig_load(r, rules) != 0)
		goto fail;
	if (s != NULL) {
		sync_no_thread(s);
		if (sync_syncdev(s, "sync0", &err) != 0 || sync_up(s, true, &err) != 0)
			goto fail;
	}
	if (fp_box_start(r->box, &err) != 0)
		goto fail;
	r->w = r->box->workers[0];
	for (int i = 0; i < 2; i++) {
		if (fp_if_find(r->box, i == RIG_EXT ? "ext0" : "int0", &info) != 0)
			abort();
		r->port[i] = info.port_id;
		memcpy(r->mac[i], info.mac, 6);
		rte_eth_add_tx_callback(r->port[i], 0, catch, r);
	}
	if (s != NULL) {
		if (fp_if_find(r->box, "sync0", &info) != 0)
			abort();
		r->cable_port = info.port_id;
		r->cable_ifid = info.ifid;
		for (unsigned q = 0; q < info.n_txq; q++)
			rte_eth_add_tx_callback(r->cable_port, q, catch_cable, r);
		rig_skip_us(r, 20000);
	}
	rig_poll(r);
	rig_clear(r);
	return r;

fail:
	fprintf(stderr, "rig: %s\n", err.text);
	rig_destroy(r);
	return NULL;
}

struct rig *
rig_create(const char *rules)
{
	return rig_create_n(rules, 0, false, 10000);
}

void
rig_skip_us(struct rig *r, uint64_t us)
{
	/* the clock counts from there: as if the box had been made earlier */
	r->box->tsc_start -= (uint64_t)((unsigned __int128)us * r->box->tsc_hz / 1000000);
}

void
rig_cable_put(struct rig *r, const void *frame, unsigned len)
{
	struct sync *s = r->box->sync;
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->pool);
	void *p = m != NULL ? rte_pktmbuf_append(m, len) : NULL;

	if (p == NULL)
		abort();
	memcpy(p, frame, len);
	fp_priv(m)->l2_len = RTE_ETHER_HDR_LEN;
	sync_received(r->w, m, r->cable_ifid);
}

void
rig_destroy(struct rig *r)
{
	if (r == NULL)
		return;
	if (r->box != NULL) {
		for (unsigned i = 0; i < r->n_cable; i++)
			rte_pktmbuf_free(r->cable[i]);
		sync_destroy(sync_of(r->box));
		fp_box_stop(r->box);
		fp_box_destroy(r->box);
	}
	free(r);
}

static void
turn(struct rig *r, struct rte_mbuf *m, uint16_t port)
{
	fp_worker_begin(r->w);
	if (m != NULL)
		fp_burst(r->w, &m, 1, port);
	fp_worker_end(r->w, true);
}

unsigned
rig_frame(struct rig *r, enum rig_side side, const uint8_t *frame, unsigned len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(r->w->pool), *last = m;
	unsigned before = r->n_out, at = 0;

	while (m != NULL && at < len) {
		unsigned n = RTE_MIN(len - at, (unsigned)rte_pktmbuf_tailroom(last));

		if (n == 0) {
			struct rte_mbuf *next = rte_pktmbuf_alloc(r->w->pool);

			if (next == NULL)
				abort();
			rte_pktmbuf_chain(m, next);
			last = next;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), frame + at, n);
		last->data_len += n;
		m->pkt_len += n;
		at += n;
	}
	if (m == NULL)
		abort();
	m->pkt_len = len;
	turn(r, m, r->port[side]);
	return r->n_out - before;
}

unsigned
rig_ip(struct rig *r, enum rig_side side, const uint8_t *ip, unsigned len)
{
	uint8_t frame[10000];

	memcpy(frame, r->mac[side], 6);
	memcpy(frame + 6, "\x02\0\0\0", 4);
	frame[10] = side == RIG_EXT ? 1 : 2;
	frame[11] = 100;
	frame[12] = ip[0] >> 4 == 6 ? 0x86 : 0x08;
	frame[13] = ip[0] >> 4 == 6 ? 0xdd : 0x00;
	memcpy(frame + 14, ip, len);
	return rig_frame(r, side, frame, 14 + len);
}

void
rig_turn(struct rig *r)
{
	turn(r, NULL, 0);
	fp_box_poll(r->box);
}

void
rig_clear(struct rig *r)
{
	r->n_out = 0;
}

void
rig_poll(struct rig *r)
{
	for (int i = 0; i < 200; i++)
		fp_box_poll(r->box);
}

void
rig_pass_sec(struct rig *r, unsigned sec)
{
	/* a round of expiry takes `interval` seconds of the box clock: walk there in steps */
	for (unsigned i = 0; i < sec * 10 + 120; i++) {
		rig_skip_us(r, i < sec * 10 ? 100000 : 0);
		turn(r, NULL, 0);
	}
}

/* ---- packets */
static uint16_t
sum16(const uint8_t *p, unsigned n, uint32_t s)
{
	for (unsigned i = 0; i + 1 < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	if (n & 1)
		s += (uint32_t)p[n - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static void
ip4(uint8_t *b, const char *src, const char *dst, uint8_t proto, unsigned len)
{
	static uint16_t id;

	memset(b, 0, 20);
	b[0] = 0x45;
	put16(b + 2, 20 + len);
	put16(b + 4, ++id);
	b[8] = 64;
	b[9] = proto;
	if (inet_pton(AF_INET, src, b + 12) != 1 || inet_pton(AF_INET, dst, b + 16) != 1)
		abort();
	put16(b + 10, sum16(b, 20, 0));
}

static uint32_t
pseudo(const uint8_t *b, unsigned len)
{
	uint32_t s = b[9] + len;

	for (int i = 12; i < 20; i += 2)
		s += (uint32_t)b[i] << 8 | b[i + 1];
	return s;
}

unsigned
rig_tcp4(uint8_t *b, const char *src, const char *dst, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq,
	uint32_t ack, unsigned payload)
{
	uint8_t *t = b + 20;

	ip4(b, src, dst, IPPROTO_TCP, 20 + payload);
	memset(t, 0, 20);
	put16(t, sport);
	put16(t + 2, dport);
	put32(t + 4, seq);
	put32(t + 8, ack);
	t[12] = 0x50;
	t[13] = flags;
	put16(t + 14, 8000);
	memset(t + 20, 'x', payload);
	put16(t + 16, sum16(t, 20 + payload, pseudo(b, 20 + payload)));
	return 40 + payload;
}

unsigned
rig_udp4(uint8_t *b, const char *src, const char *dst, uint16_t sport, uint16_t dport, unsigned payload)
{
	uint8_t *u = b + 20;

	ip4(b, src, dst, IPPROTO_UDP, 8 + payload);
	put16(u, sport);
	put16(u + 2, dport);
	put16(u + 4, 8 + payload);
	put16(u + 6, 0);
	memset(u + 8, 'u', payload);
	put16(u + 6, sum16(u, 8 + payload, pseudo(b, 8 + payload)));
	return 28 + payload;
}

unsigned
rig_icmp4(uint8_t *b, const char *src, const char *dst, uint8_t type, uint8_t code, uint16_t id, const uint8_t *quote,
	unsigned quote_len)
{
	uint8_t *c = b + 20;

	ip4(b, src, dst, IPPROTO_ICMP, 8 + quote_len);
	memset(c, 0, 8);
	c[0] = type;
	c[1] = code;
	put16(c + 4, id);
	if (quote_len != 0)
		memcpy(c + 8, quote, quote_len);
	put16(c + 2, sum16(c, 8 + quote_len, 0));
	return 28 + quote_len;
}

/* ---- states */
struct look { unsigned dir; uint8_t proto; uint16_t port; struct fp_state_view *v; unsigned n; };

static int
one(void *arg, const struct fp_state_view *v)
{
	struct look *l = arg;

	if ((l->dir != 0 && v->direction != l->dir) || (l->proto != 0 && v->proto != l->proto) ||
	    (l->port != 0 && v->wire[0].port != l->port && v->wire[1].port != l->port))
		return 0;
	if (l->v != NULL)
		*l->v = *v;
	l->n++;
	return 0;
}

bool
rig_state(struct rig *r, unsigned dir, uint8_t proto, uint16_t port, struct fp_state_view *v)
{
	struct look l = { dir, proto, port, v, 0 };

	fp_states_foreach(r->box, NULL, one, &l);
	return l.n == 1;
}

unsigned
rig_states(struct rig *r)
{
	struct look l = { 0 };

	fp_states_foreach(r->box, NULL, one, &l);
	return l.n;
}
