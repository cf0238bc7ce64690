# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import zhlab  # noqa: E402


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A running hss-stub with the subscribers of zhlab.fill()."""
    one = zhlab.Node(tmp_path_factory.mktemp("hss"), start=False)
    zhlab.fill(one)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def fresh(tmp_path):
    """fresh(...): a node of this test alone, not started."""
    made = []

    def make(**kw):
        kw.setdefault("start", False)
        made.append(zhlab.Node(tmp_path / ("n%d" % len(made)), **kw))
        return made[-1]

    yield make
    for one in made:
        one.stop()
