/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `show sync`: how the pair is, then the lines of `netstat -s -p pfsync` and our own figures. One table of figures drives
 * text, JSON and metrics.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failover/role.h"
#include "metrics.h"
#include "pfsync.h"

/* %s is the s of the plural. */
static const char *const kind_text[SYNC_UNKNOWN + 1] = {
	[SYNC_CLR] = "clear all request%s", [SYNC_INS] = "state insert%s", [SYNC_INS_ACK] = "state inserted ack%s",
	[SYNC_UPD] = "state update%s", [SYNC_UPD_C] = "compressed state update%s", [SYNC_UPD_REQ] = "uncompressed state request%s",
	[SYNC_DEL] = "state delete%s", [SYNC_DEL_C] = "compressed state delete%s", [SYNC_INS_F] = "fragment insert%s",
	[SYNC_DEL_F] = "fragment delete%s", [SYNC_BUS] = "bulk update mark%s", [SYNC_TDB] = "TDB replay counter update%s",
	[SYNC_EOF] = "end of frame mark%s", [SYNC_UNKNOWN] = "message%s of an unknown kind",
};

static const struct { enum sync_counter c; const char *text; } in_text[] = {
	{ SYNC_CNT_badif, "packet%s discarded for bad interface" }, { SYNC_CNT_badttl, "packet%s discarded for bad ttl" },
	{ SYNC_CNT_hdrops, "packet%s shorter than header" }, { SYNC_CNT_badver, "packet%s discarded for bad version" },
	{ SYNC_CNT_badauth, "packet%s discarded for bad HMAC" }, { SYNC_CNT_badact, "packet%s discarded for bad action" },
	{ SYNC_CNT_badlen, "packet%s discarded for short packet" }, { SYNC_CNT_badval, "state%s discarded for bad values" },
	{ SYNC_CNT_stale, "stale state%s" }, { SYNC_CNT_badstate, "failed state lookup%s/inserts" },
}, out_text[] = {
	{ SYNC_CNT_onomem, "send%s failed due to mbuf memory error" }, { SYNC_CNT_oerrors, "send error%s" },
};

#define F(key_, gauge_, text_) { #key_, offsetof(struct sync_info, key_), gauge_, text_ }
static const struct { const char *key; size_t off; bool gauge; const char *text; } figures[] = {
	F(inserted, false, "state%s of the peer inserted"),
	F(updated, false, "state%s updated by the peer"),
	F(deleted, false, "state%s deleted by the peer"),
	F(cleared, false, "state%s cleared by the peer"),
	F(collisions, false, "insert%s refused: another state is there"),
	F(table_full, false, "insert%s refused: the table is full"),
	F(unsupported, false, "insert%s refused: translated, or of a kind that this box does not do"),
	F(unknown_if, false, "state%s of an interface that is not here"),
	F(rule_bound, false, "imported state%s bound to our rule of the same number"),
	F(rule_default, false, "imported state%s bound to the default rule"),
	F(inbox_full, false, "message%s to workers lost"),
	F(requests_suppressed, false, "state request%s not sent: repeated, or too many"),
	F(corrections, false, "stale update%s answered with the truth"),
	F(annihilated, false, "insert%s that met their delete before they were sent"),
	F(collapsed, false, "update%s that met one that waited"),
	F(tx_retries, false, "packet%s that the link did not take at once"),
	F(dirty, true, "state%s waiting for another chance to be sent"),
	F(dirty_total, false, "time%s that a state had to wait for another chance"),
	F(deletes_lost, false, "delete%s never sent"),
	F(lost, false, "packet%s of the peer lost on the way"),
	F(repaired, false, "state%s sent again for lost packets"),
	F(reordered, false, "packet%s of the peer that came out of order"),
};
#define N_FIGURES (sizeof(figures) / sizeof(figures[0]))

static uint64_t
figure(const struct sync_info *i, size_t k)
{
	return *(const uint64_t *)((const char *)i + figures[k].off);
}

const char *
cli_ago(char buf[32], uint64_t us)
{
	if (us < 1000)
		snprintf(buf, 32, "%llu us", (unsigned long long)us);
	else if (us < 1000000)
		snprintf(buf, 32, "%.1f ms", (double)us / 1e3);
	else
		snprintf(buf, 32, "%.1f s", (double)us / 1e6);
	return buf;
}

/* ---- text */

static void __attribute__((format(printf, 4, 0)))
count(struct cli_out *o, bool all, const char *indent, const char *text, uint64_t n, const char *end)
{
	char b[160];

	if (n == 0 && !all)
		return;
	snprintf(b, sizeof(b), text, n == 1 ? "" : "s");
	cli_printf(o, "%s%llu %s%s\n", indent, (unsigned long long)n, b, end);
}

static const char *
us_str(char buf[32], double us)
{
	if (!isfinite(us))
		snprintf(buf, 32, "-");
	else if (us < 1000)
		snprintf(buf, 32, "%.1f us", us);
	else
		cli_ago(buf, (uint64_t)us);
	return buf;
}

static void
text_bulk(struct cli_out *o, const struct sync_info *i)
{
	cli_printf(o, "\tbulk update: %s", i->bulk.state[0] != '\0' ? i->bulk.state : "none");
	if (i->bulk.reason[0] != '\0')
		cli_printf(o, " (%s)", i->bulk.reason);
	if (i->bulk.received > 0 || i->bulk.took_sec >= 0)
		cli_printf(o, ", %llu states received", (unsigned long long)i->bulk.received);
	if (i->bulk.took_sec >= 0)
		cli_printf(o, " in %.3f s", i->bulk.took_sec);
	if (i->bulk.progress >= 0 && i->bulk.progress < 1 && strcmp(i->bulk.state, "receiving") == 0)
		cli_printf(o, ", %.0f %%", i->bulk.progress * 100);
	if (i->bulk.eta_sec >= 0 && strcmp(i->bulk.state, "receiving") == 0)
		cli_printf(o, ", %.1f s to go", i->bulk.eta_sec);
	if (i->bulk.tries > 1)
		cli_printf(o, ", asked %u times", i->bulk.tries);
	if (i->bulk.sending)
		cli_printf(o, "; the peer gets one from us");
	if (i->bulk.sent > 0)
		cli_printf(o, "; %llu states sent", (unsigned long long)i->bulk.sent);
	cli_printf(o, "\n");
}

static void
text(struct cli_out *o, const struct sync_conf *c, const struct sync_info *i, const char *role, bool all)
{
	static const char *const health[] = { "off", "in sync", "lagging", "broken" };
	char a[32], b[32], d[32];

	cli_printf(o, "pfsync0: %s%s%s\n", health[i->health], i->reason[0] ? ": " : "", i->reason);
	if (c->syncdev[0] != '\0')
		cli_printf(o, "\tsyncdev %s, link %s, ", c->syncdev, i->link ? "up" : "down");
	else
		cli_printf(o, "\tno syncdev, ");
	cli_printf(o, "sends to %s, ", i->peer[0] != '\0' ? i->peer : "nobody");
	if (i->heard_us == UINT64_MAX)
		cli_printf(o, "never heard a peer\n");
	else
		cli_printf(o, "heard %s %s ago\n", i->heard, cli_ago(a, i->heard_us));
	cli_printf(o, "\tversion %u%s%s, role %s, defer %s\n", i->version, i->version_fixed ? ", as set" : "",
		i->twin ? ", the peer is a twinpath box" : "", role, c->defer ? "on" : "off");
	if (i->thread[0] != '\0')
		cli_printf(o, "\tsync thread: %s; %s\n", i->thread,
			i->tx_queues == 0 ? "the workers share a transmit queue" : "each worker has its own transmit queue");
	text_bulk(o, i);
	if (isfinite(i->lag_p50_us))
		cli_printf(o, "\tlag from commit there to lookup here: p50 %s, p99 %s, max %s%s\n", us_str(a, i->lag_p50_us),
			us_str(b, i->lag_p99_us), us_str(d, i->lag_max_us), i->lag_same_clock ? "" : " (two clocks: as good as they agree)");
	cli_printf(o, "\t%llu dirty, %llu lost, %llu repaired\n", (unsigned long long)i->dirty, (unsigned long long)i->lost,
		(unsigned long long)i->repaired);
	if (i->demote > 0)
		cli_printf(o, "\tdemotes carp by %u\n", i->demote);
	if (c->defer || i->defer.held > 0 || all) {
		cli_printf(o, "\tfirst packets: %llu held, %llu acknowledged, %llu timed out, %llu too many, %llu held now",
			(unsigned long long)i->defer.held, (unsigned long long)i->defer.acked, (unsigned long long)i->defer.timed_out,
			(unsigned long long)i->defer.overflowed, (unsigned long long)i->defer.now);
		if (isfinite(i->defer.p50_us))
			cli_printf(o, "; p50 %s, p99 %s", us_str(a, i->defer.p50_us), us_str(b, i->defer.p99_us));
		cli_printf(o, "\n");
	}

	cli_printf(o, "pfsync:\n");
	count(o, true, "\t", "packet%s received (IPv4)", i->counters[SYNC_CNT_ipackets], "");
	count(o, true, "\t", "packet%s received (IPv6)", i->counters[SYNC_CNT_ipackets6], "");
	for (int k = 0; k <= SYNC_UNKNOWN; k++)
		count(o, all, "\t\t", kind_text[k], i->received[k], " received");
	for (size_t k = 0; k < sizeof(in_text) / sizeof(in_text[0]); k++)
		count(o, all, "\t\t", in_text[k].text, i->counters[in_text[k].c], "");
	count(o, true, "\t", "packet%s sent (IPv4)", i->counters[SYNC_CNT_opackets], "");
	count(o, true, "\t", "packet%s sent (IPv6)", i->counters[SYNC_CNT_opackets6], "");
	for (int k = 0; k <= SYNC_UNKNOWN; k++)
		count(o, all, "\t\t", kind_text[k], i->sent[k], " sent");
	for (size_t k = 0; k < sizeof(out_text) / sizeof(out_text[0]); k++)
		count(o, all, "\t\t", out_text[k].text, i->counters[out_text[k].c], "");
	cli_printf(o, "pair:\n");
	count(o, true, "\t", "byte%s received", i->received_bytes, "");
	count(o, true, "\t", "byte%s sent", i->sent_bytes, "");
	for (size_t k = 0; k < N_FIGURES; k++)
		count(o, all, "\t", figures[k].text, figure(i, k), "");
}

/* ---- JSON */

static void
or_null(struct cli_out *o, const char *key, double v, int decimals)
{
	if (isfinite(v) && v >= 0)
		cli_dbl(o, key, v, decimals);
	else
		cli_str(o, key, NULL);
}

static void
text_or_null(struct cli_out *o, const char *key, const char *s)
{
	cli_str(o, key, s[0] != '\0' ? s : NULL);
}

/* pf's counters stand both where they belong, in sent and received, and by themselves. */
static void
json(struct cli_out *o, const struct sync_conf *c, const struct sync_info *i, const char *role)
{
	cli_obj(o, NULL);
	cli_str(o, "health", sync_health_names[i->health]);
	cli_str(o, "reason", i->reason);
	text_or_null(o, "syncdev", c->syncdev);
	cli_bool(o, "link", i->link);
	text_or_null(o, "peer", i->peer);
	text_or_null(o, "heard", i->heard);
	if (i->heard_us == UINT64_MAX)
		cli_str(o, "heard_us", NULL);
	else
		cli_u64(o, "heard_us", i->heard_us);
	cli_u64(o, "version", i->version);
	cli_bool(o, "version_fixed", i->version_fixed);
	cli_bool(o, "twin", i->twin);
	cli_str(o, "role", role);
	text_or_null(o, "thread", i->thread);
	cli_u64(o, "tx_queues", i->tx_queues);
	cli_obj(o, "bulk");
	cli_str(o, "state", i->bulk.state[0] != '\0' ? i->bulk.state : "none");
	cli_str(o, "reason", i->bulk.reason);
	or_null(o, "progress", i->bulk.progress, 4);
	or_null(o, "eta_s", i->bulk.eta_sec, 3);
	or_null(o, "took_s", i->bulk.took_sec, 6);
	cli_u64(o, "tries", i->bulk.tries);
	cli_bool(o, "sending", i->bulk.sending);
	cli_u64(o, "received_states", i->bulk.received);
	cli_u64(o, "sent_states", i->bulk.sent);
	cli_obj_end(o);
	cli_obj(o, "sent");
	for (int k = 0; k <= SYNC_UNKNOWN; k++)
		cli_u64(o, sync_kind_name(k), i->sent[k]);
	for (size_t k = 0; k < sizeof(out_text) / sizeof(out_text[0]); k++)
		cli_u64(o, sync_counter_name(out_text[k].c), i->counters[out_text[k].c]);
	cli_u64(o, "packets", i->sent_packets);
	cli_u64(o, "bytes", i->sent_bytes);
	cli_obj_end(o);
	cli_obj(o, "received");
	for (int k = 0; k <= SYNC_UNKNOWN; k++)
		cli_u64(o, sync_kind_name(k), i->received[k]);
	for (size_t k = 0; k < sizeof(in_text) / sizeof(in_text[0]); k++)
		cli_u64(o, sync_counter_name(in_text[k].c), i->counters[in_text[k].c]);
	cli_u64(o, "packets", i->received_packets);
	cli_u64(o, "bytes", i->received_bytes);
	cli_obj_end(o);
#define X(name) cli_u64(o, #name, i->counters[SYNC_CNT_##name]);
	SYNC_COUNTERS(X)
#undef X
	for (size_t k = 0; k < N_FIGURES; k++)
		cli_u64(o, figures[k].key, figure(i, k));
	cli_obj(o, "deferred");
	cli_u64(o, "held", i->defer.held);
	cli_u64(o, "acked", i->defer.acked);
	cli_u64(o, "timed_out", i->defer.timed_out);
	cli_u64(o, "overflowed", i->defer.overflowed);
	cli_u64(o, "now", i->defer.now);
	or_null(o, "p50_us", i->defer.p50_us, 3);
	or_null(o, "p99_us", i->defer.p99_us, 3);
	cli_obj_end(o);
	or_null(o, "lag_p50_us", i->lag_p50_us, 3);
	or_null(o, "lag_p99_us", i->lag_p99_us, 3);
	or_null(o, "lag_max_us", i->lag_max_us, 3);
	cli_bool(o, "lag_same_clock", i->lag_same_clock);
	cli_u64(o, "demote", i->demote);
	cli_obj_end(o);
}

/* Of the box, by CARP; "none": it has none. */
static const char *
role(struct cli_ctx *x)
{
	struct fo *f = x->box != NULL ? fo_of(x->box) : NULL;
	struct fo_role_info r;
	struct fo_info info;

	if (f == NULL || fo_info_get(f, 0, &info) != 0)
		return "none";
	fo_role_info_get(f, &r);
	return fo_role_names[r.role];
}

int
cli_show_sync(struct cli_ctx *x)
{
	struct sync *s = cli_sync(x);
	struct sync_info *i;
	struct sync_conf c;

	if (s == NULL)
		return 1;
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return cli_err(x, "show sync: out of memory");
	sync_conf_get(s, &c);
	sync_info_get(s, i);
	if (cli_json(x->out))
		json(x->out, &c, i, role(x));
	else
		text(x->out, &c, i, role(x), x->argc > 0);
	free(i);
	return 0;
}

/* ---- metrics */

static void
metric_seconds(struct cli_out *o, const char *name, const char *help, double p50_us, double p99_us)
{
	cli_metric_family(o, name, "summary", "seconds", help);
	if (isfinite(p50_us))
		cli_printf(o, "%s{quantile=\"0.5\"} %.9g\n", name, p50_us / 1e6);
	if (isfinite(p99_us))
		cli_printf(o, "%s{quantile=\"0.99\"} %.9g\n", name, p99_us / 1e6);
}

static void
metric(struct cli_out *o, const char *name, const char *type, const char *unit, const char *help, double v)
{
	cli_metric_family(o, name, type, unit, help);
	if (isfinite(v))
		cli_printf(o, "%s%s %.17g\n", name, strcmp(type, "counter") == 0 ? "_total" : "", v);
}

static void
metric_directions(struct cli_out *o, const char *name, const char *unit, const char *help, uint64_t sent, uint64_t received)
{
	cli_metric_family(o, name, "counter", unit, help);
	cli_printf(o, "%s_total{direction=\"sent\"} %llu\n", name, (unsigned long long)sent);
	cli_printf(o, "%s_total{direction=\"received\"} %llu\n", name, (unsigned long long)received);
}

void
cli_sync_metrics(struct cli_ctx *x)
{
	struct sync *s = cli_sync_of(x);
	struct sync_info *i;
	struct cli_out *o = x->out;
	char name[64], help[128];

	if (s == NULL || (i = calloc(1, sizeof(*i))) == NULL)
		return;
	sync_info_get(s, i);
	cli_metric_family(o, "twinpath_sync_health", "gauge", NULL, "Health of the pair: 1 for the one that it is in");
	for (int k = SYNC_HEALTH_OFF; k <= SYNC_HEALTH_BROKEN; k++)
		cli_printf(o, "twinpath_sync_health{health=\"%s\"} %d\n", sync_health_names[k], (int)i->health == k);
	metric(o, "twinpath_sync_link", "gauge", NULL, "Link of the cable: 1 up, 0 down", i->link);
	metric(o, "twinpath_sync_version", "gauge", NULL, "Version of pfsync that is spoken", i->version);
	metric(o, "twinpath_sync_twin", "gauge", NULL, "The peer is a twinpath box", i->twin);
	metric(o, "twinpath_sync_demote", "gauge", NULL, "What the pair adds to the demotion of carp", i->demote);
	metric(o, "twinpath_sync_tx_queues", "gauge", NULL, "Transmit queues for the cable, 0: the workers share one", i->tx_queues);
	metric(o, "twinpath_sync_heard_seconds", "gauge", "seconds", "Time since the peer was heard",
		i->heard_us == UINT64_MAX ? NAN : (double)i->heard_us / 1e6);
	cli_metric_family(o, "twinpath_sync_bulk", "gauge", NULL, "State of the bulk update: 1 for the one that it is in");
	for (int k = 0; k < 6; k++) {
		static const char *const names[] = { "none", "start", "sent", "receiving", "done", "failed" };

		cli_printf(o, "twinpath_sync_bulk{state=\"%s\"} %d\n", names[k], strcmp(i->bulk.state, names[k]) == 0);
	}
	metric(o, "twinpath_sync_bulk_progress_ratio", "gauge", "ratio", "Progress of the bulk update",
		i->bulk.progress < 0 ? NAN : i->bulk.progress);
	metric(o, "twinpath_sync_bulk_remaining_seconds", "gauge", "seconds", "Time that the bulk update has to go",
		i->bulk.eta_sec < 0 ? NAN : i->bulk.eta_sec);
	metric(o, "twinpath_sync_bulk_took_seconds", "gauge", "seconds", "Time that the last bulk update took",
		i->bulk.took_sec < 0 ? NAN : i->bulk.took_sec);
	metric(o, "twinpath_sync_bulk_tries", "gauge", NULL, "Times that the bulk update was asked for", i->bulk.tries);
	metric(o, "twinpath_sync_bulk_sending", "gauge", NULL, "The peer gets a bulk update from us", i->bulk.sending);
	metric(o, "twinpath_sync_bulk_received_states", "gauge", "states", "States of this or the last bulk update that we got",
		(double)i->bulk.received);
	metric(o, "twinpath_sync_bulk_sent_states", "gauge", "states", "States of this or the last bulk update that we sent",
		(double)i->bulk.sent);
	cli_metric_family(o, "twinpath_sync_messages", "counter", NULL, "Messages of pfsync");
	for (int k = 0; k <= SYNC_UNKNOWN; k++) {
		cli_printf(o, "twinpath_sync_messages_total{direction=\"sent\",message=\"%s\"} %llu\n", sync_kind_name(k),
			(unsigned long long)i->sent[k]);
		cli_printf(o, "twinpath_sync_messages_total{direction=\"received\",message=\"%s\"} %llu\n", sync_kind_name(k),
			(unsigned long long)i->received[k]);
	}
	metric_directions(o, "twinpath_sync_packets", "packets", "Packets of pfsync", i->sent_packets, i->received_packets);
	metric_directions(o, "twinpath_sync_bytes", "bytes", "Bytes of pfsync packets", i->sent_bytes, i->received_bytes);
	cli_metric_family(o, "twinpath_sync_pf", "counter", NULL, "Counters of netstat -sp pfsync by the names of pf");
#define X(n) cli_printf(o, "twinpath_sync_pf_total{counter=\"" #n "\"} %llu\n", (unsigned long long)i->counters[SYNC_CNT_##n]);
	SYNC_COUNTERS(X)
#undef X
	for (size_t k = 0; k < N_FIGURES; k++) {
		/* _total is OpenMetrics' own ending */
		snprintf(name, sizeof(name), "twinpath_sync_%s", strcmp(figures[k].key, "dirty_total") == 0 ? "dirtied" : figures[k].key);
		snprintf(help, sizeof(help), figures[k].text, "s");
		help[0] = (char)(help[0] >= 'a' && help[0] <= 'z' ? help[0] - 'a' + 'A' : help[0]);
		metric(o, name, figures[k].gauge ? "gauge" : "counter", NULL, help, (double)figure(i, k));
	}
	metric(o, "twinpath_sync_deferred", "counter", NULL, "First packets held until the peer has their state", (double)i->defer.held);
	metric(o, "twinpath_sync_deferred_acked", "counter", NULL, "Held packets that the peer acknowledged", (double)i->defer.acked);
	metric(o, "twinpath_sync_deferred_timed_out", "counter", NULL, "Held packets that went out without an answer",
		(double)i->defer.timed_out);
	metric(o, "twinpath_sync_deferred_overflowed", "counter", NULL, "Held packets that went out for want of room",
		(double)i->defer.overflowed);
	metric(o, "twinpath_sync_deferred_now", "gauge", NULL, "Packets held now", (double)i->defer.now);
	metric_seconds(o, "twinpath_sync_deferral_seconds", "Time that first packets are held", i->defer.p50_us, i->defer.p99_us);
	metric_seconds(o, "twinpath_sync_lag_seconds", "Time from commit in the peer to lookup here", i->lag_p50_us, i->lag_p99_us);
	metric(o, "twinpath_sync_lag_max_seconds", "gauge", "seconds", "Longest time from commit in the peer to lookup here",
		i->lag_max_us / 1e6);
	metric(o, "twinpath_sync_lag_same_clock", "gauge", NULL, "Both boxes read one clock", i->lag_same_clock);
	free(i);
}
