# SPDX-License-Identifier: BSD-2-Clause
"""Boxes that are no twins: workers, names of ports, rules, size of the table, version."""
import time
import pair
from pair import EXT4, EXT6, check, until


def names_and_workers():
    print('== three workers and other names; states bound to interfaces')
    rename = {'int0': 'lan0', 'ext0': 'wan0'}
    maps = {'A': 'set peer lan0 is int0\nset peer wan0 is ext0\n', 'B': 'set peer int0 is lan0\nset peer ext0 is wan0\n'}
    with pair.PairLab() as l:
        a, b = l.boxes_up(rules='set state-policy if-bound\npass\n', each={
            'A': dict(more=maps['A']), 'B': dict(more=maps['B'], workers=3, ports=('lan0', 'wan0', 'link0'))})
        l.echo(5001)
        l.path('A')
        conns = [l.tcp(six=n % 2 == 1) for n in range(12)]
        for c in conns:
            check(pair.say(c, b'a' * 500), 'through A', )
        check(l.udp(40, packets=2) == 80, 'UDP')
        t = l.same('A on B', rename=rename, least=100)
        check({s['interface'] for s in t.values()} == {'int0', 'ext0'}, 'bound')
        workers = {s['worker'] for s in b.states()}
        check(workers == {0, 1, 2}, 'spread over the workers there', workers)
        l.path('B')
        for c in conns:
            check(pair.say(c, b'b' * 500), 'the same connections through B')
        l.same('B on A', rename=rename, least=100)
        more = [l.tcp(six=n % 2 == 1) for n in range(4)]
        for c in more:
            check(pair.say(c, b'b' * 500), 'new ones through B')
        check(l.udp(40, packets=2, first=22000) == 80, 'UDP')
        l.same('both know both', rename=rename, least=180)
        # A name that means nothing there: kept, but it matches nothing.
        for x in (a, b):
            x.do('pfctl -F states')
        n = pair.sync(b)['unknown_if']
        check(n == 0, 'every interface was known', n)
        a.do('pfctl -F states')


def rules():
    print('== other rules')
    with pair.PairLab() as l:
        a, b = l.boxes_up(each={'B': dict(rules='pass proto icmp\npass\nblock in proto tcp to port 5001\n')})
        l.echo(5001)
        l.path('A')
        c = l.tcp()
        check(pair.say(c, b'a' * 500), 'a connection that B would not allow')
        l.same('B has it')
        s = pair.sync(b)
        check(s['rule_default'] >= 2 and s['rule_bound'] == 0, 'bound to the default rule', s)
        check(all(x['rule'] is None for x in b.states('tcp')), 'no rule of B is named', b.states('tcp')[:1])
        l.path('B')
        check(pair.say(c, b'b' * 50000), 'and it goes on through B')
        s = l.socket('int')
        s.settimeout(1)
        try:
            s.connect((EXT4, 5001))
            raise pair.Failed('a new one passes through B')
        except OSError:
            check(True, 'a new one does not pass')
        s.close()
        print('-- the same rules on both')
        b.load('set hostid 0x%08x\n' % pair.HOSTID['B'] + pair.TIMEOUTS + 'pass\n')
        a.load('set hostid 0x%08x\n' % pair.HOSTID['A'] + pair.TIMEOUTS + 'pass\n')
        for x in (a, b):
            x.do('pfctl -F states')
        l.path('A')
        before = pair.sync_counters(b, 'rule_bound', 'rule_default')
        check(l.udp(5) == 5, 'UDP')
        l.same('B has them', least=10)
        after = pair.sync_counters(b, 'rule_bound', 'rule_default')
        print('   bound to their rule %d, to the default rule %d' % tuple(after[k] - before[k] for k in ('rule_bound', 'rule_default')))
        check(after['rule_bound'] - before['rule_bound'] == 10, 'bound to the rule of the same number', after, before)


def full():
    print('== a small table there')
    with pair.PairLab() as l:
        a, b = l.boxes_up(each={'B': dict(rules='set limit states 100\npass\n')})
        l.echo(5001)
        l.path('A')
        c = l.tcp()
        check(l.udp(150, packets=1) == 150, '150 flows, 300 states')
        until('B is full', lambda: pair.sync(b)['table_full'], 3)
        n = len(b.states())
        check(90 <= n <= 100, 'B keeps to its limit: %d' % n)
        check(len(a.states()) >= 302, 'A has all')
        for _ in range(5):
            check(pair.say(c, b'x' * 1000), 'traffic goes on')
            time.sleep(0.1)
        s = pair.sync(b)
        print('   refused %d, %s' % (s['table_full'], s['health']))
        a.do('pfctl -k %s -k %s' % (pair.INT4, EXT4))
        l.same('emptied, both agree', least=0)
        c = l.tcp()
        check(pair.say(c, b'x' * 1000), 'a new connection')
        check(l.udp(10, first=25000) == 10, 'ten flows')
        l.same('and again', least=22)


def version():
    print('== another version there')
    with pair.PairLab() as l:
        a, b = l.boxes_up(wait=False, each={'A': dict(pfsync='version 6 up'), 'B': dict(pfsync='version 1400 up')})
        l.echo(5001)
        l.path('A')
        check(l.udp(5) == 5, 'UDP')
        for x in (a, b):
            until('%s counts badver' % x.name, lambda: pair.sync_counters(x, 'badver')['badver'] > 0, 5)
        check(not b.states(), 'nothing is taken')
        print('   A: %s, %s; B: %s, %s' % tuple(pair.sync(x)[k] for x in (a, b) for k in ('health', 'reason')))
        for v in (1301, 1400, 1500, 6):
            for x in (a, b):
                x.do('pfctl -F states')
                x.do('ifconfig pfsync0 version %d' % v)
            l.path('A')
            conns = [l.tcp(six=six) for six in (False, True)]
            for c in conns:
                check(pair.say(c, b'x' * 1000), 'TCP')
            check(l.udp(5, six=True) == 5 and l.ping('int', EXT4).returncode == 0 and l.ping('int', EXT6).returncode == 0, 'others')
            l.same('both in version %d' % v, least=18)
            l.path('B')
            for c in conns:
                check(pair.say(c, b'y' * 1000), 'on through B')
            l.same('followed', least=18)
            for c in conns:
                c.close()


for f in (names_and_workers, rules, full, version):
    f()
