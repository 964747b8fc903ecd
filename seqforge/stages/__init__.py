"""What a run is made of, a stage a file; each leaves its result in the run folder."""
