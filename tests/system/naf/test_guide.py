# SPDX-License-Identifier: Apache-2.0
"""What an application programmer meets: the guide's program, the installed headers and pkg-config files."""
import os
import re
import subprocess

import pytest

from naf_harness import NAF, TOP, btid, dia


class Installed:
    """`make install` of the libraries into a folder of their own."""

    def __init__(self, root):
        self.root = root
        for targets in (["install-includeHEADERS", "install-pkgconfigDATA"], ["install-libLTLIBRARIES"]):
            run = subprocess.run(["make", "-C", dia.BUILD, "-s", *targets, "DESTDIR=" + root], capture_output=True, text=True,
                                 timeout=300)
            assert run.returncode == 0, run.stderr
        (self.lib,) = [folder for folder, _, files in os.walk(root) if "libgba-naf.so" in files]

    def compile(self, source, out, package):
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(self.lib, "pkgconfig"), PKG_CONFIG_SYSROOT_DIR=self.root)
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", package], env=env, check=True, capture_output=True,
                               text=True).stdout.split()
        # a library named by a library is looked for at its final place otherwise
        return subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", out, source, *flags, "-Wl,-rpath-link," + self.lib],
                              capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(str(tmp_path_factory.mktemp("install")))


def test_program_of_the_guide(world, installed, tmp_path):
    with open(os.path.join(TOP, "doc", "asp-guide.md"), encoding="utf-8") as guide:
        (program,) = re.findall(r"```c\n(.*?)```", guide.read(), re.S)
    source = tmp_path / "app.c"
    source.write_text(program)
    built = installed.compile(str(source), str(tmp_path / "app"), "libgba-naf")
    assert built.returncode == 0, built.stderr
    name = world.one.knows(btid("bsf.one.example"))
    env = dict(os.environ, LD_LIBRARY_PATH=installed.lib, GBA_NAF_SOCKET=world.agent.socket)
    run = subprocess.run([str(tmp_path / "app"), name, NAF], env=env, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stdout.startswith("key of 32 octets until ")
    run = subprocess.run([str(tmp_path / "app"), name, "naf2.example.com"], env=env, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and run.stdout.startswith("answer 500: ")
    run = subprocess.run([str(tmp_path / "app"), btid("elsewhere.example"), NAF], env=env, capture_output=True, text=True,
                         timeout=60)
    assert run.stdout.startswith("answer 403: ")


def test_example_server_builds_from_what_is_installed(installed, tmp_path):
    source = os.path.join(TOP, "naf-adapter", "libnaf", "examples", "tls-echo.c")
    built = installed.compile(source, str(tmp_path / "tls-echo"), "libgba-naf-openssl")
    assert built.returncode == 0, built.stderr


def test_only_public_names_are_exported(installed):
    for library, prefix in [("libgba-naf.so", "gba_naf_"), ("libgba-naf-openssl.so", "gba_naf_tls_")]:
        names = subprocess.run(["nm", "-D", "--defined-only", os.path.join(installed.lib, library)], capture_output=True,
                               text=True, check=True).stdout.split("\n")
        assert [n for n in names if n and not n.split()[-1].startswith(prefix)] == []


def test_headers_serve_cplusplus(tmp_path):
    source = tmp_path / "a.cc"
    source.write_text('#include "gba-naf-openssl.h"\nint main() { gba_naf_query q = GBA_NAF_QUERY_INIT; return q.size == 0; }\n')
    run = subprocess.run(["c++", "-Wall", "-Werror", "-fsyntax-only", "-I", os.path.join(TOP, "naf-adapter", "libnaf"),
                          str(source)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_manual_is_well_formed():
    page = os.path.join(TOP, "naf-adapter", "libnaf", "gba_naf.3")
    with open(page, encoding="ascii") as text:
        manual = text.read()
    header = open(os.path.join(TOP, "naf-adapter", "libnaf", "gba-naf.h"), encoding="utf-8").read()
    named = set(re.findall(r"\.Fn (gba_naf_\w+)", manual))
    declared = set(re.findall(r"\b(gba_naf_\w+)\(", header)) | {"gba_naf_tls_new", "gba_naf_tls_result"}
    assert named and named <= declared
    assert set(re.findall(r"GBA_NAF_E_\w+", manual)) == set(re.findall(r"(GBA_NAF_E_\w+) = ", header))
