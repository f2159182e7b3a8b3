"""Kills the server again and again while calls go on, and looks for what is missing afterwards."""
