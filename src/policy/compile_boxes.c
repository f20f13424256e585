/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of one family and direction made boxes, attributes and specials. See compile_priv.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "compile_priv.h"

#define SMALL_PREFIXES 4	/* an address of so many prefixes is never worth an attribute */
#define MAX_PREFIXES 64		/* and one of more is never expanded */
#define MAX_BOXES 256		/* of one rule */

struct attr_table {
	struct pol_attr *v;
	uint32_t *slots;	/* index + 1 */
	unsigned n, cap;	/* cap slots, a power of two, half of them for v */
};

struct builder {
	struct pol_compiled *c;
	struct pol_classifier *cl;
	struct pol_boxes *boxes;
	struct attr_table attrs;
	uint8_t af, dir;
	unsigned bits;
	pol_u128 max;
	bool tags;		/* a rule of the set tags: `tagged` depends on the rules before */
	bool *applies;		/* [n_rules] family, direction, interfaces of the rule and of its anchors fit */
};

/* What a rule asks in this classifier, its anchors included. */
struct shape {
	bool never, special;
	bool ported, typed;
	uint8_t proto;		/* 0 any */
	int type, code;
	struct pol_set src, dst, sport, dport;
	uint16_t attrs;
};

static uint64_t
hash_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return h;
}

static uint64_t
attr_hash(const struct pol_attr *a)
{
	uint64_t h = 0xcbf29ce484222325ull ^ (unsigned)a->kind << 16 ^ a->a << 8 ^ a->b ^ (uint64_t)a->tag << 32 ^ (uint64_t)a->neg << 48;

	if (a->ifname != NULL)
		h = hash_bytes(h, a->ifname, strlen(a->ifname));
	if (a->pa != NULL) {
		h = hash_bytes(h, &a->pa->kind, sizeof(a->pa->kind));
		h = hash_bytes(h, &a->pa->table, sizeof(a->pa->table));
		if (a->pa->kind == POL_ADDR_PREFIX || a->pa->kind == POL_ADDR_RANGE)
			h = hash_bytes(h, &a->pa->addr, sizeof(a->pa->addr));
	}
	return h ^ h >> 29;
}

static bool
attr_same(const struct pol_attr *a, const struct pol_attr *b)
{
	return a->kind == b->kind && a->a == b->a && a->b == b->b && a->tag == b->tag && a->neg == b->neg &&
		(a->ifname == NULL || strcmp(a->ifname, b->ifname) == 0) && (a->pa == NULL || pol_addr_same(a->pa, b->pa));
}

static int
attr_grow(struct attr_table *t)
{
	unsigned cap = t->cap == 0 ? 64 : t->cap * 2;
	struct pol_attr *v = realloc(t->v, cap / 2 * sizeof(*v));
	uint32_t *slots = calloc(cap, sizeof(*slots));

	if (v != NULL)
		t->v = v;
	if (v == NULL || slots == NULL) {
		free(slots);
		return -ENOMEM;
	}
	free(t->slots);
	t->slots = slots;
	t->cap = cap;
	for (unsigned i = 0; i < t->n; i++) {
		unsigned at = (unsigned)attr_hash(&v[i]) & (cap - 1);

		while (slots[at] != 0)
			at = (at + 1) & (cap - 1);
		slots[at] = i + 1;
	}
	return 0;
}

/* The table's entry for this question, NULL when there is none (or no memory to make one). */
static struct pol_attr *
attr_find(struct attr_table *t, const struct pol_attr *a, bool make)
{
	unsigned at;

	if (make && t->n >= t->cap / 2 && attr_grow(t) != 0)
		return NULL;
	if (t->cap == 0)
		return NULL;
	for (at = (unsigned)attr_hash(a) & (t->cap - 1); t->slots[at] != 0; at = (at + 1) & (t->cap - 1))
		if (attr_same(&t->v[t->slots[at] - 1], a))
			return &t->v[t->slots[at] - 1];
	if (!make)
		return NULL;
	t->v[t->n] = *a;
	t->slots[at] = ++t->n;
	return &t->v[t->n - 1];
}

bool
pol_anchor_is_special(const struct pol_compiled *c, const struct pol_rule *a)
{
	/* `tagged` counts whether or not a rule of this set tags: rare enough to be simple. */
	return a->tag != 0 || a->match_tag != 0 || a->probability != 0 || a->max_pkt_rate != 0;
}

/* The next one outwards whose predicates are part of r's own. */
static const struct pol_rule *
outer(const struct pol_compiled *c, const struct pol_rule *r)
{
	return r->parent != NULL && !pol_anchor_is_special(c, r->parent) ? r->parent : NULL;
}

static bool
in_special_anchor(const struct pol_compiled *c, const struct pol_rule *r)
{
	for (r = r->parent; r != NULL; r = r->parent)
		if (pol_anchor_is_special(c, r))
			return true;
	return false;
}

/* Must r be seen in rule order? Then the classifier cannot have it. */
static bool
is_ordered(const struct builder *b, const struct pol_rule *r)
{
	return r->action == POL_MATCH || r->rf & POL_RF_ONCE || r->tag != 0 || r->probability != 0 || r->max_pkt_rate != 0 ||
		(r->match_tag != 0 && b->tags) || in_special_anchor(b->c, r);
}

/* The yes-no questions of one rule or anchor line, addresses apart. */
static unsigned
cheap_attrs(const struct pol_rule *r, struct pol_attr *out)
{
	bool icmp = r->proto == 0 || r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6;
	unsigned n = 0;

	if ((r->tcp_flags != 0 || r->tcp_flagset != 0) && (r->proto == 0 || r->proto == IPPROTO_TCP))
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_FLAGS, .a = r->tcp_flags, .b = r->tcp_flagset };
	if (r->src.port.op != POL_OP_NONE || r->dst.port.op != POL_OP_NONE || r->icmp_type >= 0 || r->icmp_code >= 0)
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_NOTFRAG };
	if (r->rf & POL_RF_FRAGMENT)
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_FRAG };
	if (icmp && r->keep_state != POL_STATE_NONE && !(r->rf & POL_RF_SLOPPY))
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_STATEFUL };
	if (r->match_tos && r->tos != 0)
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_TOS, .a = r->tos };
	if (r->match_prio)
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_PRIO, .a = r->prio };
	if (r->match_tag != 0)
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_TAG, .tag = r->match_tag, .neg = r->match_tagneg };
	if (r->rcvif[0] != '\0')
		out[n++] = (struct pol_attr){ .kind = POL_ATTR_RCVIF, .ifname = r->rcvif, .neg = r->rcvifneg };
	return n;
}

/* Number of prefixes that the address is, 0 for nothing; UINT32_MAX: it cannot be expressed. */
static unsigned
address_prefixes(const struct builder *b, const struct pol_addr *pa, struct pol_set *s)
{
	return pol_set_of_addr(s, pa, b->af, &b->c->ifs) ? pol_set_prefixes(s, b->bits, NULL, 0) : UINT32_MAX;
}

/* Count what the rule asks, so that the bits go to what is asked most. */
static int
count_attrs(struct builder *b, const struct pol_rule *r)
{
	for (; r != NULL; r = outer(b->c, r)) {
		struct pol_attr a[16];
		unsigned n = cheap_attrs(r, a);
		struct pol_set s;

		for (int side = 0; side < 2; side++) {
			const struct pol_addr *pa = side == 0 ? &r->src : &r->dst;

			if (pa->kind == POL_ADDR_ANY || address_prefixes(b, pa, &s) <= SMALL_PREFIXES)
				continue;
			a[n++] = (struct pol_attr){ .kind = side == 0 ? POL_ATTR_SRC : POL_ATTR_DST, .pa = pa };
		}
		for (unsigned i = 0; i < n; i++) {
			struct pol_attr *have = attr_find(&b->attrs, &a[i], true);

			if (have == NULL)
				return -ENOMEM;
			have->uses++;
		}
	}
	return 0;
}

static int
compare_attrs(const void *va, const void *vb)
{
	const struct pol_attr *a = *(struct pol_attr *const *)va, *b = *(struct pol_attr *const *)vb;
	int a_costs = a->kind >= POL_ATTR_SRC, b_costs = b->kind >= POL_ATTR_SRC;

	if (a_costs != b_costs)
		return a_costs - b_costs;
	if (a->uses != b->uses)
		return a->uses > b->uses ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Give out the bits: to what costs nothing to answer first; an address question must be asked by two rules at least. */
static int
assign_bits(struct builder *b)
{
	struct pol_classifier *cl = b->cl;
	struct pol_attr **order = calloc(b->attrs.n + 1, sizeof(*order));
	unsigned n = 0;

	if (order == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < b->attrs.n; i++)
		order[i] = &b->attrs.v[i];
	qsort(order, b->attrs.n, sizeof(*order), compare_attrs);
	for (unsigned i = 0; i < b->attrs.n && n < POL_ATTR_MAX; i++) {
		struct pol_attr *a = order[i];

		if (a->kind >= POL_ATTR_SRC && a->uses < 2)
			break;
		a->bit = (uint16_t)(1u << n++);
		switch (a->kind) {
		case POL_ATTR_NOTFRAG:
			cl->notfrag = a->bit;
			break;
		case POL_ATTR_FRAG:
			cl->frag = a->bit;
			break;
		case POL_ATTR_STATEFUL:
			cl->stateful = a->bit;
			break;
		case POL_ATTR_FLAGS:
			if (cl->flags == NULL)
				cl->flags = calloc(257, sizeof(*cl->flags));
			if (cl->flags == NULL) {
				free(order);
				return -ENOMEM;
			}
			cl->flags_all |= a->bit;
			for (unsigned f = 0; f < 256; f++)
				if ((f & a->b) == a->a)
					cl->flags[f] |= a->bit;
			if (a->b == 0)
				cl->flags[256] |= a->bit;
			break;
		default:
			cl->attrs[cl->n_attrs++] = *a;
			break;
		}
	}
	free(order);
	return 0;
}

/* The address of one rule or anchor line: a bit, or less of the set, or the rule becomes special. */
static void
shape_addr(struct builder *b, struct shape *sh, const struct pol_addr *pa, bool is_src)
{
	struct pol_attr ask = { .kind = is_src ? POL_ATTR_SRC : POL_ATTR_DST, .pa = pa }, *have;
	struct pol_set s, *set = is_src ? &sh->src : &sh->dst;
	unsigned n;

	if (pa->kind == POL_ADDR_ANY) {
		sh->never |= pa->neg;
		return;
	}
	n = address_prefixes(b, pa, &s);
	if (n > SMALL_PREFIXES) {
		have = attr_find(&b->attrs, &ask, false);
		if (have != NULL && have->bit != 0) {
			sh->attrs |= have->bit;
			return;
		}
	}
	if (n > MAX_PREFIXES || !pol_set_intersect(set, &s))
		sh->special = true;
}

static void
shape_proto(struct shape *sh, uint8_t proto)
{
	if (proto == 0)
		return;
	sh->never |= sh->proto != 0 && sh->proto != proto;
	sh->proto = proto;
}

static void
shape_icmp(struct shape *sh, int *have, int16_t want)
{
	if (want < 0)
		return;
	sh->typed = true;
	sh->never |= *have >= 0 && *have != want;
	*have = want;
}

static void
shape_of(struct builder *b, const struct pol_rule *r, struct shape *sh)
{
	memset(sh, 0, sizeof(*sh));
	sh->type = sh->code = -1;
	pol_set_all(&sh->src, b->max);
	pol_set_all(&sh->dst, b->max);
	pol_set_all(&sh->sport, UINT16_MAX);
	pol_set_all(&sh->dport, UINT16_MAX);
	for (; r != NULL; r = outer(b->c, r)) {
		struct pol_attr a[16];
		struct pol_set s;
		unsigned n = cheap_attrs(r, a);

		for (unsigned i = 0; i < n; i++) {
			struct pol_attr *have = attr_find(&b->attrs, &a[i], false);

			if (have == NULL || have->bit == 0)
				sh->special = true;
			else
				sh->attrs |= have->bit;
		}
		shape_proto(sh, r->proto);
		shape_addr(b, sh, &r->src, true);
		shape_addr(b, sh, &r->dst, false);
		sh->ported |= r->src.port.op != POL_OP_NONE || r->dst.port.op != POL_OP_NONE;
		if (!pol_set_of_port(&s, &r->src.port) || !pol_set_intersect(&sh->sport, &s) ||
		    !pol_set_of_port(&s, &r->dst.port) || !pol_set_intersect(&sh->dport, &s))
			sh->special = true;
		shape_icmp(sh, &sh->type, r->icmp_type);
		shape_icmp(sh, &sh->code, r->icmp_code);
	}
	sh->never |= (sh->ported && sh->typed) || sh->src.n == 0 || sh->dst.n == 0 || sh->sport.n == 0 || sh->dport.n == 0;
	if (sh->ported)
		sh->never |= sh->proto != 0 && sh->proto != IPPROTO_TCP && sh->proto != IPPROTO_UDP;
	if (sh->typed) {
		sh->never |= sh->proto != 0 && sh->proto != IPPROTO_ICMP && sh->proto != IPPROTO_ICMPV6;
		if (sh->type >= 0)
			sh->sport.v[0].lo = sh->sport.v[0].hi = (unsigned)sh->type;
		if (sh->code >= 0)
			sh->dport.v[0].lo = sh->dport.v[0].hi = (unsigned)sh->code;
	}
}

/* Runs of interface classes; a set of all is one run over all numbers. */
static unsigned
ifset_runs(const struct pol_compiled *c, const uint64_t *set, uint16_t (*out)[2], unsigned max)
{
	unsigned n = 0, all = c->n_ifclasses;

	for (unsigned i = 0; i < all; i++) {
		if (!pol_ifset_has(set, i))
			continue;
		if (i > 0 && pol_ifset_has(set, i - 1)) {
			if (n <= max)
				out[n - 1][1] = (uint16_t)i;
			continue;
		}
		if (n < max)
			out[n][0] = out[n][1] = (uint16_t)i;
		n++;
	}
	if (n == 1 && out[0][0] == 0 && out[0][1] == all - 1)
		out[0][1] = UINT16_MAX;
	return n;
}

static int
box_add(struct pol_boxes *l, const struct pol_box *box)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap * 2 + 64;
		struct pol_box *v = realloc(l->v, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *box;
	return 0;
}

/* All combinations. 1: they are too many, the rule shall be special. */
static int
shape_emit(struct builder *b, const struct pol_rule *r, const struct shape *sh, const uint64_t *ifset)
{
	static const uint8_t ported[2] = { IPPROTO_TCP, IPPROTO_UDP }, typed[2] = { IPPROTO_ICMP, IPPROTO_ICMPV6 };
	const uint8_t *protos = sh->proto != 0 ? &sh->proto : sh->ported ? ported : sh->typed ? typed : &sh->proto;
	unsigned n_protos = sh->proto == 0 && (sh->ported || sh->typed) ? 2 : 1;
	struct pol_prefix src[MAX_BOXES], dst[MAX_BOXES];
	uint16_t runs[MAX_BOXES][2];
	unsigned n_src = pol_set_prefixes(&sh->src, b->bits, src, MAX_BOXES);
	unsigned n_dst = pol_set_prefixes(&sh->dst, b->bits, dst, MAX_BOXES);
	unsigned n_runs = ifset_runs(b->c, ifset, runs, MAX_BOXES);
	uint64_t total = (uint64_t)n_src * n_dst * n_runs * n_protos * sh->sport.n * sh->dport.n;

	if (n_src > MAX_BOXES || n_dst > MAX_BOXES || n_runs > MAX_BOXES || total > MAX_BOXES)
		return 1;
	for (unsigned i = 0; i < total; i++) {
		struct pol_box box = { .pos = r->pos, .attrs = sh->attrs };
		unsigned k = i;

		box.src = src[k % n_src];
		k /= n_src;
		box.dst = dst[k % n_dst];
		k /= n_dst;
		memcpy(box.ifclass, runs[k % n_runs], sizeof(box.ifclass));
		k /= n_runs;
		box.proto = protos[k % n_protos];
		k /= n_protos;
		box.sport[0] = (uint16_t)sh->sport.v[k % sh->sport.n].lo;
		box.sport[1] = (uint16_t)sh->sport.v[k % sh->sport.n].hi;
		k /= sh->sport.n;
		box.dport[0] = (uint16_t)sh->dport.v[k].lo;
		box.dport[1] = (uint16_t)sh->dport.v[k].hi;
		if (box_add(b->boxes, &box) != 0)
			return -ENOMEM;
	}
	return 0;
}

const uint64_t *
pol_ifset_of(struct pol_compiled *c, const struct pol_rule *r, bool anchors)
{
	size_t size = c->ifset_words * sizeof(uint64_t);
	uint64_t *set = malloc(size), **v;

	if (set == NULL)
		return NULL;
	memset(set, 0xff, size);
	for (; r != NULL; r = anchors ? outer(c, r) : NULL) {
		if (r->ifname[0] == '\0')
			continue;
		for (unsigned i = 0; i < c->n_ifclasses; i++)
			if (pol_ifname_is(r->ifname, &c->ifs, c->class_members[i]) == r->ifneg)
				set[i >> 6] &= ~(1ull << (i & 63));
	}
	for (unsigned i = 0; i < c->n_ifsets; i++)
		if (memcmp(c->ifsets[i], set, size) == 0) {
			free(set);
			return c->ifsets[i];
		}
	v = realloc(c->ifsets, (c->n_ifsets + 1) * sizeof(*v));
	if (v == NULL) {
		free(set);
		return NULL;
	}
	c->ifsets = v;
	return c->ifsets[c->n_ifsets++] = set;
}

static bool
ifset_empty(const struct pol_compiled *c, const uint64_t *set)
{
	for (unsigned i = 0; i < c->n_ifclasses; i++)
		if (pol_ifset_has(set, i))
			return false;
	return true;
}

static void
special_add(struct builder *b, const struct pol_rule *r, const uint64_t *ifset)
{
	struct pol_special *sp = &b->cl->specials[b->cl->n_specials++];

	sp->rule = r;
	sp->ifset = ifset;
	sp->pos = r->pos;
	sp->stop = b->c->stops[r->pos];
	sp->anchor = r->rf & POL_RF_ANCHOR;
	sp->effect = sp->anchor || r->action == POL_MATCH || r->tag != 0 || r->max_pkt_rate != 0;
}

static int
place_rules(struct builder *b)
{
	const struct pol_ruleset *rs = b->c->rs;
	struct shape *sh = malloc(sizeof(*sh));
	int r = sh == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < rs->n_rules && r == 0; i++) {
		const struct pol_rule *rule = rs->rules[i];
		const uint64_t *ifset;
		bool anchor = rule->rf & POL_RF_ANCHOR;

		if (!b->applies[i] || (anchor && !pol_anchor_is_special(b->c, rule)))
			continue;
		ifset = pol_ifset_of(b->c, rule, true);
		if (ifset == NULL) {
			r = -ENOMEM;
			break;
		}
		if (ifset_empty(b->c, ifset) && !anchor)
			continue;
		if (anchor || is_ordered(b, rule)) {
			special_add(b, rule, ifset);
			continue;
		}
		shape_of(b, rule, sh);
		if (sh->never)
			continue;
		r = sh->special ? 1 : shape_emit(b, rule, sh, ifset);
		if (r == 1) {
			special_add(b, rule, ifset);
			r = 0;
		}
	}
	free(sh);
	/* Where to go on when an anchor does not match. */
	for (uint32_t i = 0; i < b->cl->n_specials; i++) {
		struct pol_special *sp = &b->cl->specials[i];

		sp->skip_to = i + 1;
		while (sp->anchor && sp->skip_to < b->cl->n_specials &&
		       b->cl->specials[sp->skip_to].rule->pos < sp->rule->anchor_end)
			sp->skip_to++;
	}
	return r;
}

int
pol_compile_boxes(struct pol_compiled *c, unsigned v6, unsigned out, struct pol_boxes *boxes)
{
	const struct pol_ruleset *rs = c->rs;
	struct builder b = {
		.c = c, .cl = &c->cls[v6][out], .boxes = boxes,
		.af = v6 ? POL_AF_INET6 : POL_AF_INET, .dir = out ? POL_DIR_OUT : POL_DIR_IN, .bits = v6 ? 128 : 32,
		.max = ~(pol_u128)0 >> (v6 ? 0 : 96),
	};
	int r = 0;

	b.applies = calloc(rs->n_rules + 1, sizeof(*b.applies));
	b.cl->specials = calloc(rs->n_rules + 1, sizeof(*b.cl->specials));
	if (b.applies == NULL || b.cl->specials == NULL)
		r = -ENOMEM;
	for (uint32_t i = 0; i < rs->n_rules && r == 0; i++)
		b.tags |= rs->rules[i]->tag != 0;
	for (uint32_t i = 0; i < rs->n_rules && r == 0; i++) {
		const struct pol_rule *rule = rs->rules[i];

		b.applies[i] = (rule->parent == NULL || b.applies[rule->parent->pos]) &&
			(rule->dir == POL_DIR_ANY || rule->dir == b.dir) && (rule->af == POL_AF_ANY || rule->af == b.af);
		if (b.applies[i] && !(rule->rf & POL_RF_ANCHOR) && !is_ordered(&b, rule))
			r = count_attrs(&b, rule);
	}
	if (r == 0)
		r = assign_bits(&b);
	if (r == 0)
		r = place_rules(&b);
	if (r == 0 && b.cl->n_specials > 0) {
		struct pol_special *v = realloc(b.cl->specials, b.cl->n_specials * sizeof(*v));

		if (v != NULL)
			b.cl->specials = v;
	}
	free(b.applies);
	free(b.attrs.v);
	free(b.attrs.slots);
	return r;
}
