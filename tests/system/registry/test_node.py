# SPDX-License-Identifier: Apache-2.0
"""registry_fn.fdx as a process: it starts, says what it is, ends, and refuses to start over another registry's records."""
import os
import stat

import pytest
from registrylab import RegistryRealm

from lab.process import Process
from peers.waiting import page, until


def refusal(node, **conf):
    """What a start that must fail says."""
    process = Process("registry", [node.tree.program("freeDiameterd"), "-c", node.registry_daemon(**conf)], node.path("refused.out"),
                      env=node.tree.environment()).start()
    assert until(lambda: not process.alive())
    return [line for line in node.registry_log().splitlines() if " registry.start " in line][-1]


@pytest.mark.parametrize("reg_type", ["primary", "sectoral", "geographical"])
def test_one_binary_in_each_of_the_three_roles(node, reg_type):
    """REQ: Y3059-6.1-8, Y3059-9.1-ii: the type is set at set-up and enforced afterwards."""
    node.start_registry(reg_type=reg_type)
    assert until(lambda: page("http://%s:9100/readyz" % node.address("registry"))[0] == 200)
    assert "%s registry IN1" % reg_type in node.registry_log()
    assert until(lambda: "registry.store.warm" in node.registry_log())
    node.nodes["registry"].kill()
    other = "sectoral" if reg_type == "primary" else "primary"
    assert "not the one the database was made with" in refusal(node, reg_type=other)


def test_records_of_another_registry_and_lost_keys_are_refused(node):
    node.start_registry()
    for name in ("registry.kek", "registry.key", "registry.db"):
        assert stat.S_IMODE(os.stat(node.path(name)).st_mode) == 0o600
    node.nodes["registry"].kill()
    assert "reg-id, reg-type: not the one" in refusal(node, reg_id="IN2")
    for name in ("registry.kek", "registry.key"):
        os.rename(node.path(name), node.path("kept"))
        assert "%s: not found" % node.path(name) in refusal(node)
        os.rename(node.path("kept"), node.path(name))
    with open(node.path("registry.key"), "w", encoding="ascii") as key:
        key.write("11" * 32 + "\n")
    assert "registry.key: not the one the database was made with" in refusal(node)


@pytest.mark.parametrize("conf,said", [
    ({"reg_id": "in1"}, 'reg-id: "in1" is not valid'), ({"reg_id": "IN-1"}, "is not valid"), ({"reg_id": ""}, "reg-id"),
    ({"reg_id": "A" * 33}, "reg-id"), ({"parent": "I N"}, "parent: I N is no RegID"), ({"parent": "IN1"}, "is this registry itself"),
    ({"reg_type": "national"}, "reg-type"), ({"extra": "no-such-item = 1;\n"}, "no such item")])
def test_a_bad_configuration_is_named(tmp_path, conf, said):
    """REQ: Y3059-9.1-i: RegIDs are of A-Z and 0-9."""
    with RegistryRealm(tmp_path / "realm", trace=False) as node:
        done = node.run("gba-registry", "--check-config", node.registry_conf(**conf))
        assert done.returncode == 1 and said in done.stderr


@pytest.mark.parametrize("reg_id", ["I", "IN", "IN1", "356", "Z" * 32])
def test_a_regid_may_be_of_any_length(tmp_path, reg_id):
    """REQ: Y3059-9.1-i, Y3059-9.1-i-n: country codes and others known from elsewhere are good, too."""
    with RegistryRealm(tmp_path / "realm", trace=False) as node:
        done = node.run("gba-registry", "--check-config", node.registry_conf(reg_id=reg_id, parent="", reg_type="geographical"))
        assert done.returncode == 0, done.stderr
