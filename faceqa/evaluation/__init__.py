"""How good the measures are, and what makes them fall."""
