"""What Prometheus reads at `/metrics`, and the drift of predictions."""
