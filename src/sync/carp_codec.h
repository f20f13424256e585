/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CARP version 2 as bytes: header, checksum, and telling it from VRRP, which has the same protocol number. Pure C, no
 * allocation, any thread. The digest is copied, not computed.
 *
 *	+-----------------+------+---------+---------+--------+---------+-----------+
 *	| version 4|type 4| vhid | advskew | authlen | demote | advbase | checksum  |
 *	+-----------------+------+---------+---------+--------+---------+-----------+
 *	| counter, 8 bytes                                                          |
 *	| digest, 20 bytes                                                          |
 *	+---------------------------------------------------------------------------+
 *
 * Source: OpenBSD ip_carp.h 1.51, FreeBSD ip_carp.h.
 */
#ifndef SYNC_CARP_CODEC_H
#define SYNC_CARP_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNC_CARP_IPPROTO 112
#define SYNC_CARP_SIZE 36u
#define SYNC_CARP_VERSION 2
#define SYNC_CARP_ADVERTISEMENT 1
#define SYNC_CARP_AUTHLEN 7
#define SYNC_CARP_DIGEST_SIZE 20u

struct sync_carp {
	uint8_t version, type;
	uint8_t vhid;
	uint8_t advskew;
	uint8_t authlen; /* 32-bit words of counter and digest */
	uint8_t demote;
	uint8_t advbase; /* seconds */
	uint16_t cksum; /* as it came; the encoder computes its own */
	uint64_t counter;
	uint8_t digest[SYNC_CARP_DIGEST_SIZE];
};

enum sync_carp_verdict { SYNC_CARP_OK, SYNC_CARP_BADLEN, SYNC_CARP_BADSUM, SYNC_CARP_BADVER, SYNC_CARP_VRRP };

/* badlen, badsum, badver, vrrp, ok: the counters' names. */
const char *sync_carp_verdict_name(enum sync_carp_verdict v);

/**
 * Decode the payload of an IP packet of protocol 112.
 *
 * @return SYNC_CARP_BADLEN (c untouched), SYNC_CARP_VRRP (c untouched), or what a receiver finds wrong with the header
 *         in c, checksum before version.
 */
enum sync_carp_verdict sync_carp_decode(struct sync_carp *c, const void *payload, size_t len);

/** Encode at p, SYNC_CARP_SIZE bytes, with the checksum. */
void sync_carp_encode(const struct sync_carp *c, uint8_t *p);

#endif
