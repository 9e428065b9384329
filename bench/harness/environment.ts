/** On what machine, and with what, a run was made: a figure without this cannot be compared with any other. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Options } from "./options.ts";

const COMMAND_TIMEOUT_MS = 5_000;

interface MachineFacts {
  readonly at: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMib: number;
  readonly node: string;
}

export interface EnvironmentFacts extends MachineFacts {
  readonly ours: string;
  readonly reference: string;
  /** Share of CPU time that was idle before the run: far below 1, the figures are noisy. */
  readonly idleBefore: number;
  readonly seed: number;
}

export function machineFacts(): MachineFacts {
  const processors = cpus();
  return {
    at: new Date().toISOString(),
    kernel: release(),
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryMib: Math.round(totalmem() / 2 ** 20),
    node: process.version,
  };
}

/** @throws when the reference is not there, or one of ours. */
export function environmentFacts(options: Options, idleBefore: number): EnvironmentFacts {
  const { bin, reference, selfCheck, seed } = options;
  return {
    ...machineFacts(),
    ours: describeExecutable(selfCheck ? join(reference, "bridge") : join(bin, "fairlead-bridge")),
    reference: describeExecutable(join(reference, "bridge")),
    idleBefore,
    seed,
  };
}

/** The executable, the newest CNI version that it speaks, and the Debian package that it came with, if any. */
function describeExecutable(executable: string): string {
  const version = execFileSync(executable, [], {
    encoding: "utf8",
    env: { CNI_COMMAND: "VERSION", PATH: "/usr/bin:/bin" },
    input: '{"cniVersion":"1.0.0"}',
    timeout: COMMAND_TIMEOUT_MS,
  });
  const { supportedVersions = [] } = JSON.parse(version) as { supportedVersions?: string[] };
  return `${executable}, CNI ${supportedVersions.at(-1)}${debianPackage(executable)}`;
}

/** Empty for a file of no package. */
function debianPackage(file: string): string {
  const query = (...args: string[]) =>
    spawnSync("dpkg-query", args, { encoding: "utf8", timeout: COMMAND_TIMEOUT_MS });
  const owner = query("-S", file).stdout?.split(":")[0];
  // `-W` prints name and version, a tab between them.
  return owner ? `, ${query("-W", owner).stdout.trim().replace("\t", " ")}` : "";
}
