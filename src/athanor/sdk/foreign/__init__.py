"""Jobs of other platforms as TrainingJobs and Crons, with a list of what could not be taken over.

`convert` finds the reader of a kind, `given` notes which fields nobody took; one module a family.
"""
