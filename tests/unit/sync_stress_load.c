/* SPDX-License-Identifier: BSD-2-Clause */
/* Traffic of hosts on both sides: connections that open, talk and close, over and over, and what else a network carries. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "fastpath/tcp_track.h"
#include "rig/rig.h"
#include "sync_stress.h"

#define FLOWS 64
#define QUEUE_HIGH 256u	/* in a worker's ring: then the traffic waits */

struct flow { uint16_t port; uint8_t stage; uint32_t cseq, sseq; };

struct load {
	struct stress *st;
	uint64_t rng;
	struct flow flow[FLOWS];
};

static uint32_t
rnd(struct load *l, uint32_t n)
{
	return s_rnd(&l->rng, n);
}

/* A frame arrives on a port: a worker gets it as the sync thread hands on what is not pfsync. */
static void
frame(struct load *l, unsigned side, const uint8_t dst[6], uint16_t type, const uint8_t *p, unsigned len)
{
	struct stress *st = l->st;
	struct fp_worker *w = st->box->workers[rnd(l, st->box->n_workers)];
	struct rte_mbuf *m = rte_pktmbuf_alloc(st->load_pool);
	uint8_t *f = m != NULL ? (uint8_t *)rte_pktmbuf_append(m, 14 + len) : NULL;

	if (f == NULL) {
		rte_pktmbuf_free(m);
		st->refused++;
		return;
	}
	memcpy(f, dst, 6);
	memcpy(f + 6, (uint8_t[]){ 2, 0, 0, 0, side == S_EXT ? 1 : side == S_INT ? 2 : 3, 0x64 }, 6);
	f[12] = type >> 8;
	f[13] = type & 255;
	memcpy(f + 14, p, len);
	memset(fp_priv(m), 0, sizeof(struct fp_mbuf_priv));
	fp_priv(m)->flags = FP_HANDED_RAW;
	m->port = st->port[side];
	if (rte_ring_mp_enqueue(w->handover, m) != 0) {
		rte_pktmbuf_free(m);
		st->refused++;
	} else {
		st->fed++;
	}
}

static void
ip(struct load *l, unsigned side, const uint8_t *p, unsigned len)
{
	frame(l, side, l->st->mac[side], p[0] >> 4 == 6 ? 0x86dd : 0x0800, p, len);
}

/* ---- TCP: to port 80, 81 (which rule sets treat otherwise) */
static void
segment(struct load *l, struct flow *f, bool client, uint8_t flags, unsigned len)
{
	uint16_t server = f->port % 8 == 0 ? 81 : 80;
	uint8_t b[2048];
	unsigned n = client ? rig_tcp4(b, "10.0.2.100", "10.0.1.100", f->port, server, flags, f->cseq, f->sseq, len) :
		rig_tcp4(b, "10.0.1.100", "10.0.2.100", server, f->port, flags, f->sseq, f->cseq, len);

	ip(l, client ? S_INT : S_EXT, b, n);
	*(client ? &f->cseq : &f->sseq) += len + ((flags & (FP_TH_SYN | FP_TH_FIN)) != 0);
}

static void
tcp(struct load *l)
{
	struct flow *f = &l->flow[rnd(l, FLOWS)];

	switch (f->stage++) {
	case 0:
		f->port = S_FIRST_PORT + rnd(l, S_CLIENT_PORTS);
		f->cseq = rnd(l, UINT32_MAX);
		f->sseq = 0;
		segment(l, f, true, FP_TH_SYN, 0);
		f->sseq = rnd(l, UINT32_MAX);
		break;
	case 1:
		segment(l, f, false, FP_TH_SYN | FP_TH_ACK, 0);
		break;
	case 2:
		segment(l, f, true, FP_TH_ACK, 0);
		break;
	case 12:
		segment(l, f, true, FP_TH_FIN | FP_TH_ACK, 0);
		break;
	case 13:
		segment(l, f, false, FP_TH_FIN | FP_TH_ACK, 0);
		break;
	case 14:
		segment(l, f, true, FP_TH_ACK, 0);
		f->stage = 0;
		break;
	default:
		if (rnd(l, 40) == 0) {
			segment(l, f, rnd(l, 2), FP_TH_RST | FP_TH_ACK, 0);
			f->stage = 0;
		} else {
			segment(l, f, rnd(l, 2), FP_TH_ACK, rnd(l, 1000));
		}
		break;
	}
}

/* ---- the rest */
static void
udp4(struct load *l)
{
	uint16_t port = S_FIRST_PORT + rnd(l, S_CLIENT_PORTS), server = rnd(l, 10) == 0 ? 99 : rnd(l, 10) == 0 ? 77 : 53;
	uint8_t b[256];
	bool back = rnd(l, 3) == 0;

	ip(l, back ? S_EXT : S_INT, b, back ? rig_udp4(b, "10.0.1.100", "10.0.2.100", server, port, 40) :
		rig_udp4(b, "10.0.2.100", "10.0.1.100", port, server, 40));
}

static void
udp6(struct load *l)
{
	uint16_t port = htons(S_FIRST_PORT + rnd(l, S_CLIENT_PORTS)), dns = htons(53);
	bool back = rnd(l, 3) == 0;
	uint8_t b[40 + 8 + 32] = { 0x60, [5] = 40, [6] = IPPROTO_UDP, [7] = 64 };
	uint32_t sum = 0;

	inet_pton(AF_INET6, "fd00:2::100", b + (back ? 24 : 8));
	inet_pton(AF_INET6, "fd00:1::100", b + (back ? 8 : 24));
	memcpy(b + 40, back ? &dns : &port, 2);
	memcpy(b + 42, back ? &port : &dns, 2);
	b[45] = 40;
	/* pseudo header: addresses, length, protocol */
	for (unsigned i = 8; i < sizeof(b); i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	sum += 40 + IPPROTO_UDP;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	b[46] = sum >> 8;
	b[47] = sum & 255;
	ip(l, back ? S_EXT : S_INT, b, sizeof(b));
}

static void
ping(struct load *l)
{
	uint8_t b[128];

	/* through the box, or to it */
	ip(l, S_INT, b, rig_icmp4(b, "10.0.2.100", rnd(l, 4) == 0 ? "10.0.2.1" : "10.0.1.100", 8, 0, rnd(l, 200), NULL, 0));
}

static void
sum_again(uint8_t *b)
{
	b[10] = b[11] = 0;
	memcpy(b + 10, (uint16_t[]){ rte_ipv4_cksum((const struct rte_ipv4_hdr *)b) }, 2);
}

/* Two fragments, which may go to different workers; sometimes one of them is lost. */
static void
fragments(struct load *l)
{
	uint8_t b[512], second[512];
	unsigned n = rig_udp4(b, "10.0.2.100", "10.0.1.100", S_FIRST_PORT + rnd(l, S_CLIENT_PORTS), 53, 300);
	const unsigned first = 160; /* of the payload of IP, a multiple of 8 */

	memcpy(second, b, 20);
	memcpy(second + 20, b + 20 + first, n - 20 - first);
	b[3] = 20 + first;
	b[2] = 0;
	b[6] = 0x20;
	sum_again(b);
	second[2] = (n - first) >> 8;
	second[3] = (n - first) & 255;
	second[7] = first / 8;
	sum_again(second);
	ip(l, S_INT, b, 20 + first);
	if (rnd(l, 4) != 0)
		ip(l, S_INT, second, n - first);
}

static void
neighbours(struct load *l)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t arp[28] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 2, 0x65, 10, 0, 2, 101, 0, 0, 0, 0, 0, 0, 10, 0, 2, 1 }, b[128];

	if (rnd(l, 2) == 0)
		frame(l, S_INT, all, 0x0806, arp, sizeof(arp));
	else /* nobody has that address */
		ip(l, S_INT, b, rig_udp4(b, "10.0.2.100", rnd(l, 2) == 0 ? "10.0.1.7" : "10.0.1.8", 5000, 53, 10));
}

/* pfsync where it does not belong, and by the workers' way to the sync thread. */
static void
astray(struct load *l)
{
	uint8_t b[64] = { 0 };
	unsigned side = rnd(l, S_PORTS);

	b[0] = 0x45;
	b[3] = 20 + 40;
	b[8] = 255;
	b[9] = SYNC_IPPROTO;
	memcpy(b + 12, (uint8_t[]){ 169, 254, 240, 7, 224, 0, 0, 240 }, 8);
	sum_again(b);
	for (unsigned i = 20; i < 60; i++)
		b[i] = rnd(l, 256);
	b[20] = 6;
	b[22] = 0;
	b[23] = 40;
	frame(l, side, (const uint8_t[]){ 1, 0, 0x5e, 0, 0, 0xf0 }, 0x0800, b, 60);
}

void *
stress_load(void *arg)
{
	struct stress *st = arg;
	struct load l = { .st = st, .rng = s_seed(st->seed, 1) };
	struct timespec pause = { .tv_nsec = 200000 };

	while (!__atomic_load_n(&st->stop, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 32; i++) {
			unsigned what = rnd(&l, 100);

			if (what < 60)
				tcp(&l);
			else if (what < 75)
				udp4(&l);
			else if (what < 85)
				udp6(&l);
			else if (what < 92)
				ping(&l);
			else if (what < 95)
				fragments(&l);
			else if (what < 98)
				neighbours(&l);
			else
				astray(&l);
		}
		do
			nanosleep(&pause, NULL);
		while (!__atomic_load_n(&st->stop, __ATOMIC_RELAXED) &&
		    (rte_ring_count(st->box->workers[0]->handover) > QUEUE_HIGH ||
		    rte_ring_count(st->box->workers[1]->handover) > QUEUE_HIGH));
	}
	return NULL;
}
