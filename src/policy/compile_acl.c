/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boxes made a trie of rte_acl: the protocol in a byte of its own, as rte_acl wants it, then one field or two fields per
 * word of the key.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_errno.h>

#include "compile_priv.h"

#define MAX_FIELDS 13

RTE_ACL_RULE_DEF(acl_rule, MAX_FIELDS);

static unsigned
field_add(struct rte_acl_config *cfg, unsigned type, unsigned size, unsigned input, unsigned offset)
{
	cfg->defs[cfg->num_fields] = (struct rte_acl_field_def){ .type = (uint8_t)type, .size = (uint8_t)size,
		.field_index = (uint8_t)cfg->num_fields, .input_index = (uint8_t)input, .offset = offset };
	return cfg->num_fields++;
}

static void
make_fields(struct rte_acl_config *cfg, bool v6)
{
	unsigned words = v6 ? 4 : 1, input = 0;
	unsigned src = v6 ? offsetof(struct pol_key6, src) : offsetof(struct pol_key4, src);
	unsigned ports = src + 2 * words * 4;

	/* No max_size: rte_acl then builds more and smaller tries, which at 10,000 rules miss the cache less than few large ones. */
	memset(cfg, 0, sizeof(*cfg));
	cfg->num_categories = 1;
	field_add(cfg, RTE_ACL_FIELD_TYPE_BITMASK, 1, input++, 0);
	for (unsigned i = 0; i < 2 * words; i++)
		field_add(cfg, RTE_ACL_FIELD_TYPE_MASK, 4, input++, src + i * 4);
	field_add(cfg, RTE_ACL_FIELD_TYPE_RANGE, 2, input, ports);
	field_add(cfg, RTE_ACL_FIELD_TYPE_RANGE, 2, input++, ports + 2);
	field_add(cfg, RTE_ACL_FIELD_TYPE_RANGE, 2, input, ports + 4);
	field_add(cfg, RTE_ACL_FIELD_TYPE_BITMASK, 2, input, ports + 6);
}

static void
set_prefix(struct rte_acl_field *f, const struct pol_prefix *p, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		unsigned before = i * 32;

		f[i].value.u32 = (uint32_t)(p->addr >> (32 * (words - 1 - i)));
		f[i].mask_range.u32 = p->plen <= before ? 0 : p->plen - before > 32 ? 32 : p->plen - before;
	}
}

static void
set_range(struct rte_acl_field *f, const uint16_t range[2])
{
	f->value.u16 = range[0];
	f->mask_range.u16 = range[1];
}

static void
make_rule(struct acl_rule *r, const struct pol_box *box, uint32_t rank, bool v6)
{
	unsigned words = v6 ? 4 : 1;
	struct rte_acl_field *f = r->field;

	memset(r, 0, sizeof(*r));
	r->data.category_mask = 1;
	r->data.priority = (int32_t)rank;
	r->data.userdata = box->pos + 1;
	f->value.u8 = box->proto;
	f++->mask_range.u8 = box->proto != 0 ? 0xff : 0;
	set_prefix(f, &box->src, words);
	f += words;
	set_prefix(f, &box->dst, words);
	f += words;
	set_range(f++, box->sport);
	set_range(f++, box->dport);
	set_range(f++, box->ifclass);
	f->value.u16 = box->attrs;
	f->mask_range.u16 = box->attrs;
}

int
pol_acl_create(struct pol_classifier *cl, bool v6, const struct pol_boxes *boxes, const uint32_t *ranks, int socket)
{
	static unsigned serial;
	struct rte_acl_config cfg;
	struct acl_rule rule;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = { .name = name, .socket_id = socket, .max_rule_num = boxes->n };
	int r = 0;

	if (boxes->n == 0)
		return 0;
	snprintf(name, sizeof(name), "pol%u", __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
	make_fields(&cfg, v6);
	param.rule_size = RTE_ACL_RULE_SZ(cfg.num_fields);
	cl->acl = rte_acl_create(&param);
	if (cl->acl == NULL)
		return rte_errno != 0 ? -rte_errno : -ENOMEM;
	for (uint32_t i = 0; i < boxes->n && r == 0; i++) {
		make_rule(&rule, &boxes->v[i], ranks[boxes->v[i].pos], v6);
		r = rte_acl_add_rules(cl->acl, (const struct rte_acl_rule *)&rule, 1);
	}
	if (r == 0)
		r = rte_acl_build(cl->acl, &cfg);
	if (r != 0)
		pol_acl_free(cl);
	return r;
}

void
pol_acl_free(struct pol_classifier *cl)
{
	rte_acl_free(cl->acl);
	cl->acl = NULL;
}
