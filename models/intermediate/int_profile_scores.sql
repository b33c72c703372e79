with counts as (
    select
        organization_id,
        domain,
        visibility,
        profile_code,
        cast(sum(task_count) as integer) as task_count,
        cast(sum(kept_count + missed_count) as integer) as decided_count,
        cast(sum(kept_count) as integer) as kept_count,
        cast(sum(missed_count) as integer) as missed_count,
        cast(sum(undecided_count) as integer) as undecided_count,
        cast(sum(without_deadline_count) as integer) as without_deadline_count
    from {{ ref('report_sla_breaches') }}
    group by organization_id, domain, visibility, profile_code
),

final as (
    select
        organization_id,
        domain,
        visibility,
        profile_code,
        cast({{ rounded_quotient('100 * kept_count', 'decided_count', 2) }} as {{ type_of('numeric(5, 2)') }}) as score,
        task_count,
        decided_count,
        kept_count,
        missed_count,
        undecided_count,
        without_deadline_count
    from counts
)

select * from final
