# SPDX-License-Identifier: Apache-2.0
"""One realm: every kind of device through it, the application, the refusals."""
import concurrent.futures
import http.client
import sys
import time

from .devices import Device, TS_35208_SET_1, TS_35233_SET_1
from .realm import FORBIDDEN_NAF, NAF
from .scenarios import Scenarios


class Lab(Scenarios):
    title = "One realm, from bootstrapping to the application"

    def __init__(self, realm, options):
        super().__init__(options, [(realm.trace, {})])
        self.realm = realm

    def hss_conf(self):
        """More items of hss.conf."""
        return ""

    def bsf_conf(self):
        """More items of bsf.conf."""
        return ""

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
        for _ in range(10):
            status, run, error = device.ue("bootstrap", "--force")
            if status == 0:
                break  # else the machine stood still for a whole life of it, and the device does not take it
        else:
            raise RuntimeError("gba-ue bootstrap: status %d: %s" % (status, error or run))
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
        hello = lambda seen: "sip:" in seen  # noqa: E731
        self.scenario("A MILENAGE USIM (TS 35.208 set 1) bootstraps", self.bootstrap(milenage))
        self.scenario("A TUAK USIM (TS 35.233 set 1) bootstraps", self.bootstrap(tuak))
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
        return self.good()
