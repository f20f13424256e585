/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a rule as it is written to rules as they are evaluated: defaults, checks, lists, anchors.
 *
 * Lists expand in pfctl's order, which the numbers of rules depend on: interfaces are the outermost loop, then
 * protocols, icmp types, source hosts, destination hosts, source ports, and destination ports innermost. Combinations
 * of different address families fall away without a number.
 */
#include <stdlib.h>
#include <string.h>

#include "lang_priv.h"

#define TCP 6
#define UDP 17
#define ICMP 1
#define ICMP6 58
/* Long lists of both families may lose most of their combinations; to look at those takes time too. */
#define COMBINATIONS_PER_RULE 64

void
pol_draft_begin(struct pol_parser *p, struct pol_loc loc, enum pol_action action)
{
	/*
	 * The header of an anchor is kept while its content is parsed, other drafts are used again; one that is still
	 * there belonged to a line with an error.
	 */
	if (p->draft == NULL && p->spare != NULL) {
		p->draft = p->spare;
		p->spare = NULL;
	} else if (p->draft == NULL) {
		p->draft = pol_arena(p, sizeof(*p->draft));
	}
	*p->draft = (struct pol_draft){ .loc = loc };
	p->draft->r.action = action;
	p->draft->r.line = loc.line;
	p->draft->r.file = loc.file;
	p->draft->r.icmp_type = p->draft->r.icmp_code = -1;
}

static void
draft_done(struct pol_parser *p)
{
	p->spare = p->draft;
	p->draft = NULL;
}

static bool
lists_proto(const struct pol_node *protos, uint8_t proto)
{
	if (protos == NULL)
		return true;
	for (; protos != NULL; protos = protos->next)
		if (protos->proto == proto)
			return true;
	return false;
}

/* What state options mean for the rule. Source: pf.conf(5), "Stateful Tracking Options", and what pfctl makes of them.
 */
static void
apply_state(struct pol_parser *p, struct pol_draft *d, const struct pol_state_opts *o)
{
	struct pol_rule *r = &d->r;
	bool global = o->srctrack == POL_ST_GLOBAL;

	r->rf |= o->rf;
	r->max_states = o->max_states;
	r->max_src_nodes = o->max_src_nodes;
	r->max_src_states = o->max_src_states;
	r->max_src_conn = o->max_src_conn;
	r->max_src_conn_rate = o->max_src_conn_rate;
	r->max_src_conn_rate_sec = o->max_src_conn_rate_sec;
	memcpy(r->overload_name, o->overload, sizeof(r->overload_name));
	memcpy(r->timeout, o->timeout, sizeof(r->timeout));
	memcpy(r->timeout_set, o->timeout_set, sizeof(r->timeout_set));
	if (o->srctrack != POL_ST_NONE || r->max_src_states > 0)
		r->rf |= POL_RF_SRCTRACK;
	if (o->srctrack == POL_ST_RULE)
		r->rf |= POL_RF_RULESRCTRACK;
	if (r->max_src_nodes > 0 || r->max_src_conn > 0 || r->max_src_conn_rate > 0) {
		r->rf |= POL_RF_SRCTRACK | POL_RF_RULESRCTRACK;
		if (global)
			pol_perr(p, d->loc, "%s cannot be used with source-track global, expected source-track rule",
				r->max_src_nodes > 0	      ? "max-src-nodes"
					: r->max_src_conn > 0 ? "max-src-conn"
							      : "max-src-conn-rate");
	}
	/* the limit of the rule moves its adaptive range as the limit of the box does; tenths first */
	if (r->max_states > 0 && !r->timeout_set[POL_TM_ADAPTIVE_START] && !r->timeout_set[POL_TM_ADAPTIVE_END] &&
		r->max_states >= 10) {
		r->timeout[POL_TM_ADAPTIVE_START] = r->max_states / 10 * 6;
		r->timeout[POL_TM_ADAPTIVE_END] =
			r->max_states / 10 > UINT32_MAX / 12 ? UINT32_MAX : r->max_states / 10 * 12;
		r->timeout_set[POL_TM_ADAPTIVE_START] = r->timeout_set[POL_TM_ADAPTIVE_END] = true;
	}
	/* a source is remembered for as long as its rate is measured */
	if ((r->rf & POL_RF_SRCTRACK) && r->timeout[POL_TM_SRC_TRACK] < r->max_src_conn_rate_sec) {
		r->timeout[POL_TM_SRC_TRACK] = r->max_src_conn_rate_sec;
		r->timeout_set[POL_TM_SRC_TRACK] = true;
	}
	if (r->overload_name[0] != '\0' && r->max_src_conn == 0 && r->max_src_conn_rate == 0)
		pol_perr(
			p, d->loc, "overload <%s> needs max-src-conn or max-src-conn-rate beside it", r->overload_name);
	if ((r->rf & POL_RF_SLOPPY) && r->keep_state > POL_STATE_KEEP)
		pol_perr(p, d->loc, "sloppy cannot be used with %s state, expected keep state",
			r->keep_state == POL_STATE_MODULATE ? "modulate" : "synproxy");
}

/* Checks that do not depend on what lists expand to. */
static void
check_draft(struct pol_parser *p, struct pol_draft *d)
{
	const struct pol_rule *r = &d->r;

	if (r->action != POL_PASS && r->keep_state != POL_STATE_NONE)
		pol_perr(p, d->loc, "%s rules create no states, expected keep state only on pass rules",
			r->action == POL_BLOCK ? "block" : "match");
	if (r->action != POL_PASS && (r->rf & POL_RF_ALLOW_OPTS))
		pol_perr(p, d->loc, "allow-opts can only be given on pass rules");
	if (r->tcp_flagset != 0 && !lists_proto(d->protos, TCP))
		pol_perr(p, d->loc, "flags only apply to tcp, expected proto tcp");
	if ((r->rf & POL_RF_FRAGMENT) &&
		(d->src_ports != NULL || d->dst_ports != NULL || r->tcp_flagset != 0 || d->icmps != NULL))
		pol_perr(p, d->loc,
			"fragments can be filtered only by header fields of IP, expected no ports, flags or icmp "
			"types");
}

/* Checks of one expanded rule. Source: pf.conf(5); all that fail are reported. */
static void
check_rule(struct pol_parser *p, struct pol_loc loc, const struct pol_rule *r, bool ports)
{
	if (ports && r->proto != TCP && r->proto != UDP)
		pol_perr(p, loc, "port only applies to tcp and udp, expected proto tcp, proto udp or both");
	if (r->icmp_type >= 0 && r->proto != ICMP && r->proto != ICMP6)
		pol_perr(p, loc, "icmp-type and code only apply to icmp, expected proto icmp or icmp6");
	if (r->icmp_type >= 0 && r->af == POL_AF_ANY)
		pol_perr(p, loc, "icmp-type needs an address family, expected inet or inet6");
	if ((r->proto == ICMP && r->af == POL_AF_INET6) || (r->proto == ICMP6 && r->af == POL_AF_INET))
		pol_perr(p, loc, "proto %s does not go with %s, expected %s", r->proto == ICMP ? "icmp" : "icmp6",
			r->af == POL_AF_INET ? "inet" : "inet6",
			r->proto == ICMP ? "inet or proto icmp6" : "inet6 or proto icmp");
	if (r->ret == POL_RETURN_RST && r->proto != TCP)
		pol_perr(p, loc, "return-rst only applies to tcp, expected proto tcp");
	if (r->af == POL_AF_INET6 && (r->rf & (POL_RF_NODF | POL_RF_RANDOMID)))
		pol_perr(p, loc, "scrub options no-df and random-id do not apply to inet6");
}

static void
port_label(const struct pol_port *p, char *buf, size_t size)
{
	static const char *const before[] = { [POL_OP_EQ] = "",
		[POL_OP_NE] = "!=",
		[POL_OP_LT] = "<",
		[POL_OP_LE] = "<=",
		[POL_OP_GT] = ">",
		[POL_OP_GE] = ">=" };

	buf[0] = '\0';
	if (p->op == POL_OP_IRG || p->op == POL_OP_XRG || p->op == POL_OP_RRG)
		snprintf(buf, size, "%u%s%u", p->lo,
			p->op == POL_OP_IRG	      ? "><"
				: p->op == POL_OP_XRG ? "<>"
						      : ":",
			p->hi);
	else if (p->op != POL_OP_NONE)
		snprintf(buf, size, "%s%u", before[p->op], p->lo);
}

static void
addr_label(const struct pol_addr *a, uint8_t af, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s", a->neg ? "! " : "");

	if (a->kind == POL_ADDR_DYNIF)
		snprintf(buf + n, size - n, "(%s)", a->name);
	else
		pol_addr_snprint(a, af, buf + n, size - n);
}

/* Label or tag with its `$if`, `$srcaddr`... replaced; `$nr` is not known yet. */
static const char *
expand_text(struct pol_parser *p, const char *what, struct pol_loc loc, const char *text, const struct pol_rule *r,
	size_t max)
{
	static const char *const vars[] = { "$if", "$srcaddr", "$dstaddr", "$srcport", "$dstport", "$proto" };
	char out[256], val[96];
	size_t n = 0;

	if (text == NULL || strchr(text, '$') == NULL) {
		if (text != NULL && strlen(text) >= max)
			pol_perr(p, loc, "%s '%s' is too long, expected at most %zu characters", what, text, max - 1);
		return text;
	}
	while (*text != '\0' && n < max) {
		const char *name = NULL;
		int var = -1;

		for (int i = 0; i < 6; i++)
			if (strncmp(text, vars[i], strlen(vars[i])) == 0)
				var = i;
		if (var < 0) {
			out[n++] = *text++;
			continue;
		}
		text += strlen(vars[var]);
		switch (var) {
		case 0:
			snprintf(val, sizeof(val), "%s", r->ifname[0] != '\0' ? r->ifname : "any");
			break;
		case 1:
			addr_label(&r->src, r->af, val, sizeof(val));
			break;
		case 2:
			addr_label(&r->dst, r->af, val, sizeof(val));
			break;
		case 3:
			port_label(&r->src.port, val, sizeof(val));
			break;
		case 4:
			port_label(&r->dst.port, val, sizeof(val));
			break;
		default:
			if ((name = pol_proto_name(r->proto)) != NULL)
				snprintf(val, sizeof(val), "%s", name);
			else
				snprintf(val, sizeof(val), "%u", r->proto);
		}
		n += snprintf(out + n, sizeof(out) - n, "%s", val);
	}
	if (n >= max) {
		pol_perr(p, loc, "%s is too long after its expansion, expected at most %zu characters", what, max - 1);
		n = max - 1;
	}
	return pol_arena_str(p, out, n);
}

static void
rule_add(struct pol_parser *p, struct pol_draft *d, struct pol_rule *r, struct pol_trules *body)
{
	struct pol_trules *t = p->scope->rules;
	struct pol_trule *tr;
	const char *label;

	if (++p->n_rules > p->max_rules) {
		if (!p->rules_full)
			pol_perr(p, d->loc,
				"more than %u rules after lists are expanded, expected a table for long lists",
				p->max_rules);
		p->rules_full = true;
		return;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap * 2 + 4;
		struct pol_trule *v = realloc(t->v, cap * sizeof(*v));

		if (v == NULL)
			pol_oom(p);
		t->v = v;
		t->cap = cap;
	}
	label = expand_text(p, "label", d->loc, d->label, r, POL_LABEL_SIZE);
	snprintf(r->label, sizeof(r->label), "%s", label != NULL ? label : "");
	tr = &t->v[t->n++];
	tr->r = *r;
	tr->tag = expand_text(p, "tag", d->loc, d->tag, r, POL_TAG_NAME_SIZE);
	tr->match_tag = expand_text(p, "tag", d->loc, d->match_tag, r, POL_TAG_NAME_SIZE);
	tr->body = body;
}

/* A /0 is `any`, and one form of it is enough for all that compare rules. */
static void
set_addr(struct pol_addr *dst, const struct pol_node *host, uint8_t af, const struct pol_node *port)
{
	*dst = host != NULL ? host->host.a : (struct pol_addr){ .kind = POL_ADDR_ANY };
	if (dst->kind == POL_ADDR_PREFIX && dst->plen == 0)
		dst->kind = POL_ADDR_ANY;
	if (dst->kind == POL_ADDR_DYNIF && af == POL_AF_INET && dst->plen > 32)
		dst->plen = 32;
	if (port != NULL)
		dst->port = port->port;
}

/* The interface that a link-local address belongs to is part of the rule. False: the rule is about another one. */
static bool
scope_fits(const struct pol_node *host, struct pol_rule *r)
{
	const char *scope = host != NULL ? host->host.scope_if : "";

	if (scope[0] == '\0')
		return true;
	if (r->ifname[0] == '\0') {
		snprintf(r->ifname, sizeof(r->ifname), "%s", scope);
		return true;
	}
	return strcmp(r->ifname, scope) == 0;
}

/* Ports of one combination of everything else. */
static void
expand_ports(struct pol_parser *p, struct pol_draft *d, struct pol_rule *r, const struct pol_node *src,
	const struct pol_node *dst, struct pol_trules *body)
{
	const struct pol_node *sp = d->src_ports;

	do {
		const struct pol_node *dp = d->dst_ports;

		do {
			struct pol_rule one = *r;

			set_addr(&one.src, src, r->af, sp);
			set_addr(&one.dst, dst, r->af, dp);
			check_rule(p, d->loc, &one, sp != NULL || dp != NULL);
			if (!d->bad)
				rule_add(p, d, &one, body);
			dp = dp != NULL ? dp->next : NULL;
		} while (dp != NULL && !d->bad && !p->rules_full);
		sp = sp != NULL ? sp->next : NULL;
	} while (sp != NULL && !d->bad && !p->rules_full);
}

static bool
family_fits(uint8_t *af, const struct pol_node *host)
{
	uint8_t h = host != NULL ? host->host.af : POL_AF_ANY;

	if (h == POL_AF_ANY || *af == h)
		return true;
	if (*af != POL_AF_ANY)
		return false;
	*af = h;
	return true;
}

/* All combinations; as in pfctl a list that is absent is one empty element. */
static void
expand(struct pol_parser *p, struct pol_draft *d, struct pol_trules *body)
{
	uint64_t max = (uint64_t)p->max_rules * COMBINATIONS_PER_RULE;
	uint32_t before = p->n_rules;
	const struct pol_node *ifc, *proto, *icmp, *src, *dst;

#define EACH(n, list) for (n = (list); ; n = n->next)
#define LAST(n) if (n == NULL || n->next == NULL || d->bad || p->rules_full) break
	EACH(ifc, d->ifs) {
		EACH(proto, d->protos) {
			EACH(icmp, d->icmps) {
				EACH(src, d->srcs) {
					EACH(dst, d->dsts) {
						struct pol_rule r = d->r;

						if (p->combinations++ >= max) {
							if (!p->rules_full)
								pol_perr(p, d->loc,
									"lists have more than %llu combinations, "
									"expected a table for "
									"long lists",
									(unsigned long long)max);
							p->rules_full = true;
							return;
						}
						if (ifc != NULL) {
							memcpy(r.ifname, ifc->ifc.name, sizeof(r.ifname));
							r.ifneg = ifc->ifc.neg;
						}
						r.proto = proto != NULL ? proto->proto : POL_PROTO_ANY;
						if (icmp != NULL) {
							r.icmp_type = icmp->icmp.type;
							r.icmp_code = icmp->icmp.code;
							if (r.proto != icmp->icmp.proto)
								pol_perr(p, icmp->loc,
									"%s does not go with the protocol, expected "
									"proto %s",
									icmp->icmp.proto == ICMP ? "icmp-type"
												 : "icmp6-type",
									icmp->icmp.proto == ICMP ? "icmp" : "icmp6");
						}
						/* other protocols of the list take what there is of a TCP option */
						if (r.proto != POL_PROTO_ANY && r.proto != TCP) {
							r.tcp_flags = r.tcp_flagset = 0;
							if (r.keep_state > POL_STATE_KEEP)
								r.keep_state = POL_STATE_KEEP;
						}
						if (!d->bad && family_fits(&r.af, src) && family_fits(&r.af, dst) &&
							scope_fits(src, &r) && scope_fits(dst, &r))
							expand_ports(p, d, &r, src, dst, body);
						LAST(dst);
					}
					LAST(src);
				}
				LAST(icmp);
			}
			LAST(proto);
		}
		LAST(ifc);
	}
	if (p->n_rules == before && !d->bad && !p->rules_full)
		pol_perr(p, d->loc, "the rule matches nothing: its addresses are of different families, expected %s",
			d->r.af == POL_AF_INET ? "IPv4 addresses behind inet" :
			d->r.af == POL_AF_INET6 ? "IPv6 addresses behind inet6" : "addresses of one family");
}

void
pol_draft_end(struct pol_parser *p)
{
	struct pol_draft *d = p->draft;
	struct pol_rule *r = &d->r;
	static const struct pol_state_opts none;
	const struct pol_state_opts *o = &d->state;

	if (!d->state_given && r->action == POL_PASS) {
		r->keep_state = POL_STATE_KEEP;
		o = p->state_defaults_given ? &p->state_defaults : &none;
	}
	apply_state(p, d, o);
	r->flags_given = d->flags_given;
	if (r->action == POL_PASS && r->keep_state != POL_STATE_NONE && !d->flags_given && !(r->rf & POL_RF_FRAGMENT)) {
		r->tcp_flags = 0x02;	/* S/SA */
		r->tcp_flagset = 0x12;
		if (!lists_proto(d->protos, TCP))
			r->tcp_flags = r->tcp_flagset = 0;
	}
	if (r->keep_state != POL_STATE_NONE && p->rs->opt.if_bound && !(r->rf & POL_RF_FLOATING))
		r->rf |= POL_RF_IF_BOUND;
	check_draft(p, d);
	if (!d->bad && !p->rules_full)
		expand(p, d, NULL);
	draft_done(p);
}

/*
 * FreeBSD's `scrub` line. Reassembly of fragments is an option of the box here (and on by default), the rest means what
 * `match ... scrub (...)` means.
 */
void
pol_scrub_end(struct pol_parser *p)
{
	struct pol_draft *d = p->draft;
	bool options = d->r.rf != 0 || d->scrub_given != 0;

	if (!options && p->rs->opt.reassemble == 0)
		pol_perr(p, d->loc,
			"scrub: fragments are not reassembled because of set reassemble no, expected set reassemble "
			"yes");
	if (options)
		pol_draft_end(p);
	else
		draft_done(p);
}

void
pol_antispoof(struct pol_parser *p, struct pol_node *ifs, const char *label)
{
	static const struct { bool network; } steps[] = { { true }, { false } };
	struct pol_draft *d = p->draft;

	d->label = label;
	for (struct pol_node *i = ifs; i != NULL && !d->bad; i = i->next) {
		for (int s = 0; s < 2 && !d->bad; s++) {
			struct pol_draft one = *d;
			bool known = false, net = steps[s].network;

			/* the addresses of a loopback interface are not fenced off */
			if (!net && strncmp(i->ifc.name, "lo", 2) == 0 && (i->ifc.name[2] == '\0' ||
				(i->ifc.name[2] >= '0' && i->ifc.name[2] <= '9')))
				continue;
			one.srcs = i->ifc.dynamic ? NULL :
				pol_host_interface(p, i->loc, i->ifc.name, net ? POL_DYNIF_NETWORK : 0, &known);
			if (one.srcs == NULL && !i->ifc.dynamic && known)
				continue;	/* an interface without addresses: nothing to spoof */
			if (one.srcs == NULL && !i->ifc.dynamic && p->env->if_addrs != NULL) {
				pol_perr(p, i->loc,
					"antispoof: there is no interface '%s', expected one of this box or (%s)",
					i->ifc.name, i->ifc.name);
				break;
			}
			if (one.srcs == NULL)
				one.srcs = pol_host_dynamic(p, i->loc,
					net ? pol_arena_printf(p, "%s:network", i->ifc.name) : i->ifc.name, -1);
			if (net) {
				one.ifs = pol_node_new(p, i->loc);
				memcpy(one.ifs->ifc.name, i->ifc.name, sizeof(one.ifs->ifc.name));
				one.ifs->ifc.neg = true;
			}
			/* as in pfctl, a family that the interface does not have is no error */
			if (one.srcs->host.af != POL_AF_ANY && d->r.af != POL_AF_ANY) {
				struct pol_node *fit = NULL;

				for (struct pol_node *n = one.srcs; n != NULL; n = n->next)
					if (n->host.af == d->r.af)
						fit = n;
				if (fit == NULL)
					continue;
			}
			expand(p, &one, NULL);
		}
	}
	draft_done(p);
}

void
pol_anchor_open(struct pol_parser *p, struct pol_loc loc)
{
	struct pol_scope *s = pol_arena(p, sizeof(*s));

	if (++p->anchor_depth > POL_MAX_ANCHOR_DEPTH && p->anchor_depth == POL_MAX_ANCHOR_DEPTH + 1)
		pol_perr(p, loc, "anchors are nested deeper than %d", POL_MAX_ANCHOR_DEPTH);
	if (++p->n_anchors == pol_limit(&p->rs->opt, POL_LIMIT_ANCHORS) + 1)
		pol_perr(p, loc, "more than %u anchors; see set limit anchors",
			pol_limit(&p->rs->opt, POL_LIMIT_ANCHORS));
	s->up = p->scope;
	s->header = p->draft;
	s->rules = pol_trules_new(p);
	p->scope = s;
	p->draft = NULL;
}

void
pol_anchor_close(struct pol_parser *p)
{
	struct pol_trules *body = p->scope->rules;
	struct pol_draft *d;

	p->draft = d = p->scope->header;
	p->scope = p->scope->up;
	p->anchor_depth--;
	d->r.rf |= POL_RF_ANCHOR;
	d->r.flags_given = d->flags_given;
	if (d->state_given)
		pol_perr(p, d->loc, "state options cannot be given on anchors, expected them on the rules inside");
	if (d->r.anchor_name[0] != '\0' && p->n_anchors <= pol_limit(&p->rs->opt, POL_LIMIT_ANCHORS))
		for (size_t i = 0; i < p->scope->rules->n; i++)
			if ((p->scope->rules->v[i].r.rf & POL_RF_ANCHOR) &&
				strcmp(p->scope->rules->v[i].r.anchor_name, d->r.anchor_name) == 0) {
				pol_perr(p, d->loc, "anchor \"%s\" exists already in line %d, expected another name",
					d->r.anchor_name, p->scope->rules->v[i].r.line);
				break;
			}
	check_draft(p, d);
	if (!d->bad && !p->rules_full)
		expand(p, d, body);
	draft_done(p);
}

/* `$nr` of labels and tags. */
static void
number_text(struct pol_parser *p, const struct pol_rule *r, const char *what, const char *text, char *out, size_t size)
{
	size_t n = 0;

	while (*text != '\0' && n < size) {
		if (strncmp(text, "$nr", 3) == 0) {
			n += snprintf(out + n, size - n, "%u", r->nr);
			text += 3;
		} else {
			out[n++] = *text++;
		}
	}
	if (n >= size) {
		pol_perr(p, (struct pol_loc){ r->file, r->line },
			"%s is too long after its expansion, expected at most %zu characters", what, size - 1);
		n = size - 1;
	}
	out[n] = '\0';
}

static uint16_t
tag_index(struct pol_parser *p, const struct pol_rule *r, const char *text)
{
	struct pol_ruleset *rs = p->rs;
	char name[POL_TAG_NAME_SIZE];
	uint32_t bucket, at = 0;
	char **v;

	if (text == NULL || text[0] == '\0')
		return 0;
	number_text(p, r, "tag", text, name, sizeof(name));
	bucket = pol_bucket(name, strlen(name));
	while ((at = pol_index_next(&p->tags, bucket, at)) != 0)
		if (strcmp(rs->tags[at - 1], name) == 0)
			return at;
	if (rs->n_tags >= POL_MAX_TAGS) {
		if (!p->rules_full)
			pol_perr(p, (struct pol_loc){ r->file, r->line }, "more than %d tags", POL_MAX_TAGS);
		p->rules_full = true;
		return 0;
	}
	if ((v = realloc(rs->tags, (rs->n_tags + 1) * sizeof(*v))) == NULL)
		pol_oom(p);
	rs->tags = v;
	if ((v[rs->n_tags] = strdup(name)) == NULL)
		pol_oom(p);
	pol_index_add(p, &p->tags, bucket, ++rs->n_tags);
	return rs->n_tags;
}

static int
flatten(struct pol_parser *p, const struct pol_trules *t, struct pol_rule *parent, size_t *cap)
{
	struct pol_ruleset *rs = p->rs;

	for (size_t i = 0; i < t->n; i++) {
		struct pol_rule *r;
		char label[POL_LABEL_SIZE];

		if (rs->n_rules >= p->max_rules) {
			pol_perr(p, (struct pol_loc){ t->v[i].r.file, t->v[i].r.line },
				"more than %u rules after anchors are expanded", p->max_rules);
			return -1;
		}
		if (rs->n_rules == *cap) {
			size_t want = *cap * 2 + 16;
			struct pol_rule **v = realloc(rs->rules, want * sizeof(*v));

			if (v == NULL)
				pol_oom(p);
			rs->rules = v;
			*cap = want;
		}
		if ((r = malloc(sizeof(*r))) == NULL)
			pol_oom(p);
		*r = t->v[i].r;
		r->pos = rs->n_rules;
		r->nr = i;
		r->top_nr = parent != NULL ? parent->top_nr : r->nr;
		r->parent = parent;
		rs->rules[rs->n_rules++] = r;
		number_text(p, r, "label", r->label, label, sizeof(label));
		memcpy(r->label, label, sizeof(label));
		r->tag = tag_index(p, r, t->v[i].tag);
		r->match_tag = tag_index(p, r, t->v[i].match_tag);
		if (t->v[i].body != NULL && flatten(p, t->v[i].body, r, cap) != 0)
			return -1;
		r->anchor_end = rs->n_rules;
	}
	return p->n_errors == 0 ? 0 : -1;
}

int
pol_flatten(struct pol_parser *p)
{
	size_t cap = 0;

	return flatten(p, p->scope->rules, NULL, &cap);
}
