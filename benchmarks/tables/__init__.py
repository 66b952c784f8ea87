"""From stored JSON to Markdown: one file for each kind of table. Nothing is computed that the JSON does not hold."""

from benchmarks.tables import encoders, fields, ranking, streams, ties

#: Kind of a table in suite.yaml → what renders it.
KINDS = {
    "ranking": ranking.render,
    "encoders": encoders.render,
    "streams": streams.render,
    "ties": ties.render,
    "fields": fields.render,
}
