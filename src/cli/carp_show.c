/* SPDX-License-Identifier: BSD-2-Clause */
/* `show carp`, its metrics, `set carp`, `sysctl net.inet.carp`: roles, demotions, counters of CARP. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carp.h"
#include "metrics.h"
#include "pfsync.h"

struct fo *
cli_fo_of(struct cli_ctx *x)
{
	return x->box == NULL ? NULL : fo_of(x->box);
}

struct fo *
cli_fo(struct cli_ctx *x)
{
	struct fo *f = cli_fo_of(x);

	if (f == NULL)
		cli_err(x, "%s: this box was made without CARP", x->cmd->words);
	return f;
}

static const char *const peer_names[] = { [FO_CARP_PEER_AUTO] = "auto", [FO_CARP_PEER_OPENBSD] = "openbsd",
	[FO_CARP_PEER_FREEBSD] = "freebsd" };
static const char *const counter_names[] = { [FO_COUNTER_CONSTANT] = "constant", [FO_COUNTER_RISING] = "rising",
	[FO_COUNTER_STRICT] = "strict" };
static const char *const on_off[] = { "off", "on" };

/* ---- show carp */

#define X(name, help) { #name, help },
static const struct { const char *name, *help; } counters[] = { FO_CARP_COUNTERS(X) };
#undef X
#define N_COUNTERS (sizeof(counters) / sizeof(counters[0]))

static uint64_t
counter(const struct fo_carp_stats *s, size_t k)
{
	return ((const uint64_t *)s)[k];
}

static void
text_if(struct cli_out *o, const struct fo_info *i, bool all)
{
	const struct fo_if_conf *c = i->conf;
	char t[32], a[64];

	if (i->reason[0] != '\0' && i->state == FO_CARP_INIT)
		cli_printf(o, "%s: INIT, %s\n", c->name, i->reason);
	else
		cli_printf(o, "%s: %s for %s: %s\n", c->name, fo_carp_state_name(i->state), cli_ago(t, i->since_us), fo_carp_why_text(i->why));
	cli_printf(o, "\tvhid %u on %s, advbase %u advskew %u", c->vhid, c->carpdev[0] ? c->carpdev : "none", c->advbase, c->advskew);
	if (i->advskew != c->advskew)
		cli_printf(o, " (advertised as %u)", i->advskew);
	if (i->interval_us != 0)
		cli_printf(o, ", every %s", cli_ago(t, i->interval_us));
	if (i->master_down_us != 0)
		cli_printf(o, ", takes over after %s", cli_ago(t, i->master_down_us));
	cli_printf(o, ", demotion %u%s%s\n", i->demote, i->link ? "" : ", no link", i->send_errors ? ", cannot send" : "");
	for (unsigned k = 0; k < c->n_addrs; k++) {
		cli_addr_str(c->addrs[k].af, c->addrs[k].addr, a, sizeof(a));
		cli_printf(o, "%s%s/%u%s", k == 0 ? "\taddresses " : " ", a, c->addrs[k].plen, k + 1 == c->n_addrs ? "\n" : "");
	}
	if (i->heard) {
		cli_addr_str(i->heard_af, i->heard_src, a, sizeof(a));
		cli_printf(o, "\tlast heard %s from %s: advbase %u advskew %u demotion %u (%s)\n", cli_ago(t, i->heard_us), a, i->heard_advbase,
			i->heard_advskew, i->heard_demote, peer_names[i->peer_kind]);
	}
	if (all)
		for (size_t k = 0; k < N_COUNTERS; k++)
			if (counter(&i->stats, k) != 0)
				cli_printf(o, "\t\t%llu %s\n", (unsigned long long)counter(&i->stats, k), counters[k].help);
}

static void
json_counters(struct cli_out *o, const struct fo_carp_stats *s)
{
	cli_obj(o, "counters");
	for (size_t k = 0; k < N_COUNTERS; k++)
		cli_u64(o, counters[k].name, counter(s, k));
	cli_obj_end(o);
}

static void
json_if(struct cli_out *o, const struct fo_info *i)
{
	const struct fo_if_conf *c = i->conf;
	char s[64], mac[18];

	cli_obj(o, NULL);
	cli_str(o, "name", c->name);
	cli_str(o, "state", fo_carp_state_name(i->state));
	cli_dbl(o, "since_sec", (double)i->since_us / 1e6, 6);
	cli_str(o, "why", i->reason[0] != '\0' ? i->reason : fo_carp_why_text(i->why));
	cli_str(o, "carpdev", c->carpdev[0] ? c->carpdev : NULL);
	cli_bool(o, "up", c->up);
	cli_bool(o, "link", i->link);
	cli_bool(o, "send_errors", i->send_errors);
	cli_u64(o, "vhid", c->vhid);
	cli_mac_str(i->mac, mac);
	cli_str(o, "mac", mac);
	cli_u64(o, "advbase", c->advbase);
	cli_u64(o, "advskew", c->advskew);
	cli_u64(o, "advskew_advertised", i->advskew);
	cli_u64(o, "demote", i->demote);
	cli_dbl(o, "interval_sec", (double)i->interval_us / 1e6, 6);
	cli_dbl(o, "master_down_sec", (double)i->master_down_us / 1e6, 6);
	cli_str(o, "peer_kind", peer_names[i->peer_kind]);
	cli_arr(o, "addresses");
	for (unsigned k = 0; k < c->n_addrs; k++) {
		cli_addr_str(c->addrs[k].af, c->addrs[k].addr, s, sizeof(s));
		cli_strf(o, NULL, "%s/%u", s, c->addrs[k].plen);
	}
	cli_arr_end(o);
	if (i->heard) {
		cli_addr_str(i->heard_af, i->heard_src, s, sizeof(s));
		cli_obj(o, "heard");
		cli_str(o, "source", s);
		cli_dbl(o, "ago_sec", (double)i->heard_us / 1e6, 6);
		cli_u64(o, "advbase", i->heard_advbase);
		cli_u64(o, "advskew", i->heard_advskew);
		cli_u64(o, "demote", i->heard_demote);
		cli_obj_end(o);
	}
	json_counters(o, &i->stats);
	cli_obj_end(o);
}

static void
demotions(struct cli_ctx *x, struct fo *f)
{
	struct cli_out *o = x->out;
	struct fo_demotion d;

	if (cli_json(o))
		cli_arr(o, "demotions");
	for (unsigned k = 0; fo_demotion_get(f, k, &d) == 0; k++) {
		if (cli_json(o)) {
			cli_obj(o, NULL);
			cli_str(o, "group", d.group);
			cli_str(o, "owner", d.owner);
			cli_str(o, "reason", d.reason);
			cli_u64(o, "count", d.count);
			cli_obj_end(o);
		} else {
			cli_printf(o, "demoted by %u: group %s, %s: %s\n", d.count, d.group, d.owner, d.reason);
		}
	}
	if (cli_json(o))
		cli_arr_end(o);
}

static void
role_text(struct cli_out *o, struct fo *f)
{
	struct fo_role_info r;
	char t[32], u[32];

	fo_role_info_get(f, &r);
	cli_printf(o, "box: %s for %s%s%s; peer %s for %s\n", fo_role_names[r.role], cli_ago(t, r.since_us), r.why[0] ? ": " : "", r.why,
		fo_peer_names[r.peer], cli_ago(u, r.peer_since_us));
	if (r.deaths + r.false_alarms != 0)
		cli_printf(o, "\t%llu times the peer was found dead, %llu times the cable alone was silent\n", (unsigned long long)r.deaths,
			(unsigned long long)r.false_alarms);
	if (r.handover[0] != '\0')
		cli_printf(o, "\tlast handover: %s\n", r.handover);
}

static void
role_json(struct cli_out *o, struct fo *f)
{
	struct fo_role_info r;

	fo_role_info_get(f, &r);
	cli_str(o, "role", fo_role_names[r.role]);
	cli_dbl(o, "role_since_sec", (double)r.since_us / 1e6, 6);
	cli_str(o, "role_why", r.why);
	cli_str(o, "peer_health", fo_peer_names[r.peer]);
	cli_dbl(o, "peer_since_sec", (double)r.peer_since_us / 1e6, 6);
	cli_u64(o, "peer_deaths", r.deaths);
	cli_u64(o, "false_alarms", r.false_alarms);
	cli_u64(o, "role_transitions", r.transitions);
	cli_bool(o, "handing_over", r.handing_over);
	cli_str(o, "handover", r.handover);
}

static int
cmd_show(struct cli_ctx *x)
{
	struct fo *f = cli_fo(x);
	struct cli_out *o = x->out;
	bool all = x->argc > 0 && strcmp(x->argv[0], "all") == 0;
	struct fo_carp_stats st;
	struct fo_options opt;
	struct fo_info *i;

	if (f == NULL)
		return 1;
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return cli_err(x, "show carp: out of memory");
	fo_options_get(f, &opt);
	fo_stats_get(f, &st);
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_bool(o, "preempt", opt.preempt);
		cli_bool(o, "allow", opt.allow);
		cli_str(o, "peer", peer_names[opt.peer_kind]);
		cli_str(o, "counter", counter_names[opt.counter]);
		cli_u64(o, "demote", fo_demote_count(f, FO_GROUP_DEFAULT));
		role_json(o, f);
		cli_arr(o, "interfaces");
		for (unsigned k = 0; fo_info_get(f, k, i) == 0; k++)
			json_if(o, i);
		cli_arr_end(o);
		demotions(x, f);
		json_counters(o, &st);
		cli_obj_end(o);
		free(i);
		return 0;
	}
	role_text(o, f);
	for (unsigned k = 0; fo_info_get(f, k, i) == 0; k++)
		text_if(o, i, all);
	demotions(x, f);
	cli_printf(o, "preempt %s, allow %s, peer %s, counter %s, group carp demoted by %u\n", on_off[opt.preempt], on_off[opt.allow],
		peer_names[opt.peer_kind], counter_names[opt.counter], fo_demote_count(f, FO_GROUP_DEFAULT));
	for (size_t k = 0; k < N_COUNTERS; k++)
		if (all || counter(&st, k) != 0)
			cli_printf(o, "\t%llu %s\n", (unsigned long long)counter(&st, k), counters[k].help);
	free(i);
	return 0;
}

void
cli_carp_metrics(struct cli_ctx *x)
{
	struct fo *f = cli_fo_of(x);
	struct cli_out *o = x->out;
	struct fo_carp_stats st;
	struct fo_info *i;

	if (f == NULL || (i = calloc(1, sizeof(*i))) == NULL)
		return;
	cli_metric_family(o, "twinpath_carp_state", "gauge", NULL, "Role of a virtual host: 1 for the one that it is in");
	for (unsigned k = 0; fo_info_get(f, k, i) == 0; k++)
		for (int s = FO_CARP_INIT; s <= FO_CARP_MASTER; s++)
			cli_printf(o, "twinpath_carp_state{name=\"%s\",vhid=\"%u\",carpdev=\"%s\",state=\"%s\"} %d\n", i->conf->name,
				i->conf->vhid, i->conf->carpdev, fo_carp_state_name(s), (int)i->state == s);
	cli_metric_family(o, "twinpath_carp_since_seconds", "gauge", "seconds", "Time since the role was taken");
	for (unsigned k = 0; fo_info_get(f, k, i) == 0; k++)
		cli_printf(o, "twinpath_carp_since_seconds{name=\"%s\"} %.6f\n", i->conf->name, (double)i->since_us / 1e6);
	cli_metric_family(o, "twinpath_carp_demote", "gauge", NULL, "Demotion of a virtual host");
	for (unsigned k = 0; fo_info_get(f, k, i) == 0; k++)
		cli_printf(o, "twinpath_carp_demote{name=\"%s\"} %u\n", i->conf->name, i->demote);
	fo_stats_get(f, &st);
	cli_metric_family(o, "twinpath_carp", "counter", NULL, "Counters of netstat -sp carp, and ours");
	for (size_t k = 0; k < N_COUNTERS; k++)
		cli_printf(o, "twinpath_carp_total{counter=\"%s\"} %llu\n", counters[k].name, (unsigned long long)counter(&st, k));
	free(i);
}

/* ---- failover: a stream, so that the box goes on while this waits */
struct handover { struct cli_stream st; struct cli *cli; bool json; };

static bool
handover_poll(struct cli_stream *st, struct cli_out *o)
{
	struct handover *h = (struct handover *)st;
	struct fo *f = fo_of(h->cli->box);
	struct fo_role_info r;
	int rc = f != NULL ? fo_handover_done(f) : -1;
	char t[160];

	if (rc == 0)
		return true;
	if (f == NULL)
		return false;
	fo_role_info_get(f, &r);
	h->st.status = rc < 0;
	if (h->json) {
		cli_obj(o, NULL);
		cli_bool(o, "done", rc > 0);
		cli_str(o, "handover", r.handover);
		cli_obj_end(o);
	} else if (rc > 0) {
		cli_printf(o, "handover: %s\n", r.handover);
	}
	if (rc < 0)
		cli_out_chan(o, CLI_CHAN_ERR, t, snprintf(t, sizeof(t), "failover: %s\n", r.handover));
	return false;
}

static void
handover_end(struct cli_stream *st)
{
	free(st);
}

static int
cmd_failover(struct cli_ctx *x)
{
	struct fo *f = cli_fo(x);
	struct handover *h = NULL;
	struct fp_err err = { "" };

	if (f == NULL)
		return 1;
	if (x->can_stream && (h = calloc(1, sizeof(*h))) == NULL)
		return cli_err(x, "failover: out of memory");
	if (fo_handover(f, &err) != 0) {
		free(h);
		return cli_err(x, "failover: %s", err.text);
	}
	if (h == NULL)
		return 0;
	h->st.poll = handover_poll;
	h->st.end = handover_end;
	h->cli = x->cli;
	h->json = cli_json(x->out);
	x->stream = &h->st;
	return 0;
}

/* ---- settings */

static int
put(struct cli_ctx *x, struct fo *f, const struct fo_options *o)
{
	struct fp_err err = { "" };

	return fo_options_set(f, o, &err) == 0 ? 0 : cli_err(x, "%s: %s", x->cmd->words, err.text);
}

static int
cmd_set(struct cli_ctx *x)
{
	struct fo *f = cli_fo(x);
	const char *v = x->argv[1];
	bool on = strcmp(v, "on") == 0;
	struct fo_options o;

	if (f == NULL)
		return 1;
	fo_options_get(f, &o);
	switch (x->argv[0][0]) {
	case 'a':
		o.allow = on;
		break;
	case 'l':
		o.linklocal = on;
		break;
	case 'c':
		o.counter = v[0] == 'c' ? FO_COUNTER_CONSTANT : v[0] == 'r' ? FO_COUNTER_RISING : FO_COUNTER_STRICT;
		break;
	default:
		if (strcmp(x->argv[0], "preempt") == 0)
			o.preempt = on;
		else
			o.peer_kind = v[0] == 'a' ? FO_CARP_PEER_AUTO : v[0] == 'o' ? FO_CARP_PEER_OPENBSD : FO_CARP_PEER_FREEBSD;
	}
	return put(x, f, &o);
}

/* `sysctl net.inet.carp.preempt=1`, as it stands in /etc/sysctl.conf */
static int
cmd_sysctl(struct cli_ctx *x)
{
	static const char base[] = "net.inet.carp.";
	struct fo *f = NULL;
	struct fo_options o;
	const char *name, *eq;
	bool *field;

	if (x->argc > 0 && strcmp(x->argv[0], "-w") == 0) {
		x->argc--;
		x->argv++;
	}
	if (x->argc != 1 || strncmp(x->argv[0], base, sizeof(base) - 1) != 0)
		return cli_err(x, "sysctl: expected net.inet.carp.preempt or net.inet.carp.allow, also with =0 or =1");
	name = x->argv[0] + sizeof(base) - 1;
	eq = strchr(name, '=');
	if (eq != NULL && strcmp(eq, "=0") != 0 && strcmp(eq, "=1") != 0)
		return cli_err(x, "sysctl: %s: expected =0 or =1", x->argv[0]);
	memset(&o, 0, sizeof(o));
	if (!x->check) {
		if ((f = cli_fo(x)) == NULL)
			return 1;
		fo_options_get(f, &o);
	}
	field = strncmp(name, "preempt", 7) == 0 && (name[7] == '\0' || name[7] == '=') ? &o.preempt :
		strncmp(name, "allow", 5) == 0 && (name[5] == '\0' || name[5] == '=') ? &o.allow : NULL;
	if (field == NULL)
		return cli_err(x, "sysctl: %s: expected net.inet.carp.preempt or net.inet.carp.allow", x->argv[0]);
	if (x->check)
		return 0;
	if (eq == NULL) {
		cli_printf(x->out, "%s=%d\n", x->argv[0], *field);
		return 0;
	}
	*field = eq[1] == '1';
	return put(x, f, &o);
}

const struct cli_cmd cli_carp_cmds[] = {
	{ "failover", "", "hand the master's role to the other box: it is brought level to the last change first, no packet is lost", cmd_failover,
		CLI_F_JSON },
	{ "show carp", "[all]", "virtual hosts: role, since when and why, demotions, counters; all: also those that are 0", cmd_show,
		CLI_F_JSON },
	{ "set carp", "((preempt|allow|linklocal) (on|off)|peer (auto|openbsd|freebsd)|counter (constant|rising|strict))",
		"CARP of the whole box: preemption, how it treats peers and counters", cmd_set, 0, NULL,
		"  set carp preempt on        a better box takes the role; all vhids move together\n"
		"  set carp peer freebsd      demotion is told by advskew; auto finds it out\n"
		"  set carp counter strict    counters must rise: between twinpath boxes only\n"
		"  set carp linklocal on      digest with link-local addresses, as FreeBSD boxes that have some on the vhid" },
	{ "sysctl", "net.inet.carp.(preempt|allow)[=(0|1)]", "the same, in the words of /etc/sysctl.conf", cmd_sysctl, CLI_F_OWN_ARGS },
	{ NULL },
};
