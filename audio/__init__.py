"""From wire or microphone to 16 kHz chunks on a sample clock, voice activity, speech segments."""
