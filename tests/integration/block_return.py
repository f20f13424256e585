# SPDX-License-Identifier: BSD-2-Clause
"""What blocked packets are answered with: nothing, RST, ICMP unreachable, as the rule says."""
import lab
from lab import check
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

RULES = '''block drop in proto tcp to port 1
block return in proto { tcp, udp } to port 2
block return-rst in proto tcp to port 3
block return-icmp in proto udp to port 4
block return-icmp(host-prohib, admin-unr) in proto udp to port 5
block return in proto icmp
'''
with lab.Lab() as l:
    box = l.box(RULES)
    i, e = l.wire['int'], l.wire['ext']
    i.resolve()
    e.resolve()
    for ip, src, dst in ((IP, lab.INT4, lab.EXT4), (IPv6, lab.INT6, lab.EXT6)):
        def send(l4):
            i.queue.clear()
            i.send(ip(src=src, dst=dst) / l4)

        send(TCP(sport=5000, dport=1, flags='S', seq=100))
        i.none('drop: no answer')
        for port in (2, 3):
            send(TCP(sport=5000, dport=port, flags='S', seq=100))
            r = i.recv(3, lambda p: TCP in p)
            check(r is not None and r[TCP].flags == 'RA' and r[TCP].ack == 101 and r[TCP].seq == 0, 'a SYN gets its RST', r)
            check((r.src, r.dst, r[TCP].sport, r[TCP].dport) == (dst, src, port, 5000), 'from whom it was sent to')
            c = r[TCP].chksum
            del r[TCP].chksum
            check(r.__class__(bytes(r))[TCP].chksum == c, 'with a right checksum')
            send(TCP(sport=5001, dport=port, flags='R', seq=100))
            i.none('a RST gets none', match=lambda p: TCP in p)  # by `return` it gets ICMP, as from pf
        for port, code4, code6 in ((2, 3, 4), (4, 3, 4), (5, 10, 1)):
            send(UDP(sport=5000, dport=port) / b'question')
            r = i.recv(3, lambda p: ICMP in p or ICMPv6DestUnreach in p)
            check(r is not None, 'UDP to port %d gets ICMP' % port, box.do('show drops'))
            if ip is IP:
                check((r[ICMP].type, r[ICMP].code) == (3, code4) and r.src == '10.10.2.1', 'type 3 code %d from the box' % code4, r.summary())
                check(r[IPerror].dst == dst and r[UDPerror].dport == port, 'that quotes the packet')
            else:
                check(r[ICMPv6DestUnreach].code == code6, 'code %d' % code6, r.summary())
        e.none('nothing of it crossed', 0.2)
    n = sum(v for k, v in box.drops().items() if k == 'rule_block')
    check(n >= 14, 'each is counted as rule_block', box.do('show drops'))
