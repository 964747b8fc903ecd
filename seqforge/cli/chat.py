"""seqforge sample --interactive: a chat with a model, and its commands."""

from __future__ import annotations

import math
import os.path
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, get_args

from seqforge.api.model import Model
from seqforge.base.messages import did_you_mean
from seqforge.cli.console import Terminal
from seqforge.cli.load_model import say_unknown
from seqforge.core.data.domain import DecodesSymbols, SymbolDecoder
from seqforge.core.data.vocabulary import Unknown
from seqforge.core.sampling.chat import Conversation
from seqforge.core.sampling.options import NEVER, Row, Values
from seqforge.core.sampling.params import SamplerParams, rows
from seqforge.errors import ConfigError, SeqforgeError

SETTINGS = {name: row for row in rows().values() for name in row.option.chat}
"""Options that can be changed in a chat, by command name."""


def _setting_help(row: Row) -> str:
    off = "" if row.option.off is NEVER else " (off: none)"
    command = f"/{row.option.chat[0]} {row.option.example}"
    return fill(row.option.help + off, 96, initial_indent=f"  {command:<18}",
                subsequent_indent=" " * 20)  # fmt: skip


HELP = """\
What you type goes on from the text so far, without a line break at its end, and the model goes
on from there. Type \\n for a line break, \\t for a tab, \\\\ for a backslash, // for a slash at the
beginning. Ctrl-C stops the model and keeps what came; Ctrl-D leaves.

  (empty line)      let the model go on; also /more, or /more 200 for so many symbols this once
                    (/length 200: from now on)
  /again            draw the last continuation anew, otherwise
  /undo             take the last turn back
  /new              forget the text and begin anew
  /text             all of the text so far; what you typed is bold
  /save FILE        keep it in a file
  /show             the sampling options
{settings}
  /unknown skip     leave out what the model does not know; map takes it for its unknown symbol,
                    refuse (as at first) refuses it
  /quit             leave""".format(
    settings="\n".join(_setting_help(row) for row in rows().values() if row.option.chat)
)

_ESCAPE = re.compile(r"\\([\\nt])")


def change(name: str, value: str) -> dict[str, Any]:
    """A command in, the options it sets out.

    Args:
        name: One of `SETTINGS`.
        value: What was typed after it.

    Raises:
        ConfigError: If a number is wanted and it is none.
    """
    row = SETTINGS[name]
    if value == "off" and row.option.off is not NEVER:
        return {row.field: SamplerParams.model_fields[row.field].default}
    if row.values.kind is str:
        return {row.field: unescaped(value)}
    if row.option.parse is None:
        return {row.field: number(name, value, row.values)}
    if ":" in value:
        return {row.field: row.option.parse(value)}
    return {row.field: (number(name, value, row.values), None)}


def shown(
    options: SamplerParams, option: str, readable: Callable[[str], str] = lambda symbols: symbols
) -> str:
    """An option in, its text for people out."""
    value = getattr(options, option)
    if value is None:
        value = "off"
    elif option == "stop":
        value = repr(readable(value))
    elif not isinstance(value, int):
        value = f"{value:g}"
    return f"{option.replace('_', ' ')} {value}"


def all_shown(
    options: SamplerParams, readable: Callable[[str], str] = lambda symbols: symbols
) -> str:
    """All options, one per line."""
    lines = {row.field: shown(options, row.field, readable) for row in SETTINGS.values()}
    if options.temperature_end is not None:
        end = f"{options.temperature_end:g} after the first {options.length} symbols"
        lines["temperature"] += f", {end}"
    if options.exact_length:
        lines["exact_length"] = "the end of a record is held back"
    return "\n".join(lines.values())


def unescaped(typed: str) -> str:
    """Typed text in, the same with escapes resolved out."""
    return _ESCAPE.sub(lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], typed)


def number(name: str, value: str, values: Values) -> float:
    """Typed text in, a number out.

    Raises:
        ConfigError: If it is none, or a whole number above what it may be.
    """
    whole, bounds = values.kind is int, values.bounds
    try:
        found = int(value) if whole else float(value)
    except ValueError:
        found = math.nan
    if math.isnan(found) or (math.isinf(found) and bounds.high is not None):
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"/{name} {value}: {kind} is wanted")
    if whole and bounds.high is not None and found > (most := bounds.high - bounds.high_open):
        raise ConfigError(f"/{name} {value}: {most:,} is the most")
    return found


_GREETING = "Type something to begin with; an empty line lets {name} go on; /help says the rest."
_LEAVE = ("quit", "exit", "q")
_CONTEXT = 200  # symbols of the line so far that are shown again before the model goes on


def converse(model: Model, conversation: Conversation, unknown: Unknown, quiet: bool) -> None:
    """Run the chat until there are no more lines.

    Args:
        model: Whose conversation it is.
        conversation: What has been said in it already is gone on from at once.
        unknown: What becomes of symbols that the model does not know.
        quiet: Do not say at first how it is done.
    """
    terminal = Terminal()
    talk = _Chat(model, conversation, unknown, terminal)
    with terminal.listening():
        if terminal.asks and not quiet:
            terminal.remark(_GREETING.format(name=model.card.name))
        if conversation.text:
            talk.draw(conversation.go_on())
        while True:
            try:
                line = terminal.read()
            except KeyboardInterrupt:
                if not terminal.asks:
                    raise
                terminal.remark("Ctrl-D or /quit leaves.")
                continue
            if line is None or not talk.hear(line):
                break
        terminal.break_line()


def _last_line(pieces: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Pieces of a text in, those of the end of its last line out."""
    found: list[tuple[str, bool]] = []
    room = _CONTEXT
    for piece, typed in reversed(pieces):
        _, ends, rest = piece.rpartition("\n")
        found.append((rest[-room:], typed))
        room -= len(rest)
        if ends or room <= 0:
            break
    return found[::-1]


class _Chat:
    """What a line does."""

    def __init__(
        self, model: Model, conversation: Conversation, unknown: Unknown, terminal: Terminal
    ) -> None:
        self._model, self._domain, self._unknown = model, model.domain, unknown
        self._conversation, self._terminal = conversation, terminal
        self._commands: dict[str, Callable[[], None]] = {
            "undo": self._undo, "new": self._new, "show": self._show, "text": self._text,
            "help": lambda: terminal.remark(HELP),
        }  # fmt: skip
        self._written = (0, "")  # the number of the record that stdout is at, and its text there
        self._decipher = self._deciphering()

    def _deciphering(self) -> SymbolDecoder | None:
        """A beginning; a code that nobody reads is shown by the domain, once a turn is over."""
        if isinstance(self._domain, DecodesSymbols):
            return self._domain.deciphering()
        return lambda symbols, last: symbols

    def _readable(self, symbols: str) -> str:
        """What symbols stand for, as far as that can be said of a few."""
        whole = self._deciphering()
        return symbols if whole is None else whole(symbols, True)

    def hear(self, line: str) -> bool:
        """Execute a line; returns whether the chat continues."""
        try:
            if line.startswith("/") and not line.startswith("//"):
                name, _, value = line[1:].partition(" ")
                if name in _LEAVE:
                    return False
                self._command(name, value.strip())
            else:
                self._say(line[1:] if line.startswith("//") else line)
        except SeqforgeError as error:
            self._terminal.remark(str(error).replace("--unknown", "/unknown"))
        return True

    def _say(self, line: str) -> None:
        if any("\ud800" <= symbol <= "\udfff" for symbol in line):
            raise ConfigError("what was typed is not UTF-8; nothing was changed")
        typed = unescaped(line)
        said = self._model.prompt(typed, self._unknown, "what was typed")
        say_unknown("what was typed", said.unknown, self._unknown, quiet=False)
        if said:
            self._conversation.say(said)
        self.draw(self._conversation.go_on())

    def draw(self, pieces: Iterator[str]) -> None:
        """Draw, and show symbols as they come."""
        terminal = self._terminal
        terminal.stopped = False
        self._catch_up()
        for piece in pieces:
            if self._decipher is not None:
                terminal.text(self._decipher(piece, False))
            if terminal.stopped:
                terminal.remark("stopped; what came is kept")
                break
        samples = self._conversation.samples()
        self._written = (len(samples), self._conversation.text)
        if self._decipher is None and samples:
            terminal.text(self._domain.show(samples[-1]))
        if terminal.shows_text:
            terminal.break_line()
        if self._conversation.ended:
            terminal.remark(
                "The record ends here: what you type begins another, an empty line goes on "
                "through the end."
            )

    def _catch_up(self) -> None:
        """Bring stdout to where the text stands: the model goes on from there."""
        terminal, records = self._terminal, len(self._conversation.samples())
        here = (records, self._conversation.text)
        if self._conversation.ended:
            here = (records + 1, "")
        fresh = self._deciphering()
        if fresh is None or self._decipher is None:
            return
        if terminal.shows_text:
            self._decipher = fresh
            pieces = self._conversation.records[-1].pieces() if here[1] else iter(())
            terminal.context(_last_line([(fresh(one, False), typed) for one, typed in pieces]))
            return
        record, text = self._written
        if record not in (0, here[0]) or not here[1].startswith(text):
            terminal.break_line()
            self._decipher, text = fresh, ""
        terminal.text(self._decipher(here[1][len(text) :], False))

    def _command(self, name: str, value: str) -> None:
        if name in SETTINGS:
            self._set(name, value)
        elif name in ("more", "again"):
            self._draw_more(name, value)
        elif name == "save":
            self._save(value)
        elif name == "unknown":
            self._set_unknown(value)
        elif name not in self._commands:
            known = [*SETTINGS, *self._commands, "more", "again", "save", "unknown", "quit"]
            hint = did_you_mean(name, known, "/") or ";"
            raise ConfigError(
                f"there is no command /{name}{hint} /help lists them, and // begins a line with "
                "a slash"
            )
        elif value:
            raise ConfigError(f"/{name} takes nothing after it")
        else:
            self._commands[name]()

    def _draw_more(self, name: str, value: str) -> None:
        length = int(number(name, value, SETTINGS["length"].values)) if value else None
        if length is not None and length < 1:
            raise ConfigError(f"/{name} {value}: 1 or more symbols are drawn")
        if name == "more":
            self.draw(self._conversation.go_on(length))
        elif self._conversation.has_drawn:
            self.draw(self._conversation.again(length))
        else:
            raise ConfigError("nothing was drawn yet; an empty line lets the model go on")

    def _set(self, name: str, value: str) -> None:
        if value:
            try:
                self._conversation.change(**change(name, value))
            except ValueError as error:
                said = str(error).replace("_", " ")
                raise ConfigError(f"/{name} {value}: {said}") from error
        options = self._conversation.options
        self._terminal.remark(shown(options, SETTINGS[name].field, self._readable))

    def _set_unknown(self, value: str) -> None:
        for choice in get_args(Unknown):
            if value == choice:
                self._unknown = choice
        if value not in ("", self._unknown):
            raise ConfigError(f"/unknown {value}: one of {', '.join(get_args(Unknown))} is wanted")
        self._terminal.remark(f"symbols that the model does not know: {self._unknown}")

    def _show(self) -> None:
        how = all_shown(self._conversation.options, self._readable)
        numbers = f"sample {self._conversation.number}, {self._conversation.turns} turns"
        self._terminal.remark(f"{how}\n{numbers}")

    def _undo(self) -> None:
        if not self._conversation.turns:
            raise ConfigError("there is no turn to undo")
        self._conversation.undo()
        text = self._conversation.text
        whole = self._deciphering()
        if not text:
            where = "nothing is written now"
        elif whole is None:
            where = f"the text has {len(text)} symbols now"
        else:
            where = f"the text ends with {whole(text, True)[-60:]!r} now"
        self._terminal.remark(f"taken back; {where}")

    def _new(self) -> None:
        self._conversation.begin_anew()
        self._terminal.remark("begun anew; /undo brings the text back")

    def _text(self) -> None:
        records = self._conversation.records
        for sample, record in zip(self._conversation.samples(), records, strict=True):
            whole = self._deciphering()
            if whole is None:
                self._terminal.remark(self._domain.show(sample))
                continue
            pieces = [(whole(piece, False), typed) for piece, typed in record.pieces()]
            self._terminal.remark([*pieces, (whole("", True), False)])

    def _save(self, value: str) -> None:
        samples = self._conversation.samples()
        if not value:
            raise ConfigError("/save needs the name of a file")
        if not samples:
            raise ConfigError("nothing is written yet, and nothing was saved")
        written = self._domain.write(samples, Path(os.path.expanduser(value)))
        self._terminal.remark("saved: " + ", ".join(map(str, written)))
