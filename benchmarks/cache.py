"""Time a cache warm-up against its queries and redis-benchmark's SET, and a cached read against a plain GET.

Starts a private PostgreSQL with the built sample and a private Redis in a temporary folder, prints two Markdown tables
and removes everything afterwards. README.md explains the comparison.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from pathlib import Path

import click
import psycopg
import redis

from orchestration import dbt
from orchestration.config.files import Settings, load_settings
from orchestration.dashboards.definitions import IntegerParameter
from orchestration.dashboards.query import bound, statement
from orchestration.dashboards.question import Asked, Question, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warm import BATCH, warm
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from orchestration.warehouse.names import Names
from workshop.sample.load import SAMPLE_AS_OF, load_sample
from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root

VISIBILITIES = ("PUBLIC", "INTERNAL")
ROLES = ("nurse",)


def prepare(server: LocalPostgres, settings: Settings) -> str:
    """Build the warehouse from the sample and return its URL for the read-only role."""
    server.create_database("cache")
    with connect(server.url("cache", "postgres")) as connection:
        load_sample(connection)
        initialize(connection, settings)
    command = ["build", "--quiet", "--exclude-resource-type", "unit_test", "test"]
    url = server.url("cache", settings.insights.warehouse.write_user)
    lines: list[str] = []
    done = dbt.write(settings, command, url=url, variables=dbt.as_of_variable(SAMPLE_AS_OF), on_line=lines.append)
    if done.exit_code:
        raise click.ClickException("dbt failed:\n" + "".join(lines[-40:]))
    with connect(server.url("cache", "postgres"), autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return server.url("cache", settings.insights.warehouse.read_only_user)


def questions(reader: Reader, keys: int) -> list[Question]:
    """Return up to `keys` different questions.

    They vary the first integer parameter of each dashboard over all its values, for each organization.
    """
    found = []
    for name, dashboard in reader.dashboards.items():
        numbers = {k: p for k, p in dashboard.meta.parameters.items() if isinstance(p, IntegerParameter)}
        for key, parameter in list(numbers.items())[:1]:
            for value in range(parameter.min, parameter.max + 1):
                for organization in reader.organizations():
                    found.append(reader.question(Asked(name, organization, VISIBILITIES, parameters={key: value})))
    # Take the same share of every dashboard.
    return found[:: max(1, len(found) // keys)][:keys]


def queries_alone(reader: Reader, settings: Settings, url: str, asked: list[Question]) -> float:
    """Return the seconds for the same statements and values in sequence on a plain connection."""
    names = Names.of(settings)
    texts = {q.dashboard: statement(reader.dashboards[q.dashboard], "plain", names).text for q in asked}
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        for question in asked:
            values = bound(reader.dashboards[question.dashboard], question)
            connection.execute(texts[question.dashboard], values, prepare=False).fetchone()
        return time.perf_counter() - started


def redis_benchmark(client: redis.Redis, socket: str, keys: int, size: int) -> float:
    """Return the seconds of redis-benchmark for `keys` pipelined SETs of `size` bytes by one client.

    Empties the database afterwards.
    """
    options = ["-n", str(keys), "-r", str(keys), "-d", str(size), "-P", str(BATCH), "-c", "1", "-t", "set", "--csv"]
    done = subprocess.run(["redis-benchmark", "-s", socket, *options], capture_output=True, text=True, check=True)
    client.flushall()
    (line,) = [row for row in csv.reader(done.stdout.splitlines()) if row[0] == "SET"]
    return keys / float(line[1])


def ask_once(reader: Reader, client: redis.Redis, asked: list[Question]) -> None:
    """Count one request for each question, so that a warm-up selects exactly these."""
    for question in asked:
        reader.answers.counters.count_request(cache_key(question).group, question.text, "hits", len(asked))
    reader.answers.counters.send()


def latencies(call: Callable[[int], object], times: int) -> list[float]:
    """Return the microseconds of each call in ascending order."""
    found = []
    for number in range(times):
        started = time.perf_counter_ns()
        call(number)
        found.append((time.perf_counter_ns() - started) / 1000)
    return sorted(found)


def warm_table(reader: Reader, settings: Settings, client: redis.Redis, url: str, asked: list[Question]) -> list[str]:
    """Return the first table: seconds of a warm-up and of its lower bound in the same run."""
    warm(reader, settings)  # opens the connections and reads the pages before the measurement
    client.flushall()
    ask_once(reader, client, asked)
    names = sorted({question.dashboard for question in asked})
    report = warm(reader, settings, names)
    if not report.is_whole:
        raise click.ClickException(f"the warm-up is incomplete: {report}")
    computed = sum(warmed.computed for warmed in report.dashboards.values())
    stored = list(client.scan_iter("insights:*:entry:*"))
    size = round(statistics.mean(client.strlen(key) for key in stored))
    alone = queries_alone(reader, settings, url, asked) * computed / len(asked)
    kept = {key: client.dump(key) or b"" for key in stored}
    socket = str(client.connection_pool.connection_kwargs["path"])
    setting = redis_benchmark(client, socket, computed, size)
    for key, value in kept.items():
        client.restore(key, 900_000, value)
    lower_bound = alone + setting
    return [
        "| keys | bytes each | warm-up s | keys/s | the queries alone s | redis-benchmark SET s |"
        " warm-up / lower bound |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| {computed:,} | {size:,} | {report.seconds:.2f} | {computed / report.seconds:,.0f} | {alone:.2f} |"
        f" {setting:.3f} | {report.seconds / lower_bound:.2f} |",
    ]


def read_table(reader: Reader, client: redis.Redis, asked: list[Question], reads: int) -> list[str]:
    """Return the second table: microseconds of a cached read and of its lower bound, measured alternately."""
    texts = [Asked(q.dashboard, q.organization_id, q.visibilities, parameters=dict(q.parameters)) for q in asked]
    names = [cache_key(question).entry for question in asked]
    sides: dict[str, Callable[[int], object]] = {
        "bare GET": lambda n: client.get(names[n % len(names)]),
        "Reader.ask": lambda n: reader.ask(texts[n % len(texts)], ROLES),
    }
    if any(reader.ask(text, ROLES).outcome != "hits" for text in texts):
        raise click.ClickException("not every read is a cache hit")
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(5):
        for name, call in sides.items():
            found[name] += latencies(call, reads // 5)
    lines = ["| read | median us | p95 us | p99 us |", "| --- | ---: | ---: | ---: |"]
    for name, times in found.items():
        cuts = statistics.quantiles(times, n=100)
        lines.append(f"| {name} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} |")
    return lines


@click.command(help=__doc__)
@click.option("--keys", type=click.IntRange(min=10), default=2000, show_default=True, help="Keys to warm.")
@click.option("--reads", type=click.IntRange(min=100), default=20_000, show_default=True, help="Reads per side.")
def main(keys: int, reads: int) -> None:
    """Start the servers, measure, print the tables and remove everything."""
    with tempfile.TemporaryDirectory(prefix="orgo-insights-bench-") as folder:
        os.environ |= {"DBT_TARGET_PATH": f"{folder}/target", "DBT_LOG_PATH": f"{folder}/logs", "INSIGHTS_ENV": "prod"}
        state = state_root(Path(folder))
        server, cache = LocalPostgres(state), LocalRedis(state)
        try:
            with redirect_stdout(sys.stderr):
                server.start()
                cache.start()
                os.environ["INSIGHTS_REDIS_URL"] = cache.url()
                settings = load_settings()
                url = prepare(server, settings)
                with closing(Reader.open(settings, url)) as reader, redis.Redis.from_url(cache.url()) as client:
                    client.config_set("maxmemory", "0")
                    asked = questions(reader, keys)
                    lines = warm_table(reader, settings, client, url, asked)
                    lines += ["", *read_table(reader, client, asked, reads)]
        finally:
            cache.stop()
            server.stop()
            remove_state(state)
    print("\n".join(lines))
    print(f"\nload average at the end {', '.join(f'{average:.1f}' for average in os.getloadavg())}")


if __name__ == "__main__":
    main()
