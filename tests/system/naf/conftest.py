# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from naf_harness import Agent, Bsf, Echo  # noqa: E402

class World:
    def __init__(self, folder):
        self.one = Bsf("bsf.epc.one.example", "epc.one.example")
        self.two = Bsf("bsf.epc.two.example", "epc.two.example")
        self.folder = folder
        self.agent = Agent(folder / "agent", [self.one, self.two],
                           '{ domain = "one.example"; realm = "epc.one.example"; }, '
                           '{ domain = "two.example"; realm = "epc.two.example"; host = "bsf.epc.two.example"; }',
                           extra="zn-timeout = 10000; negative-ttl = 3; unknown-burst = 1000;")

    def close(self):
        self.agent.stop()
        self.one.stop()
        self.two.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One agent for a module."""
    world = World(tmp_path_factory.mktemp("naf"))
    yield world
    world.close()


@pytest.fixture
def world(shared):
    """The module's agent, its BSFs as new."""
    for bsf in (shared.one, shared.two):
        bsf.seen.clear()
        bsf.reply, bsf.delay, bsf.life = None, 0, 600
    return shared


@pytest.fixture
def echo(shared):
    server = Echo(shared.agent.socket)
    yield server
    server.stop()
