/* SPDX-License-Identifier: BSD-2-Clause */
/* CARP's digest with libcrypto; see carp_auth.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "failover/carp_auth.h"
#include "sync/bytes.h"

#define MSG_HEAD 3u /* version, type, vhid */
#define COUNTER_SIZE 8u

struct fo_carp_auth {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx[2]; /* keyed; the second is NULL without link-local addresses */
	uint8_t *msg[2]; /* all of the message up to the counter: without, with link-local addresses */
	size_t msg_len[2];
};

struct fo_carp_auth *
fo_carp_auth_create(void)
{
	struct fo_carp_auth *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (a->mac == NULL || fo_carp_auth_set(a, 0, "", NULL, 0) != 0) {
		fo_carp_auth_free(a);
		return NULL;
	}
	return a;
}

static void
clear(struct fo_carp_auth *a)
{
	for (unsigned i = 0; i < 2; i++) {
		EVP_MAC_CTX_free(a->ctx[i]);
		free(a->msg[i]);
	}
}

void
fo_carp_auth_free(struct fo_carp_auth *a)
{
	if (a == NULL)
		return;
	clear(a);
	EVP_MAC_free(a->mac);
	free(a);
}

static size_t
addr_size(const struct fo_addr *a)
{
	return a->family == FO_INET ? 4 : 16;
}

static int
by_family_then_bytes(const void *pa, const void *pb)
{
	const struct fo_addr *a = pa, *b = pb;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->addr, b->addr, addr_size(a));
}

/* Neither the unspecified address nor all ones. */
static bool
counts(const struct fo_addr *a)
{
	bool zeros = true, ones = true;

	for (size_t i = 0; i < addr_size(a); i++) {
		zeros = zeros && a->addr[i] == 0;
		ones = ones && a->addr[i] == 0xff;
	}
	return !zeros && !ones;
}

/* The message up to the counter, of sorted addresses. */
static size_t
message(uint8_t *msg, uint8_t vhid, const struct fo_addr *sorted, size_t n, bool linklocal)
{
	const struct fo_addr *last = NULL;
	size_t len = 0;

	msg[len++] = SYNC_CARP_VERSION;
	msg[len++] = SYNC_CARP_ADVERTISEMENT;
	msg[len++] = vhid;
	for (size_t i = 0; i < n; i++) {
		const struct fo_addr *a = &sorted[i];

		if (!counts(a) || (!linklocal && fo_addr_is_linklocal(a)) || (last != NULL && by_family_then_bytes(last, a) == 0))
			continue;
		memcpy(msg + len, a->addr, addr_size(a));
		len += addr_size(a);
		last = a;
	}
	return len;
}

static EVP_MAC_CTX *
keyed(EVP_MAC *mac, const uint8_t key[FO_CARP_KEY_SIZE])
{
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA1" }, 0),
		OSSL_PARAM_construct_end() };
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

	if (ctx != NULL && EVP_MAC_init(ctx, key, FO_CARP_KEY_SIZE, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

int
fo_carp_auth_set(struct fo_carp_auth *a, uint8_t vhid, const char *pass, const struct fo_addr *addrs, size_t n)
{
	struct fo_carp_auth new = { .mac = a->mac };
	uint8_t key[FO_CARP_KEY_SIZE] = { 0 };
	struct fo_addr *sorted;
	bool linklocal = false;

	if ((sorted = malloc((n + 1) * sizeof(*sorted))) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		sorted[i] = addrs[i];
		if (fo_addr_is_linklocal(&sorted[i])) {
			sorted[i].addr[2] = sorted[i].addr[3] = 0;
			linklocal = true;
		}
	}
	qsort(sorted, n, sizeof(*sorted), by_family_then_bytes);
	memcpy(key, pass, strnlen(pass, FO_CARP_PASS_MAX));
	for (unsigned i = 0; i < 1u + linklocal; i++) {
		new.msg[i] = malloc(MSG_HEAD + n * sizeof(addrs->addr));
		new.ctx[i] = keyed(a->mac, key);
		if (new.msg[i] == NULL || new.ctx[i] == NULL) {
			clear(&new);
			free(sorted);
			OPENSSL_cleanse(key, sizeof(key));
			return -ENOMEM;
		}
		new.msg_len[i] = message(new.msg[i], vhid, sorted, n, i == 1);
	}
	OPENSSL_cleanse(key, sizeof(key));
	free(sorted);
	clear(a);
	*a = new;
	return 0;
}

bool
fo_carp_auth_has_linklocal(const struct fo_carp_auth *a)
{
	return a->ctx[1] != NULL;
}

bool
fo_carp_auth_digest(struct fo_carp_auth *a, uint64_t counter, bool linklocal, uint8_t digest[SYNC_CARP_DIGEST_SIZE])
{
	unsigned i = linklocal && a->ctx[1] != NULL;
	uint8_t be[COUNTER_SIZE];
	size_t len = 0;

	sync_put64(be, counter);
	/* without a key: begins again with the one it has */
	if (EVP_MAC_init(a->ctx[i], NULL, 0, NULL) == 1 && EVP_MAC_update(a->ctx[i], a->msg[i], a->msg_len[i]) == 1 &&
	    EVP_MAC_update(a->ctx[i], be, sizeof(be)) == 1 &&
	    EVP_MAC_final(a->ctx[i], digest, &len, SYNC_CARP_DIGEST_SIZE) == 1 && len == SYNC_CARP_DIGEST_SIZE)
		return true;
	memset(digest, 0, SYNC_CARP_DIGEST_SIZE);
	return false;
}

enum fo_carp_match
fo_carp_auth_match(struct fo_carp_auth *a, uint64_t counter, const uint8_t digest[SYNC_CARP_DIGEST_SIZE])
{
	uint8_t own[SYNC_CARP_DIGEST_SIZE];

	for (unsigned i = 0; i < 2 && a->ctx[i] != NULL; i++)
		if (fo_carp_auth_digest(a, counter, i == 1, own) && CRYPTO_memcmp(own, digest, sizeof(own)) == 0)
			return i == 0 ? FO_CARP_MATCH : FO_CARP_MATCH_LINKLOCAL;
	return FO_CARP_NO_MATCH;
}
