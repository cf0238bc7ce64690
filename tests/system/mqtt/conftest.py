# SPDX-License-Identifier: Apache-2.0
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mqtt_harness import GSID, NAME, TLS13_PSK, Broker, FakeAgent  # noqa: E402

numbers = itertools.count(1)


class World:
    def __init__(self, folder):
        self.folder, self.brokers = folder, []
        self.agent = FakeAgent(str(folder / "agent.sock"))

    def broker(self, **kw):
        """One more; it ends with the module."""
        broker = Broker(self.folder / ("broker%d" % len(self.brokers)), str(self.folder / "agent.sock"), **kw)
        self.brokers.append(broker)
        return broker.start()

    def device(self, *flags, user=None, ua_id=TLS13_PSK, **values):
        """(B-TID, key), and its user's name."""
        number = next(numbers)
        user = user or "user-%d" % number
        values.setdefault("uss", {GSID: ([user], list(flags))})
        return self.agent.add(number, fqdn=values.pop("fqdn", NAME), ua_id=ua_id, **values), user

    def close(self):
        for broker in self.brokers:
            if broker.process.alive():
                broker.stop()
        self.agent.shutdown()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("mqtt"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def broker(world):
    return world.broker(acl="user backend\ntopic readwrite #\npattern readwrite inbox/%u/#\n")


@pytest.fixture(autouse=True)
def fresh(world):
    world.agent.asked.clear()
    world.agent.sources.clear()
    world.agent.release()
    world.agent.error, world.agent.silent = None, False
