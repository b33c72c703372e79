"""Texts that a spreadsheet could read as formulas, and how each stands in a CSV."""

SPITEFUL = [
    *(
        "=1+1",
        "+1+1",
        "-1+cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "=",
        "-",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
    ),
    # With semicolons or tabs for separators, a cell begins after one, and after a line end in a quoted text.
    *("x;=1", "x\t=1", "x; +1", 'x;"=1"', "x\n=1\ny", "x\r\n@a", "x;\n=1", "x;y;-1;\uff1d1"),
    *("-12.5", "+3", "-1e5", ".5", "-.5", "+41791234567"),
    *(
        "plain",
        "",
        "a,b",
        'say "hi"',
        "line\nbreak",
        "line\r\nbreak",
        "Zoë 名 \U0001f600",
        "'quoted'",
        "\\N",
        "\\.",
        "a\\nb",
    ),
    *("{}", "null", "x\u2028y", "x\x01y\x02z", "x\x7fy", " lead", "trail ", "x;y-1;z", "\u200b=1"),
]

GUARDED = {text: f"'{text}" for text in SPITEFUL[:14]} | {
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    "x;=1": "x;'=1",
    "x\t=1": "x\t'=1",
    "x; +1": "x;' +1",
    'x;"=1"': 'x;\'"=1"',
    "x\n=1\ny": "x\n'=1\ny",
    "x\r\n@a": "x\r\n'@a",
    "x;\n=1": "x;\n'=1",
    "x;y;-1;\uff1d1": "x;y;'-1;'\uff1d1",
}
