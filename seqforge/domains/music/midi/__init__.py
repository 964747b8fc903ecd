"""MIDI files in, pieces out, and back."""
