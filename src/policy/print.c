/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules in pfctl's normal form: what `pfctl -sr` of OpenBSD prints for the same rule, word for word; it parses back to
 * the same rule.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lang_priv.h"

struct out {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3)))
static void
put(struct out *o, const char *fmt, ...)
{
	size_t room = o->len < o->size ? o->size - o->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? o->buf + o->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len += n;
}

int
pol_ip_print(const union pol_ip *ip, uint8_t af, char *buf, size_t size)
{
	if (inet_ntop(af == POL_AF_INET6 ? AF_INET6 : AF_INET, ip->b, buf, size) == NULL)
		snprintf(buf, size, "?");
	return strlen(buf);
}

int
pol_addr_snprint(const struct pol_addr *a, uint8_t af, char *buf, size_t size)
{
	unsigned max = af == POL_AF_INET ? 32 : 128;
	char ip[64], ip2[64];

	switch (a->kind) {
	case POL_ADDR_PREFIX:
		pol_ip_print(&a->addr, af, ip, sizeof(ip));
		if (a->plen < max)
			return snprintf(buf, size, "%s/%u", ip, a->plen);
		return snprintf(buf, size, "%s", ip);
	case POL_ADDR_RANGE:
		pol_ip_print(&a->addr, af, ip, sizeof(ip));
		pol_ip_print(&a->addr2, af, ip2, sizeof(ip2));
		return snprintf(buf, size, "%s - %s", ip, ip2);
	case POL_ADDR_TABLE:
		return snprintf(buf, size, "<%s>", a->name);
	case POL_ADDR_DYNIF:
		ip[0] = '\0';
		if (a->plen < max)
			snprintf(ip, sizeof(ip), "/%u", a->plen);
		return snprintf(buf, size, "(%s%s%s%s%s)%s", a->name,
			a->dynif_flags & POL_DYNIF_NETWORK ? ":network" : "",
			a->dynif_flags & POL_DYNIF_BROADCAST ? ":broadcast" : "",
			a->dynif_flags & POL_DYNIF_PEER ? ":peer" : "", a->dynif_flags & POL_DYNIF_NOALIAS ? ":0" : "",
			ip);
	case POL_ADDR_NOROUTE:
		return snprintf(buf, size, "no-route");
	case POL_ADDR_URPF_FAILED:
		return snprintf(buf, size, "urpf-failed");
	case POL_ADDR_ANY:
		break;
	}
	return snprintf(buf, size, "any");
}

static void
put_port(struct out *o, const struct pol_port *p)
{
	static const char *const ops[] = { [POL_OP_EQ] = "=", [POL_OP_NE] = "!=", [POL_OP_LT] = "<", [POL_OP_LE] = "<=",
		[POL_OP_GT] = ">", [POL_OP_GE] = ">=" };

	switch (p->op) {
	case POL_OP_NONE:
		break;
	case POL_OP_IRG:
		put(o, " port %u >< %u", p->lo, p->hi);
		break;
	case POL_OP_XRG:
		put(o, " port %u <> %u", p->lo, p->hi);
		break;
	case POL_OP_RRG:
		put(o, " port %u:%u", p->lo, p->hi);
		break;
	default:
		put(o, " port %s %u", ops[p->op], p->lo);
	}
}

static void
put_peer(struct out *o, const char *word, const struct pol_addr *a, uint8_t af)
{
	char buf[160];

	pol_addr_snprint(a, af, buf, sizeof(buf));
	put(o, " %s %s%s", word, a->neg ? "! " : "", buf);
	put_port(o, &a->port);
}

static void
put_code(struct out *o, uint16_t spec, bool v6, const char *after)
{
	const char *name = pol_icmp_code_name(spec >> 8, spec & 255, v6);

	if (name != NULL)
		put(o, "%s%s", name, after);
	else
		put(o, "%u%s", spec & 255, after);
}

/* In quotes that the text does not contain. */
static void
put_quoted(struct out *o, const char *s)
{
	char quote = strchr(s, '"') == NULL ? '"' : '\'';

	if (strchr(s, '"') == NULL || strchr(s, '\'') == NULL) {
		put(o, "%c%s%c", quote, s, quote);
		return;
	}
	put(o, "\"");
	for (; *s != '\0'; s++)
		put(o, *s == '"' ? "\\%c" : "%c", *s);
	put(o, "\"");
}

/* Without quotes where it can stand so, as pfctl prints it. */
static void
put_word(struct out *o, const char *s)
{
	if (pol_is_plain_word(s))
		put(o, "%s", s);
	else
		put_quoted(o, s);
}

/* `any` is a word of the grammar, others are names. */
static void
put_if(struct out *o, const char *name)
{
	if (strcmp(name, "any") == 0)
		put(o, "any");
	else
		put_word(o, name);
}

static void
put_action(struct out *o, const struct pol_rule *r)
{
	static const char *const actions[] = { [POL_BLOCK] = "block", [POL_PASS] = "pass", [POL_MATCH] = "match" };

	if (r->rf & POL_RF_ANCHOR) {
		put(o, "anchor");
		if (r->anchor_name[0] != '\0') {
			put(o, " ");
			put_quoted(o, r->anchor_name);
		}
		return;
	}
	put(o, "%s", actions[r->action]);
	if (r->action != POL_BLOCK)
		return;
	switch (r->ret) {
	case POL_RETURN_NONE:
		put(o, " drop");
		break;
	case POL_RETURN_ANY:
		put(o, " return");
		break;
	case POL_RETURN_RST:
		put(o, " return-rst");
		if (r->return_ttl != 0)
			put(o, "(ttl %u)", r->return_ttl);
		break;
	case POL_RETURN_ICMP:
		put(o, r->af == POL_AF_INET6 ? " return-icmp6(" : " return-icmp(");
		if (r->af != POL_AF_INET6)
			put_code(o, r->return_icmp, false, r->af == POL_AF_INET ? ")" : ", ");
		if (r->af != POL_AF_INET)
			put_code(o, r->return_icmp6, true, ")");
		break;
	}
}

static void
put_log(struct out *o, const struct pol_rule *r)
{
	const char *comma = "";

	put(o, " log");
	if ((r->log & ~POL_LOG) == 0 && r->logif == 0)
		return;
	put(o, " (");
	if (r->log & POL_LOG_ALL) {
		put(o, "all");
		comma = ", ";
	}
	if (r->log & POL_LOG_MATCHES) {
		put(o, "%smatches", comma);
		comma = ", ";
	}
	if (r->log & POL_LOG_USER) {
		put(o, "%suser", comma);
		comma = ", ";
	}
	if (r->logif != 0)
		put(o, "%sto pflog%u", comma, r->logif);
	put(o, ")");
}

static void
put_icmp(struct out *o, const struct pol_rule *r)
{
	bool v6 = r->af == POL_AF_INET6;
	const char *type = pol_icmp_type_name(r->icmp_type, v6), *code;

	put(o, v6 ? " icmp6-type" : " icmp-type");
	if (type != NULL)
		put(o, " %s", type);
	else
		put(o, " %d", r->icmp_type);
	if (r->icmp_code < 0)
		return;
	code = pol_icmp_code_name(r->icmp_type, r->icmp_code, v6);
	if (code != NULL)
		put(o, " code %s", code);
	else
		put(o, " code %d", r->icmp_code);
}

static void
put_set(struct out *o, const struct pol_rule *r)
{
	const char *comma = "";

	if ((r->rf & (POL_RF_SET_PRIO | POL_RF_SET_TOS)) == 0)
		return;
	put(o, " set (");
	if (r->rf & POL_RF_SET_PRIO) {
		if (r->set_prio[0] == r->set_prio[1])
			put(o, "prio %u", r->set_prio[0]);
		else
			put(o, "prio(%u, %u)", r->set_prio[0], r->set_prio[1]);
		comma = ", ";
	}
	if (r->rf & POL_RF_SET_TOS)
		put(o, "%stos 0x%2.2x", comma, r->set_tos);
	put(o, ")");
}

/* Options in parentheses. Returns false (and prints nothing, with o NULL) when the rule has none. */
static bool
put_state_opts(struct out *o, const struct pol_rule *r)
{
	const char *comma = "";
	bool any = r->max_states || r->max_src_nodes || r->max_src_states ||
		(r->rf & (POL_RF_NO_SYNC | POL_RF_SRCTRACK | POL_RF_IF_BOUND | POL_RF_SLOPPY | POL_RF_PFLOW));

	for (int i = 0; i < POL_TM_MAX; i++)
		any |= r->timeout[i] != 0;
	if (!any || o == NULL)
		return any;
#define OPT(...) do { put(o, "%s", comma); put(o, __VA_ARGS__); comma = ", "; } while (0)
	put(o, " (");
	if (r->max_states)
		OPT("max %u", r->max_states);
	if (r->rf & POL_RF_NO_SYNC)
		OPT("no-sync");
	if (r->rf & POL_RF_SRCTRACK)
		OPT("source-track %s", r->rf & POL_RF_RULESRCTRACK ? "rule" : "global");
	if (r->max_src_states)
		OPT("max-src-states %u", r->max_src_states);
	if (r->max_src_conn)
		OPT("max-src-conn %u", r->max_src_conn);
	if (r->max_src_conn_rate)
		OPT("max-src-conn-rate %u/%u", r->max_src_conn_rate, r->max_src_conn_rate_sec);
	if (r->max_src_nodes)
		OPT("max-src-nodes %u", r->max_src_nodes);
	if (r->overload_name[0] != '\0')
		OPT("overload <%s>%s%s", r->overload_name, r->rf & POL_RF_FLUSH ? " flush" : "",
			r->rf & POL_RF_FLUSH_GLOBAL ? " global" : "");
	if (r->rf & POL_RF_IF_BOUND)
		OPT("if-bound");
	if (r->rf & POL_RF_SLOPPY)
		OPT("sloppy");
	if (r->rf & POL_RF_PFLOW)
		OPT("pflow");
	for (int i = 0; i < POL_TM_MAX; i++)
		if (r->timeout[i] != 0)
			OPT("%s %u", pol_timeout_names[i], r->timeout[i]);
#undef OPT
	put(o, ")");
	return true;
}

static void
put_state(struct out *o, const struct pol_rule *r)
{
	bool opts = put_state_opts(NULL, r), anchor = r->rf & POL_RF_ANCHOR;

	if (r->keep_state == POL_STATE_NONE && r->action == POL_PASS && !anchor)
		put(o, " no state");
	else if (r->keep_state == POL_STATE_KEEP && opts)
		put(o, " keep state");
	else if (r->keep_state == POL_STATE_MODULATE)
		put(o, " modulate state");
	else if (r->keep_state == POL_STATE_SYNPROXY)
		put(o, " synproxy state");
	if (r->probability != 0) {
		char buf[32];
		size_t n = snprintf(buf, sizeof(buf), "%f", r->probability * 100.0 / (UINT32_MAX + 1.0));

		while (n > 1 && buf[n - 1] == '0')
			n--;
		if (buf[n - 1] == '.')
			n--;
		put(o, " probability %.*s%%", (int)n, buf);
	}
	put_state_opts(o, r);
}

static void
put_scrub(struct out *o, const struct pol_rule *r)
{
	const char *blank = "";

	if ((r->rf & (POL_RF_NODF | POL_RF_RANDOMID | POL_RF_REASS_TCP)) == 0 && r->min_ttl == 0 && r->max_mss == 0)
		return;
#define OPT(...) do { put(o, "%s", blank); put(o, __VA_ARGS__); blank = " "; } while (0)
	put(o, " scrub (");
	if (r->rf & POL_RF_NODF)
		OPT("no-df");
	if (r->rf & POL_RF_RANDOMID)
		OPT("random-id");
	if (r->min_ttl != 0)
		OPT("min-ttl %u", r->min_ttl);
	if (r->rf & POL_RF_REASS_TCP)
		OPT("reassemble tcp");
	if (r->max_mss != 0)
		OPT("max-mss %u", r->max_mss);
#undef OPT
	put(o, ")");
}

static const char *
tag_name(const struct pol_ruleset *rs, uint16_t tag)
{
	return tag <= rs->n_tags ? rs->tags[tag - 1] : "?";
}

int
pol_rule_snprint(const struct pol_ruleset *rs, const struct pol_rule *r, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	bool anchor = r->rf & POL_RF_ANCHOR;

	if (size > 0)
		buf[0] = '\0';
	put_action(&o, r);
	if (r->dir != POL_DIR_ANY)
		put(&o, r->dir == POL_DIR_IN ? " in" : " out");
	if (r->log)
		put_log(&o, r);
	if (r->quick)
		put(&o, " quick");
	if (r->ifname[0] != '\0') {
		put(&o, " on %s", r->ifneg ? "! " : "");
		put_if(&o, r->ifname);
	}
	if (r->af != POL_AF_ANY)
		put(&o, r->af == POL_AF_INET ? " inet" : " inet6");
	if (r->proto != POL_PROTO_ANY) {
		const char *name = pol_proto_name(r->proto);

		if (name != NULL)
			put(&o, " proto %s", name);
		else
			put(&o, " proto %u", r->proto);
	}
	if (r->src.kind == POL_ADDR_ANY && r->dst.kind == POL_ADDR_ANY && !r->src.neg && !r->dst.neg &&
		r->src.port.op == POL_OP_NONE && r->dst.port.op == POL_OP_NONE) {
		put(&o, " all");
	} else {
		put_peer(&o, "from", &r->src, r->af);
		put_peer(&o, "to", &r->dst, r->af);
	}
	if (r->rcvif[0] != '\0') {
		put(&o, " %sreceived-on ", r->rcvifneg ? "!" : "");
		put_if(&o, r->rcvif);
	}
	if (r->tcp_flags != 0 || r->tcp_flagset != 0) {
		char flags[9], set[9];

		pol_tcp_flags_print(r->tcp_flags, flags);
		pol_tcp_flags_print(r->tcp_flagset, set);
		put(&o, " flags %s/%s", flags, set);
	} else if (r->action != POL_BLOCK && (r->proto == POL_PROTO_ANY || r->proto == 6) &&
		!(r->rf & POL_RF_FRAGMENT) && !anchor && r->keep_state != POL_STATE_NONE) {
		put(&o, " flags any");
	}
	if (r->icmp_type >= 0)
		put_icmp(&o, r);
	if (r->match_tos)
		put(&o, " tos 0x%2.2x", r->tos);
	if (r->match_prio)
		put(&o, " prio %u", r->prio);
	if (r->max_pkt_rate != 0)
		put(&o, " max-pkt-rate %u/%u", r->max_pkt_rate, r->max_pkt_rate_sec);
	put_set(&o, r);
	put_state(&o, r);
	if (r->rf & POL_RF_FRAGMENT)
		put(&o, " fragment");
	put_scrub(&o, r);
	if (r->rf & POL_RF_ALLOW_OPTS)
		put(&o, " allow-opts");
	if (r->label[0] != '\0') {
		put(&o, " label ");
		put_quoted(&o, r->label);
	}
	if (r->rf & POL_RF_ONCE)
		put(&o, " once");
	if (r->tag != 0) {
		put(&o, " tag ");
		put_word(&o, tag_name(rs, r->tag));
	}
	if (r->match_tag != 0) {
		put(&o, "%s tagged ", r->match_tagneg ? " !" : "");
		put_word(&o, tag_name(rs, r->match_tag));
	}
	return o.len;
}

void
pol_print_rules(const struct pol_ruleset *rs, FILE *f, unsigned flags)
{
	unsigned depth = 0;
	char buf[2048];

	for (uint32_t i = 0; i < rs->n_rules; i++) {
		const struct pol_rule *r = rs->rules[i], *up;

		/* with numbers there are lines of counters between, which pfctl does not indent either */
		if (!(flags & POL_PRINT_NUMBERS))
			fprintf(f, "%*s", depth * 2, "");
		else
			fprintf(f, "@%u ", r->nr);
		pol_rule_snprint(rs, r, buf, sizeof(buf));
		fputs(buf, f);
		if (r->rf & POL_RF_ANCHOR) {
			fputs(" {\n", f);
			depth++;
		} else {
			fputc('\n', f);
		}
		/* this may be the last rule of several anchors at once */
		for (up = r->rf & POL_RF_ANCHOR ? r : r->parent; up != NULL && up->anchor_end == i + 1;
			up = up->parent) {
			depth--;
			fprintf(f, "%*s}\n", flags & POL_PRINT_NUMBERS ? 0 : depth * 2, "");
		}
	}
}

void
pol_print_all(const struct pol_ruleset *rs, FILE *f)
{
	if (rs->preamble != NULL)
		fputs(rs->preamble, f);
	pol_print_rules(rs, f, 0);
}
