"""Each family of templates proposes the fix of a small bug of its kind."""

from __future__ import annotations

from textwrap import dedent

import pytest

from apr.generation.template.edits import Ingredients
from apr.generation.template.python.language import PythonLanguage

PYTHON = PythonLanguage()


def proposed(text: str, project: str = "") -> dict[str, str]:
    """Normal form of every edited text, with the template that made it."""
    ingredients = Ingredients.merge([PYTHON.harvest(text), PYTHON.harvest(project)])
    found = {}
    for edit in PYTHON.edits(text, None, ingredients):
        form = PYTHON.normalise(edit.apply(text))
        if form is not None:
            found.setdefault(form, edit.template)
    return found


def assert_fixable(buggy: str, fixed: str, project: str = "") -> None:
    buggy, fixed = dedent(buggy), dedent(fixed)
    form = PYTHON.normalise(fixed)
    assert form is not None
    assert form in proposed(buggy, dedent(project))


EXPRESSIONS = [
    # operators
    ("total = price + tax", "total = price - tax"),
    ("total = price * (1 - tax)", "total = price * (1 + tax)"),
    ("share = part / whole", "share = part // whole"),
    ("mask = a & b", "mask = a | b"),
    ("ok = a and b", "ok = a or b"),
    ("n = 1 + cost(a)", "n = cost(a)"),
    ("text = head + tail", "text = tail + head"),
    ("mean = a + b / 2", "mean = (a + b) / 2"),
    ("area = r * 3", "area = r * r * 3"),
    ("area = (a + b)", "area = (a + b) / 2"),
    # comparisons
    ("ok = a < b", "ok = a <= b"),
    ("ok = a < b", "ok = a > b"),
    ("ok = a == b", "ok = a is b"),
    ("ok = a in b", "ok = a not in b"),
    ("ok = len(a) == 0", "ok = len(a) <= 1"),
    ("ok = a < b < c", "ok = a < b <= c"),
    # constants
    ("x = 3", "x = 4"),
    ("x = 3", "x = 0"),
    ("x = True", "x = False"),
    ("x = 'Name'", "x = 'name'"),
    ("x = []", "x = [[]]"),
    ("x = (a, b)", "x = (b, a)"),
    ("x = 'red'\ny = 'blue'", "x = 'blue'\ny = 'blue'"),
    # off by one
    ("y = xs[k]", "y = xs[k + 1]"),
    ("y = xs[:k]", "y = xs[:k - 1]"),
    ("for i in range(n):\n    pass", "for i in range(n + 1):\n    pass"),
    # calls
    ("y = any(xs)", "y = all(xs)"),
    ("y = min(xs)", "y = max(xs)"),
    ("xs.append(ys)", "xs.extend(ys)"),
    ("y = pow(a, b)", "y = pow(b, a)"),
    ("y = f(g(x))", "y = f(x)"),
    ("y = f(a, b)", "y = f(a)"),
    ("y = sorted(xs)", "y = sorted(xs, reverse=True)"),
    ("y = d.keys", "y = d.keys()"),
    # conversions
    ("for x in xs:\n    xs.remove(x)", "for x in list(xs):\n    xs.remove(x)"),
    ("y = a - b", "y = abs(a - b)"),
    ("y = name == key.strip()", "y = name.lower() == key.strip()"),
    # slices and subscripts
    ("for x in xs:\n    f(x)", "for x in xs[1:]:\n    f(x)"),
    ("y = xs[a:b]", "y = xs[a:]"),
    ("y = xs[k:]", "y = xs[:k]"),
    ("y = m[i][j]", "y = m[j][i]"),
    ("y = d[a, b]", "y = d[b, a]"),
    ("y = xs[0]", "y = xs[-1]"),
    # assignments
    ("best = f(x)", "best = max(best, f(x))"),
    ("level = level - loss", "level = max(0, level - loss)"),
    ("total = x", "total += x"),
    ("total += x", "total = x"),
    ("best = 0", "best = float('-inf')"),
    ("a, b = x, y", "b, a = x, y"),
    # loops
    ("for i in range(n):\n    f(i)", "for i in range(1, n):\n    f(i)"),
    ("for x in xs:\n    f(x)", "for x in reversed(xs):\n    f(x)"),
    ("for k in d:\n    f(k)", "for k in d.items():\n    f(k)"),
    # exceptions
    ("try:\n    f()\nexcept KeyError:\n    pass", "try:\n    f()\nexcept IndexError:\n    pass"),
    ("raise KeyError('no')", "raise ValueError('no')"),
]


@pytest.mark.parametrize(("buggy", "fixed"), EXPRESSIONS)
def test_simple_fix_is_proposed(buggy: str, fixed: str) -> None:
    assert_fixable(buggy, fixed)


FUNCTIONS = {
    "wrong variable": (
        "def f(width, height):\n    return width * width\n",
        "def f(width, height):\n    return width * height\n",
    ),
    "wrong variable of a comprehension": (
        "def f(rows):\n    return [rows for row in rows]\n",
        "def f(rows):\n    return [row for row in rows]\n",
    ),
    "wrong target": (
        "def f(xs):\n    low = high = 0\n    low = xs[1]\n    return low, high\n",
        "def f(xs):\n    low = high = 0\n    high = xs[1]\n    return low, high\n",
    ),
    "wrong element assigned": (
        "def f(cost, u, v):\n    cost[u, v] = cost[v] + 1\n",
        "def f(cost, u, v):\n    cost[v] = cost[v] + 1\n",
    ),
    "wrong attribute": (
        "def f(box):\n    return box.width * box.width + box.height\n",
        "def f(box):\n    return box.width * box.height + box.height\n",
    ),
    "weakened condition": (
        "def f(xs, n):\n    if n < 0:\n        return 0\n    return len(xs)\n",
        "def f(xs, n):\n    if not xs or n < 0:\n        return 0\n    return len(xs)\n",
    ),
    "strengthened condition": (
        "def f(a, b):\n    if a > 0:\n        return a - b\n    return 0\n",
        "def f(a, b):\n    if a > b and a > 0:\n        return a - b\n    return 0\n",
    ),
    "none guard": (
        "def f(node):\n    if node.next.done:\n        return 1\n",
        "def f(node):\n    if node.next is not None and node.next.done:\n        return 1\n",
    ),
    "negated condition": (
        "def f(xs):\n    if g(xs):\n        return 1\n",
        "def f(xs):\n    if not g(xs):\n        return 1\n",
    ),
    "endless loop": (
        "def f(queue):\n    while True:\n        queue.pop()\n",
        "def f(queue):\n    while queue:\n        queue.pop()\n",
    ),
    "loop without progress": (
        "def f(n):\n    while n:\n        g(n)\n",
        "def f(n):\n    while n:\n        g(n)\n        n -= 1\n",
    ),
    "early return": (
        "def f(xs, y):\n    for x in xs:\n        y += x\n    return y / len(xs)\n",
        "def f(xs, y):\n    if not xs:\n        return 0\n    for x in xs:\n        y += x\n"
        "    return y / len(xs)\n",
    ),
    "continue guard": (
        "def f(xs):\n    for x in xs:\n        g(x)\n",
        "def f(xs):\n    for x in xs:\n        if x is None:\n            continue\n        g(x)\n",
    ),
    "conditional statement": (
        "def f(xs):\n    for x in xs:\n        g(x)\n",
        "def f(xs):\n    for x in xs:\n        if x is not None:\n            g(x)\n",
    ),
    "deleted statement": (
        "def f(x):\n    x += 1\n    g(x)\n",
        "def f(x):\n    g(x)\n",
    ),
    "swapped statements": (
        "def f(a):\n    b = a\n    a = 1\n    return b, a\n",
        "def f(a):\n    a = 1\n    b = a\n    return b, a\n",
    ),
    "statement moved out of its loop": (
        "def f(xs):\n    for x in xs:\n        g(x)\n        h(xs)\n",
        "def f(xs):\n    for x in xs:\n        g(x)\n    h(xs)\n",
    ),
    "return moved out of its loop": (
        "def f(xs):\n    t = 0\n    for x in xs:\n        t += x\n        return t\n",
        "def f(xs):\n    t = 0\n    for x in xs:\n        t += x\n    return t\n",
    ),
    "statement moved into its loop": (
        "def f(xs):\n    for x in xs:\n        g(x)\n    h(xs)\n    return 1\n",
        "def f(xs):\n    for x in xs:\n        g(x)\n        h(xs)\n    return 1\n",
    ),
    "statement moved into an else": (
        "def f(x):\n    if x:\n        g(x)\n    h(x)\n    return 1\n",
        "def f(x):\n    if x:\n        g(x)\n    else:\n        h(x)\n    return 1\n",
    ),
    "missing else": (
        "def f(a, b, x):\n    if x:\n        a += 1\n    return a, b\n",
        "def f(a, b, x):\n    if x:\n        a += 1\n    else:\n        b += 1\n    return a, b\n",
    ),
    "missing append": (
        "def f(xs):\n    out = []\n    for x in xs:\n        g(x)\n    return out\n",
        "def f(xs):\n    out = []\n    for x in xs:\n        g(x)\n        out.append(x)\n"
        "    return out\n",
    ),
    "missing assignment": (
        "def f(node, last):\n    while node:\n        node = node.next\n    return last\n",
        "def f(node, last):\n    while node:\n        last = node\n        node = node.next\n"
        "    return last\n",
    ),
    "donor of the function": (
        "def f(q):\n    q.lock()\n    g(q)\n    h(q)\n",
        "def f(q):\n    q.lock()\n    g(q)\n    q.lock()\n    h(q)\n",
    ),
    "missing break": (
        "def f(xs):\n    for x in xs:\n        if x:\n            g(x)\n",
        "def f(xs):\n    for x in xs:\n        if x:\n            g(x)\n            break\n",
    ),
    "other return value": (
        "def f(a, b):\n    return a\n",
        "def f(a, b):\n    return b\n",
    ),
    "returned condition": (
        "def f(text):\n    depth = 0\n    for c in text:\n        depth += 1\n    return True\n",
        "def f(text):\n    depth = 0\n    for c in text:\n        depth += 1\n"
        "    return depth == 0\n",
    ),
    "returned concatenation": (
        "def f(xs):\n    ys = list(xs)\n    return [x for x in xs]\n",
        "def f(xs):\n    ys = list(xs)\n    return ys + [x for x in xs]\n",
    ),
    "missing return": (
        "def f(x):\n    if x:\n        g(x)\n    return 0\n",
        "def f(x):\n    if x:\n        return g(x)\n    return 0\n",
    ),
    "result never returned": (
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n",
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out\n",
    ),
    "caught exception": (
        "def f(text):\n    return int(text)\n",
        "def f(text):\n    try:\n        return int(text)\n    except ValueError:\n        pass\n",
    ),
    "mutable default": (
        "def f(x, xs=[]):\n    xs.append(x)\n    return xs\n",
        "def f(x, xs=None):\n    if xs is None:\n        xs = []\n    xs.append(x)\n"
        "    return xs\n",
    ),
    "missing self": (
        "class A:\n    def f(self):\n        self.n = 1\n        return n\n",
        "class A:\n    def f(self):\n        self.n = 1\n        return self.n\n",
    ),
    "missing await": (
        "async def f(c):\n    return c.read()\n",
        "async def f(c):\n    return await c.read()\n",
    ),
    "missing slice by a parameter": (
        "def f(xs, k):\n    n = k + 1\n    for x in xs:\n        g(x, n)\n",
        "def f(xs, k):\n    n = k + 1\n    for x in xs[k:]:\n        g(x, n)\n",
    ),
    "extra keyword": (
        "def f(p):\n    a = load(p, deep=True)\n    return load(a)\n",
        "def f(p):\n    a = load(p, deep=True)\n    return load(a, deep=True)\n",
    ),
    "while for if": (
        "def f(n):\n    if n > 1:\n        n = g(n)\n",
        "def f(n):\n    while n > 1:\n        n = g(n)\n",
    ),
    "elif for if": (
        "def f(n):\n    if n > 1:\n        n = 0\n    if n < 1:\n        n = 2\n",
        "def f(n):\n    if n > 1:\n        n = 0\n    elif n < 1:\n        n = 2\n",
    ),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_fix_of_a_function_is_proposed(kind: str) -> None:
    assert_fixable(*FUNCTIONS[kind])


def test_donor_statement_of_another_file_is_adapted() -> None:
    buggy = "def g(conn):\n    conn.send(1)\n    return conn\n"
    fixed = "def g(conn):\n    conn.send(1)\n    conn.flush_send_queue()\n    return conn\n"
    donor = "def h(link):\n    link.send(2)\n    link.flush_send_queue()\n"
    assert_fixable(buggy, fixed, project=donor)


def test_names_out_of_scope_are_not_inserted_as_variables() -> None:
    text = "def f(a):\n    return a\n\n\ndef g(secret):\n    return secret\n"
    edits = PYTHON.edits(text, frozenset({2}), Ingredients())
    assert [edit for edit in edits if "secret" in edit.replacement] == []


def test_edits_stay_on_the_given_lines() -> None:
    text = "def f(a, b):\n    c = a + b\n    d = a - b\n    return c * d\n"
    lines = {edit.line for edit in PYTHON.edits(text, frozenset({3}), Ingredients())}
    assert lines == {3}


def test_every_prior_is_a_probability() -> None:
    text = "def f(xs, n):\n    for i in range(n):\n        if xs[i] > n:\n            return i\n"
    edits = list(PYTHON.edits(text, None, Ingredients()))
    assert edits
    assert all(0 < edit.prior <= 1 for edit in edits)


def test_docstrings_and_annotations_are_left_alone() -> None:
    text = 'def f(a: int) -> int:\n    """Nothing 1."""\n    return a\n'
    for edit in PYTHON.edits(text, None, Ingredients()):
        assert '"""Nothing 1."""' in edit.apply(text)
        assert "a: int) -> int" in edit.apply(text)


@pytest.mark.parametrize(
    ("buggy", "fixed"),
    [("x = 60", "x = 50"), ("x = 120", "x = 210"), ("x = 100", "x = 1000"), ("x = -35", "x = -53")],
)
def test_a_mistyped_number_is_corrected(buggy: str, fixed: str) -> None:
    assert_fixable(buggy, fixed)


def test_a_guard_of_another_function_is_copied_behind_the_docstring() -> None:
    other = """
        def largest(orders):
            if not orders:
                return ZERO
            return max(orders)

        ZERO = 0
        """
    buggy = '\ndef mean(orders):\n    """The mean."""\n    return sum(orders) / len(orders)\n'
    fixed = buggy.replace(
        '"""\n    return', '"""\n    if not orders:\n        return ZERO\n    return'
    )
    assert_fixable(dedent(other) + buggy, dedent(other) + fixed)


def test_a_guard_whose_names_are_unknown_here_is_not_copied() -> None:
    text = "def f(a):\n    if not a:\n        return 1\n    return a\n\n\ndef g(b):\n    return b\n"
    wanted = PYTHON.normalise(text.replace("return b", "if not a:\n        return 1\n    return b"))
    assert wanted not in proposed(text)


def test_an_attribute_is_looked_up_in_the_class_of_the_annotated_parameter() -> None:
    project = "class Line:\n    paid: int\n    @property\n    def total(self):\n        return 1\n"
    buggy = "def refund(line: Line | None, n):\n    return line.product.price * n\n"
    assert_fixable(buggy, buggy.replace("line.product.price", "line.paid"), project)
    assert_fixable(buggy, buggy.replace("line.product.price", "line.total"), project)


def test_a_value_is_bounded_by_what_the_function_compares_with() -> None:
    buggy = """
        def merge(spans, end):
            if 3 <= spans[-1][1]:
                spans[-1] = (1, end)
        """
    assert_fixable(buggy, buggy.replace("(1, end)", "(1, max(spans[-1][1], end))"))
