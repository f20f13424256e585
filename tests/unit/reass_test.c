/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly against a model that knows bytes only: random pieces, orders, copies and overlaps of both families; then the
 * single rules, limits and the way out.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fastpath/parse.h"
#include "fastpath/reass.h"
#include "mbufs.h"

#define L2 14
#define V4 FP_AF_INET
#define V6 FP_AF_INET6
#define MAX_DATA 66000

static struct fp_reass *
make(uint32_t max_frags, bool no_df, bool off)
{
	struct fp_reass_conf conf = { .max_frags = max_frags, .timeout_sec = 60, .no_df = no_df, .off = off };
	struct fp_reass *r = fp_reass_create(&conf, SOCKET_ID_ANY);

	assert_non_null(r);
	return r;
}

/* ---- frames */

struct frag {
	uint8_t af, proto, ttl, tos, host;
	uint32_t id, off, len;
	bool more, df;
	uint8_t opts;		/* v4: bytes of NOP options; v6: bytes of destination options before the fragment header */
	const uint8_t *data;
};

static uint32_t
frame(const struct frag *f, uint8_t *b)
{
	uint32_t n = L2;

	memset(b, 0, L2);
	if (f->af == V4) {
		uint16_t word = f->off / 8 | (f->more ? 0x2000 : 0) | (f->df ? 0x4000 : 0), sum;
		uint32_t total = 20 + f->opts + f->len;
		uint8_t h[20] = { 0x45 + f->opts / 4, f->tos, total >> 8, total, f->id >> 8, f->id, word >> 8, word, f->ttl,
			f->proto, 0, 0, 10, 0, 0, f->host, 10, 0, 1, 1 };

		memcpy(b + n, h, 20);
		memset(b + n + 20, 1, f->opts);
		sum = fp_ip4_cksum(b + n, 20 + f->opts);
		memcpy(b + n + 10, &sum, 2);
		n += 20 + f->opts;
	} else {
		uint32_t plen = f->opts + 8 + f->len;
		uint8_t h[40] = { 0x60 | f->tos >> 4, f->tos << 4, 0, 0, plen >> 8, plen, f->opts ? 60 : 44, f->ttl, 0xfd,
			[23] = f->host, [24] = 0xfd, [39] = 9 };
		uint32_t word = f->off | f->more;
		uint8_t fh[8] = { f->proto, 0, word >> 8, word, f->id >> 24, f->id >> 16, f->id >> 8, f->id };

		memcpy(b + n, h, 40);
		n += 40;
		if (f->opts) {
			memset(b + n, 0, f->opts);
			b[n] = 44;
			b[n + 1] = f->opts / 8 - 1;
			n += f->opts;
		}
		memcpy(b + n, fh, 8);
		n += 8;
	}
	memcpy(b + n, f->data, f->len);
	return n + f->len;
}

static enum fp_reass_verdict
feed_bytes(struct fp_reass *r, struct fp_pkt *p, uint8_t af, struct rte_mbuf *m, uint32_t now, enum fp_drop *d)
{
	enum fp_reass_verdict v;

	memset(p, 0, sizeof(*p));
	p->m = m;
	*d = fp_parse_ip(p, L2, af);
	assert_int_equal(*d, FP_D_NONE);
	*d = fp_parse_l4(p);
	assert_int_equal(*d, FP_D_NONE);
	assert_true(p->flags & FP_PF_FRAGMENT);
	v = fp_reass_input(r, p, now, d);
	if (v == FP_REASS_DROP) {
		assert_int_not_equal(*d, FP_D_NONE);
		rte_pktmbuf_free(p->m);
	} else {
		assert_int_equal(*d, FP_D_NONE);
	}
	return v;
}

static enum fp_reass_verdict
feed(struct fp_reass *r, struct fp_pkt *p, const struct frag *f, uint32_t now, enum fp_drop *d)
{
	static uint8_t b[MAX_DATA + 200];
	uint32_t n = frame(f, b), cuts[40], n_cuts = 0, at = 0;

	/* in as many segments as it needs, sometimes in more */
	while (n_cuts < 4 && rand() % 3 == 0)
		cuts[n_cuts++] = at += 1 + rand() % 60;
	while (at + 2000 < n)
		cuts[n_cuts++] = at += 2000;
	return feed_bytes(r, p, f->af, mb_split(b, n, cuts, n_cuts, rand() & 1), now, d);
}

/* ---- the model */

struct model {
	bool v6, ended;
	uint32_t total, max_len, n;
	bool have[MAX_DATA];
	uint32_t start[MAX_DATA];
	uint8_t data[MAX_DATA];
	uint8_t ttl, tos;
};

static void
model_reset(struct model *o, bool v6)
{
	memset(o, 0, sizeof(*o));
	o->v6 = v6;
}

/* What must become of f. */
static enum fp_reass_verdict
model_input(struct model *o, const struct frag *f, enum fp_reason *reason)
{
	uint32_t at = f->off, end = f->off + f->len, b;
	bool bad;

	*reason = FP_R_FRAGMENT;
	if (f->len == 0 || (f->more && f->len % 8 != 0) || end > 65535)
		return FP_REASS_DROP;
	if (o->n > 0) {
		o->max_len = RTE_MAX(o->max_len, f->len);
		bad = (end < o->total && !f->more) || (o->ended && (end > o->total || (end == o->total && f->more))) ||
			(!o->ended && end == o->total && !f->more);
		for (b = at; o->v6 && b < end; b++)
			bad |= o->have[b];
		if (bad) {
			if (o->v6)
				model_reset(o, true);
			return FP_REASS_DROP;
		}
		/* what the piece that begins before or at the new one has already */
		while (at < end && o->have[at] && o->start[at] <= f->off)
			at++;
		if (at == end) {
			*reason = FP_R_NONE;
			return FP_REASS_DROP;
		}
	} else {
		o->max_len = f->len;
	}
	for (b = at; b < end; b++) {
		o->have[b] = true;
		o->start[b] = at;
		o->data[b] = f->data[b - f->off];
	}
	for (; b < o->total && o->have[b] && o->start[b] < end; b++)
		o->start[b] = end;
	if (at == 0) {
		o->ttl = f->ttl;
		o->tos = f->tos;
	}
	o->n++;
	o->total = RTE_MAX(o->total, end);
	o->ended |= !f->more;
	for (b = 0; b < o->total; b++)
		if (!o->have[b])
			return FP_REASS_HELD;
	return o->ended ? FP_REASS_DONE : FP_REASS_HELD;
}

static struct model model;

static void
check_done(struct fp_pkt *p, const struct frag *any)
{
	static uint8_t out[MAX_DATA + 200];
	uint32_t hdr = any->af == V4 ? 20 + any->opts : 40 + any->opts, n = mb_bytes(p->m, out, sizeof(out));

	assert_int_equal(p->ip_len, hdr + model.total);
	assert_int_equal(n, L2 + p->ip_len);
	assert_memory_equal(out + L2 + hdr, model.data, model.total);
	assert_ptr_equal(p->l3, rte_pktmbuf_mtod_offset(p->m, uint8_t *, L2));
	assert_int_equal(p->ttl, model.ttl);
	assert_int_equal(p->tos, model.tos);
	assert_true(p->m->data_len >= L2 + hdr);
	if (any->af == V4) {
		assert_int_equal(fp_ip4_cksum(out + L2, hdr), 0);
		assert_int_equal(out[L2 + 2] << 8 | out[L2 + 3], p->ip_len);
		assert_int_equal(out[L2 + 6] | out[L2 + 7], 0);
		assert_int_equal(out[L2 + 8], model.ttl);
	} else {
		assert_int_equal(out[L2 + 4] << 8 | out[L2 + 5], p->ip_len - 40);
		assert_int_equal(out[L2 + (any->opts ? 40 : 6)], any->proto);
		assert_true(p->flags & FP_PF_REASSEMBLED);
		assert_int_equal(p->frag_hdr_len, hdr);
		assert_int_equal(p->frag_size, hdr + 8 + model.max_len);
		assert_int_equal(p->frag_id, any->id);
	}
	/* protocol 99: nothing is asked of its content */
	assert_int_equal(fp_parse_l4(p), FP_D_NONE);
	assert_false(p->flags & FP_PF_FRAGMENT);
	rte_pktmbuf_free(p->m);
}

#define MAX_PIECES 48

/* A packet of random length, cut at random, some pieces again or overlapping, in random order. */
static void
random_packet(struct fp_reass *r, uint8_t af, uint32_t id, unsigned disorder)
{
	static uint8_t noise[1 << 17];
	struct frag f[MAX_PIECES];
	uint32_t total = 1 + rand() % (rand() % 20 == 0 ? 60000 : 4000), at = 0, n = 0, i;
	uint32_t step = 8 + total / 16;
	uint8_t opts = rand() & 1 ? (af == V4 ? 4 * (rand() % 4) : 8 * (rand() % 2)) : 0;
	bool v6 = af == V6;

	for (i = 0; i < 64; i++)
		noise[rand() % sizeof(noise)] = rand();
	while (at < total && n < MAX_PIECES / 2) {
		uint32_t len = 8 * (1 + rand() % (step / 4));

		len = RTE_MIN(len, total - at);
		f[n++] = (struct frag){ .off = at, .len = len, .more = at + len < total };
		at += len;
	}
	if (at < total) {
		total = at;
		f[n - 1].more = false;
	}
	while (n < MAX_PIECES && (unsigned)(rand() % 100) < disorder) {
		if (rand() & 1) {
			f[n] = f[rand() % n];
		} else {
			uint32_t off = 8 * (rand() % (total / 8 + 2));

			f[n] = (struct frag){ .off = off, .len = rand() % 10 == 0 ? (uint32_t)rand() % 20 : 8 * (rand() % (step / 2)),
				.more = rand() % 6 != 0 };
		}
		n++;
	}
	for (i = n - 1; i > 0; i--) {
		uint32_t k = rand() % (i + 1);
		struct frag t = f[i];

		f[i] = f[k];
		f[k] = t;
	}
	model_reset(&model, v6);
	for (i = 0; i < n; i++) {
		enum fp_reason reason;
		enum fp_reass_verdict want, got;
		enum fp_drop d;
		struct fp_pkt p;

		f[i].more |= f[i].off == 0; /* else it is no fragment */
		f[i].af = af;
		f[i].id = id;
		f[i].proto = 99;
		f[i].host = 1;
		f[i].ttl = 1 + rand() % 255;
		f[i].tos = rand();
		f[i].opts = opts;
		f[i].data = noise + rand() % 4096;
		want = model_input(&model, &f[i], &reason);
		got = feed(r, &p, &f[i], 1, &d);
		if (got != want)
			fail_msg("v%d id %u piece %u [%u+%u%s]: verdict %d, model %d", af, id, i, f[i].off, f[i].len,
				f[i].more ? "+" : "", got, want);
		if (got == FP_REASS_DROP)
			assert_int_equal(p.reason, reason);
		if (got == FP_REASS_DONE) {
			check_done(&p, &f[i]);
			model_reset(&model, v6);
		}
	}
	while (fp_reass_expire(r, 1000, 1) > 0)
		;
	assert_int_equal(fp_reass_held(r), 0);
	assert_int_equal(mb_in_use(), 0);
}

static void
test_model(void **state)
{
	struct fp_reass *r = make(512, false, false);
	unsigned i;

	srand(7);
	for (i = 0; i < 1500; i++) {
		random_packet(r, V4, i, i % 3 == 0 ? 0 : 80);
		random_packet(r, V6, i, i % 3 == 0 ? 0 : i % 3 == 1 ? 20 : 80);
	}
	fp_reass_destroy(r);
}

/* ---- single rules */

static const uint8_t zeros[MAX_DATA];

static struct frag
piece(uint8_t af, uint32_t id, uint32_t off, uint32_t len, bool more)
{
	return (struct frag){ .af = af, .proto = 99, .ttl = 64, .host = 1, .id = id, .off = off, .len = len, .more = more, .data = zeros };
}

static void
expect(struct fp_reass *r, struct frag f, enum fp_reass_verdict v, enum fp_drop d, enum fp_reason reason)
{
	struct fp_pkt p;
	enum fp_drop got_d;
	enum fp_reass_verdict got = feed(r, &p, &f, 1, &got_d);

	if (got == FP_REASS_DONE || got == FP_REASS_PASS)
		rte_pktmbuf_free(p.m);
	assert_int_equal(got, v);
	assert_int_equal(got_d, d);
	if (got == FP_REASS_DROP)
		assert_int_equal(p.reason, reason);
}

#define HELD FP_REASS_HELD, FP_D_NONE, FP_R_NONE
#define DONE FP_REASS_DONE, FP_D_NONE, FP_R_NONE
#define PASS FP_REASS_PASS, FP_D_NONE, FP_R_NONE
#define BAD(d) FP_REASS_DROP, FP_D_FRAG_##d, FP_R_FRAGMENT

static void
test_rules4(void **state)
{
	struct fp_reass *r = make(100, false, false);
	struct frag f;

	/* no data, odd length with more to come */
	expect(r, piece(V4, 1, 0, 403, true), BAD(MALFORMED));
	expect(r, piece(V4, 1, 0, 0, true), BAD(MALFORMED));
	expect(r, piece(V4, 1, 400, 0, false), BAD(MALFORMED));
	/* beyond 64 KB */
	expect(r, piece(V4, 1, 65528, 8, false), BAD(MALFORMED));
	assert_int_equal(fp_reass_held(r), 0);
	/* copies are not counted; a copy after completion opens a new queue */
	expect(r, piece(V4, 2, 0, 400, true), HELD);
	expect(r, piece(V4, 2, 0, 400, true), FP_REASS_DROP, FP_D_FRAG_DUPLICATE, FP_R_NONE);
	expect(r, piece(V4, 2, 400, 200, false), DONE);
	expect(r, piece(V4, 2, 400, 200, false), HELD);
	/* other protocol, source, id: other packets */
	f = piece(V4, 2, 0, 400, true);
	f.proto = 98;
	expect(r, f, HELD);
	f = piece(V4, 2, 0, 400, true);
	f.host = 2;
	expect(r, f, HELD);
	expect(r, piece(V4, 3, 0, 400, true), HELD);
	expect(r, piece(V4, 2, 0, 400, true), DONE);
	/* contradictions about the end are refused, the queue lives */
	expect(r, piece(V4, 4, 800, 200, false), HELD);
	expect(r, piece(V4, 4, 800, 208, false), BAD(MALFORMED));
	expect(r, piece(V4, 4, 1000, 8, true), BAD(MALFORMED));
	expect(r, piece(V4, 4, 792, 208, true), BAD(MALFORMED));
	expect(r, piece(V4, 4, 400, 200, false), BAD(MALFORMED));
	expect(r, piece(V4, 4, 0, 800, true), DONE);
	expect(r, piece(V4, 5, 0, 800, true), HELD);
	expect(r, piece(V4, 5, 400, 400, false), BAD(MALFORMED));
	/* DF */
	f = piece(V4, 6, 0, 400, true);
	f.df = true;
	expect(r, f, BAD(DF));
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);

	r = make(100, true, false);
	expect(r, f, HELD);
	f.off = 400;
	f.more = false;
	expect(r, f, DONE);
	fp_reass_destroy(r);

	/* reassembly off: passed on, DF still refused, or cleared */
	r = make(100, false, true);
	expect(r, piece(V4, 7, 0, 403, true), PASS);
	expect(r, piece(V6, 7, 0, 403, true), PASS);
	expect(r, f, BAD(DF));
	fp_reass_destroy(r);
	r = make(100, true, true);
	{
		struct fp_pkt p;
		enum fp_drop d;

		assert_int_equal(feed(r, &p, &f, 1, &d), FP_REASS_PASS);
		assert_int_equal(p.l3[6] & 0x40, 0);
		assert_int_equal(fp_ip4_cksum(p.l3, 20), 0);
		assert_int_equal(p.frag_off, 50);
		rte_pktmbuf_free(p.m);
	}
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

static void
test_rules6(void **state)
{
	struct fp_reass *r = make(100, false, false);
	unsigned by_limit, by_overlap;
	struct frag f;

	expect(r, piece(V6, 1, 0, 800, true), HELD);
	expect(r, piece(V6, 1, 792, 216, false), BAD(OVERLAP));
	fp_reass_lost(r, &by_limit, &by_overlap);
	assert_int_equal(by_overlap, 1);
	assert_int_equal(fp_reass_held(r), 0);
	/* a copy too; what comes later begins anew */
	expect(r, piece(V6, 2, 0, 800, true), HELD);
	expect(r, piece(V6, 2, 0, 800, true), BAD(OVERLAP));
	expect(r, piece(V6, 2, 800, 208, false), HELD);
	expect(r, piece(V6, 2, 0, 800, true), DONE);
	/* the protocol is that of the first piece, and no part of the key */
	f = piece(V6, 3, 800, 208, false);
	f.proto = 17;
	expect(r, f, HELD);
	f = piece(V6, 3, 0, 800, true);
	model_reset(&model, true);
	expect(r, f, DONE);
	/* a single last fragment with offset 0 is atomic and never comes here; one with more is held */
	expect(r, piece(V6, 4, 0, 8, true), HELD);
	expect(r, piece(V6, 5, 0, 7, true), BAD(MALFORMED));
	expect(r, piece(V6, 5, 8, 0, false), BAD(MALFORMED));
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

/* Longest packets: 65535 bytes pass, with a header more they do not and count "short". */
static void
test_longest(void **state)
{
	struct fp_reass *r = make(100, false, false);
	struct frag f;
	uint32_t off;

	for (off = 0; off + 1480 < 65515; off += 1480)
		expect(r, piece(V4, 1, off, 1480, true), HELD);
	expect(r, piece(V4, 1, off, 65515 - off, false), DONE);
	for (off = 0; off + 1480 < 65516; off += 1480)
		expect(r, piece(V4, 2, off, 1480, true), HELD);
	expect(r, piece(V4, 2, off, 65516 - off, false), FP_REASS_DROP, FP_D_FRAG_MALFORMED, FP_R_SHORT);
	assert_int_equal(fp_reass_held(r), 0);
	for (off = 0; off + 1480 < 65535; off += 1480)
		expect(r, piece(V6, 3, off, 1480, true), HELD);
	expect(r, piece(V6, 3, off, 65535 - off, false), DONE);
	for (off = 0; off + 1480 < 65535; off += 1480) {
		f = piece(V6, 4, off, 1480, true);
		f.opts = 8;
		expect(r, f, HELD);
	}
	f = piece(V6, 4, off, 65535 - off, false);
	f.opts = 8;
	expect(r, f, FP_REASS_DROP, FP_D_FRAG_MALFORMED, FP_R_SHORT);
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

/* 64 pieces in 4096 bytes are taken, in any order; one more costs the queue. */
static void
test_finely_cut(void **state)
{
	struct fp_reass *r = make(2000, false, false);
	unsigned by_limit, by_overlap, i;

	for (i = 0; i < 64; i++)
		expect(r, piece(V4, 1, 8 * (63 - i), 8, true), HELD);
	expect(r, piece(V4, 1, 512, 8, true), BAD(LIMIT));
	fp_reass_lost(r, &by_limit, &by_overlap);
	assert_int_equal(by_overlap, 64);
	assert_int_equal(fp_reass_held(r), 0);
	for (i = 0; i < 1023; i++) /* 64 bytes each: 64 in each window */
		expect(r, piece(V4, 2, 64 * ((i * 7) % 1023), 64, true), HELD);
	expect(r, piece(V4, 2, 64 * 1023, 40, false), DONE);
	assert_int_equal(fp_reass_held(r), 0);
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

static void
test_limit_and_expiry(void **state)
{
	struct fp_reass_conf conf = { .max_frags = 4, .timeout_sec = 30 };
	struct fp_reass *r = make(4, false, false);
	unsigned by_limit, by_overlap, i;
	struct fp_pkt p;
	enum fp_drop d;
	struct frag f;

	/* the oldest queue goes, with all it has */
	expect(r, piece(V4, 1, 0, 8, true), HELD);
	expect(r, piece(V4, 2, 0, 8, true), HELD);
	expect(r, piece(V4, 1, 16, 8, true), HELD);
	expect(r, piece(V4, 3, 0, 8, true), HELD);
	expect(r, piece(V4, 4, 0, 8, true), HELD);
	fp_reass_lost(r, &by_limit, &by_overlap);
	assert_int_equal(by_limit, 2);
	assert_int_equal(fp_reass_held(r), 3);
	expect(r, piece(V4, 2, 8, 8, false), DONE);
	/* 1 begins anew */
	expect(r, piece(V4, 1, 8, 8, false), HELD);
	assert_int_equal(fp_reass_held(r), 3);

	/* more room keeps what is there; less gives up the oldest */
	conf.max_frags = 100;
	fp_reass_configure(r, &conf);
	for (i = 10; i < 60; i++)
		expect(r, piece(V6, i, 0, 8, true), HELD);
	expect(r, piece(V4, 3, 8, 8, false), DONE);
	expect(r, piece(V4, 4, 8, 8, false), DONE);
	expect(r, piece(V4, 1, 0, 8, true), DONE);
	conf.max_frags = 10;
	fp_reass_configure(r, &conf);
	assert_int_equal(fp_reass_held(r), 10);
	expect(r, piece(V6, 59, 8, 8, false), DONE);
	fp_reass_lost(r, &by_limit, &by_overlap);
	assert_int_equal(by_limit, 41); /* 40 and one for the room of the last piece */

	/* expiry by age of the queue, bounded */
	assert_int_equal(fp_reass_held(r), 8);
	assert_int_equal(fp_reass_expire(r, 30, 100), 0);
	f = piece(V4, 9, 0, 8, true);
	assert_int_equal(feed(r, &p, &f, 25, &d), FP_REASS_HELD);
	assert_int_equal(fp_reass_expire(r, 31, 3), 3);
	assert_int_equal(fp_reass_expire(r, 31, 100), 5);
	assert_int_equal(fp_reass_held(r), 1);
	assert_int_equal(fp_reass_expire(r, 54, 100), 0);
	assert_int_equal(fp_reass_expire(r, 55, 100), 1);
	fp_reass_destroy(r);
	fp_reass_destroy(NULL);
	assert_int_equal(mb_in_use(), 0);
}

/* A TCP header with options over fragments of 8 bytes becomes contiguous. */
static void
test_tiny_header(void **state)
{
	struct fp_reass *r = make(100, false, false);
	uint8_t tcp[72] = { 0x9c, 0x41, 0, 80, [12] = 0xf0, 0x02, [60] = 'd' };
	uint32_t off;

	for (off = 0; off < sizeof(tcp); off += 8) {
		struct frag f = piece(V4, 1, off, 8, off + 8 < sizeof(tcp));
		struct fp_pkt p;
		enum fp_drop d;

		f.proto = IPPROTO_TCP;
		f.data = tcp + off;
		if (f.more) {
			expect(r, f, HELD);
			continue;
		}
		assert_int_equal(feed(r, &p, &f, 1, &d), FP_REASS_DONE);
		assert_int_equal(fp_parse_l4(&p), FP_D_NONE);
		assert_int_equal(p.l4_hlen, 60);
		assert_int_equal(p.tcp_flags, 2);
		assert_true(p.m->data_len >= L2 + 20 + 60);
		assert_memory_equal(p.l3 + 20, tcp, 60);
		rte_pktmbuf_free(p.m);
	}
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

/* ---- the way out */

static void
whole4(struct fp_pkt *p, uint32_t len, const char *opts_hex, uint8_t *keep)
{
	static uint8_t b[MAX_DATA];
	uint32_t cuts[64], n_cuts = 0, at = 0, hlen, i;
	uint16_t sum;

	memset(b, 0, 80);
	hlen = 20 + mb_hex(opts_hex, b + L2 + 20);
	b[L2] = 0x40 | hlen / 4;
	b[L2 + 1] = 0x20;
	b[L2 + 2] = len >> 8;
	b[L2 + 3] = len;
	b[L2 + 4] = 0xab;
	b[L2 + 5] = 0xcd;
	b[L2 + 8] = 64;
	b[L2 + 9] = 99;
	memcpy(b + L2 + 12, "\12\0\0\1\12\0\1\1", 8);
	sum = fp_ip4_cksum(b + L2, hlen);
	memcpy(b + L2 + 10, &sum, 2);
	for (i = L2 + hlen; i < L2 + len; i++)
		b[i] = rand();
	while (n_cuts < 64 && L2 + len - at > 2000)
		cuts[n_cuts++] = at += 1000 + rand() % 1000;
	memset(p, 0, sizeof(*p));
	p->m = mb_split(b, L2 + len, cuts, n_cuts, false);
	assert_int_equal(fp_parse_ip(p, L2, V4), FP_D_NONE);
	assert_int_equal(fp_parse_l4(p), FP_D_NONE);
	memcpy(keep, b + L2, len);
}

/* Put an Ethernet header's room in front of a piece, as a frame that comes in. */
static struct rte_mbuf *
as_frame(struct rte_mbuf *m)
{
	assert_non_null(rte_pktmbuf_prepend(m, L2));
	memset(rte_pktmbuf_mtod(m, void *), 0, L2);
	return m;
}

static void
test_cut4(void **state)
{
	static uint8_t keep[MAX_DATA], out[MAX_DATA];
	struct fp_reass *r = make(2000, false, false);
	struct rte_mbuf *pieces[FP_FRAGMENT_MAX];
	unsigned round;

	srand(3);
	for (round = 0; round < 300; round++) {
		uint32_t len = 100 + rand() % (round % 10 == 0 ? 65000 : 9000), mtu = 150 + rand() % (round & 1 ? 1500 : 9000);
		struct fp_pkt p;
		enum fp_drop d;
		int n, i, k;

		if (len > 9000)
			mtu += 400;
		whole4(&p, len, "", keep);
		n = fp_fragment(&p, mtu, mb_pool, NULL, pieces, FP_FRAGMENT_MAX, 0);
		assert_true(n >= 1);
		for (i = 0; i < n; i++) {
			uint8_t *h = rte_pktmbuf_mtod(pieces[i], uint8_t *);

			assert_true(pieces[i]->pkt_len <= mtu);
			assert_int_equal(fp_ip4_cksum(h, 20), 0);
			assert_int_equal(h[4] << 8 | h[5], 0xabcd);
			assert_true(rte_pktmbuf_headroom(pieces[i]) >= 22);
		}
		if (n == 1) {
			rte_pktmbuf_free(pieces[0]);
			continue;
		}
		for (i = n - 1; i >= 0; i--) { /* backwards, and each cut once more */
			struct fp_pkt q = { .m = as_frame(pieces[i]) };
			struct rte_mbuf *smaller[64];

			assert_int_equal(fp_parse_ip(&q, L2, V4), FP_D_NONE);
			k = fp_fragment(&q, RTE_MAX(q.ip_len / 4, 150u), mb_pool, NULL, smaller, 64, 0);
			assert_true(k >= 1);
			while (--k >= 0) {
				enum fp_reass_verdict v = feed_bytes(r, &p, V4, as_frame(smaller[k]), 1, &d);

				assert_int_equal(v, i == 0 && k == 0 ? FP_REASS_DONE : FP_REASS_HELD);
			}
		}
		assert_int_equal(mb_bytes(p.m, out, sizeof(out)), L2 + len);
		assert_memory_equal(out + L2, keep, len);
		rte_pktmbuf_free(p.m);
	}
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

static void
test_cut4_options(void **state)
{
	static uint8_t keep[MAX_DATA];
	struct rte_mbuf *pieces[8];
	struct fp_pkt p;
	uint8_t *h;
	int n;

	/* record route stays in the first, NOP and loose source route (copy bit) go into all */
	whole4(&p, 32 + 2000, "07 07 04 00000000 01 83 03 04 00", keep);
	n = fp_fragment(&p, 1500, mb_pool, NULL, pieces, 8, 0);
	assert_int_equal(n, 2);
	h = rte_pktmbuf_mtod(pieces[0], uint8_t *);
	assert_int_equal(h[0], 0x48);
	assert_int_equal(pieces[0]->pkt_len, 32 + 1464);
	assert_memory_equal(h + 20, keep + 20, 12);
	h = rte_pktmbuf_mtod(pieces[1], uint8_t *);
	assert_int_equal(h[0], 0x46);
	assert_int_equal(h[6] << 8 | h[7], 1464 / 8);
	assert_memory_equal(h + 20, "\x01\x83\x03\x04", 4);
	assert_int_equal(fp_ip4_cksum(h, 24), 0);
	assert_memory_equal(h + 24, keep + 32 + 1464, 2000 - 1464);
	rte_pktmbuf_free_bulk(pieces, n);

	/* too small an MTU, too few places, no buffers: refused, the packet is whole */
	whole4(&p, 3000, "", keep);
	assert_int_equal(fp_fragment(&p, 27, mb_pool, NULL, pieces, 8, 0), -1);
	assert_int_equal(fp_fragment(&p, 68, mb_pool, NULL, pieces, 8, 0), -1);
	{
		struct rte_mempool *tiny = rte_pktmbuf_pool_create("tiny", 3, 0, 0, 600, SOCKET_ID_ANY);

		assert_non_null(tiny);
		assert_int_equal(fp_fragment(&p, 1500, tiny, NULL, pieces, 8, 0), -1);
		assert_int_equal(rte_mempool_in_use_count(tiny), 0);
		rte_mempool_free(tiny);
	}
	assert_int_equal(p.m->pkt_len, L2 + 3000);
	rte_pktmbuf_free(p.m);
	assert_int_equal(mb_in_use(), 0);
}

/* What came in pieces leaves in pieces of the largest size, with a new id, and is the same packet at the other end. */
static void
test_cut6(void **state)
{
	static uint8_t noise[9000], out[MAX_DATA], again[MAX_DATA];
	struct fp_reass *r = make(2000, false, false);
	struct rte_mbuf *pieces[FP_FRAGMENT_MAX];
	unsigned round, i;

	srand(5);
	for (i = 0; i < sizeof(noise); i++)
		noise[i] = rand();
	for (round = 0; round < 200; round++) {
		uint32_t total = 16 + rand() % 8000, at = 0, max_len = 0, n_out;
		uint32_t len = 8 * (1 + rand() % 180), opts = round & 1 ? 8 : 0;
		struct fp_pkt p, q;
		enum fp_drop d;
		int n, k;

		len = RTE_MAX(len, total / 500 * 8 + 64);
		for (; at < total; at += len) {
			struct frag f = piece(V6, round, at, RTE_MIN(len, total - at), at + len < total);
			enum fp_reass_verdict v;

			if (at == 0 && !f.more)
				f.len = (f.len - 8) & ~7u, f.more = true, len = f.len; /* not atomic */
			f.opts = opts;
			f.data = noise + at % 500;
			max_len = RTE_MAX(max_len, f.len);
			v = feed(r, &p, &f, 1, &d);
			assert_int_equal(v, f.more ? FP_REASS_HELD : FP_REASS_DONE);
		}
		assert_int_equal(fp_parse_l4(&p), FP_D_NONE);
		mb_bytes(p.m, out, sizeof(out));
		n = fp_fragment(&p, 1280, mb_pool, NULL, pieces, FP_FRAGMENT_MAX, 0x01020304);
		n_out = (total + (max_len & ~7u) - 1) / (max_len & ~7u);
		assert_int_equal(n, n_out);
		for (k = 0; k < n; k++) {
			uint8_t *h = rte_pktmbuf_mtod(pieces[k], uint8_t *);

			assert_true(pieces[k]->pkt_len <= 40 + opts + 8 + max_len);
			assert_int_equal(h[4] << 8 | h[5], pieces[k]->pkt_len - 40);
			assert_int_equal(h[6], opts ? 60 : 44);
			assert_memory_equal(h + 40 + opts + 4, "\4\3\2\1", 4);
			assert_int_equal(h[40 + opts], 99);
		}
		for (k = n - 1; k >= 0; k--)
			assert_int_equal(feed_bytes(r, &q, V6, as_frame(pieces[k]), 1, &d), k == 0 ? FP_REASS_DONE : FP_REASS_HELD);
		assert_int_equal(mb_bytes(q.m, again, sizeof(again)), L2 + 40 + opts + total);
		assert_memory_equal(again + L2, out + L2, 40 + opts + total);
		rte_pktmbuf_free(q.m);
	}
	fp_reass_destroy(r);
	assert_int_equal(mb_in_use(), 0);
}

static int
setup(void **state)
{
	return mb_setup(4095, 2048);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_rules4),
		cmocka_unit_test(test_rules6),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_finely_cut),
		cmocka_unit_test(test_limit_and_expiry),
		cmocka_unit_test(test_tiny_header),
		cmocka_unit_test(test_cut4),
		cmocka_unit_test(test_cut4_options),
		cmocka_unit_test(test_cut6),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
