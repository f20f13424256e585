/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * twinpath as a library. A program that uses it links with `pkg-config --cflags --libs twinpath`.
 *
 * Stable so far: the version. The parts that take bursts through a box, insert its graph nodes, or load it as an EAL
 * plugin join this header when their interface is fixed; until then the program `twinpath` is the library's only user.
 */
#ifndef TWINPATH_H
#define TWINPATH_H

#ifdef __cplusplus
extern "C" {
#endif

#define TWINPATH_VERSION_MAJOR 0
#define TWINPATH_VERSION_MINOR 1
#define TWINPATH_VERSION_PATCH 0

/**
 * Version of the library at run time, "major.minor.patch". Static text, any thread.
 */
const char *twinpath_version(void);

#ifdef __cplusplus
}
#endif

#endif
