const ballot = JSON.parse(document.getElementById("ballot").textContent);
const who = document.getElementById("who");
const save = document.getElementById("save");
const box = document.getElementById("vote");
const place = `inloop-votes ${ballot.page}`;
let kept = { who: "", votes: {} };
let memory = null; // where a browser keeps nothing for a file
try { kept = JSON.parse(localStorage.getItem(place)) || kept; } catch { memory = true; }

function keep() {
  const count = Object.keys(kept.votes).length;
  try { localStorage.setItem(place, JSON.stringify(kept)); } catch { memory = true; }
  save.disabled = !count;
  save.textContent = count ? `Save ${count} answer${count > 1 ? "s" : ""}` : "Save the answers";
}

let at = 0;
const found = () => {
  const left = ballot.pairs.length - Object.keys(kept.votes).length;
  const head = `${ballot.pairs.length - left} of ${ballot.pairs.length} answered.${memory ? " This browser keeps nothing for a file: save before you close it." : ""}`;
  const pair = at < ballot.pairs.length ? ballot.pairs[at] : null;
  return { text: pair ? pair.text : "", task: pair ? pair.task : "", pair, head, done: "That was the last pair. Save the answers and send the file back. Thank you." };
};

function begin() {
  const name = who.value.trim();
  if (!name) return;
  kept.who = name;
  keep();
  at = ballot.pairs.findIndex((_, number) => !kept.votes[number]);
  if (at < 0) at = ballot.pairs.length;
  voteOn(box, {
    next: async () => found(),
    cast: async (vote) => { kept.votes[at] = vote; keep(); at += 1; },
    picture: (sha) => ballot.pictures[sha],
    canGoBack: () => at > 0,
    back: async () => { at -= 1; return found(); },
  });
}
who.value = kept.who;
who.addEventListener("change", begin);
save.addEventListener("click", () => {
  const told = { inloop_votes: 1, run: ballot.run, votes: Object.values(kept.votes).map((vote) => ({ ...vote, who: kept.who, run: ballot.run })) };
  const link = make("a", { href: URL.createObjectURL(new Blob([JSON.stringify(told, null, 1)], { type: "application/json" })), download: `votes-${ballot.run}-${kept.who.replace(/[^\p{L}\p{N}]+/gu, "-")}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
keep();
begin();
