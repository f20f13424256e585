/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap and pcapng, as far as packets and their times need it; other blocks are passed over.
 *
 * Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, tcpdump.org/linktypes.html.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sync/bytes.h"
#include "sync/pcap_read.h"

#define PCAP_MAGIC_US 0xa1b2c3d4u
#define PCAP_MAGIC_NS 0xa1b23c4du
#define NG_SHB 0x0a0d0d0au
#define NG_ORDER 0x1a2b3c4du
#define NG_IDB 1
#define NG_OLD_PACKET 2
#define NG_SPB 3
#define NG_EPB 6
#define NG_OPT_END 0
#define NG_OPT_TSRESOL 9
#define NG_OPT_TSOFFSET 14
#define BLOCK_MAX (64u << 20) /* what is larger is damage, not a packet */
#define FIRST_BUF_SIZE 65536u

#define LINK_NULL 0
#define LINK_ETHERNET 1
#define LINK_RAW_BSD 12
#define LINK_RAW_OPENBSD 14
#define LINK_PFSYNC_OPENBSD 18
#define LINK_RAW 101
#define LINK_LOOP 108
#define LINK_SLL 113
#define LINK_PFSYNC_FREEBSD 121
#define LINK_IPV4 228
#define LINK_IPV6 229
#define LINK_PFSYNC 246
#define LINK_SLL2 276

#define ETHERTYPE_IP 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100
#define VLANS_MAX 8

struct ng_if {
	uint16_t linktype;
	uint32_t snaplen;
	bool binary; /* resolution is 2^-exp, otherwise 10^-exp */
	uint8_t exp;
	int64_t offset_sec;
};

struct sync_pcap {
	FILE *in;
	bool ng, swapped; /* swapped: little-endian stream; numbers are read big-endian */
	bool nanoseconds;
	uint16_t linktype;
	uint8_t *buf;
	size_t buf_size;
	struct ng_if *ifs; /* of the current section */
	size_t n_ifs;
};

static int
fail(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -1;
}

static uint32_t
get32(const struct sync_pcap *r, const uint8_t *p)
{
	uint32_t v = sync_get32(p);

	return r->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t
get16(const struct sync_pcap *r, const uint8_t *p)
{
	uint16_t v = sync_get16(p);

	return r->swapped ? __builtin_bswap16(v) : v;
}

/* len bytes into the buffer at `at`. 1, 0 at a clean end, -1 in the middle. */
static int
fill(struct sync_pcap *r, size_t at, size_t len, char *err, size_t err_size)
{
	size_t got, size = r->buf_size ? r->buf_size : FIRST_BUF_SIZE;

	while (size < at + len)
		size *= 2;
	if (size != r->buf_size) {
		uint8_t *q = realloc(r->buf, size);

		if (q == NULL)
			return fail(err, err_size, "no memory for a packet of %zu bytes", len);
		r->buf = q;
		r->buf_size = size;
	}
	got = fread(r->buf + at, 1, len, r->in);
	if (got == len)
		return 1;
	if (ferror(r->in))
		return fail(err, err_size, "%s", strerror(errno));
	return got == 0 && at == 0 ? 0 : fail(err, err_size, "the capture ends in the middle of a packet");
}

static int
ng_section(struct sync_pcap *r, const uint8_t *order, char *err, size_t err_size)
{
	uint32_t magic = sync_get32(order);

	if (magic != NG_ORDER && magic != __builtin_bswap32(NG_ORDER))
		return fail(err, err_size, "pcapng section without byte order mark");
	r->swapped = magic != NG_ORDER;
	r->n_ifs = 0;
	return 1;
}

/* The rest of a block whose first `have` bytes are in the buffer; its whole length to *len. */
static int
ng_block(struct sync_pcap *r, size_t have, uint32_t *len, char *err, size_t err_size)
{
	*len = get32(r, r->buf + 4);
	if (*len < 12 || *len < have || *len % 4 != 0 || *len > BLOCK_MAX)
		return fail(err, err_size, "pcapng block of %u bytes", *len);
	return *len == have ? 1 : fill(r, have, *len - have, err, err_size);
}

struct sync_pcap *
sync_pcap_open(FILE *in, char *err, size_t err_size)
{
	struct sync_pcap *r = calloc(1, sizeof(*r));
	uint32_t magic, len;
	int rc;

	if (r == NULL) {
		fail(err, err_size, "no memory");
		return NULL;
	}
	r->in = in;
	if ((rc = fill(r, 0, 4, err, err_size)) <= 0) {
		if (rc == 0)
			fail(err, err_size, "empty");
		goto bad;
	}
	magic = sync_get32(r->buf);
	if (magic == NG_SHB) {
		r->ng = true;
		if (fill(r, 4, 8, err, err_size) <= 0 || ng_section(r, r->buf + 8, err, err_size) < 0 ||
			ng_block(r, 12, &len, err, err_size) < 0)
			goto bad;
		return r;
	}
	r->swapped = magic == __builtin_bswap32(PCAP_MAGIC_US) || magic == __builtin_bswap32(PCAP_MAGIC_NS);
	magic = get32(r, r->buf);
	if (magic != PCAP_MAGIC_US && magic != PCAP_MAGIC_NS) {
		fail(err, err_size, "not a pcap or pcapng capture");
		goto bad;
	}
	r->nanoseconds = magic == PCAP_MAGIC_NS;
	if (fill(r, 4, 20, err, err_size) <= 0)
		goto bad;
	r->linktype = (uint16_t)get32(r, r->buf + 20); /* the upper half says what the frames end with */
	return r;
bad:
	sync_pcap_close(r);
	return NULL;
}

void
sync_pcap_close(struct sync_pcap *r)
{
	if (r == NULL)
		return;
	free(r->ifs);
	free(r->buf);
	free(r);
}

static int
ng_interface(struct sync_pcap *r, uint32_t len, char *err, size_t err_size)
{
	const uint8_t *p = r->buf + 16, *end = r->buf + len - 4;
	struct ng_if *q, *i;

	if (len < 20)
		return fail(err, err_size, "pcapng interface block of %u bytes", len);
	if ((r->n_ifs & (r->n_ifs - 1)) == 0) { /* at each power of two */
		if ((q = realloc(r->ifs, (r->n_ifs ? r->n_ifs * 2 : 1) * sizeof(*q))) == NULL)
			return fail(err, err_size, "no memory");
		r->ifs = q;
	}
	i = &r->ifs[r->n_ifs++];
	*i = (struct ng_if){ .linktype = get16(r, r->buf + 8), .snaplen = get32(r, r->buf + 12), .exp = 6 };
	while (end - p >= 4) {
		unsigned opt = get16(r, p), opt_len = get16(r, p + 2);
		size_t padded = (opt_len + 3u) & ~3u;

		p += 4;
		if (opt == NG_OPT_END || padded > (size_t)(end - p))
			break;
		if (opt == NG_OPT_TSRESOL && opt_len >= 1) {
			i->binary = p[0] & 0x80;
			i->exp = p[0] & 0x7f;
		} else if (opt == NG_OPT_TSOFFSET && opt_len == 8) {
			uint64_t v = sync_get64(p);

			i->offset_sec = (int64_t)(r->swapped ? __builtin_bswap64(v) : v);
		}
		p += padded;
	}
	return 1;
}

static uint64_t
ng_time_ns(const struct ng_if *i, uint64_t t)
{
	uint64_t unit = 1, sec, frac;

	if (i->binary) {
		if (i->exp > 63)
			return 0;
		sec = t >> i->exp;
		frac = t - (sec << i->exp);
		return (sec + (uint64_t)i->offset_sec) * 1000000000u + (uint64_t)((unsigned __int128)frac * 1000000000u >> i->exp);
	}
	if (i->exp > 19)
		return 0;
	for (unsigned n = 0; n < i->exp; n++)
		unit *= 10;
	sec = t / unit;
	frac = t % unit;
	return (sec + (uint64_t)i->offset_sec) * 1000000000u + (uint64_t)((unsigned __int128)frac * 1000000000u / unit);
}

/* A packet block in the buffer. 1 filled in, -1 damaged. */
static int
ng_packet(struct sync_pcap *r, uint32_t type, uint32_t len, struct sync_pcap_pkt *pkt, char *err, size_t err_size)
{
	const uint8_t *b = r->buf;
	uint32_t n = 0, off = type == NG_SPB ? 12 : 28;

	if (len < off + 4)
		return fail(err, err_size, "pcapng packet block of %u bytes", len);
	if (type == NG_EPB)
		n = get32(r, b + 8);
	else if (type == NG_OLD_PACKET)
		n = get16(r, b + 8);
	if (n >= r->n_ifs)
		return fail(err, err_size, "pcapng packet of interface %u, which the capture does not describe", n);
	*pkt = (struct sync_pcap_pkt){ .linktype = r->ifs[n].linktype, .data = b + off };
	if (type == NG_SPB) {
		pkt->orig_len = get32(r, b + 8);
		pkt->len = pkt->orig_len;
		if (r->ifs[n].snaplen != 0 && pkt->len > r->ifs[n].snaplen)
			pkt->len = r->ifs[n].snaplen;
		if (pkt->len > len - off - 4)
			pkt->len = len - off - 4;
		return 1;
	}
	pkt->time_ns = ng_time_ns(&r->ifs[n], (uint64_t)get32(r, b + 12) << 32 | get32(r, b + 16));
	pkt->len = get32(r, b + 20);
	pkt->orig_len = get32(r, b + 24);
	return pkt->len <= len - off - 4 ? 1 : fail(err, err_size, "pcapng packet longer than its block");
}

static int
ng_next(struct sync_pcap *r, struct sync_pcap_pkt *pkt, char *err, size_t err_size)
{
	for (;;) {
		uint32_t type, len;
		size_t have = 8;
		int rc = fill(r, 0, have, err, err_size);

		if (rc <= 0)
			return rc;
		type = get32(r, r->buf);
		if (type == NG_SHB) { /* its length is in the order that it is about to tell */
			if (fill(r, have, 4, err, err_size) <= 0 || ng_section(r, r->buf + 8, err, err_size) < 0)
				return -1;
			have = 12;
		}
		if (ng_block(r, have, &len, err, err_size) <= 0)
			return -1;
		if (type == NG_IDB && ng_interface(r, len, err, err_size) < 0)
			return -1;
		if (type == NG_EPB || type == NG_SPB || type == NG_OLD_PACKET)
			return ng_packet(r, type, len, pkt, err, err_size);
	}
}

int
sync_pcap_next(struct sync_pcap *r, struct sync_pcap_pkt *pkt, char *err, size_t err_size)
{
	uint32_t frac;
	int rc;

	if (r->ng)
		return ng_next(r, pkt, err, err_size);
	if ((rc = fill(r, 0, 16, err, err_size)) <= 0)
		return rc;
	frac = get32(r, r->buf + 4);
	*pkt = (struct sync_pcap_pkt){ .time_ns = get32(r, r->buf) * 1000000000ull + (r->nanoseconds ? frac : frac * 1000ull),
		.len = get32(r, r->buf + 8), .orig_len = get32(r, r->buf + 12), .linktype = r->linktype };
	if (pkt->len > BLOCK_MAX)
		return fail(err, err_size, "packet of %u bytes: the capture is damaged", pkt->len);
	if (pkt->len != 0 && fill(r, 16, pkt->len, err, err_size) <= 0)
		return -1;
	pkt->data = r->buf + 16;
	return 1;
}

static enum sync_link
ethertype(const uint8_t *p, size_t len, size_t type_off, size_t *off)
{
	for (unsigned n = 0; n <= VLANS_MAX && len >= type_off + 2; n++, type_off += 4) {
		unsigned type = sync_get16(p + type_off);

		if (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD)
			continue;
		*off = type_off + 2;
		return type == ETHERTYPE_IP || type == ETHERTYPE_IPV6 ? SYNC_LINK_IP : SYNC_LINK_OTHER;
	}
	return SYNC_LINK_OTHER;
}

enum sync_link
sync_link_find(uint16_t linktype, const uint8_t *p, size_t len, size_t *off)
{
	*off = 0;
	switch (linktype) {
	case LINK_ETHERNET:
		return ethertype(p, len, 12, off);
	case LINK_SLL:
		if (len < 16)
			return SYNC_LINK_OTHER;
		if (ethertype(p, len, 14, off) == SYNC_LINK_OTHER)
			return SYNC_LINK_OTHER;
		return SYNC_LINK_IP;
	case LINK_SLL2: {
		unsigned type;

		if (len < 20)
			return SYNC_LINK_OTHER;
		type = sync_get16(p);
		if (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) /* the tag begins the payload */
			return ethertype(p, len, 22, off);
		*off = 20;
		return type == ETHERTYPE_IP || type == ETHERTYPE_IPV6 ? SYNC_LINK_IP : SYNC_LINK_OTHER;
	}
	case LINK_NULL:
	case LINK_LOOP:
		*off = 4;
		return len > 4 ? SYNC_LINK_IP : SYNC_LINK_OTHER;
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		return SYNC_LINK_IP;
	case LINK_PFSYNC_OPENBSD:
	case LINK_PFSYNC_FREEBSD:
	case LINK_PFSYNC:
		/* OpenBSD puts the IP header there too. */
		return len > 0 && (p[0] >> 4 == 4 || p[0] >> 4 == 6) ? SYNC_LINK_IP : SYNC_LINK_PFSYNC;
	}
	return SYNC_LINK_UNKNOWN;
}
