/**
 * Makes lib/rpc/generated/ from lib/rpc/proto/: `node tools/generate.ts`, from anywhere. `--check` makes
 * nothing and fails when the generated files are not those of the protocol.
 *
 * Lints the protocol, writes the TypeScript of every message and service, and embeds the file descriptors
 * that gRPC reflection hands out (a compiled executable has no files to read them from).
 *
 * Runs buf (npm), with the plugin ts-proto.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const here = join(import.meta.dirname, "../lib/rpc");
const bin = join(import.meta.dirname, "../node_modules/.bin");

function buf(cwd: string, ...args: string[]): Buffer {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"]}` };
  return execFileSync(join(bin, "buf"), args, { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
}

function writeDescriptors(cwd: string): void {
  const set = buf(cwd, "build", "--as-file-descriptor-set", "--exclude-source-info", "--output", "-");
  const lines = set.toString("base64").match(/.{1,100}/g) ?? [];
  const text = [
    "// Made by tools/generate.ts. Do not edit.",
    "",
    "/** google.protobuf.FileDescriptorSet of every file of the protocol and what it imports, base64. */",
    "export const FILE_DESCRIPTOR_SET =",
    `${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ];
  writeFileSync(join(cwd, "generated/descriptors.ts"), text.join("\n"));
}

/** Lints and generates in a folder that holds the protocol and the configuration of buf. */
function generate(cwd: string): void {
  buf(cwd, "lint");
  buf(cwd, "generate");
  writeDescriptors(cwd);
}

function contents(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [file.slice(folder.length + 1), readFileSync(file, "utf8")]));
}

/** Names of the files that differ between what is there and what would be made. */
function outdated(): string[] {
  const copy = mkdtempSync(join(tmpdir(), "fairlead-proto-"));
  try {
    for (const name of ["proto", "buf.yaml", "buf.gen.yaml"])
      cpSync(join(here, name), join(copy, name), { recursive: true });
    generate(copy);
    const [present, wanted] = [contents(join(here, "generated")), contents(join(copy, "generated"))];
    return [...new Set([...present.keys(), ...wanted.keys()])].filter(
      (name) => present.get(name) !== wanted.get(name),
    );
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) {
  const files = outdated();
  if (files.length > 0) {
    console.error(`lib/rpc/generated is not up to date (${files.join(", ")}): run ./build.sh generate`);
    process.exitCode = 1;
  }
} else {
  generate(here);
}
