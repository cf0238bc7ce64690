#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A vehicle tracking server: sealed datagrams over UDP, keys from the agent, commands from standard input.

    tracking.py APPLICATION ADDRESS PORT FOLDER [GSID]

Prints "vehicle KID: MESSAGE" for each message that is authentic and new, and with GSID, the application's number at the operator,
"vehicle KID is IDENTITY" before the first. A line "KID COMMAND" of standard input goes to that vehicle. An alarm is acknowledged
at once. FOLDER remembers what was sent and had, and must not be restored from a backup.
"""
import os
import select
import socket
import sys
import time

import gba_naf
import gba_sealed


def shown(octets):
    """On one line, whatever a vehicle says: no message looks like two."""
    return "".join(sign if sign.isprintable() else "?" for sign in octets.decode(errors="replace"))


class Tracking:
    def __init__(self, application, folder, gsids):
        self.application, self.folder, self.gsids, self.naf = application, folder, gsids, gba_naf.Naf()
        self.links, self.where, self.until = {}, {}, {}  # by kid

    def introduced(self, look, source):
        """Only who has bootstrapped with this B-TID can make what opens with the key it leads to."""
        if look.kid in self.links:
            return
        try:
            token = self.naf.get(look.btid, self.application, gba_sealed.UA_SEALED, self.gsids, need_int_key=look.index > 0, source=source)
        except gba_naf.Error as refused:
            return print("refused:", refused, flush=True)
        key = token.int_key if look.index else token.key
        self.links[look.kid] = gba_sealed.Link(self.folder, key, token.btid, look.index, new=True)
        self.until[look.kid] = token.expiry
        for gsid in self.gsids:
            print("vehicle %s is %s" % (look.kid.hex(), ", ".join(token.uss[gsid].uids) if gsid in token.uss else "nameless"), flush=True)

    def arrived(self, datagram, source, send):
        look = gba_sealed.look(datagram)
        if look.btid is not None:
            return self.introduced(look, source[0])
        link = self.links.get(look.kid)
        if link is None or time.time() >= self.until[look.kid]:
            return print("dropped: of nobody we know", flush=True)
        message = link.receive(datagram)
        self.where[look.kid] = source  # of the latest that proved itself
        print("vehicle %s: %s" % (look.kid.hex(), shown(message)), flush=True)
        if message.startswith(b"ALARM"):
            send(link.send(b"ALARM ACKNOWLEDGED"), source)
        elif not message:
            send(link.send(b""), source)  # it asks whether we know it

    def command(self, line, send):
        kid, _, text = line.partition(" ")
        try:
            kid = bytes.fromhex(kid)
            send(self.links[kid].send(text.encode()), self.where[kid])
        except (KeyError, ValueError, gba_sealed.Error):
            print("not sent: no vehicle of this name", flush=True)


def main(application, address, port, folder, *gsids):
    tracking, server = Tracking(application, folder, [int(gsid) for gsid in gsids]), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    print("listening on port", server.getsockname()[1], flush=True)
    inputs, typed = [server, sys.stdin], b""
    while True:
        ready = select.select(inputs, [], [])[0]
        if server in ready:
            try:
                tracking.arrived(*server.recvfrom(2048), server.sendto)
            except gba_sealed.Error as error:
                print("dropped:", error, flush=True)
        if sys.stdin in ready:
            if not (octets := os.read(0, 4096)):
                inputs.remove(sys.stdin)
            *lines, typed = (typed + octets).split(b"\n")
            for line in lines:
                tracking.command(line.decode(), server.sendto)


if __name__ == "__main__":
    main(*sys.argv[1:])
