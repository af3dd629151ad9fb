// The texts the runs wrote last.
import { element } from "./chart.js";

// For each run the samples of its last sampled step, with the earlier ones folded away.
export function samplesOf(section, runs) {
  const withSamples = runs.filter(run => run.samples.length > 0);
  section.hidden = withSamples.length === 0;
  const box = section.querySelector("div");
  // Only what is new is made anew: a reader's place and selection stay.
  const text = JSON.stringify(withSamples.map(run => [run.name, run.colour, run.samples]));
  if (box.dataset.shown === String(hash(text))) return;
  box.dataset.shown = String(hash(text));
  const open = new Set([...box.querySelectorAll("details[open]")].map(details => details.dataset.run));
  box.replaceChildren(...withSamples.map(run => articleOf(run, open.has(run.name))));
}

function articleOf(run, isOpen) {
  const article = element("article", { class: run.colour });
  const last = run.samples.at(-1).step;
  const heading = element("h3", {}, run.name + " ");
  heading.append(element("small", {}, `step ${last.toLocaleString("en-US")}`));
  article.append(heading, ...run.samples.filter(sample => sample.step === last).map(paragraphOf));
  const earlier = run.samples.filter(sample => sample.step !== last).reverse();
  if (earlier.length > 0) {
    const details = element("details", { "data-run": run.name });
    details.open = isOpen;
    details.append(element("summary", {}, `${earlier.length} earlier`));
    for (const sample of earlier) {
      const title = element("h3", {});
      title.append(element("small", {}, `step ${sample.step.toLocaleString("en-US")}`));
      details.append(title, paragraphOf(sample));
    }
    article.append(details);
  }
  return article;
}

// The prompt stands in front of what was written; some files repeat it in the sample.
function paragraphOf({ prompt, sample }) {
  const paragraph = element("p", { tabindex: "0" });
  const rest = prompt && sample.startsWith(prompt) ? sample.slice(prompt.length) : sample;
  if (prompt) paragraph.append(element("b", {}, prompt));
  paragraph.append(rest);
  return paragraph;
}

function hash(text) {
  let value = 0;
  for (let i = 0; i < text.length; i++) value = (value * 31 + text.charCodeAt(i)) | 0;
  return value;
}
