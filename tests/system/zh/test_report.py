# SPDX-License-Identifier: Apache-2.0
"""Token-Report at the HSS, from a stand-in for a BSF: kept whole or not at all, and only of users that this BSF may ask for."""
import hashlib
import json
import time

import pytest
import zhlab
from peers import y3056 as y
from zhlab import BSF, BSF2, STRANGER, d

NAF, ENTRY = "naf.asp.test", 34
DIGEST = hashlib.sha256(b"token@bsf.lab.test").hexdigest()
NOW = int(time.time())


@pytest.fixture(scope="module")
def hss(tmp_path_factory):
    one = zhlab.Node(tmp_path_factory.mktemp("report"), start=False, apps=(d.ZH, y.RPB))
    zhlab.fill(one)
    one.start()
    yield one
    one.stop()


def entry(digest=DIGEST, made=NOW, expires=NOW + 3600, application=NAF, user="alice@lab.test"):
    return "%s %s %s %s %s" % (digest, made, expires, application, user)


def report(node, entries, host=BSF):
    with node.peer(host) as peer:
        avps = peer.header_avps(y.RPB, zhlab.REALM) + [y.our(ENTRY, one) for one in entries]
        return peer.request(d.Message(y.TRR, y.RPB, avps))


def tokens(node):
    return [json.loads(line) for line in node.ctl("token", "list", "--json").splitlines()]


def runs(node):
    return [json.loads(line) for line in node.ctl("bootstrapping", "list", "--json").splitlines()]


def test_a_report_is_kept_before_it_is_answered(hss):
    assert report(hss, [entry(), entry(digest="0" * 64, application="-")]).result() == (0, 2001)
    assert [(one["digest"], one["naf_fqdn"], one["impi"], one["bsf"]) for one in tokens(hss)] == [(DIGEST, NAF, "alice@lab.test", BSF)]
    assert [(one["impi"], one["bsf"]) for one in runs(hss)] == [("alice@lab.test", BSF)]


GOOD = entry(digest="1" * 64)
REFUSED = {
    "another BSF's user": (BSF2, [entry(digest="2" * 64)], (d.TGPP, 5402)),
    "one of them another BSF's": (BSF, [GOOD, entry(digest="3" * 64, user="carol@sub.other.test")], (d.TGPP, 5402)),
    "a peer that is no BSF": (STRANGER, [entry(digest="4" * 64)], (d.TGPP, 5402)),
    "no entry": (BSF, [], (0, 5005)),
    "65 entries": (BSF, [GOOD] * 65, (0, 5009)),
    "digest too short": (BSF, [GOOD, entry(digest="5" * 63)], (0, 5004)),
    "digest of no hex": (BSF, [entry(digest="g" * 64)], (0, 5004)),
    "a time below zero": (BSF, [entry(made=-1)], (0, 5004)),
    "a time of 13 digits": (BSF, [entry(expires="1" * 13)], (0, 5004)),
    "an application that is no name": (BSF, [entry(application="a b")], (0, 5004)),
    "a user that is none": (BSF, [entry(user="alice")], (0, 5004)),
    "a line more": (BSF, [entry() + "\n"], (0, 5004)),
    "nothing in it": (BSF, [""], (0, 5004)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(hss, name):
    host, entries, result = REFUSED[name]
    before = tokens(hss), runs(hss)
    assert report(hss, entries, host).result() == result
    assert (tokens(hss), runs(hss)) == before
