"""Writes the Grafana dashboards from the probes' declarations: ``python -m tools.dashboards``.

The same sources give the same bytes, so a stale file shows in a test and in a review.
"""

from __future__ import annotations

import json
from pathlib import Path

from tools.dashboards import health, judged, sla

FOLDER = Path(__file__).resolve().parents[2] / "dashboards" / "grafana"


def rendered() -> dict[str, str]:
    """File name to content, for every dashboard."""
    built = {"health.json": health.build(), "sla.json": sla.build(), **dict(judged.pages())}
    return {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in built.items()
    }


def main() -> None:
    """Bring the committed files up to date, naming each that changed or that nothing makes."""
    made = rendered()
    for path in sorted(FOLDER.glob("*.json")):
        if path.name not in made:
            path.unlink()
            print(f"removed: {path.relative_to(FOLDER.parents[1])}")
    for name, text in made.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(FOLDER.parents[1])}")


if __name__ == "__main__":
    main()
