# SPDX-License-Identifier: Apache-2.0
"""A small application of an ASP: it knows nothing of GBA and reads who calls from the header its NAF sets.
Run: app.py ADDRESS PORT [TRACE-FILE [NAME OF ITS NAF IN TRACES]]; ADDRESS may be unix:PATH."""
import http.server
import json
import os
import re
import socketserver
import sys
import time


def trace(path, direction, message, naf="naf-proxy"):
    if not path:
        return
    step = {"at": int(time.time() * 1e6), "iface": "HTTP", "clause": "Y.3056 10.5", "message": message}
    step["from"], step["to"] = (naf, "application") if direction == "in" else ("application", naf)
    try:
        with open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o640)) as out:
            out.write((json.dumps(step) + "\n").encode())
    except OSError:
        pass  # a full disk: who calls is answered all the same


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: alone, the second would wait 40 ms for the ACK of the first
    server_version = "sample-application"
    trace_file, naf = None, "naf-proxy"

    def log_message(self, *_):
        pass

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        who = self.headers.get("X-3GPP-Asserted-Identity", "")
        trace(self.trace_file, "in", "%s %s" % (self.command, self.path), self.naf)
        text = json.dumps({"hello": ", ".join(re.findall('"([^"]*)"', who)) or who, "method": self.command, "path": self.path, "received": len(body)}) + "\n"
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        trace(self.trace_file, "out", "200 OK", self.naf)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    Application.trace_file = sys.argv[3] if len(sys.argv) > 3 else None
    Application.naf = sys.argv[4] if len(sys.argv) > 4 else Application.naf
    server = UnixServer(sys.argv[1][5:], Application) if sys.argv[1].startswith("unix:") else \
        http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Application)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
