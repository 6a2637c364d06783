"""A Workflow makes its steps' objects, each when those before it have ended.

`graph` orders steps and finds mistakes, `names` says what `${…}` stands for, `rows` reads what the
steps' objects say, `artifacts` gives them a directory in common, `advance` looks at all steps in
order, `states` is the life of a workflow, `plan` decides.
"""
