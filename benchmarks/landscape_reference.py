"""The same landscapes searched by mctx (Google DeepMind), as a reference: `pip install mctx`.

mctx plans over a fixed number of actions: here the first, second, … refinement of a candidate. One
simulation is one candidate. Draws come from JAX, so worlds follow the same laws as those of
`landscape_world`, and are other ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mctx
import numpy as np
from landscape_world import Landscape

from apr.core.patch import Patch
from apr.core.tree import SearchNode
from apr.search.uct import puct_scores

ACTIONS = 8
POLICIES = {
    "mctx muzero": lambda **given: mctx.muzero_policy(dirichlet_fraction=0.0, **given),
    "mctx gumbel": mctx.gumbel_muzero_policy,
}


def solved(name: str, landscape: Landscape, seeds: int, candidates: int) -> np.ndarray:
    """For each seed the candidates that the first plausible one took, or one more than all."""
    tree = _plan(POLICIES[name], landscape, seeds, candidates)
    is_goal = np.asarray(tree.embeddings["level"] == landscape.goal)
    return np.where(is_goal.any(axis=1), is_goal.argmax(axis=1), candidates + 1)


def _plan(policy: Callable[..., Any], landscape: Landscape, seeds: int, candidates: int) -> Any:
    embedding = {
        "level": jnp.zeros(seeds, jnp.int32),
        "promising": jnp.ones(seeds, bool),
        "key": jax.random.split(jax.random.PRNGKey(0), seeds),
    }
    root = mctx.RootFnOutput(
        prior_logits=jnp.zeros((seeds, ACTIONS)), value=jnp.zeros(seeds), embedding=embedding
    )
    return policy(
        params=(),
        rng_key=jax.random.PRNGKey(1),
        root=root,
        recurrent_fn=_recurrent(landscape),
        num_simulations=candidates,
    ).search_tree


def _recurrent(landscape: Landscape) -> Callable[..., Any]:
    """One refinement, vectorised; see `landscape_world.refine`."""
    up, promising, leap = (
        jnp.array((*values, 0.0)) for values in (landscape.up, landscape.promising, landscape.leap)
    )

    def one(action: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        key = jax.random.fold_in(state["key"], action)
        luck, kind, fate = jax.random.uniform(key, (3,))
        level = jnp.maximum(state["level"], 0)
        is_open = state["promising"] & (level < landscape.goal)
        leaps = is_open & (luck < leap[level])
        rises = is_open & ~leaps & (luck < leap[level] + up[level])
        broken = fate < landscape.broken
        fallen = ~broken & (fate < landscape.broken + landscape.fallen)
        stays = ~broken & ~fallen
        next_level = jnp.select(
            [leaps, rises, broken, fallen],
            [landscape.goal, level + 1, -1, jnp.maximum(level - 1, 0)],
            state["level"],
        )
        is_promising = jnp.where(rises, kind < promising[level + 1], stays & state["promising"])
        is_promising &= next_level < landscape.goal
        value = jnp.where(next_level < 0, -0.95, 0.9 * next_level / landscape.goal)
        value = jnp.where(next_level == landscape.goal, 1.0, value)
        return value, {"level": next_level, "promising": is_promising & ~leaps, "key": key}

    def recurrent(params: Any, key: Any, action: Any, state: Any) -> tuple[Any, Any]:
        value, after = jax.vmap(one)(action, state)
        return (
            mctx.RecurrentFnOutput(
                reward=jnp.zeros_like(value),
                discount=jnp.ones_like(value),
                prior_logits=jnp.zeros((*value.shape, ACTIONS)),
                value=value,
            ),
            after,
        )

    return recurrent


def same_selections(landscape: Landscape, seeds: int, candidates: int, c: float) -> tuple[int, int]:
    """At how many nodes of mctx's trees our PUCT selects the same action, and of how many."""

    def raw(tree: Any, node: Any) -> Any:
        return tree.qvalues(node)

    def policy(**given: Any) -> Any:
        return mctx.muzero_policy(
            **given, dirichlet_fraction=0.0, qtransform=raw, pb_c_init=c, pb_c_base=1e9
        )

    trees = _plan(policy, landscape, seeds, candidates)
    chosen = _choices(trees, raw, c)
    visits, counts = np.asarray(trees.children_visits), np.asarray(trees.node_visits)
    values = np.asarray(trees.children_values)
    same = nodes = 0
    for seed, node in np.argwhere(visits.sum(axis=2) > 0):
        children = [
            _child(action, int(n), float(value))
            for action, (n, value) in enumerate(
                zip(visits[seed, node], values[seed, node], strict=True)
            )
        ]
        scores = puct_scores(children, int(counts[seed, node]), c)
        nodes += 1
        same += scores[chosen[seed, node]] > max(scores) - 1e-5  # equal scores: a tie
    return same, nodes


def _choices(trees: Any, raw: Callable[..., Any], c: float) -> np.ndarray:
    """What mctx would select at every node of every tree."""
    from mctx._src.action_selection import muzero_action_selection

    def at(tree: Any, node: Any) -> Any:
        return muzero_action_selection(
            jax.random.PRNGKey(0), tree, node, 1, qtransform=raw, pb_c_init=c, pb_c_base=1e9
        )

    nodes = jnp.arange(trees.node_visits.shape[1])
    over_nodes = jax.vmap(at, in_axes=(None, 0))
    return np.asarray(jax.vmap(over_nodes, in_axes=(0, None))(trees, nodes))


def _child(action: int, visits: int, mean: float) -> SearchNode:
    return SearchNode(
        id=action,
        parent=None,
        patch=Patch(),
        prior=1.0 / ACTIONS,
        visits=visits,
        total_value=mean * visits,
    )
