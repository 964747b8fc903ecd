"""What single units of a network respond to: traces, rankings, controls and causal tests."""
