{#- What the staging layer reads in BigQuery. -#}

{#- No key is enforced, so a replication may repeat rows: they are counted in each load. -#}
{% macro bigquery__read_source(table) -%}
    {%- if execute and model.resource_type == 'model' and repeated_rows(table) -%} {{ without_repeated_rows(table) }}
    {%- else -%} {{ source_select(table) }}
    {%- endif -%}
{%- endmacro %}

{#- Text that is not JSON becomes a JSON string, so that it is not lost, and a JSON string becomes its text, without the quotes. -#}
{% macro bigquery__converted_column(name, actual, wanted) -%}
    {%- if wanted == 'text' and actual == 'json' -%} coalesce(json_value({{ name }}), to_json_string({{ name }}))
    {%- elif wanted == 'jsonb' and actual == 'text' -%}
    case when safe.parse_json({{ name }}) is not null then {{ name }} else to_json_string({{ name }}) end
    {%- elif wanted == 'jsonb' -%} nullif(to_json_string({{ name }}), 'null')
    {%- elif wanted == 'text[]' and actual == 'json' -%} json_value_array({{ name }})
    {%- elif wanted == 'timestamp with time zone' and actual == 'timestamp without time zone' -%} timestamp({{ name }})
    {%- else -%} safe_cast({{ name }} as {{ type_of(wanted) }})
    {%- endif -%}
{%- endmacro %}

{#- The number before a unit in the text of a duration as PostgreSQL writes it: 1 year 2 mons 3 days -04:05:06.789; 0 without one. -#}
{% macro number_before(duration, unit) -%} coalesce(cast(regexp_extract({{ duration }}, r'(-?[0-9]+) {{ unit }}') as int64), 0) {%- endmacro %}

{% macro months_of(duration) -%} (12 * {{ number_before(duration, 'year') }} + {{ number_before(duration, 'mon') }}) {%- endmacro %}

{#- The microseconds of a duration, beside its days and months. -#}
{% macro microseconds_of(duration) -%}
    (
        {{ number_before(duration, 'microsecond') }}
        + case when regexp_contains({{ duration }}, r'-[0-9]+:') then -1 else 1 end * (
            3600000000 * coalesce(cast(regexp_extract({{ duration }}, r'([0-9]+):[0-9]+:') as int64), 0)
            + 60000000 * coalesce(cast(regexp_extract({{ duration }}, r'[0-9]+:([0-9]+):') as int64), 0)
            + cast(coalesce(cast(regexp_extract({{ duration }}, r'[0-9]+:[0-9]+:([0-9.]+)') as numeric), 0) * 1000000 as int64)
        )
    )
{%- endmacro %}

{% macro bigquery__is_addable(duration) -%}
    (
        abs({{ months_of(duration) }}) <= 2000 * 12 + 11
        and abs({{ number_before(duration, 'day') }}) <= 730500
        and abs({{ microseconds_of(duration) }}) < 17532001 * 3600000000
        and {{ duration }} is not null
    )
{%- endmacro %}

{#- PostgreSQL compares durations as if a month had 30 days. -#}
{% macro bigquery__is_forward(duration) -%}
    cast({{ months_of(duration) }} * 30 + {{ number_before(duration, 'day') }} as numeric) * 86400000000 + {{ microseconds_of(duration) }} > 0
{%- endmacro %}

{#- NULL beyond the years that BigQuery has. -#}
{% macro bigquery__sum_in_utc(moment, duration) -%}
    timestamp(datetime_add(
        datetime_add(
            datetime_add(datetime({{ moment }}), interval {{ months_of(duration) }} month),
            interval {{ number_before(duration, 'day') }} day
        ),
        interval {{ microseconds_of(duration) }} microsecond
    ))
{%- endmacro %}
