/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session between twins: what pfsync alone lacks. Two twinpath boxes number their packets inside bytes that pf sends as
 * zeros and ignores (engine.h, struct sync_mark), and speak of them in packets that are a bare version 6 header, which any
 * pf counts and takes nothing from:
 *
 *	SYNC_MARK_TAIL	"my slice is at this number": follows a silence, so that a lost last packet is seen; and the heartbeat,
 *			the sync thread's, which says how much the box is demoted as well
 *	SYNC_MARK_NACK	"these numbers of your slice never came"
 *	SYNC_MARK_NOTED	"noted": the sender has queued what those packets spoke of, as it is now
 *
 *	SYNC_MARK_LEVEL	"is everything of this slice there, up to this number?", before a planned handover
 *	SYNC_MARK_IS_LEVEL	"it is"
 *	SYNC_MARK_PROBE	"do you live?", asked on a data port when the cable is silent; SYNC_MARK_ALIVE answers it
 *
 * So a loss is repaired with the present state, in a round trip or two; nothing old is ever sent again. Packets that carry
 * the repair are numbered like all others.
 *
 * Runs on the sync thread, but for sync_session_tail() and sync_session_nacked(), which are a slice's.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_random.h>

#include "sync/bytes.h"
#include "sync/pair.h"

#define TWINS 8u		/* boxes on the cable that number their packets */
#define RANGES 16u		/* of missing numbers, a slice */
#define NACK_WAIT_US 1000	/* what is merely late comes in that time */
#define NACK_AGAIN_US 5000
#define NACK_TRIES 20u
#define JUMP_MAX 4096		/* further than the sender remembers: it began anew, or a bulk update must mend it */
#define NEW_MIN (1 << 20)	/* nobody loses so many and is still the same; each life of a box begins at random */
#define BULK_AGAIN_US 2000000
#define LEVEL_ASK_US 2000
#define DEMOTION_KEEP_US 1000000 /* what a silent box said of itself says nothing any more */
#define SLICES (FP_MAX_WORKERS + 2u) /* workers, main lcore, thread */

struct range { uint32_t from, to; uint64_t due_us; uint8_t tries; };
struct track { uint32_t expect; bool known; uint8_t n; struct range r[RANGES]; };
struct twin {
	uint8_t af, addr[16];
	uint64_t heard_us;
	uint32_t demotion;	/* by its last heartbeat */
	unsigned pending;	/* ranges over all slices */
	struct track slice[SLICES];
};
struct session {
	struct twin *twin[TWINS];
	uint64_t beat_us, bulk_us;
	bool bulk_wanted;	/* what is missing can no longer be asked for by number */
	/* bringing the peer level */
	uint32_t level;		/* generation under way, 0 none */
	unsigned level_told;	/* workers that know */
	uint64_t level_us;	/* last asked */
	bool level_is[FP_MAX_WORKERS];
	uint32_t demotion;	/* of this box, as the next heartbeat says it */
	/* probes sent and answered: one nonce for all questions of a silence, by whatever ports */
	uint32_t probe_nonce;
	uint64_t alive_us;
};

static unsigned
slot_of(uint16_t slice)
{
	return slice == SYNC_SLICE_THREAD ? FP_MAX_WORKERS : slice == SYNC_SLICE_MAIN ? FP_MAX_WORKERS + 1 :
		slice < FP_MAX_WORKERS ? slice : UINT32_MAX;
}

static struct twin *
twin_get(struct sync_thread *t, uint8_t af, const uint8_t *addr)
{
	struct session *se = t->session;
	unsigned len = af == FP_AF_INET ? 4 : 16, oldest = 0;

	for (unsigned i = 0; i < TWINS; i++) {
		struct twin *w = se->twin[i];

		if (w != NULL && w->af == af && memcmp(w->addr, addr, len) == 0)
			return w;
		if (se->twin[oldest] != NULL && (w == NULL || w->heard_us < se->twin[oldest]->heard_us))
			oldest = i;
	}
	/* rare: a box shows itself for the first time */
	if (se->twin[oldest] == NULL && (se->twin[oldest] = calloc(1, sizeof(struct twin))) == NULL)
		return NULL;
	memset(se->twin[oldest], 0, sizeof(struct twin));
	se->twin[oldest]->af = af;
	memcpy(se->twin[oldest]->addr, addr, len);
	return se->twin[oldest];
}

/* ---- numbers that came and did not */
static void
missing(struct sync_thread *t, struct twin *w, struct track *k, uint32_t from, uint32_t to)
{
	fp_count(&t->cnt.lost, (uint64_t)(to - from) + 1);
	if (k->n > 0 && k->r[k->n - 1].to + 1 == from) {
		k->r[k->n - 1].to = to;
		return;
	}
	if (k->n == RANGES) {	/* a hole between two is asked for as well: too much is harmless */
		k->r[RANGES - 1].to = to;
		return;
	}
	k->r[k->n++] = (struct range){ .from = from, .to = to, .due_us = t->now_us + NACK_WAIT_US };
	w->pending++;
}

static void
drop_range(struct twin *w, struct track *k, unsigned i)
{
	memmove(&k->r[i], &k->r[i + 1], (k->n - i - 1) * sizeof(k->r[0]));
	k->n--;
	w->pending--;
}

/* A number that was missing came after all. */
static void
late(struct sync_thread *t, struct twin *w, struct track *k, uint32_t seq)
{
	for (unsigned i = 0; i < k->n; i++) {
		struct range *r = &k->r[i];

		if ((int32_t)(seq - r->from) < 0 || (int32_t)(seq - r->to) > 0)
			continue;
		fp_count(&t->cnt.reordered, 1);
		fp_count(&t->cnt.lost, -1);
		if (r->from == r->to)
			drop_range(w, k, i);
		else if (seq == r->from)
			r->from++;
		else if (seq == r->to)
			r->to--;
		return;	/* from the middle: the whole range is asked for */
	}
}

/* Now, or when the last one is old enough: one that is under way may have passed what was lost just now. */
static void
ask_for_bulk(struct sync_thread *t)
{
	struct session *se = t->session;

	se->bulk_wanted = t->now_us - se->bulk_us < BULK_AGAIN_US;
	if (se->bulk_wanted)
		return;
	se->bulk_us = t->now_us;
	sync_bulk_event(t, SYNC_BULK_EV_ASKED_BY_USER);
}

/* next: the number after the last one that is known to have been sent; came: that one is here. */
static void
progress(struct sync_thread *t, struct twin *w, struct track *k, uint32_t next, bool came)
{
	int32_t ahead = (int32_t)(next - k->expect);

	if (!k->known || ahead < -JUMP_MAX || ahead > NEW_MIN) {	/* first contact, or it began anew, anywhere */
		if (k->n > 0)
			w->pending -= k->n;
		k->n = 0;
		k->known = true;
		k->expect = next;
		return;
	}
	if (ahead > JUMP_MAX) {
		fp_count(&t->cnt.lost, (uint64_t)ahead - came);
		k->expect = next;
		ask_for_bulk(t);
		return;
	}
	if (ahead <= 0) {
		if (came)
			late(t, w, k, next - 1);
		return;
	}
	if ((uint32_t)ahead > (came ? 1u : 0u))
		missing(t, w, k, k->expect, came ? next - 2 : next - 1);
	k->expect = next;
}

void
sync_session_numbered(struct sync_thread *t, uint8_t af, const uint8_t *src, const struct sync_mark *m)
{
	struct twin *w = twin_get(t, af, src);
	unsigned slot = slot_of(m->slice);

	if (w == NULL || slot == UINT32_MAX)
		return;
	w->heard_us = t->now_us;
	progress(t, w, &w->slice[slot], m->seq + 1, true);
}

/* ---- bare headers */
static bool
begin(struct sync_packet *pk, struct sync *s, const struct sync_run *run, struct rte_mempool *pool)
{
	return sync_packet_begin(pk, s, run, pool, SYNC_6);
}

static void
send_bare(struct sync_thread *t, uint8_t mark, uint16_t slice, uint32_t a, uint32_t b)
{
	struct sync_packet pk;

	if (!begin(&pk, t->s, t->run, t->pool))
		return;
	pk.bare = mark;
	pk.bare_slice = slice;
	pk.bare_a = a;
	pk.bare_b = b;
	sync_thread_send(t, &pk);
}

bool
sync_session_bare(struct sync_thread *t, uint8_t af, const uint8_t *src, const uint8_t *h, size_t len)
{
	struct session *se = t->session;
	struct sync_msg_w msg = { .kind = SYNC_M_NACK };
	uint16_t slice;
	unsigned slot;
	struct twin *w;
	uint32_t a, b;

	if (len != SYNC_HDR_SIZE || h[0] != 6 || sync_get16(h + 2) != len || h[1] < SYNC_MARK_TAIL || h[1] > SYNC_MARK_IS_LEVEL)
		return false;
	slice = sync_get16(h + 4);
	a = sync_get32(h + 6);
	b = sync_get32(h + 16);
	slot = slot_of(slice);
	if (slot == UINT32_MAX || (w = twin_get(t, af, src)) == NULL)
		return true;
	w->heard_us = t->now_us;
	switch (h[1]) {
	case SYNC_MARK_TAIL:
		progress(t, w, &w->slice[slot], a, false);
		if (slice == SYNC_SLICE_THREAD)
			w->demotion = b;
		break;
	case SYNC_MARK_NACK:
		/* What thread and main lcore say is asked for again by other means: requests, BUS, acknowledgements. */
		if (slice < t->s->n_slices && (int32_t)(b - a) >= 0 && b - a <= 4 * JUMP_MAX) {
			msg.index = a;
			msg.gen = b;
			sync_to_worker(t, slice, &msg, 1);
		} else if (slot >= FP_MAX_WORKERS) {
			send_bare(t, SYNC_MARK_NOTED, slice, a, b);
		}
		break;
	case SYNC_MARK_NOTED:
		for (unsigned i = 0; i < w->slice[slot].n; i++)
			if (w->slice[slot].r[i].from == a && w->slice[slot].r[i].to == b) {
				fp_count(&t->cnt.repaired, (uint64_t)(b - a) + 1);
				drop_range(w, &w->slice[slot], i);
				break;
			}
		break;
	case SYNC_MARK_LEVEL:
		progress(t, w, &w->slice[slot], a, false);
		if (w->slice[slot].n == 0) /* else it asks again when we have asked for what is missing */
			send_bare(t, SYNC_MARK_IS_LEVEL, slice, w->slice[slot].expect, b);
		break;
	case SYNC_MARK_IS_LEVEL:
		/* it must have what was sent again since, too: session_nacked() has the slice level itself anew */
		if (slot < t->s->n_slices && b == se->level &&
		    __atomic_load_n(&t->s->slices[slot]->level_done, __ATOMIC_ACQUIRE) == b &&
		    (int32_t)(a - t->s->slices[slot]->level_seq) >= 0)
			se->level_is[slot] = true;
		break;
	}
	return true;
}

/* Bring the peer level: first the workers send what waits, then it is asked slice by slice until it has all. */
static unsigned
level_turn(struct sync_thread *t)
{
	struct session *se = t->session;
	struct sync_msg_w m = { .kind = SYNC_M_LEVEL };
	uint32_t want = __atomic_load_n(&t->s->level_want, __ATOMIC_ACQUIRE);
	bool all = true, ask;

	if (want != se->level) {
		se->level = want;
		se->level_told = 0;
		se->level_us = 0;
		memset(se->level_is, 0, sizeof(se->level_is));
	}
	if (want == 0 || want == __atomic_load_n(&t->s->level_got, __ATOMIC_RELAXED))
		return 0;
	m.gen = want;
	while (se->level_told < t->s->n_slices && sync_to_worker(t, se->level_told, &m, 1))
		se->level_told++;
	if (se->level_told < t->s->n_slices)
		return 1;
	ask = t->now_us - se->level_us >= LEVEL_ASK_US;
	for (unsigned i = 0; i < t->s->n_slices; i++) {
		struct sync_slice *sl = t->s->slices[i];

		if (se->level_is[i])
			continue;
		all = false;
		/* acquire: level_seq is of this generation */
		if (ask && __atomic_load_n(&sl->level_done, __ATOMIC_ACQUIRE) == want)
			send_bare(t, SYNC_MARK_LEVEL, i, sl->level_seq, want);
	}
	if (ask)
		se->level_us = t->now_us;
	if (all)
		__atomic_store_n(&t->s->level_got, want, __ATOMIC_RELEASE);
	return 1;
}

/* Ask for what is missing; beat. */
unsigned
sync_session_turn(struct sync_thread *t)
{
	struct session *se = t->session;
	uint32_t beat = __atomic_load_n(&t->box->params->sync_heartbeat_ms, __ATOMIC_RELAXED);
	unsigned work = 0;

	if (!t->run->up || !t->run->link || !__atomic_load_n(&t->s->marks, __ATOMIC_RELAXED) || sync_dialect_get(t->s) != SYNC_6)
		return 0;
	for (unsigned i = 0; i < TWINS; i++) {
		struct twin *w = se->twin[i];

		if (w == NULL || w->pending == 0)
			continue;
		for (unsigned s = 0; s < SLICES; s++) {
			struct track *k = &w->slice[s];

			for (unsigned j = 0; j < k->n; j++) {
				struct range *r = &k->r[j];

				if (t->now_us < r->due_us)
					continue;
				work++;
				if (r->tries++ == NACK_TRIES) {
					drop_range(w, k, j--);
					ask_for_bulk(t);
					continue;
				}
				r->due_us = t->now_us + NACK_AGAIN_US;
				send_bare(t, SYNC_MARK_NACK, s == FP_MAX_WORKERS ? SYNC_SLICE_THREAD :
					s == FP_MAX_WORKERS + 1 ? SYNC_SLICE_MAIN : s, r->from, r->to);
			}
		}
	}
	if (se->bulk_wanted)
		ask_for_bulk(t);
	work += level_turn(t);
	if (beat != 0 && t->now_us - se->beat_us >= beat * 1000ul) {
		se->beat_us = t->now_us;
		send_bare(t, SYNC_MARK_TAIL, SYNC_SLICE_THREAD, t->seq, se->demotion);
	}
	return work;
}

/* ---- probes: by a data port, between real addresses; role.c of failover asks */
static void
send_by(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *dst, uint8_t mark, uint32_t nonce)
{
	struct sync_run run = *t->run; /* the same packet, by another interface */
	const struct fp_ifnet *ifp;
	struct sync_packet pk;

	if (t->pool == NULL || ifid >= t->conf->n_ifs)
		return;
	ifp = &t->conf->ifs[ifid];
	run.ifid = ifid;
	run.af = af;
	run.port_id = ifp->port_id;
	run.peer_multicast = false;
	memset(run.peer, 0, sizeof(run.peer));
	memcpy(run.peer, dst, af == FP_AF_INET ? 4 : 16);
	if (!sync_run_source(ifp, &run) || !begin(&pk, t->s, &run, t->pool))
		return;
	pk.bare = mark;
	pk.bare_slice = SYNC_SLICE_THREAD;
	pk.bare_a = nonce;
	pk.bare_b = 0;
	if (!sync_packet_finish(&pk, t->s, &run, SYNC_SLICE_THREAD, 0))
		return;
	sync_thread_out(t, &run, pk.m);
}

void
sync_session_probed(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *src, const uint8_t *h)
{
	struct session *se = t->session;

	if (h[1] == SYNC_MARK_PROBE)
		send_by(t, ifid, af, src, SYNC_MARK_ALIVE, sync_get32(h + 6));
	else if (se != NULL && h[1] == SYNC_MARK_ALIVE && sync_get32(h + 6) == se->probe_nonce)
		se->alive_us = t->now_us;
}

void
sync_session_probes_begin(struct sync_thread *t)
{
	struct session *se = t->session;

	if (se == NULL)
		return;
	se->probe_nonce = (uint32_t)rte_rand();
	se->alive_us = 0;
}

void
sync_session_probe(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *dst)
{
	const struct session *se = t->session;

	if (se != NULL)
		send_by(t, ifid, af, dst, SYNC_MARK_PROBE, se->probe_nonce);
}

void
sync_session_demotion_set(struct sync_thread *t, uint32_t count)
{
	struct session *se = t->session;

	if (se == NULL || se->demotion == count)
		return;
	se->demotion = count;
	se->beat_us = 0;	/* now */
}

/* With several boxes on the cable: of the one that is demoted least. */
uint32_t
sync_session_peer_demotion(const struct sync_thread *t)
{
	const struct session *se = t->session;
	uint32_t least = UINT32_MAX;

	for (unsigned i = 0; se != NULL && i < TWINS; i++)
		if (se->twin[i] != NULL && t->now_us - se->twin[i]->heard_us < DEMOTION_KEEP_US && se->twin[i]->demotion < least)
			least = se->twin[i]->demotion;
	return least != UINT32_MAX ? least : 0;
}

uint64_t
sync_session_alive_us(const struct sync_thread *t)
{
	const struct session *se = t->session;

	return se != NULL ? se->alive_us : 0;
}

uint64_t
sync_session_heard_us(const struct sync_thread *t)
{
	const struct session *se = t->session;
	uint64_t last = 0;

	for (unsigned i = 0; se != NULL && i < TWINS; i++)
		if (se->twin[i] != NULL && se->twin[i]->heard_us > last)
			last = se->twin[i]->heard_us;
	return last;
}

int
sync_session_init(struct sync_thread *t)
{
	t->session = calloc(1, sizeof(struct session));
	return t->session != NULL ? 0 : -1;
}

void
sync_session_fini(struct sync_thread *t)
{
	struct session *se = t->session;

	for (unsigned i = 0; se != NULL && i < TWINS; i++)
		free(se->twin[i]);
	free(se);
	t->session = NULL;
}

/* ---- a slice's side: what each packet spoke of */
void
sync_history_put(struct sync_slice *sl, uint64_t id, uint32_t creatorid, uint32_t index)
{
	sl->past[sl->past_head++ & (SYNC_PAST - 1)] = (struct sync_past){ .id = id, .creatorid = creatorid, .index = index,
		.seq = sl->seq };
}

static void
bare_from_slice(struct sync_slice *sl, const struct sync_run *run, uint8_t mark, uint32_t a, uint32_t b)
{
	struct sync_packet pk;

	if (sl->n_tx >= SYNC_TXQ - 1 || !begin(&pk, sl->s, run, sl->s->pool))
		return;
	pk.bare = mark;
	pk.bare_slice = sl->w->id;
	pk.bare_a = a;
	pk.bare_b = b;
	sync_slice_emit(sl, run, &pk);
}

/* Numbers from..to never came: say again what they spoke of, as it is now. False: more to do next turn. */
bool
sync_session_nacked(struct sync_slice *sl, uint32_t from, uint32_t to)
{
	const struct sync_run *run = sync_run_get(sl->s);
	uint32_t at = sl->past_head, kept = RTE_MIN(sl->past_head, SYNC_PAST);
	bool all = false;

	for (uint32_t i = 0; i < kept; i++) {
		const struct sync_past *p = &sl->past[--at & (SYNC_PAST - 1)];

		if ((int32_t)(p->seq - to) > 0)
			continue;
		if ((int32_t)(p->seq - from) < 0) {
			all = true;
			break;
		}
		sync_slice_again(sl, p);
	}
	/* before "noted" can reach the peer: what is sent again is part of what it must have */
	if (sl->level_gen != 0)
		__atomic_store_n(&sl->level_done, sl->level_gen - 1, __ATOMIC_RELEASE);
	if (!all && kept == SYNC_PAST)
		fp_count(&sl->cnt.deletes_lost, 1);	/* older than what is remembered: a bulk update mends all but deletes */
	if (run != NULL && run->up && run->link)
		bare_from_slice(sl, run, SYNC_MARK_NOTED, from, to);
	return true;
}

/* Everything that waits is in packets, and those are out: the sync thread may ask whether they came. */
void
sync_session_levelled(struct sync_slice *sl)
{
	sl->level_seq = sl->seq;
	__atomic_store_n(&sl->level_done, sl->level_gen, __ATOMIC_RELEASE); /* pairs with level_turn() */
}

/*
 * After a silence: say which number comes next, so that a lost last packet is missed. Then once a second: the cable may have
 * been dark for longer than that.
 */
void
sync_session_tail(struct sync_slice *sl, const struct sync_run *run)
{
	static const uint32_t after_us[] = { 1000, 10000, 100000, 1000000 };

	if (sl->w->now_us - sl->tail_us < after_us[sl->tail_n])
		return;
	if (sl->tail_n < RTE_DIM(after_us) - 1)
		sl->tail_n++;
	else
		sl->tail_us = sl->w->now_us;
	if (__atomic_load_n(&sl->s->marks, __ATOMIC_RELAXED) && sync_dialect_get(sl->s) == SYNC_6)
		bare_from_slice(sl, run, SYNC_MARK_TAIL, sl->seq, 0);
}
