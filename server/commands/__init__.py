"""Commands of `heartline`, one module each."""
