"""Training symbols in, a binary code tree out: a symbol is a few yes-or-no decisions.

Symbols that occur in the same contexts share a branch, so that early decisions are easy, and a
context that has not met a symbol may know its branch. Rare symbols lie far from the root.
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

GROUP = 3
"""Levels of the tree whose decisions lie together in memory: up to 7 decisions."""
DEEPEST = 63
"""Most decisions on a path."""
_SAMPLE = 1 << 22
"""Symbols that are looked at."""
_CLUSTERED = 128
"""So many symbols, the most frequent ones, are joined by what they have in common."""
_RAREST = 2.0**-20
"""Least share of the others: no path of theirs is longer than about 30 decisions."""


class CodeTree(NamedTuple):
    """The decisions, numbered from the root (0) downwards; V - 1 of them for V symbols."""

    children: NDArray[np.int32]
    """(V - 1, 2): the decision that follows a no and a yes, or ``-1 - symbol``."""
    codes: NDArray[np.uint64]
    """The answers on the way to a symbol (V,), the first in the highest bit."""
    paths: NDArray[np.uint64]
    """The answers on the way to a decision (V - 1,)."""
    depths: NDArray[np.int64]
    """How many these are."""
    groups: NDArray[np.int32]
    """The decision at the top of the group that a decision lies in."""
    places: NDArray[np.int64]
    """Its place in the group: 1 on top, 2 and 3, then 4 to 7."""


BEFORE, AROUND, FURTHER = (-1, -2), (-1, 1), (-1, -2, -3)
"""Where the symbols stand that say which ones are alike: the two before, those on both sides, the
three before."""


def code_tree(
    ids: NDArray[Any], vocab_size: int, places: tuple[int, ...] = BEFORE
) -> CodeTree:  # fmt: skip
    """Training symbols (T,) and the number of ids, at least two, in; the tree out.

    ``places``: see `BEFORE`; trees of other places join other symbols.

    Raises:
        ValueError: If there is nothing to decide.
    """
    if vocab_size < 2:
        raise ValueError("a code tree needs two symbols at least")
    ids = ids[:_SAMPLE]
    counts = np.bincount(ids, minlength=vocab_size)
    order = np.argsort(-counts, kind="stable")
    some, rest = order[:_CLUSTERED], order[_CLUSTERED:]
    leaves: list[Any] = some.tolist()
    if len(rest):
        leaves.append(_huffman(rest, counts))
    merged = np.full(vocab_size, len(some))
    merged[some] = np.arange(len(some))
    return _numbered(_clustered(_joint(merged[ids], len(leaves), places), leaves))


def _huffman(symbols: NDArray[Any], counts: NDArray[Any]) -> Any:
    """Nested pairs of symbols, frequent ones outside (Huffman 1952)."""
    least = max(counts.sum() * _RAREST, 1e-9)
    heap: list[tuple[float, int, Any]] = [
        (max(float(counts[symbol]), least), number, int(symbol))
        for number, symbol in enumerate(symbols)
    ]
    heapq.heapify(heap)
    for number in range(len(symbols), 2 * len(symbols) - 1):
        (first, _, a), (second, _, b) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (first + second, number, (b, a)))
    return heap[0][2]


def _joint(ids: NDArray[Any], size: int, places: tuple[int, ...]) -> NDArray[np.float64]:
    """How often each symbol occurs with each of what stands at some places (size, contexts)."""
    first, last = max(0, -min(places)), len(ids) - max(0, *places)
    contexts = np.zeros(max(last - first, 0), np.int64)
    for place in places:
        contexts = contexts * size + ids[first + place : last + place]
    kept, column = np.unique(contexts, return_inverse=True)
    flat = np.bincount(ids[first:last] * len(kept) + column, minlength=size * len(kept))
    return flat.reshape(size, len(kept)).astype(np.float64)


def _clustered(joint: NDArray[np.float64], leaves: list[Any]) -> Any:
    """Nested pairs: always the two are joined that lose the least information about contexts.

    References:
        Slonim and Tishby 1999, "Agglomerative information bottleneck".
    """
    rows, trees = dict(enumerate(joint)), dict(enumerate(leaves))
    own = {number: _information(row) for number, row in rows.items()}

    def losses(one: int) -> dict[tuple[int, int], float]:
        return {
            (other, one): own[other] + own[one] - _information(rows[other] + rows[one])
            for other in rows
            if other < one
        }

    pairs = {pair: loss for number in rows for pair, loss in losses(number).items()}
    for new in range(len(leaves), 2 * len(leaves) - 1):
        a, b = min(pairs, key=lambda pair: (pairs[pair], pair))
        rows[new], trees[new] = rows.pop(a) + rows.pop(b), (trees.pop(a), trees.pop(b))
        own[new] = _information(rows[new])
        pairs = {pair: loss for pair, loss in pairs.items() if not {a, b} & set(pair)}
        pairs |= losses(new)
    (tree,) = trees.values()
    return tree


def _information(row: NDArray[np.float64]) -> float:
    """Minus the entropy of the contexts of a symbol, times its count."""
    some = row[row > 0]
    total = some.sum()
    return float((some * np.log(some)).sum() - total * np.log(total)) if len(some) else 0.0


def _numbered(root: Any) -> CodeTree:
    """The arrays of nested pairs, breadth first."""
    size = _leaves(root) - 1
    tree = CodeTree(
        np.zeros((size, 2), np.int32), np.zeros(size + 1, np.uint64), np.zeros(size, np.uint64),
        np.zeros(size, np.int64), np.zeros(size, np.int32), np.zeros(size, np.int64),
    )  # fmt: skip
    queue, next_one = [(root, 0, 0, 0, 1)], 1
    for node, (pair, path, depth, group, place) in enumerate(queue):  # the queue grows meanwhile
        top = depth % GROUP == 0
        tree.paths[node], tree.depths[node] = path, depth
        tree.groups[node], tree.places[node] = (node, 1) if top else (group, place)
        for answer, child in enumerate(pair):
            code = path | answer << (63 - depth)
            if isinstance(child, tuple):
                tree.children[node, answer] = next_one
                next_one += 1
                below = 2 * int(tree.places[node]) + answer
                queue.append((child, code, depth + 1, int(tree.groups[node]), below))
            else:
                tree.children[node, answer] = -1 - child
                tree.codes[child] = code
    return tree


def tree_of(children: NDArray[np.int32]) -> CodeTree:
    """The decisions that follow each (V - 1, 2) in, as of a `CodeTree`, the tree out.

    Raises:
        ValueError: If they are no tree of all symbols, or one that is too deep.
    """
    size = len(children)
    wanted = [*range(-1 - size, 0), *range(1, size)]
    behind = (children < 0) | (children > np.arange(size)[:, None])
    if sorted(children.ravel().tolist()) != wanted or not behind.all():
        raise ValueError("the code tree is none of all symbols")
    nodes: dict[int, Any] = {-1 - symbol: symbol for symbol in range(size + 1)}
    depths = {0: 0}
    for node, pair in enumerate(children.tolist()):
        depths |= dict.fromkeys(pair, depths[node] + 1)
    if max(depths.values()) > DEEPEST:
        raise ValueError("the code tree is too deep")
    for node in range(size - 1, -1, -1):
        nodes[node] = tuple(nodes[child] for child in children[node].tolist())
    return _numbered(nodes[0])


def _leaves(node: Any) -> int:
    found, stack = 0, [node]
    while stack:
        one = stack.pop()
        if isinstance(one, tuple):
            stack += one
        else:
            found += 1
    return found
