"""What a voice does: spectral balance, level, pitch, and when it is raised above its own usual."""
