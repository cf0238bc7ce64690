# SPDX-License-Identifier: Apache-2.0
"""What a registry keeps, in SQLite or PostgreSQL, read and changed from outside with the same SQL and '?' for values."""
import contextlib
import itertools
import json
import os
import re
import sqlite3

numbers = itertools.count()


class File:
    def __init__(self, path):
        self.url = path

    def rows(self, sql, *values):
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.url, uri=True, timeout=30)) as db:
            return db.execute(sql, values).fetchall()

    def change(self, sql, *values):
        with contextlib.closing(sqlite3.connect(self.url, timeout=30)) as db:
            db.execute(sql, values)
            db.commit()

    @contextlib.contextmanager
    def held(self):
        """Another writer has a transaction open."""
        with contextlib.closing(sqlite3.connect(self.url, timeout=30, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    def dump(self):
        """All that is kept, by table."""
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.url, uri=True, timeout=30)) as db:
            tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            return {table: sorted(map(repr, db.execute("SELECT * FROM " + table))) for table in tables}


def quoted(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "'\\x%s'::bytea" % value.hex()
    return str(value) if isinstance(value, int) else "'%s'" % value.replace("'", "''")


def value_of(value):
    return bytes.fromhex(value[2:]) if isinstance(value, str) and value.startswith("\\x") else value


class Schema:
    """One of its own on the test's server."""

    def __init__(self, server):
        self.server, self.name = server, "registry%d_%d" % (os.getpid(), next(numbers))
        self.url = server.url(self.name)

    def _run(self, sql, values=()):
        told = iter(values)
        sql = re.sub(r"\?", lambda _: quoted(next(told)), sql)
        return self.server.sql("SET search_path = %s; %s" % (self.name, sql)).stdout

    def rows(self, sql, *values):
        lines = self._run("SELECT row_to_json(q)::text FROM (%s) q" % sql, values).splitlines()
        return [tuple(value_of(value) for _, value in json.loads(line, object_pairs_hook=list)) for line in lines]

    def change(self, sql, *values):
        self._run("BEGIN; %s; UPDATE gba_db SET data_version = data_version + 1; COMMIT" % sql, values)

    @contextlib.contextmanager
    def held(self):
        with self.server.session() as session:
            session("SET search_path = %s; BEGIN; SELECT pg_advisory_xact_lock(1734500641, hashtext(current_schema()))" % self.name)
            yield
            session("ROLLBACK")

    def dump(self):
        tables = self._run("SELECT tablename FROM pg_tables WHERE schemaname = '%s' AND tablename NOT LIKE 'gba%%' ORDER BY 1"
                           % self.name).splitlines()
        return {table: sorted(self._run("SELECT row_to_json(t)::text FROM %s t" % table).splitlines()) for table in tables}


def store_of(param, request, path):
    """On the server, or in the file."""
    return Schema(request.getfixturevalue("postgres")) if param == "postgresql" else File(path)
