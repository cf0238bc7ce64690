# SPDX-License-Identifier: Apache-2.0
"""Sealed datagrams (doc/sealed.md) for applications in Python: libgba-sealed by ctypes, nothing else needed.

    look = gba_sealed.look(datagram)                     # whose it says it is
    with gba_sealed.Link(folder, token.key, token.btid, new=True) as link:
        message = link.receive(datagram)                 # authentic and new, or an Error
        answer = link.send(b"a command")

A Link takes one thread after the other: no counter is used twice. The library is libgba-sealed.so.0, or the file that the environment
variable GBA_SEALED_LIBRARY names. Python keeps copies of a key until its memory is used again.
"""
import ctypes
import dataclasses
import os
import threading

__all__ = ["Error", "Link", "Look", "UA_SEALED", "kid", "look"]

UA_SEALED = bytes.fromhex("ff00000001")  # GBA_SEALED_UA_ID: for gba_naf.Naf.get()
_KID_LEN, _PLAIN_MAX, _FRAME_MAX, _NEW = 8, 1024, 1063, 1


class _Look(ctypes.Structure):  # struct gba_sealed_look
    _fields_ = [("introduction", ctypes.c_int), ("kid", ctypes.c_uint8 * _KID_LEN), ("btid", ctypes.c_void_p),
                ("btid_len", ctypes.c_size_t), ("index", ctypes.c_uint8)]


def _load():
    lib = ctypes.CDLL(os.environ.get("GBA_SEALED_LIBRARY", "libgba-sealed.so.0"))
    pointer, text, number, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
    for name, result, *arguments in [
            ("strerror", text, number), ("look", number, text, size, ctypes.POINTER(_Look)),
            ("kid", number, text, size, ctypes.c_uint8, text),
            ("open", number, text, number, text, text, size, ctypes.c_uint, ctypes.POINTER(pointer)), ("close", None, pointer),
            ("send", number, pointer, text, size, text, ctypes.POINTER(size)),
            ("receive", number, pointer, text, size, text, ctypes.POINTER(size))]:
        function = getattr(lib, "gba_sealed_" + name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()
_NAMES = {1: "CHECKSUM", 2: "SYNTAX", 3: "KEY", 4: "FORGED", 5: "REPLAY", 10: "MEMORY", 11: "BUSY", 12: "USED_UP", 13: "TOO_LONG",
          14: "ARGUMENT", 15: "NOMEM", 16: "SYSTEM"}


class Error(Exception):
    """name: "GBA_SEALED_E_..." of gba-sealed.h. drop: the datagram is to be dropped, and its sender told nothing."""

    def __init__(self, code):
        super().__init__(_lib.gba_sealed_strerror(code).decode())
        self.code, self.name, self.drop = code, "GBA_SEALED_E_" + _NAMES.get(code, "SYSTEM"), code < 10


def _good(code):
    if code != 0:
        raise Error(code)


@dataclasses.dataclass(frozen=True)
class Look:
    """What a datagram says before it has proved anything. btid: of an introduction, else None."""
    kid: bytes
    btid: str
    index: int


def look(datagram):
    out = _Look()
    _good(_lib.gba_sealed_look(datagram, len(datagram), ctypes.byref(out)))
    if not out.introduction:
        return Look(bytes(out.kid), None, 0)
    return Look(bytes(out.kid), ctypes.string_at(out.btid, out.btid_len).decode("ascii", "replace"), out.index)


def kid(btid, index=0):
    """Name of the keys of a token."""
    out, name = ctypes.create_string_buffer(_KID_LEN), btid.encode()
    _good(_lib.gba_sealed_kid(name, len(name), index, out))
    return out.raw


class Link:
    """The server's end of the messages with one device; device=True: the device's. Its memory is a file in folder. new: nothing was
    ever sent or taken under this key, or the file is there. key: Ks_NAF; with an index Ks_int_NAF."""

    def __init__(self, folder, key, btid, index=0, *, new=False, device=False):
        self._link, self._lock, name = ctypes.c_void_p(), threading.Lock(), btid.encode()
        if len(key) != 32 or not 0 <= index <= 255:
            raise Error(14)
        _good(_lib.gba_sealed_open(os.fsencode(folder), 0 if device else 1, bytes(key), name, len(name), index | (_NEW << 8 if new else 0),
                                   ctypes.byref(self._link)))
        self.btid, self.index, self.kid = btid, index, kid(btid, index)

    def close(self):
        with self._lock:
            if self._link:
                _lib.gba_sealed_close(self._link)
                self._link = ctypes.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __del__(self):
        if getattr(self, "_link", None):
            self.close()

    def _do(self, function, octets, room):
        out, n = ctypes.create_string_buffer(room), ctypes.c_size_t()
        with self._lock:
            if not self._link:
                raise Error(14)
            _good(function(self._link, bytes(octets), len(octets), out, ctypes.byref(n)))
        return out.raw[:n.value]

    def send(self, message):
        """A datagram of it."""
        return self._do(_lib.gba_sealed_send, message, _FRAME_MAX)

    def receive(self, datagram):
        """The message in it, which is authentic and new: that is on disk. Raises Error."""
        return self._do(_lib.gba_sealed_receive, datagram, _PLAIN_MAX)
