# SPDX-License-Identifier: BSD-2-Clause
"""Fragments both ways and of both families: put together for the rules, cut again, refused when they overlap or end badly."""
import lab
from lab import check
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw

RULES = 'set timeout { frag 2, interval 1 }\nblock\npass proto udp to port 53\npass proto { icmp, icmp6 }\n'


def pieces4(src, dst, data, ident, cuts, sport=5000, dport=53):
    """A datagram in pieces that end at cuts (bytes of IP payload)."""
    whole = bytes(UDP(bytes(IP(src=src, dst=dst) / UDP(sport=sport, dport=dport) / Raw(data))[20:]))
    ends = list(cuts) + [len(whole)]
    at, out = 0, []
    for end in ends:
        out.append(IP(src=src, dst=dst, id=ident, proto=17, frag=at // 8, flags='MF' if end != len(whole) else 0) / Raw(whole[at:end]))
        at = end
    return out


def pieces6(src, dst, data, ident, cuts):
    whole = bytes(IPv6(src=src, dst=dst) / UDP(sport=5000, dport=53) / Raw(data))[40:]
    ends = list(cuts) + [len(whole)]
    at, out = 0, []
    for end in ends:
        out.append(IPv6(src=src, dst=dst) / IPv6ExtHdrFragment(nh=17, offset=at // 8, m=int(end != len(whole)), id=ident) /
                   Raw(whole[at:end]))
        at = end
    return out


def collect(wire, seconds=1.0):
    wire.pump(seconds)
    got, wire.queue = wire.queue, []
    return got


def payload4(got):
    return b''.join(bytes(p.payload) for p in sorted(got, key=lambda p: p.frag))


def payload6(got):
    return b''.join(bytes(p[IPv6ExtHdrFragment].payload) for p in sorted(got, key=lambda p: p[IPv6ExtHdrFragment].offset))


with lab.Lab() as l:
    box = l.box(RULES)
    i, e = l.wire['int'], l.wire['ext']
    i.resolve()
    e.resolve()
    data = bytes(range(256)) * 12

    print('-- in order, in reverse order, both ways')
    for a, b, src, dst, ident in ((i, e, lab.INT4, lab.EXT4, 11), (e, i, lab.EXT4, lab.INT4, 12)):
        for order in (1, -1):
            sent = pieces4(src, dst, data, ident + 100 * order + 200, (1480, 2960))
            for p in sent[::order]:
                a.send(p)
            got = collect(b)
            check(payload4(got) == payload4(sent) and len(got) >= 3, 'IPv4 pieces cross whole', [p.summary() for p in got])
            check(all(len(p) <= 1500 for p in got), 'and fit the MTU')
    for a, b, src, dst in ((i, e, lab.INT6, lab.EXT6), (e, i, lab.EXT6, lab.INT6)):
        for order in (1, -1):
            sent = pieces6(src, dst, data, 77 + order, (1448, 2896))
            for p in sent[::order]:
                a.send(p)
            got = collect(b)
            check(len(got) >= 3 and payload6(got) == payload6(sent), 'IPv6 pieces cross whole', [p.summary() for p in got])
    for s in box.states('udp'):
        check(sum(s['packets']) == 1 or sum(s['packets']) >= 2, 'states of udp are there')
        break

    print('-- rules see ports only in the whole: port 54 is blocked, all of its pieces')
    for p in pieces4(lab.INT4, lab.EXT4, data, 900, (1480, 2960), dport=54):
        i.send(p)
    check(collect(e, 0.5) == [], 'nothing of a blocked datagram crosses')

    print('-- overlapping')
    before = box.counter('fragment')
    whole = pieces6(lab.INT6, lab.EXT6, data, 501, (1448, 2896))
    evil = IPv6(src=lab.INT6, dst=lab.EXT6) / IPv6ExtHdrFragment(nh=17, offset=90, m=1, id=501) / Raw(b'E' * 800)
    for p in (whole[0], evil, whole[1], whole[2]):
        i.send(p)
    check(collect(e, 0.7) == [], 'IPv6: an overlap kills the packet (RFC 5722)')
    check(box.counter('fragment') > before, 'and counts', box.do('pfctl -si'))
    whole = pieces4(lab.INT4, lab.EXT4, data, 502, (1480, 2960))
    evil = IP(src=lab.INT4, dst=lab.EXT4, id=502, proto=17, frag=90, flags='MF') / Raw(b'E' * 696)
    for p in (whole[0], evil, whole[1], whole[2]):
        i.send(p)
    got = collect(e, 0.7)
    check(got == [] or b'EEEE' not in payload4(got), 'IPv4: the later data never replaces the earlier', [p.summary() for p in got])

    print('-- never completed')
    n = box.drops().get('fragment_timeout', 0)
    i.send(pieces4(lab.INT4, lab.EXT4, data, 503, (1480, 2960))[0])
    check(collect(e, 0.3) == [], 'half a packet does not cross')
    lab.until('it is dropped after `timeout frag`', lambda: box.drops().get('fragment_timeout', 0) > n, 12)

    print('-- tiny first piece that hides the ports')
    for p in (IP(src=lab.INT4, dst=lab.EXT4, id=504, proto=6, flags='MF') / Raw(b'\x13\x88\x00\x35\0\0\0\0'),):
        i.send(p)
    check(collect(e, 0.3) == [], 'it waits for the rest')

    print('-- with the kernel\'s own stacks')
with lab.Lab() as l:
    l.kernel_hosts()
    box = l.box()
    for side, far in (('int', (lab.EXT4, lab.EXT6)), ('ext', (lab.INT4, lab.INT6))):
        for dst in far:
            r = l.ping(side, dst, '-c 2 -i 0.2 -W 3 -s 9000')
            check(r.returncode == 0, 'ping of 9000 bytes from %s to %s' % (side, dst), r.stdout, box.do('show drops'))
