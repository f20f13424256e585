/* SPDX-License-Identifier: BSD-2-Clause */
/* `pfctl -s WORD`: the layouts are those of OpenBSD's pfctl, column by column. */
#include <stdlib.h>
#include <string.h>

#include "pfctl.h"

static void
counter(struct cli_out *o, const char *name, uint64_t v, uint64_t sec)
{
	cli_printf(o, "  %-25s %14llu ", name, (unsigned long long)v);
	if (sec > 0)
		cli_printf(o, "%14.1f/s\n", (double)v / (double)sec);
	else
		cli_printf(o, "%14s\n", "");
}

static void
gauge(struct cli_out *o, const char *name, uint64_t v)
{
	cli_printf(o, "  %-25s %14llu %14s\n", name, (unsigned long long)v, "");
}

static const char *
debug_name(const struct pol_ruleset *rs)
{
	static const char *const names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
	int d = rs != NULL ? rs->opt.debug : -1;

	return d >= 0 && d < 8 ? names[d] : "err";
}

static void
checksum_str(const struct pol_ruleset *rs, char buf[33])
{
	memset(buf, '0', 32);
	buf[32] = '\0';
	for (int i = 0; rs != NULL && i < 16; i++)
		snprintf(buf + 2 * i, 3, "%02x", rs->checksum[i]);
}

static void
info_json(struct cli_out *o, const struct fp_stats *s, const struct pol_ruleset *rs, const char *sum)
{
	cli_obj(o, NULL);
	cli_bool(o, "enabled", s->enabled);
	cli_u64(o, "since_s", s->since_sec);
	cli_str(o, "debug", debug_name(rs));
	cli_strf(o, "hostid", "%08x", s->hostid);
	cli_str(o, "checksum", sum);
	cli_obj(o, "state_table");
	cli_u64(o, "current_entries", s->states);
	cli_u64(o, "half_open_tcp", s->half_open);
	cli_u64(o, "searches", s->totals[FP_T_STATE_SEARCHES]);
	cli_u64(o, "inserts", s->totals[FP_T_STATE_INSERTS]);
	cli_u64(o, "removals", s->totals[FP_T_STATE_REMOVALS]);
	cli_obj_end(o);
	cli_obj(o, "source_tracking");
	cli_u64(o, "current_entries", s->srcnodes);
	cli_u64(o, "searches", s->srcnode_searches);
	cli_u64(o, "inserts", s->srcnode_inserts);
	cli_u64(o, "removals", s->srcnode_removals);
	cli_obj_end(o);
	cli_obj(o, "fragments");
	cli_u64(o, "current_entries", s->frags);
	cli_obj_end(o);
	cli_obj(o, "counters");
	for (int i = 0; i < FP_R_MAX; i++)
		cli_u64(o, fp_reason_names[i], s->reasons[i]);
	cli_obj_end(o);
	cli_obj(o, "limit_counters");
	for (int i = 0; i < FP_LC_MAX; i++)
		cli_u64(o, fp_lcounter_names[i], s->lcounters[i]);
	cli_obj_end(o);
	cli_obj_end(o);
}

static int
show_info(struct cli_ctx *x)
{
	struct cli_out *o = x->out;
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct fp_stats *s = calloc(1, sizeof(*s));
	char sum[33], line[96], debug[32];
	uint64_t t;

	if (s == NULL)
		return cli_err(x, "pfctl: out of memory");
	fp_stats_get(x->box, s);
	checksum_str(rs, sum);
	if (cli_json(o)) {
		info_json(o, s, rs, sum);
		free(s);
		return 0;
	}
	t = s->since_sec;
	snprintf(line, sizeof(line), "Status: %s for %u days %.2u:%.2u:%.2u", s->enabled ? "Enabled" : "Disabled",
		(unsigned)(t / 86400), (unsigned)(t / 3600 % 24), (unsigned)(t / 60 % 60), (unsigned)(t % 60));
	snprintf(debug, sizeof(debug), "Debug: %s", debug_name(rs));
	cli_printf(o, "%-44s%15s\n\n", line, debug);
	cli_printf(o, "Hostid:   0x%08x\n", s->hostid);
	cli_printf(o, "Checksum: 0x%s\n\n", sum);
	if (rs != NULL && rs->opt.loginterface[0] != '\0' && strcmp(rs->opt.loginterface, "none") != 0) {
		cli_printf(o, "Interface Stats for %-16s %5s %16s\n", rs->opt.loginterface, "IPv4", "IPv6");
		for (int d = 0; d < 2; d++) {
			struct fp_if_info *info = calloc(1, sizeof(*info));

			if (info != NULL && fp_if_find(x->box, rs->opt.loginterface, info) == 0)
				cli_printf(o, "  %-25s %14llu %16s\n", d ? "Bytes Out" : "Bytes In",
					(unsigned long long)(d ? info->out_bytes : info->in_bytes), "(both)");
			free(info);
			cli_printf(o, "  %-25s\n", d ? "Packets Out" : "Packets In");
			for (int b = 0; b < 2; b++)
				cli_printf(o, "    %-23s %14llu %16llu\n", b ? "Blocked" : "Passed",
					(unsigned long long)s->if_pf[0][d][b], (unsigned long long)s->if_pf[1][d][b]);
		}
		cli_printf(o, "\n");
	}
	cli_printf(o, "%-27s %14s %16s\n", "State Table", "Total", "Rate");
	gauge(o, "current entries", s->states);
	gauge(o, "half-open tcp", s->half_open);
	counter(o, "searches", s->totals[FP_T_STATE_SEARCHES], t);
	counter(o, "inserts", s->totals[FP_T_STATE_INSERTS], t);
	counter(o, "removals", s->totals[FP_T_STATE_REMOVALS], t);
	cli_printf(o, "Source Tracking Table\n");
	gauge(o, "current entries", s->srcnodes);
	counter(o, "searches", s->srcnode_searches, t);
	counter(o, "inserts", s->srcnode_inserts, t);
	counter(o, "removals", s->srcnode_removals, t);
	/* pf's fragment table: entries are packets being put together */
	cli_printf(o, "Fragments\n");
	gauge(o, "current entries", s->frags);
	counter(o, "searches", s->totals[FP_T_FRAG_HELD], t);
	counter(o, "inserts", s->totals[FP_T_FRAG_HELD], t);
	counter(o, "removals", s->totals[FP_T_FRAG_DONE], t);
	cli_printf(o, "Counters\n");
	for (int i = 0; i < FP_R_MAX; i++)
		counter(o, fp_reason_names[i], s->reasons[i], t);
	cli_printf(o, "Limit Counters\n");
	for (int i = 0; i < FP_LC_MAX; i++)
		counter(o, fp_lcounter_names[i], s->lcounters[i], t);
	cli_printf(o, "Adaptive Syncookies Watermarks\n");
	if (rs != NULL) {
		uint64_t limit = pol_limit(&rs->opt, POL_LIMIT_STATES);
		unsigned hi = rs->opt.syncookies_start_pct, lo = rs->opt.syncookies_end_pct;

		if (hi == 0) {	/* pf's defaults */
			hi = 25;
			lo = 12;
		}
		/* pf rounds 12.5 % only in its default; a percentage given is exact */
		cli_printf(o, "  %-25s %14llu states\n", "start", (unsigned long long)(limit * hi / 100));
		cli_printf(o, "  %-25s %14llu states\n", "end",
			(unsigned long long)(rs->opt.syncookies_start_pct == 0 ? limit / 8 : limit * lo / 100));
	}
	free(s);
	return 0;
}

/* ---- rules and labels */

static struct fp_rule_counters *
rule_counters(struct cli_ctx *x, const struct pol_ruleset *rs)
{
	struct fp_rule_counters *c = calloc(rs->n_rules ? rs->n_rules : 1, sizeof(*c));

	if (c != NULL && rs->n_rules > 0)
		fp_rules_counters(x->box, c, rs->n_rules);
	return c;
}

static void
rule_block(struct cli_out *o, const struct fp_rule_counters *c, int indent, int verbose)
{
	cli_printf(o, "%*s  [ Evaluations: %-8llu  Packets: %-8llu  Bytes: %-10llu  States: %-6u]\n", indent, "",
		(unsigned long long)c->evaluations, (unsigned long long)(c->packets[0] + c->packets[1]),
		(unsigned long long)(c->bytes[0] + c->bytes[1]), c->states);
	if (verbose > 0)
		cli_printf(o, "%*s  [ Inserted: uid %u pid %u State Creations: %-6llu]\n", indent, "", 0u, 0u,
			(unsigned long long)c->states_total);
}

static int
show_rules(struct cli_ctx *x, int verbose)
{
	struct cli_out *o = x->out;
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct fp_rule_counters *c;
	char text[4096];

	if (rs == NULL)
		return 0;
	if ((c = rule_counters(x, rs)) == NULL)
		return cli_err(x, "pfctl: out of memory");
	if (cli_json(o))
		cli_arr(o, NULL);
	for (uint32_t i = 0; i < rs->n_rules && !cli_gone(o); i++) {
		const struct pol_rule *r = rs->rules[i];
		int depth = 0;

		pol_rule_snprint(rs, r, text, sizeof(text));
		for (const struct pol_rule *q = r->parent; q != NULL; q = q->parent)
			depth += 2;
		if (cli_json(o)) {
			cli_obj(o, NULL);
			cli_u64(o, "rule", r->nr);
			if (r->parent != NULL)
				cli_u64(o, "anchor", r->top_nr);
			cli_str(o, "text", text);
			if (r->label[0] != '\0')
				cli_str(o, "label", r->label);
			cli_u64(o, "evaluations", c[i].evaluations);
			cli_u64(o, "packets", c[i].packets[0] + c[i].packets[1]);
			cli_u64(o, "bytes", c[i].bytes[0] + c[i].bytes[1]);
			cli_u64(o, "states", c[i].states);
			cli_u64(o, "states_created", c[i].states_total);
			cli_str(o, "file", r->file != NULL && strncmp(r->file, PFCTL_INPUT_DIR, strlen(PFCTL_INPUT_DIR)) == 0 ? "stdin" : r->file);
			cli_u64(o, "line", r->line > 0 ? (uint64_t)r->line : 0);
			cli_obj_end(o);
			continue;
		}
		cli_printf(o, "%*s", depth, "");
		if (verbose > 1)
			cli_printf(o, "@%u ", r->nr);
		cli_printf(o, "%s%s\n", text, (r->rf & POL_RF_ANCHOR) && r->anchor_end > i + 1 && strchr(text, '{') == NULL ? " {" : "");
		if (verbose > 0)
			rule_block(o, &c[i], depth, verbose);
		/* Anchors that end here, innermost first. */
		for (const struct pol_rule *q = r; q != NULL; q = q->parent) {
			if (q == r && !((r->rf & POL_RF_ANCHOR) && r->anchor_end == i + 1))
				continue;
			if (q != r && q->anchor_end != i + 1)
				break;
			if (q == r)	/* empty: printed without braces */
				continue;
			depth -= 2;
			cli_printf(o, "%*s}\n", depth < 0 ? 0 : depth, "");
		}
	}
	if (cli_json(o))
		cli_arr_end(o);
	free(c);
	return 0;
}

static int
show_labels(struct cli_ctx *x)
{
	struct cli_out *o = x->out;
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct fp_rule_counters *c;

	if (rs == NULL)
		return 0;
	if ((c = rule_counters(x, rs)) == NULL)
		return cli_err(x, "pfctl: out of memory");
	if (cli_json(o))
		cli_arr(o, NULL);
	for (uint32_t i = 0; i < rs->n_rules && !cli_gone(o); i++) {
		const struct pol_rule *r = rs->rules[i];

		if (r->label[0] == '\0')
			continue;
		if (cli_json(o)) {
			cli_obj(o, NULL);
			cli_str(o, "label", r->label);
			cli_u64(o, "evaluations", c[i].evaluations);
			cli_u64(o, "packets", c[i].packets[0] + c[i].packets[1]);
			cli_u64(o, "bytes", c[i].bytes[0] + c[i].bytes[1]);
			cli_u64(o, "packets_in", c[i].packets[0]);
			cli_u64(o, "bytes_in", c[i].bytes[0]);
			cli_u64(o, "packets_out", c[i].packets[1]);
			cli_u64(o, "bytes_out", c[i].bytes[1]);
			cli_u64(o, "states", c[i].states);
			cli_obj_end(o);
			continue;
		}
		cli_printf(o, "%s %llu %llu %llu %llu %llu %llu %llu %llu\n", r->label, (unsigned long long)c[i].evaluations,
			(unsigned long long)(c[i].packets[0] + c[i].packets[1]), (unsigned long long)(c[i].bytes[0] + c[i].bytes[1]),
			(unsigned long long)c[i].packets[0], (unsigned long long)c[i].bytes[0],
			(unsigned long long)c[i].packets[1], (unsigned long long)c[i].bytes[1], (unsigned long long)c[i].states_total);
	}
	if (cli_json(o))
		cli_arr_end(o);
	free(c);
	return 0;
}

/* ---- the small ones */

static int
show_timeouts(struct cli_ctx *x)
{
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct pol_options none = { 0 };
	const struct pol_options *opt = rs != NULL ? &rs->opt : &none;

	cli_obj(x->out, NULL);
	for (int i = 0; i < POL_TM_MAX; i++) {
		uint32_t v = pol_timeout(opt, i);

		if (pol_timeout_names[i] == NULL)
			continue;
		if (cli_json(x->out))
			cli_u64(x->out, pol_timeout_names[i], v);
		else if (i == POL_TM_ADAPTIVE_START || i == POL_TM_ADAPTIVE_END)
			cli_printf(x->out, "%-20s %10u states\n", pol_timeout_names[i], v);
		else
			cli_printf(x->out, "%-20s %10us\n", pol_timeout_names[i], v);
	}
	cli_obj_end(x->out);
	return 0;
}

static int
show_memory(struct cli_ctx *x)
{
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct pol_options none = { 0 };
	const struct pol_options *opt = rs != NULL ? &rs->opt : &none;

	cli_obj(x->out, NULL);
	for (int i = 0; i < POL_LIMIT_MAX; i++) {
		uint32_t v = pol_limit(opt, i);

		if (pol_limit_names[i] == NULL)
			continue;
		if (cli_json(x->out))
			cli_u64(x->out, pol_limit_names[i], v);
		else if (v == UINT32_MAX)
			cli_printf(x->out, "%-13s unlimited\n", pol_limit_names[i]);
		else
			cli_printf(x->out, "%-13s hard limit %8u\n", pol_limit_names[i], v);
	}
	cli_obj_end(x->out);
	return 0;
}

struct tables_arg { struct cli_ctx *x; int verbose; };

static void
table_cb(void *arg, struct pol_table *t)
{
	struct tables_arg *a = arg;
	unsigned fl = pol_table_flags(t);

	if (cli_json(a->x->out)) {
		cli_obj(a->x->out, NULL);
		cli_str(a->x->out, "table", pol_table_name(t));
		cli_u64(a->x->out, "addresses", pol_table_count(t));
		cli_bool(a->x->out, "persist", fl & POL_TABLE_PERSIST);
		cli_bool(a->x->out, "const", fl & POL_TABLE_CONST);
		cli_bool(a->x->out, "counters", fl & POL_TABLE_COUNTERS);
		cli_obj_end(a->x->out);
		return;
	}
	if (a->verbose)	/* constant, persistent, active, inactive, referenced, hidden, counters */
		cli_printf(a->x->out, "%c%c%c----%c ", fl & POL_TABLE_CONST ? 'c' : '-', fl & POL_TABLE_PERSIST ? 'p' : '-', 'a',
			fl & POL_TABLE_COUNTERS ? 'C' : '-');
	cli_printf(a->x->out, "%s\n", pol_table_name(t));
	if (a->verbose > 1)
		cli_printf(a->x->out, "\tAddresses:   %u\n", pol_table_count(t));
}

static int
show_tables(struct cli_ctx *x, int verbose)
{
	struct tables_arg a = { x, verbose };

	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	fp_tables_foreach(x->box, table_cb, &a);
	if (cli_json(x->out))
		cli_arr_end(x->out);
	return 0;
}

static void
age_str(char buf[16], uint32_t sec)
{
	snprintf(buf, 16, "%.2u:%.2u:%.2u", sec / 3600, sec / 60 % 60, sec % 60);
}

struct src_arg { struct cli_ctx *x; int verbose; };

static int
src_cb(void *arg, const struct fp_srcnode_view *v)
{
	struct src_arg *a = arg;
	struct cli_out *o = a->x->out;
	char addr[64], age[16], exp[16];

	cli_addr_str(v->af, v->addr, addr, sizeof(addr));
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_str(o, "source", addr);
		cli_u64(o, "states", v->states);
		cli_u64(o, "connections", v->conn);
		cli_u64(o, "rate_count", v->rate_count / 1000);
		cli_u64(o, "rate_limit", v->rate_limit / 1000);
		cli_u64(o, "rate_s", v->rate_sec);
		cli_u64(o, "age_s", v->age_sec);
		cli_u64(o, "expires_s", v->expires_sec);
		cli_u64(o, "packets", v->packets);
		cli_u64(o, "bytes", v->bytes);
		if (v->rule_nr != UINT32_MAX)
			cli_u64(o, "rule", v->rule_nr);
		cli_obj_end(o);
		return cli_gone(o);
	}
	cli_printf(o, "%s -> %s ( states %u, connections %u, rate %u.%u/%us )\n", addr, v->af == POL_AF_INET ? "0.0.0.0" : "::",
		v->states, v->conn, v->rate_count / 1000, v->rate_count % 1000 / 100, v->rate_sec);
	if (a->verbose) {
		age_str(age, v->age_sec);
		age_str(exp, v->expires_sec);
		cli_printf(o, "   age %s", age);
		if (v->states == 0)
			cli_printf(o, ", expires in %s", exp);
		cli_printf(o, ", %llu pkts, %llu bytes", (unsigned long long)v->packets, (unsigned long long)v->bytes);
		if (v->rule_nr != UINT32_MAX)
			cli_printf(o, ", filter rule %u", v->rule_nr);
		cli_printf(o, "\n");
	}
	return cli_gone(o);
}

static int
show_sources(struct cli_ctx *x, int verbose)
{
	struct src_arg a = { x, verbose };
	int rc;

	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	rc = fp_srcnodes_foreach(x->box, src_cb, &a);
	if (cli_json(x->out))
		cli_arr_end(x->out);
	return rc < 0 ? cli_err(x, "pfctl: cannot read the source nodes: %s", strerror(-rc)) : 0;
}

static int
show_interfaces(struct cli_ctx *x, int verbose, const char *only)
{
	struct fp_if_info *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return cli_err(x, "pfctl: out of memory");
	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	for (unsigned n = 0; fp_if_info(x->box, n, i) == 0; n++) {
		if (only != NULL && strcmp(only, i->name) != 0)
			continue;
		if (cli_json(x->out)) {
			cli_obj(x->out, NULL);
			cli_str(x->out, "interface", i->name);
			cli_bool(x->out, "skip", i->pf_skip);
			cli_obj_end(x->out);
		} else {
			cli_printf(x->out, "%s%s\n", i->name, verbose && i->pf_skip ? " (skip)" : "");
		}
	}
	if (cli_json(x->out))
		cli_arr_end(x->out);
	free(i);
	return 0;
}

static int
show_anchors(struct cli_ctx *x)
{
	const struct pol_ruleset *rs = fp_rules(x->box);

	cli_arr(x->out, NULL);
	for (uint32_t i = 0; rs != NULL && i < rs->n_rules; i++) {
		const struct pol_rule *r = rs->rules[i];

		if (!(r->rf & POL_RF_ANCHOR) || r->anchor_name[0] == '\0' || r->parent != NULL)
			continue;
		if (cli_json(x->out))
			cli_str(x->out, NULL, r->anchor_name);
		else
			cli_printf(x->out, "  %s\n", r->anchor_name);
	}
	cli_arr_end(x->out);
	return 0;
}

static int
title(struct cli_ctx *x, const char *t)
{
	cli_printf(x->out, "%s%s:\n", strcmp(t, "FILTER RULES") == 0 ? "" : "\n", t);
	return 0;
}

static int
show_all(struct cli_ctx *x, const struct pfctl *p)
{
	static const struct { const char *word, *title; } parts[] = {
		{ "rules", "FILTER RULES" }, { "states", "STATES" }, { "Sources", "SOURCE TRACKING NODES" }, { "info", "INFO" },
		{ "labels", "LABEL COUNTERS" }, { "timeouts", "TIMEOUTS" }, { "memory", "LIMITS" }, { "Tables", "TABLES" },
	};

	if (cli_json(x->out))
		return cli_err(x, "pfctl: -s all has no JSON; ask for its parts: rules, states, Sources, info, labels, timeouts, "
			"memory, Tables");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		title(x, parts[i].title);
		if (pfctl_show(x, p, parts[i].word) != 0)
			return 1;
	}
	return 0;
}

int
pfctl_show(struct cli_ctx *x, const struct pfctl *p, const char *what)
{
	if (strcmp(what, "rules") == 0)
		return show_rules(x, p->verbose);
	if (strcmp(what, "states") == 0) {
		struct fp_state_filter f = { 0 };

		if (p->ifname != NULL) {
			f.has_if = true;
			snprintf(f.ifname, sizeof(f.ifname), "%s", p->ifname);
		}
		return cli_states_list(x, p->ifname != NULL ? &f : NULL, p->verbose);
	}
	if (strcmp(what, "info") == 0)
		return show_info(x);
	if (strcmp(what, "labels") == 0)
		return show_labels(x);
	if (strcmp(what, "timeouts") == 0)
		return show_timeouts(x);
	if (strcmp(what, "memory") == 0)
		return show_memory(x);
	if (strcmp(what, "Tables") == 0)
		return show_tables(x, p->verbose);
	if (strcmp(what, "Sources") == 0)
		return show_sources(x, p->verbose);
	if (strcmp(what, "Interfaces") == 0)
		return show_interfaces(x, p->verbose, p->ifname);
	if (strcmp(what, "Anchors") == 0)
		return show_anchors(x);
	if (strcmp(what, "all") == 0)
		return show_all(x, p);
	if (strcmp(what, "nat") == 0)
		return 0;	/* FreeBSD's list of translation rules: there are none, -f refuses them by name */
	return cli_err(x, "pfctl: -s %s is not available in this version: %s", what,
		strcmp(what, "queue") == 0 ? "there are no queues" : "operating systems are not fingerprinted");
}
