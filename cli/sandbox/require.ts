/** The sandbox that a reference means. */
import { WordedError } from "../base/worded-error.ts";
import type { SandboxRecord, SandboxRegistry } from "./registry.ts";

/** @throws WordedError `unknown-container`; `invalid-config` when the beginning of an ID means several. */
export function requireSandbox(registry: SandboxRegistry, reference: string): SandboxRecord {
  const found = findSandbox(registry, reference);
  if (found !== null) return found;
  throw new WordedError("unknown-container", `No such sandbox: ${reference}`);
}

export function findSandbox(registry: SandboxRegistry, reference: string): SandboxRecord | null {
  const records = registry.list();
  const exact = records.find(({ name, id }) => name === reference || id === reference);
  if (exact !== undefined || reference === "") return exact ?? null;
  const meant = records.filter(({ id }) => id.startsWith(reference));
  if (meant.length < 2) return meant[0] ?? null;
  throw new WordedError(
    "invalid-config",
    `sandbox ${reference} is ambiguous: it means ${meant.map(({ name }) => name).join(", ")}`,
  );
}
