/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies, see syncookie.h. The hash is SipHash-2-4 (Aumasson and Bernstein, 2012). */
#include "fastpath/syncookie.h"

#include <string.h>

#include "fastpath/atomic.h"

#define CB_PARITY 0x01
#define CB_WSCALE_SHIFT 2
#define CB_MSS_SHIFT 5
#define CB_INDEX 7

#define MSS_MIN 512
#define INPUT_SIZE_MAX (16 + 16 + 2 + 2 + 4 + 1)

static const uint16_t mss_table[8] = { 216, 536, 1200, 1360, 1400, 1440, 1452, 1460 };
static const uint8_t wscale_table[8] = { 0, 0, 1, 2, 4, 6, 7, 8 };

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void
sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1]; v[1] = rotl(v[1], 13) ^ v[0]; v[0] = rotl(v[0], 32);
		v[2] += v[3]; v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3]; v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1]; v[1] = rotl(v[1], 17) ^ v[2]; v[2] = rotl(v[2], 32);
	}
}

static uint64_t
load_le(const uint8_t *p, unsigned n)
{
	uint64_t w = 0;

	for (unsigned i = 0; i < n; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

static uint64_t
siphash24(const uint64_t key[2], const uint8_t *in, unsigned len)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573,
	};
	uint64_t m;

	for (unsigned i = 0; i + 8 <= len; i += 8) {
		m = load_le(in + i, 8);
		v[3] ^= m;
		sip_rounds(v, 2);
		v[0] ^= m;
	}
	m = load_le(in + len / 8 * 8, len % 8) | (uint64_t)len << 56;
	v[3] ^= m;
	sip_rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint32_t
mac(const struct fp_syncookie *sc, const struct fp_syncookie_flow *flow, uint32_t seq, uint8_t cookie)
{
	uint8_t in[INPUT_SIZE_MAX], *p = in;
	uint64_t h;

	memcpy(p, flow->src, flow->addr_len);
	p += flow->addr_len;
	memcpy(p, flow->dst, flow->addr_len);
	p += flow->addr_len;
	memcpy(p, &flow->sport_be, 2);
	memcpy(p + 2, &flow->dport_be, 2);
	memcpy(p + 4, &seq, 4);
	p[8] = cookie;
	h = siphash24(sc->key[cookie & CB_PARITY], in, (unsigned)(p + 9 - in));
	return (uint32_t)h ^ (uint32_t)(h >> 32);
}

static void
new_key(struct fp_syncookie *sc, uint32_t now_sec, fp_syncookie_random random, void *arg)
{
	sc->parity ^= 1;
	fp_store(&sc->inflight[sc->parity], 0);
	sc->key[sc->parity][0] = random(arg);
	sc->key[sc->parity][1] = random(arg);
	sc->keyed = 1;
	sc->rotate_sec = now_sec + FP_SYNCOOKIE_LIFETIME_SEC;
}

void
fp_syncookie_config(struct fp_syncookie *sc, enum fp_syncookie_mode mode, uint32_t state_limit, uint8_t start_pct,
	uint8_t end_pct, uint32_t now_sec, fp_syncookie_random random, void *arg)
{
	sc->high = (uint32_t)((uint64_t)state_limit * (start_pct ? start_pct : FP_SYNCOOKIE_START_PCT) / 100);
	sc->low = (uint32_t)((uint64_t)state_limit * (end_pct ? end_pct : FP_SYNCOOKIE_END_PCT) / 100);
	sc->mode = mode;
	if (mode == FP_SYNCOOKIE_ALWAYS && !sc->active) {
		new_key(sc, now_sec, random, arg);
		sc->active = 1;
	}
}

bool
fp_syncookie_wanted(struct fp_syncookie *sc, uint32_t half_open, uint32_t now_sec, fp_syncookie_random random, void *arg)
{
	if (sc->mode == FP_SYNCOOKIE_ADAPTIVE && !sc->active && half_open > sc->high) {
		new_key(sc, now_sec, random, arg);
		sc->active = 1;
		sc->floods++;
	}
	return sc->active;
}

void
fp_syncookie_tick(struct fp_syncookie *sc, uint32_t half_open, uint32_t inflight_total, uint32_t now_sec,
	fp_syncookie_random random, void *arg)
{
	if (!sc->keyed || (int32_t)(now_sec - sc->rotate_sec) < 0)
		return;
	if (sc->active && (sc->mode == FP_SYNCOOKIE_NEVER ||
	    (sc->mode == FP_SYNCOOKIE_ADAPTIVE && (uint64_t)half_open + inflight_total < sc->low)))
		sc->active = 0;
	if (!sc->active && fp_syncookie_inflight(sc) == 0) {
		explicit_bzero(sc->key, sizeof(sc->key));
		sc->keyed = 0;
		return;
	}
	/* what was sent with the key before the last can no longer be answered */
	new_key(sc, now_sec, random, arg);
}

uint16_t
fp_syncookie_mss(uint16_t offered)
{
	return offered > MSS_MIN ? offered : MSS_MIN;
}

uint32_t
fp_syncookie_make(struct fp_syncookie *sc, const struct fp_syncookie_flow *flow, uint16_t mss, uint8_t wscale)
{
	unsigned mss_index = CB_INDEX, wscale_index = CB_INDEX;
	uint8_t cookie;
	uint32_t hash;

	while (mss_index > 0 && mss_table[mss_index] > mss)
		mss_index--;
	while (wscale_index > 0 && wscale_table[wscale_index] > wscale)
		wscale_index--;
	cookie = (uint8_t)(mss_index << CB_MSS_SHIFT | wscale_index << CB_WSCALE_SHIFT | sc->parity);
	hash = mac(sc, flow, flow->seq, cookie);
	fp_store(&sc->inflight[sc->parity], sc->inflight[sc->parity] + 1);
	return (hash & 0xffffff00) | (cookie ^ hash >> 24);
}

bool
fp_syncookie_check(struct fp_syncookie *sc, const struct fp_syncookie_flow *flow, uint32_t ack,
	struct fp_syncookie_syn *syn)
{
	uint32_t iss = ack - 1, seq = flow->seq - 1;
	uint8_t cookie = (uint8_t)(iss ^ iss >> 24);

	/* nothing sent with that key: it may be none at all, and then the hash could be forged */
	if (!sc->keyed || sc->inflight[cookie & CB_PARITY] == 0)
		return false;
	if ((mac(sc, flow, seq, cookie) ^ iss) & 0xffffff00)
		return false;
	fp_store(&sc->inflight[cookie & CB_PARITY], sc->inflight[cookie & CB_PARITY] - 1);
	syn->seq = seq;
	syn->iss = iss;
	syn->mss = mss_table[cookie >> CB_MSS_SHIFT & CB_INDEX];
	syn->wscale = wscale_table[cookie >> CB_WSCALE_SHIFT & CB_INDEX];
	return true;
}
