"""How a lockstep runs, applied from outside: checkpointing, recomputation, side tuning, half precision."""
