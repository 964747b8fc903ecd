"""Samples of music in; files, pictures, sound and a page out."""
