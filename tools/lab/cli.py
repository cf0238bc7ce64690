# SPDX-License-Identifier: Apache-2.0
"""gba-lab: the whole realm on loopback, every kind of device through it, the refusals, and the ladder of it all."""
import argparse
import json
import os
import signal
import sys
import tempfile
import time

from . import asp, change, ladder
from .capture import Capture
from .flows import Flows
from .lab import Lab
from .process import way_in
from .realm import Realm
from .registry import Registries, RegistryRealm

EXIT_DONE, EXIT_NEGATIVE, EXIT_INTERRUPTED = 0, 1, 130


def start(realm, lab):
    for title, action in lab.nodes():
        action()
        lab.say("started %-12s pid %d" % (title, realm.nodes[list(realm.nodes)[-1]].pid))
    realm.wait_connected()


def keep(realm, lab):
    lines = [way_in()] if way_in() else []
    lines += ["ue=\"%s --state %s\"" % (realm.program_line("gba-ue"), lab.device_folder()), "$ue bootstrap --force", *lab.how(),
              "curl -s http://%s:9100/metrics" % realm.address("bsf"), "tail -f %s" % realm.path("bsf.log")]
    lab.say("\nThe realm stays up until Ctrl-C. Try, in another terminal:\n  " + "\n  ".join(lines))
    while all(process.alive() for process in realm.nodes.values()):
        time.sleep(0.5)
    lab.say("A node ended: " + ", ".join(name for name, process in realm.nodes.items() if not process.alive()))
    return False


def change_operator(realm, lab, options):
    """The last flow needs two realms of its own."""
    more = change.perform(realm.path("operators"), options)
    lab.chapters += more.chapters
    lab.results += more.results
    return more.good()


def lab_of(options):
    return asp.KINDS[options.asp] if options.asp else Registries if options.registry else Flows if options.flows else Lab


def run(options):
    folder = options.state or tempfile.mkdtemp(prefix="gba-lab-")
    with (RegistryRealm if options.registry else Realm)(folder) as realm:
        lab = lab_of(options)(realm, options)
        lab.say("State folder: %s" % realm.folder)
        capture = Capture(realm.folder, realm.block.prefix)
        realm.extra_env = capture.environment()
        good = False
        try:
            start(realm, lab)
            good = lab.run()
            if options.flows:
                good = change_operator(realm, lab, options) and good
            pages = os.path.join(realm.folder, "ladder.html")
            ladder.write_html(pages, lab.chapters, lab.title)
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
    parser.add_argument("--flows", action="store_true", help="the flows of Y.3056 clause 10 instead, from an empty realm on")
    parser.add_argument("--registry", action="store_true", help="three trust registries instead: a device registers, turns Black, everybody "
                        "learns it")
    parser.add_argument("--asp", choices=list(asp.KINDS), metavar="KIND", help="an ASP's application of this kind instead, with the programs "
                        "people have: " + ", ".join(asp.KINDS))
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
