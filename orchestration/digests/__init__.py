"""Sends what a review found to people of an organization, each digest once (decisions D252 to D254).

`contents` reads a digest, `charts` draws it, `as_text`, `as_html` and `as_json` word it, `plan` says who gets which,
`channels` delivers it, `ledger` remembers that, and `send` does all of it.
"""
