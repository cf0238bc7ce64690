# SPDX-License-Identifier: Apache-2.0
"""One PostgreSQL server for the whole folder."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", ".."), os.path.join(HERE, "..", "zh")]

from peers.servers import Postgres  # noqa: E402


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    server = Postgres(tmp_path_factory.mktemp("pg"))
    yield server
    server.close()
