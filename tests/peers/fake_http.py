# SPDX-License-Identifier: Apache-2.0
"""What the stand-ins that speak HTTP are made of: a server on a free port, in threads, plain or with a certificate."""
import http.server
import socketserver
import ssl
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives each request to the stand-in: serve(handler, body)."""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    def version_string(self):
        return self.server.owner.version

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.server.owner.serve(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_PUT = do_GET

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class StandIn:
    """`with` serves; subclasses have `version` and serve(handler, body)."""

    def __init__(self, context=None):
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.owner = self
        self.tls = context is not None
        if self.tls:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port


def server_context(certificate, tls12_suite=None):
    """Of a (certificate, key); with a suite TLS 1.2 and that suite only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if tls12_suite:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(tls12_suite)
    return context
