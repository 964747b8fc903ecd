"""The results of a run in, its report page out."""
