"""Figures: `python -m bench [NAME …] [--full]` prints one JSON line each.

`harness` has what all share; every other module is one group of figures.
"""
