"""Data Docs that open without a network: the pages of Great Expectations, with nothing fetched from elsewhere.

The library's pages load style sheets, scripts and a logo from seven hosts and are unreadable without them. Here
those tags go, one small style sheet and a few lines of script take their place, and an index lists the kept runs.
The pages hold clocks and are not tracked.
Never here: what the pages say.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import shutil
from pathlib import Path

from components.files import replace_folder, write_text

_KEPT_RUNS = 50
_ASSETS = Path(__file__).with_name("assets")
#: Tags that fetch something when the page opens, and scripts that need what was fetched.
_TAGS = (
    re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<link\b[^>]*>", re.IGNORECASE),
    re.compile(r"<img\b[^>]*>", re.IGNORECASE),
)
_REMOTE_IMAGE = re.compile(r"background:\s*url\([^)]*\)[^;}]*;?")


def offline(page: str) -> str:
    """The page with every tag that fetches removed, and our own style and script inside."""
    for tag in _TAGS:
        page = tag.sub("", page)
    page = _REMOTE_IMAGE.sub("", page)
    style = (_ASSETS / "data_docs.css").read_text()
    script = (_ASSETS / "data_docs.js").read_text()
    return page.replace("</head>", f"<style>{style}</style>\n<script>{script}</script>\n</head>", 1)


def publish(site: Path, target: Path, now: dt.datetime) -> None:
    """Keep the pages of one run, and list the kept runs in `index.html`.

    Parameters
    ----------
    site : folder that Great Expectations built
    target : folder of the kept pages, `reports/data_docs`
    now : names the run; the oldest runs beyond the newest 50 go
    """
    with replace_folder(target / now.strftime("%Y%m%dT%H%M%S.%fZ")) as folder:
        for page in sorted(site.rglob("*.html")):
            if page.name == "index.html":
                continue
            table = page.relative_to(site).parts[1].removesuffix(".html")
            kind = "result" if page.relative_to(site).parts[0] == "validations" else "suite"
            text = re.sub(r'href="[^"#]*/index\.html"', 'href="../index.html"', offline(page.read_text()))
            text = re.sub(r'href="[^"#]*/expectations/(\w+)\.html"', r'href="suite_\1.html"', text)
            (folder / f"{kind}_{table}.html").write_text(text)
    runs = sorted((one for one in target.iterdir() if one.is_dir() and one.name[:1].isdigit()), reverse=True)
    for old in runs[_KEPT_RUNS:]:
        shutil.rmtree(old)
    write_text(target / "index.html", _index(runs[:_KEPT_RUNS]))


def _index(runs: list[Path]) -> str:
    lines = []
    for run in runs:
        links = " · ".join(
            f'<a href="{run.name}/{page.name}">{html.escape(page.stem.replace("_", " "))}</a>'
            for page in sorted(run.glob("*.html"))
        )
        verdict = "failed" if any("Failed" in _status(page) for page in run.glob("result_*.html")) else "passed"
        lines.append(f"<tr><td>{html.escape(run.name)}</td><td>{verdict}</td><td>{links}</td></tr>")
    style = (_ASSETS / "data_docs.css").read_text()
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
        "<body><main><h1>Data Docs</h1><p>Each run of the validation, newest first (UTC).</p>"
        '<table class="table"><thead><tr><th>Run</th><th>Verdict</th><th>Pages</th></tr></thead><tbody>'
        + "".join(lines)
        + "</tbody></table></main></body></html>\n"
    )


def _status(page: Path) -> str:
    """The word after «Status:» in a result page."""
    found = re.search(r"Status:</span>\s*(?:<i\b[^>]*></i>)?\s*(\w+)", page.read_text())
    return found.group(1) if found else ""
