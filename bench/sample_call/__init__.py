"""Makes the sample call from its script: synthesis, placement, telephone line, truth."""
