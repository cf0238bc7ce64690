# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: every role ends with status 0 and soon, while its peers live, time after time; also when a peer hangs."""
import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests")]

from lab.process import free_port, port_open, wait_until  # noqa: E402
from lab.realm import Realm  # noqa: E402
from peers.waiting import PATIENCE, until  # noqa: E402

LONG = 20  # [s] freeDiameter takes 24 when a peer hangs; the limit itself is 4.5


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    with Realm(str(tmp_path_factory.mktemp("end"))) as one:
        one.start()
        yield one


def end(realm, node):
    process = realm.nodes[node]
    process.signal(signal.SIGTERM)
    wait_until(lambda: not process.alive(), LONG, node + " ends")
    return process.exit_code()


START = {"hss": Realm.start_hss, "bsf": Realm.start_bsf, "agent": Realm.start_agent}


AS_NOBODY = "import os, sys; sys.path.insert(0, sys.argv[1]); from lab.process import LoopbackBlock;" \
            "os.setgroups([]); os.setgid(65534); os.setuid(65534); LoopbackBlock()"


@pytest.mark.skipif(os.getuid() != 0, reason="somebody else already")
def test_without_root_the_way_is_told():
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as first:
        all_may = int(first.read()) <= 9
    done = subprocess.run(["/usr/bin/python3", "-c", AS_NOBODY, "tools"], cwd=TOP, capture_output=True, text=True, check=False)
    if all_may:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1 and "root is needed" in done.stderr and "unshare -rn" in done.stderr, done.stderr


TELL_AND_WAIT = "import sys, time; sys.path.insert(0, sys.argv[1]); from lab.process import way_in; print(way_in(), flush=True); time.sleep(600)"


@pytest.mark.skipif(os.system("unshare -rn true 2>/dev/null") != 0, reason="no user and network namespaces here")
def test_a_laboratory_with_a_network_of_its_own_tells_the_way_in():
    with subprocess.Popen(["unshare", "-rn", "/usr/bin/python3", "-c", TELL_AND_WAIT, "tools"], cwd=TOP, stdout=subprocess.PIPE,
                          text=True) as inside:
        try:
            entered = subprocess.run(inside.stdout.readline().split() + ["readlink", "/proc/self/ns/net"], capture_output=True, text=True,
                                     check=False)
            assert entered.stdout.strip() == os.readlink("/proc/%d/ns/net" % inside.pid) != os.readlink("/proc/self/ns/net"), entered
        finally:
            inside.kill()


def test_the_application_answers_on_a_full_disk():
    port = free_port()
    with subprocess.Popen(["/usr/bin/python3", "tools/lab/app.py", "127.0.0.1", str(port), "/dev/full"], cwd=TOP) as app:
        try:
            assert until(lambda: port_open("127.0.0.1", port))
            asked = urllib.request.Request("http://127.0.0.1:%d/" % port, headers={"X-3GPP-Asserted-Identity": '"sip:a@b.example", "tel:+1"'})
            with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                assert json.load(answer)["hello"] == "sip:a@b.example, tel:+1"
        finally:
            app.kill()


TAKEN = "ip link set lo up && exec /usr/bin/python3 -c 'import socket, subprocess, sys; s = socket.socket(); s.bind((\"0.0.0.0\", 3868));" \
        " s.listen(); sys.exit(subprocess.run(sys.argv[1:]).returncode)' /usr/bin/python3 tools/gba-lab --quiet --state \"$0\""


@pytest.mark.skipif(os.system("unshare -rn true 2>/dev/null") != 0, reason="no user and network namespaces here")
def test_a_port_that_is_taken_is_named(tmp_path):
    done = subprocess.run(["unshare", "-rn", "sh", "-c", TAKEN, str(tmp_path / "s")], cwd=TOP, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 1 and "Address already in use" in done.stderr, done.stdout + done.stderr


def test_each_role_ends_five_times_while_its_peers_live(realm):
    # REQ: Y3056-8.2-1
    for _ in range(5):
        for node in START:
            assert end(realm, node) == 0, realm.nodes[node].log_text()[-2000:]
            START[node](realm)
        realm.wait_connected()


def test_all_together_end(realm):
    for node in START:
        realm.nodes[node].signal(signal.SIGTERM)
    assert [end(realm, node) for node in START] == [0, 0, 0]
    for node in START:
        START[node](realm)
    realm.wait_connected()


def test_a_hanging_peer_holds_nobody_up(realm):
    realm.nodes["hss"].signal(signal.SIGSTOP)
    try:
        assert end(realm, "bsf") == 0
    finally:
        realm.nodes["hss"].signal(signal.SIGCONT)
