"""MIDI files: bytes in, pieces out, and back."""
