"""Drawing from a model."""
