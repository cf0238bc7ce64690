# SPDX-License-Identifier: Apache-2.0
"""Vehicle tracking with sealed datagrams (Y.OBF Appendix I): gba-ue in the vehicles, the example server of naf-adapter/python behind
the lab's agent, between them UDP or a link that loses, repeats, swaps and alters. What passes is looked at by tests/peers/sealed.py,
which shares nothing with the programs.

REQ: OBF-I.1.1-4, OBF-I.2.1-3, OBF-I.2.3-n"""
import base64
import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import zlib

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests")]

from lab.devices import Device  # noqa: E402
from lab.realm import GSID, NAF, Realm  # noqa: E402
from peers import keys, sealed, sms  # noqa: E402
from peers.aka import Milenage  # noqa: E402
from peers.lossy import Lossy  # noqa: E402
from peers.waiting import until  # noqa: E402

PYTHON = os.path.join(TOP, "naf-adapter", "python")
OTHER_STATE = "tracking." + NAF.partition(".")[2]
NAF_ID = NAF.encode() + bytes.fromhex("ff00000001")
POSITION = "PVT 28.6139N 077.2090E 054km/h hdg 271 2026-11-21T12:00:00Z ign 1 gsm -71 bat 12.6V sat 09"
assert len(POSITION) == 90


class Lines:
    """A program and the lines it prints."""

    def __init__(self, words, env=None):
        self.process = subprocess.Popen(words, env=env, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def has(self, pattern, count=1):
        """That many lines of this pattern, sooner or later; the first one's match."""
        assert until(lambda: sum(bool(re.search(pattern, line)) for line in list(self.lines)) >= count), (pattern, self.lines)
        return next(filter(None, (re.search(pattern, line) for line in self.lines)))

    def count(self, pattern):
        return sum(bool(re.search(pattern, line)) for line in list(self.lines))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.stdin.close()
        return self.process.wait()


class World:
    def __init__(self, realm, folder):
        self.realm, self.folder, self.count = realm, folder, 0
        libraries = {"GBA_%s_LIBRARY" % name.upper(): realm.tree.build + "/naf-adapter/%s/.libs/libgba-%s.so.0" % (place, name)
                     for name, place in (("naf", "libnaf"), ("sealed", "sealed"))}
        self.env = dict(os.environ, PYTHONPATH=PYTHON, GBA_NAF_SOCKET=realm.path("naf.sock"), **libraries)
        self.memory = str(folder / "memory")
        os.mkdir(self.memory)
        self.start()

    def start(self, port=0):
        self.server, self.port = self.serve(NAF, self.memory, port)

    def serve(self, name, memory, port=0, *more):
        """The example as this application: what it prints, and its port."""
        server = Lines([sys.executable, os.path.join(PYTHON, "examples", "tracking.py"), name, "127.0.0.1", str(port), memory, *more], self.env)
        return server, int(server.has(r"listening on port (\d+)").group(1))

    def vehicle(self, gba_u=False, guss=None, **card):
        """A bootstrapped device, and Ks as only the operator and the card have it: computed here from the subscriber's keys."""
        self.count += 1
        one = Device(self.realm, "vehicle%d" % self.count, "0010100000001%02d" % self.count, gba_u=gba_u, **card)
        one.guss = (lambda usual=one.guss: guss(usual())) if guss else one.guss
        one.provision()
        one.personalise()
        one.btid = one.bootstrap()["btid"]
        return one


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Realm(str(tmp_path_factory.mktemp("tracking"))) as realm:
        realm.names = [NAF, OTHER_STATE]
        realm.start()
        one = World(realm, tmp_path_factory.mktemp("server"))
        yield one
        one.server.end()


@pytest.fixture
def link(world):
    with Lossy(("127.0.0.1", world.port)) as one:
        yield one


def url(port):
    return "udp://%s:%d" % (NAF, port), "--connect", "127.0.0.1:%d" % port


def lines_of(device, *args):
    """A gba-ue that goes on."""
    realm = device.realm
    return Lines([realm.tree.program("gba-ue"), "--state", device.state, *args], dict(os.environ, **realm.tree.environment()))


def kid(btid, index=0):
    return sealed.kid(btid, index).hex()


def key_of(device, index=0):
    """Ks_NAF or Ks_int_NAF, by formula from the keys of the subscriber and the RAND in the B-TID."""
    rand = base64.b64decode(device.btid.split("@")[0])
    _, ck, ik, _ = Milenage(bytes.fromhex(device.k), bytes.fromhex(device.opc)).f2345(rand)
    return keys.ks_naf(ck + ik, rand, device.impi, NAF_ID, keys.UICC if index else keys.ME)


def frames(octets):
    return [one for one in octets if one[4] == 0xd0]


PACKETS = [POSITION, "ALARM PANIC", "ALERT OVERSPEED 112km/h", "HEALTH bat 12.6V mem 41%", "DIAG gnss ok, can ok"]


@pytest.mark.parametrize("index", [0, 1, 15])
def test_each_kind_of_packet(world, link, index):
    """With keys outside and inside the USIM: nothing passes that can be read, 90 octets make a short message, and each comes from
    whom it says. REQ: OBF-I.1.1-1, OBF-I.2-0, TEC-2.2.2-b, OBF-I.2-d4, OBF-I.2.2.1-c, OBF-I.2.2.2-b, OBF-I.2.2.3-b
    The server has its keys from the BSF alone, over Zn. REQ: OBF-I.2.2.3-a"""
    vehicle, link.limit = world.vehicle(gba_u=index > 0), 140
    for packet in PACKETS:
        status, said, error = vehicle.ue("send", *url(link.port), "--index", str(index), packet)
        assert status == 0 and said["sent"] == 1, error
        world.server.has("^vehicle %s: %s$" % (kid(vehicle.btid, index), re.escape(packet)))
    assert link.lost == 0 and not any(re.search(rb"PVT|ALARM|ALERT|HEALTH|DIAG|28\.6", octets) for octets in link.up)
    assert link.up[0] == sealed.introduction(vehicle.btid, index) and len(link.up[0]) <= 140
    sent = frames(link.up)
    print("a payload of 90 octets: %d octets" % len(sent[0]))
    assert [sealed.open_frame(key_of(vehicle, index), vehicle.btid, "device", one, index)[1].decode() for one in sent] == PACKETS
    assert len(sent[0]) <= 140 and len(sent[0]) == 124
    assert not any(vehicle.impi.encode() in one or vehicle.imsi.encode() in one for one in link.up)


@pytest.mark.parametrize("index", [0, 2])
def test_commands(world, link, index):
    """Server to device and back, as I.2.3 has it; the device acts on what is authentic and new.
    Its commands are those of the table of doc/sealed.md: a configuration is written, a diagnosis read. REQ: TEC-A4-6b
    REQ: OBF-I.1.1-2, OBF-I.2.3-1, OBF-I.2-s4, OBF-I.2.2.3-c, OBF-I.2.2.2-a, OBF-I.2.2.1-b1"""
    vehicle = world.vehicle(gba_u=index > 0)
    status, said, error = vehicle.ue("send", *url(link.port), "--index", str(index), "--wait", "60", "--count", "1", "ALARM PANIC")
    assert status == 0 and "ALARM ACKNOWLEDGED" in said, error
    name = kid(vehicle.btid, index)
    device = lines_of(vehicle, "receive", *url(link.port), "--index", str(index), "--every", "1", "--count", "3")
    world.server.has("vehicle %s: $" % name)
    commands = ["DIAGNOSE ALL", "CONFIGURE INTERVAL 60", "ALARM CLOSED"]
    with open(os.path.join(TOP, "doc", "sealed.md"), encoding="utf-8") as page:
        mapped = [line for line in page if re.search(r" \| (?:Read|Write|Execute) `/\d+/\d+/\d+` \| ", line)]
    for word in ("DIAGNOSE ALL", "CONFIGURE INTERVAL", "ALARM CLOSED"):
        assert any("`" + word in line for line in mapped), word
    for command in commands:
        world.server.say("%s %s" % (name, command))
    assert device.process.wait(timeout=60) == 0 and until(lambda: device.lines == commands), device.lines
    down = [sealed.open_frame(key_of(vehicle, index), vehicle.btid, "server", one, index)[1].decode() for one in link.down]
    assert [text for text in down if text] == ["ALARM ACKNOWLEDGED", *commands]
    assert not any(b"DIAGNOSE" in one or b"INTERVAL" in one for one in link.down)
    device.end()
    assert vehicle.ue("send", *url(link.port), "--index", str(index), "DIAG gnss ok")[0] == 0
    world.server.has("^vehicle %s: DIAG gnss ok" % name)


def test_the_server_takes_no_frame_twice_altered_or_of_another(world, link):
    """REQ: OBF-I.2-d1, OBF-I.2-d2, OBF-I.2-d3, OBF-I.2.2.3-b"""
    vehicle, other = world.vehicle(), world.vehicle()
    for one in (vehicle, other):
        one.must("send", *url(link.port), "HEALTH ok")
        world.server.has("^vehicle %s: HEALTH ok" % kid(one.btid))
    captured = frames(link.up)[0]
    link.send(captured, True)
    world.server.has("dropped: had before")
    for bit in range(0, 8 * len(captured), 37):
        altered = bytearray(captured)
        altered[bit // 8] ^= 1 << bit % 8
        link.send(bytes(altered), True)
        fixed = zlib.crc32(altered[4:]).to_bytes(4, "big") + altered[4:]  # by somebody who can compute a checksum
        if bit >= 32:
            link.send(fixed, True)
    name, octets = other.btid, sealed.seal(key_of(vehicle), other.btid, "device", 500, b"HEALTH stolen")
    link.send(octets, True)  # in the name of another device
    link.send(sealed.seal(key_of(vehicle), vehicle.btid, "server", 500, b"HEALTH mirrored"), True)
    world.server.has("dropped: not from the other end", 2)
    vehicle.must("send", *url(link.port), "HEALTH after")
    world.server.has("^vehicle %s: HEALTH after" % kid(vehicle.btid))
    assert world.server.count("HEALTH ok$") == 2 and not world.server.count("stolen|mirrored") and name
    assert world.server.count("dropped: altered on the way") >= len(captured) * 8 // 37


@pytest.mark.parametrize("index", [0, 3])
def test_the_device_takes_no_command_that_is_not_the_servers_and_new(world, link, index):
    """Forged, altered, of another server, of an earlier time; a wrong checksum does not reach the USIM; killed and started again it
    still knows what it had. REQ: OBF-I.2-s1, OBF-I.2-s2, OBF-I.2-s3, OBF-I.2.2.1-a, OBF-I.2.2.1-b2,
    TEC-2.2.3-2: nor one in clear"""
    vehicle = world.vehicle(gba_u=index > 0)
    name, key = kid(vehicle.btid, index), key_of(vehicle, index)
    trace = os.path.join(str(world.folder), "trace%d" % index)
    words = ("--trace", trace, "--log-level", "warning", "--log-file", trace + ".log", "receive", *url(link.port), "--index", str(index),
             "--every", "1")

    def log_has(text):
        return until(lambda: os.path.exists(trace + ".log") and text in open(trace + ".log", encoding="utf-8").read())
    device = lines_of(vehicle, *words)
    world.server.has("vehicle %s: $" % name)
    world.server.say("%s REPORT" % name)
    device.has("^REPORT$")
    captured = next(one for one in link.down if sealed.open_frame(key, vehicle.btid, "server", one, index)[1] == b"REPORT")
    altered = captured[:-1] + bytes([captured[-1] ^ 1])
    link.send(zlib.crc32(altered[4:]).to_bytes(4, "big") + altered[4:], False)
    assert log_has("not allowed")
    link.send(sealed.seal(bytes(32), vehicle.btid, "server", 900, b"STOP ENGINE", index), False)
    link.send(sealed.seal(key, vehicle.btid, "device", 900, b"STOP ENGINE", index), False)
    link.send(captured, False)
    assert log_has("older than what is known")

    link.send(altered, False)
    link.send(b"CONFIGURE INTERVAL 1", False)
    assert log_has("damaged")
    device.end(signal.SIGKILL)
    with open(trace, encoding="utf-8") as steps:
        asked = [step["message"] for step in map(json.loads, steps) if "DECRYPT" in step["message"]]
    assert (len(asked) > 0) == (index > 0) and not any("damaged" in message for message in asked)  # the USIM never heard of that one
    os.unlink(trace + ".log")
    device = lines_of(vehicle, *words)
    world.server.has("vehicle %s: $" % name, 2)
    link.send(captured, False)
    assert log_has("older than what is known")
    world.server.say("%s REPORT AGAIN" % name)
    device.has("^REPORT AGAIN$")
    assert device.lines == ["REPORT AGAIN"]
    assert device.end() == 0


def test_the_same_frames_over_short_messages(world):
    """What UDP carries a service centre of the mobile network carries as well, and the application takes each once, whichever came
    first. REQ: OBF-I.1.1-3"""
    vehicle, centre = world.vehicle(), sms.Centre()
    with Lossy(("127.0.0.1", world.port), lose=1.0) as link:
        centre.numbers["919876543210"] = lambda message: link.send(message.octets, True)
        for packet in (POSITION, "ALARM PANIC"):
            vehicle.must("send", *url(link.port), packet)
        assert until(lambda: len(frames(list(link.up))) == 2)
        introduction, first, second = link.up[0], *frames(link.up)
        assert not world.server.count("vehicle %s: " % kid(vehicle.btid))
        for octets in (introduction, first):
            centre.take("919812345678", sms.submit("919876543210", octets))
        world.server.has("^vehicle %s: %s$" % (kid(vehicle.btid), re.escape(POSITION)))
        link.send(second, True)
        world.server.has("^vehicle %s: ALARM PANIC$" % kid(vehicle.btid))
        before = world.server.count("dropped: had before")
        link.send(first, True)
        centre.take("919812345678", sms.submit("919876543210", second))
        world.server.has("dropped: had before", before + 2)
    assert world.server.count("vehicle %s: " % kid(vehicle.btid)) == 2
    assert [sms.parse(one).octets for one in centre.passed] == [introduction, first, second]


def test_servers_of_two_states_and_devices_of_all_kinds(request, world, tmp_path):
    """Two applications beside each other, each with keys of its own from the operator; cards of two suppliers (MILENAGE, TUAK), devices of
    two makers (gba-ue, and plain Python from the RFCs): each device with each application, and no application with what is for another.
    The subscriber's ICCID is its identity there. REQ: OBF-I.1.2-1, OBF-I.2.1-1"""
    numbers = iter("8991101200003204%03d" % i for i in range(10))
    (tmp_path / "memory").mkdir()
    state, port = world.serve(OTHER_STATE, str(tmp_path / "memory"), 0, str(GSID))
    request.addfinalizer(state.end)
    cards = {"milenage": {}, "tuak": {"algorithm": "tuak", "keys": (secrets.token_hex(16), secrets.token_hex(32))}}
    for supplier, card in cards.items():
        iccid = "iccid:" + next(numbers)
        vehicle = world.vehicle(guss=lambda usual, iccid=iccid: re.sub("<uid>.*</uid>", "<uid>%s</uid>" % iccid, usual), **card)
        for name, server, to in ((NAF, world.server, world.port), (OTHER_STATE, state, port)):
            vehicle.must("send", "udp://%s:%d" % (name, to), "--connect", "127.0.0.1:%d" % to, "HEALTH of gba-ue, " + supplier)
            server.has("^vehicle %s: HEALTH of gba-ue, %s" % (kid(vehicle.btid), supplier))
        state.has("^vehicle %s is %s$" % (kid(vehicle.btid), iccid))
        vehicle.btid = vehicle.bootstrap("--force")["btid"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            for name, server, to in ((NAF, world.server, world.port), (OTHER_STATE, state, port)):
                key = bytes.fromhex(vehicle.must("token", "key", name, "--ua-id", "ff00000001", "--reveal")["key"])
                text = "HEALTH of another maker, " + supplier
                device.sendto(sealed.introduction(vehicle.btid), ("127.0.0.1", to))
                device.sendto(sealed.seal(key, vehicle.btid, "device", 0, text.encode()), ("127.0.0.1", to))
                server.has("^vehicle %s: %s" % (kid(vehicle.btid), text))
            dropped = world.server.count("dropped: not from the other end")
            device.sendto(sealed.seal(key, vehicle.btid, "device", 9, b"HEALTH for the other state"), ("127.0.0.1", world.port))
            world.server.has("dropped: not from the other end", dropped + 1)
    assert not world.server.count("for the other state")


def test_a_message_is_one_line(world):
    """What a vehicle says cannot be taken for what another says."""
    vehicle, other = world.vehicle(), world.vehicle()
    vehicle.must("send", *url(world.port), "HEALTH ok\nvehicle %s: ALARM PANIC\r\x1b[2K" % kid(other.btid))
    world.server.has(r"^vehicle %s: HEALTH ok\?vehicle %s: ALARM PANIC\?\?\[2K$" % (kid(vehicle.btid), kid(other.btid)))
    for line in ("nonsense", "00 STOP", "%s STOP" % kid(other.btid)):
        world.server.say(line)
    world.server.has("^not sent: no vehicle of this name$", 3)
    assert not world.server.count("^vehicle %s" % kid(other.btid))


def test_a_server_that_is_killed_takes_nothing_twice(world):
    """Its memory is on disk before a message is given out. REQ: OBF-I.2-d3"""
    vehicle = world.vehicle()
    with Lossy(("127.0.0.1", world.port)) as link:
        vehicle.must("send", *url(link.port), "HEALTH one")
        world.server.has("^vehicle %s: HEALTH one" % kid(vehicle.btid))
        before = world.port
        world.server.end(signal.SIGKILL)
        world.start(before)
        for octets in link.up:
            link.send(octets, True)
        world.server.has("dropped: had before")
        vehicle.must("send", *url(link.port), "HEALTH two")
        world.server.has("^vehicle %s: HEALTH two" % kid(vehicle.btid))
        assert not world.server.count("HEALTH one")


def test_a_bad_link(world):
    """A third is lost, repeated, swapped or altered each: what arrives is what was sent, once."""
    vehicle = world.vehicle()
    with Lossy(("127.0.0.1", world.port), lose=.2, repeat=.3, swap=.3, alter=.1) as link:
        device = lines_of(vehicle, "send", *url(link.port))
        sent = ["PVT %04d" % i for i in range(120)]
        for line in sent:
            device.say(line)
        device.process.stdin.close()
        assert device.process.wait(timeout=60) == 0
        name = "vehicle %s: " % kid(vehicle.btid)
        assert until(lambda: world.server.count(name + "PVT 01[01]") > 3)
        for _ in range(3):  # once more, all of it, in another order
            for octets in reversed(list(link.up)):
                link.send(octets, True)
        assert until(lambda: world.server.count(name + "PVT") > 40)
        had = [line[len(name):] for line in world.server.lines if line.startswith(name)]
    assert len(had) == len(set(had)) and set(had) <= set(sent)


def test_wrong_use(world):
    """What cannot be done is said."""
    vehicle, inside = world.vehicle(), world.vehicle(gba_u=True)
    status, _, error = vehicle.ue("send", *url(world.port), "--index", "1", "x")
    assert status == 1 and "need GBA_U" in error  # no key in this USIM
    assert inside.ue("send", *url(world.port), "--index", "16", "x")[0] == 2
    assert vehicle.ue("send", "http://x:1/", "x")[0] == 2 and vehicle.ue("send", "udp://x", "x")[0] == 2
    assert vehicle.ue("send", *url(world.port), "x" * 1025)[0] != 0
    holder = lines_of(vehicle, "receive", *url(world.port))
    world.server.has("vehicle %s: $" % kid(vehicle.btid))
    status, _, error = vehicle.ue("send", *url(world.port), "x")
    assert status == 75 and "another program" in error
    holder.end()


def test_a_lost_memory_costs_the_token(world):
    """Counters that are not known any more are not begun again: the device bootstraps, and has other keys."""
    vehicle = world.vehicle()
    vehicle.must("send", *url(world.port), "HEALTH first")
    world.server.has("^vehicle %s: HEALTH first" % kid(vehicle.btid))
    os.unlink(os.path.join(vehicle.state, "sealed-" + kid(vehicle.btid)))
    vehicle.must("send", *url(world.port), "HEALTH second")
    fresh = vehicle.must("token", "show")["btid"]
    assert fresh != vehicle.btid
    world.server.has("^vehicle %s: HEALTH second" % kid(fresh))


def test_examples_of_the_page(world):
    """doc/sealed.md, as it stands; only the address is added."""
    vehicle = world.vehicle()
    page = open(os.path.join(TOP, "doc", "sealed.md"), encoding="utf-8").read()
    found = re.findall(r"^    \$ gba-ue (.*)\n((?:    [^$\n].*\n)*)", page, re.M)
    assert len(found) >= 2
    for command, output in found:
        words = shlex.split(command)
        device = lines_of(vehicle, *words, "--connect", "127.0.0.1:%d" % world.port)
        want = [line.strip() for line in output.splitlines()]
        assert device.process.wait(timeout=60) == 0 and until(lambda: device.lines == want), (device.lines, want)
        world.server.has("^vehicle %s: %s$" % (kid(vehicle.btid), re.escape(words[-1])))
        device.end()
