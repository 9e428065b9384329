/**
 * The operations of the service by name, and where each is found over HTTP: read by the server, which adds
 * schemas and handlers, and by the clients.
 *
 * One rule says how a request travels: the fields that the path names go there, the others go into the JSON
 * body of a POST and into the query of anything else.
 */

export interface Operation {
  /** What the operation is called in errors. */
  readonly title: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** `:field` stands for one path segment. */
  readonly path: string;
}

export const OPERATIONS = {
  acquire: { title: "acquire", method: "POST", path: "/v1/attachments/acquire" },
  release: { title: "release", method: "POST", path: "/v1/attachments/release" },
  verify: { title: "verify", method: "POST", path: "/v1/attachments/verify" },
  gc: { title: "collect garbage", method: "POST", path: "/v1/attachments/gc" },
  networkStatus: { title: "read network status", method: "POST", path: "/v1/networks/status" },
  createNetwork: { title: "create network", method: "POST", path: "/v1/networks" },
  listNetworks: { title: "list networks", method: "GET", path: "/v1/networks" },
  getNetwork: { title: "read network", method: "GET", path: "/v1/networks/:name" },
  removeNetwork: { title: "remove network", method: "DELETE", path: "/v1/networks/:name" },
  listLeases: { title: "list leases", method: "GET", path: "/v1/leases" },
  listEndpoints: { title: "list endpoints", method: "GET", path: "/v1/endpoints" },
  reserve: { title: "reserve", method: "POST", path: "/v1/networks/:networkName/reservations" },
  unreserve: {
    title: "unreserve",
    method: "DELETE",
    path: "/v1/networks/:networkName/reservations/:address",
  },
  quarantine: { title: "quarantine", method: "POST", path: "/v1/addresses/:address/quarantine" },
  unquarantine: { title: "unquarantine", method: "DELETE", path: "/v1/addresses/:address/quarantine" },
  listEvents: { title: "list events", method: "GET", path: "/v1/events" },
  watchEvents: { title: "watch events", method: "GET", path: "/v1/events/stream" },
  whoHad: { title: "read history", method: "GET", path: "/v1/addresses/:address/history" },
  checkConsistency: { title: "check consistency", method: "GET", path: "/v1/check" },
  recover: { title: "recover", method: "POST", path: "/v1/recover" },
  info: { title: "read service info", method: "GET", path: "/v1/info" },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;

/** Names of the fields that travel in `path`. */
export function pathFields(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, field = ""]) => field);
}

export interface RequestParts {
  readonly method: Operation["method"];
  /** With its query. */
  readonly target: string;
  /** JSON text; absent where there is no body. */
  readonly body?: string;
}

/** Lays out `request` by the rule above. Fields that are undefined are left out. */
export function layOutRequest({ method, path }: Operation, request: object = {}): RequestParts {
  const rest = new Map(Object.entries(request).filter(([, value]) => value !== undefined));
  const filled = path.replace(/:(\w+)/g, (_, field: string) => {
    const segment = encodeURIComponent(String(rest.get(field) ?? ""));
    rest.delete(field);
    return segment;
  });
  if (method === "POST") return { method, target: filled, body: JSON.stringify(Object.fromEntries(rest)) };
  const query = new URLSearchParams(
    [...rest].map(([field, value]): [string, string] => [field, String(value)]),
  );
  return { method, target: query.size > 0 ? `${filled}?${query}` : filled };
}
