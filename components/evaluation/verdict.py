"""The result in plain sentences: who wins, by how much, how sure, and whether that is worth anything.

Sentences are built from the record alone, so that what is said can be checked against what is shown.
"""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def verdict(record: Record) -> Record:
    """Winner, best baseline and sentences.

    Parameters
    ----------
    record : as `summary.record_of` makes it; models best first

    Returns
    -------
    dict
        `winner`, `baseline` (names or None), `ahead` ("yes", "no", "unsure"), `headline`, `sentences`
    """
    primary = record["primary"]
    models = [row for row in record["models"] if row["kind"] == "model"]
    baselines = [row for row in record["models"] if row["kind"] == "baseline"]
    observers = [row for row in record["models"] if row["kind"] == "observer"]
    if not models:
        return {
            "winner": None,
            "baseline": baselines[0]["model"] if baselines else None,
            "ahead": "unsure",
            "headline": "Only baselines were judged.",
            "sentences": [],
        }
    winner, name = models[0], _title(primary)
    ahead = winner["ahead"]["sure"] if "ahead" in winner else "unsure"  # no baseline was judged
    sentences = [_size(record)]
    if len(models) > 1:
        sentences.append(
            f"Among the candidate models {_label(winner)} is first in {name} with {_value(winner, primary)}; "
            f"{_label(models[1])} follows with {_value(models[1], primary)}."
        )
    if baselines:
        sentences.append(_against(winner, baselines[0], primary, record["confidence"]))
    sentences.append(_meaning(winner))
    sentences.append(_gap(winner, name))
    for one in observers:
        knows = (
            "sees what is hidden" if "oracle" in one["model"] else "knows how the log was made but sees only the log"
        )
        sentences.append(f"For scale: the {_label(one)}, who {knows}, reaches {_value(one, primary)} in {name}.")
    return {
        "winner": winner["model"],
        "baseline": baselines[0]["model"] if baselines else None,
        "ahead": ahead,
        "headline": _headline(winner, baselines, ahead),
        "sentences": [one for one in sentences if one],
    }


def _headline(winner: Record, baselines: list[Record], ahead: str) -> str:
    if not baselines:
        return f"{_first(winner)} is the best of the candidate models; no baseline was judged."
    to = _label(baselines[0])
    if ahead == "yes":
        return f"{_first(winner)} predicts better than every simple baseline."
    if ahead == "no":
        return f"No model predicts better than counting: {to} is ahead of all of them."
    return f"{_first(winner)} and the best simple baseline, {to}, cannot be told apart."


def _size(record: Record) -> str:
    data = record["data"]
    sample = "" if data["sampled"] == data["targets_in_window"] else f", a sample of {data['targets_in_window']:,}"
    unseen = data["unseen_share"]
    fate = "count as misses where a model has no word for them"
    fate = fate if record["protocol"]["unseen"] == "miss" else "are left out"
    cold = f" {unseen:.1%} of the answers were never seen in training and {fate}." if unseen > 0 else ""
    return (
        f"{data['queries']:,} questions of {data['users_asked']:,} users were asked{sample}, "
        f"each about the whole catalogue of {data['items']:,} items.{cold}"
    )


def _against(winner: Record, baseline: Record, primary: str, confidence: float) -> str:
    found, sure = winner["difference"], winner["ahead"]
    text = f"The best simple baseline is {_label(baseline)} with {_value(baseline, primary)}; {_label(winner)} is "
    text += f"{'ahead' if found['value'] >= 0 else 'behind'} by {abs(found['value']):.3f}"
    if sure["low"] is None:
        return f"{text}, and with fewer than two users nothing can be said of its certainty."
    base = baseline["metrics"][primary]["value"]
    part = f", or {abs(found['value']) / base:.0%}" if base else ""
    interval = f"{_signed(sure['low'])} to {_signed(sure['high'])}"
    chosen = f", widened for the choice among {sure['among']} models" if sure["among"] > 1 else ""
    return f"{text}{part} ({confidence:.0%} interval of the difference {interval}, users resampled{chosen})."


def _meaning(winner: Record) -> str:
    """What the winner's hit rates mean to somebody who has never heard of them."""
    rates = {name: found["value"] for name, found in winner["metrics"].items() if name.startswith("hr@")}
    depth = max((int(name[3:]) for name in rates if int(name[3:]) <= 10), default=None)
    if depth is None or rates[f"hr@{depth}"] is None:
        return ""
    often = f"{rates[f'hr@{depth}']:.0%}"
    text = f"In practice: what a user does next is among its first {depth} suggestions {often} of the time"
    if depth != 1 and rates.get("hr@1") is not None:
        text += f", and is its very first {rates['hr@1']:.0%} of the time"
    return text + "."


def _gap(winner: Record, primary: str) -> str:
    """The largest gap between declared groups, and whether it is more than chance."""
    if not winner.get("gaps"):
        return ""
    one = winner["gaps"][0]
    sure = "more than chance" if one["low"] is not None and one["low"] > 0 else "which may be chance"
    return (
        f"Of the declared groups, those by {one['dimension']} are furthest apart: {one['best']} "
        f"{one['best_value']:.3f}, {one['worst']} {one['worst_value']:.3f} in {primary}, {sure}."
    )


def _label(row: Record) -> str:
    return str(row["model"]).replace("_", " ")


def _first(row: Record) -> str:
    label = _label(row)
    return label[:1].upper() + label[1:]


def _value(row: Record, primary: str) -> str:
    value = row["metrics"][primary]["value"]
    return "nothing" if value is None else f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _title(metric: str) -> str:
    return metric.upper()
