"""How behaviour evolves: interests, habits, life cycle, trends, correlation, mobility, the report.

Stands on events and features alone; it describes and forecasts, and never ranks items for a user.
"""
