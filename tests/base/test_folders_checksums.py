"""What is not any more as it was is found, whatever became of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.folders import changed, checksums_of, sealed, unsealed
from tests.small_runs import DAMAGES

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=9,
)


@given(st.dictionaries(st.text().filter(lambda key: key != "sum"), _VALUES))
def test_a_document_that_came_back_from_a_file_is_whole(document):
    text = json.dumps(sealed(document))
    assert unsealed(json.loads(text)) == json.loads(json.dumps(document))


@pytest.mark.parametrize("other", [{"a": [1, 3]}, {"b": [1, 2]}, {}, {"a": [1, 2], "b": 0}])
def test_another_document_under_the_same_sum_is_not(other):
    written = sealed({"a": [1, 2]})
    with pytest.raises(ValueError, match="has changed since it was written"):
        unsealed({**other, "sum": written["sum"]})
    assert unsealed(other) == other, "one without a sum is from before there were any"


@pytest.mark.parametrize("document", [None, 3, [1], "x"])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(ValueError, match="holds no JSON object"):
        unsealed(document)


def test_every_damage_to_a_file_is_found(tmp_path):
    good = bytes(range(256)) * 9
    for name in ("a.npy", "b.json", "index.json", "tmp12345"):
        (tmp_path / name).write_bytes(good)
    sums = checksums_of(tmp_path, besides="index.json")
    assert sorted(sums) == ["a.npy", "b.json"]
    assert changed(tmp_path, sums) is None
    for damage in DAMAGES.values():
        (tmp_path / "b.json").write_bytes(damage(good))
        assert changed(tmp_path, sums).startswith("b.json has ")
    (tmp_path / "b.json").unlink()
    assert changed(tmp_path, sums) == "b.json is missing"
