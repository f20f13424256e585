/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MD5 of the rules as OpenBSD's pf computes it when a rule set is loaded (`Checksum:` of pfctl -si, and what pfsync
 * peers compare before they trust each other's rule numbers): some members of each rule of the main rule set, one after
 * the other, in pf's numbers and byte order. Rules inside anchors do not count. Source: OpenBSD sys/net/pf_ioctl.c
 * pf_hash_rule(), pfvar.h of 2025.
 */
#include <endian.h>
#include <string.h>

#include "policy/lang_priv.h"
#include "policy/md5.h"

static void
put(struct pol_md5 *m, const void *p, size_t n)
{
	pol_md5_add(m, p, n);
}

static void
put8(struct pol_md5 *m, uint8_t v)
{
	put(m, &v, 1);
}

static void
put16(struct pol_md5 *m, uint16_t v)
{
	v = htobe16(v);
	put(m, &v, sizeof(v));
}

static void
put16le(struct pol_md5 *m, uint16_t v)
{
	v = htole16(v);
	put(m, &v, sizeof(v));
}

static void
put32(struct pol_md5 *m, uint32_t v)
{
	v = htobe32(v);
	put(m, &v, sizeof(v));
}

static void
put_str(struct pol_md5 *m, const char *s)
{
	put(m, s, strlen(s));
}

/* Fixed size, zeros behind. */
static void
put_name(struct pol_md5 *m, const char *s, size_t size)
{
	char buf[POL_TABLE_NAME_SIZE] = { 0 };

	memcpy(buf, s, strnlen(s, size));
	put(m, buf, size);
}

static void
hash_addr(struct pol_md5 *m, const struct pol_addr *a)
{
	/* pf: addrmask 0, noroute 1, dynif 2, table 3, urpf-failed 5, range 6; `any` is a mask of zeros */
	static const uint8_t types[] = { [POL_ADDR_ANY] = 0,
		[POL_ADDR_PREFIX] = 0,
		[POL_ADDR_RANGE] = 6,
		[POL_ADDR_TABLE] = 3,
		[POL_ADDR_DYNIF] = 2,
		[POL_ADDR_NOROUTE] = 1,
		[POL_ADDR_URPF_FAILED] = 5 };
	static const uint8_t ops[] = { [POL_OP_NONE] = 0,
		[POL_OP_IRG] = 1,
		[POL_OP_EQ] = 2,
		[POL_OP_NE] = 3,
		[POL_OP_LT] = 4,
		[POL_OP_LE] = 5,
		[POL_OP_GT] = 6,
		[POL_OP_GE] = 7,
		[POL_OP_XRG] = 8,
		[POL_OP_RRG] = 9 };
	union pol_ip mask = { 0 };

	put8(m, types[a->kind]);
	switch (a->kind) {
	case POL_ADDR_DYNIF:
		put_name(m, a->name, POL_IFNAMSIZ);
		put8(m, a->dynif_flags);
		break;
	case POL_ADDR_TABLE:
		put_name(m, a->name, POL_TABLE_NAME_SIZE);
		break;
	case POL_ADDR_ANY:
	case POL_ADDR_PREFIX:
		for (unsigned i = 0; i < a->plen && i < 128 && a->kind == POL_ADDR_PREFIX; i++)
			mask.b[i / 8] |= 0x80 >> (i % 8);
		put(m, a->addr.b, sizeof(a->addr.b));
		put(m, mask.b, sizeof(mask.b));
		break;
	default:
		break;
	}
	put16(m, a->port.lo);
	put16(m, a->port.hi);
	put8(m, a->neg);
	put8(m, ops[a->port.op]);
}

/* pf's PFRULE_* */
static uint32_t
rule_flag(const struct pol_rule *r)
{
	static const struct { uint32_t rf, flag; } map[] = { { POL_RF_FRAGMENT, 0x0002 }, { POL_RF_NO_SYNC, 0x0010 },
		{ POL_RF_SRCTRACK, 0x0020 }, { POL_RF_RULESRCTRACK, 0x0040 }, { POL_RF_IF_BOUND, 0x00010000 },
		{ POL_RF_SLOPPY, 0x00020000 }, { POL_RF_PFLOW, 0x00040000 }, { POL_RF_ONCE, 0x00100000 } };
	uint32_t f = 0;

	if (r->action == POL_BLOCK && r->ret != POL_RETURN_NONE)
		f |= r->ret == POL_RETURN_RST ? 0x0001 : r->ret == POL_RETURN_ICMP ? 0x0004 : 0x0008;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (r->rf & map[i].rf)
			f |= map[i].flag;
	return f;
}

static void
hash_rule(struct pol_md5 *m, const struct pol_ruleset *rs, const struct pol_rule *r)
{
	static const uint8_t actions[] = { [POL_PASS] = 0, [POL_BLOCK] = 1, [POL_MATCH] = 12 };

	hash_addr(m, &r->src);
	hash_addr(m, &r->dst);
	put_str(m, r->label);
	put_str(m, r->ifname);
	put_str(m, r->rcvif);
	put_str(m, r->match_tag != 0 ? rs->tags[r->match_tag - 1] : "");
	put16(m, r->match_tag);
	put32(m, 0);			/* OS fingerprint */
	put32(m, r->probability);
	for (int i = 0; i < 2; i++) {	/* user, group */
		put32(m, 0);
		put32(m, 0);
		put8(m, 0);
	}
	put32(m, rule_flag(r));
	put8(m, actions[r->action]);
	put8(m, r->dir);
	put8(m, r->af == POL_AF_INET ? 2 : r->af == POL_AF_INET6 ? 24 : 0);
	put8(m, r->quick);
	put8(m, r->ifneg);
	put8(m, r->rcvifneg);
	put8(m, r->match_tagneg);
	put8(m, r->keep_state);
	put8(m, r->proto);
	put16le(m, r->icmp_type + 1);	/* in host order on the machines that pf was recorded on */
	put16le(m, r->icmp_code + 1);
	put8(m, r->tcp_flags);
	put8(m, r->tcp_flagset);
	put8(m, (r->rf & POL_RF_ALLOW_OPTS) != 0);
	put8(m, 0);			/* route-to */
	put8(m, r->match_tos ? r->tos : 0);
}

void
pol_checksum(struct pol_ruleset *rs)
{
	struct pol_md5 m;

	pol_md5_init(&m);
	for (uint32_t i = 0; i < rs->n_rules; i++)
		if (rs->rules[i]->parent == NULL)
			hash_rule(&m, rs, rs->rules[i]);
	pol_md5_end(&m, rs->checksum);
}
