"""The fast memory: counts that move with every event, and their mixture.

Global tables (what is popular, what follows what) are kept here and change by one event at a time; habits are
counted from the visible history of each query, so a user is known after one event and forgotten with the log.
Never here: gradients, networks, metrics.
"""
