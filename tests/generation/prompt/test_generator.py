"""The generator and the judge through a real HTTP server whose answers are written here."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch, diff_texts
from apr.core.ports import RepairContext
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.run import Budget
from apr.core.tree import SearchNode
from apr.generation.prompt.generator import PromptGenerator
from apr.generation.prompt.judge import ModelJudge
from apr.generation.prompt.settings import Interface, PromptSettings
from apr.llm.client import OpenAIClient
from apr.llm.endpoint import Endpoint
from apr.search.budget import BudgetMeter
from support.openai_server import Reply, Server, answer, serving

SOURCE = "def double(x):\n    return x + x + 1\n\n\ndef half(x):\n    return x // 3\n"
TESTS = "def test_double():\n    assert double(2) == 4\n"
FAILURE = TestResult(TestId("test_a.py::test_double"), TestOutcome.FAILED, message="assert 5 == 4")
RIGHT = "```python\ndef double(x):\n    return x + x\n```"
WRONG = "```python\ndef double(x):\n    return x\n```"


def context(*lines: int, **options: Any) -> RepairContext:
    return RepairContext(
        bug=Bug("/subject", TestCommand(RunnerKind.PYTEST), **options),
        sources={"a.py": SOURCE},
        locations=tuple(
            SuspiciousLocation(Location("a.py", line, line), 1.0 / n, "ochiai")
            for n, line in enumerate(lines or (2,), 1)
        ),
        failures=(FAILURE,),
        test_sources={"test_a.py": TESTS},
        seed=3,
    )


@contextmanager
def model(*texts: str) -> Iterator[tuple[OpenAIClient, Server]]:
    """A client of a server that answers with `texts` in turn, the last one for ever.

    It gives one answer at a time, however many it is asked for.
    """
    script: Callable[[int, dict[str, Any]], Reply] = lambda number, request: answer(  # noqa: E731
        {**request, "n": 1}, texts[min(number, len(texts) - 1)]
    )
    with serving(script) as server:
        endpoint = Endpoint("m", server.base_url, concurrency=1)
        with OpenAIClient(endpoint, BudgetMeter(Budget(), time.monotonic)) as client:
            yield client, server


def root() -> SearchNode:
    return SearchNode(0, None, Patch())


def said(server: Server, number: int = 0) -> str:
    return "\n".join(message["content"] for message in server.requests[number]["messages"])


def test_answers_become_patches_against_the_base() -> None:
    asked = context()
    with model(RIGHT, WRONG, RIGHT) as (client, server):
        generator = PromptGenerator(client)
        found = generator.propose(asked, root(), 3)
    texts = [proposal.patch.apply(asked.sources)["a.py"] for proposal in found]
    assert "return x + x\n" in texts[0]
    assert "return x\n" in texts[1]
    assert len(found) == 2, "answers that repeat each other are one proposal"
    assert found[0].score > found[1].score > 0
    assert generator.answers[found[0].patch.digest] == RIGHT
    assert {proposal.origin for proposal in found} == {"m"}
    assert len({request["seed"] for request in server.requests}) == 3
    assert [request.get("n", 1) for request in server.requests] == [3, 2, 1], "one at a time"


def test_the_question_shows_code_test_and_failure_but_no_other_function_body() -> None:
    with model(RIGHT) as (client, server):
        PromptGenerator(client).propose(context(issue_text="It doubles too much."), root(), 1)
    text = said(server)
    assert "return x + x + 1" in text
    assert "assert double(2) == 4" in text
    assert "assert 5 == 4" in text
    assert "It doubles too much." in text
    assert "def half(x):" in text
    assert "x // 3" not in text


def test_the_same_run_asks_the_same_questions() -> None:
    asked = []
    for _ in range(2):
        with model(RIGHT) as (client, server):
            generator = PromptGenerator(client)
            generator.propose(context(), root(), 2)
            generator.propose(context(), root(), 2)
            asked.append(server.requests)
    assert asked[0] == asked[1]


def test_an_answer_that_cannot_be_applied_is_sent_back_with_the_reason() -> None:
    with model("Swap the arguments.", RIGHT) as (client, server):
        generator = PromptGenerator(client)
        found = generator.propose(context(), root(), 1)
    assert len(found) == 1
    assert "no code block" in server.requests[1]["messages"][-1]["content"]
    assert "Swap the arguments." not in said(server, 1), "talk is better forgotten"
    assert generator.rejected == {"no code": 1}


def test_an_answer_that_is_nearly_right_is_shown_to_its_author() -> None:
    broken = "```python\ndef double(x):\n    return (x + x\n```"
    with model(broken, RIGHT) as (client, server):
        generator = PromptGenerator(client)
        found = generator.propose(context(), root(), 1)
    assert len(found) == 1, "nothing is validated that does not compile"
    assert "does not compile" in server.requests[1]["messages"][-1]["content"]
    assert server.requests[1]["messages"][-2]["content"] == broken
    assert (generator.answered, generator.rejected) == (2, {"does not compile": 1})


def test_corrections_come_to_an_end() -> None:
    with model("I do not know.") as (client, server):
        found = PromptGenerator(client, PromptSettings(corrections=2)).propose(context(), root(), 1)
    assert found == []
    assert len(server.requests) == 3


def refined(client: OpenAIClient, asked: RepairContext, report: ValidationReport) -> SearchNode:
    [first] = PromptGenerator(client).propose(asked, root(), 1)
    return SearchNode(1, 0, first.patch, depth=1, report=report)


STILL = ValidationReport(
    Verdict.STILL_FAILS,
    Stage.TRIGGER,
    triggers_total=1,
    message="test_a.py::test_double: failed: assert 2 == 4",
    results=(TestResult(FAILURE.test, TestOutcome.FAILED, message="assert 2 == 4"),),
)


def test_a_refinement_starts_from_the_patch_and_what_its_tests_said() -> None:
    asked = context()
    with model(WRONG, RIGHT) as (client, server):
        node = refined(client, asked, STILL)
        [second] = PromptGenerator(client).propose(asked, node, 1)
    text = said(server, 1)
    assert "+    return x\n" in text
    assert "assert 2 == 4" in text
    assert "assert 5 == 4" not in text
    assert second.patch.apply(asked.sources)["a.py"].startswith(
        "def double(x):\n    return x + x\n"
    )
    assert second.patch.hunks[0].old == ("    return x + x + 1\n",), "against the base"


def test_without_feedback_only_the_first_failure_is_shown() -> None:
    asked = context()
    with model(WRONG, RIGHT) as (client, server):
        node = refined(client, asked, STILL)
        PromptGenerator(client, PromptSettings(feedback=False)).propose(asked, node, 1)
    assert "assert 5 == 4" in said(server, 1)
    assert "assert 2 == 4" not in said(server, 1)


def test_a_patch_that_does_not_compile_is_shown_with_the_error() -> None:
    asked = context()
    report = ValidationReport(Verdict.DOES_NOT_BUILD, Stage.COMPILE, message="SyntaxError: oh")
    with model(WRONG, RIGHT) as (client, server):
        PromptGenerator(client).propose(asked, refined(client, asked, report), 1)
    assert "SyntaxError: oh" in said(server, 1)


def test_functions_take_turns_by_their_suspiciousness() -> None:
    asked = context(2, 6)
    with model(RIGHT) as (client, server):
        generator = PromptGenerator(client, PromptSettings(corrections=0))
        for _ in range(3):
            generator.propose(asked, root(), 1)
    turns = ["double" if "function `double`" in said(server, n) else "half" for n in range(3)]
    assert turns == ["double", "double", "half"]


def test_what_does_not_fit_into_the_prompt_is_left_out() -> None:
    sources = {"a.py": SOURCE + "".join(f"\n\ndef f{n}():\n    pass\n" for n in range(400))}
    asked = context()
    asked = RepairContext(
        asked.bug, sources, asked.locations, asked.failures, asked.test_sources, seed=3
    )
    with model(RIGHT) as (client, server):
        PromptGenerator(client, PromptSettings(prompt_tokens=500)).propose(asked, root(), 1)
    text = said(server)
    assert "assert 5 == 4" in text
    assert "f399" not in text
    assert len(text) < 500 * 4


def test_code_outside_functions_is_asked_about_by_its_lines() -> None:
    asked = RepairContext(
        bug=Bug("/subject", TestCommand(RunnerKind.PYTEST)),
        sources={"a.py": "LIMIT = 3\n"},
        locations=(SuspiciousLocation(Location("a.py", 1, 1), 1.0, "ochiai"),),
        failures=(FAILURE,),
        test_sources={},
    )
    with model("```python\nLIMIT = 4\n```") as (client, _):
        [found] = PromptGenerator(client).propose(asked, root(), 1)
    assert found.patch.apply(asked.sources) == {"a.py": "LIMIT = 4\n"}


def judged(report: ValidationReport, *texts: str) -> tuple[float, int]:
    asked = context()
    with model(WRONG, *texts) as (client, server):
        node = refined(client, asked, report)
        reward = ModelJudge(client, asked, {}).reward(node, root())
        return reward, len(server.requests) - 1


def test_the_judge_is_asked_only_when_the_tests_leave_it_open() -> None:
    assert judged(STILL, "Perhaps 70 of 100.") == (0.7, 1)
    assert judged(ValidationReport(Verdict.PLAUSIBLE, Stage.CONFIRM)) == (1.0, 0)
    assert judged(ValidationReport(Verdict.DOES_NOT_BUILD, Stage.COMPILE)) == (-1.0, 0)
    hangs = (TestResult(FAILURE.test, TestOutcome.TIMEOUT),)
    assert judged(ValidationReport(Verdict.STILL_FAILS, Stage.TRIGGER, results=hangs)) == (-1.0, 0)
    same = f"{FAILURE.test}: failed: {FAILURE.message}"
    unchanged = ValidationReport(Verdict.STILL_FAILS, Stage.TRIGGER, message=same)
    assert judged(unchanged) == (0.0, 0)


def test_a_judge_without_money_has_no_opinion() -> None:
    asked = context()
    with serving(lambda _, r: answer(r, "90")) as server:
        endpoint = Endpoint("m", server.base_url, concurrency=1)
        purse = BudgetMeter(Budget(calls=1), time.monotonic)
        with OpenAIClient(endpoint, purse) as client:
            judge = ModelJudge(client, asked, {})
            nodes = [SearchNode(i, 0, changed(i), depth=1, report=STILL) for i in (1, 2, 3)]
            pairs = [(node, root()) for node in nodes]
            assert judge.rewards(pairs) == [0.9, 0.5, 0.5]
            assert judge.rewards(pairs) == [0.5, 0.5, 0.5]


def changed(number: int) -> Patch:
    return diff_texts({"a.py": SOURCE}, {"a.py": SOURCE.replace("+ 1", f"+ {number + 1}")})


def test_dedent_is_not_needed_for_a_method() -> None:
    source = textwrap.dedent(
        """\
        class A:
            def get(self):
                return 1
        """
    )
    asked = RepairContext(
        bug=Bug("/subject", TestCommand(RunnerKind.PYTEST)),
        sources={"a.py": source},
        locations=(SuspiciousLocation(Location("a.py", 3, 3), 1.0, "ochiai", "A.get"),),
        failures=(FAILURE,),
        test_sources={},
    )
    with model("```\ndef get(self):\n    return 2\n```") as (client, server):
        [found] = PromptGenerator(client).propose(asked, root(), 1)
    assert "def get(self):\n    return 1" in said(server)
    assert found.patch.apply(asked.sources)["a.py"] == source.replace("1", "2")


def test_a_prompt_that_does_not_fit_is_put_again_with_half_the_room() -> None:
    def small(_: int, request: dict[str, Any]) -> Reply:
        size = sum(len(message["content"]) for message in request["messages"])
        message = f"the request ({size} bytes) exceeds the available context size"
        return (
            answer(request, RIGHT) if size < 1200 else Reply(400, {"error": {"message": message}})
        )

    asked = context(issue_text="It doubles too much. " * 200)
    with serving(small) as server:
        endpoint = Endpoint("m", server.base_url)
        with OpenAIClient(endpoint, BudgetMeter(Budget(), time.monotonic)) as client:
            generator = PromptGenerator(client)
            assert len(generator.propose(asked, root(), 1)) == 1
            before = len(server.requests)
            generator.propose(asked, root(), 1)
    assert before > 1
    assert len(server.requests) == before + 1, "what did not fit once is not tried again"
    assert "assert 5 == 4" in said(server, -1)


def test_an_answer_may_be_as_long_as_the_code_needs_and_no_longer() -> None:
    with model(RIGHT) as (client, server):
        PromptGenerator(client).propose(context(), root(), 1)
        PromptGenerator(client, PromptSettings(answer_tokens=50)).propose(context(), root(), 1)
    assert 300 < server.requests[0]["max_tokens"] < 400
    assert server.requests[1]["max_tokens"] == 50


def test_answers_of_one_question_are_drawn_together_or_one_by_one() -> None:
    with serving(lambda _, r: answer(r, RIGHT)) as server:
        endpoint = Endpoint("m", server.base_url)
        with OpenAIClient(endpoint, BudgetMeter(Budget(), time.monotonic)) as client:
            PromptGenerator(client).propose(context(), root(), 3)
            PromptGenerator(client, PromptSettings(joint=False)).propose(context(), root(), 3)
    assert [request.get("n", 1) for request in server.requests] == [3, 1, 1, 1]


def test_a_base_model_continues_the_function() -> None:
    with model("    return x + x\n", "    return x +") as (client, server):
        generator = PromptGenerator(client, PromptSettings(interface=Interface.COMPLETIONS))
        [found] = generator.propose(context(), root(), 2)
    assert "return x + x\n" in found.patch.apply(context().sources)["a.py"]
    assert generator.rejected == {"does not compile": 1}
    assert len(server.requests) == 2, "a base model does not listen to corrections"


CUT = "```python\ndef double(x):\n    return x + x\n```\nThe tests pass:\n```python\nassert double("


@pytest.mark.parametrize(
    ("text", "is_found"), [(CUT, True), (RIGHT[:-4], False), ("Well, perhaps", False)]
)
def test_of_an_answer_that_breaks_off_what_is_whole_counts(text: str, is_found: bool) -> None:
    def script(_: int, request: dict[str, Any]) -> Reply:
        reply = answer(request, text)
        reply.body["choices"][0]["finish_reason"] = "length"
        return reply

    with serving(script) as server:
        endpoint = Endpoint("m", server.base_url)
        with OpenAIClient(endpoint, BudgetMeter(Budget(), time.monotonic)) as client:
            generator = PromptGenerator(client, PromptSettings(corrections=0))
            assert bool(generator.propose(context(), root(), 1)) is is_found
    assert generator.rejected == ({} if is_found else {"cut off": 1})
