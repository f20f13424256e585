# SPDX-License-Identifier: BSD-2-Clause
"""States of UDP, ICMP and other protocols: how long they live, and that they end by themselves."""
import lab
from lab import check, exchange, until
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.packet import Raw

RULES = '''set timeout { udp.first 4, udp.single 5, udp.multiple 6, icmp.first 4, icmp.error 3, other.first 4, other.single 5, other.multiple 6, interval 1 }
block
pass in on int0
pass out on ext0
'''

with lab.Lab() as l:
    box = l.box(RULES)
    i, e = l.wire['int'], l.wire['ext']
    i.resolve()
    e.resolve()

    def life(what, words, seconds):
        found = [x['expires_s'] for x in box.states(words)]
        check(len(found) == 2 and max(found) <= seconds, '%s: at most %d s' % (what, seconds), found)

    print('-- UDP')
    for src, dst, ip in ((lab.INT4, lab.EXT4, IP), (lab.INT6, lab.EXT6, IPv6)):
        exchange(i, e, ip(src=src, dst=dst) / UDP(sport=3000, dport=53) / b'one', 'a question')
        life('udp.first', 'udp', 4)
        exchange(e, i, ip(src=dst, dst=src) / UDP(sport=53, dport=3000) / b'two', 'its answer')
        exchange(i, e, ip(src=src, dst=dst) / UDP(sport=3000, dport=53) / b'three', 'one more')
        life('udp.multiple', 'udp', 6)
        e.send(ip(src=dst, dst=src) / UDP(sport=54, dport=3000) / b'evil')
        i.none('nothing from another port')
        until('states of UDP end', lambda: box.states('udp') == [], 15)
        e.send(ip(src=dst, dst=src) / UDP(sport=53, dport=3000) / b'late')
        i.none('an answer that comes too late is dropped')

    print('-- ICMP queries')
    exchange(i, e, IP(src=lab.INT4, dst=lab.EXT4) / ICMP(id=77, seq=1) / b'ping', 'an echo request')
    life('icmp.first', 'icmp', 4)
    exchange(e, i, IP(src=lab.EXT4, dst=lab.INT4) / ICMP(type=0, id=77, seq=1) / b'ping', 'its reply')
    e.send(IP(src=lab.EXT4, dst=lab.INT4) / ICMP(type=0, id=78, seq=1) / b'ping')
    i.none('no reply to what nobody asked')
    exchange(i, e, IPv6(src=lab.INT6, dst=lab.EXT6) / ICMPv6EchoRequest(id=77, seq=1), 'an echo request over IPv6')
    exchange(e, i, IPv6(src=lab.EXT6, dst=lab.INT6) / ICMPv6EchoReply(id=77, seq=1), 'its reply')
    until('states of ICMP end', lambda: box.states() == [], 15)

    print('-- ICMP errors belong to the state that they speak of')
    sent = IP(src=lab.INT4, dst=lab.EXT4) / UDP(sport=3001, dport=7) / b'x' * 20
    out = exchange(i, e, IP(src=lab.INT4, dst=lab.EXT4) / UDP(sport=3001, dport=7) / Raw(b'x' * 20), 'a datagram')
    got = exchange(e, i, IP(src=lab.EXT4, dst=lab.INT4) / ICMP(type=3, code=3) / bytes(out)[:28], 'port unreachable')
    check(got[ICMP].type == 3 and got[ICMP].code == 3, 'as it was sent', got.summary())
    e.send(IP(src=lab.EXT4, dst=lab.INT4) / ICMP(type=3, code=3) / (IP(src=lab.INT4, dst=lab.EXT4) / UDP(sport=9, dport=9)))
    i.none('an error about no state is dropped')

    print('-- another protocol')
    exchange(i, e, IP(src=lab.INT4, dst=lab.EXT4, proto=47) / Raw(b'\0\0\x08\0' + b'z' * 20), 'GRE')
    exchange(e, i, IP(src=lab.EXT4, dst=lab.INT4, proto=47) / Raw(b'\0\0\x08\0' + b'z' * 20), 'GRE back')
    until('its state ends', lambda: box.states() == [], 15)
