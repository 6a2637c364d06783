"""The nouns: round trips and packing."""
