/**
 * What every way to the IPAM service must carry unchanged: the service itself, and its clients.
 *
 *     ipamServiceContract("over HTTP", () => openOverHttp());
 *
 * The rules of the service are tested where they are made; this suite holds that each operation, with every
 * field of its request and answer and with its errors, is the same however it is called.
 */
import type { IpamService } from "../../lib/ipam/api.ts";
import { addressCases } from "./ipam-service/addresses.ts";
import { attachmentCases } from "./ipam-service/attachments.ts";
import { endpointCases } from "./ipam-service/endpoints.ts";
import { historyCases } from "./ipam-service/history.ts";
import { networkCases } from "./ipam-service/networks.ts";
import type { ServiceSubject } from "./ipam-service/subject.ts";

export function ipamServiceContract(name: string, open: () => Promise<ServiceSubject>): void {
  describe(`IPAM service ${name}`, () => {
    let subject: ServiceSubject;
    const service = (): IpamService => subject.service;

    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());

    attachmentCases(service, () => subject.clock);
    networkCases(service);
    endpointCases(service, () => subject.clock);
    addressCases(service);
    historyCases(service, () => subject.clock);
  });
}
