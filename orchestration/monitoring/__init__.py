"""What operators see (specification, section 6.3): metrics for Prometheus, and messages about failed DAGs.

`outcomes` keeps how each DAG's runs ended; `messages` and `alerts` tell people; `delays` says how late a DAG is;
`families` and `processor` have the figures, `collector` gathers them, and `server` serves them.
`doctor` looks at everything that Insights leans on: `machine_checks` and `server_checks` are its questions.
"""
