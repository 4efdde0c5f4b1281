"use strict";
// One page; what it shows stands behind the #. Text from runs only ever becomes text nodes.

const main = document.getElementById("main");
const title = document.getElementById("title");
const live = document.getElementById("live");
const zoom = document.getElementById("zoom");
let changes = null;
let drawn = "";

async function get(path) {
  const answer = await fetch(path);
  const content = await answer.json().catch(() => ({ error: `the server answers ${answer.status}.` }));
  if (!answer.ok) throw new Error(content.error || `the server answers ${answer.status}.`);
  return content;
}

async function post(path, content) {
  let answer;
  for (let trial = 0; ; trial++) {
    try {
      answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) });
      break;
    } catch (error) {
      if (trial === 2) throw new Error("the server does not answer. Is inloop view still running?");
      await new Promise((done) => setTimeout(done, 400 * (trial + 1)));
    }
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || `the server answers ${answer.status}.`);
  return told;
}

const api = (...parts) => "/api/runs/" + parts.map(encodeURIComponent).join("/");
const link = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");
const pictureOf = (run, sha) => `/runs/${encodeURIComponent(run)}/pictures/${sha}`;
const level = (points) => (Number.isNaN(parseFloat(points)) ? "none" : points >= 80 ? "high" : points < 40 ? "low" : "middle");
const remembered = (name, fallback = "") => { try { return localStorage.getItem(name) || fallback; } catch { return fallback; } };
const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private window */ } };

zoom.querySelector("button").addEventListener("click", () => zoom.close());
zoom.addEventListener("click", (event) => event.target === zoom && zoom.close());
function enlarge(src, text) {
  zoom.querySelector("img").src = src;
  zoom.querySelector("img").alt = text;
  zoom.querySelector("p").textContent = text;
  zoom.showModal();
}

function film(run, pictures, what) {
  return make("ul", { className: "film" }, ...pictures.map((each) => {
    const text = `${what} (${each.unseen ? "unseen " : ""}seed ${each.seed}; ${each.score})`;
    const src = pictureOf(run, each.picture);
    return make("li", {},
      make("button", { type: "button", onclick: () => enlarge(src, text) }, make("img", { src, alt: text, loading: "lazy" })),
      make("span", { className: `val ${level(each.score)}` }, each.score));
  }));
}

const state = (name) => make("span", { className: `state ${name.replace(" ", "-")}` }, name);
const note = (text) => make("p", { className: "note" }, text);
const heading = (text) => make("h2", {}, text);

async function drawRuns() {
  const runs = await get("/api/runs");
  title.textContent = "Runs";
  if (!runs.length) return [note("There is no run in this folder yet.")];
  const text = make("input", { type: "search", "aria-label": "Filter runs by text", placeholder: "filter by text" });
  const list = make("ul", { className: "rows" });
  const fill = () => list.replaceChildren(...runs
    .filter((run) => (run.id + " " + run.about.join(" ")).toLowerCase().includes(text.value.toLowerCase()))
    .map((run) => make("li", {}, make("a", { className: "row", href: link(run.id) },
      make("span", {}, make("b", {}, run.about[0] || run.id), run.count > 1 ? ` and ${run.count - 1} more` : "", make("br"),
        make("span", { className: "muted small" }, `${run.id} ${run.note}`)), state(run.state)))));
  text.addEventListener("input", fill);
  fill();
  return [make("div", { className: "bar-of" }, text, make("a", { href: "#/compare" }, "Compare two")), list];
}

async function drawRun(id) {
  const run = await get(api(id));
  title.textContent = run.tasks.length === 1 ? run.tasks[0].text : `${run.loop}: ${run.expected} to do`;
  const parts = [make("p", { className: "bar-of" }, state(run.state), make("span", { className: "muted" }, run.id),
    run.report ? make("a", { href: `/runs/${encodeURIComponent(id)}/report` }, "Report") : null, make("a", { href: link("compare", id) }, "Compare"))];
  parts.push(...run.questions.map((question) => waiting(run, question)));
  if (run.tasks.length) {
    const text = make("input", { type: "search", "aria-label": "Filter prompts by text", placeholder: "filter by text", value: null });
    text.value = remembered(`filter ${id}`);
    const which = make("select", { "aria-label": "Filter prompts by what became of them" },
      ...["all", "accepted", "not accepted", "working"].map((name) => make("option", {}, name)));
    which.value = remembered(`state ${id}`, "all");
    const list = make("ul", { className: "rows" });
    const count = make("span", { className: "muted small", role: "status" });
    const fill = () => {
      const kept = run.tasks.filter((task) => `${task.id} ${task.text} ${task.best}`.toLowerCase().includes(text.value.toLowerCase()) && (which.value === "all" || task.state === which.value));
      count.textContent = `${kept.length} of ${run.tasks.length}`;
      list.replaceChildren(...kept.slice(0, 300).map((task) => make("li", {}, make("a", { className: "row", href: link(id, task.id) },
        make("span", {}, make("b", {}, task.text), task.change ? make("br") : null, task.change ? make("span", { className: "muted" }, `→ ${task.best}`) : null, make("br"),
          make("span", { className: "muted small" }, `${task.before} → ${task.after} ${task.change} · ${task.count} prompts · round ${task.iterations}${task.stop ? `, ${task.stop}` : ""} `), state(task.state)),
        make("span", { className: "pair" }, ...task.pictures.map((sha, at) => make("img", { src: pictureOf(id, sha), alt: at ? "the best prompt's" : "your prompt's", loading: "lazy" })))))));
    };
    for (const each of [text, which]) each.addEventListener("input", () => { remember(`filter ${id}`, text.value); remember(`state ${id}`, which.value); fill(); });
    fill();
    parts.push(make("div", { className: "bar-of" }, text, which, count), list);
  }
  parts.push(make("h2", {}, "What happened last"), make("ul", { className: "lines panel" }, ...run.lines.map((line) => make("li", {}, line))));
  return parts;
}

function waiting(run, asked) {
  const form = make("form", { className: "panel waits", "aria-label": "The run asks" });
  const status = make("p", { role: "status" });
  if (asked.answered) {
    form.append(make("h2", {}, "Answered"), make("p", {}, run.state === "running" ? "The run takes it in." : "The run takes it in when it is resumed: ", make("code", {}, run.resume)));
    return form;
  }
  const offer = asked.question;
  const send = async (answer) => {
    try {
      await post(api(run.id, "answers"), { key: asked.key, answer, who: remembered("who") });
      status.textContent = "Kept.";
      show(true);
    } catch (error) {
      status.textContent = error.message;
    }
  };
  if (run.loop === "label") return masksForm(run, offer, send, status);
  form.append(make("h2", {}, `The run asks${asked.task ? ` about ${asked.task}` : ""}`));
  if (run.loop !== "opt2i") {
    const text = make("textarea", { "aria-label": "Your answer" });
    form.append(make("pre", { className: "quoted" }, typeof offer === "string" ? offer : JSON.stringify(offer, null, 1)), text, make("button", { className: "main" }, "Answer"), status);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      let answer = text.value;
      try { answer = JSON.parse(answer); } catch { /* a text */ }
      send(answer);
    });
    return form;
  }
  const points = (value) => (value === null ? "not scored" : (100 * value).toFixed(1));
  const keeps = [];
  const cards = offer.candidates.slice().reverse().map((candidate, at) => {
    const keep = make("input", { type: "checkbox", value: null, checked: false });
    keeps.push([keep, candidate.id]);
    return make("article", { className: "card" },
      make("header", {}, make("span", { className: "big" }, points(candidate.score)), at ? null : make("span", { className: "tag good" }, "best")),
      make("p", { className: "prompt" }, candidate.text),
      film(run.id, candidate.images.map((image, place) => ({ seed: place + 1, picture: image.sha256, score: "" })), candidate.text),
      make("ul", { className: "parts" }, ...candidate.parts.map(([name, value]) => make("li", {}, make("span", { className: `val ${level(points(value))}` }, points(value)), ` ${name}`))),
      make("label", {}, keep, "keep it among those the language model sees"));
  });
  const field = (name, small, rows) => {
    const input = rows ? make("textarea") : make("input", { type: "text" });
    const id = `f-${asked.key}-${name}`.replace(/[^\w-]/g, "");
    input.id = id;
    return [make("div", { className: "field" }, make("label", { for: id }, make("span", {}, name)), make("small", {}, small), input), input];
  };
  const [banField, ban] = field("Ban words", "No prompt may have them; several are parted by commas.");
  const [textField, texts] = field("Try prompts of your own", "One a line.", true);
  const [askField, questions] = field("Ask more of every picture", 'One a line: "the cup must be empty", or a yes/no question.', true);
  const lines = (text, by) => text.value.split(by).map((each) => each.trim()).filter(Boolean);
  const review = (stop) => ({ keep: keeps.filter(([box]) => box.checked).map(([, id]) => id), ban: lines(ban, ","), texts: lines(texts, "\n"), questions: lines(questions, "\n"), stop });
  form.append(make("p", {}, `${offer.text}: round ${offer.iteration}. An empty answer lets the search go on as it would${offer.stop ? ": it would end" : ""}.`),
    offer.wrong ? note(offer.wrong) : "", make("div", { className: "grid-of-cards" }, ...cards), banField, textField, askField,
    make("div", { className: "bar-of" }, make("button", { className: "main" }, "Go on"), make("button", { type: "button", onclick: () => send(review(true)) }, "Stop the search")), status);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(review(false)); });
  return form;
}

async function drawTask(id, taskId) {
  const task = await get(api(id, "tasks", taskId));
  title.textContent = task.text;
  const parts = [make("p", { className: "bar-of" }, make("a", { href: link(id) }, "← the run"), state(task.state),
    task.votes.possible ? make("a", { className: "button", href: link(id, taskId, "vote") }, "Vote on pairs") : null, make("a", { href: link("compare", id, taskId) }, "Side by side"))];
  if (task.verdict) parts.push(make("p", { className: `verdict ${task.state === "accepted" ? "good" : "unknown"}` }, make("span", {}, task.verdict)));
  parts.push(...said(task.votes));
  const trials = task.trials.slice().sort((a, b) => b.best - a.best || a.iteration - b.iteration);
  parts.push(heading("Prompts"), make("div", { className: "grid-of-cards" }, ...trials.map((trial) => make("article", { className: trial.best ? "card best" : "card" },
    make("header", {}, make("span", { className: "big" }, trial.score), trial.best ? make("span", { className: "tag good" }, "best") : null, trial.iteration ? null : make("span", { className: "tag" }, "your prompt"), make("span", { className: "muted id" }, trial.id)),
    make("p", { className: "prompt" }, trial.text), film(id, trial.pictures, trial.text),
    make("ul", { className: "parts" }, ...trial.parts.map(([name, value]) => make("li", {}, make("span", { className: `val ${level(value)}` }, value), ` ${name}`))),
    make("p", { className: "muted small" }, trial.scores.map(([name, value]) => `${name} ${value}`).join(" · "), trial.note ? ` · ${trial.note}` : "")))));
  return parts;
}

function said(votes) {
  const parts = [];
  if (votes.void.length) parts.push(note(`${votes.void.length} vote${votes.void.length > 1 ? "s do" : " does"} not count: a picture that was voted on is another one now.`));
  if (!votes.counted) return parts;
  parts.push(heading("What judge and people say"), make("p", { className: `verdict ${votes.sure ? "good" : "unknown"}` },
    make("span", {}, `${votes.chosen}: the best with a probability of ${votes.probability} %${votes.sure ? "" : ", which is not sure yet"}`)));
  const agreed = Object.entries(votes.agreement).filter(([, [share]]) => share !== null).map(([name, [share, ci, count]]) =>
    `${name} prefers what people prefer in ${share} % of ${count} votes${ci ? ` (${ci[0]} to ${ci[1]})` : ""}`);
  parts.push(make("p", { className: "small muted" }, `${votes.counted} votes of ${votes.people.join(", ")}. ${agreed.join("; ")}${agreed.length ? "." : ""}`));
  return parts;
}

function drawVote(id, taskId) {
  title.textContent = "Which picture is better?";
  const name = make("input", { type: "text", "aria-label": "Your name", maxlength: "80", autocomplete: "name" });
  name.value = remembered("who");
  const box = make("div");
  const history = [];
  const begin = () => {
    const who = name.value.trim();
    if (!who) return box.replaceChildren(make("p", { className: "muted" }, "Say who votes: each person is a rater of their own."));
    remember("who", who);
    let current = null;
    voteOn(box, {
      next: async () => {
        const found = await get(`${api(id, "tasks", taskId, "pair")}?who=${encodeURIComponent(who)}`);
        const head = `${found.counted ? `${found.counted} vote${found.counted > 1 ? "s count" : " counts"}. ` : ""}${found.probability ? `The best prompt so far is the best with a probability of ${found.probability} %.` : ""}`;
        const done = found.sure ? `Enough: “${found.chosen}” is the best with a probability of ${found.probability} %.` : "There is no further pair to ask you about.";
        current = { text: found.text, task: taskId, pair: found.pair, head, done };
        return current;
      },
      cast: async (vote) => { await post(api(id, "votes"), { ...vote, who }); history.push({ ...current }); },
      picture: (sha) => pictureOf(id, sha),
      canGoBack: () => history.length > 0,
      back: async () => (current = history.pop() || null),
    });
  };
  name.addEventListener("change", begin);
  begin();
  return [make("p", { className: "bar-of" }, make("a", { href: link(id, taskId) }, "← the prompts"), make("label", {}, "Your name ", name)), box];
}

async function drawCompare(a, taskA) {
  title.textContent = "Side by side";
  const runs = (await get("/api/runs")).filter((run) => run.loop === "opt2i" && run.state !== "unreadable");
  if (!runs.length) return [note("There is no run with pictures in this folder yet.")];
  const seeds = make("ul", { className: "seeds" });
  const told = make("p", { className: "muted", role: "status" });
  const sides = ["A", "B"].map((name, place) => {
    const pick = (what) => make("select", { "aria-label": `${what} of side ${name}` });
    const side = { run: pick("Run"), task: pick("Search"), trial: pick("Prompt"), text: make("p", { className: "prompt" }), place };
    side.run.append(...runs.map((run) => make("option", { value: run.id }, `${run.about[0] || ""} (${run.id})`)));
    if (a && runs.some((run) => run.id === a)) side.run.value = a;
    side.run.addEventListener("change", () => tasksOf(side, ""));
    side.task.addEventListener("change", () => trialsOf(side));
    side.trial.addEventListener("change", pictures);
    return side;
  });
  async function tasksOf(side, wanted) {
    const run = await get(api(side.run.value));
    side.task.replaceChildren(...run.tasks.map((task) => make("option", { value: task.id }, task.text)));
    if (wanted) side.task.value = wanted;
    await trialsOf(side);
  }
  async function trialsOf(side) {
    side.trials = side.task.value ? (await get(api(side.run.value, "tasks", side.task.value))).trials : [];
    side.trial.replaceChildren(...side.trials.map((trial) => make("option", { value: trial.id }, `${trial.score}: ${trial.text}`)));
    const best = side.trials.find((trial) => trial.best);
    if (side.place && best) side.trial.value = best.id;
    pictures();
  }
  function pictures() {
    const [one, other] = sides.map((side) => (side.trials || []).find((trial) => trial.id === side.trial.value));
    sides.forEach((side, at) => (side.text.textContent = [one, other][at] ? [one, other][at].text : ""));
    if (!one || !other) return seeds.replaceChildren();
    const common = one.pictures.filter((left) => other.pictures.some((right) => right.seed === left.seed));
    told.textContent = `${common.length} seeds that both have.`;
    seeds.replaceChildren(...common.map((left) => {
      const right = other.pictures.find((each) => each.seed === left.seed);
      return make("li", {}, ...[[left, one, sides[0]], [right, other, sides[1]]].map(([each, trial, side]) => {
        const src = pictureOf(side.run.value, each.picture);
        const text = `${trial.text} (seed ${each.seed}; ${each.score})`;
        return make("figure", {}, make("button", { type: "button", onclick: () => enlarge(src, text) }, make("img", { src, alt: text, loading: "lazy" })), make("figcaption", {}, `seed ${each.seed} `, make("span", { className: `val ${level(each.score)}` }, each.score)));
      }));
    }));
  }
  for (const side of sides) await tasksOf(side, taskA);
  return [make("div", { className: "side" }, ...sides.map((side) => make("div", {}, side.run, side.task, side.trial, side.text))), told, seeds];
}

async function show(again = false) {
  const [one = "", two = "", three = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const place = location.hash;
  const run = one && one !== "compare" ? one : "";
  follow(run, three === "vote");
  try {
    const drawing = one === "compare" ? drawCompare(two, three) : three === "vote" ? drawVote(one, two) : two ? drawTask(one, two) : one ? drawRun(one) : drawRuns();
    const parts = await drawing;
    if (place !== location.hash) return;
    main.replaceChildren(...parts);
  } catch (error) {
    main.replaceChildren(note(error.message));
  }
  document.title = `inloop: ${title.textContent}`;
  if (!again && drawn) title.focus();
  drawn = place || "#";
}

function follow(run, still) {
  if (changes && changes.run === run) return;
  if (changes) changes.source.close();
  changes = null;
  live.textContent = "";
  if (!run || still) return;
  const source = new EventSource(api(run, "changes"));
  let first = true;
  source.onopen = () => (live.textContent = "live");
  source.onerror = () => (live.textContent = "not connected");
  source.onmessage = () => {
    // a person who fills in a form, or has a picture open, is not disturbed
    const form = document.activeElement && document.activeElement.closest("form, .bar-of");
    if (!first && !form && !zoom.open) show(true);
    first = false;
  };
  changes = { run, source };
}

window.addEventListener("hashchange", () => show());
if (!location.hash && document.body.dataset.start) location.replace(`#/${document.body.dataset.start}`);
else show();
