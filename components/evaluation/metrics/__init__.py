"""What a judgement is worth: every metric as a plain function of arrays.

Metrics of ranked items (`ranked`) give one value per query; metrics of lists and of chances are figures of the whole.
Ranks come from `evaluation.ranks`: they start at 1, ties share their mean rank, an infinite rank is a miss, and NaN
means that nothing was asked.

Never here: which query is counted (`evaluation.judge`) or how sure a mean is (`evaluation.significance`).
"""

from components.evaluation.metrics.chances import crps_log, expected_calibration_error, macro_auc, macro_f1
from components.evaluation.metrics.lists import coverage, gini, intra_list_diversity, novelty, popularity_lift
from components.evaluation.metrics.ranked import AT_K, item_metric

__all__ = [
    "AT_K",
    "coverage",
    "crps_log",
    "expected_calibration_error",
    "gini",
    "intra_list_diversity",
    "item_metric",
    "macro_auc",
    "macro_f1",
    "novelty",
    "popularity_lift",
]
