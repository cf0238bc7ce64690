# SPDX-License-Identifier: Apache-2.0
"""What the tests of Y.3056's additions share: a BSF that speaks them between stand-ins of ours, one for the folder."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from lab.realm import AGENT, NAF, q  # noqa: E402
from peers import diameter as d, y3056 as y  # noqa: E402
from peers.bsf_node import Node  # noqa: E402

OTHER, OTHER_NAF = "other-agent.asp.test", "other.asp.test"
ONE, ONE_NAF = "one.asp.test", "one.asp.test"
NAFS = ", ".join([
    '{ identity = %s; fqdns = [ %s, "*.iot.asp.test" ]; gsids = [ "1000001" ]; declarations = true; }' % (q(AGENT), q(NAF)),
    '{ identity = %s; fqdns = [ %s ]; gsids = [ "1000002" ]; permission-required = true; key-lifetime = 60; }' % (q(OTHER), q(OTHER_NAF)),
    '{ identity = %s; fqdns = [ %s ]; gsids = [ "*" ]; single = true; }' % (q(ONE), q(ONE_NAF))])
GUSS = ('<guss id="%s"><bsfInfo><uiccType>GBA</uiccType></bsfInfo><ussList>%s</ussList></guss>')
USS = '<uss id="%d" type="0"><uids><uid>%s</uid></uids><flags>%s</flags></uss>'
EXTRA = 'ask-interval = 0;\nrealm-profile = "https://bsf.test/realm";\ntoken-format = "gba-btid";\n'


def guss(impi, *settings):
    """settings: (gsid, flags)."""
    return GUSS % (impi, "".join(USS % (gsid, "sip:someone@op.test", "".join("<flag>%d</flag>" % f for f in flags))
                                 for gsid, flags in settings))


class Taker:
    """An agent's side of RPA: keeps what it is sent; `say` is its result."""

    def __init__(self, node, host=AGENT):
        self.pushes, self.revocations, self.say = [], [], 2001
        with node.naf(host, apps=(d.ZN, y.RPA), on_request=self.on_request) as self.peer:
            pass

    def on_request(self, conn, message):
        (self.pushes if message.code == y.TPR else self.revocations).append(message)
        return message.answer(conn.origin(), [d.vendor_app(y.RPA), d.u32(d.AUTH_SESSION_STATE, 1), d.result(self.say)])


@pytest.fixture(scope="session")
def named(tmp_path_factory):
    """A BSF with an HSS that answers for permissions and with agents that take tokens."""
    with Node(tmp_path_factory.mktemp("named"), extra=EXTRA, nafs=NAFS, naf_peers=(AGENT, OTHER, ONE), y3056=True,
              make_hss=y.PermittingHss) as node:
        node.taker, node.other, node.one = Taker(node), Taker(node, OTHER), Taker(node, ONE)
        yield node


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The same BSF with a plain HSS and plain NAFs."""
    with Node(tmp_path_factory.mktemp("plain"), extra=EXTRA, nafs=NAFS, naf_peers=(AGENT, OTHER, ONE), y3056=True) as node:
        yield node
