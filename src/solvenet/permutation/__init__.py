"""Networks whose weights are only rearranged."""
