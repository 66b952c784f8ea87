"""Experiments on people who are served: a challenger beside the champion, silently or on a share of the users.

    plan, log → assignment, arms → exposure → outcomes → results → switch

Never here: how a model is trained, or whether it may be promoted (`registry.gate`): an experiment tells, people decide.
"""
