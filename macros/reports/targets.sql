{#- Whether a share reaches its target: too_early while fewer tasks are decided than the target asks for, else on_track or off_track. -#}
{% macro target_status(met, decided, target_percent, min_count) -%}
    case
        when {{ decided }} < {{ min_count }} then 'too_early'
        when 100 * {{ met }} >= {{ target_percent }} * {{ decided }} then 'on_track'
        else 'off_track'
    end
{%- endmacro %}

{#- A select of the targets that apply: organization_id, domain, measure, target_percent, min_count. `domains` is a relation of organizations
    with the domains of their tasks. The line of the organization counts before that of the domain, and both before those for all. -#}
{% macro chosen_targets(domains) -%}
    select {{ first_of(['domains.organization_id', 'domains.domain', 'targets.measure']) }}
        domains.organization_id,
        domains.domain,
        targets.measure,
        cast(targets.target_percent as {{ type_of('numeric(5, 2)') }}) as target_percent,
        targets.min_count
    from {{ domains }} as domains
    inner join {{ ref('int_organization_profiles') }} as organizations on domains.organization_id = organizations.organization_id
    inner join {{ ref('targets') }} as targets
        on
            targets.organization_slug in (organizations.slug, '*')
            and (domains.domain = targets.domain or targets.domain = '*')
    where true -- BigQuery chooses rows beside another condition only.
    {{ in_order_of(
        ['domains.organization_id', 'domains.domain', 'targets.measure'],
        ["targets.organization_slug = '*'", "targets.domain = '*'"]
    ) }}
{%- endmacro %}
