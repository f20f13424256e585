/* SPDX-License-Identifier: BSD-2-Clause */
/* `doctor`: looks at the box and its machine, says what hurts and what to do about it. Changes nothing. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "metrics.h"

#define finding cli_doctor_finding

void
cli_doctor_finding(struct doctor *d, enum doctor_level level, const char *topic, const char *todo, const char *fmt, ...)
{
	static const char *const words[] = { "problem", "advice", "note" };
	struct cli_out *o = d->x->out;
	char b[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b, sizeof(b), fmt, ap);
	va_end(ap);
	d->n[level]++;
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_str(o, "level", words[level]);
		cli_str(o, "topic", topic);
		cli_str(o, "finding", b);
		cli_str(o, "todo", todo);
		cli_obj_end(o);
	} else {
		cli_printf(o, "%-8s %s: %s\n", words[level], topic, b);
		if (todo != NULL)
			cli_printf(o, "         -> %s\n", todo);
	}
}

static uint64_t
meminfo(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long v = 0;
	char l[128];

	while (f != NULL && fgets(l, sizeof(l), f) != NULL)
		if (strncmp(l, key, strlen(key)) == 0 && sscanf(l + strlen(key), ": %llu", &v) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return v;
}

static bool
param_is(struct doctor *d, const char *name, char *v, size_t size)
{
	return fp_param_get(d->x->box, name, v, size) == 0;
}

static void
machine(struct doctor *d)
{
	char v[64];

	if (meminfo("HugePages_Total") == 0)
		finding(d, ADVICE, "memory", "reserve huge pages: scripts/setup.sh, or sysctl vm.nr_hugepages=1024, and start again",
			"no huge pages on this machine: large state tables pay for it with TLB misses");
	if (param_is(d, "idle sleep", v, sizeof(v)) && strtoul(v, NULL, 10) > 0)
		finding(d, NOTE, "idle", "`set idle sleep 0` for the lowest latency; the cores are then always busy",
			"an idle worker sleeps %s us between looks: the first packet after a pause waits that long at the most", v);
	if (param_is(d, "evaluations", v, sizeof(v)) && strcmp(v, "on") == 0) {
		const struct pol_ruleset *rs = fp_rules(d->x->box);

		if (rs != NULL && rs->n_rules > 50)
			finding(d, ADVICE, "evaluations", "`set evaluations auto` or off",
				"counting evaluations walks %u rules for each packet without a state", rs->n_rules);
	}
}

static void
box_state(struct doctor *d, const struct fp_stats *s)
{
	const struct pol_ruleset *rs = fp_rules(d->x->box);
	char v[64];
	uint64_t size = 0, limit = rs != NULL ? pol_limit(&rs->opt, POL_LIMIT_STATES) : 0;

	if (!fp_box_running(d->x->box))
		finding(d, PROBLEM, "box", "start", "the workers do not run: nothing is forwarded");
	if (!s->enabled)
		finding(d, ADVICE, "pf", "pfctl -e", "pf is disabled: packets are forwarded without rules and states");
	else if (rs == NULL || rs->n_rules == 0)
		finding(d, ADVICE, "rules", "pfctl -f FILE", "no rules are loaded: everything passes");
	if (param_is(d, "limit states", v, sizeof(v)))
		size = strtoull(v, NULL, 10);
	if (limit > size && size > 0)
		finding(d, ADVICE, "states", "raise `set limit states` of the box (before its first start), or lower that of the rules",
			"the rules allow %llu states, the table was made for %llu", (unsigned long long)limit, (unsigned long long)size);
	if (limit == 0 || (size > 0 && size < limit))
		limit = size;
	if (limit > 0 && s->states * 100ull > limit * 80)
		finding(d, s->states * 100ull > limit * 95 ? PROBLEM : ADVICE, "states",
			"raise `set limit states`, shorten timeouts, or find who makes them: show states",
			"%u of %llu states are in use (%llu %%)", s->states, (unsigned long long)limit,
			(unsigned long long)(s->states * 100ull / limit));
	if (s->states > 1000 && s->half_open > s->states / 2)
		finding(d, ADVICE, "states", "look at `show states state SYN_SENT`; synproxy or syncookies help against floods",
			"%u of %u states are half-open", s->half_open, s->states);
}

static void
ports(struct doctor *d, unsigned workers)
{
	struct fp_if_info *i = calloc(1, sizeof(*i));
	struct fp_lcore_info l;
	unsigned n = 0;

	for (unsigned k = 0; i != NULL && fp_if_info(d->x->box, k, i) == 0; k++) {
		bool near = false, any = false;

		if (i->port_id < 0 || i->parent[0] != '\0')
			continue;
		n++;
		if (!i->running)
			finding(d, PROBLEM, i->name, "look at the cable and the other end", "the link is down");
		if (!i->up)
			finding(d, ADVICE, i->name, "ifconfig IF up", "the interface is down");
		if (workers > 1 && i->n_rxq < workers)
			finding(d, NOTE, i->name, NULL, "%u receive queue(s) for %u workers: packets of other flows are handed over in software",
				i->n_rxq, workers);
		if (strstr(i->offloads, "rx-cksum") == NULL || strstr(i->offloads, "tx-cksum") == NULL)
			finding(d, NOTE, i->name, NULL, "driver %s: checksums are %s in software", i->driver,
				strstr(i->offloads, "rx-cksum") == NULL && strstr(i->offloads, "tx-cksum") == NULL ? "verified and computed" :
				strstr(i->offloads, "rx-cksum") == NULL ? "verified" : "computed");
		if (i->n_addrs == 0 && i->bridge_peer >= 0xfffe)
			finding(d, ADVICE, i->name, "ifconfig IF inet ADDR/LEN, or set forward bridge", "it has no address and is no bridge member");
		if (i->in_missed > 0)
			finding(d, ADVICE, i->name, "more `set rx descriptors`, more workers, or `set idle sleep 0`",
				"the port had no room for %llu packets", (unsigned long long)i->in_missed);
		if (i->in_nombuf > 0)
			finding(d, PROBLEM, i->name, "raise `set mbufs`", "%llu times there was no packet buffer", (unsigned long long)i->in_nombuf);
		for (unsigned q = 0; q < fp_lcore_count(d->x->box) && fp_lcore_info(d->x->box, q, &l) == 0; q++) {
			any = true;
			near |= i->socket < 0 || l.socket == i->socket;
		}
		if (any && !near)
			finding(d, ADVICE, i->name, "give EAL lcores of that node with -l", "no worker is on its NUMA node %d", i->socket);
	}
	if (n == 0)
		finding(d, PROBLEM, "ports", "port attach DEVICE name IF", "the box has no port");
	free(i);
}

static void
drops(struct doctor *d, const struct fp_stats *s)
{
	static const struct { int drop; enum doctor_level level; const char *todo; } t[] = {
		{ FP_D_NOMBUF, PROBLEM, "raise `set mbufs`" },
		{ FP_D_TX_FULL, ADVICE, "the way out is slower than the way in: look at its link, raise `set tx descriptors`" },
		{ FP_D_HANDOVER_FULL, ADVICE, "raise `set ring size`; a port with more queues needs no handing over" },
		{ FP_D_PUNT_FULL, ADVICE, "too much for the main lcore (ARP, ND, log): look at `monitor drops`" },
		{ FP_D_NEIGH_FAILED, ADVICE, "a next hop does not answer: arp -an, ndp -an, route show" },
		{ FP_D_NEIGH_QUEUE, NOTE, "raise `set neigh queue` if neighbours answer slowly" },
		{ FP_D_NO_ROUTE, ADVICE, "route show; add the route that is missing" },
		{ FP_D_STATE_LIMIT, PROBLEM, "raise `set limit states`, or shorten timeouts" },
		{ FP_D_STATE_NOMEM, PROBLEM, "raise `set limit states` of the box" },
		{ FP_D_FRAG_LIMIT, ADVICE, "raise `set limit frags` in the rules" },
		{ FP_D_IP_CHECKSUM, NOTE, "a sender or cable damages packets; on veth: ethtool -K IF tx off" },
		{ FP_D_L2_NOT_US, NOTE, "frames for other stations arrive: promiscuous mode, or a flooding switch" },
		{ FP_D_L2_VLAN, NOTE, "frames of a VLAN without an interface: ifconfig vlanN vnetid N parent IF" },
		{ FP_D_IF_DOWN, ADVICE, "ifconfig IF up" },
		{ FP_D_NO_ADDRESS, ADVICE, "ifconfig IF inet ADDR/LEN: routing needs an address of that family" },
		{ FP_D_ICMP_RATE, NOTE, "raise `set icmp rate` if these answers are wanted" },
		{ FP_D_NEED_FRAG, NOTE, "path MTU discovery at work; check that ICMP reaches the senders" },
		{ FP_D_STATE_MISMATCH, NOTE, "monitor drops shows them; asymmetric routes need `sloppy` states" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (s->drops[t[i].drop] > 0)
			finding(d, t[i].level, "drops", t[i].todo, "%llu packets: %s (%s)", (unsigned long long)s->drops[t[i].drop],
				fp_drop_help[t[i].drop], fp_drop_names[t[i].drop]);
}

struct stale { unsigned incomplete, all; };

static int
neigh_cb(void *arg, const struct fp_neigh_info *n)
{
	struct stale *s = arg;

	s->all++;
	s->incomplete += !n->complete;
	return 0;
}

static int
cmd_doctor(struct cli_ctx *x)
{
	struct doctor d = { .x = x };
	struct fp_stats *s = calloc(1, sizeof(*s));
	struct stale st = { 0, 0 };
	struct fp_lcore_info l;
	unsigned workers = 0;

	if (s == NULL)
		return cli_err(x, "doctor: out of memory");
	fp_stats_get(x->box, s);
	cli_arr(x->out, NULL);
	for (unsigned i = 0; i < fp_lcore_count(x->box) && fp_lcore_info(x->box, i, &l) == 0; i++) {
		if (strstr(l.role, "worker") == NULL)
			continue;
		workers++;
		if (strcmp(l.role, "main+worker") == 0)
			finding(&d, NOTE, "lcores", "give EAL two lcores or more: -l 0-1",
				"one core does everything: long commands and rule loads share it with the packets");
		if (l.stall_max_us > 10000)
			finding(&d, ADVICE, "lcores", "isolate the core (isolcpus, nohz_full), or look at what else runs on it",
				"worker %u once stood still for %llu us", l.worker, (unsigned long long)l.stall_max_us);
		if (l.busy_share > 0.9)
			finding(&d, ADVICE, "lcores", "more workers", "worker %u is busy %.0f %% of the time", l.worker, l.busy_share * 100);
	}
	machine(&d);
	box_state(&d, s);
	ports(&d, workers);
	fp_neigh_foreach(x->box, POL_AF_INET, neigh_cb, &st);
	fp_neigh_foreach(x->box, POL_AF_INET6, neigh_cb, &st);
	if (st.incomplete > 0)
		finding(&d, st.incomplete * 2 > st.all ? ADVICE : NOTE, "neighbours", "arp -an, ndp -an show them",
			"%u of %u do not answer", st.incomplete, st.all);
	cli_doctor_pair(&d);
	drops(&d, s);
	if (s->totals[FP_T_LOG_LOST] > 0)
		finding(&d, ADVICE, "log", "a faster disk, fewer `log` rules; `clear stats` starts the count again",
			"%llu logged packets did not reach the file of set pflog (%s)", (unsigned long long)s->totals[FP_T_LOG_LOST],
			fp_total_names[FP_T_LOG_LOST]);
	cli_arr_end(x->out);
	cli_printf(x->out, "%u problems, %u pieces of advice, %u notes\n", d.n[PROBLEM], d.n[ADVICE], d.n[NOTE]);
	free(s);
	return d.n[PROBLEM] > 0 ? 2 : 0;
}

const struct cli_cmd cli_doctor_cmds[] = {
	{ "doctor", "", "what hurts, and what to do about it; exit status 2 if there is a problem", cmd_doctor, CLI_F_JSON },
	{ "metrics", "", "all figures as OpenMetrics text", cli_metrics },
	{ NULL },
};
