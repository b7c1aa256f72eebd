"""Times: RFC 3339 with an offset goes in, RFC 3339 with Z comes out, and each text means one instant."""

import json
from datetime import UTC, datetime, timedelta, timezone
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core import times

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/formats/date-time.json").read_text("utf-8"))
CASES = [case for group in VECTORS for case in group["tests"] if isinstance(case["data"], str)]
YEAR_9999 = 253_402_300_799


@pytest.mark.parametrize("case", CASES, ids=[case["description"].encode("ascii", "replace").decode() for case in CASES])
def test_the_json_schema_suite_agrees(case):
    """Its cases of the format date-time."""
    if case["valid"]:
        times.parse(case["data"])
    else:
        with pytest.raises(ValueError, match=r"must be RFC 3339|that exists"):
            times.parse(case["data"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 0.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20-00:00", 1_700_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000),
        ("2023-11-14T22:13:20.125z", 1_700_000_000.125),
        ("1998-12-31T23:59:60Z", 915_148_800),
        ("1998-12-31T23:59:60.9Z", 915_148_800),
        ("2024-02-29T00:00:00Z", 1_709_164_800),
    ],
)
def test_a_time_is_read_as_unix_seconds(text, seconds):
    """A leap second counts as the second after it."""
    assert times.parse(text) == seconds


ISO_8601 = {
    "1970-01-01T00:00:00.5": 0.5,
    "2023-11-14T22:13:20": 1_700_000_000,
    "2023-11-14T22:13": 1_699_999_980,
    "2023-11-15T00:13:20+02": 1_700_000_000,
    "2023-11-15T03:58:20+0545": 1_700_000_000,
    "20231114T221320,125Z": 1_700_000_000.125,
    "20231114T2213-0000": 1_699_999_980,
    "1998-12-31T23:59:60": 915_148_800,
}


@pytest.mark.parametrize(("text", "seconds"), ISO_8601.items())
def test_iso_8601_is_read_and_without_an_offset_it_is_utc(text, seconds):
    assert times.parse_iso_8601(text) == seconds


@pytest.mark.parametrize("case", [case for case in CASES if case["valid"]], ids=itemgetter("data"))
def test_what_rfc_3339_takes_is_iso_8601_too(case):
    assert times.parse_iso_8601(case["data"]) == times.parse(case["data"])


NOT_ISO_8601 = (
    "", "2030-01-31", "20300131", "2030-01-31T12", "2030-01-31 12:00:00", "2030-W05-4T12:00:00", "2030-031T12:00:00",
    "2030-01-31T12:00:00+", "2030-01-31T12:00:00+2", "2030-01-31T12:00:00 Z", "2030-01-31T12:00:00.Z", "2030-01-31T1200",
    "20300131T12:00", "2030-02-30T12:00:00", "2030-01-31T24:00:00", "2030-01-31T12:00:00+24:00", "2030-01-31T12:00:00Z\n",
    "12030-01-31T12:00:00Z", "-2030-01-31T12:00:00Z", "PT1H", "1893456000", "\uff12030-01-31T12:00:00Z",
)  # fmt: skip


@pytest.mark.parametrize("text", NOT_ISO_8601)
def test_what_is_no_date_and_time_is_not_guessed(text):
    with pytest.raises(ValueError, match=r"must be a date and time in ISO 8601|that exists"):
        times.parse_iso_8601(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("2030-01-31", id="a day alone"),
        pytest.param("2030-01-31T12:00:00", id="no offset: whose noon it is nobody knows"),
        pytest.param("2030-01-31 12:00:00Z", id="a space for T"),
        pytest.param("2030-01-31T12:00Z", id="no seconds"),
        pytest.param("2030-01-31T12:00:00,5Z", id="a comma"),
        pytest.param("2030-01-31T12:00:00.Z", id="a fraction of no digits"),
        pytest.param("20300131T120000Z", id="the basic form of ISO 8601"),
        pytest.param("2030-W05-4T12:00:00Z", id="a week"),
        pytest.param("2023-02-29T00:00:00Z", id="29 February of a common year"),
        pytest.param("0000-01-01T00:00:00Z", id="the year 0"),
        pytest.param("0001-01-01T00:00:00+23:59", id="before the year 1"),
        pytest.param("9999-12-31T23:59:60Z", id="after the year 9999"),
        pytest.param("9999-12-31T23:59:59-00:01", id="after the year 9999 by its offset"),
        pytest.param("2030-01-31T12:00:60Z", id="a leap second at noon"),
        pytest.param("2030-01-31T12:00:00+0100", id="an offset without its colon"),
        pytest.param("2030-01-31T12:00:00 Z", id="white space before Z"),
        pytest.param("2030-01-31T12:00:00Z ", id="white space after Z"),
        pytest.param("\uff12030-01-31T12:00:00Z", id="a full-width digit"),
        pytest.param("2030-01-31T12:00:00\u221201:00", id="a minus sign that is not ASCII"),
        pytest.param("2030-01-31T12:00:00.\u09eaZ", id="a Bengali 4 as fraction"),
        pytest.param("2030-01-31T12:00:00+0\u09ea:00", id="a Bengali 4 in the offset"),
        pytest.param("1700000000", id="Unix seconds"),
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"must be RFC 3339|that exists"):
        times.parse(text)


@given(st.integers(0, YEAR_9999))
def test_what_is_written_is_read_back(seconds):
    text = times.of_seconds(seconds)
    assert text.endswith("Z")
    assert times.parse(text) == seconds


@given(st.integers(0, 4_000_000_000_000))
def test_milliseconds_are_written_with_three_digits_and_sort_as_text(unix_ms):
    text = times.of_milliseconds(unix_ms)
    assert len(text) == len("2030-01-31T12:00:00.250Z")
    assert round(times.parse(text) * 1000) == unix_ms
    assert times.of_milliseconds(unix_ms + 1) > text


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-23 * 60, 23 * 60))  # noqa: DTZ001 - the offset is drawn
def test_every_offset_names_the_same_instant(moment, offset_minutes):
    """However a client writes it."""
    moment = moment.replace(microsecond=0)
    offset = timezone(timedelta(minutes=offset_minutes))
    assert times.parse(moment.replace(tzinfo=offset).isoformat()) == moment.replace(tzinfo=offset).timestamp()
    assert times.parse(moment.isoformat() + "Z") == moment.replace(tzinfo=UTC).timestamp()
