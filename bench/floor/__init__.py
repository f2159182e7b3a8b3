"""Generated two-channel calls with exact truth, and how well the floor of a call is understood."""
