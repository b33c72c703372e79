"""Writes a digest as HTML for mail: tables and pictures, no script, nothing that is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from orchestration.digests.charts import Chart
from orchestration.digests.words import Message, Table

_PAGE = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
    '<body style="font-family:sans-serif;font-size:14px;color:#222;max-width:760px">\n{body}\n</body></html>\n'
)
_CELL = "border-bottom:1px solid #ddd;padding:4px 10px 4px 0;text-align:left;vertical-align:top"
Address = Callable[[Chart], str]


def as_html(message: Message, address: Address) -> str:
    """Return the HTML of a message; `address` gives that of the picture of a chart which has one."""
    return _PAGE.format(title=escape(message.subject), body="\n".join(_parts(message, address)))


def _parts(message: Message, address: Address) -> Iterator[str]:
    yield f"<h1>{escape(message.heading)}</h1>"
    yield from (f"<p>{escape(sentence)}</p>" for sentence in message.sentences)
    yield from (_table(table) for table in message.tables)
    yield from (_figure(chart, address) for chart in message.charts)
    if message.link:
        yield f'<p><a href="{escape(message.link)}">All patterns</a></p>'
    yield from (f'<p style="color:#666">{escape(sentence)}</p>' for sentence in message.footer)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(name)}</th>' for name in table.columns)
    rows = "\n".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(value)}</td>' for value in row) + "</tr>" for row in table.rows
    )
    more = f"<p>and {table.left_out:,} more</p>" if table.left_out else ""
    whole = (
        f'<table style="border-collapse:collapse">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>'
    )
    return f"<h2>{escape(table.heading)}</h2>\n{whole}{more}"


def _figure(chart: Chart, address: Address) -> str:
    if chart.png is None:
        return f"<p>{escape(chart.text)}</p>"
    return f'<p><img src="{escape(address(chart))}" alt="{escape(chart.text)}" style="max-width:100%"></p>'
