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
        now() as loaded_at
    from episodes
)
{%- endmacro %}

{#- post-hook: deletes the rows of this review that a rerun did not find again. The rows that it found have loaded_at = now(), because
    they were written in this transaction. -#}
{% macro delete_outdated_rows(cadence) %}
    delete from {{ this }}
    where review_date = date '{{ review_date(cadence) }}' and loaded_at < now() and not {{ is_settled_review(cadence) }}
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
