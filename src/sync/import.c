/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A state of the peer becomes a record here: spec/pfsync-behaviour.md A4 INS, pfsync-wire.md 8.3. Sync thread.
 *
 * Nearly all go straight into the table, and cost the worker nothing. Some only their owner can place: what needs an
 * extension block, what meets another record on its key, what has to become the other half of a record that is there, and
 * what comes behind a CLR that the owner has not finished. Those are filled here and handed over (SYNC_M_INSERT).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/rules.h"
#include "fastpath/states.h"
#include "sync/pair.h"
#include "sync/receive.h"

#define AGE_MAX_SEC (1u << 30)
#define ICMP_ECHO 8
#define ICMP6_ECHO 128

/* A state as it will stand in the record. */
struct draft {
	struct fp_key key;
	uint8_t addr6[2][16];
	uint64_t hash;
	uint32_t rule;			/* uid */
	unsigned worker;
	int half;
	uint16_t ifid;
	uint8_t hflags;
	bool src_hi, foreign, bound;	/* bound: to one of our rules */
	bool ext;			/* needs an extension block: its owner makes it */
};

/* ---- interfaces */
const char *
sync_foreign_if(const struct fp_box *box, uint16_t ifid)
{
	const struct sync *s = box->sync;
	const struct sync_receiver *r = s != NULL ? s->t.receive : NULL;

	/* acquire: pairs with intern() */
	if (r == NULL || ifid < FP_IFID_FOREIGN || ifid - FP_IFID_FOREIGN >= fp_load_acq(&r->n_foreign))
		return NULL;
	return r->foreign[ifid - FP_IFID_FOREIGN];
}

/* Where the name stands among those of the peer, or where it may go. The peer chooses names: nobody else shall choose where. */
static uint16_t *
foreign_slot(struct sync_receiver *r, const char *name, size_t len)
{
	const uint64_t *secret = r->t->box->hash_secret;
	uint64_t v[2] = { 0 };
	unsigned __int128 p;
	uint32_t h;

	memcpy(v, name, len);
	p = (unsigned __int128)(v[0] ^ secret[0]) * (v[1] ^ secret[1] ^ 0x9e3779b97f4a7c15ull);
	for (h = (uint32_t)(p ^ p >> 64) % RTE_DIM(r->foreign_at);; h = (h + 1) % RTE_DIM(r->foreign_at))
		if (r->foreign_at[h] == 0 || strcmp(r->foreign[r->foreign_at[h] - 1], name) == 0)
			return &r->foreign_at[h];
}

bool
sync_import_ifid(struct sync_receiver *r, const char name[16], bool intern, uint16_t *ifid)
{
	const struct sync_run *run = r->t->run;
	const struct fp_conf *conf = r->t->conf;
	size_t len = strnlen(name, 16);
	uint16_t *slot;

	if (len == 0 || len == 16)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	if (strcmp(name, "all") == 0) {
		*ifid = FP_IFID_ALL;
		return true;
	}
	for (unsigned i = 0; i < run->n_map; i++)
		if (strcmp(run->map[i].name, name) == 0) {
			*ifid = run->map[i].ifid;
			return true;
		}
	for (uint32_t i = 0; i < conf->n_ifs; i++)
		if (conf->ifs[i].exists && strcmp(conf->ifs[i].name, name) == 0) {
			*ifid = (uint16_t)i;
			return true;
		}
	slot = foreign_slot(r, name, len);
	if (*slot != 0) {
		*ifid = (uint16_t)(FP_IFID_FOREIGN + *slot - 1);
		return true;
	}
	if (!intern || r->n_foreign == SYNC_FOREIGN)
		return false;
	memcpy(r->foreign[r->n_foreign], name, len + 1);
	*ifid = (uint16_t)(FP_IFID_FOREIGN + r->n_foreign);
	*slot = (uint16_t)(r->n_foreign + 1);
	fp_store_rel(&r->n_foreign, r->n_foreign + 1);
	return true;
}

/* ---- rules */
/* Numbers of the main rule set to positions, anew for each rule set. */
static bool
rule_numbers(struct sync_receiver *r)
{
	const struct fp_conf *conf = r->t->conf;
	const struct pol_ruleset *rs = conf->ruleset;
	uint32_t n = 0;

	if (r->rules_generation == conf->rules_rt->generation)
		return true;
	for (uint32_t i = 0; i < rs->n_rules; i++)
		if (rs->rules[i]->parent == NULL && rs->rules[i]->nr >= n)
			n = rs->rules[i]->nr + 1;
	if (n > rs->n_rules)
		return false;
	if (n > r->rules_size) {
		uint32_t *v = realloc(r->rule_pos, n * sizeof(*v));

		if (v == NULL)
			return false;
		r->rule_pos = v;
		r->rules_size = n;
	}
	if (n != 0)
		memset(r->rule_pos, 0xff, n * sizeof(*r->rule_pos));
	for (uint32_t i = 0; i < rs->n_rules; i++)
		if (rs->rules[i]->parent == NULL)
			r->rule_pos[rs->rules[i]->nr] = i;
	r->n_rules = n;
	r->rules_generation = conf->rules_rt->generation;
	return true;
}

/* Our rule that the peer's state was made by; NULL: the default rule. */
static const struct pol_rule *
bind_rule(struct sync_receiver *r, const struct sync_state *s)
{
	const struct pol_rule *rule;

	if (!r->rules_same || s->anchor != SYNC_NO_RULE || r->t->conf->rules_rt == NULL || !rule_numbers(r) || s->rule >= r->n_rules ||
	    r->rule_pos[s->rule] == UINT32_MAX)
		return NULL;
	rule = r->t->conf->ruleset->rules[r->rule_pos[s->rule]];
	return rule->action == POL_PASS && !(rule->rf & POL_RF_ANCHOR) ? rule : NULL;
}

/* ---- keys and values */
bool
sync_timeout_fits(uint8_t proto, uint8_t af, uint8_t timeout)
{
	switch (proto) {
	case IPPROTO_TCP:
		return timeout <= POL_TM_TCP_CLOSED;
	case IPPROTO_UDP:
		return timeout >= POL_TM_UDP_FIRST && timeout <= POL_TM_UDP_MULTIPLE;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (proto == (af == FP_AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
			return timeout == POL_TM_ICMP_FIRST || timeout == POL_TM_ICMP_ERROR;
		/* FALLTHROUGH */
	default:
		return timeout >= POL_TM_OTHER_FIRST && timeout <= POL_TM_OTHER_MULTIPLE;
	}
}

static unsigned
addr_len(unsigned af)
{
	return af == SYNC_AF_INET6 ? 16 : 4;
}

static bool
translated(const struct sync_state *s)
{
	const struct sync_key *a = &s->key[SYNC_WIRE], *b = &s->key[SYNC_STACK];
	unsigned af = sync_key_af(s, SYNC_WIRE);

	return af != sync_key_af(s, SYNC_STACK) || memcmp(a->addr[0], b->addr[0], addr_len(af)) != 0 ||
		memcmp(a->addr[1], b->addr[1], addr_len(af)) != 0 || a->port[0] != b->port[0] || a->port[1] != b->port[1] ||
		a->rdomain != b->rdomain;
}

/* Refused because this box has no such states: translated, of a routing domain, of SCTP's own timeouts. */
static bool
unsupported(const struct sync_state *s)
{
	return translated(s) || s->key[SYNC_WIRE].rdomain != 0 || s->timeout >= POL_TM_MAX ||
		(s->direction != SYNC_DIR_IN && s->direction != SYNC_DIR_OUT);
}

static bool
values_good(const struct sync_state *s)
{
	if (!sync_timeout_fits(s->proto, sync_key_af(s, SYNC_WIRE) == SYNC_AF_INET6 ? FP_AF_INET6 : FP_AF_INET, s->timeout))
		return false;
	return s->proto == IPPROTO_TCP || (s->peer[0].state <= FP_OTHERS_MULTIPLE && s->peer[1].state <= FP_OTHERS_MULTIPLE);
}

/* The canonical key. The source of the first packet is index 0 of an inbound state, 1 of an outbound one. */
static void
make_key(const struct sync_receiver *r, const struct sync_state *s, enum sync_dialect d, struct draft *o)
{
	const struct sync_key *k = &s->key[SYNC_WIRE];
	unsigned src = s->direction == SYNC_DIR_OUT;
	uint16_t sport = k->port[src], dport = k->port[!src];
	const uint64_t *secret = r->t->box->hash_secret;
	bool v6 = sync_key_af(s, SYNC_WIRE) == SYNC_AF_INET6;

	/* FreeBSD has the id in both slots and no type: nearly all that have an id are echo requests */
	if (d != SYNC_6 && s->proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		dport = v6 ? ICMP6_ECHO : ICMP_ECHO;
	if (v6) {
		o->hash = fp_key_make6(&o->key, o->addr6, k->addr[src], k->addr[!src], htons(sport), htons(dport), s->proto,
			&o->src_hi, secret);
	} else {
		uint32_t a, b;

		memcpy(&a, k->addr[src], 4);
		memcpy(&b, k->addr[!src], 4);
		fp_key_make4(&o->key, a, b, htons(sport), htons(dport), s->proto, &o->src_hi);
		o->hash = fp_key_hash4(&o->key, secret);
	}
	o->worker = fp_flow_owner(r->t->box, o->hash);
	o->half = s->direction == SYNC_DIR_IN ? FP_HALF_IN : FP_HALF_OUT;
}

static bool
peer_ext(const struct sync_state *s)
{
	for (int i = 0; i < 2; i++)
		if (s->peer[i].scrub_valid || s->peer[i].mss != 0 || s->peer[i].state >= FP_TCPS_PROXY_SRC)
			return true;
	return false;
}

/* False: refused, *why says how it is counted. */
static bool
draft(struct sync_receiver *r, const struct sync_state *s, enum sync_dialect d, struct draft *o, enum sync_counter *why)
{
	struct sync_counts *cnt = &r->t->cnt;
	const struct pol_rule *rule;
	bool tcp = s->proto == IPPROTO_TCP;

	memset(o, 0, sizeof(*o));
	*why = SYNC_CNT_SILENT;
	if (unsupported(s)) {
		fp_count(&cnt->unsupported, 1);
		return false;
	}
	if (!values_good(s)) {
		*why = SYNC_CNT_badval;
		return false;
	}
	make_key(r, s, d, o);
	if (o->worker >= r->n_workers)
		return false;
	if (!sync_import_ifid(r, s->ifname, true, &o->ifid)) {
		fp_count(&cnt->unknown_if, 1);
		return false;
	}
	o->foreign = o->ifid != FP_IFID_ALL && o->ifid >= FP_IFID_FOREIGN;
	rule = bind_rule(r, s);
	o->bound = rule != NULL;
	o->rule = rule != NULL ? rule->uid : FP_RULE_NONE;
	o->hflags = (s->state_flags & SYNC_F_ALLOWOPTS ? FP_HF_ALLOW_OPTS : 0) | (s->state_flags & SYNC_F_SLOPPY ? FP_HF_SLOPPY : 0) |
		(s->state_flags & SYNC_F_NOSYNC ? FP_HF_NO_SYNC : 0) | (s->log & POL_LOG_ALL ? FP_HF_LOG_ALL : 0);
	if (tcp && (s->state_flags & SYNC_F_SCRUB_TCP || s->peer[0].scrub_valid || s->peer[1].scrub_valid))
		o->hflags |= FP_HF_SCRUB_TCP;
	o->ext = (tcp && (o->hflags & FP_HF_SCRUB_TCP || peer_ext(s))) || s->max_mss != 0 || s->min_ttl != 0 ||
		s->state_flags & (SYNC_F_NODF | SYNC_F_RANDOMID | SYNC_F_SETTOS | SYNC_F_SETPRIO);
	return true;
}

bool
sync_import_mates(const struct sync_state *a, const struct sync_state *b)
{
	const struct sync_key *x = &a->key[SYNC_WIRE], *y = &b->key[SYNC_WIRE];
	const unsigned own = SYNC_F_ACK | SYNC_F_ALLOWOPTS;	/* a half has these for itself */
	unsigned len = addr_len(sync_key_af(a, SYNC_WIRE));

	if (a->creatorid != b->creatorid || a->id == b->id || a->proto != b->proto || a->direction + b->direction != 3 ||
	    a->direction == b->direction || a->direction == 0 || b->direction == 0 ||
	    sync_key_af(a, SYNC_WIRE) != sync_key_af(b, SYNC_WIRE) || a->timeout != b->timeout ||
	    (a->state_flags ^ b->state_flags) & ~own || a->creation_sec - b->creation_sec + 1 > 2 ||
	    a->expire_sec - b->expire_sec + 1 > 2 || memcmp(a->peer, b->peer, sizeof(a->peer)) != 0)
		return false;
	if (a->peer[0].seqdiff != 0 || a->peer[1].seqdiff != 0 || peer_ext(a) || a->max_mss != 0 || b->max_mss != 0 ||
	    a->min_ttl != 0 || b->min_ttl != 0 || a->state_flags & ~(own | SYNC_F_SLOPPY | SYNC_F_NOSYNC | SYNC_F_PFLOW) ||
	    translated(a) || translated(b) || x->rdomain != 0 || y->rdomain != 0)
		return false;
	/* mirrored */
	return memcmp(x->addr[0], y->addr[1], len) == 0 && memcmp(x->addr[1], y->addr[0], len) == 0 && x->port[0] == y->port[1] &&
		x->port[1] == y->port[0];
}

/* ---- records */
static void
fill_half(struct fp_state *st, const struct draft *o, const struct sync_state *s)
{
	int h = o->half;

	st->halves |= (uint8_t)(1u << h);
	st->id[h] = s->id;
	st->rule[h] = o->rule;
	st->ifid[h] = o->ifid;
	st->hflags[h] = o->hflags;
	if (o->hflags & FP_HF_NO_SYNC || s->proto == SYNC_IPPROTO)
		fp_sync_pos_set(st, h, FP_SYNC_DEAD);
	if (o->ifid != FP_IFID_ALL || o->hflags & (FP_HF_SLOPPY | FP_HF_SCRUB_TCP | FP_HF_LOG_ALL) || o->ext)
		st->flags |= FP_SF_SLOW;
}

static bool
may_reanchor(const struct sync_peer *p)
{
	return p->state >= FP_TCPS_ESTABLISHED && p->state <= FP_TCPS_TIME_WAIT;
}

static void
fill(struct sync_receiver *r, struct fp_state *st, const struct draft *o, const struct sync_state *s)
{
	const struct fp_rule_rt *rt = fp_rule(r->t->box, o->rule);
	uint32_t now = r->t->now_sec, timeout = fp_rule_timeout(r->t->conf, rt->rule, s->timeout), idle = 0;
	bool tcp = s->proto == IPPROTO_TCP;

	st->flags |= FP_SF_LEARNED | (o->src_hi ? FP_SF_SRC_HI : 0);
	st->creatorid = s->creatorid;
	st->created_sec = now - RTE_MIN(s->creation_sec, AGE_MAX_SEC);
	/* 0: touched just now */
	if (s->expire_sec != 0 && s->expire_sec < timeout)
		idle = RTE_MIN(timeout - s->expire_sec, AGE_MAX_SEC);
	st->last_sec = now - idle;
	st->timeout = s->timeout;
	for (int i = 0; i < 2; i++) {
		const struct sync_peer *p = &s->peer[i];

		st->peer[i] = (struct fp_peer){ .seqlo = p->seqlo, .seqhi = p->seqhi, .max_win = p->max_win, .state = p->state,
			.wscale = p->wscale };
		st->seqdiff[i] = p->seqdiff;
		if (tcp && p->seqdiff != 0)
			st->flags |= FP_SF_SEQDIFF | FP_SF_SLOW;
		if (tcp && may_reanchor(p))
			st->flags |= i == 0 ? FP_SF_REANCHOR_SRC : FP_SF_REANCHOR_DST;
	}
	if (rt->rule->max_pkt_rate != 0)
		st->flags |= FP_SF_SLOW;
	st->ifid[0] = st->ifid[1] = FP_IFID_ALL;
	fill_half(st, o, s);
}

static struct fp_state *
find_record(const struct fp_table *t, const struct draft *o, int half)
{
	/* the creator's own packets, on the side that this half looks at */
	return fp_table_find(t, &o->key, o->key.af == FP_AF_INET6 ? (const uint8_t (*)[16])o->addr6 : NULL, o->hash,
		half == FP_HALF_OUT, o->src_hi, o->ifid, FP_STATE_NONE);
}

/* Is the other half here alone, so that the owner may join the two? */
static bool
mate_is_here(const struct fp_table *t, const struct draft *o, const struct sync_state *s)
{
	const struct fp_state *m;

	if (o->ext || s->peer[0].seqdiff != 0 || s->peer[1].seqdiff != 0)
		return false;
	m = find_record(t, o, !o->half);
	return m != NULL && fp_load(&m->creatorid) == s->creatorid && fp_load(&m->halves) == 1u << !o->half;
}

static void
rule_hold(struct sync_receiver *r, const struct fp_state *st, bool hold)
{
	for (int h = 0; h < 2; h++) {
		struct fp_rule_rt *rt;

		if (!(st->halves >> h & 1))
			continue;
		rt = fp_rule(r->t->box, st->rule[h]);
		if (hold) {
			__atomic_fetch_add(&rt->states_cur, 1, __ATOMIC_RELAXED);
			__atomic_fetch_add(&rt->states_total, 1, __ATOMIC_RELAXED);
		} else {
			__atomic_fetch_sub(&rt->states_cur, 1, __ATOMIC_RELEASE);
			__atomic_fetch_sub(&rt->states_total, 1, __ATOMIC_RELAXED);
		}
	}
}

static void
count_in(struct sync_receiver *r, const struct draft *o)
{
	fp_count(o->bound ? &r->t->cnt.rule_bound : &r->t->cnt.rule_default, 1);
	fp_count(&r->t->cnt.unknown_if, o->foreign);
}

static enum sync_counter
table_full(struct sync_receiver *r, unsigned halves)
{
	fp_count(&r->t->cnt.table_full, halves);
	return SYNC_CNT_SILENT;
}

/* The owner decides where the filled record goes. */
static enum sync_counter
hand_over(struct sync_receiver *r, struct fp_state *st, const struct draft *o, const struct sync_state *s, enum sync_kind kind)
{
	struct fp_table *t = r->t->box->workers[o->worker]->table;
	struct sync_msg_w m;

	memset(&m, 0, sizeof(m));
	m.kind = SYNC_M_INSERT;
	m.halves = (uint8_t)(1u << o->half);
	m.timeout = s->timeout;
	m.flags = (kind == SYNC_UPD ? SYNC_MF_FULL : 0) | (o->ext ? SYNC_MF_EXT : 0);
	m.index = fp_table_index(t, st);
	m.id[o->half] = s->id;
	m.creatorid = s->creatorid;
	m.max_mss = s->max_mss;
	for (int i = 0; i < 2; i++)
		sync_peer_shrink(&m.peer[i], &s->peer[i]);
	m.min_ttl = s->min_ttl;
	m.set_tos = s->set_tos;
	memcpy(m.set_prio, s->set_prio, sizeof(m.set_prio));
	m.scrub_rf = (s->state_flags & SYNC_F_NODF ? POL_RF_NODF : 0) | (s->state_flags & SYNC_F_RANDOMID ? POL_RF_RANDOMID : 0) |
		(s->state_flags & SYNC_F_SETTOS ? POL_RF_SET_TOS : 0) | (s->state_flags & SYNC_F_SETPRIO ? POL_RF_SET_PRIO : 0);
	/* behind all that came before it */
	sync_flush_worker(r, o->worker);
	if (!sync_to_worker(r->t, o->worker, &m, 1)) {
		rule_hold(r, st, false);
		fp_table_alloc_cancel(t, st, true);
		return SYNC_CNT_SILENT;
	}
	/* what the peer says next about it goes there too, and the owner knows where it went */
	*sync_handed(r, s->id) = (struct sync_handed){ .id = s->id, .creatorid = s->creatorid, .index = m.index,
		.worker = (uint16_t)o->worker, .half = (uint8_t)o->half };
	count_in(r, o);
	if (s->state_flags & SYNC_F_ACK)
		sync_ack_later(r, s->id, s->creatorid);
	return SYNC_CNT_NONE;
}

static void
inserted(struct sync_receiver *r, const struct draft *o, const struct sync_state *s, uint32_t index)
{
	sync_idmap_put(r->ids, s->id, s->creatorid, o->worker, index);
	count_in(r, o);
	fp_count(&r->t->cnt.inserted, 1);
	fp_count(&r->t->box->learned, 1);
	for (int i = 0; i < 2; i++)
		sync_warm(r->t, (uint8_t)s->af, s->key[SYNC_WIRE].addr[i]);
	if (s->state_flags & SYNC_F_ACK)
		sync_ack_later(r, s->id, s->creatorid);
}

static bool
rule_full(struct sync_receiver *r, const struct draft *o)
{
	const struct fp_rule_rt *rt = fp_rule(r->t->box, o->rule);

	return rt->rule->max_states != 0 && __atomic_load_n(&rt->states_cur, __ATOMIC_RELAXED) >= rt->rule->max_states;
}

static bool
limit_reached(struct sync_receiver *r, unsigned halves)
{
	return fp_states_total(r->t->box) + halves > r->t->conf->limit[POL_LIMIT_STATES];
}

/* 1 done, 0 the two have to go their own ways, -1 full. */
static int
import_pair(struct sync_receiver *r, const struct sync_state *s, const struct draft *o, const struct sync_state *mate,
	const struct draft *mo)
{
	struct fp_table *t = r->t->box->workers[o->worker]->table;
	struct fp_state *st, *other;
	int rc;

	if (r->clearing[o->worker] != 0 || o->ext || mo->ext || (o->hflags ^ mo->hflags) & FP_HF_SLOPPY || o->src_hi != mo->src_hi ||
	    !fp_key_equal(&o->key, &mo->key))
		return 0;
	if (limit_reached(r, 2))
		return -1;
	st = fp_table_alloc(t, &o->key, (const uint8_t (*)[16])o->addr6, true);
	if (st == NULL)
		return -1;
	fill(r, st, o, s);
	fill_half(st, mo, mate);
	rule_hold(r, st, true);
	rc = fp_table_insert(t, st, o->hash, true, &other);
	if (rc == 0) {
		uint32_t index = fp_table_index(t, st);

		inserted(r, o, s, index);
		inserted(r, mo, mate, index);
		return 1;
	}
	rule_hold(r, st, false);
	fp_table_alloc_cancel(t, st, true);
	return rc == -EEXIST ? 0 : -1;
}

static enum sync_counter
import_one(struct sync_receiver *r, const struct sync_state *s, const struct draft *o, enum sync_kind kind)
{
	struct fp_table *t = r->t->box->workers[o->worker]->table;
	struct fp_state *st, *other;
	bool handed;
	int rc;

	if (limit_reached(r, 1) || rule_full(r, o))
		return table_full(r, 1);
	st = fp_table_alloc(t, &o->key, (const uint8_t (*)[16])o->addr6, true);
	if (st == NULL)
		return table_full(r, 1);
	fill(r, st, o, s);
	rule_hold(r, st, true);
	handed = o->ext || r->clearing[o->worker] != 0 || mate_is_here(t, o, s);
	if (!handed) {
		rc = fp_table_insert(t, st, o->hash, true, &other);
		if (rc == 0) {
			inserted(r, o, s, fp_table_index(t, st));
			return SYNC_CNT_NONE;
		}
		if (rc != -EEXIST) {
			rule_hold(r, st, false);
			fp_table_alloc_cancel(t, st, true);
			return table_full(r, 1);
		}
	}
	return hand_over(r, st, o, s, kind);
}

/* What pf counts of a state that is refused depends on the message that it came in. */
static enum sync_counter
refused(struct sync_receiver *r, enum sync_kind kind, enum sync_counter c)
{
	if (kind == SYNC_UPD && c == SYNC_CNT_badval)
		c = SYNC_CNT_badstate;
	if (c > SYNC_CNT_SILENT)
		fp_count(&r->t->cnt.cnt[c], 1);
	return c;
}

void
sync_import(struct sync_receiver *r, const struct sync_state *s, const struct sync_state *mate, enum sync_kind kind,
	enum sync_dialect d, enum sync_counter why[2])
{
	struct draft o, mo;
	bool good = draft(r, s, d, &o, &why[0]), mate_good = mate != NULL && draft(r, mate, d, &mo, &why[1]);

	if (good && mate_good) {
		int rc = import_pair(r, s, &o, mate, &mo);

		if (rc != 0) {
			why[0] = why[1] = rc > 0 ? SYNC_CNT_NONE : table_full(r, 2);
			return;
		}
	}
	if (good)
		why[0] = import_one(r, s, &o, kind);
	if (mate_good)
		why[1] = import_one(r, mate, &mo, kind);
	why[0] = refused(r, kind, why[0]);
	if (mate != NULL)
		why[1] = refused(r, kind, why[1]);
}
