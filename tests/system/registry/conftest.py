# SPDX-License-Identifier: Apache-2.0
"""A registry of its own in a realm's folder, without the realm's other nodes."""
import pytest
from registrylab import RegistryRealm


@pytest.fixture
def node(tmp_path):
    with RegistryRealm(tmp_path / "realm", trace=False) as realm:
        yield realm
