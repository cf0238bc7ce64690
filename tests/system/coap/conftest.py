# SPDX-License-Identifier: Apache-2.0
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coap_harness import GSID, NAME, PROGRAM, UA_ID, Application, CoapApplication, FakeAgent, Naf, Ue  # noqa: E402

numbers = itertools.count(1)


class World:
    def __init__(self, folder):
        self.folder, self.nafs = folder, []
        self.agent, self.http, self.coap = FakeAgent(str(folder / "agent.sock")), Application(), CoapApplication()

    def naf(self, upstream=None, **items):
        """One more; it ends with the module."""
        naf = Naf(self.folder / ("naf%d" % len(self.nafs)), str(self.folder / "agent.sock"), upstream or "http://127.0.0.1:%d" % self.http.port, **items)
        self.nafs.append(naf)
        return naf.start()

    def key(self, *flags, user="sip:u%d@example.com", **values):
        """(B-TID, key) of a new device, and its user."""
        number = next(numbers)
        user = user % number if user and "%" in user else user
        values.setdefault("uss", {GSID: ([user], list(flags))})
        return self.agent.add(number, fqdn=NAME, ua_id=UA_ID, **values), user

    def close(self):
        for naf in self.nafs:
            if naf.process.alive():
                assert naf.stop() == 0
        self.agent.shutdown()
        self.http.close()
        self.coap.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if not os.path.exists(PROGRAM):
        pytest.skip("built without libcoap")
    made = World(tmp_path_factory.mktemp("coap"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def naf(world):
    return world.naf()


@pytest.fixture(scope="module")
def coap_naf(world):
    return world.naf("coap://127.0.0.1:%d" % world.coap.port)


@pytest.fixture
def ue(world, tmp_path):
    """gba-ue, and a BSF whose tokens the agent knows."""
    with Ue(world, tmp_path) as one:
        yield one


@pytest.fixture(autouse=True)
def fresh(world):
    world.agent.asked.clear()
    world.agent.release()
    world.agent.error, world.agent.silent = None, False
    world.http.requests.clear()
    world.http.answer = None
    world.coap.requests.clear()
    world.coap.answer = (69, [(12, b"")], b"hello")
    world.coap.observable = False
    world.coap.observers.clear()
    world.coap.replied.clear()
