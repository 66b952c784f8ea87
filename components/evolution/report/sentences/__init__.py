"""The findings in plain sentences: a number with its interval, and beside it the test and the sample.

Never here: a judgement that the test does not allow; what was not found is said as plainly as what was.
"""

from components.evolution.report.sentences.anomalies import anomaly_sentences
from components.evolution.report.sentences.habits import habit_sentences
from components.evolution.report.sentences.interests import interest_sentences
from components.evolution.report.sentences.lifecycle import lifecycle_sentences
from components.evolution.report.sentences.patterns import pattern_sentences
from components.evolution.report.sentences.profiles import profile_sentences
from components.evolution.report.sentences.sentence import Sentence
from components.evolution.report.sentences.space import space_sentences
from components.evolution.report.sentences.traces import trace_sentences
from components.evolution.report.sentences.trends import trend_sentences

__all__ = [
    "Sentence",
    "anomaly_sentences",
    "habit_sentences",
    "interest_sentences",
    "lifecycle_sentences",
    "pattern_sentences",
    "profile_sentences",
    "space_sentences",
    "trace_sentences",
    "trend_sentences",
]
