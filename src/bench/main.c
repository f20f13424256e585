/* SPDX-License-Identifier: BSD-2-Clause */
/* twinpath-bench: benchmarks of the fast path, each beside a reference in the same run. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_version.h>

#include <twinpath/twinpath.h>

#include "bench.h"

static const struct bench_scenario *const scenarios[] = { &bench_fastpath, &bench_table, &bench_sync, &bench_sync_encode,
	&bench_sync_forward, &bench_sync_apply, &bench_sync_insert, &bench_sync_load,
	&bench_lag, &bench_bulk };
#define N_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static int
cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
bench_median(double *v, unsigned n, double *spread)
{
	qsort(v, n, sizeof(*v), cmp);
	if (spread != NULL)
		*spread = (v[n * 3 / 4] - v[n / 4]) / 2;
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

uint64_t
bench_random(uint64_t *s)
{	/* splitmix64 */
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void
line_of(const char *file, const char *key, char *out, size_t size)
{
	char buf[128];
	FILE *f = fopen(file, "r");

	snprintf(out, size, "unknown");
	while (f != NULL && fgets(buf, sizeof(buf), f) != NULL)
		if (strncmp(buf, key, strlen(key)) == 0) {
			char *v = strchr(buf, ':');

			v = v != NULL ? v + 1 + strspn(v + 1, " \t") : buf;
			v[strcspn(v, "\n")] = '\0';
			snprintf(out, size, "%s", v);
			break;
		}
	if (f != NULL)
		fclose(f);
}

void
bench_environment(FILE *json)
{
	char cpu[128], huge[64];

	line_of("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	line_of("/proc/meminfo", "HugePages_Total", huge, sizeof(huge));
	printf("twinpath %s, %s, %s, TSC %.0f MHz, built for %s, hugepages %s\n", TWINPATH_VERSION, rte_version(), cpu,
		rte_get_tsc_hz() / 1e6, BENCH_MARCH, huge);
	if (json != NULL)
		fprintf(json, "{\"environment\":{\"version\":\"%s\",\"dpdk\":\"%s\",\"cpu\":\"%s\",\"tsc_hz\":%lu,"
			"\"march\":\"%s\",\"hugepages\":\"%s\"}}\n", TWINPATH_VERSION, rte_version(), cpu,
			(unsigned long)rte_get_tsc_hz(), BENCH_MARCH, huge);
}

void
bench_json(const struct bench_opt *opt, const char *scenario, const char *what, const char *params, double value,
	double spread, const char *unit)
{
	if (opt->json == NULL)
		return;
	fprintf(opt->json, "{\"scenario\":\"%s\",\"what\":\"%s\",%s%s\"value\":%.3f,\"spread\":%.3f,\"unit\":\"%s\"}\n",
		scenario, what, params, params[0] != '\0' ? "," : "", value, spread, unit);
	fflush(opt->json);
}

static void
usage(FILE *f)
{
	fprintf(f, "usage: twinpath-bench [--quick] [--json FILE] [--seed N] [--max-flows N] [--list | SCENARIO...]\n");
}

int
main(int argc, char **argv)
{
	static const struct option lo[] = { { "list", 0, NULL, 'l' }, { "quick", 0, NULL, 'q' }, { "json", 1, NULL, 'j' },
		{ "seed", 1, NULL, 's' }, { "max-flows", 1, NULL, 'm' }, { "help", 0, NULL, 'h' }, { 0 } };
	struct bench_opt opt = { .seed = 1, .max_flows = 10000000 };
	char prefix[64];
	char *eal[] = { argv[0], "--no-pci", "--no-huge", "-m", "1024", "-l", "0", "--no-telemetry", prefix,
		"--log-level=*:error", NULL };
	int c, rc = 0;

	while ((c = getopt_long(argc, argv, "h", lo, NULL)) != -1)
		switch (c) {
		case 'l':
			for (unsigned i = 0; i < N_SCENARIOS; i++)
				printf("%-12s %s\n", scenarios[i]->name, scenarios[i]->help);
			return 0;
		case 'q':
			opt.quick = true;
			break;
		case 'j':
			if ((opt.json = fopen(optarg, "w")) == NULL) {
				perror(optarg);
				return 1;
			}
			break;
		case 's':
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			opt.max_flows = strtoull(optarg, NULL, 0);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	if (optind == argc) {
		usage(stderr);
		return 2;
	}
	for (int i = optind; i < argc; i++) {
		bool known = false;

		for (unsigned k = 0; k < N_SCENARIOS; k++)
			known |= strcmp(argv[i], scenarios[k]->name) == 0;
		if (!known) {
			fprintf(stderr, "twinpath-bench: %s: no such scenario; --list names them\n", argv[i]);
			return 2;
		}
	}
	snprintf(prefix, sizeof(prefix), "--file-prefix=tpbench%d", (int)getpid());
	if (rte_eal_init(10, eal) < 0) {
		fprintf(stderr, "twinpath-bench: EAL did not start; 1 GB of memory is needed\n");
		return 1;
	}
	bench_environment(opt.json);
	for (int i = optind; i < argc; i++)
		for (unsigned k = 0; k < N_SCENARIOS; k++)
			if (strcmp(argv[i], scenarios[k]->name) == 0)
				rc |= scenarios[k]->run(&opt);
	if (opt.json != NULL)
		fclose(opt.json);
	rte_eal_cleanup();
	return rc;
}
