# SPDX-License-Identifier: Apache-2.0
"""gba-bsf --check-config: the sample is good, and a mistake is named with file, line and item."""
import os
import subprocess

import pytest

from peers.bsf_node import TOP, Tree

SAMPLE = os.path.join(TOP, "doc", "samples", "bsf.conf")


def check(path, **env):
    tree = Tree(os.environ.get("GBA_BUILD") or os.path.join(TOP, "build"))
    return subprocess.run([tree.program("gba-bsf"), "--check-config", path], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, **tree.environment(), **env))


def test_sample_is_good():
    done = check(SAMPLE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("old,new,said", [
    ("key-lifetime = 86400", "key-lifetime = 0", "key-lifetime"),
    ("key-lifetime = 86400", "key-lifetimes = 86400", "key-lifetimes"),
    ('store-sync = "full"', 'store-sync = "fast"', "store-sync"),
    ('"0100000007"', '"01000007"', "ua-protocols"),
    ('gsids = [ "1000000" ]', 'gsids = [ "one" ]', "gsids"),
    ('"*.iot.asp.example"', '"*iot.asp.example"', "fqdns"),
    ('identity = "portal.operator.example"', 'identity = "naf.asp.example"', "naf.asp.example"),
    ('name = "bsf.mnc001', '# name = "bsf.mnc001', "name"),
    ("uss-required = true", 'uss-required = "yes"', "uss-required"),
    ('gsids = [ "*" ];\n', "\n", "uss-required"),
    ('{ listen = "127.0.0.1:8080"; }', '{ listen = "127.0.0.1:8080"; tls-key = "k.pem"; }', "tls-cert"),
    ('{ listen = "127.0.0.1:8080"; }', "", "ub"),
    ('store-sync = "full";', 'store-sync = "full"; gba-2g = true; digest = "akav2";', "gba-2g"),
    ('store-sync = "full";', 'store-sync = "full"; ub-paths = [ "no-slash" ];', "ub-paths"),
    ('store-sync = "full";', 'store-sync = "full"; sim-only = [ "@" ];', "sim-only"),
])
def test_mistake_is_named(tmp_path, old, new, said):
    text = open(SAMPLE, encoding="utf-8").read()
    assert old in text
    path = tmp_path / "bsf.conf"
    path.write_text(text.replace(old, new), encoding="utf-8")
    done = check(str(path))
    assert done.returncode == 1 and said in done.stderr and done.stdout == ""


def test_environment_wins():
    assert check(SAMPLE, GBA_BSF_KEY_LIFETIME="60").returncode == 0
    assert "GBA_BSF_KEY_LIFETIME" in check(SAMPLE, GBA_BSF_KEY_LIFETIME="x").stderr
