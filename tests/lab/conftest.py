"""The servers of a module's scenarios: made by the module's ``WORLD``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.trial import Worlds


@pytest.fixture(scope="module")
def worlds(request: pytest.FixtureRequest) -> Iterator[Worlds[Any]]:
    made = Worlds[Any](request.module.WORLD)
    yield made
    made.close()


@pytest.fixture
def where(worlds: Worlds[Any]) -> Any:
    """Healthy servers: those of the previous scenario, if it left them so."""
    return worlds.get()
