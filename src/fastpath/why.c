/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `why PROTO SRC DST`: what this box would do with a packet, and what it knows of its connection. Asks the same tables
 * and the same classifier as the packet path, on the worker that owns the flow; changes nothing and counts nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "states.h"

struct endpoint { uint8_t af; uint8_t addr[16]; uint16_t port_be; bool has_port; };

/* "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "2001:db8::1[80]", "[2001:db8::1]:80" */
static bool
endpoint_parse(const char *s, struct endpoint *e)
{
	char buf[80], *port = NULL, *end;
	unsigned long v;

	memset(e, 0, sizeof(*e));
	if (strlen(s) >= sizeof(buf))
		return false;
	strcpy(buf, s);
	if (buf[0] == '[') {
		char *close = strchr(buf, ']');

		if (close == NULL)
			return false;
		*close = '\0';
		if (close[1] == ':')
			port = close + 2;
		else if (close[1] != '\0')
			return false;
		memmove(buf, buf + 1, strlen(buf + 1) + 1);
		if (port != NULL)
			port = (char *)(uintptr_t)s + (port - buf);
	} else if ((end = strchr(buf, '[')) != NULL) {
		*end = '\0';
		port = (char *)(uintptr_t)s + (end - buf) + 1;
	} else if ((end = strchr(buf, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		*end = '\0';
		port = (char *)(uintptr_t)s + (end - buf) + 1;
	}
	if (inet_pton(AF_INET, buf, e->addr) == 1)
		e->af = FP_AF_INET;
	else if (inet_pton(AF_INET6, buf, e->addr) == 1)
		e->af = FP_AF_INET6;
	else
		return false;
	if (port != NULL) {
		v = strtoul(port, &end, 10);
		if (end == port || v > 65535 || (*end != '\0' && !(*end == ']' && end[1] == '\0')))
			return false;
		e->port_be = htons((uint16_t)v);
		e->has_port = true;
	}
	return true;
}

static int
proto_parse(const char *s, uint8_t af)
{
	const struct protoent *pe;
	unsigned long v;
	char *end;

	if (strcmp(s, "icmp6") == 0 || strcmp(s, "icmpv6") == 0)
		return IPPROTO_ICMPV6;
	if (strcmp(s, "icmp") == 0)
		return af == FP_AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	v = strtoul(s, &end, 10);
	if (end != s && *end == '\0')
		return v <= 255 ? (int)v : -1;
	pe = getprotobyname(s);
	return pe != NULL ? pe->p_proto : strcmp(s, "tcp") == 0 ? IPPROTO_TCP : strcmp(s, "udp") == 0 ? IPPROTO_UDP : -1;
}

struct ask {
	struct fp_key key;
	uint8_t addr6[2][16];
	uint64_t hash;
	bool hi;
	uint16_t ifid[2];
	struct fp_why *why;
};

static bool
look(struct fp_worker *w, void *arg)
{
	struct ask *a = arg;

	for (int out = 0; out < 2; out++) {
		struct fp_state *st = fp_table_find(w->table, &a->key, a->addr6, a->hash, out, a->hi, a->ifid[out],
			fp_table_candidate(w->table, a->hash));

		if (st == NULL)
			continue;
		/* in: what answers for the packet coming in; out: for it going out */
		a->why->has_state[out] = true;
		fp_state_view_get(w, st, fp_state_half(st, out, a->hi), &a->why->state[out]);
	}
	return true;
}

static bool
always_ok(void *arg, const struct pol_pkt *p)
{
	(void)arg, (void)p;
	return true;
}

static bool
always_route(void *arg, uint8_t af, const union pol_ip *addr)
{
	struct fp_box *box = arg;

	return (af == POL_AF_INET ? fp_route4(box->conf, addr->w[0]) : fp_route6(box->conf, addr->b)) != NULL;
}

static uint32_t
no_random(void *arg)
{
	(void)arg;
	return 0;
}

int
fp_why(struct fp_box *box, const char *proto, const char *src, const char *dst, const char *in_if, struct fp_why *why,
	struct fp_err *err)
{
	const struct fp_conf *c = box->conf;
	const struct fp_nexthop *nh, *back;
	struct endpoint s, d;
	struct ask a = { .why = why };
	struct pol_match_env env = { .urpf_ok = always_ok, .has_route = always_route, .random = no_random, .arg = box };
	struct pol_pkt q = { 0 };
	const struct pol_pkt *qp = &q;
	struct pol_match m;
	uint32_t a4, b4;
	unsigned worker;
	int p;

	memset(why, 0, sizeof(*why));
	if (!endpoint_parse(src, &s))
		return fp_err_set(err, -EINVAL, "%s: not an address, expected ADDRESS, ADDRESS:PORT or ADDRESS[PORT]", src);
	if (!endpoint_parse(dst, &d))
		return fp_err_set(err, -EINVAL, "%s: not an address, expected ADDRESS, ADDRESS:PORT or ADDRESS[PORT]", dst);
	if (s.af != d.af)
		return fp_err_set(err, -EINVAL, "%s and %s are of different address families", src, dst);
	if ((p = proto_parse(proto, s.af)) < 0)
		return fp_err_set(err, -EINVAL, "%s: unknown protocol, expected tcp, udp, icmp, icmp6, a name of /etc/protocols or a number",
			proto);
	if (box->n_workers == 0)
		return fp_err_set(err, -ENETDOWN, "the box has not been started: `start` first");
	memcpy(&a4, s.addr, 4);
	memcpy(&b4, d.addr, 4);
	back = s.af == FP_AF_INET ? fp_route4(c, a4) : fp_route6(c, s.addr);
	nh = s.af == FP_AF_INET ? fp_route4(c, b4) : fp_route6(c, d.addr);
	a.ifid[0] = back != NULL ? back->ifid : FP_IFID_NONE;
	if (in_if != NULL) {
		struct fp_if_info info;

		if (fp_if_find(box, in_if, &info) != 0)
			return fp_err_set(err, -ENOENT, "%s: no such interface", in_if);
		a.ifid[0] = info.ifid;
	}
	why->routed = nh != NULL && (nh->kind == FP_NH_CONNECTED || nh->kind == FP_NH_GATEWAY);
	a.ifid[1] = why->routed ? nh->ifid : FP_IFID_NONE;
	if (c->bridge && a.ifid[0] < c->n_ifs)
		a.ifid[1] = c->ifs[a.ifid[0]].bridge_peer;
	if (a.ifid[0] < c->n_ifs)
		snprintf(why->in_if, sizeof(why->in_if), "%s", c->ifs[a.ifid[0]].name);
	if (a.ifid[1] < c->n_ifs)
		snprintf(why->out_if, sizeof(why->out_if), "%s", c->ifs[a.ifid[1]].name);
	if (why->routed)
		inet_ntop(s.af == FP_AF_INET ? AF_INET : AF_INET6, nh->kind == FP_NH_GATEWAY ? (const void *)nh->gw.b :
			(const void *)d.addr, why->next_hop, sizeof(why->next_hop));
	else if (nh != NULL)
		snprintf(why->next_hop, sizeof(why->next_hop), "%s", nh->kind == FP_NH_LOCAL ? "this box" :
			nh->kind == FP_NH_REJECT ? "reject" : nh->kind == FP_NH_BLACKHOLE ? "blackhole" : "broadcast");
	if (p == IPPROTO_ICMP || p == IPPROTO_ICMPV6) {	/* a ping with id 0, unless the id is given as the source port */
		d.port_be = htons(p == IPPROTO_ICMP ? 8 : 128);
	}
	if (s.af == FP_AF_INET) {
		fp_key_make4(&a.key, a4, b4, s.port_be, d.port_be, p, &a.hi);
		a.hash = fp_key_hash4(&a.key, box->hash_secret);
	} else
		a.hash = fp_key_make6(&a.key, a.addr6, s.addr, d.addr, s.port_be, d.port_be, p, &a.hi, box->hash_secret);
	worker = fp_flow_owner(box, a.hash);
	why->worker = worker;
	why->lcore = box->workers[worker]->lcore;
	if (box->workers[worker]->table != NULL)
		fp_worker_call(box, box->workers[worker], look, &a);
	for (int out = 0; out < 2; out++) {
		if (a.ifid[out] >= c->n_ifs)
			continue;
		memset(&q, 0, sizeof(q));
		q.af = s.af;
		q.dir = out ? POL_DIR_OUT : POL_DIR_IN;
		q.proto = p;
		q.tcp_flags = p == IPPROTO_TCP ? 0x02 : 0;
		q.icmp_type = p == IPPROTO_ICMP ? 8 : p == IPPROTO_ICMPV6 ? 128 : 0;
		q.ifid = a.ifid[out];
		q.rcvif = out ? a.ifid[0] : 0xffff;
		if (p == IPPROTO_TCP || p == IPPROTO_UDP) {
			q.sport_be = s.port_be;
			q.dport_be = d.port_be;
		}
		memcpy(q.src.b, s.addr, 16);
		memcpy(q.dst.b, d.addr, 16);
		pol_match_burst(c->rules, &env, &qp, 1, &m);
		why->rule_nr[out] = m.rule->top_nr;
		why->rule_pass[out] = m.rule->action != POL_BLOCK;
		if (m.rule->top_nr == UINT32_MAX)
			snprintf(why->rule_text[out], sizeof(why->rule_text[out]), "default: pass");
		else
			pol_rule_snprint(c->ruleset, m.rule, why->rule_text[out], sizeof(why->rule_text[out]));
	}
	return 0;
}
