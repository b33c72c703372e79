"""Every kind of value that a column of the source contract can hold, as SQL expressions by the type of the column.

`{column}` stands for the value of the good row that a hostile row is copied from.
"""

from __future__ import annotations

LONG = "(select string_agg(md5(n::text), '') from generate_series(1, 250) as n)"  # 8,000 characters, hard to compress

TEXTS = {
    "null": "null",
    "empty": "''",
    "blank": "'   '",
    "long": LONG,
    "long_of_four_bytes": "(select string_agg(chr(66304 + n % 900), '') from generate_series(1, 8000) as n)",
    "long_with_spaces": "repeat(' ', 8000)",
    "control_characters": "E'a\\x01\\t\\x7f\\u0085b'",
    "line_ends": "E'one\\r\\ntwo\\u2028three'",
    "escape_sequence": "E'\\x1b[2J\\x1b]0;title\\x07'",
    "right_to_left": "E'\\u202eevil\\u2066\\u200f'",
    "upper_case": "upper({column}::text)",
    "lower_case": "lower({column}::text)",
    "padded": "' ' || {column} || '  '",
    "greek": "'Σίσυφος ΟΔΥΣΣΕΥΣ'",
    "turkish": "E'\\u0130STANBUL \\u0131spanak'",
    "arabic": "'مستشفى'",
    "emoji": "'👩‍👩‍👧‍👦'",
    "no_characters": "E'\\ufffe\\uffff\\ufeff'",
    "quotes": "'it''s \"quoted\"; -- \\ $$ {{ x }} {% if %} %s %(a)s'",
    "json": '\'{"visibility": "PUBLIC", "a": [1, null]}\'',
    "pattern": "'(((.*+?[^]'",
    "path": "'../../etc/passwd'",
    "number": "'1e400'",
}

MOMENTS = {
    "null": "null",
    "infinity": "'infinity'",
    "minus_infinity": "'-infinity'",
    "first": "'4714-11-24 00:00:00+00 BC'",
    "last": "'294276-12-31 23:59:59.999999+00'",
    "year_one": "'0001-01-01 00:00:00+00'",
    "before_the_calendar": "'1969-12-31 23:59:59.999999+00'",
    "calendar_begins": "'1970-01-01 00:00:00+00'",
    "calendar_ends": "'2099-12-31 23:59:59.999999+00'",
    "after_the_calendar": "'2100-01-01 00:00:00+00'",
    "long_ago": "'1999-12-31 23:30:00-01'",
    "years_ahead": "'2050-06-01 00:00:00+00'",
}

INTERVALS = {
    "null": "null",
    "zero": "'0'",
    "negative": "'-1 month 3 days -00:00:01'",
    "years": "'300000 years'",
    "minus_years": "'-300000 years'",
    "most_months": "make_interval(months => 2147483647)",
    "fewest_months": "make_interval(months => -2147483647)",
    "most_days": "make_interval(days => 2147483647)",
    "fewest_days": "make_interval(days => -2147483647)",
    "most_hours": "'2562047788:00:54.775807'",
    "fewest_hours": "'-2562047788:00:54.775807'",
    "months_against_days": "make_interval(months => 71582788, days => -2147483647)",
    "days_against_months": "make_interval(months => -71582788, days => 2147483647)",
    "everything": "make_interval(months => 2147483647, days => 2147483647) + '2562047788:00:54.775807'",
    "beyond_the_calendar": "'100 years'",
    "before_the_calendar": "'-100 years'",
}

INTEGERS = {"null": "null", "zero": "0", "minus_one": "-1", "largest": "2147483647", "smallest": "-2147483648"}

BOOLEANS = {"null": "null", "true": "true", "false": "false"}

UUIDS = {
    "null": "null",
    "nil": "'00000000-0000-0000-0000-000000000000'",
    "largest": "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "unknown": "'6b8f2f5e-0a1e-4b61-9a57-7a40d2c1b001'",
}

DOCUMENTS = {
    "null": "null",
    "json_null": "'null'",
    "object": "'{}'",
    "array": "'[]'",
    "array_of_objects": '\'[{"visibility": "PUBLIC"}, null, [[]]]\'',
    "empty_string": "'\"\"'",
    "string": "'\"CLASS_6A\"'",
    "number": "'42'",
    "huge_number": "to_jsonb(power(10::numeric, 1000))",
    "boolean": "'true'",
    "null_members": '\'{"visibility": null, "origin": null, "status": null}\'',
    "objects_as_members": '\'{"visibility": {"a": []}, "origin": ["insights"], "status": {"b": 1}}\'',
    "numbers_as_members": '\'{"visibility": 1e400, "origin": -0.0, "status": 7}\'',
    "strange_members": "jsonb_build_object('visibility', E'\\x1b[2J\\u202e', 'status', E'\\n', 'origin', 'Insights ')",
    "foreign_keys": '\'{"": "", "Видимость": "PUBLIC", "VISIBILITY": "PUBLIC"}\'',
    "long": f"jsonb_build_object('visibility', {LONG}, 'status', {LONG}, 'origin', {LONG})",
    "long_string": f"to_jsonb({LONG})",
    "deep": "(repeat('[', 500) || repeat(']', 500))::jsonb",
}

ARRAYS = {
    "null": "null",
    "empty": "'{}'",
    "null_element": "'{NULL}'",
    "empty_element": "'{\"\"}'",
    "two_dimensions": "'{{a,b},{c,d}}'",
    "other_bounds": "'[-5:-4]={a,b}'",
    "strange": "array[E'\\x1b[2J', E'\\n', E'\\u202e', 'it''s', '{a,b}', 'NULL']",
    "long": f"array[{LONG}]",
    "many": "array(select n::text from generate_series(1, 10000) as n)",
}

VALUES: dict[str, dict[str, str]] = {
    "text": TEXTS,
    "timestamp with time zone": MOMENTS,
    "interval": INTERVALS,
    "integer": INTEGERS,
    "boolean": BOOLEANS,
    "uuid": UUIDS,
    "jsonb": DOCUMENTS,
    "text[]": ARRAYS,
}
