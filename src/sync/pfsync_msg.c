/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small messages, and frames: reading one with the checks of the BSD receivers in their order, and writing one.
 *
 * Source: OpenBSD if_pfsync.c 1.330 pfsync_input(); FreeBSD 15 if_pfsync.c pfsync_input().
 */
#include "sync/bytes.h"
#include "sync/pfsync_codec.h"

const char *
sync_counter_name(enum sync_counter c)
{
	static const char *const names[SYNC_CNT_MAX] = {
		"none", "silent",
#define X(name) #name,
		SYNC_COUNTERS(X)
#undef X
	};

	return c < SYNC_CNT_MAX ? names[c] : "unknown";
}

const char *
sync_kind_name(enum sync_kind k)
{
	static const char *const names[] = { "clr", "ins", "ins_ack", "upd", "upd_c", "upd_req", "del", "del_c", "ins_f", "del_f",
		"bus", "tdb", "eof", "unknown" };

	return k <= SYNC_UNKNOWN ? names[k] : "unknown";
}

void
sync_clr_decode(struct sync_clr *m, const uint8_t *p)
{
	memcpy(m->ifname, p, sizeof(m->ifname));
	m->creatorid = sync_get32(p + 16);
}

void
sync_clr_encode(const struct sync_clr *m, uint8_t *p)
{
	memcpy(p, m->ifname, sizeof(m->ifname));
	sync_put32(p + 16, m->creatorid);
}

void
sync_ident_decode(struct sync_ident *m, const uint8_t *p)
{
	m->id = sync_get64(p);
	m->creatorid = sync_get32(p + 8);
}

void
sync_ident_encode(const struct sync_ident *m, uint8_t *p)
{
	sync_put64(p, m->id);
	sync_put32(p + 8, m->creatorid);
}

void
sync_upd_c_decode(struct sync_upd_c *m, const uint8_t *p)
{
	m->id = sync_get64(p);
	sync_peer_decode(&m->peer[0], p + 8);
	sync_peer_decode(&m->peer[1], p + 40);
	m->creatorid = sync_get32(p + 72);
	m->expire_sec = sync_get32(p + 76);
	m->timeout = p[80];
	m->state_flags = p[81];
	memcpy(m->pad, p + 82, sizeof(m->pad));
}

void
sync_upd_c_encode(const struct sync_upd_c *m, uint8_t *p)
{
	sync_put64(p, m->id);
	sync_peer_encode(&m->peer[0], p + 8);
	sync_peer_encode(&m->peer[1], p + 40);
	sync_put32(p + 72, m->creatorid);
	sync_put32(p + 76, m->expire_sec);
	p[80] = m->timeout;
	p[81] = m->state_flags;
	memcpy(p + 82, m->pad, sizeof(m->pad));
}

void
sync_bus_decode(struct sync_bus *m, const uint8_t *p)
{
	m->creatorid = sync_get32(p);
	m->endtime_sec = sync_get32(p + 4);
	m->status = p[8];
	memcpy(m->pad, p + 9, sizeof(m->pad));
}

void
sync_bus_encode(const struct sync_bus *m, uint8_t *p)
{
	sync_put32(p, m->creatorid);
	sync_put32(p + 4, m->endtime_sec);
	p[8] = m->status;
	memcpy(p + 9, m->pad, sizeof(m->pad));
}

void
sync_tdb_decode(struct sync_tdb *m, const uint8_t *p, enum sync_dialect d)
{
	m->spi = sync_get32(p);
	memcpy(m->dst, p + 4, sizeof(m->dst));
	if (d == SYNC_6)
		m->replay = sync_get64(p + 32);
	else
		m->replay = sync_get32(p + 32);
	p += d == SYNC_6 ? 40 : 36;
	m->bytes = sync_get64(p);
	m->proto = p[8];
	m->updates = p[9];
	m->rdomain = sync_get16(p + 10);
}

void
sync_tdb_encode(const struct sync_tdb *m, uint8_t *p, enum sync_dialect d)
{
	sync_put32(p, m->spi);
	memcpy(p + 4, m->dst, sizeof(m->dst));
	if (d == SYNC_6)
		sync_put64(p + 32, m->replay);
	else
		sync_put32(p + 32, (uint32_t)m->replay);
	p += d == SYNC_6 ? 40 : 36;
	sync_put64(p, m->bytes);
	p[8] = m->proto;
	p[9] = m->updates;
	sync_put16(p + 10, m->rdomain);
}

/* An action of version 5 or 6. */
struct action {
	enum sync_kind kind;
	enum sync_dialect dialect;
	uint16_t size; /* of one message; 0 when it has none */
	bool used; /* false: version 6 passes over it, version 5 refuses it */
};

static const struct action actions6[] = {
	[SYNC_ACT_CLR] = { SYNC_CLR, SYNC_6, SYNC_CLR_SIZE, true },
	[1] = { SYNC_INS, SYNC_6, 0, false },
	[SYNC_ACT_INS_ACK] = { SYNC_INS_ACK, SYNC_6, SYNC_IDENT_SIZE, true },
	[3] = { SYNC_UPD, SYNC_6, 0, false },
	[SYNC_ACT_UPD_C] = { SYNC_UPD_C, SYNC_6, SYNC_UPDC_SIZE, true },
	[SYNC_ACT_UPD_REQ] = { SYNC_UPD_REQ, SYNC_6, SYNC_IDENT_SIZE, true },
	[SYNC_ACT_DEL] = { SYNC_DEL, SYNC_6, SYNC_STATE6_SIZE, true },
	[SYNC_ACT_DEL_C] = { SYNC_DEL_C, SYNC_6, SYNC_IDENT_SIZE, true },
	[SYNC_ACT_INS_F] = { SYNC_INS_F, SYNC_6, 0, false },
	[SYNC_ACT_DEL_F] = { SYNC_DEL_F, SYNC_6, 0, false },
	[SYNC_ACT_BUS] = { SYNC_BUS, SYNC_6, SYNC_BUS_SIZE, true },
	[11] = { SYNC_TDB, SYNC_6, 0, false },
	[SYNC_ACT_EOF] = { SYNC_EOF, SYNC_6, 0, false },
	[SYNC_ACT6_INS] = { SYNC_INS, SYNC_6, SYNC_STATE6_SIZE, true },
	[SYNC_ACT6_UPD] = { SYNC_UPD, SYNC_6, SYNC_STATE6_SIZE, true },
	[SYNC_ACT6_TDB] = { SYNC_TDB, SYNC_6, SYNC_TDB6_SIZE, true },
};

static const struct action actions5[] = {
	[SYNC_ACT_CLR] = { SYNC_CLR, SYNC_1301, SYNC_CLR_SIZE, true },
	[SYNC_ACT5_INS_1301] = { SYNC_INS, SYNC_1301, SYNC_STATE1301_SIZE, true },
	[SYNC_ACT_INS_ACK] = { SYNC_INS_ACK, SYNC_1301, SYNC_IDENT_SIZE, true },
	[SYNC_ACT5_UPD_1301] = { SYNC_UPD, SYNC_1301, SYNC_STATE1301_SIZE, true },
	[SYNC_ACT_UPD_C] = { SYNC_UPD_C, SYNC_1301, SYNC_UPDC_SIZE, true },
	[SYNC_ACT_UPD_REQ] = { SYNC_UPD_REQ, SYNC_1301, SYNC_IDENT_SIZE, true },
	[SYNC_ACT_DEL] = { SYNC_DEL, SYNC_1301, SYNC_STATE1301_SIZE, true },
	[SYNC_ACT_DEL_C] = { SYNC_DEL_C, SYNC_1301, SYNC_IDENT_SIZE, true },
	[SYNC_ACT_INS_F] = { SYNC_INS_F, SYNC_1301, 0, false },
	[SYNC_ACT_DEL_F] = { SYNC_DEL_F, SYNC_1301, 0, false },
	[SYNC_ACT_BUS] = { SYNC_BUS, SYNC_1301, SYNC_BUS_SIZE, true },
	[SYNC_ACT5_TDB] = { SYNC_TDB, SYNC_1301, SYNC_TDB5_SIZE, true },
	[SYNC_ACT_EOF] = { SYNC_EOF, SYNC_1301, 0, true },
	[SYNC_ACT5_INS_1400] = { SYNC_INS, SYNC_1400, SYNC_STATE1400_SIZE, true },
	[SYNC_ACT5_UPD_1400] = { SYNC_UPD, SYNC_1400, SYNC_STATE1400_SIZE, true },
	[SYNC_ACT5_INS_1500] = { SYNC_INS, SYNC_1500, SYNC_STATE1500_SIZE, true },
	[SYNC_ACT5_UPD_1500] = { SYNC_UPD, SYNC_1500, SYNC_STATE1500_SIZE, true },
};

#define N_ACTIONS6 (sizeof(actions6) / sizeof(actions6[0]))
#define N_ACTIONS5 (sizeof(actions5) / sizeof(actions5[0]))

enum sync_counter
sync_carrier_check(bool on_syncdev, unsigned ttl)
{
	if (!on_syncdev)
		return SYNC_CNT_badif;
	return ttl != SYNC_TTL ? SYNC_CNT_badttl : SYNC_CNT_NONE;
}

/* Whether version 5 subheaders with full states of `size` bytes fit [p, end) exactly, the last of them EOF. */
static bool
v5_fits(const uint8_t *p, const uint8_t *end, size_t size)
{
	while ((size_t)(end - p) >= SYNC_SUB_SIZE) {
		uint8_t action = p[0];
		size_t left, need;

		if (action == SYNC_ACT_EOF)
			return end - p == SYNC_SUB_SIZE;
		if (action >= N_ACTIONS5 || !actions5[action].used)
			return false;
		need = actions5[action].size == SYNC_STATE1301_SIZE ? size : actions5[action].size;
		need *= sync_get16(p + 2);
		p += SYNC_SUB_SIZE;
		left = (size_t)(end - p);
		if (need > left)
			return false;
		p += need;
	}
	return p == end;
}

enum sync_counter
sync_frame_open(struct sync_frame *f, const void *payload, size_t len, unsigned accept)
{
	const uint8_t *p = payload;
	size_t frame_len;

	memset(f, 0, sizeof(*f));
	/* The short header of versions 1 and 2 is looked at only by those who print. */
	if (len < (accept & SYNC_ACCEPT_LEGACY ? SYNC_LEGACY_HDR_SIZE : SYNC_HDR_SIZE))
		return f->err = SYNC_CNT_hdrops;
	f->version = p[0];
	if (p[0] > 6 || !(accept & 1u << p[0]))
		return f->err = SYNC_CNT_badver;
	if (p[0] < 5)
		return f->err = sync_legacy_open(f, p, len);
	if (len < SYNC_HDR_SIZE)
		return f->err = SYNC_CNT_hdrops;
	frame_len = sync_get16(p + 2);
	/* The BSDs let a length below the header pass and find nothing in it. */
	if (len < frame_len || frame_len < SYNC_HDR_SIZE)
		return f->err = SYNC_CNT_badlen;
	f->cksum = p + 4;
	f->p = p + SYNC_HDR_SIZE;
	f->end = p + frame_len;
	f->ob5 = p[0] == 5 && accept & SYNC_ACCEPT_LEGACY && !v5_fits(f->p, f->end, SYNC_STATE1301_SIZE) &&
		v5_fits(f->p, f->end, SYNC_LEGACY_STATE_SIZE);
	return SYNC_CNT_NONE;
}

static bool
stop(struct sync_frame *f, enum sync_counter why)
{
	f->err = why;
	f->end = f->p;
	f->index = f->count = 0;
	return false;
}

/* The message f stands at, `len` bytes. */
static void
fill(struct sync_frame *f, struct sync_msg *m, size_t len, bool skipped)
{
	*m = (struct sync_msg){ .kind = f->kind, .dialect = f->dialect, .skipped = skipped, .version = f->version,
		.action = f->action, .index = f->index, .count = f->count, .size = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len),
		.body = f->p };
	f->p += len;
}

/* Version 6: the subheader says how long a message is, so what is not understood can be passed over. */
static bool
sub6(struct sync_frame *f, struct sync_msg *m)
{
	const struct action *a;
	uint8_t action = f->p[0];
	size_t size = f->p[1] * 4u, left, all;

	f->index = 0;
	f->action = action;
	f->count = sync_get16(f->p + 2);
	f->p += SYNC_SUB_SIZE;
	left = (size_t)(f->end - f->p);
	all = size * f->count;
	a = action < N_ACTIONS6 ? &actions6[action] : NULL;
	f->kind = a != NULL ? a->kind : SYNC_UNKNOWN;
	f->dialect = SYNC_6;
	f->size = (uint16_t)size;
	if ((a == NULL || (a->used && size < a->size)) && (f->count == 0 || size == 0))
		return stop(f, SYNC_CNT_badact);
	if (all > left)
		return stop(f, SYNC_CNT_badlen);
	if (a != NULL && a->used && size >= a->size)
		return false;
	fill(f, m, all, true);
	f->count = 0;
	return true;
}

static bool
sub5(struct sync_frame *f, struct sync_msg *m)
{
	const struct action *a;
	size_t left;

	f->index = 0;
	f->action = f->p[0];
	f->count = sync_get16(f->p + 2);
	a = f->action < N_ACTIONS5 ? &actions5[f->action] : NULL;
	if (a == NULL || !a->used)
		return stop(f, SYNC_CNT_badact);
	f->p += SYNC_SUB_SIZE;
	left = (size_t)(f->end - f->p);
	f->kind = a->kind;
	f->dialect = a->dialect;
	f->size = a->size;
	if (f->ob5 && a->size == SYNC_STATE1301_SIZE) {
		f->dialect = SYNC_OB5;
		f->size = SYNC_LEGACY_STATE_SIZE;
	}
	if ((size_t)f->size * f->count > left)
		return stop(f, SYNC_CNT_badlen);
	if (a->kind != SYNC_EOF)
		return false;
	fill(f, m, 0, false);
	f->eof = true;
	if (left != 0)
		stop(f, SYNC_CNT_badlen);
	f->end = f->p;
	f->count = 0;
	return true;
}

bool
sync_frame_next(struct sync_frame *f, struct sync_msg *m)
{
	if (f->version < 5)
		return f->err == SYNC_CNT_NONE && sync_legacy_next(f, m);
	while (f->index >= f->count) {
		if (f->err != SYNC_CNT_NONE || (size_t)(f->end - f->p) < SYNC_SUB_SIZE)
			return false;
		if (f->version == 6 ? sub6(f, m) : sub5(f, m))
			return true;
		if (f->err != SYNC_CNT_NONE)
			return false;
	}
	fill(f, m, f->size, false);
	f->index++;
	return true;
}

void
sync_out_init(struct sync_out *o, void *buf, size_t size, enum sync_dialect d, const uint8_t *cksum)
{
	*o = (struct sync_out){ .buf = buf, .size = size > UINT16_MAX ? UINT16_MAX : size, .len = SYNC_HDR_SIZE, .dialect = d };
	memset(o->buf, 0, SYNC_HDR_SIZE);
	o->buf[0] = d == SYNC_6 ? 6 : 5;
	if (cksum != NULL)
		memcpy(o->buf + 4, cksum, SYNC_CKSUM_SIZE);
	if (d != SYNC_6)
		o->size -= SYNC_SUB_SIZE; /* EOF */
}

void
sync_out_break(struct sync_out *o)
{
	o->sub = 0;
}

/* Room for one message of that action, in the open subheader or a new one. NULL: full. */
static uint8_t *
room(struct sync_out *o, uint8_t action, size_t size)
{
	uint8_t *p;
	bool same = o->sub != 0 && o->action == action && o->count < UINT16_MAX;
	size_t need = size + (same ? 0 : SYNC_SUB_SIZE);

	if (o->size < o->len || o->size - o->len < need)
		return NULL;
	if (!same) {
		o->sub = o->len;
		o->action = action;
		o->count = 0;
		p = o->buf + o->len;
		p[0] = action;
		p[1] = o->dialect == SYNC_6 ? (uint8_t)(size / 4) : 0;
		o->len += SYNC_SUB_SIZE;
	}
	sync_put16(o->buf + o->sub + 2, ++o->count);
	p = o->buf + o->len;
	o->len += size;
	return p;
}

static int
state_action(enum sync_kind k, enum sync_dialect d)
{
	switch (d) {
	case SYNC_6:
		return k == SYNC_INS ? SYNC_ACT6_INS : k == SYNC_UPD ? SYNC_ACT6_UPD : k == SYNC_DEL ? SYNC_ACT_DEL : -1;
	case SYNC_1301:
		return k == SYNC_INS ? SYNC_ACT5_INS_1301 : k == SYNC_UPD ? SYNC_ACT5_UPD_1301 : k == SYNC_DEL ? SYNC_ACT_DEL : -1;
	case SYNC_1400:
		return k == SYNC_INS ? SYNC_ACT5_INS_1400 : k == SYNC_UPD ? SYNC_ACT5_UPD_1400 : -1;
	case SYNC_1500:
		return k == SYNC_INS ? SYNC_ACT5_INS_1500 : k == SYNC_UPD ? SYNC_ACT5_UPD_1500 : -1;
	default:
		return -1;
	}
}

uint8_t *
sync_out_room(struct sync_out *o, enum sync_kind k)
{
	int action;

	if (k == SYNC_UPD_C)
		return room(o, SYNC_ACT_UPD_C, SYNC_UPDC_SIZE);
	action = state_action(k, o->dialect);
	if (action < 0)
		return NULL;
	if (o->single)
		sync_out_break(o);
	return room(o, (uint8_t)action, sync_state_size(o->dialect));
}

bool
sync_out_state(struct sync_out *o, enum sync_kind k, const struct sync_state *s)
{
	uint8_t *p = k == SYNC_UPD_C ? NULL : sync_out_room(o, k);

	if (p == NULL)
		return false;
	sync_state_encode(s, p, o->dialect);
	return true;
}

bool
sync_out_ident(struct sync_out *o, enum sync_kind k, const struct sync_ident *m)
{
	int action = k == SYNC_INS_ACK ? SYNC_ACT_INS_ACK : k == SYNC_UPD_REQ ? SYNC_ACT_UPD_REQ : k == SYNC_DEL_C ? SYNC_ACT_DEL_C : -1;
	uint8_t *p;

	if (action < 0 || (p = room(o, (uint8_t)action, SYNC_IDENT_SIZE)) == NULL)
		return false;
	sync_ident_encode(m, p);
	return true;
}

bool
sync_out_clr(struct sync_out *o, const struct sync_clr *m)
{
	uint8_t *p = room(o, SYNC_ACT_CLR, SYNC_CLR_SIZE);

	if (p != NULL)
		sync_clr_encode(m, p);
	return p != NULL;
}

bool
sync_out_upd_c(struct sync_out *o, const struct sync_upd_c *m)
{
	uint8_t *p = sync_out_room(o, SYNC_UPD_C);

	if (p != NULL)
		sync_upd_c_encode(m, p);
	return p != NULL;
}

bool
sync_out_bus(struct sync_out *o, const struct sync_bus *m)
{
	uint8_t *p = room(o, SYNC_ACT_BUS, SYNC_BUS_SIZE);

	if (p != NULL)
		sync_bus_encode(m, p);
	return p != NULL;
}

bool
sync_out_tdb(struct sync_out *o, const struct sync_tdb *m)
{
	bool v6 = o->dialect == SYNC_6;
	uint8_t *p = room(o, v6 ? SYNC_ACT6_TDB : SYNC_ACT5_TDB, v6 ? SYNC_TDB6_SIZE : SYNC_TDB5_SIZE);

	if (p != NULL)
		sync_tdb_encode(m, p, o->dialect);
	return p != NULL;
}

size_t
sync_out_close(struct sync_out *o)
{
	if (o->len == SYNC_HDR_SIZE)
		return 0;
	if (o->dialect != SYNC_6) {
		uint8_t *p = o->buf + o->len;

		p[0] = SYNC_ACT_EOF;
		p[1] = 0;
		sync_put16(p + 2, 1);
		o->len += SYNC_SUB_SIZE;
		o->size += SYNC_SUB_SIZE;
	}
	sync_put16(o->buf + 2, (uint16_t)o->len);
	return o->len;
}
