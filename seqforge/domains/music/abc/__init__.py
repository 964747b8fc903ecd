"""ABC notation: text in, notes out, and back; its grammar."""
