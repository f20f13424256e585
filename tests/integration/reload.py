# SPDX-License-Identifier: BSD-2-Clause
"""Rules reloaded and tables changed again and again under load: no packet is lost, no state touched."""
import os, time
import lab
from lab import check, until

RECEIVER = '''
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind(('', 7000))
s.settimeout(20)
seen, n = set(), 0
end = time.monotonic() + 60
while time.monotonic() < end:
    d = s.recv(2000)
    s.settimeout(3)
    if d == b'end':
        break
    seen.add(int(d))
print(len(seen))
'''
SENDER = '''
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 7001))
s.connect((sys.argv[1], 7000))
end, n = time.monotonic() + 8, 0
while time.monotonic() < end:
    s.send(b'%d' % n)
    n += 1
    time.sleep(0.0005)
time.sleep(1)
try:
    for _ in range(5):
        s.send(b'end')
        time.sleep(0.1)
except ConnectionRefusedError:
    pass  # the receiver has seen the first one and is gone
print(n)
'''
EXTRA = ''.join('pass in proto tcp from 192.0.2.%d to port %d\n' % (n % 250, n) for n in range(1, 200))

with lab.Lab() as l:
    l.kernel_hosts()
    # A worker that never sleeps and the kernel's own queues: what is lost is lost in the box.
    box = l.box('table <t> persist\nblock\nblock quick from <t>\npass proto udp to port 7000\n', more='set rx descriptors 4096\n')
    for name, text in (('receiver.py', RECEIVER), ('sender.py', SENDER)):
        with open(os.path.join(l.dir, name), 'w') as f:
            f.write(text)
    receiver = l.spawn('ext', ['/usr/bin/python3', l.dir + '/receiver.py'], 'receiver.out')
    until('the receiver listens', lambda: ':7000 ' in l.run('ext', 'ss -Hlun').stdout)
    sender = l.spawn('int', ['/usr/bin/python3', l.dir + '/sender.py', lab.EXT4], 'sender.out')
    until('a state', lambda: len(box.states('udp port 7000')) == 2)
    ids = sorted(s['id'] for s in box.states('udp port 7000'))
    loads = changes = 0
    while sender.poll() is None:
        box.load('table <t> persist\nblock\nblock quick from <t>\n' + (EXTRA if loads % 2 else '') + 'pass proto udp to port 7000\n')
        loads += 1
        for _ in range(3):
            box.do('pfctl -t t -T add 192.0.2.%d 198.51.100.0/24' % (changes % 250 + 1))
            box.do('pfctl -t t -T flush' if changes % 5 == 0 else 'pfctl -t t -T delete 198.51.100.0/24')
            changes += 2
    receiver.wait(30)
    with open(l.dir + '/sender.out') as f:
        sent = int(f.read())
    with open(l.dir + '/receiver.out') as f:
        got = int(f.read() or 0)
    check(loads >= 3 and changes >= 10, '%d reloads and %d table changes in the meantime' % (loads, changes))
    # The kernel drops at the box's receive ring when this machine gives the box no time: that is not the box's loss.
    missed = sum(p.get('rx_missed', p.get('imissed', 0)) for p in box.json('show port stats'))
    check(got + missed >= sent and sent > 1000, 'none of %d packets is lost' % sent, 'received %d, missed by the kernel %d' % (got, missed),
          box.do('show drops'))
    check(sorted(s['id'] for s in box.states('udp port 7000')) == ids, 'the states are the same ones')
    text = box.do('pfctl -sr')
    bad = box.ctl(['pfctl', '-f', '/nonexistent'])
    check(bad.status != 0 and box.do('pfctl -sr') == text, 'a file that cannot be read changes nothing', bad)
    with open(box.rules_file, 'w') as f:
        f.write('block\npass\nnonsense here\nalso nonsense\n')
    bad = box.ctl(['pfctl', '-f', box.rules_file])
    check(bad.status != 0 and ':3:' in bad.err and ':4:' in bad.err, 'all errors of a file, with file and line', bad)
    check(box.do('pfctl -sr') == text, 'and it changes nothing')
    r = l.ping('int', lab.EXT4, '-c 1 -W 1')
    check(r.returncode != 0, 'the rules in force still block pings')
