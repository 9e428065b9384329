/**
 * Links of kind "ifb": what is redirected to one is queued as if it left by it, and then received again. It is how
 * traffic that comes in can be shaped.
 *
 * Source: drivers/net/ifb.c, which takes no attributes.
 */
import { attributeTable } from "../../attribute.ts";

export const ifbTable = attributeTable("ifb", () => ({}));
