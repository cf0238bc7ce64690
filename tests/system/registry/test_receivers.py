# SPDX-License-Identifier: Apache-2.0
"""Receivers of pushed tokens beside each other: one that takes the connection and never answers holds up nobody else, one that has
several subscriptions gets them in turn, and more of them than there are places all get theirs."""
import socket
import threading

import pytest
from telllab import TellNode
from test_tell import vulnerability

from peers.waiting import until


class Mute:
    """Accepts, and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.taken = []
        self.url = "https://127.0.0.1:%d/" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                self.taken.append(self.listener.accept()[0])
        except OSError:
            pass  # closed

    def close(self):
        self.listener.close()
        for link in self.taken:
            link.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with TellNode(tmp_path_factory.mktemp("receivers") / "realm", trace=False, server=server) as realm:
        yield realm.begin(webhook_timeout=60000, tell_receivers=2)
        realm.receiver.server.shutdown()


def happen(node, names):
    for name in names:
        vulnerability(node, name)


def got(node):
    """(path, subject) of what was received, in order. What comes twice counts once: a receiver may take it, and its answer be lost."""
    return list(dict.fromkeys((path, node.claims(token)["sub_id"]["id"])
                              for path, token in zip(list(node.receiver.paths), list(node.receiver.tokens))))


def forget(node):
    """The next test begins with no subscription, and nothing received."""
    node.change("DELETE FROM subscription")
    node.receiver.fresh()


def test_who_does_not_answer_holds_up_nobody(node):
    mute = Mute()
    held = node.subscribe(node.agency, name="mute", method="push", url=mute.url, events=["vulnerability"])
    node.subscribe(node.agency, name="good", method="push", url=node.receiver.url, events=["vulnerability"])
    names = ["M-%d" % n for n in range(20)]
    happen(node, names)
    assert until(lambda: len(got(node)) >= 20), node.registry_log()[-2000:]
    assert [subject for _, subject in got(node)] == names
    assert until(lambda: len(mute.taken) == 1)
    assert until(lambda: node.metric("gba_registry_tell_open") == 1)
    assert node.rows("SELECT tries FROM tell_state WHERE subscription = ?", held) == [(0,)]  # its first delivery is still under way
    mute.close()  # now its delivery has failed, and is tried again
    assert until(lambda: node.rows("SELECT tries FROM tell_state WHERE subscription = ?", held)[0][0] >= 1)
    forget(node)


def test_subscriptions_of_one_receiver_take_turns(node):
    for n in range(3):
        node.subscribe(node.agency, name="s%d" % n, method="push", url=node.receiver.url + "?%d" % n, events=["vulnerability"])
    names = ["T-%d" % n for n in range(8)]
    happen(node, names)
    assert until(lambda: len(got(node)) >= 24), node.registry_log()[-2000:]
    for n in range(3):
        assert [subject for path, subject in got(node) if path == "%s?%d" % (node.receiver.path, n)] == names
    assert node.receiver.most == 1  # requests at a time
    forget(node)


def test_more_receivers_than_places(node):
    """Two of them never answer: the places they take are given up and taken anew, and the third has its turn."""
    node.process.stop(20)
    node.more, node.tries = "webhook-timeout = 1500;\ntell-receivers = 2;\n", 64  # a good one that is late on a busy machine is not given up
    node.start_api()
    mutes = [Mute(), Mute()]
    for mute in mutes:
        node.subscribe(node.agency, name="mute", method="push", url=mute.url, events=["vulnerability"])
    node.subscribe(node.agency, name="good", method="push", url=node.receiver.url, events=["vulnerability"])
    names = ["P-%d" % n for n in range(5)]
    happen(node, names)
    assert until(lambda: len(got(node)) >= 5), node.registry_log()[-2000:]
    assert [subject for _, subject in got(node)] == names and until(lambda: all(mute.taken for mute in mutes))
    for mute in mutes:
        mute.close()
