# SPDX-License-Identifier: Apache-2.0
"""gba-lab: the whole realm on loopback, every kind of device through it, the refusals, and the ladder of it all."""
import argparse
import concurrent.futures
import http.client
import json
import os
import signal
import sys
import tempfile
import time

from . import change, ladder
from .capture import Capture
from .devices import Device, TS_35208_SET_1, TS_35233_SET_1
from .realm import BSF, FORBIDDEN_NAF, NAF, Realm

EXIT_DONE, EXIT_NEGATIVE, EXIT_INTERRUPTED = 0, 1, 130


class Lab:
    """Runs scenarios one after the other and keeps what each one showed."""

    def __init__(self, realm, options):
        self.realm, self.options = realm, options
        self.reader = ladder.TraceReader(realm.trace)
        self.terminal = ladder.TerminalLadder()
        self.chapters, self.results = [], []

    def say(self, text):
        if not self.options.json:
            print(text, flush=True)

    def scenario(self, title, action, expect):
        """Run action(); it returns what was seen, which must satisfy expect(seen)."""
        started = time.monotonic()
        try:
            seen, good = action(), None
        except (RuntimeError, OSError, TimeoutError) as error:
            seen, good = str(error), False
        if good is None:
            good = bool(expect(seen))
        self._finish(title, seen, good, time.monotonic() - started)
        return good

    def _finish(self, title, seen, good, seconds):
        time.sleep(0.05)  # the last arrow is written after the answer has left
        steps = ladder.in_order(self.reader.read())
        self.chapters.append((title, ("as it should: " if good else "NOT as it should: ") + str(seen), steps))
        self.results.append({"scenario": title, "good": good, "seen": seen, "seconds": round(seconds, 3)})
        if self.options.json:
            print(json.dumps(self.results[-1]), flush=True)
            return
        self.terminal.title(title)
        if not self.options.quiet:
            self.terminal.header()
            for step in steps:
                self.terminal.step(step)
        print("  %s  %s  (%.0f ms)" % ("ok " if good else "BAD", seen, seconds * 1000), flush=True)

    # ---- what the scenarios are made of
    def bootstrap(self, device):
        def action():
            run = device.bootstrap("--force")
            return "B-TID %s until %s%s%s" % (run["btid"], run["expires"], ", Ks stays in the USIM" if run.get("gba-u") else "",
                                             ", after resynchronisation" if run.get("resyncs") else "")
        return action

    def open(self, device, scheme, *options):
        port = {"http": 80, "https": 443}[scheme]

        def action():
            status, answer, error = device.get("%s://%s/hello" % (scheme, NAF), "--connect", "%s:%d" % (self.realm.address("proxy"), port),
                                               *options)
            if status != 0:
                raise RuntimeError("gba-ue get: status %d: %s" % (status, error or answer))
            by = "%s, TLS %s" % (answer["mode"], answer["tls"]) if answer.get("tls") else answer["mode"]
            return "%d by %s; the application says %s" % (answer["status"], by, answer["body"].strip())
        return action

    def stranger(self):
        device = Device(self.realm, "stranger", "001010000000099")
        device.personalise()
        status, _, error = device.ue("bootstrap")
        return "gba-ue bootstrap: status %d: %s" % (status, error)

    def forbidden(self, device):
        status, _, error = device.get("http://%s/hello" % FORBIDDEN_NAF, "--connect", self.realm.address("proxy") + ":80")
        return "gba-ue get: status %d: %s" % (status, error)

    def expired(self, device):
        """A device that goes on using a B-TID whose Ks has expired is told to bootstrap again."""
        run = device.bootstrap("--force")
        time.sleep(device.life_time + 1.1)
        connection = http.client.HTTPConnection(self.realm.address("proxy"), 80, timeout=10)
        connection.request("GET", "/hello", headers={"Host": NAF, "User-Agent": "old-device 3gpp-gba"})
        challenge = connection.getresponse()
        challenge.read()
        nonce = challenge.headers["WWW-Authenticate"].split('nonce="')[1].split('"')[0]
        connection.request("GET", "/hello", headers={"Host": NAF, "User-Agent": "old-device 3gpp-gba", "Authorization":
                           'Digest username="%s", realm="3GPP-bootstrapping@%s", nonce="%s", uri="/hello", qop=auth, nc=00000001, '
                           'cnonce="0123", response="%s"' % (run["btid"], NAF, nonce, "0" * 32)})
        answer = connection.getresponse()
        answer.read()
        return "%d %s" % (answer.status, answer.headers.get("WWW-Authenticate", "")[:60])

    def crowd(self, count):
        """count further devices, several at a time."""
        def one(number):
            device = Device(self.realm, "device-%d" % number, "00101%010d" % (1000000 + number))
            device.provision()
            device.personalise()
            device.bootstrap()
            return True
        done = 0
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for future in concurrent.futures.as_completed([pool.submit(one, i) for i in range(count)]):
                done += bool(future.exception() is None)
                if sys.stderr.isatty() and not self.options.json:
                    print("\r%d of %d devices" % (done, count), end="", file=sys.stderr)
        if sys.stderr.isatty() and not self.options.json:
            print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
        return "%d of %d devices bootstrapped" % (done, count)

    def run(self):
        realm = self.realm
        milenage = Device(realm, "milenage", "001010000000001", keys=TS_35208_SET_1)
        tuak = Device(realm, "tuak", "001010000000002", keys=TS_35233_SET_1, algorithm="tuak")
        gba_u = Device(realm, "gba-u", "001010000000003", gba_u=True)
        resync = Device(realm, "resync", "001010000000004", usim_sqn="000000100000")
        brief = Device(realm, "brief", "001010000000005", life_time=1)
        for device in (milenage, tuak, gba_u, resync, brief):
            device.provision()
            device.personalise()
        ok = lambda seen: True  # noqa: E731 (what goes wrong raises)
        hello = lambda seen: "sip:" in seen  # noqa: E731
        self.scenario("A MILENAGE USIM (TS 35.208 set 1) bootstraps", self.bootstrap(milenage), ok)
        self.scenario("A TUAK USIM (TS 35.233 set 1) bootstraps", self.bootstrap(tuak), ok)
        self.scenario("A GBA_U USIM bootstraps: Ks never leaves it", self.bootstrap(gba_u), lambda seen: "stays" in seen)
        self.scenario("A USIM whose SQN is ahead: AUTS, resynchronisation", self.bootstrap(resync), lambda seen: "resync" in seen)
        self.scenario("The application, over PSK-TLS 1.2", self.open(milenage, "https", "--psk", "--tls1.2"), hello)
        self.scenario("The application, over PSK-TLS 1.3", self.open(tuak, "https", "--psk", "--tls1.3"), hello)
        self.scenario("The application, over HTTP Digest", self.open(gba_u, "http", "--digest"), hello)
        self.scenario("Refused: an IMPI nobody knows", self.stranger, lambda seen: "status 4" in seen)
        self.scenario("Refused: a NAF that may not use this name", lambda: self.forbidden(milenage), lambda seen: "status 4" in seen)
        self.scenario("Refused: a token that has expired", lambda: self.expired(brief), lambda seen: seen.startswith("401"))
        if self.options.devices > 0:
            self.scenario("%d more devices" % self.options.devices, lambda: self.crowd(self.options.devices),
                          lambda seen: seen.startswith("%d of" % self.options.devices))
        return all(result["good"] for result in self.results)


def start(realm, lab):
    for title, action in (("hss-stub", realm.start_hss), ("bsf", realm.start_bsf), ("naf agent", realm.start_agent),
                          ("application", realm.start_application), ("naf proxy", realm.start_proxy)):
        action()
        lab.say("started %-12s pid %d" % (title, realm.nodes[list(realm.nodes)[-1]].pid))
    realm.wait_connected()


def keep(realm, lab):
    proxy = realm.address("proxy")
    lab.say("""
The realm stays up until Ctrl-C. Try, in another terminal:
  gba="%s"; ue="$gba --state %s"
  $ue bootstrap --force
  $ue get http://%s/hello --connect %s:80
  curl -si --connect-to %s:80:%s:80 -A 3gpp-gba http://%s/hello
  curl -s http://%s:9100/metrics
  tail -f %s""" % (realm.program_line("gba-ue"), realm.path("devices", "milenage"), NAF, proxy, NAF, proxy, NAF,
                   realm.address("bsf"), realm.path("bsf.log")))
    while all(process.alive() for process in realm.nodes.values()):
        time.sleep(0.5)
    lab.say("A node ended: " + ", ".join(name for name, process in realm.nodes.items() if not process.alive()))
    return False


def run(options):
    folder = options.state or tempfile.mkdtemp(prefix="gba-lab-")
    with Realm(folder) as realm:
        lab = Lab(realm, options)
        lab.say("State folder: %s" % realm.folder)
        capture = Capture(realm.folder, realm.block.prefix)
        realm.extra_env = capture.environment()
        good = False
        try:
            start(realm, lab)
            good = lab.run()
            pages = os.path.join(realm.folder, "ladder.html")
            ladder.write_html(pages, lab.chapters, "One realm, from bootstrapping to the application")
            if options.keep:
                good = keep(realm, lab) and good
        finally:
            realm.stop()
            packets = capture.stop()
        lab.say("\n%d of %d scenarios as they should be" % (sum(r["good"] for r in lab.results), len(lab.results)))
        lab.say("Ladder:  %s" % pages)
        lab.say("Packets: %s" % (packets or capture.reason))
        if options.json:
            print(json.dumps({"good": good, "scenarios": len(lab.results), "state": realm.folder, "ladder": pages, "pcap": packets}))
        return EXIT_DONE if good else EXIT_NEGATIVE


def interrupted(number, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="gba-lab", description="An operator's realm and an ASP on loopback: bootstraps simulated "
                                     "USIMs, opens the application, shows what is refused, draws the ladder.")
    parser.add_argument("--keep", action="store_true", help="leave the realm running and say how to talk to it; Ctrl-C ends it")
    parser.add_argument("--operators", type=int, choices=(1, 2), default=1, metavar="N",
                        help="2: two realms, and a device that changes its operator")
    parser.add_argument("--devices", type=int, default=0, metavar="N", help="bootstrap N more devices")
    parser.add_argument("--json", action="store_true", help="print one JSON object per result and nothing else")
    parser.add_argument("--state", metavar="FOLDER", help="state folder (default: a new one among the temporary files)")
    parser.add_argument("--quiet", action="store_true", help="print results but no ladder")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell starts with SIGINT ignored
        signal.signal(number, interrupted)
    try:
        if options.operators == 2:
            return EXIT_DONE if change.run(options) else EXIT_NEGATIVE
        return run(options)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (RuntimeError, TimeoutError, OSError) as error:
        print("gba-lab: %s" % error, file=sys.stderr)
        return EXIT_NEGATIVE
