# SPDX-License-Identifier: BSD-2-Clause
"""
The probe of scripts/demo.sh: a datagram a millisecond to a host that echoes them, after it has answered a first one.

	probe.py HOST PORT SECONDS	says "warm" once it is answered, and at the end "sent N lost N"; exits 1 if nobody answers in 10 s
"""
import select, socket, sys, time

host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.socket(socket.getaddrinfo(host, port)[0][0], socket.SOCK_DGRAM)
s.connect((host, port))
s.setblocking(False)


def receive(seen, until):
    """What comes until then; at least once without waiting."""
    while True:
        wait = until - time.monotonic()
        if not select.select([s], [], [], max(wait, 0))[0]:
            return
        try:
            seen.add(s.recv(64))
        except OSError:
            pass			# an ICMP error of earlier: that datagram counts as lost by itself


def send(data):
    try:
        s.send(data)
    except OSError:
        pass


warm, end = set(), time.monotonic() + 10
while not warm:
    if time.monotonic() > end:
        sys.exit('probe: %s does not answer' % host)
    send(b'warm')
    receive(warm, time.monotonic() + 0.1)
print('warm', flush=True)

seen, sent, start = set(), 0, time.monotonic()
while sent < seconds * 1000:
    send(b'%d' % sent)
    sent += 1
    receive(seen, start + sent * 0.001)
receive(seen, time.monotonic() + 1)
print('sent %d lost %d' % (sent, sent - len(seen - {b'warm'})))
