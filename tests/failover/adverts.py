# SPDX-License-Identifier: BSD-2-Clause
"""Advertisements that must not be believed, to a MASTER and to a BACKUP: counted by name, no role changes. And good ones."""
import hashlib, hmac, socket, struct, sys, time
from folab import *

MINE = bytes.fromhex('026670000003')
COUNTER = bytes(range(1, 9))


def cksum(b):
    s = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def advert(vhid=1, skew=0, base=1, demote=0, password=PASS, v4=('10.10.1.254',), v6=('fd00:1::fe',), version=2, counter=COUNTER,
           badsum=False):
    key = password.encode()[:19].ljust(20, b'\0')
    digest = hmac.new(key, bytes((2, 1, vhid)) + b''.join(sorted(socket.inet_aton(x) for x in v4)) +
                      b''.join(sorted(socket.inet_pton(socket.AF_INET6, x) for x in v6)) + counter, hashlib.sha1).digest()
    h = bytes((version << 4 | 1, vhid, skew, 7, demote, base, 0, 0)) + counter + digest
    s = cksum(h) ^ (0x5555 if badsum else 0)
    return h[:6] + struct.pack('>H', s) + h[8:]


def frame4(payload, ttl=255, src='10.10.1.3', dst='224.0.0.18', mac=None, vhid=1):
    ip = struct.pack('>BBHHHBBH', 0x45, 0x10, 20 + len(payload), 1, 0x4000, ttl, 112, 0) + socket.inet_aton(src) + socket.inet_aton(dst)
    ip = ip[:10] + struct.pack('>H', cksum(ip)) + ip[12:]
    return (mac or bytes.fromhex('01005e000012')) + vmac(vhid) + b'\x08\x00' + ip + payload


def frame6(payload, hlim=255, src='fe80::3', dst='ff02::12', vhid=1):
    return bytes.fromhex('333300000012') + vmac(vhid) + b'\x86\xdd' + struct.pack('>IHBB', 6 << 28, len(payload), 112, hlim) + \
        socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + payload


def bad(own):
    """(what, counter, frame); own: an advertisement of the box itself, or None."""
    yield 'wrong password', 'badauth', frame4(advert(password='other'))
    yield 'wrong password, IPv6', 'badauth', frame6(advert(password='other'))
    yield 'an address less', 'badauth', frame4(advert(v6=()))
    yield 'an address more', 'badauth', frame4(advert(v4=('10.10.1.254', '10.10.1.253')))
    yield 'TTL 254', 'badttl', frame4(advert(), ttl=254)
    yield 'TTL 1', 'badttl', frame4(advert(), ttl=1)
    yield 'hop limit 254', 'badttl', frame6(advert(), hlim=254)
    yield 'bad checksum', 'badsum', frame4(advert(badsum=True))
    yield 'bad checksum, IPv6', 'badsum', frame6(advert(badsum=True))
    yield 'a byte short', ('badlen', 'hdrops'), frame4(advert()[:35])
    yield 'no byte at all', ('badlen', 'hdrops'), frame4(b'')
    yield 'a byte short, IPv6', ('badlen', 'hdrops'), frame6(advert()[:35])
    yield 'an unknown vhid', 'badvhid', frame4(advert(vhid=9), vhid=9)
    yield 'a vhid of the other port', 'badvhid', frame4(advert(vhid=2, v4=('10.10.2.254',), v6=('fd00:2::fe',)), vhid=2)
    yield 'unicast without carppeer', 'badvhid', None
    yield 'version 1', 'badver', frame4(advert(version=1))
    if own is not None:
        yield 'our own, come back', 'loops', own
        f = bytearray(own)
        f[26:30] = socket.inet_aton('10.10.1.3')
        f[24:26] = b'\0\0'
        f[24:26] = struct.pack('>H', cksum(bytes(f[14:34])))
        yield 'our own, come back from another address', 'loops', bytes(f)


def refused(l, box, wire, state, own):
    for what, counter, f in bad(own):
        if f is None:
            f = frame4(advert(), dst='10.10.1.1', mac=l.box_mac)
        names = (counter,) if isinstance(counter, str) else counter
        before = l.counters(box)
        wire.send(f)
        until('%s is counted as %s' % (what, counter), lambda: sum(l.counters(box)[n] - before[n] for n in names) == 1, 3)
        check(l.state(box) == state and l.counters(box)['transitions'] == before['transitions'],
              '%s: %s, still %s' % (what, '/'.join(names), state))


with FoLab(names=('A',)) as l:
    a = l.make('A', carp=l.carp('A', 1, 10))
    l.begin(a)
    wire = l.sniff('ext')
    l.box_mac = bytes.fromhex(a.json('ifconfig ext0')[0]['mac'].replace(':', ''))

    # as BACKUP: bad ones neither keep it from its time nor make it master at once
    until('BACKUP', lambda: l.state(a) == 'BACKUP', 5)
    wire.send(frame4(advert(password='other', base=255, skew=255)))
    time.sleep(0.2)
    check(l.state(a) == 'BACKUP', 'a goodbye with a wrong password makes no master')
    stop = time.monotonic() + 2.5
    while time.monotonic() < stop:
        wire.send(frame4(advert(password='other')))
        time.sleep(0.1)
    l.role(a, 'MASTER', 2)
    check(True, 'bad advertisements do not keep a backup waiting')

    own = [f for t, f in l.adverts('ext', 1.3) if f[12:14] == b'\x08\x00']
    check(len(own) >= 1 and carp_of(own[0])[:6] == advert(skew=10)[:6], 'what the box sends is well formed', own)
    refused(l, a, wire, 'MASTER', own[0])

    # a flood: every one is looked at or dropped, the role stays, and so does the rhythm
    before = l.counters(a)
    flood = frame4(advert(password='other'))
    seen = []
    start = time.monotonic()
    n = 0
    while time.monotonic() - start < 2:
        for i in range(64):
            try:
                wire.send(flood)
                n += 1
            except OSError:
                time.sleep(0.001)
    time.sleep(0.3)
    after = l.counters(a)
    check(l.state(a) == 'MASTER' and after['transitions'] == before['transitions'], 'a flood of %d does not change the role' % n)
    check(after['badauth'] - before['badauth'] > 0 and after['opackets'] - before['opackets'] >= 4,
          '%d of them refused, advertisements went on' % (after['badauth'] - before['badauth']))

    # good ones: equal is no reason for a strict order, better is
    wire.send(frame4(advert(skew=200)))
    time.sleep(0.2)
    check(l.state(a) == 'MASTER', 'a slower master does not take the role')
    wire.send(frame4(advert(skew=0)))
    until('a better master takes it', lambda: l.state(a) == 'BACKUP', 2)
    for i in range(4):	# both families wait for their own
        wire.send(frame4(advert(skew=0)))
        wire.send(frame6(advert(skew=0)))
        time.sleep(0.5)
    check(l.state(a) == 'BACKUP' and l.carps(a)['carp1']['heard']['advskew'] == 0, 'and keeps it')
    check(l.ping('ext', SHARED['ext'][0], '-c 1 -W 1').returncode != 0, 'the backup does not answer for the shared address')
    wire.send(frame4(advert(base=255, skew=255)))
    until('a goodbye is followed at once', lambda: l.state(a) == 'MASTER', 1, 0.01)
    wire.close()
