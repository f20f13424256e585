/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main() of a fuzz target without libFuzzer: feeds it every file named on the command line, and every file of every
 * directory named there (not deeper), then each of them cut to all shorter lengths up to a bound. So a corpus is an
 * ordinary test, with any compiler.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CUTS_MAX 256u /* so many lengths of one file */

static unsigned files;

/* Exactly as large as the input: a sanitizer sees a read of one byte too many. */
static void
feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (copy == NULL)
		abort();
	if (size != 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int
feed_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	size_t step = size / CUTS_MAX + 1;
	int rc = -1;

	if (data == NULL || f == NULL || fread(data, 1, size, f) != size) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		goto out;
	}
	feed(data, size);
	for (size_t n = 0; n < size; n += step)
		feed(data, n);
	files++;
	rc = 0;
out:
	if (f != NULL)
		fclose(f);
	free(data);
	return rc;
}

static int
feed_path(const char *path)
{
	struct dirent *e;
	struct stat sb;
	int rc = 0;
	DIR *dir;

	if (stat(path, &sb) != 0) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(sb.st_mode))
		return feed_file(path, (size_t)sb.st_size);
	if ((dir = opendir(path)) == NULL) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((e = readdir(dir)) != NULL) {
		char name[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (stat(name, &sb) == 0 && S_ISREG(sb.st_mode))
			rc |= feed_file(name, (size_t)sb.st_size);
	}
	closedir(dir);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= feed_path(argv[i]);
	printf("%u files\n", files);
	return rc != 0 || files == 0;
}
