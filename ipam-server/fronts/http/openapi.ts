/** The OpenAPI document: made from the routes as they are served, so that it cannot say otherwise. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { ERROR_TABLE, type ErrorCode } from "../../../lib/errors.ts";
import { ref, type Schema } from "../schema/kit.ts";

export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Fairlead IPAM service",
        version,
        description:
          "Hands out addresses to the attachments of containers, and knows who has had which address, and when. " +
          "Every call is safe to repeat, and answers only after what it changed is durable.",
        license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
      },
      tags: [
        { name: "attachments", description: "What CNI plugins call" },
        { name: "networks", description: "Networks, their pools and how full they are" },
        { name: "addresses", description: "Leases, reservations, quarantine" },
        { name: "history", description: "Events and who had which address" },
        { name: "service", description: "The service itself" },
      ],
      components: {
        securitySchemes: {
          token: {
            type: "http",
            scheme: "bearer",
            description: "Demanded on TCP; the unix socket is guarded by its file mode",
          },
        },
      },
      security: [{}, { token: [] }],
    },
    refResolver: { buildLocalReference: (json) => String(json["$id"]) },
  };
}

/** Errors that any route may answer with. */
const COMMON_ERRORS: readonly ErrorCode[] = [
  "invalid-config",
  "decode-failure",
  "unauthenticated",
  "unavailable",
  "internal",
];

/** Answers by status for a route that fails with `errors` beside the common ones. */
export function errorResponses(errors: readonly ErrorCode[]): Record<string, Schema> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...COMMON_ERRORS, ...errors])) {
    const status = ERROR_TABLE[code].http;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const entries = [...byStatus].map(([status, codes]): [string, Schema] => [
    String(status),
    jsonResponse(codes.join(", "), ref("Error")),
  ]);
  return Object.fromEntries(entries);
}

/** An answer with a JSON body. */
export function jsonResponse(description: string, schema: Schema): Schema {
  return { description, content: { "application/json": { schema } } };
}
