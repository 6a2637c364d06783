"""The same scenarios against our API server and a real one; other people's clients as examiners."""
