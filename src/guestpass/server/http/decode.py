"""Bodies in: strict JSON of a declared shape, and errors that name the field and the rule."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from guestpass.core import strict_json
from guestpass.errors import Detail, UnsupportedMediaType, ValidationFailed

_WHERE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
FORM_TYPE = "application/x-www-form-urlencoded"
PATH_LENGTH_MAX = 120  # characters; a path repeats names that were sent
_FIELD = re.compile(r"field `(.*)`", re.DOTALL)

_LENGTH = re.compile(r"Expected str of length ([<>]=) (\d+)")
_KINDS = {
    "str": "a string",
    "int": "an integer",
    "int | float": "a number",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
}


@lru_cache(maxsize=64)
def _decoder(shape: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def check_media_type(content_type: str | None, content_encoding: str | None) -> None:
    """Raises: UnsupportedMediaType, naming the header to send."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise UnsupportedMediaType
    if content_encoding not in (None, "identity"):
        raise UnsupportedMediaType("Send the body as it is, without Content-Encoding.")


def decode(body: bytes, shape: type) -> Any:
    """Return ``body`` as ``shape``.

    Raises: ValidationFailed with the path and the rule: not JSON, an unknown field, a wrong type, a duplicate member.
    """
    if not body:
        raise ValidationFailed("The body is empty; send a JSON object.", details=(Detail("", "must be a JSON object"),))
    try:
        strict_json.loads(body)  # duplicate members, surrogates, depth: what the typed decoder lets through
    except strict_json.JsonRefused as fault:
        raise ValidationFailed(
            f"The body is not acceptable JSON: {fault}.", details=(Detail(fault.path, fault.reason),)
        ) from None
    try:
        return _decoder(shape).decode(body)
    except msgspec.ValidationError as fault:
        path, rule = _explain(str(fault))
        raise ValidationFailed(f"{path or 'The body'} {rule}.", details=(Detail(path, rule),)) from None
    except msgspec.DecodeError as fault:
        raise ValidationFailed(
            f"The body is not acceptable JSON: {fault}.", details=(Detail("", str(fault)),)
        ) from None


def decode_form(body: bytes, content_type: str | None, shape: type) -> Any:
    """Return a form as ``shape``; parameters that the shape does not know are ignored (RFC 6749 section 3.2).

    Raises: UnsupportedMediaType; ValidationFailed: not a form, a parameter twice, one that is missing.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != FORM_TYPE:
        raise UnsupportedMediaType(f"Send a form, with the header Content-Type: {FORM_TYPE}.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise ValidationFailed("The body cannot be read as a form: it is name=value&…, percent-encoded.") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValidationFailed("A parameter of the form was sent twice; send each once.")
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as fault:
        path, rule = _explain(str(fault))
        raise ValidationFailed(f"{path or 'The form'} {rule}.", details=(Detail(path, rule),)) from None


def _explain(message: str) -> tuple[str, str]:
    """Turn msgspec's "Expected `int`, got `str` - at `$.expiresIn`" into a path and a rule. No value is repeated."""
    matched = _WHERE.fullmatch(message)
    text, path = (matched[1], matched[2] or "") if matched else (message, "")
    field = _FIELD.search(text)
    if field and text.startswith("Object contains unknown"):
        return ".".join(filter(None, (path, field[1])))[:PATH_LENGTH_MAX], "is not a field of this request"
    if field and text.startswith("Object missing required"):
        return ".".join(filter(None, (path, field[1]))), "is required"
    if text.startswith("Invalid enum value"):
        return path, "is not a value that this field takes; /docs lists them"
    return path, _rule(text.replace("`", ""))


def _rule(text: str) -> str:
    """Say "Expected str of length >= 1" or "Expected int, got str" in the words of JSON."""
    length = _LENGTH.fullmatch(text)
    if length and length[2] == "1":
        return "must not be empty"
    if length:
        return f"must have at {'least' if length[1] == '>=' else 'most'} {length[2]} characters"
    expected, _, got = text.removeprefix("Expected ").partition(", got ")
    kind, _, bound = expected.partition(" >= ")
    must = _KINDS.get(kind, kind) + (f" of at least {bound}" if bound else "")
    return f"must be {must}" + (f", not {_KINDS.get(got, got)}" if got else "")
