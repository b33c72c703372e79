{#- Side effects of a load, by the engine of the warehouse. An engine without statistics, grants, indexes or a writer lock of its
    own needs nothing of it: `default__` renders nothing, and dbt runs no empty hook. -#}

{#- First post-hook of the marts: looks at what was written, so that what reads it next is planned well. -#}
{% macro analyze_written() %}{{ return(adapter.dispatch('analyze_written', 'orgo_insights')()) }}{% endmacro %}
{% macro default__analyze_written() %}{% endmacro %}

{#- First post-hook of the intermediate models: the same of a table that was made whole. -#}
{% macro analyze_table() %}{{ return(adapter.dispatch('analyze_table', 'orgo_insights')()) }}{% endmacro %}
{% macro default__analyze_table() %}{% endmacro %}

{#- The statement that keeps a transaction from nested loops. -#}
{% macro hash_joins_only() %}{{ return(adapter.dispatch('hash_joins_only', 'orgo_insights')()) }}{% endmacro %}
{% macro default__hash_joins_only() %}{% endmacro %}

{#- pre-hook of the reviews, which compare all groups of cases. -#}
{% macro plan_review() %}{{ return(adapter.dispatch('plan_review', 'orgo_insights')()) }}{% endmacro %}
{% macro default__plan_review() %}{% endmacro %}

{#- post-hook of every mart: who may read it, and which columns. -#}
{% macro grant_without_pii() %}{{ return(adapter.dispatch('grant_without_pii', 'orgo_insights')()) }}{% endmacro %}
{% macro default__grant_without_pii() %}{% endmacro %}

{#- post-hook of a relation of bookkeeping: readers may select these columns. -#}
{% macro grant_readable() %}{{ return(adapter.dispatch('grant_readable', 'orgo_insights')()) }}{% endmacro %}
{% macro default__grant_readable() %}{% endmacro %}

{#- post-hook of stg_user_accounts: exports check who asks, without reading the users. -#}
{% macro allow_user_check() %}{{ return(adapter.dispatch('allow_user_check', 'orgo_insights')()) }}{% endmacro %}
{% macro default__allow_user_check() %}{% endmacro %}

{#- post-hook of every mart: gives indexes names that say what they are. -#}
{% macro name_indexes() %}{{ return(adapter.dispatch('name_indexes', 'orgo_insights')()) }}{% endmacro %}
{% macro default__name_indexes() %}{% endmacro %}

{#- pre-hook of everything that writes: proves that this process is the one writer (decision D148). -#}
{% macro prove_claim() %}{{ return(adapter.dispatch('prove_claim', 'orgo_insights')()) }}{% endmacro %}
{% macro default__prove_claim() %}{% endmacro %}

{#- pre-hook of a staging model: makes what it reads its operational table through. -#}
{% macro replace_source_function() %}{{ return(adapter.dispatch('replace_source_function', 'orgo_insights')()) }}{% endmacro %}
{% macro default__replace_source_function() %}{% endmacro %}

{#- Whether reports follow the rows that loads change (decision D215). Where an engine reads whole columns faster than it looks for rows, each
    load counts all tasks that the source or the warehouse still has. -#}
{% macro follows_changes() %}{{ return(adapter.dispatch('follows_changes', 'orgo_insights')()) }}{% endmacro %}
{% macro default__follows_changes() %}{{ return(false) }}{% endmacro %}

{#- What a staging model reads: the rows of its operational table. -#}
{% macro read_source(table) %}{{ return(adapter.dispatch('read_source', 'orgo_insights')(table)) }}{% endmacro %}

{#- Up to when a load knows the source: what changes later is for the next load. -#}
{% macro source_read_at() %}{{ return(adapter.dispatch('source_read_at', 'orgo_insights')()) }}{% endmacro %}
{% macro default__source_read_at() %}{{ current_moment() }}{% endmacro %}

{#- pre-hook: drops columns of a former release that dbt would keep. -#}
{% macro drop_former_columns(columns) %}{{ return(adapter.dispatch('drop_former_columns', 'orgo_insights')(columns)) }}{% endmacro %}
{% macro default__drop_former_columns(columns) %}{% endmacro %}

{#- Ends the transaction that a query of on-run-end has begun, where dbt would roll it back together with what the hook writes. -#}
{% macro end_transaction_of_reads() %}{{ return(adapter.dispatch('end_transaction_of_reads', 'orgo_insights')()) }}{% endmacro %}
{% macro default__end_transaction_of_reads() %}{% endmacro %}
