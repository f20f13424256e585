#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# rte_pdump: Debian's dpdk-dumpcap, unmodified, captures a port of a running box. A second DPDK process needs memory that
# can be shared, which is huge pages.
#
#	dumpcap.sh TWINPATH TWINCTL
set -u
twinpath=$1 twinctl=$2
command -v dpdk-dumpcap >/dev/null || { echo "skip: dpdk-dumpcap is not installed (package dpdk-dev)"; exit 77; }
free=$(awk '/^HugePages_Free/ {n = $2} /^Hugepagesize/ {k = $2} END {print int(n * k / 1024)}' /proc/meminfo)
[ "$free" -ge 192 ] && grep -q hugetlbfs /proc/mounts || { echo "skip: $free MB of huge pages are free, 192 are needed"; exit 77; }
dir=$(mktemp -d)
box=
finish() {
	[ -z "$box" ] || { kill "$box" 2>/dev/null; wait "$box" 2>/dev/null; }
	rm -rf "$dir"
}
trap finish EXIT
printf '%s\n' 'port attach net_null0,size=128 name int0' 'ifconfig int0 inet 10.10.2.1/24' 'set idle sleep 1000' start >"$dir/box.conf"
"$twinpath" -l 0 -m 128 --file-prefix="tpdump$$" -- -c "$dir/box.conf" -s "$dir/s" >"$dir/log" 2>&1 &
box=$!
for _ in $(seq 100); do
	"$twinctl" -s "$dir/s" show lcores >/dev/null 2>&1 && break
	kill -0 "$box" 2>/dev/null || { cat "$dir/log"; exit 1; }
	sleep 0.1
done
timeout 30 dpdk-dumpcap --file-prefix="tpdump$$" -i 0 -c 5 -w "$dir/cap.pcapng" >"$dir/dump.log" 2>&1 || { cat "$dir/dump.log"; exit 1; }
n=$(tcpdump -nr "$dir/cap.pcapng" 2>/dev/null | wc -l)
echo "captured $n packets"
[ "$n" -ge 5 ] || { cat "$dir/dump.log"; exit 1; }
"$twinctl" -s "$dir/s" show lcores >/dev/null || { echo "the box does not answer any more"; exit 1; }
