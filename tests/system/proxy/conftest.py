# SPDX-License-Identifier: Apache-2.0
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proxy_harness import NAF, NAF2, STREAM, UICC, Application, Authority, Client, Digest, FakeAgent, HOST, Proxy, q  # noqa: E402

numbers = itertools.count(60000)  # of B-TIDs


class World:
    """Agent, application and proxy of one module."""

    def __init__(self, folder):
        self.folder = folder
        self.agent = FakeAgent(str(folder / "agent.sock"))
        self.app = Application()
        self.authority = Authority(str(folder / "certs"))
        self.cert, self.key = self.authority.issue(NAF)
        self.ca = self.authority.ca
        self.proxies = []

    def site(self, fqdn=NAF, **items):
        site = {"fqdn": q(fqdn), "upstream": q("%s:%d" % (HOST, self.app.port)), "http-digest": "true",
                "certificate": q(self.cert), "private-key": q(self.key), "gsids": '[ "1000001" ]'}
        site.update({k.replace("_", "-"): v for k, v in items.items()})
        return site

    def psk_site(self, fqdn, **items):
        site = {"fqdn": q(fqdn), "upstream": q("%s:%d" % (HOST, self.app.port))}
        site.update({k.replace("_", "-"): v for k, v in items.items()})
        return site

    def proxy(self, sites=None, **items):
        """Start one; it ends with the module."""
        folder = self.folder / ("proxy%d" % len(self.proxies))
        folder.mkdir()
        cert2, key2 = self.authority.issue(NAF2)
        sites = sites or [self.site(), self.site(NAF2, certificate=q(cert2), private_key=q(key2)),
                          self.psk_site(STREAM, mode=q("stream")),
                          self.site(UICC, keys=q("both"), psk_uicc="true")]
        proxy = Proxy(folder, str(self.folder / "agent.sock"), sites, **items)
        self.proxies.append(proxy)
        return proxy.start()

    def close(self):
        for proxy in self.proxies:
            if proxy.process.pid:
                proxy.stop()
        self.app.close()
        self.agent.shutdown()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("proxy"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def proxy(world):
    return world.proxy()


@pytest.fixture(autouse=True)
def fresh(world):
    """Each test starts with an application and an agent that behave."""
    world.app.drop()
    world.app.requests.clear()
    world.app.answer = world.app.on_connection = None
    world.agent.asked.clear()
    world.agent.sources.clear()
    world.agent.release()
    world.agent.error, world.agent.silent = None, False


@pytest.fixture
def digest(world):
    return Digest(*world.agent.add(next(numbers)))


@pytest.fixture
def client(proxy, digest):
    """A connection with a challenge taken."""
    with Client(proxy.http) as made:
        digest.take(made.ask())
        yield made
