"""What an InnoDB transaction is whose session number is 0, in words.

Why: such a transaction is either prepared (XA) and waits for somebody's word, or a crash cut it off
and InnoDB undoes it by itself, which for a large one takes hours. XA ROLLBACK ends the first kind
only. Source: INFORMATION_SCHEMA.INNODB_TRX, trx_state.
"""

from __future__ import annotations

from probes.model import Text

_ROLLING_BACK = "ROLLING BACK"


def is_undone(state: object) -> bool:
    """Whether InnoDB is rolling this transaction back by itself, by its ``trx_state``."""
    return state == _ROLLING_BACK


def named(transaction: object, undone: bool) -> Text:
    """The transaction as a person would say it."""
    if undone:
        return Text(
            f"transaksi {transaction} yang terputus saat server mati dan sedang dibatalkan InnoDB",
            f"transaction {transaction}, cut off by a crash and being rolled back by InnoDB",
        )
    return Text(
        f"transaksi XA {transaction} yang sudah PREPARE tetapi tanpa sesi",
        f"XA transaction {transaction}, prepared and without a session",
    )


def command(undone: bool) -> str:
    """What a person might run: nothing ends a rollback, but its undo log entries can be watched."""
    return "SHOW ENGINE INNODB STATUS" if undone else "XA RECOVER; XA ROLLBACK '…'"
