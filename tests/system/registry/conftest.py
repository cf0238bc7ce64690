# SPDX-License-Identifier: Apache-2.0
"""A registry of its own in a realm's folder, without the realm's other nodes."""
import pytest
from registrylab import RegistryRealm


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request):
    """What the registry of the module keeps its records on: None, a file; or the folder's server."""
    return request.getfixturevalue("postgres") if request.param == "postgresql" else None


@pytest.fixture
def node(tmp_path):
    with RegistryRealm(tmp_path / "realm", trace=False) as realm:
        yield realm
