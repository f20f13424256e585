# SPDX-License-Identifier: BSD-2-Clause
"""The cable that loses, doubles, delays and spoils: does what it is told, the same for the same seed, and fast enough. No box."""
import collections, threading, time
import fakepeer, pair, pfsync_wire as w
from pair import check

FRAMES = 20000


def run(l, left, right, words):
    """What of numbered frames comes out, how often, and which came changed; frames a second."""
    l.start_hub(*words)
    got, order, changed = collections.Counter(), [], set()
    right.sock.settimeout(0.5)

    def reader():
        while True:
            try:
                f = right.sock.recv(2000)
            except OSError:
                return
            e = w.ethernet(f)
            if e is None:
                continue
            # The number is there four times: one byte changed leaves three.
            n = collections.Counter(e[3][i:i + 4] for i in range(0, 16, 4)).most_common(1)[0]
            number = int.from_bytes(n[0], 'big')
            got[number] += 1
            order.append(number)
            if e[3] != n[0] * 4:
                changed.add(number)
    t = threading.Thread(target=reader)
    t.start()
    start = time.monotonic()
    head = w.multicast_mac(w.MULTICAST4) + left.mac + b'\x08\x00'
    for i in range(FRAMES):
        left.sock.send(head + w.ip(i.to_bytes(4, 'big') * 4, left.addr, w.MULTICAST4))
        if i % 500 == 499:
            time.sleep(0.001)
    rate = FRAMES / (time.monotonic() - start)
    t.join()
    stats = l.hub_stats()
    l.stop_hub()
    return got, order, changed, rate, stats


with pair.PairLab(cable='hub') as l:
    left, right = (fakepeer.FakePeer(l, n, 'vsync') for n in l.names)
    got, order, changed, rate, stats = run(l, left, right, [])
    check(len(got) == FRAMES and set(got.values()) == {1} and order == sorted(order) and not changed,
          'a sound cable: %d frames, each once, in order, %.0f a second' % (len(got), rate), stats)
    print('   %s' % ('fast enough' if rate > 5000 else 'a busy machine: rates below 5,000 a second prove little'))
    words = ['seed=7', 'loss=0.2', 'dup=0.1', 'reorder=0.05', 'corrupt=0.02']
    one = run(l, left, right, words)
    lost, twice = FRAMES - len(one[0]), sum(v > 1 for v in one[0].values())
    late = sum(a > b for a, b in zip(one[1], one[1][1:]))
    print('   lost %d, doubled %d, overtaken %d, changed %d: %s' % (lost, twice, late, len(one[2]), one[4]))
    check(abs(lost - 0.2 * FRAMES) < 0.02 * FRAMES and abs(twice - 0.8 * 0.1 * 0.95 * FRAMES) < 0.015 * FRAMES and late > 500 and
          abs(len(one[2]) - 0.8 * 0.02 * FRAMES) < 120, 'accidents as often as ordered')
    two = run(l, left, right, words)
    check(one[0] == two[0] and one[2] == two[2], 'the same seed, the same accidents')
    other = run(l, left, right, ['seed=8'] + words[1:])
    check(one[0] != other[0], 'another seed, others')
    dark = run(l, left, right, ['blackout_ms=200', 'every_ms=400'])
    check(0 < dark[4]['dark'] < FRAMES and dark[4]['dark'] + len(dark[0]) == FRAMES, 'blackouts: %d frames' % dark[4]['dark'])
