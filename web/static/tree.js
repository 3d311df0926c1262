// Makes the drawing of a search tree move: zoom, pan, arrow keys, and a pane beside it for the
// node that was chosen. The drawing itself, and every link in it, comes from the server.

const LEAST_READABLE = 0.9;
const frame = document.querySelector(".tree-frame");
const tree = document.getElementById("tree");
const pane = document.getElementById("pane");

if (tree) start(tree.querySelector("svg"));

function start(svg) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const view = { x: 0, y: 0, scale: 1 };
  tree.classList.add("moves");
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  document.querySelector(".zoom").hidden = false;

  const draw = () => {
    const wide = tree.clientWidth / view.scale;
    const high = tree.clientHeight / view.scale;
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${wide} ${high}`);
  };
  const zoom = (factor, atX, atY) => {
    const scale = Math.min(4, Math.max(0.08, view.scale * factor));
    view.x += atX / view.scale - atX / scale;
    view.y += atY / view.scale - atY / scale;
    view.scale = scale;
    draw();
  };
  const fit = () => {
    const scale = Math.min(tree.clientWidth / width, tree.clientHeight / height, 1);
    Object.assign(view, { x: 0, y: 0, scale });
    draw();
  };
  const centre = (dot) => {
    const { e, f } = dot.transform.baseVal.consolidate().matrix;
    view.x = e - tree.clientWidth / view.scale * 0.4;
    view.y = f - tree.clientHeight / view.scale / 2;
    draw();
  };
  const keepInSight = (dot) => {
    const { e, f } = dot.transform.baseVal.consolidate().matrix;
    const right = view.x + (tree.clientWidth - 170) / view.scale;
    const below = view.y + (tree.clientHeight - 20) / view.scale;
    if (e < view.x || e > right || f < view.y || f > below) centre(dot);
  };

  const dots = () => [...svg.querySelectorAll(".dot")];
  const find = (id) => svg.querySelector(`.dot[data-id="${Number(id)}"]`);

  document.querySelector(".zoom").addEventListener("click", (event) => {
    const { zoom: what, node } = event.target.dataset;
    const [x, y] = [tree.clientWidth / 2, tree.clientHeight / 2];
    if (what === "in") zoom(1.35, x, y);
    if (what === "out") zoom(1 / 1.35, x, y);
    if (what === "fit") fit();
    if (what === "winner" && find(node)) {
      view.scale = Math.max(view.scale, 1);
      centre(find(node));
      find(node).focus({ preventScroll: true });
    }
  });
  tree.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = tree.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey || !event.shiftKey) {
      zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
    } else {
      view.x += (event.deltaX || event.deltaY) / view.scale;
      draw();
    }
  }, { passive: false });

  pan(svg, view, draw);
  tree.addEventListener("keydown", (event) => {
    const here = document.activeElement.closest(".dot");
    const to = here ? neighbour(dots(), find, here, event.key) : firstOf(dots(), event.key);
    if (to) {
      event.preventDefault();
      to.focus({ preventScroll: true });
      keepInSight(to);
    }
    if (event.key === "+" || event.key === "=") zoom(1.35, tree.clientWidth / 2, tree.clientHeight / 2);
    if (event.key === "-") zoom(1 / 1.35, tree.clientWidth / 2, tree.clientHeight / 2);
    if (event.key === "0") fit();
  });
  svg.addEventListener("click", (event) => {
    const dot = event.target.closest(".dot");
    if (!dot || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(dot).then(() => { draw(); keepInSight(dot); });
  });
  addEventListener("resize", draw);
  fit();
  if (view.scale < LEAST_READABLE) {
    view.scale = LEAST_READABLE; // the path to the winner is the first row
    draw();
  }
}

function pan(svg, view, draw) {
  let from = null;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) from = { x: event.clientX, y: event.clientY, left: view.x, top: view.y };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (!tree.classList.contains("dragging")) {
      if (Math.hypot(x, y) < 4) return;
      svg.setPointerCapture(event.pointerId);
      tree.classList.add("dragging");
    }
    view.x = from.left - x / view.scale;
    view.y = from.top - y / view.scale;
    draw();
  });
  const stop = () => {
    from = null;
    setTimeout(() => tree.classList.remove("dragging"));
  };
  svg.addEventListener("pointerup", stop);
  svg.addEventListener("pointercancel", stop);
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("click", (event) => {
    if (tree.classList.contains("dragging")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, { capture: true });
}

function neighbour(dots, find, here, key) {
  if (key === "ArrowLeft") return find(here.dataset.parent ?? -1);
  if (key === "ArrowRight") return dots.find((dot) => dot.dataset.parent === here.dataset.id);
  if (key === "Home") return dots[0];
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const level = (dot) => dot.transform.baseVal.consolidate().matrix.e;
  const column = dots.filter((dot) => level(dot) === level(here));
  column.sort((a, b) => a.transform.baseVal.consolidate().matrix.f - b.transform.baseVal.consolidate().matrix.f);
  return column[column.indexOf(here) + (key === "ArrowDown" ? 1 : -1)];
}

function firstOf(dots, key) {
  return key.startsWith("Arrow") || key === "Home" ? dots[0] : null;
}

async function open(dot) {
  const response = await fetch(dot.getAttribute("href"), { headers: { Accept: "text/html" } });
  if (!response.ok) {
    location.assign(dot.getAttribute("href"));
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const close = document.createElement("button");
  close.className = "plain close";
  close.textContent = "Close";
  close.addEventListener("click", () => {
    pane.hidden = true;
    frame.classList.remove("open");
    dot.focus({ preventScroll: true });
    dispatchEvent(new Event("resize"));
  });
  pane.replaceChildren(close, page.getElementById("node"));
  pane.hidden = false;
  pane.scrollTop = 0;
  frame.classList.add("open");
  for (const other of document.querySelectorAll(".dot.chosen")) other.classList.remove("chosen");
  dot.classList.add("chosen");
}
