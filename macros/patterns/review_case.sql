{#- The review case that a pattern requests (source contract, section 5), without its id. That of an ANONYMISED pattern has no
    location, no ids and no source text, and its pattern_id is opaque. -#}
{% macro review_case() -%}
    {{ json_merged(
        json_object_of({
            'organization_id': 'firing.organization_id',
            'source_type': "'api'",
            'label': 'case when ' ~ is_open() ~ ' then firing.review_label else ' ~ anonymous_review_label() ~ ' end',
            'title': review_title(),
            'description': review_description(),
            'status': "'open'",
            'severity': lower_case('firing.severity'),
            'origin_vertical_level': 'cast(' ~ segment('firing.review_label', 1) ~ ' as integer)',
            'origin_role': 'coalesce(case when ' ~ is_open() ~ " then firing.label_role end, 'Insights')",
            'tags': json_array_of(["'insights'", 'firing.kind', 'firing.cadence']),
            'location': 'case when ' ~ is_open() ~ ' then ' ~ review_location('firing.location') ~ ' end',
        }),
        json_object_of({'metadata': json_object_of({
            'origin': "'insights'",
            'visibility': 'firing.visibility',
            'pattern_id': review_reference('firing.pattern_id'),
            'cadence': 'firing.cadence',
            'review_date': 'firing.review_date',
            'episode_start': 'firing.episode_start',
            'profile_id': 'firing.profile_code',
            'event_count': 'firing.event_count',
            'peak_count': 'firing.peak_count',
            'threshold_events': 'firing.threshold_events',
            'threshold_days': 'firing.threshold_days',
            'threshold_source': 'firing.threshold_source',
            'case_ids': 'case when ' ~ is_open() ~ ' then ' ~ json_of('firing.case_ids') ~ ' end',
        })})
    ) }}
{%- endmacro %}

{#- The location of a review case. Core Services takes objects only; a list, number or text becomes the member `value` of one. -#}
{% macro review_location(location) -%}
    case
            when {{ is_json_object(parsed_json(location)) }} then {{ parsed_json(location) }}
            when {{ location }} is not null then {{ json_object_of({'value': parsed_json(location)}) }}
        end
{%- endmacro %}

{#- Whether the review case may contain texts and ids of the source. -#}
{% macro is_open() -%} firing.visibility <> 'ANONYMISED' {%- endmacro %}

{#- The id of the review case that a pattern requests (decision D7). -#}
{% macro review_case_id() -%}
    {%- set id -%}
    {{ md5_uuid(json_array_text(['firing.pattern_id', 'firing.episode_start', 'firing.severity'])) }}
    {%- endset -%}
    {{ review_reference(id) }}
{%- endmacro %}

{#- An id of a review case. The ids of patterns are hashes of organization, domain, label and location, which are few enough to be tried:
    those of an ANONYMISED pattern leave as keyed hashes (decision D153). -#}
{% macro review_reference(id) -%}
    case when {{ is_open() }} then {{ id }} else {{ opaque_id(id) }} end
{%- endmacro %}

{#- The keyed hash of an id. Unit tests override it, because each database has its own key. -#}
{% macro opaque_id(id) -%}
    {{- return(adapter.dispatch('opaque_id', 'orgo_insights')(id)) -}}
{%- endmacro %}

{#- The label of an ANONYMISED pattern: without the role of its cases, which is source text. -#}
{% macro anonymous_review_label() -%}
    {{ joined('.', [
        segment('firing.review_label', 1),
        segment('firing.review_label', 2),
        "nullif(firing.review_role, '')",
        'firing.review_suffix',
    ]) }}
{%- endmacro %}

{% macro review_title() -%}
    firing.title || ': ' || cast(firing.event_count as {{ type_of('text') }}) || ' cases' || case
        when not {{ is_open() }} then ''
        when firing.grouped_by = 'category'
            then ' of category ' || {{ code_and_name('label_category') }} || ', subcategory ' || {{ code_and_name('label_subcategory') }}
        else ' of ' || coalesce(nullif(firing.label, ''), 'no label') || ' in ' || firing.domain
    end
{%- endmacro %}

{#- A code of a label with its name, if it has one: 3 (Compliance). -#}
{% macro code_and_name(code) -%}
    {{ joined('', ['firing.' ~ code, "' (' || firing." ~ code ~ "_name || ')'"]) }}
{%- endmacro %}

{% macro review_description() -%}
    {%- set said = {} -%}
    {%- for name in ['review_date', 'event_count', 'window_start', 'window_end', 'peak_count', 'peak_first_date', 'peak_last_date', 'threshold_events', 'threshold_days'] -%}
        {%- do said.update({name: 'cast(firing.' ~ name ~ ' as ' ~ type_of('text') ~ ')'}) -%}
    {%- endfor -%}
    'The ' || firing.cadence || ' review of ' || {{ said.review_date }} || ' found ' || {{ said.event_count }} || ' cases from '
    || {{ said.window_start }} || ' to ' || {{ said.window_end }} || ', ' || {{ said.peak_count }} || ' of them from '
    || {{ said.peak_first_date }} || ' to ' || {{ said.peak_last_date }} || '. The threshold is ' || {{ said.threshold_events }}
    || ' cases within ' || {{ said.threshold_days }} || ' days (' || firing.threshold_source || ', profile '
    || firing.profile_code || ').'
{%- endmacro %}
