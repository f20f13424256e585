/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A half of a record straight into a packet: what export.c and the codec say, without the structures between them, for the
 * messages that a busy box sends. Records with an extension take the long way. On the worker that owns the record.
 */
#include <string.h>

#include "fastpath/rules.h"
#include "fastpath/states.h"
#include "sync/bytes.h"
#include "sync/engine.h"
#include "sync/pfsync_wire.h"

#define AF_INET_WIRE 2
#define AF_INET6_WIRE 24	/* of OpenBSD */

static inline void
put_peers(const struct fp_state *st, uint8_t *p)
{
	bool diff = st->flags & FP_SF_SEQDIFF;

	memset(p, 0, 2 * SYNC_PEER_SIZE);
	for (int i = 0; i < 2; i++, p += SYNC_PEER_SIZE) {
		const struct fp_peer *q = &st->peer[i];

		sync_put32(p + 8, q->seqlo);
		sync_put32(p + 12, q->seqhi);
		if (diff)
			sync_put32(p + 16, st->seqdiff[i]);
		sync_put16(p + 20, q->max_win);
		p[24] = q->state;
		p[25] = q->wscale;
	}
}

void
sync_encode_upd_c(const struct fp_worker *w, const struct fp_state *st, int half, uint8_t *p)
{
	uint8_t hf = st->hflags[half];

	if (__builtin_expect(st->flags & FP_SF_EXT, 0)) {
		struct sync_upd_c u;

		sync_export_upd_c(w, st, half, &u);
		sync_upd_c_encode(&u, p);
		return;
	}
	sync_put64(p, st->id[half]);
	put_peers(st, p + 8);
	sync_put32(p + 72, st->creatorid);
	sync_put32(p + 76, 0);
	p[80] = st->timeout;
	p[81] = (hf & FP_HF_ALLOW_OPTS ? SYNC_F_ALLOWOPTS : 0) | (hf & FP_HF_SLOPPY ? SYNC_F_SLOPPY : 0);
	p[82] = p[83] = 0;
}

/* 40 bytes of a key: addresses and ports by direction of travel. */
static inline void
put_key(const struct fp_state *st, bool first_hi, uint8_t *p)
{
	const struct fp_key *k = &st->key;

	memset(p, 0, 40);
	if (k->af == FP_AF_INET6) {
		const struct fp_state6 *s6 = (const struct fp_state6 *)st;

		memcpy(p, first_hi ? s6->addr_hi : s6->addr_lo, 16);
		memcpy(p + 16, first_hi ? s6->addr_lo : s6->addr_hi, 16);
		p[38] = AF_INET6_WIRE;
	} else {
		memcpy(p, first_hi ? &k->addr_hi : &k->addr_lo, 4);
		memcpy(p + 16, first_hi ? &k->addr_lo : &k->addr_hi, 4);
		p[38] = AF_INET_WIRE;
	}
	memcpy(p + 32, first_hi ? &k->port_hi : &k->port_lo, 2);
	memcpy(p + 34, first_hi ? &k->port_lo : &k->port_hi, 2);
}

void
sync_encode_state6(const struct fp_worker *w, const struct fp_state *st, int half, uint32_t total, uint8_t *p)
{
	const struct fp_rule_rt *rt;
	const struct pol_rule *r;
	uint8_t hf = st->hflags[half];
	bool out = half == FP_HALF_OUT, src_hi = st->flags & FP_SF_SRC_HI;
	unsigned flags;

	if (__builtin_expect(st->flags & FP_SF_EXT, 0)) {
		struct sync_state s;

		sync_export(w, st, half, &s);
		sync_state_encode(&s, p, SYNC_6);
		return;
	}
	rt = fp_rule(w->box, st->rule[half]);
	r = rt->rule;
	sync_put64(p, st->id[half]);
	if (st->ifid[half] == FP_IFID_ALL)
		memcpy(p + 8, "all\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	else
		sync_export_ifname(w, st->ifid[half], (char *)p + 8);
	put_key(st, out != src_hi, p + 24);
	memcpy(p + 64, p + 24, 40);
	put_peers(st, p + 104);
	memset(p + 168, 0, 16);
	/* a rule that is not in force any more has no number, nor has the default rule */
	sync_put32(p + 184, rt->rs == w->conf->rules_rt && st->rule[half] != FP_RULE_NONE && r->parent == NULL ? r->nr : SYNC_NO_RULE);
	sync_put32(p + 188, SYNC_NO_RULE);
	sync_put32(p + 192, SYNC_NO_RULE);
	sync_put32(p + 196, w->now_sec - st->created_sec);
	sync_put32(p + 200, fp_state_expires_with(w, st, half, total));
	sync_put64(p + 204, fp_state_packets(st, 0));
	sync_put64(p + 212, fp_state_packets(st, 1));
	sync_put64(p + 220, fp_state_bytes(st, 0));
	sync_put64(p + 228, fp_state_bytes(st, 1));
	sync_put32(p + 236, st->creatorid);
	sync_put32(p + 240, out ? 0 : UINT32_MAX);
	sync_put32(p + 244, out ? UINT32_MAX : 0);
	sync_put16(p + 248, 0);
	p[250] = p[24 + 38];
	p[251] = st->key.proto;
	p[252] = out ? SYNC_DIR_OUT : SYNC_DIR_IN;
	p[253] = r->log | (hf & FP_HF_LOG_ALL ? POL_LOG | POL_LOG_ALL : 0);
	p[254] = 0;
	p[255] = st->timeout;
	p[256] = hf & FP_HF_SRC_NODE ? SYNC_SF_SRC_NODE : 0;
	p[257] = p[258] = p[259] = 0;
	flags = (hf & FP_HF_ALLOW_OPTS ? SYNC_F_ALLOWOPTS : 0) | (hf & FP_HF_SLOPPY ? SYNC_F_SLOPPY : 0) |
		(hf & FP_HF_SCRUB_TCP ? SYNC_F_SCRUB_TCP : 0) | (r->rf & POL_RF_PFLOW ? SYNC_F_PFLOW : 0) |
		(out && st->flags & FP_SF_DEFERRED ? SYNC_F_ACK : 0);
	sync_put16(p + 260, (uint16_t)flags);
	p[262] = p[263] = 0;
}
