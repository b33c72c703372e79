{#- Relations of the previous load are declared as sources, so that the lineage shows them. A ref would be a cycle, since they are built
    from the models that read them. -#}

{#- A mart in the state that the previous load left it in. Unit tests override it. -#}
{% macro stored_mart(name) -%}
    {{- return(source('previous_load', name)) -}}
{%- endmacro %}

{#- pre-hook of a mart that `reader` reads in the state of the previous load: dbt builds the reader first. It runs no statement. -#}
{% macro written_after(reader) -%}{%- endmacro %}

{#- A select of the stored tasks whose requester was sensitive: organization_id, task_id, is_flagged (whether the stored row says that the
    requester was removed). A dim_tasks of an older release gains the column only when it is written. Unit tests override it. -#}
{% macro stored_sensitive_tasks() -%}
    {%- set stored = stored_or_none('dim_tasks') -%}
    {%- set columns = column_names(stored) if stored else [] -%}
    {%- if 'is_about_sensitive_person' in columns -%}
    select
        organization_id,
        task_id,
        {{ has_element('quality_flags', "'sensitive_requester_removed'") }} as is_flagged
    from {{ stored }}
    where is_about_sensitive_person
    {%- else -%}
    select
        cast(null as {{ type_of('uuid') }}) as organization_id,
        cast(null as {{ type_of('uuid') }}) as task_id,
        cast(null as boolean) as is_flagged
    from (select 1 as one) as nothing
    where false
    {%- endif -%}
{%- endmacro %}

{#- A mart of the previous load if it is stored, else none. A unit test has no previous load, except what it gives to an overridden macro. -#}
{% macro stored_or_none(name) -%}
    {{- return(none if model.resource_type == 'unit_test' else if_stored(source('previous_load', name))) -}}
{%- endmacro %}

{#- A relation if the database has it, else none: nothing is stored before the first load. -#}
{% macro if_stored(relation) -%}
    {{- return(load_relation(relation) if execute else none) -}}
{%- endmacro %}

{#- In a macro, because the linter does not take a join that is there on later loads only. -#}
{% macro join_former(stored, row, key) -%}
    {%- if stored -%}
    left join {{ stored }} as former on {{ row }}.{{ key }} = former.{{ key }} and {{ row }}.organization_id = former.organization_id
    {%- endif -%}
{%- endmacro %}
