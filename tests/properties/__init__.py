"""Laws, checked on random values."""
