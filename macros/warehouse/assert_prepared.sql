{#- on-run-start: stops a run that would fail halfway or use other values than those requested, and names the command that fixes it.
    It reads with two queries and writes nothing. -#}
{% macro assert_prepared() %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% if target.name != (env_var('INSIGHTS_ENV', '') or 'dev') %}
        {{ exceptions.raise_compiler_error(
            "The dbt target is " ~ target.name ~ ", and INSIGHTS_ENV is " ~ (env_var('INSIGHTS_ENV', '') or 'not set, which means dev')
            ~ "; they must agree. Leave out --target and set INSIGHTS_ENV=" ~ target.name
        ) }}
    {% endif %}
    {% if target.name == 'offline' and not var('offline_enabled') %}
        {{ exceptions.raise_compiler_error("Loads are disabled in offline. Set INSIGHTS_ENV to another environment, or run insights build"
            ~ " with insights.offline.enabled true in config/insights/config.yaml (decision D9)") }}
    {% endif %}
    {% if env_var('INSIGHTS_PATTERN_CONFIG_PATH', '') %}
        {{ exceptions.raise_compiler_error(
            "INSIGHTS_PATTERN_CONFIG_PATH is set, and plain dbt does not read that file. Run: insights build, or unset the variable"
        ) }}
    {% endif %}
    {% set ops = target.schema ~ '_ops' %}
    {% set names = [] %}
    {% for node in graph.nodes.values() if is_own(node) and node.resource_type in ('model', 'seed') and node.schema == target.schema %}
        {% do names.append(node.alias) %}
    {% endfor %}
    {% for node in graph.nodes.values() if is_own(node) and node.get('version') is not none %}
        {{ exceptions.raise_compiler_error("The model " ~ node.name ~ " has versions, which share its name in the log of loads: each would go on"
            ~ " where the other ended. Make version " ~ node.version ~ " a model of its own (decision D280)") }}
    {% endfor %}
    {% if not is_prepared() %}
        {{ exceptions.raise_compiler_error("This database is not prepared. Run first: insights init") }}
    {% endif %}
    {% set found = fetched(
        "select date '" ~ as_of() ~ "' > " ~ latest_as_of() ~ " as is_future,"
        ~ " (select r.version from " ~ ops ~ ".releases as r order by r.release_number desc limit 1) as version,"
        ~ " " ~ is_serving() ~ " as is_serving"
    ).rows[0] %}
    {% do assert_release(found['version']) %}
    {% if found['is_serving'] and flags.WHICH in ('build', 'run', 'retry', 'seed', 'snapshot') %}
        {{ exceptions.raise_compiler_error("insights publish writes this database; what dbt changes here would be lost or mixed with it."
            ~ " Run dbt on the warehouse.") }}
    {% endif %}
    {% if found['is_future'] %}
        {{ exceptions.raise_compiler_error("as_of " ~ as_of() ~ " is in the future; the latest that can be is tomorrow (UTC).") }}
    {% endif %}
    {% if is_empty_run() and fetched('select exists (select 1 from ' ~ ops ~ '.load_log) as is_loaded').rows[0]['is_loaded'] %}
        {{ exceptions.raise_compiler_error(
            "--empty would remove the rows of this warehouse, which holds loads. Use it on a scratch database, after: insights init"
        ) }}
    {% endif %}
    {% set others = foreign_relations(names) %}
    {% if others %}
        {{ exceptions.raise_compiler_error(
            "The schema " ~ target.schema ~ " holds relations of the same names that this project did not build: "
            ~ others ~ ". Move them aside (no row is dropped): insights init --move-aside"
        ) }}
    {% endif %}
{% endmacro %}

{#- Stops a run in a database that another release has prepared, as `check_release` does for the commands (decision D260). Of a release that
    was not final, such as 3.1.0rc1, only the numbers are compared. -#}
{% macro assert_release(prepared) %}
    {% if prepared == var('release') %}{{ return('') }}{% endif %}
    {% set numbers = [] %}
    {% for version in [prepared or '0', var('release')] %}
        {% do numbers.append(modules.re.match('[0-9.]*[0-9]', version).group().split('.') | map('int') | list) %}
    {% endfor %}
    {% if numbers[0] > numbers[1] %}
        {{ exceptions.raise_compiler_error("Release " ~ prepared ~ " has prepared this database, and this is release " ~ var('release')
            ~ ": what it writes could undo what the newer one has written. Install release " ~ prepared ~ " or later.") }}
    {% endif %}
    {{ exceptions.raise_compiler_error("Release " ~ (prepared or "none") ~ " has prepared this database, and this is release "
        ~ var('release') ~ ". Run first: insights init") }}
{% endmacro %}
