/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of a compiled rule set. Four classifiers, one per family and direction:
 *
 *	packet -> key { protocol, addresses, ports or icmp type and code, interface class, attributes } -> rte_acl -> rule
 *
 * Interface class: interfaces that no rule tells apart are one class. Attributes: up to 16 yes-no questions that a
 * rule set asks of many packets and that are no field of their own: "are the flags S/SA", "no fragment", "is the source
 * in <clients>"; each is answered once per packet and is one bit of the key, so that a thousand rules with the same table
 * cost one look into the table.
 *
 * What does not fit (`tagged`, probability, rare tables, ...) and what must be seen in order (match rules, rules that
 * tag) is a special: a rule of a plain list in rule order, of which only those are tried that could change the answer.
 *
 * Order. `stop` of a rule is the position behind which pf does not go when the rule decides: its own for a quick rule,
 * the end of the anchor for a rule directly inside of a quick anchor, else UINT32_MAX. Of all rules that match, the one
 * with the lowest stop decides, and among those with the same the last. That is the priority of the classifier.
 */
#ifndef POL_COMPILE_PRIV_H
#define POL_COMPILE_PRIV_H

#include "match_priv.h"

#define POL_ATTR_MAX 16
#define POL_STOP_NEVER UINT32_MAX

/* A set of numbers as sorted, disjoint, not adjacent ranges. */
typedef unsigned __int128 pol_u128;
#define POL_SET_MAX 64
struct pol_set {
	unsigned n;
	struct { pol_u128 lo, hi; } v[POL_SET_MAX];
};

/* These answer false when a result has too many ranges. */
void pol_set_all(struct pol_set *s, pol_u128 max);
bool pol_set_add(struct pol_set *s, pol_u128 lo, pol_u128 hi);
bool pol_set_invert(struct pol_set *s, pol_u128 max);
bool pol_set_intersect(struct pol_set *s, const struct pol_set *t);
bool pol_set_of_port(struct pol_set *s, const struct pol_port *op);
/* Address without port as a set; false also for kinds that are no set of addresses (tables, urpf...). */
bool pol_set_of_addr(struct pol_set *s, const struct pol_addr *pa, uint8_t af, const struct pol_ifmap *ifs);
pol_u128 pol_addr_number(uint8_t af, const union pol_ip *a);
/* Prefixes of `bits` bits that make up the set: their number, at most max are written. */
struct pol_prefix { pol_u128 addr; unsigned plen; };
unsigned pol_set_prefixes(const struct pol_set *s, unsigned bits, struct pol_prefix *out, unsigned max);

enum pol_attr_kind { POL_ATTR_FLAGS, POL_ATTR_NOTFRAG, POL_ATTR_FRAG, POL_ATTR_STATEFUL, POL_ATTR_TOS, POL_ATTR_PRIO,
	POL_ATTR_TAG, POL_ATTR_RCVIF, POL_ATTR_SRC, POL_ATTR_DST };

struct pol_attr {
	enum pol_attr_kind kind;
	uint8_t a, b;			/* flags and flag set; tos; prio */
	bool neg;
	uint16_t tag;
	const char *ifname;
	const struct pol_addr *pa;
	unsigned uses;
	uint16_t bit;			/* 0: got none */
};

struct pol_special {
	const struct pol_rule *rule;
	const uint64_t *ifset;		/* interface classes of the rule and of its anchors */
	uint32_t pos, stop;
	uint32_t skip_to;		/* an anchor that does not match: the special to go on with */
	bool effect;			/* to be tried even if it cannot decide */
	bool anchor;
};

struct rte_acl_ctx;

struct pol_classifier {
	struct rte_acl_ctx *acl;	/* NULL: no rule in it */
	struct pol_special *specials;
	uint32_t n_specials;
	/* Attributes. */
	uint16_t notfrag, frag, stateful; /* bits, 0 when no rule asks */
	uint16_t flags_all;		/* bits of all questions about TCP flags: true for what is not TCP */
	uint16_t *flags;		/* [257] answers for these TCP flags, and of a TCP fragment; NULL: no question */
	struct pol_attr attrs[POL_ATTR_MAX]; /* the others */
	unsigned n_attrs;
};

struct pol_compiled {
	const struct pol_ruleset *rs;
	struct pol_ifmap ifs;		/* names and addresses as of compile time */
	char (*names)[POL_IFNAMSIZ];
	struct pol_ifsnap *snaps;
	unsigned n_snaps;
	uint16_t *ifclass;		/* [ifs.n + 1]; the last is of ids that have no name */
	uint16_t *class_members;	/* one interface of each class */
	unsigned n_ifclasses;
	unsigned ifset_words;
	uint64_t **ifsets;		/* owned, see pol_special.ifset */
	unsigned n_ifsets;
	uint32_t *stops;		/* [n_rules] */
	bool *folds;			/* [n_rules] has options to fold: a rule is large, most need not be looked at */
	struct pol_plan *plan;		/* [n_rules] for walks */
	bool walk_only;			/* the order of these rules is no priority, or rte_acl refused */
	struct pol_classifier cls[2][2]; /* [IPv6][out] */
};

/* Addresses of an interface that a rule names in parentheses. */
struct pol_ifsnap {
	char name[POL_TABLE_NAME_SIZE];
	struct pol_ifaddr *v;
	int n;
};

/* Key as rte_acl reads it: protocol in a byte of its own, then words. */
struct pol_key4 {
	uint8_t proto, pad[3];
	uint32_t src, dst;
	uint16_t sport_be, dport_be;	/* type and code of an ICMP message */
	uint16_t ifclass_be, attrs_be;
};
struct pol_key6 {
	uint8_t proto, pad[3];
	uint32_t src[4], dst[4];
	uint16_t sport_be, dport_be;
	uint16_t ifclass_be, attrs_be;
};

/* A rule of the classifier before it is one of rte_acl's: one prefix and one range per field. */
struct pol_box {
	uint32_t pos;
	uint8_t proto;			/* 0 any */
	struct pol_prefix src, dst;
	uint16_t sport[2], dport[2], ifclass[2];
	uint16_t attrs;
};

struct pol_boxes { struct pol_box *v; uint32_t n, cap; };

/*
 * compile_boxes.c. Interface classes of the rule, and of the anchors that are part of it if wanted; each set is made
 * once and kept. NULL: no memory.
 */
const uint64_t *pol_ifset_of(struct pol_compiled *c, const struct pol_rule *r, bool anchors);
/* Fill classifier cl, all but acl. 0 or -ENOMEM. */
int pol_compile_boxes(struct pol_compiled *c, unsigned v6, unsigned out, struct pol_boxes *boxes);
/* compile_acl.c: 0 or a negative errno. ranks[pos] is the priority, from 1. */
int pol_acl_create(struct pol_classifier *cl, bool v6, const struct pol_boxes *boxes, const uint32_t *ranks, int socket);
void pol_acl_free(struct pol_classifier *cl);

/* An anchor whose predicates must be asked when the walk comes to it, or that tags: all inside are specials. */
bool pol_anchor_is_special(const struct pol_compiled *c, const struct pol_rule *anchor);

static inline bool
pol_ifset_has(const uint64_t *set, unsigned class)
{
	return set[class >> 6] >> (class & 63) & 1;
}

static inline uint16_t
pol_ifclass(const struct pol_compiled *c, uint16_t ifid)
{
	return c->ifclass[ifid < c->ifs.n ? ifid : c->ifs.n];
}

#endif
