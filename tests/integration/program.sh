#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The program from outside: checks files as any user, refuses what it must in one line, starts, tells its supervisor, serves,
# ends cleanly and leaves nothing behind.  program.sh TWINPATH TWINCTL
set -u
twinpath=$1 twinctl=$2
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
dir=$(mktemp -d) pid=
bad=0
# shellcheck disable=SC2317 # by trap
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
chmod 755 "$dir"
eal=(--lcores=0@0 --no-huge -m256)

# check NAME EXPECTED-STATUS PATTERN: of the last command, whose output is in $dir/out
check() {
	if [ "$rc" != "$2" ] || { [ -n "$3" ] && ! grep -q -- "$3" "$dir/out"; }; then
		echo "FAILED: $1: status $rc, expected $2 and \"$3\"; said:"
		cat "$dir/out"
		bad=1
	else
		echo "ok: $1"
	fi
}
try() { timeout 20 "$@" >"$dir/out" 2>&1; rc=$?; }
lines() { # at most N lines of its own
	if [ "$(grep -c ^twinpath: "$dir/out")" -gt "$1" ]; then
		echo "FAILED: more than $1 lines:"
		cat "$dir/out"
		bad=1
	fi
}

# ---- files
cat >"$dir/box.conf" <<E
# a box without a wire
port attach net_null0,no-rx=1 name ext0
port attach net_null1,no-rx=1 name int0
ifconfig ext0 inet 192.0.2.1/24
ifconfig int0 inet 198.51.100.1/24
start
E
printf 'pass\nblock in proto tcp to port 23\n' >"$dir/pf.conf"
printf 'pass\nblock in porto tcp\npass on\n' >"$dir/bad.conf"
printf 'port attach net_null0 name ext0\nport atach x\n' >"$dir/badbox.conf"
chmod 644 "$dir"/*
try "$twinpath" -n -c "$dir/box.conf" -f "$dir/pf.conf"
check "good files" 0 ''
try "$twinpath" -n -v -f "$dir/pf.conf"
check "normal form" 0 '^block drop in proto tcp from any to any port = '
try "$twinpath" -n -f "$dir/bad.conf"
check "bad rules" 1 "bad.conf:2"
check "all errors of a file" 1 "bad.conf:3"
try "$twinpath" -n -c "$dir/badbox.conf"
check "bad box file" 1 "badbox.conf:2"
try "$twinpath" -n -f "$dir/absent.conf"
check "absent file" 1 "absent.conf"
try "$twinpath" -n
check "nothing to check" 1 "wants files"
if command -v setpriv >/dev/null && setpriv --reuid 65534 --clear-groups test -x "$twinpath" 2>/dev/null; then
	try setpriv --reuid 65534 --clear-groups "$twinpath" -n -v -f "$dir/pf.conf"
	check "as any user" 0 '^block'
fi

# ---- arguments
try "$twinpath" "${eal[@]}" -- -x
check "unknown option" 2 "usage"
try "$twinpath" "${eal[@]}" -- stray
check "stray argument" 2 '"stray" is no option'
try "$twinpath" --no-such-argument -- -s "$dir/s"
# shellcheck disable=SC2016 # quoted as it is said
check "unknown EAL argument" 1 'EAL refused the arguments before `--`'
try "$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/badbox.conf"
check "bad box file refuses to start" 1 "badbox.conf:2"
printf 'port attach net_null0 name ext0\nfrob\nset bogus 3\n' >"$dir/worse.conf"
try "$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/worse.conf"
check "all errors of a box file before it starts" 1 "worse.conf:3"
printf 'port attach net_nosuch0 name ext0\n' >"$dir/nodriver.conf"
try "$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/nodriver.conf"
check "device that no driver takes" 1 "nodriver.conf:1: port attach: net_nosuch0: no driver takes this device"
try "$twinpath" "${eal[@]}" -- -s "$dir/s" -f "$dir/bad.conf"
check "bad rules refuse to start" 1 "bad.conf:2"
try "$twinpath" "${eal[@]}" -- -s "$dir/no/such/dir/s"
check "socket that cannot be" 1 "no/such/dir"
printf 'port attach net_af_packet0,iface=nosuchif0 name ext0\n' >"$dir/noport.conf"
try "$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/noport.conf"
check "missing port" 1 'no interface "nosuchif0"'
lines 1

# ---- life; the supervisor's socket gets READY, WATCHDOG, STOPPING
python3 - "$dir/notify" >"$dir/notified" <<'E' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
try:
    while True:
        m = s.recv(4096).decode()
        print(m.replace("\n", " "), flush=True)
        if "STOPPING" in m:
            break
except socket.timeout:
    pass
E
notifier=$!
for _ in $(seq 100); do [ -S "$dir/notify" ] && break; sleep 0.05; done
NOTIFY_SOCKET="$dir/notify" WATCHDOG_USEC=200000 "$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/box.conf" -f "$dir/pf.conf" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 200); do grep -q READY=1 "$dir/notified" && break; sleep 0.05; done
try cat "$dir/notified"
check "readiness" 0 READY=1
try "$twinctl" -s "$dir/s" pfctl -sr
check "serves" 0 '^block drop in proto tcp'
try "$twinctl" -s "$dir/s" ifconfig int0
check "interfaces of the box file" 0 198.51.100.1
try "$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/box.conf"
check "second instance" 1 "another instance answers on $dir/s"
lines 1
printf 'set socket path %s\nstart\n' "$dir/s" >"$dir/same.conf"
try "$twinpath" "${eal[@]}" -- -c "$dir/same.conf"
check "second instance by its file" 1 "another instance answers on $dir/s"
for _ in $(seq 100); do grep -q WATCHDOG=1 "$dir/notified" && break; sleep 0.05; done
try cat "$dir/notified"
check "watchdog" 0 WATCHDOG=1
kill -TERM "$pid"
timeout 10 tail --pid="$pid" -f /dev/null
wait "$pid"
rc=$?
pid=
cp "$dir/log" "$dir/out"
check "ends at SIGTERM" 0 stopped
wait "$notifier"
try cat "$dir/notified"
check "tells that it stops" 0 STOPPING=1
rc=0
{ ls "$dir/s" /var/run/dpdk/*"$(basename "$dir")"_s* 2>/dev/null; echo end; } >"$dir/out"
if [ "$(cat "$dir/out")" != end ]; then
	echo "FAILED: left behind:"
	cat "$dir/out"
	bad=1
fi

# A dead instance's socket is no obstacle.
python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' "$dir/s"
"$twinpath" "${eal[@]}" -- -s "$dir/s" -c "$dir/box.conf" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 200); do "$twinctl" -s "$dir/s" show config >/dev/null 2>&1 && break; sleep 0.05; done
# Ports that come and go give their buffers back.
for _ in $(seq 40); do
	try "$twinctl" -s "$dir/s" port attach net_null7,no-rx=1 name come0
	[ "$rc" = 0 ] || break
	try "$twinctl" -s "$dir/s" port detach come0
	[ "$rc" = 0 ] || break
done
check "a port attached and detached forty times" 0 ''
try "$twinctl" -s "$dir/s" quit
check "quit" 0 ''
timeout 10 tail --pid="$pid" -f /dev/null
wait "$pid"
rc=$?
pid=
cp "$dir/log" "$dir/out"
check "starts over a stale socket, ends by quit" 0 stopped
exit $bad
