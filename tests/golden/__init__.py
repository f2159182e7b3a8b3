"""Conversations whose dashboard state is written down, for pytest, vitest and the gallery."""
