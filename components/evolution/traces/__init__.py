"""Raw traces of positions: where people stay, how they go from stay to stay, and whose days are alike."""
