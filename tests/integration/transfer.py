# SPDX-License-Identifier: BSD-2-Clause
"""100 MB through curl with a checksum, and 1,000 connections at once."""
import hashlib, os, re
import lab
from lab import check, until

MB = 100
SERVER = '''
import asyncio
async def serve(r, w):
    try:
        while True:
            d = await r.readexactly(64)
            w.write(d)
            await w.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    w.close()
async def main():
    s = await asyncio.start_server(serve, None, 80, backlog=2000)
    await asyncio.sleep(160)
asyncio.run(main())
'''
CLIENT = '''
import asyncio, os, sys
async def one(host, all_there, missing):
    r, w = await asyncio.wait_for(asyncio.open_connection(host, 80), 60)
    for turn in range(3):
        d = os.urandom(64)
        w.write(d)
        if await asyncio.wait_for(r.readexactly(64), 60) != d:
            raise ValueError('wrong data')
        if turn == 0:
            missing[0] -= 1
            if missing[0] == 0:
                all_there.set()
            await asyncio.wait_for(all_there.wait(), 60)
            await asyncio.sleep(2)
    w.close()
    await w.wait_closed()
async def main():
    all_there, missing = asyncio.Event(), [1000]
    done = await asyncio.gather(*[one(sys.argv[1 + n % 2], all_there, missing) for n in range(1000)], return_exceptions=True)
    bad = [repr(d) for d in done if d is not None]
    print(len(done) - len(bad), 'connections', bad[:3])
    sys.exit(len(bad) != 0)
asyncio.run(main())
'''

with lab.Lab() as l:
    l.kernel_hosts()
    box = l.box('set limit states 20000\npass\n', more='')
    path = os.path.join(l.dir, 'data.big')
    digest, chunk = hashlib.sha256(), os.urandom(1 << 20)
    with open(path, 'wb') as f:
        for n in range(MB):
            chunk = chunk[1:] + bytes([n])
            digest.update(chunk)
            f.write(chunk)
    l.spawn('ext', ['timeout', '200', '/usr/bin/python3', '-m', 'http.server', '--bind', '::', '-d', l.dir, '8000'])
    until('the server listens', lambda: ':8000 ' in l.run('ext', 'ss -Hltn').stdout)
    r = l.run('int', ['sh', '-c', 'curl -sS --max-time 150 http://%s:8000/data.big | sha256sum' % lab.EXT4], timeout=170)
    check(digest.hexdigest() in r.stdout, '%d MB arrive as they were sent' % MB, r.stdout, box.do('show drops'))
    counted = [s for s in box.states('tcp port 8000') if s['direction'] == 'in']
    check(counted and max(counted[0]['bytes']) >= MB << 20, 'the state counted them', counted)

    for name, text in (('server.py', SERVER), ('client.py', CLIENT)):
        with open(os.path.join(l.dir, name), 'w') as f:
            f.write(text)
    l.spawn('ext', ['sh', '-c', 'ulimit -n 4096; exec timeout 170 /usr/bin/python3 %s/server.py' % l.dir], 'server.out')
    until('the server listens', lambda: ':80 ' in l.run('ext', 'ss -Hltn').stdout)
    client = l.spawn('int', ['sh', '-c', 'ulimit -n 4096; exec timeout 150 /usr/bin/python3 %s/client.py %s %s' % (l.dir, lab.EXT4, lab.EXT6)],
                     'client.out')
    most = 0
    while client.poll() is None:
        try:
            client.wait(0.3)
        except Exception:
            most = max(most, int(re.search(r'current entries\s+(\d+)', box.do('pfctl -si')).group(1)))
    with open(os.path.join(l.dir, 'client.out')) as f:
        out = f.read()
    check(client.returncode == 0 and out.startswith('1000 connections'), '1,000 connections at once, data unchanged', out, box.do('show drops'))
    check(most >= 2000, 'two states each', most)
