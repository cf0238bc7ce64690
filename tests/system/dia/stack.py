# SPDX-License-Identifier: Apache-2.0
"""What the tests of the guard share: the daemons they start and the request they send."""
from peers import diameter as d
from peers.waiting import PATIENCE, until

STACK, BARE = ["guard", "dict", "echo"], ["dict", "echo"]
BTID, NAF_ID = b"I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test", b"naf.lab.test\1\0\0\0\2"


def bir(peer, **kw):
    return d.bir(peer, BTID, NAF_ID, **kw)


def served(peer, seconds=PATIENCE):
    """The next ordinary request is served."""
    answer = peer.request(bir(peer), seconds)
    return answer is not None and answer.result() == (0, 2001)


def served_again(peer):
    """Requests are served again: a peer that comes back after an abrupt end exchanges three watchdogs first (RFC 3539), a daemon
    that was flooded works off what it has."""
    return until(lambda: served(peer, 1), 2 * PATIENCE)


def with_avp(message, code, *avps):
    """The message with its AVPs of this code replaced, in place."""
    at = next(i for i, a in enumerate(message.avps) if a.code == code)
    message.avps[at:at + 1] = list(avps)
    return message


def wrong_length(octets, code, length):
    """The message's octets with another length in the head of its first AVP of this code."""
    out, at = bytearray(octets), 20
    while int.from_bytes(out[at:at + 4], "big") != code:
        at += int.from_bytes(out[at + 5:at + 8], "big") + 3 & ~3
    out[at + 5:at + 8] = length.to_bytes(3, "big")
    return bytes(out)


def connect_again(one, host="naf.lab.test"):
    """A connection as soon as the daemon knows that the last one of this peer is gone."""
    def connected():
        try:
            return one.client(host)
        except ConnectionError:
            return None

    peer = until(connected)
    assert peer, "no connection"
    return peer
