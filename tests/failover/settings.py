# SPDX-License-Identifier: BSD-2-Clause
"""Other ways to stand: unicast, VLANs, no address of one's own, groups, one core for all, with pfsync, stop and start."""
import sys, time
from folab import *

VLAN4 = '10.10.7.'


def both(l, a, b, master, names):
    l.role(master, 'MASTER', 8, names)
    l.role(b if master is a else a, 'BACKUP', 8, names)


with FoLab() as l:
    for n in l.names:
        # vhid 1 by unicast; 7 on a VLAN whose interface has no IPv4 address of its own; 2 in a group
        i = l.number(n)
        skew = 20 if n == 'A' else 40
        carp = ('set carp preempt on\n'
                'ifconfig carp1 vhid 1 pass %s carpdev ext0 advbase 0 advskew %d carppeer 10.10.1.%d inet %s/24\n'
                'ifconfig vlan7 vnetid 7 parent ext0\n'
                'ifconfig carp7 vhid 7 pass "two words" carpdev vlan7 advbase 0 advskew %d inet %s254/24 inet6 fd00:7::fe/64\n'
                'ifconfig carp2 vhid 2 carpdev int0 advbase 0 advskew %d group dmz inet6 %s/64\n'
                % (PASS, skew, 3 - i, SHARED['ext'][0], skew, VLAN4, skew, SHARED['int'][1]))
        l.make(n, carp=carp, workers=0 if n == 'B' else 2)  # B: one core for all
    a, b = l.pair['A'], l.pair['B']
    l.begin(a, b)
    names = ('carp1', 'carp2', 'carp7')
    both(l, a, b, a, names)
    check(True, 'a box on one core and one with two workers: unicast, VLAN, IPv6 alone')
    for x in (a, b):
        c = l.counters(x)
        check(c['badauth'] == 0 and c['badvhid'] == 0 and c['oerrors'] == 0 and c['onomem'] == 0, '%s: nothing refused' % x.name, c)

    uni = [f for t, f in l.adverts('ext', 0.5) if f[23] == 112 and f[30:34] == bytes((224, 0, 0, 18)) and carp_of(f)[1] == 1]
    check(not uni, 'vhid 1 is not multicast')
    who = l.replies('ext', VLAN4 + '254', vlan=7)
    check(who == {(vmac(7),) * 2}, 'one answer on the VLAN, with the virtual MAC', who)
    check(l.ping('ext', SHARED['ext'][0]).returncode == 0, 'the shared address of vhid 1 answers')

    # a group of its own
    a.do('ifconfig -g dmz carpdemote 3')
    l.role(b, 'MASTER', 4, ('carp2',))
    check(l.state(a, 'carp1') == 'MASTER', 'a demoted group moves its own alone')
    a.do('ifconfig -g dmz -carpdemote 3')
    both(l, a, b, a, names)

    # by hand
    a.do('set carp preempt off')
    b.do('set carp preempt off')
    a.do('ifconfig carp7 state backup')
    both(l, a, b, b, ('carp7',))
    who = l.replies('ext', VLAN4 + '254', vlan=7)
    check(who == {(vmac(7),) * 2}, 'a box on one core answers as well', who)
    a.do('ifconfig carp7 state master')
    both(l, a, b, a, ('carp7',))
    check(b.ctl('ifconfig vlan7 destroy').status != 0, 'a carpdev is not destroyed')
    check('vhid 7' in b.ctl('ifconfig vlan7 destroy').err, 'and it is said why', b.ctl('ifconfig vlan7 destroy'))
    check(b.ctl('ifconfig vlan7 %s254 -alias' % VLAN4).status != 0, 'nor is a shared address taken from it')
    check(b.ctl('ifconfig carp8 vhid 7 carpdev vlan7').status != 0, 'a vhid is one interface on a port')
    check(b.ctl('ifconfig carp8 vhid 8 carpdev vlan7 inet %s254/24' % VLAN4).status != 0, 'an address belongs to one')
    check('carp8' not in b.do('ifconfig'), 'and nothing is left of what was refused')

    # stop says goodbye, start begins anew; the configuration is written and read again
    a.do('stop')
    l.role(b, 'MASTER', 2, names)
    check(all(i['state'] == 'INIT' for i in l.carps(a).values()), 'a stopped box is INIT')
    a.do('start')
    l.role(a, 'BACKUP', 3, names)
    conf = b.do('show config')
    for line in ('vhid 7 pass "two words" carpdev vlan7 advbase 0 advskew 40', 'group dmz', 'carppeer 10.10.1.1'):
        check(line in conf, '`show config` has ' + line, conf)

    # gone, and made again, while traffic and timers run
    b.do('ifconfig carp7 destroy')
    l.role(a, 'MASTER', 2, ('carp7',))
    check('carp7' not in b.do('ifconfig') and VLAN4 + '254' not in b.do('ifconfig vlan7'), 'destroyed with its addresses')
    b.do('ifconfig vlan7 destroy')
    b.do('ifconfig vlan7 vnetid 7 parent ext0')
    b.do('ifconfig carp7 vhid 7 pass "two words" carpdev vlan7 advbase 0 advskew 10 inet %s254/24 inet6 fd00:7::fe/64' % VLAN4)
    l.role(b, 'BACKUP', 2, ('carp7',))
    b.do('ifconfig carp7 inet %s253/24' % VLAN4)
    until('another address is another digest', lambda: l.counters(a)['badauth'] > 0, 3)
    a.do('ifconfig carp7 inet %s253/24' % VLAN4)
    until('agreed again', lambda: sorted(l.state(x, 'carp7') for x in (a, b)) == ['BACKUP', 'MASTER'], 5)

with FoLab() as l:
    # with pfsync: the thread has both; a box that learns is demoted, and not for ever
    a, b = l.boxes_up(advbase=0, skew={'A': 25, 'B': 50}, preempt=True, pfsync='maxupd 128 up')
    l.role(a, 'MASTER', 15)
    l.role(b, 'BACKUP', 3)
    l.joined(a, b)
    for x in (a, b):
        until('%s is not demoted' % x.name, lambda: x.json('show carp')['demote'] == 0, 30)
    l.echo(5001)
    s = l.tcp()
    check(pair.say(s, b'before'), 'a connection through the shared addresses')
    time.sleep(0.3)
    l.kill('A')
    check(pair.say(s, b'after'), 'lives on through the other box')
    l.role(b, 'MASTER', 3)
    l.begin(a)
    l.role(a, 'MASTER', 20)
    check(pair.say(s, b'again'), 'and when the first takes its role back')
    check(a.json('show carp')['demote'] == 0, 'which is not demoted any more', a.do('show carp'))
    log = a.text() + b.text()
    check('demoted by 32 (pfsync' in log and 'not demoted any more by pfsync' in log, 'who learns is demoted for so long')
    # pfsync goes and comes: CARP's timers do not care
    a.do('ifconfig pfsync0 down')
    time.sleep(0.6)
    check(l.state(a) == 'MASTER' and l.state(b) == 'BACKUP', 'CARP goes on without pfsync')
    a.do('ifconfig pfsync0 up')
    time.sleep(0.6)
    l.joined(a, b)
    l.role(a, 'MASTER', 10)
    # the cable alone never makes two masters
    sh('ip -n %s link set vsync down' % l.ns['A'])
    for i in range(15):
        check_ = [l.state(x) for x in (a, b)]
        if check_ == ['MASTER', 'MASTER']:
            time.sleep(0.1)
            check([l.state(x) for x in (a, b)] != ['MASTER', 'MASTER'], 'never two masters')
        time.sleep(0.1)
    check(sorted(l.state(x) for x in (a, b)) == ['BACKUP', 'MASTER'], 'one master without the cable')
    sh('ip -n %s link set vsync up' % l.ns['A'])
    l.role(a, 'MASTER', 20)
    s.close()
