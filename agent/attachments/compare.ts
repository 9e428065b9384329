/** What an attachment should have, compared with what the kernel has. Pure. */
import type { AttachmentPort } from "../../lib/host/attachment/ports.ts";
import { holderText } from "../../lib/host/firewall/ports/holder.ts";
import type { DesiredAttachment, DesiredPort } from "./desired.ts";

/** What the kernel has, of all attachments. */
export interface Actual {
  readonly ports: ReadonlyMap<string, AttachmentPort>;
  /** ifindexes of bridges, by name. */
  readonly bridges: ReadonlyMap<string, number>;
  /** Texts of {@link publishedText}: in effect, or on standby. */
  readonly published: ReadonlySet<string>;
  /** Whether the chains that translate are as they should be. */
  readonly translates: boolean;
  /** Networks that are masqueraded. */
  readonly masqueraded: ReadonlySet<string>;
  /** Ports whose sources are checked. */
  readonly sourceChecked: ReadonlySet<string>;
  /** Somebody removed the table since the last look: whatever was in it and is looked at nowhere is gone, too. */
  readonly tableWasLost: boolean;
}

/** One published port, in a text of its own. */
export function publishedText(holder: string, { protocol, family, hostPort }: DesiredPort): string {
  return `${holder} ${protocol}/${family}/${hostPort}`;
}

/** Whether the link that ADD made is there: the evidence without which nothing is touched. */
export function hasLink({ hostIfname, alias }: DesiredAttachment, { ports }: Actual): boolean {
  return ports.get(hostIfname)?.alias === alias;
}

/** What is wrong with an attachment whose link is there, in words; none: all is well. */
export function faultsOf(desired: DesiredAttachment, actual: Actual): string[] {
  return [...portFaults(desired, actual), ...firewallFaults(desired, actual)];
}

function portFaults(desired: DesiredAttachment, { ports, bridges }: Actual): string[] {
  const { hostIfname, bridge, hairpin, isolated, mtu } = desired;
  const port = ports.get(hostIfname);
  if (port === undefined) return [];
  const isPort = port.master === bridges.get(bridge);
  const checks: readonly (readonly [boolean, string])[] = [
    [isPort, `${hostIfname} is no port of bridge ${bridge}`],
    [port.isUp, `${hostIfname} is down`],
    [mtu === null || port.mtu === mtu, `the MTU of ${hostIfname} is ${port.mtu} instead of ${mtu}`],
    [!isPort || port.hairpin === hairpin, `hairpin mode of ${hostIfname} is ${onOff(port.hairpin)}`],
    [!isPort || port.isolated === isolated, `isolation of ${hostIfname} is ${onOff(port.isolated)}`],
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fault]) => fault);
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}

function firewallFaults(desired: DesiredAttachment, actual: Actual): string[] {
  const { key, ports, masquerades, checksSources, hostIfname } = desired;
  const { published, translates, masqueraded, sourceChecked } = actual;
  const holder = holderText(key);
  const missing = translates ? ports.filter((port) => !published.has(publishedText(holder, port))) : ports;
  return [
    ...(missing.length > 0 ? [`published ports are gone: ${missing.map(portText).join(", ")}`] : []),
    ...(masquerades && !masqueraded.has(key.networkName) ? ["its network is not masqueraded"] : []),
    ...(checksSources && !sourceChecked.has(hostIfname) ? ["its source addresses are not checked"] : []),
  ];
}

function portText({ protocol, family, hostPort }: DesiredPort): string {
  return `${protocol} ${hostPort} (IPv${family})`;
}
