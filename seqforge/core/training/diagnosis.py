"""Model size and learning curves in, a verdict out: over-fitting, under-fitting, too small, too
large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from seqforge.core.training.events import EvaluationRecord

_MAGNITUDE = 10.0
"""Ratio of symbols to weights, or weights to symbols, beyond the same order of magnitude."""
_RISE = 0.01
"""Relative rise of held-out bits over their best."""
_MUCH, _ABOUT = 0.10, 0.03
"""Relative gap of training bits below held-out bits: large; about equal."""
_CARRIED = 0.5
"""Least part of what training bits fell by (if that is `_RISE` and more) that held-out bits must
fall by: two losses that move apart, however near each other they still are.
"""
_NOT_LEVEL = 0.02
"""Part of all that was gained since the first look that the middle fifth of the looks gained. The
last looks cannot tell: the learning rate falls to nothing there, and the curve levels off with it.
"""
_FEWEST_LOOKS = 5
_LONGER = "a longer --budget would likely help"

_WORSE = 0.02
"""Bits above uniform guessing from which on training has diverged."""
_ALL_READ = 0.995
"""Share of the symbols read from which on all count as read: the last window is seldom whole."""

Kind = Literal[
    "over-fitting", "under-fitting", "balanced", "unsteady", "unlike data", "diverged",
    "nothing learnt",
]  # fmt: skip


@dataclass(frozen=True)
class ModelSize:
    """The numbers of weights and of training symbols, and reference bits."""

    weights: int
    symbols: int
    """Training symbols."""
    dropout: float = 0.0
    """Largest share dropped, or replaced, during training only."""
    uniform: float | None = None
    """Bits of uniform guessing."""
    unigram: float | None = None
    """Bits of symbol frequencies (order-0)."""


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on the learning curves."""

    kind: Kind
    sentence: str
    """One sentence with its numbers and the remedy."""


@dataclass(frozen=True)
class _CurvePoint:
    step: int
    train: float
    valid: float


def check_model_size(size: ModelSize) -> str:
    """Model size in, one sentence on weights against training symbols out."""
    ratio = size.symbols / max(1, size.weights)
    if ratio >= 1:
        a_weight = (
            f"{ratio:,.0f} symbols a weight" if ratio >= 10 else f"{ratio:.1f} symbols a weight"
        )
    else:
        a_weight = f"{1 / ratio if ratio else math.inf:,.1f} weights a symbol"
    more = _more_dropout(size)
    if ratio > _MAGNITUDE:
        implied = (
            "the model is small for the data; a larger --hidden-size would likely fit better, "
            "if there is time"
        )
    elif ratio >= 1:
        implied = "of the same order of magnitude, as they should be"
    elif ratio >= 1 / _MAGNITUDE:
        implied = (
            "of the same order of magnitude; watch whether the held-out loss rises, "
            f"and give {more} if it does"
        )
    else:
        implied = (
            "the model is large for the data and will likely over-fit; give "
            f"{more}, a smaller --hidden-size or more data"
        )
    return f"{size.weights:,} weights, {size.symbols:,} training symbols ({a_weight}): {implied}"


def diagnose_curves(
    lines: Sequence[EvaluationRecord], size: ModelSize, seen: int
) -> Diagnosis | None:
    """Learning curves in, the diagnosis after training out.

    Args:
        lines: One evaluation each, in order. Their ``train_bits`` are a mean over what was trained
            on since the one before, dropout included.
        size: Of the network and of its training data.
        seen: Symbols trained on, a symbol read twice counted twice.

    Returns:
        None where nothing was held out, or too few looks were taken to say; that training went
        wrong altogether is said in any case.
    """
    if (wrong := _worse_than_guessing(lines, size, seen)) is not None:
        return wrong
    looks = [
        _CurvePoint(line.step, line.train_bits, line.valid_bits)
        for line in lines
        if _known(line.train_bits) and _known(line.valid_bits)
    ]
    if len(looks) < _FEWEST_LOOKS:
        return None
    last, best = looks[-1], min(looks, key=lambda look: look.valid)
    rise = last.valid / best.valid - 1 if best.valid else 0.0
    if rise >= _RISE:
        return _risen(rise, last, best, size)
    late = looks[-max(1, len(looks) // 5) :]
    train, valid = (sum(getattr(k, name) for k in late) / len(late) for name in ("train", "valid"))
    gap = 1 - train / valid if valid else 0.0
    measured = f"training {train:.3f} and held-out {valid:.3f} bits"
    falling = _unfinished(looks, size, seen)
    if gap >= _MUCH:
        return _apart(gap, measured, size, seen)
    if gap <= -_MUCH and not size.dropout and not falling:
        return Diagnosis(
            "unlike data",
            f"{measured} lie {-gap:.1%} apart: the held-out data are easier than the training "
            "data, or partly the same",
        )
    if seen > size.symbols and (moved := _moved_apart(looks, train, valid)):
        return Diagnosis("over-fitting", f"over-fitting: {measured}; {moved}; {_less(size)}")
    if gap < (-_ABOUT if size.dropout else _ABOUT):
        return _level(measured, gap, size, falling)
    sentence = f"balanced: {measured} lie {abs(gap):.1%} apart"
    if falling:
        sentence += f"; {falling}, {_LONGER}"
    return Diagnosis("balanced", sentence)


def _worse_than_guessing(
    lines: Sequence[EvaluationRecord], size: ModelSize, seen: int
) -> Diagnosis | None:
    """The diagnosis of a network that ended no better than guessing."""
    if not lines or size.uniform is None or size.unigram is None:
        return None
    trained = lines[-1].train_bits
    if trained is None:
        return None
    held_out = lines[-1].valid_bits
    what, last = ("training", trained) if held_out is None else ("held-out", held_out)
    bits = [line.train_bits if held_out is None else line.valid_bits for line in lines]
    known = [value for value in bits if _known(value)]
    best = min(known, default=math.inf)
    # What a network knows of its training data alone is no guess, however little it is worth.
    if not (last <= size.uniform + _WORSE or trained <= size.uniform):
        kept = "; the model of the best step is kept" if best < size.uniform else ""
        return Diagnosis(
            "diverged",
            f"diverged: {what} {last:.3f} bits at the end are worse than guessing (all symbols "
            f"alike: {size.uniform:.3f}); give a lower --learning-rate{kept}",
        )
    if last < size.unigram or trained < size.unigram or last > best * (1 + _RISE):
        return None
    remedy = "there is nothing to learn from what came before, or a lower --learning-rate helps"
    if seen < _ALL_READ * size.symbols:
        remedy = f"only {_percent(seen, size)} of the training symbols were read, {_LONGER}"
    return Diagnosis(
        "nothing learnt",
        f"nothing learnt yet: {what} {last:.3f} bits at the end are no better than counting how "
        f"often each symbol occurs ({size.unigram:.3f}); {remedy}",
    )


def _risen(rise: float, last: _CurvePoint, best: _CurvePoint, size: ModelSize) -> Diagnosis:
    rose = (
        f"held-out bits ended {rise:.1%} above their best ({last.valid:.3f}, and {best.valid:.3f} "
        f"at step {best.step:,})"
    )
    if last.train >= best.train:
        return Diagnosis(
            "unsteady",
            f"unsteady: {rose} and training bits rose too; a lower --learning-rate would likely "
            "help; the model of the best step is kept",
        )
    return Diagnosis(
        "over-fitting",
        f"over-fitting: {rose} while training bits fell from {best.train:.3f} to "
        f"{last.train:.3f}; {_less(size)}; the model of the best step is kept",
    )


def _apart(gap: float, measured: str, size: ModelSize, seen: int) -> Diagnosis:
    if seen <= size.symbols:  # nothing was read twice: nothing can have been learnt by heart
        return Diagnosis(
            "unlike data",
            f"{measured} lie {gap:.1%} apart, though no symbol was read twice: the held-out data "
            "are unlike the training data, or harder",
        )
    return Diagnosis(
        "over-fitting",
        f"over-fitting: {measured} lie {gap:.1%} apart; {_less(size)}",
    )


def _level(measured: str, gap: float, size: ModelSize, falling: str) -> Diagnosis:
    how = "are about equal" if abs(gap) < _ABOUT else "are no lower on what was trained on"
    if size.dropout:
        how += ", though dropout hampers only training"
    remedies = f"{'less --dropout or ' * bool(size.dropout)}a larger --hidden-size"
    if falling:
        remedies = f"{falling}, {_LONGER}, then {remedies}"
    else:
        remedies += " would likely help"
    return Diagnosis("under-fitting", f"under-fitting: {measured} {how}; {remedies}")


def _moved_apart(looks: Sequence[_CurvePoint], train: float, valid: float) -> str:
    """That held-out bits gained little of what training bits gained, in words; empty if not so.

    Counted from a fifth of the looks on: the first mean over training is of a network that knew
    nothing. A mean over the time between two looks is set beside the mean of the two.
    """
    place = max(1, len(looks) // 5)
    held_out = (looks[place - 1].valid + looks[place].valid) / 2 - valid
    trained = looks[place].train - train
    if trained < _RISE * valid or held_out >= _CARRIED * trained:
        return ""
    step = looks[place].step
    fell = f"fell by {held_out:.3f}" if held_out >= 0 else f"rose by {-held_out:.3f}"
    return f"from step {step:,} on training bits fell by {trained:.3f} while held-out bits {fell}"


def _unfinished(looks: Sequence[_CurvePoint], size: ModelSize, seen: int) -> str:
    """That more could be learnt from the same data, in words; empty where nothing says so."""
    if seen < _ALL_READ * size.symbols:
        return f"only {_percent(seen, size)} of the training symbols were read"
    one, other = (looks[round(share * (len(looks) - 1))] for share in (0.4, 0.6))
    gained, all_gained = one.valid - other.valid, looks[0].valid - looks[-1].valid
    if all_gained <= 0 or gained < _NOT_LEVEL * all_gained:
        return ""
    return (
        f"held-out bits had not levelled off half way (they fell by {gained:.3f} from step "
        f"{one.step:,} to {other.step:,})"
    )


def _percent(seen: int, size: ModelSize) -> str:
    """A share in percent, never rounded to all or nothing."""
    share = seen / size.symbols
    if share < 0.001:
        return "a thousandth or less"
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def _less(size: ModelSize) -> str:
    return f"{_more_dropout(size)}, a smaller --hidden-size or more data would help"


def _more_dropout(size: ModelSize) -> str:
    return "more --dropout" if size.dropout else "--dropout"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
