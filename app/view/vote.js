"use strict";
// Which of two pictures? The same part on the local page and in the file that is mailed.
// `source`: next() gives {text, pair, done, head}, cast(vote) keeps one, picture(sha) gives an address, back() an earlier pair or null.

const freshId = () =>
  "v-" + Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function make(tag, given = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list" && typeof value !== "string") node[name] = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name === "className" ? "class" : name, value);
  }
  node.append(...inside.filter((each) => each !== null && each !== undefined));
  return node;
}

function voteOn(root, source) {
  let shown = null;
  let busy = false;
  const status = make("p", { className: "muted", role: "status" });
  const place = make("div");
  root.replaceChildren(make("div", { className: "vote" }, place, status));

  function draw(found, keepFocus) {
    shown = found.pair ? { ...found, id: freshId() } : null;
    if (!shown) {
      place.replaceChildren(make("p", { className: "verdict good", tabindex: "-1" }, make("span", { "aria-hidden": "true" }, "✓"), found.done));
      if (keepFocus) place.firstChild.focus();
      if (source.canGoBack()) place.append(make("button", { type: "button", onclick: goBack }, "Back"));
      status.textContent = found.head;
      return;
    }
    const choice = (side, key, name) =>
      make(
        "button",
        { type: "button", "data-side": side, onclick: () => cast(side), "aria-label": `${name} picture is better` },
        make("img", { src: source.picture(found.pair[side].picture), alt: `${name} picture` }),
        make("span", {}, `${name} `, make("kbd", {}, key))
      );
    const tie = make("button", { type: "button", className: "tie", "data-side": "tie", onclick: () => cast("tie") }, "No difference ", make("kbd", {}, "0"));
    const back = make("button", { type: "button", onclick: goBack, disabled: !source.canGoBack() }, "Back ", make("kbd", {}, "b"));
    place.replaceChildren(
      make("p", { className: "small muted" }, "Which picture shows this better?"),
      make("p", { className: "asked" }, found.text),
      make("div", { className: "two-pictures", role: "group", "aria-label": "Which picture is better?" }, choice("left", "1", "Left"), choice("right", "2", "Right")),
      make("div", { className: "under" }, tie, back)
    );
    status.textContent = found.head;
    if (keepFocus) place.querySelector(`[data-side=${keepFocus}]`).focus();
  }

  async function cast(side) {
    if (!shown || busy) return;
    busy = true;
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.side || "left" : "left";
    const vote = { id: shown.id, text: shown.text, task: shown.task, left: shown.pair.left, right: shown.pair.right, winner: side, at: Date.now() / 1000 };
    try {
      await source.cast(vote); // sent again it is the same vote: its id was made when the pair was shown
      draw(await source.next(), focused);
    } catch (error) {
      status.textContent = `Not kept: ${error.message} Vote again.`;
    } finally {
      busy = false;
    }
  }

  async function goBack() {
    const earlier = await source.back();
    if (earlier) draw(earlier, "left");
  }

  const keys = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", 0: "tie", ArrowDown: "tie" };
  function pressed(event) {
    if (!root.isConnected) return document.removeEventListener("keydown", pressed);
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
    if (event.key === "b" && shown) goBack();
    else if (keys[event.key] && shown) {
      event.preventDefault();
      cast(keys[event.key]);
    }
  }
  document.addEventListener("keydown", pressed);
  Promise.resolve(source.next()).then((found) => draw(found, ""), (error) => (status.textContent = error.message));
}
