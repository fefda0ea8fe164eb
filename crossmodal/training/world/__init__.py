"""Pre-training of the tiny encoders on the built-in world, and probes on them."""
