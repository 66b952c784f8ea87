"""The judge: protocols, ranks, metrics, how sure they are, and the report.

Never here: learning, choosing, promoting.
"""
