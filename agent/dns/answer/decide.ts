/**
 * What a question is answered with: a pure function of the names, the asker and the question.
 *
 * | the name is                                     | the answer                                       |
 * | ----------------------------------------------- | ------------------------------------------------ |
 * | a container's on one of the asker's networks    | its addresses; no data for any other type        |
 * | `NAME.NETWORK`, and the asker is on NETWORK     | the same                                         |
 * | `LABEL.NETWORK` of any Fairlead network         | no such name                                     |
 * | the reverse of an address in a Fairlead subnet  | its holder's name, or no such name               |
 * | a single label that nobody has                  | no such name, at once                            |
 * | anything else                                   | upstream's, unless all asker's networks are internal |
 *
 * Nothing about a Fairlead network, and no single label, ever goes upstream. A container with name servers of its own has
 * everything but them in common with the others.
 */
import type { Address } from "../../../lib/addr/address.ts";
import { CLASS_IN, type Question } from "../../../lib/dns/message.ts";
import { foldName } from "../../../lib/dns/name.ts";
import { TYPE_ANY, TYPE_AXFR, TYPE_IXFR, typeNumber } from "../../../lib/dns/record-types.ts";
import { reversedAddress } from "../../../lib/dns/reverse.ts";
import type { ContainerUpstream } from "../../../lib/runtime/container-upstreams.ts";
import type { Asker, Member, NamedNetwork, Names } from "../names/names.ts";

export type Decision =
  | { readonly kind: "addresses"; readonly addresses: readonly Address[] }
  /** Full names, without the final dot. */
  | { readonly kind: "pointers"; readonly hosts: readonly string[] }
  /** The name is there, nothing of the type that was asked for is. */
  | { readonly kind: "no-data"; readonly zone: string }
  | { readonly kind: "no-name"; readonly zone: string }
  /** To these; none: to those that the node asks. */
  | { readonly kind: "forward"; readonly upstreams: readonly ContainerUpstream[] }
  | { readonly kind: "refused" };

const REFUSED: Decision = { kind: "refused" };

export function decide(names: Names, asker: Asker, question: Question): Decision {
  const type = typeNumber(question.type);
  if (question.class !== CLASS_IN || type === TYPE_AXFR || type === TYPE_IXFR) return REFUSED;
  const name = foldName(question.name);
  const members = names.find(asker, name);
  if (members.length > 0) return addressesOf(members, { type, zone: parentOf(name) });
  return decideReverse(names, asker, { name, type }) ?? decideOther(names, asker, { name, type });
}

interface Asked {
  /** Folded. */
  readonly name: string;
  readonly type: number;
}

function addressesOf(members: readonly Member[], { type, zone }: { type: number; zone: string }): Decision {
  const family = type === typeNumber("A") ? 4 : type === typeNumber("AAAA") ? 6 : 0;
  const all = members.flatMap(({ addresses }) => addresses);
  const addresses = type === TYPE_ANY ? all : all.filter((address) => address.family === family);
  return addresses.length === 0 ? { kind: "no-data", zone } : { kind: "addresses", addresses };
}

/** Null: not the name of one of our addresses. */
function decideReverse(names: Names, asker: Asker, { name, type }: Asked): Decision | null {
  const address = reversedAddress(name);
  if (address === null) return null;
  const holder = names.holderOf(asker, address);
  const zone = parentOf(name);
  if (holder && holder.primaryName !== "") {
    const isAsked = type === typeNumber("PTR") || type === TYPE_ANY;
    const hosts = [`${holder.primaryName}.${holder.network.name}`];
    return isAsked ? { kind: "pointers", hosts } : { kind: "no-data", zone };
  }
  return names.isOurs(address) ? { kind: "no-name", zone } : null;
}

function decideOther(names: Names, asker: Asker, asked: Asked): Decision {
  const qualified = decideQualified(names, asker, asked);
  if (qualified) return qualified;
  // The root has no label at all; whoever asks for it wants to know about the world.
  if (asked.name !== "" && !asked.name.includes(".")) return { kind: "no-name", zone: "" };
  if (asker.networks.every(({ isInternal }) => isInternal)) return REFUSED;
  return { kind: "forward", upstreams: asker.upstreams };
}

/** A name in front of a network's name, tried at each dot, since both may have dots in them. */
function decideQualified(names: Names, asker: Asker, { name, type }: Asked): Decision | null {
  let isOurs: string | null = null;
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    const [host, zone] = [name.slice(0, dot), name.slice(dot + 1)];
    const networks = names.networksNamed(zone);
    const members = networks.filter((one) => isOn(asker, one)).flatMap((one) => names.findOn(one, host));
    if (members.length > 0) return addressesOf(members, { type, zone });
    const isKnown = networks.some((one) => names.findOn(one, host).length > 0);
    if (networks.length > 0 && (isKnown || !host.includes("."))) isOurs ??= zone;
  }
  return isOurs === null ? null : { kind: "no-name", zone: isOurs };
}

function isOn(asker: Asker, network: NamedNetwork): boolean {
  return asker.networks.some(({ id }) => id === network.id);
}

function parentOf(name: string): string {
  return name.slice(name.indexOf(".") + 1 || name.length);
}
