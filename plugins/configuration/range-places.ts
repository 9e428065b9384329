/**
 * Where the ranges of a declaration were written. The service speaks of `rangeSets[0][1].rangeEnd`, as it was asked; whoever
 * wrote a conflist looks for `ipam.ranges[0][1].rangeEnd`.
 */
import { NETWORK_CONFIGURATION } from "../../lib/cni/fields.ts";
import { FairleadError } from "../../lib/errors.ts";

/** Where a range set stands: `ipam.ranges[0]`, `runtimeConfig.ipRanges[0]`, or `ipam` itself, which is one range. */
export interface RangeSetPlace {
  readonly path: string;
  readonly isList: boolean;
}

/** The place of one range of a set. */
export function rangePath({ path, isList }: RangeSetPlace, index: number | string): string {
  return isList ? `${path}[${index}]` : path;
}

/** A place of a request to the service: `rangeSets[0][1]`, or as the check of its shape says it, with the body before. */
const PLACE_IN_REQUEST = /(?:body\.declaration\.)?rangeSets(?:\[(\d+)\]|\.(\d+))(?:\[(\d+)\]|\.(\d+))?/g;
const KEY_OF_REQUEST = /^(?:body\.declaration\.)?(addressSpace|coolingSeconds)$/;

/** What was declared, and where that was written. */
interface Declared {
  readonly rangeSetPlaces: readonly RangeSetPlace[];
}

/** What the service says about a declaration, with the places of the configuration that the declaration was made of. */
export function inPlacesOf(declared: Declared, text: string): string {
  const { rangeSetPlaces } = declared;
  return text.replace(PLACE_IN_REQUEST, (whole, ...[a, b, c, d]: readonly (string | undefined)[]) => {
    const place = rangeSetPlaces[Number(a ?? b)];
    if (place === undefined) return whole;
    const index = c ?? d;
    return index === undefined ? place.path : rangePath(place, index);
  });
}

/**
 * The service's refusal of a declaration as a fault of the key of the configuration; any other error as it is. The service
 * says the place in `details.field`.
 */
export function asConfigurationFault(declared: Declared, error: FairleadError): FairleadError {
  const field = error.details["field"];
  if (error.code !== "invalid-config" || typeof field !== "string") return error;
  const path = inPlacesOf(declared, field).replace(KEY_OF_REQUEST, "ipam.$1");
  if (path === field) return error;
  return new FairleadError({
    code: error.code,
    operation: NETWORK_CONFIGURATION.operation,
    object: path,
    reason: inPlacesOf(declared, error.reason),
    hint: error.hint,
    details: { ...error.details, field: path },
    cause: error,
  });
}
