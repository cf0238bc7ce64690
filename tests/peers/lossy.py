# SPDX-License-Identifier: Apache-2.0
"""A link for datagrams that keeps what passes, and loses, repeats, swaps and alters some of it, by a seeded chance or on demand. UDP to
either side; `limit`: what is longer does not pass, as on a bearer of short messages.

    with Lossy(("127.0.0.1", port)) as link:
        ... link.port; link.up, link.down: datagrams as they came from the device, from the server
"""
import random
import select
import socket
import threading


class Lossy:
    def __init__(self, server, lose=0.0, repeat=0.0, swap=0.0, alter=0.0, limit=None, seed=1):
        self.server, self.chances, self.limit, self.random = server, (lose, repeat, swap, alter), limit, random.Random(seed)
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(("127.0.0.1", 0))
        self.back.bind(("127.0.0.1", 0))
        self.port, self.device = self.front.getsockname()[1], None
        self.up, self.down, self.held, self.lost = [], [], {}, 0
        self.stop, self.wake = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.wake.close()
        self.thread.join()
        for one in (self.front, self.back, self.stop):
            one.close()

    def run(self):
        while True:
            ready = select.select([self.front, self.back, self.stop], [], [], 0.05)[0]
            if self.stop in ready:
                return
            for one in ready:
                octets, source = one.recvfrom(4096)
                if one is self.front:
                    self.device = source
                    self.up.append(octets)
                    self.pass_on(octets, True)
                else:
                    self.down.append(octets)
                    self.pass_on(octets, False)
            if not ready:  # what was held back for something to overtake it
                for up, octets in list(self.held.items()):
                    del self.held[up]
                    self.send(octets, up)

    def send(self, octets, up):
        """Also for a test: anything, to either side."""
        if up:
            self.back.sendto(octets, self.server)
        elif self.device:
            self.front.sendto(octets, self.device)

    def pass_on(self, octets, up):
        lose, repeat, swap, alter = (self.random.random() < chance for chance in self.chances)
        if lose or (self.limit and len(octets) > self.limit):
            self.lost += 1
            return
        if alter:
            at = self.random.randrange(len(octets))
            octets = octets[:at] + bytes([octets[at] ^ 1 << self.random.randrange(8)]) + octets[at + 1:]
        if swap and up not in self.held:
            self.held[up] = octets
            return
        for _ in range(2 if repeat else 1):
            self.send(octets, up)
        if up in self.held:
            self.send(self.held.pop(up), up)
