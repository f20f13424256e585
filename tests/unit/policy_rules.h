/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule sets and packets by hand, for tests of what runs them without the parser.
 */
#ifndef TESTS_POLICY_RULES_H
#define TESTS_POLICY_RULES_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile.h"
#include "policy/table.h"

struct rules {
	struct pol_ruleset rs;
	struct pol_rule *open;	/* the anchor being filled */
	uint32_t cap;
};

static inline void
rules_init(struct rules *b)
{
	memset(b, 0, sizeof(*b));
	b->rs.default_rule.action = POL_PASS;
	b->rs.default_rule.nr = UINT32_MAX;
	b->rs.default_rule.icmp_type = b->rs.default_rule.icmp_code = -1;
}

static inline struct pol_rule *
rules_add(struct rules *b, enum pol_action action, enum pol_dir dir)
{
	struct pol_rule *r = calloc(1, sizeof(*r));

	if (b->rs.n_rules == b->cap) {
		b->cap = b->cap * 2 + 16;
		b->rs.rules = realloc(b->rs.rules, b->cap * sizeof(b->rs.rules[0]));
	}
	b->rs.rules[b->rs.n_rules] = r;
	r->pos = r->nr = b->rs.n_rules++;
	r->anchor_end = r->pos + 1;
	r->parent = b->open;
	r->action = action;
	r->dir = dir;
	r->icmp_type = r->icmp_code = -1;
	return r;
}

/* Rules added until anchor_close() are inside. */
static inline struct pol_rule *
rules_anchor_open(struct rules *b, enum pol_dir dir)
{
	struct pol_rule *r = rules_add(b, POL_PASS, dir);

	r->rf |= POL_RF_ANCHOR;
	b->open = r;
	return r;
}

static inline void
rules_anchor_close(struct rules *b)
{
	b->open->anchor_end = b->rs.n_rules;
	b->open = b->open->parent;
}

static inline void
rules_free(struct rules *b)
{
	for (uint32_t i = 0; i < b->rs.n_rules; i++)
		free(b->rs.rules[i]);
	free(b->rs.rules);
}

/* "10.0.0.0/8", "!10.1.2.3": prefix of a rule; sets its family. */
static inline void
rules_prefix(struct pol_rule *r, struct pol_addr *pa, const char *text)
{
	struct pol_table_entry e;

	if (pol_table_entry_parse(text, &e) != 0)
		abort();
	pa->kind = POL_ADDR_PREFIX;
	pa->addr = e.addr;
	pa->plen = e.plen;
	pa->neg = e.neg;
	r->af = e.af;
}

static inline struct pol_pkt
rules_pkt(enum pol_dir dir, uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct pol_pkt p = { .dir = (uint8_t)dir, .proto = proto, .rcvif = 0xffff, .sport_be = htons(sport),
		.dport_be = htons(dport), .prio = 3 };
	struct pol_table_entry e;

	if (pol_table_entry_parse(src, &e) != 0)
		abort();
	p.src = e.addr;
	p.af = e.af;
	if (pol_table_entry_parse(dst, &e) != 0)
		abort();
	p.dst = e.addr;
	return p;
}

#endif
