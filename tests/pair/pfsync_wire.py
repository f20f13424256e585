# SPDX-License-Identifier: BSD-2-Clause
"""
pfsync messages, written and read from the specification alone: the second opinion of the pair tests on what the box sends, and
the voice of the peers that they play. It shares no line and no author with the codec under test.

	payload = packet(6, [state('ins', 6, id=1, ...), ins_ack(1, 0xaabbccdd)])	# what follows the IP header
	for m in parse(payload).messages:						# dicts: m['message'], m['id'], m['src']['seqlo'] ...

`record` says which layout: 6 (OpenBSD), 1301, 1400, 1500 (FreeBSD, all three in version 5). Numbers are those of the wire; only
address families are named (4, 6), because they differ: IPv6 is 24 there and 28 here. Every byte of a message is a field, pads
too, so that what was parsed can be packed again to the same bytes.
"""
import ipaddress, struct

MULTICAST4, MULTICAST6, PROTO = '224.0.0.240', 'ff12::f0', 240
CLR, INS, INS_ACK, UPD, UPD_C, UPD_REQ, DEL, DEL_C, INS_F, DEL_F, BUS, TDB, EOF = range(13)
NAMES = ('clr', 'ins', 'ins_ack', 'upd', 'upd_c', 'upd_req', 'del', 'del_c', 'ins_f', 'del_f', 'bus', 'tdb', 'eof')
RECORD_SIZE = {6: 264, 1301: 242, 1400: 277, 1500: 360}
NO = 0xffffffff			# no rule, no anchor
FLAG_NOSYNC, FLAG_ACK = 0x08, 0x10
TCP_STATES = ('CLOSED', 'LISTEN', 'SYN_SENT', 'SYN_RCVD', 'ESTABLISHED', 'CLOSE_WAIT', 'FIN_WAIT_1', 'CLOSING', 'LAST_ACK',
              'FIN_WAIT_2', 'TIME_WAIT', 'PROXY_SRC', 'PROXY_DST')
OTHER_STATES = ('NO_TRAFFIC', 'SINGLE', 'MULTIPLE')

# ---- layouts: (name, offset, format); a format of digits is so many bytes, a dict of fields is written as its list
PEER = [('scrub_flags', 0, 'H'), ('scrub_ttl', 2, 'B'), ('scrub_valid', 3, 'B'), ('ts_mod', 4, 'I'), ('seqlo', 8, 'I'),
        ('seqhi', 12, 'I'), ('seqdiff', 16, 'I'), ('max_win', 20, 'H'), ('mss', 22, 'H'), ('state', 24, 'B'),
        ('wscale', 25, 'B'), ('pad', 26, '6s')]
KEY5 = [('addr0', 0, '16s'), ('addr1', 16, '16s'), ('port0', 32, 'H'), ('port1', 34, 'H')]
KEY6 = KEY5 + [('rdomain', 36, 'H'), ('af', 38, 'B'), ('pad', 39, 'B')]
HEAD5 = [('id', 0, 'Q'), ('ifname', 8, '16s'), ('wire', 24, KEY5), ('stack', 60, KEY5), ('src', 96, PEER), ('dst', 128, PEER),
         ('rt_addr', 160, '16s'), ('rule', 176, 'I'), ('anchor', 180, 'I'), ('nat_rule', 184, 'I'), ('creation', 188, 'I'),
         ('expire', 192, 'I'), ('packets0', 196, 'Q'), ('packets1', 204, 'Q'), ('bytes0', 212, 'Q'), ('bytes1', 220, 'Q'),
         ('creatorid', 228, 'I')]
STATE = {
    6: [('id', 0, 'Q'), ('ifname', 8, '16s'), ('wire', 24, KEY6), ('stack', 64, KEY6), ('src', 104, PEER), ('dst', 136, PEER),
        ('rt_addr', 168, '16s'), ('rule', 184, 'I'), ('anchor', 188, 'I'), ('nat_rule', 192, 'I'), ('creation', 196, 'I'),
        ('expire', 200, 'I'), ('packets0', 204, 'Q'), ('packets1', 212, 'Q'), ('bytes0', 220, 'Q'), ('bytes1', 228, 'Q'),
        ('creatorid', 236, 'I'), ('rtableid0', 240, 'i'), ('rtableid1', 244, 'i'), ('max_mss', 248, 'H'), ('af', 250, 'B'),
        ('proto', 251, 'B'), ('direction', 252, 'B'), ('log', 253, 'B'), ('rt', 254, 'B'), ('timeout', 255, 'B'),
        ('sync_flags', 256, 'B'), ('updates', 257, 'B'), ('min_ttl', 258, 'B'), ('set_tos', 259, 'B'), ('state_flags', 260, 'H'),
        ('set_prio', 262, '2s')],
    1301: HEAD5 + [('af', 232, 'B'), ('proto', 233, 'B'), ('direction', 234, 'B'), ('spare', 235, '2s'), ('log', 237, 'B'),
                   ('state_flags', 238, 'B'), ('timeout', 239, 'B'), ('sync_flags', 240, 'B'), ('updates', 241, 'B')],
    1400: HEAD5 + [('af', 232, 'B'), ('proto', 233, 'B'), ('direction', 234, 'B'), ('state_flags', 235, 'H'), ('log', 237, 'B'),
                   ('spare', 238, '1s'), ('timeout', 239, 'B'), ('sync_flags', 240, 'B'), ('updates', 241, 'B'), ('qid', 242, 'H'),
                   ('pqid', 244, 'H'), ('dnpipe', 246, 'H'), ('dnrpipe', 248, 'H'), ('rtableid', 250, 'i'), ('min_ttl', 254, 'B'),
                   ('set_tos', 255, 'B'), ('max_mss', 256, 'H'), ('set_prio', 258, '2s'), ('rt', 260, 'B'), ('rt_ifname', 261, '16s')],
    1500: HEAD5 + [('tagname', 232, '64s'), ('rt_ifname', 296, '16s'), ('orig_ifname', 312, '16s'), ('rtableid', 328, 'i'),
                   ('state_flags', 332, 'H'), ('qid', 334, 'H'), ('pqid', 336, 'H'), ('dnpipe', 338, 'H'), ('dnrpipe', 340, 'H'),
                   ('max_mss', 342, 'H'), ('wire_af', 344, 'B'), ('stack_af', 345, 'B'), ('rt_af', 346, 'B'), ('wire_proto', 347, 'B'),
                   ('stack_proto', 348, 'B'), ('log', 349, 'B'), ('timeout', 350, 'B'), ('direction', 351, 'B'), ('rt', 352, 'B'),
                   ('min_ttl', 353, 'B'), ('set_tos', 354, 'B'), ('set_prio', 355, '2s'), ('spare', 357, '3s')],
}
NAME = [('id', 0, 'Q'), ('creatorid', 8, 'I')]
SMALL = {
    CLR: (20, [('ifname', 0, '16s'), ('creatorid', 16, 'I')]),
    INS_ACK: (12, NAME), UPD_REQ: (12, NAME), DEL_C: (12, NAME),
    UPD_C: (84, [('id', 0, 'Q'), ('src', 8, PEER), ('dst', 40, PEER), ('creatorid', 72, 'I'), ('expire', 76, 'I'),
                 ('timeout', 80, 'B'), ('state_flags', 81, 'B'), ('pad', 82, '2s')]),
    BUS: (12, [('creatorid', 0, 'I'), ('endtime', 4, 'I'), ('status', 8, 'B'), ('pad', 9, '3s')]),
    EOF: (0, []),
}
TDB6 = (52, [('spi', 0, 'I'), ('dst', 4, '28s'), ('replay', 32, 'Q'), ('cur_bytes', 40, 'Q'), ('sproto', 48, 'B'),
             ('updates', 49, 'B'), ('rdomain', 50, 'H')])
TDB5 = (48, [('spi', 0, 'I'), ('dst', 4, '28s'), ('replay', 32, 'I'), ('cur_bytes', 36, 'Q'), ('sproto', 44, 'B'),
             ('updates', 45, 'B'), ('pad', 46, '2s')])


def action_of(message, record):
    """The action code that carries it."""
    kind = NAMES.index(message)
    if record == 6:
        return {INS: 13, UPD: 14, TDB: 15}.get(kind, kind)
    if kind in (INS, UPD):
        return {1301: (1, 3), 1400: (13, 14), 1500: (15, 16)}[record][kind == UPD]
    return kind


def kind_of(action, version, record5=1301):
    """(name, record, size, fields) of an action, None if there is none."""
    if version == 6:
        kind = {13: INS, 14: UPD, 15: TDB}.get(action, action)
        if kind in (INS, UPD, DEL) and action in (13, 14, 6):
            return NAMES[kind], 6, 264, STATE[6]
        if action == 15:
            return ('tdb', 6) + TDB6
        return (NAMES[action], 6) + SMALL[action] if action in SMALL else None
    if action in (1, 3, 6, 13, 14, 15, 16):
        kind, record = {1: (INS, 1301), 3: (UPD, 1301), 6: (DEL, 1301), 13: (INS, 1400), 14: (UPD, 1400), 15: (INS, 1500),
                        16: (UPD, 1500)}[action]
        return NAMES[kind], record, RECORD_SIZE[record], STATE[record]
    if action == TDB:
        return ('tdb', record5) + TDB5
    return (NAMES[action], record5) + SMALL[action] if action in SMALL else None


# ---- fields
def pack(fields, values, size):
    out = bytearray(size)
    for name, off, fmt in fields:
        v = values.get(name, 0)
        if isinstance(fmt, list):
            last = fmt[-1]
            n = last[1] + struct.calcsize('>' + last[2])
            out[off:off + n] = pack(fmt, v or {}, n)
        else:
            struct.pack_into('>' + fmt, out, off, (v or b'') if fmt.endswith('s') else v)
    return bytes(out)


def unpack(fields, raw):
    found = {}
    for name, off, fmt in fields:
        if isinstance(fmt, list):
            last = fmt[-1]
            found[name] = unpack(fmt, raw[off:off + last[1] + struct.calcsize('>' + last[2])])
        else:
            found[name] = struct.unpack_from('>' + fmt, raw, off)[0]
    return found


def addr16(text):
    """An address as a record has it: 16 bytes, those of an IPv4 address first."""
    return text if isinstance(text, bytes) else ipaddress.ip_address(text).packed.ljust(16, b'\0')


def addr_text(raw, af):
    return str(ipaddress.ip_address(raw[:4] if af in (2, 4) else raw))


def af_number(af, record):
    return 2 if af == 4 else 24 if record == 6 else 28


def family(m):
    """4 or 6 of a state record, None if it is neither."""
    af = m.get('af', m.get('wire_af'))
    return {2: 4, 24 if m['record'] == 6 else 28: 6}.get(af)


def protocol(m):
    return m['proto'] if 'proto' in m else m['wire_proto']


def name16(text):
    return text if isinstance(text, bytes) else text.encode()


def peer(seqlo=0, seqhi=0, state=0, max_win=0, wscale=None, seqdiff=0, mss=0, scrub=None):
    """wscale: the shift, or None if the option was not there. scrub: (flags, ttl, ts_mod)."""
    p = dict(seqlo=seqlo, seqhi=seqhi, seqdiff=seqdiff, max_win=max_win, mss=mss, state=state,
             wscale=0 if wscale is None else 0x80 | wscale)
    if scrub is not None:
        p.update(scrub_flags=scrub[0], scrub_ttl=scrub[1], ts_mod=scrub[2], scrub_valid=1)
    return p


def state(message, record, *, id, creatorid, proto, direction, src, dst, sport=0, dport=0, ifname='all', rule=NO, creation=0,
          expire=30, timeout=0, srcp=None, dstp=None, flags=0, packets=(0, 0), bytes_=(0, 0), stack=None, **more):
    """
    A full record. src and dst are those of the packet that made the state, whatever its direction; keys are filled as inbound
    packets see them. stack: (src, sport, dst, dport) where it differs (translation). more: fields by their names here.
    """
    af = 6 if ipaddress.ip_address(src).version == 6 else 4

    def key(s, sp, d, dp):
        k = dict(addr0=addr16(s), addr1=addr16(d), port0=sp, port1=dp)
        if direction == 2:
            k = dict(addr0=k['addr1'], addr1=k['addr0'], port0=dp, port1=sp)
        if record == 6:
            k['af'] = af_number(af, 6)
        return k
    wire = key(src, sport, dst, dport)
    n = af_number(af, record)
    v = dict(message=message, record=record, id=id, creatorid=creatorid, ifname=name16(ifname), wire=wire,
             stack=wire if stack is None else key(*stack), src=srcp or peer(), dst=dstp or peer(), rule=rule, anchor=NO, nat_rule=NO,
             creation=creation, expire=expire, packets0=packets[0], packets1=packets[1], bytes0=bytes_[0], bytes1=bytes_[1],
             direction=direction, timeout=timeout, state_flags=flags)
    if record == 6:
        v.update(rtableid0=0 if direction == 2 else -1, rtableid1=-1 if direction == 2 else 0)
    elif record != 1301:
        v['rtableid'] = -1
    v.update(dict(wire_af=n, stack_af=n, wire_proto=proto, stack_proto=proto) if record == 1500 else dict(af=n, proto=proto))
    v.update(more)
    return v


def ins_ack(id, creatorid):
    return dict(message='ins_ack', id=id, creatorid=creatorid)


def upd_req(id=0, creatorid=0):
    return dict(message='upd_req', id=id, creatorid=creatorid)


def del_c(id, creatorid):
    return dict(message='del_c', id=id, creatorid=creatorid)


def upd_c(id, creatorid, srcp, dstp, timeout, **more):
    return dict(dict(message='upd_c', id=id, creatorid=creatorid, src=srcp, dst=dstp, timeout=timeout), **more)


def clr(creatorid, ifname=''):
    return dict(message='clr', creatorid=creatorid, ifname=name16(ifname))


def bus(status, creatorid, endtime=0):
    return dict(message='bus', status=status, creatorid=creatorid, endtime=endtime)


def body(m, record):
    kind = NAMES.index(m['message'])
    if kind in (INS, UPD, DEL):
        return pack(STATE[m.get('record', record)], m, RECORD_SIZE[m.get('record', record)])
    size, fields = (TDB6 if record == 6 else TDB5) if kind == TDB else SMALL[kind]
    return pack(fields, m, size)


def sub(action, bodies, version, words=None, count=None):
    """One subheader and its messages. words, count: something else than the truth."""
    size = len(bodies[0]) if bodies else 0
    return struct.pack('>BBH', action, (size // 4 if words is None else words) if version == 6 else 0,
                       len(bodies) if count is None else count) + b''.join(bodies)


def header(version, length, cksum=bytes(16), pad=0):
    return struct.pack('>BBH16s', version, pad, length, cksum)


def packet(record, messages, cksum=bytes(16), eof=True, pad=0, length=None):
    """The IP payload with these messages in this order; neighbours of one kind share a subheader. record: 6, 1301, 1400, 1500."""
    version, out, i = (6 if record == 6 else 5), b'', 0
    while i < len(messages):
        action = action_of(messages[i]['message'], messages[i].get('record', record))
        j = i
        while j < len(messages) and action_of(messages[j]['message'], messages[j].get('record', record)) == action:
            j += 1
        out += sub(action, [body(m, record) for m in messages[i:j]], version)
        i = j
    if version == 5 and eof:
        out += sub(EOF, [b''], 5)
    return header(version, 20 + len(out) if length is None else length, cksum, pad) + out


# ---- reading
class Bad(Exception):
    pass


class Frame:
    """A packet as it came: version, pad, length, cksum, subs [(action, words, count)], messages."""


def parse(raw, strict=True):
    """strict: what no box of this project may send is an error (stray bytes, pads that are not zero, no EOF in version 5)."""
    if len(raw) < 20:
        raise Bad('%d bytes are no header' % len(raw))
    f = Frame()
    f.version, f.pad, f.length, f.cksum = struct.unpack_from('>BBH16s', raw)
    f.subs, f.messages, f.raw = [], [], raw
    if f.version not in (5, 6):
        raise Bad('version %d' % f.version)
    if f.length > len(raw) or f.length < 20 or strict and f.length != len(raw):
        raise Bad('length %d of %d' % (f.length, len(raw)))
    at, end = 20, f.length
    while end - at >= 4:
        action, words, count = struct.unpack_from('>BBH', raw, at)
        at += 4
        f.subs.append((action, words, count))
        k = kind_of(action, f.version)
        if k is None:
            raise Bad('action %d' % action)
        name, record, size, fields = k
        stride = words * 4 if f.version == 6 else size
        if stride < size or strict and stride != size or strict and count == 0 or strict and f.version == 5 and words != 0:
            raise Bad('%s: %d words, %d times' % (name, words, count))
        if stride * count > end - at:
            raise Bad('%s: %d of them do not fit' % (name, count))
        for i in range(count):
            if name != 'eof':
                one = raw[at + i * stride:at + i * stride + size]
                m = dict(unpack(fields, one), message=name, record=record, raw=one)
                f.messages.append(m)
        at += stride * count
        if name == 'eof':
            break
    if strict and at != end:
        raise Bad('%d bytes behind the last message' % (end - at))
    if strict and f.version == 5 and (not f.subs or f.subs[-1][0] != EOF):
        raise Bad('no EOF')
    return f


def rebuild(f):
    """The bytes again, out of the fields: raw of a strict frame."""
    out, i = b'', 0
    for action, words, count in f.subs:
        k = kind_of(action, f.version)
        n = 0 if action == EOF else count
        bodies = [pack(k[3], m, k[2]) for m in f.messages[i:i + n]]
        i += n
        out += sub(action, bodies, f.version, words=words, count=count)
    return header(f.version, f.length, f.cksum, f.pad) + out


def flow(m):
    """(family, proto, direction, source, sport, destination, dport) of a state record: the packet that made it, as on the cable."""
    af, out = family(m), m['direction'] == 2
    k = m['wire']
    a = [(addr_text(k['addr0'], af), k['port0']), (addr_text(k['addr1'], af), k['port1'])]
    if out:
        a.reverse()
    return (af, protocol(m), 'out' if out else 'in') + a[0] + a[1]


# ---- captures
def pcap(path):
    """(seconds, frame) of a capture file of Ethernet frames."""
    with open(path, 'rb') as f:
        head = f.read(24)
        order = '<' if head[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
        nano = head[:4] in (b'\x4d\x3c\xb2\xa1', b'\xa1\xb2\x3c\x4d')
        while True:
            h = f.read(16)
            if len(h) < 16:
                return
            sec, frac, n, _ = struct.unpack(order + 'IIII', h)
            yield sec + frac / (1e9 if nano else 1e6), f.read(n)


def ethernet(frame):
    """(source, destination, ttl, payload) of an Ethernet frame that carries pfsync, else None."""
    if frame[12:14] == b'\x08\x00' and frame[23] == PROTO:
        n = (frame[14] & 15) * 4
        total = struct.unpack_from('>H', frame, 16)[0]
        return addr_text(frame[26:30], 4), addr_text(frame[30:34], 4), frame[22], frame[14 + n:14 + total]
    if frame[12:14] == b'\x86\xdd' and frame[20] == PROTO:
        return addr_text(frame[22:38], 6), addr_text(frame[38:54], 6), frame[21], frame[54:54 + struct.unpack_from('>H', frame, 18)[0]]
    return None


def ip4_sum(h):
    s = sum(struct.unpack('>%dH' % (len(h) // 2), h))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def ip(payload, src, dst, ttl=255, ident=0, proto=PROTO):
    """The IP packet around it, as a BSD box makes it."""
    if ipaddress.ip_address(src).version == 6:
        return struct.pack('>IHBB', 6 << 28, len(payload), proto, ttl) + addr16(src) + addr16(dst) + payload
    h = struct.pack('>BBHHHBBH', 0x45, 0x10, 20 + len(payload), ident, 0x4000, ttl, proto, 0) + addr16(src)[:4] + addr16(dst)[:4]
    return h[:10] + struct.pack('>H', ip4_sum(h)) + h[12:] + payload


def multicast_mac(dst):
    a = ipaddress.ip_address(dst)
    if a.version == 4:
        return bytes([1, 0, 0x5e, a.packed[1] & 0x7f]) + a.packed[2:]
    return b'\x33\x33' + a.packed[12:]
