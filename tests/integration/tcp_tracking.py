# SPDX-License-Identifier: BSD-2-Clause
"""TCP as two hosts that the test plays: every segment that must cross does, every one that must not does not."""
import lab
from lab import check, exchange
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

RULES = 'set timeout { tcp.opening 7, tcp.first 11, tcp.closing 13, tcp.finwait 17, tcp.closed 19, interval 1 }\nblock\npass proto tcp to port 80\n'


class Conn:
    """A connection of inside:port to outside:80."""
    def __init__(self, l, port, v6=False, wscale=None):
        self.l, self.v6 = l, v6
        self.port = {'int': port, 'ext': 80}
        self.seq = {'int': 1000, 'ext': 90000}
        self.options = [('MSS', 1460)] + ([('WScale', wscale)] if wscale is not None else [])

    def segment(self, side, flags, seq=None, ack=None, data=b'', win=8192, options=()):
        other = 'ext' if side == 'int' else 'int'
        src, dst = {'int': (lab.INT4, lab.EXT4), 'ext': (lab.EXT4, lab.INT4)}[side]
        if self.v6:
            src, dst = {'int': (lab.INT6, lab.EXT6), 'ext': (lab.EXT6, lab.INT6)}[side]
        ip = IPv6(src=src, dst=dst) if self.v6 else IP(src=src, dst=dst)
        seq = self.seq[side] if seq is None else seq
        ack = (self.seq[other] if ack is None else ack) if 'A' in flags else 0
        return ip / TCP(sport=self.port[side], dport=self.port[other], flags=flags, seq=seq % 2**32, ack=ack % 2**32, window=win,
                        options=list(options)) / Raw(data)

    def passes(self, side, flags, what=None, moves=True, **more):
        other = 'ext' if side == 'int' else 'int'
        sent = self.segment(side, flags, **more)
        got = exchange(self.l.wire[side], self.l.wire[other], sent, what or '%s from %s passes' % (flags, side))
        check(got[TCP].seq == sent.seq and bytes(got[TCP].payload) == bytes(sent[TCP].payload), 'unchanged', got.summary())
        if moves:
            self.seq[side] = sent.seq + len(more.get('data', b'')) + ('S' in flags) + ('F' in flags)
        return got

    def stopped(self, side, flags, what, **more):
        other = 'ext' if side == 'int' else 'int'
        self.l.wire[side].send(self.segment(side, flags, **more))
        self.l.wire[other].none(what)

    def open(self):
        self.passes('int', 'S', options=self.options)
        self.passes('ext', 'SA', options=self.options)
        self.passes('int', 'A')
        return self

    def state(self, box):
        s = [x for x in box.states('tcp port %d' % self.port['int']) if x['direction'] == 'in']
        return tuple(s[0]['state']) if s else None


def expires(box, port):
    return [x['expires_s'] for x in box.states('tcp port %d' % port) if x['direction'] == 'in'][0]


with lab.Lab() as l:
    box = l.box(RULES)
    for w in l.wire.values():
        w.resolve()

    print('-- handshake, data, FIN from the inside first')
    for v6 in (False, True):
        c = Conn(l, 2001, v6).open()
        check(c.state(box) == ('ESTABLISHED', 'ESTABLISHED'), 'established', box.do('pfctl -ss'))
        c.passes('int', 'PA', data=b'GET /')
        c.passes('ext', 'A')
        c.passes('ext', 'PA', data=b'x' * 1000)
        c.passes('int', 'FA')
        check('FIN_WAIT' in ''.join(c.state(box)) or 'CLOSING' in ''.join(c.state(box)), 'half closed', c.state(box))
        c.passes('ext', 'A')
        c.passes('ext', 'PA', data=b'still more')
        c.passes('int', 'A')
        c.passes('ext', 'FA')
        c.passes('int', 'A')
        check(c.state(box) == ('FIN_WAIT_2', 'FIN_WAIT_2'), 'both closed', c.state(box))
        check(expires(box, 2001) <= 19, 'tcp.closed is in force', expires(box, 2001))
        box.do('pfctl -F states')

    print('-- FIN from the outside first, retransmissions')
    c = Conn(l, 2002).open()
    c.passes('int', 'PA', data=b'abc', moves=False)
    c.passes('int', 'PA', 'the same data again', data=b'abc')
    c.passes('ext', 'FA', moves=False)
    c.passes('ext', 'FA', 'FIN again')
    c.passes('int', 'A')
    c.passes('int', 'FA')
    c.passes('ext', 'A')
    check(c.state(box) == ('FIN_WAIT_2', 'FIN_WAIT_2'), 'both closed', c.state(box))

    print('-- reset')
    for side in ('int', 'ext'):
        c = Conn(l, 2003 if side == 'int' else 2004).open()
        c.passes(side, 'RA')
        check(c.state(box) in (('TIME_WAIT', 'TIME_WAIT'), ('CLOSED', 'CLOSED'), None), 'reset ends it', c.state(box))

    print('-- refused connection')
    c = Conn(l, 2005)
    c.passes('int', 'S', options=c.options)
    c.passes('ext', 'RA', seq=0, ack=1001)

    print('-- half-open, its timeouts')
    c = Conn(l, 2006)
    c.passes('int', 'S', options=c.options)
    check(c.state(box) in (('CLOSED', 'SYN_SENT'), ('SYN_SENT', 'CLOSED')), 'SYN_SENT', c.state(box))
    check(8 <= expires(box, 2006) <= 11, 'tcp.first is in force', expires(box, 2006))
    c.passes('int', 'S', 'SYN again', seq=1000, options=c.options)
    c.passes('ext', 'SA', options=c.options)
    check(4 <= expires(box, 2006) <= 7, 'tcp.opening is in force', expires(box, 2006))

    print('-- simultaneous open')
    c = Conn(l, 2007)
    c.passes('int', 'S', options=c.options)
    c.passes('ext', 'S', options=c.options)
    c.passes('int', 'SA', seq=1000, options=c.options)
    c.passes('ext', 'SA', seq=90000, options=c.options)
    c.passes('int', 'PA', data=b'hello')
    check(c.state(box) == ('ESTABLISHED', 'ESTABLISHED'), 'established', c.state(box))

    print('-- out of window')
    c = Conn(l, 2008).open()
    before = box.counter('state-mismatch')
    c.stopped('ext', 'PA', 'data far ahead', seq=c.seq['ext'] + 1000000, data=b'evil')
    c.stopped('int', 'PA', 'data far behind', seq=c.seq['int'] - 1000000, data=b'evil')
    c.stopped('ext', 'R', 'a blind reset', seq=c.seq['ext'] + 5000000)
    c.stopped('ext', 'A', 'an acknowledgement of what nobody sent', ack=c.seq['int'] + 3000000)
    check(box.counter('state-mismatch') == before + 4, 'each counts as state-mismatch', box.do('pfctl -si'))
    c.passes('int', 'PA', 'the connection lives on', data=b'abc')
    c.passes('ext', 'A')

    print('-- no state, no way')
    c = Conn(l, 2009)
    c.stopped('int', 'A', 'a segment of no connection')
    c.stopped('ext', 'S', 'a connection that no rule lets in from outside')

    print('-- window scaling')
    c = Conn(l, 2010, wscale=7).open()
    c.passes('int', 'A', win=1000)   # 128000 bytes from here on
    c.passes('ext', 'PA', 'data beyond the unscaled window', seq=c.seq['ext'] + 100000, data=b'x' * 100, moves=False)
    c.stopped('ext', 'PA', 'data beyond the scaled window', seq=c.seq['ext'] + 3000000, data=b'x' * 100)
    vv = box.do('pfctl -ss -vv')
    check('wscale 7' in vv, 'pfctl -ss -vv shows the scale', vv)

    print('-- no connection that is not opened by SYN: sloppy tracking only where a rule asks for it')
    box.load('block\npass proto tcp to port 80 flags any keep state (sloppy)\n')
    c = Conn(l, 2011)
    c.passes('int', 'A')
    c.passes('ext', 'PA', data=b'x', seq=123456789)
