/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP headers as raw bytes: flag sanity, options, edits that keep the checksum in step. spec/tcp-state.md 1 row 3, 3
 * step B, 5. Pure C.
 *
 * th is the first byte of the header and hlen its length with options, 20..60: the caller has checked that hlen equals
 * the data offset and that those bytes are there (fp_pkt.l4_hlen). Nothing beyond th + hlen is read or written.
 *
 * Checksums are changed by what the edit changes (RFC 1624), never computed anew: a packet that came in with a wrong
 * checksum leaves with a wrong one, as through pf.
 */
#ifndef FP_TCP_NORM_H
#define FP_TCP_NORM_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp_track.h"

#define FP_TCP_HLEN_MIN 20u
#define FP_TCP_HLEN_MAX 60u
#define FP_TCP_MSS_DEFAULT 512u

#define FP_TCPOPT_EOL 0
#define FP_TCPOPT_NOP 1
#define FP_TCPOPT_MSS 2
#define FP_TCPOPT_WSCALE 3
#define FP_TCPOPT_SACK 5
#define FP_TCPOPT_TIMESTAMP 8

static inline uint16_t
fp_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
fp_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void
fp_put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = (uint8_t)v;
}

static inline void
fp_put32(uint8_t *p, uint32_t v)
{
	fp_put16(p, v >> 16);
	fp_put16(p + 2, (uint16_t)v);
}

/* Write a host-order value into the header at off (any alignment) and bring the checksum along. */
void fp_tcp_patch16(uint8_t *th, unsigned off, uint16_t v);
void fp_tcp_patch32(uint8_t *th, unsigned off, uint32_t v);

enum fp_tcp_norm {
	FP_TCP_NORM_OK,
	FP_TCP_NORM_CHANGED,	/* bytes of the header were made right */
	FP_TCP_NORM_DROP,	/* reason "normalize"; nothing was changed */
};

/* Flags no stack sends together; reserved bits and a stray urgent pointer are cleared in place. */
enum fp_tcp_norm fp_tcp_normalize(uint8_t *th);

/*
 * Walk the options as pf does: EOL is passed over like NOP (some stacks pad with zeros in front of real options), a
 * length below 2 counts as 2. Start with *pos = 20; each call gives the offset of the next option of that kind that
 * claims min_len bytes or more and of which min_len bytes lie inside the header, or 0. opt_end: offset behind the
 * option, cut to the header.
 */
unsigned fp_tcp_opt_next(const uint8_t *th, unsigned hlen, unsigned *pos, uint8_t kind, unsigned min_len,
	unsigned *opt_end);

/* FP_WSCALE_SET | min(shift, 14), the last one counts; FP_WSCALE_NONE without the option. */
uint8_t fp_tcp_wscale(const uint8_t *th, unsigned hlen);
/* The last MSS option; 512 when there are options but no MSS; 0 when there is no room for one. */
uint16_t fp_tcp_mss(const uint8_t *th, unsigned hlen);
/* Lower every MSS option to max_mss. True: changed. For packets with SYN. */
bool fp_tcp_clamp_mss(uint8_t *th, unsigned hlen, uint16_t max_mss);

/* Fill seg from a header that passed fp_tcp_normalize(). payload_len: bytes behind the header. */
void fp_tcp_seg_read(struct fp_tcp_seg *seg, const uint8_t *th, unsigned hlen, uint32_t payload_len);

/* Write what tracking asks for when out->modulate: sequence number, ack, SACK edges. */
void fp_tcp_write_modulated(uint8_t *th, unsigned hlen, const struct fp_track_out *out);

#endif
