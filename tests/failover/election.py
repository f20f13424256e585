# SPDX-License-Identifier: BSD-2-Clause
"""Two boxes: who is master, who answers, who follows whom and how fast. Times are printed as the client saw them."""
import signal, sys, time
from folab import *

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


def gap_of(l, what, do, new, old=None):
    """How long a 1 kHz probe is silent around do()."""
    p = Probe(l)
    time.sleep(0.7)
    start = time.monotonic()
    do()
    l.role(new, 'MASTER', 10)
    took = time.monotonic() - start
    time.sleep(0.5)
    gap = p.gap(start)
    p.stop()
    if gap is None:
        raise Failed('%s: the probe heard nothing' % what)
    print('   %s: silence %.1f ms (role seen after %.0f ms)' % (what, gap * 1e3, took * 1e3))
    sys.stdout.flush()
    return gap


with FoLab() as l:
    a, b = l.boxes_up(advbase=0, skew={'A': 25, 'B': 50}, preempt=True)
    l.role(a, 'MASTER')
    l.role(b, 'BACKUP')
    for side in ('ext', 'int'):
        who = l.replies(side, SHARED[side][0])
        check(who == {(vmac(VHID[side]),) * 2}, 'one answer, with the virtual MAC, on ' + side, who)
        check(l.ping(side, SHARED[side][0]).returncode == 0 and l.ping(side, SHARED[side][1]).returncode == 0,
              'the shared addresses answer on ' + side)
    check(l.ping('int', EXT4).returncode == 0 and l.ping('int', EXT6).returncode == 0, 'traffic goes through the shared addresses')
    sent = {f[6:12] for t, f in l.adverts('ext', 0.6)}
    check(sent == {vmac(1)}, 'advertisements come from the virtual MAC', sent)
    check('duplicate' not in a.text() + b.text(), 'no address conflict is seen')

    # by hand: demotion moves all, and back
    a.do('ifconfig -g carp carpdemote 5')
    l.role(b, 'MASTER', 3)
    l.role(a, 'BACKUP', 3)
    a.do('ifconfig -g carp -carpdemote 5')
    l.role(a, 'MASTER', 3)
    l.role(b, 'BACKUP', 3)
    check(a.do('ifconfig -g carp') == 'carp: carp demote count 0\n', 'demotion by hand is taken back')

    # one cable: both vhids go together, and come back
    sh('ip -n %s link set pA down' % l.ns['ext'])
    l.role(b, 'MASTER', 4)
    until('the vhid without a link is INIT', lambda: l.state(a, 'carp1') == 'INIT' and l.state(a, 'carp2') == 'BACKUP', 3)
    check(a.json('show carp')['demote'] >= 1, 'and demotes the others', a.do('show carp'))
    sh('ip -n %s link set pA up' % l.ns['ext'])
    l.role(a, 'MASTER', 4)
    l.role(b, 'BACKUP', 4)
    check(a.json('show carp')['demote'] == 0, 'the link is back: not demoted any more')

    gaps = {}
    for n in range(ROUNDS):
        gaps.setdefault('down and up', []).append(gap_of(l, 'ifconfig down', lambda: [a.do('ifconfig carp%d down' % v) for v in (1, 2)], b))
        gaps.setdefault('preempted', []).append(gap_of(l, 'ifconfig up: preempts', lambda: [a.do('ifconfig carp%d up' % v) for v in (1, 2)], a))
        gaps.setdefault('kill -9', []).append(gap_of(l, 'kill -9', lambda: l.kill('A'), b))
        l.begin(a)
        l.role(a, 'MASTER', 10)
        l.role(b, 'BACKUP', 3)
        for what, stop in (('quit', lambda: (a.do('quit'), a.proc.wait(10))), ('SIGTERM', lambda: a.proc.send_signal(signal.SIGTERM))):
            gaps.setdefault(what, []).append(gap_of(l, what, stop, b))
            check(a.proc.wait(10) == 0, 'the box has ended')
            a.proc = None
            l.begin(a)
            l.role(a, 'MASTER', 10)
            l.role(b, 'BACKUP', 3)
    for what, v in gaps.items():
        print('   %-12s ms: %s' % (what, ' '.join('%.1f' % (g * 1e3) for g in sorted(v))))
    # four intervals of the slower box, and a machine that is busy
    check(max(gaps['kill -9']) < 4 * 50 / 256 + 0.25, 'a dead master is followed within four intervals')
    check(max(gaps['quit'] + gaps['SIGTERM']) < 0.2, 'one that says goodbye is followed at once')
    c = [l.counters(x) for x in (a, b)]
    check(all(x['badauth'] == 0 and x['badvhid'] == 0 and x['badsum'] == 0 for x in c), 'no advertisement was refused', c)
