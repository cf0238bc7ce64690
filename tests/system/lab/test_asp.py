# SPDX-License-Identifier: Apache-2.0
"""gba-lab --asp KIND as a user runs it: an application of each kind, opened by the programs people have.

REQ: OBF-11.1-3, OBF-11.2-1, OBF-10.2.4-4, Y3056-10.5-1a, Y3056-10.5-3"""
import json
import os
import re
import signal
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LAB = os.path.join(TOP, "tools", "gba-lab")
sys.path.insert(0, os.path.join(TOP, "tools"))

from lab.asp import KINDS  # noqa: E402
from lab.websocket import accept_of, frame  # noqa: E402

SEEN = {  # what the last good scenario of each has to have seen, and who is in the ladder
    "http": ("sip:meter@example.com", "naf-proxy"), "ws": ("2 texts came back", "naf-proxy"), "tcp": ("47.1 came back", "naf-proxy"),
    "mqtt": ("devices/sip:meter@example.com/reading 47.2", "mqtt-broker"), "coap": ("sip:meter@example.com", "naf-coap"),
    "oidc": ("47.1, says the page, for sip:meter@example.com", "naf-oidc")}


@pytest.mark.parametrize("kind", KINDS)
def test_kind(kind, tmp_path):
    # REQ: Y3056-8.3-3
    done = subprocess.run([LAB, "--asp", kind, "--json", "--state", str(tmp_path / "s")], capture_output=True, text=True, timeout=300,
                          check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and rows[-1]["good"], done.stdout + done.stderr
    want, element = SEEN.get(kind, ("", ""))
    assert any(want in row["seen"] for row in rows[:-1])
    assert any(row["scenario"].startswith("Refused") for row in rows[:-1])
    page = (tmp_path / "s" / "ladder.html").read_text()
    assert ">%s</text>" % element in page and "Y.3056 10.4-1a" in page
    assert re.search("psk_identity|10.5-3|10.5-2c", page)


def test_kept_it_says_how_to_talk_to_it(tmp_path):
    lab = subprocess.Popen([LAB, "--asp", "ws", "--keep", "--quiet", "--state", str(tmp_path / "s")], stdout=subprocess.PIPE, text=True)
    try:
        for line in lab.stdout:
            if "/usr/bin/python3 -c" in line:
                said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True).stdout
                assert said.strip() == "hello sip:meter@example.com"
                break
        else:
            raise AssertionError("nothing was said")
    finally:
        lab.send_signal(signal.SIGTERM)
        lab.communicate(timeout=120)


def test_wrong_kind():
    done = subprocess.run([LAB, "--asp", "fax"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "http" in done.stderr


def test_websocket_peer_against_the_examples_of_its_rfc():
    """RFC 6455 1.3 and 5.7."""
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert frame(1, b"Hello", False) == bytes.fromhex("810548656c6c6f")
    assert frame(2, bytes(256), False)[:4] == bytes.fromhex("827e0100")
    assert frame(2, bytes(65536), False)[:10] == bytes.fromhex("827f0000000000010000")
