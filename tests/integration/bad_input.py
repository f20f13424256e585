# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong is said: with file and line, with the words that would have been right, with a status that is not 0."""
import os, signal, socket, subprocess, time
import lab
from lab import check, until

with lab.Lab() as l:
    def write(name, text):
        path = os.path.join(l.dir, name)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def check_only(args, user=None, cwd=None):
        argv = [lab.TWINPATH, '-n'] + args
        if user is not None:
            argv = ['setpriv', '--reuid', str(user), '--regid', str(user), '--clear-groups'] + argv
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, cwd=cwd)

    print('-- twinpath -n')
    os.chmod(l.dir, 0o755)
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')
    samples = [write('sample.conf', open(top + '/config/box.conf').read()), write('sample.pf', open(top + '/config/pf.conf').read())]
    r = check_only(['-v', '-c', samples[0], '-f', samples[1]], cwd=top)
    check(r.returncode == 0 and 'pass out on ext0' in r.stdout, 'the samples are right', r.stdout)
    r = check_only(['-c', samples[0], '-f', samples[1]], 65534, top)
    if 'ermission denied' in r.stdout and 'execv' in r.stdout + 'exec':
        print('ordinary users cannot run programs from %s: not checked' % lab.BUILD)
    else:
        check(r.returncode == 0, 'any user may check them', r.stdout)
    bad = write('bad.conf', 'port attach net_null0 name a\n\nifconfig a inet 10.0.0.1/33\nnonsense\nset limit states many\n')
    r = check_only(['-c', bad])
    check(r.returncode != 0, 'a bad box file is refused')
    for line in (4, 5):
        check('%s:%d: ' % (bad, line) in r.stdout, 'with the error of line %d' % line, r.stdout)
    bad_rules = write('bad.pf', 'pass in proto nosuch\nblock on\npass\nmatch out nat-to 10.0.0.1\n')
    r = check_only(['-f', bad_rules])
    check(r.returncode != 0, 'a bad rule file is refused')
    for line in (1, 2, 4):
        check('%s:%d: ' % (bad_rules, line) in r.stdout, 'with the error of line %d' % line, r.stdout)
    check(bad_rules + ':3: ' not in r.stdout, 'and none for the good one', r.stdout)
    r = check_only(['-f', '/nonexistent/pf.conf'])
    check(r.returncode != 0 and 'No such file' in r.stdout, 'a file that is not there', r.stdout)
    r = check_only([])
    check(r.returncode != 0, '-n without files', r.stdout)

    print('-- a box that cannot start')
    def fails(commands, *words):
        b = l.box(commands=commands, start=False, name='fail%d' % len(l.boxes))
        b.start(wait=False)
        status = b.proc.wait(40)
        check(status not in (0, None) and status > 0, 'ends with an error', status, b.text())
        for w in words:
            check(w.replace('@CONF@', b.conf) in b.text(), 'and says %s' % w.replace('@CONF@', 'FILE'), b.text())
        check(not os.path.exists(b.sock), 'without leaving its socket')

    fails('port attach net_af_packet0,iface=nosuch name ext0\nstart\n', '@CONF@:1: ')
    fails('port attach 0000:ff:1f.7 name ext0\n', '@CONF@:1: ')
    fails('port attach net_null0 name a\nport attach net_null1 name a\n', '@CONF@:2: ')
    fails('# fine\nport attach net_null0 name a\nifconfig b inet 10.0.0.1/24\n', '@CONF@:3: ', 'b')
    fails('frobnicate\n', '@CONF@:1: unknown command `frobnicate`; expected one of: ')
    fails('set limit states 0\n', '@CONF@:1: ')

    print('-- a running one')
    box = l.box()
    second = l.box(start=False, name='second')
    second.sock = box.sock
    second.argv[second.argv.index('-s') + 1] = box.sock
    second.start(wait=False)
    check(second.proc.wait(30) == 1, 'a second instance on the same socket is refused')
    check('another instance answers on ' + box.sock in second.text(), 'and told why', second.text())
    check(box.ctl('show lcores').status == 0, 'the first one goes on')
    for command, word in (('frobnicate', 'pfctl'), ('show nonsense', 'lcores'), ('pfctl -s nonsense', 'rules'), ('set nonsense 1', 'limit states'),
                          ('ifconfig nosuch0', 'nosuch0'), ('port detach nosuch0', 'nosuch0'), ('route add 10.9.0.0/16 192.0.2.99', ''),
                          ('set idle sleep -1', ''), ('pfctl -t nosuch -T show', 'not exist'), ('why tcp nonsense 10.0.0.1', 'nonsense'),
                          ('set forward bridge int0 nosuch0', 'nosuch0')):
        a = box.ctl(command)
        check(a.status != 0 and a.err.strip() != '' and word in a.err, '`%s` is refused in words' % command, a)
    r = subprocess.run([lab.TWINCTL, '-s', l.dir + '/nosuch', 'show', 'lcores'], capture_output=True, text=True, timeout=10)
    check(r.returncode != 0 and 'nosuch' in r.stderr, 'twinctl without a box', r.stderr)

    print('-- bytes that are no request')
    for junk in (b'GET / HTTP/1.0\r\n\r\n', b'TPCT\x01\x01\0\0\xff\xff\xff\xff', b'TPCT\x63\x01\0\0\0\0\0\0', b'\0' * 4000):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(box.sock)
        try:
            s.sendall(junk)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
        except OSError:
            pass
        s.close()
        check(box.ctl('show lcores').status == 0, 'the box lives on after %r' % junk[:12])

    print('-- ended hard, and started again')
    box.proc.send_signal(signal.SIGKILL)
    box.proc.wait(10)
    check(os.path.exists(box.sock), 'a killed box leaves its socket')
    box.start()
    check(box.ctl('show lcores').status == 0, 'that does not keep the next one from starting')
    check(box.stop() == 0 and not os.path.exists(box.sock), 'SIGTERM ends it in order')
    box.start()
    box.do('quit')
    check(box.proc.wait(15) == 0, 'so does quit')
