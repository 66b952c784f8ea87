"""Why a prediction is what it is: which past events carried it, and what the counters said.

Stands on predictors and stores; it knows nothing of requests, champions or people's languages beyond plain English.
Nothing here changes a predictor or an answer.
"""
