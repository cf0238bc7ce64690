# SPDX-License-Identifier: Apache-2.0
"""Scenarios on running realms: what was done, what was seen, whether it is as it should be, and the ladder of it."""
import json
import time

from . import ladder
from .realm import NAF


class Scenarios:
    """Runs scenarios one after the other and keeps what each one showed."""

    title = "A laboratory"
    columns = ladder.COLUMNS  # of every ladder
    few = False # True: only those who take part
    patience = 5  # [looks, 10 ms apart] for arrows that are written after the answer has left

    def __init__(self, options, traces):
        """traces: [(file of trace lines, {name in it: name in the ladder})]"""
        self.options = options
        self.readers = [(ladder.TraceReader(path), names) for path, names in traces]
        self.terminal = ladder.TerminalLadder()
        self.chapters, self.results = [], []

    def nodes(self):
        """Steps that start the realm: [(title, action)]."""
        realm = self.realm  # of a laboratory with one
        return [("hss-stub", lambda: realm.start_hss(extra=self.hss_conf())), ("bsf", lambda: realm.start_bsf(extra=self.bsf_conf())),
                ("naf agent", realm.start_agent), ("application", realm.start_application), ("naf proxy", realm.start_proxy)]

    def device_folder(self):
        """Of the device that --keep tells about, and what to try with it."""
        return self.realm.path("devices", "milenage")

    def how(self):
        proxy = self.realm.address("proxy")
        return ["$ue get http://%s/hello --connect %s:80" % (NAF, proxy),
                "curl -si --connect-to %s:80:%s:80 -A 3gpp-gba http://%s/hello" % (NAF, proxy, NAF)]

    def say(self, text):
        if not self.options.json:
            print(text, flush=True)

    def steps(self):
        """Those that are new."""
        found = [dict(step, **{"from": names.get(step.get("from"), step.get("from")), "to": names.get(step.get("to"), step.get("to"))})
                 for reader, names in self.readers for step in reader.read()]
        return ladder.in_order(found)

    def settled(self):
        """Those that are new, once nothing has come for a while. It is counted in looks: a machine that stands still between two of them
        keeps those who write from writing, too."""
        found, quiet = self.steps(), 0
        while quiet < self.patience:
            time.sleep(0.01)
            more = self.steps()
            found, quiet = found + more, 0 if more else quiet + 1
        return ladder.in_order(found)

    def scenario(self, title, action, expect=None):
        """Run action(); it returns what was seen, which must satisfy expect(seen). What goes wrong raises."""
        started = time.monotonic()
        try:
            seen, good = action(), None
        except (RuntimeError, OSError, TimeoutError) as error:
            seen, good = str(error), False
        if good is None:
            good = expect is None or bool(expect(seen))
        self._finish(title, seen, good, time.monotonic() - started)
        return good

    def _finish(self, title, seen, good, seconds):
        steps = self.settled()
        self.chapters.append((title, ("as it should: " if good else "NOT as it should: ") + str(seen), steps,
                              ladder.columns_of(steps, self.columns, self.few)))
        self.results.append({"scenario": title, "good": good, "seen": seen, "seconds": round(seconds, 3),
                             "clauses": [step["clause"] for step in steps if step.get("clause")]})
        if self.options.json:
            print(json.dumps(self.results[-1]), flush=True)
            return
        self.terminal.title(title)
        if not self.options.quiet:
            self.terminal.header(self.chapters[-1][3])
            for step in steps:
                self.terminal.step(step)
        print("  %s  %s  (%.0f ms)" % ("ok " if good else "BAD", seen, seconds * 1000), flush=True)

    def good(self):
        return all(result["good"] for result in self.results)
