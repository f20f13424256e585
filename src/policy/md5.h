/* SPDX-License-Identifier: BSD-2-Clause */
/* MD5 (RFC 1321), for the checksum of a rule set: pf's peers compare that one. Not for anything that must be secret. */
#ifndef POL_MD5_H
#define POL_MD5_H

#include <stddef.h>
#include <stdint.h>

struct pol_md5 {
	uint32_t state[4];
	uint64_t size;		/* bytes so far */
	uint8_t block[64];
};

void pol_md5_init(struct pol_md5 *m);
void pol_md5_add(struct pol_md5 *m, const void *data, size_t size);
void pol_md5_end(struct pol_md5 *m, uint8_t digest[16]);

#endif
