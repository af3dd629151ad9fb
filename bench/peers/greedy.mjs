// Greedy tokens of llama.cpp, and its logits at each of them, through node-llama-cpp's lowest layer. Prints JSON, a line a prompt.
//
//   node greedy.mjs PACKAGES FILE COUNT < prompts.json         [[id, ...], ...]
import {readFileSync} from "node:fs";
import path from "node:path";
import {pathToFileURL} from "node:url";

const [packages, file, count] = process.argv.slice(2);
const entry = path.resolve(packages, "node_modules/node-llama-cpp/dist/index.js");
const {getLlama} = await import(pathToFileURL(entry).href);
const llama = await getLlama({gpu: false, build: "never", skipDownload: true, maxThreads: 0, logLevel: "error"});
const prompts = JSON.parse(readFileSync(0, "utf8"));
const model = await llama.loadModel({modelPath: file});
const longest = Math.max(...prompts.map(ids => ids.length)) + Number(count);
// Flash attention would round keys and values to half precision on its way.
const context = await model.createContext({sequences: 1, contextSize: longest, batchSize: longest, threads: 1, flashAttention: false, experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32"});
const sampler = new llama._bindings.AddonSampler(model._model);
sampler.applyConfig({temperature: 0});
for (const prompt of prompts) {
    const tokens = [], rows = [];
    context._ctx.disposeSequence(0);
    for (let at = 0, next = prompt; tokens.length < Number(count); next = [tokens.at(-1)]) {
        context._ctx.initBatch(next.length);
        const [index] = context._ctx.addToBatch(0, at, Uint32Array.from(next), Uint32Array.of(next.length - 1));
        await context._ctx.decodeBatch();
        at += next.length;
        const [token, , , logits] = await context._ctx.sampleToken(index, sampler, false, false, true);
        // Pairs of token and logit, the likeliest first.
        const row = [];
        for (let i = 0; i < logits.length; i += 2)
            row[logits[i]] = logits[i + 1];
        tokens.push(token);
        rows.push(row);
    }

    console.log(JSON.stringify({prompt, tokens, logits: rows}));
}

await llama.dispose();
