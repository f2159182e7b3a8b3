"""Streaming speech recognition on faster-whisper, in supervised child processes."""
