{#- Rows in = rows loaded + rows set aside + rows out of retention: no source row is in none of the three. Rows that changed
    since the load are the next load's; a loaded row that the source has lost stays. -#}
{% test rows_add_up(model, checked, key, moment, changed_at, source_table) %}
with load as (
    {{ latest_load(model.identifier) }}
),

source_rows as (
    select checked.{{ key }} as row_key
    from {{ checked }} as checked
    cross join load
    where
        checked.{{ moment }} >= load.cutoff
        and checked.{{ moment }} < load.horizon
        and checked.{{ changed_at }} < load.loaded_through
)

select source_rows.row_key
from source_rows
where
    not exists (select 1 from {{ model }} as loaded where loaded.{{ key }} = source_rows.row_key)
    and not exists (
        select 1
        from {{ ref('rejects') }} as rejects
        where
            rejects.source_table = '{{ source_table }}'
            and rejects.source_id = source_rows.row_key
            and rejects.resolved_at is null
    )
{% endtest %}
