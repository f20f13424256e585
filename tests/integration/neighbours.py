# SPDX-License-Identifier: BSD-2-Clause
"""ARP and neighbour discovery: packets wait for an answer, within bounds; who does not answer is given up."""
import lab
from lab import check, until
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

with lab.Lab() as l:
    box = l.box(more='set neigh queue 4\n')
    i, e = l.wire['int'], l.wire['ext']
    i.resolve()
    e.resolve()
    for ip, src, dst, silent in ((IP, lab.INT4, '10.10.1.50', '10.10.1.66'), (IPv6, lab.INT6, 'fd00:1::50', 'fd00:1::66')):
        i.send(ip(src=src, dst=dst) / UDP(sport=6000, dport=7) / b'first')
        got = e.recv(3, lambda p: UDP in p)
        check(got is not None and got.dst == dst, 'a packet waits for %s and is sent' % dst)
        check(dst in e.seen_requests, 'the box asked')
        print('-- nobody answers')
        e.silent.add(silent)
        before = box.drops().get('neighbour_failed', 0), sum(box.drops().values())
        for n in range(10):
            i.send(ip(src=src, dst=silent) / UDP(sport=6001 + n, dport=7) / b'x')
        e.none('nothing is sent to ' + silent, 0.5, lambda p: p.dst == silent)
        until('the six beyond the queue are dropped at once', lambda: (e.pump(0.1), sum(box.drops().values()) >= before[1] + 6)[1], 5)
        until('the others when it is given up', lambda: (e.pump(0.1), box.drops().get('neighbour_failed', 0) >= before[0] + 4)[1], 15)
        check(e.seen_requests.count(silent) >= 3, 'it was asked more than once', e.seen_requests)
        e.silent.discard(silent)
        until('it comes back', lambda: (i.send(ip(src=src, dst=silent) / UDP(sport=6050, dport=7) / b'x'),
                                        e.recv(1, lambda p: p.dst == silent))[1], 20)
    check('10.10.1.50' in box.do('arp -an'), 'arp -an lists it', box.do('arp -an'))
    check('fd00:1::50' in box.do('ndp -an'), 'ndp -an lists it', box.do('ndp -an'))
    box.do('arp -d 10.10.1.50')
    check('10.10.1.50' not in box.do('arp -an'), 'until it is deleted')
    box.do('arp -s 10.10.1.51 02:00:00:00:00:51')
    n = len(e.seen_requests)
    i.send(IP(src=lab.INT4, dst='10.10.1.51') / UDP(sport=6000, dport=7) / b'x')
    check(e.recv(2, lambda p: p.dst == '10.10.1.51') is not None and '10.10.1.51' not in e.seen_requests[n:], 'a static entry needs no question')
