"""Tells other systems what happened: signed messages, from the journal, until they arrive."""
