# SPDX-License-Identifier: Apache-2.0
"""One BSF for the whole folder where a test does not need its own."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from peers.bsf_node import Node, nodes_below  # noqa: E402
from peers.zn_cases import CONF  # noqa: E402


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    with Node(tmp_path_factory.mktemp("zn"), **CONF) as node:
        yield node


@pytest.fixture
def own(tmp_path):
    """own(...) starts a BSF for this test alone."""
    with nodes_below(tmp_path) as start:
        yield start
