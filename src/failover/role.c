/* SPDX-License-Identifier: BSD-2-Clause */
/* See role.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failover/fo_priv.h"
#include "sync/pair.h"

#define GRACE_SEC 10		/* after a takeover learned states do not expire */
#define LEVEL_WAIT_US 1000000ull
#define HANDOVER_WAIT_US 5000000ull
#define BOW_OUT_US 300000ull	/* for peers that do not answer demotion */

const char *const fo_role_names[] = { "init", "syncing", "backup", "master" };
const char *const fo_peer_names[] = { "none", "alive", "silent", "alive_elsewhere", "cable_cut", "dead" };

/* ---- thread of the pair */
static void
set_role(struct fo *f, enum fo_role role, const char *why, uint64_t now_us)
{
	struct fo_role_state *r = &f->role;

	if (r->role == role)
		return;
	__atomic_store_n(&r->since_us, now_us, __ATOMIC_RELAXED);
	__atomic_store_n(&r->why, why, __ATOMIC_RELAXED);
	__atomic_store_n(&r->transitions, r->transitions + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&r->role, role, __ATOMIC_RELEASE);
	if (role == FO_ROLE_MASTER)
		/* the peer's last news of idle connections may be as old as their timeouts */
		__atomic_store_n(&f->box->grace_until_sec, (uint32_t)(now_us / 1000000) + GRACE_SEC, __ATOMIC_RELAXED);
}

static void
set_peer(struct fo *f, enum fo_peer_health h, uint64_t now_us)
{
	struct fo_role_state *r = &f->role;

	if (r->peer == h)
		return;
	__atomic_store_n(&r->peer_since_us, now_us, __ATOMIC_RELAXED);
	__atomic_store_n(&r->peer, h, __ATOMIC_RELEASE);
}

/* Ask every box that was heard advertising, where it was heard. ask false: is there one? */
static bool
probe(struct fo *f, struct sync_thread *t, bool ask)
{
	struct fo_carp_info info;
	struct fo_carp *c;
	bool any = false;

	for (c = fo_group_next(f->group, NULL); c != NULL && (ask || !any); c = fo_group_next(f->group, c)) {
		fo_carp_info_get(c, &info);
		if (!info.heard || info.state == FO_CARP_INIT)
			continue;
		any = true;
		if (ask)
			sync_session_probe(t, (uint16_t)info.conf->ifid, info.heard_family == FO_INET6 ? FP_AF_INET6 : FP_AF_INET,
				info.heard_src);
	}
	return any;
}

static void
watch_peer(struct fo *f, struct sync_thread *t, uint64_t now)
{
	struct fo_role_state *r = &f->role;
	struct fo_watch *w = &r->watch;
	struct fo_watch_in in = { .now_us = now, .heard_us = sync_session_heard_us(t), .answered_us = sync_session_alive_us(t),
		.beat_ms = __atomic_load_n(&f->box->params->sync_heartbeat_ms, __ATOMIC_RELAXED),
		.dead_us = 1000ull * __atomic_load_n(&f->box->params->sync_probe_ms, __ATOMIC_RELAXED), .cable = t->run->up && t->run->link, .can_ask = probe(f, t, false) };
	enum fo_watch_act act = fo_watch_turn(w, &in);

	r->last_turn_us = now;
	__atomic_store_n(&r->deaths, w->deaths, __ATOMIC_RELAXED);
	__atomic_store_n(&r->false_alarms, w->false_alarms, __ATOMIC_RELAXED);
	set_peer(f, w->peer, now);
	switch (act) {
	case FO_WATCH_ASK_FIRST:
		sync_session_probes_begin(t);
		probe(f, t, true);
		break;
	case FO_WATCH_ASK:
		probe(f, t, true);
		break;
	case FO_WATCH_DEAD:
		fo_peer_dead(f, now);
		break;
	case FO_WATCH_NOTHING:
		break;
	}
}

/* All virtual hosts of a box move together: whether one of them lost its link the others hear in its advertisements, but it
 * is silent itself, and would be waited for; the cable says it of the whole box. */
static void
gather(struct fo *f, struct sync_thread *t, uint64_t now)
{
	unsigned own = fo_group_demote_count(f->group, FO_GROUP_DEFAULT);

	sync_session_demotion_set(t, own);
	if (f->role.peer == FO_PEER_ALIVE && fo_group_gather(f->group, sync_session_peer_demotion(t), f->role.gather, now) != 0)
		f->deadline_us = 0;
	f->role.gather = false;
}

unsigned
fo_role_turn(struct fo *f, struct sync_thread *t)
{
	uint64_t now = t->now_us;
	struct fo_carp_info info;
	bool any = false;
	struct fo_carp *c;

	watch_peer(f, t, now);
	gather(f, t, now);
	fo_wire_linger(f, now);
	if (f->role.lift) {
		f->role.lift = false;
		fo_group_hold(f->group, false);
		fo_group_demote(f->group, FO_GROUP_DEFAULT, "failover", "", 0, 0, FO_CARP_NEVER, now);
		f->deadline_us = 0;
	}
	/* The other has it. This box must not stay behind one that has lost a link since: it is held, not demoted. */
	if (f->role.resigned && !f->role.lift && fo_group_masters(f->group) == 0) {
		fo_group_hold(f->group, true);
		if (fo_group_demote(f->group, FO_GROUP_DEFAULT, "failover", "", 0, 0, FO_CARP_NEVER, now) == 0)
			f->deadline_us = 0;
	}
	for (c = fo_group_next(f->group, NULL); !any && c != NULL; c = fo_group_next(f->group, c)) {
		fo_carp_info_get(c, &info);
		any = info.state != FO_CARP_INIT;
	}
	if (!any)
		set_role(f, FO_ROLE_INIT, "no virtual host is up", now);
	else if (fo_group_masters(f->group) > 0)
		set_role(f, FO_ROLE_MASTER, f->role.last_why != NULL ? f->role.last_why : "", now);
	else if (sync_demote(f->sync) >= 32)
		set_role(f, FO_ROLE_SYNCING, "a bulk update is not finished", now);
	else
		set_role(f, FO_ROLE_BACKUP, f->role.role == FO_ROLE_SYNCING ? "everything is learned" :
			f->role.last_why != NULL ? f->role.last_why : "", now);
	return 0;
}

/* The next moment at which something may have to be done. */
uint64_t
fo_role_deadline_us(const struct fo *f)
{
	switch (f->role.peer) {
	case FO_PEER_ALIVE:
	case FO_PEER_SILENT:
		return f->role.last_turn_us + 1000;
	default:
		return f->role.last_turn_us + 10000;
	}
}

void
fo_role_changed(struct fo *f, struct fo_carp *c, const struct fo_carp_change *change)
{
	(void)c;
	f->role.last_why = fo_carp_why_text(change->why);
	if (change->to == FO_CARP_MASTER) {
		f->role.gather |= change->why == FO_CARP_WHY_PREEMPT;
		__atomic_store_n(&f->box->grace_until_sec, (uint32_t)(change->now_us / 1000000) + GRACE_SEC, __ATOMIC_RELAXED);
		/* master again: what `failover` asked for is over */
		if (f->role.resigned) {
			f->role.resigned = false;
			f->role.lift = true; /* not inside of the group's own call */
		}
	}
}

bool
fo_peer_is_twin(const struct fo *f)
{
	return __atomic_load_n(&f->role.peer, __ATOMIC_ACQUIRE) != FO_PEER_NONE;
}

/* ---- main lcore */
void
fo_role_info_get(struct fo *f, struct fo_role_info *o)
{
	const struct fo_role_state *r = &f->role;
	uint64_t now = fp_box_now_us(f->box), at;
	const char *why;

	memset(o, 0, sizeof(*o));
	o->role = __atomic_load_n(&r->role, __ATOMIC_ACQUIRE);
	at = __atomic_load_n(&r->since_us, __ATOMIC_RELAXED);
	o->since_us = at != 0 && now > at ? now - at : 0;
	why = __atomic_load_n(&r->why, __ATOMIC_RELAXED);
	snprintf(o->why, sizeof(o->why), "%s", why != NULL ? why : "");
	o->peer = __atomic_load_n(&r->peer, __ATOMIC_ACQUIRE);
	at = __atomic_load_n(&r->peer_since_us, __ATOMIC_RELAXED);
	o->peer_since_us = at != 0 && now > at ? now - at : 0;
	o->deaths = __atomic_load_n(&r->deaths, __ATOMIC_RELAXED);
	o->false_alarms = __atomic_load_n(&r->false_alarms, __ATOMIC_RELAXED);
	o->transitions = __atomic_load_n(&r->transitions, __ATOMIC_RELAXED);
	o->handing_over = r->step == FO_STEP_LEVEL || r->step == FO_STEP_GIVEN;
	snprintf(o->handover, sizeof(o->handover), "%s", r->handover);
}

static void
give_up(struct sync_thread *t, void *arg)
{
	struct fo *f = arg;

	f->role.give_rc = fo_give_up_now(f, FO_HOLD_FOREVER_US, BOW_OUT_US, t->now_us);
	f->role.resigned = f->role.give_rc == 0;
}

bool
fo_has_peer(struct fo *f)
{
	struct fo_role_info r;
	struct fo_info *i;
	bool heard = false;

	fo_role_info_get(f, &r);
	/* a backup of BSD says nothing, and a cable that is silent or gone tells nothing: it may be there */
	if (r.peer != FO_PEER_DEAD)
		return true;
	i = calloc(1, sizeof(*i));
	for (unsigned k = 0; i != NULL && !heard && fo_info_get(f, k, i) == 0; k++)
		heard = i->heard && i->heard_us < 10000000;
	free(i);
	return heard;
}

int
fo_handover(struct fo *f, struct fp_err *err)
{
	struct fo_role_state *r = &f->role;
	struct fp_err ignored;

	if (fo_masters(f) == 0)
		return fp_err_set(err, -ENOTCONN, "this box is not master of anything: `show carp`");
	if (r->step == FO_STEP_LEVEL || r->step == FO_STEP_GIVEN)
		return fp_err_set(err, -EALREADY, "a handover is under way");
	r->start_us = fp_box_now_us(f->box);
	r->levelled = false;
	r->step = FO_STEP_LEVEL;
	/* without a cable the addresses move all the same; what the peer knows is what it knows */
	r->level_asked = sync_level(f->sync, &ignored) == 0;
	snprintf(r->handover, sizeof(r->handover), "bringing the peer level");
	return 0;
}

void
fo_role_poll(struct fo *f)
{
	struct fo_role_state *r = &f->role;
	uint64_t now = fp_box_now_us(f->box);
	int rc;

	switch (r->step) {
	case FO_STEP_LEVEL:
		rc = r->level_asked ? sync_level_done(f->sync) : -ENOTSUP;
		if (rc == 0 && now - r->start_us < LEVEL_WAIT_US)
			return;
		r->levelled = rc == 1;
		sync_thread_call(f->sync, give_up, f);
		if (r->give_rc != 0) {
			r->step = FO_STEP_FAILED;
			snprintf(r->handover, sizeof(r->handover), "no memory to hand over: this box stays master");
			return;
		}
		r->step = FO_STEP_GIVEN;
		snprintf(r->handover, sizeof(r->handover), "waiting for the peer to take over");
		break;
	case FO_STEP_GIVEN:
		if (fo_masters(f) == 0) {
			r->step = FO_STEP_DONE;
			snprintf(r->handover, sizeof(r->handover), "done in %.1f ms%s", (double)(now - r->start_us) / 1e3,
				r->levelled ? ", the peer was level" : ", without the peer's word that it is level");
		} else if (now - r->start_us > HANDOVER_WAIT_US) {
			r->step = FO_STEP_FAILED;
			snprintf(r->handover, sizeof(r->handover), "nobody took over: this box stays master");
		}
		break;
	default:
		break;
	}
}

int
fo_handover_done(struct fo *f)
{
	return f->role.step == FO_STEP_DONE ? 1 : f->role.step == FO_STEP_FAILED ? -ETIMEDOUT : 0;
}
