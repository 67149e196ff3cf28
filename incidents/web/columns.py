"""Why: the head of an evidence table is read by people, and most of them read Indonesian.

Promise: the words a probe heads its tables with, said in the reader's language; what has no words
here (a server's own column, File or Gtid_IO_Pos) stays as the server writes it.
"""

from __future__ import annotations

from collections.abc import Mapping

_INDONESIAN: Mapping[str, str] = {
    "a person might run": "dapat dijalankan petugas",
    "account": "akun",
    "age s": "umur (detik)",
    "application": "aplikasi",
    "applied": "diterapkan",
    "behind bytes": "tertinggal (byte)",
    "bytes": "byte",
    "channel": "kanal",
    "client": "klien",
    "column": "kolom",
    "command": "perintah",
    "connectable": "dapat dihubungi",
    "database": "basis data",
    "delay": "tunda",
    "enabled": "aktif",
    "errno": "nomor galat",
    "error": "galat",
    "file": "berkas",
    "free": "bebas",
    "free inodes": "inode bebas",
    "growth per hour": "tumbuh per jam",
    "has written": "sudah menulis",
    "highest": "tertinggi",
    "holds": "memuat",
    "idle": "menganggur",
    "idle seconds": "menganggur (detik)",
    "in this state s": "dalam keadaan ini (detik)",
    "in words": "dengan kata-kata",
    "index": "indeks",
    "io error": "galat IO",
    "last replayed": "terakhir diterapkan",
    "latest end time": "akhir WAL terbaru",
    "mode": "mode",
    "name": "nama",
    "next": "berikutnya",
    "outcome": "hasil",
    "path": "lokasi",
    "paused": "dijeda",
    "received": "diterima",
    "relation": "relasi",
    "relay bytes": "relay log (byte)",
    "replayed": "diterapkan",
    "resident": "di memori",
    "risk": "risiko",
    "root": "akar",
    "rows changed": "baris diubah",
    "rows locked": "baris terkunci",
    "seconds behind": "tertinggal (detik)",
    "sender host": "host pengirim",
    "sender port": "port pengirim",
    "server id": "id server",
    "server uuid": "uuid server",
    "session": "sesi",
    "sessions": "sesi",
    "setting": "setelan",
    "silent seconds": "diam (detik)",
    "size": "ukuran",
    "slot name": "nama slot",
    "source": "sumber",
    "sql error": "galat SQL",
    "state": "keadaan",
    "statement": "pernyataan",
    "status": "status",
    "table": "tabel",
    "transaction": "transaksi",
    "transaction s": "transaksi (detik)",
    "transaction seconds": "transaksi (detik)",
    "used": "terpakai",
    "user": "pengguna",
    "value": "nilai",
    "victims": "korban",
    "volume": "volume",
    "waited": "menunggu",
    "waited for table": "tabel yang ditunggu",
    "waiting s": "menunggu (detik)",
    "waits for": "menunggu",
    "wants": "meminta",
    "what it costs": "akibatnya",
    "whose": "milik",
    "worker": "pekerja",
}


def column(name: str, language: str) -> str:
    """The head of a column in ``language`` (id | en)."""
    if language != "id":
        return name
    return _INDONESIAN.get(name.replace("_", " ").lower(), name)
