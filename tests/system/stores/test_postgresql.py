# SPDX-License-Identifier: Apache-2.0
"""Two hss-stubs on one PostgreSQL: kills of the nodes, of their sessions and of the server; gba-ctl beside them."""
import itertools
import json
import os
import subprocess
import threading

import pytest
from zhlab import K, OP, Node, Vector, built, card, d, free_port, until

from peers.servers import Postgres, Standby
from peers.waiting import page

NAMES = ["s%d@lab.test" % i for i in range(4)]
GOOD, TOO_BUSY, UNKNOWN, BARRED = (0, 2001), (0, 3004), (d.TGPP, 5401), (d.TGPP, 5402)
numbers = itertools.count()


class Pair:
    """Two nodes with one schema, one key file and an audit log each."""

    def __init__(self, folder, postgres, conf="sqn-lease = 4;\nsqn-lease-max = 16;\n"):
        self.db, self.ports = postgres.url("pair%d" % next(numbers)), (free_port(), free_port())
        self.nodes = [Node(folder / name, db=self.db, data=str(folder), start=False, identity=name + ".lab.test",
                           conf=conf + 'audit-log = "%s/audit";\nmetrics-listen = "127.0.0.1:%d";\n' % (folder / name, port))
                      for name, port in zip(("hss1", "hss2"), self.ports)]

    def ctl(self, *words, stdin=None, want=0):
        out = subprocess.run([built("tools/gba-ctl/gba-ctl"), "--config", self.nodes[0].conf, *words], input=stdin,
                             capture_output=True, text=True, timeout=120, check=False)
        assert out.returncode == want, (out.returncode, out.stdout, out.stderr)
        assert "s3cr3tpw" not in out.stdout + out.stderr
        return out.stdout

    def add(self, impi, *options):
        return self.ctl("subscriber", "add", impi, "--k-file", "-", "--op-file", "-", *options, stdin="%s\n%s\n" % (K.hex(), OP.hex()))

    def ready(self, i):
        return page("http://127.0.0.1:%d/readyz" % self.ports[i])[0] == 200


@pytest.fixture
def pair(tmp_path, postgres):
    one = Pair(tmp_path, postgres)
    yield one
    for node in one.nodes:
        node.stop()
        if node.daemon:
            assert "s3cr3tpw" not in node.log()


def ask(peer, name):
    return peer.request(d.mar(peer, name))


def answered(peer, name):
    """As a BSF does: what is too busy (a server that was slow to answer) is asked again."""
    return until(lambda: (lambda answer: answer if answer.result() != TOO_BUSY else None)(ask(peer, name)))


class Load:
    """Asks one node as fast as it answers, through everything; each SQN is noted when its answer is in."""

    def __init__(self, node):
        self.node, self.seen, self.ending = node, [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending:
            try:
                with self.node.peer() as peer:
                    self._ask(peer)
            except OSError:
                pass  # killed
            self.node._hang_up()
            until(lambda: self.ending or self.node.daemon.alive())

    def _ask(self, peer):
        usim = card()
        while not self.ending and not peer.closed.is_set():
            batch = [(name, peer.send(d.mar(peer, name))) for name in NAMES]
            for name, message in batch:
                while (answer := peer.wait(message, 0.5)) is None:
                    if self.ending or peer.closed.is_set():
                        return
                assert answer.result() in (GOOD, TOO_BUSY), answer.result()  # never 5401
                if answer.result() == GOOD:
                    self.seen.append((name, Vector(answer, usim).sqn))

    def goes_on(self):
        before = len(self.seen)
        assert until(lambda: len(self.seen) > before + 20), self.node.log()[-3000:]

    def end(self):
        self.ending = True
        self.thread.join()


def test_no_sqn_twice_over_kills(pair, postgres):
    """REQ: of the design: (IMPI, SQN) leaves once, whichever node it leaves and whatever ends meanwhile."""
    for name in NAMES:
        pair.add(name)
    loads = [Load(node.start()) for node in pair.nodes]

    def kill(i):
        pair.nodes[i].daemon.process.kill()
        pair.nodes[i].daemon.process.wait()
        pair.nodes[i].start()

    def restart():
        postgres.kill()
        postgres.start()

    for blow in (lambda: kill(0), postgres.cut, lambda: kill(1), restart, postgres.cut):
        for load in loads:
            load.goes_on()
        blow()
    for load in loads:
        load.goes_on()
    for load in loads:
        load.end()
    seen = loads[0].seen + loads[1].seen
    assert len(seen) > 200 and len(set(seen)) == len(seen)


def test_away_is_too_busy_and_heals(pair, postgres):
    """No vector that could be a second one, unknown stays unknown, and back without a restart."""
    pair.add("alice@lab.test")
    node = pair.nodes[0].start()
    assert until(lambda: pair.ready(0))
    with node.peer() as peer:
        Vector(answered(peer, "alice@lab.test"), card())
        assert answered(peer, "nobody@lab.test").result() == UNKNOWN
        postgres.kill()
        assert until(lambda: not pair.ready(0))
        assert ask(peer, "nobody@lab.test").result() == TOO_BUSY
        postgres.start()
        assert until(lambda: pair.ready(0))
        Vector(answered(peer, "alice@lab.test"), card())
        assert answered(peer, "nobody@lab.test").result() == UNKNOWN
    assert node.log().count(" auc.store ") == 1  # one line a minute


def test_hangs_and_nobody_waits_for_it(pair, postgres):
    """A server that stands still: askers are told, one after the other, and nobody waits for it twice."""
    pair.add("alice@lab.test")
    node = pair.nodes[0].start()
    with node.peer() as peer:
        Vector(answered(peer, "alice@lab.test"), card())
        postgres.hang()
        try:
            assert until(lambda: ask(peer, "alice@lab.test").result() == TOO_BUSY)
            first = node.log().count(" auc.store ")
            for _ in range(200):
                assert ask(peer, "alice@lab.test").result() == TOO_BUSY
            assert first == node.log().count(" auc.store ") == 1
        finally:
            postgres.go_on()
        assert until(lambda: ask(peer, "alice@lab.test").result() == GOOD)
        assert until(lambda: pair.ready(0))


def test_what_one_changes_the_others_see(pair):
    pair.add("alice@lab.test")
    for node in pair.nodes:
        node.start()
        with node.peer() as peer:
            Vector(answered(peer, "alice@lab.test"), card())
    pair.ctl("subscriber", "set", "alice@lab.test", "--state", "barred")
    for node in pair.nodes:
        with node.peer() as peer:
            assert until(lambda: ask(peer, "alice@lab.test").result() == BARRED)
    pair.ctl("subscriber", "remove", "alice@lab.test", "--yes")
    for node in pair.nodes:
        with node.peer() as peer:
            assert until(lambda: ask(peer, "alice@lab.test").result() == UNKNOWN)


def test_operator_s_tool(pair, tmp_path):
    """What gba-ctl does with a file it does with a server."""
    rows = "".join("00101%010d,%032x,%032x\n" % (i, i, i + 1) for i in range(3000))
    (tmp_path / "many.csv").write_text("imsi,ki,opc\n" + rows)
    said = json.loads(pair.ctl("--json", "subscriber", "import", "--from", "csv", str(tmp_path / "many.csv")))
    assert said["new"] == 3000 and said["rejected"] == 0
    again = json.loads(pair.ctl("--json", "subscriber", "import", "--from", "csv", str(tmp_path / "many.csv")))
    assert again["new"] == 0 and again["same"] == 3000
    listed = [json.loads(line) for line in pair.ctl("--json", "subscriber", "export").splitlines()]
    assert [r["imsi"] for r in listed] == ["00101%010d" % i for i in range(3000)]  # all, in their order
    shown = json.loads(pair.ctl("--json", "subscriber", "show", "001010000000042", "--reveal"))
    assert shown["k"] == "%032x" % 42 and shown["opc"] == "%032x" % 43
    pair.add("alice@lab.test")
    pair.ctl("subscriber", "add", "alice@lab.test", "--k-file", "-", "--op-file", "-", stdin="%s\n%s\n" % (K.hex(), OP.hex()), want=1)
    pair.ctl("subscriber", "set", "alice@lab.test", "--sqn", "64000")
    assert json.loads(pair.ctl("--json", "subscriber", "show", "alice@lab.test"))["sqn"] == 64000
    pair.ctl("subscriber", "show", "nobody@lab.test", want=3)


def check_config(conf, tmp_path):
    (tmp_path / "hss.conf").write_text(conf)
    return subprocess.run([built("hss-stub/gba-hss"), "--show-config", str(tmp_path / "hss.conf")], capture_output=True, text=True,
                          check=False)


def test_passwords_are_not_shown(tmp_path):
    for database in ("postgresql://gba:s3cr3tpw@db.test/gba", "postgres:host=db.test password=s3cr3tpw"):
        out = check_config('database = "%s";\n' % database, tmp_path)
        assert out.returncode == 0 and "db.test" in out.stdout and "s3cr3tpw" not in out.stdout + out.stderr


@pytest.mark.parametrize("database,said", [("postgresql://gba:s3cr3tpw@[::1/x", "not a connection string"),
                                           ("postgres:host=/nonexistent password=s3cr3tpw", "No such file"),
                                           ("postgres:host=127.0.0.1 port=1 password=s3cr3tpw", "refused")])
def test_refuses_to_start(tmp_path, database, said):
    node = Node(tmp_path, db=database, conf='audit-log = "%s/audit";\n' % tmp_path, start=False)
    with pytest.raises(RuntimeError) as ended:
        node.start()
    assert said in str(ended.value) and "s3cr3tpw" not in str(ended.value)


def test_server_that_loses_commits_is_refused(tmp_path, postgres):
    postgres.sql("CREATE ROLE risky LOGIN SUPERUSER; ALTER ROLE risky SET synchronous_commit = off")
    node = Node(tmp_path, db=postgres.url("risky").replace("user=gba", "user=risky"), conf='audit-log = "%s/audit";\n' % tmp_path,
                start=False)
    with pytest.raises(RuntimeError) as ended:
        node.start()
    assert "synchronous_commit is off" in str(ended.value)
    assert not os.path.exists(os.path.join(str(tmp_path), "hss.kek"))


@pytest.fixture
def replicated(tmp_path):
    """A server with a standby that has all that was acknowledged."""
    primary = Postgres(tmp_path / "primary")
    standby = Standby(tmp_path / "standby", primary)
    yield primary, standby
    standby.close()
    primary.close()


WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"


def test_a_standby_takes_over(tmp_path, replicated):
    """Under load on two nodes that know both servers. The standby is away first, and somebody ends the commits that wait for it: what the
    primary alone has is not handed out. Then the primary dies and the standby is promoted: no SQN twice, and nobody restarts anything."""
    primary, standby = replicated
    pair = Pair(tmp_path, standby)
    for name in NAMES:
        pair.add(name)
    loads = [Load(node.start()) for node in pair.nodes]
    for load in loads:
        load.goes_on()
    standby.kill()
    for how in ("pg_cancel_backend", "pg_terminate_backend"):
        ended = 0

        def some():
            nonlocal ended
            ended += len(primary.sql("SELECT %s(pid) %s" % (how, WAITING)).stdout.split())
            return ended >= 3

        assert until(some), how
    primary.kill()
    standby.start()
    standby.promote()
    for load in loads:
        load.goes_on()
    assert until(lambda: pair.ready(0) and pair.ready(1))
    for load in loads:
        load.end()
    seen = loads[0].seen + loads[1].seen
    assert len(set(seen)) == len(seen)
    assert all(1 <= node.log().count(" auc.store ") <= 2 for node in pair.nodes)  # one line a minute
    pair.add("later@lab.test")
    for node in pair.nodes:
        good = node.stop()
        node.daemon = None
        assert good
