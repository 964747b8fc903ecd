"""What the service checks while the client waits: e-mail first and alone, then all the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.ebi_double.offer import Parameter

Form = Mapping[str, Sequence[str]]

NO_EMAIL = "Please enter an email address"
BAD_EMAIL = "Please enter a valid email address"
_EMAIL = re.compile(r"[^@\s]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
# The service asks DNS for the domain; reserved names (RFC 2606) never exist, and these two were
# seen to be refused.
_NO_DOMAIN = re.compile(r"\.(invalid|test|localhost|example)$|^x\.info$|^sub\.example\.com$")
_SHOWN = 7
_BAD_SEQUENCE = "Error in reading input sequence. Please check your input."
LIMIT_MB = 1


@dataclass(frozen=True)
class InputSequence:
    """The one sequence of a job."""

    name: str
    letters: str


def refusal(form: Form, parameters: Sequence[Parameter]) -> str | None:
    """The text of the 400, or None where the job may run. Unknown parameters are let pass."""
    email = form.get("email", [""])[0].strip()
    if not email:
        return NO_EMAIL
    if not _EMAIL.fullmatch(email) or _NO_DOMAIN.search(email.rpartition("@")[2]):
        return BAD_EMAIL
    wrong = [line for parameter in parameters for line in _wrong(parameter, form)]
    if wrong:
        return "Invalid parameters: \n" + "\n".join(wrong)
    text = form["sequence"][0]
    if len(_as_fasta(read_sequence(text))) > LIMIT_MB * 1_000_000:
        return f"Input is too big, limit is {LIMIT_MB}MB"
    return None


def _wrong(parameter: Parameter, form: Form) -> list[str]:
    given = [value for value in form.get(parameter.name, []) if value != ""]
    if parameter.name == "sequence":
        try:
            read_sequence(given[0] if given else "")
        except ValueError:
            return [f"{parameter.label} -> {_BAD_SEQUENCE}"]
        return []
    if not given:
        # The words for a missing parameter are inferred.
        return [f"{parameter.label} -> Please enter a value"] if parameter.required else []
    return [
        f"{parameter.label} -> {_restricted(parameter, value)}"
        for value in given
        if not parameter.allows(value)
    ]


def _restricted(parameter: Parameter, value: str) -> str:
    allowed = [each.value for each in parameter.values]
    shown = ", ".join(allowed[:_SHOWN]) + ("..." if len(allowed) > _SHOWN else "")
    return (
        f'Value for "{parameter.name}" is not valid: Currently "{value}" but should be one of '
        f"the restricted values: {shown}"
    )


def read_sequence(text: str) -> InputSequence:
    """One FASTA record or bare letters; any letter is taken, as the service does.

    Raises:
        ValueError: For no letters, or for more records than one.
    """
    records = [part for part in re.split(r"^>", text.strip(), flags=re.MULTILINE) if part.strip()]
    if len(records) != 1:
        raise ValueError("one record is wanted")
    if text.lstrip().startswith(">"):
        head, _, body = records[0].partition("\n")
    else:
        head, body = "EMBOSS_001", records[0]
    letters = re.sub(r"\s", "", body)
    if not letters:
        raise ValueError("no letters")
    return InputSequence(head.strip() or "EMBOSS_001", letters)


def _as_fasta(sequence: InputSequence) -> str:
    """In lines of 60, which is what the size limit counts."""
    letters = sequence.letters
    lines = [letters[start : start + 60] for start in range(0, len(letters), 60)]
    return "\n".join([f">{sequence.name}", *lines, ""])
