# SPDX-License-Identifier: Apache-2.0
"""The lab's package and the peers of tests/ are importable from every system test."""
import os
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Erlang's schedulers spin while they wait: on a busy machine that costs them their turn, and a start takes 20 s instead of one.
os.environ.setdefault("ERL_FLAGS", "+S 1 +sbwt none +sbwtdcpu none +sbwtdio none")
for folder in (os.path.join(TOP, "tools"), os.path.join(TOP, "tests")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

from peers.servers import Postgres  # noqa: E402


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """One PostgreSQL server for the whole folder."""
    server = Postgres(tmp_path_factory.mktemp("pg"))
    yield server
    server.close()
