/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that the test plays: frames of any dialect into the cable of a rig, and what the box answers. For tests of the
 * receiving half (sync_receive_test.c, sync_bulk_test.c).
 */
#ifndef SYNC_PEER_H
#define SYNC_PEER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "rig/rig.h"
#include "sync/bytes.h"
#include "sync/pair.h"

#define PEER_ID 0xfeed0001u

static struct rig *r;

/* ---- what the box said */
static struct {
	unsigned packets, n[SYNC_UNKNOWN + 1];
	struct sync_state st[SYNC_UNKNOWN + 1][16];
	struct sync_upd_c upd_c[16];
	struct sync_ident id[SYNC_UNKNOWN + 1][16];
	struct sync_bus bus[16];
	uint8_t version;
} said;

static inline void
listen_to_box(void)
{
	memset(&said, 0, sizeof(said));
	for (unsigned i = 0; i < r->n_cable; i++) {
		const uint8_t *ip = rte_pktmbuf_mtod_offset(r->cable[i], const uint8_t *, 14), *p = ip + 20;
		unsigned len = (ip[2] << 8 | ip[3]) - 20;
		struct sync_frame f;
		struct sync_msg m;

		if (ip[0] == 0x45 && ip[9] == SYNC_IPPROTO && sync_frame_open(&f, p, len, SYNC_ACCEPT_ALL) == SYNC_CNT_NONE) {
			said.version = f.version;
			said.packets++;
			while (sync_frame_next(&f, &m)) {
				unsigned k = said.n[m.kind]++ % 16;

				if (m.kind == SYNC_INS || m.kind == SYNC_UPD)
					sync_state_decode(&said.st[m.kind][k], m.body, m.dialect);
				else if (m.kind == SYNC_UPD_C)
					sync_upd_c_decode(&said.upd_c[k], m.body);
				else if (m.kind == SYNC_BUS)
					sync_bus_decode(&said.bus[k], m.body);
				else if (m.kind != SYNC_EOF)
					sync_ident_decode(&said.id[m.kind][k], m.body);
			}
		}
		rte_pktmbuf_free(r->cable[i]);
	}
	r->n_cable = 0;
}

static inline void
turns(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rig_skip_us(r, 1000);
		rig_turn(r);
	}
}

/* ---- what the peer says */
static uint8_t frame[9000], *const ip_hdr = frame + 14, *const payload = frame + 34;
static struct sync_out out;
static const uint8_t *out_cksum;

static inline void
begin(enum sync_dialect d, const uint8_t *cksum)
{
	memset(frame, 0, sizeof(frame));
	out_cksum = cksum;
	sync_out_init(&out, payload, 1480, d, cksum);
}

static inline void
send_raw(unsigned len, uint8_t ttl)
{
	uint32_t sum = 0;

	memcpy(frame, "\x01\x00\x5e\x00\x00\xf0\x02\0\0\0\0\x09\x08\0", 14);
	memset(ip_hdr, 0, 20);
	ip_hdr[0] = 0x45;
	sync_put16(ip_hdr + 2, (uint16_t)(20 + len));
	ip_hdr[6] = 0x40;
	ip_hdr[8] = ttl;
	ip_hdr[9] = SYNC_IPPROTO;
	memcpy(ip_hdr + 12, "\xa9\xfe\xf0\x09\xe0\x00\x00\xf0", 8);
	for (int i = 0; i < 20; i += 2)
		sum += sync_get16(ip_hdr + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sync_put16(ip_hdr + 10, (uint16_t)~sum);
	rig_cable_put(r, frame, 34 + len);
}

/* It is full: on its way, in the same burst as the next. */
static inline void
next_packet(void)
{
	send_raw((unsigned)sync_out_close(&out), 255);
	begin(out.dialect, out_cksum);
}

static inline void
send_it(void)
{
	send_raw((unsigned)sync_out_close(&out), 255);
	turns(3);
	listen_to_box();
}

/* A state of the peer, client in int, server in ext: `dir` half. */
static inline struct sync_state
state4(uint64_t id, uint8_t dir, uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct sync_state s;
	unsigned src = dir == SYNC_DIR_OUT;

	memset(&s, 0, sizeof(s));
	s.id = id;
	s.creatorid = PEER_ID;
	strcpy(s.ifname, "all");
	inet_pton(AF_INET, "10.0.2.100", s.key[0].addr[src]);
	inet_pton(AF_INET, "10.0.1.100", s.key[0].addr[!src]);
	s.key[0].port[src] = sport;
	s.key[0].port[!src] = dport;
	s.key[0].af = s.af = SYNC_AF_INET;
	s.key[1] = s.key[0];
	s.rule = s.anchor = s.nat_rule = SYNC_NO_RULE;
	s.creation_sec = 5;
	s.expire_sec = 30;
	s.rtableid[0] = s.rtableid[1] = -1;
	s.proto = s.stack_proto = proto;
	s.direction = dir;
	if (proto == 6) {
		s.timeout = POL_TM_TCP_ESTABLISHED;
		s.expire_sec = 80000;
		for (int i = 0; i < 2; i++) {
			s.peer[i].state = FP_TCPS_ESTABLISHED;
			s.peer[i].seqlo = 1000 + 4000 * (unsigned)i;
			s.peer[i].seqhi = s.peer[i].seqlo + 8000;
			s.peer[i].max_win = 8000;
		}
	} else if (proto == 17) {
		s.timeout = POL_TM_UDP_MULTIPLE;
		s.peer[0].state = s.peer[1].state = FP_OTHERS_MULTIPLE;
	} else if (proto == 1 || proto == 58) {
		s.timeout = POL_TM_ICMP_FIRST;
		s.expire_sec = 10;
	} else {
		s.timeout = POL_TM_OTHER_MULTIPLE;
		s.peer[0].state = s.peer[1].state = FP_OTHERS_MULTIPLE;
	}
	return s;
}

static inline void
say_state(enum sync_kind k, const struct sync_state *s, enum sync_dialect d)
{
	struct sync_state c = *s;

	/* FreeBSD: identifier in both slots, one address family a record */
	if (d != SYNC_6 && (s->proto == 1 || s->proto == 58)) {
		unsigned src = s->direction == SYNC_DIR_OUT;

		for (int i = 0; i < 2; i++)
			c.key[i].port[!src] = c.key[i].port[src];
	}
	if (!sync_out_state(&out, k, &c)) {
		next_packet();
		assert_true(sync_out_state(&out, k, &c));
	}
}

/* One message in a packet of its own. */
static inline void
say_one(enum sync_kind k, const struct sync_state *s)
{
	begin(SYNC_6, NULL);
	say_state(k, s, SYNC_6);
	send_it();
}

static inline void
say_ident(enum sync_kind k, uint64_t id, uint32_t creatorid)
{
	begin(SYNC_6, NULL);
	assert_true(sync_out_ident(&out, k, &(struct sync_ident){ id, creatorid }));
	send_it();
}

static inline void
say_upd_c(const struct sync_upd_c *u)
{
	if (!sync_out_upd_c(&out, u)) {
		next_packet();
		assert_true(sync_out_upd_c(&out, u));
	}
}

static inline struct sync_upd_c
upd_c_of(const struct sync_state *s)
{
	struct sync_upd_c u;

	memset(&u, 0, sizeof(u));
	u.id = s->id;
	u.creatorid = s->creatorid;
	memcpy(u.peer, s->peer, sizeof(u.peer));
	u.timeout = s->timeout;
	return u;
}

static inline struct sync_info
info(void)
{
	struct sync_info i;

	sync_info_get(sync_of(r->box), &i);
	return i;
}

static inline uint64_t
counter(enum sync_counter c)
{
	return info().counters[c];
}

static inline unsigned
records(void)
{
	struct fp_table_info ti;

	fp_table_info(r->w->table, &ti);
	return ti.records;
}

static inline void
forget_all(void)
{
	fp_states_flush(r->box, NULL);
	turns(20);
	listen_to_box();
	assert_int_equal(rig_states(r), 0);
	sync_clear(sync_of(r->box));
}

#endif
