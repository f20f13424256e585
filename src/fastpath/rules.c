/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading, publishing and retiring rule sets; the tables that persist between them; counters of rules. See rules.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "net.h"
#include "rules.h"
#include "states.h"

static void
reclaim_defer(void *arg, void (*fn)(void *), void *p)
{
	fp_defer(arg, fn, p);
}

static int
env_if_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	struct fp_box *box = arg;
	struct fp_if_info info;
	int n = 0;
	bool known = false, self = strcmp(name, "self") == 0;

	for (unsigned i = 0; fp_if_info(box, i, &info) == 0; i++) {
		size_t len = strcspn(info.name, "0123456789");

		if (!self && strcmp(info.name, name) != 0 && (strlen(name) != len || strncmp(info.name, name, len) != 0))
			continue;
		known = true;
		for (unsigned a = 0; a < info.n_addrs && a < RTE_DIM(info.addrs); a++) {
			if (n < max && out != NULL) {
				out[n].af = info.addrs[a].af;
				out[n].plen = info.addrs[a].plen;
				memcpy(out[n].addr.b, info.addrs[a].addr, 16);
				memcpy(out[n].broadcast.b, info.addrs[a].broadcast, 16);
			}
			n++;
		}
	}
	return known || self ? n : -1;
}

struct pol_table *
fp_table_by_name(struct fp_box *box, const char *name, bool create)
{
	struct fp_rules *r = box->rules;
	struct pol_table **v, *t;

	for (unsigned i = 0; i < r->n_tables; i++)
		if (strcmp(pol_table_name(r->tables[i]), name) == 0)
			return r->tables[i];
	if (!create || (t = pol_table_create(name, POL_TABLE_PERSIST)) == NULL)
		return NULL;
	if ((v = realloc(r->tables, (r->n_tables + 1) * sizeof(*v))) == NULL) {
		pol_table_free(t);
		return NULL;
	}
	r->tables = v;
	v[r->n_tables++] = t;
	return t;
}

static struct pol_table *
env_table_find(void *arg, const char *name)
{
	return fp_table_by_name(arg, name, false);
}

void
fp_tables_foreach(struct fp_box *box, void (*cb)(void *arg, struct pol_table *t), void *arg)
{
	for (unsigned i = 0; i < box->rules->n_tables; i++)
		cb(arg, box->rules->tables[i]);
}

const struct pol_reclaim *
fp_box_reclaim(struct fp_box *box)
{
	return &box->rules->reclaim;
}

/* Keep the tables of a committed rule set; forget those that nothing names and that do not persist. */
static int
tables_adopt(struct fp_box *box, struct pol_ruleset *rs)
{
	struct fp_rules *r = box->rules;
	unsigned n = 0;

	for (unsigned i = 0; i < rs->n_tables; i++) {
		struct pol_table *t = rs->tables[i].table, **v;
		bool have = false;

		for (unsigned j = 0; j < r->n_tables; j++)
			have |= r->tables[j] == t;
		if (have)
			continue;
		if ((v = realloc(r->tables, (r->n_tables + 1) * sizeof(*v))) == NULL)
			return -ENOMEM;
		r->tables = v;
		v[r->n_tables++] = t;
	}
	/*
	 * A table that the new rules do not name goes unless it persists. States of older rule sets do not look at tables,
	 * but a worker may be inside the old classifier now: free it after a grace period.
	 */
	for (unsigned j = 0; j < r->n_tables; j++) {
		bool named = (pol_table_flags(r->tables[j]) & POL_TABLE_PERSIST) != 0;

		for (unsigned i = 0; i < rs->n_tables; i++)
			named |= rs->tables[i].table == r->tables[j];
		if (named)
			r->tables[n++] = r->tables[j];
		else
			fp_defer(box, (void (*)(void *))pol_table_free, r->tables[j]);
	}
	r->n_tables = n;
	return 0;
}

/* ---- uids */
static int
uids_take(struct fp_rules *r, uint32_t n, uint32_t *base)
{
	for (unsigned i = 0; i < r->n_free_uids; i++)
		if (r->free_uids[i].n >= n) {
			*base = r->free_uids[i].base;
			r->free_uids[i].base += n;
			r->free_uids[i].n -= n;
			if (r->free_uids[i].n == 0)
				r->free_uids[i] = r->free_uids[--r->n_free_uids];
			return 0;
		}
	if (r->next_uid + (uint64_t)n > (uint64_t)FP_RULE_CHUNK * FP_RULE_CHUNKS)
		return -ENOSPC;
	*base = r->next_uid;
	r->next_uid += n;
	return 0;
}

static void
uids_give(struct fp_rules *r, uint32_t base, uint32_t n)
{
	void *v;

	for (unsigned i = 0; i < r->n_free_uids; i++) {
		if (r->free_uids[i].base + r->free_uids[i].n == base) {
			r->free_uids[i].n += n;
			return;
		}
		if (base + n == r->free_uids[i].base) {
			r->free_uids[i].base = base;
			r->free_uids[i].n += n;
			return;
		}
	}
	if ((v = realloc(r->free_uids, (r->n_free_uids + 1) * sizeof(*r->free_uids))) == NULL)
		return;		/* the numbers are lost, nothing else */
	r->free_uids = v;
	r->free_uids[r->n_free_uids].base = base;
	r->free_uids[r->n_free_uids++].n = n;
}

static int
registry_set(struct fp_rules *r, uint32_t uid, struct fp_rule_rt *rt)
{
	struct fp_rule_rt ***chunk = &r->chunks[uid / FP_RULE_CHUNK];

	if (*chunk == NULL) {
		struct fp_rule_rt **c = malloc(FP_RULE_CHUNK * sizeof(*c));

		if (c == NULL)
			return -ENOMEM;
		/* a number that was never given out reads as the default rule */
		for (unsigned i = 0; i < FP_RULE_CHUNK; i++)
			c[i] = &r->default_rt;
		__atomic_store_n(chunk, c, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&(*chunk)[uid % FP_RULE_CHUNK], rt, __ATOMIC_RELEASE);
	return 0;
}

/* ---- a rule set's life */
static void
rs_free(struct fp_rs_rt *rt)
{
	if (rt == NULL)
		return;
	pol_compiled_free(rt->compiled);
	pol_ruleset_free(rt->rs);
	for (unsigned i = 0; i < FP_MAX_WORKERS; i++) {
		free(rt->count[i]);
		free(rt->evals[i]);
		free(rt->rate[i]);
	}
	free(rt->rules);
	free(rt);
}

/* Counters for that many workers. */
static int
rs_counters(struct fp_rs_rt *rt, unsigned workers)
{
	for (unsigned i = 0; i < workers; i++) {
		if (rt->count[i] == NULL)
			rt->count[i] = calloc(rt->n + 1, sizeof(*rt->count[i]));
		if (rt->evals[i] == NULL)
			rt->evals[i] = calloc(rt->n + 1, sizeof(*rt->evals[i]));
		if (rt->rate[i] == NULL)
			rt->rate[i] = calloc(rt->n + 1, sizeof(*rt->rate[i]));
		if (rt->count[i] == NULL || rt->evals[i] == NULL || rt->rate[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* Before workers start: every rule set that a state may refer to has counters for each of them. */
int
fp_rules_prepare_workers(struct fp_box *box)
{
	int rc = rs_counters(box->rules->active, box->n_workers);

	for (struct fp_rs_rt *rt = box->rules->old; rt != NULL && rc == 0; rt = rt->next)
		rc = rs_counters(rt, box->n_workers);
	return rc;
}

static struct fp_rs_rt *
rs_new(struct fp_box *box, struct pol_ruleset *rs, struct pol_compiled *compiled)
{
	struct fp_rules *r = box->rules;
	struct fp_rs_rt *rt = calloc(1, sizeof(*rt));
	uint32_t n = rs->n_rules;

	if (rt == NULL)
		return NULL;
	rt->n = n;
	if ((rt->rules = calloc(n + 1, sizeof(*rt->rules))) == NULL)
		goto fail;
	if (rs_counters(rt, RTE_MAX(box->n_workers, 1u)) != 0)
		goto fail;
	if (n != 0 && uids_take(r, n, &rt->uid_base) != 0)
		goto fail;
	for (uint32_t i = 0; i < n; i++) {
		rt->rules[i].rule = rs->rules[i];
		rt->rules[i].rs = rt;
		rs->rules[i]->uid = rt->uid_base + i;
		if (registry_set(r, rt->uid_base + i, &rt->rules[i]) != 0) {
			for (uint32_t j = 0; j < i; j++)
				registry_set(r, rt->uid_base + j, &r->default_rt);
			uids_give(r, rt->uid_base, n);
			goto fail;
		}
	}
	rt->rs = rs;
	rt->compiled = compiled;
	rt->generation = ++r->generation;
	return rt;
fail:
	for (unsigned i = 0; i < FP_MAX_WORKERS; i++) {
		free(rt->count[i]);
		free(rt->evals[i]);
		free(rt->rate[i]);
	}
	free(rt->rules);
	free(rt);
	return NULL;
}

static void
min_timeouts(struct fp_rules *r)
{
	struct fp_rs_rt *rt;

	for (unsigned t = 0; t < POL_TM_MAX; t++) {
		uint32_t min = UINT32_MAX;

		for (rt = r->active; rt != NULL; rt = rt == r->active ? r->old : rt->next)
			for (uint32_t i = 0; i < rt->n; i++)
				if (rt->rules[i].rule->timeout_set[t] && rt->rules[i].rule->timeout[t] < min)
					min = rt->rules[i].rule->timeout[t];
		__atomic_store_n(&r->min_timeout[t], min, __ATOMIC_RELAXED);
	}
}

/* Does any rule bring adaptive timeouts of its own? Then expiry must look at the rule of every state. */
static bool
rule_adaptive(const struct fp_rs_rt *rt)
{
	for (uint32_t i = 0; i < rt->n; i++)
		if (rt->rules[i].rule->timeout_set[POL_TM_ADAPTIVE_START])
			return true;
	return false;
}

void
fp_rules_poll(struct fp_box *box)
{
	struct fp_rules *r = box->rules;
	struct fp_rs_rt **pp = &r->old, *rt;
	bool any = false;

	while ((rt = *pp) != NULL) {
		bool used = false;

		for (uint32_t i = 0; i < rt->n && !used; i++)
			used = __atomic_load_n(&rt->rules[i].states_cur, __ATOMIC_ACQUIRE) != 0 ||
				__atomic_load_n(&rt->rules[i].src_nodes, __ATOMIC_ACQUIRE) != 0;
		/*
		 * Two looks with a grace period between them: a worker that took a rule out of this set just before it was
		 * replaced has made its state by then.
		 */
		if (used) {
			rt->retired = false;
			pp = &rt->next;
		} else if (!rt->retired) {
			rt->retire_token = rte_rcu_qsbr_start(box->qs);
			rt->retired = true;
			pp = &rt->next;
		} else if (rte_rcu_qsbr_check(box->qs, rt->retire_token, false) == 1) {
			*pp = rt->next;
			for (uint32_t i = 0; i < rt->n; i++)
				registry_set(r, rt->uid_base + i, &r->default_rt);
			if (rt->n != 0)
				uids_give(r, rt->uid_base, rt->n);
			fp_defer(box, (void (*)(void *))rs_free, rt);
			any = true;
		} else
			pp = &rt->next;
	}
	if (any)
		min_timeouts(r);
}

void
fp_conf_policy_get(struct fp_box *box, struct fp_conf *c)
{
	struct fp_rules *r = box->rules;
	const struct pol_options *opt = &r->active->rs->opt;

	c->rules = r->active->compiled;
	c->ruleset = r->active->rs;
	c->rules_rt = r->active;
	for (unsigned i = 0; i < POL_TM_MAX; i++)
		c->timeout[i] = pol_timeout(opt, i);
	for (unsigned i = 0; i < POL_LIMIT_MAX; i++)
		c->limit[i] = pol_limit(opt, i);
	if (!opt->limit_set[POL_LIMIT_STATES] && box->params->limit_states != 0) {
		struct pol_options o = *opt;

		o.limit[POL_LIMIT_STATES] = box->params->limit_states;
		o.limit_set[POL_LIMIT_STATES] = true;
		c->limit[POL_LIMIT_STATES] = box->params->limit_states;
		for (unsigned i = POL_TM_ADAPTIVE_START; i <= POL_TM_ADAPTIVE_END; i++)
			c->timeout[i] = pol_timeout(&o, i);
	}
	c->rule_adaptive = rule_adaptive(r->active);
	for (struct fp_rs_rt *rt = r->old; rt != NULL; rt = rt->next)
		c->rule_adaptive |= rule_adaptive(rt);
	c->pf_enabled = r->enabled;
	c->reassemble = r->reassemble;
	c->reassemble_nodf = r->reassemble_nodf;
	c->syncookies = r->syncookies;
	c->syncookies_start_pct = r->syncookies_start_pct;
	c->syncookies_end_pct = r->syncookies_end_pct;
	c->eval_counts = box->params->eval_counts == 1 || (box->params->eval_counts == 2 && r->active->n <= FP_EVAL_COUNTS_AUTO);
	c->any_skip = opt->n_skip != 0;
}

/* Is `set skip on` in force for this interface? Names or groups. */
bool
fp_conf_policy_skip(struct fp_box *box, const char *ifname)
{
	const struct pol_options *opt = &box->rules->active->rs->opt;
	size_t len = strcspn(ifname, "0123456789");

	for (unsigned i = 0; i < opt->n_skip; i++)
		if (strcmp(opt->skip[i], ifname) == 0 ||
		    (strlen(opt->skip[i]) == len && strncmp(opt->skip[i], ifname, len) == 0))
			return true;
	return false;
}

static struct pol_compiled *
compile(struct fp_box *box, const struct pol_ruleset *rs, struct pol_errors *errs)
{
	struct pol_ifmap map = { .if_addrs = env_if_addrs, .arg = box };
	char (*names)[POL_IFNAMSIZ] = NULL;
	struct pol_compiled *c;
	struct fp_if_info info;

	for (unsigned i = 0; fp_if_info(box, i, &info) == 0; i++) {
		if (info.ifid >= map.n) {
			void *v = realloc(names, (info.ifid + 1u) * sizeof(*names));

			if (v == NULL) {
				free(names);
				return NULL;
			}
			names = v;
			memset(names[map.n], 0, (info.ifid + 1u - map.n) * sizeof(*names));
			map.n = info.ifid + 1u;
		}
		snprintf(names[info.ifid], POL_IFNAMSIZ, "%s", info.name);
	}
	map.names = (const char (*)[POL_IFNAMSIZ])names;
	c = pol_compile(rs, &map, SOCKET_ID_ANY, errs);
	free(names);
	return c;
}

/* rs comes into force; on failure it is the caller's still. */
static int
install(struct fp_box *box, struct pol_ruleset *rs, struct pol_errors *errs)
{
	struct fp_rules *r = box->rules;
	struct pol_compiled *compiled = compile(box, rs, errs);
	struct fp_rs_rt *rt;
	const struct pol_options *opt = &rs->opt;
	struct fp_err err;
	int rc;

	if (compiled == NULL)
		return -EINVAL;
	if ((rt = rs_new(box, rs, compiled)) == NULL || (rc = pol_tables_commit(rs, &r->reclaim)) < 0) {
		if (rt != NULL) {	/* nothing refers to it yet */
			for (uint32_t i = 0; i < rt->n; i++)
				registry_set(r, rt->uid_base + i, &r->default_rt);
			uids_give(r, rt->uid_base, rt->n);
			rt->rs = NULL;
			rs_free(rt);
		} else
			pol_compiled_free(compiled);
		return -ENOMEM;
	}
	if ((rc = tables_adopt(box, rs)) != 0)
		return rc;
	if (opt->reassemble >= 0) {
		r->reassemble = opt->reassemble;
		r->reassemble_nodf = opt->reassemble_nodf;
	}
	if (opt->syncookies >= 0) {
		r->syncookies = opt->syncookies;
		r->syncookies_start_pct = opt->syncookies_start_pct ? opt->syncookies_start_pct : 25;
		r->syncookies_end_pct = opt->syncookies_end_pct ? opt->syncookies_end_pct : 12;
	}
	if (opt->debug >= 0)
		r->debug = opt->debug;
	if (opt->hostid != 0)
		box->hostid = opt->hostid;
	if (r->active != NULL) {
		r->active->next = r->old;
		r->old = r->active;
	}
	r->active = rt;
	min_timeouts(r);
	return fp_conf_publish(box, &err);
}

static struct pol_env
make_env(struct fp_box *box)
{
	return (struct pol_env){ .if_addrs = env_if_addrs, .table_find = env_table_find, .arg = box };
}

int
fp_rules_load(struct fp_box *box, const char *path, struct pol_errors *errs)
{
	return fp_rules_load_macros(box, path, NULL, errs);
}

int
fp_rules_load_macros(struct fp_box *box, const char *path, const char *const *macros, struct pol_errors *errs)
{
	struct pol_env env = make_env(box);
	struct pol_ruleset *rs;
	int rc;

	env.macros = macros;
	rs = pol_parse_file(path, &env, errs);
	if (rs == NULL)
		return -EINVAL;
	if ((rc = install(box, rs, errs)) != 0)
		pol_ruleset_free(rs);
	return rc;
}

int
fp_rules_flush(struct fp_box *box)
{
	struct pol_env env = make_env(box);
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs = pol_parse_buffer("-", "", 0, &env, &errs);
	int rc = rs != NULL ? install(box, rs, &errs) : -ENOMEM;

	if (rc != 0)
		pol_ruleset_free(rs);
	pol_errors_free(&errs);
	return rc;
}

/* Interfaces came, went or changed addresses: classifiers hold interface ids and (dynamic) addresses. */
int
fp_rules_recompile(struct fp_box *box)
{
	struct fp_rules *r = box->rules;
	struct pol_errors errs = { 0 };
	struct pol_compiled *c, *old;
	struct fp_err err;
	int rc;

	if (r == NULL || r->active == NULL)
		return 0;
	c = compile(box, r->active->rs, &errs);
	pol_errors_free(&errs);
	if (c == NULL)
		return -ENOMEM;
	old = r->active->compiled;
	r->active->compiled = c;
	rc = fp_conf_publish(box, &err);
	fp_defer(box, (void (*)(void *))pol_compiled_free, old);
	return rc;
}

const struct pol_ruleset *
fp_rules(const struct fp_box *box)
{
	return box->rules->active->rs;
}

int
fp_pf_enable(struct fp_box *box, bool on)
{
	struct fp_err err;

	if (box->rules->enabled == on)
		return -EALREADY;
	box->rules->enabled = on;
	box->enabled_sec = fp_now_sec(box);
	return fp_conf_publish(box, &err);
}

/* ---- counters */
struct live_sum { struct fp_rs_rt *rs; struct fp_rule_counters *out; unsigned n; };

static void
sum_live(void *arg, const struct fp_worker *w, struct fp_state *st, int half)
{
	struct live_sum *s = arg;
	struct fp_rule_rt *rt = fp_rule(w->box, st->rule[half]);
	struct fp_rule_counters *c;

	if (rt->rs != s->rs || (c = &s->out[rt - rt->rs->rules]) >= s->out + s->n)
		return;
	/* the IN half sees forward packets come in, the OUT half sees them go out */
	for (int d = 0; d < 2; d++) {
		uint64_t p, b;

		fp_state_totals(w->table, st, half, d, &p, &b);
		c->packets[half == FP_HALF_OUT ? !d : d] += p;
		c->bytes[half == FP_HALF_OUT ? !d : d] += b;
	}
}

int
fp_rules_counters(struct fp_box *box, struct fp_rule_counters *out, unsigned n)
{
	struct fp_rs_rt *rt = box->rules->active;
	struct live_sum sum = { rt, out, RTE_MIN(n, rt->n) };

	memset(out, 0, n * sizeof(*out));
	for (uint32_t i = 0; i < sum.n; i++) {
		for (unsigned w = 0; w < FP_MAX_WORKERS && rt->count[w] != NULL; w++) {
			const struct fp_rule_count *c = &rt->count[w][i];

			out[i].evaluations += __atomic_load_n(&rt->evals[w][i], __ATOMIC_RELAXED);
			for (int d = 0; d < 2; d++) {
				out[i].packets[d] += __atomic_load_n(&c->packets[d], __ATOMIC_RELAXED);
				out[i].bytes[d] += __atomic_load_n(&c->bytes[d], __ATOMIC_RELAXED);
			}
		}
		out[i].states = __atomic_load_n(&rt->rules[i].states_cur, __ATOMIC_RELAXED);
		out[i].src_nodes = __atomic_load_n(&rt->rules[i].src_nodes, __ATOMIC_RELAXED);
		out[i].states_total = __atomic_load_n(&rt->rules[i].states_total, __ATOMIC_RELAXED);
	}
	fp_states_visit(box, sum_live, &sum);
	return 0;
}

static bool
clear_on_worker(struct fp_worker *w, void *arg)
{
	struct fp_rs_rt *rt = arg;

	if (rt->count[w->id] != NULL) {
		memset(rt->count[w->id], 0, rt->n * sizeof(struct fp_rule_count));
		memset(rt->evals[w->id], 0, rt->n * sizeof(uint64_t));
	}
	return true;
}

int
fp_rules_clear_counters(struct fp_box *box)
{
	for (unsigned i = 0; i < box->n_workers; i++)
		fp_worker_call(box, box->workers[i], clear_on_worker, box->rules->active);
	return 0;
}

/* ---- life */
int
fp_rules_create(struct fp_box *box, struct fp_err *err)
{
	struct fp_rules *r = calloc(1, sizeof(*r));
	struct pol_env env = make_env(box);
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs;

	if (r == NULL)
		return fp_err_set(err, -ENOMEM, "no memory for the rules");
	box->rules = r;
	r->reclaim = (struct pol_reclaim){ reclaim_defer, box };
	r->default_rule.action = POL_PASS;
	r->default_rule.nr = r->default_rule.top_nr = UINT32_MAX;
	r->default_rt.rule = &r->default_rule;
	r->default_rt.rs = &r->default_rs;
	r->default_rs.rules = &r->default_rt;
	r->default_rs.n = 1;
	r->next_uid = 1;
	r->enabled = true;
	box->enabled_sec = fp_now_sec(box);
	r->reassemble = 1;
	r->syncookies = 0;
	r->syncookies_start_pct = 25;
	r->syncookies_end_pct = 12;
	r->debug = 3;
	if (registry_set(r, 0, &r->default_rt) != 0)
		goto fail;
	/* an empty rule set passes everything and makes no state, as pf does before the first pfctl -f */
	if ((rs = pol_parse_buffer("-", "", 0, &env, &errs)) == NULL)
		goto fail;
	if (install(box, rs, &errs) != 0) {
		pol_ruleset_free(rs);
		goto fail;
	}
	pol_errors_free(&errs);
	return 0;
fail:
	fp_err_set(err, -ENOMEM, "rules: %s", errs.n != 0 ? errs.v[0].text : "no memory for the empty rule set");
	pol_errors_free(&errs);
	fp_rules_destroy(box);
	return -ENOMEM;
}

/* Workers are stopped and gone, states too. */
void
fp_rules_destroy(struct fp_box *box)
{
	struct fp_rules *r = box->rules;

	if (r == NULL)
		return;
	while (r->old != NULL) {
		struct fp_rs_rt *rt = r->old;

		r->old = rt->next;
		rs_free(rt);
	}
	rs_free(r->active);
	for (unsigned i = 0; i < r->n_tables; i++)
		pol_table_free(r->tables[i]);
	free(r->tables);
	for (unsigned i = 0; i < FP_RULE_CHUNKS; i++)
		free(r->chunks[i]);
	free(r->free_uids);
	free(r);
	box->rules = NULL;
}
