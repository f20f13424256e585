/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * twinpath-bench: what scenarios share. Every figure is a median of repeats, taken in turns with its reference in the same
 * run, and says how far the repeats lie apart: shared machines are noisy.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct bench_opt {
	bool quick;		/* seconds instead of minutes; small tables */
	FILE *json;		/* one object a figure, or NULL */
	uint64_t seed;
	uint64_t max_flows;	/* largest table to try */
};

struct bench_scenario {
	const char *name, *help;
	int (*run)(const struct bench_opt *opt);	/* 0, or 1 after a message */
};

extern const struct bench_scenario bench_fastpath, bench_table, bench_sync, bench_sync_encode, bench_sync_forward, bench_sync_apply,
	bench_sync_insert, bench_sync_load, bench_lag, bench_bulk;

/* Median, and half the distance between the quartiles, of n values; sorts v. */
double bench_median(double *v, unsigned n, double *spread);
/* Print one line of the environment: machine, clock, build. */
void bench_environment(FILE *json);
void bench_json(const struct bench_opt *opt, const char *scenario, const char *what, const char *params, double value,
	double spread, const char *unit);
uint64_t bench_random(uint64_t *s);

#endif
