"""Light load on the demo's databases, so that replication and volumes have data.

At most two small writes a second on each primary, and few rows kept; a server that is down, frozen
or locked blocks one thread and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg2
import pymysql

from agent.demo.servers.mariadb import MariaDB
from agent.demo.servers.postgresql import PostgreSQL

PAUSE_SECONDS = 0.5
KEPT_ROWS = 500


class Load:
    """One thread that calls ``write`` until told to stop; ``write`` keeps its own session."""

    def __init__(self, name: str, session: Callable[[], Callable[[], None]]) -> None:
        """``session()`` connects and returns the function that writes once in that session."""
        self._session = session
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; its session ends with its server at the latest."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                write = self._session()
                while not self._stop.wait(PAUSE_SECONDS):
                    write()
            except (psycopg2.Error, pymysql.MySQLError, OSError):
                self._stop.wait(1.0)  # broken on purpose, most likely; try again


def on_postgresql(server: PostgreSQL) -> Load:
    """Attendance records of SIMPEG."""

    def session() -> Callable[[], None]:
        cursor = server.connect("simpeg", application_name="simpeg-presensi").cursor()

        def write() -> None:
            cursor.execute(
                "insert into presensi (pegawai, masuk) values (1 + (random() * 9)::int, now())"
                " returning id"
            )
            row = cursor.fetchone()
            if row and row[0] % 50 == 0:
                cursor.execute("delete from presensi where id <= %s", (row[0] - KEPT_ROWS,))

        return write

    return Load(server.name, session)


def on_mariadb(server: MariaDB) -> Load:
    """Letters arriving in e-Surat."""

    def session() -> Callable[[], None]:
        cursor = server.connect().cursor()

        def write() -> None:
            cursor.execute("insert into esurat.surat_masuk (perihal) values ('Undangan rapat')")
            if cursor.lastrowid % 50 == 0:
                cursor.execute(
                    "delete from esurat.surat_masuk where id <= %s", (cursor.lastrowid - KEPT_ROWS,)
                )

        return write

    return Load(server.name, session)
