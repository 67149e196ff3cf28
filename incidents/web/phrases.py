"""Why: evidence is frozen in English words, and most of those who read it read Indonesian.

Promise: the notes and the plain words that our probes put into evidence, said in the reader's
language; what a server or a file said stays as it was said. Evidence that is years old in the
ledger is read the same way, so the words are kept here and not in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CELLS: Mapping[str, str] = {
    "asking on an open session": "bertanya pada sesi yang terbuka",
    "does not answer": "tidak menjawab",
    "logging in": "login",
    "no": "tidak",
    "loss in a crash": "hilang bila server jatuh",
    "not known yet": "belum diketahui",
    "not since Sigap started": "belum sejak Sigap berjalan",
    "read only": "hanya-baca",
    "rolled back": "digulung balik",
    "statistics were reset": "statistik diatur ulang",
    "the configuration was loaded": "konfigurasi dimuat",
    "the server was started": "server dijalankan",
    "this server": "server ini",
    "yes": "ya",
}

_NOTES: tuple[tuple[str, str], ...] = (
    (r"none", "tidak ada"),
    (r"the first (\d+) of (\d+)", r"\1 pertama dari \2"),
    (r"the first (\d+)", r"\1 pertama"),
    (r"the newest (\d+) of (\d+)", r"\1 terbaru dari \2"),
    (r"the oldest (\d+)", r"\1 tertua"),
    (r"the (\d+) largest of (\d+)", r"\1 terbesar dari \2"),
    (r"(\d+) in all", r"seluruhnya \1"),
    (r"(\d+) of (\d+) rows shown", r"ditampilkan \1 dari \2 baris"),
    (r"(\d+) of (\d+) columns shown", r"ditampilkan \1 dari \2 kolom"),
    (
        r"further exhibits left out \(at most (\d+)\)",
        r"tabel lain tidak disertakan (paling banyak \1)",
    ),
    (
        r"truncated to (\d+) of (\d+) (?:waiters|sessions)",
        r"dipotong menjadi \1 dari \2 yang menunggu",
    ),
    (r"'\?': suspected, being the oldest transaction", "'?': diduga, karena transaksinya tertua"),
    (r"this server does not show metadata locks", "server ini tidak memperlihatkan kunci metadata"),
    (r"at (.+), server time", r"pada \1, waktu server"),
    (r"none since the server started", "belum ada sejak server dijalankan"),
    (r"the server has run for (.+)", r"server sudah berjalan \1"),
    (r"this server has no replication channel", "server ini tidak mempunyai kanal replikasi"),
    (r"nobody reads it", "tidak ada yang membacanya"),
    (r"the binary log is off", "binary log mati"),
    (r"could not be looked at: (.+)", r"tidak dapat dilihat: \1"),
    (
        r"who listens on (.+) could not be looked at: (.+)",
        r"siapa yang mendengarkan di \1 tidak dapat dilihat: \2",
    ),
    (r"nothing listens on (.+)", r"tidak ada yang mendengarkan di \1"),
    (r"something listens on (.+)", r"ada yang mendengarkan di \1"),
    (r"who, the agent has no right to see", "agen tidak berhak melihat siapa"),
    (r"data directory (.+)", r"direktori data \1"),
    (
        r"no process of the server: none called (.+) runs in (.+)",
        r"tidak ada proses server: tidak satu pun bernama \1 berjalan di \2",
    ),
    (
        r"no process of the server: none called (.+) runs",
        r"tidak ada proses server: tidak satu pun bernama \1 berjalan",
    ),
    (
        r"no process of the server: of those called (.+) only zombies are left",
        r"tidak ada proses server: dari yang bernama \1 hanya tersisa zombie",
    ),
    (
        r"the data directory is not known: all of that name are shown",
        "direktori data tidak diketahui: semua yang bernama itu ditampilkan",
    ),
    (
        r"a data directory of '-' may not be seen: it may be another server's",
        "direktori data '-' tidak boleh dilihat: mungkin milik server lain",
    ),
    (r"its child processes: (.+)", r"proses anaknya: \1"),
    (r"the server did not say where it writes its log", "server tidak menyebutkan tempat log-nya"),
    (
        r"volumes: \{log: \.\.\.\} at the target would show it",
        "volumes: {log: ...} pada target memperlihatkannya",
    ),
    (
        r"no log file in (.+) that the agent may read",
        r"tidak ada berkas log di \1 yang boleh dibaca agen",
    ),
    (
        r"lines that quote statements are left out",
        "baris yang mengutip pernyataan tidak disertakan",
    ),
    (
        r"an agent on the server's own host could read its log",
        "agen di host server itu sendiri dapat membaca log-nya",
    ),
    (
        r"logging_collector = on, or volumes: \{log: \.\.\.\} at the target, would show it",
        "logging_collector = on, atau volumes: {log: ...} pada target, memperlihatkannya",
    ),
    (
        r"log_file_mode = 0640 and membership of its group would show it",
        "log_file_mode = 0640 dan keanggotaan grupnya memperlihatkannya",
    ),
    (r"none at the end of (.+)", r"tidak ada di akhir \1"),
    (r"only plain logs in English are read", "hanya log biasa berbahasa Inggris yang dibaca"),
    (r"from (\S+)", r"dari \1"),
    (
        r"the one rolled back was at table (.+)",
        r"yang digulung balik sedang di tabel \1",
    ),
    (r"the server did not say where its files are", "server tidak menyebutkan tempat berkasnya"),
    (r"no answer for (\d+) s", r"tidak menjawab selama \1 dtk"),
    (r"working: (.+)", r"sedang bekerja: \1"),
    (r"idle in transaction", "diam di dalam transaksi"),
    (r"waiting too, not followed further", "menunggu juga, belum ditelusuri"),
)
_PATTERNS = tuple((re.compile(english), indonesian) for english, indonesian in _NOTES)


def cell(words: str, language: str) -> str:
    """A cell of evidence in ``language`` (id | en); a server's own words stay."""
    if language != "id":
        return words
    return CELLS.get(words) or _figure(words) or _translated(words)


_SIZED = re.compile(r"-?\d[\d,]*(?:\.\d+)? (?:B|kB|MB|GB|TB|PB|%)")
_LASTED = re.compile(r"-?\d[\d,]*(?:\.\d+)? (?:d|h|min|s)(?: \d+ (?:h|min|s))?")
_UNITS = {"d": "hr", "h": "jam", "min": "mnt", "s": "dtk"}


def _figure(words: str) -> str:
    """A figure with its unit, as ``probes.units`` writes it; "" where the cell is none."""
    lasted = _LASTED.fullmatch(words)
    if not lasted and not _SIZED.fullmatch(words):
        return ""
    turned = words.translate(str.maketrans(",.", ".,"))
    return " ".join(_UNITS.get(each, each) for each in turned.split()) if lasted else turned


def note(words: str, language: str) -> str:
    """What stands under a table; several remarks are parted by semicolons."""
    if language != "id":
        return words
    return "; ".join(_translated(part) for part in words.split("; "))


def _translated(words: str) -> str:
    for english, indonesian in _PATTERNS:
        found = english.fullmatch(words)
        if found is not None:
            return found.expand(indonesian)
    return words
