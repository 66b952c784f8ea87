"""Training of sequence models: batches, the loop, checkpoints, devices, and the network as a Predictor."""
