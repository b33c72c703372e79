{#- The range that one load covers, from the load log: {horizon, loaded_from, cutoff}.

    horizon      events before this UTC date count: as_of, but never earlier than the horizon of a previous load of the same relations,
                 so replaying an old as_of removes nothing (a rebuild starts from scratch)
    loaded_from  changes since then are recomputed: the oldest watermark of the relations that this model feeds, less the overlap;
                 -infinity when one of them was never loaded, does not exist, or was loaded by a clock ahead of this one. A watermark is
                 the moment at which the source was read (`source_read_at`), which in a file of DuckDB is long before the load
    cutoff       event dates before this are out of retention; it never moves back (decision D8)

    `meta.feeds` names the relations whose watermarks count; by default the model itself. -#}
{% macro load_window() %}
    {% if not execute %}{{ return({'horizon': '', 'loaded_from': '', 'cutoff': ''}) }}{% endif %}
    {% set feeds = (config.get('meta') or {}).get('feeds', [model.name]) %}
    {% set missing = [] %}
    {% for name in feeds %}
        {% set node = graph.nodes['model.' ~ project_name ~ '.' ~ name] %}
        {% if adapter.get_relation(node.database, node.schema, node.alias) is none %}{% do missing.append(name) %}{% endif %}
    {% endfor %}
    {% set is_known = missing | length == 0 and not flags.FULL_REFRESH and not var('scan_all', false) %}
    {% set query %}
        with latest as (
            select {{ first_of(['relation_name']) }} horizon, loaded_through
            from {{ source('insights_ops', 'load_log') }}
            where relation_name in ('{{ feeds | join("', '") }}') and not {{ var('rebuild', false) }}
            {{ in_order_of(['relation_name'], ['load_log_id desc']) }}
        ),

        loads as (
            select
                {{ is_known }} and count(*) = {{ feeds | length }} and {{ source_read_at() }} >= max(loaded_through) as is_incremental,
                {{ later('min(loaded_through)', -1 * var('overlap_hours'), 'hour') }} as loaded_from,
                {{ greatest_filled(["date '" ~ as_of() ~ "'", 'max(horizon)']) }} as horizon
            from latest
        )

        select
            cast(horizon as {{ type_of('text') }}) as horizon,
            case when is_incremental then {{ moment_text('loaded_from') }} else '-infinity' end as loaded_from,
            cast({{ retention_cutoff('horizon') }} as {{ type_of('text') }}) as cutoff
        from loads
    {% endset %}
    {% set row = fetched(query).rows[0] %}
    {{ return({'horizon': row['horizon'], 'loaded_from': row['loaded_from'], 'cutoff': row['cutoff']}) }}
{% endmacro %}

{#- post-hook: adds one row to the load log, in the transaction that writes the relation, so a killed run leaves the old watermark. A
    model with `meta.delta` loads the rows of its delta table, so it logs that table's window, and the writer lock with which that table read the source; a report with `meta.load_of` logs the
    window of the fact that it reads. A dry run with `--empty` loads nothing. -#}
{% macro log_load() %}
    {% if is_empty_run() %}{{ return('') }}{% endif %}
    {% set meta = config.get('meta') or {} %}
    {% set delta = meta.get('delta') or meta.get('load_of') %}
    {% set number = log_number() ~ ', ' ~ current_moment() ~ ', ' if log_number() else '' %}
    insert into {{ source('insights_ops', 'load_log') }} ({{ 'load_log_id, logged_at, ' if number }}
        relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment, claim_number, source_claim)
    {% if delta %}
    select
        {{ number }}'{{ model.name }}', date '{{ as_of() }}', horizon, loaded_from, loaded_through, cutoff, '{{ invocation_id }}', '{{ target.name }}',
        {{ claim_number() or 'null' }},
        source_claim
    from {{ source('insights_ops', 'load_log') }}
    where relation_name = '{{ delta }}'
    order by load_log_id desc
    limit 1
    {% else %}
    {% set window = load_window() %}
    values (
        {{ number }}'{{ model.name }}',
        date '{{ as_of() }}',
        date '{{ window.horizon }}',
        {{ moment_of(window.loaded_from) }},
        {{ least_filled([source_read_at(), utc_midnight("date '" ~ window.horizon ~ "'")]) }},
        date '{{ window.cutoff }}',
        '{{ invocation_id }}',
        '{{ target.name }}',
        {{ claim_number() or 'null' }},
        {{ claim_number() or 'null' }}
    )
    {% endif %}
{% endmacro %}

{#- The newest load of a relation, as moments: horizon, cutoff, loaded_through, logged_at. Tests compare the source with it; the
    cutoff includes purges since that load. -#}
{% macro latest_load(relation_name) -%}
    select
        {{ utc_midnight('horizon') }} as horizon,
        {{ utc_midnight(greatest_filled(['cutoff', purge_cutoff('raw_event')])) }} as cutoff,
        loaded_through,
        logged_at
    from {{ source('insights_ops', 'load_log') }}
    where relation_name = '{{ relation_name }}'
    order by load_log_id desc
    limit 1
{%- endmacro %}

{#- The number of the writer lock that `insights build`, or another command that writes, holds for this run; '' in a plain dbt, which holds none. -#}
{% macro claim_number() -%}
    {{- return(env_var('INSIGHTS_CLAIM', '') if execute else '') -}}
{%- endmacro %}
