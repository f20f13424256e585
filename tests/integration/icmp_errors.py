# SPDX-License-Identifier: BSD-2-Clause
"""Traceroute through the box, path MTU discovery across a link that got narrower, hosts and networks that are not there."""
import hashlib, os, re, time
import lab
from lab import check, until

with lab.Lab() as l:
    l.kernel_hosts()
    box = l.box()

    print('-- traceroute')
    for dst, hop in ((lab.EXT4, '10.10.2.1'), (lab.EXT6, 'fd00:2::1')):
        for how in ('-U', '-I'):
            r = l.run('int', 'traceroute %s -n -q 1 -w 2 -m 4 %s' % (how, dst))
            hops = re.findall(r'^\s*(\d+)\s+(\S+)', r.stdout, re.M)
            check(hops == [('1', hop), ('2', dst)], 'traceroute %s %s: the box, then the host' % (how, dst), r.stdout)

    print('-- path MTU')
    data = os.urandom(300000)
    with open(os.path.join(l.dir, 'data'), 'wb') as f:
        f.write(data)
    l.spawn('int', ['timeout', '60', '/usr/bin/python3', '-m', 'http.server', '--bind', '::', '-d', l.dir, '80'])
    until('the server listens', lambda: ':80 ' in l.run('int', 'ss -Hltn').stdout)
    box.do('ifconfig ext0 mtu 1300')
    for host, url, family in ((lab.INT4, 'http://10.10.2.100/data', '-4'), (lab.INT6, 'http://[fd00:2::100]/data', '-6')):
        # The server's segments of 1500 bytes do not fit the way out: it must learn that from the box.
        r = l.run('ext', ['sh', '-c', 'curl -sS --max-time 20 %s | sha256sum' % url])
        check(hashlib.sha256(data).hexdigest() in r.stdout, 'a file over the narrow link, ' + family, r.stdout)
        dst = lab.EXT4 if family == '-4' else lab.EXT6
        r = l.run('int', 'ip %s route get %s' % (family, dst))
        check('mtu 1300' in r.stdout, 'its sender knows the path MTU', r.stdout)
    r = l.run('int', 'ping -n -c 1 -W 2 -M do -s 1400 ' + lab.EXT4)
    check(r.returncode != 0 and 'mtu' in r.stdout.lower(), 'DF and too long: refused with the MTU', r.stdout)
    lab.sh('ip -n %s link set eth0 mtu 1300' % l.ns['ext'])
    r = l.run('int', 'ping -n -c 2 -W 2 -M dont -s 1400 ' + lab.EXT4)
    check(r.returncode == 0, 'without DF it is cut and arrives', r.stdout)
    lab.sh('ip -n %s link set eth0 mtu 1500' % l.ns['ext'])
    box.do('ifconfig ext0 mtu 1500')

    print('-- nobody there')
    r = l.ping('int', '10.10.1.77', '-c 8 -i 1 -W 5')
    check('Destination Host Unreachable' in r.stdout, 'a neighbour that does not answer: host unreachable', r.stdout)
    r = l.ping('int', 'fd00:1::77', '-c 8 -i 1 -W 5')
    check('Address unreachable' in r.stdout, 'the same over IPv6', r.stdout)
    check(box.drops().get('neighbour_failed', 0) >= 2, 'and counted', box.do('show drops'))
    box.do('route delete default')
    r = l.ping('int', '192.0.2.1', '-c 1 -W 3')
    check('Destination Net Unreachable' in r.stdout or 'Destination Host Unreachable' in r.stdout, 'no route: unreachable', r.stdout)
    r = l.ping('int', lab.EXT4)
    check(r.returncode == 0, 'hosts that are there answer', r.stdout)
