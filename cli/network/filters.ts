/**
 * `--filter` of `network ls` and `network prune`.
 *
 * Source: moby v20.10, api/types/filters, daemon/network/filter.go; the words of the errors are its own.
 */
import type { Network } from "../../lib/ipam/api.ts";
import { WordedError } from "../base/worded-error.ts";

type Keep = (network: Network) => boolean;

/** Filters given under one name, and what they make of a network. */
type Make = (values: readonly string[], nowMs: number) => Keep;

const LIST_FILTERS: Readonly<Record<string, Make>> = {
  dangling: (values) => danglingFilter(values),
  driver: (values) => (network) => values.includes(network.driver),
  id: (values) => (network) => values.some((value) => matches(value, network.id)),
  name: (values) => (network) => values.some((value) => matches(value, network.name)),
  label: (values) => (network) => values.every((value) => hasLabel(network, value)),
  scope: (values) => () => values.includes("local"),
  type: (values) => typeFilter(values),
};

const PRUNE_FILTERS: Readonly<Record<string, Make>> = {
  until: (values, nowMs) => untilFilter(values, nowMs),
  label: (values) => (network) => values.every((value) => hasLabel(network, value)),
  "label!": (values) => (network) => !values.some((value) => hasLabel(network, value)),
};

/** @throws WordedError */
export function listFilter(filters: readonly string[]): Keep {
  return combined(LIST_FILTERS, filters, 0);
}

/** @throws WordedError */
export function pruneFilter(filters: readonly string[], nowMs: number): Keep {
  return combined(PRUNE_FILTERS, filters, nowMs);
}

function combined(known: Readonly<Record<string, Make>>, filters: readonly string[], nowMs: number): Keep {
  const byName = new Map<string, string[]>();
  for (const filter of filters.filter((text) => text !== "")) {
    const equals = filter.indexOf("=");
    const name = filter.slice(0, equals).trim().toLowerCase();
    byName.set(name, [...(byName.get(name) ?? []), filter.slice(equals + 1).trim()]);
  }
  const keeps = [...byName].map(([name, values]) => {
    const make = Object.hasOwn(known, name) ? known[name] : undefined;
    if (make === undefined)
      throw new WordedError(
        "invalid-config",
        `Invalid filter '${name}'; known are ${Object.keys(known).join(", ")}`,
      );
    return make(values, nowMs);
  });
  return (network) => keeps.every((keep) => keep(network));
}

/** The value itself, or a regular expression. */
function matches(value: string, text: string): boolean {
  if (value === text) return true;
  try {
    return new RegExp(value).test(text);
  } catch {
    return false;
  }
}

function hasLabel({ labels }: Network, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

export function isBuiltin({ origin }: Network): boolean {
  return origin === "predefined";
}

/** Nobody is attached, and somebody could remove it. */
function isDangling(network: Network): boolean {
  return network.attachments === 0 && !isBuiltin(network);
}

function danglingFilter(values: readonly string[]): Keep {
  const [value = "", ...others] = values.map(
    (text) => ({ true: true, "1": true, false: false, "0": false })[text],
  );
  if (others.length > 0 || typeof value !== "boolean") {
    throw new WordedError(
      "invalid-config",
      `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
    );
  }
  return (network) => isDangling(network) === value;
}

function typeFilter(values: readonly string[]): Keep {
  const bad = values.find((value) => value !== "custom" && value !== "builtin");
  if (bad !== undefined) throw new WordedError("invalid-config", `invalid filter: 'type'='${bad}'`);
  return (network) => values.includes(isBuiltin(network) ? "builtin" : "custom");
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

function untilFilter(values: readonly string[], nowMs: number): Keep {
  const [value = "", ...others] = values;
  if (others.length > 0) throw new WordedError("invalid-config", "more than one until filter specified");
  const untilMs = instantOf(value, nowMs);
  if (Number.isNaN(untilMs))
    throw new WordedError(
      "invalid-config",
      `failed to parse value as time or duration: ${JSON.stringify(value)}`,
    );
  return (network) => Date.parse(network.createdAt) <= untilMs;
}

/** `1h30m` (ago), seconds since 1970, or a date with or without a time. NaN: none of these. */
function instantOf(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join("") === text) {
    const ago = parts.map(([, count, unit = ""]) => Number(count) * (UNIT_MS[unit] ?? Number.NaN));
    return nowMs - ago.reduce((sum, ms) => sum + ms, 0);
  }
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : Number.NaN;
}
