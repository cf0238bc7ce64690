# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from oidc_harness import Authority, FakeAgent, Provider, Proxy, q  # noqa: E402


class World:
    """Agent and certificates of one module, and what was started."""

    def __init__(self, folder):
        self.folder = folder
        self.agent = FakeAgent(str(folder / "agent.sock"))
        self.authority = Authority(str(folder / "certs"))
        self.ca = self.authority.ca
        self.started = []

    def site(self, fqdn, **items):
        cert, key = self.authority.issue(fqdn)
        site = {"fqdn": q(fqdn), "http-digest": "true", "certificate": q(cert), "private-key": q(key), "gsids": '[ "1000001" ]',
                "tls13-ua-id": q("http-digest"), "tls-min": q("1.3")}
        site.update({k.replace("_", "-"): v for k, v in items.items()})
        return site

    def proxy(self, sites, **items):
        folder = self.folder / ("proxy%d" % len(self.started))
        folder.mkdir()
        self.started.append(Proxy(folder, str(self.folder / "agent.sock"), sites, **items))
        return self.started[-1].start()

    def provider(self, **items):
        provider = Provider(self, self.folder / ("oidc%d" % len(self.started)), **items)
        self.started.append(provider)
        return provider.start()

    def close(self):
        for process in self.started:
            if process.process.pid:
                process.stop()
        self.agent.shutdown()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("oidc"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def provider(world):
    return world.provider()
