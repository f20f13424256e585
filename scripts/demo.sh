#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A client, a server, and between them two boxes that share their states and addresses. One is killed in the middle of a
# download, and the download goes on; then the role is handed over as one does before maintenance, and no packet is lost.
#
#	sudo scripts/demo.sh			under two minutes after the build; leaves nothing behind but the picture
#	sudo scripts/demo.sh --picture FILE	the picture goes there instead of ./demo-failover.png
#	sudo scripts/demo.sh --shell		at the end both boxes stay up and give their prompts
set -u
usage() {
	sed -n '7,9s/^#	//p' "$0"
	exit 2
}
shell=no picture=
while [ $# -gt 0 ]; do
	case $1 in
	--shell) shell=yes ;;
	--picture)
		[ -n "${2-}" ] || usage
		picture=$(realpath -m -- "$2")
		shift
		;;
	*) usage ;;
	esac
	shift
done
[ "$(id -u)" = 0 ] || { echo "demo: must run as root: sudo $0" >&2; exit 1; }
cd "$(dirname "$0")/.." || exit 1
scripts/setup.sh || exit 1

id=$$
client=tpc$id server=tps$id lan=tpl$id a=tpa$id b=tpb$id
dir=$(mktemp -d /tmp/twinpath-demo.XXXXXX) || exit 1
helpers=scripts/demo
python=/usr/bin/python3
server_ip=203.0.113.254 server_ip6=2001:db8:0:1::fe client_ip=10.0.0.10
rate=2000000		# bytes a second of the paced download: two packets a millisecond at the most
pids=
declare -A pid		# of the boxes
failures=0
title=no
[ ! -t 1 ] || title=yes
SECONDS=0

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	trap '' EXIT INT TERM HUP
	local p all="$pids ${pid[*]-}"
	for p in $all; do
		kill "$p" 2>/dev/null
	done
	for p in $all; do
		for _ in $(seq 30); do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for p in $client $server $a $b $lan; do
		ip netns del "$p" 2>/dev/null
	done
	# What EAL keeps for secondary processes of the boxes.
	local prefix
	for p in a b; do
		prefix=${dir#/}/$p.sock
		prefix=${prefix//[\/.]/_}
		rm -rf "/run/dpdk/$prefix" "/dev/hugepages/${prefix}map_"*
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'echo; echo "demo: interrupted"; exit 130' INT TERM HUP

say() {
	if [ $title = yes ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi
}
tell() {
	echo "  $*"
}
bad() {
	echo "  FAILED: $*"
	failures=$((failures + 1))
}
die() {
	local log
	echo "demo: $*" >&2
	for log in "$dir"/*.log; do
		[ ! -s "$log" ] || tail -5 "$log" >&2
	done
	exit 1
}
on() {
	local ns=$1
	shift
	ip netns exec "$ns" "$@"
}
# c COMMAND...: on the client, printed as one would type it
c() {
	echo "  client \$ $*"
	on $client "$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}
# quietly a|b COMMAND...; ctl a|b COMMAND...: with the command printed
quietly() {
	local box=$1
	shift
	build/twinctl -s "$dir/$box.sock" "$@"
}
ctl() {
	local box=$1
	shift
	echo "  box $box \$ twinctl $*"
	quietly "$box" "$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}
# ended PID: its status, once it has ended; the number may be another's from then on
ended() {
	local rc
	wait "$1" 2>/dev/null
	rc=$?
	pids=" $pids "
	pids=${pids/ $1 / }
	return $rc
}
# until_true SECONDS COMMAND...: its status, 0 as soon as the command succeeds
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
# role a|b WORD: the box has that role
role() {
	quietly "$1" show carp 2>/dev/null | grep -q "^box: $2"
}

in_sync() {
	quietly "$1" show sync 2>/dev/null | grep -q '^pfsync0: in sync'
}

# A backup that would take over with nothing lost.
ready() {
	role "$1" backup && in_sync "$1"
}

# ---- hosts, switches and cables
#
#	client --- (brint) --+-- [ box a ] --+-- (brext) --- server
#	                     |       |       |
#	                     +-- [ box b ] --+
for ns in $client $server $lan $a $b; do
	ip netns add "$ns" 2>/dev/null || die "network namespaces cannot be made here: root with CAP_SYS_ADMIN is needed"
	ip -n "$ns" link set lo up
done
for br in brint brext; do
	ip -n $lan link add $br type bridge mcast_snooping 0 2>/dev/null ||
		die "bridges cannot be made here: the kernel needs its module \"bridge\" (modprobe bridge)"
	ip -n $lan link set $br up
done
plug() { # NS IF SWITCH
	local port=$2-${1:2:1}
	ip -n "$1" link add "$2" type veth peer name "$port" netns $lan 2>/dev/null ||
		die "veth interfaces cannot be made here: the kernel needs its module \"veth\" (modprobe veth)"
	# Kernels leave checksums between veth ends to hardware that does not exist.
	on "$1" ethtool -K "$2" tx off >/dev/null
	on $lan ethtool -K "$port" tx off >/dev/null
	ip -n $lan link set "$port" master "$3" up
}
boxport() { # NS IF: an interface that belongs to the box; the kernel must have no address on it
	on "$1" sh -c "echo 1 > /proc/sys/net/ipv6/conf/$2/disable_ipv6"
	ip -n "$1" link set "$2" up
}
host() { # NS V4/LEN V4-GATEWAY V6/LEN V6-GATEWAY
	ip -n "$1" addr add "$2" dev eth0
	ip -n "$1" -6 addr add "$4" dev eth0 nodad
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "$3"
	ip -n "$1" -6 route add default via "$5"
}
plug $client eth0 brint
plug $server eth0 brext
# A sender whose packets come one by one shows a gap best; left alone, the kernel sends them by twenties.
ip -n $server link set eth0 gso_max_segs 1
host $client $client_ip/24 10.0.0.1 2001:db8:0:2::10/64 2001:db8:0:2::1
host $server $server_ip/24 203.0.113.1 $server_ip6/64 2001:db8:0:1::1
plug $a vintA brint
plug $a vextA brext
plug $b vintB brint
plug $b vextB brext
ip -n $a link add vsyncA type veth peer name vsyncB netns $b || die "the cable between the boxes cannot be made"
for ifname in vintA vextA vsyncA; do boxport $a $ifname; done
for ifname in vintB vextB vsyncB; do boxport $b $ifname; done

# ---- services; what measures comes before what is measured where the machine lets it
soon='' own=''
chrt -f 1 true 2>/dev/null && soon="chrt -f 1"
mkdir "$dir/www"
head -c 16000000 /dev/urandom >"$dir/www/file"
echo "It works: this page came through the pair." >"$dir/www/index.html"
sum=$(sha256sum <"$dir/www/file")
for port in 80 8081; do
	ip netns exec $server timeout 3600 $python $helpers/server.py web "$dir/www" $port $rate >/dev/null 2>&1 &
	pids="$pids $!"
done
# shellcheck disable=SC2086 # words
ip netns exec $server timeout 3600 $soon $python $helpers/server.py echo 5201 >/dev/null 2>&1 &
pids="$pids $!"

# ---- the boxes: each has its main lcore on one CPU and its worker on another
read -r first last <<<"$($python -c 'import os; c = sorted(os.sched_getaffinity(0)); print(c[0], c[-1])')"
# Huge pages when there are enough for both, and for what a killed box leaves until it is started again.
memory="--no-huge --no-shconf -m 512"
[ "$(awk '/^HugePages_Free:/ { free = $2 } /^Hugepagesize:/ { size = $2 } END { print int(free * size / 1024) }' /proc/meminfo)" -lt 500 ] ||
	memory=
# Boxes have cores of their own; where they have to share, this is what comes nearest. A box that is kept waiting for tens of
# milliseconds is taken for dead by the other.
[ "$(nice -n -15 nice 2>/dev/null)" = -15 ] && own="nice -n -15"
boot() { # a|b
	local lcores="0@$first,1@$last" ns=$a
	[ "$1" = a ] || { lcores="0@$last,1@$first" ns=$b; }
	# shellcheck disable=SC2086 # words
	ip netns exec $ns $own build/twinpath --lcores "$lcores" $memory -- -c "config/pair-$1.conf" -s "$dir/$1.sock" >>"$dir/$1.log" 2>&1 &
	pid[$1]=$!
	for _ in $(seq 300); do
		build/twinctl -s "$dir/$1.sock" show lcores >/dev/null 2>&1 && return
		kill -0 "${pid[$1]}" 2>/dev/null || die "box $1 did not start"
		sleep 0.1
	done
	die "box $1 does not answer"
}

say "A client and a server, and two boxes between them that share the addresses .1 on both sides."
cat <<'PIC'
                         +-- 10.0.0.2 [ box a ] 203.0.113.2 --+
    client 10.0.0.10 ----+                | cable             +---- server 203.0.113.254
    2001:db8:0:2::10     +-- 10.0.0.3 [ box b ] 203.0.113.3 --+     2001:db8:0:1::fe
              gateway 10.0.0.1, 2001:db8:0:2::1       gateway 203.0.113.1, 2001:db8:0:1::1
PIC
tell "box a runs config/pair-a.conf, box b config/pair-b.conf, both config/pf-pair.conf"
boot a
boot b
until_true 20 role a master || { quietly a show carp; die "box a did not become master"; }
until_true 20 ready b || { quietly b show carp; quietly b show sync; die "box b did not become backup, with all that box a knows"; }
ctl a show carp | grep -E 'twinctl|box:|MASTER|addresses'
ctl b show carp | grep -E 'twinctl|box:|BACKUP'

say "Rules decide, and connections have states. First over IPv4 and IPv6, then to a port that no rule opens."
c ping -c 3 -i 0.2 -W 2 -q $server_ip || bad "no answer over IPv4"
c ping -c 3 -i 0.2 -W 2 -q $server_ip6 || bad "no answer over IPv6"
c curl -sS --max-time 10 http://$server_ip/ || bad "no page over IPv4"
c curl -sS --max-time 10 "http://[$server_ip6]/" || bad "no page over IPv6"
c curl -sS --max-time 5 http://$server_ip:8081/
rc=$?
[ $rc = 7 ] || bad "curl ended with $rc instead of 7, connection refused"
ctl a why tcp $client_ip:40000 $server_ip:8081
tell "A table changes while the boxes run: the server is blocked, then not any more."
for x in a b; do ctl $x pfctl -t blocked -T add $server_ip; done
c curl -sS --max-time 5 -o /dev/null http://$server_ip/ && bad "a blocked host answered"
for x in a b; do ctl $x pfctl -t blocked -T delete $server_ip; done

# ---- a download, a probe and a capture of what reaches the client, while something happens
# watch NAME: starts the capture and the download
watch() {
	ip netns exec $client tcpdump -i eth0 -Z root -n -s 96 -B 8192 -U -w "$dir/$1.pcap" \
		"dst host $client_ip and (udp src port 5201 or tcp src port 80)" 2>"$dir/tcpdump" >/dev/null &
	capture=$!
	pids="$pids $capture"
	until_true 10 grep -q 'listening on' "$dir/tcpdump" || die "tcpdump does not start: $(tail -1 "$dir/tcpdump")"
	rm -f "$dir/got"
	ip netns exec $client curl -sS --max-time 60 -o "$dir/got" http://$server_ip/file >"$dir/curl" 2>&1 &
	download=$!
	pids="$pids $download"
	echo "  client \$ curl -o got http://$server_ip/file &"
}
# probe SECONDS: starts one, which has an answer before this returns
probe() {
	# shellcheck disable=SC2086 # words
	ip netns exec $client $soon $python $helpers/probe.py $server_ip 5201 "$1" >"$dir/probe" 2>&1 &
	probing=$!
	pids="$pids $probing"
	until_true 12 grep -q warm "$dir/probe" || die "the probe gets no answer"
}
probed() {
	ended $probing || bad "$(tail -1 "$dir/probe")"
	read -r sent lost <<<"$(sed -n 's/^sent \([0-9]*\) lost \([0-9]*\)$/\1 \2/p' "$dir/probe")"
	: "${sent:=0}" "${lost:=0}"
}
downloaded() {
	ended $download || bad "the download: $(tail -1 "$dir/curl")"
	kill $capture 2>/dev/null
	ended $capture
	if [ "$(sha256sum <"$dir/got")" = "$sum" ]; then
		tell "The download has ended: $(stat -c %s "$dir/got") bytes, and the checksum is right."
	else
		bad "the checksum of the download is wrong"
	fi
}
# gaps CAPTURE TIME BINS: sets probe_gap probe_before tcp_gap tcp_before, in ms
gaps() {
	local out
	out=$($python $helpers/gaps.py "$dir/$1.pcap" $client_ip "$2" "$dir/$3.bins" 2>&1) || bad "$out"
	read -r _ probe_gap probe_before <<<"$(grep ^probe <<<"$out")"
	read -r _ tcp_gap tcp_before <<<"$(grep ^tcp <<<"$out")"
}

say "The crash. A download of 16 MB runs, and box a, which forwards it, is killed."
watch crash
probe 5
sleep 1.8
tell "box a and box b have the same state of it:"
for x in a b; do
	ctl $x pfctl -ss | grep -E "twinctl|:80 <- .*ESTABLISHED:ESTABLISHED" || bad "box $x has no state of the download"
done
tell "kill -9 ${pid[a]}, which is box a"
{ crashed=$EPOCHREALTIME; kill -9 "${pid[a]}"; wait "${pid[a]}"; } 2>/dev/null
unset 'pid[a]'
probed
crash_sent=$sent crash_lost=$lost
ctl b show carp | grep -E 'twinctl|box:|MASTER' || bad "box b is not master"
downloaded
gaps crash "$crashed" crash
tell "Gap as the client saw it: ${probe_gap-?} ms in a probe of 1000 datagrams a second, of which $crash_lost of $crash_sent were lost;"
tell "${tcp_gap-?} ms in the TCP stream, whose sender may wait 200 ms before it repeats what was lost."
tell "(Before the crash the longest silences were ${probe_before-?} and ${tcp_before-?} ms.)"
crash_gap=${probe_gap-?}
crash_title="kill -9 of the active box: ${probe_gap-?} ms without an answer, ${tcp_gap-?} ms without TCP data"

say "Box a is started again. It learns every state, and only then takes its role back (preempt)."
probe 8
boot a
until_true 20 role a master || { quietly a show carp; bad "box a does not take its role back"; }
until_true 5 in_sync a
ctl a show sync | grep -E 'twinctl|pfsync0:|version|bulk update:|dirty'
ctl a show carp | grep -E 'twinctl|box:'
probed
tell "Its return: $sent packets sent, $lost lost."
return_lost=$lost

say "A planned handover: another download runs, and box a gives the role to box b, as before maintenance."
watch planned
probe 3
sleep 1
handed=$EPOCHREALTIME
ctl a failover || bad "no handover to box b"
probed
handover_lost=$lost
gaps planned "$handed" handover
tell "Handover: $sent packets sent, $lost lost; longest silence ${probe_gap-?} ms in the probe, ${tcp_gap-?} ms in the TCP stream."
handover_title="twinctl failover: $lost of $sent packets lost, ${probe_gap-?} ms without an answer"
ctl b show carp | grep -E 'twinctl|box:'

say "And back."
probe 3
sleep 1
back=$EPOCHREALTIME
ctl b failover || bad "no handover back to box a"
probed
ctl a show carp | grep -E 'twinctl|box:'
back_sent=$sent back_lost=$lost
downloaded
gaps planned "$back" back
tell "Back: $back_sent packets sent, $back_lost lost; longest silence ${probe_gap-?} ms in the probe, ${tcp_gap-?} ms in the TCP stream."
back_title="and back: $back_lost of $back_sent packets lost, ${probe_gap-?} ms without an answer"

# ---- the picture
draw() {
	local n
	{
		echo "set terminal pngcairo size 1000,900 font 'sans,10'; set output '$dir/picture.png'"
		echo "set multiplot layout 3,1 title 'Packets that reach the client, each millisecond' font ',13'"
		echo "set style fill solid 1 noborder; set boxwidth 1; set xrange [-100:400]; set yrange [-5:9]"
		echo "set ytics ('4' -4, '2' -2, '0' 0, '2' 2, '4' 4, '6' 6, '8' 8); set grid ytics lc '#dddddd'"
		echo "set arrow from 0,graph 0 to 0,graph 1 nohead lc '#444444' dt 2; set key top right horizontal opaque; set border 3"
		echo "set xtics nomirror 50; set ytics nomirror; set xlabel 'milliseconds'"
		for n in crash handover back; do
			case $n in
			crash) echo "set title \"$crash_title\"" ;;
			handover) echo "set title \"$handover_title\"" ;;
			back) echo "set title \"$back_title\"" ;;
			esac
			echo "plot '$dir/$n.bins' using (\$1+0.5):2 with boxes lc '#2a6fb0' title 'TCP (up)'," \
				"'' using (\$1+0.5):(-\$3) with boxes lc '#e08214' title 'probe (down)'"
		done
	} | gnuplot >"$dir/gnuplot" 2>&1
}
[ -n "$picture" ] || picture=$PWD/demo-failover.png
say "The picture: packets per millisecond around each of them."
if ! draw; then
	bad "gnuplot: $(tail -1 "$dir/gnuplot")"
elif ! cp "$dir/picture.png" "$picture"; then
	bad "the picture cannot be written to $picture"
else
	tell "$picture"
fi

say "In short"
tell "Crash: $crash_gap ms without an answer, and the download lived. Box a came back: $return_lost packets lost."
tell "Planned handover: $handover_lost lost; back: $back_lost lost."

if [ $shell = yes ]; then
	say "Both boxes stay up until you leave here."
	trap : INT	# the prompts' business while they are there
	while read -r -p "a, b: a box's prompt (quit leaves it); client, server: a shell there; empty: the end > " where && [ -n "$where" ]; do
		case $where in
		a | b) quietly "$where" ;;
		client) on $client bash ;;
		server) on $server bash ;;
		*) echo "a, b, client, server, or nothing" ;;
		esac
	done
	trap 'exit 130' INT
fi

say "Done in $SECONDS s: boxes, hosts and files are removed."
[ $failures = 0 ] && exit 0
for x in a b; do
	echo "  the log of box $x:"
	tail -30 "$dir/$x.log" | sed 's/^/    /'
done
echo "demo: $failures steps failed"
exit 1
