"use strict";
// The page of masks that a run of `inloop label` asks about: one card a mask. A box is drawn on the picture with the pointer, or typed.

function masksForm(run, offer, send, status) {
  const adds = [];
  const cards = offer.items.map((item, at) => {
    const number = at + 1;
    const others = offer.classes.filter((name) => name !== item.label);
    const verdict = make("select", { "aria-label": `What mask ${number} is` },
      ...["right", "wrong", "in another box", "not decided", ...others.map((name) => `right, but it is: ${name}`)].map((text) => make("option", {}, text)));
    const target = make("select", { "aria-label": "What a box that is drawn is for" },
      ...["a box is for this mask", ...offer.classes.map((name) => `a box is for a missed ${name}`)].map((text) => make("option", {}, text)));
    const box = make("input", { type: "text", "aria-label": `Box of mask ${number}: x0 y0 x1 y1 in pixels`, placeholder: "x0 y0 x1 y1", autocomplete: "off" });
    box.addEventListener("input", () => { if (box.value.trim()) verdict.selectedIndex = 2; });
    const missed = make("ul", { className: "small" });
    const drawn = (corners) => {
      if (target.selectedIndex === 0) {
        box.value = corners.join(" ");
        verdict.selectedIndex = 2;
        return;
      }
      const added = { number, label: offer.classes[target.selectedIndex - 1], box: corners };
      adds.push(added);
      const row = make("li", {}, `missed: ${added.label} in ${corners.join(" ")} `,
        make("button", { type: "button", onclick: () => { adds.splice(adds.indexOf(added), 1); row.remove(); } }, "not missed"));
      missed.append(row);
    };
    const card = make("article", { className: "card" },
      make("header", {}, make("span", { className: "big" }, `${number} ${item.label}`), item.audit ? make("span", { className: "tag" }, "accepted; is it right?") : null),
      make("div", { className: "two-masks" },
        make("img", { src: pictureOf(run.id, item.near.sha256), alt: `mask ${number}, all else dimmed` }),
        stage(pictureOf(run.id, item.image.sha256), item, drawn)),
      make("p", { className: "muted small" }, `${item.picture}, ${item.size[0]} × ${item.size[1]}: ${item.why}`),
      make("div", { className: "bar-of" }, verdict, box, target), missed);
    return { number, item, verdict, box, card, others };
  });
  const review = (more) => {
    const answer = { wrong: [], skip: [], label: {}, box: {}, add: adds, ...more };
    for (const { number, verdict, box, others } of cards) {
      if (verdict.selectedIndex === 1) answer.wrong.push(number);
      else if (verdict.selectedIndex === 2) answer.box[number] = box.value.trim().split(/[\s,]+/).map(Number);
      else if (verdict.selectedIndex === 3) answer.skip.push(number);
      else if (verdict.selectedIndex > 3) answer.label[number] = others[verdict.selectedIndex - 4];
    }
    return answer;
  };
  const form = make("form", { className: "panel waits", "aria-label": "The run asks" },
    make("h2", {}, "Which masks are right?"),
    make("p", {}, `${offer.folder}: ${offer.left} more are doubtful. Router: ${offer.calibration.how}.`),
    offer.wrong ? make("p", { className: "note" }, offer.wrong) : null,
    make("div", { className: "grid-of-cards masks" }, ...cards.map((each) => each.card)),
    make("div", { className: "bar-of" }, make("button", { className: "main" }, "Keep these answers"),
      make("button", { type: "button", onclick: () => send({ done: true }) }, "No more pages"),
      make("button", { type: "button", onclick: () => send({ stop: true }) }, "Stop, write nothing")), status);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(review({})); });
  return form;
}

// The picture, on which a box can be drawn; `drawn` is given its corners in pixels of the picture.
function stage(src, item, drawn) {
  const image = make("img", { src, alt: `${item.picture}: draw a box`, draggable: false });
  const frame = make("span", { className: "frame" });
  const root = make("div", { className: "stage" }, image, frame);
  const [width, height] = item.size;
  const show = ([x0, y0, x1, y1]) => {
    frame.style.left = `${(100 * x0) / width}%`;
    frame.style.top = `${(100 * y0) / height}%`;
    frame.style.width = `${(100 * (x1 - x0)) / width}%`;
    frame.style.height = `${(100 * (y1 - y0)) / height}%`;
  };
  show(item.box);
  let from = null;
  const at = (event) => {
    const place = image.getBoundingClientRect();
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), 1) * most);
    return [within((event.clientX - place.left) / place.width, width), within((event.clientY - place.top) / place.height, height)];
  };
  const corners = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
  root.addEventListener("pointerdown", (event) => { from = at(event); root.setPointerCapture(event.pointerId); event.preventDefault(); });
  root.addEventListener("pointermove", (event) => from && show(corners(at(event))));
  root.addEventListener("pointerup", (event) => {
    const box = from && corners(at(event));
    from = null;
    if (!box) return;
    if (box[2] > box[0] && box[3] > box[1]) drawn(box);
    else show(item.box);
  });
  root.addEventListener("pointercancel", () => { from = null; show(item.box); });
  return root;
}
