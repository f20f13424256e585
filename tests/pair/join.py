# SPDX-License-Identifier: BSD-2-Clause
"""A box that comes late, one that dies and returns, a cable that is cut and mended: afterwards both know the same."""
import time
import pair
from pair import EXT4, EXT6, check, sh, until

FLOWS = 300


def same(what, **more):
    # A box that asked for everything and knows it already is told all the same, and an update starts the time of a state
    # anew whatever it says (pf's rule): the one that asked then keeps it longer.
    l.same(what, ignore=('expires_s',), **more)


with pair.PairLab() as l:
    rules = 'set timeout { udp.first 120, udp.single 120, udp.multiple 120 }\npass\n'
    a = l.make('A', rules=rules)
    b = l.make('B', rules=rules, workers=2)
    l.begin(a)
    l.path('A')
    l.echo(5001)
    print('-- B comes late')
    conns = [l.tcp(six=six) for six in (False, True)]
    check(l.udp(FLOWS, packets=2) == 2 * FLOWS, '%d flows' % FLOWS)
    l.udp(50, six=True)
    want = len(a.states())
    began = time.monotonic()
    l.begin(b)
    l.joined(b)
    print('   start and bulk in %.2f s: %s' % (time.monotonic() - began, pair.sync(b)['bulk']))
    check(pair.sync(b)['bulk']['state'] == 'done', 'the bulk update is done')
    same('B has all that was there before', least=want - 2)
    for c in conns:
        check(pair.say(c, b'x' * 5000), 'traffic goes on')
    same('and follows')
    print('-- through B, without A noticing')
    l.path('B')
    for c in conns:
        check(pair.say(c, b'y' * 5000), 'the connections go on through B')
    same('A follows')
    for n in (False, True):
        c = l.tcp(six=n)
        check(pair.say(c, b'z' * 100), 'new ones through B')
        conns.append(c)
    same('A learns them')
    print('-- A dies and returns')
    l.kill('A')
    for c in conns:
        check(pair.say(c, b'w' * 1000), 'a connection does not notice')
    check(l.udp(20, first=40000) == 20, 'new flows while A is away')
    until('B says so', lambda: pair.sync(b)['health'] == 'broken', 15)
    print('   ' + str(pair.sync(b)['reason']))
    a.start(wait=False)
    l.begin_wait(a)
    l.joined(a)
    same('A knows everything again', least=want)
    l.path('A')
    for c in conns:
        check(pair.say(c, b'v' * 1000), 'and carries it')
    print('-- B is stopped in order, and returns')
    b.stop()
    check(l.udp(20, first=41000) == 20, 'new flows while B is away')
    b.start(wait=False)
    l.begin_wait(b)
    l.joined(b)
    same('B knows everything again', least=want)
    print('-- the cable is cut')
    sh('ip -n %s link set vsync down' % l.ns['A'])
    until('both say so', lambda: not pair.settled(pair.sync(a)) and not pair.settled(pair.sync(b)), 15)
    for c in conns:
        check(pair.say(c, b'u' * 1000), 'traffic goes on')
    check(l.udp(20, first=42000) == 20, 'new flows')
    c = l.tcp()
    check(pair.say(c, b't' * 1000), 'a new connection')
    dead = conns.pop()
    dead.close()
    time.sleep(0.5)
    sh('ip -n %s link set vsync up' % l.ns['A'])
    l.joined()
    check(pair.say(c, b't' * 1000), 'traffic of one made meanwhile')
    same('mended: both know the same', least=want, seconds=12)
    for x in (a, b):
        check(x.proc.poll() is None, '%s lives' % x.name)
