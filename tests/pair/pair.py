# SPDX-License-Identifier: BSD-2-Clause
"""
Two boxes (or three, or one and a peer that the test plays) side by side between a client and a server, made of namespaces.

	                   .1 int0 [ A ] ext0 .1
	client 10.10.2.100 <         | sync    > 10.10.1.100 server
	                   .2 int0 [ B ] ext0 .2

The client and the server have a cable to each box and choose the way by their routes: l.path('A') sends both directions through
A, l.path('A', 'B') what the client says through A and what the server says through B.

	with pair.PairLab() as l:
	    a, b = l.boxes_up(rules=...)
	    l.path('A')
	    l.ping('int', lab.EXT4)
	    l.same()				# both tables, state by state, field by field

The cable between them is a veth (default), net_memif (cable='memif'), or leads through a program in a namespace of its own that
copies frames between all ends and can lose them: cable='hub' (tests/pair/impair.c). cable='fake' has one box, and the other end
is 'c0' in namespace 'cable'.
"""
import collections, json, os, re, shutil, socket, subprocess, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../integration'))
import lab
from lab import EXT4, EXT6, INT4, INT6, Failed, check, sh, skip

SHARED = os.environ.get('TWINPATH_SHARED') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared')
VECTORS = os.path.join(SHARED, 'vectors')
IMPAIR = os.environ.get('TWINPATH_IMPAIR') or os.path.join(lab.BUILD, 'tests/pair/impair')
HOSTID = {'A': 0xaaaa0001, 'B': 0xbbbb0002, 'C': 0xcccc0003}
TIMEOUTS = 'set timeout { interval 1, tcp.closed 20, tcp.finwait 20 }\n'
PORTS = ('int0', 'ext0', 'sync0')


def until(what, f, seconds=15, every=0.05):
    """As lab.until(). Two boxes and their hosts share what CPUs there are: patience costs nothing where all is well."""
    return lab.until(what, f, max(seconds, 15), every)


def lcores(workers):
    """The main lcore and so many workers on the CPUs that there are."""
    c = lab.cpus()
    return ','.join(['0@%d' % c[0]] + ['%d@%d' % (i, c[-1] if i % 2 else c[0]) for i in range(1, workers + 1)])


class PairLab(lab.Lab):
    def __init__(self, cable='veth', names=('A', 'B')):
        super().__init__()
        self.names, self.cable_kind = names, cable
        self.id = 'tpp%d' % os.getpid()
        self.ns = {'int': self.id + 'i', 'ext': self.id + 'e'}
        for n in names:
            self.ns[n] = self.id + n
        if cable in ('hub', 'fake'):
            self.ns['cable'] = self.id + 'c'
        self.hub = None
        self.pair = {}			# name: Box
        self.ports = {}			# name: names of its ports

    def __enter__(self):
        r = sh('ip netns add ' + self.ns['int'], fail=False)
        if r.returncode != 0:
            self.failed = False
            skip('network namespaces cannot be made here: ' + r.stdout.strip())
        for k, ns in self.ns.items():
            if k != 'int':
                sh('ip netns add ' + ns)
            sh('ip -n %s link set lo up' % ns)
        for k in ('int', 'ext'):
            sh("ip netns exec %s sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
               "net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0" % self.ns[k], fail=False)
        for n in self.names:
            for side in ('int', 'ext'):
                self.veth(self.ns[side], 'e' + n, self.ns[n], 'v' + side)
                sh('ip netns exec %s sysctl -qw net.ipv6.conf.e%s.disable_ipv6=0' % (self.ns[side], n))
                v4, v6 = lab.NET[side]
                sh('ip -n %s addr add %s100/32 dev e%s' % (self.ns[side], v4, n))
                sh('ip -n %s -6 addr add %s100/128 dev e%s nodad' % (self.ns[side], v6, n))
        if self.cable_kind == 'veth':
            self.veth(self.ns[self.names[0]], 'vsync', self.ns[self.names[1]], 'vsync')
        elif self.cable_kind in ('hub', 'fake'):
            for i, n in enumerate(self.names):
                self.veth(self.ns['cable'], 'c%d' % i, self.ns[n], 'vsync')
        return self

    def veth(self, ns1, if1, ns2, if2):
        sh('ip -n %s link add %s type veth peer name %s netns %s' % (ns1, if1, if2, ns2))
        for n, i in ((ns1, if1), (ns2, if2)):
            # Kernels leave checksums between veth ends to hardware that does not exist.
            sh('ip netns exec %s ethtool -K %s tx off' % (n, i), fail=False)
            sh('ip netns exec %s sysctl -qw net.ipv6.conf.%s.disable_ipv6=1' % (n, i), fail=False)
            sh('ip -n %s link set %s up' % (n, i))

    def number(self, name):
        return self.names.index(name) + 1

    def path(self, there, back=None):
        """What the client sends goes through `there`, what the server sends through `back` (else the same)."""
        for side, other, name in (('int', 'ext', there), ('ext', 'int', back or there)):
            n = self.number(name)
            v4, v6 = lab.NET[side]
            to4, to6 = lab.NET[other]
            ns = self.ns[side]
            sh('ip -n %s route replace %s0/24 via %s%d dev e%s onlink src %s100' % (ns, to4, v4, n, name, v4))
            sh('ip -n %s -6 route del %s/64' % (ns, to6), fail=False)
            sh('ip -n %s -6 route add %s/64 via %s%d dev e%s onlink src %s100' % (ns, to6, v6, n, name, v6))

    def commands(self, name='A', pfsync='maxupd 128 up', more='', ports=PORTS, addresses6=True):
        n = self.number(name)
        int0, ext0, sync0 = ports
        sync_dev = 'net_af_packet2,iface=vsync'
        if self.cable_kind == 'memif':
            sync_dev = 'net_memif0,role=%s,socket=%s/memif.sock,socket-abstract=no' % ('server' if n == 1 else 'client', self.dir)
        return ('port attach net_af_packet0,iface=vint name %s\nport attach net_af_packet1,iface=vext name %s\n'
                'port attach %s name %s\n'
                'ifconfig %s inet 10.10.2.%d/24 inet6 fd00:2::%d/64\nifconfig %s inet 10.10.1.%d/24 inet6 fd00:1::%d/64\n'
                'ifconfig %s inet 10.10.3.%d/24 inet6 fd00:3::%d/64\n' % (int0, ext0, sync_dev, sync0, int0, n, n, ext0, n, n, sync0, n, n) +
                'ifconfig pfsync0 syncdev %s %s\n' % (sync0, pfsync) + more + 'pfctl -f @RULES@\nstart\n')

    def make(self, name, rules='pass\n', workers=1, hostid=None, **conf):
        """A box, not yet started."""
        text = '' if hostid == 0 else 'set hostid 0x%08x\n' % (hostid or HOSTID[name])
        self.ns['box'] = self.ns[name]  # where Box runs it
        b = lab.Box(self, name, self.commands(name, **conf), text + TIMEOUTS + rules, lcores(workers), [])
        del self.ns['box']
        self.boxes.append(b)
        self.pair[name] = b
        self.ports[name] = conf.get('ports', PORTS)
        return b

    def boxes_up(self, wait=True, rules='pass\n', each=None, **conf):
        """All boxes, started together. each: {name: what is different there}."""
        made = [self.make(n, **dict(dict(rules=rules, **conf), **(each or {}).get(n, {}))) for n in self.names]
        self.begin(*made)
        if wait and len(made) > 1:
            self.joined(*made)
        return made

    def begin(self, *boxes):
        for b in boxes:
            b.start(wait=False)
        self.begin_wait(*boxes)

    def begin_wait(self, *boxes):
        for b in boxes:
            until('the box answers', lambda: b.proc.poll() is not None or b.ctl('show lcores').status == 0, 60)
            if b.proc.poll() is not None:
                raise Failed('box %s ended with status %d\n%s' % (b.name, b.proc.returncode, b.text()))

    def joined(self, *boxes, seconds=60):
        """Both have heard each other and are through with their bulk updates."""
        for b in boxes or self.pair.values():
            try:
                until('%s is in sync' % b.name, lambda: settled(sync(b)), seconds)
            except Failed as e:
                raise Failed('%s\n%s' % (e, {n: [sync(x)[k] for k in ('health', 'reason', 'bulk', 'heard_us', 'link')]
                                             for n, x in self.pair.items()})) from None

    def kill(self, name):
        """Dead at once, as in a power cut."""
        import signal
        self.pair[name].stop(signal.SIGKILL)
        prefix = self.pair[name].sock.lstrip('/').replace('/', '_').replace('.', '_')
        shutil.rmtree('/run/dpdk/' + prefix, ignore_errors=True)

    # ---- the program on the cable
    def start_hub(self, *words, seconds=170):
        if not os.path.exists(IMPAIR):
            skip('no %s' % IMPAIR)
        ends = ['c%d' % i for i in range(len(self.names))]
        if self.hub is not None:
            self.stop_hub()
        self.hub = subprocess.Popen(['ip', 'netns', 'exec', self.ns['cable'], IMPAIR, 'seconds=%d' % seconds] + list(words) + ends,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.procs.append(self.hub)
        if self.hub.stdout.readline() != 'ready\n':
            raise Failed('impair does not start')

    def stop_hub(self):
        self.hub.stdin.close()
        self.hub.wait(5)
        self.hub = None

    def tell_hub(self, words):
        self.hub.stdin.write(words + '\n')
        self.hub.stdin.flush()

    def hub_stats(self):
        self.tell_hub('stats')
        return {k: int(v) for k, v in (x.split('=') for x in self.hub.stdout.readline().split())}

    # ---- hosts
    def socket(self, side, kind=socket.SOCK_STREAM, six=False, port=0, proto=0, reuse=True):
        """A socket of a host."""
        with lab.netns(self.ns[side]):
            s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind, proto)
        s.settimeout(5)
        if reuse:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((lab.NET[side][six] + '100', port))
        return s

    def echo(self, *ports):
        """TCP and UDP echo on the server, both families, until the test ends."""
        for port in ports:
            for six in (False, True):
                t = self.socket('ext', six=six, port=port)
                t.listen(200)
                u = self.socket('ext', socket.SOCK_DGRAM, six=six, port=port)
                for f, s in ((serve_tcp, t), (serve_udp, u)):
                    threading.Thread(target=f, args=(s,), daemon=True).start()

    def tcp(self, port=5001, six=False, sport=0, seconds=20):
        """A connection of the client to the server."""
        s = self.socket('int', six=six, port=sport)
        s.settimeout(seconds)
        s.connect(((EXT6 if six else EXT4), port))
        return s

    def udp(self, flows, port=5001, six=False, packets=1, first=20000, wait=True):
        """So many UDP flows of that many packets each; how many were answered."""
        answered = 0
        for i in range(flows):
            with self.socket('int', socket.SOCK_DGRAM, six=six, port=first + i) as s:
                s.settimeout(10 if wait else 0.001)
                for n in range(packets):
                    s.sendto(b'%d' % n, ((EXT6 if six else EXT4), port))
                    if wait:
                        try:
                            answered += s.recv(100) == b'%d' % n
                        except socket.timeout:
                            pass
        return answered

    # ---- tables
    def same(self, what='both tables are equal', a='A', b='B', seconds=20, least=1, ignore=(), match=None, rename=None):
        """Until every state of a is one of b and the other way round; then what differs, field by field."""
        end = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            ta, tb = table(self.pair[a], match), table(self.pair[b], match)
            # They are not looked at in the same moment: on a busy machine seconds lie between.
            slack = 3 + time.monotonic() - began
            bad = differences(ta, tb, ignore, rename, slack, slack)
            if not bad and len(ta) >= least:
                print('ok: %s: %d states' % (what, len(ta)))
                sys.stdout.flush()
                return ta
            if time.monotonic() > end:
                raise Failed('%s: %d and %d states, %d differences\n%s' % (what, len(ta), len(tb), len(bad), '\n'.join(bad[:12])))
            time.sleep(0.2)


def serve_tcp(listener):
    def one(s):
        try:
            while True:
                d = s.recv(1 << 16)
                if not d:
                    break
                s.sendall(d)
        except OSError:
            pass
        s.close()
    listener.settimeout(170)
    while True:
        try:
            s, _ = listener.accept()
        except OSError:
            return
        s.settimeout(170)
        threading.Thread(target=one, args=(s,), daemon=True).start()


def serve_udp(s):
    s.settimeout(170)
    while True:
        try:
            d, who = s.recvfrom(65536)
            s.sendto(d, who)
        except OSError:
            return


def say(s, data, n=None):
    """Send, and read that much of an echo back."""
    s.sendall(data)
    want = len(data) if n is None else n
    got = b''
    while len(got) < want:
        d = s.recv(want - len(got))
        if not d:
            raise Failed('the connection ended after %d of %d bytes' % (len(got), want))
        got += d
    return got == data


def sync(box):
    return box.json('show sync')


def settled(s):
    # The lag is one of the whole life of a box: what a cut or a busy machine held up is not forgotten soon.
    return (s['health'] == 'in_sync' or s['reason'].startswith('changes take')) and s['bulk']['state'] in ('done', 'none')


def sync_counters(box, *names):
    """Numbers of `show sync json`: pf's counters, message counts as received.ins, sent.upd_c, and the rest by their keys."""
    s = sync(box)
    found = {}
    for n in names:
        v = s
        for part in n.split('.'):
            if part in v:
                v = v[part]
            elif part in s.get('counters', {}):
                v = s['counters'][part]
            elif part in s.get('received', {}):
                v = s['received'][part]
            else:
                raise Failed('show sync has no %s: %s' % (n, sorted(s)))
        found[n] = v
    return found


class Counting:
    """What a counter rose by: with Counting(box, 'badver') as c: ...; c.check(badver=1)."""
    def __init__(self, box, *names):
        self.box, self.names = box, names
        self.before = sync_counters(box, *names)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        return False

    def now(self):
        after = sync_counters(self.box, *self.names)
        return {n: after[n] - self.before[n] for n in self.names}

    def check(self, what, seconds=15, **want):
        want = {n: want.get(n.replace('.', '_'), 0) for n in self.names}
        end = time.monotonic() + seconds
        while self.now() != want and time.monotonic() < end:
            time.sleep(0.05)
        got = self.now()
        check(got == want, what + ': ' + (' '.join('%s+%d' % x for x in want.items() if x[1]) or 'nothing counted'), 'counted: %s' % got)
        self.before = sync_counters(self.box, *self.names)


def table(box, match=None):
    """{(id, creatorid): state} of `show states json`."""
    found = {}
    for s in box.states():
        if match is None or match(s):
            k = (s['id'], s['creatorid'])
            if k in found:
                raise Failed('two states are called %s/%s: %s' % (k + ((found[k], s),)))
            found[k] = s
    return found


FIELDS = ('af', 'proto', 'direction', 'interface', 'wire', 'stack', 'state', 'src_peer', 'dst_peer')


def brief(s):
    return '%s %s %s:%s > %s:%s %s' % (s['direction'], s['proto'], s['wire']['src'], s['wire']['sport'], s['wire']['dst'], s['wire']['dport'],
                                       ':'.join(s['state']))


def differences(ta, tb, ignore=(), rename=None, expires_s=3, age_s=3):
    """Lines that say what is not equal. rename: interface names of a -> those of b."""
    bad = []
    for k in sorted(set(ta) | set(tb)):
        a, b = ta.get(k), tb.get(k)
        if a is None or b is None:
            s = a or b
            if s['expires_s'] > 1:
                bad.append('%s/%s only on %s: %s' % (k + ('the first' if b is None else 'the second', brief(s))))
            continue
        for f in FIELDS:
            va, vb = a.get(f), b.get(f)
            if f == 'interface' and rename:
                va = rename.get(va, va)
            if f not in ignore and va != vb:
                bad.append('%s/%s %s: %s is %s and %s' % (k + (brief(a), f, va, vb)))
        for f, by in (('expires_s', expires_s), ('age_s', age_s)):
            if f not in ignore and abs(a[f] - b[f]) > by:
                bad.append('%s/%s %s: %s is %s and %s' % (k + (brief(a), f, a[f], b[f])))
    return bad


def by_flow(states):
    """{(direction, proto, src, sport, dst, dport): state}"""
    return {(s['direction'], s['proto']) + tuple(s['wire'][x] for x in ('src', 'sport', 'dst', 'dport')): s for s in states}
