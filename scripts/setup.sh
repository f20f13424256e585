#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Make a bare Debian 12 machine ready and build the project into build/. Run as root; again and again does no harm.
# Says in one line each what it changed. Huge pages are reserved when memory allows it and never required.
#
#	scripts/setup.sh [--no-build]
#
# Environment: TWINPATH_MESON_ARGS adds arguments for `meson setup` (-Dmarch=x86-64-v3 for a portable build).
set -u
cd "$(dirname "$0")/.." || exit 1

build_packages="build-essential meson ninja-build pkg-config libdpdk-dev dpdk libnuma-dev libcmocka-dev libmd-dev libssl-dev bison flex
	clang libclang-rt-14-dev"
test_packages="ca-certificates curl dpdk-dev ethtool gnuplot-nox iperf3 iproute2 iputils-ping jq procps python3 python3-scapy spin tcpdump traceroute ucarp"

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

build=yes
case ${1-} in
'') ;;
--no-build) build=no ;;
*) die "unknown option $1; usage: sudo scripts/setup.sh [--no-build]" ;;
esac
[ "$(id -u)" = 0 ] || die "must run as root: sudo $0"
# shellcheck disable=SC1091 # the system's
os=$(. /etc/os-release 2>/dev/null && echo "${ID-} ${VERSION_ID-}")
[ "$os" = "debian 12" ] || die "this is \"$os\", and the packages are those of Debian 12: install what README.md lists and run: meson setup build && ninja -C build"

missing_packages() {
	local p
	for p in $build_packages $test_packages; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

install_packages() {
	local missing log
	missing=$(missing_packages | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	say "installing $missing"
	# Another apt may hold the lock for a while (a machine that has just booted).
	if ! apt-get -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || grep -q '^E: ' "$log"; then
		grep -hE '^(E|Err|W):? ?' "$log" | head -3 >&2
		rm -f "$log"
		die "apt-get update failed: check the network and /etc/apt/sources.list, then run this again"
	fi
	# shellcheck disable=SC2086 # a list
	if ! apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing >"$log" 2>&1; then
		grep -E '^E: ' "$log" | head -3 >&2
		tail -3 "$log" >&2
		rm -f "$log"
		die "apt-get install failed: check the network and free disk space, then run this again"
	fi
	rm -f "$log"
	missing=$(missing_packages | tr '\n' ' ')
	[ -z "$missing" ] || die "still missing after the installation: $missing"
	say "packages are installed"
}

# 2 MB pages: a quarter of the free memory, 1 GB at the most. Pages that somebody reserved already are left alone.
reserve_hugepages() {
	local dir=/sys/kernel/mm/hugepages/hugepages-2048kB now free want got
	if [ ! -w $dir/nr_hugepages ]; then
		say "no 2 MB huge pages on this machine: ordinary pages are used"
		return
	fi
	now=$(cat $dir/nr_hugepages)
	free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	want=$((free / 4 / 2))
	[ $want -le 512 ] || want=512
	if [ "$now" -eq 0 ] && [ $want -ge 64 ]; then
		echo $want 2>/dev/null >$dir/nr_hugepages
		got=$(cat $dir/nr_hugepages)
		if [ "$got" -gt 0 ]; then
			say "reserved $got huge pages of 2 MB until the next boot (echo 0 > $dir/nr_hugepages gives them back)"
		else
			say "no huge pages could be had: ordinary pages are used"
		fi
	fi
	if [ "$(cat $dir/nr_hugepages)" -gt 0 ] && ! grep -q ' hugetlbfs ' /proc/mounts; then
		mkdir -p /dev/hugepages && mount -t hugetlbfs hugetlbfs /dev/hugepages 2>/dev/null &&
			say "mounted hugetlbfs on /dev/hugepages"
	fi
}

build_tree() {
	local log
	log=$(mktemp)
	# A clone that was moved, or a build directory of another version of meson: made anew.
	if [ -e build/build.ninja ] && ! meson introspect build --projectinfo >/dev/null 2>&1; then
		rm -rf build
		say "removed a build/ that does not fit"
	fi
	if [ ! -e build/build.ninja ]; then
		# shellcheck disable=SC2086 # arguments
		if ! meson setup ${TWINPATH_MESON_ARGS-} build >"$log" 2>&1; then
			tail -15 "$log" >&2
			rm -f "$log"
			die "meson setup failed, see above; build/meson-logs/meson-log.txt has more"
		fi
		say "configured build/"
	fi
	if ! ninja -C build >"$log" 2>&1; then
		grep -E -m 10 'error|undefined|FAILED' "$log" >&2
		tail -3 "$log" >&2
		rm -f "$log"
		die "the build failed, see above; ninja -C build shows all of it"
	fi
	grep -q 'no work to do' "$log" || say "built twinpath, twinctl, twinpath-bench and the libraries in build/"
	rm -f "$log"
}

install_packages
reserve_hugepages
[ $build = no ] || build_tree
exit 0
