"""What holds for every language: positions, layout, broken text, scope, normal form, validity."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from apr.generation.template.edits import Edit, Ingredients, Language
from apr.generation.template.fingerprint import FileFingerprint
from apr.generation.template.treesitter import LANGUAGES

JAVA, JAVASCRIPT, C = LANGUAGES

JAVA_FILE = """\
package shop.basket;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A basket of priced items. */
public class Basket<T extends Item> {
    private static final int LIMIT = 100;
    private final List<T> items = new ArrayList<>();
    private int[] totals = new int[LIMIT];
    private String owner;
    private boolean open = true;

    public Basket(String owner) {
        this.owner = owner;
    }

    public boolean add(T item, int count) {
        if (item == null || count <= 0) {
            return false;
        }
        for (int i = 0; i < count && items.size() < LIMIT; i++) {
            items.add(item);
            totals[i] += item.price();
        }
        return open;
    }

    public double average() {
        int sum = 0;
        for (T item : items) {
            if (!item.isFree()) sum += item.price();
            else continue;
        }
        return items.isEmpty() ? 0 : (double) sum / items.size();
    }

    public String label(Map<String, String> names) throws IllegalStateException {
        String name = names.get(owner);
        switch (items.size()) {
            case 0:
                name = "empty";
                break;
            default:
                name = name + ", " + Math.max(items.size(), 1);
        }
        try {
            return name.trim().toLowerCase();
        } catch (NullPointerException e) {
            throw new IllegalStateException("no owner", e);
        } finally {
            open = false;
        }
    }

    public int find(T wanted) {
        int low = 0, high = items.size() - 1;
        while (low <= high) {
            int middle = (low + high) / 2;
            if (items.get(middle).equals(wanted)) return middle;
            if (items.get(middle).price() < wanted.price()) low = middle + 1;
            else high = middle - 1;
        }
        items.forEach(item -> item.touch(low));
        return -1;
    }
}
"""
JAVASCRIPT_FILE = """\
'use strict';
const fs = require('fs');
import { clamp } from './clamp.mjs';

const LIMIT = 100;
let cache = new Map();

function parseLine(line, separator = ',') {
  const [name, value] = line.split(separator);
  if (!name || value === undefined) {
    return null;
  }
  return { name: name.trim(), value: Number(value) };
}

export class Table {
  #rows = [];
  size = 0;

  constructor(path, options) {
    this.path = path;
    this.options = options ?? {};
  }

  async load() {
    const text = await fs.promises.readFile(this.path, 'utf8');
    for (const line of text.split('\\n')) {
      const row = parseLine(line);
      if (row === null) continue;
      this.#rows.push(row);
      this.size += 1;
    }
    return this;
  }

  mean(key) {
    let sum = 0;
    for (let i = 0; i < this.#rows.length; i++) {
      sum += this.#rows[i][key];
    }
    return this.#rows.length ? sum / this.#rows.length : NaN;
  }

  find(predicate) {
    try {
      return this.#rows.filter((row) => predicate(row, LIMIT))[0];
    } catch (error) {
      console.error(`no row: ${error.message}`);
    } finally {
      cache.clear()
    }
  }
}

export const best = (rows, limit) => {
  let top = -Infinity
  for (const row of rows) {
    if (row.value > top && row.value < limit) top = clamp(row.value, 0, limit)
  }
  while (top % 2 != 0) { top--; }
  return top
}
"""
C_FILE = """\
#include <stdlib.h>
#include <string.h>

#define CAPACITY 16

typedef struct entry {
    char *key;
    int value;
    struct entry *next;
} Entry;

struct pair {
    int first, second; // by value
};

static Entry *buckets[CAPACITY];
static int count = 0;

static unsigned hash(const char *key)
{
    unsigned h = 5381;
    for (size_t i = 0; i < strlen(key); i++) {
        h = (h << 5) + h + key[i];
    }
    return h % CAPACITY;
}

#ifdef VERBOSE
static void trace(const char *text) { puts(text); }
#endif

int put(const char *key, int value)
{
    unsigned slot = hash(key);
    Entry *entry = buckets[slot];
    while (entry != NULL && strcmp(entry->key, key) != 0)
        entry = entry->next;
    if (!entry) {
        entry = malloc(sizeof(Entry));
        if (entry == NULL) return -1;
        entry->key = strdup(key);
        entry->next = buckets[slot];
        buckets[slot] = entry;
        count++;
    }
    entry->value = value;
    return 0;
}

double mean(const int *values, int n, int *largest)
{
    int sum = 0;
    *largest = values[0];
    for (int i = 0; i < n; ++i) {
        sum += values[i];
        if (values[i] > *largest) {
            *largest = values[i];
        } else {
            continue;
        }
    }
    switch (n) {
    case 0:
        return 0;
    default:
        break;
    }
    return n > 0 ? (double) sum / n : 0.0;
}
"""
FILES = [(JAVA, JAVA_FILE), (JAVASCRIPT, JAVASCRIPT_FILE), (C, C_FILE)]


def edits(
    language: Language,
    text: str,
    lines: frozenset[int] | None = None,
    ingredients: Ingredients | None = None,
) -> list[Edit]:
    return list(language.edits(text, lines, ingredients or Ingredients()))


@pytest.mark.parametrize(("language", "text"), FILES)
def test_edits_of_a_realistic_file_are_valid_syntax(language: Language, text: str) -> None:
    found = edits(language, text)[::11]
    broken = Counter(e.template for e in found if language.normalise(e.apply(text)) is None)
    assert len(found) > 200
    assert sum(broken.values()) <= 0.01 * len(found), broken
    assert all(0 < e.prior <= 1 and 1 <= e.line <= len(text.splitlines()) for e in found)


@pytest.mark.parametrize(("language", "text"), FILES)
def test_equal_input_gives_equal_edits(language: Language, text: str) -> None:
    lines = frozenset(range(20, 30))
    assert edits(language, text, lines) == edits(language, text, lines)


@pytest.mark.parametrize(("language", "text"), FILES)
def test_edits_stay_at_the_requested_lines(language: Language, text: str) -> None:
    every = {(e.start, e.end, e.replacement) for e in edits(language, text)}
    some = edits(language, text, frozenset({20, 21, 33}))
    assert {e.line for e in some} <= {20, 21, 33}
    assert 0 < len(some) < len(every)
    assert {(e.start, e.end, e.replacement) for e in some} <= every


def test_an_inner_line_of_a_statement_counts_for_its_first_line() -> None:
    text = "class A { int f(int a, int b) {\n        return g(a,\n            b);\n} }\n"
    found = [e for e in edits(JAVA, text, frozenset({2})) if text[e.start : e.end] == "b"]
    assert found
    assert {e.line for e in found} == {2}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["int f( { return 1; }", "if (a { b }", "f(a, b"])
def test_broken_text_yields_nothing(language: Language, text: str) -> None:
    assert language.normalise(text) is None
    assert edits(language, text) == []
    assert language.harvest(text) == Ingredients()
    assert language.chunks(text) == [(0, len(text))]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            JAVA,
            'class Ä {\n  String ü = "größer 😀"; // naïve\n  int f(int é) { return é < 1; }\n}\n',
        ),
        (JAVASCRIPT, "// naïve 😀\nconst ü = 'größer';\nfunction f(é) { return é < 1; }\n"),
        (C, '/* naïve 😀 */\nchar *u = "größer";\nint f(int é) { return é < 1; }\n'),
    ],
)
def test_offsets_are_characters_in_text_that_is_not_ascii(language: Language, text: str) -> None:
    wanted = text.replace("é < 1", "é <= 1")
    assert wanted in {e.apply(text) for e in edits(language, text)}
    turned = text.replace("größer", "GRÖSSER")
    assert turned in {e.apply(text) for e in edits(language, text)}
    (start,) = {e.start for e in edits(language, text) if e.template == "comparison-swap"}
    assert text[start] == "<"


@pytest.mark.parametrize(
    "text",
    [
        "EXPORT int f(int a) { return a < 1; }\n",
        "int f(int a UNUSED) { return a < 1; }\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\nint f(int a) { return a < 1; }\n'
        "#ifdef __cplusplus\n}\n#endif\n",
        "EXPORT char *f(EXPORT char *a) { return a < 1; }\n",
        "int f(int a) { FOR_EACH(b, list) { a += b; } return a < 1; }\n",
    ],
)
def test_macros_of_c_are_no_syntax_errors(text: str) -> None:
    wanted = text.replace("< 1", "<= 1")
    forms = [C.normalise(text[start:end]) for start, end in C.chunks(text)]
    assert "".join(form or "?" for form in forms) == C.normalise(text)
    assert C.normalise(wanted) is not None
    assert wanted in {e.apply(text) for e in edits(C, text)}


@pytest.mark.parametrize(
    "text", ["int f() { return a b; }", "int f(int a) { g(a) }", "int f(int a) { g(a) return 1; }"]
)
def test_other_errors_in_c_remain_errors(text: str) -> None:
    assert C.normalise(text) is None


def test_bytes_that_are_no_utf8_are_left_alone() -> None:
    text = 'int f(int a) { puts("\udce4"); return a + 1; }\n'
    assert text.replace("a + 1", "a - 1") in {e.apply(text) for e in edits(C, text)}
    assert C.normalise(text) != C.normalise(text.replace("\udce4", "\udcf6"))


@pytest.mark.parametrize(("language", "text"), FILES)
def test_crlf_is_kept(language: Language, text: str) -> None:
    windows = text.replace("\n", "\r\n")
    for edit in edits(language, windows, frozenset(range(15, 30))):
        assert edit.apply(windows).replace("\r\n", "").count("\n") == 0


def test_inserted_statement_has_a_line_and_the_indentation_of_its_neighbour() -> None:
    text = "void f(int a) {\n\tg(a);\n\tif (a > 7) {\n\t\th(a);\n\t}\n}\n"
    wanted = "void f(int a) {\n\tg(a);\n\tif (a > 7) {\n\t\tg(a);\n\t\th(a);\n\t}\n}\n"
    assert wanted in {e.apply(text) for e in edits(C, text)}


def test_deleted_statement_takes_its_line_along() -> None:
    text = "void f(int a) {\n    g(a);\n    h(a);\n}\n"
    wanted = "void f(int a) {\n    h(a);\n}\n"
    assert wanted in {e.apply(text) for e in edits(C, text)}


@pytest.mark.parametrize(
    ("language", "text", "place", "visible", "hidden"),
    [
        (
            JAVA,
            "class A { int q; void f(int a) { int b = 1; { int c = 2; } g(here); int d = 3; } "
            "int r; }",
            "here",
            {"a", "b", "q", "r"},
            {"c", "d"},
        ),
        (
            JAVA,
            "class A { void f(int[] xs) { for (int i = 0; i < 3; i++) { g(i); } "
            "for (int x : xs) { g(here); } } }",
            "here",
            {"xs", "x"},
            {"i"},
        ),
        (
            JAVASCRIPT,
            "const u = 1; function f(a, { b, c: d }, ...e) { let [g] = a; "
            "try { k(here); } catch (x) { } const h = y => y; let z; }",
            "here",
            {"u", "a", "b", "d", "e", "g"},
            {"c", "x", "y", "h", "z"},
        ),
        (
            C,
            "int u; int f(int a, char *b, int c[]) { int d, *e = 0; k(here); int h; } int w;",
            "here",
            {"u", "a", "b", "c", "d", "e"},
            {"h", "w"},
        ),
    ],
)
def test_only_variables_in_scope_replace_a_name(
    language: Language, text: str, place: str, visible: set[str], hidden: set[str]
) -> None:
    start = text.index(place)
    offered = {
        e.replacement
        for e in edits(language, text)
        if e.template == "wrong-variable" and e.start == start
    }
    assert visible <= offered
    assert not hidden & offered


def test_variable_of_the_declared_type_comes_first() -> None:
    text = "class A { void f(String s, int a, String t) { int b = 0; g(b); } }"
    start = text.index("g(b)") + 2
    found = [e for e in edits(JAVA, text) if e.template == "wrong-variable" and e.start == start]
    assert max(found, key=lambda e: e.prior).replacement == "a"


@pytest.mark.parametrize(("language", "text"), FILES)
def test_normal_form_ignores_layout_and_comments_only(language: Language, text: str) -> None:
    form = language.normalise(text)
    relaid = text.replace("{\n", "{ // why\n\n").replace("    ", "\t")
    assert language.normalise(relaid) == form
    assert language.normalise(text.replace("0", "7", 1)) != form


def test_normal_form_keeps_line_breaks_that_mean_something() -> None:
    assert JAVASCRIPT.normalise("function f() { return\n1 }") != JAVASCRIPT.normalise(
        "function f() { return 1 }"
    )
    assert JAVASCRIPT.normalise("x = 'a  b'") != JAVASCRIPT.normalise("x = 'a b'")


@pytest.mark.parametrize(("language", "text"), FILES)
def test_forms_of_the_chunks_make_the_form_of_the_whole(language: Language, text: str) -> None:
    spans = language.chunks(text)
    assert "".join(text[start:end] for start, end in spans) == text
    forms = [language.normalise(text[start:end]) for start, end in spans]
    assert "".join(form or "?" for form in forms) == language.normalise(text)


@pytest.mark.parametrize(("language", "text"), FILES)
def test_fingerprint_of_an_edit_is_that_of_the_edited_file(language: Language, text: str) -> None:
    before = FileFingerprint(text, language)
    for edit in edits(language, text, frozenset({20, 30}))[::10]:
        assert before.digest_after(edit) == FileFingerprint(edit.apply(text), language).digest


def test_harvest_counts_what_the_file_is_made_of() -> None:
    found = C.harvest(C_FILE)
    assert found.calls["strcmp"] == 1
    assert found.names["values"] == 4
    assert found.constants["5381"] == 1
    assert found.statements["count++;"] == 1
    assert found.expressions["entry == NULL"] == 1
    assert found.attributes["next"] == 2


def test_project_ingredients_become_donors() -> None:
    text = "class A { void f(int a) { log(a); } }"
    project = Ingredients(statements={"audit.log(a, 3);": 2, "audit.log(b, 3);": 1})
    found = {e.replacement.strip() for e in edits(JAVA, text, None, project)}
    assert "audit.log(b, 3);" not in found
    project = Ingredients(statements={"Audit.log(a, 3);": 2}, expressions={"a > Audit.MAX": 1})
    found = {e.replacement.strip() for e in edits(JAVA, text, None, project)}
    assert "Audit.log(a, 3);" in found
    assert "if (a > Audit.MAX) log(a);" in found


@pytest.mark.parametrize("operator", ["+", "&&"])
def test_deeply_nested_source_is_no_problem(operator: str) -> None:
    text = f"int f(int a) {{ return {f' {operator} '.join(['a'] * 1500)}; }}\n"
    assert C.normalise(text) is not None
    deep = f"int f(int a) {{ return {'(!' * 140}a{')' * 140}; }}\n"
    assert C.normalise(deep) is not None
    assert sum(1 for _ in zip(range(500), C.edits(text, None, Ingredients()), strict=False)) == 500
    assert edits(C, deep)


def test_bottomless_source_is_refused_instead_of_crashing() -> None:
    assert C.normalise(f"int a = {'+'.join(['1'] * 40000)};") is None
    assert C.normalise(f"int a[] = {{{','.join(['1'] * 40000)}}};") is not None


def test_unusual_syntax_leads_to_valid_edits() -> None:
    text = (
        "for (;;) { x.f(y); this[k](y); q()(z); if (y) break; }\n"
        "const A = ({ x, y }) => <b className='a'>{x + 1} text {y ? <i>é</i> : null}</b>;\n"
    )
    found = edits(JAVASCRIPT, text)
    assert found
    assert [e for e in found if JAVASCRIPT.normalise(e.apply(text)) is None] == []


def test_the_parser_is_loaded_only_when_it_is_needed() -> None:
    code = (
        "import sys, apr.generation.template.treesitter as t; "
        "assert 'tree_sitter' not in sys.modules; "
        "assert t.LANGUAGES[0].normalise('class A {}'); "
        "assert 'tree_sitter_java' in sys.modules and 'tree_sitter_c' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
