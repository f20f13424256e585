/* SPDX-License-Identifier: BSD-2-Clause */
/* pfsyncdump: the pfsync and CARP packets of a capture, for people and for programs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync/pfsyncdump_print.h"

#define EXIT_USAGE 2

static void
usage(FILE *out)
{
	fputs("usage: pfsyncdump [-jv] -r FILE\n"
	      "       tcpdump -n -U -i IF -w - proto 240 or proto 112 | pfsyncdump [-jv] -\n"
	      "  -r FILE  a pcap or pcapng capture, - for standard input\n"
	      "  -j       one JSON object a message\n"
	      "  -v       every field of every message\n"
	      "  -V       print the version\n", out);
}

static int
dump(struct sync_dump *d, FILE *in, const char *name)
{
	struct sync_pcap_pkt pkt;
	struct sync_pcap *r;
	char err[160];
	struct stat sb;
	bool live = fstat(fileno(in), &sb) != 0 || !S_ISREG(sb.st_mode);
	int rc;

	if ((r = sync_pcap_open(in, err, sizeof(err))) == NULL) {
		fprintf(stderr, "pfsyncdump: %s: %s\n", name, err);
		return EXIT_FAILURE;
	}
	while ((rc = sync_pcap_next(r, &pkt, err, sizeof(err))) > 0) {
		sync_dump_packet(d, &pkt);
		if (live)
			fflush(d->out);
		if (ferror(d->out))
			break;
	}
	sync_pcap_close(r);
	if (fflush(d->out) != 0 || ferror(d->out)) {
		fprintf(stderr, "pfsyncdump: standard output: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (rc < 0) {
		fprintf(stderr, "pfsyncdump: %s: after %llu packets: %s\n", name, (unsigned long long)d->packets, err);
		return EXIT_FAILURE;
	}
	if (d->unknown_link) {
		fprintf(stderr, "pfsyncdump: %s: link type %u is not known; known are Ethernet, Linux cooked, raw IP, null and pfsync\n",
			name, d->unknown_link - 1);
		return EXIT_FAILURE;
	}
	if (d->messages == 0)
		fprintf(stderr, "pfsyncdump: %s: no pfsync or CARP among %llu packets%s\n", name, (unsigned long long)d->packets,
			d->vrrp ? " (but VRRP)" : "");
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct sync_dump d = { .out = stdout };
	const char *file = NULL;
	FILE *in;
	int c, rc;

	while ((c = getopt(argc, argv, "r:jvVh")) != -1) {
		switch (c) {
		case 'r':
			file = optarg;
			break;
		case 'j':
			d.json = true;
			break;
		case 'v':
			d.verbose = true;
			break;
		case 'V':
			puts("pfsyncdump " TWINPATH_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (file == NULL && optind < argc)
		file = argv[optind++];
	if (file == NULL || optind < argc) {
		fprintf(stderr, file == NULL ? "pfsyncdump: which capture?\n" : "pfsyncdump: one capture at a time\n");
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(file, "-") == 0) {
		if (isatty(STDIN_FILENO)) {
			fputs("pfsyncdump: standard input is a terminal, a capture is wanted\n", stderr);
			usage(stderr);
			return EXIT_USAGE;
		}
		return dump(&d, stdin, "standard input");
	}
	if ((in = fopen(file, "rb")) == NULL) {
		fprintf(stderr, "pfsyncdump: %s: %s\n", file, strerror(errno));
		return EXIT_FAILURE;
	}
	rc = dump(&d, in, file);
	fclose(in);
	return rc;
}
