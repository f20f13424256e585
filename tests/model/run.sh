#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Check table.pml with SPIN: the protocol as it is must hold in every scenario, and with a rule left out it must fail.
#
#	tests/model/run.sh		what the test suite runs: a minute on two cores, up to 1.5 GB
#	tests/model/run.sh -a		the correct protocol with larger bounds too: minutes, 8 GB
#	tests/model/run.sh -k NAME	the shortest way to the failure with rule NAME left out, step by step
#
# Prints states explored per line. Exit status 0; 1 when the protocol failed, a broken one did not, or a run did not come to
# its end; 77 when spin or a C compiler is not installed.
set -u
model=$(cd "$(dirname "$0")" && pwd)/table.pml
cc=${CC:-cc}
type spin >/dev/null 2>&1 || { echo "skip: spin is not installed (package spin)"; exit 77; }
type "${cc%% *}" >/dev/null 2>&1 || { echo "skip: no C compiler ($cc)"; exit 77; }
all=no keep=
case ${1-} in
'') ;;
-a) all=yes ;;
-k) keep=${2:?"-k needs the name of a rule"} ;;
*) sed -n '6,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
seconds=300 mbytes=2500	# a run takes a few seconds unless others use the machine
[ $all = no ] || { seconds=1800; mbytes=12000; }

# Scenarios: what they are for is in README.md.
insert="-DOWNER_OPS=2 -DSYNC_OPS=1"
again="-DW=2 -DOWNER_OPS=2 -DSYNC_OPS=2 -DNR=4"
halves="-DSINGLE_HALVES -DW=2 -DOWNER_OPS=3 -DSYNC_OPS=1 -DBEGIN=0 -DNR=3"
chain="-DNB=2 -DW=1 -DOWNER_OPS=3 -DSYNC_OPS=1 -DOTHER_CHAIN"
chain3="-DNB=3 -DW=1 -DOWNER_OPS=2 -DSYNC_OPS=1 -DOTHER_CHAIN"
reader="-DW=1 -DOWNER_OPS=3 -DSYNC_OPS=1 -DREADER_OPS=1 -DBEGIN=1 -DNR=3"
reader_chain="-DNB=2 -DW=1 -DOWNER_OPS=3 -DSYNC_OPS=0 -DREADER_OPS=1 -DBEGIN=1 -DNR=3"
ends="-DW=2 -DOWNER_OPS=2 -DSYNC_OPS=1 -DNR=3 -DBEGIN=1"
ends_chain="-DNB=2 -DW=1 -DOWNER_OPS=2 -DSYNC_OPS=1 -DBEGIN=2 -DNR=3"

# name, what must come out, kind of check, definitions. safe: assertions and deadlocks; ends: everybody finishes, given
# that nobody stops for ever; waits: no endless loop in which the sync lcore gets nothing done.
jobs=(
	"insert		holds	safe	$insert"
	"again		holds	safe	$again"
	"halves		holds	safe	$halves"
	"chain		holds	safe	$chain"
	"chain3		holds	safe	$chain3"
	"reader		holds	safe	$reader"
	"reader_chain	holds	safe	$reader_chain"
	"ends		holds	ends	$ends"
	"ends_chain	holds	ends	$ends_chain"
	"waits		holds	waits	$ends"
	"waits_chain	holds	waits	$ends_chain"
	"NO_FENCE	fails	safe	$insert"
	"NO_RESCAN	fails	safe	$insert"
	"NO_EARLIER_EMPTY fails	safe	$insert"
	"NO_PENDING_LOOK fails	safe	$insert"
	"NO_RETRY	fails	safe	$insert"
	"NO_WITHDRAWN	fails	safe	$insert"
	"RECYCLE_EARLY	fails	safe	$insert"
	"LOSE_TO_PENDING fails	safe	$insert"
	"PUBLISH_EARLY	fails	safe	$insert"
	"NO_EXPOSED	fails	safe	$again"
	"NO_ADD_FENCE	fails	safe	$halves"
	"ADD_AFTER_SCAN	fails	safe	$halves"
	"UNCOUPLE_EARLY	fails	safe	$halves"
	"NO_FREEZE	fails	safe	$chain"
	"NO_LINK_FREEZE	fails	safe	$chain3"
	"NO_BUCKET_GRACE fails	safe	$chain"
	"NO_GRACE	fails	safe	$reader"
	"EARLY_TOKEN	fails	safe	$reader"
	"NO_CUT		fails	ends	$ends_chain"
	"OWNER_WAITS	fails	waits	$ends"
)
if [ $all = yes ]; then
	jobs+=(
		"insert_more	holds	safe	-DOWNER_OPS=3 -DSYNC_OPS=2"
		"halves_more	holds	safe	-DSINGLE_HALVES -DOWNER_OPS=3 -DSYNC_OPS=1 -DBEGIN=0"
		"chain_more	holds	safe	-DNB=2 -DW=2 -DOWNER_OPS=3 -DSYNC_OPS=1 -DBEGIN=3 -DNR=5 -DOTHER_CHAIN"
		"reader_more	holds	safe	-DNB=2 -DW=1 -DOWNER_OPS=2 -DSYNC_OPS=1 -DREADER_OPS=1 -DBEGIN=1 -DNR=3"
	)
fi

# check NAME EXPECTED KIND DEFINITIONS...: one line into $work/NAME.line, with "ok" or "WRONG" first.
check() {
	local name=$1 expected=$2 kind=$3 out=$work/$1.out rc got states how
	local define=() options=(-DSAFETY -DNOFAIR) arguments=() optimise=-O0
	shift 3
	[ "$expected" = holds ] || define=("-D$name")
	# for the others, optimising takes longer than it saves
	case $name in
	insert | halves | chain | chain3 | reader | *_more) optimise=-O1 ;;
	esac
	case $kind in
	ends) define+=(-DPROGRESS) options=(-DNFAIR=3) arguments=(-a -f -A) ;;
	waits) options=(-DNP -DNOFAIR) arguments=(-l -A) ;;
	esac
	mkdir "$work/$name" && cp "$model" "$work/$name" && cd "$work/$name" || return
	got=broken
	if spin -a "$@" "${define[@]}" table.pml >"$out" 2>&1 &&
		$cc $optimise -w -DVECTORSZ=2048 -DMEMLIM=$mbytes "${options[@]}" -o pan pan.c >>"$out" 2>&1; then
		timeout $seconds ./pan -m1000000 "${arguments[@]}" >"$out" 2>&1
		rc=$?
		if [ $rc = 124 ]; then
			got="not finished in $seconds s"
		elif grep -qE 'error: max search depth too small|search not completed|out of memory|reached -DMEMLIM' "$out" &&
			! grep -q 'errors: 1' "$out"; then
			got="not complete"
		elif grep -q 'errors: 0' "$out"; then
			got=holds
		elif grep -q 'errors: 1' "$out"; then
			got=fails
		fi
	fi
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$out" | head -1)
	how=$(sed -n 's/^pan:1: //; s/ (at depth.*//; /assertion\|cycle\|end state/{p;q}' "$out")
	[ "$got" = "$expected" ] && rc=ok || rc=WRONG
	printf '%-5s %-17s %-6s %12s states  %5s s  %s\n' $rc "$name" "$got" "$(printf %.0f "${states:-0}")" \
		"$(sed -n 's/^pan: elapsed time \([0-9.e+-]*\) seconds/\1/p' "$out")" "$([ "$got" = fails ] && echo "$how" || echo "$*")" \
		>"$work/$name.line"
	[ $rc = ok ] || tail -15 "$out" >>"$work/$name.line"
	rm -rf "${work:?}/$name"
}

if [ -n "$keep" ]; then
	for job in "${jobs[@]}"; do
		# shellcheck disable=SC2086 # fields
		set -- $job
		[ "$1 $2 $3" = "$keep fails safe" ] || continue
		cp "$model" "$work" && cd "$work" || exit 1
		shift 3
		spin -a "$@" "-D$keep" table.pml && $cc -O2 -w -DVECTORSZ=2048 -DSAFETY -DBFS -o pan pan.c && timeout $seconds ./pan -m1000000 &&
			spin -t -p "$@" "-D$keep" table.pml
		exit
	done
	echo "no rule of that name with a failure of safety"
	exit 2
fi

cpus=$(nproc)
[ "$cpus" -le 4 ] || cpus=4
[ $all = no ] || cpus=1
for job in "${jobs[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$cpus" ]; do
		wait -n
	done
	# shellcheck disable=SC2086 # fields
	check $job &
done
wait
wrong=0
for job in "${jobs[@]}"; do
	name=${job%%[[:space:]]*}
	cat "$work/$name.line" 2>/dev/null || echo "WRONG $name: no result"
	grep -q ^ok "$work/$name.line" 2>/dev/null || wrong=$((wrong + 1))
done
total=$(cat "$work"/*.line | awk '{ n += $4 } END { print n }')
echo "${#jobs[@]} checks, $wrong wrong, $total states"
[ $wrong = 0 ]
