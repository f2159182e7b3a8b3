"""The pure core: what was observed in a call goes in, what it means comes out."""
