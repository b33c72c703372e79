-- Every fact has a dimension row and vice versa, and the columns that both have are equal.
select coalesce(facts.task_id, dimensions.task_id) as row_key
from {{ ref('fact_tasks') }} as facts
full outer join {{ ref('dim_tasks') }} as dimensions
    on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
where
    row(facts.organization_id, facts.current_status, facts.priority, facts.severity, facts.source, facts.visibility)
    is distinct from row(
        dimensions.organization_id,
        dimensions.current_status,
        dimensions.priority,
        dimensions.severity,
        dimensions.source,
        dimensions.visibility
    )
union all
select coalesce(facts.case_id, dimensions.case_id) as row_key
from {{ ref('fact_cases') }} as facts
full outer join {{ ref('dim_cases') }} as dimensions
    on facts.case_id = dimensions.case_id and facts.organization_id = dimensions.organization_id
where
    row(facts.organization_id, facts.status, facts.severity, facts.visibility)
    is distinct from row(dimensions.organization_id, dimensions.status, dimensions.severity, dimensions.visibility)
