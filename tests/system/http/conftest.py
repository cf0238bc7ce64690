# SPDX-License-Identifier: Apache-2.0
"""One plain and one TLS server for all tests of heads; certificates made by openssl."""
import ssl
import subprocess

import pytest

from httpnet import Server


def certificate(folder, name, ca=None, extra=()):
    """PEM files name.pem and name.key in folder, signed by ca or by itself."""
    base = str(folder / name)
    command = ["openssl", "req", "-x509" if ca is None else "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-keyout", base + ".key", "-subj", "/CN=" + name, "-out", base + (".pem" if ca is None else ".csr"), *extra]
    subprocess.run(command, check=True, capture_output=True)
    if ca is not None:
        subprocess.run(["openssl", "x509", "-req", "-in", base + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial",
                        "-days", "2", "-out", base + ".pem"], check=True, capture_output=True)
    return base


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    ca = certificate(folder, "ca", extra=["-days", "2"])
    return {"ca": ca, "server": certificate(folder, "localhost", ca), "client": certificate(folder, "client", ca),
            "foreign": certificate(folder, "foreign", extra=["-days", "2"])}


@pytest.fixture(scope="session")
def trust(pki):
    context = ssl.create_default_context(cafile=pki["ca"] + ".pem")
    context.check_hostname = False
    return context


@pytest.fixture(scope="session")
def plain():
    with Server(threads=2, head_ms=20000, max_head=8192, max_body=4096) as server:
        yield server


@pytest.fixture(scope="session")
def tls(pki):
    with Server(threads=2, head_ms=20000, max_head=8192, max_body=4096, cert=pki["server"] + ".pem",
                key=pki["server"] + ".key") as server:
        yield server
