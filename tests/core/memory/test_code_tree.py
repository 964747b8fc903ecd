"""Code trees: every symbol has one path, and like symbols share it for long."""

from __future__ import annotations

import numpy as np
import pytest

from seqforge.core.memory.code_tree import code_tree, tree_of


def leaf(tree, code: int) -> int:
    node, depth = 0, 0
    while node >= 0:
        assert tree.depths[node] == depth
        assert int(tree.paths[node]) == code >> (64 - depth) << (64 - depth)
        node = int(tree.children[node, code >> (63 - depth) & 1])
        depth += 1
    return -1 - node


@pytest.mark.parametrize("size", [2, 3, 50, 700])
def test_the_code_of_a_symbol_leads_to_it(size):
    ids = np.minimum(np.random.default_rng(size).zipf(1.3, 5000), size) - 1
    tree = code_tree(ids, size)
    assert [leaf(tree, int(code)) for code in tree.codes] == list(range(size))
    assert len(tree.children) == size - 1
    assert (tree.children[tree.children > 0] > np.nonzero(tree.children > 0)[0]).all()


def test_a_decision_lies_in_its_group():
    tree = code_tree(np.random.default_rng(0).integers(0, 60, 5000), 60)
    for node, (group, place) in enumerate(zip(tree.groups, tree.places, strict=True)):
        assert tree.depths[node] // 3 * 3 == tree.depths[group]
        inside = int(tree.depths[node] - tree.depths[group])
        bits = int(tree.paths[node]) >> (64 - int(tree.depths[node])) if node else 0
        assert place == (1 << inside) + (bits & ((1 << inside) - 1))


def test_symbols_that_stand_in_the_same_places_share_their_path():
    """Small letters follow small letters, and digits digits."""
    draw = np.random.default_rng(3)
    runs = [draw.integers(*((1, 9) if n % 2 else (9, 17)), 40) for n in range(100)]
    tree = code_tree(np.concatenate(runs), 17)
    first = [int(code) >> 63 for code in tree.codes]
    assert len(set(first[1:9])) == len(set(first[9:])) == 1 != len(set(first[1:]))


def test_symbols_that_never_occur_have_a_path_too():
    tree = code_tree(np.array([1, 2] * 50), 300)
    assert sorted(leaf(tree, int(code)) for code in tree.codes) == list(range(300))


@pytest.mark.parametrize("size", [2, 3, 40, 300])
def test_a_tree_follows_from_which_decisions_follow_which(size):
    tree = code_tree(np.random.default_rng(2).integers(0, size, 2000), size)
    for one, other in zip(tree_of(tree.children), tree, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_no_tree_of_all_symbols_is_refused():
    tree = code_tree(np.random.default_rng(2).integers(0, 9, 2000), 9)
    for place, value in (
        ((0, 0), 0),
        ((7, 1), 1),
        ((3, 0), -12),
        ((0, 1), int(tree.children[0, 0])),
    ):
        children = tree.children.copy()
        children[place] = value
        with pytest.raises(ValueError, match="none of all symbols"):
            tree_of(children)


def test_a_tree_as_deep_as_a_list_is_refused():
    children = np.array([[n + 1, -1 - n] for n in range(99)], np.int32)
    children[98, 0] = -100
    with pytest.raises(ValueError, match="too deep"):
        tree_of(children)


def test_one_symbol_is_no_choice():
    with pytest.raises(ValueError, match="two symbols"):
        code_tree(np.zeros(5, np.int64), 1)
