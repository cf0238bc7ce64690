# SPDX-License-Identifier: Apache-2.0
"""hss_stub.fdx through crashes, a full disk, a busy database, and what it refuses to start with."""
import json
import os
import sqlite3
import subprocess
import threading

import pytest
from zhlab import BSF, K, OP, Vector, built, card, d, fill, free_port, until

from peers.waiting import metrics_have, page


def ask_until_dead(peer, names, seen):
    """Vectors as fast as they come; each SQN noted when its answer is in."""
    usim = card()
    while True:
        batch = [(name, peer.send(d.mar(peer, name))) for name in names]
        for name, message in batch:
            while (answer := peer.wait(message, 0.5)) is None:
                if peer.closed.is_set():
                    return
            if answer.result() == (0, 2001):
                seen.append((name, Vector(answer, usim).sqn))


def test_no_sqn_twice_over_kill_9(fresh):
    """REQ: of the design: SQN is durable before a vector leaves."""
    node, names, seen = fresh(), ["s%d@lab.test" % i for i in range(4)], []
    for name in names:
        node.add(name)
    for round_ in range(5):
        node.start()
        with node.peer() as peer:
            asking = threading.Thread(target=_quiet, args=(ask_until_dead, peer, names, seen))
            asking.start()
            before = len(seen)
            assert until(lambda: len(seen) > before + 5 * (round_ + 1))
            node.kill()
            asking.join()
    assert len(seen) > 20
    assert len(set(seen)) == len(seen)
    # Each of them is on record, with who got it: the log goes on over every kill.
    assert json.loads(node.ctl("audit", "verify", "--json"))["last"] > len(seen)
    given = [json.loads(line) for line in node.ctl("audit", "show", "--json", "--act", "zh.vector", "--who", BSF).splitlines()]
    assert all(sum(a["object"] == name for a in given) >= sum(name == s for s, _ in seen) for name in names)


def _quiet(function, *args):
    try:
        function(*args)
    except OSError:
        pass  # the connection went with the daemon


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(where)], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting needs root")
    yield str(where)
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_full_disk_is_too_busy_and_heals(fresh, small_disk):
    """No vector without its SQN on disk; unknown stays unknown; back by itself when there is room."""
    node = fresh(data=small_disk, conf="sqn-lease = 1;\nsqn-lease-max = 1;\n")
    node.add("alice@lab.test", "--amf", "1234")
    node.start()
    filler = os.path.join(small_disk, "filler")
    with node.peer() as peer:
        last = Vector(peer.request(d.mar(peer, "alice@lab.test")), card()).sqn
        with open(filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(4096))
            except OSError:
                pass
        results = set()
        for _ in range(300):
            answer = peer.request(d.mar(peer, "alice@lab.test"))
            results.add(answer.result())
            if answer.result() == (0, 2001):
                sqn = Vector(answer, card()).sqn
                assert sqn > last
                last = sqn
            else:
                assert answer.result() == (0, 3004) and answer.flags & d.E
        assert (0, 3004) in results and results <= {(0, 2001), (0, 3004)}
        assert peer.request(d.mar(peer, "nobody@lab.test")).result() == (d.TGPP, 5401)
        assert node.log().count(" auc.store ") == 1  # one line a minute, however many requests
        os.unlink(filler)
        assert until(lambda: (answer := peer.request(d.mar(peer, "alice@lab.test"))).result() == (0, 2001) and answer)
        assert Vector(peer.request(d.mar(peer, "alice@lab.test")), card()).sqn > last


def test_busy_database_is_too_busy_not_unknown(fresh):
    node = fresh(conf="sqn-lease = 1;\nsqn-lease-max = 1;\n")
    node.add("alice@lab.test")
    node.start()
    with node.peer() as peer:
        Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
        other = sqlite3.connect(node.db, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert peer.request(d.mar(peer, "alice@lab.test")).result() == (0, 3004)
        other.execute("ROLLBACK")
        other.close()
        Vector(peer.request(d.mar(peer, "alice@lab.test")), card())


def test_requests_are_served_during_an_import(fresh, tmp_path):
    node = fresh(conf="store-timeout = 20000;\n")  # a commit may take long on a busy disk
    fill(node)
    node.start()
    rows = "".join("00101%010d,%032x,%032x\n" % (i, i, i + 1) for i in range(60000))
    (tmp_path / "many.csv").write_text("imsi,ki,opc\n" + rows)
    with node.peer() as peer:
        job = subprocess.Popen([built("tools/gba-ctl/gba-ctl"), "--db", node.db, "--kek", node.kek, "subscriber", "import",
                                "--from", "csv", str(tmp_path / "many.csv")], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        answered = 0
        while job.poll() is None:
            Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
            answered += 1
        assert job.returncode == 0 and answered > 0


def test_keys_of_another_kek_are_damage_not_ignorance(fresh):
    node = fresh()
    node.add("alice@lab.test")
    with open(node.kek, "w", encoding="ascii") as out:
        out.write("ab" * 32 + "\n")
    node.start()
    with node.peer() as peer:
        assert peer.request(d.mar(peer, "alice@lab.test")).result() == (0, 5012)
    assert "GBA_E_CORRUPT" in node.log()


def test_key_rotation_while_serving(fresh):
    node = fresh()
    fill(node)
    node.start()
    with node.peer() as peer:
        for _ in range(2):
            Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
        node.ctl("key", "rotate")
        Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
        Vector(peer.request(d.mar(peer, "tuak@lab.test")), card("tuak@lab.test"))
        node.add("later@lab.test")
        Vector(peer.request(d.mar(peer, "later@lab.test")), card())


def test_first_start_makes_database_and_key(fresh):
    node = fresh()
    node.start()
    assert os.stat(node.db).st_mode & 0o777 == 0o600 and os.stat(node.kek).st_mode & 0o777 == 0o600
    node.add("alice@lab.test")
    with node.peer() as peer:
        Vector(peer.request(d.mar(peer, "alice@lab.test")), card())


def broken_key_gone(node):
    os.unlink(node.kek)
    return "missing, but 1 subscribers are sealed with it"


def broken_key_open(node):
    os.chmod(node.kek, 0o640)
    return "closed to group and others"


def broken_newer(node):
    with sqlite3.connect(node.db) as other:
        other.execute("PRAGMA user_version = 99")
    return "newer version"


def broken_conf(node):
    with open(node.conf, "a", encoding="ascii") as out:
        out.write("sqn-lease = 0;\n")
    return "sqn-lease"


@pytest.mark.parametrize("damage", [broken_key_gone, broken_key_open, broken_newer, broken_conf])
def test_refuses_to_start(fresh, damage):
    node = fresh()
    node.add("alice@lab.test")
    want = damage(node)
    with pytest.raises(RuntimeError) as ended:
        node.start()
    assert want in str(ended.value)


def check_config(path):
    out = subprocess.run([built("hss-stub/gba-hss"), "--check-config", path], capture_output=True, text=True, check=False)
    return out.returncode, out.stdout + out.stderr


CONF_ERRORS = {
    'bsfs = ( { identity = "a.test"; realms = [ "x" ]; }, { identity = "A.test"; ind = 1; realms = [ "x" ]; } );': "stands twice",
    'bsfs = ( { identity = "a.test"; realms = [ "x" ]; }, { identity = "b.test"; realms = [ "x" ]; } );': "same ind 0",
    'bsfs = ( { identity = "a.test"; realms = [ ]; } );': "realms is empty",
    'bsfs = ( { identity = "a.test"; ind = 256; realms = [ "*" ]; } );': "255",
    'bsfs = ( { identity = "a test"; realms = [ "*" ]; } );': "identity",
    "sqn-lease = 64;\nsqn-lease-max = 32;": "below sqn-lease",
    "cash = 1;": "cash",
}


@pytest.mark.parametrize("text", CONF_ERRORS)
def test_check_config_names_the_problem(tmp_path, text):
    (tmp_path / "hss.conf").write_text(text + "\n")
    code, said = check_config(str(tmp_path / "hss.conf"))
    assert code == 1 and CONF_ERRORS[text] in said


def test_check_config_accepts_ours(fresh):
    assert check_config(fresh().conf)[0] == 0


def test_metrics(fresh):
    port = free_port()
    node = fresh(conf='metrics-listen = "127.0.0.1:%d";\n' % port)
    node.add("alice@lab.test")
    node.start()
    with node.peer() as peer:
        Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
        peer.request(d.mar(peer, "nobody@lab.test"))
    text = metrics_have("http://127.0.0.1:%d/metrics" % port, 'gba_hss_vectors_total{algorithm="milenage",result="ok"} 1',
                        'gba_hss_zh_requests_total{result="GBA_E_IMPI_UNKNOWN"} 1')
    assert "alice" not in text and K.hex() not in text and OP.hex() not in text and BSF in node.log()
    assert until(lambda: page("http://127.0.0.1:%d/readyz" % port)[0] == 200)
