/* SPDX-License-Identifier: BSD-2-Clause */
/* MD5 as RFC 1321 describes it. */
#include <endian.h>
#include <string.h>

#include "policy/md5.h"

/* The whole parts of 2^32 * |sin(i + 1)|. */
static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t shifts[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };

static void
mix(uint32_t state[4], const uint8_t block[64])
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3], words[16];

	memcpy(words, block, sizeof(words));
	for (int i = 0; i < 64; i++) {
		int round = i / 16, at, shift = shifts[round][i % 4];
		uint32_t f;

		switch (round) {
		case 0:
			f = (b & c) | (~b & d);
			at = i;
			break;
		case 1:
			f = (d & b) | (~d & c);
			at = 5 * i + 1;
			break;
		case 2:
			f = b ^ c ^ d;
			at = 3 * i + 5;
			break;
		default:
			f = c ^ (b | ~d);
			at = 7 * i;
		}
		f += a + sines[i] + le32toh(words[at % 16]);
		a = d;
		d = c;
		c = b;
		b += f << shift | f >> (32 - shift);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

void
pol_md5_init(struct pol_md5 *m)
{
	*m = (struct pol_md5){ .state = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 } };
}

void
pol_md5_add(struct pol_md5 *m, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size > 0) {
		size_t at = m->size % 64, n = 64 - at < size ? 64 - at : size;

		memcpy(m->block + at, p, n);
		m->size += n;
		p += n;
		size -= n;
		if (m->size % 64 == 0)
			mix(m->state, m->block);
	}
}

void
pol_md5_end(struct pol_md5 *m, uint8_t digest[16])
{
	static const uint8_t pad[64] = { 0x80 };
	uint64_t bits = htole64(m->size * 8);

	/* a one, zeros, and the number of bits in the last 8 bytes of a block */
	pol_md5_add(m, pad, 64 - (m->size + 8) % 64);
	pol_md5_add(m, &bits, sizeof(bits));
	for (int i = 0; i < 4; i++) {
		uint32_t w = htole32(m->state[i]);

		memcpy(digest + 4 * i, &w, sizeof(w));
	}
}
