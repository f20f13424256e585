#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Set up, build, and run the benchmarks: twinpath-bench, which needs no NIC.
#
#	scripts/bench.sh [--quick] [SCENARIO...] [--json FILE]
#
# Without a scenario: fastpath. `build/twinpath-bench --list` names them.
set -u
cd "$(dirname "$0")/.." || exit 1
case ${1-} in
-h | --help) sed -n '4,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
scripts/setup.sh || exit 1
bench=build/twinpath-bench
[ -x $bench ] || bench=build/src/bench/twinpath-bench
[ -x $bench ] || { echo "bench: twinpath-bench was not built" >&2; exit 1; }
named=no skip=no
for a in "$@"; do
	case $a in
	--json) skip=yes ;;
	-*) ;;
	*) [ $skip = yes ] || named=yes; skip=no ;;
	esac
done
[ $named = yes ] || set -- fastpath "$@"
exec $bench "$@"
