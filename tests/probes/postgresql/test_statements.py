"""No literal of a statement remains in evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.postgresql.statements import redacted


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("select * from pns where nip = '1987'", "select * from pns where nip = ?"),
        ("update gaji set pokok = 5000000.50 where id=7", "update gaji set pokok = ? where id=?"),
        ("select 'it''s' || E'a\\'b' , $$rahasia$$, $t$x $$ y$t$", "select ? || ? , ?, ?"),
        ('select "kolom 1", t1.c2, $1 from t1', 'select "kolom 1", t1.c2, $1 from t1'),
        ("select 1 -- budi\n , 2 /* siti */ from t", "select ? , ? from t"),
        ("select 'terpotong di teng", "select ?"),
        ("select $$terpotong di teng", "select ?"),
        ("select -1, 1e9, .5, 0x1F, b'01', U&'d\\0061t'", "select ?, ?, ?, ?, ?, ?"),
    ],
)
def test_literals_and_comments_go_and_names_stay(statement: str, shown: str) -> None:
    assert redacted(statement) == shown


@given(st.text(alphabet="abc'\\$-/*\" \n", max_size=30))
def test_a_quoted_secret_never_survives(secret: str) -> None:
    quoted = secret.replace("'", "''")
    assert "RAHASIA" not in redacted(f"select 'RAHASIA{quoted}RAHASIA'")


def test_a_long_statement_is_cut_and_says_so() -> None:
    assert redacted("select a, " * 100, characters=20) == "select a, select a,…"
