"""What every request passes before a route sees it: keys, limits, bodies; and what every answer leaves with."""
