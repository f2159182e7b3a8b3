"""Decoders: each turns what one kind of source sends into the items of a call, without sockets."""
