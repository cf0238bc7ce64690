# SPDX-License-Identifier: Apache-2.0
"""Two nodes with the REST API on one PostgreSQL."""
import json

import pytest

import apilab
from peers.waiting import until


@pytest.fixture(scope="module")
def pair(tmp_path_factory, postgres):
    folder = tmp_path_factory.mktemp("pair")
    hook = apilab.Hook(str(folder))
    conf = ('webhook-private = true;\nwebhook-retry = 50;\nwebhook-ca = "%s";\nnotice-lease = 6;\n' % hook.pem)
    nodes = [apilab.Api(folder / name, conf=conf, ca=False, postgres=postgres, name="pair", identity=name + ".lab.test", data=str(folder))
             for name in ("hss1", "hss2")]
    for node in nodes:
        node.hook = hook
        node.start()
    yield nodes
    good = [node.stop() for node in nodes]
    hook.stop()
    assert all(good)


@pytest.fixture(scope="module")
def admin(pair):
    caller = pair[0].admin()
    caller.post("/v1/realm", apilab.REALM)
    return caller


def told(hook):
    """Ids of notices, each as often as it was sent."""
    return sorted(json.loads(body)["id"] for _, _, body in hook.of("/pair"))


def notices(caller, names):
    for name in names:
        caller.post("/v1/applications", {"asp": caller.get("/v1/self").json()["id"], "type": "fqdn", "identity": name + ".example",
                                         "name": name})


def test_one_node_sends_and_another_takes_over(pair, admin):
    """Whatever both see, one sends it; when it dies the other goes on with what has not been sent."""
    hook = pair[0].hook
    _, caller = apilab.asp(admin, pair[0], notice_url=hook.url("/pair"))
    notices(caller, ["a%d" % i for i in range(20)])
    assert until(lambda: caller.get("/v1/notices").json()["items"] == [])
    first = told(hook)
    assert len(first) >= 20 and len(set(first)) == len(first)
    senders = [node for node in pair if "notice.delivered" in node.log()]
    assert len(senders) == 1
    other = pair[1 - pair.index(senders[0])]
    senders[0].node.kill()
    there = apilab.Caller(other, caller.token)
    notices(there, ["b%d" % i for i in range(5)])
    assert until(lambda: there.get("/v1/notices").json()["items"] == [])
    assert len(told(hook)) >= len(first) + 5 and len(set(told(hook))) == len(told(hook))
    senders[0].start()
