# SPDX-License-Identifier: BSD-2-Clause
"""
What a client saw of a failover, from a capture at its interface (tcpdump -w, Ethernet): silences and packets per millisecond.

	gaps.py CAPTURE CLIENT TIME [BINS]	TIME is when it happened, in seconds since the epoch. Prints
		probe GAP BEFORE
		tcp GAP BEFORE
	the longest time without a packet to the client from 0.2 s before TIME on, in ms, and in the seconds before, for comparison.
	BINS gets a line a millisecond for a plot: milliseconds since TIME, packets of TCP, packets of the probe.
"""
import socket, struct, sys

BINS_BEFORE_MS, BINS_AFTER_MS = 100, 400


def packets(path, client):
    """(seconds, protocol) of each IPv4 packet to the client that carries data."""
    with open(path, 'rb') as f:
        magic = f.read(24)[:4]
        order = '<' if magic[0] in (0xd4, 0x4d) else '>'
        unit = 1e-9 if 0x4d in (magic[0], magic[3]) else 1e-6
        while len(head := f.read(16)) == 16:
            sec, fraction, size, _ = struct.unpack(order + 'IIII', head)
            data = f.read(size)
            if len(data) < 34 or data[12:14] != b'\x08\x00' or data[30:34] != client:
                continue
            ip_len = (data[14] & 15) * 4
            length, protocol = struct.unpack('>H', data[16:18])[0], data[23]
            if protocol == 6:
                if len(data) < 14 + ip_len + 13 or length <= ip_len + (data[14 + ip_len + 12] >> 4) * 4:
                    continue		# no data in it
            yield sec + fraction * unit, protocol


def longest_ms(times, start, end):
    inside = [t for t in times if start <= t <= end]
    return max((b - a for a, b in zip(inside, inside[1:])), default=end - start) * 1000


happened = float(sys.argv[3])
times = {6: [], 17: []}
for t, protocol in packets(sys.argv[1], socket.inet_aton(sys.argv[2])):
    if protocol in times:
        times[protocol].append(t)
for name, protocol in (('probe', 17), ('tcp', 6)):
    seen = times[protocol]
    if not seen:
        sys.exit('gaps: no packets of the %s in the capture' % name)
    print('%s %.1f %.1f' % (name, longest_ms(seen, happened - 0.2, max(seen)), longest_ms(seen, happened - 1.5, happened - 0.2)))
if len(sys.argv) > 4:
    bins = {6: {}, 17: {}}
    for protocol, seen in times.items():
        for t in seen:
            ms = int((t - happened) * 1000 // 1)
            bins[protocol][ms] = bins[protocol].get(ms, 0) + 1
    with open(sys.argv[4], 'w') as f:
        for ms in range(-BINS_BEFORE_MS, BINS_AFTER_MS):
            f.write('%d %d %d\n' % (ms, bins[6].get(ms, 0), bins[17].get(ms, 0)))
