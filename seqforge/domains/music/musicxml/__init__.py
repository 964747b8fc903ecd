"""MusicXML files in, pieces out, and back."""
