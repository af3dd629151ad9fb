// From a process's start to its end after one token, with the file in the page cache; llama.cpp's in turn where its llama-bench is named.
//
//   node bench/load-time.mjs FILE.gguf... [--rounds N] [-t N] [--llama-bench PROGRAM]
import {closeSync, openSync, readSync, statSync} from "node:fs";
import os from "node:os";
import path from "node:path";
import {parseArgs} from "node:util";
import {fail, root, run, skiff} from "./peers/peers.mjs";

let flags, files;
try {
    const options = {"rounds": {type: "string"}, "threads": {type: "string", short: "t"}, "llama-bench": {type: "string"}};
    ({values: flags, positionals: files} = parseArgs({options, allowPositionals: true}));
} catch (error) {
    fail(error.message);
}

if (files.length === 0)
    fail("name a GGUF file");
const whole = (name, text) => /^[1-9]\d*$/.test(text) ? Number(text) : fail(`--${name} takes a whole number from 1, not '${text}'`);
const rounds = whole("rounds", flags.rounds ?? "5"), threads = String(whole("threads", flags.threads ?? String(os.availableParallelism())));
const seconds = work => {
    const start = process.hrtime.bigint();
    work();
    return Number(process.hrtime.bigint() - start) / 1e9;
};

// What the kernel takes to hand the file out to one thread, and memory to be copied into memory that was never touched.
function read(file) {
    const piece = Buffer.allocUnsafeSlow(4 << 20), handle = openSync(file);
    const time = seconds(() => {
        while (readSync(handle, piece) > 0);
    });
    closeSync(handle);
    return statSync(file).size / time / 1e9;
}

function copy() {
    const from = Buffer.alloc(512 << 20, 1);
    return from.length / seconds(() => Buffer.allocUnsafeSlow(from.length).set(from)) / 1e9;
}

// The shell script around the program looks for newer sources first: that is no part of a load.
const program = path.join(root, "artifacts/bin/Skiff.Cli/release/skiff");
const generate = (file, ...more) => ["generate", file, "--prompt", "a", "--max-tokens", "1", "--temperature", "0", "--threads", threads, ...more];
const peer = file => run(flags["llama-bench"], ["-m", file, "-p", "1", "-n", "0", "-r", "1", "--no-warmup", "-t", threads, "-o", "json"]);
const middle = values => {
    const sorted = [...values].sort((a, b) => a - b);
    return `${sorted[sorted.length >> 1].toFixed(2)} (${sorted[0].toFixed(2)}..${sorted.at(-1).toFixed(2)})`;
};

skiff(["--version"]);
console.log(`${os.cpus()[0]?.model.trim()}, ${threads} threads, ${rounds} rounds: median (least..greatest)\n`);
console.log("| file | GB | Skiff, first token, s | Skiff, whole process, s | llama.cpp, whole process, s | file read by one thread, GB/s | memory copied by one thread, GB/s |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
for (const file of files) {
    const figures = {first: [], ours: [], theirs: [], read: [], copy: []};
    read(file);
    for (let round = 0; round < rounds; round++) {
        figures.read.push(read(file));
        figures.copy.push(copy());
        figures.ours.push(seconds(() => figures.first.push(JSON.parse(run(program, generate(file, "--json"))).first_token_seconds)));
        if (flags["llama-bench"])
            figures.theirs.push(seconds(() => peer(file)));
    }

    const theirs = figures.theirs.length > 0 ? middle(figures.theirs) : "";
    console.log(`| ${[path.basename(file, ".gguf"), (statSync(file).size / 1e9).toFixed(2), middle(figures.first), middle(figures.ours), theirs, middle(figures.read), middle(figures.copy)].join(" | ")} |`);
}
