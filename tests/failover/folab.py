# SPDX-License-Identifier: BSD-2-Clause
"""
Two boxes with shared addresses between a client and a server, on switches, made of namespaces; and a place for another half.

	client 10.10.2.100 -- switch -+- .1 int0 [ A ] ext0 .1 -+- switch -- 10.10.1.100 server
	                              |          | sync        |
	                              +- .2 int0 [ B ] ext0 .2 -+
	                              +- 'peer' .3             (ucarp; the test's own packets: l.wire)

Shared: 10.10.2.254 fd00:2::fe and 10.10.1.254 fd00:1::fe, vhid 2 and 1, the ways of client and server.

	with folab.FoLab() as l:
	    a, b = l.boxes_up(advbase=0, skew={'A': 20, 'B': 40})
	    l.role(a, 'MASTER'); l.role(b, 'BACKUP')
"""
import os, socket, struct, subprocess, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../pair'))
import pair, lab
from lab import EXT4, EXT6, INT4, INT6, NET, Failed, check, sh, skip, until

PASS = 'mekmitasdigoat'
SHARED = {'int': ('10.10.2.254', 'fd00:2::fe'), 'ext': ('10.10.1.254', 'fd00:1::fe')}
VHID = {'ext': 1, 'int': 2}
GROUP4, GROUP6 = bytes((224, 0, 0, 18)), bytes.fromhex('ff02' + '00' * 13 + '12')


def vmac(vhid):
    return bytes((0, 0, 0x5e, 0, 1, vhid))


class FoLab(pair.PairLab):
    def __init__(self, names=('A', 'B')):
        super().__init__(names=names)
        self.id = 'tpf%d' % os.getpid()
        self.ns = {k: self.id + k[0] if len(k) > 1 else self.id + k for k in ('int', 'ext', 'peer') + tuple(names)}
        self.tap = {}

    def __enter__(self):
        r = sh('ip netns add ' + self.ns['int'], fail=False)
        if r.returncode != 0:
            self.failed = False
            skip('network namespaces cannot be made here: ' + r.stdout.strip())
        for k, ns in self.ns.items():
            if k != 'int':
                sh('ip netns add ' + ns)
            sh('ip -n %s link set lo up' % ns)
        for side in ('int', 'ext'):
            ns, (v4, v6) = self.ns[side], NET[side]
            r = sh('ip -n %s link add br0 type bridge mcast_snooping 0' % ns, fail=False)
            if r.returncode != 0:
                self.failed = False
                skip('no bridges here: ' + r.stdout.strip())
            sh('ip netns exec %s sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.br0.accept_dad=0' % ns, fail=False)
            for n in self.names + ('peer',):
                self.veth(ns, 'p' + n, self.ns[n], 'v' + side)
                sh('ip -n %s link set p%s master br0' % (ns, n))
            sh('ip -n %s link set br0 up' % ns)
            sh('ip -n %s addr add %s100/24 dev br0' % (ns, v4))
            sh('ip -n %s -6 addr add %s100/64 dev br0 nodad' % (ns, v6))
            sh('ip -n %s route add default via %s' % (ns, SHARED[side][0]))
            sh('ip -n %s -6 route add default via %s' % (ns, SHARED[side][1]))
            sh('ip -n %s addr add %s3/24 dev v%s' % (self.ns['peer'], v4, side))
        self.veth(self.ns[self.names[0]], 'vsync', self.ns[self.names[-1]], 'vsync') if len(self.names) > 1 else None
        return self

    def carp(self, name, advbase=1, skew=0, sides=('ext', 'int'), six=True, password=PASS, more=''):
        return ''.join('ifconfig carp%d vhid %d pass %s carpdev %s0 advbase %d advskew %d inet %s/24%s %s\n' % (
            VHID[s], VHID[s], password, s, advbase, skew, SHARED[s][0], ' inet6 %s/64' % SHARED[s][1] if six else '', more)
            for s in sides)

    def commands(self, name='A', pfsync=None, carp='', more='', own=True):
        n = self.number(name)
        c = 'port attach net_af_packet0,iface=vint name int0\nport attach net_af_packet1,iface=vext name ext0\n'
        if own:
            c += 'ifconfig int0 inet 10.10.2.%d/24 inet6 fd00:2::%d/64\nifconfig ext0 inet 10.10.1.%d/24 inet6 fd00:1::%d/64\n' % (n, n, n, n)
        if pfsync:
            c += ('port attach net_af_packet2,iface=vsync name sync0\nifconfig sync0 inet 10.10.3.%d/24\n'
                  'ifconfig pfsync0 syncdev sync0 %s\n' % (n, pfsync))
        return c + carp + more + 'pfctl -f @RULES@\nstart\n'

    def boxes_up(self, advbase=1, skew=None, rules='pass\n', wait=True, preempt=False, workers=1, **conf):
        skew = skew or {}
        made = []
        for n in self.names:
            carp = ('set carp preempt on\n' if preempt else '') + self.carp(n, advbase, skew.get(n, 0))
            made.append(self.make(n, rules=rules, workers=workers, carp=carp, **conf))
        self.begin(*made)
        return made

    # ---- what a box says of itself
    def carps(self, box):
        return {i['name']: i for i in box.json('show carp')['interfaces']}

    def state(self, box, name='carp1'):
        return self.carps(box)[name]['state']

    def role(self, box, want, seconds=15, names=('carp1', 'carp2')):
        until('%s is %s' % (box.name, want), lambda: all(self.carps(box)[n]['state'] == want for n in names), seconds, 0.02)

    def counters(self, box):
        return box.json('show carp')['counters']

    # ---- the wire
    def sniff(self, side):
        """A socket that sees all frames of a switch."""
        with lab.netns(self.ns[side]):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind(('br0', 0))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        with lab.netns(self.ns['peer']):
            p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            p.bind(('v' + side, 0))
            p.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        s.close()
        return p

    def replies(self, side, address, seconds=1, vlan=0):
        """{(Ethernet source, sender hardware address)} of the ARP replies for that address, asked for by the test."""
        s, found = self.sniff(side), set()
        mine = bytes.fromhex('026670000003')
        s.send(b'\xff' * 6 + mine + (struct.pack('>HH', 0x8100, vlan) if vlan else b'') +
               struct.pack('>HHHBBH', 0x806, 1, 0x800, 6, 4, 1) + mine +
               socket.inet_aton('.'.join(address.split('.')[:3]) + '.3') + bytes(6) + socket.inet_aton(address))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            s.settimeout(max(0.001, end - time.monotonic()))
            try:
                f = s.recv(2000)
            except socket.timeout:
                break
            if f[12:14] == b'\x08\x06' and f[20:22] == b'\0\2' and f[28:32] == socket.inet_aton(address):
                found.add((f[6:12], f[22:28]))
        s.close()
        return found

    def adverts(self, side, seconds):
        """(time, frame) of the advertisements seen on a switch meanwhile."""
        s, found, end = self.sniff(side), [], time.monotonic() + seconds
        while time.monotonic() < end:
            s.settimeout(max(0.001, end - time.monotonic()))
            try:
                f = s.recv(2000)
            except socket.timeout:
                break
            if proto(f) == 112:
                found.append((time.monotonic(), f))
        s.close()
        return found


def proto(f):
    if f[12:14] == b'\x08\x00':
        return f[23]
    return f[20] if f[12:14] == b'\x86\xdd' else None


def carp_of(f):
    """The 36 bytes of an advertisement."""
    off = 14 + (f[14] & 15) * 4 if f[12:14] == b'\x08\x00' else 54
    return f[off:off + 36]


class Probe:
    """UDP from the client to an echo of the server, so many a second; largest silence in what comes back."""
    def __init__(self, l, six=False, rate=1000, port=7777):
        self.l, self.rate, self.got, self.sent, self.stop_ = l, rate, [], 0, False
        self.server = l.socket('ext', socket.SOCK_DGRAM, six=six, port=port)
        self.client = l.socket('int', socket.SOCK_DGRAM, six=six, port=port)
        self.to = (EXT6 if six else EXT4, port)
        for s in (self.server, self.client):
            s.settimeout(0.2)
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self.echo, self.hear, self.say)]
        for t in self.threads:
            t.start()

    def echo(self):
        while not self.stop_:
            try:
                d, who = self.server.recvfrom(100)
                self.server.sendto(d, who)
            except OSError:
                pass

    def hear(self):
        while not self.stop_:
            try:
                self.client.recv(100)
                self.got.append(time.monotonic())
            except OSError:
                pass

    def say(self):
        next_ = time.monotonic()
        while not self.stop_:
            try:
                self.client.sendto(b'%d' % self.sent, self.to)
                self.sent += 1
            except OSError:
                pass
            next_ += 1 / self.rate
            time.sleep(max(0, next_ - time.monotonic()))

    def gap(self, since):
        """Largest silence (s) around and behind that moment."""
        v = [t for t in self.got if t >= since - 0.5]
        return max((b - a for a, b in zip(v, v[1:])), default=None)

    def stop(self):
        self.stop_ = True
        for t in self.threads:
            t.join(2)
        self.server.close()
        self.client.close()
