/** A service with the network `web` and the HTTP front over it, anew for each test of a file. */
import type { HttpFrontOptions } from "../../../ipam-server/fronts/http/front.ts";
import {
  type Answer,
  type Call,
  ListeningFront,
  openHttpFront,
  openTestService,
  type TestService,
} from "./ipam-fronts.ts";

export class FrontFixture {
  under!: TestService;
  front!: ListeningFront;

  readonly call = (request: Call): Promise<Answer> => this.front.call(request);
  readonly acquire = (payload: unknown, headers = {}): Promise<Answer> =>
    this.call({ method: "POST", url: "/v1/attachments/acquire", payload, headers });
  /** A front over the same service, with parts replaced. */
  readonly openOther = (over: Partial<HttpFrontOptions>): Promise<ListeningFront> =>
    ListeningFront.open(openHttpFront(this.under.service, over));
}

export function useHttpFront(): FrontFixture {
  const fixture = new FrontFixture();
  beforeEach(async () => {
    fixture.under = await openTestService();
    fixture.front = await ListeningFront.open(openHttpFront(fixture.under.service));
    await fixture.under.service.createNetwork({ name: "web" }, { actor: "test", node: "n1" });
  });
  afterEach(async () => {
    await fixture.front.close();
    await fixture.under.service.close();
  });
  return fixture;
}
