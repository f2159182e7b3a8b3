"""Training and measurement of language acts on dialogues that the project wrote."""
