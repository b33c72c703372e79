{{ config(unique_key=['table_name', 'column_name']) }}
{%- set repeated = [] %}
{%- for table, rows in repeated_tables().items() %}
    {%- do repeated.append([sql_text(table), sql_text(identity_of(table)), rows]) %}
{%- endfor %}
{%- do repeated.append(['cast(null as ' ~ type_of('text') ~ ')', 'cast(null as ' ~ type_of('text') ~ ')', '0']) %}

with contract as (
    select
        listed.table_name,
        listed.column_name,
        listed.contract_type,
        listed.is_deployed_only
    from {{ rows_of('listed', ['table_name', 'column_name', 'contract_type', 'is_deployed_only'], contract_rows()) }}
),

actual as (
    {{ source_columns() }}
),

repeated as (
    select
        counted.table_name,
        counted.column_name,
        counted.row_count
    from {{ rows_of('counted', ['table_name', 'column_name', 'row_count'], repeated) }}
),

final as (
    select
        contract.table_name,
        contract.column_name,
        contract.contract_type,
        actual.actual_type,
        case
            when actual.column_name is null then 'missing'
            when not actual.is_readable then 'not_readable'
            when repeated.row_count is not null then 'repeated'
            else 'other_type'
        end as drift,
        repeated.row_count as repeated_rows
    from contract
    left join actual on contract.table_name = actual.table_name and contract.column_name = actual.column_name
    left join repeated on contract.table_name = repeated.table_name and contract.column_name = repeated.column_name
    where
        repeated.row_count is not null
        or (actual.column_name is null and not contract.is_deployed_only)
        or not actual.is_readable
        or actual.actual_type <> contract.contract_type
)

select * from final
