# SPDX-License-Identifier: Apache-2.0
"""gba-lab --operators 2: two complete realms, and devices that change from one to the other: with a USIM (Y.3056 10.6.1), with a
certificate (10.6.2)."""
import json
import os
import tempfile

from . import ladder
from .operators import Traveller, request_change, two_operators
from .scenarios import Scenarios


class Change(Scenarios):
    """Devices change their operator: the arrows of both realms."""

    title = "Change of operator (Y.3056 10.6)"
    columns = ["user", "ue", "bsf-old", "hss-old", "hss-new", "bsf-new"]
    patience = 30  # notices follow by themselves

    def __init__(self, operators, options):
        """Both nodes of a realm call themselves by their role; here they have a realm, too."""
        self.old, self.new = operators
        super().__init__(options, [(operator.trace, {"bsf": "bsf-" + which, "hss-stub": "hss-" + which})
                                   for operator, which in ((self.old, "old"), (self.new, "new"))])

    # ---- the chapters
    def run(self):
        return self.with_keys() and self.with_certificate()

    def with_keys(self):
        old, new = self.old, self.new
        device = Traveller(old, 1).provision()
        change, impi = {}, {}

        def at_home():
            return "B-TID %s" % device.bootstrap()["btid"]

        def too_early():
            change["id"], impi["new"] = request_change(new, device)
            return "gba-ctl change approve: " + new.change("approve", change["id"], want=4).strip()

        def handed_over():
            new.verify(impi["new"])
            new.change("approve", change["id"])
            new.wait_state(change["id"], "offered")
            return "the new operator has a key for this one change; the device still has the old operator's only"

        def first_token():
            message = new.change("update", change["id"])
            done = device.ue("update", "-", "--profile", "new", "--connect", new.address("bsf") + ":80", "--wait", "30", stdin=message)
            if not done["final"]:
                raise RuntimeError("the change is not final: %s" % done)
            new.wait_state(change["id"], "done")
            return "B-TID %s; old operator and user know" % done["btid"]

        def nothing_left():
            if old.has_subscriber(device.impi) or device.usim()["k"] == device.k:
                raise RuntimeError("an old key is still there")
            device.ue("profile", "add", "back", "--bsf", old.n.bsf, "--connect", old.address("bsf") + ":80", "--impi", device.impi)
            device.ue("profile", "use", "back")
            device.ue("bootstrap", want=4)
            device.ue("profile", "use", "new")
            return "the old operator refuses the device; the card has one operator: %s" % device.usim()["operator"]

        return all([self.scenario("The device bootstraps with its old operator", at_home),
                    self.scenario("1, 2. The user applies to the new operator: not before user and device are verified", too_early),
                    self.scenario("1-3. Verified: the new operator asks the old one", handed_over),
                    self.scenario("4-6. Key update, first token in the new realm, both notices", first_token),
                    self.scenario("The old keys are gone on both sides", nothing_left)])

    def with_certificate(self):
        old, new = self.old, self.new
        device = Traveller(old, 2).enrol()
        change, impi = {}, {}

        def at_home():
            return "B-TID %s; Ks is of the TLS connection" % device.bootstrap()["btid"]

        def signed():
            change["id"], impi["new"] = request_change(new, device, kind="asymmetric", number=901)
            new.verify(impi["new"])
            new.change("approve", change["id"])
            new.wait_state(change["id"], "offered")
            return "the old operator has signed that the device shall trust the new one"

        def first_token():
            message = new.change("update", change["id"])
            done = device.ue("update", "-", "--profile", "new", *new.by_certificate(), "--wait", "30", stdin=message)
            if not done["final"]:
                raise RuntimeError("the change is not final: %s" % done)
            new.wait_state(change["id"], "done")
            return "B-TID %s; the device has a certificate of its new operator; old operator and user know" % done["btid"]

        def nothing_left():
            if old.has_subscriber(device.impi) or device.usim()["anchor"] != new.public_key[:64]:
                raise RuntimeError("the old operator is still there")
            return "the device trusts one operator: %s" % device.usim()["operator"]

        return all([self.scenario("By certificate: the device bootstraps with its old operator", at_home),
                    self.scenario("By certificate, 1-3: requested, verified, signed by the old operator", signed),
                    self.scenario("By certificate, 3-6: public key released, first token in the new realm, both notices", first_token),
                    self.scenario("By certificate: nothing of the old operator is left", nothing_left)])


def perform(folder, options):
    """@return what was seen (Change)"""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    old, new = two_operators(folder)
    with old, new:
        lab = Change((old, new), options)
        for operator in (old, new):
            operator.start()
        for operator in (old, new):
            operator.wait_connected()
            lab.say("Operator %s is up: Ub at %s:80" % (operator.n.realm, operator.address("bsf")))
        lab.run()
    return lab


def run(options):
    """@return True when every scenario is as it should be."""
    folder = os.path.abspath(options.state or tempfile.mkdtemp(prefix="gba-lab-"))
    lab = perform(folder, options)
    page = os.path.join(folder, "ladder.html")
    ladder.write_html(page, lab.chapters, lab.title)
    lab.say("\n%d of %d scenarios as they should be\nState:   %s\nLadder:  %s"
            % (sum(r["good"] for r in lab.results), len(lab.results), folder, page))
    if options.json:
        print(json.dumps({"good": lab.good(), "scenarios": len(lab.results), "state": folder, "ladder": page}))
    return lab.good()
