# SPDX-License-Identifier: Apache-2.0
"""Two nodes with the REST API on one PostgreSQL."""
import concurrent.futures
import json

import pytest

import apilab
from peers.waiting import until


@pytest.fixture(scope="module")
def pair(tmp_path_factory, postgres):
    folder = tmp_path_factory.mktemp("pair")
    hook = apilab.Hook(str(folder))
    conf = ('webhook-private = true;\nwebhook-retry = 50;\nwebhook-ca = "%s";\nwebhook-timeout = 30000;\nnotice-lease = 10;\n' % hook.pem)
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


def ask(caller, key, reference="pair-1"):
    return caller.call("POST", "/v1/verifications", {"reference": reference, "name": "Asha Rao", "verifier": "v"}, {"Idempotency-Key": key})


def test_a_request_is_done_once_whichever_node_it_reaches(pair, admin):
    """One answer for a key: at the other node, after a restart, and for copies that arrive at both at once."""
    there = apilab.Caller(pair[1], admin.token)

    first = ask(admin, "k-1")
    assert first.status == 201 and "idempotent-replayed" not in first.headers
    for again in (ask(there, "k-1"), ask(there, "k-1")):
        assert (again.status, again.body, again.headers["idempotent-replayed"]) == (201, first.body, "true")
        assert [again.headers[name] for name in ("etag", "location", "content-type")] == \
            [first.headers[name] for name in ("etag", "location", "content-type")]
    assert ask(there, "k-1", "pair-2").status == 409
    assert ask(apilab.Caller(pair[1], pair[1].admin("another").token), "k-1").status == 409  # another's key: the record stands
    pair[1].node.kill()
    pair[1].start()
    assert ask(apilab.Caller(pair[1], admin.token), "k-1").body == first.body
    assert b"Asha Rao" not in pair[0].rows("answer") and b"pair-1" not in pair[0].rows("answer")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for i in range(6):
            answers = list(pool.map(lambda node: ask(apilab.Caller(node, admin.token), "both-%d" % i, "both-%d" % i), pair * 2))
            good = [answer for answer in answers if answer.status == 201]
            assert good and len({answer.body for answer in good}) == 1
            # one node's second worker may find the first under way
            assert all(answer.status == 201 or "under way" in answer.json()["detail"] for answer in answers), answers


def test_answers_are_kept_for_a_day_and_in_bounds(pair, admin, postgres):
    there = apilab.Caller(pair[1], admin.token)
    assert ask(admin, "day", "day").status == 201
    postgres.sql("UPDATE pair.answer SET at = at - 86401")
    assert ask(there, "day", "day").status == 409  # judged again: the record stands
    assert ask(admin, "first", "first").status == 201
    postgres.sql("SELECT setval('pair.answer_n_seq', 1000000)")
    assert ask(admin, "later", "later").status == 201
    assert ask(there, "later", "later").headers["idempotent-replayed"] == "true"
    assert postgres.sql("SELECT count(*) FROM pair.answer").stdout.strip() == "1"


def test_one_node_sends_and_another_takes_over(pair, admin):
    """Whatever both see, one sends it; when it dies the other goes on with what has not been sent."""
    hook = pair[0].hook
    _, caller = apilab.asp(admin, pair[0], names=["example"], notice_url=hook.url("/pair"))
    notices(caller, ["a%d" % i for i in range(20)])
    assert until(lambda: caller.get("/v1/notices").json()["items"] == [])
    first = told(hook)
    assert len(first) >= 20 and len(set(first)) == len(first)
    senders = until(lambda: [node for node in pair if "notice.delivered" in node.log()])
    assert len(senders) == 1
    other = pair[1 - pair.index(senders[0])]
    senders[0].node.kill()
    there = apilab.Caller(other, caller.token)
    notices(there, ["b%d" % i for i in range(5)])
    assert until(lambda: there.get("/v1/notices").json()["items"] == [])
    assert len(told(hook)) >= len(first) + 5 and len(set(told(hook))) == len(told(hook))
    senders[0].start()
