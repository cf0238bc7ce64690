# SPDX-License-Identifier: Apache-2.0
"""gba-ue on cards in readers: Debian's pcscd with a virtual reader, in it a USIM or ISIM written in Python; BSF and application are
stand-ins. What the card was sent is checked against TS 31.102 here, not against gba-ue.

REQ: OBF-7.2.3-4, OBF-10.1.1-1, OBF-11.1-2, TEC-A4-rot-6"""
import os
import pty
import shlex
import subprocess

import pytest

from conftest import BSF, EXAMPLE, IMPI, K, OPC, TOP, Ue
from peers.fake_bsf import FakeBsf
from peers.fake_naf import FakeNaf
from peers.pcscd import Pcscd, available
from peers.uicc import ISIM_AID, USIM_AID, Removed, Uicc
from peers.waiting import until
from test_ue_doc import examples

IMSI = EXAMPLE["input"]["imsi"]
NAF = EXAMPLE["input"]["naf_fqdn"]
URL = "http://%s/hello" % NAF
READER = "Virtual PCD 00 00"

pytestmark = pytest.mark.skipif(not available(), reason="no pcscd, or no vpcd: see tools/debian-packages")


class CardUe(Ue):
    """Without a terminal, whatever the tests run in."""

    def __init__(self, folder, pcscd):
        super().__init__(folder)
        self.pcscd = pcscd

    def run(self, *args, stdin=None, timeout=120, env=None):
        return subprocess.run(self.command(*args), input=stdin if stdin is not None else b"", capture_output=True, timeout=timeout,
                              start_new_session=True, env=dict(os.environ, **self.pcscd.environment, **(env or {})))

    def card(self, bsf, *options, name="pcsc:" + READER):
        self.json("profile", "add", "home", "--bsf", bsf.fqdn, "--connect", bsf.address, "--usim", name, *options)
        return self

    def fails(self, status, *args, env=None):
        """What it says when it fails with this status."""
        done = self.run("--json", *args, env=env)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stdout.decode()


@pytest.fixture(scope="module")
def pcscd(tmp_path_factory):
    with Pcscd(tmp_path_factory.mktemp("pcscd")) as daemon:
        yield daemon


@pytest.fixture
def ue(tmp_path, pcscd):
    one = CardUe(tmp_path / "state", pcscd)
    yield one
    for reader in (pcscd.first, pcscd.second):
        if reader.connection:
            take_out(one, reader)


def seen(ue, reader):
    """pcscd has noticed what is in the reader."""
    return any(row["reader"] == reader.name and row["card"] for row in ue.json("card", "list"))


def insert(ue, reader, **options):
    """A USIM with the worked example's keys, as soon as pcscd sees it."""
    card = reader.insert(Uicc(IMSI, K, OPC, **options))
    assert until(lambda: seen(ue, reader))
    del card.log[:]
    return card


def take_out(ue, reader):
    reader.remove()
    assert until(lambda: not seen(ue, reader))


@pytest.fixture
def naf(bsf):
    with FakeNaf(NAF, bsf) as server:
        yield server


@pytest.mark.parametrize("t0", [False, True], ids=["T=1", "T=0"])
def test_gba_me(ue, bsf, naf, pcscd, t0):
    """3G context: what goes to the card is as TS 31.102 7.1.2 has it, and the application takes the token."""
    card = insert(ue, pcscd.first, t0=t0)
    rand = bytes.fromhex(EXAMPLE["input"]["rand"])
    bsf.rands, bsf.users[IMPI].sqn = [rand], 1
    run = ue.card(bsf).json("bootstrap")
    assert run["btid"] == EXAMPLE["b_tid"] and bsf.requests[0][0]["username"] == IMPI
    sent, = card.sent(0x88)
    autn = bytes.fromhex(EXAMPLE["aka"]["autn"])
    assert sent == bytes.fromhex("0088008122") + b"\x10" + rand + b"\x10" + autn + (b"" if t0 else b"\0")
    assert (card.sent(0xc0) != []) == t0  # GET RESPONSE is T=0's
    assert ue.json("token", "key", NAF, "--reveal")["key"] == EXAMPLE["keys"]["http_digest_ua"]["ks_naf"]
    done = ue.json("get", URL, "--connect", naf.address)
    assert done["status"] == 200 and done["authenticated"] and len(card.sent(0x88)) == 1


@pytest.mark.parametrize("options", [{}, {"t0": True}, {"writes_rand": False}, {"locked": True}, {"gbabp": 50}, {"isim": "only"}],
                         ids=["plain", "T=0", "the ME writes RAND", "nobody may write", "a small file", "ISIM only"])
def test_gba_u(ue, bsf, naf, pcscd, options):
    """GBA context: Ks stays in the card, which derives what the application is asked for; EF_GBABP is brought up to date."""
    card = insert(ue, pcscd.first, gba=True, **options)
    impi = card.isim_impi if options.get("isim") else IMPI
    bsf.add(impi, K, OPC, gba_u=True)
    run = ue.card(bsf).json("bootstrap")
    session = bsf.sessions[run["btid"]]
    assert run["gba-u"] and card.ks == session.ks and bsf.requests[0][0]["username"] == impi
    assert [octets[3:6] for octets in card.sent(0x88)] == [b"\x84\x23\xdd"] + [b"\x84" + octets[4:5] + b"\xde"
                                                                              for octets in card.sent(0x88)[1:]]
    content = card.gbabp.content
    assert content[:17] == b"\x10" + session.rand
    if not options.get("locked"):
        assert content[17] == (0 if options.get("gbabp") else len(run["btid"]))
        assert options.get("gbabp") or content[18:18 + content[17]] == run["btid"].encode()
    done = ue.json("get", URL, "--connect", naf.address)
    assert done["status"] == 200 and done["authenticated"]
    naf_id = NAF.encode() + bytes.fromhex("0100000002")
    last = card.sent(0x88)[-1]
    assert last[5:] == b"\xde" + bytes([len(naf_id)]) + naf_id + bytes([len(impi)]) + impi.encode() + (b"" if card.t0 else b"\0")
    assert naf_id in card.ks_int  # and Ks_int_NAF is in the card alone
    assert not any(session.ks in open(os.path.join(ue.state, name), "rb").read() for name in os.listdir(ue.state)
                   if os.path.isfile(os.path.join(ue.state, name)))


def test_another_phone_has_used_the_card(ue, bsf, naf, pcscd):
    """Ks in the card is of another run then: the token is no good any more, and the device bootstraps again."""
    card = insert(ue, pcscd.first, gba=True)
    bsf.add(IMPI, K, OPC, gba_u=True)
    first = ue.card(bsf).json("bootstrap")["btid"]
    other = CardUe(ue.state + "-other", pcscd).card(bsf)
    second = other.json("bootstrap")["btid"]
    assert card.ks == bsf.sessions[second].ks
    assert "another bootstrapping" in ue.run("--log-level", "warning", "get", URL, "--connect", naf.address).stderr.decode()
    done = ue.json("bootstrap", "--force")
    assert done["btid"] not in (first, second) and ue.json("get", URL, "--connect", naf.address)["status"] == 200


def test_usim_and_isim(ue, bsf, pcscd):
    """The USIM unless the ISIM is asked for; "me" keeps a card that could do GBA_U from it. Identities by TS 23.003 13.3, EF_IMPI. What the
    card is, is read from it. REQ: TEC-A4-rot-3"""
    card = insert(ue, pcscd.first, gba=True, isim=True)
    bsf.add(card.isim_impi, K, OPC)
    ue.card(bsf, name="pcsc,me:")
    ue.json("bootstrap")
    assert bsf.requests[-1][0]["username"] == IMPI
    assert card.sent(0xa4)[-1].find(USIM_AID) == 5 and card.sent(0x88)[-1][3] == 0x81
    run = ue.json("--usim", "pcsc,isim,me:" + READER, "bootstrap")
    assert run["fresh"] and bsf.requests[-1][0]["username"] == card.isim_impi  # not the token of the other one
    assert card.sent(0xa4)[-1].find(ISIM_AID) == 5
    shown = ue.json("card", "show")
    assert shown == {"reader": READER, "iccid": card.iccid, "protocol": "T=1", "usim": "yes, with GBA", "isim": "yes, with GBA",
                     "pin": "off", "pin-tries": 3}


def test_mnc_of_three_digits(ue, bsf, pcscd):
    card = pcscd.first.insert(Uicc("310150123456789", K, OPC, mnc_digits=3))
    assert until(lambda: seen(ue, pcscd.first)) and card
    bsf.add("310150123456789@ims.mnc150.mcc310.3gppnetwork.org", K, OPC)
    assert ue.card(bsf).json("bootstrap")["fresh"]


def test_resynchronisation(ue, bsf, pcscd):
    """The card is ahead: AUTS, once, and the run succeeds."""
    card = insert(ue, pcscd.first, sqn=1 << 20)
    run = ue.card(bsf).json("bootstrap")
    assert run["resyncs"] == 1 and "auts" in bsf.requests[1][0] and card.sqn > 1 << 20


@pytest.mark.parametrize("gba", [False, True], ids=["GBA_ME", "GBA_U"])
def test_not_the_home_network(ue, bsf, pcscd, gba):
    insert(ue, pcscd.first, gba=gba)
    bsf.add(IMPI, K, OPC[:-2] + "00", gba_u=gba)
    said = ue.card(bsf).fails(6, "bootstrap")
    assert "9862" in said and "home network" in said and not bsf.sessions


def test_no_gba_in_the_card(ue, bsf, pcscd):
    """The operator has entered it as GBA_U, the card cannot: MAC* is no MAC. And one that says it can, and cannot."""
    insert(ue, pcscd.first)
    bsf.add(IMPI, K, OPC, gba_u=True)
    assert "GBA_ME, GBA_U" in ue.card(bsf).fails(6, "bootstrap")
    take_out(ue, pcscd.first)
    card = insert(ue, pcscd.first, gba=True)
    card.contexts = {0x81}
    said = ue.fails(1, "bootstrap")
    assert "6a86" in said and "does not have this security context" in said


def test_pin(ue, bsf, pcscd, tmp_path):
    """From a file, the environment, standard input; one look costs no try; never in a log or a file of ours."""
    card = insert(ue, pcscd.first, pin="471147", gba=True)
    bsf.add(IMPI, K, OPC, gba_u=True)
    (tmp_path / "pin").write_text("471147\n")
    said = ue.card(bsf).fails(4, "bootstrap")
    assert "wants its PIN (3 tries left)" in said and not [octets for octets in card.sent(0x20) if len(octets) > 5]
    assert "says what it can do after its PIN" in ue.json("card", "show")["usim"]
    done = ue.run("--log-level", "debug", "--trace", str(tmp_path / "trace"), "--pin-file", str(tmp_path / "pin"), "bootstrap")
    assert done.returncode == 0 and b"471147" not in done.stdout + done.stderr + (tmp_path / "trace").read_bytes()
    assert ue.run("bootstrap", "--force", env={"GBA_UE_PIN": "471147"}).returncode == 0
    assert ue.run("--pin-file", "-", "bootstrap", "--force", stdin=b"471147\n").returncode == 0
    assert card.tries == 3
    assert not any(b"471147" in open(os.path.join(ue.state, name), "rb").read() for name in os.listdir(ue.state)
                   if os.path.isfile(os.path.join(ue.state, name)))
    card.verified = False
    assert card.resets and "wants its PIN" in ue.fails(4, "bootstrap", "--force")


def test_a_card_forgets_the_pin_with_us(ue, bsf, pcscd):
    """Whoever comes to the card after us has to know it, too."""
    card = insert(ue, pcscd.first, pin="1234")
    ue.card(bsf).run("bootstrap", env={"GBA_UE_PIN": "1234"})
    assert bsf.sessions and until(lambda: not card.verified)


def test_a_wrong_pin_costs_one_try(ue, bsf, pcscd):
    """Again and again: the card is not asked a second time. Another PIN is another matter, but the last try is left alone."""
    card = insert(ue, pcscd.first, pin="1234")
    ue.card(bsf)
    assert "refuses the PIN, 2 tries left; it will not be tried again" in ue.fails(4, "bootstrap", env={"GBA_UE_PIN": "9999"})
    for _ in range(3):
        assert "has refused this PIN before (2 tries left)" in ue.fails(4, "bootstrap", env={"GBA_UE_PIN": "9999"})
    assert card.tries == 2
    assert "refuses the PIN, 1 tries left" in ue.fails(4, "bootstrap", env={"GBA_UE_PIN": "8888"})
    assert "one try left" in ue.fails(4, "bootstrap", env={"GBA_UE_PIN": "1234"}) and card.tries == 1 and not bsf.sessions
    card.tries = 3
    assert ue.run("bootstrap", env={"GBA_UE_PIN": "1234"}).returncode == 0
    assert not [name for name in os.listdir(ue.state) if name.startswith("pin-refused")]


def test_a_blocked_pin(ue, bsf, pcscd):
    card = insert(ue, pcscd.first, pin="1234")
    card.tries = 0
    assert "PIN is blocked: unblock it with the PUK" in ue.card(bsf).fails(4, "bootstrap", env={"GBA_UE_PIN": "1234"})
    assert not [octets for octets in card.sent(0x20) if len(octets) > 5] and ue.json("card", "show")["pin-tries"] == 0


@pytest.mark.parametrize("pin", ["123", "123456789", "12a4", ""])
def test_what_is_no_pin_does_not_reach_the_card(ue, bsf, pcscd, pin):
    card = insert(ue, pcscd.first, pin="1234")
    assert "4 to 8 digits" in ue.card(bsf).fails(2, "bootstrap", env={"GBA_UE_PIN": pin}) and card.tries == 3


def test_a_person_is_asked(ue, bsf, pcscd):
    """At the terminal, without echo, with the tries left; also for the last one."""
    card = insert(ue, pcscd.first, pin="1234")
    card.tries = 1
    ue.card(bsf)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(pcscd.environment)
        os.execv(ue.program, ue.command("bootstrap"))
    said = b""
    while b"tries left): " not in said:
        said += os.read(terminal, 100)
    os.write(terminal, b"1234\n")
    while True:
        try:
            octets = os.read(terminal, 1000)
        except OSError:  # the other end is closed
            break
        if not octets:
            break
        said += octets
    assert os.waitpid(pid, 0)[1] == 0 and b"PIN of the card (1 tries left): " in said and b"1234" not in said and b"btid: " in said
    os.close(terminal)


@pytest.mark.parametrize("when", [0xa4, 0xb0, 0x88], ids=["SELECT", "READ", "AUTHENTICATE"])
def test_the_card_is_taken_out(ue, bsf, pcscd, when):
    """In the middle of a command: said, and the next run with the card back in place succeeds."""
    card = insert(ue, pcscd.first)
    ue.card(bsf)

    def gone(octets):
        if octets[1] == when:
            raise Removed
    card.fault = gone
    said = ue.fails(5, "bootstrap")
    assert "removed" in said and READER in said, said
    take_out(ue, pcscd.first)
    assert "no card in the reader" in ue.fails(3, "bootstrap")
    insert(ue, pcscd.first)
    assert ue.json("bootstrap")["fresh"]


def test_a_token_goes_with_its_card(ue, bsf, naf, pcscd):
    """Without the card it is not used, and another card's token is not taken for it."""
    insert(ue, pcscd.first)
    first = ue.card(bsf).json("bootstrap")["btid"]
    take_out(ue, pcscd.first)
    assert "no card in the reader" in ue.fails(3, "get", URL, "--connect", naf.address)
    other = pcscd.first.insert(Uicc("001010000000002", K, OPC))
    bsf.add(IMPI.replace("0001@", "0002@"), K, OPC)
    assert until(lambda: seen(ue, pcscd.first)) and other
    second = ue.json("bootstrap")
    assert second["fresh"] and second["btid"] != first and bsf.sessions[second["btid"]].impi != IMPI


def test_readers(ue, bsf, pcscd):
    """A wrong name is answered with those there are; the beginning of one will do if it is the only one."""
    ue.card(bsf, name="pcsc:Gemalto")
    said = ue.fails(3, "bootstrap")
    assert 'no reader \\"Gemalto\\"' in said and READER in said and pcscd.second.name in said
    assert "more than one" in ue.fails(3, "--usim", "pcsc:Virtual", "bootstrap")
    assert "no card in the reader" in ue.fails(3, "--usim", "pcsc:", "bootstrap")
    insert(ue, pcscd.second)
    assert [row["card"] for row in ue.json("card", "list")] == [False, True]
    assert ue.json("--usim", "pcsc:Virtual PCD 00 01", "bootstrap")["fresh"]
    for name in ("pcsc,nonsense:", "pcsc,:", "psc:x", "a b"):
        assert "pcsc:READER" in ue.fails(2, "--usim", name, "bootstrap")


def test_not_a_usim(ue, bsf, pcscd):
    """A card of another kind, an empty one, one that talks nonsense: each is said."""
    card = insert(ue, pcscd.first)
    card.fault = lambda octets: (0x6e00, b"")
    assert "not a UICC" in ue.card(bsf).fails(1, "bootstrap")
    card.fault, card.apps = None, {}
    card.mf[0x2f00].records = [b"\xff" * 34]
    assert "no USIM and no ISIM" in ue.fails(1, "bootstrap")
    take_out(ue, pcscd.first)
    card = insert(ue, pcscd.first)
    card.apps[USIM_AID][0x6f07].content = b"\xff" * 9
    assert "holds no IMSI" in ue.fails(1, "bootstrap")
    take_out(ue, pcscd.first)
    card = insert(ue, pcscd.first)
    for answer in (b"", b"\xdb", b"\xdb\x08abc", b"\xdc\x02ab", b"\x77" + bytes(40), b"\xdb" + bytes(40)):
        card.fault = lambda octets, answer=answer: (0x9000, answer) if octets[1] == 0x88 else None
        assert "form of one" in ue.fails(1, "bootstrap")
    assert not bsf.sessions


def test_no_directory(ue, bsf, pcscd):
    """Without EF_DIR the applications are found by the beginning of their names."""
    card = insert(ue, pcscd.first)
    del card.mf[0x2f00]
    assert ue.card(bsf).json("bootstrap")["fresh"]


def test_examples_of_the_page(ue, bsf, naf, pcscd, tmp_path):
    """doc/card.md, as it stands; only addresses are added."""
    insert(ue, pcscd.first, gba=True)
    bsf.add(IMPI, K, OPC, gba_u=True)
    (tmp_path / "pin").write_text("1234")
    found = examples(open(os.path.join(TOP, "doc", "card.md"), encoding="utf-8").read())
    assert len(found) >= 7
    for command, output in found:
        words = shlex.split(command)[1:]
        bsf.users[IMPI].gba_u = "pcsc,me:" not in words
        words += {"profile": ["--connect", bsf.address], "get": ["--connect", naf.address]}.get(words[0], [])
        done = ue.run(*[str(tmp_path / "pin") if word == "pin" else word for word in words])
        assert done.returncode == 0, (command, done)
        for line in output:
            assert line in done.stdout.decode().splitlines(), (command, done.stdout)


def test_pcscd_does_not_run(tmp_path):
    class Nobody:
        environment = {"PCSCLITE_CSOCK_NAME": str(tmp_path / "nobody")}
    ue = CardUe(tmp_path / "state", Nobody)
    with FakeBsf(BSF) as bsf:
        assert "pcscd) does not run" in ue.card(bsf).fails(5, "bootstrap")
    assert "pcscd) does not run" in ue.fails(5, "card", "list")


def test_no_reader(tmp_path):
    with Pcscd(tmp_path, without=True) as own, FakeBsf(BSF) as bsf:
        ue = CardUe(tmp_path / "state", own)
        assert "no reader is connected" in ue.card(bsf, name="pcsc:").fails(3, "bootstrap") and ue.json("card", "list") == []
        assert "no reader is connected" in ue.fails(3, "card", "show")


def test_pcscd_ends_and_comes_back(ue, bsf, tmp_path):
    with Pcscd(tmp_path) as own:
        mine = CardUe(ue.state, own).card(bsf)
        card = insert(mine, own.first)
        assert mine.json("bootstrap")["fresh"]
        own.stop()
        assert "does not run" in mine.fails(5, "bootstrap", "--force")
        own.start()
        own.first.insert(card)
        assert until(lambda: seen(mine, own.first)) and mine.json("bootstrap", "--force")["fresh"]
