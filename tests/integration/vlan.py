# SPDX-License-Identifier: BSD-2-Clause
"""VLAN interfaces on one port: tagged hosts reach each other and the untagged side, rules tell the VLANs apart."""
import lab
from lab import check

with lab.Lab() as l:
    l.kernel_hosts()
    ns = l.ns['int']
    for vid, net in ((7, 7), (8, 8)):
        lab.sh('ip -n %s link add link eth0 name eth0.%d type vlan id %d' % (ns, vid, vid))
        lab.sh('ip -n %s link set eth0.%d up' % (ns, vid))
        lab.sh('ip -n %s addr add 10.10.%d.100/24 dev eth0.%d' % (ns, net, vid))
        lab.sh('ip -n %s -6 addr add fd00:%d::100/64 dev eth0.%d nodad' % (ns, net, vid))
        # Each VLAN answers through itself.
        for f, gw in (('-4', '10.10.%d.1' % net), ('-6', 'fd00:%d::1' % net)):
            lab.sh('ip %s -n %s route add default via %s dev eth0.%d table %d' % (f, ns, gw, vid, vid))
        lab.sh('ip -4 -n %s rule add from 10.10.%d.0/24 table %d' % (ns, net, vid))
        lab.sh('ip -6 -n %s rule add from fd00:%d::/64 table %d' % (ns, net, vid))
    box = l.box('pass\nblock in on vlan8 proto tcp to port 80\n', more=''.join(
        'ifconfig vlan%d vnetid %d parent int0\nifconfig vlan%d inet 10.10.%d.1/24 inet6 fd00:%d::1/64\n' % (v, v, v, v, v) for v in (7, 8)))
    for vid in (7, 8):
        for src, dst in (('10.10.%d.100' % vid, lab.EXT4), ('fd00:%d::100' % vid, lab.EXT6)):
            r = l.ping('int', dst, '-c 2 -i 0.2 -W 3 -I ' + src)
            check(r.returncode == 0, 'ping from VLAN %d, %s, to the untagged side' % (vid, src), r.stdout, box.do('show drops'))
            r = l.ping('ext', src)
            check(r.returncode == 0, 'and back', r.stdout)
    check(l.ping('int', lab.EXT4).returncode == 0, 'untagged frames of the same port still cross')
    r = l.ping('int', lab.EXT4, '-c 1 -W 3 -s 3000 -I 10.10.7.100')
    check(r.returncode == 0, 'fragments from a VLAN', r.stdout)
    l.spawn('ext', ['timeout', '60', '/usr/bin/python3', '-m', 'http.server', '--bind', '::', '-d', l.dir, '80'])
    lab.until('the server listens', lambda: ':80 ' in l.run('ext', 'ss -Hltn').stdout)
    r = l.run('int', 'curl -sS -o /dev/null --max-time 5 --interface 10.10.7.100 http://%s/' % lab.EXT4)
    check(r.returncode == 0, 'curl from VLAN 7', r.stdout)
    r = l.run('int', 'curl -sS -o /dev/null --max-time 2 --interface 10.10.8.100 http://%s/' % lab.EXT4)
    check(r.returncode != 0, 'a rule on vlan8 stops curl from VLAN 8', r.stdout)
    out = box.do('ifconfig vlan7')
    check('vnetid 7' in out or 'vlan: 7' in out, 'ifconfig shows the VLAN', out)
    box.do('ifconfig vlan8 destroy')
    check(l.ping('int', lab.EXT4, '-c 1 -W 1 -I 10.10.8.100').returncode != 0, 'a destroyed VLAN is gone')
    check(l.ping('int', lab.EXT4, '-c 1 -W 2 -I 10.10.7.100').returncode == 0, 'the other one is not')
