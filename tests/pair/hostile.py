# SPDX-License-Identifier: BSD-2-Clause
"""
Everything on the cable is hostile until checked: one packet of each wrong kind, one counter each, and no state touched. Then noise,
and packets cut off at every length, with memory and the list of states the same afterwards.
"""
import random, re, struct, time
import fakepeer, pair, pfsync_wire as w
from pair import EXT4, INT4, Failed, check, until

COUNTERS = ('ipackets', 'badif', 'badttl', 'hdrops', 'badver', 'badact', 'badlen', 'badval', 'badstate', 'stale')
TCP = dict(proto=6, timeout=2, expire=86000, srcp=w.peer(1000, 9000, 4, 8192, 7), dstp=w.peer(5000, 14000, 4, 4096, 5))


def resident(box):
    with open('/proc/%d/status' % box.proc.pid) as f:
        return [int(x.split()[1]) for x in f if x.startswith('VmRSS')][0]


def hostile(box, p, record):
    version = 6 if record == 6 else 5
    hostid = p.hostid
    box.do('pfctl -F states')
    box.do('ifconfig pfsync0 version %d' % record)

    def ins(id, **kw):
        return w.state('ins', record, **dict(dict(id=id, creatorid=hostid, direction=1, src=INT4, sport=id & 0xffff, dst=EXT4, dport=80,
                                                  **TCP), **kw))

    def raw(subs, **kw):
        body = b''.join(subs)
        return w.header(kw.get('version', version), kw.get('length', 20 + len(body))) + body
    good = ins(0x5001)
    p.send(good)
    until('one good state', lambda: len(box.states()) == 1, 3)
    p.forget(0.2)
    ins_action = w.action_of('ins', record)
    body, size = w.body(good, record), w.RECORD_SIZE[record]
    upd_c = w.upd_c(0x5001, hostid, w.peer(2000, 10000, 4, 8192, 7), w.peer(6000, 15000, 4, 5000, 5), 2)
    with pair.Counting(box, *COUNTERS) as c:
        def wrong(what, states=1, **want):
            c.check(what, **dict(dict(ipackets=1), **want))
            n = box.states()
            check(len(n) == states and n[0]['src_peer']['seqlo'] == 1000, 'no state was touched', n)
        for ttl in (254, 1):
            p.send(ins(0x6001), ttl=ttl)
            wrong('TTL %d' % ttl, badttl=1)
        p.send_payload(w.packet(record, [ins(0x6002)])[:19])
        wrong('19 bytes', hdrops=1)
        for v in (1, 2, 3, 4, 11 - version, 7, 0, 255):
            p.send_payload(raw([w.sub(ins_action, [w.body(ins(0x6003), record)], version)], version=v))
            wrong('version %d' % v, badver=1)
        p.send(ins(0x6004), length=9000)
        wrong('a length beyond the packet', badlen=1)
        p.send_payload(raw([w.sub(ins_action, [w.body(ins(0x6005), record)], version)], length=19))
        wrong('a length below the header', badlen=1)
        p.send_payload(raw([w.sub(ins_action, [w.body(ins(0x6006), record)[:-1]], version, words=66)]))
        wrong('a record cut short', badlen=1)
        p.send_payload(raw([w.sub(ins_action, [w.body(ins(0x6007), record)], version, count=65535)]))
        wrong('a count beyond the packet', badlen=1)
        if record == 6:
            p.send_payload(raw([w.sub(200, [bytes(8)], 6, words=0)]))
            wrong('unknown action without length', badact=1)
            p.send_payload(raw([w.sub(13, [w.body(ins(0x6008), 6)[:260]], 6, words=0)]))
            wrong('known action without length', badact=1)
            p.send_payload(raw([w.sub(200, [bytes(8)], 6), w.sub(13, [], 6, words=66)]))
            wrong('unknown action with length is stepped over', badact=0)
            p.send_payload(raw([w.sub(13, [w.body(ins(0x6009), 6)[:100]], 6, words=25)]))
            wrong('an insert that calls itself shorter than it is', badact=0)
        else:
            p.send_payload(raw([w.sub(17, [bytes(8)], 5)]))
            wrong('unknown action', badact=1)
            p.send_payload(raw([w.sub(8, [bytes(8)], 5), w.sub(ins_action, [w.body(ins(0x600a), record)], 5)]))
            wrong('a fragment action, and nothing behind it', badact=1)
        for field, value, counter in (('timeout', 99, 'badval'), ('direction', 3, 'badval'), ('direction', 255, 'badval')):
            p.send(ins(0x6010, **({field: value})) if field != 'timeout' else dict(ins(0x6010), timeout=99))
            wrong('%s %d' % (field, value), **{counter: 1})
        for side in ('src', 'dst'):
            p.send(dict(ins(0x6011), **{side: w.peer(state=13)}))
            wrong('%s.state 13' % side, badval=1)
        for af in (0, 10, 26, 255):
            bad = ins(0x6012)
            if record == 1500:
                bad.update(wire_af=af, stack_af=af)
            elif record == 6:
                bad.update(af=af, wire=dict(bad['wire'], af=af), stack=dict(bad['stack'], af=af))
            else:
                bad.update(af=af)
            p.send(bad)
            wrong('address family %d' % af, badval=1)
        p.send(dict(ins(0x6013), creatorid=0))
        got = until('it is looked at', lambda: c.now() if c.now()['ipackets'] == 1 else None)
        check(got['ipackets'] == 1 and len(box.states()) == 1, 'creator 0: refused', got)
        c.before = pair.sync_counters(box, *COUNTERS)
        p.send(dict(upd_c, timeout=99))
        wrong('update with timeout 99', badval=1)
        p.send(dict(upd_c, src=w.peer(seqlo=9999, state=13)))
        wrong('update with state 13', badval=1)
        p.send(w.del_c(0x5001, hostid + 1))
        wrong('delete by another creator', badstate=1)
        p.send(w.del_c(0x5002, hostid))
        wrong('delete of another id', badstate=1)
        p.send(w.clr(hostid + 1))
        wrong('clear of another creator')
        p.send(w.ins_ack(0x5001, hostid), w.ins_ack(1, 2))
        wrong('acknowledgements that nobody waits for')
        # A bad one among good ones: it alone is left out.
        p.send(ins(0x7001), dict(ins(0x7002), timeout=99), ins(0x7003))
        c.check('one of three has a bad timeout', ipackets=1, badval=1)
        until('the other two are in', lambda: len(box.states()) == 3, 2)
        # What stands before the damage stays.
        p.send_payload(raw([w.sub(ins_action, [w.body(ins(0x7004), record)], version),
                            w.sub(ins_action, [w.body(ins(0x7005), record)], version, count=9)]))
        c.check('damage behind a good insert', ipackets=1, badlen=1)
        until('the good one is in', lambda: len(box.states()) == 4, 2)
        p.send(dict(ins(0x7006), ifname=b'nosuch0'))
        c.check('a state of an interface that is not here', ipackets=1)
        print('   it is %s' % ('kept, and matches nothing' if len(box.states()) == 5 else 'left out'))
        for i in (0x7001, 0x7003, 0x7004, 0x7006):
            p.send(w.del_c(i, hostid))
        until('one state left', lambda: len(box.states()) == 1, 2)
    p.forget(0.3)
    # Every length of a real packet, then bytes changed at random: no crash, no leak, names untouched.
    rng = random.Random(record)
    whole = w.packet(record, [ins(0x8001), upd_c, w.del_c(0x8001, hostid), w.upd_req(3, 4), w.clr(5), w.bus(1, 6), w.ins_ack(7, 8)])
    for n in range(len(whole)):
        p.send_payload(whole[:n])
    p.send(w.del_c(0x8001, hostid))
    p.forget(0.3)
    before = resident(box)
    for i in range(3000):
        spoiled = bytearray(whole)
        for _ in range(1 + rng.randrange(4)):
            # Not the creator of the clear: by chance it might be ours.
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        p.send_payload(bytes(spoiled))
        if i % 100 == 99:
            p.forget(0.01)
    for i in range(2000):
        p.send_payload(bytes([version, 0]) + struct.pack('>H', 300) + rng.randbytes(16) + rng.randbytes(280))
        if i % 100 == 99:
            p.forget(0.01)
    p.forget(0.5)
    box.do('show sync')
    check(box.proc.poll() is None, 'noise: the box lives')
    check(resident(box) - before < 20000, 'and has not grown: %d kB' % (resident(box) - before))
    print('   %d states came of it: pfsync has no checksum' % len(box.states()))
    box.do('pfctl -F states')
    p.send(good)
    until('it still listens', lambda: len(box.states()) == 1, 3)


with pair.PairLab(cable='fake', names=('A',)) as l:
    box, = l.boxes_up(wait=False, pfsync='up', rules='set limit states 5000\npass\n')
    l.path('A')
    p = fakepeer.FakePeer(l, 'cable', 'c0')
    for record in (6, 1301, 1400, 1500):
        print('== record %d' % record)
        p.record = record
        hostile(box, p, record)
    print('== from elsewhere')
    with pair.Counting(box, 'badif', 'ipackets', 'inserted') as c:
        # The client speaks pfsync to the data port.
        mac = re.search(r'link/ether (\S+)', pair.lab.sh('ip -n %s link show eA' % l.ns['int']).stdout).group(1)
        s = fakepeer.FakePeer(l, 'int', 'eA', record=1500, addr=INT4, mac=mac)
        s.send(w.state('ins', 1500, id=1, creatorid=2, direction=1, src=INT4, sport=1, dst=EXT4, dport=2, **TCP))
        s.send(w.state('ins', 1500, id=1, creatorid=2, direction=1, src=INT4, sport=1, dst=EXT4, dport=2, **TCP), to='10.10.2.1')
        time.sleep(0.5)
        got = c.now()
        check(got['inserted'] == 0, 'pfsync on a data port changes nothing', got)
        print('   counted: %s' % got)
    print('== more than the table holds')
    p.record = 6
    box.do('ifconfig pfsync0 version 6')
    box.do('pfctl -F states')
    for i in range(0, 8000, 5):
        p.send(*[w.state('ins', 6, id=0x10000 + n, creatorid=9, direction=1, src='10.%d.%d.%d' % (n >> 16, n >> 8 & 255, n & 255), sport=n,
                         dst=EXT4, dport=80, **TCP) for n in range(i, i + 5)])
        if i % 500 == 0:
            p.forget(0.002)
    p.forget(0.5)
    full = until('refusals are counted', lambda: pair.sync(box)['table_full'], 3)
    n = len(box.states())
    check(n <= 5000, 'the limit holds: %d states, %d refused' % (n, full))
    p.send(w.clr(9))
    until('and room comes back', lambda: len(box.states()) == 0, 4)
    r = l.ping('int', EXT4, '-c 3 -i 0.5 -W 5')
    check(r.returncode == 0, 'traffic passes', r.stdout, box.do('show drops'))
