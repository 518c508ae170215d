"""The table that is shipped is the one it was made from, and answers in its own time."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from checker.builds import load_builds
from checker.facts.builds import UpdateKind
from checker.facts.servers import Product, Version

SOURCE = Path(__file__).parents[2] / "../shared/data/exchange_builds.json"
TABLE = load_builds()


@pytest.mark.skipif(
    not SOURCE.is_file() and os.environ.get("CI") != "true", reason="the list of builds is not beside the repository"
)
def test_every_build_of_the_source_is_in_the_table() -> None:
    source = json.loads(SOURCE.read_text(encoding="utf-8"))
    expected = [
        (
            entry["build"],
            entry["label"],
            "CU" if entry["kind"] == "RTM" else entry["kind"],
            entry["release_month"],
            entry["support_ends"],
        )
        for entry in source
    ]
    found = [
        (
            str(build.version),
            build.label,
            build.kind.value,
            f"{build.released:%Y-%m}",
            str(TABLE.support_end(Product.of(build.version))),
        )
        for build in TABLE.entries
    ]
    assert found == expected
    days = {entry["build"]: entry["release_date"] for entry in source if entry["release_date"]}
    cumulative = [build for build in TABLE.entries if build.kind is UpdateKind.CUMULATIVE]
    assert {str(build.version): str(build.released) for build in cumulative} == days


def test_the_table_says_where_and_when_it_is_from() -> None:
    assert TABLE.source.startswith("https://")
    assert TABLE.as_of >= max(build.released for build in TABLE.entries)


@pytest.mark.parametrize(
    ("now", "product", "newest"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), Product.EXCHANGE_SE, "15.2.2562.37"),
        (datetime(2026, 2, 27, tzinfo=UTC), Product.EXCHANGE_SE, "15.2.2562.35"),
        (datetime(2022, 6, 1, tzinfo=UTC), Product.EXCHANGE_2016, "15.1.2507.9"),
        (datetime(2014, 2, 25, tzinfo=UTC), Product.EXCHANGE_2013, "15.0.847.32"),
        (datetime(2014, 2, 24, tzinfo=UTC), Product.EXCHANGE_2013, "15.0.775.38"),
        (datetime(2030, 1, 1, tzinfo=UTC), Product.EXCHANGE_2013, "15.0.1497.48"),
    ],
)
def test_the_newest_in_its_time(now: datetime, product: Product, newest: str) -> None:
    build = TABLE.newest_before(now, product)
    assert build is not None
    assert str(build.version) == newest


def test_a_month_alone_is_over_on_its_last_day() -> None:
    released = {str(build.version): build.released for build in TABLE.entries}
    assert released["15.2.2562.35"] == date(2025, 12, 31)
    assert released["15.2.2562.37"] == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("version", "label"),
    [
        (Version(15, 2, 2562, 37), "Exchange SE RTM Feb26SU (15.2.2562.37)"),
        (Version(15, 2, 330, 5), "Exchange 2019 CU1 (15.2.330.5)"),  # a security update came with it
        (Version(15, 2, 1748, 99), "Exchange 2019 CU15 (15.2.1748.99)"),
        (Version(15, 1, 225, 42), "Exchange 2016 (15.1.225.42)"),
        (Version(14, 3, 513, 0), "Exchange 2010 (14.3.513.0)"),
    ],
)
def test_labels(version: Version, label: str) -> None:
    assert TABLE.label(version) == label


def test_support() -> None:
    assert TABLE.support_end(Product.EXCHANGE_2010) == date(2020, 10, 13)
    assert TABLE.support_end(Product.NEWER) is None
