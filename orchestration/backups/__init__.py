"""Backups of the warehouse by pgBackRest, and of Airflow's metadata by pg_dump (specification, section 2.2).

Commands of `insights backup` run on the server of the warehouse, as the account that owns its data, or as root, which
then starts each program as that account.
"""
