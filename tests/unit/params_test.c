/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of parameters: every entry round-trips, ranges and words are refused with a sentence. No EAL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/box.h"

static struct fp_params pr;
static struct fp_box box;
static struct fp_err err;

static int
setup(void **state)
{
	memset(&box, 0, sizeof(box));
	memset(&err, 0, sizeof(err));
	fp_params_init(&pr);
	box.params = &pr;
	box.hostid = 0x1234;
	return 0;
}

static const char *
get(const char *name)
{
	static char v[128];

	assert_int_equal(fp_param_get(&box, name, v, sizeof(v)), 0);
	return v;
}

static void
refused(const char *name, const char *value, int code, const char *say)
{
	char before[128];

	before[0] = '\0';
	fp_param_get(&box, name, before, sizeof(before));
	memset(&err, 0, sizeof(err));
	assert_int_equal(fp_param_set(&box, name, value, &err), code);
	if (strstr(err.text, say) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", err.text, say);
	if (code != -ENOENT)
		assert_string_equal(get(name), before);
}

static void
defaults(void **state)
{
	const struct fp_param *p;
	unsigned n;

	p = fp_params(&n);
	assert_true(n > 20);
	for (unsigned i = 0; i < n; i++) {
		assert_true(fp_param_is_default(&box, p[i].name));
		assert_true(strlen(p[i].help) > 5);
		if (strcmp(p[i].name, "hostid") != 0)
			assert_string_equal(get(p[i].name), p[i].def);
		/* What is printed is accepted. */
		assert_int_equal(fp_param_set(&box, p[i].name, get(p[i].name), &err), 0);
	}
	assert_int_equal(pr.workers, 0);
	assert_int_equal(pr.limit_states, 100000);
	assert_int_equal(pr.eval_counts, 2);
	assert_int_equal(pr.socket_mode, 0660);
	assert_true(pr.promisc && pr.rss && pr.redirects);
}

static void
limits(void **state)
{
	const struct fp_param *p;
	unsigned n, tried = 0;
	char v[32];

	p = fp_params(&n);
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(p[i].type, "uint") != 0 || strcmp(p[i].name, "hostid") == 0)
			continue;
		tried++;
		snprintf(v, sizeof(v), "%lld", (long long)p[i].min);
		assert_int_equal(fp_param_set(&box, p[i].name, v, &err), 0);
		snprintf(v, sizeof(v), "%lld", (long long)p[i].max);
		assert_int_equal(fp_param_set(&box, p[i].name, v, &err), 0);
		assert_string_equal(get(p[i].name), v);
		snprintf(v, sizeof(v), "%lld", (long long)p[i].max + 1);
		refused(p[i].name, v, -EINVAL, p[i].unit);
		if (p[i].min > 0) {
			snprintf(v, sizeof(v), "%lld", (long long)p[i].min - 1);
			refused(p[i].name, v, -EINVAL, "is not a number from");
		}
		refused(p[i].name, "-1", -EINVAL, "is not a number from");
		refused(p[i].name, "", -EINVAL, "is not a number from");
		refused(p[i].name, "12x", -EINVAL, "is not a number from");
		refused(p[i].name, "99999999999999999999999", -EINVAL, "is not a number from");
		if (p[i].choices == NULL)
			refused(p[i].name, "auto", -EINVAL, "is not a number from");
		else
			assert_int_equal(fp_param_set(&box, p[i].name, "auto", &err), 0);
	}
	assert_true(tried > 10);
}

static void
words(void **state)
{
	assert_int_equal(fp_param_set(&box, "evaluations", "off", &err), 0);
	assert_int_equal(pr.eval_counts, 0);
	assert_string_equal(get("evaluations"), "off");
	assert_false(fp_param_is_default(&box, "evaluations"));
	refused("evaluations", "o", -EINVAL, "off|on|auto");
	refused("evaluations", "", -EINVAL, "off|on|auto");
	assert_int_equal(fp_param_set(&box, "rss", "off", &err), 0);
	assert_false(pr.rss);
	refused("rss", "maybe", -EINVAL, "on or off");
	assert_int_equal(fp_param_set(&box, "limit   states", "7", &err), 0);
	assert_int_equal(pr.limit_states, 7);
	refused("limit", "7", -ENOENT, "help set");
	refused("limit states more", "7", -ENOENT, "help set");
	refused("nonsense", "7", -ENOENT, "nonsense");
	assert_int_equal(fp_param_set(&box, "idle sleep", "100us", &err), 0);
	assert_int_equal(pr.idle_sleep_us, 100);
	refused("idle sleep", "100ms", -EINVAL, "us");
	assert_int_equal(fp_param_set(&box, "socket mode", "0600", &err), 0);
	assert_int_equal(pr.socket_mode, 0600);
	refused("socket mode", "0900", -EINVAL, "octal");
	refused("socket mode", "1777", -EINVAL, "octal");
}

static void
strings(void **state)
{
	char longer[200];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	refused("socket path", longer, -EINVAL, "107 characters");
	refused("socket path", "", -EINVAL, "107 characters");
	longer[107] = '\0';
	assert_int_equal(fp_param_set(&box, "socket path", longer, &err), 0);
	assert_string_equal(get("socket path"), longer);
	assert_int_equal(fp_param_set(&box, "socket group", "wheel", &err), 0);
	assert_int_equal(fp_param_set(&box, "socket group", "", &err), 0);
}

static void
hostid(void **state)
{
	assert_string_equal(get("hostid"), "0x00001234");
	assert_true(fp_param_is_default(&box, "hostid"));
	assert_int_equal(fp_param_set(&box, "hostid", "0xdeadbeef", &err), 0);
	assert_int_equal(box.hostid, 0xdeadbeef);
	assert_false(fp_param_is_default(&box, "hostid"));
	assert_int_equal(fp_param_set(&box, "hostid", "1", &err), 0);
	assert_int_equal(box.hostid, 1);
	refused("hostid", "0", -EINVAL, "is not a number");
	refused("hostid", "0x100000000", -EINVAL, "is not a number");
}

static void
when(void **state)
{
	box.n_workers = 1;
	refused("workers", "2", -EBUSY, "first start");
	assert_int_equal(fp_param_set(&box, "rx descriptors", "64", &err), 0);
	box.running = true;
	refused("rx descriptors", "128", -EBUSY, "stop");
	assert_int_equal(fp_param_set(&box, "idle sleep", "0", &err), 0);
}

/* ---- twinpath.conf(5) has the parameters of the table: `params_test twinpath.conf.5`; with --update it has them then */
static const char *page_path;
static const char begin[] = ".\\\" begin: made by params_test --update\n", end[] = ".\\\" end\n";

static void
page_of_table(FILE *f)
{
	unsigned n;
	const struct fp_param *p = fp_params(&n);

	for (unsigned i = 0; i < n; i++) {
		fprintf(f, ".TP\n.B %s\n%c%s. ", p[i].name, toupper((unsigned char)p[i].help[0]), p[i].help + 1);
		if (p[i].choices != NULL && strcmp(p[i].type, "enum") == 0)
			fprintf(f, "%s", p[i].choices);
		else if (strcmp(p[i].type, "bool") == 0)
			fprintf(f, "on|off");
		else if (strcmp(p[i].type, "octal") == 0)
			fprintf(f, "octal, 0 to %llo", (unsigned long long)p[i].max);
		else if (strcmp(p[i].type, "uint") == 0)
			fprintf(f, "%lld to %lld%s%s%s%s", (long long)p[i].min, (long long)p[i].max, p[i].unit != NULL && p[i].unit[0] ? " " : "",
				p[i].unit != NULL ? p[i].unit : "", p[i].choices != NULL ? ", or " : "", p[i].choices != NULL ? p[i].choices : "");
		else
			fprintf(f, "text of %lld to %lld characters", (long long)p[i].min, (long long)p[i].max);
		fprintf(f, "; default %s.\n", p[i].def[0] != '\0' ? p[i].def : "none");
	}
}

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *s = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(s);
	assert_true(fread(s, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return s;
}

static void
page(void **state)
{
	char *have, *want, *a, *b;
	size_t size;
	FILE *f;

	if (page_path == NULL)
		skip();
	have = slurp(page_path);
	f = open_memstream(&want, &size);
	page_of_table(f);
	fclose(f);
	a = strstr(have, begin);
	b = strstr(have, end);
	assert_true(a != NULL && b != NULL);
	a += sizeof(begin) - 1;
	if ((size_t)(b - a) != size || memcmp(a, want, size) != 0)
		fail_msg("%s: not the parameters of the table; run params_test --update %s", page_path, page_path);
	free(have);
	free(want);
}

static int
update(const char *path)
{
	char *have = slurp(path), *a = strstr(have, begin), *b = strstr(have, end);
	FILE *f = a != NULL && b != NULL ? fopen(path, "w") : NULL;

	if (f == NULL)
		return 1;
	fprintf(f, "%.*s", (int)(a + sizeof(begin) - 1 - have), have);
	page_of_table(f);
	fprintf(f, "%s", b);
	fclose(f);
	free(have);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults, setup),
		cmocka_unit_test_setup(limits, setup),
		cmocka_unit_test_setup(words, setup),
		cmocka_unit_test_setup(strings, setup),
		cmocka_unit_test_setup(hostid, setup),
		cmocka_unit_test_setup(when, setup),
		cmocka_unit_test(page),
	};

	if (argc > 2 && strcmp(argv[1], "--update") == 0)
		return update(argv[2]);
	page_path = argc > 1 ? argv[1] : NULL;

	return cmocka_run_group_tests(tests, NULL, NULL);
}
