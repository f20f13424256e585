/* SPDX-License-Identifier: BSD-2-Clause */
/* The log file: bytes of a record, appending, damaged ends, a full disk, and what tcpdump says where it is installed. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fastpath/fastpath.h"
#include "fastpath/pflog.h"
#include "fastpath/state.h"

static char path[64];
static struct fp_err err;

/* UDP 10.1.0.2:5000 > 10.9.0.1:53 and TCP over IPv6 */
static const uint8_t udp4[] = { 0x45, 0, 0, 29, 0, 1, 0, 0, 64, 17, 0, 0, 10, 1, 0, 2, 10, 9, 0, 1, 0x13, 0x88, 0, 53, 0, 9, 0, 0, 'x' };
static const uint8_t tcp6[60] = { 0x60, [5] = 20, [6] = 6, [7] = 64, [8] = 0xfd, [23] = 1, [24] = 0xfd, [39] = 2, [40] = 0x9c, 0x41,
	0, 80, [52] = 0x50, 2 };
static const struct timeval tv = { 1700000000, 123456 };

static int
setup(void **state)
{
	snprintf(path, sizeof(path), "/tmp/pflog_test.%d", (int)getpid());
	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static int
teardown(void **state)
{
	unlink(path);
	return 0;
}

static void
add(struct fp_pflog_file *f, unsigned n)
{
	const struct fp_pflog_meta m4 = { .af = FP_AF_INET, .blocked = true, .reason = 0, .ifname = "ext0", .rule_nr = 7 };

	while (n-- > 0)
		fp_pflog_file_add(f, &m4, udp4, sizeof(udp4), sizeof(udp4), &tv);
}

static size_t
slurp(uint8_t *b, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(b, 1, size, f);
	fclose(f);
	return n;
}

static void
test_bytes(void **state)
{
	const struct fp_pflog_meta m4 = { .af = FP_AF_INET, .blocked = true, .reason = 4, .ifname = "ext0", .rule_nr = 0x01020304 };
	const struct fp_pflog_meta m6 = { .af = FP_AF_INET6, .dir = 1, .ifname = "a_name_of_15_chr", .anchor = "guests", .rule_nr = 2, .subrule_nr = 5 };
	struct fp_pflog_file *f = fp_pflog_file_open(path, 50, &err);
	uint32_t word;
	uint8_t b[1024], *r;
	struct stat st;

	assert_non_null(f);
	fp_pflog_file_add(f, &m4, udp4, sizeof(udp4), 1400, &tv);
	fp_pflog_file_add(f, &m6, tcp6, sizeof(tcp6), sizeof(tcp6), &tv);
	fp_pflog_file_close(f);
	assert_int_equal(slurp(b, sizeof(b)), 24 + 16 + 100 + 29 + 16 + 100 + 50);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	memcpy(&word, b, 4);
	assert_int_equal(word, 0xa1b2c3d4);
	memcpy(&word, b + 16, 4);
	assert_int_equal(word, 150);
	memcpy(&word, b + 20, 4);
	assert_int_equal(word, 117);
	memcpy(&word, b + 24, 4);
	assert_int_equal(word, tv.tv_sec);
	memcpy(&word, b + 32, 4);
	assert_int_equal(word, 129);
	memcpy(&word, b + 36, 4);
	assert_int_equal(word, 1500);
	r = b + 40;
	assert_memory_equal(r, "\x64\x02\x01\x04" "ext0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_memory_equal(r + 36, "\1\2\3\4\xff\xff\xff\xff", 8);
	assert_int_equal(r[60], 1);
	assert_int_equal(r[62], 2);
	assert_memory_equal(r + 64, "\x0a\1\0\2\0", 5);
	assert_memory_equal(r + 80, "\x0a\x09\0\1\0", 5);
	assert_memory_equal(r + 96, "\x13\x88\0\x35", 4);
	assert_memory_equal(r + 100, udp4, sizeof(udp4));
	r += 100 + 29 + 16;
	assert_int_equal(r[1], 24);
	assert_int_equal(r[2], 0);
	assert_memory_equal(r + 4, "a_name_of_15_ch", 16);
	assert_memory_equal(r + 20, "guests", 7);
	assert_memory_equal(r + 36, "\0\0\0\2\0\0\0\5", 8);
	assert_int_equal(r[60], 2);
	assert_int_equal(r[64], 0xfd);
	assert_int_equal(r[95], 2);
	assert_memory_equal(r + 96, "\x9c\x41\0\x50", 4);
	assert_memory_equal(r + 100, tcp6, 50);
}

static void
test_append(void **state)
{
	struct fp_pflog_file *f = fp_pflog_file_open(path, 160, &err);
	struct stat st;
	uint64_t written, lost;
	off_t size;
	unsigned cut;

	assert_non_null(f);
	add(f, 3);
	fp_pflog_file_close(f);
	assert_int_equal(stat(path, &st), 0);
	size = st.st_size;
	/* a record cut short anywhere is cut off; whole ones stay */
	for (cut = 1; cut <= 145; cut++) {
		assert_int_equal(truncate(path, size - cut), 0);
		f = fp_pflog_file_open(path, 160, &err);
		assert_non_null(f);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, size - 145);
		add(f, 1);
		assert_int_equal(fp_pflog_file_flush(f), 0);
		fp_pflog_file_counts(f, &written, &lost);
		assert_int_equal(written, 1);
		assert_int_equal(lost, 0);
		fp_pflog_file_close(f);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, size);
	}
	fp_pflog_file_close(NULL);
}

static void
test_refused(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	assert_int_equal(write(fd, "this is no log file, leave it alone", 35), 35);
	close(fd);
	assert_null(fp_pflog_file_open(path, 160, &err));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "no pflog file"));
	assert_null(fp_pflog_file_open("/nonexistent/dir/file", 160, &err));
	assert_int_equal(errno, ENOENT);
	assert_null(fp_pflog_file_open("/dev/full", 160, &err));
	assert_int_equal(errno, ENOSPC);
	assert_null(fp_pflog_file_open("/tmp", 160, &err));
	assert_int_not_equal(errno, 0);
}

/* A file that may not grow stands for a full disk: whole records stay, the others are counted, and it goes on when it can. */
static void
test_full(void **state)
{
	struct fp_pflog_file *f = fp_pflog_file_open(path, 160, &err);
	struct rlimit old, tight;
	uint64_t written, lost;
	struct stat st;

	assert_non_null(f);
	add(f, 2);
	assert_int_equal(fp_pflog_file_flush(f), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 24 + 2 * 145 + 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	add(f, 3);
	assert_int_not_equal(fp_pflog_file_flush(f), 0);	/* a part was written */
	add(f, 600);						/* more than the buffer holds */
	assert_int_not_equal(fp_pflog_file_flush(f), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	fp_pflog_file_counts(f, &written, &lost);
	assert_int_equal(written, 2);
	assert_int_equal(lost, 603);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 24 + 2 * 145);
	add(f, 1);
	assert_int_equal(fp_pflog_file_flush(f), 0);
	fp_pflog_file_close(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 24 + 3 * 145);
}

/* A FIFO whose reader is slow loses records, never a part of one. */
static void
test_fifo(void **state)
{
	static uint8_t b[1 << 20];
	struct fp_pflog_file *f;
	uint64_t written, lost;
	size_t n = 0, at;
	ssize_t got;
	int fd, i;

	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	f = fp_pflog_file_open(path, 160, &err);
	assert_non_null(f);
	for (i = 0; i < 50; i++) {
		add(f, 60);
		fp_pflog_file_flush(f);
		if (i >= 25 && i % 5 == 0 && (got = read(fd, b + n, 7000)) > 0)
			n += got;
	}
	while ((got = read(fd, b + n, sizeof(b) - n)) > 0 || fp_pflog_file_flush(f) == 0) {
		if (got <= 0)
			break;
		n += got;
	}
	while ((got = read(fd, b + n, sizeof(b) - n)) > 0)
		n += got;
	fp_pflog_file_counts(f, &written, &lost);
	assert_true(lost > 0);
	fp_pflog_file_close(f);
	while ((got = read(fd, b + n, sizeof(b) - n)) > 0)
		n += got;
	close(fd);
	assert_true(n > 24);
	for (at = 24, i = 0; at < n; at += 145, i++) {
		assert_memory_equal(b + at + 16, "\x64\x02\x01\x00" "ext0", 8);
		assert_memory_equal(b + at + 116, udp4, sizeof(udp4));
	}
	assert_int_equal(at, n);
	assert_int_equal(i + lost, 3000);
}

static void
test_tcpdump(void **state)
{
	const struct fp_pflog_meta m6 = { .af = FP_AF_INET6, .dir = 1, .ifname = "int0", .anchor = "guests", .rule_nr = 2, .subrule_nr = 5 };
	struct fp_pflog_file *f;
	char cmd[128], line[2][512] = { "" };
	FILE *p;

	if (system("command -v tcpdump >/dev/null 2>&1") != 0)
		skip();
	f = fp_pflog_file_open(path, 160, &err);
	assert_non_null(f);
	add(f, 1);
	fp_pflog_file_add(f, &m6, tcp6, sizeof(tcp6), sizeof(tcp6), &tv);
	fp_pflog_file_close(f);
	snprintf(cmd, sizeof(cmd), "tcpdump -n -e -ttt -r %s 2>/dev/null", path);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_non_null(fgets(line[0], sizeof(line[0]), p));
	assert_non_null(fgets(line[1], sizeof(line[1]), p));
	pclose(p);
	if (strstr(line[0], "rule 7/0(match): block in on ext0: 10.1.0.2.5000 > 10.9.0.1.53") == NULL)
		fail_msg("%s", line[0]);
	if (strstr(line[1], "rule 2.guests.5/0(match): pass out on int0: fd00::1.40001 > fd00::2.80") == NULL)
		fail_msg("%s", line[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_append, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fifo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcpdump, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
