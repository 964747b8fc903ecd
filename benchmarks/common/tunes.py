"""Where the benchmarks of notation find their music: the installed music21's corpus."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

from seqforge.domains.music.abc import tune_books
from seqforge.domains.music.domain import MusicDomain

ABC_CHARACTERS = " \n|:[]()<>-/,'^_=%{}!\"~.ABCDEFGabcdefgzZxHKLMVTw123456789"
"""What a damaged tune is damaged with."""


def corpus_folder() -> Path:
    """The corpus of the installed music21."""
    found = importlib.util.find_spec("music21")
    folders = (found and found.submodule_search_locations) or ()
    return next(Path(folder) / "corpus" for folder in folders)


def book_tunes(number: int | None = None, seed: int = 0) -> dict[str, str]:
    """Tunes of the three books (Ryan, O'Neill, Aird), cleaned, by file and place in it.

    Args:
        number: How many, drawn by the seed; None for all 4,247.
        seed: Of the draw.
    """
    tunes = {
        f"{path.name} {place}": record.symbols
        for path in MusicDomain().default_input()
        for place, record in enumerate(tune_books.read(path))
    }
    if number is None or number >= len(tunes):
        return tunes
    return {name: tunes[name] for name in random.Random(seed).sample(sorted(tunes), number)}


def chorales(number: int) -> list[Path]:
    """Scores of Bach's chorales, in MusicXML."""
    return sorted((corpus_folder() / "bach").glob("*.mxl"))[:number]


def damaged(symbols: str, rng: random.Random) -> str:
    """The tune with one to many characters changed, taken out or put in."""
    characters = list(symbols)
    for _ in range(rng.choice((1, 1, 2, 4, 8, 16, 64))):
        place = rng.randrange(len(characters))
        change = rng.randrange(3)
        if change == 0:
            characters[place] = rng.choice(ABC_CHARACTERS)
        elif change == 1 and len(characters) > 1:
            del characters[place]
        else:
            characters.insert(place, rng.choice(ABC_CHARACTERS))
    return "".join(characters)


_NOTES = [
    accidental + letter + octave + length
    for accidental in ("", "", "", "^", "_", "=", "^^", "__")
    for letter in "ABCDEFGabcdefg"
    for octave in ("", "", "", "'", ",", ",,")
    for length in ("", "", "2", "3", "/", "//", "/4", "3/2", "2/3", "7/5")
]
_OTHERS = (
    "|", "|", "|", "||", "|]", "|:", ":|", "::", "|1", ":|2", "[1", "[2", "|1,3", "-", "-",
    "(3", "(2", "(5", "(3:2:4", ">", "<", ">>", "z", "z2", "z/", "Z", "x", " ", "\n",
    "[CEG]", "[A,c]2", "[c2e2]-", "{ab}", "[K:D]", "[K:Bbm]", "[M:6/8]", "[M:2/4]", "[L:1/16]",
    "[Q:1/4=90]", "[V:1]", "[V:2]", "~", ".", "!trill!", '"G"', "(", ")",
)  # fmt: skip
_HEADS = (
    "M:6/8\nL:1/8\nK:G\n", "M:C|\nL:1/4\nK:Ebm\n", "M:none\nL:1/16\nK:Ador\n",
    "M:4/4\nL:1/8\nK:C\n",
)  # fmt: skip


def random_abc(rng: random.Random) -> str:
    """A header, and tokens of ABC in no sensible order."""
    body = (
        rng.choice(_NOTES) if rng.random() < 0.6 else rng.choice(_OTHERS)
        for _ in range(rng.randrange(1, 120))
    )
    return rng.choice(_HEADS) + "".join(body)
