{#- The rows of a relation that decides where the trends count a task, as they were at a moment: organization_id, its id and the counted
    columns. `wanted` is a query of the ids, with the organization, of the rows that are needed. -#}
{% macro rows_as_of(name, relation, id, moment, wanted) -%}
    {%- set columns = counted_columns()[name] -%}
    select
        wanted.organization_id,
        wanted.{{ id }},
        {%- for column in columns %}
        case when kept.id is null then stored.{{ column }} else contents.{{ column }} end as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ({{ wanted }}) as wanted
    left join {{ relation }} as stored on wanted.{{ id }} = stored.{{ id }} and wanted.organization_id = stored.organization_id
    left join lateral (
        select
            former_rows.id,
            former_rows.contents
        from {{ source('insights_ops', 'former_rows') }} as former_rows
        where
            former_rows.relation_name = '{{ name }}'
            and former_rows.organization_id = wanted.organization_id
            and former_rows.id = wanted.{{ id }}
            and former_rows.replaced_at >= {{ moment_of(moment) }}
        order by former_rows.replaced_at
        limit 1
    ) as kept on true
    left join lateral {{ row_of_json('kept.contents', relation) }} as contents on true
    where case when kept.id is null then stored.{{ id }} is not null else kept.contents is not null end
{%- endmacro %}
