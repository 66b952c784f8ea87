"""Pretrained language models: found, checked, loaded, and asked for vectors. Never decides what is written to them."""
