"""A session that holds a lock and sessions that wait behind it, like a forgotten transaction.

The lock is a real row lock of a session that is idle in its transaction; the waiters are separate
sessions. ``release`` rolls back, and all waiters continue. Ending the holder on the server
(``pg_terminate_backend``, ``KILL``) has the same effect.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg2
import pymysql

from agent.demo.servers.mariadb import MariaDB
from agent.demo.servers.postgresql import PostgreSQL

VICTIMS = 3
IMPORT, WEB = ACCOUNTS = ("impor_gaji", "aplikasi_web")
PG_STATEMENT = "update pegawai set golongan = golongan where id = 1"
MY_STATEMENT = "update esurat.agenda set perihal = concat(perihal, '') where nomor = 1"


class PileUp:
    """One holder and ``VICTIMS`` waiters on one server."""

    def __init__(self, server: PostgreSQL | MariaDB, password: str) -> None:
        """Take the lock, then send the waiters; raises the driver's error when that fails.

        ``password`` is that of the applications' accounts.
        """
        self._server = server
        self._password = password
        self._holder = self._session(IMPORT)
        cursor = self._holder.cursor()
        cursor.execute("begin")
        cursor.execute(self._statement)
        self._waiters = [
            threading.Thread(target=self._wait, name=f"waiter {n}", daemon=True)
            for n in range(VICTIMS)
        ]
        for waiter in self._waiters:
            waiter.start()

    @property
    def _statement(self) -> str:
        return PG_STATEMENT if isinstance(self._server, PostgreSQL) else MY_STATEMENT

    def _session(self, account: str) -> Any:
        if isinstance(self._server, PostgreSQL):
            application = f"simpeg-{account}".replace("_", "-")
            return self._server.connect("simpeg", account, application_name=application)
        connection = self._server.connect(account, self._password, read_timeout=None)
        with connection.cursor() as cursor:
            cursor.execute("set session innodb_lock_wait_timeout = 86400")
        return connection

    def _wait(self) -> None:
        # a waiter ends when the lock is free, or with its server
        with contextlib.suppress(psycopg2.Error, pymysql.MySQLError, OSError):
            connection = self._session(WEB)
            try:
                connection.cursor().execute(self._statement)
            finally:
                connection.close()

    def stands(self) -> bool:
        """Whether any session still waits."""
        return any(waiter.is_alive() for waiter in self._waiters)

    def release(self) -> None:
        """Release the lock; returns once no waiter is left, or after ten seconds."""
        with contextlib.suppress(psycopg2.Error, pymysql.MySQLError, OSError):
            self._holder.rollback()
            self._holder.close()
        for waiter in self._waiters:
            waiter.join(10.0)
