/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CARP's digest: HMAC-SHA1 (libcrypto) over what the boxes of one virtual host must agree on. One thread at a time.
 *
 *	message: 0x02 0x01 | vhid | IPv4 addresses, ascending | IPv6 addresses, ascending | counter, 8 bytes
 *	key: the first 19 characters of the password and zeros, 20 bytes
 *
 * Both families go into the packets of both. Duplicates count once; 0.0.0.0, ::, and all ones do not count; the interface
 * index that BSD kernels keep in bytes 2 and 3 of link-local addresses is zeroed. Of a list with link-local addresses there
 * are two digests: OpenBSD sends the one without them and accepts both, FreeBSD knows only the one with them.
 *
 * Key, vhid and addresses are hashed into a prefix when they change, so that a packet costs two blocks and no memory.
 *
 * Source: OpenBSD ip_carp.c 1.365 carp_hmac_prepare_ctx(), FreeBSD ip_carp.c carp_hmac_prepare().
 */
#ifndef FO_CARP_AUTH_H
#define FO_CARP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/carp_codec.h"

#define FO_CARP_KEY_SIZE 20u
#define FO_CARP_PASS_MAX (FO_CARP_KEY_SIZE - 1) /* characters; BSD's ifconfig drops the rest, and so does this */

enum fo_family { FO_INET, FO_INET6, FO_FAMILIES };

struct fo_addr {
	uint8_t family; /* enum fo_family */
	uint8_t addr[16]; /* network order; the first 4 bytes of FO_INET, the others are not looked at */
};

static inline bool
fo_addr_is_linklocal(const struct fo_addr *a)
{
	return a->family == FO_INET6 && a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;
}

struct fo_carp_auth;

/** NULL when there is no memory, or libcrypto has no HMAC-SHA1. */
struct fo_carp_auth *fo_carp_auth_create(void);
/** Takes NULL. The key is wiped. */
void fo_carp_auth_free(struct fo_carp_auth *a);

/**
 * Set everything that is hashed. Order and duplicates of addrs do not matter; addresses are copied.
 *
 * @param pass  NUL-terminated; "" is what no password means.
 * @return 0, or -ENOMEM; then the former values stay.
 */
int fo_carp_auth_set(struct fo_carp_auth *a, uint8_t vhid, const char *pass, const struct fo_addr *addrs, size_t n);

/** Does the list of addresses have link-local ones, hence two digests? */
bool fo_carp_auth_has_linklocal(const struct fo_carp_auth *a);

/** false: libcrypto failed (no memory); digest is zeros then. */
bool fo_carp_auth_digest(struct fo_carp_auth *a, uint64_t counter, bool linklocal, uint8_t digest[SYNC_CARP_DIGEST_SIZE]);

enum fo_carp_match { FO_CARP_NO_MATCH, FO_CARP_MATCH, FO_CARP_MATCH_LINKLOCAL };

/**
 * Is this the digest of its counter, without or with link-local addresses? Compared in constant time. Says nothing of the
 * other fields, which no digest covers.
 */
enum fo_carp_match fo_carp_auth_match(struct fo_carp_auth *a, uint64_t counter, const uint8_t digest[SYNC_CARP_DIGEST_SIZE]);

static inline bool
fo_carp_auth_verify(struct fo_carp_auth *a, uint64_t counter, const uint8_t digest[SYNC_CARP_DIGEST_SIZE])
{
	return fo_carp_auth_match(a, counter, digest) != FO_CARP_NO_MATCH;
}

#endif
