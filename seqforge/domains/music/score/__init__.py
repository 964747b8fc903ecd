"""Notes in, a score out: bars, staves, voices, note values, beams and tuplets."""
