/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the peer said, on the worker that owns the state: merged into it, removed, joined. One message of the inbox at a
 * time, each a bounded piece of work.
 *
 * Merging is pf's (spec/pfsync-behaviour.md A4) with one difference: nothing moves backwards. pf takes a side that is not
 * stale as a whole, and FreeBSD even one that is; here a window that has gone further stays where it is, whichever side of
 * which message speaks of it. So messages may come late, twice or out of order and do no harm.
 */
#include <netinet/in.h>
#include <string.h>

#include "fastpath/events.h"
#include "fastpath/rules.h"
#include "fastpath/states.h"
#include "fastpath/tcp_track.h"
#include "sync/pair.h"
#include "sync/receive.h"

#define CLR_STEP 256u		/* records a turn */

/* ---- merging */
static uint32_t
seq_max(uint32_t a, uint32_t b)
{
	return FP_SEQ_GT(b, a) ? b : a;
}

/* Side i as a whole: numbers that begin anew. */
static void
take_whole(struct fp_state *st, int i, const struct sync_peer_w *n)
{
	st->peer[i] = (struct fp_peer){ .seqlo = n->seqlo, .seqhi = n->seqhi, .max_win = n->max_win, .state = n->state,
		.wscale = n->wscale };
	st->seqdiff[i] = n->seqdiff;
}

/* How far a side may send, and how much at once: only ever more. */
static void
take_window(struct fp_peer *p, const struct sync_peer_w *n)
{
	p->seqhi = seq_max(p->seqhi, n->seqhi);
	if (n->max_win > p->max_win)
		p->max_win = n->max_win;
}

/* older: the other side's news is behind ours, so this message was written before things that we know. */
static void
take_forward(struct fp_state *st, int i, const struct sync_peer_w *n, bool older)
{
	struct fp_peer *p = &st->peer[i];
	bool next = n->state > p->state;

	p->seqlo = seq_max(p->seqlo, n->seqlo);
	take_window(p, n);
	if (next || !older)
		p->wscale = n->wscale;
	if (n->seqdiff != 0 && (st->seqdiff[i] == 0 || (next && !older)))
		st->seqdiff[i] = n->seqdiff;
	if (next)
		p->state = n->state;
}

static bool
tcp_stale(const struct fp_peer *p, const struct sync_peer_w *n)
{
	return p->state > n->state || (p->state == n->state && FP_SEQ_GT(p->seqlo, n->seqlo));
}

static unsigned
merge_tcp(struct fp_state *st, const struct sync_peer_w n[2], bool twin)
{
	/* through with the proxy: what was said to the client until then is not what counts now */
	bool out_of_proxy = st->peer[0].state >= FP_TCPS_PROXY_SRC && n[0].state < FP_TCPS_PROXY_SRC;
	unsigned stale = 0;

	if (out_of_proxy) {
		take_whole(st, 0, &n[0]);
		take_whole(st, 1, &n[1]);
		return 0;
	}
	stale |= tcp_stale(&st->peer[0], &n[0]) ? SYNC_STALE_SRC : 0;
	stale |= tcp_stale(&st->peer[1], &n[1]) ? SYNC_STALE_DST : 0;
	for (int i = 0; i < 2; i++) {
		if (stale >> i & 1) {
			/*
			 * On asymmetric paths either box has seen what the other has not: this one the end of a side, that one the last
			 * acknowledgement. The correction cannot take that back there, so it has to be taken here. From a twin, which says
			 * nothing that it has not seen; of others stale news are left alone, as by pf.
			 */
			if (twin && n[i].seqlo != 0 && n[i].state >= FP_TCPS_SYN_SENT && st->peer[i].state >= FP_TCPS_SYN_SENT)
				take_window(&st->peer[i], &n[i]);
			continue;
		}
		/* a side that was not heard yet has no numbers that could be ahead */
		if (st->peer[i].seqlo == 0 || st->peer[i].state < FP_TCPS_SYN_SENT)
			take_whole(st, i, &n[i]);
		else
			take_forward(st, i, &n[i], (stale >> !i & 1) != 0);
	}
	return stale;
}

static unsigned
merge_other(struct fp_state *st, const struct sync_peer_w n[2])
{
	unsigned stale = 0;

	for (int i = 0; i < 2; i++) {
		if (n[i].state > FP_OTHERS_MULTIPLE)
			continue;
		if (st->peer[i].state > n[i].state)
			stale |= 1u << i;
		else
			st->peer[i].state = n[i].state;
	}
	return stale;
}

_Static_assert(SYNC_STALE_SRC == 1 && SYNC_STALE_DST == 2, "bits by peer");

unsigned
sync_merge(struct fp_state *st, const struct sync_peer_w n[2], uint8_t timeout, uint32_t now_sec, bool twin)
{
	struct fp_peer before[2];
	uint32_t diff[2] = { st->seqdiff[0], st->seqdiff[1] };
	uint8_t was = st->timeout, src = st->peer[0].state;
	bool tcp = st->key.proto == IPPROTO_TCP;
	unsigned stale;

	memcpy(before, st->peer, sizeof(before));
	stale = tcp ? merge_tcp(st, n, twin) : merge_other(st, n);
	if ((st->seqdiff[0] | st->seqdiff[1]) != 0 && tcp)
		fp_state_flags_set(st, FP_SF_SEQDIFF | FP_SF_SLOW);
	if (stale != (SYNC_STALE_SRC | SYNC_STALE_DST)) {
		/* pf takes the message's. In the life of a state these numbers only rise */
		if (stale != 0 && tcp && st->peer[0].state < FP_TCPS_PROXY_SRC)
			timeout = fp_tcp_timeout(st->peer[0].state, st->peer[1].state);
		if (sync_timeout_fits(st->key.proto, st->key.af, timeout) &&
		    (timeout > was || (src >= FP_TCPS_PROXY_SRC && tcp && st->peer[0].state < FP_TCPS_PROXY_SRC)))
			st->timeout = timeout;
		if ((int32_t)(now_sec - st->last_sec) > 0)
			st->last_sec = now_sec;
	}
	if (memcmp(before, st->peer, sizeof(before)) != 0 || st->timeout != was || diff[0] != st->seqdiff[0] || diff[1] != st->seqdiff[1])
		stale |= SYNC_MOVED;
	return stale;
}

/* ---- finding */
static bool
holds(const struct fp_state *st, int half, uint64_t id, uint32_t creatorid)
{
	return st->halves >> half & 1 && !(st->flags & FP_SF_DEAD) && st->id[half] == id && st->creatorid == creatorid;
}

static struct sync_joined *
joined(struct sync_slice *sl, uint64_t id)
{
	struct sync_receiver *r = sl->s->t.receive;

	return &r->joins[sl->w->id].v[(id * 0x9e3779b97f4a7c15ull) >> 52 & (SYNC_JOINED - 1)];
}

/* The half that the message means, or NULL: it went while the message was on its way. */
static struct fp_state *
target(struct sync_slice *sl, const struct sync_msg_w *m, int half)
{
	const struct fp_table *t = sl->w->table;
	struct fp_state *st = fp_table_record(t, m->index);
	const struct sync_joined *j;

	/* the message may have waited longer than a grace period: what lies there now may be the sync thread's */
	if (fp_table_live(t, m->index) && holds(st, half, m->id[half], m->creatorid))
		return st;
	j = joined(sl, m->id[half]);
	if (j->id != m->id[half] || j->creatorid != m->creatorid)
		return NULL;
	st = fp_table_record(t, j->index);
	return fp_table_live(t, j->index) && holds(st, half, m->id[half], m->creatorid) ? st : NULL;
}

/* Where the half is now: to the sync thread, and for messages that are on their way already. */
static void
place(struct sync_slice *sl, const struct fp_state *st, int half)
{
	uint32_t index = fp_table_index(sl->w->table, st);

	*joined(sl, st->id[half]) = (struct sync_joined){ .id = st->id[half], .creatorid = st->creatorid, .index = index };
	sync_slice_tell(sl, st->id[half], st->creatorid, index);
}

/* ---- updates */
static bool
peer_scrubbed(const struct sync_msg_w *m)
{
	return m->peer[0].scrub_valid || m->peer[1].scrub_valid;
}

/* Timestamps and TTL: a block where there is none yet, and what is newer in it. */
static void
merge_scrub(struct fp_worker *w, struct fp_state *st, const struct sync_msg_w *m, unsigned stale)
{
	struct fp_state_ext *x = fp_state_ext_get(w->table, st);

	if (x == NULL)
		return; /* as without the peer's news: scrubbed from here on, if at all */
	for (int i = 0; i < 2; i++) {
		const struct sync_peer_w *n = &m->peer[i];
		struct fp_scrub *s = &x->scrub[i];

		if (!n->scrub_valid)
			continue;
		if (!s->valid) {
			memset(s, 0, sizeof(*s));
			s->valid = 1;
			s->ttl = n->scrub_ttl;
			s->flags = n->scrub_flags & FP_SCRUB_TIMESTAMP;
			s->ts_mod = n->ts_mod;
		} else if (!(stale >> i & 1)) {
			if (n->scrub_ttl > s->ttl)
				s->ttl = n->scrub_ttl;
			if (n->scrub_flags & FP_SCRUB_TIMESTAMP && !(s->flags & FP_SCRUB_TIMESTAMP)) {
				s->flags |= FP_SCRUB_TIMESTAMP;
				s->ts_mod = n->ts_mod;
			}
		}
	}
	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1)
			fp_state_hflags_set(st, h, FP_HF_SCRUB_TCP);
	fp_state_flags_set(st, FP_SF_SLOW);
}

static bool
may_reanchor(const struct fp_peer *p)
{
	return p->state >= FP_TCPS_ESTABLISHED && p->state <= FP_TCPS_TIME_WAIT;
}

/*
 * The peer sees this flow. Should it come here next it may have moved on since: each side may say once where it stands.
 * Otherwise the peer may be fighting with us for it: what we find out goes to it at once.
 */
static void
fresh_news(struct fp_worker *w, struct fp_state *st, bool moved)
{
	uint16_t arm = 0;

	if (moved && st->key.proto == IPPROTO_TCP)
		arm = (may_reanchor(&st->peer[0]) ? FP_SF_REANCHOR_SRC : 0) | (may_reanchor(&st->peer[1]) ? FP_SF_REANCHOR_DST : 0);
	if (arm != 0) {
		/* the time in which that may happen begins with the first packet that comes here */
		fp_state_flags_clear(st, FP_SF_FIGHT);
		fp_state_flags_set(st, arm);
		return;
	}
	if (st->flags & (FP_SF_REANCHOR_SRC | FP_SF_REANCHOR_DST))
		return;
	fp_state_flags_set(st, FP_SF_FIGHT);
	st->sync_updates = (uint8_t)w->now_sec;
}

/* One record, all of whose halves in `halves` the message speaks of. */
static void
update_record(struct fp_worker *w, struct sync_slice *sl, struct fp_state *st, const struct sync_msg_w *m, unsigned halves)
{
	struct sync_counts *cnt = sync_slice_counts(sl);
	bool twin = __atomic_load_n(&sl->s->marks, __ATOMIC_RELAXED);
	bool was_half_open = fp_state_half_open(st);
	unsigned res;

	if (halves != st->halves) {
		struct fp_state probe = *st;

		/* no news for the one is no news for the other; else each goes its own way from here */
		res = sync_merge(&probe, m->peer, m->timeout, w->now_sec, twin);
		if (res & SYNC_MOVED || peer_scrubbed(m)) {
			int half = halves >> FP_HALF_OUT & 1 ? FP_HALF_OUT : FP_HALF_IN;
			struct fp_state *own = fp_state_part(w, st, half);

			if (own != NULL) {
				fp_count(&w->cnt.totals[FP_T_UNCOUPLED], 1);
				st = own;
			}
		}
	}
	res = sync_merge(st, m->peer, m->timeout, w->now_sec, twin);
	/* either way: a peer may say of a state of ours that was behind the proxy, or before its SYN, that it has sent one */
	if (was_half_open != fp_state_half_open(st))
		fp_half_open_add(w, (was_half_open ? -1 : 1) * __builtin_popcount(st->halves));
	if (st->key.proto == IPPROTO_TCP && peer_scrubbed(m))
		merge_scrub(w, st, m, res);
	for (int i = 0; i < 2; i++)
		if (m->peer[i].mss != 0 && st->flags & FP_SF_EXT)
			fp_state_ext(w->table, st)->mss[i] = m->peer[i].mss;
	fresh_news(w, st, (res & SYNC_MOVED) != 0);
	fp_count(&cnt->updated, (uint64_t)__builtin_popcount(halves));
	if (halves >> FP_HALF_OUT & 1 && st->flags & FP_SF_DEFERRED)
		sync_defer_release(sl, st, false);
	if (res & (SYNC_STALE_SRC | SYNC_STALE_DST)) {
		fp_count(&cnt->cnt[SYNC_CNT_stale], (uint64_t)__builtin_popcount(halves));
		fp_count(&cnt->corrections, 1);
		sync_slice_queue_upd_c(sl, st, halves);
	}
}

static void
update(struct fp_worker *w, struct sync_slice *sl, const struct sync_msg_w *m)
{
	struct fp_state *st[2] = { NULL, NULL };

	for (int h = 0; h < 2; h++)
		if (m->halves >> h & 1) {
			st[h] = target(sl, m, h);
			if (st[h] == NULL)
				fp_count(&sync_slice_counts(sl)->cnt[SYNC_CNT_badstate], 1);
		}
	if (st[0] != NULL && st[0] == st[1]) {
		/* what one record cannot hold for both: pf shifts numbers and timestamps for each half alone */
		if ((m->peer[0].seqdiff | m->peer[1].seqdiff) != 0 || (peer_scrubbed(m) && st[0]->key.proto == IPPROTO_TCP)) {
			struct fp_state *own = fp_state_part(w, st[0], FP_HALF_OUT);

			if (own != NULL && own != st[0]) {
				fp_count(&w->cnt.totals[FP_T_UNCOUPLED], 1);
				st[1] = own;
			}
		}
		if (st[0] == st[1]) {
			update_record(w, sl, st[0], m, FP_HALVES_BOTH);
			return;
		}
	}
	for (int h = 0; h < 2; h++)
		if (st[h] != NULL)
			update_record(w, sl, st[h], m, 1u << h);
}

/* ---- inserts that the sync thread left to us */
/* The filled record is not needed: back to who filled it. */
static void
unused(struct fp_worker *w, struct sync_slice *sl, struct fp_state *st)
{
	struct sync_msg_t m = { .id = SYNC_T_UNUSED, .index = fp_table_index(w->table, st) };

	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1)
			__atomic_fetch_sub(&fp_rule(w->box, st->rule[h])->states_cur, 1, __ATOMIC_RELEASE);
	if (!(st->flags & FP_SF_EXT) && rte_ring_sp_enqueue_elem(sl->outbox, &m, sizeof(m)) == 0)
		return;
	fp_table_alloc_cancel(w->table, st, false);
}

static bool
make_ext(struct fp_worker *w, struct fp_state *st, const struct sync_msg_w *m)
{
	struct fp_state_ext *x = fp_state_ext_get(w->table, st);

	if (x == NULL)
		return false;
	for (int i = 0; i < 2; i++) {
		const struct sync_peer_w *n = &m->peer[i];

		x->mss[i] = n->mss;
		if (n->scrub_valid) {
			x->scrub[i].valid = 1;
			x->scrub[i].ttl = n->scrub_ttl;
			x->scrub[i].flags = n->scrub_flags & FP_SCRUB_TIMESTAMP;
			x->scrub[i].ts_mod = n->ts_mod;
		}
	}
	x->max_mss = m->max_mss;
	x->min_ttl = m->min_ttl;
	x->set_tos = m->set_tos;
	x->scrub_rf = m->scrub_rf;
	memcpy(x->set_prio, m->set_prio, sizeof(x->set_prio));
	return true;
}

/* The record of the other half, if that stands alone and the two are one connection that tracks alike. */
static struct fp_state *
mate(struct fp_worker *w, const struct fp_state *st, int half)
{
	const struct fp_state6 *s6 = (const struct fp_state6 *)st;
	const uint8_t (*addr6)[16] = st->key.af == FP_AF_INET6 ? (const uint8_t (*)[16])s6->addr_lo : NULL;
	bool src_hi = st->flags & FP_SF_SRC_HI;
	struct fp_state *m;

	m = fp_table_find(w->table, &st->key, addr6, fp_state_hash(w->table, st), half == FP_HALF_IN, src_hi, st->ifid[half],
		FP_STATE_NONE);
	if (m == NULL || m->halves != 1u << !half || m->creatorid != st->creatorid || (m->flags ^ st->flags) & FP_SF_LEARNED ||
	    (m->flags | st->flags) & (FP_SF_EXT | FP_SF_SEQDIFF) || m->timeout != st->timeout ||
	    memcmp(m->peer, st->peer, sizeof(m->peer)) != 0 || (m->hflags[!half] ^ st->hflags[half]) & (FP_HF_SLOPPY | FP_HF_SCRUB_TCP))
		return NULL;
	return m;
}

static bool
join(struct fp_worker *w, struct sync_slice *sl, struct fp_state *st, int half)
{
	struct fp_state *m = mate(w, st, half);
	unsigned pos = fp_sync_pos_get(st, half);

	if (m == NULL)
		return false;
	fp_store(&m->id[half], st->id[half]); /* the sync thread may still look for a half that was here before */
	m->rule[half] = st->rule[half];
	m->ifid[half] = st->ifid[half];
	fp_store(&m->hflags[half], st->hflags[half]);
	if (fp_table_add_half(w->table, m, half) != 0)
		return false;
	fp_sync_pos_set(m, half, pos);
	if (st->flags & FP_SF_SLOW)
		fp_state_flags_set(m, FP_SF_SLOW);
	__atomic_fetch_add(&fp_rule(w->box, st->rule[half])->states_cur, 1, __ATOMIC_RELAXED); /* unused() lets one go */
	place(sl, m, half);
	return true;
}

/* pf_state_key_attach(): a finished connection makes room for a new one on its addresses and ports. */
static bool
superseded(const struct fp_state *st, int half)
{
	return st->hflags[half] & FP_HF_PURGE || (st->key.proto == IPPROTO_TCP &&
		st->peer[0].state >= FP_TCPS_FIN_WAIT_2 && st->peer[0].state <= FP_TCPS_TIME_WAIT &&
		st->peer[1].state >= FP_TCPS_FIN_WAIT_2);
}

static void
insert(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m)
{
	struct fp_state *st = fp_table_record(w->table, m->index), *other;
	struct sync_counts *cnt = sync_slice_counts(sl);
	int half = m->halves >> FP_HALF_OUT & 1 ? FP_HALF_OUT : FP_HALF_IN, rc;

	if (fp_states_total(w->box) >= w->conf->limit[POL_LIMIT_STATES]) {
		rc = -ENOMEM;
	} else if (!(m->flags & SYNC_MF_EXT) && join(w, sl, st, half)) {
		unused(w, sl, st);
		st = NULL;
		rc = 0;
	} else {
		rc = m->flags & SYNC_MF_EXT && !make_ext(w, st, m) ? -ENOMEM :
			fp_table_insert(w->table, st, fp_state_hash(w->table, st), false, &other);
		if (rc == -EEXIST && superseded(other, half) && !holds(other, half, m->id[half], m->creatorid)) {
			fp_state_remove(w, other, half);
			rc = fp_table_insert(w->table, st, fp_state_hash(w->table, st), false, &other);
		}
	}
	if (rc == 0) {
		fp_count(&cnt->inserted, 1);
		fp_count(&w->cnt.totals[FP_T_STATE_INSERTS], 1);
		if (st != NULL) {
			fp_event_state(w, st, half, FP_EV_STATE_NEW);
			place(sl, st, half);
		}
		return;
	}
	if (rc == -EEXIST && holds(other, half, m->id[half], m->creatorid)) {
		/* it is here, and nobody knew where */
		place(sl, other, half);
		unused(w, sl, st);
		if (m->flags & SYNC_MF_FULL) {
			struct sync_msg_w u = *m;

			u.kind = SYNC_M_UPD;
			u.index = fp_table_index(w->table, other);
			update(w, sl, &u);
		}
		return;
	}
	unused(w, sl, st);
	if (rc != -EEXIST)
		fp_count(&cnt->table_full, 1);
	else if (m->flags & SYNC_MF_FULL)
		fp_count(&cnt->cnt[SYNC_CNT_badstate], 1);
	else
		fp_count(&cnt->collisions, 1);
}

void
sync_apply_discard(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m)
{
	if (m->kind == SYNC_M_INSERT)
		unused(w, sl, fp_table_record(w->table, m->index));
}

/* ---- removal */
static void
remove_silently(struct fp_worker *w, struct fp_state *st, int half)
{
	fp_state_hflags_set(st, half, FP_HF_NO_SYNC);
	fp_state_remove(w, st, half);
}

static void
delete(struct fp_worker *w, struct sync_slice *sl, const struct sync_msg_w *m)
{
	struct sync_counts *cnt = sync_slice_counts(sl);

	for (int h = 0; h < 2; h++) {
		struct fp_state *st;

		if (!(m->halves >> h & 1))
			continue;
		st = target(sl, m, h);
		if (st == NULL) {
			fp_count(&cnt->cnt[SYNC_CNT_badstate], 1);
			continue;
		}
		remove_silently(w, st, h);
		fp_count(&cnt->deleted, 1);
	}
}

struct clr { struct fp_worker *w; const struct sync_msg_w *m; struct sync_counts *cnt; };

static void
clr_record(struct fp_state *st, void *arg)
{
	struct clr *c = arg;
	unsigned halves = st->halves;

	if (st->creatorid != c->m->creatorid)
		return;
	for (int h = 0; h < 2; h++)
		if (halves >> h & 1 && (c->m->flags & SYNC_MF_ANY_IF || st->ifid[h] == c->m->ifid)) {
			remove_silently(c->w, st, h);
			fp_count(&c->cnt->cleared, 1);
		}
}

/* m->index is where the walk stands, m->gen whether it is over. */
static bool
clear(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m)
{
	struct clr c = { .w = w, .m = m, .cnt = sync_slice_counts(sl) };
	struct sync_msg_t done = { .id = SYNC_T_CLEARED };

	if (m->gen == 0) {
		m->index = fp_table_walk(w->table, m->index, CLR_STEP, clr_record, &c);
		m->gen = m->index == 0;
	}
	return m->gen != 0 && rte_ring_sp_enqueue_elem(sl->outbox, &done, sizeof(done)) == 0;
}

/* ---- the rest */
static void
request(struct fp_worker *w, struct sync_slice *sl, const struct sync_msg_w *m)
{
	(void)w;
	for (int h = 0; h < 2; h++) {
		struct fp_state *st;

		if (!(m->halves >> h & 1))
			continue;
		st = target(sl, m, h);
		if (st == NULL || st->hflags[h] & (FP_HF_NO_SYNC | FP_HF_PURGE) || st->timeout >= POL_TM_MAX)
			fp_count(&sync_slice_counts(sl)->cnt[SYNC_CNT_badstate], 1);
		else
			sync_slice_queue_upd(sl, st, 1u << h);
	}
}

static void
acknowledged(struct sync_slice *sl, const struct sync_msg_w *m)
{
	struct fp_state *st;

	if (!(m->halves >> FP_HALF_OUT & 1))
		return; /* only packets on their way out wait */
	st = target(sl, m, FP_HALF_OUT);
	if (st != NULL && st->flags & FP_SF_DEFERRED)
		sync_defer_release(sl, st, false);
}

bool
sync_apply(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m)
{
	switch (m->kind) {
	case SYNC_M_UPD:
		update(w, sl, m);
		break;
	case SYNC_M_DEL:
		delete(w, sl, m);
		break;
	case SYNC_M_ACK:
		acknowledged(sl, m);
		break;
	case SYNC_M_REQ:
		request(w, sl, m);
		break;
	case SYNC_M_INSERT:
		insert(w, sl, m);
		break;
	case SYNC_M_CLR:
		return clear(w, sl, m);
	default:
		break;
	}
	return true;
}
