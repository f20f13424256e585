# SPDX-License-Identifier: BSD-2-Clause
"""
The tests' own reader and writer of pfsync against the worked examples of the specification, typed in as bytes, and against the
captures of real pairs: every packet parsed and packed again to the same bytes. No box takes part.
"""
import glob, os, re, sys
import pair, pfsync_wire as w
from pair import check

V6 = bytes.fromhex('''
45 10 01 9c 12 34 40 00 ff f0 7c 3c 0a 00 00 01 e0 00 00 f0 06 00 01 88 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 04 15 00 01 65 f0 a3 b2 00 00 00 03 00 00 00 00 00 00 00 00 a1 b2 c3 d4
a1 b3 c3 d3 00 00 00 00 02 00 00 00 04 87 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0b ad ca fe
0b ae c5 ed 00 00 00 00 01 f6 00 00 04 87 00 00 00 00 00 00 1a 2b 3c 4d 00 00 00 00 02 00 00 00
07 03 00 01 65 f0 a3 b2 00 00 00 01 1a 2b 3c 4d 0d 42 00 01 65 f0 a3 b2 00 00 00 07 61 6c 6c 00
00 00 00 00 00 00 00 00 00 00 00 00 cb 00 71 50 00 00 00 00 00 00 00 00 00 00 00 00 c6 33 64 01
00 00 00 00 00 00 00 00 00 00 00 00 01 bb ee 49 00 00 02 00 cb 00 71 50 00 00 00 00 00 00 00 00
00 00 00 00 c0 a8 01 0a 00 00 00 00 00 00 00 00 00 00 00 00 01 bb c0 00 00 00 02 00 00 00 00 00
00 00 00 00 10 00 00 00 10 00 00 02 00 00 00 00 01 f6 00 00 02 87 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 05 ff ff ff ff ff ff ff ff 00 00 00 00 00 00 00 78
00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 3c 00 00 00 00 00 00 00 00
1a 2b 3c 4d 00 00 00 00 ff ff ff ff 00 00 02 06 02 00 00 00 00 00 00 00 00 10 00 00''')
V5 = bytes.fromhex('''
45 10 01 22 43 21 40 00 ff f0 4b c8 0a 00 00 02 e0 00 00 f0 05 00 01 0e 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 01 00 00 01 03 00 00 00 00 00 00 42 61 6c 6c 00 00 00 00 00 00 00 00 00
00 00 00 00 cb 00 71 07 00 00 00 00 00 00 00 00 00 00 00 00 c0 00 02 0a 00 00 00 00 00 00 00 00
00 00 00 00 c9 3b 00 50 cb 00 71 07 00 00 00 00 00 00 00 00 00 00 00 00 c0 00 02 0a 00 00 00 00
00 00 00 00 00 00 00 00 c9 3b 00 50 00 00 00 00 00 00 00 00 20 00 a1 f0 20 01 a1 f0 00 00 00 00
ff ff 00 00 04 86 00 00 00 00 00 00 00 00 00 00 00 00 00 00 70 00 05 00 70 01 05 00 00 00 00 00
02 00 00 00 04 87 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ff ff ff ff
ff ff ff ff ff ff ff ff 00 00 00 0c 00 01 51 76 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 09
00 00 00 00 00 00 05 28 00 00 00 00 00 00 15 18 de ad be ef 02 06 01 00 00 00 00 02 00 00 0c 00 00 01''')

# Written by value ...
out = w.packet(6, [
    w.upd_c(0x65f0a3b200000003, 0x1a2b3c4d, w.peer(0xa1b2c3d4, 0xa1b3c3d3, 4, 512, 7), w.peer(0x0badcafe, 0x0baec5ed, 4, 502, 7), 2),
    w.del_c(0x65f0a3b200000001, 0x1a2b3c4d),
    w.state('ins', 6, id=0x65f0a3b200000007, creatorid=0x1a2b3c4d, proto=6, direction=2, src='198.51.100.1', sport=61001,
            dst='203.0.113.80', dport=443, stack=('192.168.1.10', 49152, '203.0.113.80', 443), rule=5, expire=120, flags=w.FLAG_ACK,
            srcp=w.peer(0x10000000, 0x10000002, 2, 502, 7), dstp=w.peer(0, 1, 0, 1), packets=(1, 0), bytes_=(60, 0))])
check(w.ip(out, '10.0.0.1', w.MULTICAST4, ident=0x1234) == V6, 'version 6: UPD_C, DEL_C and INS by value are the bytes of the example')
out = w.packet(1301, [w.state('ins', 1301, id=0x0300000000000042, creatorid=0xdeadbeef, proto=6, direction=1, src='203.0.113.7',
                              sport=51515, dst='192.0.2.10', dport=80, creation=12, expire=86390, timeout=2, packets=(10, 9),
                              bytes_=(1320, 5400), srcp=w.peer(0x2000a1f0, 0x2001a1f0, 4, 65535, 6),
                              dstp=w.peer(0x70000500, 0x70010500, 4, 512, 7))])
check(w.ip(out, '10.0.0.2', w.MULTICAST4, ident=0x4321) == V5, 'version 5: INS_1301 likewise')
check(w.packet(6, [w.upd_req()]) == bytes.fromhex('06000024' + '00' * 16 + '05030001' + '00' * 12), 'bulk request, version 6')
check(w.packet(1400, [w.upd_req()]) == bytes.fromhex('05000028' + '00' * 16 + '05000001' + '00' * 12 + '0c000001'), 'bulk request, version 5')
check(w.packet(6, [w.bus(2, 0x1a2b3c4d)]) == bytes.fromhex('06000024' + '00' * 16 + '0a0300011a2b3c4d0000000002000000'), 'bulk end')
# ... and read.
f = w.parse(V6[20:])
check([m['message'] for m in f.messages] == ['upd_c', 'del_c', 'ins'] and w.rebuild(f) == V6[20:], 'the example read and packed again')
check(w.flow(f.messages[2]) == (4, 6, 'out', '198.51.100.1', 61001, '203.0.113.80', 443), 'the flow of its insert', w.flow(f.messages[2]))
for record in w.RECORD_SIZE:
    last = w.STATE[record][-1]
    check(last[1] + int(last[2][:-1] or 1) == w.RECORD_SIZE[record], 'record %d has %d bytes' % (record, w.RECORD_SIZE[record]))
    covered = bytearray(w.RECORD_SIZE[record])
    for name, off, fmt in w.STATE[record]:
        n = sum(w.struct.calcsize('>' + x[2]) for x in fmt) if isinstance(fmt, list) else w.struct.calcsize('>' + fmt)
        for i in range(off, off + n):
            covered[i] += 1
    check(set(covered) == {1}, 'each byte of it is one field', covered)
    st = w.state('upd', record, id=7, creatorid=9, proto=17, direction=1, src='fd00::1', sport=5, dst='fd00::2', dport=6)
    got = w.parse(w.packet(record, [st])).messages[0]
    check(w.flow(got) == (6, 17, 'in', 'fd00::1', 5, 'fd00::2', 6), 'IPv6 in record %d' % record)
for bad, what in ((V6[20:60], 'a header alone cut short'), (b'\6' + bytes(10), 'no header'), (b'\7' + V6[21:], 'version 7')):
    try:
        w.parse(bad)
        raise pair.Failed(what + ' is accepted')
    except w.Bad as e:
        print('ok: %s is refused: %s' % (what, e))

if not os.path.isdir(pair.VECTORS):
    print('no captures in %s: the examples are all' % pair.VECTORS)
    sys.exit(0)
packets = messages = 0
seen = set()
for path in sorted(glob.glob(pair.VECTORS + '/*/*/sync*.pcap')):
    n = 0
    for _, frame in w.pcap(path):
        e = w.ethernet(frame)
        if e is None:
            continue
        f = w.parse(e[3])
        if w.rebuild(f) != e[3]:
            raise pair.Failed('%s: packet %d is not the same again' % (path, n))
        n += 1
        packets += 1
        messages += len(f.messages)
        seen |= {(f.version, m['message']) for m in f.messages}
    # What others decoded says how many there are.
    text = re.sub(r'\.pcap$', '.pfsync.txt', path)
    if os.path.exists(text):
        want = len(re.findall(r'^ *\d+\.\d+ .* pfsync v', open(text).read(), re.M))
        check(n == want, '%s: %d packets, as its listing has' % (os.path.relpath(path, pair.VECTORS), n), want)
check(packets > 1000, 'captures: %d packets, %d messages, every byte again' % (packets, messages))
for version in (5, 6):
    need = {'ins', 'ins_ack', 'upd', 'upd_c', 'upd_req', 'del_c', 'clr', 'bus'}
    check(need <= {m for v, m in seen if v == version}, 'version %d: %s were among them' % (version, ', '.join(sorted(need))))
