// What the scripts here share: the package with llama.cpp in it, and running programs.
import {spawnSync} from "node:child_process";
import {existsSync, mkdirSync, readFileSync} from "node:fs";
import path from "node:path";
import {fileURLToPath} from "node:url";

export const version = "3.22.1";
export const here = path.dirname(fileURLToPath(import.meta.url)), root = path.resolve(here, "../..");
export const packages = path.join(root, "artifacts/peers"), models = path.join(packages, "models");
export const platform = {
    "linux-x64": "linux-x64", "linux-arm64": "linux-arm64", "darwin-arm64": "mac-arm64-metal", "darwin-x64": "mac-x64", "win32-x64": "win-x64", "win32-arm64": "win-arm64",
}[`${process.platform}-${process.arch}`];

export const fail = problem => {
    console.error(`${path.basename(process.argv[1], ".mjs")}: ${problem}`);
    process.exit(1);
};

export function run(program, args, options = {}) {
    const {stdout, stderr, status, error} = spawnSync(program, args, {encoding: "utf8", maxBuffer: 1 << 29, shell: process.platform === "win32", ...options});
    if (error || status !== 0)
        fail(`${program} ${args.join(" ")}: ${error?.message ?? `exit code ${status}\n${stderr}${stdout}`}`);
    return stdout;
}

export const skiff = (args, options) => run("bash", [path.join(root, "skiff"), ...args], options);

export function binaries() {
    return path.join(packages, "node_modules/@node-llama-cpp", platform, "bins");
}

export function install(otherwise) {
    const manifest = path.join(packages, "node_modules/node-llama-cpp/package.json");
    if (!platform)
        fail(`node-llama-cpp has no prebuilt binary for ${process.platform}-${process.arch}${otherwise}`);
    if (!existsSync(manifest) || JSON.parse(readFileSync(manifest, "utf8")).version !== version || !existsSync(binaries())) {
        console.error(`installing node-llama-cpp ${version} into ${path.relative(process.cwd(), packages) || "."} ...`);
        mkdirSync(packages, {recursive: true});
        // The binaries for graphics cards are optional and large, and the install script would look for a build.
        run("npm", ["install", "--prefix", packages, "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", `node-llama-cpp@${version}`, `@node-llama-cpp/${platform}@${version}`]);
        if (!existsSync(binaries()))
            fail(`npm brought no prebuilt binary (${binaries()} is absent)${otherwise}`);
    }
}
