/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer: everything that a box on the cable may say, at the wrong moment more often than not, about its own states and
 * about those that the box told it of. It answers what it hears as pf does, and sometimes as nobody does.
 */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "fastpath/l2.h"
#include "fastpath/tcp_track.h"
#include "policy/rule.h"
#include "sync/bytes.h"
#include "sync_stress.h"

#define NAMES 1024u		/* of the box's states, the last ones heard */
#define PAYLOAD 1400u
#define QUEUE_HIGH 64u		/* packets that wait for the sync thread: then the peer does */
#define SLICES 3u

struct peer {
	struct stress *st;
	uint64_t rng;
	struct sync_ident name[NAMES];
	unsigned n_names;
	struct sync_ident ack[64];
	unsigned n_ack;
	bool bulk;			/* the box asked for everything */
	uint32_t seq[SLICES];		/* as a twin numbers its packets */
	uint32_t progress;		/* of all windows: they move on */
};

static uint32_t
rnd(struct peer *p, uint32_t n)
{
	return s_rnd(&p->rng, n);
}

/* ---- listening */
uint16_t
stress_hear(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t n, void *arg)
{
	struct stress *st = arg;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t len = rte_pktmbuf_pkt_len(m[i]);
		struct rte_mbuf *c = rte_pktmbuf_alloc(st->peer_pool);
		void *to = c != NULL ? rte_pktmbuf_append(c, len) : NULL;

		if (to != NULL && m[i]->nb_segs == 1) {
			memcpy(to, rte_pktmbuf_mtod(m[i], void *), len);
			if (rte_ring_mp_enqueue(st->heard, c) == 0)
				continue;
		}
		rte_pktmbuf_free(c);
	}
	return n;
}

static void
learn(struct peer *p, uint64_t id, uint32_t creatorid, bool wants_ack)
{
	p->name[p->n_names++ % NAMES] = (struct sync_ident){ .id = id, .creatorid = creatorid };
	if (wants_ack && p->n_ack < RTE_DIM(p->ack))
		p->ack[p->n_ack++] = (struct sync_ident){ .id = id, .creatorid = creatorid };
}

static void
listen_to(struct peer *p, const uint8_t *f, unsigned len)
{
	unsigned hlen = 14 + 20;
	struct sync_frame fr;
	struct sync_msg m;

	if (len < hlen + SYNC_HDR_SIZE || f[12] != 8 || f[13] != 0 || f[23] != SYNC_IPPROTO)
		return;
	if (sync_frame_open(&fr, f + hlen, (size_t)(sync_get16(f + 16) - 20), SYNC_ACCEPT_ALL) != SYNC_CNT_NONE)
		return;
	while (sync_frame_next(&fr, &m)) {
		struct sync_state s;
		struct sync_ident id;

		p->st->heard_msgs[m.kind]++;
		if (m.kind == SYNC_INS || m.kind == SYNC_UPD) {
			sync_state_decode(&s, m.body, m.dialect);
			learn(p, s.id, s.creatorid, s.state_flags & SYNC_F_ACK);
		} else if (m.kind == SYNC_UPD_REQ) {
			sync_ident_decode(&id, m.body);
			p->bulk |= id.id == 0 && id.creatorid == 0;
		}
	}
}

/* ---- speaking */
/* State nr of ours. In pairs: 2n arrives at us, 2n + 1 is the same connection leaving. */
static void
state(struct peer *p, uint32_t nr, struct sync_state *s)
{
	uint32_t conn = nr / 2;
	bool v6 = conn % 5 == 0, tcp = conn % 3 != 0, out = nr & 1;
	struct sync_key *k = &s->key[SYNC_WIRE];

	memset(s, 0, sizeof(*s));
	s->id = (uint64_t)nr + 1;
	s->creatorid = S_PEER_ID;
	strcpy(s->ifname, conn % 29 == 0 ? "peer3" : conn % 31 == 0 ? "elsewhere" : conn % 7 == 0 ? (out ? "ext0" : "int0") : "all");
	s->af = k->af = v6 ? SYNC_AF_INET6 : SYNC_AF_INET;
	if (v6) {
		memcpy(k->addr[out], (uint8_t[16]){ 0xfd, [3] = 2, [14] = 1 }, 16);
		memcpy(k->addr[!out], (uint8_t[16]){ 0xfd, [3] = 1, [14] = 1 }, 16);
	} else {
		memcpy(k->addr[out], (uint8_t[]){ 10, 0, 2, 100 }, 4);
		memcpy(k->addr[!out], (uint8_t[]){ 10, 0, 1, 100 }, 4);
	}
	k->port[out] = S_FIRST_PORT + conn % S_CLIENT_PORTS;
	k->port[!out] = tcp ? 80 : 53;
	s->key[SYNC_STACK] = *k;
	s->proto = s->stack_proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	s->direction = out ? SYNC_DIR_OUT : SYNC_DIR_IN;
	for (int i = 0; i < 2; i++) {
		struct sync_peer *q = &s->peer[i];

		q->state = tcp ? FP_TCPS_ESTABLISHED : 2;
		if (tcp) {
			q->seqlo = 1000 * conn + p->progress;
			q->seqhi = q->seqlo + 65535;
			q->max_win = 8000;
		}
		if (tcp && conn % 11 == 0) {
			q->scrub_valid = 1;
			q->scrub_ttl = 64;
			q->mss = 1460;
		}
	}
	s->state_flags = conn % 13 == 0 ? SYNC_F_SLOPPY : 0;
	if (rnd(p, 8) == 0)
		s->state_flags |= SYNC_F_ACK;
	s->timeout = tcp ? POL_TM_TCP_ESTABLISHED : POL_TM_UDP_MULTIPLE;
	s->rule = rnd(p, 3) == 0 ? rnd(p, 4) : SYNC_NO_RULE;
	s->anchor = s->nat_rule = SYNC_NO_RULE;
	s->creation_sec = 3;
	s->expire_sec = 20;
	s->rtableid[!out] = -1;
}

static struct sync_ident
somebody(struct peer *p)
{
	if (rnd(p, 2) == 0 && p->n_names != 0)
		return p->name[rnd(p, RTE_MIN(p->n_names, NAMES))];
	return (struct sync_ident){ .id = 1 + rnd(p, 4 * S_CLIENT_PORTS), .creatorid = S_PEER_ID };
}

static void
upd_c(struct peer *p, struct sync_upd_c *u)
{
	struct sync_ident id = somebody(p);
	struct sync_state s;

	memset(u, 0, sizeof(*u));
	state(p, id.creatorid == S_PEER_ID ? (uint32_t)id.id - 1 : 2 * rnd(p, S_CLIENT_PORTS), &s);
	u->id = id.id;
	u->creatorid = id.creatorid;
	memcpy(u->peer, s.peer, sizeof(u->peer));
	if (rnd(p, 4) == 0)	/* an end of it, or nonsense */
		u->peer[rnd(p, 2)].state = rnd(p, SYNC_PEER_STATE_MAX + 1);
	u->timeout = s.timeout;
}

/* One message of some kind into the frame. */
static void
message(struct peer *p, struct sync_out *o)
{
	unsigned what = rnd(p, 100);
	struct sync_ident id = somebody(p);
	struct sync_upd_c u;
	struct sync_state s;

	state(p, rnd(p, 4 * S_CLIENT_PORTS), &s);
	if (what < 40) {
		/* both halves of a connection mostly, so that they become one record */
		if (rnd(p, 4) != 0) {
			struct sync_state in;

			state(p, ((uint32_t)s.id - 1) & ~1u, &in);
			state(p, ((uint32_t)s.id - 1) | 1, &s);
			in.state_flags = s.state_flags;
			sync_out_state(o, SYNC_INS, &in);
		}
		sync_out_state(o, SYNC_INS, &s);
	} else if (what < 50) {
		sync_out_state(o, SYNC_UPD, &s);
	} else if (what < 75) {
		upd_c(p, &u);
		sync_out_upd_c(o, &u);
	} else if (what < 84) {
		sync_out_ident(o, SYNC_DEL_C, &id);
	} else if (what < 90) {
		sync_out_ident(o, SYNC_UPD_REQ, &id);
	} else if (what < 97) {
		sync_out_ident(o, SYNC_INS_ACK, &id);
	} else if (what < 98 && rnd(p, 4) == 0) {
		sync_out_clr(o, &(struct sync_clr){ .creatorid = rnd(p, 3) == 0 ? id.creatorid : S_PEER_ID });
	} else if (what < 99) {
		sync_out_ident(o, SYNC_UPD_REQ, &(struct sync_ident){ 0 });	/* everything, please */
	} else {
		sync_out_bus(o, &(struct sync_bus){ .creatorid = S_PEER_ID, .status = SYNC_BUS_START + rnd(p, 2) });
	}
}

/* The sync thread takes it from the ring in which workers hand on what came in on a shared port. */
static void
deliver(struct peer *p, const uint8_t *payload, unsigned len, unsigned ttl)
{
	struct stress *st = p->st;
	struct rte_mbuf *m = rte_pktmbuf_alloc(st->peer_pool);
	uint8_t *f = m != NULL ? (uint8_t *)rte_pktmbuf_append(m, 14 + 20 + len) : NULL;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f + 14);

	if (f == NULL) {
		rte_pktmbuf_free(m);
		return;
	}
	memset(f, 0, 14 + 20);
	memcpy(f + 34, payload, len);
	f[14] = 0x45;
	sync_put16(f + 16, 20 + len);
	if (payload[0] == 6 && payload[1] != 0)
		sync_put16(f + 18, sync_twin_ident(payload, len));
	f[22] = ttl;
	f[23] = SYNC_IPPROTO;
	memcpy(f + 26, (uint8_t[]){ 169, 254, 240, 2, 224, 0, 0, 240 }, 8);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	memset(fp_priv(m), 0, sizeof(struct fp_mbuf_priv));
	fp_priv(m)->ifid = st->ifid[S_CABLE];
	fp_priv(m)->l2_len = 14;
	if (rte_ring_mp_enqueue(st->s->rx, m) != 0)
		rte_pktmbuf_free(m);
	else
		st->said++;
}

/* As twins do: numbers, with gaps. */
static void
mark(struct peer *p, uint8_t *h)
{
	unsigned sl = rnd(p, SLICES);

	if (rnd(p, 20) == 0)
		p->seq[sl] += rnd(p, 5);
	sync_mark_write(h, &(struct sync_mark){ .slice = sl, .seq = p->seq[sl]++, .time_us = sync_tsc_us(p->st->box) });
}

static void
bare(struct peer *p)
{
	uint8_t h[SYNC_HDR_SIZE] = { 6 };
	uint32_t a = rnd(p, 1000);

	sync_mark_write(h, &(struct sync_mark){ .slice = rnd(p, SLICES), .seq = a, .rules = a + rnd(p, 3),
		.time_us = sync_tsc_us(p->st->box) });
	h[1] = SYNC_MARK_TAIL + rnd(p, 3);
	sync_put16(h + 2, SYNC_HDR_SIZE);
	deliver(p, h, SYNC_HDR_SIZE, 255);
}

static void
packet(struct peer *p)
{
	enum sync_dialect d = rnd(p, 20) == 0 ? SYNC_1301 + rnd(p, 3) : SYNC_6;
	uint8_t b[PAYLOAD];
	struct sync_out o;
	unsigned len;

	sync_out_init(&o, b, sizeof(b), d, NULL);
	for (unsigned i = rnd(p, 12); i != UINT32_MAX; i--)
		message(p, &o);
	len = sync_out_close(&o);
	if (len == 0)
		return;
	if (d == SYNC_6 && rnd(p, 2) == 0)
		mark(p, b);
	if (rnd(p, 50) == 0)	/* a bad cable */
		b[rnd(p, len)] ^= 1u << rnd(p, 8);
	deliver(p, b, len, rnd(p, 200) == 0 ? 254 : 255);
	p->progress += 10;
}

/* Everything that it has, as it was asked to. */
static void
bulk(struct peer *p)
{
	struct sync_bus bus = { .creatorid = S_PEER_ID, .status = SYNC_BUS_START };
	uint8_t b[PAYLOAD];
	struct sync_out o;

	p->bulk = false;
	p->st->answers++;
	sync_out_init(&o, b, sizeof(b), SYNC_6, NULL);
	sync_out_bus(&o, &bus);
	for (uint32_t nr = 0; nr < S_CLIENT_PORTS; nr++) {
		struct sync_state s;

		state(p, nr, &s);
		if (sync_out_state(&o, SYNC_UPD, &s))
			continue;
		deliver(p, b, sync_out_close(&o), 255);
		sync_out_init(&o, b, sizeof(b), SYNC_6, NULL);
		nr--;
	}
	bus.status = SYNC_BUS_END;
	if (!sync_out_bus(&o, &bus)) {
		deliver(p, b, sync_out_close(&o), 255);
		sync_out_init(&o, b, sizeof(b), SYNC_6, NULL);
		sync_out_bus(&o, &bus);
	}
	deliver(p, b, sync_out_close(&o), 255);
}

void *
stress_peer(void *arg)
{
	struct stress *st = arg;
	struct peer p = { .st = st, .rng = s_seed(st->seed, 2) };
	struct timespec pause = { .tv_nsec = 300000 };
	struct rte_mbuf *m[32];

	while (!__atomic_load_n(&st->stop, __ATOMIC_RELAXED)) {
		unsigned n = rte_ring_sc_dequeue_burst(st->heard, (void **)m, RTE_DIM(m), NULL);

		for (unsigned i = 0; i < n; i++) {
			listen_to(&p, rte_pktmbuf_mtod(m[i], const uint8_t *), rte_pktmbuf_data_len(m[i]));
			rte_pktmbuf_free(m[i]);
		}
		if (p.n_ack != 0) {
			uint8_t b[PAYLOAD];
			struct sync_out o;

			sync_out_init(&o, b, sizeof(b), SYNC_6, NULL);
			for (; p.n_ack != 0; p.n_ack--)
				sync_out_ident(&o, SYNC_INS_ACK, &p.ack[p.n_ack - 1]);
			deliver(&p, b, sync_out_close(&o), 255);
		}
		if (p.bulk)
			bulk(&p);
		for (unsigned i = 0; i < 4; i++)
			packet(&p);
		if (rnd(&p, 4) == 0)
			bare(&p);
		do
			nanosleep(&pause, NULL);
		while (rte_ring_count(st->s->rx) > QUEUE_HIGH && !__atomic_load_n(&st->stop, __ATOMIC_RELAXED));
	}
	return NULL;
}
