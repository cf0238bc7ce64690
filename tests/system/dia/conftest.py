# SPDX-License-Identifier: Apache-2.0
"""Where things are, and what every test of this folder starts: diatool, and freeDiameterd on free loopback ports."""
import os
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests"))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))


def built(path):
    """A product of the build tree."""
    full = os.path.join(BUILD, path)
    assert os.path.exists(full), f"{full}: not built (make check-programs?)"
    return full


def run_diatool(mode, lines=""):
    """(name, rest) of each line diatool prints."""
    out = subprocess.run([built("tests/system/dia/diatool"), mode], input=lines, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return [tuple(line.split(" ", 1)) for line in out.stdout.splitlines()]


@pytest.fixture(scope="session")
def encoded():
    """Messages with every AVP as lib/dia writes them: name -> octets."""
    return {name: bytes.fromhex(octets) for name, octets in run_diatool("encode")}
