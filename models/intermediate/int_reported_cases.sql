select
    cases.case_id,
    cases.organization_id,
    cases.domain,
    cases.label,
    cases.location,
    cases.is_label_valid,
    cases.label_base,
    cases.label_category,
    cases.label_subcategory,
    cases.label_role,
    cases.severity,
    cases.visibility,
    cases.visible_domain,
    cases.strictest_visibility,
    cases.is_own_review,
    cases.opened_at,
    cases.closed_at,
    cases.deadline_at,
    personal.source_keys,
    personal.visible_source_keys
from {{ ref('dim_cases') }} as cases
left join {{ ref('personal_cases') }} as personal
    on cases.case_id = personal.case_id and cases.organization_id = personal.organization_id
