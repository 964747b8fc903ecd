"""A job's parameters, with the service's own for what was not sent, as the programs take them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.ebi_double.searching import Asked

if TYPE_CHECKING:
    from tests.ebi_double.service import Job


def filled_in(job: Job) -> dict[str, str]:
    """All that reports tell of the parameters, with the service's own for what was not sent."""
    if job.tool == "ncbiblast":
        own = {"exp": "10", "filter": "T", "gapopen": "-1", "gapext": "-1", "match_scores": "1,-3"}
        own |= {"task": "blastn", "wordsize": "11", "hsps": "100", "matrix": ""}
        if job.value("program", "blastn") == "blastp":
            own |= {"filter": "F", "task": "blastp", "wordsize": "6", "matrix": "BLOSUM62"}
            own |= {"gapopen": "11", "gapext": "1"}
    else:
        own = {"exp": "10", "filter": "none", "gapopen": "-14", "gapext": "-4", "ktup": "6"}
        own |= {"match_scores": "+5/-4"}
    form = {
        name: job.value(name, value)
        for name, value in {**own, "scores": "50", "alignments": "50"}.items()
    }
    if job.tool == "ncbiblast":  # -1 is the program's own
        form["gapopen"] = form["gapopen"].replace("-1", "5")
        form["gapext"] = form["gapext"].replace("-1", "2")
    else:
        form["exp"] = job.value("expupperlim", "10")
    return form


def asked(form: Mapping[str, str]) -> Asked:
    """The numbers of a search."""
    reward, penalty = map(int, re.findall(r"-?\d+", form["match_scores"]))
    numbers: dict[str, Any] = {"reward": reward, "penalty": penalty, "evalue": float(form["exp"])}
    numbers["max_hits"] = max(int(form["scores"]), int(form["alignments"]), 1)
    if "ktup" in form:
        return Asked(**numbers, **_fasta_gaps(form), max_hsps=1, dust=False)
    return Asked(
        **numbers,
        gap_open=int(form["gapopen"]),
        gap_extend=int(form["gapext"]),
        max_hsps=int(form["hsps"]),
        dust=form["filter"] == "T",
        word_size=int(form["wordsize"]),
        task=form["task"],
        matrix=form["matrix"],
    )


def _fasta_gaps(form: Mapping[str, str]) -> dict[str, Any]:
    """Gap costs for blastn, which stands in for fasta36 here.

    Fasta's first cost is that of a gap's first letter. Its own default for 5,-4 is none that
    blastn has statistics for; the nearest that is serves.
    """
    first, following = -int(form["gapopen"]), -int(form["gapext"])
    if (first, following) == (14, 4):
        return {"gap_open": 10, "gap_extend": 6}
    return {"gap_open": first - following, "gap_extend": following}


def command_line(job: Job, form: Mapping[str, str]) -> str:
    """What the reports say was run, shaped like EBI's."""
    databases = " ".join(job.form["database"])
    if job.tool == "fasta":
        return f"cat {job.id}.sequence | fasta36 -p -n -E 10.0 @:1- +{databases}+ {form['ktup']}"
    if form["task"] == "blastp":
        return (
            f'blastp -db "{databases}" -query {job.id}.sequence -outfmt 11 -matrix '
            f"{form['matrix']} -evalue {form['exp']} -gapopen {form['gapopen']} -gapextend "
            f"{form['gapext']} -seg no -word_size {form['wordsize']} -comp_based_stats F"
        )
    reward, _, penalty = form["match_scores"].partition(",")
    return (
        f'blastn -db "{databases}" -query {job.id}.sequence -task {form["task"]} -outfmt 11 '
        f"-evalue {form['exp']} -reward {reward} -penalty {penalty} -gapopen {form['gapopen']} "
        f"-gapextend {form['gapext']}"
    )
