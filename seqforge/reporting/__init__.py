"""The results of a run in, summary.json and report.html out."""
