"""Music: ABC tunes, MIDI and MusicXML."""
