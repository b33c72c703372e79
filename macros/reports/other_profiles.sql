{#- The domains of organizations to which another profile applies than the report shows. All rows of a domain show the same profile, so one of
    each is looked at. -#}
{% macro domains_with_other_profiles() -%}
    {#- A report of a former release has no `limits_in`: it is computed again as a whole. -#}
    {%- set columns = ['profile_code', 'reactivity_seconds', 'max_escalation_seconds'] + (['limits_in'] if compared_columns() else []) -%}
    with recursive {{ one_row_of_each_domain(this, columns) }}

    select shown.organization_id, shown.domain
    from shown
    {{ join_profiles('shown', 'shown.domain') }}
    where
        row(shown.{{ columns | join(', shown.') }}) is distinct from row(profiles.{{ columns | join(', profiles.') }})
{%- endmacro %}

{#- The CTE `shown`, to be read after `with recursive`: one row of each domain of each organization of a report, with these columns. The next
    domain, or that of the next organization, is the next key of an index. -#}
{% macro one_row_of_each_domain(report, columns=[]) -%}
    {%- set columns = ['organization_id', 'domain'] + columns -%}
    {%- set row -%} stored.{{ columns | join(', stored.') }} {%- endset -%}
    shown as (
        (select {{ row }} from {{ report }} as stored order by stored.organization_id, stored.domain limit 1)
        union all
        select following.*
        from shown
        cross join lateral (
            (
                select {{ row }} from {{ report }} as stored
                where stored.organization_id = shown.organization_id and stored.domain > shown.domain
                order by stored.domain
                limit 1
            )
            union all
            (
                select {{ row }} from {{ report }} as stored
                where stored.organization_id = shown.organization_id and stored.domain is null and shown.domain is not null
                limit 1
            )
            union all
            (
                select {{ row }} from {{ report }} as stored
                where stored.organization_id > shown.organization_id
                order by stored.organization_id, stored.domain
                limit 1
            )
            order by organization_id, domain
            limit 1
        ) as following
    )
{%- endmacro %}

{#- Joins, as `profiles`, the profile that applies to rows of a domain: the override of the domain, else that of the organization. -#}
{% macro join_profiles(row, domain) -%}
    left join {{ ref('int_applicable_profiles') }} as overrides
        on {{ row }}.organization_id = overrides.organization_id and {{ domain }} = overrides.domain
    left join {{ ref('int_applicable_profiles') }} as profiles
        on {{ row }}.organization_id = profiles.organization_id and coalesce(overrides.domain, '*') = profiles.domain
{%- endmacro %}

{#- A join that leaves the rows of some domains of organizations. -#}
{% macro join_domains(domains, row) -%}
    inner join {{ domains }} as domains
            on
                {{ row }}.organization_id = domains.organization_id
                and coalesce({{ row }}.domain, '') = coalesce(domains.domain, '')
{%- endmacro %}
