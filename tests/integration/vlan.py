# SPDX-License-Identifier: BSD-2-Clause
"""VLAN interfaces on one port: tagged hosts reach the untagged side and each other, rules tell the VLANs apart. The frames
are made here, since not every kernel has VLAN devices."""
import struct, time
import lab
from lab import check
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
import socket

MORE = ''.join('ifconfig vlan%d vnetid %d parent int0\nifconfig vlan%d inet 10.10.%d.1/24 inet6 fd00:%d::1/64\n' % (v, v, v, v, v)
               for v in (7, 8))


class Tagged:
    """The inside cable with tags kept: the kernel takes the tag out of the frame and tells it beside."""
    def __init__(self, l):
        self.mac = '02:70:66:00:00:07'
        with lab.netns(l.ns['int']):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind(('eth0', 0))
            self.sock.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA

    def send(self, vid, pkt, dst):
        self.sock.send(bytes(Ether(dst=dst, src=self.mac) / Dot1Q(vlan=vid) / pkt))

    def recv(self, match, seconds=3):
        """(vid, frame) of the next frame that matches; vid 0: no tag."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                raw, aux, _, _ = self.sock.recvmsg(70000, 1000)
            except socket.timeout:
                return None, None
            vid = 0
            for level, kind, data in aux:
                if (level, kind) == (263, 8):
                    status, _, _, _, _, tci, _ = struct.unpack('IIIHHHH', data[:20])
                    vid = tci & 0xfff if status & 0x10 else 0
            f = Ether(raw)
            if Dot1Q in f:
                vid = f[Dot1Q].vlan
            if f.src != self.mac and match(f):
                return vid, f
        return None, None

    def who_has(self, vid, addr):
        for _ in range(20):
            self.send(vid, ARP(op=1, hwsrc=self.mac, psrc=addr[:-1] + '100', pdst=addr), 'ff:ff:ff:ff:ff:ff')
            v, f = self.recv(lambda f: ARP in f and f[ARP].op == 2 and f[ARP].psrc == addr, 0.5)
            if f is not None:
                check(v == vid, 'the ARP answer of %s is on VLAN %d' % (addr, vid), v)
                return f[ARP].hwsrc
        raise lab.Failed('no ARP answer from %s on VLAN %d' % (addr, vid))

    def answer(self, vid, addr):
        """Answer the box's question for our address."""
        v, f = self.recv(lambda f: ARP in f and f[ARP].op == 1 and f[ARP].pdst == addr, 3)
        check(v == vid, 'the box asks for %s on VLAN %d' % (addr, vid), v)
        self.send(vid, ARP(op=2, hwsrc=self.mac, psrc=addr, hwdst=f[ARP].hwsrc, pdst=f[ARP].psrc), f[ARP].hwsrc)


with lab.Lab() as l:
    box = l.box('pass\nblock in on vlan8 proto udp to port 80\n', more=MORE)
    t, e = Tagged(l), l.wire['ext']
    e.resolve()
    mac = {v: t.who_has(v, '10.10.%d.1' % v) for v in (7, 8)}

    for vid in (7, 8):
        t.send(vid, IP(src='10.10.%d.100' % vid, dst=lab.EXT4) / ICMP(id=vid, seq=1) / b'hello', mac[vid])
        got = e.recv(3, lambda p: ICMP in p and p[ICMP].id == vid)
        check(got is not None and got.ttl == 63, 'VLAN %d reaches the untagged side' % vid, box.do('show drops'))
        e.send(IP(src=lab.EXT4, dst='10.10.%d.100' % vid) / ICMP(type=0, id=vid, seq=1) / b'hello')
        # ARP may still be needed for the way back: it was learned from the question above, or is asked for now.
        v, f = t.recv(lambda f: ICMP in f or ARP in f and f[ARP].op == 1 and f[ARP].pdst == '10.10.%d.100' % vid)
        if f is not None and ARP in f:
            t.send(vid, ARP(op=2, hwsrc=t.mac, psrc=f[ARP].pdst, hwdst=f[ARP].hwsrc, pdst=f[ARP].psrc), f[ARP].hwsrc)
            v, f = t.recv(lambda f: ICMP in f)
        check(v == vid and f is not None and f[ICMP].type == 0, 'and the answer has its tag', v)

    print('-- rules tell them apart')
    for vid, passes in ((7, True), (8, False)):
        t.send(vid, IP(src='10.10.%d.100' % vid, dst=lab.EXT4) / UDP(sport=4000 + vid, dport=80) / b'x', mac[vid])
        got = e.recv(2 if passes else 0.5, lambda p: UDP in p and p[UDP].sport == 4000 + vid)
        check((got is not None) == passes, 'VLAN %d %s' % (vid, 'passes' if passes else 'is blocked'))

    print('-- from one VLAN to the other')
    t.send(7, IP(src='10.10.7.100', dst='10.10.8.100') / UDP(sport=4000, dport=81) / b'x', mac[7])
    v, f = t.recv(lambda f: UDP in f and f[UDP].dport == 81)
    check(v == 8, 'arrives with the other tag', v)

    print('-- a tag that nobody has')
    t.send(99, IP(src='10.10.7.100', dst=lab.EXT4) / UDP(sport=4100, dport=82) / b'x', mac[7])
    check(e.recv(0.5, lambda p: UDP in p and p[UDP].sport == 4100) is None, 'is dropped')
    check(sum(n for k, n in box.drops().items() if 'vlan' in k or 'interface' in k) >= 1, 'and counted', box.do('show drops'))

    out = box.do('ifconfig vlan7')
    check('vnetid: 7' in out or 'vlan: 7' in out or 'vnetid 7' in out, 'ifconfig shows the VLAN', out)
    box.do('ifconfig vlan8 destroy')
    check(box.ctl('ifconfig vlan8').status != 0, 'a destroyed VLAN is gone')
    t.send(8, IP(src='10.10.8.100', dst=lab.EXT4) / UDP(sport=4200, dport=83) / b'x', mac[8])
    check(e.recv(0.5, lambda p: UDP in p and p[UDP].sport == 4200) is None, 'and its frames with it')
