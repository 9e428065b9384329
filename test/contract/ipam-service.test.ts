import { createGrpcClient } from "../../lib/rpc/grpc-client.ts";
import { createHttpClient } from "../../lib/rpc/http-client.ts";
import {
  openGrpcFront,
  openHttpFront,
  openTestService,
  TemporaryDirectory,
} from "../support/ipam/ipam-fronts.ts";
import type { ServiceSubject } from "./ipam-service/subject.ts";
import { ipamServiceContract } from "./ipam-service.ts";

async function inProcess(): Promise<ServiceSubject> {
  const { service, clock } = await openTestService();
  return { service, clock, close: () => service.close() };
}

async function overHttp(): Promise<ServiceSubject> {
  const { service, clock } = await openTestService();
  const directory = new TemporaryDirectory();
  const socket = directory.file("s.sock");
  const front = await openHttpFront(service);
  await front.app.listen({ path: socket });
  const client = createHttpClient({ endpoint: { socket } });
  return {
    service: client,
    clock,
    async close() {
      client.close();
      await front.close();
      await service.close();
      directory.remove();
    },
  };
}

async function overGrpc(): Promise<ServiceSubject> {
  const { service, clock } = await openTestService();
  const directory = new TemporaryDirectory();
  const target = `unix:${directory.file("g.sock")}`;
  const front = openGrpcFront(service);
  await front.listen(target);
  const client = createGrpcClient({ target });
  return {
    service: client,
    clock,
    async close() {
      client.close();
      await front.close();
      await service.close();
      directory.remove();
    },
  };
}

ipamServiceContract("in process", inProcess);
ipamServiceContract("over HTTP on a unix socket", overHttp);
ipamServiceContract("over gRPC", overGrpc);
