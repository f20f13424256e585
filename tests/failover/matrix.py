# SPDX-License-Identifier: BSD-2-Clause
"""
Split brain: each link of the pair taken away alone and in twos, pulled (both ends see it) and cut (frames vanish, carrier stays):
which box is master of what then, and whether traffic flows. docs/failover.md has this as a table. Usage: matrix.py [LINK[+LINK] ...]

Box A is the preferred master. An outcome is 'A' or 'B': master of all; 'A|B': carp1 (outside) at A, carp2 (inside) at B;
'AB': both claim it, because neither can hear the other there; '-': nobody, for nobody has link.
"""
import itertools, sys, time
import falab
from falab import LINKS
from lab import Failed, until

ADVBASE, SKEW = 0, (40, 80)	# every 156 ms; B waits 938 ms


def expected(down, how):
    """What is right: (carp1, carp2, traffic flows)."""
    d = set(down) - {'cable'}
    a, b = d & {'Ai', 'Ae'}, d & {'Bi', 'Be'}
    if how == 'cut':
        # Nobody sees anything but that advertisements do not come: there both claim the addresses, and hosts hear who reaches them.
        return 'AB' if d & {'Ae', 'Be'} else 'A', 'AB' if d & {'Ai', 'Bi'} else 'A', not a or len(a) == 2
    if a and b:
        # Each has lost one link, and none can do the work: each keeps where it is alone.
        outside = '-' if {'Ae', 'Be'} <= d else 'B' if 'Ae' in d else 'A'
        inside = '-' if {'Ai', 'Bi'} <= d else 'B' if 'Ai' in d else 'A'
        return outside, inside, False
    # Who has lost a link is demoted, and the other has everything.
    return ('B', 'B', True) if a else ('A', 'A', True)


def claims(l):
    """{'carp1': 'A', ...}: who is master of it, by name."""
    found = {}
    for name, box in l.pair.items():
        for i in box.json('show carp')['interfaces']:
            found.setdefault(i['name'], '')
            if i['state'] == 'MASTER':
                found[i['name']] += name
    return found['carp1'] or '-', found['carp2'] or '-'


def moves(l):
    return {n: [i['counters']['transitions'] for i in b.json('show carp')['interfaces']] for n, b in l.pair.items()}


def cell(l, down, how):
    what = '%s %s' % (' and '.join(down), how)
    want = expected(down, how)
    l.mark()
    for link in down:
        (l.pull if how == 'pulled' else l.cut)(link)
    if how == 'pulled':
        time.sleep(1.2)	# a kernel tells of a carrier up to a second late
    try:
        until(what, lambda: claims(l) == want[:2], 6, 0.05)
        # and it stays so: no role moves any more. A machine that is too busy to run a box in time may move one once more.
        for _ in range(4):
            time.sleep(0.3)
            before = moves(l)
            l.mark()
            time.sleep(0.5)
            m = l.mark()
            now, after = claims(l), moves(l)
            if before == after:
                break
    except Failed as e:
        raise Failed('%s: %s, wanted %s\n%s\n%s' % (what, claims(l), want, e, l.story()))
    flows = m['lost'] < m['sent'] // 2
    health = [b.json('show carp')['peer_health'] for b in l.pair.values()]
    if now != want[:2] or before != after or flows != want[2]:
        raise Failed('%s: %s, traffic %s, wanted %s, transitions %s then %s\n%s' % (what, now, flows, want, before, after, l.story()))
    l.join()
    l.settled()
    print('| %-14s | %-6s | %-5s | %-5s | %-7s | A: %s, B: %s |' % (' + '.join(down), how, now[0], now[1], 'flows' if flows else 'stopped',
                                                                 health[0], health[1]))
    sys.stdout.flush()


with falab.FaultLab() as l:
    l.pair_up(advbase=ADVBASE, skew=SKEW)
    l.settled()
    l.watch(400)
    print('| %-14s | %-6s | %-5s | %-5s | %-7s | peer health |' % ('links', 'how', 'out', 'in', 'traffic'))
    cells = [(d, how) for how in ('pulled', 'cut') for n in (1, 2) for d in itertools.combinations(LINKS, n)]
    for down, how in cells:
        if len(sys.argv) == 1 or '+'.join(down) in sys.argv[1:]:
            cell(l, down, how)
