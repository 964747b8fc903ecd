"""Recurrent layers compiled for the processor at hand: forward, backward, two precisions."""
