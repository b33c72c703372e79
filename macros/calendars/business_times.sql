{#- The keys of the facts whose business times a load computes: those that were written since the model was loaded, and all of the
    organizations whose calendar has changed. `marts` are the fact and what else the model reads of it, with the same key. In a first load,
    and in `dbt show`, all. -#}
{% macro facts_of_changed_calendars(key, marts) -%}
    {%- if not execute or not is_incremental() or is_shown() -%}
    select
        organization_id,
        {{ key }}
    from {{ ref(marts[0]) }}
    {%- else -%}
    {%- set since = former_load().logged_at if compared_columns() and not var('scan_all', false) else '-infinity' -%}
    {%- for mart in marts %}
    select
        organization_id,
        {{ key }}
    from {{ ref(mart) }}
    where loaded_at >= {{ moment_of(since) }}
    union distinct
    {%- endfor %}
    select
        facts.organization_id,
        facts.{{ key }}
    from {{ ref('int_business_calendars') }} as calendars
    inner join {{ ref(marts[0]) }} as facts on calendars.organization_id = facts.organization_id
    where
        -- Two looks into an index; NULL, and therefore a change, where the organization has no rows.
        (
            select min(former.calendar_version) from {{ this }} as former
            where former.organization_id = calendars.organization_id
        ) is distinct from calendars.calendar_version
        or (
            select max(former.calendar_version) from {{ this }} as former
            where former.organization_id = calendars.organization_id
        ) is distinct from calendars.calendar_version
    {%- endif -%}
{%- endmacro %}

{#- pre-hook of a mart of business times: deletes the rows of organizations that have no calendar any more, and those whose fact is gone:
    the task or case has moved to another organization, or the task has fewer statuses. `entity` is the id of the task or case: facts of the same
    entity were written since the last load. -#}
{% macro delete_foreign_business_times(fact, key, entity) %}
    {% if execute and not is_incremental() %}{{ return('') }}{% endif %}
    delete from {{ this }} as former
    where
        not exists (
            select 1 from {{ ref('int_business_calendars') }} as calendars
            where calendars.organization_id = former.organization_id
        );
    {%- set is_gone %}
        former.{{ entity }} = written.{{ entity }}
        and written.loaded_at >= {{ moment_of(former_load().logged_at) }}
        and not exists (
            select 1 from {{ ref(fact) }} as facts
            where facts.{{ key }} = former.{{ key }} and facts.organization_id = former.organization_id
        )
    {%- endset %}
    {{ delete_matching(this, 'former', ref(fact), 'written', is_gone) }}
{% endmacro %}
