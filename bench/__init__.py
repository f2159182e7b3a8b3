"""Repeatable benchmarks, and the generator of the sample call."""
