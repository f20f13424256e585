#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bench_smoke.sh TWINPATH-BENCH: every scenario that --list names runs quickly, ends well and writes JSON.
set -u
bench=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
list=$("$bench" --list | awk '{ print $1 }')
[ -n "$list" ] || { echo "--list is empty"; exit 1; }
for s in $list; do
	# parts of `sync`, which runs them all
	case $s in sync-* | lag | bulk) continue ;; esac
	if ! timeout 250 "$bench" "$s" --quick --json "$out/$s.json" >"$out/$s" 2>&1; then
		cat "$out/$s"
		echo "$s failed"
		exit 1
	fi
	cat "$out/$s"
	jq -e . "$out/$s.json" >/dev/null || { echo "$s wrote no JSON"; exit 1; }
	grep -q 'cycles' "$out/$s" || { echo "$s printed no cycles"; exit 1; }
done
"$bench" no-such-scenario >/dev/null 2>&1 && { echo "a scenario that is not there was accepted"; exit 1; }
exit 0
