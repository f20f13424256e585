# SPDX-License-Identifier: BSD-2-Clause
"""
Two boxes: every kind of message crosses in both directions, for every kind of traffic, both families. After each scene the two
tables are compared, state by state and field by field.

	cross.py [veth|memif]...	the cable between them
"""
import socket, struct, sys, time
import pair, pfsync_wire as w
from pair import EXT4, EXT6, INT4, INT6, Failed, check, until

KINDS = ('clr', 'ins', 'upd_c', 'upd', 'upd_req', 'del_c', 'bus')


def raw_ip(l, side, proto, n=1):
    """Packets of a protocol without ports, both families."""
    other = {'int': (EXT4, EXT6), 'ext': (INT4, INT6)}[side]
    for six in (False, True):
        with l.socket(side, socket.SOCK_RAW, six=six, proto=proto) as s:
            for _ in range(n):
                s.sendto(b'\0' * 40, (other[six], 0))
            time.sleep(0.01)


def learned(box, whose):
    """Every state of the other's making is marked as learned, every own one is not."""
    bad = [s for s in box.states() if (s['origin'] == 'peer') != (s['creatorid'] == '%08x' % pair.HOSTID[whose])]
    check(not bad, 'origin tells who made them', bad[:2])


def scene(l, here, there):
    """Traffic through one box; the other must know."""
    a, b = l.pair[here], l.pair[there]
    l.path(here)
    print('-- traffic through %s' % here)
    conns = [l.tcp(six=six) for six in (False, True)]
    for c in conns:
        check(pair.say(c, b'1' * 3000), 'TCP')
    check(l.udp(5, packets=3) + l.udp(5, packets=3, six=True) == 30, 'UDP')
    for dst in (EXT4, EXT6):
        check(l.ping('int', dst).returncode == 0, 'ping')
    for proto in (47, 89):
        raw_ip(l, 'int', proto)
        raw_ip(l, 'ext', proto)
    t = l.same('everything of %s is on %s' % (here, there), a=here, b=there, least=30)
    learned(b, here)
    kinds = {(s['af'], s['proto']) for s in t.values()}
    check({(af, p) for af in ('inet', 'inet6') for p in ('tcp', 'udp')} <= kinds and len(kinds) >= 8, 'among them %s' % sorted(kinds))
    for c in conns:
        for n in range(5):
            check(pair.say(c, bytes([n]) * 20000), 'more data', )
    l.same('windows have followed', a=here, b=there)
    up = [s for s in b.states('tcp') if s['state'] == ['ESTABLISHED'] * 2 and s['direction'] == 'in']
    check(len(up) >= 2 and all(s['src_peer']['wscale_known'] and s['src_peer']['seqlo'] for s in up), 'with scales and numbers', up[:1])
    conns[0].close()
    conns[1].shutdown(socket.SHUT_WR)
    conns[1].close()
    until('the ends have crossed', lambda: not b.states('tcp') or all('FIN_WAIT_2' in s['state'] or 'TIME_WAIT' in s['state'] or
                                                                    'CLOSING' in s['state'] for s in b.states('tcp')), 4)
    l.same('so have the ends', a=here, b=there)
    # A refused and a reset one.
    s = l.socket('int')
    try:
        s.connect((EXT4, 9))
        raise Failed('port 9 answers')
    except ConnectionRefusedError:
        s.close()
    c = l.tcp()
    pair.say(c, b'r' * 10)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.close()
    l.same('reset and refused ones', a=here, b=there)
    a.do('pfctl -k %s -k %s' % (INT4, EXT4))
    l.same('killed ones are gone on both', a=here, b=there)
    check(not [s for s in b.states() if (s['wire']['src'], s['wire']['dst']) == (INT4, EXT4)], 'they are')
    # The first of these may be one that the other side made before.
    mine = [s for s in a.states() if s['creatorid'] == '%08x' % pair.HOSTID[here]]
    a.do('pfctl -F states')
    until('flushed there, and what %s made is gone here' % here,
          lambda: not [s for s in b.states() if s['creatorid'] == '%08x' % pair.HOSTID[here]], 4)
    print('   %d states' % len(mine))


def run(kind):
    print('== cable: ' + kind)
    with pair.PairLab(cable=kind) as l:
        a, b = l.boxes_up(each={'B': dict(workers=2)})
        l.echo(5001)
        for x in (a, b):
            s = pair.sync(x)
            check(pair.settled(s) and s['version'] in (6, '6'), '%s is in sync: %s' % (x.name, s.get('reason')))
        scene(l, 'A', 'B')
        if kind != 'veth':
            return
        for x in (a, b):
            x.do('pfctl -F states')
        scene(l, 'B', 'A')
        print('-- not to be told')
        for x in (a, b):
            x.load('set hostid 0x%08x\n' % pair.HOSTID[x.name] + pair.TIMEOUTS + 'pass\npass proto udp to port 6002 keep state (no-sync)\n')
            x.do('pfctl -F states')
        l.path('A')
        with l.socket('ext', socket.SOCK_DGRAM, port=6002), l.socket('ext', socket.SOCK_DGRAM, port=6003):
            l.udp(3, port=6002, wait=False)
            l.udp(3, port=6003, wait=False, first=21000)
            until('those of other rules cross', lambda: len(b.states('udp port 6003')) == 6, 3)
            time.sleep(0.3)
            check(len(a.states('udp port 6002')) == 6 and not b.states('udp port 6002'), 'no-sync rules make states that stay here')
        print('-- bulk, on demand')
        b.do('pfctl -F states')     # those of A come back by it
        check(l.udp(20, packets=2) == 40, 'UDP')
        l.same('before', match=lambda s: s['wire']['dport'] == 5001 and s['proto'] == 'udp')
        b.do('sync bulk')
        until('the bulk update is done', lambda: pair.sync(b)['bulk']['state'] == 'done', 5)
        l.same('after', ignore=('expires_s',), match=lambda s: s['wire']['dport'] == 5001 and s['proto'] == 'udp')
        for x in (a, b):
            s = pair.sync(x)
            missing = [k for k in KINDS if not s['sent'][k] or not s['received'][k]] if isinstance(s['sent'], dict) else KINDS
            print('   %s: sent %s, received %s' % (x.name, {k: v for k, v in s['sent'].items() if v},
                                                   {k: v for k, v in s['received'].items() if v}))
            check(not [k for k in missing if k not in ('upd', 'upd_req', 'bus')], 'the ordinary messages went both ways', missing)
            n = pair.sync_counters(x, 'badif', 'badttl', 'hdrops', 'badver', 'badact', 'badlen', 'badval')
            check(not any(n.values()), 'nothing of it was bad', n)


for kind in sys.argv[1:] or ('veth', 'memif'):
    run(kind)
