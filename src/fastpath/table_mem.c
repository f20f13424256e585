/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the state table: address ranges, pages, pools; create and destroy.
 *
 * Everything is reserved in full at create and costs only address space until touched. What expected_states needs is
 * populated at create, on the right NUMA node; beyond that pages come on first touch, or before it by
 * fp_table_prefault().
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "table_priv.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#define SIZE_2M ((size_t)2 << 20)
#define SIZE_1G ((size_t)1 << 30)
/* Halves that a bucket is made for: 3 records of two halves each, 6 when all are uncoupled. */
#define HALVES_PER_BUCKET 6
/* Records in flight beside the published ones: pending a grace period, in the hands of either inserter. */
#define POOL_SLACK(n) ((n) / 16 + 4 * FP_POOL_BATCH + FP_POOL_GIVE)

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static void *
map_hugetlb(struct fp_region *r, size_t size, size_t page, int log2, const char *name)
{
	size_t len = round_up(size, page);
	/* without MAP_NORESERVE the kernel says now whether it has the pages, instead of SIGBUS later */
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | log2 << MAP_HUGE_SHIFT, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	r->size = len;
	strcpy(r->pages, name);
	return p;
}

/* Is transparent huge page support on for ranges that ask for it? */
static bool
thp_enabled(void)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	char buf[128];
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return false;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	return strstr(buf, "[never]") == NULL;
}

/*
 * Pages of this range come from that node as long as it has any. The system call itself: libnuma adds nothing here. A
 * kernel without NUMA, or a node that is not there, leaves the range as it is.
 */
static void
region_bind(const struct fp_region *r, int socket)
{
	unsigned long mask[16] = { 0 };
	unsigned bits = 8 * sizeof(mask[0]);

	if (socket < 0 || (unsigned)socket >= bits * 16)
		return;
	mask[(unsigned)socket / bits] = 1ul << (unsigned)socket % bits;
	syscall(SYS_mbind, r->base, r->size, MPOL_PREFERRED, mask, sizeof(mask) * 8, 0);
}

int
fp_region_map(struct fp_region *r, size_t size, size_t prefault, bool huge, int socket)
{
	void *p = NULL;
	uint8_t *start;
	size_t pad;

	memset(r, 0, sizeof(*r));
	size = round_up(size ? size : 1, size >= SIZE_2M / 2 ? SIZE_2M : 4096);
	if (huge && size >= SIZE_1G)
		p = map_hugetlb(r, size, SIZE_1G, 30, "1G");
	if (p == NULL && huge && size >= SIZE_2M)
		p = map_hugetlb(r, size, SIZE_2M, 21, "2M");
	if (p == NULL) {
		/* a range that can hold huge pages starts on such a boundary: map more and cut */
		pad = size >= SIZE_2M ? SIZE_2M : 0;
		p = mmap(NULL, size + pad, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			return -ENOMEM;
		if (pad) {
			start = (uint8_t *)round_up((size_t)p, pad);
			if (start != (uint8_t *)p)
				munmap(p, (size_t)(start - (uint8_t *)p));
			if (start + size != (uint8_t *)p + size + pad)
				munmap(start + size, (size_t)((uint8_t *)p + pad - start));
			p = start;
		}
		r->size = size;
		strcpy(r->pages, "4K");
		if (pad && thp_enabled() && madvise(p, size, MADV_HUGEPAGE) == 0)
			strcpy(r->pages, "thp");
	}
	r->base = p;
	region_bind(r, socket);
	fp_region_populate(r, prefault);
	return 0;
}

void
fp_region_unmap(struct fp_region *r)
{
	if (r->base != NULL)
		munmap(r->base, r->size);
	r->base = NULL;
}

/* Has pages for [0, to). Safe beside threads that use the range: contents do not change. */
void
fp_region_populate(struct fp_region *r, size_t to)
{
	to = round_up(to < r->size ? to : r->size, 4096);
	if (to > r->size)
		to = r->size;
	if (to <= r->ahead)
		return;
#ifdef MADV_POPULATE_WRITE
	/* before Linux 5.14: EINVAL; then first touch does it */
	if (madvise(r->base + r->ahead, to - r->ahead, MADV_POPULATE_WRITE) != 0 && errno != EINVAL)
		return;
#endif
	r->ahead = to;
}

void *
fp_pool_item(const struct fp_pool *p, uint32_t nr)
{
	return p->mem.base + (size_t)nr * p->item_size;
}

static int
pool_init(struct fp_pool *p, uint32_t item_size, uint32_t link_offset, uint32_t capacity, uint32_t prefault,
	const struct fp_table_conf *conf)
{
	int rc;

	p->item_size = item_size;
	p->link_offset = link_offset;
	p->capacity = capacity;
	p->returned = FP_STATE_NONE;
	rc = fp_region_map(&p->mem, (size_t)capacity * item_size, (size_t)prefault * item_size, conf->huge, conf->socket);
	if (rc == 0)
		rc = fp_region_map(&p->stack_mem, (size_t)capacity * sizeof(uint32_t), 0, false, conf->socket);
	p->stack = (uint32_t *)p->stack_mem.base;
	return rc;
}

static void
pool_fini(struct fp_pool *p)
{
	fp_region_unmap(&p->mem);
	fp_region_unmap(&p->stack_mem);
}

/* The first of up to FP_POOL_BATCH fresh numbers. */
static uint32_t
pool_carve(struct fp_pool *p, uint32_t *n)
{
	uint32_t old, new;

	do {
		old = fp_load(&p->carved);
		new = p->capacity - old < FP_POOL_BATCH ? p->capacity : old + FP_POOL_BATCH;
	} while (new != old && !fp_cas32(&p->carved, old, new));
	*n = new - old;
	return old;
}

static uint32_t
pool_get_owner(struct fp_pool *p)
{
	uint32_t first, n;

	if (p->stack_len == 0) {
		first = pool_carve(p, &n);
		if (n == 0)
			fp_pool_exchange(p, FP_POOL_BATCH); /* the sync lcore may have returned some */
		/* downwards, so that numbers go out upwards */
		while (n > 0)
			p->stack[p->stack_len++] = first + --n;
		if (p->stack_len == 0)
			return FP_STATE_NONE;
	}
	if (p->stack_len > 2)
		__builtin_prefetch(fp_pool_item(p, p->stack[p->stack_len - 3]), 1, 3);
	return p->stack[--p->stack_len];
}

static uint32_t
pool_get_sync(struct fp_pool *p)
{
	uint32_t first, n, head;

	if (p->sync_len == 0) {
		head = p->give_head;
		/* acquire: entries, and the items as the owner left them; pairs with pool_give() */
		n = fp_load_acq(&p->give_tail) - head;
		if (n > FP_POOL_BATCH)
			n = FP_POOL_BATCH;
		for (uint32_t i = 0; i < n; i++)
			p->sync[p->sync_len++] = p->give[(head + i) & (FP_POOL_GIVE - 1)];
		fp_store_rel(&p->give_head, head + n);
		if (n == 0) {
			first = pool_carve(p, &n);
			while (n > 0)
				p->sync[p->sync_len++] = first + --n;
		}
		if (p->sync_len == 0)
			return FP_STATE_NONE;
	}
	if (p->sync_len > 2)
		__builtin_prefetch(fp_pool_item(p, p->sync[p->sync_len - 3]), 1, 3);
	return p->sync[--p->sync_len];
}

uint32_t
fp_pool_get(struct fp_pool *p, bool by_sync)
{
	return by_sync ? pool_get_sync(p) : pool_get_owner(p);
}

void
fp_pool_put(struct fp_pool *p, uint32_t nr)
{
	p->stack[p->stack_len++] = nr;
	if (p->stack_len > p->stack_peak)
		fp_store(&p->stack_peak, p->stack_len);
}

void
fp_pool_return(struct fp_pool *p, uint32_t nr)
{
	uint32_t *link = (uint32_t *)((uint8_t *)fp_pool_item(p, nr) + p->link_offset), head;

	/* only this thread pushes and the owner takes all at once: no ABA */
	do {
		head = fp_load(&p->returned);
		*link = head;
	} while (!fp_cas32(&p->returned, head, nr));
}

void
fp_pool_unget(struct fp_pool *p, uint32_t nr, bool by_sync)
{
	if (!by_sync)
		fp_pool_put(p, nr);
	else if (p->sync_len < FP_POOL_SYNC)
		p->sync[p->sync_len++] = nr;
	else
		fp_pool_return(p, nr);
}

/* Everything that was returned goes to the stack; lists are short: lost races and cancelled records. */
static void
pool_take_returned(struct fp_pool *p)
{
	uint32_t nr;

	if (fp_load(&p->returned) == FP_STATE_NONE)
		return;
	nr = fp_swap(&p->returned, FP_STATE_NONE); /* acquire: pairs with the push */
	while (nr != FP_STATE_NONE) {
		uint32_t next = *(uint32_t *)((uint8_t *)fp_pool_item(p, nr) + p->link_offset);

		fp_pool_put(p, nr);
		nr = next;
	}
}

/*
 * Half of what is free goes to the sync lcore at most, so that neither can starve the other. Fresh numbers are enough for
 * it until they are used up; items below `carved` that nobody uses are the ones worth handing over.
 */
static void
pool_give(struct fp_pool *p, unsigned n)
{
	uint32_t tail = p->give_tail, head = fp_load_acq(&p->give_head); /* pairs with pool_get_sync(): entries were read */
	uint32_t space = FP_POOL_GIVE - (tail - head), len = p->stack_len / 2;

	if (n > space)
		n = space;
	if (n > len)
		n = len;
	for (uint32_t i = 0; i < n; i++)
		p->give[(tail + i) & (FP_POOL_GIVE - 1)] = p->stack[--p->stack_len];
	if (n > 0)
		fp_store_rel(&p->give_tail, tail + n);
}

void
fp_pool_exchange(struct fp_pool *p, unsigned n)
{
	pool_take_returned(p);
	if (p->stack_len > FP_POOL_BATCH)
		pool_give(p, n);
}

static int
table_check_conf(const struct fp_table_conf *conf)
{
	if (conf->max_states == 0 || conf->max_states > FP_TABLE_MAX_STATES ||
	    conf->reserve_states > FP_TABLE_MAX_STATES || conf->expected_states > FP_TABLE_MAX_STATES)
		return -EINVAL;
	return 0;
}

struct fp_table *
fp_table_create(const struct fp_table_conf *conf)
{
	uint32_t reserve, expected, capacity, over, nbuckets, v4, v6;
	struct fp_region self;
	struct fp_table *t;
	int rc = table_check_conf(conf);

	if (rc != 0) {
		errno = -rc;
		return NULL;
	}
	reserve = conf->reserve_states > conf->max_states ? conf->reserve_states : conf->max_states;
	expected = conf->expected_states ? conf->expected_states : conf->max_states;
	if (expected > reserve)
		expected = reserve;
	capacity = reserve + POOL_SLACK(reserve);
	nbuckets = expected / HALVES_PER_BUCKET + 1;
	/* a bucket at the end of a chain holds something, so this covers any distribution of keys */
	over = conf->overflow_buckets ? conf->overflow_buckets : capacity;

	if (fp_region_map(&self, sizeof(*t), sizeof(*t), false, conf->socket) != 0) {
		errno = ENOMEM;
		return NULL;
	}
	t = (struct fp_table *)self.base;
	t->self_size = self.size;
	t->qs = conf->qs;
	t->max_states = conf->max_states;
	t->reserve_states = reserve;
	t->expected_states = expected;
	t->view.nbuckets = nbuckets;
	t->view.secret[0] = conf->hash_secret[0];
	t->view.secret[1] = conf->hash_secret[1];
	t->open.head = t->waiting.head = t->ripe.head = t->ext_free = FP_STATE_NONE;
	t->ext_capacity = capacity;

	/* a forwarded connection is one record of two halves; one in eight speaks IPv6 to begin with */
	v4 = expected / 2 + 1;
	v6 = expected / 16 + 1;
	rc = fp_region_map(&t->index_mem, (size_t)nbuckets * sizeof(struct fp_bucket), SIZE_MAX, conf->huge, conf->socket);
	if (rc == 0)
		rc = pool_init(&t->pool[FP_CLASS_V4], sizeof(struct fp_state), offsetof(struct fp_state, ext), capacity, v4, conf);
	if (rc == 0)
		rc = pool_init(&t->pool[FP_CLASS_V6], sizeof(struct fp_state6), offsetof(struct fp_state, ext), capacity, v6, conf);
	if (rc == 0)
		rc = pool_init(&t->over, sizeof(struct fp_bucket), offsetof(struct fp_bucket, link), over, nbuckets / 16, conf);
	for (int c = 0; rc == 0 && c < FP_CLASSES; c++)
		rc = fp_region_map(&t->live_mem[c], capacity, c == FP_CLASS_V4 ? v4 : v6, false, conf->socket);
	if (rc == 0)
		rc = fp_region_map(&t->ext_mem, (size_t)capacity * sizeof(struct fp_state_ext), 0, false, conf->socket);
	if (rc != 0) {
		fp_table_destroy(t);
		errno = -rc;
		return NULL;
	}
	t->view.buckets = (struct fp_bucket *)t->index_mem.base;
	t->view.overflow = (struct fp_bucket *)t->over.mem.base;
	for (int c = 0; c < FP_CLASSES; c++) {
		t->view.records[c] = t->pool[c].mem.base;
		t->live[c] = t->live_mem[c].base;
	}
	return t;
}

void
fp_table_destroy(struct fp_table *t)
{
	if (t == NULL)
		return;
	fp_region_unmap(&t->index_mem);
	for (int c = 0; c < FP_CLASSES; c++) {
		pool_fini(&t->pool[c]);
		fp_region_unmap(&t->live_mem[c]);
	}
	pool_fini(&t->over);
	fp_region_unmap(&t->ext_mem);
	munmap(t, t->self_size);
}

int
fp_table_resize_limit(struct fp_table *t, uint32_t max_states)
{
	if (max_states > t->reserve_states)
		return -ERANGE;
	fp_store(&t->max_states, max_states);
	return 0;
}

/* A sixteenth more than was ever used, 4 MB at least: a second of growth at some millions of states a second. */
static void
region_ahead(struct fp_region *r, size_t used)
{
	fp_region_populate(r, used + used / 16 + 2 * SIZE_2M);
}

void
fp_table_prefault(struct fp_table *t)
{
	for (int c = 0; c < FP_CLASSES; c++) {
		struct fp_pool *p = &t->pool[c];
		size_t carved = fp_load(&p->carved);

		if (carved == 0)
			continue;
		region_ahead(&p->mem, carved * p->item_size);
		region_ahead(&t->live_mem[c], carved);
	}
	if (fp_load(&t->over.carved) > 0)
		region_ahead(&t->over.mem, (size_t)fp_load(&t->over.carved) * t->over.item_size);
}

static void
info_region(struct fp_table_info *info, const struct fp_region *r, size_t used)
{
	info->bytes_reserved += r->size;
	if (used < r->ahead)
		used = r->ahead;
	info->bytes_touched += round_up(used < r->size ? used : r->size, 4096);
}

void
fp_table_info(const struct fp_table *t, struct fp_table_info *info)
{
	memset(info, 0, sizeof(*info));
	info->records = fp_load(&t->records) + fp_load(&t->sync_records);
	info->halves = fp_table_halves(t);
	info->max_states = fp_load(&t->max_states);
	info->buckets = (uint32_t)t->view.nbuckets;
	info->overflow_buckets = fp_load(&t->overflow_used) + fp_load(&t->sync_overflow_used);
	info->tombs = fp_load(&t->withdrawn) + fp_load(&t->sync_withdrawn);
	info->pending_free = fp_load(&t->pending_free);
	info->bytes_reserved = info->bytes_touched = t->self_size;
	info_region(info, &t->index_mem, t->index_mem.size);
	for (int c = 0; c < FP_CLASSES; c++) {
		size_t carved = fp_load(&t->pool[c].carved);

		info_region(info, &t->pool[c].mem, carved * t->pool[c].item_size);
		info_region(info, &t->pool[c].stack_mem, (size_t)fp_load(&t->pool[c].stack_peak) * sizeof(uint32_t));
		info_region(info, &t->live_mem[c], carved);
	}
	info_region(info, &t->over.mem, (size_t)fp_load(&t->over.carved) * t->over.item_size);
	info_region(info, &t->over.stack_mem, (size_t)fp_load(&t->over.stack_peak) * sizeof(uint32_t));
	info_region(info, &t->ext_mem, (size_t)fp_load(&t->ext_carved) * sizeof(struct fp_state_ext));
	/* the pages that records are on matter most */
	strcpy(info->pages, t->pool[FP_CLASS_V4].mem.pages);
}
