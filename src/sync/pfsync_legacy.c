/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Versions 2 to 4: one action a packet, no length field. Decoded so that a person can see them; nothing here is ever
 * applied. Version 1 carried raw kernel structures of an unknown machine and is not taken apart.
 *
 * Source: FreeBSD 5.3 to 8 sys/contrib/pf/net/if_pfsync.h (2, 3), NetBSD (3), DragonFly (4).
 */
#include "sync/bytes.h"
#include "sync/pfsync_codec.h"

#define LEGACY_BSD_AF_INET 2

enum { L_CLR, L_INS, L_UPD, L_DEL, L_UPD_C, L_DEL_C, L_INS_F, L_DEL_F, L_UREQ, L_BUS, L_TDB };

static const enum sync_kind kinds[] = { SYNC_CLR, SYNC_INS, SYNC_UPD, SYNC_DEL, SYNC_UPD_C, SYNC_DEL_C, SYNC_INS_F, SYNC_DEL_F,
	SYNC_UPD_REQ, SYNC_BUS, SYNC_TDB };

static size_t
record_size(unsigned version, unsigned action)
{
	switch (action) {
	case L_CLR:
		return SYNC_LEGACY_CLR_SIZE;
	case L_INS:
	case L_UPD:
	case L_DEL:
		return version == 2 ? SYNC_LEGACY_STATE2_SIZE : SYNC_LEGACY_STATE_SIZE;
	case L_UPD_C:
		return SYNC_LEGACY_UPDC_SIZE;
	case L_DEL_C:
	case L_UREQ:
	case L_BUS:
		return SYNC_LEGACY_IDENT_SIZE;
	case L_TDB:
		return SYNC_TDB5_SIZE;
	}
	return 0; /* fragments, which nobody ever sent */
}

enum sync_counter
sync_legacy_open(struct sync_frame *f, const uint8_t *payload, size_t len)
{
	size_t hdr = SYNC_LEGACY_HDR_SIZE + (f->version == 2 ? 0 : SYNC_CKSUM_SIZE), need;

	if (len < hdr)
		return SYNC_CNT_hdrops;
	f->legacy_af = payload[1];
	f->action = payload[2];
	f->count = payload[3];
	f->cksum = f->version == 2 ? NULL : payload + SYNC_LEGACY_HDR_SIZE;
	f->p = payload + hdr;
	f->end = payload + len;
	if (f->action > (f->version == 2 ? L_BUS : L_TDB))
		return SYNC_CNT_badact;
	f->kind = kinds[f->action];
	f->dialect = SYNC_LEGACY;
	f->size = (uint16_t)record_size(f->version, f->action);
	/* DragonFly's version 4 is two bytes longer, and only the length of the packet tells. */
	if (f->version == 4 && f->size == SYNC_LEGACY_STATE_SIZE && len - hdr == (size_t)f->count * SYNC_LEGACY_STATE_DFLY_SIZE)
		f->size = SYNC_LEGACY_STATE_DFLY_SIZE;
	need = (size_t)f->size * f->count;
	return need > len - hdr ? SYNC_CNT_badlen : SYNC_CNT_NONE;
}

bool
sync_legacy_next(struct sync_frame *f, struct sync_msg *m)
{
	if (f->index >= f->count)
		return false;
	*m = (struct sync_msg){ .kind = f->kind, .dialect = SYNC_LEGACY, .skipped = f->size == 0, .version = f->version,
		.action = f->action, .index = f->index, .count = f->count, .size = f->size, .body = f->p };
	f->p += f->size;
	f->index = f->size == 0 ? f->count : f->index + 1;
	return true;
}

/* The records name no system: OpenBSD, FreeBSD, NetBSD and DragonFly each have a number for IPv6. */
static uint16_t
af_in(uint8_t raw)
{
	if (raw == 0)
		return SYNC_AF_NONE;
	if (raw == LEGACY_BSD_AF_INET)
		return SYNC_AF_INET;
	return raw == 24 || raw == 28 ? SYNC_AF_INET6 : SYNC_RAW | raw;
}

static void
host(struct sync_key *k, unsigned slot, const uint8_t *p)
{
	memcpy(k->addr[slot], p, 16);
	k->port[slot] = sync_get16(p + 16);
}

static void
key(struct sync_key *k, const uint8_t *p)
{
	memcpy(k->addr, p, 32);
	k->port[0] = sync_get16(p + 32);
	k->port[1] = sync_get16(p + 34);
}

void
sync_legacy_state_decode(struct sync_state *s, const struct sync_msg *m)
{
	const uint8_t *p = m->body, *tail;

	memset(s, 0, sizeof(*s));
	s->rtableid[0] = s->rtableid[1] = -1;
	s->id = sync_get64(p);
	memcpy(s->ifname, p + 8, sizeof(s->ifname));
	if (m->version == 4) {
		key(&s->key[SYNC_WIRE], p + 24);
		key(&s->key[SYNC_STACK], p + 60);
	} else { /* inside, translated, outside */
		host(&s->key[SYNC_STACK], 1, p + 24);
		host(&s->key[SYNC_WIRE], 1, p + 48);
		host(&s->key[SYNC_STACK], 0, p + 72);
		host(&s->key[SYNC_WIRE], 0, p + 72);
	}
	sync_peer_decode(&s->peer[0], p + 96);
	sync_peer_decode(&s->peer[1], p + 128);
	memcpy(s->rt_addr, p + 160, sizeof(s->rt_addr));
	s->rule = sync_get32(p + 176);
	s->anchor = sync_get32(p + 180);
	s->nat_rule = sync_get32(p + 184);
	s->creation_sec = sync_get32(p + 188);
	s->expire_sec = sync_get32(p + 192);
	for (unsigned i = 0; i < 2; i++) {
		s->packets[i] = m->version == 2 ? sync_get32(p + 196 + 4 * i) : sync_get64(p + 196 + 8 * i);
		s->bytes[i] = m->version == 2 ? sync_get32(p + 204 + 4 * i) : sync_get64(p + 212 + 8 * i);
	}
	tail = p + (m->version == 2 ? 212 : 228);
	s->creatorid = sync_get32(tail);
	s->af = af_in(tail[4]);
	s->proto = s->stack_proto = tail[5];
	s->direction = tail[6];
	if (m->size == SYNC_LEGACY_STATE_DFLY_SIZE)
		return; /* the order of what follows is DragonFly's own: left as bytes */
	s->log = tail[7];
	/* versions 2 and 3: allow_opts, which is bit 1 of the flags that took its place */
	s->state_flags = tail[8];
	s->timeout = tail[9];
	s->sync_flags = tail[10];
	s->updates = tail[11];
}

void
sync_legacy_clr_decode(struct sync_clr *c, const struct sync_msg *m)
{
	sync_clr_decode(c, m->body);
}

void
sync_legacy_ident_decode(struct sync_ident *i, const struct sync_msg *m)
{
	sync_ident_decode(i, m->body);
}

void
sync_legacy_upd_c_decode(struct sync_upd_c *u, const struct sync_msg *m)
{
	sync_upd_c_decode(u, m->body); /* the same but for the meaning of byte 81 and a longer pad */
	u->state_flags = 0;
}

void
sync_legacy_bus_decode(struct sync_bus *b, const struct sync_msg *m)
{
	sync_bus_decode(b, m->body);
}
