"use strict";

// The script of a report: sorts its tables and shows every prompt with its answers, the prompt browser.
// Models wrote the texts, so they only ever become text nodes; the page's policy forbids markup from strings.

const PER_PAGE = 50;
const MOST_ANSWERS = 48;
const MOST_CHARACTERS = 20000;
const MOST_EDITS = 1000;
const MANY_ARMS = 8;

const OUTCOMES = new Map([
  ["pass", { label: "passed", tone: "good" }],
  ["fail", { label: "failed", tone: "bad" }],
  ["unscored", { label: "not scored", tone: "" }],
  ["error", { label: "error", tone: "warn" }],
]);
const VOTES = new Map([
  ["for", "pass, or preferred"],
  ["tie", "tie"],
  ["against", "fail, or not preferred"],
  ["split", "judges disagree"],
  ["none", "no verdict"],
]);
const ORDERS = new Map([
  ["", "as in the suite"],
  ["failed", "fewest passed first"],
  ["split", "targets disagree most"],
  ["slow", "slowest first"],
  ["cost", "costliest first"],
]);
const ANSWER_FILTERS = ["target", "check", "outcome", "error", "vote"];
const FILTERS = ["q", "tag", ...ANSWER_FILTERS, "flip"];
/** What the address may hold after `#`: the open prompt, the answer and the pair chosen, and the list around it. */
const KEYS = ["prompt", "answer", "a", "b", ...FILTERS, "order", "page"];

// ---- elements -------------------------------------------------------------------------------------------------------

/** An element with attributes and listeners (`onclick`). Children that are strings become text nodes. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (known(value) && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter(Boolean));
  return element;
}

const known = (value) => value !== undefined && value !== null;

const unseen = (text) => make("span", { class: "unseen" }, text);

const pill = (text, tone) => make("span", { class: `pill ${tone}` }, text);

const flipPill = (flip) => flip && pill(flip, flip === "worse" ? "bad" : "good");

const facts = (...children) => make("p", { class: "facts" }, ...children);

const quietText = (text) => text && make("span", { class: "quiet", dir: "auto" }, ` ${text}`);

const button = (text, onclick, attributes) => make("button", { type: "button", onclick, ...attributes }, text);

const folded = (title, ...children) => make("details", {}, make("summary", {}, title), ...children);

/** A target's name, which wraps only after the model. */
function brokenName(name) {
  const slash = name.indexOf("/") + 1;
  return [name.slice(0, slash), name.slice(slash)].filter(Boolean).map(namePart);
}

const namePart = (text) => make("span", { class: "part" }, text);

/** A text in a box, cut if it is very long, with the words searched for marked. */
function textBox(text, label, query) {
  const box = make("pre", { dir: "auto", "data-label": label }, marked(text.slice(0, MOST_CHARACTERS), query));
  let shown = MOST_CHARACTERS;
  const title = () => `Show more: ${count(shown)} of ${count(text.length)} characters`;
  const more = button(title(), () => {
    box.append(text.slice(shown, shown + MOST_CHARACTERS));
    shown += MOST_CHARACTERS;
    more.hidden = shown >= text.length;
    more.textContent = title();
  });
  return text.length > shown ? [box, more] : [box];
}

/** The text as nodes, with every occurrence of the query marked. */
function marked(text, query) {
  const parts = [];
  const searched = text.toLowerCase();
  let from = 0;
  for (let at; query && (at = searched.indexOf(query, from)) >= 0; from = at + query.length) {
    parts.push(text.slice(from, at), make("mark", {}, text.slice(at, at + query.length)));
  }
  return [...parts, text.slice(from)];
}

/** Makes boxes that scroll reachable by keyboard, each with a name. */
function labelScrollers(root) {
  for (const box of root.querySelectorAll("pre")) {
    if (box.scrollHeight <= box.clientHeight + 1) continue;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", box.dataset.label);
  }
}

// ---- numbers --------------------------------------------------------------------------------------------------------

const count = (n) => n.toLocaleString("en-US");

const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** Three significant digits of a value that is not negative, without an exponent. */
function significant(value) {
  if (value === 0 || value >= 999.5) return count(Math.round(value));
  return value.toFixed(Math.min(9, Math.max(0, 2 - Math.floor(Math.log10(value)))));
}

const duration = (seconds) => (seconds < 1 ? `${significant(1000 * seconds)} ms` : `${significant(seconds)} s`);

const usd = (value) => `$${value >= 1 ? value.toFixed(2) : significant(value)}`;

/** The parts that there are, with a separator between them. */
const listed = (separator, ...parts) => parts.filter(Boolean).join(separator);

const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

// ---- the book -------------------------------------------------------------------------------------------------------

/** The page's data: prompts with their answers by arm. What the data leaves out is filled in. */
function readBook(text) {
  const book = JSON.parse(text);
  for (const arm of book.arms) arm.name = arm.run_id ? `${arm.target} · ${arm.run_id}` : arm.target;
  for (const prompt of book.prompts) {
    for (const list of ["tags", "turns", "attachments", "checks"]) prompt[list] ??= [];
    prompt.arms = book.arms.map(() => []);
    prompt.cells = book.arms.map(() => null);
  }
  for (const [prompt, arm, answers, passed, scored, failed] of book.cells) {
    book.prompts[prompt].cells[arm] = { answers, passed, scored, failed };
  }
  for (const answer of book.answers) {
    for (const list of ["checks", "votes", "tools", "citations"]) answer[list] ??= [];
    answer.repeat ??= 0;
    answer.key = `${answer.arm}.${answer.repeat}`;
    answer.name = `repeat ${answer.repeat + 1}`;
    answer.outcome = answer.error_kind ? "error" : outcomeOf(answer);
    answer.seconds = (answer.queue_s || 0) + (answer.ttft_s || 0) + (answer.stream_s || 0);
    book.prompts[answer.prompt].arms[answer.arm].push(answer);
  }
  book.byId = new Map(book.prompts.map((prompt) => [prompt.id, prompt]));
  return book;
}

/** Of an answer or a check. */
const outcomeOf = ({ passed }) => (passed === true ? "pass" : passed === false ? "fail" : "unscored");

const answersOf = (prompt) => prompt.arms.flat();

/** The counts of a prompt over all its targets, shown or not. */
function totals(prompt) {
  const sum = { answers: 0, passed: 0, scored: 0, failed: 0 };
  for (const cell of prompt.cells) for (const key of Object.keys(sum)) sum[key] += cell ? cell[key] : 0;
  return sum;
}

const shareOf = ({ passed, scored }) => (scored ? passed / scored : null);

/** The keys of VOTES that are true of an answer. */
function votesOf(answer) {
  const found = answer.checks.filter((check) => /^(judge|pairwise)/.test(check.scorer)).map((check) => {
    const value = check.scorer.startsWith("pairwise") ? check.value : check.passed;
    if (!known(value)) return "none";
    return value === 0.5 ? "tie" : Number(value) === 1 ? "for" : "against";
  });
  const scores = answer.votes.map((vote) => vote.score).filter(known);
  return scores.some((score) => score - Math.min(...scores) >= 0.5) ? [...found, "split"] : found;
}

/** Everything in an answer that a search looks through, in lower case. */
function searchedAnswer(answer) {
  const { text, tools, citations, checks, votes, error_message } = answer;
  const reasons = [...checks, ...votes].map(({ reason }) => reason);
  return (answer.searched ??= inLowerCase([text, ...tools, ...citations, ...reasons, error_message]));
}

function searchedPrompt(prompt) {
  const { id, turns, expect, attachments } = prompt;
  return (prompt.searched ??= inLowerCase([id, ...turns.map((turn) => turn.text), expect, ...attachments]));
}

const inLowerCase = (texts) => texts.filter(Boolean).join("\n").toLowerCase();

// ---- filters and addresses ------------------------------------------------------------------------------------------

/** What the address asks for; an unset key is an empty string. */
function readState() {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  return Object.fromEntries(KEYS.map((key) => [key, given.get(key) || ""]));
}

/** The address of a state, `#prompt=capital&outcome=fail`. */
function addressOf(state, home) {
  const set = KEYS.filter((key) => state[key]).map((key) => `${key}=${encodeURIComponent(state[key])}`);
  return `#${set.join("&") || home}`;
}

function answerMatches(book, answer, state) {
  const checks = answer.checks.filter((check) => check.scorer === state.check);
  if (state.target && book.arms[answer.arm].name !== state.target) return false;
  if (state.error && answer.error_kind !== state.error) return false;
  if (state.vote && !votesOf(answer).includes(state.vote)) return false;
  if (!state.check) return !state.outcome || answer.outcome === state.outcome;
  return checks.some((check) => !state.outcome || outcomeOf(check) === state.outcome);
}

/** The answers to a prompt that the filters and the search leave; null if the prompt itself is left out. */
function matching(book, prompt, state) {
  if (state.tag && !prompt.tags.includes(state.tag)) return null;
  if (state.flip && prompt.flip !== state.flip) return null;
  const query = state.q.toLowerCase();
  const asked = !query || searchedPrompt(prompt).includes(query);
  const found = (answer) => asked || searchedAnswer(answer).includes(query);
  const left = answersOf(prompt).filter((answer) => answerMatches(book, answer, state) && found(answer));
  const whole = asked && !ANSWER_FILTERS.some((key) => state[key]);
  return left.length || whole ? left : null;
}

/** The prompts that the filters leave, in the order chosen: `[{prompt, answers}]`. */
function select(book, state) {
  const rows = [];
  for (const prompt of book.prompts) {
    const answers = matching(book, prompt, state);
    if (answers) rows.push({ prompt, answers });
  }
  const rank = RANKS[state.order];
  if (!rank) return rows;
  const ranked = rows.map((row) => [rank(row.prompt), row]);
  return ranked.sort((left, right) => right[0] - left[0]).map(([, row]) => row);
}

const sharesOf = (prompt) => prompt.cells.filter(Boolean).map(shareOf).filter(known);

const RANKS = {
  failed: (prompt) => 1 - (shareOf(totals(prompt)) ?? 2),
  split: (prompt) => Math.max(...sharesOf(prompt)) - Math.min(...sharesOf(prompt)),
  slow: (prompt) => largest(answersOf(prompt).map((answer) => answer.seconds)),
  cost: (prompt) => answersOf(prompt).reduce((sum, answer) => sum + (answer.cost_usd || 0), 0),
};

/** What there is to filter by: `[key, label, [[value, text], …]]`. A filter without a choice is left out. */
function filterChoices(book) {
  const unique = (values) => [...new Set(values)].filter(Boolean).map((value) => [value, value]);
  const outcomes = new Set(book.answers.map((answer) => answer.outcome));
  const votes = new Set(book.answers.flatMap(votesOf));
  const flips = ["worse", "better"].filter((flip) => book.prompts.some((prompt) => prompt.flip === flip));
  const choices = [
    ["outcome", "Outcome", [...OUTCOMES].filter(([key]) => outcomes.has(key)).map(([key, { label }]) => [key, label])],
    ["flip", "Changed", unique(flips)],
    ["target", "Target", book.arms.length > 1 ? unique(book.arms.map((arm) => arm.name)) : []],
    ["tag", "Tag", unique(book.prompts.flatMap((prompt) => prompt.tags)).sort()],
    ["check", "Check", unique(book.answers.flatMap((answer) => answer.checks.map((check) => check.scorer)))],
    ["error", "Error", unique(book.answers.map((answer) => answer.error_kind))],
    ["vote", "Judge", [...VOTES].filter(([key]) => votes.has(key))],
  ];
  return choices.filter(([, , values]) => values.length)
    .map(([key, label, values]) => [key, label, [["", "all"], ...values]]);
}

// ---- the browser ----------------------------------------------------------------------------------------------------

/** The prompt browser: one state, kept in the address, and two views of it. */
class Browser {
  constructor(root, book) {
    this.root = root;
    this.book = book;
    this.home = root.closest("section").id;
    this.state = readState();
    this.rows = select(book, this.state);
    this.active = { row: 0, column: 0 };
    this.controls = this.makeControls();
    this.status = make("p", { class: "facts", role: "status" });
    this.view = make("div", { class: "view" });
    root.append(...this.sampleNote(), this.controls, this.status, this.view);
    addEventListener("hashchange", () => this.follow());
    addEventListener("keydown", (event) => this.press(event));
    this.render();
    if (location.hash.includes("=")) this.showTop();
  }

  /** What the page does not show, and the command that lists it. */
  sampleNote() {
    const { sampled, query, total_prompts, prompts, notes = [] } = this.book;
    const lines = [...notes];
    const part = `${count(prompts.length)} of ${counted(total_prompts, "prompt")}`;
    if (prompts.length < total_prompts) lines.unshift(`${part} are listed: those whose answers are shown.`);
    if (sampled) lines.unshift(sampled);
    if (!lines.length) return [];
    const command = sampled && query && make("p", {}, "All of them: ", make("code", {}, query));
    return [make("div", { class: "notice" }, lines.map((line) => make("p", {}, line)), command)];
  }

  // -- state

  /** Takes a state over from the address: a link, the back button. */
  follow() {
    if (location.hash && !location.hash.includes("=") && location.hash !== `#${this.home}`) return;
    const before = this.state;
    this.state = readState();
    this.update(before);
  }

  /** Changes the state; `push` makes it a step for the back button. */
  go(changes, push) {
    const before = this.state;
    this.state = { ...this.state, ...changes };
    const address = addressOf(this.state, this.home);
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.update(before);
  }

  update(before) {
    if ([...FILTERS, "order"].some((key) => before[key] !== this.state[key])) {
      this.rows = select(this.book, this.state);
      this.active = { row: 0, column: 0 };
    }
    this.render();
    if (before.prompt === this.state.prompt) return;
    this.showTop();
    if (this.state.prompt) this.view.querySelector("h3")?.focus({ preventScroll: true });
    else this.focusRow(this.rows.findIndex((row) => row.prompt.id === before.prompt));
  }

  /** `#prompt=…` for a link, with the filters kept so that the way back leads to the same list. */
  address(changes) {
    return addressOf({ ...this.state, answer: "", a: "", b: "", ...changes }, this.home);
  }

  open(row, changes) {
    const at = this.rows[row];
    if (at) this.go({ answer: "", a: "", b: "", ...changes, prompt: at.prompt.id }, true);
  }

  close() {
    this.go({ prompt: "", answer: "", a: "", b: "" }, true);
  }

  showTop() {
    this.root.closest("section").scrollIntoView();
  }

  // -- controls

  makeControls() {
    const hint = "Search questions, answers and reasons";
    const search = make("input", { type: "search", placeholder: hint, "aria-label": hint, "data-key": "q" });
    search.addEventListener("input", () => this.filter("q", search.value));
    const choose = ([key, label, values]) => {
      const onchange = () => this.filter(key, choice.value);
      const choice = make("select", { "data-key": key, "aria-label": label, onchange },
        values.map(([value, text]) => make("option", { value }, text)));
      return make("label", {}, make("span", {}, label), choice);
    };
    const clear = button("Clear filters", () => this.clear(), { class: "clear" });
    const onsubmit = (event) => event.preventDefault();
    return make("form", { class: "controls", role: "search", "aria-label": "Filter prompts", onsubmit },
      search, filterChoices(this.book).map(choose), choose(["order", "Order", [...ORDERS]]), clear);
  }

  filter(key, value) {
    this.go({ [key]: value, page: "", prompt: "", answer: "", a: "", b: "" }, false);
  }

  clear() {
    this.go(Object.fromEntries([...FILTERS, "page"].map((key) => [key, ""])), false);
  }

  renderControls() {
    for (const control of this.controls.querySelectorAll("[data-key]")) {
      const value = this.state[control.dataset.key];
      if (control.value !== value) control.value = value;
      control.classList.toggle("set", Boolean(value));
    }
    this.controls.querySelector(".clear").hidden = !FILTERS.some((key) => this.state[key]);
  }

  render() {
    this.renderControls();
    this.root.classList.toggle("reading", Boolean(this.state.prompt));
    const prompt = this.book.byId.get(this.state.prompt);
    this.controls.hidden = Boolean(this.state.prompt);
    if (this.state.prompt) this.view.replaceChildren(...(prompt ? promptView(this, prompt) : this.unknownPrompt()));
    else this.view.replaceChildren(...this.listView());
    this.status.textContent = this.summary();
    labelScrollers(this.view);
  }

  summary() {
    if (this.state.prompt) return "";
    const { prompts, answers } = this.book;
    const left = this.rows.reduce((sum, row) => sum + row.answers.length, 0);
    const all = this.rows.length === prompts.length && left === answers.length;
    const of = (n, whole, noun) => `${all ? "" : `${count(n)} of `}${counted(whole, noun)}`;
    return `${of(this.rows.length, prompts.length, "prompt")}, ${of(left, answers.length, "answer")}`;
  }

  unknownPrompt() {
    const name = make("code", {}, this.state.prompt);
    return [make("p", { class: "notice" }, "This report has no prompt ", name, ". ",
      make("a", { href: this.address({ prompt: "" }) }, "Show all prompts"))];
  }

  // -- the list: prompts × targets

  get page() {
    const last = Math.max(0, Math.ceil(this.rows.length / PER_PAGE) - 1);
    return Math.min(last, Math.max(0, (parseInt(this.state.page, 10) || 1) - 1));
  }

  listView() {
    if (!this.rows.length) return [make("p", { class: "notice" }, "No prompt matches. Clear a filter.")];
    const from = this.page * PER_PAGE;
    const rows = this.rows.slice(from, from + PER_PAGE);
    this.active.row = Math.min(Math.max(this.active.row, from), from + rows.length - 1);
    const size = { class: `map ${sizeOf(this.book.arms)}`, "aria-rowcount": this.rows.length + 1 };
    const table = make("table", { role: "grid", ...size },
      make("caption", { class: "unseen" }, "Prompts and how each target answered"), this.listHead(),
      make("tbody", {}, rows.map((row, i) => this.listRow(row, from + i))));
    table.addEventListener("focusin", (event) => this.activate(event.target));
    const scrolls = { class: "wide tall", role: "region", tabindex: 0, "aria-label": "Prompts and targets" };
    return [make("div", scrolls, table), ...this.pager(), keysHelp()];
  }

  listHead() {
    const small = (text) => text && make("small", {}, text);
    const heads = this.book.arms.map((arm) => make("th", { scope: "col" }, make("span", { class: "arm" },
      arm.target.split(/(?<=\/)/).map(namePart), small(arm.baseline && "baseline"), small(arm.run_id))));
    return make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "prompt"), heads));
  }

  listRow({ prompt, answers }, index) {
    const left = new Set(answers);
    const narrowed = FILTERS.some((key) => this.state[key]);
    const question = prompt.turns.findLast((turn) => turn.role === "user");
    const head = make("th", { scope: "row" }, make("div", { class: "asked-line" },
      make("a", { href: this.address({ prompt: prompt.id }), ...this.place(index, 0) }, prompt.id),
      flipPill(prompt.flip),
      make("span", { class: "snippet", dir: "auto" }, question ? question.text.slice(0, 160) : "")));
    const isLeft = (arm) => !narrowed || prompt.arms[arm].some((answer) => left.has(answer));
    const cells = prompt.cells.map((_, arm) => make("td", {}, this.cell(prompt, arm, index, isLeft(arm))));
    return make("tr", { "aria-rowindex": index + 2 }, head, cells);
  }

  cell(prompt, arm, row, isLeft) {
    const { mark, tone, words } = describeCell(prompt.cells[arm]);
    const label = `${prompt.id}, ${this.book.arms[arm].name}: ${words}`;
    const open = () => this.open(row, { answer: prompt.arms[arm][0]?.key || "" });
    const looks = { class: `cell ${tone}${isLeft ? "" : " dim"}`, "aria-label": label, title: label };
    return button(mark, open, { ...looks, ...this.place(row, arm + 1) });
  }

  /** The attributes of a place in the grid. Only the active one is in the tab order; arrow keys move it. */
  place(row, column) {
    const isActive = row === this.active.row && column === this.active.column;
    return { "data-row": row, "data-column": column, tabindex: isActive ? 0 : -1 };
  }

  slot(row, column) {
    return this.view.querySelector(`[data-row="${row}"][data-column="${column}"]`);
  }

  activate(slot) {
    if (!slot || !slot.dataset.row) return;
    this.slot(this.active.row, this.active.column)?.setAttribute("tabindex", "-1");
    slot.setAttribute("tabindex", "0");
    this.active = { row: Number(slot.dataset.row), column: Number(slot.dataset.column) };
  }

  focusRow(row, column = this.active.column) {
    if (row < 0 || row >= this.rows.length) return;
    const page = Math.floor(row / PER_PAGE);
    if (page !== this.page) {
      this.active.row = row;
      this.go({ page: String(page + 1) }, false);
    }
    const slot = this.slot(row, column);
    slot?.focus({ preventScroll: true });
    slot?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  pager() {
    const pages = Math.ceil(this.rows.length / PER_PAGE);
    if (pages < 2) return [];
    const show = (page) => {
      this.active.row = page * PER_PAGE;
      this.go({ page: String(page + 1) }, false);
      this.showTop();
    };
    const turn = (text, page) => button(text, () => show(page), { disabled: page < 0 || page >= pages });
    return [make("nav", { class: "pager", "aria-label": "Pages of prompts" }, turn("Previous", this.page - 1),
      make("span", {}, `Page ${count(this.page + 1)} of ${count(pages)}`), turn("Next", this.page + 1))];
  }

  // -- keys

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const focused = document.activeElement;
    if (focused !== document.body && !this.root.contains(focused)) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(focused.tagName)) {
      if (event.key === "Escape") { focused.blur(); event.preventDefault(); }
      return;
    }
    if (this.act(event.key, focused)) event.preventDefault();
  }

  /** What a key does; true if it does anything. */
  act(key, focused) {
    if (key === "/") return this.searchFor();
    if (this.state.prompt) {
      if (key === "Escape") this.close();
      else if (key === "j" || key === "k") this.step(key === "j" ? 1 : -1);
      else return false;
      return true;
    }
    const { row, column } = this.active;
    const inGrid = Boolean(focused.dataset.row);
    if (key === "j" || key === "k") this.focusRow(inGrid ? row + (key === "j" ? 1 : -1) : row);
    else if (inGrid && key === "ArrowDown") this.focusRow(row + 1);
    else if (inGrid && key === "ArrowUp") this.focusRow(row - 1);
    else if (inGrid && key === "ArrowRight") this.slot(row, column + 1)?.focus();
    else if (inGrid && key === "ArrowLeft") this.slot(row, column - 1)?.focus();
    else return false;
    return true;
  }

  searchFor() {
    if (this.state.prompt) this.close();
    this.controls.querySelector("input").focus();
    return true;
  }

  /** The place of the open prompt in the list, −1 if the filters leave it out. */
  get position() {
    return this.rows.findIndex((row) => row.prompt.id === this.state.prompt);
  }

  step(by) {
    this.open(this.position + by);
  }
}

const sizeOf = (arms) => (arms.length > MANY_ARMS ? "many" : arms.length > 4 ? "several" : "few");

const HELP = { "/": "search", j: "next", k: "previous", Enter: "open", Esc: "back" };

const keysHelp = () => make("p", { class: "legend keys" },
  Object.entries(HELP).map(([key, does]) => [make("kbd", {}, key), ` ${does} `]));

/** What a cell of the heat map shows, its colour, and its words for those who cannot see it. */
function describeCell(counts) {
  if (!counts) return { mark: "·", tone: "none", words: "not asked" };
  const { answers, passed, scored, failed } = counts;
  const unscored = answers - scored - (scored ? 0 : failed);
  const words = listed(", ", scored && `${count(passed)} of ${count(scored)} passed`,
    failed && counted(failed, "error"), unscored && `${count(unscored)} not scored`);
  if (failed === answers) return { mark: failed > 1 ? `${count(failed)} err` : "err", tone: "err", words };
  const mark = scored > 1 ? `${count(passed)}/${count(scored)}` : scored ? (passed ? "✓" : "✗") : "–";
  return { mark: failed ? `${mark} !` : mark, tone: toneOf(shareOf(counts)), words };
}

function toneOf(share) {
  if (share === null) return "none";
  return share === 0 ? "s0" : share === 1 ? "s4" : `s${1 + Math.floor(3 * share)}`;
}

// ---- one prompt -----------------------------------------------------------------------------------------------------

function promptView(browser, prompt) {
  const { state } = browser;
  const left = matching(browser.book, prompt, state);
  const all = answersOf(prompt);
  const narrowed = left && left.length && left.length < all.length && !state.answer;
  const answers = inReadingOrder(browser.book, narrowed ? left : all);
  const title = narrowed ? `Answers: ${count(left.length)} of ${count(all.length)} match the filters` : "Answers";
  return [
    promptBar(browser, prompt),
    make("h3", { tabindex: -1 }, prompt.id, " ", flipPill(prompt.flip)),
    promptFacts(prompt),
    questionView(browser.book, prompt, state.q.toLowerCase()),
    ...differenceView(browser, prompt),
    make("h4", {}, title),
    answersView(browser, prompt, answers),
    keysHelp(),
  ];
}

/** Few targets stand beside each other, a row for each repeat; of many, each target's answers follow each other. */
function inReadingOrder(book, answers) {
  if (!areSideBySide(book)) return answers;
  return [...answers].sort((left, right) => left.repeat - right.repeat || left.arm - right.arm);
}

const areSideBySide = ({ arms }) => arms.length > 1 && arms.length <= 4;

function promptBar(browser, prompt) {
  const { position, rows } = browser;
  const isLast = (by) => position < 0 || !rows[position + by];
  const turn = (text, by) => button(text, () => browser.step(by), { disabled: isLast(by) });
  const place = position < 0 ? "outside the filters" : `${count(position + 1)} of ${count(rows.length)}`;
  return make("nav", { class: "bar", "aria-label": "Prompts" },
    make("a", { href: browser.address({ prompt: "" }) }, "← All prompts"),
    make("span", { class: "quiet" }, place),
    turn("Previous", -1), turn("Next", 1),
    make("a", { href: addressOf({ prompt: prompt.id }) }, "Link to this prompt"));
}

function promptFacts(prompt) {
  const { answers, passed, scored, failed } = totals(prompt);
  const shown = answersOf(prompt).length;
  return facts(listed(" · ",
    scored && `${count(passed)} of ${counted(scored, "answer")} passed`, failed && counted(failed, "error"),
    shown < answers && `${count(shown)} of ${counted(answers, "answer")} shown`,
    prompt.group && `group ${prompt.group}`, prompt.tags.length && `tags: ${prompt.tags.join(", ")}`));
}

function questionView(book, prompt, query) {
  const titled = (title, ...children) => make("div", { class: "turn" }, make("h4", {}, title), ...children);
  const turns = prompt.turns.map(({ role, text }) => titled(role, textBox(text, `${role} turn`, query)));
  const items = (title, values) => {
    const lines = values.map((value) => make("li", {}, value));
    return lines.length && titled(title, make("ul", {}, lines));
  };
  return make("div", { class: "asked" },
    make("div", {}, systemPrompts(book, prompt, titled), turns),
    make("div", {}, known(prompt.expect) && titled("expected", textBox(prompt.expect, "Expected answer", query)),
      items("checks", prompt.checks), items("documents", prompt.attachments)));
}

/** The targets' own system prompts, where they differ and the prompt has none. */
function systemPrompts({ arms }, prompt, titled) {
  const own = arms.filter((arm) => arm.system);
  if (!own.length || prompt.turns.some((turn) => turn.role === "system")) return null;
  const texts = own.map((arm) => titled(arm.name, textBox(arm.system, `System prompt of ${arm.name}`)));
  return folded("System prompt of each target", texts);
}

function answersView(browser, prompt, answers) {
  const longest = largest(answersOf(prompt).map((answer) => answer.seconds));
  const sideBySide = areSideBySide(browser.book);
  const chosen = answers.findIndex((answer) => answer.key === browser.state.answer);
  const grid = make("div", { class: sideBySide ? `answers side-${browser.book.arms.length}` : "answers" });
  let shown = 0;
  const showMore = () => {
    const upTo = Math.max(shown + MOST_ANSWERS, chosen + 1);
    const cards = answers.slice(shown, upTo).map((answer) => answerCard(browser, answer, longest, sideBySide));
    grid.append(...cards);
    shown = Math.min(upTo, answers.length);
    more.hidden = shown === answers.length;
    more.textContent = `Show more: ${count(shown)} of ${counted(answers.length, "answer")}`;
    if (grid.isConnected) labelScrollers(grid);
  };
  const more = button("", showMore);
  showMore();
  return make("div", {}, grid, more);
}

function answerCard(browser, answer, longest, sideBySide) {
  const arm = browser.book.arms[answer.arm];
  const { label, tone } = OUTCOMES.get(answer.outcome);
  const chosen = answer.key === browser.state.answer ? " chosen" : "";
  const card = make("article", { class: `answer${chosen}`, "aria-label": `${arm.name}, ${answer.name}: ${label}` },
    make("h5", { class: "name" }, brokenName(arm.target), arm.baseline && " (baseline)"),
    facts(pill(listed(": ", label, answer.error_kind), tone), ` ${listed(" · ", answer.name, arm.run_id)}`),
    answerText(answer, browser.state.q.toLowerCase()),
    extras(answer),
    timeStrip(answer, longest),
    facts(spent(answer)));
  if (sideBySide) card.style.setProperty("--column", answer.arm + 1);
  return card;
}

function answerText(answer, query) {
  if (!answer.text) return !answer.error_kind && facts("The answer is empty.");
  const cut = answer.characters && facts(`Cut: the whole answer has ${count(answer.characters)} characters.`);
  return make("div", {}, textBox(answer.text, "Answer", query), cut);
}

/** What comes with an answer: its error, checks, votes, tool calls and citations. */
function extras({ error_message, checks, votes, tools, citations }) {
  const boxes = (noun, texts) =>
    texts.length && folded(counted(texts.length, noun), texts.map((text) => textBox(text, noun)));
  return [
    error_message && make("div", {}, textBox(error_message, "Error message")),
    checks.length && make("ul", { class: "checks" }, checks.map(checkLine)),
    votes.length > 1 && folded(counted(votes.length, "vote"), make("ul", { class: "checks" }, votes.map(voteLine))),
    boxes("tool call", tools), boxes("citation", citations),
  ];
}

const CHECK_MARKS = { pass: ["✓", "passed", "good"], fail: ["✗", "failed", "bad"], unscored: ["–", "no verdict", ""] };

function checkLine(check) {
  const [mark, words, tone] = CHECK_MARKS[outcomeOf(check)];
  const value = known(check.value) && check.value !== Number(check.passed) && ` ${check.value.toFixed(2)}`;
  const name = make("strong", { class: tone }, mark, unseen(words), ` ${check.scorer}`);
  return make("li", {}, name, value, quietText(check.reason));
}

function voteLine({ judge, score, reason }) {
  const given = known(score) ? score.toFixed(2) : "no score";
  return make("li", {}, make("strong", {}, `${judge} ${given}`), quietText(reason));
}

/** Queue, TTFT and stream to one scale for all answers of the prompt, with the numbers as text. */
function timeStrip({ queue_s, ttft_s, stream_s }, longest) {
  const last = known(ttft_s) ? "stream" : "answer";
  const parts = [["queue", queue_s], ["TTFT", ttft_s], [last, stream_s]].filter(([, seconds]) => known(seconds));
  if (!parts.length) return null;
  const bar = make("div", { class: "strip", "aria-hidden": "true" }, parts.map(([name, seconds]) => {
    const segment = make("span", { class: name });
    segment.style.width = `${longest ? (100 * seconds) / longest : 0}%`;
    return segment;
  }));
  return make("div", {}, bar, facts(parts.map(([name, seconds]) => `${name} ${duration(seconds)}`).join(" · ")));
}

function spent(answer) {
  const tokens = (n, what) => known(n) && `${count(n)} ${what}`;
  const used = listed(", ", tokens(answer.input_tokens, "in"), tokens(answer.output_tokens, "out"),
    answer.cache_read_tokens && tokens(answer.cache_read_tokens, "cache read"),
    answer.cache_write_tokens && tokens(answer.cache_write_tokens, "cache write"));
  return listed(" · ", used && `tokens: ${used}`, known(answer.cost_usd) && usd(answer.cost_usd),
    answer.stop_reason && `stop: ${answer.stop_reason}`, answer.attempts > 1 && `${count(answer.attempts)} attempts`);
}

// ---- the difference between two answers -----------------------------------------------------------------------------

function differenceView(browser, prompt) {
  const answers = answersOf(prompt).filter((answer) => answer.text);
  if (answers.length < 2) return [];
  const { arms } = browser.book;
  const [left, right] = chosenPair(browser, prompt, answers);
  const names = answers.map((answer) => {
    const name = `${arms[answer.arm].name}, ${answer.name}: ${OUTCOMES.get(answer.outcome).label}`;
    return [answer.key, name];
  });
  const choose = (key, label, chosen) => {
    const onchange = () => browser.go({ a: left.key, b: right.key, [key]: choice.value }, false);
    const choice = make("select", { "aria-label": `Difference ${label}`, onchange },
      names.map(([value, text]) => make("option", { value, selected: value === chosen.key }, text)));
    return make("label", {}, make("span", {}, label), choice);
  };
  return [make("details", { class: "difference", open: true }, make("summary", {}, "Difference, word by word"),
    make("div", { class: "pair" }, choose("a", "from", left), choose("b", "to", right)),
    differenceOf(left.text, right.text))];
}

/** The two answers to compare: those chosen, else one and the baseline's to the same repeat, if possible a change. */
function chosenPair(browser, prompt, answers) {
  const { state, book } = browser;
  const byKey = new Map(answers.map((answer) => [answer.key, answer]));
  const pairs = answers
    .map((right) => [byKey.get(`${book.arms[right.arm].against}.${right.repeat}`), right])
    .filter(([left]) => left);
  const wanted = pairs.filter((pair) => pair.some((answer) => answer.key === state.answer));
  const chosen = wanted.length ? wanted : pairs;
  const lost = prompt.flip === "better" ? ["fail", "pass"] : ["pass", "fail"];
  const [left, right] = chosen.find((pair) => pair.every((answer, i) => answer.outcome === lost[i]))
    || chosen.find((pair) => pair[0].outcome !== pair[1].outcome) || chosen[0] || answers;
  return [byKey.get(state.a) || left, byKey.get(state.b) || right];
}

function differenceOf(left, right) {
  const edits = wordDifference(left.slice(0, MOST_CHARACTERS), right.slice(0, MOST_CHARACTERS));
  const isCut = Math.max(left.length, right.length) > MOST_CHARACTERS;
  const isSame = edits.every(([kind]) => kind === "same");
  const spoken = { ins: "[inserted: ", del: "[removed: " };
  const edited = ([kind, text]) => (kind === "same" ? text : make(kind, {}, unseen(spoken[kind]), text, unseen("]")));
  return [
    isSame && facts(left === right ? "The answers are the same." : "The words are the same; only white space differs."),
    isCut && facts(`Only the first ${count(MOST_CHARACTERS)} characters are compared.`),
    make("pre", { dir: "auto", "data-label": "Difference" }, edits.map(edited)),
  ];
}

/** `[kind, text]` in order, with the kinds `same`, `del` and `ins`; white space is not compared. */
const wordDifference = (left, right) => joined(edit(words(left), words(right)));

/** A character of a script without spaces, a word or number, or a sign, each with the white space behind it. */
const WORD = new RegExp([
  "(?:[\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}]",
  "[\\p{L}\\p{M}\\p{N}_]+(?:[.,'’-][\\p{L}\\p{N}_]+)*",
  "\\S)\\s*",
  "\\s+",
].join("|"), "gu");

const words = (text) => (text.match(WORD) || []).map((word) => ({ text: word, key: word.trim() }));

function edit(a, b) {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start].key === b[start].key) start += 1;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end].key === b[b.length - 1 - end].key) end += 1;
  const keep = (kept) => kept.map((word) => ["same", word.text]);
  const changed = shortestEdit(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...keep(b.slice(0, start)), ...changed, ...keep(b.slice(b.length - end))];
}

/** Myers' O(ND) algorithm; where it takes more than MOST_EDITS edits, everything is replaced. */
function shortestEdit(a, b) {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  const furthest = new Int32Array(2 * most + 3);
  const at = (k) => k + most + 1;
  const trace = [];
  for (let d = 0; d <= most; d += 1) {
    trace.push(furthest.slice());
    for (let k = -d; k <= d; k += 2) {
      let x = isInsertion(furthest, at(k), k, d) ? furthest[at(k + 1)] : furthest[at(k - 1)] + 1;
      while (x < a.length && x - k < b.length && a[x].key === b[x - k].key) x += 1;
      furthest[at(k)] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace, at);
    }
  }
  return [...a.map((word) => ["del", word.text]), ...b.map((word) => ["ins", word.text])];
}

const isInsertion = (furthest, i, k, d) => k === -d || (k !== d && furthest[i - 1] < furthest[i + 1]);

function walkBack(a, b, trace, at) {
  const edits = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const k = x - y;
    const inserted = isInsertion(trace[d], at(k), k, d);
    const before = inserted ? k + 1 : k - 1;
    const fromX = d ? trace[d][at(before)] : 0;
    const fromY = d ? fromX - before : 0;
    for (; x > fromX && y > fromY; x -= 1, y -= 1) edits.push(["same", b[y - 1].text]);
    if (d) edits.push(inserted ? ["ins", b[y - 1].text] : ["del", a[x - 1].text]);
    [x, y] = [fromX, fromY];
  }
  return edits.reverse();
}

/** Neighbours of one kind as one text. */
function joined(edits) {
  const runs = [];
  for (const [kind, text] of edits) {
    const last = runs[runs.length - 1];
    if (last && last[0] === kind) last[1].push(text);
    else runs.push([kind, [text]]);
  }
  return runs.map(([kind, texts]) => [kind, texts.join("")]);
}

// ---- sortable tables ------------------------------------------------------------------------------------------------

/** Turns the headings of a table into buttons that sort it: up, down, and back to the report's order. */
function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  if (original.length < 2 || body.querySelector(".group")) return;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.replaceChildren(button([...head.childNodes], () => sort(column), { class: "sort" }));
  });
  const sort = (column) => {
    const heads = [...table.tHead.rows[0].cells];
    const next = { ascending: "descending", descending: null }[heads[column].getAttribute("aria-sort")];
    const direction = next === undefined ? "ascending" : next;
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    if (direction) heads[column].setAttribute("aria-sort", direction);
    body.append(...(direction ? sortedRows(original, column, direction === "ascending" ? 1 : -1) : original));
  };
}

/** Rows by number, then by text; unknown values last, whatever the direction. */
function sortedRows(rows, column, sign) {
  const key = (row) => {
    const { dataset, textContent } = row.cells[column];
    return "value" in dataset ? Number(dataset.value) : textContent.trim();
  };
  const missing = (value) => value === "–" || value === "";
  return [...rows].map((row) => [key(row), row]).sort(([left], [right]) => {
    if (missing(left) || missing(right)) return missing(left) - missing(right);
    if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
    return sign * (typeof left === "number" ? left - right : left.localeCompare(right, "en", { numeric: true }));
  }).map(([, row]) => row);
}

document.documentElement.classList.add("scripted");
document.querySelectorAll(".wide > table").forEach(makeSortable);
const data = document.getElementById("book");
if (data) new Browser(document.getElementById("browser"), readBook(data.textContent));
