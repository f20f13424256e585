# SPDX-License-Identifier: BSD-2-Clause
"""
A box dies in the middle of a transfer at full speed, between two updates: the other takes over, and what arrives is what was sent.
Windows have moved by megabytes since the peer was last told.
"""
import hashlib, os, subprocess, threading, time
import pair
from pair import EXT4, EXT6, check, until

MB = 200


class Transfer:
    """A download by a client; what came so far, its digest at the end."""
    def __init__(self, l, port, six, upload):
        self.s = l.tcp(port=port, six=six)
        self.s.settimeout(30)
        self.n, self.digest, self.error, self.gap = 0, hashlib.sha256(), None, 0.0
        self.t = threading.Thread(target=self.up if upload else self.down)
        self.t.start()

    def down(self):
        last = time.monotonic()
        try:
            while True:
                d = self.s.recv(1 << 18)
                now = time.monotonic()
                self.gap, last = max(self.gap, now - last), now
                if not d:
                    break
                self.n += len(d)
                self.digest.update(d)
        except OSError as e:
            self.error = e

    def up(self):
        try:
            for d in chunks():
                began = time.monotonic()
                self.s.sendall(d)
                self.gap = max(self.gap, time.monotonic() - began)
                self.n += len(d)
            self.s.shutdown(1)
            self.got = self.s.recv(100)
        except OSError as e:
            self.error = e


def chunks():
    for n in range(MB):
        yield BLOCK[n:] + BLOCK[:n]


BLOCK = os.urandom(1 << 20)
DIGEST = hashlib.sha256()
for d in chunks():
    DIGEST.update(d)


def serve(listener):
    """Port 7001: gives; 7002: takes and says the digest."""
    listener.listen(20)
    listener.settimeout(100)
    gives = listener.getsockname()[1] == 7001
    while True:
        try:
            s, _ = listener.accept()
        except OSError:
            return
        s.settimeout(60)

        def one(s=s):
            try:
                if gives:
                    for d in chunks():
                        s.sendall(d)
                else:
                    digest = hashlib.sha256()
                    while True:
                        d = s.recv(1 << 18)
                        if not d:
                            break
                        digest.update(d)
                    s.sendall(digest.hexdigest().encode())
            except OSError:
                pass
            s.close()
        threading.Thread(target=one, daemon=True).start()


def case(l, here, there, how, port, six, upload):
    what = '%s over IPv%d, %s of %s' % ('upload' if upload else 'download', 6 if six else 4, how, here)
    print('-- ' + what)
    a, b = l.pair[here], l.pair[there]
    l.path(here)
    t = Transfer(l, port, six, upload)
    until('it runs', lambda: t.n > 20 << 20 or t.error, 20)
    far = [s for s in b.states('tcp port %d' % port) if t.s.getsockname()[1] in (s['wire']['sport'], s['wire']['dport'])]
    check(len(far) == 2, '%s knows the connection' % there, far)
    before = t.n
    if how == 'death':
        l.kill(here)
    elif how == 'ports stopped':
        for p in ('int0', 'ext0', 'sync0'):
            a.do('port stop ' + p)
    l.path(there)
    moved = time.monotonic()
    t.t.join(90)
    check(not t.t.is_alive() and t.error is None and t.n == MB << 20, '%d MB through; %.0f MB were through at the change' % (MB, before / 1e6),
          t.n, t.error, b.do('pfctl -ss -vv'), b.do('show drops'), b.do('pfctl -si'))
    digest = t.got.decode() if upload else t.digest.hexdigest()
    check(digest == DIGEST.hexdigest(), 'as it was sent')
    print('   %.1f MB/s after the change, longest pause %.0f ms' % ((t.n - before) / 1e6 / (time.monotonic() - moved), t.gap * 1000))
    t.s.close()


with pair.PairLab() as l:
    a, b = l.boxes_up(rules='block\npass in on int0 proto { tcp, udp }\npass out on ext0\n')
    for port in (7001, 7002):
        for six in (False, True):
            threading.Thread(target=serve, args=(l.socket('ext', six=six, port=port),), daemon=True).start()
    case(l, 'A', 'B', 'change of routes', 7001, False, False)
    case(l, 'B', 'A', 'change of routes', 7002, True, True)
    case(l, 'A', 'B', 'death', 7001, False, False)
    a.start(wait=False)
    l.begin_wait(a)
    l.joined()
    case(l, 'B', 'A', 'death', 7002, True, True)
    b.start(wait=False)
    l.begin_wait(b)
    l.joined()
    case(l, 'A', 'B', 'ports stopped', 7001, True, False)
