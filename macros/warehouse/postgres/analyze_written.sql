{#- First post-hook of the marts. A load writes few of many rows, too few for autovacuum to look at before the next models and the tests ask
    for what was written since, so the planner would expect one row. Only the moments of writing are looked at, of which most rows share
    one, in a sample of a third of the usual size; or all columns of a new table. A load does not wait for a lock here. -#}
{% macro postgres__analyze_written() %}
    {% if not execute or config.get('materialized') != 'incremental' or is_empty_run() %}{{ return('') }}{% endif %}
    {% set written = load_result('main').response %}
    {% if not written.rows_affected or 'loaded_at' not in model.columns %}{{ return('') }}{% endif %}
    {% if written.code == 'SELECT' %}
    analyze (skip_locked) {{ this }}
    {% else %}
    set local default_statistics_target = 30;
    analyze (skip_locked) {{ this }} (loaded_at);
    set local default_statistics_target to default
    {% endif %}
{% endmacro %}

{#- First post-hook of the intermediate models: a table is analyzed before the models that read it are planned. Without statistics, the planner
    joined the 800 rows of profiles with each other before it looked for the tasks, and read all tasks four times for 250 of them. -#}
{% macro postgres__analyze_table() %}
    {% if config.get('materialized') == 'table' and not is_empty_run() %}analyze {{ this }}{% endif %}
{% endmacro %}
