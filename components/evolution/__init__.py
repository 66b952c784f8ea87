"""How behaviour evolves: in time, in space, in people's lives. Analysis of a log; nothing here answers a request."""
