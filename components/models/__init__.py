"""Sequence models: embeddings, encoders, heads and losses. Nothing here reads a store, trains, or scores metrics."""
