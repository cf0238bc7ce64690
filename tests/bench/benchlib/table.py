# SPDX-License-Identifier: Apache-2.0
"""Figures, the floors measured beside them in the same run, and what was to be reached."""
import json
import statistics

MISSED, MET, OPEN = "missed", "met", "-"


class Row:
    def __init__(self, name, value, unit, floor=None, ratio=None, target=None, note=""):
        """floor: (name, value). ratio: our figure relative to the floor, median over the rounds. target: (what is compared:
        "value" or "ratio", ">=" or "<=", number)."""
        self.name, self.value, self.unit, self.floor, self.ratio, self.target, self.note = (name, value, unit, floor, ratio,
                                                                                           target, note)

    def verdict(self):
        if self.target is None:
            return OPEN
        what, sign, bound = self.target
        got = self.ratio if what == "ratio" else self.value
        return MET if (got >= bound if sign == ">=" else got <= bound) else MISSED

    def target_text(self):
        if self.target is None:
            return ""
        what, sign, bound = self.target
        return "%s%s %s" % ("ratio " if what == "ratio" else "", sign, number(bound))

    def as_dict(self):
        return {"figure": self.name, "value": self.value, "unit": self.unit, "floor": self.floor and self.floor[0],
                "floor_value": self.floor and self.floor[1], "ratio": self.ratio, "target": self.target_text(),
                "verdict": self.verdict(), "note": self.note}


def number(value):
    if value is None:
        return ""
    if abs(value) >= 1000:
        return "{:,.0f}".format(value)
    return "%.0f" % value if value == int(value) else "%.3g" % value


def median(values):
    return statistics.median(values)


class Table:
    def __init__(self, echo=None):
        self.rows, self._echo = [], echo

    def add(self, *args, **kwargs):
        row = Row(*args, **kwargs)
        self.rows.append(row)
        if self._echo:
            print("  %s: %s %s" % (row.name, number(row.value), row.unit), file=self._echo, flush=True)
        return row

    def failed(self, name, error):
        """A figure that could not be taken is shown, not left out."""
        self.add(name, None, "", note="not measured: %s" % str(error).strip().splitlines()[-1][:100])

    def text(self):
        head = ("figure", "value", "unit", "floor", "its value", "ratio", "target", "")
        body = [(r.name, number(r.value), r.unit, r.floor[0] if r.floor else "", number(r.floor[1]) if r.floor else "",
                 "%.2f" % r.ratio if r.ratio is not None else "", r.target_text(),
                 r.verdict() if r.value is not None else "FAILED") for r in self.rows]
        widths = [max(len(row[i]) for row in [head] + body) for i in range(len(head))]
        right = (1, 4, 5)
        lines = ["  ".join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
                 for row in [head, tuple("-" * w for w in widths)] + body]
        notes = ["  %s: %s" % (r.name, r.note) for r in self.rows if r.note]
        return "\n".join(lines + (["", "Notes"] + notes if notes else []))

    def json(self):
        return json.dumps([r.as_dict() for r in self.rows], indent=1)
