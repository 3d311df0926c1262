// Light or dark, as the reader chose it; loaded before the page is drawn, so that nothing flashes.
"use strict";
(() => {
  const KEY = "apr-theme";
  const read = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const show = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
  };
  show(read());
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", () => {
      const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const now = document.documentElement.dataset.theme || system;
      const next = now === "dark" ? "light" : "dark";
      try { localStorage.setItem(KEY, next); } catch { /* it holds for this page alone */ }
      show(next);
    });
  });
})();
