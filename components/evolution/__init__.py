"""How people's behaviour evolves: looked at, measured and forecast, never predicted one event at a time."""
