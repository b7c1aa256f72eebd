"""Times as text: RFC 3339, with an offset on the way in unless a contract says otherwise, always ``Z`` on the way out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_HOUR_MINUTE = r"(?:[01]\d|2[0-3]):[0-5]\d"  # later versions of fromisoformat read 24:00
_RFC_3339 = re.compile(rf"(\d{{4}}-\d\d-\d\d)[Tt]({_HOUR_MINUTE}):(\d\d)(\.\d+)?([Zz]|[+-]{_HOUR_MINUTE})", re.ASCII)
_LEAP_SECOND = 60
_OFFSET = r"([Zz]|[+-]\d\d(?::?\d\d)?)?"
_ISO_8601 = (
    re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?{_OFFSET}", re.ASCII),
    re.compile(rf"(\d{{4}})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(?:(\d\d)(?:[.,](\d+))?)?{_OFFSET}", re.ASCII),
)


def parse(text: str) -> float:
    """Return Unix seconds of an RFC 3339 date and time (section 5.6).

    A leap second counts as the second after it, and is accepted only where UTC can have one.

    Raises: ValueError, also for a time without an offset.
    """
    parts = _RFC_3339.fullmatch(text)
    if parts is None:
        raise ValueError("must be RFC 3339 with an offset, like 2030-01-31T12:00:00Z")
    day, minute, second, fraction, offset = parts.groups()
    leap = int(second) == _LEAP_SECOND
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}{'Z' if offset in 'Zz' else offset}")
        utc = moment.astimezone(UTC)
        if leap and (utc.hour, utc.minute) != (23, 59):
            raise ValueError
        seconds = (utc + timedelta(seconds=int(leap))).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time that exists") from None
    return seconds + (float(fraction) if fraction and not leap else 0.0)


def parse_iso_8601(text: str) -> float:
    """Return Unix seconds of an ISO 8601 date and time, extended or basic; without an offset it is UTC.

    Raises: ValueError, also for a date alone, a week or the day of a year.
    """
    parts = next(filter(None, (form.fullmatch(text) for form in _ISO_8601)), None)
    if parts is None:
        raise ValueError("must be a date and time in ISO 8601, like 2030-01-31T12:00:00Z")
    year, month, day, hour, minute, second, fraction, offset = parts.groups()
    if offset and offset not in "Zz":
        digits = offset[1:].replace(":", "")
        offset = f"{offset[0]}{digits[:2]}:{digits[2:] or '00'}"
    moment = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}"
    try:
        return parse(f"{moment}{'.' + fraction if fraction else ''}{offset or 'Z'}")
    except ValueError:
        raise ValueError("is not a date and time that exists") from None


@lru_cache(maxsize=4096)
def of_seconds(unix_seconds: int) -> str:
    """Write whole Unix seconds, like ``2030-01-31T12:00:00Z``."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_milliseconds(unix_ms: int) -> str:
    """Write Unix milliseconds, like ``2030-01-31T12:00:00.250Z``."""
    return f"{of_seconds(unix_ms // 1000)[:-1]}.{unix_ms % 1000:03d}Z"
