{#- Why a row of a source is set aside, as three columns: is_accepted, reject_reason (NULL for a row that is loaded) and
    rejected_value. `tokens` maps columns to the enum they must be of, `dates` lists columns that must lie within dim_dates,
    `missing` holds everything else, {reason: SQL condition}. Columns may be qualified. One list of rules for every source table.

    Filter by is_accepted: the planner takes half of the rows for a boolean CASE, and one in 200 for `reject_reason is null`,
    with the nested loops that follow from that. -#}
{% macro rejection(tokens={}, dates=[], missing={}) -%}
    {%- set rules = [] -%}
    {%- for reason, condition in missing.items() %}{% do rules.append((condition, reason, 'null')) %}{% endfor -%}
    {%- for column in dates -%}
        {%- set outside = column ~ ' not between ' ~ calendar_start() ~ ' and ' ~ calendar_end() -%}
        {%- do rules.append((outside, column.split('.')[-1] ~ '_out_of_range', 'cast(' ~ column ~ " at time zone 'UTC' as text)")) -%}
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

{#- The calendar: the days of dim_dates. A moment outside it is no plausible event date. -#}
{% macro calendar_start() -%} timestamptz '1970-01-01 00:00:00+00' {%- endmacro %}
{% macro calendar_end() -%} timestamptz '2099-12-31 23:59:59.999999+00' {%- endmacro %}

{#- The flags whose condition holds, as text[]: {flag: SQL condition}. Flagged rows are loaded; the report counts them. -#}
{% macro quality_flags(conditions) -%}
    array_remove(
        array[
            {%- for flag, condition in conditions.items() %}
            case when {{ condition }} then '{{ flag }}' end{{ ',' if not loop.last }}
            {%- endfor %}
        ],
        null
    ) as quality_flags
{%- endmacro %}
