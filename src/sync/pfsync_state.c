/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state record in its dialects. Each layout is one list of (type, offset, field); encoder and decoder are both made
 * from it, so they cannot disagree, and a byte that is not in the list would not survive the round trip that the tests
 * make with random records.
 *
 * Source: OpenBSD pfvar.h 1.542 struct pfsync_state; FreeBSD 15 pfvar.h struct pfsync_state_1301, _1400, _1500.
 */
#include <errno.h>

#include "sync/bytes.h"
#include "sync/pfsync_codec.h"

#define BSD_AF_INET 2
#define OPENBSD_AF_INET6 24
#define FREEBSD_AF_INET6 28

#define PROTO_ICMP 1
#define PROTO_ICMP6 58
#define ICMP_ECHO 8
#define ICMP6_ECHO 128

#define TIMEOUT_MAX 20 /* OpenBSD, FreeBSD up to 13 */
#define TIMEOUT_MAX_14 25

#define V6_KEY(F, o, k) \
	F(mem, o, k.addr) F(u16, o + 32, k.port[0]) F(u16, o + 34, k.port[1]) F(u16, o + 36, k.rdomain) \
	F(af, o + 38, k.af) F(u8, o + 39, k.pad)

#define V6_LAYOUT(F) \
	F(u64, 0, id) F(mem, 8, ifname) V6_KEY(F, 24, key[0]) V6_KEY(F, 64, key[1]) \
	F(peer, 104, peer[0]) F(peer, 136, peer[1]) F(mem, 168, rt_addr) F(u32, 184, rule) F(u32, 188, anchor) \
	F(u32, 192, nat_rule) F(u32, 196, creation_sec) F(u32, 200, expire_sec) F(u64, 204, packets[0]) \
	F(u64, 212, packets[1]) F(u64, 220, bytes[0]) F(u64, 228, bytes[1]) F(u32, 236, creatorid) \
	F(i32, 240, rtableid[0]) F(i32, 244, rtableid[1]) F(u16, 248, max_mss) F(af, 250, af) F(u8, 251, proto) \
	F(u8, 252, direction) F(u8, 253, log) F(rt, 254, rt) F(u8, 255, timeout) F(u8, 256, sync_flags) \
	F(u8, 257, updates) F(u8, 258, min_ttl) F(u8, 259, set_tos) F(u16, 260, state_flags) F(mem, 262, set_prio)

/* 0..231 of all FreeBSD records. */
#define V5_KEY(F, o, k) F(mem, o, k.addr) F(u16, o + 32, k.port[0]) F(u16, o + 34, k.port[1])
#define V5_HEAD(F) \
	F(u64, 0, id) F(mem, 8, ifname) V5_KEY(F, 24, key[0]) V5_KEY(F, 60, key[1]) \
	F(peer, 96, peer[0]) F(peer, 128, peer[1]) F(mem, 160, rt_addr) F(u32, 176, rule) F(u32, 180, anchor) \
	F(u32, 184, nat_rule) F(u32, 188, creation_sec) F(u32, 192, expire_sec) F(u64, 196, packets[0]) \
	F(u64, 204, packets[1]) F(u64, 212, bytes[0]) F(u64, 220, bytes[1]) F(u32, 228, creatorid)

#define V5_1301_LAYOUT(F) V5_HEAD(F) \
	F(af, 232, af) F(u8, 233, proto) F(u8, 234, direction) F(u8, 235, spare[0]) F(u8, 236, spare[1]) F(u8, 237, log) \
	F(u8, 238, state_flags) F(u8, 239, timeout) F(u8, 240, sync_flags) F(u8, 241, updates)

#define V5_1400_LAYOUT(F) V5_HEAD(F) \
	F(af, 232, af) F(u8, 233, proto) F(u8, 234, direction) F(u16, 235, state_flags) F(u8, 237, log) \
	F(u8, 238, spare[0]) F(u8, 239, timeout) F(u8, 240, sync_flags) F(u8, 241, updates) F(u16, 242, qid) \
	F(u16, 244, pqid) F(u16, 246, dnpipe) F(u16, 248, dnrpipe) F(i32, 250, rtableid[0]) F(u8, 254, min_ttl) \
	F(u8, 255, set_tos) F(u16, 256, max_mss) F(mem, 258, set_prio) F(rt, 260, rt) F(mem, 261, rt_ifname)

#define V5_1500_LAYOUT(F) V5_HEAD(F) \
	F(mem, 232, tagname) F(mem, 296, rt_ifname) F(mem, 312, orig_ifname) F(i32, 328, rtableid[0]) \
	F(u16, 332, state_flags) F(u16, 334, qid) F(u16, 336, pqid) F(u16, 338, dnpipe) F(u16, 340, dnrpipe) \
	F(u16, 342, max_mss) F(af, 344, af) F(af, 345, key[1].af) F(af, 346, rt_af) F(u8, 347, proto) \
	F(u8, 348, stack_proto) F(u8, 349, log) F(u8, 350, timeout) F(u8, 351, direction) F(rt, 352, rt) \
	F(u8, 353, min_ttl) F(u8, 354, set_tos) F(mem, 355, set_prio) F(mem, 357, spare)

#define OB5_LAYOUT(F) V5_HEAD(F) \
	F(af, 232, af) F(u8, 233, proto) F(u8, 234, direction) F(u8, 235, log) F(u8, 236, state_flags) \
	F(u8, 237, timeout) F(u8, 238, sync_flags) F(u8, 239, updates)

static uint16_t
af_in(uint8_t raw, enum sync_dialect d)
{
	if (raw == 0)
		return SYNC_AF_NONE;
	if (raw == BSD_AF_INET)
		return SYNC_AF_INET;
	if (raw == (d == SYNC_6 || d == SYNC_OB5 ? OPENBSD_AF_INET6 : FREEBSD_AF_INET6))
		return SYNC_AF_INET6;
	return SYNC_RAW | raw;
}

static uint8_t
af_out(uint16_t af, enum sync_dialect d)
{
	if (af == SYNC_AF_INET)
		return BSD_AF_INET;
	if (af == SYNC_AF_INET6)
		return d == SYNC_6 ? OPENBSD_AF_INET6 : FREEBSD_AF_INET6;
	return (uint8_t)af;
}

/* OpenBSD has no fastroute: its numbers are FreeBSD's less one. */
static uint16_t
rt_in(uint8_t raw, enum sync_dialect d)
{
	if (d != SYNC_6)
		return raw <= SYNC_RT_REPLY_TO ? raw : SYNC_RAW | raw;
	if (raw == 0)
		return SYNC_RT_NONE;
	return raw < SYNC_RT_REPLY_TO ? (uint16_t)(raw + 1) : (uint16_t)(SYNC_RAW | raw);
}

static uint8_t
rt_out(uint16_t rt, enum sync_dialect d)
{
	if (d == SYNC_6 && rt >= SYNC_RT_ROUTE_TO && rt <= SYNC_RT_REPLY_TO)
		return (uint8_t)(rt - 1);
	return (uint8_t)rt;
}

void
sync_peer_decode(struct sync_peer *q, const uint8_t *p)
{
	q->scrub_flags = sync_get16(p);
	q->scrub_ttl = p[2];
	q->scrub_valid = p[3];
	q->ts_mod = sync_get32(p + 4);
	q->seqlo = sync_get32(p + 8);
	q->seqhi = sync_get32(p + 12);
	q->seqdiff = sync_get32(p + 16);
	q->max_win = sync_get16(p + 20);
	q->mss = sync_get16(p + 22);
	q->state = p[24];
	q->wscale = p[25];
	memcpy(q->pad, p + 26, sizeof(q->pad));
}

void
sync_peer_encode(const struct sync_peer *q, uint8_t *p)
{
	sync_put16(p, q->scrub_flags);
	p[2] = q->scrub_ttl;
	p[3] = q->scrub_valid;
	sync_put32(p + 4, q->ts_mod);
	sync_put32(p + 8, q->seqlo);
	sync_put32(p + 12, q->seqhi);
	sync_put32(p + 16, q->seqdiff);
	sync_put16(p + 20, q->max_win);
	sync_put16(p + 22, q->mss);
	p[24] = q->state;
	p[25] = q->wscale;
	memcpy(p + 26, q->pad, sizeof(q->pad));
}

#define DEC_u8(q, f) f = *(q)
#define DEC_u16(q, f) f = sync_get16(q)
#define DEC_u32(q, f) f = sync_get32(q)
#define DEC_i32(q, f) f = (int32_t)sync_get32(q)
#define DEC_u64(q, f) f = sync_get64(q)
#define DEC_mem(q, f) memcpy(&(f), q, sizeof(f))
#define DEC_peer(q, f) sync_peer_decode(&(f), q)
#define DEC_af(q, f) f = af_in(*(q), d)
#define DEC_rt(q, f) f = rt_in(*(q), d)
#define DEC(type, off, field) DEC_##type(p + (off), s->field);

#define ENC_u8(q, f) *(q) = (uint8_t)(f)
#define ENC_u16(q, f) sync_put16(q, f)
#define ENC_u32(q, f) sync_put32(q, f)
#define ENC_i32(q, f) sync_put32(q, (uint32_t)(f))
#define ENC_u64(q, f) sync_put64(q, f)
#define ENC_mem(q, f) memcpy(q, &(f), sizeof(f))
#define ENC_peer(q, f) sync_peer_encode(&(f), q)
#define ENC_af(q, f) *(q) = af_out(f, d)
#define ENC_rt(q, f) *(q) = rt_out(f, d)
#define ENC(type, off, field) ENC_##type(p + (off), s->field);

size_t
sync_state_size(enum sync_dialect d)
{
	switch (d) {
	case SYNC_6:
		return SYNC_STATE6_SIZE;
	case SYNC_1301:
		return SYNC_STATE1301_SIZE;
	case SYNC_1400:
		return SYNC_STATE1400_SIZE;
	case SYNC_1500:
		return SYNC_STATE1500_SIZE;
	case SYNC_OB5:
		return SYNC_LEGACY_STATE_SIZE;
	case SYNC_LEGACY:
		break;
	}
	return 0;
}

unsigned
sync_key_af(const struct sync_state *s, unsigned side)
{
	return s->key[side].af != SYNC_AF_NONE ? s->key[side].af : s->af;
}

/* NAT64: ICMP is the other ICMP on the other side. */
static uint8_t
stack_proto(const struct sync_state *s)
{
	if (sync_key_af(s, SYNC_WIRE) != sync_key_af(s, SYNC_STACK)) {
		if (s->proto == PROTO_ICMP)
			return PROTO_ICMP6;
		if (s->proto == PROTO_ICMP6)
			return PROTO_ICMP;
	}
	return s->proto;
}

void
sync_state_decode(struct sync_state *s, const uint8_t *p, enum sync_dialect d)
{
	memset(s, 0, sizeof(*s));
	s->rtableid[0] = s->rtableid[1] = -1;
	switch (d) {
	case SYNC_6:
		V6_LAYOUT(DEC)
		break;
	case SYNC_1301:
		V5_1301_LAYOUT(DEC)
		break;
	case SYNC_1400:
		V5_1400_LAYOUT(DEC)
		break;
	case SYNC_1500:
		V5_1500_LAYOUT(DEC)
		s->key[SYNC_WIRE].af = s->af;
		return;
	case SYNC_OB5:
		OB5_LAYOUT(DEC)
		break;
	case SYNC_LEGACY: /* sync_legacy_state_decode() */
		break;
	}
	s->stack_proto = stack_proto(s);
}

void
sync_state_encode(const struct sync_state *s, uint8_t *p, enum sync_dialect d)
{
	switch (d) {
	case SYNC_6:
		V6_LAYOUT(ENC)
		break;
	case SYNC_1301:
		V5_1301_LAYOUT(ENC)
		break;
	case SYNC_1400:
		V5_1400_LAYOUT(ENC)
		break;
	case SYNC_1500:
		V5_1500_LAYOUT(ENC)
		break;
	case SYNC_OB5:
	case SYNC_LEGACY:
		break;
	}
}

unsigned
sync_timeout_max(enum sync_dialect d)
{
	return d == SYNC_1400 || d == SYNC_1500 ? TIMEOUT_MAX_14 : TIMEOUT_MAX;
}

const char *
sync_timeout_name(unsigned index)
{
	static const char *const names[TIMEOUT_MAX_14] = {
		"tcp.first", "tcp.opening", "tcp.established", "tcp.closing", "tcp.finwait", "tcp.closed",
		"udp.first", "udp.single", "udp.multiple", "icmp.first", "icmp.error",
		"other.first", "other.single", "other.multiple", "frag", "interval", "adaptive.start", "adaptive.end",
		"src.track", "tcp.tsdiff", "sctp.first", "sctp.opening", "sctp.established", "sctp.closing", "sctp.closed",
	};

	return index < TIMEOUT_MAX_14 ? names[index] : NULL;
}

unsigned
sync_flags_known(enum sync_dialect d)
{
	const unsigned low = SYNC_F_ALLOWOPTS | SYNC_F_SLOPPY | SYNC_F_ACK | SYNC_F_NODF | SYNC_F_SETTOS | SYNC_F_RANDOMID;

	switch (d) {
	case SYNC_6:
		return low | SYNC_F_PFLOW | SYNC_F_SCRUB_TCP | SYNC_F_SETPRIO;
	case SYNC_1400:
	case SYNC_1500:
		return low | SYNC_F_SCRUB_TCP | SYNC_F_SETPRIO;
	default:
		return low;
	}
}

static bool
af_good(unsigned af)
{
	return af == SYNC_AF_INET || af == SYNC_AF_INET6;
}

enum sync_counter
sync_state_check(const struct sync_state *s, enum sync_kind k, enum sync_dialect d)
{
	if (k != SYNC_INS && k != SYNC_UPD)
		return SYNC_CNT_NONE;
	if (s->timeout >= sync_timeout_max(d) || s->peer[0].state > SYNC_PEER_STATE_MAX ||
		s->peer[1].state > SYNC_PEER_STATE_MAX)
		return SYNC_CNT_badval;
	if (k == SYNC_UPD)
		return s->creatorid == 0 ? SYNC_CNT_badstate : SYNC_CNT_NONE;
	if (s->direction > SYNC_DIR_OUT || !af_good(s->af))
		return SYNC_CNT_badval;
	if (d == SYNC_6 && !(s->key[0].af == SYNC_AF_NONE && s->key[1].af == SYNC_AF_NONE) &&
		!(af_good(s->key[0].af) && af_good(s->key[1].af)))
		return SYNC_CNT_badval;
	if (d == SYNC_1500 && !af_good(s->key[1].af))
		return SYNC_CNT_badval;
	if (s->creatorid == 0)
		return d == SYNC_6 ? SYNC_CNT_SILENT : SYNC_CNT_badact;
	if (d == SYNC_1500 && memchr(s->ifname, '\0', sizeof(s->ifname)) == NULL)
		return SYNC_CNT_badval;
	return SYNC_CNT_NONE;
}

enum sync_counter
sync_upd_c_check(const struct sync_upd_c *u, enum sync_dialect d)
{
	if (u->timeout >= sync_timeout_max(d) || u->peer[0].state > SYNC_PEER_STATE_MAX ||
		u->peer[1].state > SYNC_PEER_STATE_MAX)
		return SYNC_CNT_badval;
	return u->creatorid == 0 ? SYNC_CNT_badstate : SYNC_CNT_NONE;
}

/*
 * OpenBSD keeps an ICMP id in the slot of the source and the type of the query in that of the destination, FreeBSD the
 * id in both. The source of the first packet stands in slot 0 of an inbound state, 1 of an outbound one.
 */
static void
icmp_keys(struct sync_state *s, bool to_openbsd)
{
	const unsigned src = s->direction == SYNC_DIR_OUT;

	for (unsigned i = 0; i < 2; i++) {
		struct sync_key *k = &s->key[i];
		unsigned proto = i == SYNC_WIRE ? s->proto : s->stack_proto;

		if (proto == PROTO_ICMP)
			k->port[!src] = to_openbsd ? ICMP_ECHO : k->port[src];
		else if (proto == PROTO_ICMP6)
			k->port[!src] = to_openbsd ? ICMP6_ECHO : k->port[src];
	}
}

int
sync_state_convert(struct sync_state *s, enum sync_dialect from, enum sync_dialect to)
{
	unsigned wire = sync_key_af(s, SYNC_WIRE), stack = sync_key_af(s, SYNC_STACK);
	bool to_openbsd = to == SYNC_6;

	if (sync_state_size(to) == 0 || to == SYNC_OB5 || !af_good(wire) || !af_good(stack) || s->timeout >= sync_timeout_max(to))
		return -ENOTSUP;
	if (wire != stack && (to == SYNC_1301 || to == SYNC_1400))
		return -ENOTSUP;
	if (from == to)
		return 0;
	if (memchr(s->ifname, '\0', sizeof(s->ifname)) == NULL) /* FreeBSD 15 refuses it */
		return -ENOTSUP;
	s->stack_proto = from == SYNC_1500 ? s->stack_proto : stack_proto(s);
	if (to_openbsd != (from == SYNC_6 || from == SYNC_OB5))
		icmp_keys(s, to_openbsd);
	s->af = (uint16_t)wire;
	for (unsigned i = 0; i < 2; i++) {
		s->key[i].af = (uint16_t)(i == SYNC_WIRE ? wire : stack);
		s->key[i].rdomain = 0;
		s->key[i].pad = 0;
		memset(s->peer[i].pad, 0, sizeof(s->peer[i].pad));
	}
	s->rule = s->anchor = s->nat_rule = SYNC_NO_RULE;
	s->state_flags &= (uint16_t)sync_flags_known(to);
	s->qid = s->pqid = s->dnpipe = s->dnrpipe = 0;
	s->rtableid[0] = to_openbsd && s->direction == SYNC_DIR_OUT ? 0 : -1;
	s->rtableid[1] = to_openbsd && s->direction == SYNC_DIR_IN ? 0 : -1;
	/* Interfaces are named another way there: the receiver could not honour it, and FreeBSD would refuse the state. */
	s->rt = SYNC_RT_NONE;
	s->rt_af = SYNC_AF_NONE;
	memset(s->rt_addr, 0, sizeof(s->rt_addr));
	memset(s->rt_ifname, 0, sizeof(s->rt_ifname));
	memset(s->tagname, 0, sizeof(s->tagname));
	memset(s->spare, 0, sizeof(s->spare));
	if (s->orig_ifname[0] == '\0')
		memcpy(s->orig_ifname, s->ifname, sizeof(s->orig_ifname));
	s->updates = 0;
	return 0;
}
