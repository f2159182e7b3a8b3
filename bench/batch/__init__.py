"""How fast many calls are analysed, and whether memory stays flat."""
