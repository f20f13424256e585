/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf tables: one trie per family, four address bits a level, levels without a decision left out.
 *
 * A node stands at a depth (a multiple of 4 bits) and carries the address bits up to there, so a lookup compares and may
 * jump over any number of levels. In the node, `internal` has one bit for each prefix of depth + 0..3 bits that starts
 * here (1 + 2 + 4 + 8 of them), `neg` says which of them are exceptions, `ext` which of the 16 children exist; the
 * children follow the node, packed. A host is a node at full depth with prefix 0 of it set: 32 bytes.
 *
 *	prefix of l more bits, l = 0..3, of nibble n: internal bit (1 << l) - 1 + (n >> (4 - l))
 *
 * Nodes are immutable once a root that reaches them is published. The writer changes the trie by copying the path from
 * the root to the change; a copy made by the running operation (its `gen` is the operation's) may be changed in place,
 * so that filling a table with a million entries copies next to nothing. Replaced nodes are chained through the same
 * word as `gen`, which no reader looks at, and freed together after a grace period. A reader takes a root with
 * load-acquire, paired with the store-release of publish(): everything that it reaches was written before.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

struct node {
	union {
		uint64_t gen;		/* writer: the operation that made it */
		struct node *next;	/* writer: once replaced, the chain to free */
	};
	union pol_ip key;		/* bits behind depth are zero */
	uint16_t internal, neg, ext;
	uint8_t depth;			/* bits, 0..128 */
	uint8_t pad;
	struct node *child[];
};

struct pol_table {
	struct node *root[2];		/* writer: main lcore, store-release; [1] is IPv6 */
	unsigned count;			/* main lcore writes, relaxed */
	unsigned flags;
	uint64_t gen;
	char name[POL_TABLE_NAME_SIZE];
};

/* One running operation on one table. */
struct change {
	uint64_t gen;
	struct node *root[2];
	struct node *dead;		/* published nodes that the new roots do not reach */
	bool nomem;
};

static unsigned
max_bits(uint8_t af)
{
	return af == POL_AF_INET ? 32 : 128;
}

static unsigned
nibble_at(const union pol_ip *ip, unsigned bit)
{
	return bit & 4 ? ip->b[bit >> 3] & 15 : ip->b[bit >> 3] >> 4;
}

static void
mask_bits(union pol_ip *ip, unsigned bits)
{
	unsigned i = bits >> 3;

	if (i >= sizeof(ip->b))
		return;
	ip->b[i] &= (uint8_t)(0xff00 >> (bits & 7));
	memset(&ip->b[i + 1], 0, sizeof(ip->b) - i - 1);
}

/* Number of leading bits that are equal, at most max. */
static unsigned
common_bits(const union pol_ip *a, const union pol_ip *b, unsigned max)
{
	unsigned n = 0;

	for (int i = 0; i < 2 && n < max; i++) {
		uint64_t x = a->d[i] ^ b->d[i];

		if (x != 0) {
			n += (unsigned)__builtin_clzll(__builtin_bswap64(x));
			break;
		}
		n += 64;
	}
	return n < max ? n : max;
}

static unsigned
internal_bit(const union pol_ip *ip, unsigned depth, unsigned l)
{
	return l == 0 ? 0 : (1u << l) - 1 + (nibble_at(ip, depth) >> (4 - l));
}

static unsigned
child_index(const struct node *n, unsigned nib)
{
	return (unsigned)__builtin_popcount(n->ext & ((1u << nib) - 1));
}

static size_t
node_size(unsigned n_children)
{
	return sizeof(struct node) + n_children * sizeof(struct node *);
}

static struct node *
node_new(struct change *c, const union pol_ip *key, unsigned depth, unsigned n_children)
{
	struct node *n = calloc(1, node_size(n_children));

	if (n == NULL) {
		c->nomem = true;
		return NULL;
	}
	n->gen = c->gen;
	n->key = *key;
	mask_bits(&n->key, depth);
	n->depth = (uint8_t)depth;
	return n;
}

/* n is no longer reached by the new roots: freed now when no reader ever saw it. */
static void
node_drop(struct change *c, struct node *n)
{
	if (n->gen == c->gen) {
		free(n);
		return;
	}
	n->next = c->dead;
	c->dead = n;
}

/* A node that may be changed: n itself or its copy. */
static struct node *
node_own(struct change *c, struct node *n)
{
	size_t size = node_size((unsigned)__builtin_popcount(n->ext));
	struct node *copy;

	if (n->gen == c->gen)
		return n;
	copy = malloc(size);
	if (copy == NULL) {
		c->nomem = true;
		return NULL;
	}
	memcpy(copy, n, size);
	copy->gen = c->gen;
	node_drop(c, n);
	return copy;
}

/* n with child at nibble nib: a new node, as the children lie in it. */
static struct node *
node_add_child(struct change *c, struct node *n, unsigned nib, struct node *child)
{
	unsigned k = (unsigned)__builtin_popcount(n->ext), at = child_index(n, nib);
	struct node *copy = malloc(node_size(k + 1));

	if (copy == NULL) {
		c->nomem = true;
		return NULL;
	}
	memcpy(copy, n, node_size(at));
	memcpy(&copy->child[at + 1], &n->child[at], (k - at) * sizeof(n->child[0]));
	copy->child[at] = child;
	copy->ext |= (uint16_t)(1u << nib);
	copy->gen = c->gen;
	node_drop(c, n);
	return copy;
}

static struct node *
node_del_child(struct change *c, struct node *n, unsigned nib)
{
	unsigned k = (unsigned)__builtin_popcount(n->ext), at = child_index(n, nib);

	n = node_own(c, n);
	if (n == NULL)
		return NULL;
	memmove(&n->child[at], &n->child[at + 1], (k - at - 1) * sizeof(n->child[0]));
	n->ext &= (uint16_t)~(1u << nib);
	return n;
}

/* The operation failed: free what it made. Below a published node there is none. */
static void
trie_abandon(struct change *c, struct node *n)
{
	if (n == NULL || n->gen != c->gen)
		return;
	for (int i = 0, k = __builtin_popcount(n->ext); i < k; i++)
		trie_abandon(c, n->child[i]);
	free(n);
}

/*
 * Put the prefix into the trie at *np, which is replaced. When memory runs out the trie under *np stays whole (the
 * operation is given up as a whole by its caller), at most 33 levels deep.
 */
static void
trie_add(struct change *c, struct node **np, const union pol_ip *key, unsigned plen, bool neg)
{
	unsigned depth = plen & ~3u, common, bit;
	struct node *n = *np, *leaf, *mid;

	common = n == NULL ? 0 : common_bits(key, &n->key, n->depth < depth ? n->depth : depth) & ~3u;
	if (n != NULL && common == n->depth && n->depth < depth) {
		unsigned nib = nibble_at(key, n->depth);

		if (n->ext & 1u << nib) {
			struct node *child = n->child[child_index(n, nib)], *was = child;

			trie_add(c, &child, key, plen, neg);
			if (c->nomem || child == was)
				return;
			n = node_own(c, n);
			if (n == NULL) {	/* not ours, so the new child is not reached by anything */
				trie_abandon(c, child);
				return;
			}
			n->child[child_index(n, nib)] = child;
			*np = n;
			return;
		}
	} else if (n != NULL && common == n->depth && n->depth == depth) {
		n = node_own(c, n);
		if (n == NULL)
			return;
		bit = internal_bit(key, depth, plen & 3);
		n->internal |= (uint16_t)(1u << bit);
		n->neg = (uint16_t)((n->neg & ~(1u << bit)) | (unsigned)neg << bit);
		*np = n;
		return;
	}
	leaf = node_new(c, key, depth, n != NULL && common == depth ? 1 : 0);
	if (leaf == NULL)
		return;
	bit = plen & 3 ? internal_bit(key, depth, plen & 3) : 0;
	leaf->internal = (uint16_t)(1u << bit);
	leaf->neg = (uint16_t)((unsigned)neg << bit);
	if (n == NULL) {
		*np = leaf;
	} else if (common == n->depth) {	/* below n, at a free nibble */
		mid = node_add_child(c, n, nibble_at(key, n->depth), leaf);
		if (mid == NULL)
			free(leaf);
		else
			*np = mid;
	} else if (common == depth) {		/* above n */
		leaf->ext = (uint16_t)(1u << nibble_at(&n->key, depth));
		leaf->child[0] = n;
		*np = leaf;
	} else {				/* beside n */
		unsigned a = nibble_at(&n->key, common), b = nibble_at(key, common);

		mid = node_new(c, key, common, 2);
		if (mid == NULL) {
			free(leaf);
			return;
		}
		mid->ext = (uint16_t)(1u << a | 1u << b);
		mid->child[a > b] = n;
		mid->child[a < b] = leaf;
		*np = mid;
	}
}

/* Take out a prefix that is there. A node without a decision and with less than two children goes too. */
static void
trie_delete(struct change *c, struct node **np, const union pol_ip *key, unsigned plen)
{
	struct node *n = *np;

	if (n->depth < (plen & ~3u)) {
		unsigned nib = nibble_at(key, n->depth);
		struct node *child = n->child[child_index(n, nib)], *was = child;

		trie_delete(c, &child, key, plen);
		if (c->nomem || child == was)
			return;
		if (child == NULL) {
			n = node_del_child(c, n, nib);
		} else {
			n = node_own(c, n);
			if (n != NULL)
				n->child[child_index(n, nib)] = child;
			else
				trie_abandon(c, child);
		}
	} else {
		n = node_own(c, n);
		if (n != NULL) {
			uint16_t bit = (uint16_t)(1u << internal_bit(key, n->depth, plen & 3));

			n->internal &= (uint16_t)~bit;
			n->neg &= (uint16_t)~bit;
		}
	}
	if (n == NULL)
		return;
	*np = n;
	if (n->internal == 0 && __builtin_popcount(n->ext) < 2) {
		*np = n->ext != 0 ? n->child[0] : NULL;
		node_drop(c, n);
	}
}

/* Is exactly this prefix there? 0 no, 1 yes, -1 as an exception. */
static int
trie_exact(const struct node *n, const union pol_ip *key, unsigned plen)
{
	unsigned depth = plen & ~3u;

	while (n != NULL && n->depth <= depth && common_bits(key, &n->key, n->depth) == n->depth) {
		if (n->depth == depth) {
			uint16_t bit = (uint16_t)(1u << internal_bit(key, depth, plen & 3));

			return n->internal & bit ? (n->neg & bit ? -1 : 1) : 0;
		}
		unsigned nib = nibble_at(key, n->depth);

		n = n->ext & 1u << nib ? n->child[child_index(n, nib)] : NULL;
	}
	return 0;
}

/* Bits of `internal` that cover nibble n: prefixes of 0, 1, 2 and 3 bits; longer ones are higher bits. */
static const uint16_t covers[16] = {
#define C(n) (uint16_t)(1u | 1u << (1 + ((n) >> 3)) | 1u << (3 + ((n) >> 2)) | 1u << (7 + ((n) >> 1)))
	C(0), C(1), C(2), C(3), C(4), C(5), C(6), C(7), C(8), C(9), C(10), C(11), C(12), C(13), C(14), C(15),
#undef C
};

bool
pol_table_contains(const struct pol_table *t, uint8_t af, const union pol_ip *addr)
{
	const struct node *n = __atomic_load_n(&t->root[af == POL_AF_INET6], __ATOMIC_ACQUIRE);
	unsigned bits = max_bits(af);
	bool in = false;

	while (n != NULL && common_bits(addr, &n->key, n->depth) == n->depth) {
		unsigned nib, hit;

		if (n->depth == bits)
			return n->internal & 1 ? !(n->neg & 1) : in;
		nib = nibble_at(addr, n->depth);
		hit = n->internal & covers[nib];
		if (hit != 0)
			in = !(n->neg >> (31 - __builtin_clz(hit)) & 1);
		if (!(n->ext & 1u << nib))
			break;
		n = n->child[child_index(n, nib)];
	}
	return in;
}

/* Chain a whole trie to dead. */
static void
trie_kill(struct change *c, struct node *n)
{
	if (n == NULL)
		return;
	for (int i = 0, k = __builtin_popcount(n->ext); i < k; i++)
		trie_kill(c, n->child[i]);
	n->next = c->dead;
	c->dead = n;
}

static void
free_chain(void *p)
{
	for (struct node *n = p, *next; n != NULL; n = next) {
		next = n->next;
		free(n);
	}
}

static void
change_begin(struct pol_table *t, struct change *c, bool empty)
{
	memset(c, 0, sizeof(*c));
	c->gen = ++t->gen;
	if (!empty)
		memcpy(c->root, t->root, sizeof(c->root));
}

static void
change_publish(struct pol_table *t, struct change *c, unsigned count, const struct pol_reclaim *rc)
{
	for (int i = 0; i < 2; i++)
		if (t->root[i] != c->root[i])
			__atomic_store_n(&t->root[i], c->root[i], __ATOMIC_RELEASE);
	__atomic_store_n(&t->count, count, __ATOMIC_RELAXED);
	if (c->dead == NULL)
		return;
	if (rc != NULL && rc->defer != NULL)
		rc->defer(rc->arg, free_chain, c->dead);
	else
		free_chain(c->dead);
}

static bool
entry_valid(const struct pol_table_entry *e)
{
	return (e->af == POL_AF_INET && e->plen <= 32) || (e->af == POL_AF_INET6 && e->plen <= 128);
}

static bool
entries_valid(const struct pol_table_entry *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!entry_valid(&e[i]))
			return false;
	return true;
}

/*
 * The chain of dead nodes is built while the operation may still fail, and a node's gen is overwritten by the chain; to
 * give up, gens must be whole again. No live operation has gen 0, which is all that an old node's gen must differ by.
 */
static int
change_fail(struct change *c)
{
	for (struct node *n = c->dead, *next; n != NULL; n = next) {
		next = n->next;
		n->gen = 0;
	}
	for (int i = 0; i < 2; i++)
		trie_abandon(c, c->root[i]);
	return -ENOMEM;
}

static union pol_ip
entry_key(const struct pol_table_entry *e)
{
	union pol_ip key = e->addr;

	mask_bits(&key, e->plen);
	return key;
}

static int
table_change(struct pol_table *t, const struct pol_table_entry *e, unsigned n, bool add, const struct pol_reclaim *rc)
{
	struct change c;
	int changed = 0;

	if (t->flags & POL_TABLE_CONST)
		return -EPERM;
	if (!entries_valid(e, n))
		return -EINVAL;
	change_begin(t, &c, false);
	for (unsigned i = 0; i < n; i++) {
		union pol_ip key = entry_key(&e[i]);
		struct node **root = &c.root[e[i].af == POL_AF_INET6];
		int have = trie_exact(*root, &key, e[i].plen);

		if (add ? have != 0 : have != (e[i].neg ? -1 : 1))
			continue;
		if (add)
			trie_add(&c, root, &key, e[i].plen, e[i].neg);
		else
			trie_delete(&c, root, &key, e[i].plen);
		if (c.nomem)
			return change_fail(&c);
		changed++;
	}
	change_publish(t, &c, add ? t->count + (unsigned)changed : t->count - (unsigned)changed, rc);
	return changed;
}

int
pol_table_add(struct pol_table *t, const struct pol_table_entry *e, unsigned n, const struct pol_reclaim *rc)
{
	return table_change(t, e, n, true, rc);
}

int
pol_table_delete(struct pol_table *t, const struct pol_table_entry *e, unsigned n, const struct pol_reclaim *rc)
{
	return table_change(t, e, n, false, rc);
}

int
pol_table_replace(struct pol_table *t, const struct pol_table_entry *e, unsigned n, const struct pol_reclaim *rc)
{
	unsigned count = 0, kept = 0, signs = 0;
	struct change c;

	if (t->flags & POL_TABLE_CONST)
		return -EPERM;
	if (!entries_valid(e, n))
		return -EINVAL;
	change_begin(t, &c, true);
	for (unsigned i = 0; i < n; i++) {
		union pol_ip key = entry_key(&e[i]);
		int f = e[i].af == POL_AF_INET6, was;

		if (trie_exact(c.root[f], &key, e[i].plen) != 0)
			continue;
		trie_add(&c, &c.root[f], &key, e[i].plen, e[i].neg);
		if (c.nomem)
			return change_fail(&c);
		count++;
		was = trie_exact(t->root[f], &key, e[i].plen);
		kept += was != 0;
		signs += was == (e[i].neg ? 1 : -1);
	}
	for (int i = 0; i < 2; i++)
		trie_kill(&c, t->root[i]);
	n = count - kept + t->count - kept + signs;
	change_publish(t, &c, count, rc);
	return (int)n;
}

int
pol_table_flush(struct pol_table *t, const struct pol_reclaim *rc)
{
	return pol_table_replace(t, NULL, 0, rc);
}

struct pol_table *
pol_table_create(const char *name, unsigned flags)
{
	struct pol_table *t;

	if (name[0] == '\0' || strlen(name) >= sizeof(t->name)) {
		errno = EINVAL;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	strcpy(t->name, name);
	t->flags = flags;
	return t;
}

void
pol_table_free(struct pol_table *t)
{
	struct change c = { 0 };

	if (t == NULL)
		return;
	trie_kill(&c, t->root[0]);
	trie_kill(&c, t->root[1]);
	free_chain(c.dead);
	free(t);
}

const char *
pol_table_name(const struct pol_table *t)
{
	return t->name;
}

unsigned
pol_table_flags(const struct pol_table *t)
{
	return t->flags;
}

void
pol_table_set_flags(struct pol_table *t, unsigned flags)
{
	t->flags = flags;
}

unsigned
pol_table_count(const struct pol_table *t)
{
	return __atomic_load_n(&t->count, __ATOMIC_RELAXED);
}

struct listing {
	struct pol_table_entry *out;
	unsigned n, max;
	uint8_t af;
};

static void
list_entry(struct listing *l, const struct node *n, unsigned bit, unsigned len, unsigned nib)
{
	struct pol_table_entry *e;

	if (l->n++ >= l->max)
		return;
	e = &l->out[l->n - 1];
	memset(e, 0, sizeof(*e));
	e->addr = n->key;
	if (len > 0)
		e->addr.b[n->depth >> 3] |= (uint8_t)(n->depth & 4 ? nib : nib << 4);
	e->af = l->af;
	e->plen = (uint8_t)(n->depth + len);
	e->neg = n->neg >> bit & 1;
}

static void
list_node(struct listing *l, const struct node *n)
{
	if (n == NULL)
		return;
	if (n->depth == max_bits(l->af)) {
		if (n->internal & 1)
			list_entry(l, n, 0, 0, 0);
		return;
	}
	for (unsigned nib = 0; nib < 16; nib++) {
		for (unsigned len = 0; len < 4; len++) {
			unsigned bit = (1u << len) - 1 + (len == 0 ? 0 : nib >> (4 - len));

			if ((nib & ((1u << (4 - len)) - 1)) == 0 && n->internal & 1u << bit)
				list_entry(l, n, bit, len, nib);
		}
		if (n->ext & 1u << nib)
			list_node(l, n->child[child_index(n, nib)]);
	}
}

unsigned
pol_table_list(const struct pol_table *t, struct pol_table_entry *out, unsigned max)
{
	struct listing l = { .out = out, .max = out == NULL ? 0 : max, .af = POL_AF_INET };

	list_node(&l, t->root[0]);
	l.af = POL_AF_INET6;
	list_node(&l, t->root[1]);
	return l.n;
}

/* "10", "10.1" and so on stand for the network that they begin. Returns the bits given, -1 when it is no address. */
static int
parse_inet(const char *s, union pol_ip *ip)
{
	int n = 0;

	for (;; s++) {
		unsigned v = 0, digits = 0;

		for (; isdigit((unsigned char)*s) && digits < 4; s++, digits++)
			v = v * 10 + (unsigned)(*s - '0');
		if (digits == 0 || digits > 3 || v > 255 || n == 4)
			return -1;
		ip->b[n++] = (uint8_t)v;
		if (*s == '\0')
			return n * 8;
		if (*s != '.')
			return -1;
	}
}

int
pol_table_entry_parse(const char *text, struct pol_table_entry *e)
{
	char addr[64], *slash;
	int bits, max;

	memset(e, 0, sizeof(*e));
	while (isspace((unsigned char)*text))
		text++;
	if (*text == '!') {
		e->neg = true;
		for (text++; isspace((unsigned char)*text); text++)
			;
	}
	if (strlen(text) >= sizeof(addr))
		return -EINVAL;
	strcpy(addr, text);
	slash = strchr(addr, '/');
	if (slash != NULL)
		*slash++ = '\0';
	if (strchr(addr, ':') != NULL) {
		if (inet_pton(AF_INET6, addr, &e->addr) != 1)
			return -EINVAL;
		e->af = POL_AF_INET6;
		bits = max = 128;
	} else {
		bits = parse_inet(addr, &e->addr);
		if (bits < 0)
			return -EINVAL;
		e->af = POL_AF_INET;
		max = 32;
	}
	if (slash != NULL) {
		size_t digits = strspn(slash, "0123456789");

		if (digits == 0 || digits > 3 || slash[digits] != '\0' || atoi(slash) > max)
			return -EINVAL;
		bits = atoi(slash);
	}
	e->plen = (uint8_t)bits;
	mask_bits(&e->addr, e->plen);
	return 0;
}

int
pol_table_entry_snprint(const struct pol_table_entry *e, char *buf, size_t size)
{
	char addr[INET6_ADDRSTRLEN] = "?";

	inet_ntop(e->af == POL_AF_INET6 ? AF_INET6 : AF_INET, &e->addr, addr, sizeof(addr));
	if (e->plen == max_bits(e->af))
		return snprintf(buf, size, "%s%s", e->neg ? "!" : "", addr);
	return snprintf(buf, size, "%s%s/%u", e->neg ? "!" : "", addr, e->plen);
}
