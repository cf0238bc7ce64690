# SPDX-License-Identifier: Apache-2.0
"""The samples and commands of doc/ work as they stand there."""
import os
import re
import shutil
import subprocess

import pytest

from lab.realm import Tree

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SAMPLES = [("gba-bsf", "bsf.conf"), ("gba-hss", "hss.conf"), ("gba-naf-agent", "naf.conf"), ("gba-naf-proxy", "naf-proxy.conf"),
           ("gba-registry", "registry.conf"), ("gba-naf-oidc", "naf-oidc.conf"), ("gba-naf-mqtt", "naf-mqtt.conf"), ("gba-guard", "guard.conf")]


def run(tree, program, *args, **more):
    return subprocess.run([tree.program(program), *args], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, **tree.environment()), **more)


@pytest.mark.parametrize("program,sample", SAMPLES)
def test_sample_is_good(program, sample):
    done = run(Tree(), program, "--check-config", os.path.join(TOP, "doc", "samples", sample))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", [program for program, _ in SAMPLES])
def test_a_mistake_is_named_with_file_line_and_item(program, tmp_path):
    conf = tmp_path / "wrong.conf"
    conf.write_text('log-level = "info";\nno-such-item = 1;\n')
    done = run(Tree(), program, "--check-config", str(conf))
    assert done.returncode == 1
    assert "%s:2: no-such-item: no such item" % conf in done.stderr


@pytest.mark.parametrize("text,says", [
    ('listen = [ "localhost" ];', '%s:1: listen: "localhost" is not valid'), ('listen = [ "127.0.0.1:3868" ];', '"127.0.0.1:3868" is not valid'),
    ('peers = ( { identity = "a.b"; commands = [ "XYZ" ]; } );', 'peers: a.b: commands: "XYZ" is no name known here and no number'),
    ('peers = ( { identity = "a.b"; applications = [ "4294967296" ]; } );', '"4294967296" is no name known here and no number'),
    ('peers = ( { identity = "a.b"; applications = [ "-1" ]; } );', '"-1" is no name known here and no number'),
    ('peers = ( { identity = "a.b"; applications = [ %s ]; } );' % ", ".join('"%d"' % n for n in range(17)),
     "peers: a.b: applications: more than 16"),
    ('cer-timeout = 0;', "%s:1: cer-timeout: 0 is not allowed (1..20 s)"), ('peers = ( { } );', "identity: missing")])
def test_a_mistake_of_the_guards_configuration_is_named(text, says, tmp_path):
    conf = tmp_path / "guard.conf"
    conf.write_text(text + "\n")
    done = run(Tree(), "gba-guard", "--check-config", str(conf))
    assert done.returncode == 1 and says.replace("%s", str(conf)) in done.stderr, done.stderr


def test_names_the_guard_knows(tmp_path):
    conf = tmp_path / "guard.conf"
    conf.write_text('listen = [ "::1", "10.1.2.3" ];\npeers = ( { identity = "a.b"; applications = [ "zh", "ZN", "rpa", "Reg", "4294967295" ];'
                    ' commands = [ "mar", "303" ]; } );\n')
    done = run(Tree(), "gba-guard", "--show-config", str(conf))
    assert done.returncode == 0 and "4294967295" in done.stdout, done.stderr
    assert "gba_guard.fdx" in run(Tree(), "gba-guard").stderr  # it is none that runs by itself


@pytest.mark.parametrize("address", ["port", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "::1:80", "[::1]80"])
@pytest.mark.parametrize("program,sample,item", [("gba-bsf", "bsf.conf", "metrics-listen"), ("gba-hss", "hss.conf", "metrics-listen"),
                                                 ("gba-bsf", "bsf.conf", "listen")])
def test_an_address_that_is_none_is_named(program, sample, item, address, tmp_path):
    with open(os.path.join(TOP, "doc", "samples", sample), encoding="utf-8") as text:
        lines = [re.sub(r'{ listen = "[^"]*"', '{ listen = "%s"' % address, line) if item == "listen" else line
                 for line in text if not line.startswith("metrics-listen")]
    conf = tmp_path / "wrong.conf"
    conf.write_text("".join(lines) + ('metrics-listen = "%s";\n' % address if item != "listen" else ""))
    done = run(Tree(), program, "--check-config", str(conf))
    assert done.returncode == 1 and '%s: "%s" is not valid' % (item, address) in done.stderr


@pytest.mark.parametrize("program", [program for program, _ in SAMPLES])
def test_a_folder_is_no_configuration(program, tmp_path):
    done = run(Tree(), program, "--check-config", str(tmp_path))
    assert done.returncode == 1 and "Is a directory" in done.stderr


@pytest.mark.parametrize("program", [program for program, _ in SAMPLES] + ["gba-ue", "gba-ctl"])
def test_help_and_version(program):
    for option in ("--help", "--version"):
        done = run(Tree(), program, option)
        assert done.returncode == 0 and done.stdout.strip(), (program, option, done.stderr)
    assert "0.1.0" in done.stdout
    assert run(Tree(), program, "--no-such-option").returncode == 2


@pytest.mark.parametrize("command", ["run-lab", "run-tests"])
def test_a_path_that_cannot_be_built_in_is_named_at_once(command, tmp_path):
    top = tmp_path / "with blanks"
    (top / "tools").mkdir(parents=True)
    for name in (command, "tools/prepare.sh"):
        shutil.copy(os.path.join(TOP, name), top / name)
    done = subprocess.run([str(top / command)], capture_output=True, text=True, timeout=120, check=False,
                          env={name: value for name, value in os.environ.items() if name != "GBA_BUILD"})
    assert done.returncode == 69 and str(top) in done.stderr and os.listdir(top / "tools") == ["prepare.sh"]


def test_commands_of_the_operators_guide(tmp_path):
    (tmp_path / "k.hex").write_text("465b5ce8b199b49faa5f0a2ee238a6bc\n")
    (tmp_path / "opc.hex").write_text("cd63cb71954a9f4e48a5994e37a02baf\n")
    (tmp_path / "subscribers.csv").write_text("imsi,ki,opc\n001010000000002,%s,%s\n" % ("11" * 16, "22" * 16))
    with open(os.path.join(TOP, "doc", "operator-guide.md"), encoding="utf-8") as guide:
        commands = [line.split() for line in guide if line.startswith("gba-ctl --db hss.db ")]  # others need more of a node
    assert len(commands) >= 3
    said = ""
    for command in commands:
        done = run(Tree(), command[0], *command[1:], cwd=tmp_path)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said += done.stdout
    assert "001010000000001@ims.mnc001.mcc001.3gppnetwork.org" in said


@pytest.mark.parametrize("unit", ["gba-hss", "gba-bsf", "gba-naf-agent", "gba-naf-proxy", "gba-registry", "gba-naf-coap", "gba-naf-oidc"])
def test_unit_restarts_on_every_exit(unit):
    with open(os.path.join(TOP, "doc", "systemd", unit + ".service"), encoding="utf-8") as text:
        lines = text.read().splitlines()
    assert "Restart=always" in lines and "LimitCORE=0" in lines and "NoNewPrivileges=yes" in lines
