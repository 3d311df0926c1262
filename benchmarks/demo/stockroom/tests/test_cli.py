import pytest

from stockroom.cli import main

PRODUCTS = "TEA; Green tea; 4.00; drinks; 250\nMUG; Mug; 12.50; kitchen; 400\n"
ORDERS = "A1, Ada, 2026-03-01, 2 x MUG\nA2, Bob, 2026-03-02, 3 x TEA\n"


@pytest.fixture
def run(tmp_path, capsys):
    def run(orders, *options):
        (tmp_path / "products.txt").write_text(PRODUCTS, encoding="utf-8")
        (tmp_path / "orders.txt").write_text(orders, encoding="utf-8")
        paths = (str(tmp_path / "products.txt"), str(tmp_path / "orders.txt"))
        return main([*paths, *options]), capsys.readouterr()

    return run


def test_summary_is_printed(run):
    status, captured = run(ORDERS)
    assert status == 0
    assert "revenue        37.00" in captured.out


def test_best_customers_are_listed_on_request(run):
    _, captured = run(ORDERS, "--customers", "1")
    assert captured.out.splitlines()[-1] == "Ada"


def test_file_without_orders_is_no_error(run):
    status, captured = run("# nothing sold yet\n")
    assert status == 0
    assert captured.out.split()[:2] == ["orders", "0"]


def test_bad_file_is_reported_on_stderr(run):
    status, captured = run("A1, Ada\n")
    assert status == 1
    assert captured.err.startswith("stockroom: line 1:")
