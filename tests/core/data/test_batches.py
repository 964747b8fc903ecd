"""Streams for stateful truncated BPTT."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.batches import TbpttBatches
from seqforge.core.data.corpus import TokenPart
from seqforge.core.data.vocabulary import END
from seqforge.errors import ConfigError, InputError


def part_of(records):
    tokens = np.concatenate([[END], *([*record, END] for record in records)]).astype(np.uint8)
    symbols = sum(map(len, records))
    return TokenPart(tokens, np.empty((0, 3), np.int64), symbols, len(records))


def one_record(length, seed=0):
    return part_of([np.random.default_rng(seed).integers(1, 5, length)])


@given(
    length=st.integers(4096, 9000), rows=st.integers(1, 9), seq_len=st.integers(20, 200),
    epoch=st.integers(0, 3), seed=st.integers(0, 9),
)  # fmt: skip
def test_each_row_goes_on_where_it_stopped(length, rows, seq_len, epoch, seed):
    part = one_record(length)
    streams = TbpttBatches(part, rows, seq_len, seed=seed)
    first = epoch * streams.windows_per_epoch

    windows = [streams.window(first + w) for w in range(streams.windows_per_epoch)]

    assert windows[0].resets.all()
    assert (windows[0].inputs[:, 0] == END).all(), "a row starts with the start symbol"
    text = part.tokens.tobytes()
    for row in range(rows):
        joined = np.concatenate([w.targets[row] for w in windows]).astype(np.uint8)
        assert len(joined) == streams.symbols_per_epoch // rows
        assert joined.tobytes() in text
    for window in windows:
        assert (window.inputs[:, 1:] == window.targets[:, :-1]).all()


def test_half_of_the_rows_read_backwards_through_the_mirror():
    part = one_record(8000)
    mirror = np.array([0, 4, 3, 2, 1])
    streams = TbpttBatches(part, 6, 50, mirror=mirror)
    other = mirror[part.tokens[::-1]].astype(np.uint8).tobytes()

    window = streams.window(3)

    for row in range(3):
        assert window.inputs[row].astype(np.uint8).tobytes() in part.tokens.tobytes()
        assert window.inputs[row + 3].astype(np.uint8).tobytes() in other
    with pytest.raises(ConfigError, match="odd"):
        TbpttBatches(part, 5, 50, mirror=mirror)


def test_where_records_are_short_the_start_means_the_start_of_a_record():
    rng = np.random.default_rng(1)
    records = [[1, *rng.integers(2, 5, rng.integers(3, 90)).tolist()] for _ in range(400)]
    streams = TbpttBatches(part_of(records), 8, 32, seed=3, reset_probability=0.3)

    starts = 0
    for step in range(3 * streams.windows_per_epoch):
        window = streams.window(step)
        at_end = window.inputs[:, 0] == END
        assert window.resets[at_end].all()
        assert (window.targets[at_end, 0] == 1).all(), "1 begins every record and nothing else"
        starts += at_end.sum()
    assert starts > 10


@given(
    lengths=st.lists(st.integers(1, 6000), min_size=1, max_size=60), rows=st.integers(1, 32),
    seq_len=st.integers(8, 128), mirrored=st.booleans(),
)  # fmt: skip
def test_an_epoch_reads_nearly_everything_whatever_the_lengths_of_records(
    lengths, rows, seq_len, mirrored
):
    """Each row may miss a window's length at its end; all together read the rest."""
    if sum(lengths) < 40 * rows:
        return
    rng = np.random.default_rng(0)
    part = part_of([rng.integers(1, 5, length) for length in lengths])
    place = TokenPart(np.arange(len(part.tokens)).astype(np.uint32), part.segments, part.symbols,
                 part.records)  # fmt: skip
    mirror = np.arange(len(part.tokens)) if mirrored else None
    batch = 2 * rows if mirrored else rows
    real, spy = (
        TbpttBatches(p, batch, seq_len, mirror=m) for p, m in ((part, mirror), (place, mirror))
    )
    for ours, theirs in zip(real._readings, spy._readings, strict=True):
        theirs._starts = ours.record_starts

    seen = [spy.window(step).targets for step in range(spy.windows_per_epoch)]

    missed = rows * min(seq_len, real._length // 4) + seq_len + rows
    for half in (slice(0, rows), slice(rows, None)) if mirrored else (slice(None),):
        found = len(np.unique(np.concatenate([targets[half].ravel() for targets in seen])))
        assert found >= len(part.tokens) - 1 - min(missed, 0.35 * len(part.tokens))


def test_starts_of_records_are_found_however_long_the_array_is():
    tokens = np.array([END, *[2, 3, END] * 800_000], np.uint8)
    part = TokenPart(tokens, np.empty((0, 3), np.int64), 1_600_000, 800_000)
    forward, backward = TbpttBatches(part, 4, 64, mirror=np.arange(5))._readings

    assert forward.record_starts.tolist() == list(range(0, 2_400_001, 3))
    assert backward.record_starts.tolist() == list(range(0, 2_400_001, 3))


def test_a_window_is_a_function_of_the_step_alone():
    part = one_record(9000)
    a, b = (TbpttBatches(part, 4, 64, seed=5, reset_probability=0.5) for _ in range(2))
    for step in (7, 3, 40, 3):
        b.window(99 - step)
        first, second = a.window(step), b.window(step)
        assert (first.inputs == second.inputs).all()
        assert (first.resets == second.resets).all()


def test_resets_come_as_often_as_they_should():
    streams = TbpttBatches(one_record(200_000), 32, 16, reset_probability=0.1)
    resets = np.stack([streams.window(step).resets for step in range(1, 300)])

    assert abs(resets.mean() - 0.1) < 4 * np.sqrt(0.1 * 0.9 / resets.size)


def test_too_small_an_input_names_a_batch_that_fits():
    with pytest.raises(InputError, match="too few for 64 streams; give a --batch-size of 15"):
        TbpttBatches(one_record(30), 64, 16)


def test_every_epoch_cuts_its_windows_elsewhere():
    """The rows are moved by another number of symbols in each epoch, for large seeds too."""
    tokens = np.arange(1, 20_001).astype(np.uint16)
    part = TokenPart(tokens, np.array([[0, 1, 20_000]]), 20_000, 1)
    for seed in (0, 2**60):
        streams = TbpttBatches(part, 4, 50, seed=seed)
        firsts = [
            streams.window(epoch * streams.windows_per_epoch).inputs[1, 1] for epoch in range(12)
        ]
        assert len(set(firsts)) > 6
