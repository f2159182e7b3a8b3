"""How many calls one machine carries without words, how late cues come, what a long call costs."""
