{#- on-run-end: keeps the newest result of each data test of this project, for `insights status` and for the next run of the test. A role
    that may not write it, and a database that `insights init` has not prepared for this release, keep none: a run does not fail
    because of it. A test that passed under the writer lock has seen every load until now; one that had seen none has looked at all
    rows. -#}
{% macro log_tests(results) %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set tests = {} %}
    {% for result in results if result.node.resource_type == 'test' and result.node.package_name == project_name %}
        {% if result.status in ('fail', 'error') or (result.status in ('pass', 'warn') and result.node.name not in tests) %}
            {% do tests.update({result.node.name: result}) %}
        {% endif %}
    {% endfor %}
    {% set relation = source('insights_ops', 'test_results') %}
    {% set columns = column_names(relation) if tests else [] %}
    {% if 'checked_through' not in columns or not may_write(relation) %}{{ return('') }}{% endif %}
    {% do end_transaction_of_reads() %}
    {% set known = [] %}
    {% for node in graph.nodes.values() if node.resource_type == 'test' %}{% do known.append(sql_text(node.name)) %}{% endfor %}
    {% if claim_number() %}{{ prove_claim() }};{% endif %}
    delete from {{ relation }} where test_name not in ({{ known | join(', ') }});
    {%- set listed = [] -%}
    {%- for name, result in tests.items() %}{% do listed.append([sql_text(name), sql_text(result.status), result.failures or 0]) %}{% endfor -%}
    {%- set rows %}
    select
        results.test_name,
        results.status,
        results.failures,
        '{{ invocation_id }}' as invocation_id,
        loads.checked_through,
        case when loads.checked_through is not null then {{ current_moment() }} end as recounted_at
    from {{ rows_of('results', ['test_name', 'status', 'failures'], listed) }}
    left join (
        select max(load_log_id) as checked_through from {{ source('insights_ops', 'load_log') }}
    ) as loads on results.status = 'pass' and {{ 'true' if claim_number() else 'false' }}
    {%- endset %}
    {{ store_test_results(relation, rows) }}
{% endmacro %}
