// Greedy generation of llama.cpp and of Skiff on the same GGUF files: see README.md.
//
//   node bench/peers/parity.mjs [--models llama,gemma] [--write]
import {mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} from "node:fs";
import path from "node:path";
import {parseArgs} from "node:util";
import {fail, here, install, models as folder, packages, root, run, skiff} from "./peers.mjs";

const goldens = path.join(root, "tests/Skiff.Tests/Goldens/llama-cpp");
const count = 64;
// Distance of the two likeliest tokens, in both programs' logits, below which a seed is not used: ten times what rounding in single precision moves.
const nearTie = 5e-4;
let flags;
try {
    flags = parseArgs({options: {"models": {type: "string"}, "write": {type: "boolean"}}}).values;
} catch (error) {
    fail(error.message);
}

const {prompts, models} = JSON.parse(readFileSync(path.join(goldens, "models.json"), "utf8"));
const names = flags.models?.split(",") ?? models.map(model => model.name);
for (const name of names.filter(name => !models.some(model => model.name === name)))
    fail(`no model '${name}' in models.json; there are ${models.map(model => model.name).join(", ")}`);

// Both programs see the same tokens, llama.cpp's. Where Skiff's likeliest token is llama.cpp's at each of them, its own greedy generation is the
// same, for a token's logits have the same bits in any chunks.
function compare(file) {
    const theirs = run("node", [path.join(here, "greedy.mjs"), packages, file, String(count)], {input: JSON.stringify(prompts)}).trim().split("\n").map(line => JSON.parse(line));
    const lines = theirs.map(({prompt, tokens}) => JSON.stringify({ids: [...prompt, ...tokens]})).join("\n") + "\n";
    const ours = skiff(["score", file, "--jsonl", "-", "--json", "--logits"], {input: lines}).trim().split("\n").map(line => JSON.parse(line));
    const result = {same: 0, all: 0, agree: [], different: new Set(), margin: Infinity, worst: 0, scale: 0, divergence: 0, tokens: theirs.map(t => t.tokens)};
    theirs.forEach(({prompt, tokens, logits}, text) => tokens.forEach((token, i) => {
        const a = logits[i], b = ours[text].logits[prompt.length + i - 1];
        if (a.length !== b.length)
            fail(`${file}: llama.cpp gives ${a.length} logits, Skiff ${b.length}`);
        for (const row of [a, b]) {
            const sorted = [...row].sort((x, y) => y - x);
            result.margin = Math.min(result.margin, sorted[0] - sorted[1]);
        }

        result.scale = Math.max(result.scale, ...a.map(Math.abs));
        result.worst = Math.max(result.worst, ...a.map((value, k) => Math.abs(value - b[k])));
        result.divergence += divergence(a, b);
        result.same += b.indexOf(Math.max(...b)) === token ? 1 : 0;
        result.all++;
        result.different.add(token);
    }));
    result.divergence /= result.all;
    return result;
}

// KL(p || q) of the two distributions, in nats.
function divergence(a, b) {
    const [p, q] = [a, b].map(logits => {
        const most = Math.max(...logits), sum = Math.log(logits.reduce((s, v) => s + Math.exp(v - most), 0));
        return logits.map(v => v - most - sum);
    });
    return p.reduce((sum, v, k) => sum + Math.exp(v) * (v - q[k]), 0);
}

install("");
mkdirSync(folder, {recursive: true});
console.log(`${count} greedy tokens after each of ${prompts.length} prompts of ${prompts.map(p => p.length).join(", ")} tokens\n`);
console.log("| model | seed | type | same tokens | different tokens | least margin | scale | largest difference | KL (nats) |\n| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
let failed = 0;
const written = {prompts, count, tokens: {}};
for (const model of models.filter(model => names.includes(model.name))) {
    const source = path.join(folder, `parity-${model.name}`);
    mkdirSync(source, {recursive: true});
    writeFileSync(path.join(source, "config.json"), JSON.stringify(model.config));
    // A pruned model is compared as it is.
    for (const type of model.prune ? ["f32"] : ["f32", "q8_0", "q4_0"]) {
        const file = `${source}-${type}.gguf`;
        skiff(["init", source, file, "--seed", String(model.seed), "--type", type]);
        if (model.prune) {
            const whole = `${source}-whole.gguf`;
            renameSync(file, whole);
            skiff(["prune", whole, file, ...Object.entries(model.prune).flatMap(([name, value]) => [`--${name}`, String(value)])]);
            rmSync(whole);
        }

        const r = compare(file);
        rmSync(file);
        console.log(`| ${[model.name, model.seed, type, `${r.same}/${r.all}`, r.different.size, r.margin.toExponential(1), r.scale.toFixed(1), r.worst.toExponential(1), r.divergence.toExponential(1)].join(" | ")} |`);
        if (type !== "f32")
            continue;
        written.tokens[model.name] = r.tokens;
        const isTie = r.margin < nearTie;
        if (r.same < r.all || isTie) {
            failed++;
            console.error(`parity: ${model.name}: ${isTie ? "a near tie; choose another seed in models.json" : "the programs do not agree"}`);
        }
    }
    rmSync(source, {recursive: true});
}

if (failed > 0)
    process.exit(1);
if (flags.write) {
    if (flags.models)
        fail("--write writes the tokens of all models: leave --models out");
    const rows = Object.entries(written.tokens).map(([name, texts]) => ` "${name}": [\n${texts.map(tokens => `  ${JSON.stringify(tokens)}`).join(",\n")}\n ]`);
    writeFileSync(path.join(goldens, "tokens.json"), `{\n${rows.join(",\n")}\n}\n`);
}
