{#- Every value of these columns is in a column of another relation. NULL passes. Where a row there is identified by its organization too,
    it must be one of the same organization. -#}
{% test refers_to(model, references) %}
with referring as (
    select * from {{ model }}
)

{% for reference in references %}
select
    '{{ reference.column }}' as column_name,
    cast(referring.{{ reference.column }} as {{ type_of('text') }}) as unknown_value,
    count(*) as row_count
from referring
where
    referring.{{ reference.column }} is not null
    and not exists (
        select 1
        from {{ reference.to }} as known
        where
            known.{{ reference.field }} = referring.{{ reference.column }}
            {%- if is_of_organization(reference) %}
            and known.organization_id = referring.organization_id
            {%- endif %}
    )
group by referring.{{ reference.column }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
