/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pol_compile(): what all four classifiers share (interfaces and their classes, the order of the rules), then each of
 * them. See compile_priv.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compile_priv.h"

static void
add_error(struct pol_errors *errs, const char *file, const char *fmt, ...)
{
	struct pol_error *e;
	va_list ap;

	if (errs == NULL)
		return;
	if (errs->n == errs->cap) {
		unsigned cap = errs->cap * 2 + 8;

		e = realloc(errs->v, cap * sizeof(*e));
		if (e == NULL)
			return;
		errs->v = e;
		errs->cap = cap;
	}
	e = &errs->v[errs->n];
	e->line = 0;
	e->file = strdup(file != NULL ? file : "rules");
	va_start(ap, fmt);
	if (vasprintf(&e->text, fmt, ap) < 0)
		e->text = NULL;
	va_end(ap);
	if (e->file == NULL || e->text == NULL) {
		free(e->file);
		free(e->text);
		return;
	}
	errs->n++;
}

/* struct pol_ifmap's question, answered from what was so at compile time: workers must not ask the box. */
static int
snap_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	const struct pol_compiled *c = arg;

	for (unsigned i = 0; i < c->n_snaps; i++) {
		const struct pol_ifsnap *s = &c->snaps[i];

		if (strcmp(s->name, name) != 0)
			continue;
		if (s->n > 0 && max > 0)
			memcpy(out, s->v, (size_t)(s->n < max ? s->n : max) * sizeof(*out));
		return s->n;
	}
	return -1;
}

static int
snap_take(struct pol_compiled *c, const struct pol_ifmap *ifs, const struct pol_addr *pa)
{
	struct pol_ifsnap *s;
	int n;

	if (pa->kind != POL_ADDR_DYNIF || ifs->if_addrs == NULL || snap_addrs(c, pa->name, NULL, 0) >= 0)
		return 0;
	n = ifs->if_addrs(ifs->arg, pa->name, NULL, 0);
	if (n < 0)
		return 0;
	s = realloc(c->snaps, (c->n_snaps + 1) * sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	c->snaps = s;
	s += c->n_snaps;
	memset(s, 0, sizeof(*s));
	memcpy(s->name, pa->name, sizeof(s->name));
	s->v = calloc((size_t)n + 1, sizeof(*s->v));
	if (s->v == NULL)
		return -ENOMEM;
	c->n_snaps++;
	if (n > 0)
		s->n = ifs->if_addrs(ifs->arg, pa->name, s->v, n);
	if (s->n > n)
		s->n = n;
	return 0;
}

static int
take_interfaces(struct pol_compiled *c, const struct pol_ifmap *ifs)
{
	int r = 0;

	c->names = calloc(ifs->n + 1, sizeof(*c->names));
	if (c->names == NULL)
		return -ENOMEM;
	if (ifs->n > 0)
		memcpy(c->names, ifs->names, ifs->n * sizeof(*c->names));
	c->ifs = (struct pol_ifmap){ .names = c->names, .n = ifs->n, .if_addrs = snap_addrs, .arg = c };
	for (uint32_t i = 0; i < c->rs->n_rules && r == 0; i++) {
		r = snap_take(c, ifs, &c->rs->rules[i]->src);
		if (r == 0)
			r = snap_take(c, ifs, &c->rs->rules[i]->dst);
	}
	return r;
}

struct named { const char *name; uint16_t id; };

static int
compare_named(const void *va, const void *vb)
{
	const struct named *a = va, *b = vb;
	int d = strcmp(a->name, b->name);

	return d != 0 ? d : a->id - b->id;
}

/* The names that rules ask for, each once; NULL: no memory. */
static struct named *
rule_names(const struct pol_ruleset *rs, unsigned *n)
{
	struct named *v = calloc(rs->n_rules + 1, sizeof(*v));
	unsigned all = 0;

	*n = 0;
	if (v == NULL)
		return NULL;
	for (uint32_t i = 0; i < rs->n_rules; i++)
		if (rs->rules[i]->ifname[0] != '\0')
			v[all++].name = rs->rules[i]->ifname;
	qsort(v, all, sizeof(*v), compare_named);
	for (unsigned i = 0; i < all; i++)
		if (*n == 0 || strcmp(v[*n - 1].name, v[i].name) != 0)
			v[(*n)++] = v[i];
	return v;
}

/*
 * Interfaces that answer all names alike are a class. Classes are numbered in the order of names, so that a group is a
 * run of them as a rule: one range in the classifier.
 */
static int
make_classes(struct pol_compiled *c)
{
	unsigned n = c->ifs.n, n_names, words;
	struct named *names = rule_names(c->rs, &n_names), *order = calloc(n + 1, sizeof(*order));
	uint64_t *answers = NULL;

	words = n_names / 64 + 1;
	c->ifclass = calloc(n + 1, sizeof(*c->ifclass));
	c->class_members = calloc(n + 1, sizeof(*c->class_members));
	answers = calloc((n + 1) * (size_t)words, sizeof(*answers));
	if (names == NULL || order == NULL || c->ifclass == NULL || c->class_members == NULL || answers == NULL) {
		free(names);
		free(order);
		free(answers);
		return -ENOMEM;
	}
	for (unsigned i = 0; i <= n; i++)
		order[i] = (struct named){ i < n ? c->names[i] : "", (uint16_t)i };
	qsort(order, n + 1, sizeof(*order), compare_named);
	for (unsigned i = 0; i <= n; i++) {
		uint64_t *mine = &answers[c->n_ifclasses * (size_t)words];
		unsigned k = 0;

		memset(mine, 0, words * sizeof(*mine));
		for (unsigned j = 0; j < n_names; j++)
			if (pol_ifname_is(names[j].name, &c->ifs, order[i].id))
				mine[j >> 6] |= 1ull << (j & 63);
		while (k < c->n_ifclasses && memcmp(&answers[k * (size_t)words], mine, words * sizeof(*mine)) != 0)
			k++;
		if (k == c->n_ifclasses)
			c->class_members[c->n_ifclasses++] = order[i].id;
		c->ifclass[order[i].id] = (uint16_t)k;
	}
	c->ifset_words = c->n_ifclasses / 64 + 1;
	free(names);
	free(order);
	free(answers);
	return 0;
}

/*
 * Where pf stops when this rule decides. False: it is no matter of priorities. That is so for a quick anchor that has
 * another anchor in or around it: whether it ends anything depends on which of several matching rules is the last; and
 * for `match quick` beside max-pkt-rate: packets that the first one ends early may be walked, and would be counted twice.
 */
static bool
make_stops(struct pol_compiled *c)
{
	const struct pol_ruleset *rs = c->rs;
	bool ok = true, match_quick = false, rates = false;

	for (uint32_t i = 0; i < rs->n_rules; i++) {
		const struct pol_rule *r = rs->rules[i];
		bool anchor = r->rf & POL_RF_ANCHOR;

		c->stops[i] = POL_STOP_NEVER;
		c->folds[i] = (r->rf & POL_RF_FOLDED) != 0 || r->log != 0 || r->min_ttl != 0 || r->max_mss != 0;
		rates |= r->max_pkt_rate != 0;
		if (anchor) {
			ok &= r->parent == NULL || (!r->quick && !r->parent->quick);
			continue;
		}
		match_quick |= r->action == POL_MATCH && r->quick;
		if (r->quick)
			c->stops[i] = i;
		else if (r->parent != NULL && r->parent->quick)
			c->stops[i] = r->parent->anchor_end - 1;
	}
	return ok && !(match_quick && rates);
}

struct ranked { uint32_t stop, pos; };

static int
compare_ranked(const void *va, const void *vb)
{
	const struct ranked *a = va, *b = vb;

	if (a->stop != b->stop)
		return a->stop > b->stop ? -1 : 1;
	return a->pos < b->pos ? -1 : a->pos > b->pos;
}

/* Priorities from 1, the higher one decides. NULL: no memory. */
static uint32_t *
make_ranks(const struct pol_compiled *c)
{
	uint32_t n = c->rs->n_rules, *ranks = calloc(n + 1, sizeof(*ranks));
	struct ranked *v = calloc(n + 1, sizeof(*v));

	if (ranks == NULL || v == NULL) {
		free(ranks);
		free(v);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		v[i] = (struct ranked){ c->stops[i], i };
	qsort(v, n, sizeof(*v), compare_ranked);
	for (uint32_t i = 0; i < n; i++)
		ranks[v[i].pos] = i + 1;
	free(v);
	return ranks;
}

static int
make_plan(struct pol_compiled *c)
{
	const struct pol_ruleset *rs = c->rs;

	c->plan = calloc(rs->n_rules + 1, sizeof(*c->plan));
	if (c->plan == NULL)
		return -ENOMEM;
	pol_plan_make(rs, c->plan);
	for (uint32_t i = 0; i < rs->n_rules; i++) {
		if (rs->rules[i]->ifname[0] == '\0')
			continue;
		c->plan[i].ifset = pol_ifset_of(c, rs->rules[i], false);
		if (c->plan[i].ifset == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int
make_classifiers(struct pol_compiled *c, int socket)
{
	uint32_t *ranks = make_ranks(c);
	int r = ranks == NULL ? -ENOMEM : 0;

	for (unsigned k = 0; k < 4 && r == 0; k++) {
		struct pol_boxes boxes = { 0 };

		r = pol_compile_boxes(c, k >> 1, k & 1, &boxes);
		if (r == 0)
			r = pol_acl_create(&c->cls[k >> 1][k & 1], k >> 1, &boxes, ranks, socket);
		free(boxes.v);
	}
	free(ranks);
	return r;
}

static void
free_classifiers(struct pol_compiled *c)
{
	for (unsigned k = 0; k < 4; k++) {
		struct pol_classifier *cl = &c->cls[k >> 1][k & 1];

		pol_acl_free(cl);
		free(cl->specials);
		free(cl->flags);
		memset(cl, 0, sizeof(*cl));
	}
}

struct pol_compiled *
pol_compile(const struct pol_ruleset *rs, const struct pol_ifmap *ifs, int socket, struct pol_errors *errs)
{
	static const struct pol_ifmap no_ifs;
	struct pol_compiled *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL) {
		add_error(errs, rs->path, "no memory to compile %u rules", rs->n_rules);
		return NULL;
	}
	c->rs = rs;
	c->stops = calloc(rs->n_rules + 1, sizeof(*c->stops));
	c->folds = calloc(rs->n_rules + 1, sizeof(*c->folds));
	r = c->stops == NULL || c->folds == NULL ? -ENOMEM : take_interfaces(c, ifs != NULL ? ifs : &no_ifs);
	if (r == 0)
		r = make_classes(c);
	if (r == 0)
		r = make_plan(c);
	if (r != 0) {
		add_error(errs, rs->path, "no memory to compile %u rules", rs->n_rules);
		pol_compiled_free(c);
		return NULL;
	}
	c->walk_only = !make_stops(c);
	if (!c->walk_only) {
		r = make_classifiers(c, socket);
		if (r != 0) {
			add_error(errs, rs->path, "warning: %u rules cannot be classified (%s): they are walked one by one, "
				"more memory for DPDK may help", rs->n_rules, strerror(-r));
			free_classifiers(c);
			c->walk_only = true;
		}
	}
	return c;
}

void
pol_compiled_free(struct pol_compiled *c)
{
	if (c == NULL)
		return;
	free_classifiers(c);
	for (unsigned i = 0; i < c->n_snaps; i++)
		free(c->snaps[i].v);
	for (unsigned i = 0; i < c->n_ifsets; i++)
		free(c->ifsets[i]);
	free(c->snaps);
	free(c->ifsets);
	free(c->names);
	free(c->ifclass);
	free(c->class_members);
	free(c->stops);
	free(c->folds);
	free(c->plan);
	free(c);
}

const struct pol_ruleset *
pol_compiled_ruleset(const struct pol_compiled *c)
{
	return c->rs;
}
