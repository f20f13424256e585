/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net_af_packet asks the kernel to reassemble IPv4 fragments before it hands them over (PACKET_FANOUT_FLAG_DEFRAG, DPDK
 * 22.11 drivers/net/af_packet; no device argument turns it off). A firewall must see the fragments themselves: pf decides
 * over each of them, and a reassembled packet does not fit the frames of the ring and is lost.
 *
 * The driver is a shared object that calls setsockopt() by name; the program twinpath brings this one, which takes that
 * one flag out of that one option and passes everything else on unchanged. Not part of the library: a host program that
 * embeds twinpath keeps its own C library.
 */
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int fanout;

	if (level == SOL_PACKET && name == PACKET_FANOUT && len == sizeof(fanout) && value != NULL) {
		memcpy(&fanout, value, sizeof(fanout));
		fanout &= ~(PACKET_FANOUT_FLAG_DEFRAG << 16);
		return (int)syscall(SYS_setsockopt, fd, level, name, &fanout, sizeof(fanout));
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
