# SPDX-License-Identifier: Apache-2.0
"""Ladder of a run from the nodes' trace lines: live in a terminal, and as one HTML file with an SVG that needs nothing else."""
import html
import json
import os
import sys

COLUMNS = ["ue", "bsf", "hss-stub", "naf-agent", "naf-proxy", "application"]  # always there
PEOPLE = ["user", "operator", "asp"]  # before them where a step has them; other nodes, of a second operator, behind
ROLES = {"ue": "client and connection element", "bsf": "authentication element", "hss-stub": "authorization element",
         "naf-agent": "application element: keys", "naf-proxy": "application element: Ua", "application": "the ASP's application",
         "user": "owner of the device", "operator": "its people", "asp": "application service provider",
         "IN1": "primary registry", "IN": "sectoral registry", "IN2": "primary registry, other branch", "mme": "core network",
         "bsf-old": "authentication element, old", "hss-old": "authorization element, old",
         "bsf-new": "authentication element, new", "hss-new": "authorization element, new"}
IFACE_COLOUR = {"RPD": "32", "S13": "35", "registry": "33", "REST": "31", "RPA": "33", "RPB": "35", "OPC": "31", "Ub": "34", "Zh": "35", "Zn": "33", "Ua": "32", "local": "36", "HTTP": "36", "USIM": "37"}
IFACE_FILL = {"RPD": "#15803d", "S13": "#7e22ce", "registry": "#b45309", "REST": "#b91c1c", "RPA": "#b45309", "RPB": "#7e22ce", "OPC": "#b91c1c", "Ub": "#1d4ed8", "Zh": "#7e22ce", "Zn": "#b45309", "Ua": "#15803d", "local": "#0e7490", "HTTP": "#0e7490",
              "USIM": "#374151"}


class TraceReader:
    """Follow a file of JSON lines; a line that is still being written waits for the next read."""

    def __init__(self, path):
        self.path, self._offset, self._rest = path, 0, b""

    def read(self):
        try:
            with open(self.path, "rb") as source:
                source.seek(self._offset)
                data = source.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return [json.loads(line) for line in lines if line.strip()]


def columns_of(steps, columns, few=False):
    """Who stands in the ladder of these steps; few: only those who take part."""
    seen = [name for step in steps for name in (step.get("from"), step.get("to")) if name]
    people = [name for name in PEOPLE if name in seen and name not in columns]
    return (people + [name for name in columns if not few or name in seen]
            + sorted({name for name in seen if few and name not in people and name not in columns}))


def in_order(steps):
    return sorted(steps, key=lambda step: step["at"])


class TerminalLadder:
    """Prints steps as arrows between columns. Colour only on a terminal and without NO_COLOR."""

    def __init__(self, out=sys.stdout, width=13):
        self.out, self.width = out, width
        self.columns = COLUMNS
        self.colour = out.isatty() and "NO_COLOR" not in os.environ

    def _paint(self, text, code):
        return "\033[%sm%s\033[0m" % (code, text) if self.colour else text

    def header(self, columns=COLUMNS):
        self.columns = columns
        names = "".join(name.center(self.width) for name in columns)
        self.out.write(self._paint(names.rstrip(), "1") + "\n")

    def _rails(self):
        row = list(" " * (self.width * len(self.columns)))
        for i in range(len(self.columns)):
            row[i * self.width + self.width // 2] = "|"
        return row

    def _at(self, name):
        return self.columns.index(name) * self.width + self.width // 2

    def step(self, step):
        row = self._rails()
        source, target = step.get("from"), step.get("to")
        if source in self.columns and target in self.columns and source != target:
            a, b = self._at(source), self._at(target)
            for x in range(min(a, b) + 1, max(a, b)):
                row[x] = "-" if row[x] == " " else "+"
            row[b + (-1 if b > a else 1)] = ">" if b > a else "<"
        elif source in self.columns:
            row[self._at(source)] = "*"
        iface = step.get("iface", "")
        text = "%-5s %-34s %s" % (iface, step.get("message", ""), step.get("clause", ""))
        self.out.write("".join(row) + self._paint(text.rstrip(), IFACE_COLOUR.get(iface, "0")) + "\n")

    def title(self, text):
        self.out.write("\n" + self._paint(text, "1") + "\n")
        self.out.flush()


def _svg(steps, columns):
    gap, left, top, row = 190, 110, 64, 40
    width, height = left * 2 + gap * (len(columns) - 1), top + row * (len(steps) + 1)
    x_of = {name: left + gap * i for i, name in enumerate(columns)}
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="12">'
           % (width, height)]
    for name, x in x_of.items():
        out.append('<text x="%d" y="22" text-anchor="middle" font-weight="bold" font-size="14">%s</text>' % (x, name))
        out.append('<text x="%d" y="38" text-anchor="middle" fill="#6b7280" font-size="10">%s</text>'
                   % (x, html.escape(ROLES.get(name, ""))))
        out.append('<line x1="%d" y1="46" x2="%d" y2="%d" stroke="#d1d5db"/>' % (x, x, height - 8))
    for i, step in enumerate(steps):
        out.append(_svg_step(step, x_of, top + row * i + 20))
    out.append("</svg>")
    return "\n".join(out)


def _svg_step(step, x_of, y):
    a, b = x_of.get(step.get("from")), x_of.get(step.get("to"))
    fill = IFACE_FILL.get(step.get("iface"), "#111827")
    label = html.escape("%s  %s" % (step.get("iface", ""), step.get("message", "")))
    clause = html.escape(step.get("clause", ""))
    if a is None or b is None or a == b:
        at = a if a is not None else min(x_of.values())
        return ('<circle cx="%d" cy="%d" r="4" fill="%s"/><text x="%d" y="%d" fill="%s">%s <tspan fill="#6b7280">%s</tspan></text>'
                % (at, y, fill, at + 10, y + 4, fill, label, clause))
    head = 7 if b > a else -7
    return ('<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="1.5"/>'
            '<path d="M%d %d l%d -4 v8 z" fill="%s"/>'
            '<text x="%d" y="%d" text-anchor="middle" fill="%s">%s</text>'
            '<text x="%d" y="%d" text-anchor="middle" fill="#6b7280" font-size="10">%s</text>'
            % (a, y, b - head, y, fill, b, y, -head, fill, (a + b) // 2, y - 4, fill, label, (a + b) // 2, y + 12, clause))


def write_html(path, chapters, title):
    """chapters: list of (heading, outcome, steps, columns)."""
    body = []
    for heading, outcome, steps, columns in chapters:
        body.append("<section><h2>%s</h2><p>%s</p>%s</section>" % (html.escape(heading), html.escape(outcome),
                                                                 _svg(in_order(steps), columns) if steps else ""))
    page = ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title><style>"
            "body{font-family:sans-serif;margin:2rem auto;max-width:1180px;color:#111827}h1{font-size:1.4rem}"
            "h2{font-size:1.05rem;margin:2rem 0 .2rem}p{margin:.2rem 0 .6rem;color:#374151}svg{width:100%%;height:auto;"
            "border:1px solid #e5e7eb;border-radius:6px;background:#fff}</style></head><body><h1>%s</h1>\n%s\n</body></html>\n"
            % (html.escape(title), html.escape(title), "\n".join(body)))
    with open(path, "w", encoding="utf-8") as out:
        out.write(page)
