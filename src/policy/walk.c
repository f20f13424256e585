/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules one after the other, as pf_match_rule() goes through them: the reference that the compiled rule set is
 * tested against, and what counts evaluations.
 *
 * An anchor's content is a rule set of its own between the anchor line and the next rule of the line's own level, and
 * has its own skip steps. A rule that fails at a predicate is followed by the next one whose predicate differs: the
 * rules in between would fail as well, and are not counted as evaluated.
 */
#include <string.h>

#include "match_priv.h"

struct walk {
	const struct pol_ruleset *rs;
	struct pol_match_ctx ctx;
	struct pol_match *out;
	const struct pol_rule *decider;
	uint64_t *evals;
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

/* Walk the level that begins at rule i. True: the level above ends too. As deep as anchors nest in the file. */
static bool
walk_level(struct walk *w, uint32_t i)
{
	const struct pol_ruleset *rs = w->rs;

	while (i < rs->n_rules) {
		const struct pol_rule *r = rs->rules[i];
		uint32_t next;
		enum pol_step step;

		if (w->evals != NULL)
			w->evals[i]++;
		step = pol_rule_test(r, &w->ctx);
		next = next_sibling(rs, i);
		if (step != POL_STEP_MATCHED) {
			while (next < rs->n_rules && same_predicate(r, rs->rules[next], step))
				next = next_sibling(rs, next);
			i = next;
			continue;
		}
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

	pol_match_start(out, rs, pkt);
	walk_level(&w, 0);
	if (w.decider != NULL) {
		out->rule = w.decider;
		pol_match_fold(out, w.decider);
	}
	out->tag = w.ctx.tag;
}
