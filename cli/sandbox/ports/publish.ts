/**
 * Ports as `docker run` takes them: `-p`, `-P` and `--expose`.
 *
 * Source of the rules: docker/go-connections nat.ParsePortSpec; docker/cli opts convertToStandardNotation for `published=…`.
 */
import { tryParseAddress } from "../../../lib/addr/address.ts";
import { WordedError } from "../../base/worded-error.ts";

const PROTOCOLS = ["tcp", "udp", "sctp"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** A port of the container, as it wants to be reached. */
export interface ContainerPort {
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/** One port of the container that is to be published. */
export interface PublishWish extends ContainerPort {
  /** What was typed. */
  readonly typed: string;
  /** Address of this host; absent: every one. */
  readonly hostIP?: string;
  /** The host's port is one of these, first to last; null: any that is free. */
  readonly hostPorts: readonly [first: number, last: number] | null;
}

type Range = readonly [first: number, last: number];

/** `hostIP:hostPort:containerPort`, and what may be left out of it; an IPv6 address stands in brackets. */
const SHORT = /^(?:(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?([^:]*):)?([^:/]+)(?:\/([^/]*))?$/;

/**
 * Reads `[[hostIP:][hostPort[-last]]:]containerPort[-last][/protocol]`, or `published=…,target=…[,protocol=…]`.
 * @throws WordedError `invalid-config`
 */
export function parsePublish(text: string): PublishWish[] {
  const match = SHORT.exec(text.includes("=") ? shortForm(text) : text);
  if (match === null)
    throw bad(
      text,
      "it is not [[hostIP:][hostPort]:]containerPort[/protocol]; an IPv6 address stands in brackets",
    );
  const [, ipv6, ipv4, hostText = "", containerText = "", protocolText] = match;
  const protocol = readProtocol(text, protocolText);
  const container = readRange(text, containerText);
  const host = hostText === "" || hostText === "0" ? null : readRange(text, hostText);
  const hostIP = readHost(text, ipv6, ipv4);
  return portsOf(container).map((containerPort, index) => ({
    typed: text,
    containerPort,
    protocol,
    hostPorts: hostPortsFor(text, { container, host, index }),
    ...(hostIP !== "" && { hostIP }),
  }));
}

/** Reads `port[-last][/protocol]`. @throws WordedError `invalid-config` */
export function parseExpose(text: string): ContainerPort[] {
  const [, range = "", protocolText] = /^([^:/]+)(?:\/([^/]*))?$/.exec(text) ?? [];
  if (range === "") throw bad(text, "it is not port[-last][/protocol]");
  const protocol = readProtocol(text, protocolText);
  return portsOf(readRange(text, range)).map((containerPort) => ({ containerPort, protocol }));
}

const LONG_KEYS: readonly string[] = ["published", "target", "protocol"];

function shortForm(text: string): string {
  const pairs = text.split(",").map((pair): [string, string] => {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, Math.max(equals, 0));
    if (!LONG_KEYS.includes(key))
      throw bad(text, `${JSON.stringify(pair)} is none of ${LONG_KEYS.join("=, ")}=`);
    return [key, pair.slice(equals + 1)];
  });
  const {
    published = "",
    target = "",
    protocol = "tcp",
  } = Object.fromEntries(pairs) as Record<string, string>;
  return `${published}:${target}/${protocol}`;
}

function readProtocol(text: string, given = "tcp"): Protocol {
  const protocol = PROTOCOLS.find((name) => name === given.toLowerCase());
  if (protocol !== undefined) return protocol;
  throw bad(text, `${JSON.stringify(given)} is none of ${PROTOCOLS.join(", ")}`);
}

function readRange(text: string, given: string): Range {
  const [, first = "", last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(given) ?? [];
  for (const port of [first, last])
    if (!(Number(port) >= 1 && Number(port) <= 65535)) throw bad(text, `${port || given} is not a port`);
  if (Number(last) < Number(first)) throw bad(text, "a range ends before it begins");
  return [Number(first), Number(last)];
}

function readHost(text: string, ipv6: string | undefined, ipv4 = ""): string {
  const [given, family] = ipv6 === undefined ? [ipv4, 4] : [ipv6, 6];
  if (given !== "" && tryParseAddress(given)?.family !== family)
    throw bad(text, `${JSON.stringify(given)} is not an IPv${family} address`);
  if (ipv6 === "") throw bad(text, "there is no address in the brackets");
  return given;
}

function portsOf([first, last]: Range): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Ranges go together one by one; a single port of the container takes one of the host's range. */
function hostPortsFor(
  text: string,
  {
    container,
    host,
    index,
  }: { readonly container: Range; readonly host: Range | null; readonly index: number },
): Range | null {
  if (host === null) return null;
  const [wide, hostWide] = [container[1] - container[0], host[1] - host[0]];
  if (wide === 0) return host;
  if (wide !== hostWide) throw bad(text, "the ranges differ in length");
  return [host[0] + index, host[0] + index];
}

function bad(text: string, problem: string): WordedError {
  return new WordedError("invalid-config", `invalid published port ${JSON.stringify(text)}: ${problem}`);
}
