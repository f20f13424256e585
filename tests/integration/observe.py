# SPDX-License-Identifier: BSD-2-Clause
"""What is seen from outside: JSON of every show, metrics, telemetry, logged packets, many clients, readiness and watchdog."""
import glob, json, os, re, socket, subprocess, threading, time
import lab
from lab import check, until

with lab.Lab() as l:
    l.kernel_hosts()
    notify = os.path.join(l.dir, 'notify')
    ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ns.bind(notify)
    ns.settimeout(20)
    box = l.box('block log label "blocked"\npass log (all) proto icmp\npass proto tcp label "web"\ntable <t> persist { 192.0.2.1 }\npass from <t>\n'
                .replace('table', 'table', 1), more='set pflog @DIR@/pflog\n', start=False)
    # Tables come before the rules that use them.
    with open(box.rules_file, 'w') as f:
        f.write('table <t> persist { 192.0.2.1 }\nblock log label "blocked"\npass log proto icmp\npass proto icmp6\npass proto tcp label "web"\npass from <t>\n')
    box.start(env=dict(os.environ, NOTIFY_SOCKET=notify, WATCHDOG_USEC='400000'))

    print('-- systemd')
    said = ns.recv(1000).decode()
    check('READY=1' in said, 'readiness is told once the box file has run', said)
    check('WATCHDOG=1' in ns.recv(1000).decode() and 'WATCHDOG=1' in ns.recv(1000).decode(), 'and then that it is alive')
    # Nobody reads any more from here on: the box must not wait for that.

    check(l.ping('int', lab.EXT4).returncode == 0 and l.ping('int', lab.EXT6).returncode == 0, 'some pings')
    l.run('int', 'curl -sS --max-time 1 http://%s:81/' % lab.EXT4)
    l.run('int', ['/usr/bin/python3', '-c', 'import socket; socket.socket(2, 2).sendto(b"x", ("%s", 9))' % lab.EXT4])

    print('-- JSON')
    helps = box.json('help')
    shows = [h['command'] for h in helps if h['command'].startswith('show ')]
    check(len(shows) >= 8, 'there are things to show', shows)
    for c in shows + ['pfctl -s' + w for w in ('rules', 'states', 'info', 'memory', 'timeouts', 'Tables', 'labels')] + \
            ['ifconfig', 'route show', 'arp -an', 'ndp -an', 'show port stats', 'show port info', 'show port xstats']:
        if c in ('show port', 'show latency'):
            continue
        r = subprocess.run([lab.TWINCTL, '-s', box.sock, '-j'] + c.split(), capture_output=True, text=True, timeout=60)
        if r.returncode != 0:
            raise lab.Failed('%s: %s%s' % (c, r.stdout, r.stderr))
        j = subprocess.run(['jq', '-e', 'type'], input=r.stdout, capture_output=True, text=True, timeout=60)
        check(j.returncode == 0, '-j %s is JSON' % c, r.stdout[:500], j.stderr)
        keys = re.findall(r'"([^"\\]+)"\s*:', r.stdout)
        if not c.startswith(('pfctl', 'show port xstats', 'show drops')):
            check(all(re.fullmatch(r'[a-z0-9_]+', k) for k in keys), 'its keys are snake_case', [k for k in keys if not re.fullmatch(r'[a-z0-9_]+', k)])
    s = box.states()[0]
    for k in ('id', 'creatorid', 'af', 'proto', 'direction', 'interface', 'wire', 'stack', 'state', 'age_s', 'expires_s', 'packets', 'bytes', 'rule',
              'origin', 'sync'):
        check(k in s, 'a state has ' + k, s)
    check(re.fullmatch('[0-9a-f]{16}', s['id']) and re.fullmatch('[0-9a-f]{8}', s['creatorid']), 'ids are hex', s)

    print('-- metrics')
    m = box.do('metrics')
    check(m.endswith('# EOF\n'), 'OpenMetrics end in # EOF', m[-200:])
    families = re.findall(r'^# TYPE (\S+) (\S+)$', m, re.M)
    check(len(families) >= 8 and len(set(f for f, _ in families)) == len(families), 'each family once', families)
    for line in m.splitlines():
        if not line.startswith('#'):
            name = re.match(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? [-+0-9.eE]+$', line)
            check_ok = name is not None and any(name.group(1).startswith(f) for f, _ in families)
            if not check_ok:
                raise lab.Failed('no sample of OpenMetrics: ' + line)
    check(True, 'each sample belongs to a family')

    print('-- telemetry')
    prefix = re.sub('[/.]', '_', box.sock[-40:].lstrip('/') if len(box.sock) > 40 else box.sock.lstrip('/'))
    paths = glob.glob('/run/dpdk/%s/dpdk_telemetry.*' % prefix) + glob.glob('/var/run/dpdk/%s/dpdk_telemetry.*' % prefix)
    check(paths, 'there is a telemetry socket', prefix)
    t = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    t.settimeout(10)
    t.connect(paths[0])
    check('version' in json.loads(t.recv(1024)), 'it greets')

    def ask(what):
        t.send(what.encode())
        return json.loads(t.recv(1 << 20))
    known = ask('/')['/']
    check('/twinpath/lcores' in known and '/twinpath/drops' in known, 'it lists our commands', [k for k in known if 'twin' in k])
    for path in (k for k in known if k.startswith('/twinpath/')):
        a = ask(path + (',0' if path.endswith('xstats') else ''))
        check(list(a) == [path], path + ' answers', str(a)[:300])

    print('-- logged packets')
    def pflog():
        return subprocess.run(['tcpdump', '-n', '-e', '-r', l.dir + '/pflog'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    out = until('tcpdump prints what was logged', lambda: (lambda o: o if 'block' in o and 'pass' in o else None)(pflog()), 10)
    check('link-type PFLOG' in out, 'as PFLOG', out)
    check(re.search(r'rule \d+/0\(match\): pass in on int0: 10\.10\.2\.100 > 10\.10\.1\.100: ICMP echo request', out), 'the ping', out)
    check(re.search(r'block in on int0: 10\.10\.2\.100\.\d+ > 10\.10\.1\.100\.9: UDP', out), 'the blocked datagram', out)

    print('-- why, doctor, monitor')
    out = box.do('why tcp 10.10.2.100:4000 10.10.1.100:80')
    check('int0 -> ext0' in out and '@' in out and 'pass' in out, 'why names way, rule and verdict', out)
    out = box.do('why udp 10.10.2.100:4000 10.10.1.100:80')
    check('block' in out, 'also of what is blocked', out)
    a = box.ctl('doctor')
    check(a.out.strip() != '', 'doctor says something', a)
    mon = l.spawn('int', [lab.TWINCTL, '-s', box.sock, 'monitor', 'states'], 'monitor.out')
    time.sleep(0.5)
    box.do('pfctl -F states')
    l.ping('int', lab.EXT4)
    until('monitor states prints new states', lambda: 'icmp' in open(l.dir + '/monitor.out').read(), 10)
    mon.terminate()
    mon.wait(5)

    print('-- many clients')
    bad = []
    def client(n):
        for _ in range(5):
            a = box.ctl(('pfctl -ss', 'show lcores', 'pfctl -si', 'show drops')[n % 4], 60)
            if a.status != 0:
                bad.append(str(a))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    check(bad == [], '12 clients at once get their answers', bad[:1])
    check(oct(os.stat(box.sock).st_mode & 0o777) == '0o660', 'the socket is for owner and group')
    box.do('set socket mode 0600')
    check(oct(os.stat(box.sock).st_mode & 0o777) == '0o600', 'as it is set')

    print('-- the configuration prints as a box file')
    conf = box.do('show config')
    path = os.path.join(l.dir, 'again.conf')
    with open(path, 'w') as f:
        f.write(conf)
    r = subprocess.run([lab.TWINPATH, '-n', '-c', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(r.returncode == 0, 'that passes the check', r.stdout, conf)
    box.stop()
    with open(box.conf, 'w') as f:
        f.write(conf)
    box.start()
    check(box.do('show config') == conf, 'and makes the same box', box.do('show config'), conf)
