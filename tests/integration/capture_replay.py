# SPDX-License-Identifier: BSD-2-Clause
"""
Captures of both sides of a real OpenBSD box, replayed frame by frame in their own time; the box must hold the same states at the
moments at which that one's were saved: same names, windows, scales, counters and rules. Age and expiry may differ by the pace of
this machine; ids are not compared. The captures lie outside the repository: without them this test skips.

	capture_replay.py [NAME...]	folders of vectors/openbsd
"""
import os, re, struct, sys, time
import lab
from lab import check

SHARED = os.environ.get('TWINPATH_SHARED') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared')
VECTORS = os.path.join(SHARED, 'vectors/openbsd')
NAMES = sys.argv[1:] or ['a-tcp', 'b-bulk', 'd-defer']
# Interface names as there: vio0 outside, vio1 inside. The box has the addresses of node A and the shared ones.
COMMANDS = '''port attach net_af_packet0,iface=vint name vio1
port attach net_af_packet1,iface=vext name vio0
ifconfig vio1 inet 10.10.2.2/24 inet6 fd00:2::2/64
ifconfig vio1 inet 10.10.2.1/24 alias inet6 fd00:2::1/64 alias
ifconfig vio0 inet 10.10.1.2/24 inet6 fd00:1::2/64
ifconfig vio0 inet 10.10.1.1/24 alias inet6 fd00:1::1/64 alias
pfctl -f @RULES@
start
'''
HOSTS = {'int': (bytes([10, 10, 2, 100]), bytes.fromhex('fd000002' + '0' * 21 + '100')),
         'ext': (bytes([10, 10, 1, 100]), bytes.fromhex('fd000001' + '0' * 21 + '100'))}


def frames(path):
    """(time, frame) of a pcap file."""
    with open(path, 'rb') as f:
        head = f.read(24)
        order = '<' if head[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
        nano = head[:4] in (b'\x4d\x3c\xb2\xa1', b'\xa1\xb2\x3c\x4d')
        while True:
            h = f.read(16)
            if len(h) < 16:
                return
            sec, sub, n, _ = struct.unpack(order + 'IIII', h)
            yield sec + sub / (1e9 if nano else 1e6), f.read(n)


def sent_by_hosts(folder):
    """What the hosts of both sides sent through the box, in order of time."""
    found = []
    for side in ('int', 'ext'):
        other = 'ext' if side == 'int' else 'int'
        for t, raw in frames(os.path.join(folder, side + 'A.pcap')):
            etype = raw[12:14]
            if etype == b'\x08\x00':
                src, dst = raw[26:30], raw[30:34]
            elif etype == b'\x86\xdd':
                src, dst = raw[22:38], raw[38:54]
            else:
                continue
            if src in HOSTS[side] and dst in HOSTS[other]:
                found.append((t, side, raw))
    found.sort(key=lambda x: x[0])
    return found


def states(text):
    """{(flow, names): fields} of pfctl -ss -vv."""
    found = {}
    for block in re.findall(r'^(all \S.*(?:\n[ \t]+\S.*)+)', text, re.M):
        lines = [x.strip() for x in block.split('\n')]
        m = re.match(r'(.*\S)\s+(\S+:\S+)$', lines[0])
        at = [x for x in lines if x.startswith('age ')][0]
        a = re.match(r'age (\S+), expires in (\S+), (\S+) pkts, (\S+) bytes, rule (\d+)', at)
        sec = [sum(int(x) * y for x, y in zip(v.split(':'), (3600, 60, 1))) for v in a.group(1, 2)]
        windows = [re.sub(r'\s+', ' ', x) for x in lines[1:] if x.startswith('[')]
        found[m.group(1)] = {'state': m.group(2), 'windows': windows, 'pkts': a.group(3), 'bytes': a.group(4), 'rule': a.group(5),
                             'age': sec[0], 'expires': sec[1]}
    return found


def differs(w, g, outward, behind, defers):
    """What is wrong with a state, or None. behind: seconds by which this machine was late."""
    if w is None or g is None:
        # On the brink of expiry either answer is right.
        if (w or g)['expires'] <= 3 + behind:
            return None
        return 'missing' if g is None else 'should not be there: %s' % g
    g = dict(g)
    if defers and outward:
        # That box held the first packet back for its peer, and did not count it on the way out. This one has no peer.
        more = [int(a) - int(b) for a, b in zip(g['pkts'].split(':'), w['pkts'].split(':'))]
        if more == [1, 0] and g['bytes'].split(':')[1] == w['bytes'].split(':')[1]:
            g['pkts'], g['bytes'] = w['pkts'], w['bytes']
    for k in ('state', 'windows', 'pkts', 'bytes', 'rule'):
        if w[k] != g[k]:
            return '%s is %s, expected %s' % (k, g[k], w[k])
    for k, by in (('age', 3 + behind), ('expires', 4 + behind)):
        if abs(w[k] - g[k]) > by:
            return '%s is %d s, expected %d s' % (k, g[k], w[k])
    return None


def compare(tag, want, looks, behind, defers):
    """looks: our lists from a second before the logged moment on; the record was made a little before it was logged."""
    wrong = []
    for flow in sorted(set(want) | set(looks[-1])):
        found = [differs(want.get(flow), got.get(flow), '->' in flow, behind, defers) for got in looks if flow in want or flow in got]
        if None not in found:
            wrong.append('%s: %s' % (flow, found[-1]))
    check(not wrong, '%s: %d states, all as they were' % (tag, len(want)), '%d differences' % len(wrong), *wrong[:12])


def replay(folder):
    todo = sent_by_hosts(folder)
    check(len(todo) > 5, '%s: %d frames of the hosts' % (os.path.basename(folder), len(todo)))
    saved = []
    for line in open(os.path.join(folder, 'events.txt')):
        m = re.match(r'(\d+\.\d+) .*states of A saved as (\S+):', line)
        if m and os.path.exists(os.path.join(folder, 'A.pfctl-ss-vv.%s.txt' % m.group(2))):
            saved += [(float(m.group(1)) - early, m.group(2), early) for early in (1, 0.75, 0.5, 0.25, 0)]
    check(saved, 'moments to compare')
    with lab.Lab() as l:
        box = l.box(open(os.path.join(folder, 'A.pf.conf')).read(), commands=COMMANDS)
        for w in l.wire.values():
            w.resolve()
        # Each side's neighbour is known before its first packet, as it was there.
        events = [x for x in sorted(todo + saved, key=lambda x: x[0]) if x[0] <= saved[-1][0]]
        start, first = time.monotonic(), events[0][0]
        behind, looks = 0, []
        for t, what, raw in events:
            while True:
                left = start + (t - first) - time.monotonic()
                for w in l.wire.values():
                    w.pump_one(min(0.002, max(0.00001, left / 2)))
                    w.queue.clear()
                if left <= 0:
                    break
            behind = max(behind, -left)
            if isinstance(raw, bytes):
                w = l.wire[what]
                w.send_raw(bytes.fromhex(w.box_mac.replace(':', '')) + bytes.fromhex(w.mac.replace(':', '')) + raw[12:])
                continue
            looks.append(states(box.do('pfctl -ss -vv')))
            if raw == 0:
                with open(os.path.join(folder, 'A.pfctl-ss-vv.%s.txt' % what)) as f:
                    compare('%s at %s' % (os.path.basename(folder), what), states(f.read()), looks, behind,
                            'defer' in os.path.basename(folder))
                looks = []
        print('   at most %.0f ms behind' % (behind * 1000))


if not os.path.isdir(VECTORS):
    lab.skip('no captures in ' + VECTORS)
print('-- g-nat: translation is refused by name')
r = lab.subprocess.run([lab.TWINPATH, '-n', '-f', os.path.join(VECTORS, 'g-nat/A.pf.conf')], stdout=lab.subprocess.PIPE,
                       stderr=lab.subprocess.STDOUT, text=True)
check(r.returncode != 0 and re.search(r'A\.pf\.conf:\d+: .*nat-to', r.stdout), 'with file and line', r.stdout)
for name in NAMES:
    print('-- ' + name)
    replay(os.path.join(VECTORS, name))
