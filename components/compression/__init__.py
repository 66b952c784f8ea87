"""Small and fast models out of large and slow ones: distilled, pruned, stored and computed in int8."""
