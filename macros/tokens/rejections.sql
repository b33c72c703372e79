{#- Whether and why a source row is rejected, as three columns: is_accepted, reject_reason (NULL for an accepted row) and
    rejected_value. `tokens` maps columns to the enum that their values must belong to, `dates` lists columns that must lie within
    dim_dates, `missing` maps any other reason to its SQL condition. Columns may be qualified.

    Filter by is_accepted: the planner estimates half of the rows for a boolean CASE, but one in 200 for `reject_reason is null`,
    which leads to nested loops. -#}
{% macro rejection(tokens={}, dates=[], missing={}) -%}
    {%- set rules = [] -%}
    {%- for reason, condition in missing.items() %}{% do rules.append((condition, reason, 'cast(null as ' ~ type_of('text') ~ ')')) %}{% endfor -%}
    {%- for column in dates -%}
        {%- do rules.append((is_outside_calendar(column), column.split('.')[-1] ~ '_out_of_range', utc_text(column))) -%}
    {%- endfor -%}
    {%- for column, enum in tokens.items() -%}
        {%- set unknown = '(' ~ column ~ ' in (' ~ enum_tokens(enum) ~ ')) is not true' -%}
        {%- do rules.append((unknown, 'unknown_' ~ column.split('.')[-1], column)) -%}
    {%- endfor -%}
    case
        {%- for condition, reason, refused in rules %}
        when {{ condition }} then false
        {%- endfor %}
        else true
    end as is_accepted,
    case
        {%- for condition, reason, refused in rules %}
        when {{ condition }} then '{{ reason }}'
        {%- endfor %}
    end as reject_reason,
    case
        {%- for condition, reason, refused in rules %}
        when {{ condition }} then {{ refused }}
        {%- endfor %}
    end as rejected_value
{%- endmacro %}

{#- The range of dim_dates. A moment outside it is not a plausible event date. -#}
{% macro calendar_start() -%} {{ moment_of('1970-01-01 00:00:00+00') }} {%- endmacro %}
{% macro calendar_end() -%} {{ moment_of('2099-12-31 23:59:59.999999+00') }} {%- endmacro %}

{#- The flags whose condition holds, as text[]: {flag: SQL condition}. Flagged rows are loaded; data_quality counts them. -#}
{% macro quality_flags(conditions) -%}
    {%- set flags = [] -%}
    {%- for flag, condition in conditions.items() -%}{%- do flags.append('case when ' ~ condition ~ " then '" ~ flag ~ "' end") -%}{%- endfor -%}
    {{ array_of_filled(flags) }} as quality_flags
{%- endmacro %}
