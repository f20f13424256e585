# SPDX-License-Identifier: BSD-2-Clause
"""A transparent box: two hosts of one network find each other through it, rules decide all the same."""
import os
import lab
from lab import check, until

BRIDGE = '''port attach net_af_packet0,iface=vint name int0
port attach net_af_packet1,iface=vext name ext0
set forward bridge ext0 int0
pfctl -f @RULES@
start
'''
with lab.Lab() as l:
    for side, n in (('int', 1), ('ext', 2)):
        ns = l.ns[side]
        lab.sh('ip netns exec %s sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0' % ns)
        lab.sh('ip -n %s addr add 10.10.5.%d/24 dev eth0' % (ns, n))
        lab.sh('ip -n %s -6 addr add fd00:5::%d/64 dev eth0 nodad' % (ns, n))
    box = l.box('block return\npass proto { icmp, icmp6 }\npass proto tcp to port 80\npass proto udp to port 80\n', commands=BRIDGE)
    for dst in ('10.10.5.2', 'fd00:5::2'):
        r = l.ping('int', dst, '-c 3 -i 0.2 -W 3')
        check(r.returncode == 0, 'ping %s, ARP and neighbour discovery cross' % dst, r.stdout, box.do('show drops'))
    r = l.run('int', 'ping -n -c 1 -W 2 -t 1 10.10.5.2')
    check(r.returncode == 0, 'the TTL stays', r.stdout)
    r = l.ping('int', '10.10.5.2', '-c 1 -W 3 -s 4000')
    check(r.returncode == 0, 'fragments', r.stdout, box.do('show drops'))
    with open(os.path.join(l.dir, 'data'), 'wb') as f:
        f.write(os.urandom(500000))
    for port in (80, 81):
        l.spawn('ext', ['timeout', '60', '/usr/bin/python3', '-m', 'http.server', '--bind', '::', '-d', l.dir, str(port)])
        until('the server listens', lambda: ':%d ' % port in l.run('ext', 'ss -Hltn').stdout)
    for host in ('10.10.5.2', '[fd00:5::2]'):
        r = l.run('int', 'curl -sS --max-time 10 -o /dev/null -w %%{size_download} http://%s/data' % host)
        check(r.stdout == '500000', 'curl from ' + host, r.stdout)
        r = l.run('int', 'curl -sS --max-time 5 -o /dev/null http://%s:81/data' % host)
        check(r.returncode == 7, 'a blocked port is refused at once, from ' + host, r.returncode, r.stdout)
    check(len(box.states('tcp port 80')) >= 2, 'there are states', box.do('pfctl -ss'))
