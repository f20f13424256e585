/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's own setsockopt(), for one option of one driver.
 *
 * DPDK's net_af_packet asks the kernel for PACKET_FANOUT with PACKET_FANOUT_FLAG_DEFRAG, also where a port has a single
 * queue (rte_eth_af_packet.c of 22.11, no devarg changes it). The kernel then puts IPv4 fragments together before the
 * port sees them: what the box should judge piece by piece arrives as one frame, cut off at the frame size. So the flag
 * is taken off here; everything else goes to the kernel as it came. Being part of the executable, this definition is the
 * one that the driver's shared object binds to. The library has no part in it: a program that embeds libtwinpath keeps the
 * libc's function.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/if_packet.h>

int
setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	unsigned fanout;

	if (level == SOL_PACKET && name == PACKET_FANOUT && size == sizeof(fanout)) {
		/* id in the lower half, type and flags in the upper one: packet(7) */
		memcpy(&fanout, value, sizeof(fanout));
		fanout &= ~((unsigned)PACKET_FANOUT_FLAG_DEFRAG << 16);
		value = &fanout;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}
