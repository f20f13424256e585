/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The digest against captures of real OpenBSD and FreeBSD pairs, which are not part of this repository: every
 * advertisement verifies with what its boxes were configured with at that time, and with nothing else; and our
 * own header over the same values is theirs to the byte. Arguments: folders to look for vectors/ in; exit status 77
 * (skipped) where there are none.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failover/carp_auth.h"
#include "sync/pcap_read.h"

#define MAX_ADDRS 4

/* What the boxes were told during the capture: events.txt, *.ifconfig.txt. */
struct setting {
	uint8_t vhid;
	const char *pass;
	const char *addrs[MAX_ADDRS];
	bool linklocal; /* part of the digest */
};

static const struct setting settings[] = {
	{ 1, "mekmitasdigoat", { "10.10.1.1", "fd00:1::1" } },
	{ 1, "wrongpassword", { "10.10.1.1", "fd00:1::1" } },
	{ 2, "mekmitasdigoat", { "fd00:2::1", "10.10.2.1", "fe80::200:5eff:fe00:102" } },
	{ 5, "", { "10.10.1.5" } },
	{ 5, "", { "10.10.1.6", "10.10.1.5" } },
	{ 5, "", { "10.10.1.5", "10.10.1.6", "10.10.1.4" } },
	{ 6, "x", { "10.10.1.7" } }, /* carppeer, unicast */
	{ 6, "mekmitasdigoat", { "fd00:1::6", "fe80::1:6" }, true }, /* FreeBSD hashes what it was told to have */
};
#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static char root[4096];
static struct fo_carp_auth *auths[N_SETTINGS];

static void
prepare(void)
{
	for (unsigned s = 0; s < N_SETTINGS; s++) {
		struct fo_addr v[MAX_ADDRS] = { 0 };
		size_t n = 0;

		for (; n < MAX_ADDRS && settings[s].addrs[n] != NULL; n++) {
			v[n].family = strchr(settings[s].addrs[n], ':') != NULL ? FO_INET6 : FO_INET;
			assert_int_equal(inet_pton(v[n].family == FO_INET ? AF_INET : AF_INET6, settings[s].addrs[n], v[n].addr), 1);
		}
		auths[s] = fo_carp_auth_create();
		assert_non_null(auths[s]);
		assert_int_equal(fo_carp_auth_set(auths[s], settings[s].vhid, settings[s].pass, v, n), 0);
	}
}

/* Counts by setting. */
static void
each_packet(const char *file, unsigned seen[N_SETTINGS])
{
	char path[sizeof(root) + 64], err[160];
	struct sync_pcap_pkt pkt;
	struct sync_pcap *r;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	in = fopen(path, "rb");
	assert_non_null(in);
	r = sync_pcap_open(in, err, sizeof(err));
	assert_non_null(r);
	while (sync_pcap_next(r, &pkt, err, sizeof(err)) > 0) {
		uint8_t own[SYNC_CARP_SIZE];
		struct sync_carp h, mine;
		const uint8_t *p;
		unsigned hits = 0;
		size_t off;

		if (sync_link_find(pkt.linktype, pkt.data, pkt.len, &off) != SYNC_LINK_IP)
			continue;
		p = pkt.data + off;
		if (p[0] >> 4 == 4 ? p[9] != SYNC_CARP_IPPROTO : p[6] != SYNC_CARP_IPPROTO)
			continue;
		p += p[0] >> 4 == 4 ? 20 : 40;
		assert_int_equal(sync_carp_decode(&h, p, (size_t)(pkt.data + pkt.len - p)), SYNC_CARP_OK);
		for (unsigned s = 0; s < N_SETTINGS; s++) {
			if (settings[s].vhid != h.vhid || !fo_carp_auth_verify(auths[s], h.counter, h.digest))
				continue;
			hits++;
			seen[s]++;
			mine = h;
			memset(mine.digest, 0, sizeof(mine.digest));
			assert_true(fo_carp_auth_digest(auths[s], h.counter, settings[s].linklocal, mine.digest));
			sync_carp_encode(&mine, own);
			assert_memory_equal(own, p, sizeof(own));
		}
		assert_int_equal(hits, 1);
	}
	sync_pcap_close(r);
	fclose(in);
}

static void
test_captures(void **state)
{
	static const struct {
		const char *file;
		unsigned seen[N_SETTINGS];
	} files[] = {
		{ "openbsd/f-carp/ext.pcap", { 148, 12, 0, 2, 2, 0, 1, 0 } },
		{ "openbsd/f-carp/extA.pcap", { 148, 12, 0, 2, 2, 0, 1, 0 } },
		{ "openbsd/f-carp/extB.pcap", { 148, 12, 0, 2, 2, 0, 1, 0 } },
		{ "openbsd/f-carp/int.pcap", { 0, 0, 156 } },
		{ "freebsd/f-carp/ext.pcap", { 206, 12, 0, 2, 0, 6, 0, 2 } },
		{ "freebsd/f-carp/extA.pcap", { 206, 12, 0, 2, 0, 6, 0, 2 } },
		{ "freebsd/f-carp/extB.pcap", { 206, 12, 0, 2, 0, 6, 0, 2 } },
		{ "freebsd/f-carp/int.pcap", { 0, 0, 218 } },
	};

	prepare();
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		unsigned seen[N_SETTINGS] = { 0 };

		each_packet(files[i].file, seen);
		assert_memory_equal(seen, files[i].seen, sizeof(seen));
	}
	for (unsigned s = 0; s < N_SETTINGS; s++)
		fo_carp_auth_free(auths[s]);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_captures) };

	for (int i = 1; i < argc && root[0] == '\0'; i++) {
		snprintf(root, sizeof(root), "%s/vectors", argv[i]);
		if (access(root, R_OK) != 0)
			root[0] = '\0';
	}
	if (root[0] == '\0') {
		printf("skipped: there is no ../shared/vectors\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
