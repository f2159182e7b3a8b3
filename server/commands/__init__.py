"""Subcommands of `heartline`, one module each."""
