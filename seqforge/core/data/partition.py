"""How records were parted, as it is kept beside the tokens: JSON in and out, and BED for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from seqforge.core.data.overlap import Overlap, Sketch
from seqforge.core.files import write_json
from seqforge.core.holdout import PARTS, Cut, Cuts

_FILE = "partition.json"


@dataclass(frozen=True)
class Partition:
    """The pieces of each part, and how far held-out and training windows are the same."""

    names: tuple[str, ...]
    """What each record is called."""
    cuts: Cuts
    overlap: Overlap
    sketch: Sketch
    """Of the training part."""
    notes: tuple[str, ...] = ()
    """What a person should know of it."""

    def write(self, folder: Path) -> None:
        """Keep it in a folder.

        Raises:
            RunError: If the disk refuses.
        """
        kept = {
            "names": self.names,
            "cuts": {part: [astuple(cut) for cut in found] for part, found in self.cuts.items()},
            "overlap": asdict(self.overlap),
            "sketch": self.sketch.dump(),
            "notes": self.notes,
        }
        write_json(folder / _FILE, kept)

    @classmethod
    def read(cls, folder: Path) -> Partition:
        """What `write` kept.

        Raises:
            OSError, ValueError, KeyError, TypeError: If it is damaged.
        """
        kept = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return cls(
            tuple(kept["names"]),
            {part: [Cut(*cut) for cut in kept["cuts"][part]] for part in PARTS},
            Overlap(**kept["overlap"]),
            Sketch.parse(kept["sketch"]),
            tuple(kept["notes"]),
        )

    def bed(self, parts: Sequence[str] = ("valid", "test")) -> str:
        """What is held out as BED: name, start from 0, end, part; a line a piece."""
        rows = sorted(
            (cut.record, cut.start, cut.stop, part) for part in parts for cut in self.cuts[part]
        )
        return "".join(
            f"{self.names[record]}\t{start}\t{stop}\t{part}\n" for record, start, stop, part in rows
        )
