"""Batches ask for what the paper asks for; trials repeat; the page has every cell."""

import numpy as np
import pytest
import torch

from seqforge.experiments import algorithms, jozefowicz
from seqforge.experiments.jozefowicz import (
    CELLS,
    TASKS,
    JozefowiczSettings,
    arithmetic_batch,
    best_rows,
    conclusion,
    figures,
    rank_correlation,
    run,
    sections,
    trials,
    xml_batch,
)
from seqforge.experiments.small_networks import IGNORED

SMALL = JozefowiczSettings(
    arithmetic_steps=3, xml_steps=3, hidden_size=8, batch_size=4, scored=10, text_length=30
)


def symbols(ids, of):
    return "".join(of[place] for place in ids.tolist())


def test_of_a_problem_the_answer_is_predicted():
    batch = arithmetic_batch(["1a2+3b=15.", "7-9=-2."])
    asked = [column[column != IGNORED] for column in batch.targets.t()]
    assert [symbols(a, algorithms.ARITHMETIC) for a in asked] == ["15.", "-2."]
    assert symbols(batch.ids[:7, 0], algorithms.ARITHMETIC) == "1a2+3b="
    assert batch.targets[6, 0] == algorithms.ARITHMETIC.index("1"), "what follows = is the answer"


def test_of_xml_all_is_predicted_and_closing_tags_weigh_ten_times_as_much():
    batch = xml_batch(np.random.default_rng(0), 5, 60, 4)
    for row in range(5):
        text = symbols(batch.ids[:1, row], algorithms.XML) + symbols(
            batch.targets[:, row], algorithms.XML
        )
        assert text.startswith("<")
        known = algorithms.in_closing_tags(text)[1:]
        assert (batch.weights[:, row] == torch.where(torch.tensor(known), 1.0, 0.1)).all()


@pytest.mark.parametrize("task", TASKS)
def test_numbers_and_tags_grow_to_their_size(task):
    settings = JozefowiczSettings(
        arithmetic_steps=160, xml_steps=40, batch_size=8, digits=4, text_length=80
    )
    steps = settings.steps(task)
    batches = jozefowicz.training_batches(task, np.random.default_rng(0), settings)
    sizes = []
    for _ in range(steps):
        batch = next(batches)
        if task == "xml":
            texts = [symbols(column, algorithms.XML) for column in batch.ids.t()]
            sizes.append(max(len(word) for t in texts for word in t.strip("<>/").split("><")))
        else:
            sizes.append(int((batch.targets != IGNORED).sum(0).max()))
    quarter = steps // 4
    assert max(sizes[:4]) < max(sizes[quarter : 2 * quarter]) <= max(sizes[-quarter:])


def test_a_trial_says_the_same_twice():
    for task in TASKS:
        trial = next(t for t in trials(SMALL) if t.fields["task"] == task)
        first = run(trial, SMALL)
        assert first == run(trial, SMALL)
        assert 0 <= first["test"] <= 1
        assert ("test_all" in first) == (task == "xml")


def rows_of(accuracy):
    """Rows of all trials, whose figures a function of cell, rate and seed gives."""
    found = []
    for trial in trials(SMALL):
        valid, test = accuracy(**trial.fields)
        found.append({**trial.fields, "valid": valid, "test": test, "test_all": test / 2})
    return found


def test_the_rate_is_chosen_on_the_validation_stream():
    first, second, third = SMALL.learning_rates
    rows = rows_of(lambda learning_rate, seed, **_: (
        {first: 0.5, second: 0.6, third: 0.4}[learning_rate] + seed / 100,
        {first: 0.9, second: 0.2, third: 0.8}[learning_rate],
    ))  # fmt: skip
    chosen = best_rows(rows, "xml", "mut1")
    assert [row["learning_rate"] for row in chosen] == [second] * 3
    assert figures(rows, "xml")["mut1"] == pytest.approx((0.1, 0.475))


def test_the_page_has_every_cell_with_what_was_published():
    order = {cell: place for place, cell in enumerate(CELLS)}
    rows = rows_of(lambda cell, seed, **_: (order[cell] / 10, order[cell] / 20 + seed / 1000))
    page = "".join(section.markup for section in sections(rows, SMALL))
    for cell in CELLS:
        assert page.count(f'<th scope="row">{cell}</th>') == 2
    assert "<td>0.451 (0.450 to 0.452)</td><td>0.907</td>" in page
    said = conclusion(rows, SMALL)
    assert "Arithmetic: mut3 first (0.451), rnn last (0.001), rank correlation" in said
    assert "most at jozefowicz-lstm, number 9 here and 6 there. XML: mut3 first (0.22" in said


def test_rank_correlation_is_that_of_scipy():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    for _ in range(20):
        pairs = rng.integers(0, 6, (10, 2)).astype(float)
        assert rank_correlation(pairs.tolist()) == pytest.approx(spearmanr(pairs).statistic)
    assert np.isnan(rank_correlation([(1.0, 2.0), (1.0, 3.0)]))
