"""From a decision to a champion, and back: promote, roll back, adopt. Plain functions; the flow and the CLI call them.

The order of a promotion is fixed: the artifact is verified, then the log's next entry is created (that is the
promotion), then MLflow's version and aliases follow. Whatever a crash leaves after the entry, `registry.reconcile`
finishes. Callers hold the workspace (`workspace.hold`); two who do not still have exactly one winner.
"""

from __future__ import annotations

import logging
from pathlib import Path

from components.errors import PromotionError
from components.files import fault
from components.params import Params
from components.registry import decisions, promotions
from components.registry import rollback as back
from components.registry.artifact import load_artifact
from components.registry.decision import Decision
from components.registry.lineage import kept_text
from components.registry.promotions import Entry
from components.registry.tracking import versions
from components.registry.trial import whole
from components.workspace import Workspace

logger = logging.getLogger(__name__)


def promote(root: Path, params: Params, decision: Decision) -> Entry:
    """Make the challenger of a positive decision the champion.

    Called again for the same decision (after a crash or a lost answer) it finishes what is left and adds no entry.

    Raises
    ------
    PromotionError
        The decision is not to promote.
    IntegrityError
        The artifact is not what was judged; the old champion stands.
    StalePromotion
        Another champion was promoted since the decision.
    ServiceError
        The promotion stands, but MLflow does not answer: `reconcile` will bring it up to date.
    """
    if not decision.promote:
        raise PromotionError("a decision to promote", found=decision.summary, do="See `chronotope promote`.")
    entries = promotions.history(root)
    if len(entries) == decision.expected + 1 and entries[-1].digest == decision.digest:
        follow(root, params)
        return entries[-1]
    loaded = load_artifact(Workspace(root).artifact(decision.digest), decision.digest)
    entry = promotions.append(
        root,
        expected=decision.expected,
        kind="promote",
        model=decision.challenger,
        digest=decision.digest,
        content=loaded.manifest.content,
        reason=decision.summary,
        decision={name: value for name, value in decision.as_record().items() if name != "window"},
        window=decision.window,
        dvc_lock=kept_text(Workspace(root).dvc_lock),
        params=kept_text(Workspace(root).params),
    )
    logger.info("entry %d of the promotion log: %s", entry.sequence, entry.model)
    fault("after-log-entry")
    follow(root, params)
    return entry


def rollback(root: Path, params: Params, to: int | None = None, reason: str | None = None) -> Entry:
    """Go back to an earlier champion (see `registry.rollback`), and let MLflow follow."""
    entry = back.rollback(root, to, reason)
    fault("after-log-entry")
    follow(root, params)
    return entry


def adopt(root: Path, params: Params) -> Entry:
    """Take over a champion alias that a person moved: an entry of its own, after the artifact has been verified.

    Raises
    ------
    PromotionError
        The alias is where the log says, or points to a version that holds no artifact of ours.
    """
    entries = promotions.history(root)
    here = versions.read(root, params.workspace.name)
    digest = here.aliases.get("champion")
    if digest is None or not entries or digest == entries[-1].digest or digest not in here.versions:
        raise PromotionError(
            "a champion alias that was moved to another version of ours",
            found=f"it at {digest or 'nothing'}",
            do="Move the alias to a version that Chronotope registered, or promote through the gate.",
        )
    whole(root, params, digest)
    loaded = load_artifact(Workspace(root).artifact(digest), digest)
    entry = promotions.append(
        root,
        expected=len(entries),
        kind="adopt",
        model=loaded.name,
        digest=digest,
        content=loaded.manifest.content,
        reason=f"The alias champion was moved by hand to version {here.versions[digest]}, and taken over on request.",
    )
    fault("after-log-entry")
    follow(root, params)
    return entry


def expected_aliases(root: Path) -> dict[str, str | None]:
    """Alias → digest as the log and the last decision have it."""
    entries = promotions.history(root)
    before = promotions.fallback(entries)
    decision = decisions.last(root)
    challenger = decision.digest if decision is not None and decision.outcome == "refuse" else None
    return {
        "champion": entries[-1].digest if entries else None,
        "previous": before.digest if before is not None else None,
        "challenger": challenger,
    }


def follow(root: Path, params: Params) -> None:
    """Bring MLflow's versions and aliases up to the promotion log."""
    entries = promotions.history(root)
    if not entries:
        return
    name, entry = params.workspace.name, entries[-1]
    tags = versions.tags_of(
        {"sequence": entry.sequence, "model": entry.model, "kind": entry.kind, "git": entry.git_sha}
    )
    logger.info("MLflow follows …")
    versions.register(root, name, entry.digest, tags)
    fault("after-version")
    versions.point(root, name, expected_aliases(root), entry.sequence)
