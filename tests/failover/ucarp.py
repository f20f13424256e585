# SPDX-License-Identifier: BSD-2-Clause
"""Debian's ucarp as the other half: as a slower master, as backup, killed, and leaving. IPv4, its only family."""
import os, shutil, signal, sys, time
from folab import *

if shutil.which('ucarp') is None:
    skip('no ucarp here: scripts/setup.sh installs it')


def ucarp(l, skew, *more):
    up, down = os.path.join(l.dir, 'up'), os.path.join(l.dir, 'down')
    for path, word in ((up, 'add'), (down, 'del')):
        with open(path, 'w') as f:
            f.write('#!/bin/sh\nip addr %s %s/24 dev vext 2>/dev/null\necho %s >>%s/roles\n' % (word, SHARED['ext'][0], word, l.dir))
        os.chmod(path, 0o755)
    return l.spawn('peer', 'ucarp -i vext -s 10.10.1.3 -v 1 -p %s -a %s -b 1 -k %d -u %s -d %s -z %s' % (
        PASS, SHARED['ext'][0], skew, up, down, ' '.join(more)), out='ucarp.log')


def has_it(l):
    return SHARED['ext'][0] + '/' in sh('ip -n %s -4 addr show dev vext' % l.ns['peer']).stdout


with FoLab(names=('A',)) as l:
    a = l.make('A', carp=l.carp('A', 1, 0, sides=('ext',), six=False))
    l.begin(a)
    l.role(a, 'MASTER', names=('carp1',))

    # ucarp as backup: it believes our advertisements, or it would become master after three of its intervals
    u = ucarp(l, 100)
    time.sleep(6)
    check(not has_it(l), 'ucarp stays backup of ours')
    check(l.counters(a)['badauth'] == 0 and l.state(a) == 'MASTER', 'nothing refused meanwhile')

    # planned: ours says goodbye (255/255)
    a.do('ifconfig carp1 down')
    start = time.monotonic()
    until('ucarp takes over', lambda: has_it(l), 8)
    print('ok: ucarp took over %.2f s after ours went down' % (time.monotonic() - start))
    check(l.ping('ext', SHARED['ext'][0]).returncode == 0, 'ucarp answers for the shared address')

    # ucarp as master: ours is backup of a slower one as long as preempt is off
    a.do('ifconfig carp1 up')
    time.sleep(4)
    c = l.counters(a)
    check(l.state(a) == 'BACKUP' and has_it(l), 'ours stays backup of ucarp', l.carps(a))
    check(c['badauth'] == 0 and c['ipackets'] >= 2, "ucarp's advertisements are believed", c)
    heard = l.carps(a)['carp1'].get('heard')
    check(heard is not None and heard['source'] == '10.10.1.3' and heard['advskew'] == 100, 'what it says is shown', heard)

    # with preempt ours takes the role, and ucarp yields to the better one
    a.do('sysctl net.inet.carp.preempt=1')
    l.role(a, 'MASTER', 5, names=('carp1',))
    until('ucarp gives the address away', lambda: not has_it(l), 5)

    # demoted ours must lose to ucarp, which knows advskew alone
    a.do('sysctl net.inet.carp.preempt=0')
    u.terminate()
    u.wait(5)
    u = ucarp(l, 100, '--preempt')
    time.sleep(4)
    check(l.state(a) == 'MASTER', 'ucarp with preempt does not take the role from a better one')
    a.do('ifconfig -g carp carpdemote 200')
    until('ucarp takes the role from a demoted one', lambda: has_it(l) and l.state(a) == 'BACKUP', 10)
    a.do('ifconfig -g carp -carpdemote 200')

    # killed without a word
    u.kill()
    u.wait(5)
    start = time.monotonic()
    l.role(a, 'MASTER', 6, names=('carp1',))
    took = time.monotonic() - start
    check(took < 4, 'a killed ucarp is followed within 4 s: %.2f s' % took)
    sh('ip -n %s addr del %s/24 dev vext' % (l.ns['peer'], SHARED['ext'][0]), fail=False)
    sh('ip -n %s neigh flush all' % l.ns['ext'], fail=False)
    check(l.ping('ext', SHARED['ext'][0]).returncode == 0, 'ours answers again')
