# SPDX-License-Identifier: BSD-2-Clause
"""
The server of scripts/demo.sh.

	server.py web DIR PORT RATE	files of DIR over HTTP, IPv4 and IPv6, no faster than RATE bytes a second (0: as fast as it goes)
	server.py echo PORT		sends every datagram back
"""
import functools, http.server, socket, sys

SO_MAX_PACING_RATE = 47		# linux/socket.h; Python has no name for it


class Web(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    rate = 0

    def get_request(self):
        s, peer = super().get_request()
        if self.rate:
            # The kernel spaces the packets, so that there is one every half a millisecond rather than a burst now and then.
            s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, self.rate)
        return s, peer


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def echo(port):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(('::', port))
        while True:
            data, peer = s.recvfrom(2048)
            try:
                s.sendto(data, peer)
            except OSError:
                pass			# no route to it at the moment: lost, as on any network


if sys.argv[1] == 'web':
    Web.rate = int(sys.argv[4])
    with Web(('::', int(sys.argv[3])), functools.partial(Handler, directory=sys.argv[2])) as web:
        web.serve_forever()
else:
    echo(int(sys.argv[2]))
