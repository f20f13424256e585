/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workers' table of neighbours under threads: readers look up without pause while the writer adds, moves, removes and
 * resizes, and frees behind real grace periods. Each neighbour's MAC is a function of its address and of a version in its
 * last byte, so that a torn or freed entry shows. Meant for ThreadSanitizer and AddressSanitizer too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "fastpath/neigh_table.h"

#define READERS 3
#define HOSTS 600
#define ROUNDS 60000

static struct rte_rcu_qsbr *qs;
static struct fp_neigh_table *table;
static bool stop, stable[HOSTS];	/* stable: never removed, so a lookup must find it */
static uint64_t hits[READERS], wrong[READERS];

/* Grace periods as the box has them, without its sizes. */
static struct { void *p; uint64_t token; } fifo[4096];
static unsigned head, len;

static void
reclaim(bool wait)
{
	while (len > 0 && rte_rcu_qsbr_check(qs, fifo[head].token, wait) == 1) {
		free(fifo[head].p);
		head = (head + 1) % RTE_DIM(fifo);
		len--;
	}
}

void
fp_defer(struct fp_box *box, void (*fn)(void *), void *p)
{
	assert_null(fn);
	if (len == RTE_DIM(fifo))
		reclaim(true);
	fifo[(head + len) % RTE_DIM(fifo)].p = p;
	fifo[(head + len++) % RTE_DIM(fifo)].token = rte_rcu_qsbr_start(qs);
}

static uint8_t
host_addr(unsigned i, uint8_t a[16])
{
	memset(a, 0, 16);
	a[0] = i & 1 ? 0xfd : 10;
	a[2] = i >> 8;
	a[3] = i;
	return i & 1 ? FP_AF_INET6 : FP_AF_INET;
}

static void
host_mac(unsigned i, uint8_t version, struct rte_ether_addr *mac)
{
	*mac = (struct rte_ether_addr){ { 2, i >> 8, i, version, (uint8_t)(i * 7 + version), version } };
}

static void *
reader(void *arg)
{
	unsigned id = (uintptr_t)arg, i = id * 37;
	struct rte_ether_addr mac, want;
	uint8_t a[16], af;

	rte_rcu_qsbr_thread_online(qs, id);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (unsigned k = 0; k < 32; k++) {
			i = (i * 5 + 1) % 1024;
			if (i >= HOSTS)
				continue;
			af = host_addr(i, a);
			if (fp_neigh_lookup(table, i % 3, af, a, &mac)) {
				host_mac(i, mac.addr_bytes[5], &want);
				wrong[id] += memcmp(&mac, &want, 6) != 0;
				hits[id]++;
			} else {
				wrong[id] += stable[i];
			}
		}
		rte_rcu_qsbr_quiescent(qs, id);
	}
	rte_rcu_qsbr_thread_offline(qs, id);
	return NULL;
}

static void
readers_and_writer(void **state)
{
	static const uint64_t secret[2] = { 0x1111, 0x2222 };
	static bool in[HOSTS];
	pthread_t threads[READERS];
	struct rte_ether_addr mac;
	uint64_t total = 0, bad = 0;
	unsigned seed = 1, n_in = 0;
	uint8_t a[16], af;

	qs = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(rte_rcu_qsbr_get_memsize(READERS), RTE_CACHE_LINE_SIZE));
	assert_int_equal(rte_rcu_qsbr_init(qs, READERS), 0);
	table = fp_neigh_table_create(secret);
	assert_non_null(table);
	for (unsigned i = 0; i < HOSTS; i += 10) {
		stable[i] = in[i] = true;
		n_in++;
		af = host_addr(i, a);
		host_mac(i, 0, &mac);
		assert_non_null(fp_neigh_table_set(NULL, table, i % 3, af, a, &mac));
	}
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(rte_rcu_qsbr_thread_register(qs, i), 0);
		assert_int_equal(pthread_create(&threads[i], NULL, reader, (void *)(uintptr_t)i), 0);
	}
	for (unsigned r = 0; r < ROUNDS; r++) {
		unsigned i;

		seed = seed * 1103515245 + 12345;
		i = (seed >> 8) % HOSTS;
		af = host_addr(i, a);
		if (in[i] && !stable[i] && (seed >> 20) % 3 != 0) {
			fp_neigh_table_remove(NULL, table, i % 3, af, a);
			in[i] = false;
			n_in--;
		} else {
			host_mac(i, r, &mac);
			assert_non_null(fp_neigh_table_set(NULL, table, i % 3, af, a, &mac));
			n_in += !in[i];
			in[i] = true;
		}
		assert_int_equal(fp_neigh_table_count(table), n_in);
		reclaim(false);
	}
	/* what the writer believes is what is there */
	for (unsigned i = 0; i < HOSTS; i++) {
		af = host_addr(i, a);
		assert_int_equal(fp_neigh_lookup(table, i % 3, af, a, &mac), in[i]);
		assert_false(fp_neigh_lookup(table, i % 3 + 7, af, a, &mac));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		total += hits[i];
		bad += wrong[i];
	}
	print_message("%lu lookups that hit, %lu wrong\n", (unsigned long)total, (unsigned long)bad);
	assert_true(total > 0);
	assert_int_equal(bad, 0);
	reclaim(true);
	fp_neigh_table_destroy(table);
	free(qs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(readers_and_writer) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
