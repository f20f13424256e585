/* SPDX-License-Identifier: BSD-2-Clause */
/* `set` lines: what they store, what is in force when they are absent, and how they print. Source: spec/tcp-state.md 8.
 */
#include <stdlib.h>
#include <string.h>

#include "lang_priv.h"

const char *const pol_timeout_names[POL_TM_MAX] = {
	[POL_TM_TCP_FIRST] = "tcp.first", [POL_TM_TCP_OPENING] = "tcp.opening",
	[POL_TM_TCP_ESTABLISHED] = "tcp.established", [POL_TM_TCP_CLOSING] = "tcp.closing",
	[POL_TM_TCP_FINWAIT] = "tcp.finwait", [POL_TM_TCP_CLOSED] = "tcp.closed", [POL_TM_TCP_TSDIFF] = "tcp.tsdiff",
	[POL_TM_UDP_FIRST] = "udp.first", [POL_TM_UDP_SINGLE] = "udp.single", [POL_TM_UDP_MULTIPLE] = "udp.multiple",
	[POL_TM_ICMP_FIRST] = "icmp.first", [POL_TM_ICMP_ERROR] = "icmp.error", [POL_TM_OTHER_FIRST] = "other.first",
	[POL_TM_OTHER_SINGLE] = "other.single", [POL_TM_OTHER_MULTIPLE] = "other.multiple", [POL_TM_FRAG] = "frag",
	[POL_TM_INTERVAL] = "interval", [POL_TM_ADAPTIVE_START] = "adaptive.start",
	[POL_TM_ADAPTIVE_END] = "adaptive.end", [POL_TM_SRC_TRACK] = "src.track",
};

const uint32_t pol_timeout_defaults[POL_TM_MAX] = {
	[POL_TM_TCP_FIRST] = 120, [POL_TM_TCP_OPENING] = 30, [POL_TM_TCP_ESTABLISHED] = 24 * 60 * 60,
	[POL_TM_TCP_CLOSING] = 900, [POL_TM_TCP_FINWAIT] = 45, [POL_TM_TCP_CLOSED] = 90, [POL_TM_TCP_TSDIFF] = 30,
	[POL_TM_UDP_FIRST] = 60, [POL_TM_UDP_SINGLE] = 30, [POL_TM_UDP_MULTIPLE] = 60, [POL_TM_ICMP_FIRST] = 20,
	[POL_TM_ICMP_ERROR] = 10, [POL_TM_OTHER_FIRST] = 60, [POL_TM_OTHER_SINGLE] = 30, [POL_TM_OTHER_MULTIPLE] = 60,
	[POL_TM_FRAG] = 60, [POL_TM_INTERVAL] = 10, [POL_TM_ADAPTIVE_START] = 60000, [POL_TM_ADAPTIVE_END] = 120000,
	[POL_TM_SRC_TRACK] = 0,
};

const char *const pol_limit_names[POL_LIMIT_MAX] = {
	[POL_LIMIT_STATES] = "states", [POL_LIMIT_SRC_NODES] = "src-nodes", [POL_LIMIT_FRAGS] = "frags",
	[POL_LIMIT_TABLES] = "tables", [POL_LIMIT_TABLE_ENTRIES] = "table-entries",
	[POL_LIMIT_PKTDELAYS] = "pktdelay-pkts", [POL_LIMIT_ANCHORS] = "anchors",
};

/* frags: pf takes 1/32 of its packet buffers (65536 of OpenBSD's default 2 million clusters); the box may lower it. */
const uint32_t pol_limit_defaults[POL_LIMIT_MAX] = {
	[POL_LIMIT_STATES] = 100000,
	[POL_LIMIT_SRC_NODES] = 10000,
	[POL_LIMIT_FRAGS] = 65536,
	[POL_LIMIT_TABLES] = 1000,
	[POL_LIMIT_TABLE_ENTRIES] = 200000,
	[POL_LIMIT_PKTDELAYS] = 10000,
	[POL_LIMIT_ANCHORS] = 512,
};

/* set optimization: timeouts first, opening, established, closing, finwait, closed, tsdiff. */
static const enum pol_timeout profile_timeouts[] = { POL_TM_TCP_FIRST, POL_TM_TCP_OPENING, POL_TM_TCP_ESTABLISHED,
	POL_TM_TCP_CLOSING, POL_TM_TCP_FINWAIT, POL_TM_TCP_CLOSED, POL_TM_TCP_TSDIFF };
#define N_PROFILE (sizeof(profile_timeouts) / sizeof(profile_timeouts[0]))
static const struct {
	const char *name;
	int index;
	uint32_t v[N_PROFILE];
} profiles[] = {
	{ "normal", 0, { 120, 30, 86400, 900, 45, 90, 30 } },
	{ "aggressive", 1, { 30, 5, 18000, 60, 30, 30, 10 } },
	{ "conservative", 2, { 3600, 900, 432000, 3600, 600, 180, 60 } },
	{ "high-latency", 3, { 180, 35, 86400, 905, 50, 95, 60 } },
	{ "satellite", 3, { 180, 35, 86400, 905, 50, 95, 60 } },
};

static const char *const debug_names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

void
pol_options_default(struct pol_options *opt)
{
	*opt = (struct pol_options){ .reassemble = -1, .syncookies = -1, .debug = -1, .block_return = POL_RETURN_NONE };
}

uint32_t
pol_limit(const struct pol_options *opt, enum pol_limit lim)
{
	return opt->limit_set[lim] ? opt->limit[lim] : pol_limit_defaults[lim];
}

uint32_t
pol_timeout(const struct pol_options *opt, enum pol_timeout tm)
{
	if (tm >= POL_TM_MAX)
		return 0;
	if (opt->timeout_set[tm])
		return opt->timeout[tm];
	/* a limit alone moves both ends of the adaptive range; tenths first, as pfctl computes it */
	if (tm == POL_TM_ADAPTIVE_START || tm == POL_TM_ADAPTIVE_END) {
		if (opt->timeout_set[POL_TM_ADAPTIVE_START] || opt->timeout_set[POL_TM_ADAPTIVE_END])
			return pol_timeout_defaults[tm];
		return pol_limit(opt, POL_LIMIT_STATES) / 10 * (tm == POL_TM_ADAPTIVE_START ? 6 : 12);
	}
	for (size_t i = 0; i < N_PROFILE; i++)
		if (profile_timeouts[i] == tm)
			return profiles[opt->optimization].v[i];
	return pol_timeout_defaults[tm];
}

int
pol_timeout_index(const char *name)
{
	for (int i = 0; i < POL_TM_MAX; i++)
		if (strcmp(pol_timeout_names[i], name) == 0)
			return i;
	return -1;
}

static bool
fits(struct pol_parser *p, struct pol_loc loc, const char *what, const char *name, int64_t v)
{
	if (v >= 0 && v <= UINT32_MAX)
		return true;
	pol_perr(p, loc, "set %s %s %lld is out of range, expected 0 to %u", what, name, (long long)v, UINT32_MAX);
	return false;
}

void
pol_set_timeout(struct pol_parser *p, struct pol_loc loc, const char *name, int64_t value)
{
	struct pol_options *opt = &p->rs->opt;
	int i = pol_timeout_index(name);

	if (i < 0) {
		pol_perr(p, loc,
			"unknown timeout '%s', expected tcp.first, .opening, .established, .closing, .finwait, "
			".closed, "
			".tsdiff, udp.first, .single, .multiple, icmp.first, .error, other.first, .single, .multiple, "
			"frag, "
			"interval, src.track, adaptive.start or .end",
			name);
	} else if (fits(p, loc, "timeout", name, value)) {
		opt->timeout[i] = value;
		opt->timeout_set[i] = true;
		pol_sbuf_printf(p, &p->preamble, "set timeout %s %u\n", name, opt->timeout[i]);
	}
}

void
pol_set_limit(struct pol_parser *p, struct pol_loc loc, const char *name, int64_t value)
{
	struct pol_options *opt = &p->rs->opt;

	for (int i = 0; i < POL_LIMIT_MAX; i++) {
		if (strcmp(pol_limit_names[i], name) != 0)
			continue;
		if (fits(p, loc, "limit", name, value)) {
			opt->limit[i] = value;
			opt->limit_set[i] = true;
			pol_sbuf_printf(p, &p->preamble, "set limit %s %u\n", name, opt->limit[i]);
		}
		return;
	}
	pol_perr(p, loc,
		"unknown limit '%s', expected states, src-nodes, frags, tables, table-entries, pktdelay-pkts or "
		"anchors",
		name);
}

void
pol_set_optimization(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (strcmp(profiles[i].name, name) != 0)
			continue;
		p->rs->opt.optimization = profiles[i].index;
		/* a profile is a set of timeouts: it takes the place of those set before it */
		for (size_t j = 0; j < N_PROFILE; j++)
			p->rs->opt.timeout_set[profile_timeouts[j]] = false;
		pol_sbuf_printf(p, &p->preamble, "set optimization %s\n", name);
		return;
	}
	pol_perr(p, loc,
		"unknown optimization '%s', expected normal, high-latency, satellite, aggressive or conservative",
		name);
}

void
pol_set_ruleset_optimization(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	/* rules keep the numbers of the file, whatever is asked for: the compiler needs no reordering */
	if (strcmp(name, "none") != 0 && strcmp(name, "basic") != 0 && strcmp(name, "profile") != 0)
		pol_perr(p, loc, "unknown ruleset-optimization '%s', expected none, basic or profile", name);
}

void
pol_set_debug(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	static const struct { const char *name; int level; } old[] = { { "none", 2 }, { "urgent", 3 }, { "misc", 5 },
		{ "loud", 7 }, { "error", 3 }, { "panic", 0 }, { "warn", 4 } };
	int level = -1;

	for (int i = 0; i < 8; i++)
		if (strcmp(debug_names[i], name) == 0)
			level = i;
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (strcmp(old[i].name, name) == 0)
			level = old[i].level;
	if (level < 0) {
		pol_perr(p, loc,
			"unknown debug level '%s', expected emerg, alert, crit, err, warning, notice, info or debug",
			name);
		return;
	}
	p->rs->opt.debug = level;
	pol_sbuf_printf(p, &p->preamble, "set debug %s\n", debug_names[level]);
}

void
pol_set_hostid(struct pol_parser *p, struct pol_loc loc, const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 0);

	if (*end != '\0' || end == text || v == 0 || v > UINT32_MAX) {
		pol_perr(p, loc, "bad hostid '%s', expected a number from 1 to 0xffffffff", text);
		return;
	}
	p->rs->opt.hostid = v;
	pol_sbuf_printf(p, &p->preamble, "set hostid 0x%08x\n", p->rs->opt.hostid);
}

void
pol_set_reassemble(struct pol_parser *p, bool yes, bool no_df)
{
	p->rs->opt.reassemble = yes;
	p->rs->opt.reassemble_nodf = no_df;
	pol_sbuf_printf(p, &p->preamble, "set reassemble %s%s\n", yes ? "yes" : "no", no_df ? " no-df" : "");
}

void
pol_set_loginterface(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	char *dst = p->rs->opt.loginterface;

	if (!pol_if_name_ok(p, loc, name))
		return;
	snprintf(dst, POL_IFNAMSIZ, "%s", strcmp(name, "none") == 0 ? "" : name);
	pol_sbuf_printf(p, &p->preamble, "set loginterface ");
	pol_sbuf_word(p, &p->preamble, name);
	pol_sbuf_add(p, &p->preamble, "\n", 1);
}

void
pol_set_block_policy(struct pol_parser *p, enum pol_return how)
{
	p->rs->opt.block_return = how;
	pol_sbuf_printf(p, &p->preamble, "set block-policy %s\n", how == POL_RETURN_NONE ? "drop" : "return");
}

void
pol_set_state_policy(struct pol_parser *p, bool if_bound)
{
	p->rs->opt.if_bound = if_bound;
	pol_sbuf_printf(p, &p->preamble, "set state-policy %s\n", if_bound ? "if-bound" : "floating");
}

void
pol_set_skip(struct pol_parser *p, struct pol_node *ifs)
{
	struct pol_options *opt = &p->rs->opt;
	struct pol_node *n;
	unsigned count = 0;

	if (ifs == NULL || (ifs->next == NULL && !ifs->ifc.neg && strcmp(ifs->ifc.name, "none") == 0)) {
		free(opt->skip);
		opt->skip = NULL;
		opt->n_skip = 0;
		pol_sbuf_printf(p, &p->preamble, "set skip on none\n");
		return;
	}
	for (n = ifs; n != NULL; n = n->next) {
		count++;
		if (n->ifc.neg)
			pol_perr(p, n->loc,
				"set skip on ! %s: a negation is not permitted, expected names of interfaces",
				n->ifc.name);
	}
	void *more = realloc(opt->skip, (opt->n_skip + count) * sizeof(*opt->skip));
	if (more == NULL)
		pol_oom(p);
	opt->skip = more;
	pol_sbuf_printf(p, &p->preamble, "set skip on {");
	for (n = ifs; n != NULL; n = n->next) {
		memcpy(opt->skip[opt->n_skip++], n->ifc.name, POL_IFNAMSIZ);
		pol_sbuf_add(p, &p->preamble, " ", 1);
		pol_sbuf_word(p, &p->preamble, n->ifc.name);
	}
	pol_sbuf_printf(p, &p->preamble, " }\n");
}

int
pol_percent(struct pol_parser *p, struct pol_loc loc, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || strcmp(end, "%") != 0 || !(v > 0 && v <= 100)) {
		pol_perr(p, loc, "bad percentage '%s', expected 1%% to 100%%", text);
		return 1;
	}
	return v < 1 ? 1 : (int)v;
}

void
pol_set_syncookies(struct pol_parser *p, struct pol_loc loc, const char *mode, int start_pct, int end_pct)
{
	static const char *const modes[] = { "never", "always", "adaptive" };
	struct pol_options *opt = &p->rs->opt;

	for (int i = 0; i < 3; i++) {
		if (strcmp(modes[i], mode) != 0)
			continue;
		opt->syncookies = i;
		if (i != 2) {
			if (start_pct >= 0 || end_pct >= 0)
				pol_perr(p, loc, "start and end are only for syncookies adaptive");
			pol_sbuf_printf(p, &p->preamble, "set syncookies %s\n", mode);
			return;
		}
		opt->syncookies_start_pct = start_pct >= 0 ? start_pct : 25;
		opt->syncookies_end_pct = end_pct >= 0 ? end_pct : 12;
		if (opt->syncookies_start_pct <= opt->syncookies_end_pct)
			pol_perr(p, loc, "syncookies adaptive: start %u%% must be above end %u%%",
				opt->syncookies_start_pct, opt->syncookies_end_pct);
		pol_sbuf_printf(p, &p->preamble, "set syncookies adaptive (start %u%%, end %u%%)\n",
			opt->syncookies_start_pct, opt->syncookies_end_pct);
		return;
	}
	pol_perr(p, loc, "unknown syncookies mode '%s', expected never, always or adaptive", mode);
}
