"""The same run on PostgreSQL: the same code, the same tree."""

from __future__ import annotations

from support.e2e import BUGS


def test_a_run_on_postgresql_equals_the_one_on_sqlite(apr, postgres_url: str) -> None:
    subject = BUGS / "off_by_one" / "subject"
    argv = ("fix", subject, "--seed", 5, "--candidates", 200)
    here = apr(*argv)
    there = apr(*argv, APR_DATABASE_URL=postgres_url)
    assert here.returncode == there.returncode == 0, there.stderr
    assert here.stdout == there.stdout
    assert "plausible" in apr("show", "last", APR_DATABASE_URL=postgres_url).stdout
