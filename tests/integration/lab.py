# SPDX-License-Identifier: BSD-2-Clause
"""
A box between two hosts, made of network namespaces, for one test each.

	with lab.Lab() as l:			# namespaces, cables, nothing runs yet
	    l.kernel_hosts()			# the hosts are Linux stacks ...
	    box = l.box(rules='pass\n')		# ... and a box runs
	    lab.check(l.run('int', 'ping -c1 10.10.1.100').returncode == 0, 'ping')

Without kernel_hosts() the hosts are played by the test: l.wire['int'] sends and receives frames, answers ARP and neighbour
discovery for any address of its net, and hands out IP packets as scapy parses them.

	int host 10.10.2.100 fd00:2::100 --- int0 10.10.2.1 fd00:2::1 [box] ext0 10.10.1.1 fd00:1::1 --- 10.10.1.100 fd00:1::100

Everything is named after the process and removed at the end, on errors and signals too. Logs of a test that failed are kept
in $TWINPATH_LOGS. Programs come from $TWINPATH_BUILD. Processes are ended by id. Nothing here waits without a bound.
"""
import atexit, contextlib, ctypes, json, os, re, shlex, shutil, signal, socket, struct, subprocess, sys, tempfile, time

BUILD = os.environ.get('TWINPATH_BUILD') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../build')
LOGS = os.environ.get('TWINPATH_LOGS') or os.path.join(BUILD, 'integration-logs')
TWINPATH, TWINCTL = os.path.join(BUILD, 'twinpath'), os.path.join(BUILD, 'twinctl')
NAME = os.path.splitext(os.path.basename(sys.argv[0]))[0]
NET = {'int': ('10.10.2.', 'fd00:2::'), 'ext': ('10.10.1.', 'fd00:1::')}
INT4, INT6, EXT4, EXT6 = '10.10.2.100', 'fd00:2::100', '10.10.1.100', 'fd00:1::100'
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    pass


def skip(why):
    print('skip: ' + why)
    sys.stdout.flush()
    sys.exit(77)


def check(ok, what, *more):
    """One thing that must hold; the first that does not ends the test."""
    if not ok:
        raise Failed(what + ''.join('\n' + str(m) for m in more))
    print('ok: ' + what)
    sys.stdout.flush()


def until(what, f, seconds=10, every=0.05):
    """Poll f until it is true; its value. What never becomes true fails."""
    end = time.monotonic() + seconds
    while True:
        value = f()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed('waited %g s in vain: %s (last: %r)' % (seconds, what, value))
        time.sleep(every)


def cpus():
    return sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def netns(name):
    """Sockets opened inside belong to that namespace for good."""
    with open('/proc/self/ns/net') as old, open('/run/netns/' + name) as new:
        if libc.setns(new.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), 'setns')
        try:
            yield
        finally:
            libc.setns(old.fileno(), CLONE_NEWNET)


def sh(cmd, fail=True):
    r = subprocess.run(cmd, shell=isinstance(cmd, str), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    if fail and r.returncode != 0:
        raise Failed('%s: status %d\n%s' % (cmd, r.returncode, r.stdout))
    return r


class Answer:
    """What a command of twinctl said."""
    def __init__(self, r):
        self.status, self.out, self.err = r.returncode, r.stdout, r.stderr

    def __str__(self):
        return 'status %d\n%s%s' % (self.status, self.out, self.err)


class Box:
    def __init__(self, lab, name, commands, rules, lcores, extra):
        self.lab, self.name = lab, name
        self.sock = os.path.join(lab.dir, name + '.sock')
        self.log = os.path.join(lab.dir, name + '.log')
        self.conf = os.path.join(lab.dir, name + '.conf')
        self.rules_file = os.path.join(lab.dir, name + '.pf.conf')
        self.proc = None
        with open(self.rules_file, 'w') as f:
            f.write(rules)
        with open(self.conf, 'w') as f:
            f.write(commands.replace('@RULES@', self.rules_file).replace('@DIR@', lab.dir))
        if lcores is None:
            lcores = '0@%d,1@%d' % (cpus()[0], cpus()[-1])
        self.argv = ['ip', 'netns', 'exec', lab.ns['box'], TWINPATH, '--lcores', lcores, '-m512'] + extra + \
            ['--', '-c', self.conf, '-s', self.sock]
        if '--no-huge' not in extra:
            self.argv.insert(self.argv.index('--'), '--no-huge')

    def start(self, wait=True, env=None):
        with open(self.log, 'a') as f:
            self.proc = subprocess.Popen(self.argv, stdout=f, stderr=f, stdin=subprocess.DEVNULL, env=env)
        if wait:
            until('the box answers', lambda: self.proc.poll() is not None or self.ctl('show lcores').status == 0, 30)
            if self.proc.poll() is not None:
                raise Failed('the box ended with status %d\n%s' % (self.proc.returncode, self.text()))
        return self

    def text(self):
        with open(self.log) as f:
            return f.read()

    def ctl(self, command, timeout=30):
        words = shlex.split(command) if isinstance(command, str) else command
        return Answer(subprocess.run([TWINCTL, '-s', self.sock] + words, capture_output=True, text=True, timeout=timeout))

    def do(self, command):
        """A command that must succeed; its output."""
        a = self.ctl(command)
        if a.status != 0:
            raise Failed('twinctl %s: %s' % (command, a))
        return a.out

    def json(self, command):
        words = shlex.split(command) if isinstance(command, str) else command
        r = subprocess.run([TWINCTL, '-s', self.sock, '-j'] + words, capture_output=True, text=True, timeout=30)
        if r.returncode != 0:
            raise Failed('twinctl -j %s: %s' % (command, Answer(r)))
        return json.loads(r.stdout)

    def states(self, words=''):
        return self.json(('show states ' + words).strip())

    def load(self, rules):
        with open(self.rules_file, 'w') as f:
            f.write(rules)
        return self.do(['pfctl', '-f', self.rules_file])

    def drops(self):
        """{reason: packets}, those that happened."""
        found = {}
        for line in self.do('show drops').splitlines()[1:]:
            w = line.split()
            if len(w) >= 2 and w[0].isdigit():
                found[w[1]] = int(w[0])
        return found

    def counter(self, name):
        """One of `pfctl -si`."""
        m = re.search(r'^\s+%s\s+(\d+)' % re.escape(name), self.do('pfctl -si'), re.M)
        if m is None:
            raise Failed('pfctl -si has no %s' % name)
        return int(m.group(1))

    def stop(self, sig=signal.SIGTERM):
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
            try:
                self.proc.wait(15)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(15)
        status, self.proc = self.proc.returncode, None
        return status


class Wire:
    """The test's end of a cable. Answers ARP and neighbour discovery for every address of its net but the box's own."""
    def __init__(self, lab, side, ifname, mac):
        self.side, self.mac, self.box_mac, self.queue = side, mac, None, []
        self.silent = set()  # addresses that do not answer
        self.v4, self.v6 = NET[side]
        self.seen_requests = []  # addresses that the box asked for
        with netns(lab.ns[side]):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind((ifname, 0))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)

    def resolve(self, seconds=10):
        """The box's Ethernet address, asked for as a host would."""
        from scapy.layers.l2 import ARP, Ether
        end = time.monotonic() + seconds
        while self.box_mac is None and time.monotonic() < end:
            self.sock.send(bytes(Ether(dst='ff:ff:ff:ff:ff:ff', src=self.mac) / ARP(op=1, hwsrc=self.mac, psrc=self.v4 + '100',
                                                                                  pdst=self.v4 + '1')))
            self.pump(0.3)
        check(self.box_mac is not None, 'the box answers ARP on ' + self.side)

    def send(self, pkt):
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import Ether
        if self.box_mac is None:
            self.resolve()
        self.sock.send(bytes(Ether(dst=self.box_mac, src=self.mac, type=0x86dd if isinstance(pkt, IPv6) else 0x0800) / pkt))

    def send_raw(self, frame):
        self.sock.send(frame)

    def frame(self, raw):
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import ICMPv6ND_NS, IPv6, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr
        from scapy.layers.l2 import ARP, Ether
        if raw[6:12] == bytes.fromhex(self.mac.replace(':', '')):
            return
        etype = struct.unpack_from('>H', raw, 12)[0]
        if etype == 0x0806:
            a = ARP(raw[14:])
            if a.op == 2 and a.psrc == self.v4 + '1':
                self.box_mac = a.hwsrc
            elif a.op == 1 and a.psrc != a.pdst:
                self.seen_requests.append(a.pdst)
                if a.pdst.startswith(self.v4) and a.pdst != self.v4 + '1' and a.pdst not in self.silent:
                    self.sock.send(bytes(Ether(dst=a.hwsrc, src=self.mac) / ARP(op=2, hwsrc=self.mac, psrc=a.pdst,
                                                                               hwdst=a.hwsrc, pdst=a.psrc)))
        elif etype == 0x86dd:
            p = IPv6(raw[14:14 + 40 + struct.unpack_from('>H', raw, 18)[0]])
            if ICMPv6ND_NS in p:
                t = p[ICMPv6ND_NS].tgt
                if p.src != '::':
                    self.seen_requests.append(t)
                    if t.startswith(self.v6) and t != self.v6 + '1' and t not in self.silent:
                        dst = raw[6:12]
                        self.sock.send(bytes(Ether(dst=':'.join('%02x' % x for x in dst), src=self.mac) / IPv6(
                            src=t, dst=p.src, hlim=255) / ICMPv6ND_NA(tgt=t, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=self.mac)))
            elif p.nh == 58 and raw[54] in (133, 134, 135, 136, 137, 143) or p.nh == 0:
                pass  # discovery and listener reports
            else:
                self.queue.append(p)
        elif etype == 0x0800:
            self.queue.append(IP(raw[14:14 + struct.unpack_from('>H', raw, 16)[0]]))

    def pump(self, seconds):
        """Take in what arrives for so long."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return
            self.sock.settimeout(left)
            try:
                self.frame(self.sock.recv(70000))
            except socket.timeout:
                return

    def recv(self, seconds=2, match=None):
        """The next IP packet (that matches), or None."""
        end = time.monotonic() + seconds
        while True:
            for i, p in enumerate(self.queue):
                if match is None or match(p):
                    del self.queue[:i + 1]
                    return p
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.pump_one(left)

    def pump_one(self, seconds):
        self.sock.settimeout(seconds)
        try:
            self.frame(self.sock.recv(70000))
        except socket.timeout:
            pass

    def none(self, what, seconds=0.4, match=None):
        p = self.recv(seconds, match)
        check(p is None, what, p.summary() if p is not None else '')


def exchange(src, dst, pkt, what, seconds=3):
    """pkt goes in on one wire and must come out on the other; what came out."""
    src.send(pkt)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        p = dst.recv(0.02)
        if p is not None:
            print('ok: ' + what)
            return p
        src.pump(0.005)
    raise Failed(what + ': nothing came out for ' + pkt.summary())


class Lab:
    def __init__(self):
        if os.geteuid() != 0:
            skip('network namespaces need root')
        self.id = 'tpi%d' % os.getpid()
        self.ns = {'int': self.id + 'i', 'ext': self.id + 'e', 'box': self.id + 'b'}
        self.dir = tempfile.mkdtemp(prefix='twinpath-%s.' % NAME)
        self.boxes, self.procs, self.failed = [], [], True
        self.hosts_kernel = False
        self.wires = None
        self.mtu = 1500
        atexit.register(self.close)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda *a: sys.exit(1))

    def __enter__(self):
        r = sh('ip netns add ' + self.ns['box'], fail=False)
        if r.returncode != 0:
            self.failed = False
            skip('network namespaces cannot be made here: ' + r.stdout.strip())
        for side in ('int', 'ext'):
            sh('ip netns add ' + self.ns[side])
            sh('ip -n %s link set lo up' % self.ns[side])
            self.cable(side, 'eth0', 'v' + side)
        return self

    def __exit__(self, kind, value, tb):
        if kind is None or (kind is SystemExit and value.code in (0, 77, None)):
            self.failed = False
        if kind is Failed:
            print('FAILED: %s' % value)
        elif kind is not None and kind is not SystemExit:
            import traceback
            traceback.print_exception(kind, value, tb)
        self.close()
        if kind is not None and kind is not SystemExit:
            sys.exit(1)
        return False

    def cable(self, side, ifname, box_if):
        ns = self.ns[side]
        sh('ip -n %s link add %s type veth peer name %s netns %s' % (ns, ifname, box_if, self.ns['box']))
        for n, i in ((ns, ifname), (self.ns['box'], box_if)):
            # Kernels leave checksums between veth ends to hardware that does not exist.
            sh('ip netns exec %s ethtool -K %s tx off' % (n, i), fail=False)
            sh('ip netns exec %s sysctl -qw net.ipv6.conf.%s.disable_ipv6=1' % (n, i), fail=False)
            sh('ip -n %s link set %s up' % (n, i))

    def kernel_hosts(self):
        self.hosts_kernel = True
        for side, (v4, v6) in NET.items():
            ns = self.ns[side]
            sh('ip netns exec %s sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0' % ns)
            sh('ip -n %s addr add %s100/24 dev eth0' % (ns, v4))
            sh('ip -n %s -6 addr add %s100/64 dev eth0 nodad' % (ns, v6))
            sh('ip -n %s route add default via %s1' % (ns, v4))
            sh('ip -n %s -6 route add default via %s1' % (ns, v6))

    @property
    def wire(self):
        if self.wires is None:
            self.wires = {s: Wire(self, s, 'eth0', '02:70:66:00:00:0' + n) for s, n in (('int', '2'), ('ext', '1'))}
        return self.wires

    def commands(self, more=''):
        return ('port attach net_af_packet0,iface=vint name int0\nport attach net_af_packet1,iface=vext name ext0\n'
                'ifconfig int0 inet 10.10.2.1/24 inet6 fd00:2::1/64\nifconfig ext0 inet 10.10.1.1/24 inet6 fd00:1::1/64\n'
                'route add default 10.10.1.100\nroute add -inet6 default fd00:1::100\n' + more + 'pfctl -f @RULES@\nstart\n')

    def box(self, rules='pass\n', commands=None, more='', lcores=None, start=True, name='box', extra=()):
        b = Box(self, name, commands if commands is not None else self.commands(more), rules, lcores, list(extra))
        self.boxes.append(b)
        return b.start() if start else b

    def run(self, side, cmd, timeout=60):
        """A command on a host, to its end."""
        return subprocess.run(['ip', 'netns', 'exec', self.ns[side]] + (shlex.split(cmd) if isinstance(cmd, str) else cmd),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)

    def spawn(self, side, cmd, out=None):
        """A command on a host, ended with the test."""
        f = open(os.path.join(self.dir, out), 'w') if out else subprocess.DEVNULL
        p = subprocess.Popen(['ip', 'netns', 'exec', self.ns[side]] + (shlex.split(cmd) if isinstance(cmd, str) else cmd),
                             stdout=f, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.procs.append(p)
        return p

    def ping(self, side, dst, args='-c 2 -i 0.2 -W 2'):
        return self.run(side, 'ping -n %s %s' % (args, dst))

    def close(self):
        atexit.unregister(self.close)
        for b in self.boxes:
            if self.failed and b.proc is not None and b.proc.poll() is None:
                with contextlib.suppress(Exception), open(os.path.join(self.dir, b.name + '.last'), 'w') as f:
                    for c in ('show drops', 'pfctl -ss -vv', 'pfctl -si', 'show port stats', 'arp -an', 'ndp -an'):
                        f.write('$ %s\n%s\n' % (c, b.ctl(c, 5)))
            b.stop()
        for p in self.procs:
            if p.poll() is None:
                p.terminate()
        for p in self.procs:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(5)
        for n in self.ns.values():
            sh('ip netns del ' + n, fail=False)
        for b in self.boxes:
            prefix = re.sub('[/.]', '_', b.sock[-40:].lstrip('/')) if len(b.sock) > 40 else re.sub('[/.]', '_', b.sock.lstrip('/'))
            shutil.rmtree('/run/dpdk/' + prefix, ignore_errors=True)
        if self.failed:
            to = os.path.join(LOGS, NAME)
            shutil.rmtree(to, ignore_errors=True)
            with contextlib.suppress(OSError):
                shutil.copytree(self.dir, to, ignore=lambda d, names: [n for n in names if n.endswith('.sock') or n.endswith('.big')])
                print('logs are kept in ' + to)
        shutil.rmtree(self.dir, ignore_errors=True)
