"""What TensorBoard shows of a training: an event file, written at once and by the caller's thread.

torch's own SummaryWriter writes from a thread that a full disk ends with a traceback and nobody
told; the records here are the same, and what the disk refuses is raised where it happens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # noqa: TID253
from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: TID253
from torch.utils.tensorboard import RecordWriter, summary  # noqa: TID253

from seqforge.base.files import open_new, sync_folder
from seqforge.core.domain import Domain, Sample, Shows
from seqforge.core.files import disk_errors, make_folder
from seqforge.core.model import CharRNN
from seqforge.core.parts import gate_arrays
from seqforge.core.png import png_bytes
from seqforge.stages.diagram import diagram

_RATE = 11_025
"""Audio values a second: enough for the pitches of tunes, a quarter of the room of a CD's."""
_BINS = 64

_make: Any = summary  # has no types


class Board:
    """One event file of a run."""

    def __init__(self, folder: Path, step: int) -> None:
        """Begin a file; what others in the folder hold after ``step`` is not shown any more.

        Raises:
            RunError: If the disk refuses; so do all methods.
        """
        make_folder(folder)
        self._path = folder / f"events.out.tfevents.{time.time_ns()}"
        with disk_errors(self._path):
            self._stream = open_new(self._path)
            self._records = RecordWriter(self._stream)
        try:
            self._add(Event(file_version="brain.Event:2"))
            self._add(Event(session_log=SessionLog(status=SessionLog.START), step=step + 1))
            self.save()
            sync_folder(folder)
        except BaseException:
            self._abandon()
            raise

    def graph(self, model: CharRNN, batch_size: int, seq_len: int) -> None:
        """How the layers hang together, with shapes and numbers of weights."""
        graph = diagram(model, batch_size, seq_len)
        self._add(Event(graph_def=graph.SerializeToString()))

    def scalars(self, line: Mapping[str, Any]) -> None:
        """The numbers of an evaluation, under their names in ``metrics.jsonl``."""
        for name, value in line.items():
            if isinstance(value, float):
                self._add(Event(summary=_make.scalar(name, value), step=line["step"]))

    def histograms(
        self, group: str, cell: str, arrays: Mapping[str, NDArray[Any]], step: int
    ) -> None:
        """How values are distributed, a histogram for each layer, gate and kind of weight."""
        for name, part in gate_arrays(cell, arrays):
            finite = part[np.isfinite(part)]
            if finite.size:
                tag = f"{group}/{name}"
                self._add(Event(summary=_make.histogram(tag, finite, bins=_BINS), step=step))

    def sample(self, domain: Domain, sample: Sample, text: str, step: int) -> None:
        """A sample as ``text``, and as picture and audio where the domain has them.

        Each has a tag of its own: TensorBoard takes a tag to be of one kind in all a run.
        """
        shown = text.encode("utf-8", "replace").decode()
        # Indented by four, Markdown takes it as it stands.
        block = "\n".join("    " + line for line in shown.splitlines())
        self._add(Event(summary=_make.text("sample", block), step=step))
        if not isinstance(domain, Shows):
            return
        if (picture := domain.picture(sample)) is not None:
            self._add(Event(summary=_image("sample/picture", picture), step=step))
        if (sound := domain.sound(sample, _RATE)) is not None:
            self._add(
                Event(summary=_make.audio("sample/sound", sound, sample_rate=_RATE), step=step)
            )

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        with disk_errors(self._path):
            self._records.write(event.SerializeToString())

    def flush(self) -> None:
        """Let readers see what was added."""
        with disk_errors(self._path):
            self._records.flush()

    def save(self) -> None:
        """Have the disk hold what was added."""
        self.flush()
        with disk_errors(self._path):
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """End the file."""
        try:
            self.save()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        with suppress(OSError):  # what the disk refuses was said when it was to be saved
            self._stream.close()


def _image(tag: str, picture: NDArray[np.uint8]) -> Summary:
    height, width, colours = picture.shape
    image = Summary.Image(
        height=height,
        width=width,
        colorspace=colours,
        encoded_image_string=png_bytes(picture),
    )
    return Summary(value=[Summary.Value(tag=tag, image=image)])
