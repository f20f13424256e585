# SPDX-License-Identifier: BSD-2-Clause
"""scripts/demo.sh runs to its end and, interrupted or not, leaves no process, namespace or file behind."""
import glob, os, re, signal, subprocess, sys, tempfile, time
import lab
from lab import check

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
if os.path.realpath(lab.BUILD) != os.path.realpath(os.path.join(TOP, 'build')):
    lab.skip('the demo runs what is in build/')
if os.geteuid() != 0:
    lab.skip('the demo needs root')


def leftovers(pid):
    found = [n for n in os.listdir('/run/netns') if re.fullmatch('tp[csb]%d' % pid, n)] if os.path.isdir('/run/netns') else []
    dirs = set(glob.glob('/tmp/twinpath-demo.*')) - before
    found += list(dirs)
    for p in glob.glob('/proc/[0-9]*/environ'):
        try:
            with open(p, 'rb') as f:
                if b'TWINPATH_DEMO_TEST=%d\0' % os.getpid() in f.read() and int(p.split('/')[2]) != os.getpid():
                    with open(p.replace('environ', 'cmdline'), 'rb') as f:
                        found.append(f.read().replace(b'\0', b' ').decode())
        except OSError:
            pass
    return found


before = set(glob.glob('/tmp/twinpath-demo.*'))
for cut in (None, 4):
    with tempfile.TemporaryFile('w+') as out:
        env = dict(os.environ, TWINPATH_DEMO_TEST=str(os.getpid()))
        p = subprocess.Popen([TOP + '/scripts/demo.sh'], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env, start_new_session=True)
        try:
            if cut is None:
                p.wait(150)
            else:
                time.sleep(cut)
                os.killpg(p.pid, signal.SIGINT)
                p.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGTERM)
            p.wait(30)
        out.seek(0)
        text = out.read()
    if cut is None:
        check(p.returncode == 0 and 'FAILED' not in text, 'the demo succeeds', text)
        for words in ('0% packet loss', 'It works: this page came through the box.', 'ESTABLISHED:ESTABLISHED', 'busy_percent',
                      'block by @0', 'receiver'):
            check(words in text, 'it shows ' + words, text)
    else:
        check(p.returncode != 0, 'interrupted, it says so')
    left = leftovers(p.pid)
    check(left == [], 'nothing is left', left)
