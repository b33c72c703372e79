{% macro hash_id(uuid_column) -%}
    cast(cast('x' || left(md5(cast({{ uuid_column }} as text)), 16) as bit(64)) as bigint)
{%- endmacro %}

{#- A signed 64-bit hash of several columns, including NULLs. Use it within one query only, since another PostgreSQL release may hash
    differently. Two rows may share a hash. -#}
{% macro row_hash(relation, columns) -%}
    hash_record_extended(row({{ relation }}.{{ columns | join(', ' ~ relation ~ '.') }}), 0)
{%- endmacro %}

{% macro json_text(column, key) -%}
    case jsonb_typeof({{ column }})
        when 'object' then {{ column }} ->> '{{ key }}'
        when 'string' then {{ column }} #>> '{}'
    end
{%- endmacro %}

{#- Whole seconds from one moment to a later one; NULL when the second is missing or lies before the first. -#}
{% macro seconds_between(start, finish) -%}
    case when {{ finish }} >= {{ start }} then cast(floor(extract(epoch from {{ finish }} - {{ start }})) as bigint) end
{%- endmacro %}

{#- Seconds as hours with two decimals, for people; sums and means are computed from the seconds. -#}
{% macro hours(seconds) -%}
    cast(round(cast({{ seconds }} as numeric) / 3600, 2) as numeric(14, 2))
{%- endmacro %}

{#- A condition that few rows meet, in a form from which the planner estimates few rows. For a comparison of two columns or of a
    function's result it would estimate a third of the rows or more and scan whole tables; for an equality it estimates one in 200. -#}
{% macro few(condition) -%}
    case when {{ condition }} then 1 else 0 end = 1
{%- endmacro %}

{#- A condition that most rows meet, such as the same organization of rows that are joined by id. The planner takes two equalities for
    independent and would estimate one row in as many as there are organizations; for a boolean CASE it estimates half. -#}
{% macro most(condition) -%}
    case when {{ condition }} then true else false end
{%- endmacro %}

{% macro utc_date(moment) -%}
    cast({{ moment }} at time zone 'UTC' as date)
{%- endmacro %}

{% macro utc_midnight(day) -%}
    cast({{ day }} as timestamp) at time zone 'UTC'
{%- endmacro %}
