"""The served product: a BentoML service around `components.serving`. The only place that imports bentoml."""
