{%- set triggers = ['cyclic_overview', 'threshold_triggers'] %}
select
    profile_code,
    default_visibility,
    reactivity_seconds,
    max_escalation_seconds,
    coalesce({{ json_member('document', ['limits_in']) }}, 'wall_clock') as limits_in,
    cast({{ json_member('document', triggers + ['incident_frequency', 'window_days']) }} as integer) as pattern_window_days,
    cast({{ json_member('document', triggers + ['incident_frequency', 'min_events']) }} as integer) as pattern_min_events,
    cast({{ json_member('document', triggers + ['cross_departmental_trends']) }} as boolean) as cross_departmental_trends,
    cast({{ json_member('document', triggers + ['high_risk_indicators']) }} as boolean) as high_risk_indicators,
    {%- for cadence in ['weekly', 'monthly', 'yearly'] %}
    cast({{ json_member('document', ['cyclic_overview', 'enabled']) }} as boolean)
    and cast({{ json_member('document', ['cyclic_overview', 'schedule', cadence]) }} as boolean) as reviews_{{ cadence }},
    {%- endfor %}
    document,
    updated_at
from {{ source('insights_ops', 'profiles') }}
