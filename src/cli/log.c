/* SPDX-License-Identifier: BSD-2-Clause */
/* `set log`: levels of rte_log by pattern. */
#include <errno.h>
#include <string.h>

#include <rte_log.h>

#include "cli_priv.h"

int
cli_log_level(const char *pattern, const char *level)
{
	static const char *const names[] = { "", "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug" };

	for (unsigned i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], level) == 0)
			return rte_log_set_level_pattern(pattern, i) < 0 ? -EINVAL : 0;
	return -EINVAL;
}
