"""Style as tests: STYLE.md's habits, with a ratchet for what may only fall."""
