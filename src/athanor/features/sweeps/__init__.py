"""A Sweep makes trials with other parameters and looks for the best.

`space` enumerates and draws parameters, `asha` stops trials early, `cost` counts GPU time, `trials`
reads what trials report, `states` is the life of a sweep, `plan` decides, `tpe` (Optuna, imported
only when a sweep wants it) models what has been seen. All of it is a function of the sweep's seed
and its trials: planning anew suggests the same.
"""
