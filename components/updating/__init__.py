"""Updates: the champion goes on learning from new days, beside the full retraining that starts from nothing.

Stands on the registry (who the champion is) and on training. Never decides what is promoted: an update is a
challenger like any other.
"""
