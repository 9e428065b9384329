import { connect } from "node:net";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { IpamServiceService } from "../../../lib/rpc/generated/fairlead/v1/ipam.ts";
import { createGrpcClient } from "../../../lib/rpc/grpc-client.ts";
import { useGrpcFront } from "../../../test/support/ipam/grpc-fronts.ts";
import { TemporaryDirectory } from "../../../test/support/ipam/ipam-fronts.ts";
import { tokenFrom } from "../token.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const CALLER = { actor: "", node: "" };

const s = useGrpcFront();
const token = tokenFrom(SECRET);
const directory = new TemporaryDirectory();
afterAll(() => directory.remove());

test.each(["127.0.0.1", "[::1]"])("on %s with a token, on a port that is free", async (host) => {
  const port = await s.make({ token }).listen(`${host}:0`);
  const client = s.closing(createGrpcClient({ target: `${host}:${port}`, token: SECRET }));
  expect((await client.info()).version).toBe("1.2.3");
  await expect(s.make({ token }).listen(`${host}:${port}`)).rejects.toMatchObject({
    code: "unavailable",
    object: `${host}:${port}`,
    hint: expect.stringContaining("grpc.listen"),
  });
});

test("who is closed lets nobody in any more", async () => {
  const front = s.make({ token });
  const port = await front.listen("127.0.0.1:0");
  await front.close();
  const outcome = await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code));
  });
  expect(outcome).toBe("ECONNREFUSED");
});

test("on a unix socket no connection is counted", async () => {
  const target = `unix:${directory.file("g.sock")}`;
  await s.make({ token, limits: { connections: 1, strangerMs: 60_000 } }).listen(target);
  for (let at = 0; at < 3; at += 1) {
    const client = s.closing(createGrpcClient({ target, token: SECRET }));
    expect((await client.info()).version).toBe("1.2.3");
  }
});

test.each(["127.0.0.1", "[::1]"])("who showed the token on %s is not put out for others", async (host) => {
  const port = await s.make({ token, limits: { connections: 2, strangerMs: 60_000 } }).listen(`${host}:0`);
  const client = s.closing(new Client(`${host}:${port}`, credentials.createInsecure()));
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${SECRET}`);
  const { path, requestSerialize, responseDeserialize } = IpamServiceService.watchEvents;
  const { revision, logId } = await s.service.info();
  const since = { since: revision - 1, logId };
  const stream = client.makeServerStreamRequest(
    ...([path, requestSerialize, responseDeserialize, since, metadata] as const),
  );
  const messages = stream[Symbol.asyncIterator]();
  await messages.next();
  const strangers = Array.from({ length: 4 }, () => connect(port, host.replace(/[[\]]/g, "")));
  // Of all connections one stranger's is left.
  let gone = 0;
  await new Promise<void>((resolve) => {
    for (const socket of strangers)
      socket
        .on("error", () => {})
        .on("close", () => ++gone === 3 && resolve())
        .resume();
  });
  await s.service.createNetwork({ name: "web" }, CALLER);
  expect((await messages.next()).value).toMatchObject({ event: { revision: revision + 1 } });
  for (const socket of strangers) socket.destroy();
  stream.on("error", () => {}).cancel();
});
