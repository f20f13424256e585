/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rule against one packet, and what a rule that matched does to the answer: shared by the plain walk (walk.c) and
 * by the residual rules of a compiled set (compile.c), so that both mean the same.
 */
#ifndef POL_MATCH_PRIV_H
#define POL_MATCH_PRIV_H

#include "compile.h"

/* The predicates in pf's order. Those up to POL_STEP_DPORT have skip steps. */
enum pol_step { POL_STEP_IF, POL_STEP_DIR, POL_STEP_AF, POL_STEP_PROTO, POL_STEP_SRC, POL_STEP_DST, POL_STEP_SPORT,
	POL_STEP_DPORT, POL_STEP_NONE, POL_STEP_MATCHED };

struct pol_match_ctx {
	const struct pol_pkt *pkt;
	const struct pol_match_env *env;	/* may be NULL: everything is routable, random numbers are 0 */
	const struct pol_ifmap *ifs;		/* may be NULL: no interface has a name or an address. Asked for (ext0) addresses:
						 * the box (walk), or what it said at compile time */
	uint16_t tag;				/* as set by the rules so far */
};

/* A `once` rule that was used is as if it were not there: not tested, and not evaluated either. */
static inline bool
pol_rule_expired(const struct pol_rule *r)
{
	return r->rf & POL_RF_ONCE && __atomic_load_n(&r->expired, __ATOMIC_RELAXED);
}

/* The first predicate of r that the packet fails, or POL_STEP_MATCHED. Looks at r alone, not at its anchor. */
enum pol_step pol_rule_test(const struct pol_rule *r, const struct pol_match_ctx *ctx);
/* The same from the protocol on, for callers that know that interface, direction and family fit. */
enum pol_step pol_rule_test_rest(const struct pol_rule *r, const struct pol_match_ctx *ctx);
/* And from the layer 4 header on. */
enum pol_step pol_rule_test_tail(const struct pol_rule *r, const struct pol_match_ctx *ctx);

/* Parts of it. */
bool pol_ifname_is(const char *name, const struct pol_ifmap *ifs, uint16_t ifid);
bool pol_rcvif_is(const char *name, bool neg, const struct pol_match_ctx *ctx);
bool pol_port_is(const struct pol_port *op, uint16_t port);
bool pol_addr_in_prefix(const union pol_ip *a, const union pol_ip *net, unsigned plen);
bool pol_addr_in_range(uint8_t af, const union pol_ip *a, const union pol_ip *lo, const union pol_ip *hi);
bool pol_addr_is(const struct pol_addr *pa, bool is_src, const struct pol_match_ctx *ctx);
bool pol_addr_same(const struct pol_addr *a, const struct pol_addr *b);
/* Prefix that an address of the interface stands for in `(ext0)`, `(ext0:network)`...; false: none for this family. */
bool pol_dynif_prefix(const struct pol_addr *pa, const struct pol_ifaddr *ifa, uint8_t af, bool *first,
	union pol_ip *net, unsigned *plen);

/*
 * What the walk needs of a rule that does not match, in one place, with pf's skip steps worked out: for callers that walk
 * the same rules for many packets. Made by pol_plan_make(), which leaves ifset to the caller.
 */
struct pol_plan {
	const uint64_t *ifset;		/* NULL: any interface; else bit [class] of the caller's interface classes */
	uint32_t skip[POL_STEP_NONE];	/* where to go on after failing at that step */
	uint32_t sibling;		/* the next rule of the level */
	uint32_t src, src_mask, dst, dst_mask; /* IPv4 prefixes, as in the packet */
	uint16_t port_lo, port_hi;	/* destination */
	uint8_t dirs;			/* bit [direction] */
	uint8_t af, proto;
	uint8_t tcp_flags, tcp_flagset;
	uint8_t known;			/* POL_PLAN_*: what of the above says all of its predicate; the rest asks the rule */
#define POL_PLAN_SRC 1
#define POL_PLAN_DST 2
#define POL_PLAN_PORT 4
#define POL_PLAN_ONCE 8		/* ask pol_rule_expired() */
};
void pol_plan_make(const struct pol_ruleset *rs, struct pol_plan *plan);
/* pol_match_walk() with it; class is that of the packet's interface. */
void pol_plan_walk(const struct pol_ruleset *rs, const struct pol_plan *plan, unsigned class, const struct pol_ifmap *ifs,
	const struct pol_match_env *env, const struct pol_pkt *pkt, struct pol_match *out, uint64_t *evals);

/* Options of a rule that pol_match_fold() hands on. */
#define POL_RF_FOLDED (POL_RF_NODF | POL_RF_RANDOMID | POL_RF_REASS_TCP | POL_RF_SET_TOS | POL_RF_SET_PRIO)

/* An empty answer with the default rule; then fold each rule that matched, the deciding one last. */
void pol_match_start(struct pol_match *m, const struct pol_ruleset *rs, const struct pol_pkt *pkt);
void pol_match_fold(struct pol_match *m, const struct pol_rule *r);

#endif
