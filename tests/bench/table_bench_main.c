/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_bench [-6] [-t MS] [RECORDS...]: the state table alone, beside rte_hash. Without arguments: 1 K, 64 K, 1 M.
 * 10 M records want 5 GB of memory. Starts EAL without huge pages; transparent ones serve both sides.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "table_bench.h"

static int
advise(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	(void)msl;
	(void)arg;
	madvise(ms->addr, ms->len, MADV_HUGEPAGE); /* where it is refused both have small pages */
	return 0;
}

int
main(int argc, char **argv)
{
	static const char *const sizes[] = { "1000", "65536", "1000000" };
	char *eal[] = { argv[0], "--no-huge", "--no-shconf", "--no-pci", "-l", "0", "-m", NULL, "--no-telemetry", NULL };
	struct table_bench b = { .ms = 500 };
	uint64_t biggest = 0;
	char mb[16];
	int opt, rc, n;

	while ((opt = getopt(argc, argv, "6t:")) != -1) {
		if (opt == '6') {
			b.v6 = true;
		} else if (opt == 't') {
			b.ms = (unsigned)atoi(optarg);
		} else {
			fprintf(stderr, "usage: table_bench [-6] [-t MS] [RECORDS...]\n");
			return 2;
		}
	}
	n = argc - optind;
	for (int i = 0; i < (n ? n : 3); i++) {
		uint64_t size = strtoull(n ? argv[optind + i] : sizes[i], NULL, 10);

		if (size == 0 || size > 100000000) {
			fprintf(stderr, "table_bench: %s: not a number of records, expected 1 to 100000000\n", argv[optind + i]);
			return 2;
		}
		if (size > biggest)
			biggest = size;
	}
	snprintf(mb, sizeof(mb), "%lu", biggest * 130 / 1000000 + 256);
	eal[7] = mb;
	if (rte_eal_init(9, eal) < 0) {
		fprintf(stderr, "table_bench: EAL does not start\n");
		return 1;
	}
	rte_memseg_walk(advise, NULL);
	table_bench_header(stdout);
	for (int i = 0; i < (n ? n : 3); i++) {
		b.records = (uint32_t)strtoul(n ? argv[optind + i] : sizes[i], NULL, 10);
		rc = table_bench_run(&b);
		if (rc != 0) {
			fprintf(stderr, "table_bench: %u records: %s\n", b.records, strerror(-rc));
			return 1;
		}
		table_bench_print(&b, stdout);
	}
	rte_eal_cleanup();
	return 0;
}
