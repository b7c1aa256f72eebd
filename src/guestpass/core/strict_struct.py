"""Structs to JSON and back, as strictly as :mod:`strict_json` reads, and nearly as fast as msgspec does."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from guestpass.core import strict_json
from guestpass.core.bounds import JSON_INTEGER_MAX

UnixSeconds = Annotated[int, Meta(ge=0, le=JSON_INTEGER_MAX)]
T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


class StrictCodec(Generic[T]):
    """Writes and reads one kind of struct."""

    __slots__ = ("_decoder",)

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def encode(self, value: T) -> bytes:
        return _encoder.encode(value)

    def decode(self, data: bytes) -> T:
        """Read one struct. Its size is the caller's to bound.

        Raises:
            ValueError: It is not one strict JSON object with these members, or a member stands twice.
        """
        try:
            value = self._decoder.decode(data)
        except RecursionError:  # of a member that is not ours
            raise ValueError("nested too deep") from None
        # msgspec lets the last of two equal members win. What is byte for byte as we write it has none;
        # all else is read a second time by the parser that refuses them.
        if _encoder.encode(value) != data:
            strict_json.loads(data)
        return value
