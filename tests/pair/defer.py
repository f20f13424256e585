# SPDX-License-Identifier: BSD-2-Clause
"""
Asymmetric paths: the SYN goes through A, the answer comes through B. With defer B always knows first; without it, it is a race that
pfsync may lose. Deferral: what it costs, that it is bounded, that it ends when nobody answers.
"""
import socket, time
import pair
from pair import EXT4, EXT6, INT4, check, until

# Replies may only pass where there is a state: what comes from the server is blocked otherwise.
RULES = 'block\npass in on int0 proto { tcp, udp, icmp, icmp6 }\npass out on ext0\n'


def connect_all(l, n, six=False):
    times, failed = [], 0
    for i in range(n):
        began = time.monotonic()
        try:
            c = l.tcp(six=six)
            times.append((time.monotonic() - began) * 1000)
            if not pair.say(c, b'%d' % i):
                failed += 1
            c.close()
        except OSError:
            failed += 1
    times.sort()
    return times, failed


with pair.PairLab() as l:
    a, b = l.boxes_up(rules=RULES, pfsync='defer up')
    l.echo(5001)
    print('-- there through A, back through B, with defer')
    l.path('A', 'B')
    for six in (False, True):
        times, failed = connect_all(l, 60, six)
        check(failed == 0, 'each of 60 connections comes about', failed, a.do('show drops'), b.do('show drops'))
        print('   connect: median %.2f ms, longest %.2f ms' % (times[len(times) // 2], times[-1]))
        # A box that does not get its turn within 20 ms acknowledges too late; the SYN then runs ahead of its state.
        late = sum(t > 500 for t in times)
        check(late <= 3 + pair.sync(a)['deferred']['timed_out'], '%d needed a second SYN' % late, times[-5:])
    n = l.udp(50) + l.udp(50, six=True)
    check(n + pair.sync(a)['deferred']['timed_out'] >= 97, 'the first answers of %d of 100 UDP flows pass' % n)
    for dst in (EXT4, EXT6):
        check(l.ping('int', dst, '-c 3 -i 0.1 -W 2').returncode == 0, 'ping')
    s = pair.sync(a)
    print('   %s' % s.get('deferred'))
    check(s['deferred']['held'] >= 100 and s['deferred']['acked'] > 0.3 * s['deferred']['held'], 'held and acknowledged', s['deferred'])
    c = l.tcp()
    for n in range(20):
        check(pair.say(c, b'd' * 100000), 'data both ways', )
    l.same('tables agree while each box sees one half', ignore=('expires_s',))
    c.close()
    time.sleep(0.5)
    l.same('and at the end', ignore=('expires_s',))
    print('-- nobody answers')
    l.path('A')
    b.do('ifconfig pfsync0 down')
    time.sleep(0.3)
    before = pair.sync(a)['deferred']
    times, failed = connect_all(l, 10)
    check(failed == 0 and times[5] < 900, 'the packets go out all the same: median %.1f ms' % times[5], failed, times)
    now = pair.sync(a)['deferred']
    check(now['now'] == 0, 'none is kept', now)
    print('   held %d, timed out %d' % (now['held'] - before['held'], now['timed_out'] - before['timed_out']))
    with l.socket('ext', socket.SOCK_DGRAM, port=6001) as sink:
        sink.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        sink.settimeout(0.001)
        before = pair.sync(a)['deferred']
        l.udp(1000, port=6001, wait=False, first=30000)
        got = 0
        end = time.monotonic() + 3
        while got < 1000 and time.monotonic() < end:
            try:
                sink.recv(100)
                got += 1
            except socket.timeout:
                pass
        now = pair.sync(a)['deferred']
        check(got == 1000, '1,000 first packets at once: none is lost', got, now)
        print('   held %d, timed out %d, overflowed %d' % tuple(now[k] - before[k] for k in ('held', 'timed_out', 'overflowed')))
    print('-- without defer')
    b.do('ifconfig pfsync0 up')
    for x in (a, b):
        x.do('ifconfig pfsync0 -defer')
    l.joined()
    l.path('A', 'B')
    times, failed = connect_all(l, 30)
    late = sum(t > 500 for t in times)
    print('   30 connections: %d failed, %d needed a second SYN, median %.2f ms' % (failed, late, times[len(times) // 2]))
    check(failed == 0, 'TCP gets through, if need be at the second try')
    l.same('tables agree', ignore=('expires_s',))
