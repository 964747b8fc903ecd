"""Notes to what stands on paper: bars, staves, voices, note values, beams and tuplets."""
