{#- Every source row is loaded, rejected or out of retention, of those that loads have looked at since the test last passed. Rows that
    changed since the load are left to the next load; loaded rows that were deleted from the source are not checked. -#}
{% test rows_add_up(model, checked, moment, changed_at, source_table) %}
{%- set key = key_of(model) %}
{%- set source_id = key | reject('equalto', 'organization_id') | first %}
with load as (
    {{ latest_load(model.identifier) }}
),

source_rows as (
    select checked.{{ key | join(', checked.') }}
    from {{ checked }} as checked
    cross join load
    where
        checked.{{ moment }} >= load.cutoff
        and checked.{{ moment }} < load.horizon
        and checked.{{ changed_at }} < load.loaded_through
        and {{ is_newly_loaded('checked.' ~ changed_at, model.identifier) }}
)

select source_rows.*
from source_rows
where
    not exists (
        select 1
        from {{ model }} as loaded
        where
            {%- for column in key %}
            {{ 'and ' if not loop.first }}loaded.{{ column }} = source_rows.{{ column }}
            {%- endfor %}
    )
    and not exists (
        select 1
        from {{ ref('rejects') }} as rejects
        where
            rejects.source_table = '{{ source_table }}'
            and rejects.source_id = source_rows.{{ source_id }}
            and rejects.resolved_at is null
    )
{% endtest %}
