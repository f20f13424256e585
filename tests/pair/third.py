# SPDX-License-Identifier: BSD-2-Clause
"""Three boxes on one cable with the multicast address: all know all, and one of them may go and come back."""
import pair
from pair import EXT4, check, until

with pair.PairLab(cable='hub', names=('A', 'B', 'C')) as l:
    l.start_hub()
    a, b, c = l.boxes_up(wait=False)
    l.joined(a, b, c)
    l.echo(5001)
    conns = []
    for n, name in enumerate(l.names):
        l.path(name)
        conns.append(l.tcp())
        check(pair.say(conns[-1], b'x' * 1000), 'TCP through %s' % name)
        check(l.udp(20, first=20000 + 100 * n, six=n == 1) == 20, 'UDP')
    for x, y in ('AB', 'BC', 'CA'):
        l.same('%s and %s' % (x, y), a=x, b=y, least=126)
    for n, name in enumerate('BCA'):
        l.path(name)
        check(pair.say(conns[n], b'y' * 1000), 'one made at %s through %s' % (l.names[n], name))
    for x, y in ('AB', 'BC', 'CA'):
        l.same('%s and %s again' % (x, y), a=x, b=y, least=126)
    l.kill('C')
    l.path('A')
    check(l.udp(20, first=30000) == 20, 'C is gone, new flows')
    l.same('A and B without C', least=166)
    c.start(wait=False)
    l.begin_wait(c)
    l.joined(c)
    l.same('C is back and knows', a='A', b='C', least=166, ignore=('expires_s',))
    b.do('pfctl -k %s -k %s' % (pair.INT4, EXT4))
    for x, y in ('AB', 'BC', 'CA'):
        l.same('killed at B: %s and %s' % (x, y), a=x, b=y, least=0)
    print('   %s' % l.hub_stats())
