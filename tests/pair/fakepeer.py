# SPDX-License-Identifier: BSD-2-Clause
"""
A BSD box on the sync cable, played by the test: it says what it is told to, hears everything, and answers ARP and neighbour
discovery for its own address, nothing else.

	p = FakePeer(lab, 'peer', 'c0', record=6)			# namespace, interface, what it speaks
	p.send(pfsync_wire.upd_req())					# one packet, to the multicast group
	m = p.expect('bus', status=1)					# the next such message; others before it are kept
	p.silence('no second answer', 'bus')
"""
import ipaddress, os, socket, struct, time
from pair import lab
import pfsync_wire as w
from pair import Failed, check

ADDR4, ADDR6 = '10.10.3.9', 'fd00:3::9'


class FakePeer:
    def __init__(self, l, ns, ifname, record=6, addr=ADDR4, addr6=ADDR6, to=w.MULTICAST4, hostid=0x0badf00d, mac='02:70:66:00:03:09'):
        self.record, self.addr, self.addr6, self.to, self.hostid = record, addr, addr6, to, hostid
        self.mac = bytes.fromhex(mac.replace(':', ''))
        self.macs = {}			# of the others, as learned
        self.got, self.packets = [], []	# messages not yet asked for; all (time, source, destination, payload)
        self.bad = []			# what could not be read: always wrong
        self.strict = True
        with lab.netns(l.ns[ns]):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind((ifname, 0))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, 'SO_RCVBUFFORCE') else 33, 16 << 20)
            index = socket.if_nametoindex(ifname)
        # PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC; PACKET_IGNORE_OUTGOING
        self.sock.setsockopt(263, 1, struct.pack('iHH8s', index, 1, 0, b''))
        self.sock.setsockopt(263, 23, 1)

    # ---- out
    def ethernet(self, dst):
        a = ipaddress.ip_address(dst)
        if a.is_multicast:
            return w.multicast_mac(dst)
        if dst not in self.macs:
            self.resolve(dst)
        return self.macs[dst]

    def resolve(self, dst, seconds=15):
        end = time.monotonic() + seconds
        while dst not in self.macs and time.monotonic() < end:
            if ':' in dst:
                from scapy.layers.inet6 import IPv6, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr
                from scapy.layers.l2 import Ether
                low = ipaddress.ip_address(dst).packed[13:]
                group = ipaddress.ip_address(ipaddress.ip_address('ff02::1:ff00:0').packed[:13] + low)
                mac = ':'.join('%02x' % x for x in self.mac)
                self.sock.send(bytes(Ether(dst='33:33:ff:%02x:%02x:%02x' % tuple(low), src=mac) / IPv6(
                    src=self.addr6, dst=str(group), hlim=255) / ICMPv6ND_NS(tgt=dst) / ICMPv6NDOptSrcLLAddr(lladdr=mac)))
            else:
                self.sock.send(b'\xff' * 6 + self.mac + bytes.fromhex('0806000108000604') + b'\0\1' + self.mac +
                               w.addr16(self.addr)[:4] + bytes(6) + w.addr16(dst)[:4])
            self.pump(0.2)
        check(dst in self.macs, 'the box at %s is resolved' % dst)

    def send_payload(self, payload, to=None, ttl=255, src=None, proto=w.PROTO):
        """These bytes behind an IP header."""
        to = to or self.to
        six = ipaddress.ip_address(to).version == 6
        p = w.ip(payload, src or (self.addr6 if six else self.addr), to, ttl, proto=proto)
        self.sock.send(self.ethernet(to) + self.mac + (b'\x86\xdd' if six else b'\x08\x00') + p)

    def send(self, *messages, **how):
        """One packet with these messages."""
        more = {k: how.pop(k) for k in ('cksum', 'eof', 'pad', 'length') if k in how}
        record = how.pop('record', messages[0].get('record', self.record))
        self.send_payload(w.packet(record, list(messages), **more), **how)

    def replay(self, frame):
        """A captured frame as it is, but for the destination if that was one box alone."""
        if not frame[0] & 1:
            frame = self.macs.get('box', frame[:6]) + frame[6:]
        self.sock.send(frame)

    # ---- in
    def frame(self, raw):
        etype = raw[12:14]
        if etype == b'\x08\x06':
            op, sha, spa, tpa = raw[20:22], raw[22:28], w.addr_text(raw[28:32], 4), w.addr_text(raw[38:42], 4)
            self.macs[spa] = sha
            if op == b'\0\1' and tpa == self.addr and spa != self.addr:
                self.sock.send(sha + self.mac + bytes.fromhex('0806000108000604') + b'\0\2' + self.mac +
                               w.addr16(self.addr)[:4] + sha + w.addr16(spa)[:4])
            return
        e = w.ethernet(raw)
        if e is None:
            if etype == b'\x86\xdd' and raw[20] == 58 and len(raw) >= 78:
                self.discovery(raw)
            return
        self.macs.setdefault(e[0], raw[6:12])
        self.packets.append((time.monotonic(), e[0], e[1], e[3]))
        if e[2] != 255:
            self.bad.append('TTL %d' % e[2])
        try:
            f = w.parse(e[3], strict=self.strict)
            for m in f.messages:
                m['cksum'], m['pad_byte'], m['from'], m['to'], m['version'] = f.cksum, f.pad, e[0], e[1], f.version
                self.got.append(m)
        except w.Bad as x:
            self.bad.append('%s: %s' % (x, e[3].hex()))

    def discovery(self, raw):
        from scapy.layers.inet6 import IPv6, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr
        from scapy.layers.l2 import Ether
        kind, target = raw[54], w.addr_text(raw[62:78], 6)
        if kind == 136:
            self.macs[target] = raw[6:12]
        elif kind == 135 and target == self.addr6:
            mac = ':'.join('%02x' % x for x in self.mac)
            self.sock.send(bytes(Ether(dst=':'.join('%02x' % x for x in raw[6:12]), src=mac) / IPv6(
                src=target, dst=w.addr_text(raw[22:38], 6), hlim=255) / ICMPv6ND_NA(tgt=target, R=0, S=1, O=1) /
                ICMPv6NDOptDstLLAddr(lladdr=mac)))

    def pump(self, seconds):
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            self.sock.settimeout(max(left, 0.0001))
            try:
                self.frame(self.sock.recv(70000))
            except (socket.timeout, BlockingIOError):
                if left <= 0:
                    return
            if left <= 0:
                return

    def take(self, kind, seconds=3, match=None, **fields):
        """The next message of the kind with these fields, or None; it alone leaves the queue."""
        end = time.monotonic() + seconds
        looked = 0
        while True:
            for i in range(looked, len(self.got)):
                m = self.got[i]
                if m['message'] == kind and all(m.get(k) == v for k, v in fields.items()) and (match is None or match(m)):
                    del self.got[i]
                    return m
            looked = len(self.got)
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                self.frame(self.sock.recv(70000))
            except (socket.timeout, BlockingIOError):
                pass

    def expect(self, kind, seconds=15, what=None, match=None, **fields):
        m = self.take(kind, seconds, match, **fields)
        check(m is not None, what or 'a %s %s comes' % (kind, ' '.join('%s=%x' % (k, v) for k, v in fields.items())),
              'instead: %s' % [(x['message'], hex(x.get('id', 0)), hex(x.get('creatorid', 0))) for x in self.got[:12]], self.bad[:3])
        return m

    def expect_bytes(self, kind, want, seconds=15, what=None, **fields):
        """As expect(), and the message must be these bytes."""
        m = self.expect(kind, seconds, what, **fields)
        if m['raw'] != want:
            off = [i for i in range(max(len(want), len(m['raw']))) if m['raw'][i:i + 1] != want[i:i + 1]]
            raise Failed('%s: bytes differ at %s\ngot  %s\nwant %s' % (kind, off, m['raw'].hex(), want.hex()))
        print('ok: byte by byte as the system of record %s would' % self.record)
        return m

    def silence(self, what, kind=None, seconds=0.4, **fields):
        """No such message; kind None: no message at all."""
        self.pump(seconds)
        bad = [m for m in self.got if (kind is None or m['message'] == kind) and all(m.get(k) == v for k, v in fields.items())]
        check(not bad, what, [(m['message'], hex(m.get('id', 0)), hex(m.get('creatorid', 0))) for m in bad[:5]])

    def forget(self, seconds=0):
        """What came so far is of no interest."""
        self.pump(seconds)
        self.got.clear()

    def clean(self):
        check(not self.bad, 'every packet of the box could be read, TTL 255', *self.bad[:3])

    def close(self):
        self.sock.close()
