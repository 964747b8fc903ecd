"""What adapting to a prime does to what follows it: bits a symbol with and without, table and JSON.

    python benchmarks/adapting.py --data FOLDER --out benchmarks/results/adapting.json

The bundled models read a prime and then score the 2,000 symbols after it, which are never learned
from: as they are, adapted by `seqforge.core.sampling.dynamic_evaluation`, and adapted by plain
gradient descent with the rate that was found best for it. Primes of every length end in the same
places, taken evenly, so that the same symbols are scored. A change is the mean over the places,
and ``+-`` the standard error of that mean. Held-out Shakespeare and chr2R are what the models'
recipes held out, of Shakespeare without its first 46,000 symbols, by which the settings were
chosen (together with ptb.valid and enwiki, which are not used here). Symbols that a model does
not know are left out. FOLDER has text/ and genome/; what is missing is skipped."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from common import about, say, table, write_result
from seqforge.base.textio import read_text
from seqforge.core.model.adapting import DECAY, LEARNING_RATE, SEGMENT
from seqforge.core.model.char_rnn import CharRNN, model_from_arrays
from seqforge.core.model.checkpoint import Checkpoint, load_checkpoint
from seqforge.core.sampling.dynamic_evaluation import adapt_to_prime
from seqforge.runs.folder import find_model

Ids = NDArray[np.int64]

LENGTHS = (500, 2_000, 10_000)
CONTINUATION = 2_000
_CHOSEN_BY = 46_000  # symbols of held-out Shakespeare that the settings were chosen by
_MOST = 2_000_000  # symbols of a file that places are taken from
_SGD_RATE = 0.1
_WINDOW = 256


@dataclass(frozen=True)
class Kind:
    """Data to adapt to."""

    name: str
    model: str
    file: str
    held_out: bool = False
    """Whether the model was trained on the beginning of this very file."""


KINDS = (
    Kind("Shakespeare, held out", "shakespeare", "text/tinyshakespeare.txt.gz", held_out=True),
    Kind("news (ptb.test)", "shakespeare", "text/ptb.test.txt.gz"),
    Kind("mathematics in LaTeX (stacks)", "shakespeare", "text/stacks-5mb.tex.gz"),
    Kind("fly chr2R, held out", "fly", "genome/dm3-chr2R.fa.gz", held_out=True),
    Kind("E. coli", "fly", "genome/ecoli-536.fa.gz"),
)


def symbols_of(kind: Kind, checkpoint: Checkpoint, path: Path) -> Ids:
    """The ids of a file; of one that the model was trained on, those that it was not."""
    card, text = checkpoint.card, read_text(path)
    if kind.model == "fly":
        text = re.sub(r"^>.*\n", "", text, flags=re.MULTILINE).upper()
    known = re.escape("".join(card.symbols))
    text = re.sub(f"<unk>|[^{known}]", "", text)
    if kind.held_out:
        text = text[-(card.provenance.symbols["valid"]) :]
        text = text[_CHOSEN_BY:] if kind.model == "shakespeare" else text
    return card.vocabulary.encode(text[:_MOST]).astype(np.int64)


def torch_model(checkpoint: Checkpoint) -> CharRNN:
    card = checkpoint.card
    return model_from_arrays(len(card.vocabulary), card.config.model, checkpoint.weights, card.name)


def continuation_bits(model: CharRNN, ids: Ids) -> float:
    """Mean bits of the last 2,000 ids, all before them read first."""
    symbols, state, losses = torch.from_numpy(np.concatenate([[0], ids])), None, []
    with torch.inference_mode():
        for begin in range(0, len(ids), _WINDOW):
            piece = symbols[begin : begin + _WINDOW + 1]
            logits, state = model(piece[None, :-1], state)
            losses.append(cross_entropy(logits[0], piece[1:], reduction="none"))
    return float(torch.cat(losses)[-CONTINUATION:].double().mean()) / float(np.log(2))


def descended(checkpoint: Checkpoint, ids: Ids) -> CharRNN:
    """The contender: plain gradient descent over the prime, with the same segments and clipping."""
    model, state = torch_model(checkpoint), None
    symbols = torch.from_numpy(np.concatenate([[0], ids]))
    optimiser = torch.optim.SGD(model.parameters(), lr=_SGD_RATE)
    for begin in range(0, len(ids), SEGMENT):
        piece = symbols[begin : begin + SEGMENT + 1]
        logits, state = model(piece[None, :-1], state)
        state = [tuple(part.detach() for part in layer) for layer in state]
        optimiser.zero_grad()
        cross_entropy(logits[0], piece[1:]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model


def measured(checkpoint: Checkpoint, ids: Ids, length: int) -> dict[str, float]:
    """One place: a prime, and the 2,000 ids after it."""
    began = time.perf_counter()
    adapted = adapt_to_prime(checkpoint, ids[:length])
    seconds = time.perf_counter() - began
    return {
        "prime before": adapted.before,
        "prime during": adapted.during,
        "prime after": adapted.after,
        "as it is": continuation_bits(torch_model(checkpoint), ids),
        "adapted": continuation_bits(torch_model(adapted.checkpoint), ids),
        "plain descent": continuation_bits(descended(checkpoint, ids[:length]), ids),
        "seconds": seconds,
    }


def rows_of(kind: Kind, path: Path, lengths: Sequence[int], places: int) -> Iterator[Any]:
    """A row a length of prime: means over the places, and each place's own figures."""
    checkpoint = load_checkpoint(find_model(kind.model))
    ids = symbols_of(kind, checkpoint, path)
    ends = np.linspace(max(lengths), len(ids) - CONTINUATION, places).astype(int).tolist()
    for length in lengths:
        found = [
            measured(checkpoint, ids[end - length : end + CONTINUATION], length) for end in ends
        ]
        changes = np.array([place["adapted"] - place["as it is"] for place in found])
        error = float(changes.std(ddof=1)) / places**0.5 if places > 1 else None
        yield {
            "kind": kind.name,
            "prime": length,
            **{key: round(float(np.mean([p[key] for p in found])), 4) for key in found[0]},
            "change": round(float(changes.mean()), 4),
            "+-": error and round(error, 4),
            "worst change": round(float(changes.max()), 4),
            "places": [{key: round(value, 4) for key, value in p.items()} for p in found],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of data")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="of primes")
    parser.add_argument("--places", type=int, default=12, help="in each text")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        path = chosen.data / kind.file
        if not path.exists():
            say(f"{kind.name}: skipped, there is no {path}")
            continue
        rows += rows_of(kind, path, chosen.lengths, chosen.places)
        shown = [{k: v for k, v in row.items() if k != "places"} for row in rows]
        print(table([row for row in shown if row["kind"] == kind.name]), flush=True)
    settings = {
        "learning_rate": LEARNING_RATE, "decay": DECAY, "segment": SEGMENT,
        "plain descent's rate": _SGD_RATE, "continuation": CONTINUATION,
        "places": chosen.places, "threads": 1,
    }  # fmt: skip
    write_result(chosen.out, {**about(0, settings), "rows": rows})


if __name__ == "__main__":
    main()
