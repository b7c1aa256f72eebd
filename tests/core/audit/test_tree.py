"""Merkle trees as RFC 6962 says them, and paths in them that lead nowhere else."""

from __future__ import annotations

import random

import pytest

from guestpass.core.audit import tree

# What Certificate Transparency's implementations are tried with: leaves, and the root over the first n of them.
LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    bytes(range(0x50, 0x58)),
    bytes(range(0x60, 0x70)),
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(count):
    assert tree.root_of([tree.leaf_hash(leaf) for leaf in LEAVES[:count]]).hex() == ROOTS[count - 1]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])
def test_every_leaf_has_a_path_to_the_root_and_to_no_other(count):
    hashes = [tree.leaf_hash(b"%d" % n) for n in range(count)]
    root = tree.root_of(hashes)
    for index in range(count):
        path = tree.path_of(hashes, index)
        assert tree.root_from(hashes[index], index, count, path) == root
        assert tree.root_from(tree.leaf_hash(b"another"), index, count, path) != root
        for other in range(count):
            if other != index:
                assert tree.root_from(hashes[index], other, count, path) != root


def test_a_path_that_is_cut_or_grown_leads_nowhere():
    hashes = [tree.leaf_hash(b"%d" % n) for n in range(13)]
    for index in range(13):
        path = tree.path_of(hashes, index)
        assert tree.root_from(hashes[index], index, 13, path[:-1]) is None
        assert tree.root_from(hashes[index], index, 13, [*path, bytes(32)]) is None
    assert tree.root_from(hashes[0], 13, 13, tree.path_of(hashes, 0)) is None
    assert tree.root_from(hashes[0], -1, 13, tree.path_of(hashes, 0)) is None


def test_a_node_is_no_leaf():
    """What is hashed of two nodes cannot be shown as a leaf of a smaller tree."""
    left, right = tree.leaf_hash(b"a"), tree.leaf_hash(b"b")
    assert tree.leaf_hash(left + right) != tree.root_of([left, right])


def test_order_and_number_of_leaves_are_in_the_root():
    dice = random.Random(5)
    hashes = [tree.leaf_hash(b"%d" % n) for n in range(40)]
    root = tree.root_of(hashes)
    for _ in range(50):
        one, other = dice.sample(range(40), 2)
        swapped = list(hashes)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        assert tree.root_of(swapped) != root
    assert len({tree.root_of(hashes[:count]) for count in range(1, 41)}) == 40
