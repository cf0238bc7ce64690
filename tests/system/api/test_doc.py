# SPDX-License-Identifier: Apache-2.0
"""Every example of doc/api.md, as a person would run them: one shell, curl, jq, openssl."""
import os
import re
import subprocess

import apilab


def test_the_page_is_true(tmp_path):
    """REQ: Y3056-10.1-3a, Y3056-9.2.2-6, Y3056-7.5-2"""
    with open(os.path.join(apilab.TOP, "doc/api.md"), encoding="utf-8") as page:
        examples = re.findall(r"^```sh\n(.*?)^```", page.read(), re.M | re.S)
    assert len(examples) >= 8
    one = apilab.Api(tmp_path / "node")
    impi = one.subscriber("asha@lab.test")
    one.start()
    try:
        script = "set -eux -o pipefail\n" + "".join(examples)
        environment = dict(os.environ, API="https://localhost:%d" % one.port, INVITATION=one.invite(), IMPI=impi,
                           CURL_CA_BUNDLE=one.server_pem)
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180,
                              check=False)
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
        for folder in ("fabrics", "asha"):
            apilab.wait_until(lambda: os.path.isdir(os.path.join(one.drop, folder)), "a letter in " + folder)
    finally:
        assert one.stop()
