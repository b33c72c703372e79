{#- dim_cases had the personal columns of cases until release 3.0.0. The first build of personal_cases takes those of cases that are no longer
    in the source from there; afterwards dim_cases loses the columns (decision D203). -#}
{% macro keys_of_former_release() -%}
    {%- set stored = stored_or_none('dim_cases') -%}
    {%- if is_incremental() or flags.FULL_REFRESH %}{{ return('') }}{% endif -%}
    {%- set columns = column_names(stored) if stored else [] -%}
    {%- if 'visible_source_keys' in columns -%}
    union all
    select
        former.case_id,
        former.organization_id,
        former.title,
        former.source_keys,
        former.visible_source_keys
    from {{ stored }} as former
    where
        not exists (
            select 1
            from lifecycle
            where lifecycle.case_id = former.case_id and lifecycle.organization_id = former.organization_id
        )
    {%- endif -%}
{%- endmacro %}
