/* SPDX-License-Identifier: BSD-2-Clause */
/* See role.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failover/fo_priv.h"
#include "sync/pair.h"

#define BEATS_MISSED 2.2
#define SILENT_MIN_US 15000u	/* however fast the heartbeat: a thread is not run now and then */
#define PROBE_US 5000u
#define ELSEWHERE_US 100000u	/* asked again so often while the cable is silent and the peer answers */
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

/* Ask every box that was heard advertising, where it was heard. */
static unsigned
probe(struct fo *f, struct sync_thread *t)
{
	struct fo_carp_info info;
	struct fo_carp *c;
	unsigned n = 0;

	for (c = fo_group_next(f->group, NULL); c != NULL; c = fo_group_next(f->group, c)) {
		fo_carp_info_get(c, &info);
		if (!info.heard || info.state != FO_CARP_BACKUP)
			continue;
		sync_session_probe(t, (uint16_t)info.conf->ifid, info.heard_family == FO_INET6 ? FP_AF_INET6 : FP_AF_INET,
			info.heard_src, SYNC_MARK_PROBE, 0);
		n++;
	}
	return n;
}

static void
watch_peer(struct fo *f, struct sync_thread *t, uint64_t now)
{
	struct fo_role_state *r = &f->role;
	uint32_t beat_ms = __atomic_load_n(&f->box->params->sync_heartbeat_ms, __ATOMIC_RELAXED);
	uint64_t heard = sync_session_heard_us(t), alive = sync_session_alive_us(t), limit;
	bool cable = t->run->up && t->run->link;

	if (heard == 0 || beat_ms == 0) {
		set_peer(f, FO_PEER_NONE, now);
		return;
	}
	limit = (uint64_t)(beat_ms * 1000 * BEATS_MISSED);
	if (limit < SILENT_MIN_US)
		limit = SILENT_MIN_US;
	/* frozen: the peer's beats wait in the ring like everything else; hear them first */
	if (now - r->last_turn_us > limit / 2)
		r->not_before_us = now + limit;
	r->last_turn_us = now;
	if (now - heard < limit) {
		if (r->peer == FO_PEER_SILENT || r->peer == FO_PEER_ELSEWHERE)
			__atomic_store_n(&r->false_alarms, r->false_alarms + 1, __ATOMIC_RELAXED);
		set_peer(f, FO_PEER_ALIVE, now);
		return;
	}
	if (!cable) {
		set_peer(f, FO_PEER_CUT, now);
		return;
	}
	switch (r->peer) {
	case FO_PEER_NONE:
	case FO_PEER_ALIVE:
	case FO_PEER_CUT:
		if (now < r->not_before_us)
			break;
		set_peer(f, FO_PEER_SILENT, now);
		r->asked_us = r->probe_us = now;
		/* nobody to ask: nobody to take over from */
		probe(f, t);
		break;
	case FO_PEER_SILENT:
		if (alive > r->asked_us) {
			set_peer(f, FO_PEER_ELSEWHERE, now);
			r->asked_us = now;
			break;
		}
		if (now - r->asked_us >= 1000ull * __atomic_load_n(&f->box->params->sync_probe_ms, __ATOMIC_RELAXED)) {
			__atomic_store_n(&r->deaths, r->deaths + 1, __ATOMIC_RELAXED);
			set_peer(f, FO_PEER_DEAD, now);
			fo_peer_dead(f, now);
			break;
		}
		if (now - r->probe_us >= PROBE_US) {
			r->probe_us = now;
			probe(f, t);
		}
		break;
	case FO_PEER_ELSEWHERE:
		if (now - r->asked_us >= ELSEWHERE_US) {
			set_peer(f, FO_PEER_SILENT, now);
			r->asked_us = r->probe_us = now;
			probe(f, t);
		}
		break;
	case FO_PEER_DEAD:
		break;
	}
}

unsigned
fo_role_turn(struct fo *f, struct sync_thread *t)
{
	uint64_t now = t->now_us;
	struct fo_carp_info info;
	bool any = false;
	struct fo_carp *c;

	watch_peer(f, t, now);
	fo_wire_linger(f, now);
	if (f->role.lift) {
		f->role.lift = false;
		fo_group_demote(f->group, FO_GROUP_DEFAULT, "failover", "", 0, 0, FO_CARP_NEVER, now);
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
		__atomic_store_n(&f->box->grace_until_sec, (uint32_t)(change->now_us / 1000000) + GRACE_SEC, __ATOMIC_RELAXED);
		/* master again: what `failover` asked for is over */
		if (f->role.resigned) {
			f->role.resigned = false;
			f->role.lift = true; /* not inside of the group's own call */
		}
	}
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
	if (r.peer == FO_PEER_ALIVE || r.peer == FO_PEER_ELSEWHERE)
		return true;
	i = calloc(1, sizeof(*i));
	for (unsigned k = 0; i != NULL && !heard && fo_info_get(f, k, i) == 0; k++)
		heard = i->heard && i->heard_us < 10000000;
	free(i);
	/* a backup of BSD says nothing: it may be there */
	return heard || r.peer == FO_PEER_NONE;
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
