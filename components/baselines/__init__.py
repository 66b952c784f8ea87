"""Methods without a network that every network must beat: neighbours, content, co-occurrence, trees and lines.

Each is a `Predictor` of its own, named by `training.baselines` of the params, so that the judge and the benchmark
run it beside counters and networks. Never here: counters of the memory, networks, metrics.
"""
