/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bulk updates: asking for everything and knowing when it is there (spec/pfsync-behaviour.md A5), and sending everything to
 * whoever asks (A6). Sync thread; figures are read by the main lcore.
 *
 * Asking. Until the first one has come, or cannot come, carp is told to step back. What differs from OpenBSD: an END
 * without a START is an answer (an empty OpenBSD box sends nothing else), a START that nothing follows is given up after
 * SILENCE_US and asked for again, a link that returns makes us ask again, and a failure is remembered with its reason.
 * Nothing here lasts for ever: every state but done, failed and none has a deadline.
 *
 * Sending. START from here, then each worker walks its own shard, and when all have reported END from here. An empty table
 * gives START and END: an OpenBSD requester does not listen to an END alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/states.h"
#include "sync/pair.h"

#define TRIES 12u		/* PFSYNC_MAX_BULKTRIES */
#define LINK_WAIT_US 30000000ull
#define ANSWER_WAIT_US 2000000ull
#define SILENCE_US 5000000ull	/* without one more state, after a START */
#define ASK_PAUSE_US 2000000ull	/* between two requests, whatever the link does */
#define SEND_PAUSE_US 500000ull	/* between the END of one and the START of the next */
#define SEND_MAX_US 3600000000ull
#define DEMOTE_BULK 32u
#define DEMOTE_LINK 1u
#define BSD_RATE 1u		/* packets a millisecond that any BSD follows */

enum bulk_state { B_NONE, B_START, B_SENT, B_RECEIVING, B_DONE, B_FAILED };

struct bulk {			/* owner: the sync thread; what main reads is stored whole */
	/* asking */
	uint8_t state;			/* enum bulk_state */
	bool first;			/* since pfsync came up none has ended: carp steps back */
	bool link;			/* as of the last look */
	uint32_t tries;
	uint64_t deadline_us;		/* of this state */
	uint64_t silence_us;		/* B_RECEIVING: if nothing comes until then */
	uint64_t asked_us;		/* last request, 0 none */
	uint64_t began_us;		/* of this bulk: its first request */
	uint64_t received, expected;	/* states; 0: the peer does not say */
	uint64_t took_us;		/* of the last one that came, 0 none */
	const char *reason;		/* of a failure */
	/* sending */
	bool sending, again, end_due;
	uint32_t gen;
	uint64_t sent_start_us, sent_end_us;
	unsigned told;			/* workers that know of this generation */
};

static const char *const state_names[] = { "none", "start", "sent", "receiving", "done", "failed" };

static void
set_state(struct bulk *b, enum bulk_state s)
{
	fp_store(&b->state, s);
}

/* ---- packets of our own */
static bool
send_request(struct sync_thread *t)
{
	const struct sync_ident all = { 0 };
	struct sync_packet pk;

	if (!sync_packet_begin(&pk, t->s, t->run, t->pool, sync_dialect_get(t->s))) {
		fp_count(&t->cnt.cnt[SYNC_CNT_onomem], 1);
		return false;
	}
	sync_out_ident(&pk.out, SYNC_UPD_REQ, &all);
	fp_count(&t->cnt.sent[SYNC_UPD_REQ], 1);
	return sync_thread_send(t, &pk);
}

static bool
send_bus(struct sync_thread *t, uint8_t status, uint32_t endtime)
{
	struct sync_bus bus = { .creatorid = t->box->hostid, .endtime_sec = endtime, .status = status };
	struct sync_packet pk;

	if (!sync_packet_begin(&pk, t->s, t->run, t->pool, sync_dialect_get(t->s))) {
		fp_count(&t->cnt.cnt[SYNC_CNT_onomem], 1);
		return false;
	}
	sync_out_bus(&pk.out, &bus);
	fp_count(&t->cnt.sent[SYNC_BUS], 1);
	return sync_thread_send(t, &pk);
}

/* ---- asking */
static void
finish(struct bulk *b, const char *failure)
{
	fp_store(&b->reason, failure);
	fp_store(&b->first, false);
	b->deadline_us = 0;
	set_state(b, failure != NULL ? B_FAILED : B_DONE);
}

/* Wait for link, and for the pause after the last request. */
static void
wait_for_link(struct sync_thread *t, struct bulk *b)
{
	fp_store(&b->tries, 0);
	b->deadline_us = t->now_us + LINK_WAIT_US;
	set_state(b, B_START);
}

static void
ask(struct sync_thread *t, struct bulk *b)
{
	if (b->tries == 0) {
		fp_store(&b->began_us, t->now_us);
		fp_store(&b->received, 0);
		fp_store(&b->expected, 0);
	}
	fp_store(&b->tries, b->tries + 1);
	b->asked_us = t->now_us;
	b->deadline_us = t->now_us + ANSWER_WAIT_US;
	set_state(b, B_SENT);
	send_request(t); /* lost or not sent: the deadline comes either way */
}

/* How long a bulk may take after its START: A0, from the limit of states and what one packet of a BSD holds. */
static uint64_t
receive_wait_us(const struct sync_thread *t)
{
	uint64_t packet = t->run->payload > SYNC_HDR_SIZE + SYNC_STATE6_SIZE ?
		(t->run->payload - SYNC_HDR_SIZE) / SYNC_STATE6_SIZE : 1;
	uint64_t sec = t->conf->limit[POL_LIMIT_STATES] / packet / 50;

	return 4000000ull * RTE_MAX(sec, 1u);
}

static void
down(struct bulk *b)
{
	set_state(b, B_NONE);
	fp_store(&b->first, false);
	fp_store(&b->sending, false);
	b->again = b->end_due = false;
	b->deadline_us = 0;
	b->link = false;
}

static void
up(struct sync_thread *t, struct bulk *b)
{
	fp_store(&b->first, true);
	b->link = false;
	b->asked_us = 0;
	wait_for_link(t, b);
}

static void
link_lost(struct sync_thread *t, struct bulk *b)
{
	b->link = false;
	fp_store(&b->sending, false);
	b->again = b->end_due = false;
	if (b->state == B_SENT || b->state == B_RECEIVING)
		wait_for_link(t, b);
}

static void
link_back(struct sync_thread *t, struct bulk *b)
{
	b->link = true;
	/* what the peer had to say meanwhile never came */
	if (b->state != B_NONE)
		wait_for_link(t, b);
}

void
sync_bulk_event(struct sync_thread *t, enum sync_bulk_event ev)
{
	struct bulk *b = t->bulk;

	switch (ev) {
	case SYNC_BULK_EV_UP:
		if (b->state == B_NONE && t->run->up)
			up(t, b);
		break;
	case SYNC_BULK_EV_DOWN:
		/* the turn looks whether it is up again */
		down(b);
		break;
	case SYNC_BULK_EV_LINK_UP:
	case SYNC_BULK_EV_LINK_DOWN:
		/* gone, perhaps only for a moment that no turn sees */
		if (b->state != B_NONE && b->link)
			link_lost(t, b);
		break;
	case SYNC_BULK_EV_ASKED_BY_USER:
		if (b->state != B_NONE)
			wait_for_link(t, b);
		break;
	}
}

void
sync_bulk_bus(struct sync_thread *t, const struct sync_bus *bus)
{
	struct bulk *b = t->bulk;

	if (bus->status == SYNC_BUS_START && (b->state == B_START || b->state == B_SENT || b->state == B_RECEIVING)) {
		if (b->state == B_START) /* somebody else has asked: it is for us as well */
			fp_store(&b->began_us, t->now_us);
		/* What we asked for ourselves may come before its START, by another queue of the peer. */
		if (b->state != B_SENT)
			fp_store(&b->received, 0);
		fp_store(&b->expected, t->twin ? bus->endtime_sec : 0);
		b->deadline_us = t->now_us + receive_wait_us(t);
		b->silence_us = t->now_us + SILENCE_US;
		set_state(b, B_RECEIVING);
	} else if (bus->status == SYNC_BUS_END && (b->state == B_SENT || b->state == B_RECEIVING)) {
		fp_store(&b->took_us, RTE_MAX(t->now_us - b->began_us, 1u));
		finish(b, NULL);
	}
}

void
sync_bulk_counted(struct sync_thread *t, unsigned states)
{
	struct bulk *b = t->bulk;

	if (b->state != B_SENT && b->state != B_RECEIVING)
		return;
	fp_store(&b->received, b->received + states);
	b->silence_us = t->now_us + SILENCE_US;
}

static void
asking(struct sync_thread *t, struct bulk *b)
{
	bool late = b->deadline_us != 0 && t->now_us >= b->deadline_us;

	switch (b->state) {
	case B_START:
		if (b->link && (b->asked_us == 0 || t->now_us - b->asked_us >= ASK_PAUSE_US))
			ask(t, b);
		else if (late && !b->link)
			finish(b, "no link");
		break;
	case B_SENT:
		if (!late)
			break;
		if (b->tries < TRIES)
			ask(t, b);
		else
			finish(b, "no peer answered");
		break;
	case B_RECEIVING:
		if (!late && t->now_us < b->silence_us)
			break;
		if (b->tries < TRIES)
			ask(t, b);
		else
			finish(b, "the peer began, but did not end");
		break;
	default:
		break;
	}
}

/* ---- sending */
static void
start(struct sync_thread *t, struct bulk *b)
{
	uint32_t states = t->twin ? fp_states_total(t->box) : 0;

	if (!send_bus(t, SYNC_BUS_START, states))
		return; /* asked again, or tried again next turn */
	b->gen++;
	b->told = 0;
	b->again = b->end_due = false;
	b->sent_start_us = t->now_us;
	fp_store(&b->sending, true);
}

void
sync_bulk_request(struct sync_thread *t)
{
	struct bulk *b = t->bulk;

	if (b->state == B_NONE || !t->run->link)
		return;
	/* OpenBSD: one that runs is an answer to everybody. FreeBSD begins anew, and expects that */
	if (!b->sending || sync_dialect_get(t->s) != SYNC_6)
		b->again = true;
}

static unsigned
sending(struct sync_thread *t, struct bulk *b)
{
	struct sync_msg_w m;
	unsigned n = t->box->n_workers, done = 0;

	if (b->again && (b->sending ? t->now_us - b->sent_start_us : t->now_us - b->sent_end_us) >= SEND_PAUSE_US) {
		start(t, b);
		return 1;
	}
	if (!b->sending)
		return 0;
	memset(&m, 0, sizeof(m));
	m.kind = SYNC_M_BULK;
	m.gen = b->gen;
	m.rate = t->twin ? 0 : BSD_RATE;
	while (b->told < n) {
		if (!sync_to_worker(t, b->told, &m, 1))
			return 0; /* its inbox is full: next turn */
		b->told++;
	}
	for (unsigned i = 0; i < n; i++)
		done += sync_slice_bulk_done(t->s, i) == b->gen;
	if (done < n && t->now_us - b->sent_start_us < SEND_MAX_US)
		return 0;
	if (send_bus(t, SYNC_BUS_END, 0)) {
		b->sent_end_us = t->now_us;
		fp_store(&b->sending, false);
	}
	return 1;
}

/* ---- the turn */
unsigned
sync_bulk_turn(struct sync_thread *t)
{
	struct bulk *b = t->bulk;
	uint8_t was = b->state;

	if (!t->run->up) {
		if (b->state != B_NONE)
			down(b);
		return 0;
	}
	if (b->state == B_NONE)
		up(t, b);
	if (t->run->link && !b->link)
		link_back(t, b);
	else if (!t->run->link && b->link)
		link_lost(t, b);
	asking(t, b);
	return (b->link ? sending(t, b) : 0) + (b->state != was);
}

/* ---- figures; main lcore */
void
sync_bulk_info(struct sync_thread *t, struct sync_info *info)
{
	const struct bulk *b = t->bulk;
	const struct sync_run *run = sync_run_get(t->s);
	uint8_t state = fp_load(&b->state);
	uint64_t received = fp_load(&b->received), expected = fp_load(&b->expected), took = fp_load(&b->took_us);
	uint64_t began = fp_load(&b->began_us), now = fp_box_now_us(t->box);
	const char *reason = fp_load(&b->reason);

	snprintf(info->bulk.state, sizeof(info->bulk.state), "%s", state_names[state]);
	if (state == B_FAILED && reason != NULL)
		snprintf(info->bulk.reason, sizeof(info->bulk.reason), "%s", reason);
	info->bulk.progress = info->bulk.eta_sec = info->bulk.took_sec = -1;
	if (state == B_DONE) {
		info->bulk.progress = 1;
		info->bulk.eta_sec = 0;
	} else if (state == B_RECEIVING && expected != 0) {
		double p = (double)received / (double)expected;

		info->bulk.progress = p < 0.999 ? p : 0.999;
		if (received != 0 && now > began)
			info->bulk.eta_sec = (double)(now - began) / 1e6 * (1 - info->bulk.progress) / info->bulk.progress;
	}
	info->bulk.tries = fp_load(&b->tries);
	info->bulk.sending = fp_load(&b->sending);
	info->bulk.received = received;
	if (took != 0)
		info->bulk.took_sec = (double)took / 1e6;
	info->demote = 0;
	if (state != B_NONE && fp_load(&b->first) && state != B_DONE && state != B_FAILED)
		info->demote += DEMOTE_BULK;
	if (run != NULL && run->up && !run->link)
		info->demote += DEMOTE_LINK;
}

/* ---- life; main lcore */
int
sync_bulk_init(struct sync_thread *t)
{
	t->bulk = calloc(1, sizeof(struct bulk));
	return t->bulk != NULL ? 0 : -ENOMEM;
}

void
sync_bulk_fini(struct sync_thread *t)
{
	free(t->bulk);
	t->bulk = NULL;
}
