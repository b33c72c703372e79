{#- Every source row is loaded, rejected or out of retention. Rows that changed since the load are left to the next load; loaded rows
    that were deleted from the source are not checked. -#}
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
