# SPDX-License-Identifier: Apache-2.0
"""Subscriptions (Y.3059 9.4): a receiver written in python is told by signed tokens that openssl checks, through failures of its own and
of the registry."""
import json

import pytest
from telllab import TellNode

from peers import jose
from peers.waiting import until


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with TellNode(tmp_path_factory.mktemp("tell") / "realm", trace=False, server=server) as realm:
        yield realm.begin()
        realm.receiver.server.shutdown()


def add(node, path, body, token, want=201):
    status, made = node.call("POST", "/v1/" + path, body, token)
    assert status == want, (path, status, made)
    return made


def set_state(node, vulnerability_id, state):
    """By an agency."""
    return node.patch("/v1/vulnerabilities/%d" % vulnerability_id, {"state": state}, node.agency)


def vulnerability(node, reference, make="Acme", state="confirmed"):
    body = {"reference": reference, "source": "agency", "reporter": "CERT", "title": "hole", "make": make, "model": "*"}
    made = add(node, "vulnerabilities", body, node.agency)
    if state:  # told from then on
        assert set_state(node, made["id"], state) == 200
    return made


def subjects(node, tokens):
    found = []
    for token in tokens:
        header, payload = jose.read(token, node.public)
        assert header["typ"] == "secevent+jwt"
        claims = json.loads(payload)
        assert claims["iss"] == "IN1" and len(claims["events"]) == 1
        found.append(claims["sub_id"]["id"])
    return found


def told(node, want):
    assert until(lambda: set(want) <= set(subjects(node, node.receiver.tokens))), (want, node.registry_log()[-2000:])
    return subjects(node, node.receiver.tokens)


def poll(node, sub, token, **body):
    status, answer = node.call("POST", "/v1/subscriptions/%d/poll" % sub, body, token)
    assert status == 200, answer
    return answer


def test_events_are_pushed_and_retried(node):
    """REQ: Y3059-7-0d: a state change reaches a subscriber, signed, after the subscriber failed, and after the registry was killed."""
    sub = add(node, "subscriptions", {"name": "all", "method": "push", "url": node.receiver.url, "events": ["vulnerability"]}, node.agency)
    path = "/v1/subscriptions/%d" % sub["id"]
    vulnerability(node, "V-1")
    told(node, ["V-1"])
    assert set(node.receiver.types) == {"application/secevent+jwt"}
    node.receiver.answers += [503, 503]
    vulnerability(node, "V-2")
    told(node, ["V-2"])
    node.receiver.answers += [400, 400, 400]
    vulnerability(node, "V-3")
    dead = until(lambda: node.call("GET", path + "/dead-letters", token=node.agency)[1]["items"])
    assert len(dead) == 1 and dead[0]["why"] == "answered 400: invalid_key: no such key"
    assert "V-3" not in subjects(node, node.receiver.tokens)
    assert node.call("POST", path + "/redeliver", token=node.agency)[0] == 202
    told(node, ["V-3"])
    assert until(lambda: node.call("GET", path + "/dead-letters", token=node.agency)[1]["items"] == [])
    node.change("UPDATE subscription SET paused = 1")
    for n in range(4, 9):
        vulnerability(node, "V-%d" % n)
    node.process.kill()
    node.change("UPDATE subscription SET paused = 0")
    node.start_api()
    told(node, ["V-%d" % n for n in range(1, 9)])


def test_poll_until_acknowledged(node):
    """REQ: Y3059-9.4-ii: events one by one, and many at once; what is not acknowledged comes again."""
    sub = add(node, "subscriptions", {"name": "poll", "method": "poll", "events": ["vulnerability"], "make": "Polled"}, node.agency)["id"]
    for n in range(3):
        vulnerability(node, "P-%d" % n, "Polled")
    vulnerability(node, "P-other", "Other")
    all_of = poll(node, sub, node.agency)
    assert subjects(node, all_of["sets"].values()) == ["P-0", "P-1", "P-2"] and not all_of["moreAvailable"]
    one = poll(node, sub, node.agency, maxEvents=1)
    assert subjects(node, one["sets"].values()) == ["P-0"] and one["moreAvailable"]
    jtis = list(all_of["sets"])
    rest = poll(node, sub, node.agency, ack=[jtis[1], "IN1-999-1", "x"])
    assert list(rest["sets"]) == [jtis[0], jtis[2]]
    rest = poll(node, sub, node.agency, ack=[jtis[0]], setErrs={jtis[2]: {"err": "invalid_key", "description": "?"}})
    assert rest["sets"] == {}
    dead = node.call("GET", "/v1/subscriptions/%d/dead-letters" % sub, token=node.agency)[1]["items"]
    assert [(one["jti"], one["why"]) for one in dead] == [(jtis[2], "invalid_key")]
    vulnerability(node, "P-3", "Polled")
    assert subjects(node, poll(node, sub, node.agency)["sets"].values()) == ["P-3"]


def test_each_sees_what_it_may(node):
    """REQ: TEC-3.1-10, Y3059-9.4-i-a: a maker is told of what was forwarded to it, and not of others'; strangers are told nothing."""
    tokens, subs = {}, {}
    for name in ("Mine", "Theirs"):
        maker = add(node, "makers", {"name": name}, node.admin)["id"]
        tokens[name] = node.token("maker", maker)
        subs[name] = add(node, "subscriptions", {"name": "s", "method": "poll"}, tokens[name])["id"]
    one = vulnerability(node, "M-1", "Mine", None)
    assert poll(node, subs["Mine"], tokens["Mine"])["sets"] == {}
    assert set_state(node, one["id"], "confirmed") == 200  # and so forwarded to the maker
    assert set(subjects(node, poll(node, subs["Mine"], tokens["Mine"])["sets"].values())) == {"M-1"}
    assert poll(node, subs["Theirs"], tokens["Theirs"])["sets"] == {}
    assert node.call("POST", "/v1/subscriptions/%d/poll" % subs["Mine"], {}, tokens["Theirs"])[0] == 404
    assert node.call("GET", "/v1/subscriptions/%d" % subs["Mine"], token=tokens["Theirs"])[0] == 404
    assert node.call("POST", "/v1/subscriptions/%d/poll" % subs["Mine"], {})[0] == 401
    for bad in ({"ack": "x"}, {"ack": [1]}, {"maxEvents": -1}, {"setErrs": []}, {"setErrs": {"x": 1}}, {"setErrs": {"x": {}}}, [], "x"):
        assert node.call("POST", "/v1/subscriptions/%d/poll" % subs["Mine"], json.dumps(bad), tokens["Mine"])[0] in (400, 422), bad
    for bad in ({"name": "x", "method": "push"}, {"name": "x", "method": "push", "url": "http://example.net/"},
                {"name": "x", "method": "poll", "events": ["gossip"]}, {"name": "x", "method": "poll", "url": "https://example.net/"}):
        assert node.call("POST", "/v1/subscriptions", bad, node.agency)[0] == 422, bad


def test_loopback_is_refused(node):
    """The address is looked at when the connection is made."""
    node.process.kill()
    node.private = False
    node.start_api()
    sub = add(node, "subscriptions", {"name": "inside", "method": "push", "url": node.receiver.url}, node.agency)["id"]
    vulnerability(node, "L-1")
    dead = until(lambda: node.call("GET", "/v1/subscriptions/%d/dead-letters" % sub, token=node.agency)[1]["items"])
    assert dead and "webhook-private" in dead[0]["why"]
    assert "L-1" not in subjects(node, node.receiver.tokens)
