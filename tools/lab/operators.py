# SPDX-License-Identifier: Apache-2.0
"""Several operators side by side, each with its authorization and authentication elements, in agreement about changes of
operator (Y.3056 10.6): what `gba-lab --operators 2` and tests/system/change stand on."""
import json
import os
import secrets
import sqlite3
import time

from .certs import Authority
from .process import wait_until
from .realm import Realm, q

OPC = "4294901763"  # Y3056-OPC, default number of dict_y3056
BSF_IND = 1


class Names:
    """Who is who in the realm of operator `number`."""

    def __init__(self, number):
        self.realm = "mnc%03d.mcc001.3gppnetwork.org" % number
        self.hss = "hss." + self.realm
        self.bsf_diameter = "bsf-dia." + self.realm
        self.bsf = "bsf.mnc%03d.mcc001.pub.3gppnetwork.org" % number
        self.impi_realm = "ims." + self.realm
        self.imsi = "00101%010d"


class Operator(Realm):
    """hss-stub and bsf of one operator; certificates are those of an authority all operators trust."""

    def __init__(self, folder, number, authority, **options):
        super().__init__(folder, **options)
        self.number, self.n, self.authority = number, Names(number), authority
        self.others, self.extra, self.bsf_extra, self.wrap, self.bsf_may = [], "", "", {}, ["zh", "rpb", OPC]
        self.key_file = self.path("operator.key")
        self.ca_dir = self.path("ca")
        if not os.path.exists(self.ca_dir):
            self.ctl("ca", "init", "--ca-dir", self.ca_dir, "--name", "CA of operator %d" % number)
        self.public_key = json.loads(self.run("gba-ctl", "--json", "change", "key", "--file", self.key_file).stdout)["public-key"]

    def agree_with(self, *others):
        """Enter other operators; configuration takes effect when the nodes are started."""
        self.others += others

    # ---- configuration
    def _operators(self):
        rows = []
        for other in self.others:
            extra = ""
            if other.number in self.wrap:
                extra = ' wrap = "shared-key"; shared-key-file = %s;' % q(self.wrap[other.number])
            rows.append("{ realm = %s; host = %s; public-key = %s;%s }" % (q(other.n.realm), q(other.n.hss), q(other.public_key), extra))
        return ",\n  ".join(rows)

    def hss_conf(self, bsfs=None, extra=""):
        return self._write("hss.conf", self.common("hss") + 'database = %s;\nkek-file = %s;\nmetrics-listen = %s;\n'
                           'bsfs = ( { identity = %s; ind = %d; realms = [ %s ]; } );\n'
                           'operator-key = %s;\nchange-bsf = %s;\noperators = ( %s );\nca-dir = %s;\n%s%s'
                           % (q(self.path("hss.db")), q(self.path("hss.kek")), q(self.address("hss") + ":9100"), q(self.n.bsf_diameter),
                              BSF_IND, q(self.n.impi_realm), q(self.key_file), q(self.n.bsf), self._operators(), q(self.ca_dir), self.extra,
                              self.patient("hss", extra)))

    def _asymmetric(self):
        """Where devices bootstrap by their certificates: this operator's, and those with whose operators there is an agreement."""
        cert, key = self.authority.issue(self.n.bsf)
        roots = ""
        for operator in [self] + self.others:
            with open(os.path.join(operator.ca_dir, "ca.pem"), encoding="ascii") as text:
                roots += text.read()
        return ("asymmetric = ( { listen = %s; tls-cert = %s; tls-key = %s; device-ca = %s; device-crl = %s; } );\n"
                % (q(self.address("bsf") + ":443"), q(cert), q(key), q(self._write("device-ca.pem", roots)),
                   q(os.path.join(self.ca_dir, "crl.pem"))))

    def bsf_conf(self, extra="", nafs=""):
        os.makedirs(self.path("bsf"), mode=0o700, exist_ok=True)
        return self._write("bsf.conf", self.common("bsf") + 'name = %s;\nub = ( { listen = %s; } );\n'
                           'hss = ( { impi-realm = %s; destination-realm = %s; hosts = [ %s ]; } );\nnafs = ( %s );\n'
                           'store-dir = %s;\nkek-file = %s;\nmetrics-listen = %s;\n%s%s%s'
                           % (q(self.n.bsf), q(self.address("bsf") + ":80"), q(self.n.impi_realm), q(self.n.realm), q(self.n.hss), nafs,
                              q(self.path("bsf")), q(self.path("bsf.kek")), q(self.address("bsf") + ":9100"), self._asymmetric(),
                              self.bsf_extra, self.patient("bsf", extra)))

    def by_certificate(self):
        """Options of a profile, or of an update, that lead to it."""
        return ["--connect", self.address("bsf") + ":443", "--ca-file", self.authority.ca]

    # ---- processes. The operator with the higher number connects to the one with the lower.
    def start_hss(self, peers=None, **conf):
        allowed = [(self.n.bsf_diameter, self.bsf_may)] + [(o.n.hss, [OPC]) for o in self.others]
        guard = self.guard_conf("hss", allowed, realms=[self.n.impi_realm])
        connect = [(self.n.bsf_diameter, None)] + [(o.n.hss, o.address("hss") if o.number < self.number else None) for o in self.others]
        daemon = self.daemon_conf("hss", self.n.hss, self.n.realm,
                                  [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("hss_stub", self.hss_conf(**conf))], connect)
        return self.start_daemon("hss", daemon, 5868 if self.tls else 3868)

    def start_bsf(self, peers=None, **conf):
        guard = self.guard_conf("bsf", [(self.n.hss, ["zh", "rpb", OPC])] + [(p, ["zn"]) for p, _ in peers or []])
        daemon = self.daemon_conf("bsf", self.n.bsf_diameter, self.n.realm,
                                  [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("bsf", self.bsf_conf(**conf))],
                                  [(self.n.hss, self.address("hss"))] + list(peers or []))
        return self.start_daemon("bsf", daemon, 80)

    def start(self):
        self.start_hss()
        self.start_bsf()

    def wait_connected(self, nodes=("bsf",), timeout=60):
        super().wait_connected(nodes, timeout)

    # ---- what the operator's people do
    def change(self, *words, want=0):
        """gba-ctl change ...; its records, or the text of the error when want is not 0."""
        done = self.run("gba-ctl", "--json", "--db", self.path("hss.db"), "--kek", self.path("hss.kek"), "change", *words)
        if done.returncode != want:
            raise RuntimeError("gba-ctl change %s: %d: %s" % (" ".join(words), done.returncode, done.stderr.strip()))
        if want != 0:
            return done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")] or done.stdout.strip()

    def state_of(self, change):
        return self.change("show", change)[0]["state"]

    def wait_state(self, change, *states, timeout=60):
        return wait_until(lambda: next((s for s in states if self.state_of(change) == s), None), timeout,
                          "change %s of operator %d is %s" % (change, self.number, " or ".join(states)), every=0.05)

    def rows(self, sql, *values):
        """Read the node's database."""
        database = sqlite3.connect("file:%s?mode=ro" % self.path("hss.db"), uri=True, timeout=20)
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def verify(self, impi, level=2, authenticated=True):
        """Enter a verified user and an authenticated device that bears this IMPI, as the mapping function keeps them."""
        now = int(time.time())
        database = sqlite3.connect(self.path("hss.db"), timeout=20)
        try:
            user = database.execute("INSERT INTO users (rev, created, changed, account, verification, document_kind, level, verifier,"
                                    " verified, state) VALUES (1, ?, ?, ?, 0, 0, ?, 'lab', ?, 0)",
                                    (now, now, "user-" + impi, level, now if level else 0)).lastrowid
            database.execute("INSERT INTO device (rev, created, changed, impi, custodian, authentication, method, authenticated)"
                             " VALUES (1, ?, ?, ?, ?, 0, 0, ?)", (now, now, impi, user, now if authenticated else 0))
            database.commit()
        finally:
            database.close()

    def has_subscriber(self, impi):
        return bool(self.rows("SELECT 1 FROM subscriber WHERE impi = ?", impi))

    def transfer_keys(self):
        return self.rows("SELECT count(*) FROM change_device WHERE sealed IS NOT NULL")[0][0]


class Traveller:
    """A device with a soft USIM of one operator that can change to another."""

    def __init__(self, operator, index=1):
        self.operator, self.index = operator, index
        self.imsi = operator.n.imsi % (operator.number * 1000 + index)
        self.impi = "%s@%s" % (self.imsi, operator.n.impi_realm)
        self.k, self.opc = secrets.token_hex(16), secrets.token_hex(16)
        self.state = operator.path("device-%d" % index)

    def provision(self):
        """In the operator's records, and in the device."""
        secret = self.operator.path("secret-%d" % self.index)
        for name, value in (("k", self.k), ("opc", self.opc)):
            with open(secret + name, "w") as out:
                out.write(value)
        self.operator.ctl("subscriber", "add", self.impi, "--imsi", self.imsi, "--k-file", secret + "k", "--opc-file", secret + "opc")
        os.unlink(secret + "k")
        os.unlink(secret + "opc")
        self.transfer_key = self.operator.change("transfer-key", self.impi, "--reveal")[0]["transfer-key"]
        self.ue("usim", "create", "--imsi", self.imsi, "--impi", self.impi, "--key-file", "-", "--operator", self.operator.n.realm,
                stdin="k=%s\nopc=%s\n" % (self.k, self.opc))
        self.ue("usim", "set", "--transfer-key-file", "-", stdin=self.transfer_key)
        self.ue("profile", "add", "old", "--bsf", self.operator.n.bsf, "--connect", self.operator.address("bsf") + ":80")
        return self

    def enrol(self):
        """A certificate of the operator's CA instead of keys: the device's key is made in the device and stays there."""
        operator = self.operator
        operator.ctl("subscriber", "add", self.impi, "--no-aka")
        self.ue("usim", "create", "--certificate-only", "--impi", self.impi, "--operator", operator.n.realm, "--anchor", operator.public_key)
        self.ue("certificate", "request", "-o", self.state + ".csr")
        done = json.loads(operator.ctl("--json", "ca", "issue", "device-%d" % self.index, "--ca-dir", operator.ca_dir, "--csr",
                                       self.state + ".csr", "--for", "device:" + self.impi))
        self.ue("certificate", "install", "-", stdin=done["certificate"])
        self.ue("profile", "add", "old", "--bsf", operator.n.bsf, *operator.by_certificate())
        self.serial = done["serial"]
        return self

    def ue(self, *args, stdin=None, want=0):
        trace = ["--trace", self.operator.trace] if self.operator.trace else []
        done = self.operator.run("gba-ue", "--state", self.state, "--json", *trace, *args, stdin=stdin)
        if want is not None and done.returncode != want:
            raise RuntimeError("gba-ue %s: status %d: %s" % (" ".join(args), done.returncode, done.stderr.strip() or done.stdout))
        return json.loads(done.stdout) if done.stdout.strip() else None

    def bootstrap(self):
        return self.ue("bootstrap", "--force")

    def active(self):
        return next(row["name"] for row in self.ue("profile", "list") if row["active"])

    def usim(self):
        return self.ue("usim", "show", "--reveal")


def two_operators(folder, tree=None, trace=True, **options):
    """Operators 1 and 2, agreed with each other, not started."""
    authority = Authority(os.path.join(folder, "certs"))
    pair = [Operator(os.path.join(folder, "operator%d" % number), number, authority, tree=tree, trace=trace, **options)
            for number in (1, 2)]
    pair[0].agree_with(pair[1])
    pair[1].agree_with(pair[0])
    return pair


def request_change(new, traveller, number=900, kind="symmetric"):
    """10.6.1-1 at the new operator; the identity there."""
    imsi = new.n.imsi % (new.number * 1000 + number)
    impi = "%s@%s" % (imsi, new.n.impi_realm)
    done = new.change("request", traveller.impi, "--from", traveller.operator.n.realm, "--new-impi", impi, "--imsi", imsi, "--kind", kind)
    return done[0]["id"], impi
