# SPDX-License-Identifier: BSD-2-Clause
"""
A pair and what happens to it, at random moments: each fault several times (TWINPATH_ROUNDS), seen from the client: no connection is
lost, and how long nothing came. Usage: faults.py [fault ...]
"""
import os, random, signal, sys, time
import falab
from lab import Failed, check, until

CRASH_MS = 1000.0	# generous: the machine is shared. What was measured: docs/failover.md
INTERVAL_S = 1.0	# of the master's advertisements
FEW_MS = 700.0		# nothing should happen at all, but two cores are shared by everything
CARRIER_MS = 1000.0	# a kernel tells net_af_packet that a carrier is gone up to a second late (its link watch)


def whenever():
    """Some moment of the second between two advertisements."""
    time.sleep(random.uniform(0.1, 0.1 + INTERVAL_S))


def within(fig, fault, m, ms):
    fig.add(fault, m)
    if m['gap'] > ms:
        raise Failed('%s: nothing came for %.1f ms, %.0f are allowed\n%s' % (fault, m['gap'], ms, m))
    if m['stale']:
        raise Failed('%s: %d packets came that had waited for a second\n%s' % (fault, m['stale'], m))


def back(l, fig, box, name='comes back'):
    """The box starts again while traffic runs, learns, and takes the role back."""
    l.start(box)
    l.begin_wait(box)
    l.settled()
    time.sleep(0.2)
    within(fig, name, l.mark(), FEW_MS)


def crash(l, fig):
    a, b = l.pair['A'], l.pair['B']
    whenever()
    l.mark()
    whenever()
    l.crash(a)
    l.become('B takes over', B='MASTER')
    time.sleep(0.4)
    within(fig, 'kill -9 of the master', l.mark(), CRASH_MS)
    back(l, fig, a, 'it restarts, learns, preempts')


def crash_backup(l, fig):
    b = l.pair['B']
    l.mark()
    whenever()
    l.crash(b)
    time.sleep(0.5)
    within(fig, 'kill -9 of the backup', l.mark(), FEW_MS)
    l.start(b)
    l.begin_wait(b)
    l.settled()


def frozen(l, fig, seconds=None):
    a, b = l.pair['A'], l.pair['B']
    seconds = seconds or random.choice((random.uniform(0.1, 1), random.uniform(1, 3.3), random.uniform(3.5, 5)))
    l.mark()
    whenever()
    l.signal(a, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        l.signal(a, signal.SIGCONT)
    # at most one master soon, and then the faster one
    until('one master of all', lambda: sorted((l.roles(a), l.roles(b))) == ['BACKUP', 'MASTER'], 2, 0.01)
    time.sleep(0.4)
    within(fig, 'the master is frozen', l.mark(), CRASH_MS)
    l.settled()
    within(fig, 'and takes the role back', l.mark(), FEW_MS)


def cable_pulled(l, fig):
    l.mark()
    whenever()
    l.pull('cable')
    time.sleep(0.5)
    check(l.roles(l.pair['A']) == 'MASTER' and l.roles(l.pair['B']) == 'BACKUP', 'a pulled cable moves no role', l.story())
    l.join()
    l.settled()
    within(fig, 'cable pulled', l.mark(), FEW_MS)


def cable_cut(l, fig):
    b = l.pair['B']
    l.mark()
    whenever()
    l.cut('cable')
    until('B has asked by a data port', lambda: b.json('show carp')['peer_health'] == 'alive_elsewhere', 2)
    time.sleep(0.5)
    check(l.roles(l.pair['A']) == 'MASTER' and l.roles(b) == 'BACKUP', 'a silent cable moves no role', l.story())
    l.join()
    l.settled()
    within(fig, 'cable cut silently', l.mark(), FEW_MS)


def crash_cable_pulled(l, fig):
    a, b = l.pair['A'], l.pair['B']
    l.pull('cable')
    time.sleep(0.3)
    l.mark()
    whenever()
    l.crash(a)
    l.become('B takes over', B='MASTER')
    time.sleep(0.6)
    within(fig, 'kill -9 without the cable', l.mark(), 4 * INTERVAL_S * 1000)
    l.join()
    back(l, fig, a)


def crash_cable_cut(l, fig):
    a, b = l.pair['A'], l.pair['B']
    l.cut('cable')
    until('B has asked by a data port', lambda: b.json('show carp')['peer_health'] == 'alive_elsewhere', 2)
    l.mark()
    whenever()
    l.crash(a)
    l.become('B takes over', B='MASTER')
    time.sleep(0.4)
    within(fig, 'kill -9 while the cable is silent', l.mark(), CRASH_MS)
    l.join()
    back(l, fig, a)


def data(l, fig, link):
    box, other = l.pair[link[0]], l.pair['B' if link[0] == 'A' else 'A']
    l.mark()
    whenever()
    l.pull(link)
    l.become('all virtual hosts move together', **{other.name: 'MASTER'})
    time.sleep(0.4)
    name = '%s link of the %s pulled' % ('inside' if link[1] == 'i' else 'outside', 'master')
    within(fig, name, l.mark(), CRASH_MS + CARRIER_MS)
    l.join()
    l.settled()
    within(fig, name + ', and back', l.mark(), CRASH_MS)


def planned(l, fig):
    a, b = l.pair['A'], l.pair['B']
    l.tell_probe('rate 10000')
    for frm, to in ((a, b), (b, a)):
        l.mark()
        whenever()
        frm.do('failover')
        l.become('the other is master', **{frm.name: 'BACKUP', to.name: 'MASTER'})
        whenever()
        m = l.mark()
        within(fig, 'failover, 10,000 packets/s', m, FEW_MS)
        if m['lost'] > m['sent'] // 100:
            raise Failed('%d packets of %d were lost\n%s' % (m['lost'], m['sent'], l.story()))
    l.tell_probe('rate 1000')
    l.settled()


def leaves(l, fig, how):
    a, b = l.pair['A'], l.pair['B']
    l.mark()
    whenever()
    if how == 'quit':
        a.ctl('quit')
    else:
        l.signal(a, signal.SIGTERM)
    l.become('B takes over', B='MASTER')
    l.ended(a)
    time.sleep(0.3)
    within(fig, '%s of the master' % how, l.mark(), FEW_MS)
    back(l, fig, a)


def one_after_the_other(l, fig):
    a, b = l.pair['A'], l.pair['B']
    l.mark()
    whenever()
    l.crash(b)
    time.sleep(0.5)
    l.start(b)
    l.begin_wait(b)
    l.settled()		# what B knows now A has told it
    whenever()
    l.crash(a)
    l.become('B takes over', B='MASTER')
    time.sleep(0.3)
    within(fig, 'both, one after the other', l.mark(), CRASH_MS)
    back(l, fig, a)


def backup_link(l, fig, link):
    a, b = l.pair['A'], l.pair['B']
    l.mark()
    whenever()
    l.pull(link)
    time.sleep(0.5)
    check(l.roles(a) == 'MASTER', 'the master stays', l.story())
    l.join()
    l.settled()
    within(fig, '%s link of the backup pulled' % ('inside' if link[1] == 'i' else 'outside'), l.mark(), FEW_MS)


FAULTS = {
    'planned': planned, 'crash': crash, 'crash_backup': crash_backup, 'frozen': frozen,
    'cable_pulled': cable_pulled, 'cable_cut': cable_cut,
    'crash_cable_pulled': crash_cable_pulled, 'crash_cable_cut': crash_cable_cut,
    'data_Ai': lambda l, f: data(l, f, 'Ai'), 'data_Ae': lambda l, f: data(l, f, 'Ae'),
    'data_Bi': lambda l, f: backup_link(l, f, 'Bi'), 'data_Be': lambda l, f: backup_link(l, f, 'Be'),
    'quit': lambda l, f: leaves(l, f, 'quit'), 'term': lambda l, f: leaves(l, f, 'SIGTERM'),
    'both': one_after_the_other,
}


fig = falab.Figures()
seed = int(os.environ.get('TWINPATH_SEED') or random.randrange(1 << 30))
random.seed(seed)
print('seed %d' % seed)
with falab.FaultLab() as l:
    l.pair_up()
    l.settled()
    l.watch()
    time.sleep(1)
    fig.add('nothing happens', l.mark())
    try:
        for _ in range(falab.ROUNDS or 1):
            for f in sys.argv[1:] or FAULTS:
                FAULTS[f](l, fig)
    finally:
        fig.show()
