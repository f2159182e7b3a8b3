"""From wire or microphone to 16 kHz chunks with a sample clock, voice activity and speech segments."""
