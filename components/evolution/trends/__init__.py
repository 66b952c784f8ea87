"""Counts of behaviour as series: forecast, judged on rolling origins, taken apart, and watched for what is unusual.

`counts` makes a `panel` of a log; `methods` names every forecaster; `selection`, `backtest` and `conformal` choose,
judge and give intervals; `seasonality`, `changes`, `unusual` and `causes` say what happened. Nothing here knows users.
"""
