/** What messages of several subjects have in common. */
import type * as api from "../../ipam/api.ts";
import { absentIfEmpty, type Codec, list, text, textMap } from "./codec.ts";

export const texts = list(text);

export const optionalTexts = absentIfEmpty(texts, () => []);

export const optionalTextMap = absentIfEmpty(textMap, () => ({}));

/** Requests that say nothing. */
export const emptyRequest: Codec<object, object> = { encode: () => ({}), decode: () => ({}) };

/** Answers that say no more than that it was done. */
export const nothing: Codec<Awaited<ReturnType<api.IpamService["verify"]>>, object> = {
  encode: () => ({}),
  decode: () => undefined,
};
