"""Trains the model that adds the line's own levels to Silero's opinion, and measures it."""
