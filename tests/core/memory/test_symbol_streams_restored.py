"""What a file says of a memory is not believed where it would lead outside of an array."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from seqforge.domains.text.memory import TextMemory
from tests.core.memory import laws

SYMBOLS = "abcdefg"
IDS = np.tile(np.arange(1, 8, dtype=np.uint8), 40)


@pytest.fixture
def arrays():
    memory = TextMemory.made(IDS, SYMBOLS, 1 << 16)
    memory.learn(IDS[:200])
    memory.score(IDS[200:], laws.network_of(IDS[200:], 8))
    return {name: np.array(array) for name, array in memory.to_arrays().items()}


def test_what_was_saved_comes_back(arrays):
    again = TextMemory.saved(SYMBOLS, arrays).to_arrays()
    for name, array in again.items():
        if name.startswith("tables."):
            np.testing.assert_array_equal(array, arrays[name], name)
    assert again["row.position"][0] == 0


def put(name: str, value: float) -> Callable[[dict], None]:
    """Puts a value at the first place of an array."""

    def change(arrays: dict) -> None:
        arrays[f"tables.{name}"].ravel()[0] = value

    return change


def cut(name: str) -> Callable[[dict], None]:
    """Takes the last part of an array away."""

    def change(arrays: dict) -> None:
        arrays[f"tables.{name}"] = np.ascontiguousarray(arrays[f"tables.{name}"][..., :-1])

    return change


BAD = {
    "a rank that is none": put("ranks", 300),
    "fewer ranks": cut("ranks"),
    "a tree with a circle": put("tree.children", 0),
    "a tree of a symbol that is none": put("tree.children", -99),
    "half a tree": cut("tree.children"),
    "a table of contexts that is no power of two": cut("slots.slots"),
    "no probability": put("slots.histories", 1e9),
    "no number": put("slots.grid", np.nan),
    "a negative probability": put("slots.runs", -0.5),
    "a chance of a copy": put("copies.chances", 2.0),
    "more read than there is": put("copies.read", 10**9),
    "a symbol that is none": put("copies.history", 9),
    "a place before the first": put("copies.heads", -5),
    "fewer places": cut("copies.heads"),
    "a weight without bounds": put("mixer.weights", np.inf),
    "fewer weights": cut("mixer.weights"),
    "fewer visits": cut("mixer.visits"),
    "another kind": lambda arrays: arrays.update(
        {"tables.mixer.weights": arrays["tables.mixer.weights"].astype(np.float64)}
    ),
    "no network": lambda arrays: arrays.update(
        {name: array[:1] for name, array in arrays.items()
         if name.startswith("tables.mixer.") and not name.endswith("starts")}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(arrays, what):
    BAD[what](arrays)
    with pytest.raises(ValueError, match=r"(is|has|not learnt) "):
        TextMemory.saved(SYMBOLS, arrays)


def test_tables_that_follow_from_the_symbols_are_not_read_from_the_file(arrays):
    for name in (
        "slots.stretch",
        "slots.rates",
        "mixer.starts",
        "copies.least",
        "orders",
        "traits",
    ):
        arrays[f"tables.{name}"][:] = 10**6
    for name in ("codes", "paths", "depths", "groups", "places"):
        arrays[f"tables.tree.{name}"][:] = 7
    wanted = TextMemory.made(IDS, SYMBOLS, 1 << 16).to_arrays()
    found = TextMemory.saved(SYMBOLS, arrays).to_arrays()
    for name in ("slots.stretch", "mixer.starts", "orders", "traits", "tree.codes", "tree.places"):
        np.testing.assert_array_equal(found[f"tables.{name}"], wanted[f"tables.{name}"])
