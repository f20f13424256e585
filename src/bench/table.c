/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario `table`: the state table alone beside rte_hash's lock-free bulk lookup and add, in turns. */
#include <string.h>

#include "bench.h"
#include "table_bench.h"

static int
run(const struct bench_opt *opt)
{
	static const uint32_t sizes[] = { 1000, 64000, 1000000 };
	char params[64];

	printf("table: uniformly random lookups in bursts of 32, the record's first line written; TSC cycles, making the key taken off\n");
	table_bench_header(stdout);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct table_bench b = { .records = sizes[i], .v6 = v6, .ms = opt->quick ? 100 : 500 };
			int rc;

			if (sizes[i] > opt->max_flows || (opt->quick && sizes[i] > 64000))
				continue;
			if ((rc = table_bench_run(&b)) != 0) {
				fprintf(stderr, "twinpath-bench: table: %s\n", strerror(-rc));
				return 1;
			}
			table_bench_print(&b, stdout);
			snprintf(params, sizeof(params), "\"af\":\"%s\",\"records\":%u", v6 ? "inet6" : "inet", sizes[i]);
			bench_json(opt, "table", "lookup", params, b.lookup, 0, "cycles");
			bench_json(opt, "table", "lookup_rte_hash", params, b.lookup_ref, 0, "cycles");
			bench_json(opt, "table", "insert", params, b.insert, 0, "cycles");
			bench_json(opt, "table", "insert_rte_hash", params, b.insert_ref, 0, "cycles");
			bench_json(opt, "table", "memory", params, b.bytes, 0, "bytes/record");
		}
	return 0;
}

const struct bench_scenario bench_table = { "table", "state table beside rte_hash: lookup, insert, memory per record", run };
