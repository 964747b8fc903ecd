"""ABC text in, notes out, and back; a vocabulary in, the grammar mask of ABC out."""
