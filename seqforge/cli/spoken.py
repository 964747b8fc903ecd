"""What a person may type in a conversation besides text, and how it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from seqforge.core.sampling.options import SamplingOptions
from seqforge.errors import ConfigError

HELP = """\
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
  /unknown skip     leave out what the model does not know; map takes it for its unknown symbol,
                    refuse (as at first) refuses it
  /quit             leave"""

SETTINGS = {
    "t": "temperature", "temperature": "temperature", "top-k": "top_k", "top-p": "top_p",
    "min-p": "min_p", "typical": "typical_p", "penalty": "repetition_penalty",
    "window": "repetition_window", "stop": "stop", "length": "length", "seed": "seed",
}  # fmt: skip
_WHOLE = {"top_k", "repetition_window", "length", "seed"}
_MOST = {"seed": 2**63 - 1, "window": 10**6}
_OFF = {"top_k": None, "top_p": None, "min_p": None, "typical_p": None, "stop": None,
        "repetition_penalty": 1.0}  # fmt: skip
_ESCAPE = re.compile(r"\\([\\nt])")


def change(name: str, value: str) -> dict[str, Any]:
    """The options that a command sets.

    Args:
        name: One of `SETTINGS`.
        value: What was typed after it.

    Raises:
        ConfigError: If a number is wanted and it is none.
    """
    option = SETTINGS[name]
    if value == "off" and option in _OFF:
        return {option: _OFF[option]}
    if option == "stop":
        return {option: unescaped(value)}
    more = {"temperature_end": None} if option == "temperature" else {}
    return {option: number(name, value, whole=option in _WHOLE), **more}


def shown(
    options: SamplingOptions, option: str, readable: Callable[[str], str] = lambda symbols: symbols
) -> str:
    """An option as a person reads it; ``readable`` gives what symbols stand for."""
    value = getattr(options, option)
    if value is None:
        value = "off"
    elif option == "stop":
        value = repr(readable(value))
    elif option not in _WHOLE:
        value = f"{value:g}"
    return f"{option.replace('_', ' ')} {value}"


def all_shown(
    options: SamplingOptions, readable: Callable[[str], str] = lambda symbols: symbols
) -> str:
    """All options, one a line."""
    lines = [shown(options, option, readable) for option in dict.fromkeys(SETTINGS.values())]
    if options.temperature_end is not None:
        lines[0] += f", {options.temperature_end:g} after the first {options.length} symbols"
    if options.exact_length:
        lines.append("the end of a record is held back")
    return "\n".join(lines)


def unescaped(typed: str) -> str:
    """What was typed with its escapes turned into what they stand for."""
    return _ESCAPE.sub(lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], typed)


def number(name: str, value: str, whole: bool) -> float:
    """A number that was typed.

    Raises:
        ConfigError: If it is none.
    """
    try:
        found = int(value) if whole else float(value)
    except ValueError:
        found = math.nan
    if math.isnan(found) or (math.isinf(found) and SETTINGS.get(name) != "temperature"):
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"/{name} {value}: {kind} is wanted")
    if whole and found > (most := _MOST.get(name, 10**9)):
        raise ConfigError(f"/{name} {value}: {most:,} is the most")
    return found
