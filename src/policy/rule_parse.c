/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of rules: what the grammar's actions do with a word or a number, with its check and its error. */
#include <stdlib.h>
#include <string.h>

#include "policy/lang_priv.h"

bool
pol_in_range(struct pol_parser *p, struct pol_loc loc, const char *what, int64_t v, int64_t lo, int64_t hi)
{
	if (v >= lo && v <= hi)
		return true;
	pol_perr(p, loc, "%s %lld is out of range, expected %lld to %lld", what, (long long)v, (long long)lo,
		(long long)hi);
	return false;
}

void
pol_once(struct pol_parser *p, struct pol_loc loc, bool given, const char *what)
{
	if (given)
		pol_perr(p, loc, "%s is given twice, expected it once", what);
}

void
pol_state_max(struct pol_parser *p, struct pol_loc loc, uint32_t *field, int64_t v, const char *what)
{
	pol_once(p, loc, *field != 0, what);
	if (pol_in_range(p, loc, what, v, 1, UINT32_MAX))
		*field = v;
}

void
pol_state_flag(struct pol_parser *p, struct pol_loc loc, uint32_t flag, uint32_t clash, const char *what)
{
	pol_once(p, loc, p->state->rf & clash, what);
	p->state->rf |= flag;
}

void
pol_state_overload(struct pol_parser *p, struct pol_loc loc, const char *table, int flush)
{
	pol_once(p, loc, p->state->overload[0] != '\0', "overload");
	pol_table_name_ok(p, loc, table);
	snprintf(p->state->overload, sizeof(p->state->overload), "%s", table);
	p->state->rf |= flush;
}

void
pol_state_timeout(struct pol_parser *p, struct pol_loc loc, const char *name, int64_t v)
{
	int i = pol_timeout_index(name);

	if (i < 0) {
		pol_perr(p, loc,
			"unknown state option '%s', expected max, no-sync, sloppy, if-bound, floating, source-track, "
			"max-src-nodes, max-src-states, max-src-conn, max-src-conn-rate, overload or a timeout such as "
			"tcp.first",
			name);
		return;
	}
	pol_once(p, loc, p->state->timeout_set[i], name);
	if (pol_in_range(p, loc, name, v, 0, UINT32_MAX)) {
		p->state->timeout[i] = v;
		p->state->timeout_set[i] = true;
	}
}

void
pol_rate(struct pol_parser *p, struct pol_loc loc, const char *what, int64_t n, int64_t sec, uint32_t *on,
	uint32_t *osec)
{
	/* counters of a rate are kept in thousandths, so the limit must leave room for that */
	pol_once(p, loc, *on != 0, what);
	if (pol_in_range(p, loc, what, n, 1, UINT32_MAX / 1000) &&
		pol_in_range(p, loc, "interval of the rate", sec, 1, UINT32_MAX)) {
		*on = n;
		*osec = sec;
	}
}

struct pol_node *
pol_icmp_item(struct pol_parser *p, struct pol_loc loc, bool v6, const char *type, const char *code)
{
	struct pol_node *n = pol_node_new(p, loc);
	const char *six = v6 ? "6" : "";
	int t = pol_icmp_type_number(type, v6), c = -1;

	if (t < 0) {
		pol_perr(p, loc, "unknown icmp%s-type '%s', expected a name such as echoreq, unreach or 0 to 255", six,
			type);
		t = 0;
	} else if (code != NULL && (c = pol_icmp_code_number(t, code, v6)) < 0) {
		pol_perr(p, loc, "unknown icmp%s code '%s' of type %s, expected a name or 0 to 255", six, code, type);
	}
	n->icmp.type = t;
	n->icmp.code = c;
	n->icmp.proto = v6 ? 58 : 1;
	return n;
}

const char *
pol_number_text(struct pol_parser *p, int64_t n)
{
	return pol_arena_printf(p, "%lld", (long long)n);
}

int
pol_log_if(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "pflog", 5) == 0 && name[5] >= '0' && name[5] <= '9') {
		n = strtol(name + 5, &end, 10);
		if (*end == '\0' && n <= 255)
			return n;
	}
	pol_perr(p, loc, "bad log interface '%s', expected pflog0 to pflog255", name);
	return 0;
}

/* As pfctl: a fraction, or with `%` hundredths; kept as a part of 2^32 - 1, and never 0, which is "always". */
void
pol_probability(struct pol_parser *p, struct pol_loc loc, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end != text && *end == '%') {
		v *= 0.01;
		end++;
	}
	if (end == text || *end != '\0' || !(v >= 0 && v <= 1)) {
		pol_perr(p, loc, "bad probability '%s', expected 0%% to 100%%", text);
		return;
	}
	v = v * UINT32_MAX + 0.5;
	p->draft->r.probability = v >= UINT32_MAX ? UINT32_MAX : v < 1 ? 1 : (uint32_t)v;
}

int
pol_tos_value(struct pol_parser *p, struct pol_loc loc, const char *text)
{
	int v = pol_tos_number(text);

	if (v < 0)
		pol_perr(p, loc,
			"bad tos '%s', expected lowdelay, throughput, reliability, a DSCP name such as af11, cs1, ef "
			"or "
			"0x00 to 0xff",
			text);
	return v < 0 ? 0 : v;
}

int
pol_icmp_spec_parse(struct pol_parser *p, struct pol_loc loc, const char *text, bool v6)
{
	int v = pol_icmp_spec(text, v6);

	if (v < 0)
		pol_perr(p, loc, "unknown icmp code '%s', expected a name such as port-unr or 0 to 255", text);
	return v < 0 ? 0 : v;
}

void
pol_negate(struct pol_node *list)
{
	for (; list != NULL; list = list->next)
		list->host.a.neg = !list->host.a.neg;
}

struct pol_node *
pol_if_node(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	struct pol_node *n = pol_node_new(p, loc);

	pol_if_name_ok(p, loc, name);
	snprintf(n->ifc.name, sizeof(n->ifc.name), "%s", name);
	return n;
}
