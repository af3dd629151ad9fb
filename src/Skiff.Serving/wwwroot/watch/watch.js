// Asks for news every two seconds and shows them. Text from runs only ever becomes textContent.
import { Chart, element } from "./chart.js";
import { samplesOf } from "./samples.js";
import { count, duration, figure, missing } from "./numbers.js";

const pause = 2000, colours = 8, shownAtFirst = 12;
const kinds = [
  { title: "Training loss", unit: "nats per token", part: "training", column: "loss", smooths: true, logs: true, text: value => figure(value, 5), mark: value => figure(value, 3) },
  { title: "Validation", unit: "bits per byte", part: "validation", column: "val_bits_per_byte", marks: true, text: value => figure(value, 5), mark: value => figure(value, 3) },
  { title: "Learning rate", unit: "", part: "training", column: "lr", fromZero: true, text: value => figure(value, 4), mark: value => figure(value, 2) },
  { title: "Speed", unit: "tokens per second", part: "training", column: "tokens_per_second", smooths: true, fromZero: true, text: count, mark: count },
  { title: "Gradient norm", unit: "", part: "training", column: "grad_norm", smooths: true, fromZero: true, text: value => figure(value, 4), mark: value => figure(value, 3) },
];
const runs = [];
const charts = kinds.map(kind => new Chart(kind, (from, x) => charts.forEach(chart => chart === from || chart.showCross(x, false))));
const [news, controls, recipe] = ["news", "controls", "recipe"].map(id => document.getElementById(id));
document.getElementById("charts").append(...charts.map(chart => chart.figure));
let heard = null;

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}

async function update() {
  const { runs: summaries } = await (await ask("api/runs")).json();
  // A server that was started anew over fewer runs.
  while (runs.length > summaries.length) runs.pop().row.remove();
  let changed = false;
  for (const [i, summary] of summaries.entries()) {
    const run = runs[i] ??= begin(i, summary);
    run.summary = summary;
    run.name = summary.name;
    showRow(run);
    if (run.shown && run.cursor !== summary.cursor) changed = await load(run, i) || changed;
  }
  if (changed) draw();
  showNews();
}

// What came since the last time goes behind what is known and has not changed.
async function load(run, i) {
  const news = await (await ask(`api/runs/${i}/metrics?from=${run.cursor}`)).json();
  for (const part of ["training", "validation"]) {
    const { keep, ...columns } = news[part];
    for (const [name, values] of Object.entries(columns)) run.data[part][name] = [...(run.data[part][name] ?? []).slice(0, keep), ...values];
  }
  if (news.samples) run.samples = news.samples;
  run.cursor = news.cursor;
  return true;
}

function begin(i, summary) {
  const run = { name: summary.name, colour: `run-${i % colours}`, shown: i < shownAtFirst, cursor: "", samples: [], data: { training: {}, validation: {} } };
  run.row = element("tr", { class: run.colour });
  const [head, label, name] = [element("th", { scope: "row" }), element("label", {}), element("span", {})];
  const box = element("input", { type: "checkbox" });
  box.checked = run.shown;
  box.addEventListener("change", async () => {
    run.shown = box.checked;
    run.row.classList.toggle("off", !run.shown);
    if (run.shown) await load(run, i).catch(lost);
    draw();
  });
  run.row.classList.toggle("off", !run.shown);
  label.append(box, element("i", {}), name);
  head.append(label);
  run.row.append(head);
  run.cells = Object.fromEntries(["State", "Step", "Loss", "Val bits/byte", "Tokens/s", "Share of peak", "Learning rate", "Time left", "Recipe"].map(title => {
    const cell = element("td", title === "State" || title === "Recipe" ? {} : { "data-name": title });
    run.row.append(cell);
    return [title, cell];
  }));
  run.nameCell = name;
  run.progress = element("progress", {});
  run.stepText = element("span", {});
  run.cells.Step.append(run.stepText, run.progress);
  const button = element("button", { type: "button" }, "Recipe");
  button.addEventListener("click", () => showRecipe(run, i));
  run.cells.Recipe.append(button);
  document.querySelector("#runs tbody").append(run.row);
  return run;
}

function showRow(run) {
  const { summary, cells } = run;
  write(run.nameCell, run.name);
  run.nameCell.title = summary.folder;
  const ended = summary.state === "done" || summary.state === "stopped";
  const state = {
    running: "running", waiting: "waiting for its first line", silent: `nothing written for ${duration(summary.silent_seconds)}`,
    done: `done${summary.seconds === null ? "" : ` in ${duration(summary.seconds)}`}`, stopped: `stopped: ${summary.reason}`,
  }[summary.state];
  const notes = [summary.problem, summary.junk > 0 ? `${count(summary.junk)} unreadable line${summary.junk === 1 ? "" : "s"}` : null].filter(note => note);
  if (cells.State.dataset.text !== state + notes.join()) {
    cells.State.dataset.text = state + notes.join();
    cells.State.replaceChildren(element("span", { class: `state-${summary.state}` }, state), ...notes.map(note => element("span", { class: "note" }, note)));
  }
  const step = summary.step === null ? missing : summary.step.toLocaleString("en-US");
  write(run.stepText, summary.steps ? `${step} of ${summary.steps.toLocaleString("en-US")}` : step);
  run.progress.hidden = !summary.steps;
  if (summary.steps) {
    run.progress.max = summary.steps;
    run.progress.value = summary.step ?? 0;
    run.progress.setAttribute("aria-label", `${run.name}: progress`);
  }
  write(cells.Loss, figure(summary.loss));
  write(cells["Val bits/byte"], figure(summary.val_bits_per_byte));
  write(cells["Tokens/s"], count(summary.tokens_per_second));
  write(cells["Share of peak"], summary.share_of_peak === null ? missing : `${figure(summary.share_of_peak * 100, 3)}%`);
  write(cells["Learning rate"], figure(summary.lr));
  write(cells["Time left"], ended ? missing : duration(summary.eta_seconds));
  cells.Recipe.firstChild.disabled = !summary.has_recipe;
  cells.Recipe.firstChild.setAttribute("aria-label", `Recipe of ${run.name}`);
}

// Text that stays as it is is not set anew, so that what is selected stays selected.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

async function showRecipe(run, i) {
  document.getElementById("recipe-title").textContent = `Recipe of ${run.name}`;
  const text = recipe.querySelector("pre");
  text.textContent = await ask(`api/runs/${i}/recipe`).then(answer => answer.text()).catch(problem => problem.message);
  recipe.showModal();
}

function showNews() {
  heard = new Date();
  const parts = ["running", "silent", "waiting", "stopped", "done"]
    .map(state => [state, runs.filter(run => run.summary.state === state).length])
    .filter(([, number]) => number > 0)
    .map(([state, number]) => `${number} ${state}`);
  news.classList.remove("bad");
  write(news, parts.join(", "));
  const lead = runs.find(run => run.summary.state === "running" && run.summary.steps);
  document.title = `${lead ? `${Math.floor(100 * lead.summary.step / lead.summary.steps)}% · ` : ""}skiff watch`;
}

function lost(problem) {
  news.classList.add("bad");
  write(news, `No answer from skiff watch${heard ? ` since ${heard.toLocaleTimeString()}: the curves are as of then` : ""}. Asking again … (${problem.message})`);
}

function draw() {
  const shown = runs.filter(run => run.shown && run.cursor !== "");
  const options = { x: controls.elements.x.value, log: controls.elements.log.checked, smooth: Number(controls.elements.smooth.value) };
  controls.querySelector("output").textContent = options.smooth === 0 ? "off" : `${options.smooth}%`;
  const ends = charts.flatMap(chart => chart.take(shown, options));
  for (const chart of charts) chart.draw(Math.min(...ends), Math.max(...ends));
  samplesOf(document.getElementById("samples"), shown);
}

// The address keeps the settings, so that a page can be reloaded and passed on.
const settings = new URLSearchParams(location.search);
if (["tokens", "seconds"].includes(settings.get("x"))) controls.elements.x.value = settings.get("x");
controls.elements.log.checked = settings.get("log") === "1";
if (settings.has("smooth")) controls.elements.smooth.value = settings.get("smooth");
controls.addEventListener("submit", event => event.preventDefault());
controls.addEventListener("input", () => {
  const { x, log, smooth } = controls.elements;
  history.replaceState(null, "", `?x=${x.value}&log=${log.checked ? 1 : 0}&smooth=${smooth.value}`);
  draw();
});

async function run() {
  if (!document.hidden) await update().catch(lost);
  setTimeout(run, pause);
}

run();
