"use strict";
// The tree viewer. Everything a model wrote becomes a text node; no string is ever parsed as HTML.

const rounds = JSON.parse(document.getElementById("rounds-data").textContent).filter((round) => round.trees.length);
const roundSelect = document.getElementById("tree-round");
const problemSelect = document.getElementById("tree-problem");
const place = document.getElementById("tree");

const OUTCOMES = {
  step: "best step appended; best and worst are a pair",
  single: "one usable candidate: appended unjudged, no pair",
  tie: "all scores equal: rolled back one step, no pair",
  forced: "all scores equal and no rollback left: most sampled step appended, no pair",
  none: "no usable candidate: the search ends",
};
const ENDS = {
  answer: "ended with a boxed answer",
  no_answer: "ended without a boxed answer",
  repeat: "ended by a repeated step",
  max_steps: "ended by the cap on states",
};

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function fill(select, labels) {
  select.replaceChildren(...labels.map((label, index) => element("option", { value: String(index), textContent: label })));
}

function candidateItem(state, candidate, index, samples) {
  const chosen = index === state.best;
  const rejected = index === state.worst;
  const role = chosen ? "✓ chosen" : rejected ? "✗ rejected" : candidate.finish === "step" ? "candidate" : "unusable";
  const notes = [`${candidate.votes} of ${count(samples, "sample")}`];
  if (state.verdicts.length && candidate.finish === "step") notes.push(count(candidate.score, "win"));
  if (candidate.finish !== "step") notes.push(candidate.finish);
  if (candidate.terminal) notes.push("ends the solution");
  return element(
    "li",
    { className: chosen ? "chosen" : rejected ? "rejected" : "" },
    element("span", { className: "role", textContent: `${index + 1} ${role}` }),
    element("span", { className: "step", textContent: candidate.text }),
    element("span", { className: "meta", textContent: notes.join(" · ") }),
  );
}

function winnerOf(verdict) {
  return { A: verdict.a, B: verdict.b }[verdict.winner];
}

function verdictLabel(verdict) {
  if (verdict.winner === null) return "unreadable";
  if (verdict.winner === "C") return "[[C]]: a tie";
  return `[[${verdict.winner}]]: candidate ${winnerOf(verdict) + 1}`;
}

function showJudgment(pane, state, verdict) {
  const rows = [
    [`A: candidate ${verdict.a + 1}`, state.candidates[verdict.a].text],
    [`B: candidate ${verdict.b + 1}`, state.candidates[verdict.b].text],
    ["Verdict", verdictLabel(verdict)],
  ];
  const list = element("dl", {});
  for (const [name, text] of rows) {
    list.append(element("dt", { textContent: name }), element("dd", { textContent: text }));
  }
  const odds = verdict.log_odds === null ? "" : `\nlog-odds of A: ${verdict.log_odds.toFixed(2)}`;
  pane.replaceChildren(list, element("pre", { textContent: verdict.text + odds }));
}

function judgments(state) {
  const pane = element("div", { className: "judgment" });
  const judged = [...new Set(state.verdicts.flatMap((verdict) => [verdict.a, verdict.b]))].sort((a, b) => a - b);
  const buttons = [];
  const cell = (a, b) => {
    const verdict = state.verdicts.find((one) => one.a === a && one.b === b);
    if (!verdict) return element("td", {});
    const winner = winnerOf(verdict);
    const button = element("button", {
      type: "button",
      textContent: verdict.winner === null ? "?" : verdict.winner === "C" ? "=" : String(winner + 1),
      title: `${a + 1} shown as A, ${b + 1} as B: ${verdictLabel(verdict)}`,
    });
    button.setAttribute("aria-label", button.title);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      showJudgment(pane, state, verdict);
    });
    buttons.push(button);
    return element("td", {}, button);
  };
  const heading = (text) => element("th", { textContent: text });
  const head = element("tr", {}, heading("A \\ B"), ...judged.map((b) => heading(String(b + 1))));
  const rows = judged.map((a) => element("tr", {}, heading(String(a + 1)), ...judged.map((b) => cell(a, b))));
  const table = element("table", { className: "verdicts" }, element("thead", {}, head), element("tbody", {}, ...rows));
  const said = { A: 0, B: 0, C: 0, null: 0 };
  for (const verdict of state.verdicts) said[verdict.winner] += 1;
  const summary = `${count(state.verdicts.length, "judgment")}: A ${said.A}, B ${said.B}, tie ${said.C}, unreadable ${said.null}${state.not_needed ? `; ${state.not_needed} not needed` : ""}`;
  const hint = "Row: shown as A, column: shown as B; in the cell the winner (= tie, ? unreadable). Choose one to read it.";
  const details = element(
    "details",
    { className: "judgments" },
    element("summary", { textContent: summary }),
    element("p", { className: "note", textContent: hint }),
    element("div", { className: "scroll" }, table),
    pane,
  );
  details.addEventListener("toggle", () => {
    if (details.open && !pane.hasChildNodes()) buttons[0].click();
  });
  return details;
}

function stateCard(state, index) {
  const samples = state.candidates.reduce((sum, candidate) => sum + candidate.votes, 0);
  const title = element("h3", { textContent: `State ${index + 1}` });
  const after = state.steps ? `after ${count(state.steps, "step")}` : "at the start";
  title.append(element("span", { textContent: `${after} · ${OUTCOMES[state.outcome]}` }));
  if (state.discarded) title.append(element("span", { textContent: "↩ taken back by a later rollback" }));
  const list = element("ol", { className: "candidates" });
  list.append(...state.candidates.map((candidate, number) => candidateItem(state, candidate, number, samples)));
  const card = element("article", { className: state.discarded ? "state discarded" : "state" }, title, list);
  if (state.verdicts.length) card.append(judgments(state));
  return card;
}

function showTree() {
  const tree = rounds[roundSelect.value].trees[problemSelect.value];
  const end = ENDS[tree.end] || `ended, no usable candidate: ${tree.end}`;
  place.replaceChildren(
    element("p", { className: "prompt", textContent: tree.prompt }),
    element("p", { className: "note", textContent: `${count(tree.states.length, "state")}, ${end}` }),
    ...tree.states.map(stateCard),
  );
}

function showRound() {
  const round = rounds[roundSelect.value];
  fill(problemSelect, round.trees.map((tree) => `${tree.id} (${count(tree.states.length, "state")})`));
  const judged = round.trees.findIndex((tree) => tree.states.some((state) => state.verdicts.length));
  problemSelect.value = String(Math.max(judged, 0));
  showTree();
}

function move(by) {
  const total = problemSelect.options.length;
  problemSelect.value = String((Number(problemSelect.value) + by + total) % total);
  showTree();
}

if (rounds.length) {
  fill(roundSelect, rounds.map((round) => `${round.model}, judged by ${round.judge}`));
  roundSelect.addEventListener("change", showRound);
  problemSelect.addEventListener("change", showTree);
  document.getElementById("tree-previous").addEventListener("click", () => move(-1));
  document.getElementById("tree-next").addEventListener("click", () => move(1));
  document.getElementById("viewer").hidden = false;
  showRound();
}
