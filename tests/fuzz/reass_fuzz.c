/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any sequence of fragments, clocks and settings. Input: operations of 8 bytes: kind, id, offset (2), length (2), flags,
 * bytes of the data. Aborts when a reassembled packet is not what its header says, does not come back whole after it is
 * cut again, or a buffer is lost.
 */
#include <netinet/in.h>
#include <stdint.h>

#include "fastpath/parse.h"
#include "fastpath/reass.h"
#include "../unit/mbufs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct op { uint8_t kind, id, off[2], len[2], flags, fill; };

#define MORE 1
#define V6 2
#define DF 4
#define OPTS 8
#define SEGMENTS 16

static uint32_t
frame(const struct op *o, uint8_t *b)
{
	uint32_t off = (o->off[0] << 8 | o->off[1]) & 0xfff8, len = (o->len[0] << 8 | o->len[1]) % 2000, n;
	bool v6 = o->flags & V6;
	unsigned opts = o->flags & OPTS ? 8 : 0;

	if (v6) {
		uint8_t h[48] = { 0x60, [4] = (8 + opts + len) >> 8, (8 + opts + len), opts ? IPPROTO_DSTOPTS : IPPROTO_FRAGMENT, 64,
			[23] = 1, [39] = 2, [40] = IPPROTO_FRAGMENT };
		uint8_t f[8] = { o->kind & 0x80 ? IPPROTO_UDP : IPPROTO_DSTOPTS, 0, off >> 8, off | (o->flags & MORE), [7] = o->id };

		memcpy(b, h, 48);
		n = 40 + opts;
		memcpy(b + n, f, 8);
		n += 8;
	} else {
		uint16_t word = off / 8 | (o->flags & MORE ? 0x2000 : 0) | (o->flags & DF ? 0x4000 : 0), sum;
		uint8_t h[28] = { 0x45 + opts / 4, [5] = o->id, word >> 8, word, 64, o->kind & 0x80 ? IPPROTO_UDP : IPPROTO_TCP, [15] = 1,
			[19] = 2, 1, 1, 1, 1, 1, 1, 1, 1 };

		h[2] = (20 + opts + len) >> 8;
		h[3] = 20 + opts + len;
		sum = fp_ip4_cksum(h, 20 + opts);
		memcpy(h + 10, &sum, 2);
		n = 20 + opts;
		memcpy(b, h, n);
	}
	memset(b + n, o->fill, len);
	return n + len;
}

/* Cut it, put it together again, compare. */
static void
round_trip(struct fp_pkt *p, uint8_t fill)
{
	static uint8_t before[70000], after[70000];
	static struct rte_mbuf *out[FP_FRAGMENT_MAX];
	struct fp_reass_conf conf = { .max_frags = FP_FRAGMENT_MAX, .timeout_sec = 60 };
	struct fp_reass *r;
	struct fp_pkt q;
	uint32_t len = mb_bytes(p->m, before, sizeof(before));
	enum fp_drop d;
	uint8_t af = p->af;
	int n, i;

	if (len != p->ip_len || p->l2_len != 0)
		abort();
	n = fp_fragment(p, 600 + fill, mb_pool, NULL, out, FP_FRAGMENT_MAX, 1);
	if (n < 0) {
		if (af == FP_AF_INET || p->frag_size >= p->frag_hdr_len + 16)
			abort();
		rte_pktmbuf_free(p->m);
		return;
	}
	r = fp_reass_create(&conf, SOCKET_ID_ANY);
	if (r == NULL)
		abort();
	for (i = 0; i < n; i++) {
		memset(&q, 0, sizeof(q));
		q.m = out[i];
		if (fp_parse_ip(&q, 0, af) != FP_D_NONE)
			abort();
		if (fp_parse_l4(&q) != FP_D_NONE || !(q.flags & FP_PF_FRAGMENT)) { /* its headers do not bear a look: that is all */
			rte_pktmbuf_free(q.m);
			continue;
		}
		switch (fp_reass_input(r, &q, 0, &d)) {
		case FP_REASS_HELD:
			break;
		case FP_REASS_DONE:
			if (i != n - 1 || mb_bytes(q.m, after, sizeof(after)) != len || memcmp(before, after, len) != 0)
				abort();
			rte_pktmbuf_free(q.m);
			break;
		default:
			rte_pktmbuf_free(q.m);
		}
	}
	fp_reass_destroy(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t b[2200];
	struct fp_reass_conf conf = { .max_frags = 50, .timeout_sec = 60 };
	struct fp_reass *r;
	uint32_t now = 0;
	unsigned limit, overlap;

	if (mb_setup(2047, 2400) != 0)
		abort();
	r = fp_reass_create(&conf, SOCKET_ID_ANY);
	if (r == NULL)
		abort();
	for (; size >= sizeof(struct op); data += sizeof(struct op), size -= sizeof(struct op)) {
		struct fp_pkt p = { 0 };
		uint32_t n, cut;
		enum fp_drop d;
		struct op o;

		memcpy(&o, data, sizeof(o));
		switch (o.kind & 0x1f) {
		case 29:
			now += o.len[1];
			continue;
		case 30:
			fp_reass_expire(r, now, o.id);
			continue;
		case 31:
			conf.max_frags = o.len[1] + 1;
			conf.no_df = o.flags & DF;
			conf.off = o.fill == 255;
			fp_reass_configure(r, &conf);
			continue;
		}
		n = frame(&o, b);
		cut = 1 + o.fill;
		p.m = mb_split(b, n, &cut, o.flags & SEGMENTS ? 1 : 0, o.kind & 0x20);
		d = fp_parse_ip(&p, 0, o.flags & V6 ? FP_AF_INET6 : FP_AF_INET);
		if (d == FP_D_NONE)
			d = fp_parse_l4(&p);
		if (d != FP_D_NONE || !(p.flags & FP_PF_FRAGMENT)) {
			rte_pktmbuf_free(p.m);
			continue;
		}
		switch (fp_reass_input(r, &p, now, &d)) {
		case FP_REASS_HELD:
			break;
		case FP_REASS_DONE:
			round_trip(&p, o.fill);
			break;
		case FP_REASS_DROP:
		case FP_REASS_PASS:
			rte_pktmbuf_free(p.m);
		}
		if (fp_reass_held(r) > conf.max_frags)
			abort();
	}
	fp_reass_lost(r, &limit, &overlap);
	fp_reass_destroy(r);
	if (mb_in_use() != 0)
		abort();
	return 0;
}
