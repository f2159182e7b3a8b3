"""Pages that need no build: plain HTML, style and script, served as they are."""
