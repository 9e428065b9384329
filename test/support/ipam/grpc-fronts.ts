/** A gRPC front before a service in memory, for the tests of a file. */
import type { GrpcFront, GrpcFrontOptions } from "../../../ipam-server/fronts/grpc/front.ts";
import { openGrpcFront, openTestService, type TestService, withMethods } from "./ipam-fronts.ts";

/** What of a front a test may replace; `methods` are of its service. */
type FrontWish = Partial<GrpcFrontOptions> & { readonly methods?: Partial<TestService["service"]> };

export interface GrpcFrontUnderTest {
  readonly service: TestService["service"];
  /** A front over the service, not listening yet. */
  make(wish?: FrontWish): GrpcFront;
  /** One that listens on a free port of 127.0.0.1, and where. */
  open(wish?: FrontWish): Promise<string>;
  /** Is closed after the test, before the fronts are. */
  closing<T extends { close(): void }>(client: T): T;
}

/** Registers the hooks; to be called once at the top of a test file. */
export function useGrpcFront(): GrpcFrontUnderTest {
  let under: TestService;
  const fronts: GrpcFront[] = [];
  const clients: { close(): void }[] = [];
  beforeEach(async () => {
    under = await openTestService();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const front of fronts.splice(0)) await front.close();
    await under.service.close();
  });
  const make = ({ methods = {}, ...over }: FrontWish = {}): GrpcFront => {
    const front = openGrpcFront(withMethods(under.service, methods), over);
    fronts.push(front);
    return front;
  };
  return {
    get service() {
      return under.service;
    },
    make,
    open: async (wish) => `127.0.0.1:${await make(wish).listen("127.0.0.1:0")}`,
    closing(client) {
      clients.push(client);
      return client;
    },
  };
}
