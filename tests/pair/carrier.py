# SPDX-License-Identifier: BSD-2-Clause
"""
How the messages travel, and what a person sees of them: multicast and unicast of both families, jumbo frames, `show sync`,
`show states origin peer`, `monitor sync`, `set pfsynclog`, `clear sync`.
"""
import json, os, re, subprocess, time
import fakepeer, lab, pair, pfsync_wire as w
from pair import EXT4, INT4, Failed, check, until

PFSYNCDUMP = os.path.join(lab.BUILD, 'pfsyncdump')
TCP = dict(proto=6, timeout=2, expire=86000, srcp=w.peer(1000, 9000, 4, 8192, 7), dstp=w.peer(5000, 14000, 4, 4096, 5))


def ways(l, box, p):
    """Where messages go, and from which address; what comes by that way is taken."""
    for words, to, source, me, record in (
            ('-syncpeer version 6', w.MULTICAST4, '10.10.3.1', '10.10.3.1', 6),
            ('syncpeer %s version 6' % fakepeer.ADDR4, fakepeer.ADDR4, '10.10.3.1', '10.10.3.1', 6),
            ('syncpeer %s version 1400' % w.MULTICAST6, w.MULTICAST6, 'fd00:3::1', 'fd00:3::1', 1400),
            ('syncpeer %s version 1500' % fakepeer.ADDR6, fakepeer.ADDR6, 'fd00:3::1', 'fd00:3::1', 1500),
            ('-syncpeer version 1301', w.MULTICAST4, '10.10.3.1', '10.10.3.1', 1301)):
        print('-- ifconfig pfsync0 ' + words)
        box.do('ifconfig pfsync0 ' + words)
        box.do('pfctl -F states')
        p.record = record
        p.forget(0.4)
        p.packets.clear()
        before = pair.sync_counters(box, 'opackets', 'opackets6', 'ipackets', 'ipackets6')
        check(l.udp(3) == 3, 'three flows')
        for _ in range(6):
            p.expect('ins', what='an insert comes')
        sent = {x[1:3] for x in p.packets}
        wanted = {(source, to)}
        if ':' in source and not sent <= wanted:
            # Link-local addresses are as good a source.
            sent = {(source if s.startswith('fe80:') else s, d) for s, d in sent}
        check(sent == wanted, 'to %s' % to, sent)
        p.send(w.state('ins', record, id=77, creatorid=5, direction=1, src=INT4, sport=record, dst=EXT4, dport=9, **TCP),
               to=to if to in (w.MULTICAST4, w.MULTICAST6) else me)
        until('what comes that way is taken', lambda: [s for s in box.states('origin peer')], 3)
        now = pair.sync_counters(box, *before)
        six = '6' if ':' in to else ''
        other = '' if six else '6'
        check(now['opackets' + six] > before['opackets' + six] and now['ipackets' + six] == before['ipackets' + six] + 1 and
              now['opackets' + other] == before['opackets' + other] and now['ipackets' + other] == before['ipackets' + other],
              'counted as IPv%s' % (six or '4'), before, now)
        p.clean()


def seen(l, box, p):
    print('-- what a person sees')
    box.do('ifconfig pfsync0 version 6')
    box.do('pfctl -F states')
    log = os.path.join(l.dir, 'sync.pcap')
    box.do('set pfsynclog ' + log)
    p.record = 6
    p.forget(0.3)
    out = os.path.join(l.dir, 'monitor')
    with open(out, 'w') as f:
        m = subprocess.Popen([lab.TWINCTL, '-s', box.sock, '-j', 'monitor', 'sync'], stdout=f, stderr=subprocess.STDOUT)
    l.procs.append(m)
    time.sleep(0.5)
    p.send(w.state('ins', 6, id=0x4711, creatorid=0xfeed0001, direction=1, src=INT4, sport=1234, dst=EXT4, dport=9, **TCP))
    p.send(w.del_c(0x4712, 0xfeed0001))
    check(l.udp(1) == 1, 'a flow')
    until('the state from the peer', lambda: len(box.states('origin peer')) == 1, 2)
    check('id: 0000000000004711 creatorid: feed0001' in box.do('pfctl -ss -vv'), 'pfctl -ss -vv names it', box.do('pfctl -ss -vv'))
    s = box.do('show sync')
    check(re.search(r'sync0', s) and re.search(r'version 6', s), 'show sync', s)
    time.sleep(0.7)
    m.terminate()
    m.wait(5)
    with open(out) as f:
        text = f.read()
    check('0000000000004711' in text and 'ins' in text and 'del_c' in text, 'monitor sync shows what came', text[:2000])
    check(text.count('"ins"') >= 3 or text.count('ins') >= 3, 'and what went')
    box.do('set pfsynclog off')
    r = subprocess.run([PFSYNCDUMP, '-j', '-r', log], capture_output=True, text=True, timeout=20)
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    ids = {x.get('id') for x in lines}
    check(r.returncode == 0 and lines and '0000000000004711' in ids, 'pfsynclog, read by pfsyncdump: %d messages' % len(lines), r.stderr,
          r.stdout[:500])
    with open(log, 'rb') as f:
        check(f.read(24)[20:22] == bytes([246, 0]), 'as DLT_PFSYNC')
    before = pair.sync(box)
    check(before['received']['ins'] > 0 and before['inserted'] > 0, 'figures')
    box.do('clear sync')
    after = pair.sync(box)
    check(after['received']['ins'] == 0 and after['inserted'] == 0 and after['ipackets'] == 0, 'clear sync takes them to zero')
    r = box.ctl('ifconfig pfsync0 maxupd 300')
    check(r.status != 0 and '255' in r.err, 'a bad value is refused with what would be right', r)
    for bad in ('ifconfig pfsync0 version 7', 'ifconfig pfsync0 syncdev nosuch0', 'ifconfig pfsync0 syncpeer nowhere'):
        r = box.ctl(bad)
        check(r.status != 0 and r.err.strip(), bad + ': ' + r.err.strip())
    check(pair.sync(box)['syncdev'] == 'sync0', 'and nothing is lost')


def big(l, box, p):
    print('-- packets as large as the cable takes')
    box.do('pfctl -F states')
    box.do('ifconfig pfsync0 version 6')
    p.forget(0.3)
    for name, mtu in (('1500', 1500), ('600', 600)):
        box.do('ifconfig pfsync0 mtu %s' % name)
        p.packets.clear()
        p.forget(0.2)
        l.udp(200, first=20000 + mtu)
        p.send(w.upd_req())
        p.expect('bus', status=2, seconds=8, what='a bulk update at MTU %d' % mtu)
        longest = max(len(x[3]) + 20 for x in p.packets)
        room = (mtu - 44) // 264
        # Both states of a connection travel in one packet.
        check(44 + 264 * (room // 2 * 2) <= longest <= mtu, 'longest packet %d bytes, room for %d states' % (longest, room))
        p.clean()
        p.forget()
    r = box.ctl('ifconfig pfsync0 mtu 9300')
    check(r.status != 0, 'an MTU beyond the cable is refused: ' + r.err.strip())
    box.do('ifconfig pfsync0 mtu 1500')


with pair.PairLab(cable='fake', names=('A',)) as l:
    box, = l.boxes_up(wait=False, pfsync='up')
    l.path('A')
    l.echo(5001)
    p = fakepeer.FakePeer(l, 'cable', 'c0')
    ways(l, box, p)
    seen(l, box, p)
    big(l, box, p)
