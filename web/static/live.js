// Keeps a page up to date: whenever something happened, it is fetched again, and the parts of it
// that are marked data-live take the place of the old ones. Without this module a page is right
// as of when it was loaded.

const AT_MOST_EVERY_MS = 900;
const DONE = new Set(["succeeded", "exhausted", "failed", "interrupted", "cancelled"]);

let isFetching = false;
let isWanted = false;
let last = 0;

async function refresh() {
  if (isFetching || document.hidden) {
    isWanted = true;
    return;
  }
  const wait = last + AT_MOST_EVERY_MS - Date.now();
  if (wait > 0) {
    if (!isWanted) setTimeout(() => { isWanted = false; refresh(); }, wait);
    isWanted = true;
    return;
  }
  isFetching = true;
  last = Date.now();
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.ok) replaceParts(await response.text());
  } catch { /* the server is away: the next event, or look, tries again */ } finally {
    isFetching = false;
    if (isWanted) { isWanted = false; refresh(); }
  }
}

function replaceParts(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const fresh = page.getElementById(old.id);
    if (fresh === null || fresh.isEqualNode(old) || old.contains(document.activeElement)) continue;
    keepOpen(old, fresh);
    old.replaceWith(fresh);
  }
  document.dispatchEvent(new CustomEvent("apr:refreshed"));
}

function keepOpen(old, fresh) {
  const was = [...old.querySelectorAll("details")].map((one) => one.open);
  fresh.querySelectorAll("details").forEach((one, place) => { one.open = was[place] ?? one.open; });
}

function follow(address) {
  const source = new EventSource(address);
  const heard = () => { refresh(); };
  source.onmessage = heard;
  for (const kind of ["phase", "sandbox", "warning", "baseline", "locations", "search", "plausible",
    "discrepancy", "failed", "model", "status"]) source.addEventListener(kind, heard);
  for (const kind of ["end", "status"]) {
    source.addEventListener(kind, (event) => {
      if (kind === "end" || DONE.has(readStatus(event.data))) {
        source.close();
        setTimeout(refresh, AT_MOST_EVERY_MS);
      }
    });
  }
}

function readStatus(data) {
  try { return JSON.parse(data).status; } catch { return undefined; }
}

const { events, poll } = document.body.dataset;
if (events) follow(events);
if (poll) setInterval(() => { if (document.body.dataset.poll) refresh(); }, Number(poll));
document.addEventListener("visibilitychange", () => { if (!document.hidden && isWanted) refresh(); });

for (const select of document.querySelectorAll("form[role=search] select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
