// Times llama.cpp on one file through node-llama-cpp, row by row as llama-bench does, and prints JSON under llama-bench's field names.
//
//   node llama-cpp.mjs PACKAGES info
//   node llama-cpp.mjs PACKAGES FILE N_PROMPT,... N_GEN,... N_DEPTH,... N_THREADS N_BATCH REPETITIONS
//
// PACKAGES is the folder that node-llama-cpp was installed into.
import {readFileSync} from "node:fs";
import path from "node:path";
import {pathToFileURL} from "node:url";

const [packages, file, ...numbers] = process.argv.slice(2);
const entry = path.resolve(packages, "node_modules/node-llama-cpp/dist/index.js");
const {getLlama} = await import(pathToFileURL(entry).href);
// The prebuilt binary as it comes, and never a download or a build behind our back.
const llama = await getLlama({gpu: false, build: "never", skipDownload: true, maxThreads: 0, logLevel: "error"});
const list = text => text.split(",").map(Number);

if (file === "info") {
    let variant = null;
    try {
        const maps = readFileSync("/proc/self/maps", "utf8").split("\n").map(line => line.split(/\s+/).at(-1));
        variant = [...new Set(maps.filter(name => /ggml-cpu/.test(name)).map(name => path.basename(name)))].join(", ") || null;
    } catch {
        // Only Linux tells which libraries a process has loaded.
    }
    console.log(JSON.stringify({build: llama.buildType, release: llama.llamaCppRelease.release, variant, systemInfo: llama.systemInfo.trim()}));
} else {
    const [prompts, generations, depths] = numbers.slice(0, 3).map(list);
    const [threads, batch, repetitions] = numbers.slice(3).map(Number);
    const most = Math.max(...depths) + Math.max(...prompts, ...generations);
    const model = await llama.loadModel({modelPath: file});
    const context = await model.createContext({sequences: 1, contextSize: most + 1, batchSize: batch, threads});
    // Below the package's own queue and samplers lies llama_decode, which is all that llama-bench times.
    const decoder = context._ctx;
    decoder.setThreads(threads);
    const vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
    let seed = 1;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) % vocabulary;

    const append = async (at, tokens, piece) => {
        for (let i = 0; i < tokens.length; i += piece) {
            const part = tokens.subarray(i, i + piece);
            decoder.initBatch(part.length);
            // Logits of the last token alone.
            decoder.addToBatch(0, at + i, part, Uint32Array.of(part.length - 1));
            await decoder.decodeBatch();
        }
    };

    const rows = [];
    for (const depth of depths) {
        const before = Uint32Array.from({length: depth}, random);
        decoder.disposeSequence(0);
        await append(0, before, batch);
        const tests = [...prompts.map(n => [n, 0]), ...generations.map(n => [0, n])].filter(([p, n]) => p + n > 0);
        for (const [prompt, generation] of tests) {
            const tokens = Uint32Array.from({length: prompt + generation}, random);
            const samples = [];
            for (let round = -1; round < repetitions; round++) {
                const start = process.hrtime.bigint();
                await append(depth, tokens, prompt > 0 ? batch : 1);
                const spent = process.hrtime.bigint() - start;
                if (!decoder.removeTokenCellsFromSequence(0, depth, -1))
                    throw new Error(`${file}: llama.cpp cannot cut this model's cache back to ${depth} tokens`);
                if (round >= 0)
                    samples.push(Number(spent));
            }

            rows.push({
                n_prompt: prompt, n_gen: generation, n_depth: depth, n_threads: decoder.getThreads(), n_batch: batch,
                flash_attn: context.flashAttention, samples_ns: samples, samples_ts: samples.map(ns => 1e9 * tokens.length / ns),
            });
        }
    }

    console.log(JSON.stringify(rows));
}

await llama.dispose();
