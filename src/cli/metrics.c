/* SPDX-License-Identifier: BSD-2-Clause */
/* `metrics`: OpenMetrics 1.0 text of all figures. One family at a time, units in names, `# EOF` at the end. */
#include <stdlib.h>
#include <string.h>

#include "cli_priv.h"
#include "metrics.h"
#include "carp.h"
#include "pfsync.h"

void
cli_metric_family(struct cli_out *o, const char *name, const char *type, const char *unit, const char *help)
{
	cli_printf(o, "# TYPE %s %s\n", name, type);
	if (unit != NULL)
		cli_printf(o, "# UNIT %s %s\n", name, unit);
	cli_printf(o, "# HELP %s %s\n", name, help);
}

/* Label values: backslash, quote and newline are escaped. */
static const char *
esc(const char *s, char buf[128])
{
	size_t n = 0;

	for (; *s != '\0' && n < 124; s++) {
		if (*s == '\\' || *s == '"' || *s == '\n')
			buf[n++] = '\\';
		buf[n++] = *s == '\n' ? 'n' : *s;
	}
	buf[n] = '\0';
	return buf;
}

static void
gauge(struct cli_out *o, const char *name, const char *unit, const char *help, double v)
{
	cli_metric_family(o, name, "gauge", unit, help);
	cli_printf(o, "%s %.17g\n", name, v);
}

static void
ports(struct cli_ctx *x)
{
	static const struct { const char *name, *unit, *help; size_t off; } c[] = {
		{ "twinpath_port_rx_packets", "packets", "Packets received", offsetof(struct fp_if_info, in_packets) },
		{ "twinpath_port_rx_bytes", "bytes", "Bytes received", offsetof(struct fp_if_info, in_bytes) },
		{ "twinpath_port_rx_errors", NULL, "Packets received with errors", offsetof(struct fp_if_info, in_errors) },
		{ "twinpath_port_rx_missed", NULL, "Packets the port had no room for", offsetof(struct fp_if_info, in_missed) },
		{ "twinpath_port_rx_nombuf", NULL, "Receive buffers that could not be had", offsetof(struct fp_if_info, in_nombuf) },
		{ "twinpath_port_tx_packets", "packets", "Packets sent", offsetof(struct fp_if_info, out_packets) },
		{ "twinpath_port_tx_bytes", "bytes", "Bytes sent", offsetof(struct fp_if_info, out_bytes) },
		{ "twinpath_port_tx_errors", NULL, "Packets that could not be sent", offsetof(struct fp_if_info, out_errors) },
	};
	struct fp_if_info *i = calloc(1, sizeof(*i));
	char b[128];

	for (size_t k = 0; i != NULL && k < sizeof(c) / sizeof(c[0]); k++) {
		cli_metric_family(x->out, c[k].name, "counter", c[k].unit, c[k].help);
		for (unsigned n = 0; fp_if_info(x->box, n, i) == 0; n++)
			if (i->port_id >= 0 && i->parent[0] == '\0')
				cli_printf(x->out, "%s_total{port=\"%s\"} %llu\n", c[k].name, esc(i->name, b),
					(unsigned long long)*(const uint64_t *)((const char *)i + c[k].off));
	}
	cli_metric_family(x->out, "twinpath_port_up", "gauge", NULL, "Link of the port: 1 up, 0 down");
	for (unsigned n = 0; i != NULL && fp_if_info(x->box, n, i) == 0; n++)
		if (i->port_id >= 0 && i->parent[0] == '\0')
			cli_printf(x->out, "twinpath_port_up{port=\"%s\"} %d\n", esc(i->name, b), i->running);
	free(i);
}

static void
lcores(struct cli_ctx *x)
{
	static const struct { const char *name, *type, *unit, *help; int what; } f[] = {
		{ "twinpath_lcore_busy_ratio", "gauge", "ratio", "Share of time with packets", 0 },
		{ "twinpath_lcore_packet_cycles", "gauge", "cycles", "TSC cycles a packet", 1 },
		{ "twinpath_lcore_burst_packets", "gauge", "packets", "Mean size of a burst", 2 },
		{ "twinpath_lcore_states", "gauge", NULL, "States in the table of the worker", 3 },
		{ "twinpath_lcore_stall_seconds", "gauge", "seconds", "Longest loop since the counters were cleared", 4 },
		{ "twinpath_lcore_packets", "counter", "packets", "Packets the worker received", 5 },
		{ "twinpath_lcore_busy_cycles", "counter", "cycles", "TSC cycles with packets", 6 },
		{ "twinpath_lcore_idle_cycles", "counter", "cycles", "TSC cycles without packets", 7 },
		{ "twinpath_lcore_handed_over", "counter", NULL, "Packets handed to the worker that owns their flow", 8 },
	};
	struct fp_lcore_info l;

	for (size_t k = 0; k < sizeof(f) / sizeof(f[0]); k++) {
		cli_metric_family(x->out, f[k].name, f[k].type, f[k].unit, f[k].help);
		for (unsigned n = 0; n < fp_lcore_count(x->box) && fp_lcore_info(x->box, n, &l) == 0; n++) {
			double v = 0;

			switch (f[k].what) {
			case 0: v = l.busy_share; break;
			case 1: v = l.cycles_per_packet; break;
			case 2: v = l.burst_mean; break;
			case 3: v = l.states; break;
			case 4: v = (double)l.stall_max_us / 1e6; break;
			case 5: v = (double)l.packets; break;
			case 6: v = (double)l.busy_cycles; break;
			case 7: v = (double)l.idle_cycles; break;
			case 8: v = (double)l.handed_over; break;
			}
			cli_printf(x->out, "%s%s{lcore=\"%u\",role=\"%s\"} %.17g\n", f[k].name, f[k].type[0] == 'c' ? "_total" : "", l.lcore,
				l.role, v);
		}
	}
}

static void
labels(struct cli_ctx *x)
{
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct fp_rule_counters *c;
	char b[128];
	static const char *const names[] = { "twinpath_rule_evaluations", "twinpath_rule_packets", "twinpath_rule_bytes",
		"twinpath_rule_states_created" };
	static const char *const units[] = { NULL, "packets", "bytes", NULL };
	static const char *const help[] = { "Evaluations of rules with a label", "Packets of rules with a label",
		"Bytes of rules with a label", "States made by rules with a label" };

	if (rs == NULL || (c = calloc(rs->n_rules ? rs->n_rules : 1, sizeof(*c))) == NULL)
		return;
	fp_rules_counters(x->box, c, rs->n_rules);
	for (int k = 0; k < 4; k++) {
		cli_metric_family(x->out, names[k], "counter", units[k], help[k]);
		for (uint32_t i = 0; i < rs->n_rules; i++) {
			uint64_t v[] = { c[i].evaluations, c[i].packets[0] + c[i].packets[1], c[i].bytes[0] + c[i].bytes[1], c[i].states_total };

			if (rs->rules[i]->label[0] != '\0')
				cli_printf(x->out, "%s_total{rule=\"%u\",label=\"%s\"} %llu\n", names[k], i, esc(rs->rules[i]->label, b),
					(unsigned long long)v[k]);
		}
	}
	free(c);
}

int
cli_metrics(struct cli_ctx *x)
{
	struct fp_stats *s = calloc(1, sizeof(*s));
	const struct pol_ruleset *rs = fp_rules(x->box);
	struct cli_out *o = x->out;

	if (s == NULL)
		return cli_err(x, "metrics: out of memory");
	cli_out_set_json(o, false);	/* the format is given */
	fp_stats_get(x->box, s);
	gauge(o, "twinpath_running", NULL, "Workers run", fp_box_running(x->box));
	gauge(o, "twinpath_pf_enabled", NULL, "pf is enabled", s->enabled);
	gauge(o, "twinpath_uptime_seconds", "seconds", "Time since pf was enabled", (double)s->since_sec);
	gauge(o, "twinpath_states", NULL, "States in the table", s->states);
	if (rs != NULL)
		gauge(o, "twinpath_states_limit", NULL, "Limit of states", pol_limit(&rs->opt, POL_LIMIT_STATES));
	gauge(o, "twinpath_states_half_open", NULL, "Half-open TCP states", s->half_open);
	gauge(o, "twinpath_fragment_queues", NULL, "Packets being reassembled", s->frags);
	gauge(o, "twinpath_source_nodes", NULL, "Source nodes", s->srcnodes);
	cli_metric_family(o, "twinpath_outcomes", "counter", NULL, "Packets and events by outcome");
	for (int i = 0; i < FP_T_MAX; i++)
		cli_printf(o, "twinpath_outcomes_total{outcome=\"%s\"} %llu\n", fp_total_names[i], (unsigned long long)s->totals[i]);
	cli_metric_family(o, "twinpath_dropped_packets", "counter", "packets", "Dropped packets by reason");
	for (int i = 0; i < FP_D_MAX; i++)
		cli_printf(o, "twinpath_dropped_packets_total{reason=\"%s\"} %llu\n", fp_drop_names[i], (unsigned long long)s->drops[i]);
	cli_metric_family(o, "twinpath_pf", "counter", NULL, "Counters of pfctl -si");
	for (int i = 0; i < FP_R_MAX; i++)
		cli_printf(o, "twinpath_pf_total{counter=\"%s\"} %llu\n", fp_reason_names[i], (unsigned long long)s->reasons[i]);
	cli_metric_family(o, "twinpath_pf_limit", "counter", NULL, "Limit counters of pfctl -si");
	for (int i = 0; i < FP_LC_MAX; i++)
		cli_printf(o, "twinpath_pf_limit_total{counter=\"%s\"} %llu\n", fp_lcounter_names[i], (unsigned long long)s->lcounters[i]);
	ports(x);
	lcores(x);
	labels(x);
	cli_sync_metrics(x);
	cli_carp_metrics(x);
	cli_printf(o, "# EOF\n");
	free(s);
	return 0;
}
