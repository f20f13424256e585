# SPDX-License-Identifier: BSD-2-Clause
"""Ping and TCP through the box and to it, both families, both directions."""
import lab
from lab import check

with lab.Lab() as l:
    l.kernel_hosts()
    box = l.box()
    for side, far in (('int', (lab.EXT4, lab.EXT6)), ('ext', (lab.INT4, lab.INT6))):
        for dst in far + (lab.NET[side][0] + '1', lab.NET[side][1] + '1'):
            r = l.ping(side, dst)
            check(r.returncode == 0, 'ping %s from %s' % (dst, side), r.stdout)
    check(len(box.states('icmp')) == 6, 'two states for each that crossed, one for each that was answered', box.do('pfctl -ss'))
    box.do('pfctl -F states')
    check(box.states() == [], 'states are cleared')
