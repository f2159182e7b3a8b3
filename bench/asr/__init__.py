"""Benchmark of live recognition against peers: `python -m bench.asr`."""
