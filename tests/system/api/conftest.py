# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import apilab  # noqa: E402


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(tmp_path_factory, request):
    """One node on either database for all tests of the folder; what limits callers is so high that only its own test meets it."""
    folder = tmp_path_factory.mktemp("api")
    hook = apilab.Hook(str(folder))
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    one = apilab.Api(folder, postgres=postgres, conf='webhook-private = true;\nwebhook-retry = 50;\nwebhook-ca = "%s";\napi-open-rate = 2000;\n'
                     'api-rate = 100000;\napi-burst = 1000000;\nnaf-connect-to = "127.0.0.1";\n' % hook.pem)
    one.hook = hook
    one.start()
    yield one
    good = one.stop()
    hook.stop()
    assert good


@pytest.fixture(scope="session")
def admin(api):
    caller = api.admin()
    caller.post("/v1/realm", apilab.REALM)
    return caller
