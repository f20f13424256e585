/* SPDX-License-Identifier: BSD-2-Clause */
/* CARP without memory: each step that needs some fails in turn, says so, and leaves all as it was. */
#include "carp_rig.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static unsigned fail_at, fail_n; /* the fail_at-th allocation from now fails; 0: none */

static bool
fails(void)
{
	return fail_at != 0 && ++fail_n == fail_at;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

static void
starve(unsigned at)
{
	fail_at = at;
	fail_n = 0;
}

/* expr with its first, second, ... allocation failing, each with its assertion, until it needs no more. */
#define EACH(expr, failed, done, least) do { \
	unsigned at_; \
	for (at_ = 1;; at_++) { \
		bool ran_out_; \
		starve(at_); \
		expr; \
		ran_out_ = fail_n >= at_; \
		starve(0); \
		if (!ran_out_) \
			break; \
		assert_true(failed); \
		same(); \
	} \
	assert_true(done); \
	assert_true(at_ > (least)); \
} while (0)

/* The virtual host of the rig is MASTER, is not demoted, and its advertisements are good. */
static void
same(void)
{
	struct fo_carp_info i;

	fo_carp_info_get(carp, &i);
	assert_int_equal(i.state, FO_CARP_MASTER);
	assert_int_equal(i.demote, 0);
	assert_int_equal(i.n_addrs, 2);
	assert_null(fo_group_demotion(group, 0));
	now += SEC;
	seen.n = 0;
	fo_group_tick(group, now);
	assert_int_equal(seen.n, 2);
	for (unsigned k = 0; k < 2; k++) {
		struct sync_carp h;

		sync_carp_decode(&h, seen.ad[k].bytes, SYNC_CARP_SIZE);
		assert_true(fo_carp_auth_verify(auth, h.counter, h.digest));
	}
}

static void
test_each(void **state)
{
	struct fo_carp_conf conf = conf_of(1, 0), conf2 = conf, other = conf;
	struct fo_carp *c = NULL;
	struct fo_group *g;
	int rc;

	begin(&conf);
	to_master();
	conf2.vhid++;
	strcpy(conf2.name, "carp2");
	strcpy(other.pass, "other");
	EACH(g = fo_group_create(), g == NULL, g != NULL, 1);
	fo_group_free(g);
	EACH(c = fo_carp_create(&conf2, &ops, NULL, now, NULL), c == NULL && errno == ENOMEM, c != NULL, 4);
	EACH(rc = fo_group_add(group, c, now), rc == -ENOMEM && fo_group_by_name(group, "carp2") == NULL, rc == 0, 2);
	EACH(rc = fo_carp_addrs(carp, dual, 1, now), rc == -ENOMEM, rc == 0, 3);
	assert_int_equal(fo_carp_addrs(carp, dual, 2, now), 0);
	EACH(rc = fo_carp_reconf(carp, &other, now, NULL), rc == -ENOMEM, rc == 0, 2);
	assert_int_equal(fo_carp_reconf(carp, &conf, now, NULL), 0);
	EACH(rc = fo_group_join(group, carp, "dmz", now), rc == -ENOMEM, rc == 0, 1);
	EACH(rc = fo_group_demote(group, "carp", "user", "test", 1, 1, FO_CARP_NEVER, now), rc == -ENOMEM, rc == 0, 1);
	assert_int_equal(fo_group_demote(group, "carp", "user", "", 0, 0, 0, now), 0);
	EACH(rc = fo_group_resign(group, 10 * SEC, FO_CARP_NEVER, now), rc == -ENOMEM, rc == 0, 1);
	/* what a virtual host demotes by itself needs none */
	starve(1);
	fo_group_link(group, IFID, false, now);
	starve(0);
	assert_int_equal(fo_group_demote_count(group, "dmz"), 1);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each) };
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	fo_carp_auth_free(auth);
	return rc;
}
