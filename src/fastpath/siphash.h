/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-1-3 (Aumasson and Bernstein) of whole 64-bit words: for tables whose keys strangers choose, where the secret is
 * never shown to anybody. Not for cookies (syncookie.c has the stronger 2-4).
 */
#ifndef FP_SIPHASH_H
#define FP_SIPHASH_H

#include <stdint.h>
#include <string.h>

static inline void
fp_sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
	v[0] = v[0] << 32 | v[0] >> 32;
	v[2] += v[3];
	v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
	v[0] += v[3];
	v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
	v[2] += v[1];
	v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
	v[2] = v[2] << 32 | v[2] >> 32;
}

/* size: bytes of data, a multiple of 8. */
static inline uint32_t
fp_siphash13(const uint64_t secret[2], const void *data, unsigned size)
{
	uint64_t v[4] = {
		secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
		secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573,
	};
	uint64_t w;
	unsigned i;

	for (i = 0; i <= size; i += 8) {
		w = (uint64_t)size << 56;
		if (i < size)
			memcpy(&w, (const uint8_t *)data + i, 8);
		v[3] ^= w;
		fp_sip_round(v);
		v[0] ^= w;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		fp_sip_round(v);
	w = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(w ^ w >> 32);
}

#endif
