/* SPDX-License-Identifier: BSD-2-Clause */
/* Our own views: show states (with filters), lcores, drops, totals, latency; why. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pfsync.h"

/* ---- show states [filter words] */

struct filter {
	struct fp_state_filter f;
	bool has_rule, has_dir;
	uint32_t rule;
	uint8_t dir;
	char state[24];
	uint64_t limit, n;
	int verbose;
};

static const char filter_words[] = "tcp, udp, icmp, icmp6, proto PROTO, host A, src A, dst A, port N, interface I, in, out, "
	"origin local|peer, rule N, label L, state WORD, id HEX, inet, inet6, limit N, verbose";

static int
filter_parse(struct cli_ctx *x, struct filter *f)
{
	memset(f, 0, sizeof(*f));
	for (int i = 0; i < x->argc; i++) {
		const char *w = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;
		struct pol_table_entry e = { .plen = 0 };
		uint64_t v;
		uint8_t proto;

		if (strcmp(w, "verbose") == 0 || strcmp(w, "-v") == 0 || strcmp(w, "-vv") == 0) {
			f->verbose = 2;
			continue;
		} else if (strcmp(w, "inet") == 0 || strcmp(w, "inet6") == 0) {
			f->f.af = w[4] == '6' ? POL_AF_INET6 : POL_AF_INET;
			continue;
		} else if (strcmp(w, "in") == 0 || strcmp(w, "out") == 0) {
			f->has_dir = true;
			f->dir = w[0] == 'i' ? 1 : 2;
			continue;
		} else if (!cli_parse_u64(w, 255, &v) && cli_proto_parse(w, &proto) == 0) {
			f->f.has_proto = true;
			f->f.proto = proto;
			continue;
		}
		if (strcmp(w, "proto") != 0 && strcmp(w, "host") != 0 && strcmp(w, "src") != 0 && strcmp(w, "dst") != 0 &&
			strcmp(w, "port") != 0 && strcmp(w, "interface") != 0 && strcmp(w, "origin") != 0 && strcmp(w, "rule") != 0 &&
			strcmp(w, "label") != 0 && strcmp(w, "state") != 0 && strcmp(w, "id") != 0 && strcmp(w, "limit") != 0)
			return cli_err(x, "show states: unknown word `%s`; expected one of: %s", w, filter_words);
		if (arg == NULL)
			return cli_err(x, "show states: %s needs an argument", w);
		i++;
		if (strcmp(w, "proto") == 0) {
			if (cli_proto_parse(arg, &f->f.proto) != 0)
				return cli_err(x, "show states: `%s`: expected a protocol", arg);
			f->f.has_proto = true;
		} else if (strcmp(w, "host") == 0 || strcmp(w, "src") == 0 || strcmp(w, "dst") == 0) {
			if (cli_prefix_parse(arg, &e.af, e.addr.b, &e.plen) != 0)
				return cli_err(x, "show states: %s %s: expected an address or prefix", w, arg);
			if (w[0] == 'd') {
				f->f.has_dst = true;
				f->f.dst = e;
			} else {	/* host: either end, which the caller asks twice for */
				f->f.has_src = true;
				f->f.src = e;
				if (w[0] == 'h')
					f->f.has_key = true;
			}
		} else if (strcmp(w, "port") == 0) {
			if (!cli_parse_u64(arg, 65535, &v))
				return cli_err(x, "show states: port %s: expected 0 to 65535", arg);
			f->f.has_port = true;
			f->f.port = (uint16_t)v;
		} else if (strcmp(w, "interface") == 0) {
			if (strlen(arg) >= FP_NAME_SIZE)
				return cli_err(x, "show states: interface name `%s` is too long", arg);
			f->f.has_if = true;
			snprintf(f->f.ifname, sizeof(f->f.ifname), "%s", arg);
		} else if (strcmp(w, "origin") == 0) {
			if (strcmp(arg, "local") != 0 && strcmp(arg, "peer") != 0)
				return cli_err(x, "show states: origin %s: expected local or peer", arg);
			f->f.has_origin = true;
			f->f.learned = arg[0] == 'p';
		} else if (strcmp(w, "rule") == 0) {
			if (!cli_parse_u64(arg, UINT32_MAX, &v))
				return cli_err(x, "show states: rule %s: expected a number", arg);
			f->has_rule = true;
			f->rule = (uint32_t)v;
		} else if (strcmp(w, "label") == 0) {
			f->f.has_label = true;
			snprintf(f->f.label, sizeof(f->f.label), "%s", arg);
		} else if (strcmp(w, "state") == 0) {
			snprintf(f->state, sizeof(f->state), "%s", arg);
		} else if (strcmp(w, "limit") == 0) {
			if (!cli_parse_u64(arg, UINT64_MAX, &f->limit) || f->limit == 0)
				return cli_err(x, "show states: limit %s: expected 1 or more", arg);
		} else {
			char *end;

			errno = 0;
			f->f.id = strtoull(arg, &end, 16);
			if (errno != 0 || *end != '\0' || end == arg)
				return cli_err(x, "show states: id %s: expected a hexadecimal number", arg);
			f->f.has_id = true;
		}
	}
	return 0;
}

struct walk { struct cli_ctx *x; struct filter *f; bool host; struct pol_table_entry addr; };

static bool
in_prefix(const struct pol_table_entry *e, uint8_t af, const uint8_t *addr)
{
	unsigned full = e->plen / 8, rest = e->plen % 8;

	if (e->af != af || memcmp(e->addr.b, addr, full) != 0)
		return false;
	return rest == 0 || ((e->addr.b[full] ^ addr[full]) & (0xff00 >> rest) & 0xff) == 0;
}

static int
walk_cb(void *arg, const struct fp_state_view *v)
{
	struct walk *w = arg;
	struct filter *f = w->f;
	char ifname[FP_NAME_SIZE];

	if ((f->has_rule && v->rule_nr != f->rule) || (f->has_dir && v->direction != f->dir) || (f->f.af != 0 && v->af != f->f.af))
		return 0;
	if (f->state[0] != '\0' && strcmp(f->state, fp_state_peer_name(v->proto, v->src.state)) != 0 &&
		strcmp(f->state, fp_state_peer_name(v->proto, v->dst.state)) != 0)
		return 0;
	if (w->host && !in_prefix(&w->addr, v->af, v->wire[0].addr) && !in_prefix(&w->addr, v->af, v->wire[1].addr) &&
		!in_prefix(&w->addr, v->af, v->stack[0].addr) && !in_prefix(&w->addr, v->af, v->stack[1].addr))
		return 0;
	if (fp_if_name(w->x->box, v->ifid, ifname) != 0)
		snprintf(ifname, sizeof(ifname), "if%u", v->ifid);
	if (cli_json(w->x->out))
		cli_state_json(w->x->out, v, ifname);
	else
		cli_state_print(w->x->out, v, ifname, f->verbose);
	if (f->verbose > 0 && !cli_json(w->x->out))
		cli_printf(w->x->out, "   origin %s, sync %s, worker %u\n", v->learned ? "peer" : "local", cli_sync_word(v), v->worker);
	return cli_gone(w->x->out) || ++f->n == f->limit;
}

static int
cmd_states(struct cli_ctx *x)
{
	struct filter f;
	struct walk w = { .x = x, .f = &f };
	int rc;

	if (filter_parse(x, &f) != 0)
		return 1;
	if (x->check)
		return 0;
	if (f.f.has_key) {	/* host: looked at here, at both ends */
		w.host = true;
		w.addr = f.f.src;
		f.f.has_key = f.f.has_src = false;
	}
	cli_arr(x->out, NULL);
	rc = fp_states_foreach(x->box, &f.f, walk_cb, &w);
	cli_arr_end(x->out);
	return rc < 0 ? cli_err(x, "show states: %s", strerror(-rc)) : 0;
}

static void
complete_states(struct cli_ctx *x, void (*add)(void *, const char *, const char *), void *arg)
{
	static const char *const words[] = { "tcp", "udp", "icmp", "icmp6", "proto", "host", "src", "dst", "port", "interface", "in",
		"out", "origin", "rule", "label", "state", "id", "inet", "inet6", "limit", "verbose", NULL };
	const char *last = x->argc > 0 ? x->argv[x->argc - 1] : "";

	if (strcmp(last, "origin") == 0) {
		add(arg, "local", "");
		add(arg, "peer", "");
		return;
	}
	for (int i = 0; words[i] != NULL; i++)
		add(arg, words[i], "");
}

/* ---- drops, totals, lcores, latency */

static struct fp_stats *
stats(struct cli_ctx *x)
{
	struct fp_stats *s = calloc(1, sizeof(*s));

	if (s == NULL)
		cli_err(x, "out of memory");
	else
		fp_stats_get(x->box, s);
	return s;
}

static int
cmd_drops(struct cli_ctx *x)
{
	struct fp_stats *s = stats(x);
	bool all = x->argc > 0;
	uint64_t total = 0;

	if (s == NULL)
		return 1;
	for (int i = 0; i < FP_D_MAX; i++)
		total += s->drops[i];
	if (cli_json(x->out)) {
		cli_obj(x->out, NULL);
		cli_u64(x->out, "dropped_packets", total);
		cli_obj(x->out, "drops");
		for (int i = 0; i < FP_D_MAX; i++)
			cli_u64(x->out, fp_drop_names[i], s->drops[i]);
		cli_obj_end(x->out);
		cli_obj_end(x->out);
	} else if (total == 0 && !all) {
		cli_printf(x->out, "no packet was dropped\n");
	} else {
		cli_arr(x->out, NULL);
		for (int i = 0; i < FP_D_MAX; i++) {
			if (s->drops[i] == 0 && !all)
				continue;
			cli_obj(x->out, NULL);
			cli_u64(x->out, "packets", s->drops[i]);
			cli_str(x->out, "reason", fp_drop_names[i]);
			cli_str(x->out, "meaning", fp_drop_help[i]);
			cli_obj_end(x->out);
		}
		cli_arr_end(x->out);
	}
	free(s);
	return 0;
}

static int
cmd_totals(struct cli_ctx *x)
{
	struct fp_stats *s = stats(x);

	if (s == NULL)
		return 1;
	if (cli_json(x->out)) {
		cli_obj(x->out, NULL);
		for (int i = 0; i < FP_T_MAX; i++)
			cli_u64(x->out, fp_total_names[i], s->totals[i]);
		cli_obj_end(x->out);
	} else {
		cli_arr(x->out, NULL);
		for (int i = 0; i < FP_T_MAX; i++) {
			cli_obj(x->out, NULL);
			cli_u64(x->out, "packets", s->totals[i]);
			cli_str(x->out, "total", fp_total_names[i]);
			cli_str(x->out, "meaning", fp_total_help[i]);
			cli_obj_end(x->out);
		}
		cli_arr_end(x->out);
	}
	free(s);
	return 0;
}

static int
cmd_lcores(struct cli_ctx *x)
{
	struct fp_lcore_info l;

	cli_arr(x->out, NULL);
	for (unsigned i = 0; i < fp_lcore_count(x->box) && fp_lcore_info(x->box, i, &l) == 0; i++) {
		cli_obj(x->out, NULL);
		cli_u64(x->out, "lcore", l.lcore);
		cli_str(x->out, "role", l.role);
		if (strstr(l.role, "worker") != NULL)
			cli_u64(x->out, "worker", l.worker);
		else
			cli_str(x->out, "worker", NULL);
		cli_u64(x->out, "numa_node", l.socket < 0 ? 0 : (uint64_t)l.socket);
		cli_dbl(x->out, "busy_percent", l.busy_share * 100, 1);
		cli_dbl(x->out, "cycles_per_packet", l.cycles_per_packet, 1);
		cli_dbl(x->out, "burst_mean", l.burst_mean, 1);
		cli_u64(x->out, "packets", l.packets);
		cli_u64(x->out, "states", l.states);
		cli_u64(x->out, "handed_over", l.handed_over);
		cli_u64(x->out, "rx_handover", l.rx_handover);
		cli_u64(x->out, "stall_max_us", l.stall_max_us);
		if (cli_json(x->out)) {
			static const char *const bins[] = { "1", "2_3", "4_7", "8_15", "16_31", "32", "full" };

			cli_u64(x->out, "loops", l.loops);
			cli_u64(x->out, "bursts", l.bursts);
			cli_u64(x->out, "busy_cycles", l.busy_cycles);
			cli_u64(x->out, "idle_cycles", l.idle_cycles);
			cli_u64(x->out, "table_records", l.table_records);
			cli_obj(x->out, "bursts_of");
			for (int b = 0; b < 7; b++)
				cli_u64(x->out, bins[b], l.burst_hist[b]);
			cli_obj_end(x->out);
		} else {
			char hist[160];
			int n = 0;

			for (int b = 0; b < 7; b++)
				n += snprintf(hist + n, sizeof(hist) - n, "%s%llu", b ? "/" : "", (unsigned long long)l.burst_hist[b]);
			cli_str(x->out, "bursts_1/2/4/8/16/32/full", hist);
		}
		cli_obj_end(x->out);
	}
	cli_arr_end(x->out);
	return 0;
}

static int
cmd_latency(struct cli_ctx *x)
{
	return cli_err(x, "show latency: not available in this version: the box does not time packets; `show lcores` has cycles per "
		"packet and the longest stall");
}

static int
cmd_clear_stats(struct cli_ctx *x)
{
	fp_stats_clear(x->box);
	return 0;
}

/* ---- why */

static void
why_half(struct cli_ctx *x, const char *key, const struct fp_why *w, int h)
{
	const struct fp_state_view *v = &w->state[h];
	struct cli_out *o = x->out;
	char ifname[FP_NAME_SIZE], proto[8];

	if (w->has_state[h] && fp_if_name(x->box, v->ifid, ifname) != 0)
		snprintf(ifname, sizeof(ifname), "if%u", v->ifid);
	if (cli_json(o)) {
		cli_obj(o, key);
		cli_str(o, "verdict", w->has_state[h] || w->rule_pass[h] ? "pass" : "block");
		cli_bool(o, "by_state", w->has_state[h]);
		if (w->rule_nr[h] == UINT32_MAX)
			cli_str(o, "rule", NULL);
		else
			cli_u64(o, "rule", w->rule_nr[h]);
		cli_str(o, "rule_text", w->rule_text[h]);
		cli_arr(o, "state");
		if (w->has_state[h])
			cli_state_json(o, v, ifname);
		cli_arr_end(o);
		cli_obj_end(o);
		return;
	}
	cli_printf(o, "%-4s ", key);
	if (w->has_state[h]) {
		cli_printf(o, "pass by state %016llx:\n     ", (unsigned long long)v->id);
		cli_state_print(o, v, ifname, 0);
		cli_printf(o, "     its rule: ");
		if (v->rule_nr == UINT32_MAX)
			cli_printf(o, "none in force any more, or the default\n");
		else
			cli_printf(o, "@%u\n", v->rule_nr);
		cli_printf(o, "     origin %s, protocol %s\n", v->learned ? "peer" : "local", cli_proto_name(v->proto, proto));
		cli_printf(o, "     a first packet now: ");
	}
	cli_printf(o, "%s by ", w->rule_pass[h] ? "pass" : "block");
	if (w->rule_nr[h] == UINT32_MAX)
		cli_printf(o, "the default: no rule matches\n");
	else
		cli_printf(o, "@%u %s\n", w->rule_nr[h], w->rule_text[h]);
}

/*
 * The peer's copy. What it has cannot be seen from here: pfsync answers nothing. What we told it and what it told us can.
 */
static enum sync_health
pair_health(struct cli_ctx *x, char reason[128])
{
	struct sync *s = cli_sync_of(x);
	struct sync_info *i = s != NULL ? calloc(1, sizeof(*i)) : NULL;
	enum sync_health h = SYNC_HEALTH_OFF;

	reason[0] = '\0';
	if (i != NULL) {
		sync_info_get(s, i);
		h = i->health;
		snprintf(reason, 128, "%s", i->reason);
	}
	free(i);
	return h;
}

static const char *
why_copy(const struct fp_state_view *v)
{
	const char *w = cli_sync_word(v);

	if (strcmp(w, "dead") == 0)
		return "none: it is never sent";
	if (strcmp(w, "ins") == 0)
		return "not yet: its insert waits to be sent";
	if (strcmp(w, "dirty") == 0)
		return "late: the queue was full, it is sent by the next round";
	if (strcmp(w, "none") != 0)
		return v->learned ? "it came from there; an update waits to be sent" : "sent; an update waits to be sent";
	return v->learned ? "it came from there; nothing waits to be sent" : "sent; nothing waits to be sent";
}

static void
why_peer(struct cli_ctx *x, const struct fp_why *w)
{
	static const char *const half[] = { "in", "out" };
	char reason[128];
	enum sync_health h = pair_health(x, reason);

	if (h == SYNC_HEALTH_OFF) {
		cli_printf(x->out, "peer none: this box is not paired\n");
		return;
	}
	cli_printf(x->out, "peer pair %s%s%s\n", h == SYNC_HEALTH_IN_SYNC ? "in sync" : sync_health_names[h], reason[0] ? ": " : "", reason);
	for (int k = 0; k < 2; k++)
		if (w->has_state[k])
			cli_printf(x->out, "     copy of the state %s: %s\n", half[k], why_copy(&w->state[k]));
}

static void
why_peer_json(struct cli_ctx *x, const struct fp_why *w)
{
	static const char *const half[] = { "in", "out" };
	char reason[128];
	enum sync_health h = pair_health(x, reason);

	if (h == SYNC_HEALTH_OFF) {
		cli_str(x->out, "peer", NULL);
		return;
	}
	cli_obj(x->out, "peer");
	cli_str(x->out, "health", sync_health_names[h]);
	cli_str(x->out, "reason", reason);
	for (int k = 0; k < 2; k++) {
		if (!w->has_state[k]) {
			cli_str(x->out, half[k], NULL);
			continue;
		}
		cli_obj(x->out, half[k]);
		cli_str(x->out, "origin", w->state[k].learned ? "peer" : "local");
		cli_str(x->out, "sync", cli_sync_word(&w->state[k]));
		cli_str(x->out, "copy", why_copy(&w->state[k]));
		cli_obj_end(x->out);
	}
	cli_obj_end(x->out);
}

static int
cmd_why(struct cli_ctx *x)
{
	struct fp_why *w = calloc(1, sizeof(*w));
	struct fp_err err = { "" };
	struct cli_out *o = x->out;
	int rc;

	if (w == NULL)
		return cli_err(x, "why: out of memory");
	rc = fp_why(x->box, x->argv[0], x->argv[1], x->argv[2], x->argc > 4 ? x->argv[4] : NULL, w, &err);
	if (rc != 0) {
		free(w);
		return cli_err(x, "why: %s", err.text[0] ? err.text : strerror(-rc));
	}
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_str(o, "proto", x->argv[0]);
		cli_str(o, "src", x->argv[1]);
		cli_str(o, "dst", x->argv[2]);
		cli_str(o, "in_interface", w->in_if[0] ? w->in_if : NULL);
		cli_str(o, "out_interface", w->out_if[0] ? w->out_if : NULL);
		cli_bool(o, "routed", w->routed);
		cli_str(o, "next_hop", w->next_hop[0] ? w->next_hop : NULL);
		cli_u64(o, "worker", w->worker);
		cli_u64(o, "lcore", w->lcore);
		why_half(x, "in", w, 0);
		why_half(x, "out", w, 1);
		why_peer_json(x, w);
		cli_obj_end(o);
	} else {
		cli_printf(o, "path %s -> %s", w->in_if[0] ? w->in_if : "(no interface)", w->routed && w->out_if[0] ? w->out_if : "(no route)");
		if (w->next_hop[0])
			cli_printf(o, " by %s", w->next_hop);
		cli_printf(o, ", worker %u on lcore %u\n", w->worker, w->lcore);
		why_half(x, "in", w, 0);
		if (w->routed)
			why_half(x, "out", w, 1);
		why_peer(x, w);
	}
	free(w);
	return 0;
}

const struct cli_cmd cli_show_cmds[] = {
	{ "show states", "[WORD...]", "states, filtered by words that all must hold", cmd_states, CLI_F_OWN_ARGS | CLI_F_JSON,
		complete_states, "  show states tcp host 10.0.0.2 port 80\n  show states origin peer interface ext0 limit 10 json\n"
		"  words: tcp udp icmp icmp6, proto PROTO, host A, src A, dst A, port N, interface I, in, out,\n"
		"         origin local|peer, rule N, label L, state WORD, id HEX, inet, inet6, limit N, verbose" },
	{ "show drops", "[all]", "dropped packets by reason; all: also reasons that never happened", cmd_drops, CLI_F_JSON },
	{ "show totals", "", "packets by outcome", cmd_totals, CLI_F_JSON },
	{ "show lcores", "", "cycles per packet, busy share and burst sizes of each lcore", cmd_lcores, CLI_F_JSON },
	{ "show latency", "", "time that packets spend in the box", cmd_latency, CLI_F_JSON },
	{ "clear stats", "", "counters of packets, drops and pf start again at 0 (as pfctl -F info)", cmd_clear_stats },
	{ "why", "PROTO ENDPOINT ENDPOINT [from IF]", "what would happen to a packet, and why: rule, state, route, core", cmd_why, CLI_F_JSON,
		NULL, "  why tcp 10.0.0.2:34567 192.0.2.1:80\n  why udp 2001:db8::2[5353] 2001:db8:1::1[53] from int0\n  why icmp 10.0.0.2 192.0.2.1" },
	{ NULL },
};
