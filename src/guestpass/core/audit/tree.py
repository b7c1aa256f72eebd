"""The Merkle tree over a batch of leaves: RFC 6962 section 2.1, SHA-256. Hashes are 32 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
_LEAF, _NODE = b"\0", b"\1"  # so that no leaf can be passed off as a node


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(_LEAF + leaf).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over at least one leaf, by the hashes of the leaves in order."""
    level = list(hashes)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path_of(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return what proves that leaf ``index`` is under the root: the hash beside it at every level, bottom first."""
    level, path = list(hashes), []
    while len(level) > 1:
        if (beside := index ^ 1) < len(level):
            path.append(level[beside])
        level = _above(level)
        index //= 2
    return path


def root_from(found: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root to which a leaf's hash and its path lead, or None where the path is not of that form."""
    if not 0 <= index < count:
        return None
    rest = iter(path)
    while count > 1:
        if index ^ 1 < count:
            beside = next(rest, None)
            if beside is None:
                return None
            found = _node(beside, found) if index & 1 else _node(found, beside)
        index, count = index // 2, (count + 1) // 2
    return found if next(rest, None) is None else None


def _above(level: Sequence[bytes]) -> list[bytes]:
    """Pair from the left; an odd last one rises as it is: so RFC 6962 splits, at powers of two."""
    sha256 = hashlib.sha256  # of thousands of leaves a second
    pairs = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
