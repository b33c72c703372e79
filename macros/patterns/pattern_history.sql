{#- The history of a pattern table (decision D7): reviews are kept by their date, and a rerun replaces exactly its own rows.

    An episode begins when a pattern fires that did not fire at the previous review date. A row keeps the episode that it was first
    stored with, so neither a rerun nor a replay of an older review moves the start of an ongoing episode. A row does not continue the
    episode of a stricter one, whose readers are fewer (decision D182). -#}
{% macro with_episodes(cadence, reviewed) -%}
{%- set stored = this if is_incremental() -%}
episodes as (
    select
        {{ reviewed }}.*,
        {%- if stored %}
        coalesce(own.episode_start, earlier.episode_start, {{ reviewed }}.review_date) as episode_start
    from {{ reviewed }}
    left join {{ stored }} as own
        on {{ reviewed }}.pattern_id = own.pattern_id
        and {{ reviewed }}.organization_id = own.organization_id
        and own.review_date = date '{{ review_date(cadence) }}'
        and {{ visibility_rank('own.visibility') }} <= {{ visibility_rank(reviewed ~ '.visibility') }}
    left join {{ stored }} as earlier
        on {{ reviewed }}.pattern_id = earlier.pattern_id
        and {{ reviewed }}.organization_id = earlier.organization_id
        and earlier.review_date = {{ previous_review_date(cadence) }}
        and {{ visibility_rank('earlier.visibility') }} <= {{ visibility_rank(reviewed ~ '.visibility') }}
        {%- else %}
        {{ reviewed }}.review_date as episode_start
    from {{ reviewed }}
        {%- endif %}
    where {{ reviewed }}.review_date >= {{ purge_cutoff('pattern_result') }} and not {{ is_settled_review(cadence) }}
),

final as (
    select
        *,
        episode_start = review_date as is_new,
        {{ current_moment() }} as loaded_at
    from episodes
)
{%- endmacro %}

{#- Incremental strategy of the pattern tables: the stored rows of this review become those that the load has found. A rerun writes only
    what differs. The date of the review is a literal, so that no earlier review is read. -#}
{% macro get_incremental_review_sql(arguments) %}
    {%- set stored, found = arguments.target_relation, arguments.temp_relation -%}
    {%- set cadence = config.get('meta').cadence -%}
    {%- set columns = arguments.dest_columns | map(attribute='name') | map('lower') | list -%}
    {%- set compared = columns | reject('equalto', 'loaded_at') | list -%}
    {%- set is_same_row -%}
    stored.review_date = date '{{ review_date(cadence) }}'
        {%- for column in key_columns() %}
    and stored.{{ column }} = found.{{ column }}
        {%- endfor %}
    {%- endset %}
delete from {{ stored }} as stored
where
    stored.review_date = date '{{ review_date(cadence) }}'
    and not {{ is_settled_review(cadence) }}
    and not exists (select 1 from {{ found }} as found where {{ is_same_row }});

merge into {{ stored }} as stored
using {{ found }} as found
    on {{ is_same_row }}
when matched and not {{ same_row(columns_of('stored', compared), columns_of('found', compared)) }} then
    update set
        {%- for column in columns %}
        {{ column }} = found.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
when not matched then
    insert ({{ columns | join(', ') }})
    values (found.{{ columns | join(', found.') }})
{% endmacro %}

{#- Whether this review was made earlier and its window is now partly out of retention; its result is then kept. The yearly window is
    as long as raw retention, so from January 2 on a rerun would count fewer cases than the review of January 1 did. -#}
{% macro is_settled_review(cadence) -%}
    {%- set day = "date '" ~ review_date(cadence) ~ "'" -%}
    (
        {{ day }} - {{ var('patterns')[cadence].window_days }} < {{ retention_cutoff("date '" ~ as_of() ~ "'") }}
        and {{ day }} in (
            select made.review_date from {{ ref('made_reviews') }} as made
            where made.cadence = '{{ cadence }}' and made.invocation_id <> '{{ invocation_id }}'
        )
    )
{%- endmacro %}
