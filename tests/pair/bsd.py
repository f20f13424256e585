# SPDX-License-Identifier: BSD-2-Clause
"""
A box and a BSD peer that the test plays, once for each record layout: OpenBSD version 6; FreeBSD 1301, 1400, 1500. What the peer
says is taken in as that system would, and every answer is compared byte by byte with what that system would have sent.
"""
import socket, sys, time
import fakepeer, pair, pfsync_wire as w
from pair import EXT4, EXT6, INT4, INT6, Failed, check, until

TCP = dict(proto=6, timeout=2, expire=86000, srcp=w.peer(1000, 9000, 4, 8192, 7), dstp=w.peer(5000, 14000, 4, 4096, 5))
FREE = ('creation', 'expire', 'orig_ifname', 'rule')  # compared by value, or any


def state_of(box, id, creatorid):
    return pair.table(box).get(('%016x' % id, '%08x' % creatorid))


def as_sent(message, record, s, st, **more):
    """The record that must come out for a state of `show states json`, as far as that tells."""
    tcp = s['proto'] == 'tcp'
    proto = {'tcp': 6, 'udp': 17, 'icmp': 1, 'icmp6': 58, 'ipv6-icmp': 58}.get(s['proto'])
    words = list(w.TCP_STATES if tcp else w.OTHER_STATES)
    sides = []
    for i, side in enumerate(('src_peer', 'dst_peer')):
        p = s.get(side, {})
        number = words.index(s['state'][i]) if s['state'][i] in words else int(s['state'][i])
        sides.append(w.peer(p.get('seqlo', 0), p.get('seqhi', 0), number, p.get('max_win', 0),
                            p['wscale'] if p.get('wscale_known') else None, p.get('seqdiff', 0)) if tcp else w.peer(state=number))
    return dict(w.state(message, record, id=int(s['id'], 16), creatorid=int(s['creatorid'], 16), proto=proto,
                        direction=1 if s['direction'] == 'in' else 2, src=s['wire']['src'], sport=s['wire']['sport'],
                        dst=s['wire']['dst'], dport=s['wire']['dport'], srcp=sides[0], dstp=sides[1], packets=s['packets'],
                        bytes_=s['bytes'], rule=w.NO if s['rule'] is None or s['origin'] == 'peer' else s['rule'], **st), **more)


def exactly(p, m, want, what, left=None):
    """m is the record `want` to the byte; age and expiry within two seconds."""
    record = m['record']
    for f in FREE:
        if f in m:
            if f == 'rule' and m[f] not in (w.NO, want.get(f)) or f == 'creation' and abs(m[f] - want.get(f, 0)) > 2 or f == 'expire' and left is not None and abs(m[f] - left) > 2:
                raise Failed('%s: %s is %s' % (what, f, m[f]))
            want[f] = m[f]
    raw = w.pack(w.STATE[record], want, w.RECORD_SIZE[record])
    bad = []
    for name, off, fmt in w.STATE[record]:
        a, b = w.unpack([(name, off, fmt)], m['raw'])[name], w.unpack([(name, off, fmt)], raw)[name]
        if a != b:
            bad.append('%s is %s, must be %s' % (name, a, b))
    check(not bad and raw == m['raw'], '%s: byte by byte as record %d has it' % (what, record), *bad)


def the_rest(p):
    """What a peer that has all answers says to a bulk request, so that the box stops asking."""
    if p.take('upd_req', 0.01, id=0, creatorid=0):
        p.send(w.bus(1, p.hostid), w.bus(2, p.hostid))


def one(l, box, p, record):
    other = {6: 6, 1301: 1400, 1400: 1301, 1500: 1400}[record]
    hostid, base = p.hostid, record * 1000

    def up(*words):
        box.do('ifconfig pfsync0 ' + ' '.join(words))

    print('-- bulk request, asked and answered')
    box.do('pfctl -F states')
    up('down')
    up('version', str(record))
    p.forget(0.1)
    up('up')
    m = p.expect_bytes('upd_req', bytes(12), what='the request for everything', id=0, creatorid=0)
    check(m['version'] == (6 if record == 6 else 5), 'in version %d' % m['version'])
    check((m['from'], m['to']) == ('10.10.3.1', w.MULTICAST4), 'to the group', m)
    bulk = [w.state('upd', record, id=base + i, creatorid=hostid, direction=1 + i % 2, src='10.10.2.%d' % (50 + i), sport=7000 + i,
                    dst='10.10.1.7', dport=443, creation=100 + i, **TCP) for i in range(3)]
    p.send(w.bus(1, hostid))
    p.send(*bulk)
    p.send(w.bus(2, hostid))
    until('the bulk update is done', lambda: pair.sync(box)['bulk']['state'] == 'done', 4)
    check(len(box.states('tcp')) == 3, 'what it brought is there', box.do('pfctl -ss -vv'))
    check(pair.sync(box)['version'] == record, 'version %d is spoken' % record, pair.sync(box)['version'])

    print('-- inserts of all kinds')
    kinds = {}
    for i, (src, dst, kw) in enumerate([
            (INT4, EXT4, dict(TCP, sport=8001, dport=80)), (INT6, EXT6, dict(TCP, sport=8002, dport=80)),
            (INT4, EXT4, dict(proto=17, sport=8003, dport=53, timeout=8, expire=55, srcp=w.peer(state=2), dstp=w.peer(state=2))),
            (INT6, EXT6, dict(proto=17, sport=8004, dport=53, timeout=7, expire=25, srcp=w.peer(state=1))),
            (INT4, EXT4, dict(proto=1, sport=8005, dport=8 if record == 6 else 8005, timeout=9, expire=15)),
            (INT6, EXT6, dict(proto=58, sport=8006, dport=128 if record == 6 else 8006, timeout=9, expire=15)),
            (INT4, EXT4, dict(proto=47, timeout=13, expire=50, srcp=w.peer(state=2), dstp=w.peer(state=2))),
            (INT6, EXT6, dict(proto=132 if record == 6 else 47, timeout=11, expire=50, srcp=w.peer(state=1)))]):
        for direction in (1, 2):
            id = base + 100 + 2 * i + direction
            kinds[id] = w.state('ins', record, id=id, creatorid=hostid, src=src, dst=dst, direction=direction, creation=30, **kw)
    p.forget()
    inserts = list(kinds.values())
    per = 3 if record == 1500 else 5
    for i in range(0, len(inserts), per):
        p.send(*inserts[i:i + per])
    until('all %d are there' % len(kinds), lambda: len(pair.table(box, lambda s: int(s['id'], 16) in kinds)) == len(kinds), 3)
    flows = {int(s['id'], 16): s for s in box.states()}
    for id, m in kinds.items():
        s, f = flows[id], w.flow(m)
        ok = (s['wire']['src'], s['wire']['dst'], s['direction'], s['origin'], s['interface'], s['creatorid']) == \
            (f[3], f[5], f[2], 'peer', 'all', '%08x' % hostid) and abs(s['age_s'] - 30) <= 2 and abs(s['expires_s'] - m['expire']) <= 2
        if f[1] in (6, 17):
            ok = ok and (s['wire']['sport'], s['wire']['dport']) == (f[4], f[6])
        if f[1] == 6:
            ok = ok and [s['src_peer'][k] for k in ('seqlo', 'seqhi', 'max_win', 'wscale')] == [1000, 9000, 8192, 7] and \
                [s['dst_peer'][k] for k in ('seqlo', 'seqhi', 'max_win', 'wscale')] == [5000, 14000, 4096, 5] and \
                s['state'] == ['ESTABLISHED', 'ESTABLISHED']
        if not ok:
            raise Failed('%s became %s' % (f, s))
    check(True, 'with the fields that were sent')
    p.silence('and nothing is sent back')
    print('-- asked for, they come back as they are here')
    for id, m in kinds.items():
        if id % 2 == 0 and m.get('proto', m.get('wire_proto')) in (1, 58) and record != 6:
            continue  # looked at below, with the other direction
        p.send(w.upd_req(id, hostid))
        got = p.expect('upd', id=id, creatorid=hostid)
        exactly(p, got, dict(m, message='upd', creation=30, packets0=0), '%s %d' % (w.flow(m)[2], w.flow(m)[1]), left=m['expire'])
    p.send(*[w.upd_req(id, hostid) for id in list(kinds)[:6]])
    for id in list(kinds)[:6]:
        p.expect('upd', id=id, creatorid=hostid, what='several asked for at once')

    print('-- updates')
    id = base + 101
    m = kinds[id]
    newer = dict(srcp=w.peer(2000, 10000, 4, 8192, 7), dstp=w.peer(6000, 15000, 4, 5000, 5))
    p.forget(0.2)   # the box sends the other half of a connection along
    with pair.Counting(box, 'stale', 'badstate', 'badval') as c:
        p.send(w.upd_c(id, hostid, newer['srcp'], newer['dstp'], 2))
        until('a compressed update moves the windows', lambda: state_of(box, id, hostid)['src_peer']['seqlo'] == 2000, 2)
        s = state_of(box, id, hostid)
        check([s['dst_peer'][k] for k in ('seqlo', 'seqhi', 'max_win')] == [6000, 15000, 5000], 'of both sides', s)
        p.send(w.upd_c(id, hostid, newer['srcp'], newer['dstp'], 2))
        p.send(w.state('upd', other, id=id, creatorid=hostid, src=INT4, dst=EXT4, direction=1, creation=30,
                       **dict(TCP, sport=8001, dport=80, **newer)))
        p.silence('the same again, and as a full update, is no news')
        c.check('nothing is stale')
        p.send(w.upd_c(id, hostid, w.peer(1500, 9500, 4, 8192, 7), w.peer(5500, 14500, 4, 5000, 5), 2))
        want = w.body(w.upd_c(id, hostid, newer['srcp'], newer['dstp'], 2), record)
        p.expect_bytes('upd_c', want, what='a stale one is answered with the truth', id=id, creatorid=hostid)
        c.check('and counted', stale=1)
        check(state_of(box, id, hostid)['src_peer']['seqlo'] == 2000, 'nothing went back')
        p.send(w.upd_c(id, hostid, w.peer(2000, 10000, 2, 8192, 7), w.peer(6000, 15000, 2, 5000, 5), 1))
        p.expect_bytes('upd_c', want, what='nor does a TCP state', id=id, creatorid=hostid)
        c.check('counted', stale=1)
        # One side behind, one ahead: the good side is taken, the other kept and told.
        p.send(w.upd_c(id, hostid, w.peer(3000, 11000, 4, 8192, 7), w.peer(5500, 14500, 4, 5000, 5), 2))
        want = w.body(w.upd_c(id, hostid, w.peer(3000, 11000, 4, 8192, 7), newer['dstp'], 2), record)
        p.expect_bytes('upd_c', want, what='half stale: the newest of each side', id=id, creatorid=hostid)
        c.check('counted', stale=1)
        p.send(w.upd_c(id, hostid, w.peer(3001, 11000, 9, 8192, 7), w.peer(6001, 15000, 9, 5000, 5), 5))
        until('the end of a connection', lambda: state_of(box, id, hostid)['state'] == ['FIN_WAIT_2', 'FIN_WAIT_2'], 2)
        check(state_of(box, id, hostid)['expires_s'] <= 21, 'with its timeout', state_of(box, id, hostid))

    print('-- what is not known is asked for')
    p.forget()
    ghosts = [base + 300 + i for i in range(4)]
    p.send(*[w.upd_c(i, 0x77, w.peer(state=4), w.peer(state=4), 2) for i in ghosts])
    for i in ghosts:
        p.expect_bytes('upd_req', w.body(w.upd_req(i, 0x77), record), id=i, creatorid=0x77, what='unknown %x is asked for' % i)
    p.send(w.state('upd', record, id=ghosts[0], creatorid=0x77, direction=1, src='10.10.2.9', sport=1, dst='10.10.1.9', dport=2, **TCP))
    until('and taken in when it comes in full', lambda: state_of(box, ghosts[0], 0x77), 2)
    with pair.Counting(box, 'badstate') as c:
        p.send(w.upd_req(0x1234, 0x5678), w.del_c(0x1234, 0x5678))
        c.check('what the box does not know is badstate', badstate=2)
    p.silence('and not answered', 'upd')

    print('-- the same insert again; one on taken keys; one that is waited for')
    p.forget(0.2)
    m = kinds[base + 103]   # IPv6, established
    with pair.Counting(box, 'collisions') as c:
        p.send(m)
        p.send(dict(m, id=base + 400, src=w.peer(7777, 8888, 4, 1, 0)))
        p.silence('draw no answer')
        check(state_of(box, base + 400, hostid) is None and state_of(box, base + 103, hostid)['src_peer']['seqlo'] == 1000, 'and change nothing')
        check(c.now()['collisions'] >= 1, 'counted', c.now())
    print('-- a new connection on the keys of one that has ended')
    p.send(w.state('ins', record, id=base + 402, creatorid=hostid, direction=1, src=INT4, sport=8001, dst=EXT4, dport=80, **TCP))
    until('takes its place', lambda: state_of(box, base + 402, hostid) and not state_of(box, id, hostid), 2)
    ack = w.state('ins', record, id=base + 401, creatorid=hostid, proto=17, direction=2, src=INT4, sport=8401, dst=EXT4, dport=53,
                  srcp=w.peer(state=1), timeout=6, flags=w.FLAG_ACK)
    began = time.monotonic()
    p.send(ack)
    p.expect_bytes('ins_ack', w.body(w.ins_ack(base + 401, hostid), record), what='INS with ACK is acknowledged')
    print('   after %.2f ms' % ((time.monotonic() - began) * 1000))
    p.send(w.upd_req(base + 401, hostid))
    got = p.expect('upd', id=base + 401)
    check(got['state_flags'] & w.FLAG_ACK == 0, 'the mark itself is not kept')

    print('-- states of this box')
    p.forget()
    sink = [l.socket('ext', socket.SOCK_DGRAM, six=six, port=6001) for six in (False, True)]
    port = 30000 + record
    l.udp(1, port=6001, first=port, wait=False)
    l.udp(1, port=6001, first=port, wait=False, six=True)
    mine = until('four states', lambda: [s for s in box.states('udp port %d' % port)] if len(box.states('udp port %d' % port)) == 4 else None, 2)
    for s in mine:
        got = p.expect('ins', id=int(s['id'], 16), creatorid=int(s['creatorid'], 16))
        exactly(p, got, as_sent('ins', record, s, dict(timeout=6)), 'INS %s' % pair.brief(s), left=s['expires_s'])
    c = l.tcp(sport=port)
    check(pair.say(c, b'x' * 500), 'a TCP connection through the box')
    time.sleep(0.3)
    mine = box.states('tcp port %d' % port)
    check(len(mine) == 2, 'two states', mine)
    for s in mine:
        id = int(s['id'], 16)
        p.take('ins', id=id)
        p.send(w.upd_req(id, int(s['creatorid'], 16)))
        got = p.expect('upd', id=id)
        exactly(p, got, as_sent('upd', record, s, dict(timeout=2)), 'UPD %s' % pair.brief(s), left=s['expires_s'])
    p.forget(1.1)
    check(pair.say(c, b'y' * 500), 'data moves the window')
    for s in mine:
        got = p.expect('upd_c', id=int(s['id'], 16), match=lambda m: m['src']['seqlo'] == (s['src_peer']['seqlo'] + 500) % 2**32,
                       what='UPD_C tells of 500 bytes more')
        check(got['timeout'] == 2 and got['expire'] == 0, 'with its timeout', got)
    c.close()
    l.ping('int', EXT4, '-c 1 -W 2')
    got = p.expect('ins', match=lambda x: w.protocol(x) == 1)
    ports = [got['wire'][k] for k in ('port0', 'port1')]
    check(ports[0] == ports[1] if record != 6 else 8 in ports, 'ICMP: the id twice on FreeBSD, id and type on OpenBSD', ports)

    print('-- bulk update, given')
    p.forget(0.3)
    have = pair.table(box)
    p.send(w.upd_req())
    p.expect('bus', status=1, what='BUS START')
    p.expect('bus', status=2, seconds=6, what='BUS END')
    told = {('%016x' % x['id'], '%08x' % x['creatorid']) for x in p.got if x['message'] == 'upd'}
    check(told == set(have), 'in between all %d states, each by its name' % len(have), sorted(told ^ set(have))[:5])

    print('-- deletes')
    p.forget()
    p.send(w.del_c(base + 105, hostid), w.del_c(base + 106, hostid))
    until('DEL_C removes', lambda: not [i for i in (base + 105, base + 106) if state_of(box, i, hostid)], 2)
    p.send(w.del_c(base + 107, 0x77))
    p.silence('without an echo')
    check(state_of(box, base + 107, hostid) is not None, 'the same id of another creator is another state')
    box.do('pfctl -k %s -k %s' % (INT4, EXT4))
    killed = [k for k, s in have.items() if s['wire']['src'] == INT4 and s['wire']['dst'] == EXT4]
    until('killed here', lambda: not [k for k in killed if k in pair.table(box)], 3)
    names = set()
    for _ in killed:
        got = p.take('del_c', 1)
        if got is None:
            break
        names.add(('%016x' % got['id'], '%08x' % got['creatorid']))
    gone = set(killed) - {('%016x' % i, '%08x' % hostid) for i in (base + 105, base + 106)}
    check(names == gone, 'pfctl -k tells the peer by name: %d' % len(names), sorted(names ^ gone)[:4])
    p.send(w.clr(0x77))
    until('CLR takes those of its creator', lambda: not state_of(box, ghosts[0], 0x77), 2)
    check(state_of(box, base, hostid) is not None, 'and no others')
    p.send(w.clr(hostid, 'nosuch0'))
    time.sleep(0.3)
    check(state_of(box, base, hostid) is not None, 'CLR of an interface that is not here takes none')
    p.send(w.clr(hostid))
    until('CLR of that creator', lambda: not [s for s in box.states() if s['creatorid'] == '%08x' % hostid], 2)
    p.forget(0.2)
    box.do('pfctl -F states')
    p.expect_bytes('clr', w.body(w.clr(pair.HOSTID['A']), record), what='pfctl -F states tells the peer, as CLR')
    check(p.take('del_c', 0.3) is None, 'not one by one')
    p.forget()
    p.send(w.upd_req())
    # OpenBSD sends the end alone, and its requester ignores that for 24 s. START and END end the wait of either system.
    p.expect('bus', status=1, what='an empty table answers a bulk request too')
    p.expect('bus', status=2, what='with its end')
    p.silence('no state', 'upd')
    p.clean()


with pair.PairLab(cable='fake', names=('A',)) as l:
    box, = l.boxes_up(wait=False, pfsync='up')
    l.path('A')
    l.echo(5001)
    p = fakepeer.FakePeer(l, 'cable', 'c0')
    p.forget(0.5)
    print('== recognised by what it says')
    for record in (1301, 1500):
        box.do('ifconfig pfsync0 version 6')
        box.do('ifconfig pfsync0 version 0')
        p.send(w.state('ins', record, id=record, creatorid=1, direction=1, src='10.10.2.9', sport=record, dst='10.10.1.9', dport=2, **TCP))
        until('version %d' % record, lambda: pair.sync(box)['version'] == record, 3)
        check(state_of(box, record, 1), 'and what it said is taken')
    p.send(w.state('ins', 6, id=1, creatorid=1, direction=1, src='10.10.2.9', sport=1, dst='10.10.1.9', dport=2, **TCP))
    until('one packet of another version is read', lambda: state_of(box, 1, 1), 3)
    check(pair.sync(box)['version'] == 1500, 'but is not yet the tongue to answer in')
    box.do('pfctl -F states')
    for record in [int(x) for x in sys.argv[1:]] or (6, 1301, 1400, 1500):
        print('== record %d' % record)
        p.record, p.hostid = record, 0x0badf00d + record
        one(l, box, p, record)
        check(box.proc.poll() is None, 'the box lives')
