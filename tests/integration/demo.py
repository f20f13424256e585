# SPDX-License-Identifier: BSD-2-Clause
"""
scripts/demo.sh runs to its end: the download survives the crash, the planned handovers lose nothing, the gap is said and
drawn. Interrupted or not, it leaves no process, namespace or file behind but the picture.
"""
import glob, os, re, signal, subprocess, tempfile, time
import lab
from lab import check

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
if os.path.realpath(lab.BUILD) != os.path.realpath(os.path.join(TOP, 'build')):
    lab.skip('the demo runs what is in build/')
if os.geteuid() != 0:
    lab.skip('the demo needs root')


def leftovers(pid):
    found = [n for n in os.listdir('/run/netns') if re.fullmatch('tp[cslab]%d' % pid, n)] if os.path.isdir('/run/netns') else []
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


# On a machine that others load as well a few datagrams may wait too long for the program that counts it.
LOST_MAX = 5
# The peer is found dead by its heartbeat; three advertisements, without it, take 3 s.
GAP_MAX_MS = 1500

before = set(glob.glob('/tmp/twinpath-demo.*'))
scratch = tempfile.TemporaryDirectory()
picture = os.path.join(scratch.name, 'picture.png')


def demo(cut):
    """Its status, its output and its process; interrupted after so many seconds."""
    with tempfile.TemporaryFile('w+') as out:
        env = dict(os.environ, TWINPATH_DEMO_TEST=str(os.getpid()))
        p = subprocess.Popen([TOP + '/scripts/demo.sh', '--picture', picture], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                             env=env, start_new_session=True)
        try:
            if cut is None:
                p.wait(200)
            else:
                time.sleep(cut)
                os.killpg(p.pid, signal.SIGINT)
                p.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGTERM)
            p.wait(30)
        out.seek(0)
        return p.returncode, out.read(), p.pid


def numbers(pattern, text):
    m = re.search(pattern, text)
    check(m, 'it says ' + pattern, text)
    return [float(n) for n in m.groups()]


status, text, pid = demo(None)
check(status == 0 and 'FAILED' not in text, 'the demo succeeds', text)
for words in ('0% packet loss', 'It works: this page came through the pair.', 'ESTABLISHED:ESTABLISHED', 'block by @0',
              'peer is known to be dead', 'bulk update: done'):
    check(words in text, 'it shows ' + words, text)
check(text.count('16000000 bytes, and the checksum is right') == 2, 'both downloads end with the right checksum', text)
probe_ms, lost, sent = numbers(r'Gap as the client saw it: ([0-9.]+) ms in a probe .* of which (\d+) of (\d+) were lost', text)
tcp_ms, = numbers(r'([0-9.]+) ms in the TCP stream, whose', text)
check(0 < probe_ms < GAP_MAX_MS and 0 < tcp_ms < 2 * GAP_MAX_MS, 'the gap is short: %g ms, TCP %g ms' % (probe_ms, tcp_ms), text)
check(sent == 5000 and 0 < lost < probe_ms + 100, 'what was lost fits the gap: %d' % lost, text)
for what, expected in (('Its return', 8000), ('Handover', 3000), ('Back', 3000)):
    sent, lost = numbers(what + r': (\d+) packets sent, (\d+) lost', text)
    check(sent == expected and lost <= LOST_MAX, '%s: %d of %d lost' % (what, lost, sent), text)
with open(picture, 'rb') as f:
    check(f.read(8) == b'\x89PNG\r\n\x1a\n' and picture in text, 'the picture is where it says', text)
took, = numbers(r'Done in (\d+) s', text)
check(took < 120, 'it takes under two minutes: %d s' % took, text)
left = leftovers(pid)
check(left == [], 'nothing is left', left)

for cut in (4, 17):
    status, text, pid = demo(cut)
    check(status != 0, 'interrupted after %d s, it says so' % cut, text)
    left = leftovers(pid)
    check(left == [], 'nothing is left', left)
