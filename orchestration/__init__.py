"""Everything around dbt."""
