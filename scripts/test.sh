#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Set up, build, and run the tests. The last line is `N passed, N failed`, with `, N skipped` where something was.
#
#	scripts/test.sh			everything
#	scripts/test.sh SUITE...	unit, fuzz, model, integration, pair, failover, bench; asan, tsan: again in builds with sanitizers
#	scripts/test.sh TEST...		tests by name, as `meson test -C build --list` prints them
#
# Exit status 0 only if nothing failed. Logs: build*/meson-logs/, and those of integration tests that failed under
# build/integration-logs/. TWINPATH_SHARED names the folder of recorded vectors (default ../shared); tests that need it
# skip where it is absent.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD

case ${1-} in
-*) sed -n '4,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
scripts/setup.sh || { echo "0 passed, 1 failed"; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
n=0
export TWINPATH_SHARED=${TWINPATH_SHARED-$top/../shared}
export TWINPATH_LOGS=$top/build/integration-logs
# A leak or an undefined shift must fail a test, not only be printed by it.
export UBSAN_OPTIONS=${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_stack_use_after_return=0}

say() { echo "== $*"; }

# run LABEL BUILD-DIRECTORY [arguments of meson test]: one pass; its results are kept for the end.
run() {
	local label=$1 dir=$2
	shift 2
	say "$label"
	n=$((n + 1))
	rm -f "$dir/meson-logs/testlog-$label"*.json
	meson test -C "$dir" --no-rebuild --print-errorlogs --logbase "testlog-$label" "$@"
	echo "$?" >"$work/$n.rc"
	echo "$label" >"$work/$n.label"
	# a wrapper's name becomes part of the log's
	cat "$dir/meson-logs/testlog-$label"*.json >"$work/$n.json" 2>/dev/null
}

# build LABEL DIRECTORY TARGETS -- arguments of meson setup: 0, or one failure is counted
build() {
	local label=$1 dir=$2 targets=$3
	shift 4
	say "building $dir"
	# shellcheck disable=SC2086 # a list
	if { [ -e "$dir/build.ninja" ] || meson setup "$dir" "$@"; } >"$work/build.log" 2>&1 &&
		ninja -C "$dir" $targets >>"$work/build.log" 2>&1; then
		return 0
	fi
	grep -E -m 10 'error|undefined|FAILED' "$work/build.log"
	tail -3 "$work/build.log"
	n=$((n + 1))
	echo 1 >"$work/$n.rc"
	echo "$label" >"$work/$n.label"
	return 1
}

asan() {
	build asan build-asan "" -- -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false &&
		run asan build-asan --suite unit --suite fuzz --timeout-multiplier 6
}

# Address space randomisation beyond what gcc 12's ThreadSanitizer can map is switched off for its programs.
tsan() {
	build tsan build-tsan "tests/unit/table_stress_test tests/unit/sync_stress_test" -- \
		-Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false &&
		TWINPATH_STRESS_SEC=${TWINPATH_STRESS_SEC-15} run tsan build-tsan --wrapper 'setarch -R' --timeout-multiplier 6 \
			table_stress sync_stress
}

if [ $# = 0 ]; then
	run unit build --suite unit
	run fuzz build --suite fuzz
	run model build --suite model
	run integration build --suite integration
	run pair build --suite pair
	run failover build --suite failover
	run bench build --suite bench
	asan
	tsan
fi
names=
for word in "$@"; do
	case $word in
	unit | fuzz | model | integration | pair | failover | bench) run "$word" build --suite "$word" ;;
	asan | tsan) $word ;;
	*) names="$names $word" ;;
	esac
done
# shellcheck disable=SC2086 # a list
[ -z "$names" ] || run tests build $names

/usr/bin/python3 - "$work" <<'PY'
import glob, json, os, sys

work, passed, failed, skipped = sys.argv[1], 0, [], []
for rc_file in sorted(glob.glob(work + '/*.rc'), key=lambda p: int(os.path.basename(p)[:-3])):
    base = rc_file[:-3]
    rc = int(open(rc_file).read())
    label = open(base + '.label').read().strip()
    seen = bad = 0
    if os.path.exists(base + '.json'):
        for line in open(base + '.json'):
            t = json.loads(line)
            name = '%s: %s' % (label, t['name'].split(' / ')[-1])
            seen += 1
            if t['result'] in ('OK', 'EXPECTEDFAIL'):
                passed += 1
            elif t['result'] == 'SKIP':
                out = ((t.get('stdout') or '') + (t.get('stderr') or '')).strip().splitlines()
                why = [x for x in out if x.lower().startswith('skip')]
                skipped.append('%s: %s' % (name, (why or out or ['no reason given'])[-1]))
            else:
                bad += 1
                failed.append('%s: %s' % (name, t['result'].lower()))
    # Nothing ran (no such test, a broken build), or it broke on the way: that is no success.
    if seen == 0:
        failed.append('%s: no test ran' % label)
    elif rc != 0 and bad == 0:
        failed.append('%s: the run ended with status %d' % (label, rc))
print()
for s in skipped:
    print('skipped ' + s)
for f in failed:
    print('FAILED ' + f)
print('%d passed, %d failed' % (passed, len(failed)) + (', %d skipped' % len(skipped) if skipped else ''))
sys.exit(1 if failed else 0)
PY
