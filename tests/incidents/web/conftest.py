"""An office, and an HTTP client without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.incidents.web.world import CAST, MONDAY, PASSWORD, World, build, hire

SignedIn = Callable[[str], TestClient]


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the five people, made once."""
    file = tmp_path_factory.mktemp("seed") / "sigap.db"
    hire(file, MONDAY)
    return file


@pytest.fixture
def world(tmp_path: Path, seed: Path) -> Iterator[World]:
    made = build(tmp_path, seed)
    yield made
    made.store.close()


@pytest.fixture
def client(world: World) -> TestClient:
    """A client without a session; redirects are not followed."""
    return TestClient(world.app(), follow_redirects=False)


@pytest.fixture
def signed_in(world: World) -> SignedIn:
    """A client of the person with that role."""
    app = world.app()

    def make(role: str) -> TestClient:
        client = TestClient(app, follow_redirects=False)
        answer = client.post(
            "/signin", data={"username": CAST[role].username, "password": PASSWORD}
        )
        assert answer.status_code == 303, answer.text
        return client

    return make
