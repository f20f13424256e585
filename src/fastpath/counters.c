/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and help texts of all counters, from the lists in counters.h. */
#include "fastpath.h"

#define NAME(n, s, h) s,
#define HELP(n, s, h) h,
const char *const fp_total_names[FP_T_MAX] = { FP_TOTALS(NAME) };
const char *const fp_total_help[FP_T_MAX] = { FP_TOTALS(HELP) };
const char *const fp_drop_names[FP_D_MAX] = { FP_DROPS(NAME) };
const char *const fp_drop_help[FP_D_MAX] = { FP_DROPS(HELP) };
const char *const fp_reason_names[FP_R_MAX] = { FP_REASONS(NAME) };
const char *const fp_reason_help[FP_R_MAX] = { FP_REASONS(HELP) };
#undef NAME
#undef HELP
#define NAME(n, s) s,
const char *const fp_lcounter_names[FP_LC_MAX] = { FP_LCOUNTERS(NAME) };
#undef NAME
