"""Sequences, serial and identity columns that run out of numbers.

The smaller of the sequence's end and the column's type counts: a bigint sequence behind an integer
column ends with the column. Reading a sequence needs SELECT on it, which pg_monitor does not
include: unreadable ones are counted, without a finding, because the administrator decides whether
Sigap may read them. Sources: PostgreSQL manual, pg_sequence, pg_depend.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.databases import visit

SHOWN_FROM = 0.5
"""Below this a sequence is not reported, to limit the number of series."""

# A sequence that is being altered is left out this time, to avoid waiting for its lock.
_SEQUENCES = """
with seq as materialized (
  select c.oid, n.nspname || '.' || c.relname as name, s.*,
         has_sequence_privilege(c.oid, 'SELECT') or has_sequence_privilege(c.oid, 'USAGE')
           as readable,
         (select case a.atttypid when 'int2'::regtype then 32767
                                 when 'int4'::regtype then 2147483647 end
          from pg_depend d join pg_attribute a on a.attrelid = d.refobjid
                                              and a.attnum = d.refobjsubid
          where d.classid = 'pg_class'::regclass and d.objid = c.oid
            and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') limit 1)
           as column_end
  from pg_sequence s join pg_class c on c.oid = s.seqrelid
  join pg_namespace n on n.oid = c.relnamespace
  where not s.seqcycle and not pg_is_other_temp_schema(c.relnamespace) and not exists (
    select from pg_locks l where l.locktype = 'relation' and l.relation = c.oid
      and l.mode in ('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))),
used as materialized (
  select name, readable, seqincrement, seqmin::numeric as least,
         least(seqmax, column_end)::numeric as most,
         case when readable then pg_sequence_last_value(oid)::numeric end as last
  from seq),
ratio as (
  select name, readable, last, most,
         case when most <= least then null
              when seqincrement > 0 then (last - least) / (most - least)
              else (most - last) / (most - least) end as ratio
  from used)
select name, ratio::float8 as ratio, last::text as last, most::text as most,
       count(*) filter (where not readable) over () as unreadable
from ratio order by ratio desc nulls last limit 20
"""


def read(session: Session) -> Iterable[Measurement]:
    """Every sequence more than half used, of every database; nothing on a replica."""
    if session.rows("select pg_is_in_recovery() as replica")[0]["replica"]:
        return
    visits = visit(session, lambda own: own.rows(_SEQUENCES))
    unreadable = 0
    for database, rows in visits.answers.items():
        unreadable += int(rows[0]["unreadable"]) if rows else 0
        for row in rows:
            if row["ratio"] is not None and row["ratio"] >= SHOWN_FROM:
                yield Measurement(
                    "sequence_used_ratio",
                    row["ratio"],
                    f"{database}.{row['name']}",
                    {"last": row["last"], "most": row["most"]},
                )
    yield Measurement("sequences_unreadable", float(unreadable))
    yield Measurement(
        "databases_unseen", float(len(visits.closed)), detail={"which": visits.unseen}
    )


PROBE = Probe(
    name="sequences",
    engine="postgresql",
    question=Text("Which sequence is about to run out?"),
    measures=(
        Measure(
            "sequence_used_ratio",
            "ratio",
            "Numbers used, of sequences at least half used.",
            "sequence",
        ),
        Measure(
            "sequences_unreadable",
            "",
            "Sequences this account may not read. To see those of a schema, in its database: "
            "GRANT USAGE ON SCHEMA … and GRANT SELECT ON ALL SEQUENCES IN SCHEMA … to it.",
        ),
        Measure("databases_unseen", "", "Databases this account may not enter."),
    ),
    thresholds=(
        Threshold(
            "sequence_used_ratio",
            Text("{target}: sequence {subject} is {value} used ({last} of {most})"),
            Text(
                "Make the column a bigint (ALTER TABLE rewrites the table: plan it) and raise the "
                "sequence's end; once it is used up every INSERT fails."
            ),
            "capacity",
            # A rewrite of a large table takes weeks to plan; 95 % leaves days.
            warning=0.8,
            critical=0.95,
            headline=Text("{target}: sequence {subject} is running out"),
        ),
        Threshold(
            "databases_unseen",
            Text("{target}: databases that cannot be looked at: {which}"),
            Text("Let the monitoring account in: GRANT CONNECT ON DATABASE … and pg_hba.conf."),
            "blind",
            warning=1.0,
        ),
    ),
    read=read,
    every=3600.0,
    runbook=Text(
        "1. Which table, how many rows a day: when does it end? 2. Is the column an int? 3. Plan "
        "the change to bigint at a quiet hour. 4. In an emergency the sequence may use negative "
        "numbers."
    ),
)
