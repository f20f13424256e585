/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State table beside rte_hash, in turns in the same run: uniformly random lookups in bursts of 32 with the record's first
 * line written, and inserts. EAL has to be up, with memory for the reference: about 100 bytes a state.
 */
#ifndef TABLE_BENCH_H
#define TABLE_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct table_bench {
	/* in */
	uint32_t records;	/* connections, each of two pf states */
	bool v6;
	bool huge;		/* try huge pages; transparent ones are tried anyway */
	unsigned ms;		/* time for the lookups of each of the two */
	/* out; TSC cycles per operation. Lookups: median over turns */
	double lookup, lookup_ref, keys; /* keys: making the key, taken off the other two */
	double insert, insert_ref;	/* burst looked up in vain; then record zeroed and published, or key added */
	double scan;			/* expiry scan, per record */
	double bytes;			/* per record, index included */
	double bucket_load;
	uint32_t overflow_buckets;
	char pages[16];
};

/* 0 or negative errno: -ENOMEM. */
int table_bench_run(struct table_bench *b);
/* The columns of table_bench_print(), and what they mean. */
void table_bench_header(FILE *f);
void table_bench_print(const struct table_bench *b, FILE *f);

#endif
