"""Which moments count as working time, why, and whether the arithmetic can be trusted."""

from __future__ import annotations

import runpy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incidents.calendar import load as calendar
from incidents.calendar.load import Calendar, CalendarError
from tests.incidents.builders import CALENDAR, at, is_working

ROOT = Path(calendar.__file__).parents[2]
DATA = ROOT / "incidents" / "calendars" / "indonesia.yaml"

# Clocks change on 29 March and 25 October 2026; nights and split days, so that both matter.
BERLIN = calendar.parse(
    """
name: nights
zone: Europe/Berlin
zone_label: CET
hours_per_day: 8
published: [2026]
holidays: [{day: 2026-10-26, kind: public, name: {id: a, en: b}}]
rules:
  - name: {id: malam, en: nights}
    hours: {mon-fri: "00:00-06:00, 13:00-14:30, 22:00-24:00", sat-sun: 00:00-04:30}
  - name: {id: musim, en: season}
    from: 2026-04-01
    to: 2026-04-10
    hours: {mon-sun: 09:00-10:00}
""",
    "nights",
)

MOMENTS = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2026, 12, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)
WORK = st.integers(0, 200 * 3600 * 10**6).map(lambda micro: micro / 10**6)
CALENDARS = st.sampled_from([CALENDAR, BERLIN])


def written(text: str) -> Calendar:
    return calendar.parse("extends: kaltim\nname: office\n" + text, "office")


def problems(text: str) -> list[str]:
    with pytest.raises(CalendarError) as caught:
        calendar.parse(text, "office")
    return [str(problem) for problem in caught.value.problems]


@given(CALENDARS, MOMENTS, MOMENTS, MOMENTS)
def test_time_adds_up(cal: Calendar, a: datetime, b: datetime, c: datetime) -> None:
    assert cal.between(a, b) + cal.between(b, c) == pytest.approx(cal.between(a, c), abs=1e-6)


@given(CALENDARS, MOMENTS, MOMENTS, st.timedeltas(min_value=timedelta(), max_value=timedelta(9)))
def test_a_later_end_is_never_less_work(
    cal: Calendar, a: datetime, b: datetime, more: timedelta
) -> None:
    assert cal.between(a, b + more) >= cal.between(a, b)


@given(CALENDARS, MOMENTS, WORK, WORK)
def test_more_work_is_never_due_earlier(
    cal: Calendar, start: datetime, less: float, more: float
) -> None:
    assert cal.add(start, max(less, more)) >= cal.add(start, min(less, more))


@given(CALENDARS, MOMENTS, WORK)
def test_what_was_added_is_measured_again(cal: Calendar, start: datetime, work: float) -> None:
    due = cal.add(start, work)
    assert cal.between(start, due) == pytest.approx(work, abs=1e-6)
    if work:
        earlier = due - timedelta(microseconds=1)
        assert cal.between(start, earlier) < cal.between(start, due)


@given(CALENDARS, MOMENTS, WORK, WORK)
def test_adding_twice_is_adding_once(cal: Calendar, start: datetime, a: float, b: float) -> None:
    whole = cal.add(start, round(a + b, 6))
    assert abs(cal.add(cal.add(start, a), b) - whole) <= timedelta(microseconds=2) or (
        cal.between(cal.add(cal.add(start, a), b), whole) <= 2e-6
    )


def brute(cal: Calendar, start: datetime, minutes: int) -> int:
    """Working minutes counted one by one on the wall clock, from the data files."""
    count = 0
    for minute in range(minutes):
        local = (start + timedelta(minutes=minute)).astimezone(cal.zone)
        if local.date() in cal.holidays:
            continue
        for span in cal.rule(local.date()).week[local.weekday()]:
            end = span.end.hour * 60 + span.end.minute or 24 * 60
            count += (
                span.start.hour * 60 + span.start.minute <= local.hour * 60 + local.minute < end
            )
    return count


@given(
    CALENDARS,
    st.integers(0, 330 * 24 * 60).map(
        lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m)
    ),
    st.integers(0, 5 * 24 * 60),
)
@example(BERLIN, datetime(2026, 3, 28, 20, tzinfo=UTC), 1440)
@example(BERLIN, datetime(2026, 10, 24, 20, tzinfo=UTC), 1440)
def test_it_is_what_counting_minute_by_minute_gives(
    cal: Calendar, start: datetime, minutes: int
) -> None:
    end = start + timedelta(minutes=minutes)
    assert cal.between(start, end) == brute(cal, start, minutes) * 60


def test_a_night_in_which_the_clock_changes_is_as_long_as_it_is() -> None:
    spring = (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC))
    autumn = (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert BERLIN.between(*spring) == 3.5 * 3600
    assert BERLIN.between(*autumn) == 5.5 * 3600


@given(CALENDARS, MOMENTS)
def test_the_next_opening_is_working_time_and_nothing_is_missed(
    cal: Calendar, moment: datetime
) -> None:
    opening = cal.next_opening(moment)
    assert is_working(cal, opening)
    assert cal.between(moment, opening) == 0
    assert (opening == moment) == is_working(cal, moment)


@given(CALENDARS, MOMENTS, st.timedeltas(min_value=timedelta(), max_value=timedelta(20)))
def test_the_explanation_sums_to_the_figure(
    cal: Calendar, start: datetime, length: timedelta
) -> None:
    lines = cal.explain(start, start + length)
    assert sum(line.seconds for line in lines) == pytest.approx(
        cal.between(start, start + length), abs=1e-5
    )
    assert all(not line.spans for line in lines if line.closed)


@pytest.mark.parametrize(
    ("moment", "working"),
    [
        ("2026-07-02 07:29", False),
        ("2026-07-02 07:30", True),
        ("2026-07-02 12:30", True),  # no break is taken out
        ("2026-07-02 15:59", True),
        ("2026-07-02 16:00", False),  # half-open
        ("2026-07-03 10:59", True),  # Friday
        ("2026-07-03 11:00", False),
        ("2026-07-04 09:00", False),  # Saturday
        ("2025-05-30 09:00", False),  # cuti bersama
        ("2025-05-28 12:30", False),  # before June 2025 the national hours, with their break
        ("2025-05-23 14:00", True),  # and their Friday
        ("2025-06-13 14:00", False),  # the Kaltim Friday
        ("2026-02-18 07:45", True),
        ("2026-02-19 07:45", False),  # Ramadan begins
        ("2026-02-19 12:15", False),
        ("2026-03-20 09:00", False),  # cuti bersama, although the public list calls it a workday
        ("2026-03-25 07:45", True),  # Ramadan is over
    ],
)
def test_the_office_hours_of_kaltim(moment: str, working: bool) -> None:
    assert is_working(CALENDAR, at(moment)) is working


def test_a_standard_that_ends_with_the_day_ends_at_closing() -> None:
    assert CALENDAR.add(at("2026-07-02 15:00"), 3600) == at("2026-07-02 16:00")
    assert CALENDAR.add(at("2026-07-02 15:00"), 3601) == at("2026-07-03 07:30") + timedelta(
        seconds=1
    )


def test_a_night_and_a_weekend_cost_nothing() -> None:
    assert CALENDAR.between(at("2026-07-02 16:00"), at("2026-07-03 07:30")) == 0
    assert CALENDAR.add(at("2026-07-03 23:00"), 1800) == at("2026-07-06 08:00")


def test_the_third_working_day_is_counted_from_the_day_after() -> None:
    assert CALENDAR.end_of_working_day(at("2026-07-01 09:00"), 3) == at("2026-07-06 16:00")
    assert CALENDAR.end_of_working_day(at("2026-07-05 22:00"), 3) == at("2026-07-08 16:00")
    assert CALENDAR.end_of_working_day(at("2026-03-17 09:00"), 1) == at("2026-03-25 16:00")


def test_the_explanation_names_hours_and_decrees() -> None:
    lines = CALENDAR.explain(at("2026-05-13 15:00"), at("2026-05-18 08:00"))
    assert [line.text().id for line in lines] == [
        "Rabu, 13 Mei 2026: 15.00-16.00 = 1 jam",
        "Kamis, 14 Mei 2026: Kenaikan Yesus Kristus (SKB 3 Menteri Nomor 1497 Tahun 2025, "
        "Nomor 2 Tahun 2025, dan Nomor 5 Tahun 2025)",
        "Jumat, 15 Mei 2026: Cuti Bersama Kenaikan Yesus Kristus (SKB 3 Menteri Nomor 1497 "
        "Tahun 2025, Nomor 2 Tahun 2025, dan Nomor 5 Tahun 2025)",
        "Sabtu, 16 Mei 2026: bukan hari kerja",
        "Minggu, 17 Mei 2026: bukan hari kerja",
        "Senin, 18 Mei 2026: 07.30-08.00 = 30 menit",
    ]
    assert lines[0].text().en == "Wednesday, 13 May 2026: 15:00-16:00 = 1 h"


def test_the_lines_of_an_explanation_add_up_to_its_total() -> None:
    start = at("2026-07-01 10:47") + timedelta(seconds=38.7)
    first, second = CALENDAR.explain(start, CALENDAR.add(start, 8 * 3600))
    assert first.text().id.endswith("10.47.38-16.00.00 = 5 jam 12 menit 22 detik")
    assert second.text().en.endswith("07:30:00-10:17:38 = 2 h 47 min 38 s")


def test_the_day_added_late_names_its_own_decree() -> None:
    (line,) = CALENDAR.explain(at("2025-08-18 09:00"), at("2025-08-18 10:00"))
    assert "933 Tahun 2025" in line.decree


def test_a_year_without_a_published_calendar_is_provisional() -> None:
    assert CALENDAR.provisional(at("2027-12-31 09:00"), at("2028-01-03 09:00"))
    assert not CALENDAR.provisional(at("2026-07-01 09:00"), at("2026-07-10 09:00"))
    line = CALENDAR.explain(at("2028-01-03 09:00"), at("2028-01-03 10:00"))[0]
    assert line.text().id.endswith("(sementara)")


def test_an_estimated_holiday_is_provisional() -> None:
    assert CALENDAR.provisional(at("2027-03-08 09:00"), at("2027-03-12 09:00"))


def test_the_data_is_what_the_package_says_today() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "holidays-data"))["written"](2025, 2027)
    kept = DATA.read_text(encoding="utf-8")
    no_version = [line for line in made.splitlines() if not line.startswith("#")]
    assert [line for line in kept.splitlines() if not line.startswith("#")] == no_version


@pytest.mark.parametrize(
    ("year", "public", "joint"), [(2025, 17, 11), (2026, 17, 8), (2027, 18, 8)]
)
def test_every_public_holiday_and_every_cuti_bersama_is_there(
    year: int, public: int, joint: int
) -> None:
    kinds = [day.kind for day in CALENDAR.holidays.values() if day.day.year == year]
    assert (kinds.count("public"), kinds.count("cuti_bersama")) == (public, joint)
    for category, kind in (("public", "public"), ("government", "cuti_bersama")):
        told = holidays.country_holidays("ID", years=year, language="id", categories=(category,))
        days = {d for d, each in CALENDAR.holidays.items() if each.kind == kind and d.year == year}
        assert days == set(told)
        for day in days:
            assert CALENDAR.holidays[day].name.id == told[day].replace(" (perkiraan)", "")
    assert all(day.decree for day in CALENDAR.holidays.values())


def test_2026_has_240_working_days() -> None:
    days = (date(2026, 1, 1) + timedelta(n) for n in range(365))
    noon = (datetime(d.year, d.month, d.day, 10, tzinfo=CALENDAR.zone) for d in days)
    assert sum(is_working(CALENDAR, moment) for moment in noon) == 240


def test_an_office_adds_a_holiday_of_its_own() -> None:
    own = written("add: [{day: 2026-07-02, name: {id: HUT, en: Anniversary}, decree: SK 1/2026}]\n")
    assert not is_working(own, at("2026-07-02 09:00"))
    assert own.explain(at("2026-07-02 09:00"), at("2026-07-02 10:00"))[0].decree == "SK 1/2026"
    assert own.hash != CALENDAR.hash


def test_a_withdrawn_holiday_is_a_working_day_again() -> None:
    own = written("remove: [{day: 2026-03-24, decree: SKB baru}]\n")
    assert is_working(own, at("2026-03-24 09:00"))
    assert not is_working(CALENDAR, at("2026-03-24 09:00"))


def test_the_midday_break_is_a_setting_that_leaves_ramadan_alone() -> None:
    own = written("midday_break: {mon-thu: 12:00-13:00}\n")
    assert not is_working(own, at("2026-07-02 12:30"))
    assert is_working(own, at("2026-02-23 12:45"))
    assert not is_working(own, at("2026-02-23 12:15"))


def test_hours_may_change_in_the_middle_of_a_week() -> None:
    own = written(
        "rules:\n  - {name: {id: a, en: b}, from: 2026-07-02, hours: {mon-fri: 08:00-12:00}}\n"
    )
    assert own.between(at("2026-07-01 00:00"), at("2026-07-03 00:00")) == (8.5 + 4) * 3600


def test_the_canonical_content_gives_the_same_calendar_again() -> None:
    own = written("remove: [{day: 2026-03-24}]\nmidday_break: {mon-thu: 12:00-13:00}\n")
    for cal in (CALENDAR, own, BERLIN):
        again = calendar.parse(cal.content, "store")
        assert again == cal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("remove: [{day: 2026-07-02}]", "is not a holiday"),
        ("add: [{day: 2026-12-25, name: {id: a, en: b}}]", "is a holiday already"),
        ("add: [{day: someday, name: {id: a, en: b}}]", "expected a date"),
        ("zone: Mars/Base", "is not a time zone"),
        ("zone: ../etc", "is not a time zone"),
        ("midday_break: {noon: 12:00-13:00}", "expected days like"),
        ("midday_break: {mon: 12-13}", "expected hours like"),
        ("midday_break: {mon: 24:00-24:00}", "expected hours like"),
        (
            "rules: [{name: {id: a, en: b}, from: 2026-07-01, hours: {mon: 16:00-07:30}}]",
            "must end",
        ),
        (
            "rules: [{name: {id: a, en: b}, from: 2026-07-01, "
            "hours: {mon: '08:00-12:00, 11:00-13:00'}}]",
            "without overlap",
        ),
        (
            "rules: [{name: {id: a, en: b}, from: 2025-06-01, hours: {mon: 08:00-12:00}}]",
            "begin on the same day",
        ),
        (
            "rules: [{name: {id: a, en: b}, from: 2026-07-02, to: 2026-07-01, "
            "hours: {mon: 08:00-12:00}}]",
            "ends before it begins",
        ),
        (
            "rules: [{name: {id: a, en: b}, from: 2026-07-02, hours: {}}]",
            "at least one working hour",
        ),
        ("hours_per_day: 0", "more than 0"),
        ("extends: nowhere", "cannot be read"),
        ("colour: red", "unknown key"),
        ("holidays: nowhere", "cannot be read"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    base = "" if text.startswith("extends") else "extends: kaltim\n"
    assert any(said in problem for problem in problems(f"{base}name: office\n{text}\n"))


def test_a_calendar_without_hours_for_every_day_is_refused() -> None:
    text = BERLIN.content.replace(
        '"name":{"en":"nights"', '"from":"2026-01-01","name":{"en":"nights"'
    )
    assert any("every day has hours" in problem for problem in problems(text))


def test_a_calendar_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: {path}\nname: own\n", encoding="utf-8")
    with pytest.raises(CalendarError, match="cannot extend itself"):
        calendar.load(path)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        CALENDAR.next_opening(datetime(2026, 7, 2, 9, 0))  # noqa: DTZ001 - the naive moment under test
    with pytest.raises(ValueError, match="forwards"):
        CALENDAR.add(at("2026-07-02 09:00"), -1)


def test_the_zone_is_wita_all_year() -> None:
    assert CALENDAR.zone == ZoneInfo("Asia/Makassar")
    assert CALENDAR.day_seconds == 27000
