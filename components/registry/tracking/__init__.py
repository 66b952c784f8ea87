"""MLflow: the runs, the curves and the versions that people look at. The only place that imports it, and lazily.

What is in production is told by the promotion log; everything here can be made again from the log, the artifacts
and the reports. Nothing here decides, and nothing that serves asks MLflow.
"""
