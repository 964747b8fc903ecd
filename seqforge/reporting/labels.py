"""What labels bring in, a section of the page of a run out."""

from __future__ import annotations

from seqforge.base import html_page
from seqforge.base.html_page import Section, records_table
from seqforge.base.messages import bits
from seqforge.reporting.summary import LabelScores


def label_section(found: LabelScores, unit: str) -> Section:
    """A sentence, and a row for each label."""
    gain = found.without_label - found.with_label
    said = (
        f"<p>On the {found.part} part a {unit} takes {bits(found.with_label)} bits with the true "
        f"label and {bits(found.without_label)} without: the label brings {bits(gain)}. "
        f"{found.recall:.0%} of the records, as the mean of the labels, are likelier under their "
        "own label than under any other (macro recall).</p>"
    )
    rows = [
        {"label": row.name, "share of training": row.share, "held-out bits": row.bits,
         "recall": row.recall}
        for row in found.labels
    ]  # fmt: skip
    macros = html_page.macros("seqforge.base", "macros.html.jinja")
    table = str(macros.titled(records_table(rows)))
    return Section("labels", "What the label brings", f"{said}\n{table}", after="memory")
