"""Models and runs from Python."""
