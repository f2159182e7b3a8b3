"""What is kept of calls: every event, who took part, how long it stays; SQLite or PostgreSQL."""

from server.store.calls import CallFilter, CallPage, CallRow
from server.store.checkpoints import CallSource, Mark, Unfinished
from server.store.database import StoreError, open_database
from server.store.journal import CallIdTaken, Journal

__all__ = [
    "CallFilter",
    "CallIdTaken",
    "CallPage",
    "CallRow",
    "CallSource",
    "Journal",
    "Mark",
    "StoreError",
    "Unfinished",
    "open_database",
]
