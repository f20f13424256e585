/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules one after the other, as pf_match_rule() goes through them: the reference that the compiled rule set is
 * tested against, and what counts evaluations.
 *
 * An anchor's content is a rule set of its own between the anchor line and the next rule of the line's own level, and
 * has its own skip steps. A rule that fails at a predicate is followed by the next one whose predicate differs: the
 * rules in between would fail as well, and are not counted as evaluated.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "match_priv.h"

struct walk {
	const struct pol_ruleset *rs;
	struct pol_match_ctx ctx;
	struct pol_match *out;
	const struct pol_rule *decider;
	uint64_t *evals;
	const struct pol_plan *plan;	/* or NULL */
	unsigned class;
	bool quick;		/* a quick rule matched: all levels end. A quick anchor ends only the level that it is on, as in pf */
};

/* The next rule of the same level; n_rules when there is none. */
static uint32_t
next_sibling(const struct pol_ruleset *rs, uint32_t i)
{
	const struct pol_rule *r = rs->rules[i];
	uint32_t next = r->rf & POL_RF_ANCHOR ? r->anchor_end : i + 1;

	return next < rs->n_rules && rs->rules[next]->parent == r->parent ? next : rs->n_rules;
}

static bool
same_port(const struct pol_port *a, const struct pol_port *b)
{
	return a->op == b->op && a->lo == b->lo && a->hi == b->hi;
}

static bool
same_predicate(const struct pol_rule *a, const struct pol_rule *b, enum pol_step step)
{
	switch (step) {
	case POL_STEP_IF: return strcmp(a->ifname, b->ifname) == 0 && a->ifneg == b->ifneg;
	case POL_STEP_DIR: return a->dir == b->dir;
	case POL_STEP_AF: return a->af == b->af;
	case POL_STEP_PROTO: return a->proto == b->proto;
	case POL_STEP_SRC: return pol_addr_same(&a->src, &b->src);
	case POL_STEP_DST: return pol_addr_same(&a->dst, &b->dst);
	case POL_STEP_SPORT: return same_port(&a->src.port, &b->src.port);
	case POL_STEP_DPORT: return same_port(&a->dst.port, &b->dst.port);
	default: return false;
	}
}

static uint32_t
skip_from(const struct pol_ruleset *rs, uint32_t i, enum pol_step step)
{
	uint32_t next = next_sibling(rs, i);

	while (next < rs->n_rules && same_predicate(rs->rules[i], rs->rules[next], step))
		next = next_sibling(rs, next);
	return next;
}

static bool
plan_prefix(const struct pol_rule *r, const struct pol_addr *pa, uint32_t *addr, uint32_t *mask)
{
	if (pa->neg || (pa->kind != POL_ADDR_ANY && (pa->kind != POL_ADDR_PREFIX || r->af != POL_AF_INET || pa->plen > 32)))
		return false;
	*mask = pa->kind == POL_ADDR_ANY || pa->plen == 0 ? 0 : htonl(~(uint32_t)0 << (32 - pa->plen));
	*addr = pa->addr.w[0] & *mask;
	return true;
}

static bool
plan_port(const struct pol_port *op, uint16_t *lo, uint16_t *hi)
{
	*lo = op->lo;
	*hi = op->hi;
	switch (op->op) {
	case POL_OP_EQ:
		*hi = op->lo;
		return true;
	case POL_OP_LE:
		*lo = 0;
		*hi = op->lo;
		return true;
	case POL_OP_GE:
		*hi = UINT16_MAX;
		return true;
	case POL_OP_RRG:
		return true;
	default:
		return false;
	}
}

void
pol_plan_make(const struct pol_ruleset *rs, struct pol_plan *plan)
{
	/* Backwards, so that a skip is where the next rule's goes when their predicates are the same. */
	for (uint32_t i = rs->n_rules; i-- > 0;) {
		const struct pol_rule *r = rs->rules[i];
		struct pol_plan *p = &plan[i];

		memset(p, 0, sizeof(*p));
		p->sibling = next_sibling(rs, i);
		for (int step = 0; step < POL_STEP_NONE; step++)
			p->skip[step] = p->sibling < rs->n_rules &&
				same_predicate(r, rs->rules[p->sibling], (enum pol_step)step) ? plan[p->sibling].skip[step] : p->sibling;
		p->dirs = r->dir == POL_DIR_ANY ? 1u << POL_DIR_IN | 1u << POL_DIR_OUT : (uint8_t)(1u << r->dir);
		p->af = r->af;
		p->proto = r->proto;
		p->tcp_flags = r->tcp_flags;
		p->tcp_flagset = r->tcp_flagset;
		if (plan_prefix(r, &r->src, &p->src, &p->src_mask))
			p->known |= POL_PLAN_SRC;
		if (plan_prefix(r, &r->dst, &p->dst, &p->dst_mask))
			p->known |= POL_PLAN_DST;
		if (r->src.port.op == POL_OP_NONE && plan_port(&r->dst.port, &p->port_lo, &p->port_hi))
			p->known |= POL_PLAN_PORT;
		if (r->rf & POL_RF_ONCE)
			p->known |= POL_PLAN_ONCE;
	}
}

/* pol_rule_test() by the plan, which looks at the rule itself only when it is not yet sure. */
static inline enum pol_step
plan_test(const struct walk *w, const struct pol_plan *f, uint32_t i)
{
	const struct pol_pkt *p = w->ctx.pkt;
	const struct pol_rule *const *r = (const struct pol_rule *const *)&w->rs->rules[i];

	if (f->ifset != NULL && !(f->ifset[w->class >> 6] >> (w->class & 63) & 1))
		return POL_STEP_IF;
	if (!(f->dirs >> p->dir & 1))
		return POL_STEP_DIR;
	if (f->af != POL_AF_ANY && f->af != p->af)
		return POL_STEP_AF;
	if (f->proto != POL_PROTO_ANY && f->proto != p->proto)
		return POL_STEP_PROTO;
	if (f->known & POL_PLAN_SRC ? ((p->src.w[0] & f->src_mask) != f->src) : !pol_addr_is(&(*r)->src, true, &w->ctx))
		return POL_STEP_SRC;
	if (f->known & POL_PLAN_DST ? ((p->dst.w[0] & f->dst_mask) != f->dst) : !pol_addr_is(&(*r)->dst, false, &w->ctx))
		return POL_STEP_DST;
	if (!p->fragment) {
		uint16_t port = ntohs(p->dport_be);

		if (p->proto == IPPROTO_TCP && (p->tcp_flags & f->tcp_flagset) != f->tcp_flags)
			return POL_STEP_NONE;
		if (f->known & POL_PLAN_PORT && (port < f->port_lo || port > f->port_hi))
			return POL_STEP_DPORT;
	}
	return pol_rule_test_tail(*r, &w->ctx);
}

/* Walk the level that begins at rule i. True: the level above ends too. As deep as anchors nest in the file. */
static bool
walk_level(struct walk *w, uint32_t i)
{
	const struct pol_ruleset *rs = w->rs;

	while (i < rs->n_rules) {
		const struct pol_rule *r;
		uint32_t next;
		enum pol_step step;

		if ((w->plan == NULL || w->plan[i].known & POL_PLAN_ONCE) && pol_rule_expired(rs->rules[i])) {
			i = next_sibling(rs, i);
			continue;
		}
		if (w->evals != NULL)	/* one writer, others read */
			__atomic_store_n(&w->evals[i], w->evals[i] + 1, __ATOMIC_RELAXED);
		step = w->plan != NULL ? plan_test(w, &w->plan[i], i) : pol_rule_test(rs->rules[i], &w->ctx);
		if (step < POL_STEP_NONE) {
			i = w->plan != NULL ? w->plan[i].skip[step] : skip_from(rs, i, step);
			continue;
		}
		next = w->plan != NULL ? w->plan[i].sibling : next_sibling(rs, i);
		if (step == POL_STEP_NONE) {
			i = next;
			continue;
		}
		r = rs->rules[i];
		if (r->tag != 0)
			w->ctx.tag = r->tag;
		if (r->rf & POL_RF_ANCHOR) {
			bool end = r->anchor_end > i + 1 && walk_level(w, i + 1);

			if (end || (r->quick && w->decider != NULL && w->decider->parent == r))
				return w->quick;
		} else if (r->action == POL_MATCH) {
			pol_match_fold(w->out, r);
			if (w->out->n_matched < POL_MAX_MATCHED)
				w->out->matched[w->out->n_matched++] = r;
		} else {
			w->decider = r;
		}
		if (r->quick && !(r->rf & POL_RF_ANCHOR))
			return w->quick = true;
		i = next;
	}
	return w->quick;
}

static void
walk_rules(struct walk *w)
{
	pol_match_start(w->out, w->rs, w->ctx.pkt);
	walk_level(w, 0);
	if (w->decider != NULL) {
		w->out->rule = w->decider;
		pol_match_fold(w->out, w->decider);
	}
	w->out->tag = w->ctx.tag;
}

void
pol_match_walk(const struct pol_ruleset *rs, const struct pol_ifmap *ifs, const struct pol_match_env *env,
	const struct pol_pkt *pkt, struct pol_match *out, uint64_t *evals)
{
	struct walk w = {
		.rs = rs,
		.ctx = { .pkt = pkt, .env = env, .ifs = ifs, .tag = pkt->tag },
		.out = out,
		.evals = evals,
	};

	walk_rules(&w);
}

void
pol_plan_walk(const struct pol_ruleset *rs, const struct pol_plan *plan, unsigned class, const struct pol_ifmap *ifs,
	const struct pol_match_env *env, const struct pol_pkt *pkt, struct pol_match *out, uint64_t *evals)
{
	struct walk w = {
		.rs = rs,
		.ctx = { .pkt = pkt, .env = env, .ifs = ifs, .tag = pkt->tag },
		.out = out,
		.evals = evals,
		.plan = plan,
		.class = class,
	};

	walk_rules(&w);
}
