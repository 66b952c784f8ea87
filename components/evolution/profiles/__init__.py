"""Kinds of users: a map on which those lie near each other who do alike things at like hours of the week."""
