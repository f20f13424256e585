# SPDX-License-Identifier: BSD-2-Clause
"""Several workers on ports that have one queue: packets are handed to the worker that owns their connection."""
import os
import lab
from lab import check, until

with lab.Lab() as l:
    l.kernel_hosts()
    c = lab.cpus()
    # Three workers and the main lcore share the first and the last CPU.
    box = l.box('block\npass proto { tcp, icmp, icmp6 }\n', lcores='0@%d,1@%d,2@%d,3@%d' % (c[0], c[0], c[-1], c[-1]))
    lcores = box.json('show lcores')
    check(sum('worker' in x['role'] for x in lcores) == 3, 'three workers', lcores)
    with open(os.path.join(l.dir, 'data'), 'wb') as f:
        f.write(os.urandom(200000))
    l.spawn('ext', ['timeout', '100', '/usr/bin/python3', '-m', 'http.server', '--bind', '::', '-d', l.dir, '80'])
    until('the server listens', lambda: ':80 ' in l.run('ext', 'ss -Hltn').stdout)
    urls = ' '.join(['http://%s/data' % lab.EXT4, 'http://[%s]/data' % lab.EXT6] * 20)
    r = l.run('int', ['sh', '-c', 'for u in %s; do curl -sS --max-time 20 "$u" | sha256sum; done | sort | uniq -c' % urls], timeout=90)
    check(r.stdout.split()[0] == '40' and len(r.stdout.splitlines()) == 1, '40 connections, each complete', r.stdout, box.do('show drops'))
    lcores = [x for x in box.json('show lcores') if 'worker' in x['role']]
    busy = [x['packets'] for x in lcores]
    check(sum(n > 0 for n in busy) == 3, 'all workers took part', lcores)
    check(sum(x.get('handed_over', 0) for x in lcores) > 0, 'packets were handed over', lcores)
    states = box.states('tcp')
    check(all(s['state'] in (['FIN_WAIT_2', 'FIN_WAIT_2'], ['ESTABLISHED', 'ESTABLISHED'], ['TIME_WAIT', 'TIME_WAIT'],
                             ['CLOSING', 'FIN_WAIT_2'], ['FIN_WAIT_2', 'CLOSING']) for s in states),
          'both directions of each met one state', box.do('pfctl -ss'))
    for dst in (lab.EXT4, lab.EXT6):
        r = l.ping('int', dst, '-c 3 -i 0.2 -W 3 -s 5000')
        check(r.returncode == 0, 'fragments meet their worker too, ' + dst, r.stdout, box.do('show drops'))
    check(box.counter('state-mismatch') == 0, 'no packet found the wrong worker')
