/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP scenarios as tables: one row a packet, with what tracking must say and what must be stored afterwards. Used by the
 * tracking tests. The first row of a table creates the state.
 */
#ifndef TCP_ROWS_H
#define TCP_ROWS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/counters.h"
#include "fastpath/tcp_track.h"
#include "policy/rule.h"

enum row_what {
	W_PASS,		/* strict */
	W_LOOSE,	/* step E: neither time nor timeout move */
	W_DROP,		/* state-mismatch */
	W_DROP_RST,	/* ... and RST to the sender */
	W_CHALLENGE,
	W_REUSE,
};

#define KEEP UINT8_MAX	/* timeout index of a row: as before */

struct tcp_row {
	char dir;		/* '>' from src, '<' from dst */
	const char *flags;	/* letters of SFRPAUEW */
	uint32_t seq, ack, len;
	uint16_t win;
	int ws;			/* shift of the option or -1 */
	enum row_what what;
	uint8_t src, dst, timeout;	/* afterwards */
	struct { uint32_t lo, hi; uint16_t win; } s, d;	/* afterwards; win 0: not looked at */
};

#define NO_OPT -1

static inline uint8_t
row_flags(const char *p)
{
	static const char letters[] = "FSRPAUEW";
	uint8_t flags = 0;

	for (; *p; p++) {
		const char *l = strchr(letters, *p);

		assert_non_null(l);
		flags |= 1 << (l - letters);
	}
	return flags;
}

static inline struct fp_tcp_seg
row_seg(const struct tcp_row *r)
{
	return (struct fp_tcp_seg){ .seq = r->seq, .ack = r->ack, .len = r->len, .win = r->win, .flags = row_flags(r->flags),
		.wscale = r->ws < 0 ? FP_WSCALE_NONE : FP_WSCALE_SET | r->ws };
}

static inline void
row_stored(const char *table, unsigned i, const struct tcp_row *r, const struct fp_state *st)
{
	const struct fp_peer *s = &st->peer[0], *d = &st->peer[1];
	char is[160], want[160];

	snprintf(is, sizeof(is), "%s row %u: %u:%u timeout %u", table, i, s->state, d->state, st->timeout);
	snprintf(want, sizeof(want), "%s row %u: %u:%u timeout %u", table, i, r->src, r->dst, r->timeout);
	assert_string_equal(is, want);
	if (r->s.win != 0) {
		snprintf(is, sizeof(is), "%s row %u src: [%u + %u] %u", table, i, s->seqlo, s->seqhi, s->max_win);
		snprintf(want, sizeof(want), "%s row %u src: [%u + %u] %u", table, i, r->s.lo, r->s.hi, r->s.win);
		assert_string_equal(is, want);
	}
	if (r->d.win != 0) {
		snprintf(is, sizeof(is), "%s row %u dst: [%u + %u] %u", table, i, d->seqlo, d->seqhi, d->max_win);
		snprintf(want, sizeof(want), "%s row %u dst: [%u + %u] %u", table, i, r->d.lo, r->d.hi, r->d.win);
		assert_string_equal(is, want);
	}
}

/* The time of row i is 100 + i seconds. */
static inline void
rows_run(const char *table, const struct tcp_row *rows, unsigned n, bool sloppy, struct fp_state *st)
{
	memset(st, 0, sizeof(*st));
	for (unsigned i = 0; i < n; i++) {
		struct tcp_row r = rows[i];
		struct fp_tcp_seg seg = row_seg(&r);
		uint32_t now = 100 + i, last = st->last_sec;
		struct fp_track_out out;
		enum fp_verdict v;
		bool drop, rev = r.dir == '<';

		if (r.timeout == KEEP)
			r.timeout = st->timeout;
		if (i == 0) {
			fp_tcp_create(st, &seg, now, 0);
			row_stored(table, i, &r, st);
			continue;
		}
		v = sloppy ? fp_tcp_track_sloppy(st, rev, &seg, now, &out) : fp_tcp_track(st, rev, &seg, now, 0x5eed, &out);
		drop = r.what == W_DROP || r.what == W_DROP_RST || r.what == W_CHALLENGE;
		if (v != (drop ? FP_V_DROP : r.what == W_REUSE ? FP_V_NO_STATE : FP_V_PASS))
			fail_msg("%s row %u: verdict %d", table, i, v);
		if (out.loose != (r.what == W_LOOSE) || out.send_challenge != (r.what == W_CHALLENGE) ||
		    out.send_rst != (r.what == W_DROP_RST))
			fail_msg("%s row %u: loose %u challenge %u rst %u", table, i, out.loose, out.send_challenge, out.send_rst);
		assert_int_equal(out.reason, r.what == W_DROP || r.what == W_DROP_RST ? FP_R_STATE_MISMATCH : FP_R_NONE);
		assert_int_equal(out.modulate, 0);
		assert_int_equal(st->last_sec, r.what == W_PASS ? now : last);
		row_stored(table, i, &r, st);
	}
}

#define ROWS(rows, sloppy, st) rows_run(#rows, rows, sizeof(rows) / sizeof((rows)[0]), sloppy, st)

#endif
