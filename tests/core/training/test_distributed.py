"""What a process does that is alone, what several agree on, and how they share a batch."""

import json

import numpy as np
import pytest
import torch

from seqforge.core.data.batches import BatchWindow
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.training.distributed import ALONE, Ranks, joined_process_group
from seqforge.core.training.lanes import Lanes, choose_lanes
from seqforge.errors import ConfigError
from tests.forking import beginning, two_ranks
from tests.patience import PATIENCE


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_process_group() as ranks:
        assert ranks is ALONE
    assert ranks.broadcast_object(lambda: 3) == 3
    assert ranks.common(["fp32", "bf16"]) == ["fp32", "bf16"]
    arrays = {"a": np.arange(3)}
    assert ranks.broadcast(arrays) is arrays
    (own,) = ranks.gather(torch.ones(2))
    assert own.tolist() == [1, 1]


TALK = """
import json, sys
import numpy as np, torch
from seqforge.core.training.distributed import joined_process_group as joined
from seqforge.errors import ConfigError, SaidElsewhere, SeqforgeError, Unfinished

def failing():
    raise Unfinished("not yet \u00fc")

found = {}
with joined() as ranks:
    mine = ranks.rank
    found["agreed"] = ranks.broadcast_object(lambda: {"a": [None, 0.1, "\u00fc"], "rank": mine})
    found["bits"] = ranks.broadcast_object(lambda: 1 / 3) == 1 / 3
    arrays = {"half": np.float32([[1], [2]]), "none": np.zeros(0), "double": np.array([1 / 3])}
    arrays["half"].flags.writeable = False
    spread = ranks.broadcast(arrays if mine == 0 else {})
    found["spread"] = {name: [str(one.dtype), one.tolist()] for name, one in spread.items()}
    found["gathered"] = [one.tolist() for one in ranks.gather(torch.full((1 + mine,), 5.0 + mine))]
    found["common"] = ranks.common(["c", "a", "b"] if mine == 0 else ["b", "c"])
    told = lambda: ranks.broadcast_object(failing)
    checked = lambda: ranks.check("hot" if mine else None)
    for work in (told, checked):
        try:
            work()
        except SeqforgeError as error:
            said = [type(error).__name__, str(error), error.exit_code]
            found.setdefault("errors", []).append(said)
    summed, numbers = ranks.sum([torch.tensor([[1.0, 2.0]]), torch.tensor(3.0)], [4.0 + mine])
    found["sum"] = [[one.tolist() for one in summed], numbers]
with open(f"{sys.argv[1]}/{mine}.json", "w") as file:
    json.dump(found, file)
"""


def test_two_processes_tell_each_other_values_arrays_and_errors(tmp_path):
    (tmp_path / "talk.py").write_text(TALK)
    with beginning() as begin:
        for process in two_ranks(begin, tmp_path, script=tmp_path / "talk.py"):
            _, said = process.communicate(PATIENCE)
            assert process.returncode == 0, said
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))

    for found in (first, second):
        assert found["agreed"] == {"a": [None, 0.1, "\u00fc"], "rank": 0}
        assert found["bits"], "doubles arrive whole"
        assert found["spread"] == {
            "half": ["float32", [[1.0], [2.0]]], "none": ["float64", []],
            "double": ["float64", [1 / 3]],
        }  # fmt: skip
        assert found["common"] == ["c", "b"]
        assert found["sum"] == [[[[2.0, 4.0]], 6.0], [9.0]]
    assert first["gathered"] == [[5.0], [6.0, 6.0]]
    assert second["gathered"] == []
    assert first["errors"] == [["Unfinished", "not yet \u00fc", 3], ["RunError", "hot", 1]]
    assert second["errors"] == [["SaidElsewhere", "not yet \u00fc", 3], ["SaidElsewhere", "hot", 1]]


def test_nothing_that_is_sent_between_processes_is_a_pickle():
    from tests.conftest import ROOT

    text = "".join(path.read_text() for path in (ROOT / "seqforge").rglob("*.py"))
    assert "distributed.broadcast(" in text
    for name in ("gather_object", "distributed.broadcast_object", "object_list", "import pickle"):
        assert name not in text, name


@pytest.mark.parametrize(("world", "lanes"), [(1, 1), (1, 4), (2, 2), (4, 1), (3, 1)])
def test_the_parts_of_all_ranks_are_the_gradient_of_the_batch(world, lanes):
    """However the rows are dealt out, losses and gradients add up to those of one process."""
    torch.manual_seed(0)
    model = CharRNN(7, hidden_size=12, num_layers=2)
    rng = np.random.default_rng(0)
    block = rng.integers(0, 7, (13, 21))
    window = BatchWindow(block[:, :-1], block[:, 1:], np.zeros(13, bool))
    whole = Lanes(model, 1, 13, "fp32")
    loss, gradients = whole.gradients(window, 0, 0)

    parts = []
    for rank in range(world):
        mine = Lanes(model, lanes, 13, "fp32", Ranks(rank, world, world))
        parts.append(mine.gradients(window, 0, 0))
        mine.close()
    whole.close()

    assert sum(part for part, _ in parts) == pytest.approx(loss, abs=1e-6)
    for number, gradient in enumerate(gradients):
        summed = torch.stack([found[number] for _, found in parts]).sum(0)
        torch.testing.assert_close(summed, gradient, rtol=1e-4, atol=1e-7)


def test_dropout_masks_of_two_ranks_are_those_of_two_lanes():
    torch.manual_seed(0)
    model = CharRNN(7, hidden_size=12, dropout=0.5)
    block = np.random.default_rng(0).integers(0, 7, (8, 21))
    window = BatchWindow(block[:, :-1], block[:, 1:], np.zeros(8, bool))
    two = Lanes(model, 2, 8, "fp32")
    ranks = [Lanes(model, 1, 8, "fp32", Ranks(rank, 2, 2)) for rank in (0, 1)]

    loss, _ = two.gradients(window, 5, 9)
    parts = [mine.gradients(window, 5, 9)[0] for mine in ranks]

    assert loss == sum(parts)
    assert parts[0] != parts[1]
    for lanes in (two, *ranks):
        lanes.close()


def test_more_processes_than_streams_are_refused():
    with pytest.raises(ConfigError, match=r"2 streams are too few for 3 processes"):
        choose_lanes("auto", 2, torch.device("cpu"), Ranks(0, 3, 3))
    assert choose_lanes(8, 6, torch.device("cpu"), Ranks(0, 3, 3)) == 2
