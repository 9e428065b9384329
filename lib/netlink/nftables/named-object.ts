/** Requests that are alike for every object that a table holds by name: chains, and sets with maps. */
import type { Codec } from "../codec.ts";
import type { NetlinkRequest } from "../request.ts";
import { decodeObject, type InFamily, nftablesRequest, objectName } from "./message.ts";

/** Which object of which table. */
export interface NamedKey extends InFamily {
  readonly table: string;
  readonly name: string;
}

/** A kind of object, and how its attributes are written and read. */
export interface NamedKind<T> {
  /** For messages: "chain". */
  readonly noun: string;
  /** NFT_MSG_GET*. */
  readonly getMessage: number;
  readonly codec: Codec<T>;
}

interface Named {
  readonly table?: string | undefined;
  readonly name?: string | undefined;
}

/** One object, by name; ENOENT if there is none. */
export function getNamed<T extends Named>(
  { noun, getMessage, codec }: NamedKind<T>,
  { family, table, name }: NamedKey,
): NetlinkRequest<T & InFamily> {
  return nftablesRequest({
    message: getMessage,
    family,
    flags: 0,
    attributes: codec.encode({ table, name } as T),
    operation: `read nftables ${noun}`,
    object: objectName(family, table, name),
    decodeReply: (reply) => decodeObject(codec, reply),
  });
}

/** The objects of a table, to be dumped. */
export function listNamed<T extends Named>(
  { noun, getMessage, codec }: NamedKind<T>,
  { family, table }: Pick<NamedKey, "family" | "table">,
): NetlinkRequest<T & InFamily> {
  return nftablesRequest<T & InFamily>({
    message: getMessage,
    family,
    flags: 0,
    attributes: codec.encode({ table } as T),
    operation: `list nftables ${noun}s of`,
    object: objectName(family, table),
    decodeReply: (reply) => decodeObject(codec, reply),
    // Of chains the kernel filters by family alone.
    accepts: (object) => object.table === table,
  });
}

/** Deletes an object. @param message NFT_MSG_DEL* (ENOENT if there is none) or NFT_MSG_DESTROY*. */
export function removeNamed<T extends Named>(
  { noun, codec }: NamedKind<T>,
  message: number,
  { family, table, name }: NamedKey,
): NetlinkRequest {
  return nftablesRequest({
    message,
    family,
    flags: 0,
    attributes: codec.encode({ table, name } as T),
    operation: `delete nftables ${noun}`,
    object: objectName(family, table, name),
  });
}
