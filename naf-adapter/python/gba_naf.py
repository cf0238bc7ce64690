# SPDX-License-Identifier: Apache-2.0
"""Keys of bootstrapped devices (3GPP GBA) for applications in Python: libgba-naf by ctypes, nothing else needed.

    with gba_naf.Naf() as naf:
        token = naf.get("q83vEjRWeJCrze8SNFZ4kA==@bsf.example.com", "app.example.com", gba_naf.UA_HTTP_DIGEST)
        token.key, token.expiry, token.impi

In a program with asyncio: `token = await naf.get_async(...)`. Any number of threads may get() from one Naf, each over a connection of
its own while it waits; get_async() is for one event loop. Tokens belong to any. What went
wrong is an Error that knows the HTTP status to answer with (gba_naf.3, gba-naf.h). Python keeps copies of a key until its memory
is used again: a program that must not, uses the C library.

The library is libgba-naf.so.0, or the file that the environment variable GBA_NAF_LIBRARY names.
"""
import asyncio
import ctypes
import dataclasses
import enum
import os
import threading

__all__ = ["Error", "Identity", "Kind", "Naf", "Token", "Type", "UA_HTTP_DIGEST", "UA_TLS13_PSK", "Uss", "btid_valid", "parse_identity",
           "ua_tls12"]

_KEY_LEN, _UA_LEN, _GSID_MAX = 32, 5, 16
_AWARE, _NEED_INT, _NO_CACHE = 1, 2, 4  # enum gba_naf_flag
_ARGUMENT = 31  # GBA_NAF_E_ARGUMENT
_IDLE_MAX = 16  # connections kept when the threads that asked over them have their answers


class _Query(ctypes.Structure):  # struct gba_naf_query
    _fields_ = [("size", ctypes.c_size_t), ("btid", ctypes.c_char_p), ("btid_len", ctypes.c_size_t), ("fqdn", ctypes.c_char_p),
                ("ua_id", ctypes.c_uint8 * _UA_LEN), ("gsids", ctypes.POINTER(ctypes.c_uint32)), ("gsid_count", ctypes.c_size_t),
                ("timeout_ms", ctypes.c_uint), ("flags", ctypes.c_uint), ("source", ctypes.c_char_p), ("until", ctypes.c_long)]


class _Identity(ctypes.Structure):  # struct gba_naf_identity
    _fields_ = [("kind", ctypes.c_int), ("btid", ctypes.c_void_p), ("btid_len", ctypes.c_size_t)]


_Done = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)  # gba_naf_done


def _load():
    lib = ctypes.CDLL(os.environ.get("GBA_NAF_LIBRARY", "libgba-naf.so.0"))
    pointer, text, number, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
    u32, query = ctypes.c_uint32, ctypes.POINTER(_Query)
    for name, result, *arguments in [
            ("strerror", text, number), ("error_name", text, number), ("error_renegotiate", number, number),
            ("error_http", ctypes.c_uint, number),
            ("open", number, text, ctypes.POINTER(pointer)), ("close", None, pointer),
            ("get", number, pointer, query, ctypes.POINTER(pointer)),
            ("ask", number, pointer, query, _Done, pointer, ctypes.POINTER(pointer)), ("cancel", None, pointer),
            ("fd", number, pointer), ("process", None, pointer),
            ("result_free", None, pointer), ("result_key", pointer, pointer), ("result_int_key", pointer, pointer),
            ("result_expiry", ctypes.c_long, pointer), ("result_created", ctypes.c_long, pointer), ("result_type", number, pointer),
            ("result_btid", text, pointer), ("result_fqdn", text, pointer), ("result_impi", text, pointer),
            ("result_uss_xml", text, pointer), ("result_uss_count", size, pointer), ("result_uss_gsid", u32, pointer, size),
            ("result_uid", text, pointer, u32, size), ("result_flag_at", number, pointer, u32, size, ctypes.POINTER(u32)),
            ("identity_parse", number, text, size, ctypes.POINTER(_Identity)), ("btid_valid", number, text, size),
            ("ua_id_http_digest", None, text), ("ua_id_tls13_psk", None, text), ("ua_id_tls12", None, ctypes.c_uint16, text)]:
        function = getattr(lib, "gba_naf_" + name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


def _ua(name, *arguments):
    out = ctypes.create_string_buffer(_UA_LEN)
    getattr(_lib, "gba_naf_ua_id_" + name)(*arguments, out)
    return out.raw


UA_HTTP_DIGEST = _ua("http_digest")  # TS 33.220 H.2
UA_TLS13_PSK = _ua("tls13_psk")


def ua_tls12(suite):
    """Of TLS 1.2 with the cipher suite that was negotiated: a number of two octets."""
    return _ua("tls12", suite)


class Kind(enum.IntEnum):
    """Which key a PSK identity names."""
    ME, UICC, DIGEST = range(3)


class Type(enum.IntEnum):
    """How the device bootstrapped (TS 29.109 GBA-Type)."""
    GBA, GBA_2G, GBA_DIGEST = range(3)


class Error(Exception):
    """No key. name: "GBA_NAF_E_..." of gba-naf.h; http: a status to answer with; renegotiate: the device has to bootstrap again."""

    def __init__(self, code):
        super().__init__(_lib.gba_naf_strerror(code).decode())
        self.code, self.name = code, _lib.gba_naf_error_name(code).decode()
        self.http, self.renegotiate = _lib.gba_naf_error_http(code), bool(_lib.gba_naf_error_renegotiate(code))


def _good(code):
    if code != 0:
        raise Error(code)


@dataclasses.dataclass(frozen=True)
class Uss:
    """User security setting of one service: identities the user may use with it, authorisation flags."""
    uids: tuple
    flags: frozenset


@dataclasses.dataclass(frozen=True)
class Token:
    """A key and what the operator says about its owner. Times in seconds since the epoch; the keys are not in its repr()."""
    key: bytes = dataclasses.field(repr=False)  # Ks_(ext_)NAF
    int_key: bytes = dataclasses.field(repr=False)  # Ks_int_NAF, or None
    expiry: int
    created: int  # 0: not told
    type: Type
    btid: str
    fqdn: str
    impi: str  # None: not for this application
    uss: dict  # GSID -> Uss
    uss_xml: str  # as the BSF sent it, or None


@dataclasses.dataclass(frozen=True)
class Identity:
    kind: Kind
    btid: str


def _text(value):
    return value.decode() if value is not None else None


def _each(function, *arguments):
    index, found = 0, []
    while (value := function(*arguments, index)) is not None:
        found.append(value)
        index += 1
    return found


def _flag(result, gsid, index):
    flag = ctypes.c_uint32()
    return flag.value if _lib.gba_naf_result_flag_at(result, gsid, index, ctypes.byref(flag)) else None


def _uss(result):
    gsids = [_lib.gba_naf_result_uss_gsid(result, i) for i in range(_lib.gba_naf_result_uss_count(result))]
    return {gsid: Uss(tuple(uid.decode() for uid in _each(_lib.gba_naf_result_uid, result, gsid)),
                      frozenset(_each(_flag, result, gsid))) for gsid in gsids}


def _octets(pointer):
    return ctypes.string_at(pointer, _KEY_LEN) if pointer else None


def _take(result):
    """A token of what is then given back to the library."""
    result = ctypes.c_void_p(result)
    try:
        return Token(_octets(_lib.gba_naf_result_key(result)), _octets(_lib.gba_naf_result_int_key(result)),
                     _lib.gba_naf_result_expiry(result), _lib.gba_naf_result_created(result), Type(_lib.gba_naf_result_type(result)),
                     _text(_lib.gba_naf_result_btid(result)), _text(_lib.gba_naf_result_fqdn(result)),
                     _text(_lib.gba_naf_result_impi(result)), _uss(result), _text(_lib.gba_naf_result_uss_xml(result)))
    finally:
        _lib.gba_naf_result_free(result)


def _query(btid, fqdn, ua_id, gsids, timeout, need_int_key, cache, source, until):
    if len(ua_id) != _UA_LEN or len(gsids) > _GSID_MAX or any("\0" in t for t in (btid, fqdn, source or "")):
        raise Error(_ARGUMENT)
    query, name = _Query(), btid.encode()
    query.size, query.btid, query.btid_len, query.fqdn = ctypes.sizeof(_Query), name, len(name), fqdn.encode()
    query.ua_id[:] = ua_id
    query.gsids, query.gsid_count = (ctypes.c_uint32 * len(gsids))(*gsids), len(gsids)
    query.timeout_ms = 0 if timeout is None else max(1, round(timeout * 1000))
    query.flags = (_AWARE | _NEED_INT if need_int_key else 0) | (0 if cache else _NO_CACHE)
    query.source = source.encode() if source else None
    query.until = 0 if until is None else max(1, int(until))
    return query


class Naf:
    """A connection to the agent, made when first needed and again when lost. socket: path; None: GBA_NAF_SOCKET, or the installation's."""

    def __init__(self, socket=None):
        self._naf, self._waiting, self._loop = ctypes.c_void_p(), {}, None
        self._path = os.fsencode(socket) if socket else None
        self._lock, self._idle, self._closed = threading.Lock(), [], False
        self._done = _Done(self._on_done)
        self._idle.append(self._new())

    def close(self):
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for handle in idle:
            _lib.gba_naf_close(handle)
        if self._naf:
            self._watch(None)
            _lib.gba_naf_close(self._naf)
            self._naf = ctypes.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __del__(self):
        self.close()

    def _new(self):
        handle = ctypes.c_void_p()
        _good(_lib.gba_naf_open(self._path, ctypes.byref(handle)))
        return handle

    def _borrow(self):
        """A handle of the library belongs to one thread at a time."""
        with self._lock:
            if self._closed:
                raise Error(_ARGUMENT)
            return self._idle.pop() if self._idle else self._new()

    def _give_back(self, handle):
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE_MAX:
                self._idle.append(handle)
                return
        _lib.gba_naf_close(handle)

    def _open(self):
        """The event loop's own."""
        if self._closed:
            raise Error(_ARGUMENT)
        if not self._naf:
            self._naf = self._new()
        return self._naf

    def get(self, btid, fqdn, ua_id, gsids=(), *, timeout=None, need_int_key=False, cache=True, source=None, until=None):
        """Ask and wait.

        btid: as the device gave it. fqdn: the application's name as the device addressed it. ua_id: UA_HTTP_DIGEST, UA_TLS13_PSK
        or ua_tls12(). gsids: services whose user security settings are wanted. timeout [s]: 3 when None. need_int_key: a Token
        without Ks_int_NAF will not do. cache: False has the BSF asked. source: the device's address, for the agent's limits.
        until [s since epoch]: the application takes the token no longer than that, for this name; past: it ends here and now, an Error.
        """
        result = ctypes.c_void_p()
        query = _query(btid, fqdn, ua_id, gsids, timeout, need_int_key, cache, source, until)
        handle = self._borrow()
        try:
            _good(_lib.gba_naf_get(handle, ctypes.byref(query), ctypes.byref(result)))
        finally:
            self._give_back(handle)
        return _take(result.value)

    async def get_async(self, btid, fqdn, ua_id, gsids=(), *, timeout=None, need_int_key=False, cache=True, source=None, until=None):
        """The same while the running event loop goes on; any number at a time."""
        query, request = _query(btid, fqdn, ua_id, gsids, timeout, need_int_key, cache, source, until), ctypes.c_void_p()
        loop = asyncio.get_running_loop()
        future, self._last = loop.create_future(), getattr(self, "_last", 0) + 1
        number = self._last
        self._watch(loop)
        _good(_lib.gba_naf_ask(self._open(), ctypes.byref(query), self._done, number, ctypes.byref(request)))
        self._waiting[number] = future
        try:
            return await future
        finally:
            if self._waiting.pop(number, None) is not None:  # nobody waits for it any more
                _lib.gba_naf_cancel(request)

    def _watch(self, loop):
        if loop is self._loop:
            return
        if loop is not None and self._loop is not None and self._loop.is_running():
            raise RuntimeError("this Naf belongs to another event loop")
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(_lib.gba_naf_fd(self._naf))
        self._loop = loop
        if loop is not None:
            loop.add_reader(_lib.gba_naf_fd(self._open()), _lib.gba_naf_process, self._naf)

    def _on_done(self, number, code, result):
        token = _take(result) if result else None
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            return
        if token is not None:
            future.set_result(token)
        else:
            future.set_exception(Error(code))


def parse_identity(identity):
    """A PSK identity taken apart (TS 24.109 5.3). bytes or str. Raises Error."""
    octets, out = identity.encode() if isinstance(identity, str) else identity, _Identity()
    _good(_lib.gba_naf_identity_parse(octets, len(octets), ctypes.byref(out)))
    return Identity(Kind(out.kind), ctypes.string_at(out.btid, out.btid_len).decode())


def btid_valid(btid):
    """Is it "base64(16 octets)@host name" and nothing else (TS 33.220 4.5.2)?"""
    octets = btid.encode()
    return bool(_lib.gba_naf_btid_valid(octets, len(octets)))
