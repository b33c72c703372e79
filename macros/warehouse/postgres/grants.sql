{#- post-hook of every mart: the read-only role may select every column, since a mart has no personal ones; those are in relations of
    the schema for personal columns, of which it may select nothing (decision D203). The id of a person, `meta.pii: key`, is readable here and
    masked in exports. Logins of single organizations may read the same columns, restricted to the rows of their organization (decision
    D152). A column that the model does not declare is granted to nobody. The hook runs in the transaction that writes the table, so readers
    never see a table without its grants. -#}
{% macro postgres__grant_without_pii() %}
    {{ rights_of_mart(this, model) }}
{% endmacro %}

{#- The statements that give readers and exports their rights on the relation of a mart or seed. -#}
{% macro rights_of_mart(relation, node) %}
    {% if node.schema == target.schema %}
    {% set readable = [] %}
    {% for name in node.columns %}{% do readable.append(adapter.quote(name)) %}{% endfor %}
    revoke all on {{ relation }} from {{ var('read_only_user') }};
    grant select ({{ readable | join(', ') }}) on {{ relation }} to {{ var('read_only_user') }};
    {% set shared = (node.config.get('meta') or {}).get('shared') -%}
    select {{ target.schema }}_ops.restrict_rows({{ sql_text(relation) }}, {{ sql_text(shared) if shared else 'null' }});
    {% endif %}
    select {{ target.schema }}_ops.allow_exports({{ sql_text(relation) }}, {{ withheld_from_exports(node) }})
{% endmacro %}


{#- The columns of a mart that exports read masked only, as jsonb; NULL for a mart that no export reads (decision D174).
    Each export finds its organization in dim_organizations. -#}
{% macro withheld_from_exports(node) %}
    {%- set readers = [] -%}
    {%- for exposure in (graph.get('exposures') or {}).values() if (exposure.config.meta or {}).get('export') and node.unique_id in exposure.depends_on.nodes -%}
        {%- do readers.append(exposure.name) -%}
    {%- endfor -%}
    {%- set withheld = {} -%}
    {%- for column in node.columns.values() if column.config.meta.get('pii', 'none') not in ['key', 'none'] -%}
        {%- do withheld.update({column.name: column.config.meta.pii}) -%}
    {%- endfor -%}
    {{- 'cast(' ~ sql_text(tojson(withheld)) ~ ' as jsonb)' if readers or node.name == 'dim_organizations' else 'null' -}}
{% endmacro %}


{#- post-hook of stg_user_accounts: the function by which exports check who asks, without reading the users (decision D174). -#}
{% macro postgres__allow_user_check() %}
    {{ user_check(this) }}
{% endmacro %}

{#- The statement that makes this function over a relation of users. -#}
{% macro user_check(relation) %}
    {% set body %}
begin
    return (
        select u.user_id from {{ relation.include(database=false) }} as u
        where u.user_id = given and u.organization_id = organization and u.status = 'active'
    );
end
    {% endset %}
    select {{ target.schema }}_ops.define_for_exports(
        'active_user',
        'organization uuid, given uuid',
        'uuid',
        {{ sql_text(body) }},
        'The id of an active user of an organization; NULL if there is no such user.'
    )
{% endmacro %}

{#- post-hook of bookkeeping that dashboards read: the read-only role may select the columns of `meta.readable`. -#}
{% macro postgres__grant_readable() %}
    {{ rights_of_bookkeeping(this, model) }}
{% endmacro %}

{#- The statement that gives this right on the relation of a model; nothing without `meta.readable`. -#}
{% macro rights_of_bookkeeping(relation, node) %}
    {%- set columns = (node.config.get('meta') or {}).get('readable') -%}
    {%- if columns -%} grant select ({{ columns | join(', ') }}) on {{ relation }} to {{ var('read_only_user') }} {%- endif -%}
{% endmacro %}
