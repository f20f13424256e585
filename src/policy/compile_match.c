/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiled answer for a burst: keys of a family and direction together, one classification, then the specials.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_byteorder.h>

#include "compile_priv.h"

union key {
	struct pol_key4 v4;
	struct pol_key6 v6;
};

static uint16_t
slow_attrs(const struct pol_compiled *c, const struct pol_classifier *cl, const struct pol_match_env *env,
	const struct pol_pkt *p)
{
	const struct pol_match_ctx ctx = { .pkt = p, .env = env, .ifs = &c->ifs, .tag = p->tag };
	uint16_t bits = 0;

	for (unsigned i = 0; i < cl->n_attrs; i++) {
		const struct pol_attr *a = &cl->attrs[i];
		bool yes = false;

		switch (a->kind) {
		case POL_ATTR_TOS: yes = p->tos == a->a; break;
		case POL_ATTR_PRIO: yes = p->prio == a->a; break;
		case POL_ATTR_TAG: yes = (p->tag == a->tag) != a->neg; break;
		case POL_ATTR_RCVIF: yes = pol_rcvif_is(a->ifname, a->neg, &ctx); break;
		case POL_ATTR_SRC: yes = pol_addr_is(a->pa, true, &ctx); break;
		case POL_ATTR_DST: yes = pol_addr_is(a->pa, false, &ctx); break;
		default: break;
		}
		if (yes)
			bits |= a->bit;
	}
	return bits;
}

static inline uint16_t
attrs_of(const struct pol_compiled *c, const struct pol_classifier *cl, const struct pol_match_env *env,
	const struct pol_pkt *p)
{
	uint16_t bits = cl->flags_all;

	if (cl->flags != NULL && p->proto == IPPROTO_TCP)
		bits = cl->flags[p->fragment ? 256 : p->tcp_flags];
	bits |= p->fragment ? cl->frag : cl->notfrag;
	if (p->fragment || !p->icmp_reply || p->icmp_error || (p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6))
		bits |= cl->stateful;
	if (cl->n_attrs != 0)
		bits |= slow_attrs(c, cl, env, p);
	return bits;
}

static inline void
key_layer4(const struct pol_pkt *p, uint16_t *sport_be, uint16_t *dport_be)
{
	bool icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;

	*sport_be = icmp ? rte_cpu_to_be_16(p->icmp_type) : p->sport_be;
	*dport_be = icmp ? rte_cpu_to_be_16(p->icmp_code) : p->dport_be;
}

static inline void
make_key(const struct pol_compiled *c, const struct pol_classifier *cl, const struct pol_match_env *env,
	const struct pol_pkt *p, union key *key)
{
	uint16_t class_be = rte_cpu_to_be_16(pol_ifclass(c, p->ifid));
	uint16_t attrs_be = rte_cpu_to_be_16(attrs_of(c, cl, env, p));

	if (p->af == POL_AF_INET) {
		key->v4.proto = p->proto;
		key->v4.src = p->src.w[0];
		key->v4.dst = p->dst.w[0];
		key_layer4(p, &key->v4.sport_be, &key->v4.dport_be);
		key->v4.ifclass_be = class_be;
		key->v4.attrs_be = attrs_be;
	} else {
		key->v6.proto = p->proto;
		memcpy(key->v6.src, &p->src, sizeof(key->v6.src));
		memcpy(key->v6.dst, &p->dst, sizeof(key->v6.dst));
		key_layer4(p, &key->v6.sport_be, &key->v6.dport_be);
		key->v6.ifclass_be = class_be;
		key->v6.attrs_be = attrs_be;
	}
}

/* r and those anchors around it that have no entry of their own. */
static bool
special_is(const struct pol_compiled *c, const struct pol_special *sp, const struct pol_match_ctx *ctx)
{
	if (pol_rule_expired(sp->rule) || !pol_ifset_has(sp->ifset, pol_ifclass(c, ctx->pkt->ifid)))
		return false;
	if (sp->rule->proto != 0 && sp->rule->proto != ctx->pkt->proto)
		return false;
	for (const struct pol_rule *a = sp->rule->parent; a != NULL && !pol_anchor_is_special(c, a); a = a->parent)
		if (pol_rule_test_rest(a, ctx) != POL_STEP_MATCHED)
			return false;
	return pol_rule_test_rest(sp->rule, ctx) == POL_STEP_MATCHED;
}

/*
 * Go through the specials in rule order, as far as pf would go given what decides so far. One that has no effect but to
 * decide is tried only if it would: its stop is lower, or the same and it comes later. False: a `match quick` ends the
 * evaluation before the rule that the classifier found, and what would have been found before it is not known.
 */
static bool
try_specials(const struct pol_compiled *c, const struct pol_classifier *cl, struct pol_match_ctx *ctx, uint32_t *found,
	struct pol_match *m)
{
	uint32_t best = *found;		/* position + 1, 0 none */
	uint32_t stop = best != 0 ? c->stops[best - 1] : POL_STOP_NEVER;

	for (uint32_t i = 0; i < cl->n_specials;) {
		const struct pol_special *sp = &cl->specials[i++];
		bool better;

		if (sp->pos > stop)
			break;
		better = best == 0 || sp->stop < stop || (sp->stop == stop && sp->pos >= best);
		if (!sp->effect && !better)
			continue;
		if (!special_is(c, sp, ctx)) {
			i = sp->skip_to;
			continue;
		}
		if (sp->rule->tag != 0)
			ctx->tag = sp->rule->tag;
		if (sp->anchor)
			continue;
		if (sp->rule->action == POL_MATCH) {
			pol_match_fold(m, sp->rule);
			if (m->n_matched < POL_MAX_MATCHED)
				m->matched[m->n_matched++] = sp->rule;
			if (sp->rule->quick) {
				*found = best;
				return best <= sp->pos;
			}
		} else if (better) {
			best = sp->pos + 1;
			stop = sp->stop;
		}
	}
	*found = best;
	return true;
}

static void
finish(const struct pol_compiled *c, const struct pol_classifier *cl, const struct pol_match_env *env,
	const struct pol_pkt *p, uint32_t found, struct pol_match *m)
{
	pol_match_start(m, c->rs, p);
	if (cl->n_specials != 0) {
		struct pol_match_ctx ctx = { .pkt = p, .env = env, .ifs = &c->ifs, .tag = p->tag };

		if (!try_specials(c, cl, &ctx, &found, m)) {
			pol_match_counted(c, env, p, m, NULL);
			return;
		}
		m->tag = ctx.tag;
	}
	if (found != 0) {
		m->rule = c->rs->rules[found - 1];
		if (c->folds[found - 1])
			pol_match_fold(m, m->rule);
	}
}

void
pol_match_burst(const struct pol_compiled *c, const struct pol_match_env *env, const struct pol_pkt *const *pkts,
	unsigned n, struct pol_match *out)
{
	uint8_t which[4][POL_BURST], n_which[4] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct pol_pkt *p = pkts[i];
		unsigned k;

		if (c->walk_only || (p->af != POL_AF_INET && p->af != POL_AF_INET6)) {
			pol_match_counted(c, env, p, &out[i], NULL);
			continue;
		}
		k = (p->af == POL_AF_INET6) * 2 + (p->dir == POL_DIR_OUT);
		which[k][n_which[k]++] = (uint8_t)i;
	}
	for (unsigned k = 0; k < 4; k++) {
		const struct pol_classifier *cl = &c->cls[k >> 1][k & 1];
		union key keys[POL_BURST];
		const uint8_t *data[POL_BURST];
		uint32_t found[POL_BURST];

		if (n_which[k] == 0)
			continue;
		if (cl->acl != NULL) {
			for (unsigned i = 0; i < n_which[k]; i++) {
				make_key(c, cl, env, pkts[which[k][i]], &keys[i]);
				data[i] = (const uint8_t *)&keys[i];
			}
			rte_acl_classify(cl->acl, data, found, n_which[k], 1);
		} else {
			memset(found, 0, sizeof(found));
		}
		for (unsigned i = 0; i < n_which[k]; i++)
			finish(c, cl, env, pkts[which[k][i]], found[i], &out[which[k][i]]);
	}
}

void
pol_match_counted(const struct pol_compiled *c, const struct pol_match_env *env, const struct pol_pkt *pkt,
	struct pol_match *out, uint64_t *evals)
{
	pol_plan_walk(c->rs, c->plan, pol_ifclass(c, pkt->ifid), &c->ifs, env, pkt, out, evals);
}
