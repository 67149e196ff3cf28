"""The demo's agent.yaml: an ordinary one, tuned so that each fault shows within seconds.

It passes ``sigap check-config`` and contains nothing that an office could not write into its own.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agent.demo.home import write_private
from agent.demo.scene import grants
from agent.demo.scene.ground import PG_PRIMARY
from agent.demo.scene.world import World

INTERVAL = "3s"

HEAD = """\
# Written by `sigap demo` at every start; copy from it what you like.
"""

OFFICE = {
    "government": "PEMERINTAH PROVINSI KALIMANTAN TIMUR",
    "agency": "DINAS KOMUNIKASI DAN INFORMATIKA",
    "address": "Jalan Contoh Nomor 1, Samarinda 75000",
    "contacts": "Laman demo; surat ini hanya contoh",
    "place": "Samarinda",
    "on_behalf": "a.n. Kepala Dinas",
    "signer_position": "Kepala Bidang Teknologi Informasi dan Komunikasi",
    "signer_name": "Hasanudin Noor, S.T., M.Si.",
    "signer_rank": "Pembina (IV/a)",
    "signer_nip": "19000404 192001 1 004",
    "nature": "Biasa",
    "copies": ["Kepala Dinas Komunikasi dan Informatika (sebagai laporan)"],
}

OWNERS = {
    "simpeg": ("SIMPEG", "Badan Kepegawaian Daerah Provinsi Kalimantan Timur"),
    "esurat": ("e-Surat", "Biro Umum Sekretariat Daerah Provinsi Kalimantan Timur"),
}
# What takes minutes in an office shows within two rounds here; everything else is as shipped.
PROBES: dict[str, Any] = {
    "blocked_sessions": {"thresholds": {"blocked_seconds": {"warning": 1, "critical": 2}}},
}


def write(world: World, listen: str, language: str = "") -> None:
    """Write ``agent.yaml`` for the servers of this world; ``language``: what was asked for."""
    password = str(world.ground.write_secret("monitor"))
    root = {
        "agent": {"name": "demo", "listen": listen, "interval": INTERVAL}
        | ({"language": language} if language else {}),
        "store": f"sqlite:///{world.home.store}",
        "procedure": "kaltim",
        "calendar": "kaltim",
        "office": OFFICE,
        "targets": [_target(world, name, password) for name in world.servers],
    }
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.representer.ignore_aliases = lambda *_: True  # a person copies from it, block by block
    yaml.dump(root, text)
    write_private(world.home.config, HEAD + text.getvalue())


def language_of(config: Path) -> str:
    """The language that the demo of this ``agent.yaml`` was started in; "" when none was named."""
    try:
        tree = YAML(typ="safe", pure=True).load(config)
        return str(tree["agent"].get("language", ""))
    except (OSError, YAMLError, KeyError, TypeError, AttributeError):
        return ""


def _target(world: World, name: str, password: str) -> dict[str, Any]:
    server = world.servers[name]
    cluster, role = name.split("-")
    application, agency = OWNERS[cluster]
    place = f"{grants.USER}@127.0.0.1:{server.port}/"
    target: dict[str, Any] = {
        "name": name,
        "engine": server.engine,
        "url": (
            f"postgresql://{place}postgres" if server.engine == "postgresql" else f"mysql://{place}"
        ),
        "password_file": password,
        "cluster": cluster,
        "role": role,
        "application": application,
        "agency": agency,
        "probes": PROBES,
    }
    if name == PG_PRIMARY and world.simpeg.has_volume:
        target["volumes"] = {"wal": str(world.home.volume)}
    return target
