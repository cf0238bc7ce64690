# SPDX-License-Identifier: Apache-2.0
"""Two complete operators on loopback, started once for the folder; a test has devices of its own."""
import itertools
import os
import sys

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.path.insert(0, os.path.join(TOP, "tests"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from changing import Asymmetric, Symmetric  # noqa: E402
from lab.operators import two_operators  # noqa: E402
from lab.realm import Tree  # noqa: E402

TREE = Tree(os.environ.get("GBA_BUILD") or os.path.join(TOP, "build"))
INDEX = itertools.count(1)


@pytest.fixture(scope="session")
def operators(tmp_path_factory):
    old, new = two_operators(str(tmp_path_factory.mktemp("operators")), tree=TREE)
    with old, new:
        for operator in (old, new):
            operator.start()
        for operator in (old, new):
            operator.wait_connected()
        yield old, new


@pytest.fixture
def traveller(operators):
    """A device of the old operator with a token there."""
    device = Symmetric.device(operators[0], next(INDEX))
    device.bootstrap()
    return device


@pytest.fixture
def certified(operators):
    """The same with a certificate instead of a USIM."""
    device = Asymmetric.device(operators[0], next(INDEX))
    device.bootstrap()
    return device


@pytest.fixture(params=[Symmetric, Asymmetric], ids=lambda how: how.kind)
def how(request):
    return request.param


@pytest.fixture
def mover(operators, how):
    """A device of either kind."""
    device = how.device(operators[0], next(INDEX))
    device.bootstrap()
    return device
