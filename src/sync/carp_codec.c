/* SPDX-License-Identifier: BSD-2-Clause */
/* CARP header to structure and back; see carp_codec.h. */
#include "sync/bytes.h"
#include "sync/carp_codec.h"

#define VRRP_ADDRS_OFF 3 /* VRRP version 2: number of addresses, where CARP has authlen */
#define VRRP2_SIZE(addrs) (8u + 4u * (addrs) + 8u)

/* Internet checksum, 0 over data whose own checksum is right. */
static uint16_t
cksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; p += 2, len -= 2)
		sum += sync_get16(p);
	if (len != 0)
		sum += (uint32_t)p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

const char *
sync_carp_verdict_name(enum sync_carp_verdict v)
{
	static const char *const names[] = { "ok", "badlen", "badsum", "badver", "vrrp" };

	return names[v];
}

/*
 * VRRP version 3 has another first byte (0x31; 0x30 is no CARP either). Version 2 begins with CARP's 0x21, but its
 * fourth byte is the number of addresses, which together with the length of the packet gives it away.
 */
static bool
is_vrrp(const uint8_t *p, size_t len)
{
	if (p[0] >> 4 == 3)
		return len >= 8;
	return p[0] == 0x21 && len >= VRRP2_SIZE(p[VRRP_ADDRS_OFF]) && cksum(p, VRRP2_SIZE(p[VRRP_ADDRS_OFF])) == 0 &&
		!(p[VRRP_ADDRS_OFF] == SYNC_CARP_AUTHLEN && cksum(p, SYNC_CARP_SIZE) == 0);
}

enum sync_carp_verdict
sync_carp_decode(struct sync_carp *c, const void *payload, size_t len)
{
	const uint8_t *p = payload;

	if (len >= 8 && is_vrrp(p, len))
		return SYNC_CARP_VRRP;
	if (len < SYNC_CARP_SIZE)
		return SYNC_CARP_BADLEN;
	c->version = p[0] >> 4;
	c->type = p[0] & 0xf;
	c->vhid = p[1];
	c->advskew = p[2];
	c->authlen = p[3];
	c->demote = p[4];
	c->advbase = p[5];
	c->cksum = sync_get16(p + 6);
	c->counter = sync_get64(p + 8);
	memcpy(c->digest, p + 16, sizeof(c->digest));
	if (cksum(p, SYNC_CARP_SIZE) != 0)
		return SYNC_CARP_BADSUM;
	return c->version != SYNC_CARP_VERSION ? SYNC_CARP_BADVER : SYNC_CARP_OK;
}

void
sync_carp_encode(const struct sync_carp *c, uint8_t *p)
{
	p[0] = (uint8_t)(c->version << 4 | (c->type & 0xf));
	p[1] = c->vhid;
	p[2] = c->advskew;
	p[3] = c->authlen;
	p[4] = c->demote;
	p[5] = c->advbase;
	sync_put16(p + 6, 0);
	sync_put64(p + 8, c->counter);
	memcpy(p + 16, c->digest, sizeof(c->digest));
	sync_put16(p + 6, cksum(p, SYNC_CARP_SIZE));
}
