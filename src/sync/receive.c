/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the peer says, from packet to worker. Sync thread.
 *
 * Checks are made in the order of pf (spec/pfsync-behaviour.md A4, pfsync-wire.md 10), each with pf's counter; subheaders
 * apply in order and stay applied when a later one is bad. New states are inserted from here (import.c); news of states
 * that are here goes to their owners in batches, one for each worker and burst, in the order in which it came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/states.h"
#include "sync/bytes.h"
#include "sync/pair.h"
#include "sync/receive.h"

#define REQ_RATE 10000u		/* UPD_REQ records a second to the peers, and so many at once */
#define REQ_BURST 1000u
#define UNANSWERED_MS 150u	/* after that a twin is asked once more, so often in all: */
#define ASK_TRIES 6u
#define ASK_AGAIN_MS 100u	/* a name is not asked for more often */
#define LAG_MAX_US 60000000ull	/* beyond that the clocks differ, not the times */
#define MARK_TIME_BITS 48
#define SWEEP 64u		/* slots of the idmap, a turn */
#define AHEAD 64u		/* messages of a frame whose records are asked for at once */
#define CREATOR_AT_6 236	/* where a message has its creatorid; spec/pfsync-wire.md 5, 8 */
#define CREATOR_AT_5 228
#define CREATOR_AT_UPD_C 72
#define CREATOR_AT_IDENT 8

/* ---- names */
/* A living record with this half? Its creator, else 0. The owner may be changing it: what counts is read whole. */
static uint32_t
record_creator(const struct fp_table *t, uint32_t index, uint64_t id, int *half)
{
	const struct fp_state *st;
	unsigned halves;

	/* published: what its owner is just filling is none of ours to read, and what is published stays so until the end of this turn */
	if (!fp_table_index_valid(t, index) || !fp_table_live(t, index))
		return 0;
	st = fp_table_record(t, index);
	/* acquire: pairs with the release that lets a half go elsewhere */
	halves = fp_load_acq(&st->halves);
	if (fp_load(&st->flags) & FP_SF_DEAD)
		return 0;
	for (int h = 0; h < 2; h++)
		if (halves >> h & 1 && fp_load(&st->id[h]) == id) {
			*half = h;
			return fp_load(&st->creatorid);
		}
	return 0;
}

static uint32_t
op_creator(void *arg, unsigned worker, uint32_t index, uint64_t id)
{
	const struct sync_receiver *r = arg;
	int half;

	return worker < r->n_workers ? record_creator(r->t->box->workers[worker]->table, index, id, &half) : 0;
}

static void
op_prefetch(void *arg, unsigned worker, uint32_t index)
{
	const struct sync_receiver *r = arg;
	const struct fp_table *t;

	if (worker >= r->n_workers)
		return;
	t = r->t->box->workers[worker]->table;
	if (fp_table_index_valid(t, index)) {
		const struct fp_state *st = fp_table_record(t, index);

		fp_table_prefetch_live(t, index);
		__builtin_prefetch(st, 0, 3);
		__builtin_prefetch(st->id, 0, 3);
	}
}

bool
sync_find(struct sync_receiver *r, uint64_t id, uint32_t creatorid, struct sync_place *at)
{
	const struct fp_box *box = r->t->box;
	const struct sync_handed *h;

	if (creatorid == box->hostid) {
		at->worker = fp_id_worker(id);
		at->index = fp_id_index(id);
		if (at->worker < r->n_workers &&
		    record_creator(box->workers[at->worker]->table, at->index, id, &at->half) == creatorid)
			return true;
	}
	if (sync_idmap_get(r->ids, id, creatorid, &at->worker, &at->index) && at->worker < r->n_workers &&
	    record_creator(box->workers[at->worker]->table, at->index, id, &at->half) == creatorid)
		return true;
	/* what its owner has in hand: messages reach it behind the record */
	h = sync_handed(r, id);
	if (h->creatorid == 0 || h->id != id || h->creatorid != creatorid)
		return false;
	at->worker = h->worker;
	at->index = h->index;
	at->half = h->half;
	return true;
}

/* ---- to the workers */
void
sync_flush_worker(struct sync_receiver *r, unsigned worker)
{
	struct sync_batch *b = &r->batch[worker];

	if (b->n == 0)
		return;
	sync_to_worker(r->t, worker, b->m, b->n);
	b->n = 0;
	memset(b->last, 0, sizeof(b->last));
}

void
sync_tell_worker(struct sync_receiver *r, unsigned worker, const struct sync_msg_w *m)
{
	struct sync_batch *b = &r->batch[worker];
	uint8_t *last = &b->last[(m->index ^ m->index >> 7) & (SYNC_BATCH_SLOTS - 1)];

	if (m->kind == SYNC_M_UPD && *last != 0) {
		struct sync_msg_w *o = &b->m[*last - 1];

		if (o->kind == SYNC_M_UPD && o->index == m->index && !(o->halves & m->halves) && o->creatorid == m->creatorid &&
		    o->timeout == m->timeout && memcmp(o->peer, m->peer, sizeof(o->peer)) == 0) {
			for (int h = 0; h < 2; h++)
				if (m->halves >> h & 1)
					o->id[h] = m->id[h];
			o->halves |= m->halves;
			return;
		}
	}
	b->m[b->n++] = *m;
	*last = (uint8_t)b->n;
	if (b->n == SYNC_BATCH)
		sync_flush_worker(r, worker);
}

void
sync_peer_shrink(struct sync_peer_w *to, const struct sync_peer *from)
{
	*to = (struct sync_peer_w){ .seqlo = from->seqlo, .seqhi = from->seqhi, .seqdiff = from->seqdiff,
		.max_win = from->max_win, .mss = from->mss, .state = from->state, .wscale = from->wscale };
	if (from->scrub_valid) {
		to->scrub_valid = 1;
		to->scrub_flags = from->scrub_flags;
		to->scrub_ttl = from->scrub_ttl;
		to->ts_mod = from->ts_mod;
	}
}

/* One message about the half at `at`. */
static void
tell(struct sync_receiver *r, unsigned kind, const struct sync_place *at, uint64_t id, uint32_t creatorid)
{
	struct sync_msg_w m;

	memset(&m, 0, sizeof(m));
	m.kind = (uint8_t)kind;
	m.halves = (uint8_t)(1u << at->half);
	m.index = at->index;
	m.id[at->half] = id;
	m.creatorid = creatorid;
	sync_tell_worker(r, at->worker, &m);
}

void
sync_tell_update(struct sync_receiver *r, const struct sync_place *at, uint64_t id, uint32_t creatorid,
	const struct sync_peer peer[2], uint8_t timeout, bool full)
{
	struct sync_msg_w m;

	memset(&m, 0, sizeof(m));
	m.kind = SYNC_M_UPD;
	m.halves = (uint8_t)(1u << at->half);
	m.timeout = timeout;
	m.flags = full ? SYNC_MF_FULL : 0;
	m.index = at->index;
	m.id[at->half] = id;
	m.creatorid = creatorid;
	for (int i = 0; i < 2; i++)
		sync_peer_shrink(&m.peer[i], &peer[i]);
	sync_tell_worker(r, at->worker, &m);
}

/* ---- what this thread sends */
/* Requests and acknowledgements that wait go out. An INS_ACK comes before what a BSD would take for an update. */
static void
send_names(struct sync_receiver *r)
{
	struct sync_thread *t = r->t;
	unsigned ack = 0, want = 0;

	while (ack < r->n_ack || want < r->n_want) {
		struct sync_packet pk;
		unsigned a = ack, q = want;

		if (!t->run->up || !sync_packet_begin(&pk, t->s, t->run, t->pool, sync_dialect_get(t->s))) {
			if (t->run->up)
				fp_count(&t->cnt.cnt[SYNC_CNT_onomem], 1);
			break;
		}
		while (ack < r->n_ack && sync_out_ident(&pk.out, SYNC_INS_ACK, &r->ack[ack]))
			ack++;
		while (ack == r->n_ack && want < r->n_want && sync_out_ident(&pk.out, SYNC_UPD_REQ, &r->want[want]))
			want++;
		fp_count(&t->cnt.sent[SYNC_INS_ACK], ack - a);
		fp_count(&t->cnt.sent[SYNC_UPD_REQ], want - q);
		if (!sync_thread_send(t, &pk))
			break;
	}
	r->n_ack = r->n_want = 0;
}

void
sync_ack_later(struct sync_receiver *r, uint64_t id, uint32_t creatorid)
{
	if (r->n_ack == SYNC_WANT)
		send_names(r);
	r->ack[r->n_ack++] = (struct sync_ident){ .id = id, .creatorid = creatorid };
}

static struct sync_asked_for *
asked_slot(struct sync_receiver *r, uint64_t id, uint32_t creatorid)
{
	return &r->asked[((id ^ creatorid) * 0x9e3779b97f4a7c15ull) >> 50 & (SYNC_ASKED - 1)];
}

/* It came in full, or is gone. */
static void
answered(struct sync_receiver *r, uint64_t id, uint32_t creatorid)
{
	struct sync_asked_for *a = asked_slot(r, id, creatorid);

	if (a->id == id && a->creatorid == creatorid)
		a->id = a->creatorid = 0;
}

static void
ask_later(struct sync_receiver *r, uint64_t id, uint32_t creatorid, uint8_t tries)
{
	uint32_t now_ms = (uint32_t)(r->t->now_us / 1000);

	if (r->again_head - r->again_tail == SYNC_AGAIN)
		return;
	typeof(r->again[0]) *e = &r->again[r->again_head++ & (SYNC_AGAIN - 1)];

	e->id = id;
	e->creatorid = creatorid;
	e->due_ms = now_ms + UNANSWERED_MS;
	e->tries = tries;
}

/* Ask for a state in full, unless it was asked for a moment ago, or too much is asked for. */
static void
want(struct sync_receiver *r, uint64_t id, uint32_t creatorid)
{
	struct sync_thread *t = r->t;
	struct sync_asked_for *a = asked_slot(r, id, creatorid);
	uint32_t now_ms = (uint32_t)(t->now_us / 1000);

	if (t->now_us > r->tokens_us) {
		r->tokens = RTE_MIN(r->tokens + (t->now_us - r->tokens_us) * REQ_RATE / 1000, REQ_BURST * 1000ull);
		r->tokens_us = t->now_us;
	}
	if ((a->id == id && a->creatorid == creatorid && now_ms - a->ms < ASK_AGAIN_MS) || r->tokens < 1000) {
		fp_count(&t->cnt.requests_suppressed, 1);
		return;
	}
	r->tokens -= 1000;
	a->id = id;
	a->creatorid = creatorid;
	a->ms = now_ms;
	if (r->n_want == SYNC_WANT)
		send_names(r);
	r->want[r->n_want++] = (struct sync_ident){ .id = id, .creatorid = creatorid };
	/* a twin's numbers tell what it lost of ours but requests: those are asked again */
	if (__atomic_load_n(&t->s->marks, __ATOMIC_RELAXED))
		ask_later(r, id, creatorid, 1);
}

static unsigned
ask_again(struct sync_receiver *r)
{
	uint32_t now_ms = (uint32_t)(r->t->now_us / 1000);
	unsigned n = 0;

	while (r->again_tail != r->again_head && n < 64) {
		typeof(r->again[0]) e = r->again[r->again_tail & (SYNC_AGAIN - 1)];
		struct sync_asked_for *a = asked_slot(r, e.id, e.creatorid);

		if ((int32_t)(now_ms - e.due_ms) < 0)
			break;
		r->again_tail++;
		if (a->id != e.id || a->creatorid != e.creatorid || e.tries == ASK_TRIES)
			continue;
		a->ms = now_ms;
		if (r->n_want == SYNC_WANT)
			send_names(r);
		r->want[r->n_want++] = (struct sync_ident){ .id = e.id, .creatorid = e.creatorid };
		ask_later(r, e.id, e.creatorid, e.tries + 1);
		n++;
	}
	if (n != 0)
		send_names(r);
	return n;
}

/* ---- monitors */
static unsigned
version_number(unsigned version, enum sync_dialect d)
{
	return version == 6 ? 6 : d == SYNC_1500 ? 1500 : d == SYNC_1400 ? 1400 : 1301;
}

static void
watch(struct sync_receiver *r, enum sync_kind kind, unsigned version, enum sync_dialect d, uint64_t id, uint32_t creatorid,
	const struct sync_state *s, enum sync_counter refused)
{
	struct sync_event ev;

	if (!sync_watched(r->t->s))
		return;
	memset(&ev, 0, sizeof(ev));
	ev.time_us = r->t->now_us;
	ev.kind = kind;
	ev.version = version_number(version, d);
	if (inet_ntop(r->af == FP_AF_INET6 ? AF_INET6 : AF_INET, r->src, ev.peer, sizeof(ev.peer)) == NULL)
		ev.peer[0] = '\0';
	ev.id = id;
	ev.creatorid = creatorid;
	if (s != NULL) {
		ev.has_state = true;
		ev.state = *s;
	}
	ev.refused = refused;
	sync_event_put(r->t->s, FP_MAX_WORKERS, &ev);
}

static void
count(struct sync_receiver *r, enum sync_counter c)
{
	if (c > SYNC_CNT_SILENT)
		fp_count(&r->t->cnt.cnt[c], 1);
}

/* ---- messages */
/* The new state that waits goes in, with its other half if that came right behind it. */
static void
settle(struct sync_receiver *r, const struct sync_state *mate)
{
	struct sync_pending *p = &r->pending;
	enum sync_counter why[2];

	if (!p->there)
		return;
	p->there = false;
	sync_import(r, &p->s, mate, p->kind, p->dialect, why);
	watch(r, p->kind, p->version, p->dialect, p->s.id, p->s.creatorid, &p->s, why[0]);
	if (mate != NULL)
		watch(r, p->kind, p->version, p->dialect, mate->id, mate->creatorid, mate, why[1]);
}

static void
in_state(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	struct sync_pending *p = &r->pending;
	enum sync_counter c;
	struct sync_place at;
	struct sync_state s;

	sync_state_decode(&s, m->body, m->dialect);
	if (m->kind == SYNC_UPD)
		answered(r, s.id, s.creatorid);
	sync_bulk_counted(r->t, 1);
	c = sync_state_check(&s, m->kind, m->dialect);
	if (c == SYNC_CNT_NONE && p->there && p->kind == m->kind && sync_import_mates(&p->s, &s) &&
	    !sync_find(r, s.id, s.creatorid, &at) &&
	    (m->kind == SYNC_INS || sync_state_check(&s, SYNC_INS, m->dialect) == SYNC_CNT_NONE)) {
		settle(r, &s);
		return;
	}
	settle(r, NULL);
	if (c == SYNC_CNT_NONE && sync_find(r, s.id, s.creatorid, &at)) {
		if (m->kind == SYNC_UPD)
			sync_tell_update(r, &at, s.id, s.creatorid, s.peer, s.timeout, true);
		/* an insert of what is here changes nothing; its sender may wait for us all the same */
		if (s.state_flags & SYNC_F_ACK)
			sync_ack_later(r, s.id, s.creatorid);
	} else if (c == SYNC_CNT_NONE && m->kind == SYNC_UPD && sync_state_check(&s, SYNC_INS, m->dialect) != SYNC_CNT_NONE) {
		c = SYNC_CNT_badstate;
	} else if (c == SYNC_CNT_NONE) {
		p->there = true;
		p->kind = m->kind;
		p->dialect = m->dialect;
		p->version = f->version;
		p->s = s;
		return;
	}
	count(r, c);
	watch(r, m->kind, f->version, m->dialect, s.id, s.creatorid, &s, c);
}

static void
in_upd_c(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	enum sync_counter c;
	struct sync_place at;
	struct sync_upd_c u;

	sync_upd_c_decode(&u, m->body);
	c = sync_upd_c_check(&u, m->dialect);
	if (c == SYNC_CNT_NONE) {
		if (sync_find(r, u.id, u.creatorid, &at))
			sync_tell_update(r, &at, u.id, u.creatorid, u.peer, u.timeout, false);
		else
			want(r, u.id, u.creatorid);
	}
	count(r, c);
	watch(r, m->kind, f->version, m->dialect, u.id, u.creatorid, NULL, c);
}

static void
in_del(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	enum sync_counter c = SYNC_CNT_NONE;
	struct sync_state s;
	struct sync_ident id;
	struct sync_place at;

	if (m->kind == SYNC_DEL) {
		sync_state_decode(&s, m->body, m->dialect);
		id.id = s.id;
		id.creatorid = s.creatorid;
	} else {
		sync_ident_decode(&id, m->body);
	}
	answered(r, id.id, id.creatorid);
	if (id.creatorid != 0 && sync_find(r, id.id, id.creatorid, &at))
		tell(r, SYNC_M_DEL, &at, id.id, id.creatorid);
	else
		c = SYNC_CNT_badstate;
	count(r, c);
	watch(r, m->kind, f->version, m->dialect, id.id, id.creatorid, m->kind == SYNC_DEL ? &s : NULL, c);
}

static void
in_ack(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	struct sync_ident id;
	struct sync_place at;

	sync_ident_decode(&id, m->body);
	if (id.creatorid != 0 && sync_find(r, id.id, id.creatorid, &at))
		tell(r, SYNC_M_ACK, &at, id.id, id.creatorid);
	watch(r, m->kind, f->version, m->dialect, id.id, id.creatorid, NULL, SYNC_CNT_NONE);
}

static void
in_upd_req(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	enum sync_counter c = SYNC_CNT_NONE;
	struct sync_ident id;
	struct sync_place at;

	sync_ident_decode(&id, m->body);
	if (id.id == 0 && id.creatorid == 0)
		sync_bulk_request(r->t);
	else if (id.creatorid != 0 && sync_find(r, id.id, id.creatorid, &at))
		tell(r, SYNC_M_REQ, &at, id.id, id.creatorid);
	else
		c = SYNC_CNT_badstate;
	count(r, c);
	watch(r, m->kind, f->version, m->dialect, id.id, id.creatorid, NULL, c);
}

static void
in_clr(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	struct sync_msg_w o;
	struct sync_clr clr;
	uint16_t ifid = FP_IFID_ALL;

	sync_clr_decode(&clr, m->body);
	watch(r, m->kind, f->version, m->dialect, 0, clr.creatorid, NULL, SYNC_CNT_NONE);
	if (clr.creatorid == 0 || (clr.ifname[0] != '\0' && !sync_import_ifid(r, clr.ifname, false, &ifid)))
		return; /* nobody's; or of an interface that no state knows */
	memset(&o, 0, sizeof(o));
	o.kind = SYNC_M_CLR;
	o.creatorid = clr.creatorid;
	o.ifid = ifid;
	o.flags = clr.ifname[0] == '\0' ? SYNC_MF_ANY_IF : 0;
	for (unsigned w = 0; w < r->n_workers; w++) {
		sync_flush_worker(r, w);
		if (sync_to_worker(r->t, w, &o, 1))
			r->clearing[w]++;
	}
}

static void
in_tdb(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	enum sync_counter c = SYNC_CNT_NONE;
	struct sync_tdb tdb;
	uint8_t af;

	sync_tdb_decode(&tdb, m->body, m->dialect);
	af = tdb.dst[1];
	/* no IPsec here: checked as pf does, and forgotten */
	if (tdb.spi <= 255 || (af != 2 && af != 24 && af != 28))
		c = SYNC_CNT_badstate;
	count(r, c);
	watch(r, m->kind, f->version, m->dialect, tdb.spi, 0, NULL, c);
}

static void
in_bus(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	struct sync_bus b;

	sync_bus_decode(&b, m->body);
	if (m->index == 0)	/* pf reads the first of a subheader */
		sync_bulk_bus(r->t, &b);
	watch(r, m->kind, f->version, m->dialect, 0, b.creatorid, NULL, SYNC_CNT_NONE);
}

static void
dispatch(struct sync_receiver *r, const struct sync_frame *f, const struct sync_msg *m)
{
	if (m->kind == SYNC_INS || m->kind == SYNC_UPD) {
		in_state(r, f, m);
		return;
	}
	settle(r, NULL);
	switch (m->kind) {
	case SYNC_UPD_C:
		in_upd_c(r, f, m);
		break;
	case SYNC_DEL:
	case SYNC_DEL_C:
		in_del(r, f, m);
		break;
	case SYNC_INS_ACK:
		in_ack(r, f, m);
		break;
	case SYNC_UPD_REQ:
		in_upd_req(r, f, m);
		break;
	case SYNC_CLR:
		in_clr(r, f, m);
		break;
	case SYNC_TDB:
		in_tdb(r, f, m);
		break;
	case SYNC_BUS:
		in_bus(r, f, m);
		break;
	default:
		break;
	}
}

/* ---- twins */
static void
marks(struct sync_thread *t, const struct sync_mark *mk)
{
	uint64_t lag_us = (sync_tsc_us(t->box) - mk->time_us) & ((1ull << MARK_TIME_BITS) - 1);

	__atomic_store_n(&t->twin, true, __ATOMIC_RELAXED);
	if (lag_us < LAG_MAX_US)
		sync_hist_add(&t->lag, lag_us * 1000);
}

/* ---- a packet */
/*
 * Entries and records of what the frame speaks of are asked for before the first of them is needed: in a large table each
 * is a wait for memory, and so they are one wait for all.
 */
static void
prefetch(struct sync_receiver *r, const struct sync_frame *frame)
{
	struct { uint64_t id; uint32_t creatorid; } name[AHEAD];
	struct sync_frame f = *frame;
	uint32_t hostid = r->t->box->hostid;
	struct sync_msg m;
	unsigned n = 0;

	while (n < AHEAD && sync_frame_next(&f, &m)) {
		unsigned at;

		switch (m.skipped ? SYNC_UNKNOWN : m.kind) {
		case SYNC_INS:
		case SYNC_UPD:
			at = m.dialect == SYNC_6 ? CREATOR_AT_6 : CREATOR_AT_5;
			break;
		case SYNC_UPD_C:
			at = CREATOR_AT_UPD_C;
			break;
		case SYNC_DEL_C:
		case SYNC_INS_ACK:
			at = CREATOR_AT_IDENT;
			break;
		default:
			continue;
		}
		name[n].id = sync_get64(m.body);
		name[n].creatorid = sync_get32(m.body + at);
		if (name[n].creatorid == hostid)
			op_prefetch(r, fp_id_worker(name[n].id), fp_id_index(name[n].id));
		else
			sync_idmap_prefetch(r->ids, name[n].id, name[n].creatorid, false);
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		if (name[i].creatorid != hostid)
			sync_idmap_prefetch(r->ids, name[i].id, name[i].creatorid, true);
}

static void
heard(struct sync_receiver *r, unsigned version, enum sync_dialect record, bool twin)
{
	struct sync_thread *t = r->t;
	unsigned len = r->af == FP_AF_INET6 ? 16 : 4;

	if (t->heard_af != r->af || memcmp(t->heard, r->src, len) != 0) {
		uint64_t addr[2] = { 0, 0 };

		/* pairs with the acquires in pair.c: who sees something of the new address sees an odd or another number after it */
		memcpy(addr, r->src, len);
		fp_store(&t->heard_seq, t->heard_seq + 1);
		fp_store_rel(&t->heard_af, r->af);
		fp_store_rel(&t->heard[0], addr[0]);
		fp_store_rel(&t->heard[1], addr[1]);
		fp_store_rel(&t->heard_seq, t->heard_seq + 1);
	}
	__atomic_store_n(&t->heard_us, t->now_us, __ATOMIC_RELAXED);
	sync_heard(t, version, record, twin);
}

void
sync_receive(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *src, unsigned ttl, const uint8_t *payload, size_t len)
{
	struct sync_receiver *r = t->receive;
	const struct pol_ruleset *rs = t->conf->ruleset;
	unsigned accept = t->run->version == 0 ? SYNC_ACCEPT_6 | SYNC_ACCEPT_5 : t->run->version == 6 ? SYNC_ACCEPT_6 : SYNC_ACCEPT_5;
	enum sync_dialect record;
	struct sync_mark mk;
	struct sync_frame f;
	struct sync_msg m;
	enum sync_counter c;
	bool twin;

	fp_count(&t->cnt.cnt[af == FP_AF_INET6 ? SYNC_CNT_ipackets6 : SYNC_CNT_ipackets], 1);
	if (!t->conf->pf_enabled || !t->run->up)
		return;
	r->src = src;
	r->af = af;
	c = sync_carrier_check(ifid == t->run->ifid, ttl);
	if (c == SYNC_CNT_NONE)
		c = sync_frame_open(&f, payload, len, accept);
	if (c != SYNC_CNT_NONE) {
		count(r, c);
		return;
	}
	twin = sync_mark_read(payload, &mk);
	if (twin)
		marks(t, &mk);
	r->rules_same = rs != NULL && (twin ? mk.rules != 0 && memcmp(payload + SYNC_HDR_SIZE - 4, rs->checksum, 4) == 0 :
	    f.version == 5 && memcmp(f.cksum, rs->checksum, SYNC_CKSUM_SIZE) == 0);
	record = SYNC_6; /* version 5: none was in it */
	prefetch(r, &f);
	while (sync_frame_next(&f, &m)) {
		if (m.skipped)
			continue;
		fp_count(&t->cnt.received[m.kind], 1);
		if (m.kind == SYNC_INS || m.kind == SYNC_UPD || m.kind == SYNC_DEL)
			record = m.dialect;
		dispatch(r, &f, &m);
	}
	settle(r, NULL);
	count(r, f.err);
	heard(r, f.version, record, twin);
}

void
sync_receive_flush(struct sync_thread *t)
{
	struct sync_receiver *r = t->receive;

	for (unsigned w = 0; w < r->n_workers; w++)
		sync_flush_worker(r, w);
	if (r->n_ack + r->n_want != 0)
		send_names(r);
}

/* ---- the turn */
/* The owner has placed it, or has no use for it. */
static void
settled(struct sync_receiver *r, uint64_t id, uint32_t creatorid)
{
	struct sync_handed *h = sync_handed(r, id);

	if (h->id == id && h->creatorid == creatorid)
		h->creatorid = 0;
}

/* A record that was filled here and went nowhere. */
static void
give_back(struct sync_receiver *r, struct fp_table *t, uint32_t index)
{
	struct fp_state *st = fp_table_record(t, index);

	for (int h = 0; h < 2; h++)
		if (st->halves >> h & 1)
			settled(r, st->id[h], st->creatorid);
	fp_table_alloc_cancel(t, st, true);
}

static unsigned
outbox(struct sync_receiver *r, unsigned worker)
{
	struct fp_table *table = r->t->box->workers[worker]->table;
	struct rte_ring *ring = r->t->s->slices[worker]->outbox;
	struct sync_msg_t m[32];
	unsigned n = rte_ring_sc_dequeue_burst_elem(ring, m, sizeof(m[0]), RTE_DIM(m), NULL);

	for (unsigned i = 0; i < n; i++) {
		if (m[i].creatorid != 0) {
			settled(r, m[i].id, m[i].creatorid);
			sync_idmap_put(r->ids, m[i].id, m[i].creatorid, worker, m[i].index);
		} else if (m[i].id == SYNC_T_UNUSED) {
			give_back(r, table, m[i].index);
		} else if (m[i].id == SYNC_T_CLEARED && r->clearing[worker] != 0) {
			r->clearing[worker]--;
		}
	}
	return n;
}

unsigned
sync_receive_turn(struct sync_thread *t)
{
	struct sync_receiver *r = t->receive;
	unsigned work = 0;

	for (unsigned w = 0; w < r->n_workers; w++)
		work += outbox(r, w);
	if (!t->run->up) {
		/* what workers had to do was taken from them */
		memset(r->clearing, 0, r->n_workers * sizeof(r->clearing[0]));
		memset(r->handed, 0, sizeof(r->handed));
		return work;
	}
	sync_idmap_limit(r->ids, (uint64_t)t->conf->limit[POL_LIMIT_STATES]);
	sync_idmap_sweep(r->ids, SWEEP);
	work += ask_again(r);
	return work;
}

/* ---- life; main lcore */
int
sync_receive_init(struct sync_thread *t, struct fp_err *err)
{
	struct fp_box *box = t->box;
	struct sync_receiver *r = calloc(1, sizeof(*r));
	const struct sync_idmap_ops ops = { .creator = op_creator, .prefetch = op_prefetch, .arg = r };

	if (r == NULL)
		goto nomem;
	r->t = t;
	r->n_workers = box->n_workers;
	r->tokens = REQ_BURST * 1000ull;
	r->rules_generation = UINT32_MAX;
	r->batch = calloc(r->n_workers, sizeof(*r->batch));
	r->joins = calloc(r->n_workers, sizeof(*r->joins));
	r->clearing = calloc(r->n_workers, sizeof(*r->clearing));
	r->ids = sync_idmap_create(box->conf->limit[POL_LIMIT_STATES], &ops);
	if (r->batch == NULL || r->joins == NULL || r->clearing == NULL || r->ids == NULL)
		goto nomem;
	t->receive = r;
	box->foreign_if = sync_foreign_if;
	return 0;

nomem:
	t->receive = r;
	sync_receive_fini(t);
	return fp_err_set(err, -ENOMEM, "pfsync0: no memory for the receiver");
}

void
sync_receive_fini(struct sync_thread *t)
{
	struct sync_receiver *r = t->receive;

	t->receive = NULL;
	if (t->box->foreign_if == sync_foreign_if)
		t->box->foreign_if = NULL;
	if (r == NULL)
		return;
	sync_idmap_destroy(r->ids);
	free(r->rule_pos);
	free(r->batch);
	free(r->joins);
	free(r->clearing);
	free(r);
}
