#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A box between two network namespaces, real traffic across it, rules and states to look at. No NIC is needed.
#
#	sudo scripts/demo.sh		about a minute after the build; leaves nothing behind
#	sudo scripts/demo.sh --shell	the same box stays up and gives its prompt
set -u
cd "$(dirname "$0")/.." || exit 1

shell=no
case ${1-} in
'') ;;
--shell) shell=yes ;;
*) sed -n '4,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
scripts/setup.sh || exit 1

id=$$
client=tpc$id server=tps$id boxns=tpb$id
dir=$(mktemp -d /tmp/twinpath-demo.XXXXXX)
sock=$dir/box.sock
pids=
box=
failures=0
title=no
[ ! -t 1 ] || title=yes

cleanup() {
	trap - EXIT INT TERM HUP
	local p
	for p in $pids $box; do
		kill "$p" 2>/dev/null
	done
	for p in $pids $box; do
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for p in $client $server $boxns; do
		ip netns del "$p" 2>/dev/null
	done
	# What EAL keeps for secondary processes of this box.
	local prefix=${sock#/}
	prefix=${prefix//[\/.]/_}
	rm -rf "/run/dpdk/$prefix" "/dev/hugepages/${prefix}map_"* "$dir"
}
trap cleanup EXIT
trap 'echo; echo "demo: interrupted"; exit 130' INT TERM HUP

say() {
	if [ $title = yes ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi
}
# show COMMAND...: print it as one would type it, then run it
show() {
	echo "  \$ $*"
	"$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}
ctl() {
	echo "  \$ twinctl $*"
	build/twinctl -s "$sock" "$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}
on() {
	local ns=$1
	shift
	ip netns exec "$ns" "$@"
}
# c COMMAND...: on the client
c() {
	echo "  client \$ $*"
	on $client "$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}
bad() {
	echo "  FAILED: $*"
	failures=$((failures + 1))
}
die() {
	echo "demo: $*" >&2
	[ ! -s "$dir/box.log" ] || tail -5 "$dir/box.log" >&2
	exit 1
}

# ---- hosts and cables: client --- (int0) box (ext0) --- server
for ns in $client $server $boxns; do
	ip netns add "$ns" || die "network namespaces cannot be made here: root with CAP_SYS_ADMIN is needed"
	ip -n "$ns" link set lo up
done
cable() { # NS IF BOX-IF V4/LEN V4-GATEWAY V6/LEN V6-GATEWAY
	ip -n "$1" link add "$2" type veth peer name "$3" netns $boxns || die "veth interfaces cannot be made here"
	# Kernels leave checksums between veth ends to hardware that does not exist.
	on "$1" ethtool -K "$2" tx off >/dev/null
	on $boxns ethtool -K "$3" tx off >/dev/null
	# The box's end belongs to the box: the kernel must have no address on it.
	on $boxns sh -c "echo 1 > /proc/sys/net/ipv6/conf/$3/disable_ipv6"
	ip -n $boxns link set "$3" up
	ip -n "$1" addr add "$4" dev "$2"
	ip -n "$1" -6 addr add "$6" dev "$2" nodad
	ip -n "$1" link set "$2" up
	ip -n "$1" route add default via "$5"
	ip -n "$1" -6 route add default via "$7"
}
cable $client eth0 vint 10.0.0.10/24 10.0.0.2 2001:db8:0:2::10/64 2001:db8:0:2::2
cable $server eth0 vext 203.0.113.254/24 203.0.113.2 2001:db8:0:1::fe/64 2001:db8:0:1::2

mkdir "$dir/www"
head -c 1000000 /dev/urandom >"$dir/www/file"
echo "It works: this page came through the box." >"$dir/www/index.html"
ip netns exec $server timeout 600 /usr/bin/python3 -m http.server --bind :: -d "$dir/www" 80 >/dev/null 2>&1 &
pids="$pids $!"
ip netns exec $server timeout 600 /usr/bin/python3 -m http.server --bind :: -d "$dir/www" 8081 >/dev/null 2>&1 &
pids="$pids $!"
ip netns exec $server timeout 600 iperf3 -s >/dev/null 2>&1 &
pids="$pids $!"

# ---- the box: the main lcore on the first CPU, one worker on the last
read -r first last <<<"$(/usr/bin/python3 -c 'import os; c = sorted(os.sched_getaffinity(0)); print(c[0], c[-1])')"
ip netns exec $boxns build/twinpath --lcores "0@$first,1@$last" -- -c config/box.conf -s "$sock" >"$dir/box.log" 2>&1 &
box=$!
for _ in $(seq 150); do
	build/twinctl -s "$sock" show lcores >/dev/null 2>&1 && break
	kill -0 $box 2>/dev/null || die "the box did not start"
	sleep 0.1
done
build/twinctl -s "$sock" show lcores >/dev/null || die "the box does not answer"

say "A client, a box with two ports, a server. The box runs config/box.conf and config/pf.conf."
cat <<'PIC'
    client 10.0.0.10 --- int0 10.0.0.2 [ twinpath ] ext0 203.0.113.2 --- server 203.0.113.254
           2001:db8:0:2::10                                       2001:db8:0:1::fe
PIC
sed 's/^/    /' "$dir/box.log"
ctl show port summary

say "Rules decide. These are in force:"
ctl pfctl -sr

say "Ping, over IPv4 and IPv6."
c ping -c 3 -i 0.2 -W 2 -q 203.0.113.254 || bad "no answer over IPv4"
c ping -c 3 -i 0.2 -W 2 -q 2001:db8:0:1::fe || bad "no answer over IPv6"

say "A page from a real web server, and a megabyte over IPv6."
c curl -sS --max-time 10 http://203.0.113.254/ || bad "no page"
c curl -sS --max-time 20 -o /dev/null -w '%{http_code}, %{size_download} bytes\n' 'http://[2001:db8:0:1::fe]/file' || bad "no file"

say "Port 8081 has a server too, but no rule: the box answers with RST, and the client knows at once."
c curl -sS --max-time 5 http://203.0.113.254:8081/
rc=$?
[ $rc = 7 ] || bad "curl ended with $rc instead of 7, connection refused"
ctl show drops

say "iperf3 over TCP, and while it runs: states, cores, and why a packet of it passes."
ip netns exec $client iperf3 -c 203.0.113.254 -t 6 >"$dir/iperf" 2>&1 &
iperf=$!
pids="$pids $iperf"
sleep 3
ctl pfctl -ss || bad "no states"
ctl show lcores
port=$(build/twinctl -s "$sock" -j show states tcp port 5201 2>/dev/null |
	jq -r '[.[] | select(.direction == "in")] | max_by(.bytes[0]) | .wire | if .dport == 5201 then .sport else .dport end' 2>/dev/null)
ctl why tcp "10.0.0.10:${port:-40000}" 203.0.113.254:5201
ctl why tcp 10.0.0.10:40000 203.0.113.254:8081
wait $iperf || bad "iperf3 over TCP: $(tail -1 "$dir/iperf")"
echo "  client \$ iperf3 -c 203.0.113.254 -t 6"
grep -E 'sender|receiver' "$dir/iperf" | sed 's/^/    /'

say "iperf3 over UDP, IPv6, 50 Mbit/s."
echo "  client \$ iperf3 -c 2001:db8:0:1::fe -u -b 50M -t 3"
on $client iperf3 -c 2001:db8:0:1::fe -u -b 50M -t 3 >"$dir/iperf" 2>&1 || bad "iperf3 over UDP: $(tail -1 "$dir/iperf")"
grep -E 'sender|receiver' "$dir/iperf" | sed 's/^/    /'

say "A table changes while the box runs: the server is blocked, then not any more."
ctl pfctl -t blocked -T add 203.0.113.254
c curl -sS --max-time 5 -o /dev/null http://203.0.113.254/ && bad "a blocked host answered"
ctl pfctl -t blocked -T delete 203.0.113.254
c curl -sS --max-time 5 http://203.0.113.254/ || bad "no page any more"

say "What the box counted."
ctl pfctl -si

if [ $shell = yes ]; then
	say "The box stays up until you leave this prompt. Another terminal is the client with: ip netns exec $client bash"
	trap : INT	# the prompt's business while it is there
	build/twinctl -s "$sock"
fi

say "Done: the box, the hosts and their files are removed."
[ $failures = 0 ] || { echo "demo: $failures steps failed"; exit 1; }
