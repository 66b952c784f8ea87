"""What users care for and how it changes: breadth, drift, persistence, next month's mix, and what is popular in it."""
