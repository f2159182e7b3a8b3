"""A pure fold from an event log to a call report, and its writers."""
