// The status page. What strangers have sent is among what it shows: everything is put as text, nothing as HTML.

import { Chart, short } from "/charts.js";

const PAUSE = 2000;
const TOKEN = "sbc-token";
const KEPT_POINTS = 150;
/// Between two points of a line, in milliseconds.
const APART = 4500;
const by = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");

/// A node with a class, and children of which strings become text.
function node(name, kind, ...children) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const pill = (tone, text) => node("span", `pill ${tone}`, text);

/// Brings the children of `parent` into agreement with `items`, and leaves those alone that are there already: what
/// is open stays open, and what has the focus keeps it.
function keep(parent, items, key, make, update) {
  const before = parent.kept ?? new Map();
  const after = new Map();
  let previous = null;
  for (const item of items) {
    const name = key(item);
    const child = before.get(name) ?? make(item);
    before.delete(name);
    after.set(name, child);
    update(child, item);
    const next = previous ? previous.nextSibling : parent.firstChild;
    if (next !== child) parent.insertBefore(child, next);
    previous = child;
  }
  for (const gone of before.values()) gone.remove();
  parent.kept = after;
}

function text(parent, selector, value) {
  const found = parent.querySelector(selector);
  if (found.textContent !== value) found.textContent = value;
}

function span(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

// What is asked of the daemon.

class Unauthorized extends Error {}

function token() {
  try { return sessionStorage.getItem(TOKEN); } catch { return null; }
}

async function ask(path) {
  const shown = token();
  const headers = shown ? { Authorization: `Bearer ${shown}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store", credentials: "omit", redirect: "error" });
  if (answer.status === 401) throw new Unauthorized();
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? `status ${answer.status}`);
  return told;
}

// What was told, over time.

let points = [];
/// What is newer than the last of them.
let newest = null;
let vocabulary = null;
let previous = null;
let isPaused = false;
let isLost = false;

function remember(point) {
  newest = point;
  const last = points.at(-1);
  if (last && point.at - last.at < APART) return;
  points.push(point);
  if (points.length > KEPT_POINTS) points.shift();
}

/// A counter that began anew makes a gap.
function rate(name, before, after) {
  const [more, seconds] = [after[name] - before[name], (after.at - before.at) / 1000];
  return more < 0 || seconds <= 0 || seconds > 60 ? null : more / seconds;
}

function rates(name, times = 1) {
  return points.slice(1).map((point, index) => {
    const value = rate(name, points[index], point);
    return { at: point.at, value: value === null ? null : value * times };
  });
}

/// Over the last ten seconds or so.
function latest(name) {
  const before = points.findLast((point) => newest && newest.at - point.at >= 2 * APART) ?? points[0];
  return before && newest ? rate(name, before, newest) : null;
}

// What is shown.

const charts = {
  verdicts: new Chart(by("chart-verdicts"), "Frames at the filter"),
  messages: new Chart(by("chart-messages"), "Messages in the daemon"),
  calls: new Chart(by("chart-calls"), "Calls", "a minute"),
};

function showCharts() {
  charts.verdicts.draw([
    { name: "passed", tone: "pass", points: rates("passed") },
    { name: "dropped", tone: "drop", points: rates("dropped") },
  ]);
  charts.messages.draw([
    { name: "relayed", tone: "pass", points: rates("relayed") },
    { name: "challenged", tone: "wait", points: rates("challenged") },
    { name: "turned away", tone: "drop", points: rates("turned-away") },
  ]);
  charts.calls.draw([
    { name: "began", tone: "note", points: rates("calls", 60) },
    { name: "answered", tone: "pass", points: rates("answered", 60) },
  ]);
}

function showState(status) {
  const { kernel, daemon } = status;
  by("version").textContent = `${status.version} · up ${span(status.at / 1000 - status["started-at"])}`;
  const mode = kernel.heartbeat["has-ended-enforcement"] ? ["bad", "enforcement ended"]
    : kernel.mode === "enforce" ? ["good", "enforcing"] : ["wait", "observing: everything passes"];
  const where = kernel.attached.length ? ["note", kernel.attached.join(", ")] : ["bad", "filter not attached"];
  const level = daemon.load.level;
  const pills = [mode, where, [level === "calm" ? "good" : level === "busy" ? "wait" : "bad", `load ${level}`]];
  by("pills").replaceChildren(...pills.map(([tone, told]) => node("li", "", pill(tone, told))));
}

function problems(status, peers) {
  const { kernel, daemon } = status;
  const found = [];
  const bad = (told) => found.push(["", told]);
  const note = (told) => found.push(["wait", told]);
  if (!kernel.attached.length) bad("The filter is attached to no interface: nothing is judged.");
  if (kernel.heartbeat["has-ended-enforcement"]) {
    bad(`The daemon was silent for ${kernel.heartbeat["age-seconds"]} s: the filter lets everything pass.`);
  }
  const dead = daemon.upstream.filter((target) => target.state === "dead");
  if (dead.length) {
    const all = dead.length === daemon.upstream.length ? "No target of the upstream lives" : "Dead upstream targets";
    bad(`${all}: ${dead.map((target) => `${target.target} at ${target.address}`).join(", ")}.`);
  }
  for (const peer of peers) {
    for (const target of peer.targets.filter((it) => it.state === "dead")) {
      bad(`Peer ${peer.name} cannot be reached at ${target.address}.`);
    }
    for (const network of peer.ipsec.filter((it) => it.problem)) {
      note(`IPsec of peer ${peer.name}, ${network.source}: ${network.problem}.`);
    }
    for (const name of peer.names.filter((it) => it.problem)) {
      note(`The name ${name.name} of peer ${peer.name}: ${name.problem}.`);
    }
  }
  for (const certificate of daemon.certificates) {
    const left = certificate["expires-in-seconds"];
    if (left === 0) bad(`The certificate of ${certificate.place} has expired.`);
    else if (left < 14 * 86_400) note(`The certificate of ${certificate.place} expires in ${span(left)}.`);
  }
  if (daemon.users?.problem) note(`The users are those of ${span(daemon.users["age-seconds"] ?? 0)} ago: ${daemon.users.problem}.`);
  if (daemon.directory?.problem) note(`The directory: ${daemon.directory.problem}.`);
  if (daemon["trust-table-full"]) bad(`The trust table was full: ${whole.format(daemon["trust-table-full"])} proofs opened nothing.`);
  return found;
}

function showProblems(found) {
  keep(by("problems"), found, ([, told]) => told,
    ([tone, told]) => node("li", `problem ${tone}`, told), () => {});
}

function tiles(status) {
  const { daemon } = status;
  const count = (proof) => status.trusted.find((it) => it.proof === proof)?.sources ?? 0;
  const trusted = status.trusted.filter((it) => it.proof !== "denied" && it.sources);
  const sum = trusted.reduce((total, it) => total + it.sources, 0);
  const alive = daemon.upstream.filter((it) => it.state === "alive").length;
  const soonest = [...daemon.certificates].sort((a, b) => a["expires-in-seconds"] - b["expires-in-seconds"])[0];
  const denied = count("denied");
  const isShort = soonest && soonest["expires-in-seconds"] < 14 * 86_400;
  const who = trusted.map((it) => `${whole.format(it.sources)} ${it.proof}`);
  if (denied) who.push(`beside ${whole.format(denied)} denied`);
  const dropped = status.kernel.mode === "enforce" ? "Dropped" : "Would be dropped";
  const told = [
    ["drop", dropped, latest("dropped"), "/s", `${short(status.counts.dropped)} in all`],
    ["pass", "Passed", latest("passed"), "/s", `${short(status.counts.passed)} in all`],
    ["", "Calls", latest("calls") === null ? null : 60 * latest("calls"), "/min", `${short(status.counts.calls)} since the start`],
    ["", "Trusted sources", sum, "", who.join(", ") || "nobody has proven anything"],
    [alive ? alive < daemon.upstream.length ? "wait" : "" : "drop", "Upstream", `${alive} of ${daemon.upstream.length}`, "", "targets live"],
  ];
  if (daemon.users) told.push(["", "Users", daemon.users.count ?? "–", "", daemon.users.store]);
  if (soonest) told.push([isShort ? "wait" : "", "Certificate", span(soonest["expires-in-seconds"]), "", `left of ${soonest.place}`]);
  return told;
}

function showTiles(told) {
  keep(by("tiles"), told, ([, label]) => label,
    () => node("div", "tile", node("div", "label"), node("div", "value", node("span"), " ", node("small")), node("div", "more")),
    (tile, [tone, label, value, unit, more]) => {
      tile.className = `tile ${tone}`;
      text(tile, ".label", label);
      text(tile, ".value span", typeof value === "string" ? value : short(value));
      text(tile, ".value small", unit);
      text(tile, ".more", more);
    });
}

/// What is counted under names, the most first, with what each name means.
function showBars(id, rows, words) {
  rows.sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1));
  const most = rows[0]?.count ?? 1;
  keep(by(id), rows, (row) => row.name,
    (row) => node("details", row.tone,
      node("summary", "", node("span", "name mono", row.name), node("span", "rate"), node("span", "count"), node("span", "bar", node("i"))),
      node("p", "", words.get(row.name) ?? "")),
    (made, row) => {
      text(made, ".count", whole.format(row.count));
      text(made, ".rate", row.rate ? `${short(row.rate)}/s` : "");
      made.querySelector("i").style.setProperty("--share", `${Math.max(1, 100 * row.count / most)}%`);
    });
  if (!rows.length) by(id).replaceChildren(node("p", "empty", "None so far."));
  else by(id).querySelector(".empty")?.remove();
}

function showCounters(status) {
  const seconds = previous ? (status.at - previous.at) / 1000 : 0;
  const speed = (now, before) => seconds > 0 && before !== undefined && now >= before ? (now - before) / seconds : 0;
  const before = new Map((previous?.kernel.verdicts ?? []).map((it) => [it.reason, it.packets]));
  const reasons = status.kernel.verdicts.filter((it) => it.action === "drop" && it.packets)
    .map((it) => ({ name: it.reason, count: it.packets, rate: speed(it.packets, before.get(it.reason)), tone: "drop" }));
  showBars("reasons", reasons, vocabulary.reasons);
  by("reasons-total").textContent = status.kernel.mode === "enforce" ? "" : "they would be, but the filter observes";
  const outcomes = Object.entries(status.daemon.outcomes).filter(([, count]) => count).map(([name, count]) => {
    const tone = name === "own-ack" ? "" : /relayed|answered/.test(name) && !name.startsWith("malformed") ? "pass" : /^(challenged|stale)/.test(name) ? "wait" : "drop";
    return { name, count, rate: speed(count, previous?.daemon.outcomes[name]), tone };
  });
  showBars("outcomes", outcomes, vocabulary.outcomes);
}

function showPeers(peers, activity) {
  by("peers-count").textContent = peers.length ? `${peers.filter((it) => it.proofs.length).length} of ${peers.length} have an open source` : "";
  if (!peers.length) return by("peers").replaceChildren(node("p", "empty", "The configuration names no peers."));
  keep(by("peers"), peers.map((peer, position) => ({ ...peer, position })), (peer) => `${peer.position} ${peer.name}`,
    () => node("article", "peer"), (made, peer) => {
      const isOpen = peer.proofs.length > 0;
      const state = peer.targets.some((it) => it.state === "dead") ? pill("bad", "unreachable")
        : isOpen ? pill("good", "open") : pill("wait", "waiting for proof");
      const facts = [`asks for ${peer.requires.join(" + ")}`];
      if (peer.opens.length) facts.push(`opens ${peer.opens.join(", ")}`);
      if (peer.sources.length) facts.push(peer.sources.slice(0, 3).join(", ") + (peer.sources.length > 3 ? ` and ${peer.sources.length - 3} more` : ""));
      const did = activity.get(`peer ${peer.name}`);
      const calls = did ? did["calls-from"] + did["calls-to"] : 0;
      const done = did ? [`${short(calls)} ${calls === 1 ? "call" : "calls"}`, `${short(did.accepted)} requests accepted`, `${short(did.refused)} refused`].join(" · ") : null;
      const proofs = peer.proofs.slice(0, 8).map((proof) => node("li", "",
        node("span", "mono", proof.source), pill("note", proof.proof),
        proof.connections ? node("span", "muted", `${proof.connections} TLS`) : null,
        node("span", "left", proof["expires-in-seconds"] === null ? "lasts" : `${span(proof["expires-in-seconds"])} left`)));
      const more = peer.proofs.length - proofs.length;
      if (more > 0) proofs.push(node("li", "muted", `and ${more} more`));
      const targets = peer.targets.map((it) => node("li", "", node("span", "mono", it.target), pill(it.state === "alive" ? "good" : "bad", it.state)));
      made.replaceChildren(node("h3", "", peer.name, state), node("p", "facts", facts.join(" · ")), done ? node("p", "facts", done) : "", node("ul", "", ...proofs, ...targets));
    });
}

function showDrops(drops, now) {
  by("no-drops").hidden = drops.length > 0;
  by("drops").hidden = drops.length === 0;
  const seen = new Map();
  const named = drops.map((drop) => {
    const name = [drop.at, drop.source, drop.destination, drop.reason].join(" ");
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return { ...drop, name: `${name} ${seen.get(name)}` };
  });
  keep(by("drops").tBodies[0], named, (drop) => drop.name, (drop) => {
    const source = node("button", "source", drop.source ?? "unreadable");
    source.type = "button";
    source.disabled = !drop.source;
    source.addEventListener("click", () => explain(drop.source));
    const reason = node("span", drop.verdict === "drop" && !drop.passed ? "pill bad" : "pill wait", drop.reason);
    reason.title = drop.explanation;
    const over = [drop.carrier, drop.lane].filter(Boolean).join(", ");
    return node("tr", "", node("td", "ago"), node("td", "source", source, drop.holder ? node("div", "muted", drop.holder) : null),
      node("td", "reason", reason), node("td", "over muted", over), node("td", "begins mono", drop["first-line"] ?? `${drop.length} bytes`));
  }, (row, drop) => text(row, ".ago", span((now - drop.at) / 1000)));
}

// Explaining an address.

async function explain(source) {
  const place = by("explained");
  place.hidden = false;
  const close = node("button", "", "Close");
  close.type = "button";
  close.addEventListener("click", () => { place.hidden = true; });
  const head = (told) => node("h3", "", node("span", "mono", told), close);
  try {
    const found = await ask(`/api/v1/explain?address=${encodeURIComponent(source)}`);
    const grants = found.grants.map((grant) => node("li", "", node("span", "mono", grant.source), " ", pill(grant.proof === "denied" ? "bad" : "note", grant.proof),
      ` ${grant.holder}, opens ${grant.opens.join(", ") || "nothing"}, ${grant["expires-in-seconds"] === null ? "lasts" : `${span(grant["expires-in-seconds"])} left`}`));
    if (found["grants-left-out"]) grants.push(node("li", "muted", `and ${found["grants-left-out"]} more`));
    const now = Date.now();
    const seen = found.seen.map((drop) => node("li", "", `${span((now - drop.at) / 1000)} ago: `, pill(drop.verdict === "drop" && !drop.passed ? "bad" : "wait", drop.reason), ` ${drop.carrier} to ${drop.destination ?? "?"}`));
    const reasons = new Map(found.seen.map((drop) => [drop.reason, drop.explanation]));
    place.replaceChildren(head(found.source),
      node("h4", "", "What speaks for it"),
      grants.length ? node("ul", "", ...grants) : node("p", "", "No entry: it is a stranger."),
      node("h4", "", "What became of its last packets that were sampled"),
      seen.length ? node("ul", "", ...seen) : node("p", "", "None was sampled lately: only drops are."),
      ...[...reasons].map(([reason, means]) => node("p", "muted", node("span", "mono", reason), ": ", means)),
      node("p", "muted", "What would happen to it now, the filter itself says: ", node("code", "", `sbc explain ${found.source}`)));
  } catch (error) {
    if (error instanceof Unauthorized) return login();
    place.replaceChildren(head(source), node("p", "bad", String(error.message)));
  }
  place.scrollIntoView({ block: "nearest" });
}

by("explain").addEventListener("submit", (event) => {
  event.preventDefault();
  const source = by("address").value.trim();
  if (source) explain(source);
});

by("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  by("pause").setAttribute("aria-pressed", String(isPaused));
  by("pause").textContent = isPaused ? "Go on" : "Pause";
});

// The token.

function login(told) {
  by("content").hidden = true;
  by("login").hidden = false;
  by("login-problem").textContent = told ?? "";
  by("connection").textContent = "waiting for the token";
  document.body.dataset.state = "locked";
  by("token").focus();
}

by("login").addEventListener("submit", (event) => {
  event.preventDefault();
  try { sessionStorage.setItem(TOKEN, by("token").value.trim()); } catch { /* it is asked for again */ }
  by("token").value = "";
  by("login-problem").textContent = "";
  run(true);
});

// Again and again.

let timer = null;
let running = false;

async function look() {
  if (!vocabulary) {
    const told = await ask("/api/v1/vocabulary");
    const words = (list) => new Map(list.map((word) => [word.name, word.explanation]));
    vocabulary = { reasons: words(told.reasons), outcomes: words(told.outcomes) };
    points = (await ask("/api/v1/history")).points;
  }
  const status = await ask("/api/v1/status");
  const { peers } = await ask("/api/v1/peers");
  remember(status.counts);
  by("login").hidden = true;
  by("content").hidden = false;
  showState(status);
  showProblems(problems(status, peers));
  showTiles(tiles(status));
  showCharts();
  showCounters(status);
  showPeers(peers, new Map(status.daemon.activity.map((it) => [it.holder, it])));
  if (!isPaused) showDrops((await ask("/api/v1/drops")).drops, Date.now());
  previous = status;
  document.body.dataset.state = "live";
  if (by("connection").textContent !== "live") by("connection").textContent = "live";
  isLost = false;
}

async function run(isAsked) {
  if (running) return;
  clearTimeout(timer);
  running = true;
  try {
    await look();
  } catch (error) {
    if (error instanceof Unauthorized) {
      running = false;
      const wasShown = token() !== null;
      try { sessionStorage.removeItem(TOKEN); } catch { /* there is none */ }
      return login(wasShown && isAsked ? "That is not the token." : "");
    }
    document.body.dataset.state = "lost";
    if (!isLost) by("connection").textContent = `no answer: ${error.message}`;
    isLost = true;
  }
  running = false;
  if (!document.hidden) timer = setTimeout(run, PAUSE);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden && by("login").hidden) run(); });
addEventListener("resize", showCharts);
run();
