/* SPDX-License-Identifier: BSD-2-Clause */
/* The version that the library was built as. */
#include <twinpath/twinpath.h>

#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *
twinpath_version(void)
{
	return DOTTED(TWINPATH_VERSION_MAJOR, TWINPATH_VERSION_MINOR, TWINPATH_VERSION_PATCH);
}
