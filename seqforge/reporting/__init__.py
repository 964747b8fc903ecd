"""The page that a run leaves behind: what was read, how good the model is, what it draws."""

from seqforge.reporting.page import write_report

__all__ = ["write_report"]
