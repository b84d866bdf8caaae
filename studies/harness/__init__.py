"""What all studies share: the program, the tasks, evaluations and their cache,
tables, charts, and how results are written.

Read in this order: command (the command line), setups (tasks and splits), plans,
evaluation (runs and their cache), then tables, charts and results.
"""
