# SPDX-License-Identifier: Apache-2.0
"""The agent under freeDiameterd between stand-in BSFs of two operators and applications on the local socket."""
import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from peers.waiting import PATIENCE, undisturbed, until
from naf_harness import (HTTP_DIGEST, IMPI, NAF, TLS13, TOP, USS, Agent, Bsf, Local, btid, d, dia, elements, frame, ks_naf,
                         question)

_rands = iter(range(1, 10 ** 6))


def fresh(bsf, domain, life=None):
    """A B-TID that no test has used, known to its BSF. @return it and its RAND"""
    rand = next(_rands).to_bytes(16, "big")
    return bsf.knows(btid(domain, rand), rand, life), rand


# REQ: Y3056-8.3-1
def test_key_is_fetched_over_zn(world):
    # REQ: OBF-7.2.1-1
    name, before = world.one.knows(btid("bsf.one.example")), int(time.time())
    error, got = world.agent.ask(name, ua_id=HTTP_DIGEST, gsids=[1000, 7], flags=1)
    assert error == 0
    # the worked example's keys
    assert got[16].hex() == "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf"
    assert got[17].hex() == "e777b731dabc4c931b9c6fbf12a56c12fca455b1d4fe23ab5d17f7c3b0ac5152"
    assert before + 600 <= int.from_bytes(got[18], "big") <= time.time() + 600
    assert before - 7 <= int.from_bytes(got[19], "big") <= time.time() - 7
    assert got[20] == IMPI.encode() + b"\0"
    assert got[21] == USS.encode() + b"\0"
    assert elements(got[23]) == [(4, b"\0\0\3\xe8"), (24, b"sip:a@one.example\0"), (25, b"\0\0\0\3")]
    (bir,) = world.one.seen
    assert (bir.code, bir.app, bir.flags & 0xE0) == (d.BIR, d.ZN, 0xC0)
    assert bir.find(401, d.TGPP).text() == name
    assert bir.find(402, d.TGPP).value() == NAF.encode() + HTTP_DIGEST
    assert [a.text() for a in bir.find_all(403, d.TGPP)] == ["1000", "7"]
    assert bir.find(407, d.TGPP).u32() == 1
    assert bir.find(d.DEST_REALM).text() == "epc.one.example"
    assert bir.find(d.DEST_HOST) is None
    assert bir.find(d.ORIGIN_HOST).text() == "naf.asp.example"
    assert world.two.seen == []


def test_btid_names_the_operator(world):
    # REQ: Y3056-7.1-1b
    one, _ = fresh(world.one, "bsf.one.example")
    two, rand = fresh(world.two, "deep.bsf.two.example")
    error, got = world.agent.ask(two)
    assert error == 0 and got[16] == ks_naf(NAF.encode() + TLS13, rand)
    assert world.one.seen == [] and len(world.two.seen) == 1
    assert world.two.seen[0].find(d.DEST_HOST).text() == "bsf.epc.two.example"
    assert world.agent.ask(one)[0] == 0
    assert len(world.one.seen) == 1


@pytest.mark.parametrize("domain", ["bsf.attacker.example", "evilone.example", "example"])
def test_foreign_domain_is_refused_here(world, domain):
    assert world.agent.ask(btid(domain))[0] == 11
    assert world.one.seen == [] and world.two.seen == []


@pytest.mark.parametrize("name", ["nonsense", btid("one.example")[1:], btid("one.example") + "\r\n", btid("one.example") + " ",
                                  "@one.example", "=" * 24 + "@one.example", btid("-" * 250 + ".one.example")[:278]])
def test_malformed_btid_is_refused_here(world, name):
    error = world.agent.ask(name)[0]
    assert error in (2, 11)
    assert world.one.seen == [] and world.two.seen == []


def test_key_is_kept_until_it_expires(world):
    def twice():
        world.one.seen.clear()
        name, rand = fresh(world.one, "bsf.one.example", life=3)
        return name, rand, world.agent.ask(name), world.agent.ask(name)
    name, rand, (error, first), again = undisturbed(twice, 1.5)
    assert error == 0 and again == (0, first)
    assert len(world.one.seen) == 1
    assert until(lambda: world.agent.ask(name)[0] == 1)
    assert len(world.one.seen) == 1
    assert first[16] == ks_naf(NAF.encode() + TLS13, rand)


@pytest.mark.parametrize("avps, error", [
    ([d.experimental(5403)], 1), ([d.experimental(5402)], 10), ([d.result(3004)], 22), ([d.result(5012)], 23),
    ([d.result(2001)], 23), ([d.result(2001), d.tgpp(405, b"k" * 31)], 23), ([d.result(2001), d.tgpp(405, b"k" * 33)], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(406, b"u" * 16)], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.when(404, 1000000000, d.TGPP)], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(404, b"\0\0\0")], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(400, "<ussList><uss>")], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(400, '<!DOCTYPE a [<!ENTITY b "c">]><ussList/>')], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(410, 9)], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(405, b"l" * 32)], 23),
    ([d.result(2001), d.experimental(5403), d.tgpp(405, b"k" * 32)], 23),
    ([], 23),
    ([d.result(2001), d.tgpp(405, b"k" * 32), d.tgpp(9999, b"x", m=False)], 0),
], ids=str)
def test_what_a_bsf_says(world, avps, error):
    name, _ = fresh(world.one, "bsf.one.example")
    world.one.reply = lambda peer, request, usual: request.answer(peer.origin(), avps)
    assert world.agent.ask(name)[0] == error
    assert world.agent.daemon.alive()


def test_refusal_is_remembered_briefly(world):
    def twice():
        world.one.seen.clear()
        rand = next(_rands).to_bytes(16, "big")
        name = btid("bsf.one.example", rand)
        return name, rand, world.agent.ask(name)[0], world.agent.ask(name)[0]
    name, rand, *errors = undisturbed(twice, 2)
    assert errors == [1, 1] and len(world.one.seen) == 1
    world.one.knows(name, rand)
    assert until(lambda: world.agent.ask(name)[0] == 0)


def test_only_the_operator_may_answer(world):
    name, _ = fresh(world.one, "bsf.one.example")
    world.one.reply = lambda peer, request, usual: request.answer(("bsf.evil.example", "evil.example"), usual)
    assert world.agent.ask(name)[0] == 23
    world.one.reply = None
    assert world.agent.ask(name)[0] == 0
    assert until(lambda: any("Origin-Realm" in line for line in world.agent.events("zn.bir")))


def test_simultaneous_questions_are_one_request(world):
    name, rand = fresh(world.one, "bsf.one.example")
    world.one.delay = 0.3
    with Local(world.agent.socket) as a, Local(world.agent.socket) as b:
        numbers = [x.begin(name) for x in (a, b) for _ in range(50)]
        answers = [x.answer() for x in (a, b) for _ in range(50)]
    assert len(world.one.seen) == 1 and len(numbers) == 100
    assert all(e == 0 and got[16] == ks_naf(NAF.encode() + TLS13, rand) for _, e, got in answers)


def test_silent_bsf_ends_in_a_time_out(tmp_path):
    """By zn-timeout, though the application would wait longer, and before that for one that would not."""
    bsf = Bsf("bsf.epc.one.example", "epc.one.example")
    agent = Agent(tmp_path / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; }', extra="zn-timeout = 4000;")
    try:
        patient, _ = fresh(bsf, "bsf.one.example")
        hasty, _ = fresh(bsf, "bsf.one.example")
        bsf.reply = lambda peer, request, usual: None
        with Local(agent.socket) as local:
            numbers = [local.begin(patient, timeout=60000), local.begin(hasty, timeout=200)]
            assert [local.answer()[:2] for _ in numbers] == [(numbers[1], 21), (numbers[0], 21)]
    finally:
        agent.stop()
        bsf.stop()


def test_bsf_down(world):
    known, _ = fresh(world.one, "bsf.one.example")
    other, _ = fresh(world.one, "bsf.one.example")
    first = world.agent.ask(known)[1]
    world.one.stop()
    assert until(lambda: world.agent.ask(other)[0] == 20)
    assert world.agent.ask(other)[0] == 20
    assert world.agent.ask(known) == (0, first)
    world.one.restart()
    assert until(lambda: world.agent.ask(other)[0] == 0, 2 * PATIENCE)


def test_application_gets_its_own_names_only(world):
    # REQ: Y3056-9.4.3-4
    name, _ = fresh(world.one, "bsf.one.example")
    before = len(world.agent.events("local.denied"))
    with Local(world.agent.socket) as local:
        assert local.ask(name, fqdn="naf2.example.com")[0] == 30
        assert local.ask(name, fqdn="apps.example.com")[0] == 30
        assert world.one.seen == []
        assert local.ask(name, fqdn="X.Apps.Example.com")[0] == 0
    assert world.one.naf_ids() == [b"x.apps.example.com" + TLS13]
    assert len(world.agent.events("local.denied", before + 2)) == before + 2


def test_keys_are_in_locked_memory_and_in_no_file(world):
    """Trace, log and audit log on, one token held: nothing on disk has its keys in any form. REQ: Y3056-9.4.3-3"""
    name, _ = fresh(world.one, "bsf.one.example")
    error, got = world.agent.ask(name, flags=1)
    assert error == 0 and world.agent.ask(name, flags=1) == (0, got) and len(world.one.seen) == 1
    forms = [form for key in (got[16], got[17]) for form in (key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key)[:42])]
    files = [os.path.join(folder, one) for folder, _, names in os.walk(world.agent.folder) for one in names]
    files = [one for one in files if os.path.isfile(one)]
    assert any(name.encode() in open(one, "rb").read() for one in files), "they do tell of the token"
    assert [one for one in files if any(form in open(one, "rb").read() for form in forms)] == []
    with open("/proc/%d/status" % world.agent.daemon.process.pid, encoding="ascii") as status:
        assert int(re.search(r"VmLck:\s+(\d+)", status.read()).group(1)) > 0


@pytest.mark.parametrize("octets, reason", [
    (b"GET / HTTP/1.0\r\n\r\n", "frame too long"), (b"\0\0\0\1", "frame shorter than its head"), (b"\0\0\4\0", "frame too long"),
    (frame(1, 1, question("a"), version=9), "protocol version not spoken here"), (frame(2, 1), "unknown kind of frame"),
    (frame(1, 1, b"\x01\0\0\5abc"), "element longer than its frame"), (frame(1, 0, question("a")), "id zero or in use"),
    (frame(1, 1, question("a") + b"\x7e\0\0\0"), "unknown element"), (frame(4, 1, b"\x01\0\0\0"), "a cancellation has no elements"),
], ids=str)
def test_malformed_octets_are_told_why_and_closed(world, octets, reason):
    before = len(world.agent.events("local.malformed"))
    with Local(world.agent.socket) as local:
        local.send(octets)
        number, error, found = local.answer()
        assert (number, error, found[0xA1]) == (0, 25, reason.encode() + b"\0")
        assert local.at_end()
    assert len(world.agent.events("local.malformed", before + 1)) == before + 1
    assert world.agent.ask(btid("nobody.example"))[0] == 11


def test_octets_one_by_one(world):
    name, _ = fresh(world.one, "bsf.one.example")
    with Local(world.agent.socket) as local:
        for octet in frame(1, 5, question(name)):
            local.send(bytes([octet]))
        assert local.answer()[:2] == (5, 0)


def test_made_up_btids_cause_few_requests(tmp_path):
    bsf = Bsf("bsf.epc.one.example", "epc.one.example")
    agent = Agent(tmp_path / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; }', extra="zn-window = 128; zn-timeout = 20000;")
    try:
        good, begun = bsf.knows(btid("bsf.one.example")), time.monotonic()
        with Local(agent.socket) as local:
            for i in range(1500):
                local.begin(btid("bsf.one.example", (10 ** 9 + i).to_bytes(16, "big")), source="192.0.2.1")
            errors = [local.answer()[1] for _ in range(1500)]
            assert set(errors) == {1, 22}
            more = 10 / 60 * (time.monotonic() - begun)  # unknown-rate
            assert len(bsf.seen) <= 100 + 128 + 14 + more  # the burst, what is under way when it ends, and a hundredth
            assert local.ask(good, source="192.0.2.2")[0] == 0
    finally:
        agent.stop()
        bsf.stop()


def test_all_addresses_together_are_bounded(tmp_path):
    """From however many addresses: zn-rate a second, and a tenth of it at once. Who has asked for nothing unknown goes first."""
    bsf = Bsf("bsf.epc.one.example", "epc.one.example")
    agent = Agent(tmp_path / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; }', extra="zn-rate = 200; zn-timeout = 20000;")
    try:
        good = bsf.knows(btid("bsf.one.example"))
        with Local(agent.socket) as local:
            begun = time.monotonic()
            for i in range(400):
                local.begin(btid("bsf.one.example", (10 ** 10 + i).to_bytes(16, "big")), source="192.0.2.%d" % (i % 200))
            assert {local.answer()[1] for _ in range(400)} == {1}
            most = 20 + 200 * (time.monotonic() - begun) + 2
            assert 400 == len(bsf.seen) <= most, "they took the time that this rate takes"
            assert local.ask(good, source="198.51.100.1")[0] == 0
    finally:
        agent.stop()
        bsf.stop()


def test_foreign_user_is_refused(tmp_path):
    agent = Agent(tmp_path / "agent", [], '{ domain = "one.example"; realm = "epc.one.example"; }',
                  clients='{ user = "%d"; fqdns = [ "naf1.example.com" ]; }' % (os.getuid() + 1))
    try:
        with Local(agent.socket) as local:
            assert local.answer()[:2] == (0, 30)
            assert local.at_end()
        (line,) = agent.events("local.refused", 1)
        assert "uid %d" % os.getuid() in line
    finally:
        assert agent.stop()
        assert not os.path.exists(agent.socket)


def test_hangup_changes_who_may_ask_and_how_much(tmp_path):
    """For connections that stand, too, and none of them ends; a file that is not good changes nothing."""
    bsf = Bsf("bsf.epc.one.example", "epc.one.example")
    agent = Agent(tmp_path / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; }',
                  clients='{ user = "*"; fqdns = [ "naf1.example.com" ]; }', extra="zn-timeout = 10000; unknown-burst = 50; unknown-rate = 1;")
    conf = tmp_path / "agent" / "naf.conf"
    text = conf.read_text()

    def hang_up(changed, said):
        before = len(agent.events("naf.reload"))
        conf.write_text(changed)
        agent.daemon.process.send_signal(signal.SIGHUP)
        line = agent.events("naf.reload", before + 1)[before]
        assert said in line, line

    def unknown(local, source, fqdn=NAF):
        return local.ask(btid("bsf.one.example", next(_rands).to_bytes(16, "big")), source=source, fqdn=fqdn)[0]
    try:
        name, rand = fresh(bsf, "bsf.one.example")
        with Local(agent.socket) as local:
            assert local.ask(name)[0] == 0 and local.ask(name, fqdn="naf2.example.com")[0] == 30
            assert [unknown(local, "192.0.2.1") for _ in range(4)] == [1] * 4
            changed = text.replace("naf1.example.com", "naf2.example.com").replace("unknown-burst = 50", "unknown-burst = 1")
            hang_up(changed + "zn-queue = 77;\n", "clients and limits in force; as they were until a restart: zn-queue")

            def told():
                return local.ask(name, fqdn="naf2.example.com")
            assert until(lambda: told()[0] == 0) and told()[1][16] == ks_naf(b"naf2.example.com" + TLS13, rand)
            assert local.ask(name)[0] == 30
            assert unknown(local, "192.0.2.2", "naf2.example.com") == 1
            assert 22 in [unknown(local, "192.0.2.2", "naf2.example.com") for _ in range(3)], "one a minute"
            hang_up(text + "frob = 1;\n", "refused, all stays as it was")
            assert local.ask(name)[0] == 30 and told()[0] == 0
            hang_up(text, "clients and limits in force")
            assert until(lambda: local.ask(name)[0] == 0) and told()[0] == 30
        assert "until a restart" not in agent.events("naf.reload")[-1]
    finally:
        assert agent.stop()
        bsf.stop()


def test_a_mistyped_path_costs_no_file(tmp_path):
    """A socket that a killed agent left behind is taken away; a file that is none is not ours to take."""
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    realms = '{ domain = "one.example"; realm = "epc.one.example"; }'
    with pytest.raises(RuntimeError) as ended:
        Agent(tmp_path / "agent", [], realms, extra='socket = "%s";' % precious)
    assert "no socket" in str(ended.value)
    assert precious.read_text() == "years of work"


def test_a_socket_left_behind_is_taken_away(tmp_path):
    os.mkdir(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "agent" / "naf.sock"))
    agent = Agent(tmp_path / "agent", [], '{ domain = "one.example"; realm = "epc.one.example"; }')
    assert agent.stop()


def test_trace_shows_the_local_arrows(world):
    def steps():
        with open(world.agent.trace, "a+", encoding="utf-8") as trace:
            trace.seek(0)
            return [line for line in trace.read().splitlines(True) if line.endswith("\n") and json.loads(line)["corr"] == corr]

    name, rand = fresh(world.one, "bsf.one.example")
    corr = hashlib.sha256(b"corr" + rand).hexdigest()[:8]
    world.agent.ask(name)
    assert until(lambda: len(steps()) >= 2)
    there, back = [json.loads(line) for line in steps()]
    assert (there["from"], there["to"], there["if"] if "if" in there else there["iface"]) == ("application", "naf-agent", "local")
    assert (back["from"], back["to"]) == ("naf-agent", "application")
    assert ks_naf(NAF.encode() + TLS13, rand).hex() not in open(world.agent.trace, encoding="utf-8").read()


def on_record(agent, about):
    log = os.path.join(agent.folder, "audit.log")
    said = subprocess.run([dia.built("tools/gba-ctl/gba-ctl"), "audit", "show", "--json", "--about", about, log], capture_output=True, text=True,
                          check=True).stdout
    return [json.loads(line) for line in said.splitlines()]


def test_each_release_is_on_record(world):
    """Who got the key of which B-TID, for which name and over what; who asked for what is not his; never the key. From the cache or
    not. REQ: Y3056-11-4"""
    name, rand = fresh(world.one, "bsf.one.example")
    for _ in range(2):
        assert world.agent.ask(name)[0] == 0
    rows = on_record(world.agent, name)
    assert len(rows) == 2 and {row["act"] for row in rows} == {"naf.key"}
    for row in rows:
        assert (row["object"], row["subject"], row["who"], row["role"]) == (name, NAF, "application", "application")
        assert row["why"].startswith("Ks_NAF %s over the local socket, uid %d pid " % (TLS13.hex(), os.getuid())) and len(row["corr"]) == 8
    assert world.agent.ask(name, fqdn="foreign.example.org")[0] == 30
    refused = on_record(world.agent, "foreign.example.org")
    assert len(refused) == 1 and refused[0]["result"] == "GBA_E_DENIED"
    with open(os.path.join(world.agent.folder, "audit.log"), "rb") as log:
        assert ks_naf(NAF.encode() + TLS13, rand).hex().encode() not in log.read().lower()
    subprocess.run([dia.built("tools/gba-ctl/gba-ctl"), "audit", "verify", os.path.join(world.agent.folder, "audit.log")], check=True,
                   capture_output=True)


def test_what_cannot_be_put_on_record_does_not_go(tmp_path):
    bsf = Bsf("bsf.epc.one.example", "epc.one.example")
    audit = tmp_path / "audit"
    audit.mkdir()
    agent = Agent(tmp_path / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; }', audit=str(audit / "log"))
    try:
        name, _ = fresh(bsf, "bsf.one.example")
        assert agent.ask(name)[0] == 0
        audit.rename(tmp_path / "gone")
        assert agent.ask(name)[0] == 22  # 503: a fault of ours
        assert until(lambda: agent.events("local.audit"))
        (tmp_path / "gone").rename(audit)
        assert agent.ask(name)[0] == 0
    finally:
        agent.stop()
        bsf.stop()


def test_no_key_in_the_log(world):
    name, rand = fresh(world.one, "bsf.one.example")
    assert world.agent.ask(name)[0] == 0
    key = ks_naf(NAF.encode() + TLS13, rand)
    log = world.agent.log()
    assert key.hex() not in log.lower() and key.hex(" ") not in log.lower()


GOOD = 'realms = ( { domain = "a.example"; realm = "b.example"; } ); clients = ( { user = "*"; fqdns = [ "n.example" ]; } );'


@pytest.mark.parametrize("text, code, said", [
    (GOOD, 0, "good"),
    ("", 1, "realms: missing"),
    (GOOD + ' zn-timeout = 5;', 1, "naf.conf:1: zn-timeout: 5 is not allowed (100..60000 ms)"),
    (GOOD + '\nzn-timeot = 500;', 1, "naf.conf:2: zn-timeot: no such item"),
    (GOOD + ' socket-mode = "0999";', 1, "socket-mode"),
    (GOOD.replace("n.example", "*.*.x"), 1, "fqdns"),
    (GOOD.replace('user = "*"; ', ""), 1, "neither user nor group"),
    (GOOD.replace('user = "*"', 'user = "no-such-user"'), 1, "no such user: no-such-user"),
    (GOOD.replace(" } );", ' }, { domain = "A.example"; realm = "c.example"; } );', 1), 1, "this domain is given twice"),
    (GOOD + ' socket-group = "no-such-group";', 1, "no such group"),
], ids=str)
def test_check_config(tmp_path, text, code, said):
    path = tmp_path / "naf.conf"
    path.write_text(text)
    run = subprocess.run([dia.built("naf-adapter/agent/gba-naf-agent"), "--check-config", str(path)], capture_output=True,
                         text=True, timeout=2 * PATIENCE)
    assert run.returncode == code
    assert said in run.stdout + run.stderr


def test_sample_configuration_is_good():
    sample = os.path.join(TOP, "doc", "samples", "naf.conf")
    run = subprocess.run([dia.built("naf-adapter/agent/gba-naf-agent"), "--check-config", sample], timeout=2 * PATIENCE)
    assert run.returncode == 0


def test_hundreds_of_connections(world):
    name, _ = fresh(world.one, "bsf.one.example")
    opened = [Local(world.agent.socket) for _ in range(200)]
    results = []

    def ask_all(some):
        results.extend(local.ask(name)[0] for local in some)

    threads = [threading.Thread(target=ask_all, args=(opened[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for local in opened:
        local.sock.close()
    assert results == [0] * 200
    assert len(world.one.seen) == 1
