"""Users that behave as nobody does: what each does in figures, how far that is from everybody, and how sure."""
