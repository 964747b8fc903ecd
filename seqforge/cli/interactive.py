"""``seqforge sample MODEL --interactive``: a text that a person and a model write in turns."""

from __future__ import annotations

import codecs
import difflib
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from seqforge.cli.terminal import Terminal
from seqforge.core.domain import Domain
from seqforge.core.sampling.conversation import Conversation
from seqforge.errors import ConfigError, SeqforgeError

_GREETING = "Type something to begin with; an empty line lets {name} go on; /help says the rest."
_HELP = """\
What you type goes on from the text so far, without a line break at its end, and the model goes
on from there. Type \\n for a line break, \\t for a tab, \\\\ for a backslash, // for a slash at the
beginning. Ctrl-C stops the model and keeps what came; Ctrl-D leaves.

  (empty line)      let the model go on; also /more, or /more 200 for so many symbols
  /again            draw the last continuation anew, otherwise
  /undo             take the last turn back
  /new              forget the text and begin anew
  /text             all of the text so far
  /save FILE        keep it in a file
  /show             how it is drawn
  /t 0.8            temperature: 0 takes the likeliest symbol, inf any
  /top-k 5          draw from the 5 likeliest; off for all
  /top-p 0.9        draw from the likeliest that reach this mass; off for all
  /min-p 0.05       draw from those at least so many times as likely as the likeliest; off for all
  /typical 0.9      draw from those of the most typical surprise that reach this mass; off for all
  /penalty 1.2      make symbols of the last few less likely; off for none
  /window 64        how many symbols these last few are
  /stop TEXT        stop once this was drawn; off for nothing
  /length 300       most symbols of a continuation
  /seed 4           same seed, same numbers
  /quit             leave"""

_SETTINGS = {
    "t": "temperature", "temperature": "temperature", "top-k": "top_k", "top-p": "top_p",
    "min-p": "min_p", "typical": "typical_p", "penalty": "repetition_penalty",
    "window": "repetition_window", "stop": "stop", "length": "length", "seed": "seed",
}  # fmt: skip
_WHOLE = {"top_k", "repetition_window", "length", "seed"}
_OFF = {"top_k": None, "top_p": None, "min_p": None, "typical_p": None, "stop": None,
        "repetition_penalty": 1.0}  # fmt: skip
_LEAVE = ("quit", "exit", "q")
_ESCAPE = re.compile(r"\\([\\nt])")
_CONTEXT = 200  # symbols of the line so far that are shown again before the model goes on


def converse(conversation: Conversation, domain: Domain, name: str) -> None:
    """Talk until there are no more lines.

    Args:
        conversation: What has been said in it already is gone on from at once.
        domain: What the symbols mean.
        name: The model's.
    """
    terminal = Terminal()
    talk = _Talk(conversation, domain, terminal)
    with terminal.listening():
        if terminal.asks:
            terminal.remark(_GREETING.format(name=name))
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


class _Talk:
    """What a line does."""

    def __init__(self, conversation: Conversation, domain: Domain, terminal: Terminal) -> None:
        self._conversation, self._domain, self._terminal = conversation, domain, terminal
        self._commands: dict[str, Callable[[], None]] = {
            "undo": self._undo, "new": self._new, "show": self._show, "text": self._text,
            "help": lambda: terminal.remark(_HELP),
        }  # fmt: skip
        self._written = (0, "")  # the number of the record that stdout is at, and its text there
        self._has_bytes = bool(getattr(domain, "bytes", False))
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        # A code that nobody reads is shown as what it stands for, once a turn is over.
        self._is_readable = getattr(domain, "code", "") != "events"

    def hear(self, line: str) -> bool:
        """Do what a line asks for; returns whether the conversation goes on."""
        try:
            if line.startswith("/") and not line.startswith("//"):
                name, _, value = line[1:].partition(" ")
                if name in _LEAVE:
                    return False
                self._command(name, value.strip())
            else:
                self._say(line[1:] if line.startswith("//") else line)
        except SeqforgeError as error:
            self._terminal.remark(str(error))
        return True

    def _say(self, line: str) -> None:
        if any("\ud800" <= symbol <= "\udfff" for symbol in line):
            raise ConfigError("what was typed is not UTF-8; nothing was changed")
        typed = _unescaped(line)
        symbols = self._domain.prime(typed) if typed else ""
        if symbols:
            self._conversation.say(symbols)
        self.draw(self._conversation.go_on())

    def draw(self, pieces: Iterator[str]) -> None:
        """Show what is drawn while it is drawn."""
        terminal = self._terminal
        terminal.stopped = False
        self._catch_up()
        for piece in pieces:
            if self._is_readable:
                terminal.text(self._decoded(piece))
            if terminal.stopped:
                terminal.remark("stopped; what came is kept")
                break
        samples = self._conversation.samples()
        self._written = (len(samples), self._conversation.text)
        if not self._is_readable and samples:
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
        if not self._is_readable:
            return
        if terminal.shows_text:
            self._decoder.reset()
            terminal.context(self._decoded(here[1]).rpartition("\n")[2][-_CONTEXT:])
            return
        number, text = self._written
        if number not in (0, here[0]) or not here[1].startswith(text):
            terminal.break_line()
            self._decoder.reset()
            text = ""
        terminal.text(self._decoded(here[1][len(text) :]))

    def _decoded(self, symbols: str) -> str:
        return self._decoder.decode(symbols.encode("latin-1")) if self._has_bytes else symbols

    def _command(self, name: str, value: str) -> None:
        if name in _SETTINGS:
            self._set(name, value)
        elif name in ("more", "again"):
            self._draw_more(name, value)
        elif name == "save":
            self._save(value)
        elif name not in self._commands:
            known = [*_SETTINGS, *self._commands, "more", "again", "save", "quit"]
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean /{close[0]}?" if close else ";"
            raise ConfigError(
                f"there is no command /{name}{hint} /help lists them, and // begins a line with "
                "a slash"
            )
        elif value:
            raise ConfigError(f"/{name} takes nothing after it")
        else:
            self._commands[name]()

    def _draw_more(self, name: str, value: str) -> None:
        length = int(_number(name, value, whole=True)) if value else None
        if length is not None and length < 1:
            raise ConfigError(f"/{name} {value}: 1 or more symbols are drawn")
        if name == "more":
            self.draw(self._conversation.go_on(length))
        elif self._conversation.has_drawn:
            self.draw(self._conversation.again(length))
        else:
            raise ConfigError("nothing was drawn yet; an empty line lets the model go on")

    def _set(self, name: str, value: str) -> None:
        option = _SETTINGS[name]
        if value:
            given: float | str | None
            if value == "off" and option in _OFF:
                given = _OFF[option]
            elif option == "stop":
                given = _unescaped(value)
            else:
                given = _number(name, value, whole=option in _WHOLE)
            more = {"temperature_end": None} if option == "temperature" else {}
            try:
                self._conversation.change(**{option: given}, **more)
            except ValueError as error:
                said = str(error).replace("_", " ")
                raise ConfigError(f"/{name} {value}: {said}") from error
        self._terminal.remark(self._setting(option))

    def _setting(self, option: str) -> str:
        value = getattr(self._conversation.options, option)
        shown = "off" if value is None else repr(value) if option == "stop" else f"{value:g}"
        if option in _WHOLE and value is not None:
            shown = str(value)  # :g would shorten a long seed
        return f"{option.replace('_', ' ')} {shown}"

    def _show(self) -> None:
        options = self._conversation.options
        shown = [self._setting(option) for option in dict.fromkeys(_SETTINGS.values())]
        if options.temperature_end is not None:
            shown[0] += f", {options.temperature_end:g} after the first {options.length} symbols"
        if options.exact_length:
            shown.append("the end of a record is held back")
        numbers = f"sample {self._conversation.number}, {self._conversation.turns} turns"
        self._terminal.remark("\n".join([*shown, numbers]))

    def _undo(self) -> None:
        if not self._conversation.turns:
            raise ConfigError("there is no turn to take back")
        self._conversation.undo()
        text = self._conversation.text
        shown = text[-60:] if self._is_readable else f"{len(text)} symbols"
        where = f"the text is {shown!r} now" if text else "nothing is written now"
        self._terminal.remark(f"taken back; {where}")

    def _new(self) -> None:
        self._conversation.begin_anew()
        self._terminal.remark("begun anew; /undo brings the text back")

    def _text(self) -> None:
        for sample in self._conversation.samples():
            shown = sample.symbols
            if self._has_bytes:
                shown = shown.encode("latin-1").decode("utf-8", "replace")
            self._terminal.remark(shown if self._is_readable else self._domain.show(sample))

    def _save(self, value: str) -> None:
        samples = self._conversation.samples()
        if not value:
            raise ConfigError("/save needs the name of a file")
        if not samples:
            raise ConfigError("nothing is written yet, and nothing was saved")
        written = self._domain.write(samples, Path(value).expanduser())
        self._terminal.remark("saved: " + ", ".join(map(str, written)))


def _unescaped(typed: str) -> str:
    """What was typed with its escapes turned into what they stand for."""
    return _ESCAPE.sub(lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], typed)


def _number(name: str, value: str, whole: bool) -> float:
    """A number that was typed.

    Raises:
        ConfigError: If it is none.
    """
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number) or (math.isinf(number) and _SETTINGS.get(name) != "temperature"):
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"/{name} {value}: {kind} is wanted")
    return number
