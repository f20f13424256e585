/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and ports of rules as sets of ranges: negation, ranges, anchors and their content come down to inverting and
 * intersecting, and the result to prefixes for the classifier.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "compile_priv.h"

void
pol_set_all(struct pol_set *s, pol_u128 max)
{
	s->n = 1;
	s->v[0].lo = 0;
	s->v[0].hi = max;
}

bool
pol_set_add(struct pol_set *s, pol_u128 lo, pol_u128 hi)
{
	unsigned i = 0, j;

	if (lo > hi)
		return true;
	while (i < s->n && s->v[i].hi < lo && s->v[i].hi + 1 < lo)
		i++;
	/* i is the first that lies at or behind lo - 1; all up to j - 1 meet the new one */
	for (j = i; j < s->n && (s->v[j].lo <= hi || s->v[j].lo - 1 == hi); j++) {
		if (s->v[j].lo < lo)
			lo = s->v[j].lo;
		if (s->v[j].hi > hi)
			hi = s->v[j].hi;
	}
	if (j == i) {
		if (s->n == POL_SET_MAX)
			return false;
		memmove(&s->v[i + 1], &s->v[i], (s->n - i) * sizeof(s->v[0]));
		s->n++;
	} else {
		memmove(&s->v[i + 1], &s->v[j], (s->n - j) * sizeof(s->v[0]));
		s->n -= j - i - 1;
	}
	s->v[i].lo = lo;
	s->v[i].hi = hi;
	return true;
}

bool
pol_set_invert(struct pol_set *s, pol_u128 max)
{
	struct pol_set r = { 0 };
	pol_u128 next = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (s->v[i].lo > next && !pol_set_add(&r, next, s->v[i].lo - 1))
			return false;
		if (s->v[i].hi == max) {
			*s = r;
			return true;
		}
		next = s->v[i].hi + 1;
	}
	if (!pol_set_add(&r, next, max))
		return false;
	*s = r;
	return true;
}

bool
pol_set_intersect(struct pol_set *s, const struct pol_set *t)
{
	struct pol_set r = { 0 };

	for (unsigned i = 0, j = 0; i < s->n && j < t->n;) {
		pol_u128 lo = s->v[i].lo > t->v[j].lo ? s->v[i].lo : t->v[j].lo;
		pol_u128 hi = s->v[i].hi < t->v[j].hi ? s->v[i].hi : t->v[j].hi;

		if (!pol_set_add(&r, lo, hi))
			return false;
		if (s->v[i].hi < t->v[j].hi)
			i++;
		else
			j++;
	}
	*s = r;
	return true;
}

bool
pol_set_of_port(struct pol_set *s, const struct pol_port *op)
{
	pol_u128 lo = op->lo, hi = op->hi;

	s->n = 0;
	switch (op->op) {
	case POL_OP_NONE: return pol_set_add(s, 0, UINT16_MAX);
	case POL_OP_EQ: return pol_set_add(s, lo, lo);
	case POL_OP_NE: return pol_set_add(s, lo, lo) && pol_set_invert(s, UINT16_MAX);
	case POL_OP_LT: return lo == 0 || pol_set_add(s, 0, lo - 1);
	case POL_OP_LE: return pol_set_add(s, 0, lo);
	case POL_OP_GT: return pol_set_add(s, lo + 1, UINT16_MAX);
	case POL_OP_GE: return pol_set_add(s, lo, UINT16_MAX);
	case POL_OP_IRG: return hi == 0 || pol_set_add(s, lo + 1, hi - 1);
	case POL_OP_XRG: return (lo == 0 || pol_set_add(s, 0, lo - 1)) && pol_set_add(s, hi + 1, UINT16_MAX);
	case POL_OP_RRG: return pol_set_add(s, lo, hi);
	}
	return false;
}

pol_u128
pol_addr_number(uint8_t af, const union pol_ip *a)
{
	pol_u128 n = 0;

	for (unsigned i = 0; i < (af == POL_AF_INET ? 4 : 16); i++)
		n = n << 8 | a->b[i];
	return n;
}

static bool
add_prefix(struct pol_set *s, uint8_t af, const union pol_ip *a, unsigned plen)
{
	unsigned bits = af == POL_AF_INET ? 32 : 128;
	pol_u128 n = pol_addr_number(af, a), host;

	if (plen > bits)
		plen = bits;
	host = plen == 0 ? ~(pol_u128)0 >> (128 - bits) : ((pol_u128)1 << (bits - plen)) - 1;
	return pol_set_add(s, n & ~host, n | host);
}

static bool
add_dynif(struct pol_set *s, const struct pol_addr *pa, uint8_t af, const struct pol_ifmap *ifs)
{
	bool first = true, ok = true;
	struct pol_ifaddr *v;
	int n = ifs->if_addrs != NULL ? ifs->if_addrs(ifs->arg, pa->name, NULL, 0) : 0;

	if (n <= 0)
		return true;
	v = calloc((size_t)n, sizeof(*v));
	if (v == NULL)
		return false;
	n = ifs->if_addrs(ifs->arg, pa->name, v, n);
	for (int i = 0; i < n && ok; i++) {
		union pol_ip net;
		unsigned plen;

		if (pol_dynif_prefix(pa, &v[i], af, &first, &net, &plen))
			ok = add_prefix(s, af, &net, plen);
	}
	free(v);
	return ok;
}

bool
pol_set_of_addr(struct pol_set *s, const struct pol_addr *pa, uint8_t af, const struct pol_ifmap *ifs)
{
	pol_u128 max = ~(pol_u128)0 >> (af == POL_AF_INET ? 96 : 0);
	bool ok = true;

	s->n = 0;
	switch (pa->kind) {
	case POL_ADDR_ANY:
		pol_set_all(s, max);
		break;
	case POL_ADDR_PREFIX:
		ok = pa->plen != 255 && add_prefix(s, af, &pa->addr, pa->plen);
		break;
	case POL_ADDR_RANGE:
		ok = pol_set_add(s, pol_addr_number(af, &pa->addr), pol_addr_number(af, &pa->addr2));
		break;
	case POL_ADDR_DYNIF:
		ok = add_dynif(s, pa, af, ifs);
		break;
	default:
		return false;
	}
	return ok && (!pa->neg || pol_set_invert(s, max));
}

unsigned
pol_set_prefixes(const struct pol_set *s, unsigned bits, struct pol_prefix *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		pol_u128 lo = s->v[i].lo, hi = s->v[i].hi;

		for (;;) {
			/* The largest block that begins at lo and ends at hi or before. */
			unsigned host = 0;

			while (host < bits && (lo >> host & 1) == 0 &&
			       (lo | (host == 127 ? ~(pol_u128)0 : ((pol_u128)1 << (host + 1)) - 1)) <= hi)
				host++;
			if (n < max) {
				out[n].addr = lo;
				out[n].plen = bits - host;
			}
			n++;
			if (host == bits || hi - lo < (pol_u128)1 << host)
				break;
			lo += (pol_u128)1 << host;
			if (lo > hi)
				break;
		}
	}
	return n;
}
