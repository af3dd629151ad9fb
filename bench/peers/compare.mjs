// Skiff and llama.cpp side by side on the same GGUF files, in interleaved runs. See README.md.
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync} from "node:fs";
import os from "node:os";
import path from "node:path";
import {parseArgs} from "node:util";
import {binaries, fail, here, install, models, packages, platform, root, run, version} from "./peers.mjs";

let flags;
try {
    flags = parseArgs({
        options: {
            "quick": {type: "boolean"}, "keep": {type: "boolean"}, "help": {type: "boolean", short: "h"},
            "rounds": {type: "string"}, "models": {type: "string"}, "types": {type: "string"},
            "n-prompt": {type: "string", short: "p"}, "n-gen": {type: "string", short: "n"}, "n-depth": {type: "string", short: "d"}, "threads": {type: "string", short: "t"},
            "llama-bench": {type: "string"},
        },
    }).values;
} catch (error) {
    fail(error.message);
}

if (flags.help) {
    console.log("usage: node bench/peers/compare.mjs [--quick] [--keep] [--rounds N] [--models A,B] [--types q8_0,q4_0,q4_k_m] [-p N,..] [-n N,..] [-d N,..] [-t N] [--llama-bench PROGRAM]");
    process.exit(0);
}

const quick = flags.quick ?? false;
const shapes = (flags.models ?? (quick ? "smollm2-135m" : "smollm2-135m,qwen2.5-0.5b,tinyllama-1.1b,llama-3.2-1b")).split(",");
const types = (flags.types ?? (quick ? "q8_0" : "q8_0,q4_0,q4_k_m")).split(",");
const prompts = flags["n-prompt"] ?? (quick ? "64" : "512"), generations = flags["n-gen"] ?? (quick ? "16" : "64"), depths = flags["n-depth"] ?? (quick ? "0" : "0,1024");
const rounds = whole("rounds", flags.rounds ?? (quick ? "3" : "5")), threads = whole("threads", flags.threads ?? String(os.availableParallelism()));
// llama.cpp takes prompts apart into 512 tokens by default, whatever its batch size.
const batch = 512;

function whole(name, text) {
    return /^[1-9]\d*$/.test(text) ? Number(text) : fail(`--${name} takes a whole number from 1, not '${text}'`);
}

function processor() {
    const info = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
    const wanted = ["avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "asimddp", "i8mm", "sve"];
    const has = (/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1] ?? "").trim().split(" ");
    // The 512-bit form does all that the 256-bit one does.
    if (has.includes("avx512_vnni"))
        wanted.splice(wanted.indexOf("avx_vnni"), 1);
    return {name: os.cpus()[0]?.model.trim() ?? process.arch, features: wanted.filter(f => has.includes(f))};
}

// Which library the package ships, which it chose, and whether that one uses what this processor has.
function tellPeer() {
    const {name, features} = processor();
    console.log(`processor: ${name}, ${os.availableParallelism()} threads (${features.join(" ")})`);
    if (flags["llama-bench"]) {
        console.log(`peer: ${flags["llama-bench"]}`);
        return;
    }

    const files = readdirSync(binaries(), {recursive: true}).filter(f => statSync(path.join(binaries(), f)).isFile() && /\.(node|so|dylib|dll)(\.|$)/.test(f));
    const {build, release, variant, systemInfo} = JSON.parse(run("node", [path.join(here, "llama-cpp.mjs"), packages, "info"]).trim().split("\n").at(-1));
    console.log(`peer: llama.cpp ${release}, ${build} binary of @node-llama-cpp/${platform} ${version}`);
    console.log(`  shipped: ${files.map(f => path.basename(f)).sort().join(", ")}`);
    if (variant)
        console.log(`  loaded: ${variant}`);
    console.log(`  says of itself: ${systemInfo}`);
    const names = {
        avx2: "AVX2", fma: "FMA", f16c: "F16C", avx_vnni: "AVX_VNNI", avx512f: "AVX512", avx512bw: "AVX512", avx512_vnni: "AVX512_VNNI", avx512_bf16: "AVX512_BF16",
        asimddp: "DOTPROD", i8mm: "MATMUL_INT8", sve: "SVE",
    };
    const missing = features.filter(f => !new RegExp(`\\b${names[f]} = 1`).test(systemInfo));
    console.log(missing.length === 0 ? "  built for this processor: yes, it uses all of the features above" : `  built for this processor: no, it does without ${missing.join(", ")}; a build of your own is the fairer peer (README.md)`);
}

function parseLast(text, what) {
    const at = text.search(/^\[/m);
    return at < 0 ? fail(`${what} printed no JSON:\n${text}`) : JSON.parse(text.slice(at));
}

const skiff = file => parseLast(run("bash", [path.join(root, "skiff"), "bench", file, "-p", prompts, "-n", generations, "-d", depths, "-t", String(threads), "-b", String(batch), "-r", "1", "-o", "json"]), "skiff bench");
const peer = file => flags["llama-bench"]
    ? parseLast(run(flags["llama-bench"], ["-m", file, "-p", prompts, "-n", generations, "-d", depths, "-t", String(threads), "-r", "1", "-o", "json"]), "llama-bench")
    : parseLast(run("node", [path.join(here, "llama-cpp.mjs"), packages, file, prompts, generations, depths, String(threads), String(batch), "1"]), "node-llama-cpp");

const median = values => {
    const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const spread = (values, digits) => `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}..${Math.max(...values).toFixed(digits)})`;
const rowName = row => `${row.n_prompt > 0 ? `pp${row.n_prompt}` : `tg${row.n_gen}`}${row.n_depth > 0 ? ` @ d${row.n_depth}` : ""}`;

function compare(file, shape, type) {
    const figures = new Map();
    for (let round = 0; round < rounds; round++) {
        // Whoever goes second finds the machine as the first left it: they take turns at that.
        let ours, theirs;
        if (round % 2 === 0)
            [ours, theirs] = [skiff(file), peer(file)];
        else
            [theirs, ours] = [peer(file), skiff(file)];
        for (const mine of ours) {
            const name = rowName(mine), other = theirs.find(row => rowName(row) === name) ?? fail(`the peer did not measure ${name}`);
            const into = figures.get(name) ?? {ours: [], theirs: [], ratios: [], read: [], share: []};
            into.ours.push(mine.samples_ts[0]);
            into.theirs.push(other.samples_ts[0]);
            into.ratios.push(mine.samples_ts[0] / other.samples_ts[0]);
            into.read.push(mine.bandwidth_gbps);
            into.share.push(mine.n_gen > 0 ? 100 * mine.share_of_bandwidth : 100 * mine.share_of_peak);
            figures.set(name, into);
        }
    }

    for (const [name, {ours, theirs, ratios, read, share}] of figures) {
        console.log(`| ${[shape, type, name, spread(ours, 1), spread(theirs, 1), spread(ratios, 2), spread(read, 1), `${median(share).toFixed(0)}% of ${name.startsWith("tg") ? "read" : "peak"}`].join(" | ")} |`);
    }
}

if (!flags["llama-bench"])
    install("; build llama.cpp and name its program with --llama-bench");
tellPeer();
mkdirSync(models, {recursive: true});
console.log(`${threads} threads, ${rounds} interleaved rounds: median (least..greatest); read: GB/s measured between Skiff's runs\n`);
console.log("| model | type | test | Skiff t/s | llama.cpp t/s | ratio | read | Skiff reaches |\n| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
for (const shape of shapes) {
    for (const type of types) {
        const file = path.join(models, `${shape}-${type}.gguf`);
        if (!existsSync(file))
            run("bash", [path.join(root, "skiff"), "quantize", `zoo:${shape}`, file, "--type", type]);
        compare(file, shape, type);
        if (!flags.keep)
            rmSync(file);
    }
}
