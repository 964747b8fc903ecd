"""Streams over a genome's memory keep the laws: rows do not see each other, nothing is learnt."""

import numpy as np

from seqforge.core.kernels.compiler import checked, interpreted
from tests.core.memory import laws

from .test_genome_memory import SIZE, bases, genome, make

ENOUGH = np.ones(600, np.uint8)
"""What stands before the first base is nothing but A; so it is here, for as far as it matters."""


def test_they_give_what_a_frozen_memory_scores():
    laws.check_streams(make, np.tile(genome(), 2), SIZE, between=ENOUGH, after=32)


def test_a_repeat_is_followed_on_either_strand():
    memory = make()
    memory.learn(np.concatenate([genome(), bases(300, 5)]))
    unit = genome()[:120]
    streams, flat = memory.streams(2), np.full(SIZE, -np.log(SIZE), np.float32)
    other = np.array([0, 4, 3, 2, 1], np.uint8)[unit][::-1]
    hits = np.zeros(2)
    for t in range(119):
        streams.ids[:], streams.network[:] = (unit[t], other[t]), flat
        streams.read()
        hits += streams.log_probs.argmax(axis=1) == (unit[t + 1], other[t + 1])
    assert (hits > 80).all()


def test_interpreted_and_checked_they_give_the_same_bits():
    memory, ids = make(), np.tile(genome(), 2)
    net = laws.network_of(ids, SIZE)
    memory.learn(ids[:600])

    def read(count):
        streams, found = memory.streams(2), []
        for t in range(count):
            streams.ids[:], streams.network[:] = ids[t : t + 2], net[t : t + 2]
            streams.read()
            found.append(streams.log_probs.copy())
        return np.array(found)

    compiled = read(80)
    with checked():
        np.testing.assert_array_equal(read(80), compiled)
    with np.errstate(over="ignore"), interpreted():
        np.testing.assert_array_equal(read(25), compiled[:25])


def test_the_history_is_what_was_learnt():
    memory, ids = make(), genome()
    memory.learn(ids)
    wanted = np.where(ids > 5, ids - 5, ids)
    np.testing.assert_array_equal(memory.history, wanted[(wanted > 0) & (wanted < 5)])
