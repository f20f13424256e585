/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP headers as raw bytes, see tcp_norm.h. */
#include "fastpath/tcp_norm.h"

#define OFF_SEQ 4
#define OFF_ACK 8
#define OFF_DATA_OFFSET 12
#define OFF_FLAGS 13
#define OFF_WIN 14
#define OFF_CKSUM 16
#define OFF_URP 18

#define WSCALE_MAX 14
#define SACK_BLOCK 8 /* two edges */

/*
 * Replace n bytes at off. The checksum is a sum of big-endian words from the start of the header, so a byte at an even
 * offset weighs 256. RFC 1624 [Eqn. 3]: HC' = ~(~HC + ~m + m').
 */
static void
patch(uint8_t *th, unsigned off, const uint8_t *now, unsigned n)
{
	uint32_t sum = (uint16_t)~fp_get16(th + OFF_CKSUM);

	for (unsigned i = 0; i < n; i++) {
		unsigned shift = (off + i) & 1 ? 0 : 8;

		/* ~m of the byte that goes, in a word whose other byte stays: 0xffff minus what it weighed */
		sum += 0xffffu - ((uint32_t)th[off + i] << shift) + ((uint32_t)now[i] << shift);
		th[off + i] = now[i];
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	fp_put16(th + OFF_CKSUM, (uint16_t)~sum);
}

void
fp_tcp_patch16(uint8_t *th, unsigned off, uint16_t v)
{
	uint8_t b[2];

	fp_put16(b, v);
	patch(th, off, b, sizeof(b));
}

void
fp_tcp_patch32(uint8_t *th, unsigned off, uint32_t v)
{
	uint8_t b[4];

	fp_put32(b, v);
	patch(th, off, b, sizeof(b));
}

enum fp_tcp_norm
fp_tcp_normalize(uint8_t *th)
{
	enum fp_tcp_norm result = FP_TCP_NORM_OK;
	uint8_t flags = th[OFF_FLAGS];

	if (flags & FP_TH_SYN) {
		if (flags & FP_TH_RST)
			return FP_TCP_NORM_DROP;
		flags &= ~FP_TH_FIN;
	} else if (!(flags & (FP_TH_ACK | FP_TH_RST))) {
		return FP_TCP_NORM_DROP;
	}
	if (!(flags & FP_TH_ACK) && (flags & (FP_TH_FIN | FP_TH_PUSH | FP_TH_URG)))
		return FP_TCP_NORM_DROP;
	if (flags != th[OFF_FLAGS] || (th[OFF_DATA_OFFSET] & 0x0f)) {
		/* reserved bits, the former NS among them */
		fp_tcp_patch16(th, OFF_DATA_OFFSET, (uint16_t)((th[OFF_DATA_OFFSET] & 0xf0) << 8 | flags));
		result = FP_TCP_NORM_CHANGED;
	}
	if (!(flags & FP_TH_URG) && fp_get16(th + OFF_URP) != 0) {
		fp_tcp_patch16(th, OFF_URP, 0);
		result = FP_TCP_NORM_CHANGED;
	}
	return result;
}

unsigned
fp_tcp_opt_next(const uint8_t *th, unsigned hlen, unsigned *pos, uint8_t kind, unsigned min_len, unsigned *opt_end)
{
	unsigned at = *pos;

	/* min_len is 2 or more: kind and length can be read */
	while (at + min_len <= hlen) {
		unsigned len;

		if (th[at] == FP_TCPOPT_EOL || th[at] == FP_TCPOPT_NOP) {
			at++;
			continue;
		}
		len = th[at + 1] < 2 ? 2 : th[at + 1];
		if (th[at] == kind && len >= min_len) {
			*pos = at + len;
			*opt_end = *pos < hlen ? *pos : hlen;
			return at;
		}
		at += len;
	}
	*pos = hlen;
	return 0;
}

uint8_t
fp_tcp_wscale(const uint8_t *th, unsigned hlen)
{
	unsigned pos = FP_TCP_HLEN_MIN, at, end;
	uint8_t wscale = FP_WSCALE_NONE;

	while ((at = fp_tcp_opt_next(th, hlen, &pos, FP_TCPOPT_WSCALE, 3, &end)) != 0)
		wscale = FP_WSCALE_SET | (th[at + 2] < WSCALE_MAX ? th[at + 2] : WSCALE_MAX);
	return wscale;
}

uint16_t
fp_tcp_mss(const uint8_t *th, unsigned hlen)
{
	unsigned pos = FP_TCP_HLEN_MIN, at, end;
	uint16_t mss = FP_TCP_MSS_DEFAULT;

	if (hlen < FP_TCP_HLEN_MIN + 4)
		return 0;
	while ((at = fp_tcp_opt_next(th, hlen, &pos, FP_TCPOPT_MSS, 4, &end)) != 0)
		mss = fp_get16(th + at + 2);
	return mss;
}

bool
fp_tcp_clamp_mss(uint8_t *th, unsigned hlen, uint16_t max_mss)
{
	unsigned pos = FP_TCP_HLEN_MIN, at, end;
	bool changed = false;

	while ((at = fp_tcp_opt_next(th, hlen, &pos, FP_TCPOPT_MSS, 4, &end)) != 0) {
		if (fp_get16(th + at + 2) > max_mss) {
			fp_tcp_patch16(th, at + 2, max_mss);
			changed = true;
		}
	}
	return changed;
}

void
fp_tcp_seg_read(struct fp_tcp_seg *seg, const uint8_t *th, unsigned hlen, uint32_t payload_len)
{
	seg->seq = fp_get32(th + OFF_SEQ);
	seg->ack = fp_get32(th + OFF_ACK);
	seg->len = payload_len;
	seg->win = fp_get16(th + OFF_WIN);
	seg->flags = th[OFF_FLAGS];
	seg->wscale = seg->flags & FP_TH_SYN ? fp_tcp_wscale(th, hlen) : FP_WSCALE_NONE;
}

void
fp_tcp_write_modulated(uint8_t *th, unsigned hlen, const struct fp_track_out *out)
{
	unsigned pos = FP_TCP_HLEN_MIN, at, end;

	if (fp_get32(th + OFF_SEQ) != out->new_seq)
		fp_tcp_patch32(th, OFF_SEQ, out->new_seq);
	if (fp_get32(th + OFF_ACK) != out->new_ack)
		fp_tcp_patch32(th, OFF_ACK, out->new_ack);
	if (out->sack_delta == 0)
		return;
	while ((at = fp_tcp_opt_next(th, hlen, &pos, FP_TCPOPT_SACK, 2 + SACK_BLOCK, &end)) != 0) {
		for (at += 2; at + SACK_BLOCK <= end; at += SACK_BLOCK) {
			fp_tcp_patch32(th, at, fp_get32(th + at) - out->sack_delta);
			fp_tcp_patch32(th, at + 4, fp_get32(th + at + 4) - out->sack_delta);
		}
	}
}
