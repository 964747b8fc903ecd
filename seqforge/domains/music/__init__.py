"""Music: ABC tunes, MIDI and MusicXML."""

from seqforge.domains.music.domain import MusicDomain

__all__ = ["MusicDomain"]
