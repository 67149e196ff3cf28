"""SQL for lock waits, in the dialect of each kind of server.

MySQL 8.0 moved the lock tables from INFORMATION_SCHEMA to performance_schema; MariaDB keeps them
(and so does MySQL 5.7). Answers have the same column names either way. ``%s`` is a list; InnoDB's
times are in the server's own zone, which the session uses too.
Sources: MySQL 8.4 manual, data_lock_waits, metadata_locks, threads; MariaDB, INNODB_LOCK_WAITS.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

METADATA_STATES = (
    "Waiting for table metadata lock",
    "Waiting for schema metadata lock",
    "Waiting for global read lock",
    "Waiting for backup lock",
    "Waiting for commit lock",
    "Waiting for table flush",
    "Waiting for table level lock",
    "Waiting for stored function metadata lock",
    "Waiting for stored procedure metadata lock",
    "Waiting for trigger metadata lock",
    "Waiting for event metadata lock",
)
"""States in the list of sessions for a wait outside InnoDB."""


@dataclass(frozen=True, slots=True)
class LockQueries:
    """One dialect."""

    count: str  # (states) -> row_waits, row_seconds, metadata_waits, metadata_seconds, instrumented
    edges: str  # (transactions) -> waiter, first, last; empty: who blocks whom is not shown
    tables: str  # (lock ids) -> id, name
    metadata: str  # (states) -> id, seconds, state, info
    sessions: str  # (ids) -> id, user, host, db, command, state, info
    # () -> waiter, blocker (NULL: a thread of the server's own), thread, thread_name, name;
    # empty: this server shows no metadata locks
    granted: str = ""


ROW_WAITERS = """
SELECT trx_id, trx_mysql_thread_id AS id, trx_state, trx_query, trx_requested_lock_id AS lock_id,
       timestampdiff(SECOND, trx_started, now()) AS age,
       timestampdiff(SECOND, trx_wait_started, now()) AS waited
FROM information_schema.INNODB_TRX
WHERE trx_state = 'LOCK WAIT' ORDER BY trx_wait_started LIMIT 50"""

TRANSACTIONS = """
SELECT trx_id, trx_mysql_thread_id AS id, trx_state, trx_query, trx_requested_lock_id AS lock_id,
       timestampdiff(SECOND, trx_started, now()) AS age,
       timestampdiff(SECOND, trx_wait_started, now()) AS waited
FROM information_schema.INNODB_TRX WHERE trx_id IN %s"""

AGES = """
SELECT trx_mysql_thread_id AS id, timestampdiff(SECOND, trx_started, now()) AS age
FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id IN %s"""

OLDEST_RUNNING = """
SELECT trx_id, trx_mysql_thread_id AS id, trx_state, trx_query, trx_requested_lock_id AS lock_id,
       timestampdiff(SECOND, trx_started, now()) AS age,
       timestampdiff(SECOND, trx_wait_started, now()) AS waited
FROM information_schema.INNODB_TRX
WHERE trx_state <> 'LOCK WAIT' AND trx_mysql_thread_id NOT IN %s ORDER BY trx_started LIMIT 1"""

INFORMATION_SCHEMA = LockQueries(
    count="""
SELECT t.waiting AS row_waits, t.seconds AS row_seconds, p.waiting AS metadata_waits,
       p.seconds AS metadata_seconds, @@performance_schema AS instrumented
FROM (SELECT count(*) AS waiting,
             max(timestampdiff(SECOND, trx_wait_started, now())) AS seconds
      FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT') t,
     (SELECT count(*) AS waiting, max(TIME) AS seconds
      FROM information_schema.PROCESSLIST WHERE STATE IN %s) p""",
    # ids grow with time: the first is most often the holder, the last the one just ahead
    edges="""
SELECT requesting_trx_id AS waiter, min(CAST(blocking_trx_id AS UNSIGNED)) AS first,
       max(CAST(blocking_trx_id AS UNSIGNED)) AS last
FROM information_schema.INNODB_LOCK_WAITS
WHERE requesting_trx_id IN %s GROUP BY requesting_trx_id""",
    tables="""
SELECT lock_id AS id, lock_table AS name
FROM information_schema.INNODB_LOCKS WHERE lock_id IN %s""",
    metadata="""
SELECT ID AS id, TIME AS seconds, STATE AS state, INFO AS info
FROM information_schema.PROCESSLIST WHERE STATE IN %s ORDER BY TIME DESC LIMIT 50""",
    sessions="""
SELECT ID AS id, USER AS user, HOST AS host, DB AS db, COMMAND AS command, STATE AS state,
       INFO AS info
FROM information_schema.PROCESSLIST WHERE ID IN %s""",
)

# A thread without PROCESSLIST_ID is the server's own: InnoDB's statistics thread queues behind a
# waiting ALTER like everybody (MySQL 9.7, seen after 10 s). It is no session that waits; where it
# holds, it is named.
PERFORMANCE_SCHEMA = LockQueries(
    count="""
SELECT t.waiting AS row_waits, t.seconds AS row_seconds, p.waiting AS metadata_waits,
       p.seconds AS metadata_seconds, @@performance_schema AS instrumented
FROM (SELECT count(*) AS waiting,
             max(timestampdiff(SECOND, trx_wait_started, now())) AS seconds
      FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT') t,
     (SELECT count(*) AS waiting, max(PROCESSLIST_TIME) AS seconds
      FROM performance_schema.threads
      WHERE PROCESSLIST_STATE IN %s AND PROCESSLIST_ID IS NOT NULL) p""",
    edges="""
SELECT REQUESTING_ENGINE_TRANSACTION_ID AS waiter,
       min(BLOCKING_ENGINE_TRANSACTION_ID) AS first, max(BLOCKING_ENGINE_TRANSACTION_ID) AS last
FROM performance_schema.data_lock_waits
WHERE REQUESTING_ENGINE_TRANSACTION_ID IN %s GROUP BY REQUESTING_ENGINE_TRANSACTION_ID""",
    # without the engine, half of the key, MySQL 9.7 answers for the first of the list only
    tables="""
SELECT ENGINE_LOCK_ID AS id, concat(OBJECT_SCHEMA, '.', OBJECT_NAME) AS name
FROM performance_schema.data_locks WHERE ENGINE = 'INNODB' AND ENGINE_LOCK_ID IN %s""",
    metadata="""
SELECT PROCESSLIST_ID AS id, PROCESSLIST_TIME AS seconds, PROCESSLIST_STATE AS state,
       PROCESSLIST_INFO AS info
FROM performance_schema.threads
WHERE PROCESSLIST_STATE IN %s AND PROCESSLIST_ID IS NOT NULL
ORDER BY PROCESSLIST_TIME DESC LIMIT 50""",
    sessions="""
SELECT PROCESSLIST_ID AS id, PROCESSLIST_USER AS user, PROCESSLIST_HOST AS host,
       PROCESSLIST_DB AS db, PROCESSLIST_COMMAND AS command, PROCESSLIST_STATE AS state,
       PROCESSLIST_INFO AS info
FROM performance_schema.threads WHERE PROCESSLIST_ID IN %s""",
    # Any lock holder on the object blocks: a reader that queues behind a
    # waiting ALTER is blocked by that ALTER, and the ALTER by the holder, which is the root.
    granted="""
SELECT w.PROCESSLIST_ID AS waiter, b.PROCESSLIST_ID AS blocker, b.THREAD_ID AS thread,
       b.NAME AS thread_name, concat_ws('.', p.OBJECT_SCHEMA, p.OBJECT_NAME) AS name
FROM performance_schema.metadata_locks p
JOIN performance_schema.threads w ON w.THREAD_ID = p.OWNER_THREAD_ID
JOIN performance_schema.metadata_locks g
  ON g.OBJECT_TYPE = p.OBJECT_TYPE AND g.OBJECT_SCHEMA <=> p.OBJECT_SCHEMA
 AND g.OBJECT_NAME <=> p.OBJECT_NAME AND g.LOCK_STATUS = 'GRANTED'
 AND g.OWNER_THREAD_ID <> p.OWNER_THREAD_ID
JOIN performance_schema.threads b ON b.THREAD_ID = g.OWNER_THREAD_ID
WHERE p.LOCK_STATUS = 'PENDING' AND w.PROCESSLIST_ID IS NOT NULL LIMIT 2500""",
)


UNINSTRUMENTED = replace(INFORMATION_SCHEMA, edges="", tables="")
"""MySQL 8 and later with performance_schema off: waiters are visible, blockers are not."""


def dialect(flavour: str, version: int) -> LockQueries:
    """performance_schema from MySQL 8.0.1 on, INFORMATION_SCHEMA for everything else."""
    return PERFORMANCE_SCHEMA if flavour == "mysql" and version >= 80001 else INFORMATION_SCHEMA
