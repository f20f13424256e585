/* SPDX-License-Identifier: BSD-2-Clause */
/* One line about a packet, for `monitor drops`. Pure; reads no byte beyond len. */
#ifndef FP_SUMMARY_H
#define FP_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

/* b: a frame or an IP packet, len bytes of it. Writes at most size bytes, always terminated. */
void fp_summary(const uint8_t *b, size_t len, char *out, size_t size);

#endif
