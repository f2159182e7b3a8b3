"""Raised voices on generated telephone speech: detection, pitch error, cost."""
