"""The served product: a BentoML service around `components.serving`. The only place that imports bentoml."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # before bentoml asks: it asks once
