#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Scenarios recorded from a real OpenBSD, replayed against a box by the tool that comes with them. Both lie outside the
# repository: without them this test skips. pfdiff.skip lists scenarios that are known to differ, each with its reason.
#
#	pfdiff.sh [arguments of pfdiff.py]
set -u
here=$(cd "$(dirname "$0")" && pwd)
shared=${TWINPATH_SHARED-$here/../../../shared}
build=${TWINPATH_BUILD-$here/../../build}
logs=${TWINPATH_LOGS-$build/integration-logs}
tool=$shared/tools/pfdiff.py vectors=$shared/vectors/pf
if [ ! -f "$tool" ] || [ ! -d "$vectors" ]; then echo "skip: no recorded scenarios in $shared"; exit 77; fi
[ "$(id -u)" = 0 ] || { echo "skip: network namespaces need root"; exit 77; }
id=$$
ns=tpi${id}d dir=$(mktemp -d) box=
cleanup() {
	trap - EXIT INT TERM
	[ -z "$box" ] || { kill "$box" 2>/dev/null; wait "$box" 2>/dev/null; }
	ip netns del "$ns" 2>/dev/null
	local prefix=${dir#/}/sock
	rm -rf "$dir" "/run/dpdk/${prefix//[\/.]/_}"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
ip netns add "$ns" 2>/dev/null || { echo "skip: network namespaces cannot be made here"; exit 77; }
for i in vi ve; do
	ip -n "$ns" link add ${i}0 type veth peer name ${i}1 || exit 1
	for n in 0 1; do
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.$i$n.disable_ipv6=1
		ip netns exec "$ns" ethtool -K $i$n tx off >/dev/null 2>&1
		ip -n "$ns" link set $i$n up
	done
done
cat >"$dir/box.conf" <<CONF
port attach net_af_packet0,iface=vi0 name int0
port attach net_af_packet1,iface=ve0 name ext0
ifconfig int0 inet 10.10.2.1/24 inet6 fd00:2::1/64
ifconfig ext0 inet 10.10.1.1/24 inet6 fd00:1::1/64
route add default 10.10.1.254
route add -inet6 default fd00:1::fe
start
CONF
cpu=$(/usr/bin/python3 -c 'import os; print(min(os.sched_getaffinity(0)))')
ip netns exec "$ns" "$build/twinpath" -l "$cpu" --no-huge -m512 -- -c "$dir/box.conf" -s "$dir/sock" >"$dir/log" 2>&1 &
box=$!
for _ in $(seq 300); do
	"$build/twinctl" -s "$dir/sock" show lcores >/dev/null 2>&1 && break
	kill -0 "$box" 2>/dev/null || { cat "$dir/log"; exit 1; }
	sleep 0.1
done
pfdiff() {
	ip netns exec "$ns" /usr/bin/python3 "$tool" --int vi1 --ext ve1 --ctl "$build/twinctl -s $dir/sock" "$@" >"$dir/out" 2>&1
}
if [ $# != 0 ]; then
	pfdiff "$@" "$vectors"
	rc=$?
	cat "$dir/out"
	exit $rc
fi
pfdiff "$vectors"
# What failed once gets a second, slower chance: on a busy machine an answer may come after the tool stopped waiting.
grep -o '^FAIL [^: ]*' "$dir/out" | cut -d' ' -f2 >"$dir/failed"
passed=$(grep -c '^PASS' "$dir/out")
bad=0
while read -r name; do
	if grep -q "^${name}[[:space:]]" "$here/pfdiff.skip"; then
		echo "known to differ: $(grep "^${name}[[:space:]]" "$here/pfdiff.skip")"
		continue
	fi
	if pfdiff --pace 3 "$vectors/$name"; then
		echo "passed the second time: $name"
		passed=$((passed + 1))
	else
		cut -c1-600 "$dir/out"
		bad=$((bad + 1))
	fi
done <"$dir/failed"
echo "$passed scenarios passed, $bad failed"
if [ $bad != 0 ] || [ "$passed" = 0 ]; then
	mkdir -p "$logs/pfdiff" && cp "$dir/out" "$dir/log" "$logs/pfdiff/"
	exit 1
fi
