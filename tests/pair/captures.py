# SPDX-License-Identifier: BSD-2-Clause
"""
What a real OpenBSD or FreeBSD box A told its peer B, played into a box that stands where B stood, with B's rules; what was done to
B is done to it at the same moments. Then it must hold the states that B listed: same names, creators, windows, scales, TCP states,
rules. Ages and expiries are computed from the messages and the time that passed here (the gaps of the recording are shortened).

	captures.py [openbsd/a-tcp ...]		without them, or with none there, it skips

What may differ is named in the code, with its reason; everything else is a failure.
"""
import os, re, sys, time
import fakepeer, pair, pfsync_wire as w
from pair import Failed, check, until

FASTER = 12
PORTS = {'openbsd': ('vio1', 'vio0', 'vio2'), 'freebsd': ('vtnet1', 'vtnet0', 'vtnet2')}
RECORD = {'openbsd': 6, 'freebsd': 1301}
A, B = '10.10.3.2', '10.10.3.3'
INDEX = ('tcp.first', 'tcp.opening', 'tcp.established', 'tcp.closing', 'tcp.finwait', 'tcp.closed', 'udp.first', 'udp.single',
         'udp.multiple', 'icmp.first', 'icmp.error', 'other.first', 'other.single', 'other.multiple')


def listing(text):
    """{(id, creatorid): (first line, windows, rule, age, expires)} of pfctl -ss -vv."""
    found = {}
    for block in re.findall(r'^(\w+ \S.*(?:\n[ \t]+\S.*)+)', text, re.M):
        lines = [re.sub(r'\s+', ' ', x.strip()) for x in block.split('\n')]
        m = re.search(r'id: (\S+) creatorid: (\S+)', block)
        a = re.search(r'age (\S+), expires in (\S+), (\S+) pkts, (\S+) bytes(?:.*rule (\d+))?', block)
        if m is None or a is None:
            continue
        sec = [sum(int(x) * y for x, y in zip(v.split(':'), (3600, 60, 1))) for v in a.group(1, 2)]
        found[(int(m.group(1), 16), int(m.group(2), 16))] = dict(
            flow=lines[0], windows=[x for x in lines[1:] if x.startswith('[')], rule=a.group(5), age=sec[0], expires=sec[1])
    return found


def timeline(folder):
    """[(time, what, detail)]: 'frame' of A, 'look' at B's states, 'do' something to B, 'cut', 'join'."""
    todo, first_of_b = [], None
    for t, raw in w.pcap(os.path.join(folder, 'sync.pcap')):
        e = w.ethernet(raw)
        if e is None:
            continue
        if e[0] == B and first_of_b is None:
            first_of_b = t
        if e[0] == A:
            todo.append((t, 'frame', raw))
    for line in open(os.path.join(folder, 'events.txt')):
        m = re.match(r'(\d+\.\d+) \(\S*\s*\S+s\) (.*)', line)
        if m is None:
            continue
        t, what = float(m.group(1)), m.group(2)
        tag = re.match(r'states of B saved as (\S+):', what)
        if tag:
            todo.append((t, 'look', tag.group(1)))
        elif what.startswith('sync link of B cut'):
            todo.append((t, 'cut', None))
        elif what.startswith('sync link restored'):
            todo.append((t, 'join', None))
        elif what.startswith('BEGIN B: '):
            todo.append((t, 'do', re.sub(r' \(.*', '', what[9:])))
        elif what.startswith('different ruleset on B'):
            todo.append((t, 'rules', None))
    todo.sort(key=lambda x: x[0])
    if 'b-bulk' in folder:  # B was not there yet: it begins with its request
        todo = [x for x in todo if x[0] >= first_of_b - 0.001]
    return todo


class Touched:
    """What the messages said about age and expiry of each state, and when, there and here."""
    def __init__(self, timeouts):
        self.timeouts, self.of = timeouts, {}

    def message(self, m, t, here):
        k = (m.get('id'), m.get('creatorid'))
        if m['message'] in ('ins', 'upd'):
            old = self.of.get(k)
            if old is None:
                self.of[k] = dict(born=m['creation'], born_t=t, born_here=here, left=m['expire'], t=t, here=here)
            elif m['message'] == 'upd':
                old.update(left=self.value(m['timeout']), t=t, here=here)
        elif m['message'] == 'upd_c' and k in self.of:
            self.of[k].update(left=self.value(m['timeout']), t=t, here=here)
        elif m['message'] == 'del_c':
            self.of.pop(k, None)
        elif m['message'] == 'clr':
            self.of = {k: v for k, v in self.of.items() if k[1] != m['creatorid']}

    def value(self, index):
        return self.timeouts.get(INDEX[index] if index < len(INDEX) else '', 30)


def timeouts_of(rules):
    found = {'tcp.first': 120, 'tcp.opening': 30, 'tcp.established': 86400, 'tcp.closing': 900, 'tcp.finwait': 45, 'tcp.closed': 90,
             'udp.first': 60, 'udp.single': 30, 'udp.multiple': 60, 'icmp.first': 20, 'icmp.error': 10, 'other.first': 60,
             'other.single': 30, 'other.multiple': 60, 'interval': 10}
    for name, n in re.findall(r'(\w+(?:\.\w+)?) (\d+)', ' '.join(re.findall(r'set timeout \{([^}]*)\}', rules))):
        found[name] = int(n)
    return found


def icmp(there, here):
    """Both lines name the same query: an id twice there, the id and a type of echo here."""
    a, b = (re.findall(r'[:\[](\d+)\]?(?= |$)', re.sub(r' \S+:\S+$', '', x)) for x in (there, here))
    bare = [re.sub(r'(?<=\w)(:\d+|\[\d+\])(?= )', '', re.sub(r' \S+:\S+$', ' ', x)) for x in (there, here)]
    return len(a) == 2 and a[0] == a[1] and a[0] in b and set(b) - {a[0]} <= {'8', '128'} and bare[0] == bare[1]


def compare(name, tag, box, want, touched, t):
    allowed = {}    # what differed as it may: reason -> how often

    def excuse(why):
        allowed[why] = allowed.get(why, 0) + 1
        return True
    end = time.monotonic() + 2
    while True:
        here, got, wrong = time.monotonic(), listing(box.do('pfctl -ss -vv')), []
        allowed.clear()
        for k in sorted(set(want) | set(got)):
            a, b, u = want.get(k), got.get(k), touched.of.get(k)
            label = '%016x/%08x' % k
            if a is not None and '(' in a['flow']:
                if b is not None:
                    wrong.append('%s %s: a translated state, yet taken' % (label, a['flow']))
                else:
                    excuse('translated, refused and counted as unsupported')
                continue
            if a is None:
                if u is not None and u['left'] - (t - u['t']) <= touched.timeouts['interval'] + 1:
                    excuse('run out there, while less time has passed here')
                elif name == 'freebsd/e-clr-fix' and tag == 'after-if-flush':
                    excuse('FreeBSD 12.1 clears all states of the creator although the CLR names an interface')
                else:
                    wrong.append('%s only here: %s, last heard of %s' % (label, b['flow'], u))
                continue
            if b is None:
                if u is None and k[1] != 0 and not ever(touched, k):
                    excuse("B's own, never heard of from A")
                else:
                    wrong.append('%s only there: %s' % (label, a['flow']))
                continue
            if a['flow'] != b['flow'] and 'icmp' in a['flow'] and name.startswith('freebsd') and \
               icmp(a['flow'], b['flow']):
                a = dict(a, flow=b['flow'])
                excuse('ICMP: FreeBSD lists the id in both places, this box as OpenBSD does: id and type')
            for f in ('flow', 'windows'):
                if a[f] != b[f]:
                    wrong.append('%s %s: %s, there %s' % (label, a['flow'], b[f], a[f]))
            if a['rule'] is not None and b['rule'] is None and name.startswith('freebsd'):
                excuse('bound to a rule by number there; FreeBSD hashes its own structures, so that our checksum is never its')
            elif a['rule'] is not None and b['rule'] is None and name.startswith('openbsd'):
                excuse('made by B itself, and here learned from A: OpenBSD binds what it learns to no rule')
            elif a['rule'] != b['rule']:
                wrong.append('%s %s: rule %s, there %s' % (label, a['flow'], b['rule'], a['rule']))
            if u is not None:
                age, left = u['born'] + here - u['born_here'], u['left'] - (here - u['here'])
                if abs(b['age'] - age) > 2.5 or abs(a['age'] - (u['born'] + t - u['born_t'])) > 2.5 and \
                   not excuse('its age there is of an earlier life'):
                    wrong.append('%s %s: age %d, expected %.1f' % (label, a['flow'], b['age'], age))
                if abs(b['expires'] - left) > 2.5:
                    wrong.append('%s %s: expires in %d, expected %.1f' % (label, a['flow'], b['expires'], left))
                if abs(a['expires'] - max(0, u['left'] - (t - u['t']))) > 2.5:
                    excuse('its expiry there was renewed by traffic that B saw')
        if not wrong or time.monotonic() > end:
            break
        time.sleep(0.1)
    check(not wrong, '%s at %s: %d states listed there, %d here' % (name, tag, len(want), len(got)), '%d differences' % len(wrong),
          *wrong[:12])
    for why, n in sorted(allowed.items()):
        print('   %d: %s' % (n, why))


def ever(touched, k):
    return k in touched.ids


def play(l, box, peer, name):
    folder = os.path.join(pair.VECTORS, name)
    system = name.split('/')[0]
    with open(os.path.join(folder, 'B.pf.conf')) as f:
        rules_b = f.read()
    with open(os.path.join(folder, 'A.pf.conf')) as f:
        rules_a = f.read()
    rules = rules_a if 'h-cksum' in name else rules_b
    # What this box cannot do is not what is tested: translation stays out of its rules.
    box.do('pfctl -F states')
    box.load('\n'.join(x for x in rules.split('\n') if not re.search(r'\bnat\b|nat-to|\brdr\b', x)) + '\n')
    box.do('ifconfig pfsync0 up')
    touched = Touched(timeouts_of(rules))
    touched.ids = set()
    todo = timeline(folder)
    last, cut, sent, looks = todo[0][0], False, 0, 0
    before = pair.sync_counters(box, 'ipackets', 'unsupported', 'badlen', 'badact', 'badver', 'badval', 'badttl', 'hdrops')
    down = False
    for t, what, detail in todo:
        peer.pump(min(1.0, (t - last) / FASTER) if t - last > 0.004 else 0.0001)
        last = t
        if what == 'cut':
            cut = True
        elif what == 'join':
            cut = False
        elif what == 'do':
            box.do(detail)
            down = detail.endswith('down') or down and not detail.endswith('up')
            if 'states' in detail:
                touched.of.clear()
        elif what == 'rules':
            box.load(rules_b)
        elif what == 'frame' and not cut:
            peer.replay(detail)
            if not down:
                sent += 1
                here = time.monotonic()
                for m in w.parse(w.ethernet(detail)[3]).messages:
                    touched.message(m, t, here)
                    touched.ids.add((m.get('id'), m.get('creatorid')))
        elif what == 'look':
            path = os.path.join(folder, 'B.pfctl-ss-vv.%s.txt' % detail)
            with open(path) as f:
                want = listing(f.read())
            until('the box took in %d packets' % sent,
                  lambda: pair.sync_counters(box, 'ipackets')['ipackets'] - before['ipackets'] >= sent, 5)
            compare(name, detail, box, want, touched, t)
            looks += 1
    until('all %d packets are taken in' % sent, lambda: pair.sync_counters(box, 'ipackets')['ipackets'] - before['ipackets'] >= sent, 5)
    after = pair.sync_counters(box, *before)
    rise = {k: after[k] - before[k] for k in before}
    check(looks > 0, '%s: %d packets, %d moments' % (name, sent, looks))
    check(rise.pop('ipackets') == sent and (rise.pop('unsupported') > 0) == ('g-nat' in name) and not any(rise.values()),
          'nothing of it was refused' + (' but translations' if 'g-nat' in name else ''), rise)


names = sys.argv[1:]
if not names:
    names = sorted('%s/%s' % (s, n) for s in RECORD if os.path.isdir(os.path.join(pair.VECTORS, s))
                   for n in os.listdir(os.path.join(pair.VECTORS, s)) if os.path.exists(os.path.join(pair.VECTORS, s, n, 'sync.pcap')))
if not names:
    pair.skip('no captures in ' + pair.VECTORS)
failed = []
for system in sorted(RECORD):
    mine = [n for n in names if n.startswith(system)]
    if not mine:
        continue
    with pair.PairLab(cable='fake', names=('B',)) as l:
        box = l.make('B', pfsync='version %d up' % RECORD[system], ports=PORTS[system])
        # Where B stood: .3 on every net.
        with open(box.conf) as f:
            text = f.read()
        with open(box.conf, 'w') as f:
            f.write(re.sub(r'(10\.10\.\d\.|fd00:\d::)1/', r'\g<1>3/', text))
        l.begin(box)
        peer = fakepeer.FakePeer(l, 'cable', 'c0', record=RECORD[system], addr=A, addr6='fd00:3::2')
        peer.resolve(B)
        peer.macs['box'] = peer.macs[B]
        for n in mine:
            print('-- ' + n)
            sys.stdout.flush()
            try:
                play(l, box, peer, n)
            except Failed as e:
                # The others are looked at all the same.
                print('FAILED: %s' % e)
                failed.append(n)
            check(box.proc.poll() is None, 'the box lives')
        peer.clean()
        if failed:
            raise Failed('differences in ' + ', '.join(failed))
