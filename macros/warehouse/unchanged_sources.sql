{#- The operational tables whose old rows are the same as when all of this model's feeds, and `beside`, were last loaded: a list of names.
    What a load would compare row by row to find late, deleted or cleared rows needs no comparison then (decision D256). The fingerprints are
    made by `insights build` and by the DAGs; for a plain dbt, in unit tests, and where the delta tables of these relations come from different
    loads, the list is empty. -#}
{% macro unchanged_sources(window, beside=[]) %}
    {% set claim = claim_number() %}
    {% set is_compared = not window.loaded_from or window.loaded_from == '-infinity' or model.resource_type == 'unit_test' %}
    {% if not claim or is_compared %}{{ return([]) }}{% endif %}
    {% set relations = config.get('meta').feeds + beside %}
    {% set query %}
        with loads as (
            select distinct on (relation_name) source_claim
            from {{ source('insights_ops', 'load_log') }}
            where relation_name in ({{ sql_list(relations) }}) and claim_number is distinct from {{ claim }}
            order by relation_name, load_log_id desc
        ),

        last_load as (
            select max(source_claim) as source_claim
            from loads
            having count(source_claim) = {{ relations | length }} and count(distinct source_claim) = 1
        )

        select now.table_name
        from last_load
        inner join {{ source('insights_ops', 'source_fingerprints') }} as before on last_load.source_claim = before.claim_number
        inner join {{ source('insights_ops', 'source_fingerprints') }} as now
            on before.table_name = now.table_name and now.claim_number = {{ claim }}
        where
            now.unchanged_since <= before.claim_number
            -- Younger rows are found by their date.
            and before.counted_until >= {{ moment_of(window.loaded_from) }}
        order by now.table_name
    {% endset %}
    {{ return(fetched(query).columns[0].values() | list) }}
{% endmacro %}
