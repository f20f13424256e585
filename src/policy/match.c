/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf's predicates of one rule, in pf's order. See match_priv.h.
 */
#include <alloca.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "match_priv.h"
#include "table.h"

#define MAX_STACK_ADDRS 2048

/* "ext" is the group of ext0, ext1... as interface groups of driver names are in pf. */
static bool
in_driver_group(const char *group, const char *name)
{
	size_t len = strlen(name);

	while (len > 0 && isdigit((unsigned char)name[len - 1]))
		len--;
	return len > 0 && name[len] != '\0' && strncmp(group, name, len) == 0 && group[len] == '\0';
}

bool
pol_ifname_is(const char *name, const struct pol_ifmap *ifs, uint16_t ifid)
{
	const char *have;

	if (name[0] == '\0' || strcmp(name, "any") == 0 || strcmp(name, "all") == 0)
		return true;
	if (ifs == NULL || ifid >= ifs->n)
		return false;
	have = ifs->names[ifid];
	return have[0] != '\0' && (strncmp(have, name, POL_IFNAMSIZ) == 0 || in_driver_group(name, have));
}

bool
pol_rcvif_is(const char *name, bool neg, const struct pol_match_ctx *ctx)
{
	uint16_t id = ctx->pkt->rcvif;

	return (id != 0xffff && pol_ifname_is(name, ctx->ifs, id)) != neg;
}

bool
pol_port_is(const struct pol_port *op, uint16_t port)
{
	switch (op->op) {
	case POL_OP_NONE: return true;
	case POL_OP_EQ: return port == op->lo;
	case POL_OP_NE: return port != op->lo;
	case POL_OP_LT: return port < op->lo;
	case POL_OP_LE: return port <= op->lo;
	case POL_OP_GT: return port > op->lo;
	case POL_OP_GE: return port >= op->lo;
	case POL_OP_IRG: return port > op->lo && port < op->hi;
	case POL_OP_XRG: return port < op->lo || port > op->hi;
	case POL_OP_RRG: return port >= op->lo && port <= op->hi;
	}
	return false;
}

bool
pol_addr_in_prefix(const union pol_ip *a, const union pol_ip *net, unsigned plen)
{
	uint64_t high = be64toh(a->d[0] ^ net->d[0]), low = be64toh(a->d[1] ^ net->d[1]);

	if (plen <= 64)
		return plen == 0 || high >> (64 - plen) == 0;
	return high == 0 && low >> (128 - plen) == 0;
}

bool
pol_addr_in_range(uint8_t af, const union pol_ip *a, const union pol_ip *lo, const union pol_ip *hi)
{
	size_t len = af == POL_AF_INET ? 4 : 16;

	return memcmp(a->b, lo->b, len) >= 0 && memcmp(a->b, hi->b, len) <= 0;
}

/* As pfi_instance_add() does: link-local addresses are no network, `:0` is the first address of the family. */
bool
pol_dynif_prefix(const struct pol_addr *pa, const struct pol_ifaddr *ifa, uint8_t af, bool *first, union pol_ip *net,
	unsigned *plen)
{
	static const union pol_ip none;
	unsigned bits = af == POL_AF_INET ? 32 : 128;
	bool local = af == POL_AF_INET6 && ifa->addr.b[0] == 0xfe && (ifa->addr.b[1] & 0xc0) == 0x80;

	if (ifa->af != af)
		return false;
	if (pa->dynif_flags & POL_DYNIF_PEER)
		return false;	/* ports of the box are Ethernet: no point-to-point peer */
	if ((pa->dynif_flags & POL_DYNIF_BROADCAST) &&
	    (af != POL_AF_INET || memcmp(&ifa->broadcast, &none, sizeof(none)) == 0))
		return false;
	if ((pa->dynif_flags & POL_DYNIF_NETWORK) && local)
		return false;
	if ((pa->dynif_flags & POL_DYNIF_NOALIAS) && !*first)
		return false;
	*first = false;
	*net = pa->dynif_flags & POL_DYNIF_BROADCAST ? ifa->broadcast : ifa->addr;
	*plen = pa->plen < bits ? pa->plen : pa->dynif_flags & POL_DYNIF_NETWORK ? ifa->plen : bits;
	if (*plen > bits)
		*plen = bits;
	return true;
}

static bool
dynif_is(const struct pol_addr *pa, const struct pol_match_ctx *ctx, uint8_t af, const union pol_ip *a)
{
	const struct pol_ifmap *ifs = ctx->ifs;
	struct pol_ifaddr *v;
	bool first = true;
	int n;

	if (ifs == NULL || ifs->if_addrs == NULL)
		return false;
	n = ifs->if_addrs(ifs->arg, pa->name, NULL, 0);
	if (n <= 0)
		return false;
	if (n > MAX_STACK_ADDRS)
		n = MAX_STACK_ADDRS;
	v = alloca((size_t)n * sizeof(*v));
	n = ifs->if_addrs(ifs->arg, pa->name, v, n);
	for (int i = 0; i < n; i++) {
		union pol_ip net;
		unsigned plen;

		if (pol_dynif_prefix(pa, &v[i], af, &first, &net, &plen) && pol_addr_in_prefix(a, &net, plen))
			return true;
	}
	return false;
}

static bool
masked_equal(const union pol_ip *a, const union pol_ip *b, const union pol_ip *mask)
{
	return (((a->d[0] ^ b->d[0]) & mask->d[0]) | ((a->d[1] ^ b->d[1]) & mask->d[1])) == 0;
}

/* Without port and with the `!`. */
bool
pol_addr_is(const struct pol_addr *pa, bool is_src, const struct pol_match_ctx *ctx)
{
	const struct pol_pkt *p = ctx->pkt;
	const union pol_ip *a = is_src ? &p->src : &p->dst;
	const struct pol_match_env *env = ctx->env;
	unsigned bits = p->af == POL_AF_INET ? 32 : 128;
	bool is = true;

	switch (pa->kind) {
	case POL_ADDR_ANY:
		break;
	case POL_ADDR_PREFIX:
		if (pa->plen == 255)
			is = masked_equal(a, &pa->addr, &pa->mask);
		else
			is = pol_addr_in_prefix(a, &pa->addr, pa->plen < bits ? pa->plen : bits);
		break;
	case POL_ADDR_RANGE:
		is = pol_addr_in_range(p->af, a, &pa->addr, &pa->addr2);
		break;
	case POL_ADDR_TABLE:
		is = pa->table != NULL && pol_table_contains(pa->table, p->af, a);
		break;
	case POL_ADDR_DYNIF:
		is = dynif_is(pa, ctx, p->af, a);
		break;
	case POL_ADDR_NOROUTE:
		is = env != NULL && env->has_route != NULL && !env->has_route(env->arg, p->af, a);
		break;
	case POL_ADDR_URPF_FAILED:
		is = is_src && env != NULL && env->urpf_ok != NULL && !env->urpf_ok(env->arg, p);
		break;
	}
	return is != pa->neg;
}

/* Without port. */
bool
pol_addr_same(const struct pol_addr *a, const struct pol_addr *b)
{
	if (a->neg != b->neg || a->kind != b->kind)
		return false;
	switch (a->kind) {
	case POL_ADDR_PREFIX:
		return a->plen == b->plen && memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 &&
			(a->plen != 255 || memcmp(&a->mask, &b->mask, sizeof(a->mask)) == 0);
	case POL_ADDR_RANGE:
		return memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 && memcmp(&a->addr2, &b->addr2, sizeof(a->addr2)) == 0;
	case POL_ADDR_TABLE:
		return a->table == b->table;
	case POL_ADDR_DYNIF:
		return strcmp(a->name, b->name) == 0 && a->dynif_flags == b->dynif_flags && a->plen == b->plen;
	default:
		return true;
	}
}

static bool
is_icmp(const struct pol_pkt *p)
{
	return p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
}

static enum pol_step
layer4_test(const struct pol_rule *r, const struct pol_match_ctx *ctx)
{
	const struct pol_pkt *p = ctx->pkt;
	bool ported = p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP;

	if (p->fragment) {
		/* No header to look at: what would need one does not match. */
		if (r->src.port.op != POL_OP_NONE || r->dst.port.op != POL_OP_NONE || r->icmp_type >= 0 || r->icmp_code >= 0 ||
		    (p->proto == IPPROTO_TCP && r->tcp_flagset != 0))
			return POL_STEP_NONE;
		return POL_STEP_MATCHED;
	}
	if (p->proto == IPPROTO_TCP && (p->tcp_flags & r->tcp_flagset) != r->tcp_flags)
		return POL_STEP_NONE;
	if (r->src.port.op != POL_OP_NONE && (!ported || !pol_port_is(&r->src.port, ntohs(p->sport_be))))
		return POL_STEP_SPORT;
	if (r->dst.port.op != POL_OP_NONE && (!ported || !pol_port_is(&r->dst.port, ntohs(p->dport_be))))
		return POL_STEP_DPORT;
	if (r->icmp_type >= 0 && (!is_icmp(p) || r->icmp_type != p->icmp_type))
		return POL_STEP_NONE;
	if (r->icmp_code >= 0 && (!is_icmp(p) || r->icmp_code != p->icmp_code))
		return POL_STEP_NONE;
	if (p->icmp_reply && !p->icmp_error && is_icmp(p) && r->keep_state != POL_STATE_NONE && !(r->rf & POL_RF_SLOPPY))
		return POL_STEP_NONE;
	return POL_STEP_MATCHED;
}

/* 1..2^32 - 2, so that a chance of 2^32 - 1 is always and one of 1 is never. */
static bool
chance(const struct pol_rule *r, const struct pol_match_env *env)
{
	uint32_t dice = env != NULL && env->random != NULL ? env->random(env->arg) : 0;

	return r->probability > dice % (UINT32_MAX - 1) + 1;
}

enum pol_step
pol_rule_test_rest(const struct pol_rule *r, const struct pol_match_ctx *ctx)
{
	if (r->proto != POL_PROTO_ANY && r->proto != ctx->pkt->proto)
		return POL_STEP_PROTO;
	if (!pol_addr_is(&r->src, true, ctx))
		return POL_STEP_SRC;
	if (!pol_addr_is(&r->dst, false, ctx))
		return POL_STEP_DST;
	return pol_rule_test_tail(r, ctx);
}

enum pol_step
pol_rule_test_tail(const struct pol_rule *r, const struct pol_match_ctx *ctx)
{
	const struct pol_pkt *p = ctx->pkt;
	enum pol_step step = layer4_test(r, ctx);

	if (step != POL_STEP_MATCHED)
		return step;
	if (r->rf & POL_RF_FRAGMENT && !p->fragment)
		return POL_STEP_NONE;
	if (r->match_tos && r->tos != 0 && r->tos != p->tos)
		return POL_STEP_NONE;
	if (r->probability != 0 && !chance(r, ctx->env))
		return POL_STEP_NONE;
	if (r->match_tag != 0 && (r->match_tag == ctx->tag) == r->match_tagneg)
		return POL_STEP_NONE;
	if (r->rcvif[0] != '\0' && !pol_rcvif_is(r->rcvif, r->rcvifneg, ctx))
		return POL_STEP_NONE;
	if (r->match_prio && r->prio != p->prio)
		return POL_STEP_NONE;
	/* Last, as it counts. */
	if (r->max_pkt_rate != 0 && ctx->env != NULL && ctx->env->pkt_rate_ok != NULL &&
	    !ctx->env->pkt_rate_ok(ctx->env->arg, r))
		return POL_STEP_NONE;
	return POL_STEP_MATCHED;
}

enum pol_step
pol_rule_test(const struct pol_rule *r, const struct pol_match_ctx *ctx)
{
	const struct pol_pkt *p = ctx->pkt;

	if (r->ifname[0] != '\0' && pol_ifname_is(r->ifname, ctx->ifs, p->ifid) == r->ifneg)
		return POL_STEP_IF;
	if (r->dir != POL_DIR_ANY && r->dir != p->dir)
		return POL_STEP_DIR;
	if (r->af != POL_AF_ANY && r->af != p->af)
		return POL_STEP_AF;
	return pol_rule_test_rest(r, ctx);
}

void
pol_match_start(struct pol_match *m, const struct pol_ruleset *rs, const struct pol_pkt *pkt)
{
	memset(m, 0, sizeof(*m));
	m->rule = &rs->default_rule;
	m->tag = pkt->tag;
}

void
pol_match_fold(struct pol_match *m, const struct pol_rule *r)
{
	m->rf |= r->rf & POL_RF_FOLDED;
	m->log |= r->log;
	if (r->rf & POL_RF_SET_TOS)
		m->set_tos = r->set_tos;
	if (r->rf & POL_RF_SET_PRIO)
		memcpy(m->set_prio, r->set_prio, sizeof(m->set_prio));
	if (r->min_ttl != 0)
		m->min_ttl = r->min_ttl;
	if (r->max_mss != 0)
		m->max_mss = r->max_mss;
}
