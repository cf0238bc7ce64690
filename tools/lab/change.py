# SPDX-License-Identifier: Apache-2.0
"""gba-lab --operators 2: two complete realms, and a device that changes from one to the other (Y.3056 10.6.1)."""
import json
import os
import tempfile
import time

from . import ladder
from .operators import Traveller, request_change, two_operators

COLUMNS = ["user", "ue", "bsf-old", "hss-old", "hss-new", "bsf-new"]
ROLES = {"user": "subscriber", "bsf-old": "authentication element, old", "hss-old": "authorization element, old",
         "bsf-new": "authentication element, new", "hss-new": "authorization element, new"}


class Story:
    """Chapters of a change: each an action, what was seen, and the arrows of both realms."""

    def __init__(self, operators, options):
        self.old, self.new = operators
        self.options = options
        self.readers = [(ladder.TraceReader(self.old.trace), "old"), (ladder.TraceReader(self.new.trace), "new")]
        self.terminal = ladder.TerminalLadder()
        self.chapters, self.results = [], []

    def say(self, text):
        if not self.options.json:
            print(text, flush=True)

    def _steps(self):
        """Both nodes of a realm call themselves by their role; here they have a realm, too."""
        steps = []
        for reader, which in self.readers:
            names = {"bsf": "bsf-" + which, "hss-stub": "hss-" + which}
            for step in reader.read():
                steps.append(dict(step, **{"from": names.get(step.get("from"), step.get("from")),
                                           "to": names.get(step.get("to"), step.get("to"))}))
        return ladder.in_order(steps)

    def chapter(self, title, action):
        started = time.monotonic()
        try:
            seen, good = action(), True
        except (RuntimeError, TimeoutError, OSError, AssertionError) as error:
            seen, good = str(error), False
        seconds = time.monotonic() - started
        time.sleep(0.3)  # arrows of notices that follow by themselves
        steps = self._steps()
        self.chapters.append((title, ("as it should: " if good else "NOT as it should: ") + str(seen), steps))
        self.results.append({"scenario": title, "good": good, "seen": seen, "seconds": round(seconds, 3),
                             "clauses": [step.get("clause") for step in steps if "10.6" in step.get("clause", "")]})
        if self.options.json:
            print(json.dumps(self.results[-1]), flush=True)
            return good
        self.terminal.title(title)
        if not self.options.quiet:
            self.terminal.header()
            for step in steps:
                self.terminal.step(step)
        print("  %s  %s  (%.0f ms)" % ("ok " if good else "BAD", seen, seconds * 1000), flush=True)
        return good

    # ---- the chapters
    def run(self):
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

        return all([self.chapter("The device bootstraps with its old operator", at_home),
                    self.chapter("1, 2. The user applies to the new operator: not before user and device are verified", too_early),
                    self.chapter("1-3. Verified: the new operator asks the old one", handed_over),
                    self.chapter("4-6. Key update, first token in the new realm, both notices", first_token),
                    self.chapter("The old keys are gone on both sides", nothing_left)])


def run(options):
    """@return True when every chapter is as it should be."""
    folder = os.path.abspath(options.state or tempfile.mkdtemp(prefix="gba-lab-"))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    ladder.COLUMNS[:] = COLUMNS
    ladder.ROLES.update(ROLES)
    old, new = two_operators(folder)
    with old, new:
        story = Story((old, new), options)
        story.say("State folder: %s" % folder)
        for operator in (old, new):
            operator.start()
        for operator in (old, new):
            operator.wait_connected()
            story.say("Operator %s is up: Ub at %s:80" % (operator.n.realm, operator.address("bsf")))
        good = story.run()
        page = os.path.join(folder, "ladder.html")
        ladder.write_html(page, story.chapters, "Change of operator, symmetric keys (Y.3056 10.6.1)")
    story.say("\n%d of %d scenarios as they should be\nLadder:  %s" % (sum(r["good"] for r in story.results), len(story.results), page))
    if options.json:
        print(json.dumps({"good": good, "scenarios": len(story.results), "state": folder, "ladder": page}))
    return good
