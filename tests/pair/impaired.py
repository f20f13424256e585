# SPDX-License-Identifier: BSD-2-Clause
"""
A cable that loses, doubles and reorders, and goes dark for a second at a time. Nothing may crash, go backwards or be invented. What
differs afterwards, because plain pfsync cannot tell, is measured and printed; a bulk update must bring it right.

Last, bytes are changed on the way: pfsync has no checksum, so that wrong states may come of it; no box may suffer.

	impaired.py [SEED]
"""
import collections, random, socket, sys, threading, time
import pair
from pair import EXT4, EXT6, INT4, INT6, Failed, check, until

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20260101
RANK = {n: i for i, n in enumerate(('CLOSED', 'LISTEN', 'SYN_SENT', 'SYN_RCVD', 'ESTABLISHED', 'CLOSE_WAIT', 'FIN_WAIT_1', 'CLOSING',
                                    'LAST_ACK', 'FIN_WAIT_2', 'TIME_WAIT'))}
RANK.update({'NO_TRAFFIC': 0, 'SINGLE': 1, 'MULTIPLE': 2, '0': 0})
HOSTS = {INT4, EXT4, INT6, EXT6}


class Watcher:
    """Looks at the states of a box again and again; what went backwards, what nobody made."""
    def __init__(self, box, known):
        self.box, self.known, self.seen, self.wrong, self.looks = box, known, {}, [], 0

    def look(self):
        now = {}
        for s in self.box.states():
            k = (s['id'], s['creatorid'])
            if s['interface'] != 'all' or {s['wire']['src'], s['wire']['dst']} - HOSTS or not self.known(s):
                self.wrong.append('never existed: %s' % s)
            old = self.seen.get(k)
            if old is not None:
                if old['wire'] != s['wire'] or old['direction'] != s['direction'] or old['proto'] != s['proto']:
                    self.wrong.append('%s/%s was %s, is %s' % (k + (pair.brief(old), pair.brief(s))))
                for i, side in ((0, 'src_peer'), (1, 'dst_peer')):
                    if RANK[s['state'][i]] < RANK[old['state'][i]]:
                        self.wrong.append('%s/%s %s: from %s to %s' % (k + (pair.brief(s), old['state'][i], s['state'][i])))
                    if s['proto'] == 'tcp':
                        # 0: nothing was heard of that side yet.
                        a, b = old[side], s[side]
                        for f in ('seqlo', 'max_win'):
                            back = (a[f] - b[f]) & 0xffffffff
                            if f == 'seqlo' and a[f] != 0 and 0 < back < 1 << 31 or f == 'max_win' and b[f] < a[f] and a['wscale_known'] == b['wscale_known']:
                                self.wrong.append('%s/%s %s: %s.%s from %d to %d' % (k + (pair.brief(s), side, f, a[f], b[f])))
            now[k] = s
        self.seen = now
        self.looks += 1


MADE = set()    # source ports


def traffic(l, stop, made, errors, seed):
    """Connections and flows that come, talk, change sides and go, until told to stop."""
    rng, conns, port = random.Random(seed), [], max(made, default=20000)
    try:
        while not stop.is_set():
            port += 1
            six = rng.random() < 0.5
            made.update((port, port + 1))
            if rng.random() < 0.5:
                conns.append(l.tcp(six=six, sport=port, seconds=20))
            else:
                l.udp(2, six=six, first=port, packets=rng.randrange(1, 4), wait=False)
                port += 1
            for c in rng.sample(conns, min(4, len(conns))):
                pair.say(c, bytes(rng.randrange(1, 30000)))
            if len(conns) > 12:
                c = conns.pop(rng.randrange(len(conns)))
                if rng.random() < 0.3:
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                c.close()
            if rng.random() < 0.02:
                l.path(rng.choice('AB'))
            time.sleep(0.01)
    except Exception as e:
        errors.append(repr(e))
    for c in conns:
        c.close()


def phase(l, what, words, seconds, strict=True, twins=True):
    print('-- %s' % what)
    boxes = [l.pair[n] for n in l.names]
    made, errors, stop = MADE, [], threading.Event()
    before = len(made)
    watch = [Watcher(b, lambda s: s['proto'] not in ('tcp', 'udp') or 5001 in (s['wire']['sport'], s['wire']['dport']) and
                     (s['wire']['sport'] in made or s['wire']['dport'] in made)) for b in boxes]
    l.path('A')
    l.tell_hub(words)
    t = threading.Thread(target=traffic, args=(l, stop, made, errors, SEED))
    t.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for w in watch:
            w.look()
    stop.set()
    t.join(20)
    for n in range(5):
        for w in watch:
            w.look()
        time.sleep(0.2)
    stats = l.hub_stats()
    l.tell_hub('loss=0 dup=0 reorder=0 corrupt=0 blackout_ms=0 every_ms=0')
    time.sleep(1.2)
    if twins and strict:
        # Twins see what is missing and say it again.
        end = time.monotonic() + 10
        while pair.differences(*[pair.table(b) for b in boxes]) and time.monotonic() < end:
            time.sleep(0.2)
    tables = [pair.table(b) for b in boxes]
    bad = pair.differences(*tables)
    only = [len([k for k in x if k not in y]) for x, y in (tables, tables[::-1])]
    print('   %d looks, %d ports, cable %s' % (watch[0].looks, len(made) - before, stats))
    print('   left different without repair: %d of %d states; only on A %d, only on B %d, fields %d' % (
        len(bad), len(set(tables[0]) | set(tables[1])), only[0], only[1], len(bad) - sum(only)))
    for b in boxes:
        s = pair.sync(b)
        print('   %s: %s %s, lost %s, repaired %s, stale %s, reordered %s' % (b.name, s['health'], s['reason'], s['lost'], s['repaired'],
              pair.sync_counters(b, 'stale')['stale'], s.get('reordered')))
    wrong = [x for w in watch for x in w.wrong]
    if not strict:
        kinds = collections.Counter(x.split(' ')[0] for x in wrong)
        print('   changed bytes: %d observations of states that nobody made or of fields that moved back: %s' % (len(wrong), dict(kinds)))
        check(all(b.proc.poll() is None for b in boxes), 'both boxes live')
        return
    if twins:
        check(not bad, 'twins: what was lost was said again', *(bad[:6] + [pair.sync(b) for b in boxes]))
    check(not errors, 'no connection suffers', *errors[:3])
    check(not wrong, 'nothing went backwards, nothing was invented', '%d times' % len(wrong), *wrong[:6])
    check(all(b.proc.poll() is None for b in boxes), 'both boxes live')
    for b in boxes:
        b.do('sync bulk')
    for b in boxes:
        until('bulk done', lambda: pair.sync(b)['bulk']['state'] == 'done', 8)
    # In plain pfsync an update of a state that is known starts its time anew, whatever it says of the time left.
    l.same('a bulk update each brings it right', least=0, seconds=20, ignore=() if twins else ('expires_s',))


with pair.PairLab(cable='hub') as l:
    l.start_hub('seed=%d' % SEED)
    a, b = l.boxes_up()
    l.echo(5001)
    phase(l, '5 % lost', 'loss=0.05', 4)
    phase(l, '20 % lost, 10 % doubled, 10 % overtaken', 'loss=0.2 dup=0.1 reorder=0.1', 6)
    phase(l, 'half of it doubled, half overtaken', 'dup=0.5 reorder=0.5', 4)
    phase(l, 'dark for a second every three', 'blackout_ms=1000 every_ms=3000', 7)
    for x in (a, b):
        x.do('ifconfig pfsync0 version 1400')
    phase(l, 'plain pfsync: 10 % lost, 10 % doubled, 10 % overtaken', 'loss=0.1 dup=0.1 reorder=0.1', 6, twins=False)
    phase(l, 'plain pfsync: dark for a second every three', 'blackout_ms=1000 every_ms=3000', 7, twins=False)
    for x in (a, b):
        x.do('ifconfig pfsync0 version 6')
    phase(l, '5 % with a byte changed', 'corrupt=0.05 loss=0.02', 4, strict=False)
    for x in (a, b):
        x.do('pfctl -F states')
    l.same('flushed, both are empty', least=0)
    check(l.udp(10) == 10, 'and work')
    l.same('together', least=20)
