"""Mirrors src; on the real parts."""
