# SPDX-License-Identifier: BSD-2-Clause
"""
What can happen to a pair: folab's two boxes, with a cable that can be pulled or cut, and a probe that watches through the shared
addresses (probe.c). Five links: 'Ai' 'Ae' 'Bi' 'Be' (box A or B, its inside or outside) and 'cable'; each can be

	pulled	both ends see that there is no carrier
	cut	frames vanish in the middle, the carrier stays

	with falab.FaultLab() as l:
	    a, b = l.pair_up()
	    l.watch(rate=1000)
	    l.settled()
	    l.pull('cable'); ...; l.join('cable')
	    print(l.mark())
"""
import json, os, signal, subprocess, sys, time

from folab import FoLab
import lab
from lab import EXT4, EXT6, Failed, check, sh, skip, until

PROBE = os.environ.get('TWINPATH_PROBE') or os.path.join(lab.BUILD, 'tests/failover/probe')
ROUNDS = int(os.environ.get('TWINPATH_ROUNDS') or 0)
# The default, 15, is for boxes that have their cores to themselves; figures of docs/failover.md: 15.
PROBE_MS = int(os.environ.get('TWINPATH_PROBE_MS') or 60)
LINKS = ('Ai', 'Ae', 'Bi', 'Be', 'cable')
PORT = 7007


def eager():
    """A box has its machine to itself, and so has who measures it; here all share two cores with whatever else runs."""
    try:
        os.nice(-12)
    except OSError:
        pass


class FaultLab(FoLab):
    def __enter__(self):
        super().__enter__()
        a, b, mid = self.ns['A'], self.ns['B'], self.ns['peer']
        sh('ip -n %s link del vsync' % a)
        sh('ip -n %s link add brc type bridge mcast_snooping 0' % mid)
        for n in 'AB':
            self.veth(mid, 'c' + n, self.ns[n], 'vsync')
            sh('ip -n %s link set c%s master brc' % (mid, n))
        sh('ip -n %s link set brc up' % mid)
        for k, side in enumerate(('int', 'ext')):
            # else the bridge has the lowest address of its ports, and another one whenever a port goes
            sh('ip -n %s link set br0 address 02:00:5e:10:00:0%d' % (self.ns[side], k + 1))
        self.probe = None
        self.down = {}
        return self

    # ---- links
    def ends(self, link):
        if link == 'cable':
            return [(self.ns['peer'], 'cA', 'brc'), (self.ns['peer'], 'cB', 'brc')]
        return [(self.ns['int' if link[1] == 'i' else 'ext'], 'p' + link[0], 'br0')]

    def pull(self, link):
        for ns, port, _ in self.ends(link):
            sh('ip -n %s link set %s down' % (ns, port))
        self.down[link] = 'pulled'

    def cut(self, link):
        for ns, port, _ in self.ends(link):
            sh('ip -n %s link set %s nomaster' % (ns, port))
        self.down[link] = 'cut'

    def join(self, *links):
        for link in links or list(self.down):
            for ns, port, bridge in self.ends(link):
                sh('ip -n %s link set %s master %s' % (ns, port, bridge))
                sh('ip -n %s link set %s up' % (ns, port))
            self.down.pop(link, None)

    # ---- boxes
    def pair_up(self, advbase=1, skew=(0, 100), pfsync='up', workers=1, **conf):
        made = []
        for n, s in zip('AB', skew):
            made.append(self.make(n, pfsync=pfsync, workers=workers, carp='set sync probe %d\nset carp preempt on\n' % PROBE_MS + self.carp(n, advbase, s), **conf))
        for b in made:
            self.start(b)
        self.begin_wait(*made)
        return made

    def start(self, box):
        with open(box.log, 'a') as f:
            box.proc = subprocess.Popen(box.argv, stdout=f, stderr=f, stdin=subprocess.DEVNULL, preexec_fn=eager)

    def signal(self, box, sig):
        """To the program itself, which `ip netns exec` has become."""
        box.proc.send_signal(sig)

    def crash(self, box):
        box.proc.send_signal(signal.SIGKILL)
        box.proc.wait(10)
        box.proc = None

    def ended(self, box):
        status = box.proc.wait(20)
        box.proc = None
        check(status == 0, 'box %s ended by itself' % box.name, status, box.text()[-2000:])

    def roles(self, box):
        """'MASTER', 'BACKUP', 'INIT' of all its virtual hosts, 'mixed', or 'gone'."""
        if box.proc is None:
            return 'gone'
        r = box.ctl('-j show carp', 5)
        if r.status != 0:
            return 'gone'
        states = {i['state'] for i in json.loads(r.out)['interfaces']}
        return states.pop() if len(states) == 1 else 'mixed'

    def become(self, what, seconds=15, **want):
        """Until the roles are so: become('..', A='MASTER', B='BACKUP'). Seconds that took."""
        began = time.monotonic()

        def now():
            return {n: self.roles(self.pair[n]) for n in want}
        try:
            until(what, lambda: now() == want, seconds, 0.02)
        except Failed:
            raise Failed('%s: %s, wanted %s\n%s' % (what, now(), want, self.story()))
        return time.monotonic() - began

    def story(self):
        text = ''
        for b in self.pair.values():
            if b.proc is not None and b.proc.poll() is None:
                text += '-- %s\n%s%s' % (b.name, b.ctl('show carp', 5).out, b.ctl('show sync', 5).out)
            text += '-- log of %s\n%s\n' % (b.name, '\n'.join(b.text().splitlines()[-12:]))
        return text

    def settled(self, master='A', seconds=30):
        """Everything is as it should be: one master of all, the other knows everything."""
        other = 'B' if master == 'A' else 'A'
        self.become('%s is master again' % master, seconds, **{master: 'MASTER', other: 'BACKUP'})

        def learned():
            s = [b.json('show sync') for b in self.pair.values()]
            return all(x['health'] != 'broken' and x['bulk']['state'] in ('done', 'none') for x in s)

        def healthy():
            i = [b.json('show carp') for b in self.pair.values()]
            return all(x['peer_health'] == 'alive' for x in i) and not any(d['count'] for x in i for d in x['demotions'])
        for what, f in (('no bulk update is under way', learned), ('both hear each other, nobody is demoted', healthy)):
            try:
                until(what, f, seconds)
            except Failed as e:
                raise Failed('%s\n%s' % (e, self.story()))

    # ---- the probe
    def watch(self, rate=1000, seconds=3600):
        if not os.path.exists(PROBE):
            skip('no %s' % PROBE)
        self.child('ext', 'serve', seconds)
        self.probe = self.child('int', 'run', seconds, rate, EXT4, EXT6)
        return self.probe

    def child(self, side, what, seconds, *more):
        p = subprocess.Popen(['ip', 'netns', 'exec', self.ns[side], PROBE, what, str(PORT), str(seconds)] + [str(x) for x in more],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=eager)
        self.procs.append(p)
        if p.stdout.readline() != 'ready\n':
            raise Failed('probe %s does not start' % what)
        return p

    def tell_probe(self, words):
        self.probe.stdin.write(words + '\n')
        self.probe.stdin.flush()

    def mark(self):
        """What the probe saw since the last mark; no connection may be lost."""
        self.tell_probe('mark')
        line = self.probe.stdout.readline()
        if not line:
            raise Failed('the probe ended')
        m = json.loads(line)
        for f in ('4', '6'):
            t = m['tcp' + f]
            if not t['alive'] or t['wrong']:
                raise Failed('TCP over IPv%s: %s, %d wrong bytes\n%s' % (f, t['error'] or 'ended' if not t['alive'] else 'alive',
                                                                        t['wrong'], self.story()))
        m['gap'] = max(m['udp4']['silence_ms'], m['udp6']['silence_ms'])
        m['tcp_gap'] = max(m['tcp4']['silence_ms'], m['tcp6']['silence_ms'])
        m['lost'] = m['udp4']['lost'] + m['udp6']['lost']
        m['sent'] = m['udp4']['sent'] + m['udp6']['sent']
        m['stale'] = m['udp4']['stale'] + m['udp6']['stale']
        return m


def spread(v):
    """'min median max'"""
    v = sorted(v)
    return '%7.1f %7.1f %7.1f' % (v[0], v[len(v) // 2], v[-1])


class Figures:
    """What each fault cost, round by round."""
    def __init__(self):
        self.of = {}

    def add(self, fault, m):
        self.of.setdefault(fault, []).append(m)
        print('%-34s gap %7.1f ms  tcp %7.1f ms  lost %d of %d' % (fault, m['gap'], m['tcp_gap'], m['lost'], m['sent']))
        sys.stdout.flush()

    def show(self):
        print('%-34s %5s  %-23s  %-23s  %s' % ('fault', 'times', 'gap ms: min median max', 'TCP ms: min median max', 'lost: median max, of'))
        for fault, v in self.of.items():
            lost = sorted(m['lost'] for m in v)
            print('%-34s %5d  %s  %s  %d %d, %d' % (fault, len(v), spread([m['gap'] for m in v]), spread([m['tcp_gap'] for m in v]),
                                                   lost[len(lost) // 2], lost[-1], sum(m['sent'] for m in v) // len(v)))
        sys.stdout.flush()
