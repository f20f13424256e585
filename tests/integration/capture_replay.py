#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Captures of both sides of a real OpenBSD firewall, played into a box in the order of their times: at the moments when the
real one's states were listed the box must hold the same states, with the same windows, scales, counters, names and rules.
The captures are read where they are (../shared, or $TWINPATH_SHARED); absent, this skips.
"""
import glob, importlib.util, os, re, struct, sys, time

import lab

SHARED = os.environ.get('TWINPATH_SHARED') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared')
ROOT = os.path.join(SHARED, 'vectors/openbsd')
NAMES = {'vio0': 'ext0', 'vio1': 'int0', 'vio2': 'sync0'}
HOSTS = {'int': (b'\x0a\x0a\x02\x64', bytes.fromhex('fd000002000000000000000000000100')),
         'ext': (b'\x0a\x0a\x01\x64', bytes.fromhex('fd000001000000000000000000000100'))}


def pcap(path):
    """(time, frame) of a classic pcap file."""
    data = open(path, 'rb').read()
    magic = data[:4]
    order = '<' if magic in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    unit = 1e-9 if magic in (b'\x4d\x3c\xb2\xa1', b'\xa1\xb2\x3c\x4d') else 1e-6
    at = 24
    while at + 16 <= len(data):
        sec, frac, caplen, _ = struct.unpack_from(order + 'IIII', data, at)
        yield sec + frac * unit, data[at + 16:at + 16 + caplen]
        at += 16 + caplen


def ip_of(frame):
    """The IP packet of a frame without its padding, and its source; None for the rest."""
    etype = struct.unpack_from('>H', frame, 12)[0]
    p = frame[14:]
    if etype == 0x0800:
        return p[:struct.unpack_from('>H', p, 2)[0]], p[12:16]
    if etype == 0x86dd:
        return p[:40 + struct.unpack_from('>H', p, 4)[0]], p[8:24]
    return None, None


def from_hosts(folder):
    """What the hosts sent, (time, side, IP packet), in order."""
    out = []
    for side in ('int', 'ext'):
        for t, frame in pcap(os.path.join(folder, side + 'A.pcap')):
            p, src = ip_of(frame)
            if p is None or src not in HOSTS[side]:
                continue
            if p[0] >> 4 == 6 and p[6] == 58 and 133 <= p[40] <= 137:
                continue                # neighbour discovery is the wire's business
            out.append((t, side, p))
    return sorted(out, key=lambda x: x[0])


def moments(folder):
    """{tag: time} of the state lists of A."""
    found = {}
    for line in open(os.path.join(folder, 'events.txt')):
        m = re.match(r'([\d.]+) .*states of A saved as (\S+):', line)
        if m:
            found[m[2]] = float(m[1])
    return found


def comparable(states):
    """Without what cannot be equal: ids, and the firewalls' own traffic (CARP, pfsync, discovery, link-local)."""
    out = {}
    for s in states:
        if re.search(r'fe80:|ff02:|10\.10\.[123]\.[123]\b(?!\d)', s['flow']) and '.100' not in s['flow']:
            continue
        out[(s['if'], s['proto'], s['flow'])] = s
    return out


def play(l, box, pfdiff, folder):
    name = os.path.basename(folder)
    rules = open(os.path.join(folder, 'A.pf.conf')).read()
    for a, b in NAMES.items():
        rules = re.sub(r'\b%s\b' % a, b, rules)
    box.do('pfctl -F states')
    box.load(rules)
    packets = [(t, 0, x) for *x, t in [(side, p, t) for t, side, p in from_hosts(folder)]]
    todo = [(t, 1, tag) for tag, t in moments(folder).items()
            if os.path.exists(os.path.join(folder, 'A.pfctl-ss-vv.%s.txt' % tag))]
    last = max(t for t, _, _ in todo)
    work = sorted([x for x in packets + todo if x[0] <= last], key=lambda x: (x[0], x[1]))
    for w in l.wire.values():
        if w.box_mac is None:
            w.resolve()
    base, real = work[0][0], time.monotonic()
    lists, recent = 0, []
    # The record gives the time when a listing had been taken; how long it took is not known. Flows that are alive then are
    # compared with what they were after each of the last packets.
    live = [x[0] for x in work if x[1] == 0 and any(m[0] - 2 < x[0] <= m[0] for m in todo)]
    live = set(live if len(live) <= 60 else live[-60:])
    for t, kind, what in work:
        wait = real + (t - base) - time.monotonic()
        while wait > 0:                 # keep the pace: timeouts are part of the record; answer ARP meanwhile
            for w in l.wire.values():
                w.pump(min(wait / 2, 0.05))
            wait = real + (t - base) - time.monotonic()
        if kind == 0:
            side, p = what
            other = l.wire['ext' if side == 'int' else 'int']
            l.wire[side].sock.send(bytes.fromhex(l.wire[side].box_mac.replace(':', '')) +
                                   bytes.fromhex(l.wire[side].mac.replace(':', '')) +
                                   (b'\x86\xdd' if p[0] >> 4 == 6 else b'\x08\x00') + p)
            # one after the other, as the real firewall had them
            other.queue.clear()
            other.recv(0.05)
            if t in live:
                recent.append((t, comparable(pfdiff.parse_states(box.do('pfctl -ss -vv')))))
            continue
        want = comparable(pfdiff.parse_states(open(os.path.join(folder, 'A.pfctl-ss-vv.%s.txt' % what)).read()))
        got = comparable(pfdiff.parse_states(box.do('pfctl -ss -vv')))
        # what is about to expire on either side may be gone on the other
        near = lambda s: s['expires'] is not None and s['expires'] <= 3
        missing = [k for k in want if k not in got and not near(want[k])]
        extra = [k for k in got if k not in want and not near(got[k])]
        lab.check(not missing and not extra, '%s %s: the same %d states' % (name, what, len(want)), missing[:5], extra[:5])
        if 'defer' in name:
            # pfsync's defer held the first packet on its way out and sent it past pf: the outbound state did not count it
            for k, w in want.items():
                if '->' in k[2] and k in got and got[k]['pkts'] != w['pkts']:
                    a, b = (int(x) for x in w['pkts'].split(':'))
                    first = int(got[k]['bytes'].split(':')[0]) - int(w['bytes'].split(':')[0])
                    w['pkts'], w['bytes'] = '%d:%d' % (a + 1, b), '%d:%s' % (int(w['bytes'].split(':')[0]) + first, w['bytes'].split(':')[1])
        differ = []
        for k in want:
            if k not in got:
                continue
            for f in ('state', 'peers', 'pkts', 'bytes'):
                if want[k][f] != got[k][f] and not any(k in r and all(r[k][x] == want[k][x] for x in ('state', 'peers', 'pkts', 'bytes'))
                                                       for when, r in recent if when > t - 2):
                    differ.append('%s: %s is %s, was %s' % (k, f, got[k][f], want[k][f]))
            if abs(want[k]['expires'] - got[k]['expires']) > 4:
                differ.append('%s: expires in %s, was %s' % (k, got[k]['expires'], want[k]['expires']))
        lab.check(not differ, '%s %s: windows, scales, counters and timeouts of %d states' % (name, what, len(want)),
                  *differ[:10])
        lists += 1
    return lists


def main():
    folders = [d for d in sorted(glob.glob(os.path.join(ROOT, '*')))
               if os.path.exists(os.path.join(d, 'intA.pcap')) and os.path.exists(os.path.join(d, 'extA.pcap'))]
    if not folders:
        lab.skip('the recorded captures (%s) are not here' % ROOT)
    spec = importlib.util.spec_from_file_location('pfdiff', os.path.join(SHARED, 'tools/pfdiff.py'))
    sys.dont_write_bytecode = True
    pfdiff = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pfdiff)
    with lab.Lab() as l:
        box = l.box(rules='pass\n')
        for folder in folders:
            play(l, box, pfdiff, folder)


main()
