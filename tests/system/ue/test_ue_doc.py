# SPDX-License-Identifier: Apache-2.0
"""What is written is true: every example of doc/ue.md runs, --help and the manual page know the same options."""
import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest

from conftest import BSF, EXAMPLE, IMPI, K, NAF, OPC, TOP, Ue
from peers.fake_bsf import FakeBsf
from peers.fake_naf import FakeNaf
from test_ue_coap import Server
from test_ue_ua import UA_13, btid_of, openssl_server, session_of

RAND = bytes.fromhex(EXAMPLE["input"]["rand"])
PAGE = open(os.path.join(TOP, "doc", "ue.md"), encoding="utf-8").read()
MANUAL = os.path.join(TOP, "doc", "man", "gba-ue.1")


def examples(page=PAGE):
    """(command, lines it must print at least) as they stand on the page."""
    found = []
    for line in page.splitlines():
        if line.startswith("    $ "):
            found.append((line[6:], []))
        elif line.startswith("    ") and found:
            found[-1][1].append(line.strip())
    return found


def test_examples_of_the_page(tmp_path):
    (tmp_path / "keys").write_text("k=%s\nopc=%s\n" % (K, OPC))
    ue = Ue(tmp_path / "state")
    with FakeBsf(BSF) as bsf, openssl_server(session_of(RAND).ks_naf(NAF, UA_13), "-tls1_3", "-psk_identity",
                                             "3GPP-bootstrapping;" + btid_of(RAND)) as psk, FakeNaf(NAF, bsf) as naf:
        bsf.add(IMPI, K, OPC)
        bsf.rands = [RAND]
        count = 0
        for command, output in examples():
            words = shlex.split(command)
            assert words.pop(0) == "gba-ue"
            if "coaps://" in command:
                coap_example(ue, words)
                count += 1
                continue
            address = psk.address if "--psk" in words else naf.address
            words += {"get": ["--connect", address], "proxy": ["--connect", address]}.get(words[0] if words[0] != "--json" else words[1], [])
            words += ["--connect", bsf.address] if words[:2] == ["profile", "add"] else []
            if words[:2] == ["token", "key"]:
                ue.json("profile", "use", "home")
                ue.json("bootstrap")
            run_one(ue, words, output, tmp_path)
            count += 1
        assert count >= 15


def coap_example(ue, words):
    """Where libcoap and its server are installed."""
    if shutil.which("coap-server-openssl") and b"built without" not in ue.run("get", "--digest", "coaps://%s/" % NAF).stderr:
        with Server("coap-server-openssl", session_of(RAND).ks_naf(NAF, "010001ccac"), "3GPP-bootstrapping") as coap:
            done = ue.run(*words, "--connect", coap.address)
        assert done.returncode == 0, (words, done)


def run_one(ue, words, output, folder):
    process = subprocess.Popen(ue.command(*words), cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if words[0] == "proxy":
        assert b"listening" in process.stdout.readline(), words
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (words, out, err)
    for line in output:
        assert line in out.decode().splitlines(), (words, out)


def help_text(*words):
    done = subprocess.run([Ue("unused").program, *words, "--help"], capture_output=True, check=True)
    return done.stdout.decode()


def commands():
    return [re.split(r"\s{2,}", line.strip())[0] for line in help_text().split("Commands")[1].split("Everywhere")[0].splitlines()[1:]
            if line.startswith("  ")]


def options(text):
    return {option for row in re.findall(r"^  ((?:-\w, )?-[\w.-]+)", text, re.M) for option in row.split(", ")}


def test_manual_page_is_clean():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MANUAL], capture_output=True)
    assert done.returncode == 0, done.stdout


def test_manual_page_and_help_know_the_same_options():
    manual = subprocess.run(["mandoc", "-T", "ascii", MANUAL], capture_output=True, check=True).stdout.decode()
    manual = re.sub(r".\x08", "", manual)
    assert len(commands()) >= 17
    seen = set()
    for command in commands():
        words = [word for word in command.split() if word.islower()]
        for word in words:
            assert re.search(r"\b%s\b" % word, manual), word
        seen |= options(help_text(*words))
    assert len(seen) > 35
    for option in seen:
        assert re.search(r"(?<![\w-])%s(?![\w.-]*\w)" % re.escape(option), manual), "%s is not in the manual" % option
    for option in set(re.findall(r"(?<![\w-])--[\w.-]*\w", manual)):
        assert option in seen, "%s is not in --help" % option


@pytest.mark.parametrize("args", [[], ["nonsense"], ["usim"], ["usim", "nonsense"], ["bootstrap", "extra"], ["get"], ["get", "a", "b"],
                                 ["bootstrap", "--nonsense"], ["bootstrap", "--timeout"], ["bootstrap", "--timeout", "0"],
                                 ["bootstrap", "--timeout", "x"], ["bootstrap", "--force=1"], ["--log-level", "loud", "profile", "list"],
                                 ["get", "ftp://x/"], ["get", "--psk", "--digest", "http://x/"], ["token", "key", "no host"],
                                 ["usim", "create"], ["usim", "create", "--imsi", "12", "--k", "0" * 32, "--opc", "0" * 32],
                                 ["usim", "create", "--imsi", "001010000000001", "--k", "0" * 31, "--opc", "0" * 32],
                                 ["usim", "create", "--imsi", "001010000000001", "--k", "0" * 32],
                                 ["usim", "create", "--imsi", "001010000000001", "--k", "0" * 32, "--opc", "0" * 32, "--op", "0" * 32],
                                 ["usim", "create", "--imsi", "001010000000001", "--k", "0" * 32, "--opc", "0" * 32, "--res-len", "9"],
                                 ["usim", "create", "../x", "--imsi", "001010000000001", "--k", "0" * 32, "--opc", "0" * 32],
                                 ["profile", "add", "x"], ["profile", "add", "x", "--bsf", "a b"]])
def test_wrong_use_is_told(ue, args):
    done = ue.run(*args)
    assert done.returncode == 2 and done.stderr.startswith(b"gba-ue: ") and not done.stdout, done


@pytest.mark.parametrize("args", [["usim", "show"], ["usim", "show", "other"], ["profile", "use", "x"], ["token", "show"], ["bootstrap"]])
def test_what_is_not_there(ue, args):
    # REQ: OBF-7.1.1-3
    assert ue.json(*args, status=3)["error"] == "GBA_E_NOT_FOUND"


def test_usim_life(ue):
    """Keys are printed on demand only, and a name is given once."""
    create = ["usim", "create", "--imsi", "001010000000001", "--k", K, "--op", EXAMPLE["input"]["op"]]
    shown = ue.json(*create)
    assert K not in str(shown) and OPC not in str(shown)
    assert ue.json(*create, status=1)["error"] == "GBA_E_EXISTS"
    assert OPC not in str(ue.json("usim", "show"))
    assert ue.json("usim", "show", "--reveal")["opc"] == OPC
    assert ue.json("usim", "set", "--sqn", "000000001021")["sqn-ms"] == "000000001021"
    assert ue.json("usim", "set", "--sqn", "000000002000", "--ind", "3")["sqn-ms"] == "000000002003"
    assert ue.json("usim", "set", "--gba-u", "on")["gba-u"] is True
    assert ue.json("usim", "list") == [{"usim": "default"}]
    ue.json("usim", "remove", "default")
    assert ue.json("usim", "list") == []


def test_version():
    done = subprocess.run([Ue("unused").program, "--version"], capture_output=True, check=True)
    assert re.fullmatch(rb"gba-ue \(gba-suite\) \d+\.\d+\.\d+\n", done.stdout)


def test_state_folder_of_the_environment(tmp_path):
    program = Ue("unused").program
    for variable, folder in (("GBA_UE_STATE", tmp_path / "a"), ("XDG_STATE_HOME", tmp_path / "b"), ("HOME", tmp_path / "c")):
        environment = {name: value for name, value in os.environ.items() if name not in ("GBA_UE_STATE", "XDG_STATE_HOME", "HOME")}
        environment[variable] = str(folder)
        subprocess.run([program, "profile", "add", "x", "--bsf", BSF], env=environment, check=True, capture_output=True)
    assert (tmp_path / "a" / "kek").exists() and (tmp_path / "b" / "gba-ue" / "kek").exists()
    assert (tmp_path / "c" / ".local" / "state" / "gba-ue" / "profiles.json").exists()
