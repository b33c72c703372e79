{#- The lock of the file proves that this process is the one writer. What is written is of one moment, as in PostgreSQL: a transaction has one now(),
    and this statement begins it, where dbt would begin it after it has computed the rows of an incremental model. -#}
{% macro duckdb__prove_claim() %} select true as is_alone {% endmacro %}

{% macro duckdb__end_transaction_of_reads() %}{% do adapter.commit() %}{% endmacro %}
