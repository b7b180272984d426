"use strict";
document.documentElement.classList.add("js");

const data = JSON.parse(document.getElementById("data").textContent);
const [DAY, DAYS] = data.unit;
const missing = new Set(data.missing);
const byId = id => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Words
const count = number => `${number.toLocaleString("en")} ${number === 1 ? DAY : DAYS}`;
const asDate = iso => new Date(`${iso}T00:00:00Z`);
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const parts = index => {
  const [year, month, day] = data.dates[index].split("-").map(Number);
  return [`${day}`, MONTHS[month - 1], `${year}`];
};
const shortDate = index => parts(index).join(" ");
const span = (first, last) => {
  if (first === last) return shortDate(last);
  const from = parts(first), to = parts(last);
  if (from[2] !== to[2]) return `${shortDate(first)} – ${shortDate(last)}`;
  return from[1] === to[1] ? `${from[0]}–${shortDate(last)}` : `${from[0]} ${from[1]} – ${shortDate(last)}`;
};
const held = (first, last) => {
  let charts = 0;
  for (let i = first; i <= last; i++) if (!missing.has(i)) charts++;
  return charts;
};

// Songs: [name, artists, album, link, best, periods, streams, runs], a run [index of its first date, place, ...].
const [NAME, ARTISTS, ALBUM, LINK, BEST, PERIODS, STREAMS, RUNS] = [0, 1, 2, 3, 4, 5, 6, 7];
const lastOf = run => run[0] + run.length - 2;
const bestOf = run => Math.min(...run.slice(1));

// How old the newest chart is by now, not when the page was made.
{
  const fresh = byId("fresh");
  const age = Math.floor((Date.now() - asDate(fresh.dataset.date)) / 86400000);
  if (age >= 0) {
    const stale = age >= Number(fresh.dataset.stale);
    const old = age === 0 ? "today’s" : age === 1 ? "yesterday’s" : `${age.toLocaleString("en")} days old now`;
    fresh.textContent = `Newest chart in your data: ${old}${stale ? ", older than it should be" : ""}`;
    fresh.classList.toggle("stale", stale);
  }
}

// Copy the sentence
{
  const button = byId("copy");
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = byId("changed").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Some browsers give a file no clipboard: select the text, and copy it the old way.
      getSelection().selectAllChildren(byId("changed"));
      if (!document.execCommand("copy")) { byId("copied").textContent = "Selected: copy it with your keyboard"; return; }
      getSelection().removeAllRanges();
    }
    byId("copied").textContent = "Copied";
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy this sentence"; byId("copied").textContent = ""; }, 2000);
  });
}

// The bump chart: pointing at or tabbing to a song lights its line.
{
  const bump = byId("bump");
  const light = number => {
    bump.classList.toggle("dim", number !== undefined);
    for (const part of bump.querySelectorAll(".line, .ends li")) {
      const held = part.dataset.song ?? part.querySelector("[data-song]")?.dataset.song;
      part.classList.toggle("lit", number !== undefined && held === number);
    }
  };
  const under = event => {
    const part = event.target.closest(".line, .ends li");
    return part ? part.dataset.song ?? part.querySelector("[data-song]")?.dataset.song : undefined;
  };
  bump.addEventListener("pointerover", event => light(under(event)));
  bump.addEventListener("pointerleave", () => light(undefined));
  bump.addEventListener("focusin", event => light(under(event)));
  bump.addEventListener("focusout", () => light(undefined));
}

// Where the bump chart is wider than its place, the keyboard can scroll it too.
{
  const plot = byId("plot");
  const settle = () => {
    if (plot.scrollWidth > plot.clientWidth) plot.setAttribute("tabindex", "0");
    else plot.removeAttribute("tabindex");
  };
  addEventListener("resize", settle);
  settle();
}

// A song's trajectory, drawn as the bump chart's lines are: broken wherever it was off the chart.
function trajectory(song) {
  const first = song[RUNS][0][0], last = data.dates.length - 1;
  const deepest = Math.max(10, ...song[RUNS].map(run => Math.max(...run.slice(1))));
  const bottom = Math.ceil(deepest / 10) * 10;
  const share = index => last === first ? 1 : (index - first) / (last - first);
  const x = index => Math.round(share(index) * 1000);
  const y = place => Math.round((place - 1) / (bottom - 1) * 500);
  const trail = runs => runs.map(run => run.slice(1).map((place, i) => `${i ? "L" : "M"}${x(run[0] + i)} ${y(place)}`).join("") + (run.length === 2 ? "h0" : "")).join("");
  const inner = drawn("svg", { viewBox: "0 0 1000 500", width: "100%", height: "100%", preserveAspectRatio: "none", overflow: "visible" },
    drawn("g", { class: "line" }, drawn("path", { class: "way", d: trail(song[RUNS].filter(run => run.length > 2)) }),
      drawn("path", { class: "dot", d: trail(song[RUNS].filter(run => run.length === 2)) })));
  const outer = drawn("svg", { role: "img", "aria-label": `Places of the song from ${shortDate(first)} to ${shortDate(last)}. The table below has its runs.` });
  const marks = drawn("svg", { "aria-hidden": "true" });
  for (let i = first; i <= last; i++) {
    if (!missing.has(i)) continue;
    let until = i;
    while (missing.has(until + 1)) until++;
    const left = Math.max(share(i - .5), 0) * 100, right = Math.min(share(until + .5), 1) * 100;
    outer.append(drawn("rect", { class: "gap", x: `${left}%`, width: `${right - left}%`, height: "100%" }));
    i = until;
  }
  for (const place of [1, Math.round(bottom / 2), bottom]) {
    const at = `${y(place) / 5}%`;
    outer.append(drawn("line", { class: "grid", x2: "100%", y1: at, y2: at }));
    marks.append(drawn("text", { x: "75%", y: at, dy: ".35em", "text-anchor": "end" }, String(place)));
  }
  outer.append(inner);
  const axis = drawn("svg", { class: "axis", "aria-hidden": "true" }, drawn("text", { x: "0", y: "16" }, shortDate(first)));
  if (last > first) axis.append(drawn("text", { x: "100%", y: "16", "text-anchor": "end" }, shortDate(last)));
  return element("div", { class: "card-way" }, marks, outer, axis);
}

function runsTable(song) {
  const rows = song[RUNS].map((run, i) => {
    const next = song[RUNS][i + 1];
    const from = lastOf(run) + 1, until = (next ? next[0] : data.dates.length) - 1;
    const away = held(from, until), absent = until - from + 1 - away;
    const said = [];
    if (away) said.push(`off the chart for ${count(away)}`);
    if (absent) said.push(`no chart in your data for ${count(absent)}`);
    if (!next && from > until) said.push("on the chart still");
    return element("tr", {}, element("th", { scope: "row" }, span(run[0], lastOf(run))),
      element("td", { class: "n" }, String(run.length - 1)), element("td", { class: "n" }, String(bestOf(run))), element("td", {}, said.join(", ")));
  });
  const heads = [["Run", ""], [DAYS[0].toUpperCase() + DAYS.slice(1), "n"], ["Best", "n"], ["Then", ""]];
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs on the chart" },
    element("table", { class: "plain" },
      element("thead", {}, element("tr", {}, ...heads.map(([head, kind]) => element("th", { scope: "col", class: kind }, head)))),
      element("tbody", {}, ...rows)));
}

function openCard(number) {
  const song = data.songs[number], card = byId("card");
  const close = element("button", { type: "button", class: "quiet" }, "Close");
  close.addEventListener("click", () => card.close());
  const title = element("h2", { id: "card-title" }, element("bdi", {}, song[NAME]));
  const facts = [["Best place", song[BEST].toLocaleString("en")], [`${DAYS[0].toUpperCase()}${DAYS.slice(1)} on the chart`, song[PERIODS].toLocaleString("en")],
    ["Runs", song[RUNS].length.toLocaleString("en")], ["Streams counted", song[STREAMS] === null ? "unknown" : song[STREAMS].toLocaleString("en")]];
  card.replaceChildren(
    element("header", {}, element("div", {}, title, element("bdi", { class: "by" }, song[ARTISTS]), ...(song[ALBUM] ? [element("bdi", { class: "by" }, song[ALBUM])] : [])), close),
    element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))));
  if (song[RUNS].length) card.append(trajectory(song), runsTable(song));
  if (song[LINK]) card.append(element("p", {}, element("a", { href: song[LINK], rel: "noopener noreferrer" }, "Open on Spotify")));
  card.showModal();
  card.scrollTop = 0;
}
document.addEventListener("click", event => {
  const part = event.target.closest("[data-song]");
  if (part && part.dataset.song !== "") openCard(Number(part.dataset.song));
  else if (event.target === byId("card")) byId("card").close();
});

// The newest chart's rows beyond the first
{
  const more = byId("more");
  if (more) {
    more.hidden = false;
    more.addEventListener("click", () => {
      const later = document.querySelectorAll(".later");
      for (const row of later) row.classList.add("shown");
      more.remove();
      later[0].querySelector("button")?.focus();
    });
  }
}

// Find a song
{
  const STEP = 10;
  const input = byId("q"), found = byId("found"), further = byId("further");
  const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = data.songs.map(song => plain([song[NAME], song[ARTISTS], song[ALBUM] ?? ""].join("\n")));
  const byName = data.songs.map((_, number) => number).sort((a, b) => data.songs[a][NAME].localeCompare(data.songs[b][NAME], "en"));
  let matches = [];
  const row = number => {
    const song = data.songs[number], runs = song[RUNS];
    const name = element("button", { type: "button", class: "song", "data-song": number, "aria-haspopup": "dialog" }, element("bdi", {}, song[NAME]));
    const when = runs.length ? span(runs[0][0], lastOf(runs[runs.length - 1])) : "";
    return element("tr", {}, element("th", { scope: "row" }, name, element("bdi", { class: "by" }, song[ARTISTS])),
      element("td", { class: "n" }, String(song[BEST])), element("td", { class: "n" }, song[PERIODS].toLocaleString("en")), element("td", { class: "n span" }, when));
  };
  const show = more => {
    const from = found.children.length;
    found.append(...matches.slice(from, from + more).map(row));
    further.hidden = found.children.length >= matches.length;
  };
  const search = () => {
    const words = plain(input.value).split(/\s+/).filter(Boolean);
    // What is typed finds those longest on the chart first; nothing typed is everything from A to Z.
    matches = words.length ? texts.flatMap((text, number) => words.every(word => text.includes(word)) ? [number] : []) : byName;
    found.replaceChildren();
    show(STEP);
    const all = data.songs.length.toLocaleString("en");
    byId("count").textContent = words.length ? `${matches.length.toLocaleString("en")} of ${all} songs` : `${all} songs, A to Z`;
  };
  const step = (from, by) => {
    const names = [...found.querySelectorAll(".song")];
    const at = names.indexOf(from) + by;
    if (at < 0) input.focus();
    else names[Math.min(at, names.length - 1)]?.focus();
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", event => {
    if (event.key === "ArrowDown") { event.preventDefault(); step(null, 1); }
    if (event.key === "Enter" && matches.length) { event.preventDefault(); openCard(matches[0]); }
  });
  found.addEventListener("keydown", event => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) { event.preventDefault(); step(event.target, by); }
  });
  further.addEventListener("click", () => { show(STEP * 4); });
  search();
}
